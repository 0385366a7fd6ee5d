// Columns of an array that lie side by side: a block has `width` of them, `height` threads for each, and does that for
// `depth` independent pieces of work at once.
#pragma once

#include "block.h"

namespace dlbd::cuda {

inline constexpr int kColumnThreads = 256;

// All powers of two; width * height * depth == kColumnThreads.
struct ColumnBlock {
  int width, height, depth;

  __device__ int column() const { return static_cast<int>(threadIdx.x) & (width - 1); }
  __device__ int row() const { return static_cast<int>(threadIdx.x) / width & (height - 1); }
  __device__ int piece() const { return static_cast<int>(threadIdx.x) / (width * height); }
};

// At most a warp's width of columns; a thread takes at least `least` of the n elements of its column.
constexpr ColumnBlock column_block(int64_t columns, int64_t n, int least) {
  int width = 1, height = 1;
  while (width < kWarp && width < columns) width *= 2;
  while (width * height < kColumnThreads && int64_t{2} * height * least <= n) height *= 2;
  return {width, height, kColumnThreads / (width * height)};
}

// Every thread gets the result of its column. All threads of the block must call; slots[kColumnThreads] are shared
// memory, free for reuse after the next __syncthreads().
template <class T, class Op>
__device__ __forceinline__ T reduce_column(T x, Op op, ColumnBlock b, T* slots) {
  const int me = static_cast<int>(threadIdx.x);
  slots[me] = x;
  __syncthreads();
  for (int d = b.height / 2; d > 0; d /= 2) {
    if (b.row() < d) slots[me] = op(slots[me], slots[me + d * b.width]);
    __syncthreads();
  }
  return slots[me - b.row() * b.width];
}

}  // namespace dlbd::cuda
