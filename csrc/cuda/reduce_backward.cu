// Gradients of the reductions of the middle axis.
#include "../shapes/kernels.h"
#include "reduce_kernels.h"
#include "units.h"

namespace dlbd::cuda {
namespace {

template <class T>
struct Slope {
  ReduceOp op;
  T scale;
  const T *x, *y, *dy, *ties;
  T* dx;
  bool accumulate;
  bool along;  // y, dy and ties run along a pack, or have one value for it

  __device__ __forceinline__ T of(T x, T y, T dy, T ties) const {
    switch (op) {
      case ReduceOp::shifted_squares: return dy * scale * (x - y);
      case ReduceOp::shifted_exp: return dy * (x == y ? T(1) : exp(x - y));
      case ReduceOp::max:
      case ReduceOp::min: return x == y ? dy / ties : T(0);
      default: return dy * scale;
    }
  }
};

template <class T, int V>
__device__ __forceinline__ Pack<T, V> load_result(const T* p, bool along) {
  if (along) return *reinterpret_cast<const Pack<T, V>*>(p);
  Pack<T, V> x;
#pragma unroll
  for (int i = 0; i < V; ++i) x.v[i] = *p;
  return x;
}

template <int V>
constexpr int kInFlight = V == 1 ? 4 : 2;

// Offsets: in x and dx, in y and dy.
template <class T, int V>
__global__ void slope_kernel(Walk<2> walk, Slope<T> s) {
  constexpr int U = kInFlight<V>;
  using Values = Pack<T, V>;
  int64_t at[U][2] = {};
  walk.locate_own(at);
  Values x[U]{}, y[U]{}, dy[U], ties[U]{};
#pragma unroll
  for (int u = 0; u < U; ++u) {
    dy[u] = load_result<T, V>(s.dy + at[u][1], s.along);
    if (s.op == ReduceOp::sum) continue;
    x[u] = *reinterpret_cast<const Values*>(s.x + at[u][0]);
    y[u] = load_result<T, V>(s.y + at[u][1], s.along);
    if (s.ties) ties[u] = load_result<T, V>(s.ties + at[u][1], s.along);
  }
#pragma unroll
  for (int u = 0; u < U; ++u) {
    if (walk_place<U>(u) >= walk.total) continue;
    Values* to = reinterpret_cast<Values*>(s.dx + at[u][0]);
    Values g = s.accumulate ? *to : Values{};
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const T slope = s.of(x[u].v[i], y[u].v[i], dy[u].v[i], ties[u].v[i]);
      g.v[i] = s.accumulate ? g.v[i] + slope : slope;
    }
    *to = g;
  }
}

template <class T, int V>
void launch_slopes(const ReduceBackwardArgs& a, const Slope<T>& s) {
  Places<2> places;
  if (a.inner > 1) {
    places.append(a.inner / V, {V, V});
    places.append(a.n, {a.inner, 0});
    places.append(a.outer, {a.n * a.inner, a.inner});
  } else {
    places.append(a.n / V, {V, 0});
    places.append(a.outer, {a.n, 1});
  }
  places.each_walk([&](const Walk<2>& walk, const int64_t* at) {
    const auto moved = [](auto* p, int64_t by) { return p ? p + by : p; };
    Slope<T> part = s;
    part.x = moved(s.x, at[0]), part.dx = s.dx + at[0];
    part.y = moved(s.y, at[1]), part.dy = s.dy + at[1], part.ties = moved(s.ties, at[1]);
    launch(slope_kernel<T, V>, walk_grid<kInFlight<V>>(walk.total), stream_of(a), walk, part);
  });
}

// The product of all the others: y / x without zeros among them, the product of the rest at a lone zero. So many lanes
// share a result.
template <class T>
__global__ void prod_slope_kernel(ReduceBackwardArgs a, int lanes) {
  const T *x = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const int64_t result = global_thread() / lanes;
  if (result >= a.outer * a.inner) return;  // a whole warp, or a thread on its own
  const int lane = static_cast<int>(threadIdx.x) & (lanes - 1);
  const int64_t start = result / a.inner * a.n * a.inner + result % a.inner;
  double rest = 1;
  int64_t zeros = 0;
  for (int64_t i = lane; i < a.n; i += lanes) {
    const double v = x[start + i * a.inner];
    rest *= v == 0 ? 1 : v, zeros += v == 0;
  }
  for (int d = lanes / 2; d > 0; d /= 2) rest *= from_lane(rest, d), zeros += from_lane(zeros, d);
  for (int64_t i = lane; i < a.n; i += lanes) {
    const double v = x[start + i * a.inner];
    const double others = zeros == 0 ? rest / v : (zeros == 1 && v == 0 ? rest : 0.0);
    const T g = static_cast<T>(dy[result] * others);
    T* to = dx + start + i * a.inner;
    *to = a.accumulate ? *to + g : g;
  }
}

template <class T>
void prod_slope(const ReduceBackwardArgs& a) {
  const int lanes = a.inner == 1 ? kWarp : 1;
  const unsigned blocks = static_cast<unsigned>(ceil_div(a.outer * a.inner * lanes, kReduceThreads));
  launch(prod_slope_kernel<T>, {blocks, kReduceThreads}, stream_of(a), a, lanes);
}

bool has_ties(const ReduceBackwardArgs& a) { return a.op == ReduceOp::max || a.op == ReduceOp::min; }

int64_t tie_bytes(const ReduceBackwardArgs& a) {
  constexpr int64_t kAlignment = 64;
  return ceil_div(a.outer * a.inner * bytes_of(a.dtype), kAlignment) * kAlignment;
}

// How many elements are equal to each result.
template <class T>
T* count_ties(const ReduceBackwardArgs& a) {
  ReduceArgs counting{};
  static_cast<LaunchArgs&>(counting) = a;
  counting.dtype = a.dtype, counting.outer = a.outer, counting.n = a.n, counting.inner = a.inner;
  counting.scale = 1, counting.x = a.x, counting.shift = a.y, counting.y = a.scratch;
  reduce_by(counting, Ties<T>{}, static_cast<char*>(a.scratch) + tie_bytes(a));
  return static_cast<T*>(a.scratch);
}

template <class T>
void slopes_as(const ReduceBackwardArgs& a) {
  if (a.op == ReduceOp::prod) return prod_slope<T>(a);
  const T* ties = has_ties(a) ? count_ties<T>(a) : nullptr;
  const bool along = a.inner > 1;
  const Slope<T> s{a.op,
                   static_cast<T>(a.scale),
                   static_cast<const T*>(a.x),
                   static_cast<const T*>(a.y),
                   static_cast<const T*>(a.dy),
                   ties,
                   static_cast<T*>(a.dx),
                   a.accumulate,
                   along};
  constexpr int V = Pack<T>::kSize;
  const bool packed = (along ? a.inner : a.n) % V == 0 && aligned(s.x, s.dx) && (!along || aligned(s.y, s.dy));
  packed ? launch_slopes<T, V>(a, s) : launch_slopes<T, 1>(a, s);
}

}  // namespace

int64_t reduce_backward_scratch(const ReduceBackwardArgs& a) {
  return has_ties(a) ? tie_bytes(a) + partial_bytes(a.dtype, a.outer, a.n, a.inner) : 0;
}

void reduce_backward(const ReduceBackwardArgs& a) {
  if (a.outer == 0 || a.n == 0 || a.inner == 0) return;
  with_float(a.dtype, [&](auto zero) { slopes_as<decltype(zero)>(a); });
}

}  // namespace dlbd::cuda
