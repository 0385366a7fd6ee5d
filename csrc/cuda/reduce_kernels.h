// Reductions over (outer, n, inner). Which elements meet in which order depends on the sizes alone, not on how the
// arrays are aligned.
#pragma once

#include "reduce_ops.h"
#include "vector.h"
#include "walk.h"

namespace dlbd::cuda {

inline constexpr int kReduceThreads = 256;
inline constexpr int kTree = 8;  // numbers that are joined before they are carried over

// Numbers of a row that a thread has in flight: 64 bytes, of bytes 16.
template <class T>
inline constexpr int kRunOf = sizeof(T) == 1 ? 16 : 64 / sizeof(T);

// How a reduction is shared out.
struct ReducePlan {
  int64_t parts, length;  // of the n elements; a part takes so many
  int32_t threads;        // rows: for each part of a row, a power of two up to a warp, or the block
  int32_t width, height;  // columns: of a block
  int64_t strips;         // columns: blocks side by side
};

constexpr int power_of_two_up_to(int most, int64_t wanted) {
  int n = 1;
  while (n < most && n < wanted) n *= 2;
  return n;
}

// Enough blocks for any GPU, few enough partial results.
inline constexpr int64_t kManyBlocks = 4096;

inline ReducePlan plan_rows(int64_t outer, int64_t n, int64_t run) {
  // Rows up to 4 runs of a warp are a warp's; a part of a longer one takes at least 2 runs of a block.
  const int64_t warp_row = 4 * kWarp * run, block_run = kReduceThreads * run, least = 2 * block_run;
  ReducePlan p{1, n, kReduceThreads, 1, 1, 1};
  if (n <= warp_row) {
    p.threads = power_of_two_up_to(kWarp, ceil_div(n, run));
  } else if (n > 2 * least && outer < kManyBlocks) {
    const int64_t wanted = min(ceil_div(kManyBlocks, outer), ceil_div(n, least));
    p.length = ceil_div(ceil_div(n, wanted), block_run) * block_run;
    p.parts = ceil_div(n, p.length);
  }
  return p;
}

inline ReducePlan plan_columns(int64_t outer, int64_t n, int64_t inner) {
  ReducePlan p{1, n, 1, 1, 1, 1};
  const int narrow = power_of_two_up_to(kWarp, inner);
  p.height = power_of_two_up_to(kReduceThreads / narrow, ceil_div(n, kTree));
  p.width = kReduceThreads / p.height;
  p.strips = ceil_div(outer * inner, p.width);
  const int64_t block_run = p.height * kTree, least = 2 * block_run;
  if (n > 2 * least && p.strips < kManyBlocks / 2) {
    const int64_t wanted = min(ceil_div(kManyBlocks / 2, p.strips), ceil_div(n, least));
    p.length = ceil_div(ceil_div(n, wanted), block_run) * block_run;
    p.parts = ceil_div(n, p.length);
  }
  return p;
}

inline ReducePlan plan_reduction(DType dtype, int64_t outer, int64_t n, int64_t inner) {
  if (inner > 1) return plan_columns(outer, n, inner);
  int64_t run = 0;
  with_type(dtype, [&](auto zero) { run = kRunOf<decltype(zero)>; });
  return plan_rows(outer, n, run);
}

inline int64_t partial_bytes(DType dtype, int64_t outer, int64_t n, int64_t inner) {
  constexpr int64_t kCarried = 16;  // the widest, a Best<double>
  if (outer == 0 || inner == 0) return 0;
  const int64_t parts = plan_reduction(dtype, outer, n, inner).parts;
  return parts > 1 ? outer * inner * parts * kCarried : 0;
}

// As the kernels need it.
template <class Op>
struct Reduction {
  using In = typename Op::In;
  using Carry = typename Op::Carry;
  using Out = typename Op::Out;
  Op op;
  ReducePlan plan;
  int64_t results, n, inner;
  Divisor by_inner;
  double scale;
  const In *x, *shift;
  Out* y;
  bool accumulate;
  Carry* partial;  // (results, parts)

  __device__ __forceinline__ void finish(int64_t result, const Carry& total) const {
    const Out value = op.finish(total, scale);
    y[result] = accumulate ? static_cast<Out>(y[result] + value) : value;
  }
  __device__ __forceinline__ void leave(int64_t result, int64_t part, const Carry& total) const {
    if (plan.parts == 1)
      finish(result, total);
    else
      partial[result * plan.parts + part] = total;
  }
};

template <class Carry>
struct ReduceSlots {
  Carry of[kReduceThreads];
};

// The first of so many neighbouring threads gets what they have together. All threads of the block must call.
template <class Op, class Carry>
__device__ __forceinline__ Carry reduce_threads(const Op& op, Carry x, int threads, ReduceSlots<Carry>& slots) {
  for (int d = min(threads, kWarp) / 2; d > 0; d /= 2) x = op.join(x, from_lane(x, d));
  if (threads <= kWarp) return x;
  if (threadIdx.x % kWarp == 0) slots.of[threadIdx.x / kWarp] = x;
  __syncthreads();
  x = slots.of[0];
  for (int w = 1; w < threads / kWarp; ++w) x = op.join(x, slots.of[w]);
  return x;
}

template <class Op, int N>
__device__ __forceinline__ typename Op::Part tree_of(const Op& op, typename Op::Part (&part)[N], int first) {
#pragma unroll
  for (int width = kTree / 2; width > 0; width /= 2)
#pragma unroll
    for (int i = 0; i < width; ++i) part[first + i] = op.join(part[first + i], part[first + i + width]);
  return part[first];
}

// What one of so many threads finds in elements [begin, end) of a row.
template <class Op>
__device__ __forceinline__ typename Op::Carry reduce_run(const Op& op, const typename Op::In* x, typename Op::In shift,
                                                         int64_t begin, int64_t end, int thread, int threads) {
  using T = typename Op::In;
  using Carry = typename Op::Carry;
  constexpr int V = Pack<T>::kSize, kRun = kRunOf<T>;
  const bool packs = reinterpret_cast<uintptr_t>(x + begin) % sizeof(Pack<T>) == 0;
  Carry total = op.template identity<Carry>();
  for (int64_t first = begin; first < end; first += threads * kRun) {
    const bool whole = end - first >= threads * kRun;
    const int64_t mine = first + thread * V;
    T value[kRun];
    if (whole && packs) {
#pragma unroll
      for (int k = 0; k < kRun; k += V) {
        const Pack<T> pack = load_pack(x + mine + k * threads);
#pragma unroll
        for (int j = 0; j < V; ++j) value[k + j] = pack.v[j];
      }
    } else {
#pragma unroll
      for (int k = 0; k < kRun; k += V)
#pragma unroll
        for (int j = 0; j < V; ++j) {
          const int64_t at = mine + k * threads + j;
          value[k + j] = at < end ? x[at] : T(0);
        }
    }
    typename Op::Part part[kRun];
#pragma unroll
    for (int k = 0; k < kRun; k += V)
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const int64_t at = mine + k * threads + j;
        part[k + j] =
            whole || at < end ? op.prepare(value[k + j], shift, at) : op.template identity<typename Op::Part>();
      }
#pragma unroll
    for (int k = 0; k < kRun; k += kTree) total = op.join(total, static_cast<Carry>(tree_of(op, part, k)));
  }
  return total;
}

template <class Op>
__global__ void reduce_rows_kernel(Reduction<Op> r) {
  using Carry = typename Op::Carry;
  auto& slots = shared<ReduceSlots<Carry>>();
  const int threads = r.plan.threads, thread = static_cast<int>(threadIdx.x) & (threads - 1);
  const int64_t piece = global_thread() / threads;
  const int64_t row = r.plan.parts == 1 ? piece : piece / r.plan.parts, part = piece - row * r.plan.parts;
  Carry total = r.op.template identity<Carry>();
  if (row < r.results) {
    const int64_t begin = part * r.plan.length, end = min(r.n, begin + r.plan.length);
    const typename Op::In shift = r.shift ? r.shift[row] : typename Op::In(0);
    total = reduce_run(r.op, r.x + row * r.n, shift, begin, end, thread, threads);
  }
  total = reduce_threads(r.op, total, threads, slots);
  if (thread == 0 && row < r.results) r.leave(row, part, total);
}

template <class Op>
__global__ void reduce_columns_kernel(Reduction<Op> r) {
  using T = typename Op::In;
  using Carry = typename Op::Carry;
  auto& slots = shared<ReduceSlots<Carry>>();
  const int width = r.plan.width, height = r.plan.height, me = static_cast<int>(threadIdx.x), line = me / width;
  const unsigned strips = static_cast<unsigned>(r.plan.strips);
  const int64_t part = blockIdx.x / strips;
  const int64_t column = int64_t{blockIdx.x % strips} * width + (me & (width - 1));
  Carry total = r.op.template identity<Carry>();
  if (column < r.results) {
    const int64_t outer =
        r.results < kMostIndices ? r.by_inner.quotient(static_cast<uint32_t>(column)) : column / r.inner;
    const T* x = r.x + column + outer * (r.n - 1) * r.inner;
    const T shift = r.shift ? r.shift[column] : T(0);
    const int64_t begin = part * r.plan.length, end = min(r.n, begin + r.plan.length);
    for (int64_t first = begin + line; first < end; first += height * kTree) {
      T value[kTree];
      typename Op::Part tree[kTree];
#pragma unroll
      for (int k = 0; k < kTree; ++k) {
        const int64_t at = first + k * height;
        value[k] = at < end ? x[at * r.inner] : T(0);
      }
#pragma unroll
      for (int k = 0; k < kTree; ++k) {
        const int64_t at = first + k * height;
        tree[k] = at < end ? r.op.prepare(value[k], shift, at) : r.op.template identity<typename Op::Part>();
      }
      total = r.op.join(total, static_cast<Carry>(tree_of(r.op, tree, 0)));
    }
  }
  slots.of[me] = total;
  for (int half = height / 2; half > 0; half /= 2) {
    __syncthreads();
    if (line < half) slots.of[me] = r.op.join(slots.of[me], slots.of[me + half * width]);
  }
  if (line == 0 && column < r.results) r.leave(column, part, slots.of[me]);
}

// The parts of a result, by as many threads as the plan says.
template <class Op>
__global__ void reduce_parts_kernel(Reduction<Op> r, int threads) {
  using Carry = typename Op::Carry;
  auto& slots = shared<ReduceSlots<Carry>>();
  const int thread = static_cast<int>(threadIdx.x) & (threads - 1);
  const int64_t result = global_thread() / threads;
  Carry total = r.op.template identity<Carry>();
  if (result < r.results) {
    const Carry* partial = r.partial + result * r.plan.parts;
#pragma unroll 4
    for (int64_t i = thread; i < r.plan.parts; i += threads) total = r.op.join(total, partial[i]);
  }
  total = reduce_threads(r.op, total, threads, slots);
  if (thread == 0 && result < r.results) r.finish(result, total);
}

// `partial` has partial_bytes().
template <class Op>
void reduce_by(const ReduceArgs& a, Op op, void* partial) {
  using Carry = typename Op::Carry;
  if (a.outer == 0 || a.inner == 0) return;
  const Reduction<Op> r{op,
                        plan_reduction(a.dtype, a.outer, a.n, a.inner),
                        a.outer * a.inner,
                        a.n,
                        a.inner,
                        divisor(min(a.inner, kMostIndices)),
                        a.scale,
                        static_cast<const typename Op::In*>(a.x),
                        static_cast<const typename Op::In*>(a.shift),
                        static_cast<typename Op::Out*>(a.y),
                        a.accumulate,
                        static_cast<Carry*>(partial)};
  const auto grid = [](int64_t threads) {
    return Grid{static_cast<unsigned>(ceil_div(threads, kReduceThreads)), kReduceThreads, sizeof(ReduceSlots<Carry>)};
  };
  if (a.inner > 1) {
    launch(reduce_columns_kernel<Op>, grid(r.plan.strips * r.plan.parts * kReduceThreads), stream_of(a), r);
  } else {
    launch(reduce_rows_kernel<Op>, grid(a.outer * r.plan.parts * r.plan.threads), stream_of(a), r);
  }
  if (r.plan.parts == 1) return;
  const int threads = r.plan.parts <= 8 * kWarp ? power_of_two_up_to(kWarp, r.plan.parts) : kReduceThreads;
  launch(reduce_parts_kernel<Op>, grid(r.results * threads), stream_of(a), r, threads);
}

}  // namespace dlbd::cuda
