// Walks a broadcast result in runs along its innermost dimension.
#pragma once

#include "../shapes/elementwise.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {

// Elements per chunk: large enough to hide the cost of handing a chunk out, small enough to stay in L2.
inline constexpr int64_t kElementGrain = 16384;

// row(offsets of the operands, offset of the result, n) for every run.
template <class Row>
inline void for_each_row(int threads, const BroadcastShape& s, const Row& row) {
  const int last = s.ndim - 1;
  parallel_for(threads, s.total, kElementGrain, [&](int64_t begin, int64_t end, int) {
    int64_t index[kMaxDims], at[kMaxOperands] = {};
    int64_t rest = begin;
    for (int d = last; d >= 0; --d) {
      index[d] = rest % s.size[d];
      rest /= s.size[d];
      for (int k = 0; k < kMaxOperands; ++k) at[k] += index[d] * s.stride[k][d];
    }
    while (true) {
      const int64_t n = min_of(s.size[last] - index[last], end - begin);
      row(at, begin, n);
      begin += n;
      if (begin >= end) return;
      for (int k = 0; k < kMaxOperands; ++k) at[k] -= index[last] * s.stride[k][last];
      index[last] = 0;
      for (int d = last - 1; d >= 0; --d) {
        for (int k = 0; k < kMaxOperands; ++k) at[k] += s.stride[k][d];
        if (++index[d] < s.size[d]) break;
        for (int k = 0; k < kMaxOperands; ++k) at[k] -= s.size[d] * s.stride[k][d];
        index[d] = 0;
      }
    }
  });
}

}  // namespace dlbd::DLBD_ISA
