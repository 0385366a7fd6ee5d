// Positions in several strided arrays from one flat index, without the hardware's slow division and in 32 bits: what is
// larger is cut into parts.
#pragma once

#include "../shapes/elementwise.h"
#include "launch.h"

namespace dlbd::cuda {

// Numbers from 0 to 2^31 - 1 divided by a constant: a multiplication and a shift (Granlund and Montgomery: Division by
// invariant integers using multiplication, PLDI 1994).
inline constexpr int64_t kMostIndices = int64_t{1} << 31;

struct Divisor {
  uint32_t by, multiplier, shift;

  __device__ __forceinline__ uint32_t quotient(uint32_t i) const { return (__umulhi(i, multiplier) + i) >> shift; }
  // Divides i, and returns what remains.
  __device__ __forceinline__ uint32_t split(uint32_t& i) const {
    const uint32_t all = i;
    i = quotient(all);
    return all - i * by;
  }
};

inline Divisor divisor(int64_t by) {  // 1 <= by <= kMostIndices
  uint32_t shift = 0;
  while ((int64_t{1} << shift) < by) ++shift;
  const uint64_t d = static_cast<uint64_t>(by), above = (uint64_t{1} << shift) - d;
  return {static_cast<uint32_t>(by), static_cast<uint32_t>((above << 32) / d + 1), shift};
}

// Each thread of a block takes U places, kWalkThreads apart.
inline constexpr int kWalkThreads = 256;

template <int U>
Grid walk_grid(int64_t places) {
  return {static_cast<unsigned>(ceil_div(places, kWalkThreads * U)), kWalkThreads};
}
template <int U>
__device__ __forceinline__ uint32_t walk_place(int u) {
  return blockIdx.x * (kWalkThreads * U) + u * kWalkThreads + threadIdx.x;
}

// Dimensions, the innermost first, and the steps along them in K arrays.
template <int K>
struct Walk {
  int32_t dims;
  uint32_t total;
  Divisor size[kMaxDims];
  int32_t step[K][kMaxDims];

  // Adds the offsets of U places in each array to `at`.
  template <int U>
  __device__ __forceinline__ void locate(uint32_t (&place)[U], int64_t (&at)[U][K]) const {
#pragma unroll 1
    for (int d = 0; d < dims; ++d) {
      const Divisor n = size[d];
#pragma unroll
      for (int u = 0; u < U; ++u) {
        const int32_t index = static_cast<int32_t>(n.split(place[u]));
#pragma unroll
        for (int k = 0; k < K; ++k) at[u][k] += static_cast<int64_t>(index) * step[k][d];
      }
    }
  }
  // Adds the offsets of this thread's places. Those beyond the end are led to the last one.
  template <int U>
  __device__ __forceinline__ void locate_own(int64_t (&at)[U][K]) const {
    uint32_t place[U];
#pragma unroll
    for (int u = 0; u < U; ++u) place[u] = min(walk_place<U>(u), total - 1);
    locate(place, at);
  }
};

// The same on the host, of any size.
template <int K>
class Places {
 public:
  void append(int64_t n, const int64_t (&steps)[K]) {
    total_ *= n;
    if (n == 1) return;
    size_[dims_] = n;
    for (int k = 0; k < K; ++k) step_[k][dims_] = steps[k];
    ++dims_;
  }

  // f(walk, offsets of its start in the arrays), once for all places where 32 bits allow it.
  template <class F>
  void each_walk(const F& f) const {
    if (total_ > 0) each_walk_from({}, f);
  }

 private:
  struct Offsets {
    int64_t at[K];
  };

  template <class F>
  void each_walk_from(const Offsets& start, const F& f) const {
    int longest = 0, far = -1;
    for (int d = 0; d < dims_; ++d) {
      if (size_[d] > size_[longest]) longest = d;
      for (int k = 0; k < K; ++k)
        if (step_[k][d] >= kMostIndices || step_[k][d] < -kMostIndices) far = d;
    }
    if (total_ < kMostIndices && far < 0) return f(walk(), start.at);
    const int cut = far >= 0 ? far : longest;
    const int64_t half = size_[cut] / 2;
    Offsets middle = start;
    for (int k = 0; k < K; ++k) middle.at[k] += half * step_[k][cut];
    with_size(cut, half).each_walk_from(start, f);
    with_size(cut, size_[cut] - half).each_walk_from(middle, f);
  }

  Places with_size(int cut, int64_t n) const {
    Places part;
    for (int d = 0; d < dims_; ++d) {
      int64_t steps[K];
      for (int k = 0; k < K; ++k) steps[k] = step_[k][d];
      part.append(d == cut ? n : size_[d], steps);
    }
    return part;
  }

  Walk<K> walk() const {
    Walk<K> w{};
    w.dims = dims_, w.total = static_cast<uint32_t>(total_);
    for (int d = 0; d < dims_; ++d) {
      w.size[d] = divisor(size_[d]);
      for (int k = 0; k < K; ++k) w.step[k][d] = static_cast<int32_t>(step_[k][d]);
    }
    return w;
  }

  int dims_ = 0;
  int64_t total_ = 1;
  int64_t size_[kMaxDims] = {}, step_[K][kMaxDims] = {};
};

}  // namespace dlbd::cuda
