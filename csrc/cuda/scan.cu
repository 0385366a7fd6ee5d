// Running sums and products. A line that is too long for one thread or warp is cut into chunks: first their totals,
// then these added up, then every chunk from what is before it. Every cut depends on the sizes alone; float32 is
// carried in float64.
#include "../shapes/kernels.h"
#include "../shapes/scan.h"
#include "block.h"
#include "vector.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerLane = 4;  // neighbours that a lane joins before its warp does

// A line is cut until there are about so many threads, but not into chunks that are shorter than this.
constexpr int64_t kEnoughThreads = 1 << 18, kShortestRun = 64, kShortestWarpRun = 4 * kWarp * kPerLane;

// Fewer lines than this, side by side in memory, do not fill what is read at once: a long one then has a warp.
constexpr int64_t kSideBySide = 16;

struct Cut {
  int64_t outer, n, inner;
  bool reverse, by_warps;
  int64_t rows;    // of a chunk
  int64_t chunks;  // of a line, in the order of the run

  int64_t pieces() const { return outer * chunks * inner; }
};

Cut cut_of(int64_t outer, int64_t n, int64_t inner, bool reverse) {
  Cut c{outer, n, inner, reverse, inner < kSideBySide && n > kShortestRun, 0, 0};
  const int64_t threads = outer * inner * (c.by_warps ? kWarp : 1),
                shortest = c.by_warps ? kShortestWarpRun : kShortestRun;
  const int64_t wanted = ceil_div(kEnoughThreads, threads > 0 ? threads : 1);
  const int64_t run = ceil_div(ceil_div(n, wanted), shortest) * shortest;
  c.rows = run > shortest ? run : shortest;
  c.chunks = ceil_div(n, c.rows);
  return c;
}

// A chunk of a line: element `at(j)` is the j-th of the line in the order of the run.
struct Chunk {
  int64_t begin, end;  // of j
  int64_t base, inner, last;
  bool reverse;

  __device__ __forceinline__ Chunk(const Cut& c, int64_t piece)
      : begin(piece / c.inner % c.chunks * c.rows),
        end(min(c.n, begin + c.rows)),
        base(piece / c.inner / c.chunks * c.n * c.inner + piece % c.inner),
        inner(c.inner),
        last(c.n - 1),
        reverse(c.reverse) {}
  __device__ __forceinline__ int64_t row(int64_t j) const { return reverse ? last - j : j; }
  __device__ __forceinline__ int64_t at(int64_t row) const { return base + row * inner; }
};

// An operation has: State, start(); load(at, row): an element; join(first, second): the state after both;
// put(before, after, at): what is written for an element. `carries` holds what is before each piece, or `totals` waits
// for what is in it.
template <class Op>
struct Pieces {
  using State = typename Op::State;
  Cut cut;
  int64_t count;
  const State* carries;
  State* totals;
};

template <class Op>
__global__ void __launch_bounds__(kThreads) lanes_kernel(Op op, Pieces<Op> p) {
  const int64_t piece = global_thread();
  if (piece >= p.count) return;
  const Chunk chunk(p.cut, piece);
  auto state = p.carries ? p.carries[piece] : op.start();
#pragma unroll 4
  for (int64_t j = chunk.begin; j < chunk.end; ++j) {
    const int64_t row = chunk.row(j), at = chunk.at(row);
    const auto after = op.join(state, op.load(at, row));
    if (!p.totals) op.put(state, after, at);
    state = after;
  }
  if (p.totals) p.totals[piece] = state;
}

// s = b + a s', a step of the gradient of products, and so are two steps.
struct Map {
  double a, b;
};

template <class State>
__device__ __forceinline__ State of_lane(State s, int lane) {
  return __shfl_sync(kWholeWarp, s, lane);
}
__device__ __forceinline__ Map of_lane(Map s, int lane) {
  return {__shfl_sync(kWholeWarp, s.a, lane), __shfl_sync(kWholeWarp, s.b, lane)};
}

template <class Op>
__global__ void __launch_bounds__(kThreads) warps_kernel(Op op, Pieces<Op> p) {
  using State = typename Op::State;
  const int64_t piece = global_thread() / kWarp;
  if (piece >= p.count) return;
  const int lane = threadIdx.x % kWarp;
  const Chunk chunk(p.cut, piece);
  State carry = p.carries ? p.carries[piece] : op.start();
  for (int64_t first = chunk.begin; first < chunk.end; first += kWarp * kPerLane) {
    const int64_t mine = first + lane * kPerLane;
    State own[kPerLane];
#pragma unroll
    for (int k = 0; k < kPerLane; ++k) {
      const int64_t row = chunk.row(mine + k);
      own[k] = mine + k < chunk.end ? op.load(chunk.at(row), row) : op.start();
    }
#pragma unroll
    for (int k = 1; k < kPerLane; ++k) own[k] = op.join(own[k - 1], own[k]);
    State sum = own[kPerLane - 1];
#pragma unroll
    for (int d = 1; d < kWarp; d *= 2) {
      const State lower = of_lane(sum, max(lane - d, 0));
      if (lane >= d) sum = op.join(lower, sum);
    }
    const State lower = of_lane(sum, max(lane - 1, 0));
    const State before = lane > 0 ? op.join(carry, lower) : carry;
    if (!p.totals) {
#pragma unroll
      for (int k = 0; k < kPerLane; ++k)
        if (mine + k < chunk.end)
          op.put(k > 0 ? op.join(before, own[k - 1]) : before, op.join(before, own[k]), chunk.at(chunk.row(mine + k)));
    }
    carry = op.join(carry, of_lane(sum, kWarp - 1));
  }
  if (p.totals && lane == 0) p.totals[piece] = carry;
}

template <class T>
struct CarryOf {
  using type = double;
};
template <>
struct CarryOf<int32_t> {  // integers wrap around
  using type = uint32_t;
};
template <>
struct CarryOf<int64_t> {
  using type = uint64_t;
};

template <class T, bool Product>
struct Running {
  using State = typename CarryOf<T>::type;
  const T* x;
  T* y;
  bool exclusive, accumulate;

  __device__ __forceinline__ State start() const { return State(Product); }
  __device__ __forceinline__ State join(State a, State b) const { return Product ? a * b : a + b; }
  __device__ __forceinline__ State load(int64_t at, int64_t) const { return static_cast<State>(x[at]); }
  __device__ __forceinline__ void put(State before, State after, int64_t at) const {
    const T found = static_cast<T>(exclusive ? before : after);
    y[at] = accumulate ? y[at] + found : found;
  }
};

template <class T>
struct ProdBackward {
  using State = Map;
  int64_t n, inner;
  const T *x, *products, *dy;
  T* dx;
  bool accumulate;

  __device__ __forceinline__ State start() const { return {1, 0}; }
  __device__ __forceinline__ State join(State first, State second) const {
    return {second.a * first.a, second.b + second.a * first.b};
  }
  __device__ __forceinline__ State load(int64_t at, int64_t row) const {
    return {row + 1 < n ? static_cast<double>(x[at + inner]) : 0.0, static_cast<double>(dy[at])};
  }
  __device__ __forceinline__ void put(State, State after, int64_t at) const {
    const T found = static_cast<T>(static_cast<double>(products[at]) * after.b);
    dx[at] = accumulate ? dx[at] + found : found;
  }
};

// What is before each chunk, in place of its total.
template <class Op>
struct Carries {
  using State = typename Op::State;
  Op op;
  State* totals;

  __device__ __forceinline__ State start() const { return op.start(); }
  __device__ __forceinline__ State join(State a, State b) const { return op.join(a, b); }
  __device__ __forceinline__ State load(int64_t at, int64_t) const { return totals[at]; }
  __device__ __forceinline__ void put(State before, State, int64_t at) const { totals[at] = before; }
};

template <class Op>
void launch_pieces(const LaunchArgs& a, const Op& op, const Pieces<Op>& p) {
  const int64_t threads = p.count * (p.cut.by_warps ? kWarp : 1);
  launch(p.cut.by_warps ? warps_kernel<Op> : lanes_kernel<Op>,
         {static_cast<unsigned>(ceil_div(threads, kThreads)), kThreads}, stream_of(a), op, p);
}

template <class Op>
void run(const LaunchArgs& a, const Cut& cut, const Op& op) {
  using State = typename Op::State;
  State* totals = nullptr;
  if (cut.chunks > 1) {
    totals = static_cast<State*>(a.scratch);
    launch_pieces(a, op, {cut, cut.pieces(), nullptr, totals});
    const Cut whole{cut.outer, cut.chunks, cut.inner, false, cut.by_warps, cut.chunks, 1};
    launch_pieces(a, Carries<Op>{op, totals}, {whole, whole.pieces(), nullptr, nullptr});
  }
  launch_pieces(a, op, {cut, cut.pieces(), totals, nullptr});
}

Cut cut_of(const ScanArgs& a) { return cut_of(a.outer, a.n, a.inner, a.reverse); }
Cut cut_of(const ScanProdBackwardArgs& a) { return cut_of(a.outer, a.n, a.inner, true); }

template <class State>
int64_t scratch_of(const Cut& cut) {
  return cut.chunks > 1 ? cut.pieces() * static_cast<int64_t>(sizeof(State)) : 0;
}

}  // namespace

int64_t scan_forward_scratch(const ScanArgs& a) { return scratch_of<double>(cut_of(a)); }

void scan_forward(const ScanArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (sizeof(T) > 1) {
      const T* x = static_cast<const T*>(a.x);
      T* y = static_cast<T*>(a.y);
      if (a.op == ScanOp::prod) return run(a, cut_of(a), Running<T, true>{x, y, a.exclusive, a.accumulate});
      run(a, cut_of(a), Running<T, false>{x, y, a.exclusive, a.accumulate});
    }
  });
}

int64_t scan_prod_backward_scratch(const ScanProdBackwardArgs& a) { return scratch_of<Map>(cut_of(a)); }

void scan_prod_backward(const ScanProdBackwardArgs& a) {
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    run(a, cut_of(a),
        ProdBackward<T>{a.n, a.inner, static_cast<const T*>(a.x), static_cast<const T*>(a.before),
                        static_cast<const T*>(a.dy), static_cast<T*>(a.dx), a.accumulate});
  });
}

}  // namespace dlbd::cuda
