// Softmax and its logarithm along one axis. A NaN or +inf in a row makes the whole row NaN, as the formula has it.
#include "../shapes/kernels.h"
#include "../shapes/softmax.h"
#include "columns.h"
#include "exp_sum.h"
#include "rows.h"

namespace dlbd::cuda {
namespace {

// A thread of a column takes at least this many elements: below, sharing the column out costs more than it saves.
constexpr int kColumnElements = 8;

template <class T>
__device__ __forceinline__ T gradient(T y, T dy, T dot, bool log_given) {
  return log_given ? dy - exp(y) * dot : y * (dy - dot);
}

// Rows that stay in registers: a thread holds kPacks packs, the team's packs lie side by side.
template <int kPacks>
__global__ void __launch_bounds__(kPacks > 4 ? kTeamsThreads : kMostThreads)
    forward_kept_kernel(SoftmaxForwardArgs a, Team team) {
  TeamSlots& slots = shared<TeamSlots>();
  const float* x = static_cast<const float*>(a.x);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const int64_t begin = row * a.shape.n;
  const Span row_span = span_of(x, begin, row < a.shape.outer ? begin + a.shape.n : begin);
  const SpanOf<int> span = from_first(row_span);
  float* y = static_cast<float*>(a.y) + row_span.first;
  x += row_span.first;
  const int at = team.rank() * kLanes<float>;
  const int step = team.size * kLanes<float>;
  Pack<float> v[kPacks];
  float top = kLowest<float>;
#pragma unroll
  for (int u = 0; u < kPacks; ++u) v[u] = load_span(x, at + u * step, span, kLowest<float>);
#pragma unroll
  for (int u = 0; u < kPacks; ++u)
#pragma unroll
    for (int i = 0; i < kLanes<float>; ++i) top = Larger()(v[u].v[i], top);
  top = reduce_team(top, Larger(), team, slots);
  float sum = 0;
#pragma unroll
  for (int u = 0; u < kPacks; ++u) {
    Pack<float> e;
#pragma unroll
    for (int i = 0; i < kLanes<float>; ++i) {
      v[u].v[i] -= top;
      e.v[i] = exp(v[u].v[i]);
    }
    sum += sum_of<float, 1>({e});
    if (!a.log) v[u] = e;
  }
  sum = reduce_team(sum, Plus(), team, slots);
  const float factor = a.log ? log(sum) : 1 / sum;
#pragma unroll
  for (int u = 0; u < kPacks; ++u) {
#pragma unroll
    for (int i = 0; i < kLanes<float>; ++i) v[u].v[i] = a.log ? v[u].v[i] - factor : v[u].v[i] * factor;
    store_span(y, at + u * step, span, v[u]);
  }
}

// What a thread of a walking team keeps of its row from the first walk to the second, in shared memory after the slots.
template <class T>
struct Kept {
  Pack<T>* next;

  __device__ explicit Kept(TeamSlots& slots, int64_t after = 0)
      : next(reinterpret_cast<Pack<T>*>(&slots + 1) + after + threadIdx.x) {}
  __device__ void put(const Pack<T> (&x)[kAhead]) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u, next += blockDim.x) *next = x[u];
  }
  __device__ void take(Pack<T> (&x)[kAhead]) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u, next += blockDim.x) x[u] = *next;
  }
};

// Rows of any length. `kept`: packs of the row that are kept from the first walk; 0 for none: it is read twice.
template <class T>
__global__ void __launch_bounds__(kMostWalkers) forward_walked_kernel(SoftmaxForwardArgs a, Team team, int64_t kept) {
  TeamSlots& slots = shared<TeamSlots>();
  Kept<T> written(slots), read(slots);
  const T* x = static_cast<const T*>(a.x);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const int64_t begin = row * a.shape.n;
  const Span span = span_of(x, begin, row < a.shape.outer ? begin + a.shape.n : begin);
  const int64_t start = span.first + team.rank() * kLanes<T>, step = team.size * kLanes<T>;
  ExpSum<T> mine;
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> v[kAhead];
    load_run(x, at, step, span, v, kLowest<T>);
    if (kept) written.put(v);
    add_exponentials(mine, v);
  }
  const T top = reduce_team(mine.top, Larger(), team, slots);
  const T sum = static_cast<T>(reduce_team(seen_from(mine, top), Plus(), team, slots));
  const T factor = a.log ? log(sum) : 1 / sum;
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> v[kAhead];
    if (kept)
      read.take(v);
    else
      load_run(x, at, step, span, v);
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) v[u].v[i] = a.log ? v[u].v[i] - top - factor : exp(v[u].v[i] - top) * factor;
      store_span(static_cast<T*>(a.y), at + u * step, span, v[u]);
    }
  }
}

// dx = gradient(y, dy, dot), added to what was there if so asked.
template <class T, class I>
__device__ __forceinline__ void store_gradient(const SoftmaxBackwardArgs& a, T* dx, I at, const SpanOf<I>& span,
                                               const Pack<T>& y, const Pack<T>& dy, T dot) {
  Pack<T> d;
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) d.v[i] = gradient(y.v[i], dy.v[i], dot, a.log);
  if (a.accumulate) {
    const Pack<T> before = load_span(dx, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) d.v[i] += before.v[i];
  }
  store_span(dx, at, span, d);
}

template <class T, int N>
__device__ __forceinline__ T dot_of(const Pack<T> (&y)[N], const Pack<T> (&dy)[N], bool log_given) {
  Pack<T> product[N];
#pragma unroll
  for (int u = 0; u < N; ++u)
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) product[u].v[i] = log_given ? dy[u].v[i] : y[u].v[i] * dy[u].v[i];
  return sum_of(product);
}

template <int kPacks>
__global__ void __launch_bounds__(kMostWalkers) backward_kept_kernel(SoftmaxBackwardArgs a, Team team) {
  TeamSlots& slots = shared<TeamSlots>();
  const float* y = static_cast<const float*>(a.y);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const int64_t begin = row * a.shape.n;
  const Span row_span = span_of(y, begin, row < a.shape.outer ? begin + a.shape.n : begin);
  const SpanOf<int> span = from_first(row_span);
  const float* dy = static_cast<const float*>(a.dy) + row_span.first;
  float* dx = static_cast<float*>(a.dx) + row_span.first;
  y += row_span.first;
  const int at = team.rank() * kLanes<float>;
  const int step = team.size * kLanes<float>;
  Pack<float> out[kPacks], d[kPacks];
#pragma unroll
  for (int u = 0; u < kPacks; ++u) {
    d[u] = load_span(dy, at + u * step, span);
    out[u] = load_span(y, at + u * step, span);
  }
  const float dot = reduce_team(dot_of(out, d, a.log), Plus(), team, slots);
#pragma unroll
  for (int u = 0; u < kPacks; ++u) store_gradient(a, dx, at + u * step, span, out[u], d[u], dot);
}

// `kept`: packs of each of the two rows that are kept from the first walk; 0 for none.
template <class T>
__global__ void __launch_bounds__(kMostWalkers) backward_walked_kernel(SoftmaxBackwardArgs a, Team team, int64_t kept) {
  TeamSlots& slots = shared<TeamSlots>();
  Kept<T> written_y(slots), read_y(slots), written_dy(slots, kept), read_dy(slots, kept);
  const T* y = static_cast<const T*>(a.y);
  const T* dy = static_cast<const T*>(a.dy);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const int64_t begin = row * a.shape.n;
  const Span span = span_of(y, begin, row < a.shape.outer ? begin + a.shape.n : begin);
  const int64_t start = span.first + team.rank() * kLanes<T>, step = team.size * kLanes<T>;
  double sum = 0;
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> out[kAhead] = {}, d[kAhead];
    load_run(dy, at, step, span, d);
    if (kept || !a.log) load_run(y, at, step, span, out);
    if (kept) written_dy.put(d), written_y.put(out);
    sum += static_cast<double>(dot_of(out, d, a.log));
  }
  const T dot = static_cast<T>(reduce_team(sum, Plus(), team, slots));
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> out[kAhead], d[kAhead];
    if (kept) {
      read_dy.take(d), read_y.take(out);
    } else {
      load_run(dy, at, step, span, d);
      load_run(y, at, step, span, out);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) store_gradient(a, static_cast<T*>(a.dx), at + u * step, span, out[u], d[u], dot);
  }
}

// A column of outer x n x inner: its elements are base, base + inner, ...; out of range it has none.
struct Column {
  int64_t base, n, inner;
};

__device__ __forceinline__ Column column_of(const SoftmaxShape& s, ColumnBlock b) {
  const int64_t across = (s.inner + b.width - 1) / b.width;
  const int64_t piece = static_cast<int64_t>(blockIdx.x) * b.depth + b.piece();
  const int64_t column = piece % across * b.width + b.column();
  const bool there = piece < s.outer * across && column < s.inner;
  return {piece / across * s.n * s.inner + column, there ? s.n : 0, s.inner};
}

// Elements first, first + height, ... of the column.
template <class T>
__device__ __forceinline__ void load_column(const T* p, const Column& c, int64_t first, int height, T (&x)[kRun<T>],
                                            T fill) {
#pragma unroll
  for (int u = 0; u < kRun<T>; ++u) {
    const int64_t i = first + int64_t{u} * height;
    x[u] = i < c.n ? p[c.base + i * c.inner] : fill;
  }
}

template <class T>
struct ColumnSlots {
  T tops[kColumnThreads];
  double sums[kColumnThreads];
};

template <class T>
__global__ void __launch_bounds__(kColumnThreads) forward_columns_kernel(SoftmaxForwardArgs a, ColumnBlock b) {
  ColumnSlots<T>& slots = shared<ColumnSlots<T>>();
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  const Column c = column_of(a.shape, b);
  ExpSum<T> mine;
#pragma unroll 1
  for (int64_t first = b.row(); first < c.n; first += kRun<T> * b.height) {
    T v[kRun<T>];
    load_column(x, c, first, b.height, v, kLowest<T>);
    add_exponentials(mine, v);
  }
  const T top = reduce_column(mine.top, Larger(), b, slots.tops);
  const T sum = static_cast<T>(reduce_column(seen_from(mine, top), Plus(), b, slots.sums));
  const T factor = a.log ? log(sum) : 1 / sum;
#pragma unroll 4
  for (int64_t i = b.row(); i < c.n; i += b.height) {
    const T v = x[c.base + i * c.inner] - top;
    y[c.base + i * c.inner] = a.log ? v - factor : exp(v) * factor;
  }
}

template <class T>
__global__ void __launch_bounds__(kColumnThreads) backward_columns_kernel(SoftmaxBackwardArgs a, ColumnBlock b) {
  ColumnSlots<T>& slots = shared<ColumnSlots<T>>();
  const T* y = static_cast<const T*>(a.y);
  const T* dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dx);
  const Column c = column_of(a.shape, b);
  double sum = 0;
#pragma unroll 1
  for (int64_t first = b.row(); first < c.n; first += kRun<T> * b.height) {
    T out[kRun<T>], d[kRun<T>], run = 0;
    load_column(dy, c, first, b.height, d, T(0));
    if (!a.log) load_column(y, c, first, b.height, out, T(0));
#pragma unroll
    for (int u = 0; u < kRun<T>; ++u) run += a.log ? d[u] : out[u] * d[u];
    sum += static_cast<double>(run);
  }
  const T dot = static_cast<T>(reduce_column(sum, Plus(), b, slots.sums));
#pragma unroll 4
  for (int64_t i = b.row(); i < c.n; i += b.height) {
    const int64_t at = c.base + i * c.inner;
    const T d = gradient(y[at], dy[at], dot, a.log);
    dx[at] = a.accumulate ? dx[at] + d : d;
  }
}

template <class T, class Args>
void launch_columns(void (*kernel)(Args, ColumnBlock), const Args& a) {
  const SoftmaxShape& s = a.shape;
  const ColumnBlock b = column_block(s.inner, s.n, kColumnElements);
  const int64_t pieces = s.outer * ceil_div(s.inner, b.width);
  launch(kernel, Grid{static_cast<unsigned>(ceil_div(pieces, b.depth)), kColumnThreads, sizeof(ColumnSlots<T>)},
         stream_of(a), a, b);
}

template <class Args>
void launch_kept(void (*kernel)(Args, Team), const Args& a, Team team) {
  launch(kernel, Grid{blocks_of_teams(a.shape.outer, team), threads_for(team), sizeof(TeamSlots)}, stream_of(a), a,
         team);
}

// `arrays` are read.
template <class Args>
void launch_walked(void (*kernel)(Args, Team, int64_t), const Args& a, int64_t packs, int arrays) {
  const Team team = team_for(packs);
  const int64_t kept = ceil_div(packs, kAhead * team.size) * kAhead * team.size;
  const size_t bytes = sizeof(TeamSlots) + static_cast<size_t>(kept * arrays) * sizeof(Pack<float>);
  const bool fits = team.size > kWarp && bytes <= static_cast<size_t>(device().shared_bytes);
  launch(kernel, Grid{blocks_of_teams(a.shape.outer, team), threads_for(team), fits ? bytes : sizeof(TeamSlots)},
         stream_of(a), a, team, fits ? kept : 0);
}

// Rows of float32 up to this many packs are kept in registers, four packs a thread; of those of the backward there are
// two.
constexpr int64_t kMostKeptForward = 4 * kMostThreads, kMostKeptBackward = 4 * kMostWalkers;

bool is_empty(const SoftmaxShape& s) { return s.outer == 0 || s.n == 0 || s.inner == 0; }

// Teams whose threads hold one pack of the row, or four.
Team team_of_one(int64_t packs) { return {power_of_two(packs)}; }
Team team_of_four(int64_t packs) { return {packs <= 4 * kWarp ? kWarp : power_of_two(ceil_div(packs, 4))}; }

}  // namespace

void softmax_forward(const SoftmaxForwardArgs& a) {
  const SoftmaxShape& s = a.shape;
  if (is_empty(s)) return;
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (s.path == SoftmaxPath::columns) return launch_columns<T>(forward_columns_kernel<T>, a);
    const int64_t packs = packs_of<T>(s.n, a.x);
    if (s.dtype == DType::f64 || packs > kMostKeptForward) return launch_walked(forward_walked_kernel<T>, a, packs, 1);
    if (packs <= kWarp) return launch_kept(forward_kept_kernel<1>, a, team_of_one(packs));
    if (packs > 4 * kWarp && packs <= 8 * kWarp) return launch_kept(forward_kept_kernel<8>, a, Team{kWarp});
    launch_kept(forward_kept_kernel<4>, a, team_of_four(packs));
  });
}

void softmax_backward(const SoftmaxBackwardArgs& a) {
  const SoftmaxShape& s = a.shape;
  if (is_empty(s)) return;
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (s.path == SoftmaxPath::columns) return launch_columns<T>(backward_columns_kernel<T>, a);
    const int64_t packs = packs_of<T>(s.n, a.y);
    if (s.dtype == DType::f64 || packs > kMostKeptBackward)
      return launch_walked(backward_walked_kernel<T>, a, packs, 2);
    if (packs <= kWarp) return launch_kept(backward_kept_kernel<1>, a, team_of_one(packs));
    launch_kept(backward_kept_kernel<4>, a, team_of_four(packs));
  });
}

}  // namespace dlbd::cuda
