// Positions in several strided arrays from one flat index, without the hardware's slow integer division.
#pragma once

#include "../shapes/elementwise.h"
#include "launch.h"

namespace dlbd::cuda {

// Indices below this are divided by a multiplication (Granlund and Montgomery: Division by invariant integers using
// multiplication, PLDI 1994); larger ones as they are.
inline constexpr int64_t kFastIndices = int64_t{1} << 31;

struct Divisor {
  int64_t by;
  uint32_t multiplier, shift;

  __device__ __forceinline__ uint32_t quotient(uint32_t i) const { return (__umulhi(i, multiplier) + i) >> shift; }
  __device__ __forceinline__ int64_t quotient(int64_t i) const { return i / by; }
  // Divides i, and returns what remains.
  template <class Index>
  __device__ __forceinline__ Index split(Index& i) const {
    const Index all = i;
    i = quotient(all);
    return all - i * static_cast<Index>(by);
  }
};

// For indices below kFastIndices and sizes up to it.
inline Divisor divisor(int64_t by) {
  if (by < 1 || by > kFastIndices) return {by, 0, 0};
  uint32_t shift = 0;
  while ((int64_t{1} << shift) < by) ++shift;
  const uint64_t d = static_cast<uint64_t>(by);
  return {by, static_cast<uint32_t>((((uint64_t{1} << shift) - d) << 32) / d + 1), shift};
}

// Dimensions, the innermost first, and the steps along them in K arrays.
template <int K>
struct Walk {
  int dims;
  int64_t total;
  Divisor size[kMaxDims];
  int64_t step[K][kMaxDims];

  void append(int64_t n, const int64_t (&steps)[K]) {
    size[dims] = divisor(n);
    for (int k = 0; k < K; ++k) step[k][dims] = steps[k];
    ++dims, total *= n;
  }
  template <class Index>
  __device__ __forceinline__ void offsets_of(Index i, int64_t (&at)[K]) const {
#pragma unroll
    for (int d = 0; d < kMaxDims; ++d) {
      if (d >= dims) break;
      const int64_t index = d + 1 < dims ? size[d].split(i) : i;
#pragma unroll
      for (int k = 0; k < K; ++k) at[k] += index * step[k][d];
    }
  }
  // Adds the offsets of element i in each array to `at`.
  __device__ __forceinline__ void locate(int64_t i, int64_t (&at)[K]) const {
    total <= kFastIndices ? offsets_of(static_cast<uint32_t>(i), at) : offsets_of(i, at);
  }
};

template <int K>
Walk<K> empty_walk() {
  Walk<K> walk{};
  walk.total = 1;
  return walk;
}

}  // namespace dlbd::cuda
