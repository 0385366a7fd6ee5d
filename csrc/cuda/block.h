// Reductions over a warp or a block, in an order that depends on nothing but the sizes.
#pragma once

#include "launch.h"

namespace dlbd::cuda {

inline constexpr unsigned kWholeWarp = 0xffffffffu;
inline constexpr int kWarp = 32;

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {  // NaN wins
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Smaller {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

// Every lane gets the result. All 32 lanes must call.
template <class T, class Op>
__device__ __forceinline__ T reduce_warp(T x, Op op) {
#pragma unroll
  for (int d = kWarp / 2; d > 0; d /= 2) x = op(x, __shfl_xor_sync(kWholeWarp, x, d));
  return x;
}

// Every thread of a block of kThreads (a multiple of 32, one-dimensional) gets the result; `slots` is shared memory,
// free for reuse after the next __syncthreads().
template <int kThreads, class T, class Op>
__device__ __forceinline__ T reduce_block(T x, Op op, T (&slots)[kThreads / kWarp]) {
  x = reduce_warp(x, op);
  if (threadIdx.x % kWarp == 0) slots[threadIdx.x / kWarp] = x;
  __syncthreads();
  T all = slots[0];
#pragma unroll
  for (int i = 1; i < kThreads / kWarp; ++i) all = op(all, slots[i]);
  return all;
}

}  // namespace dlbd::cuda
