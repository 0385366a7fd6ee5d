// Rows chosen by an index, and the sum of gradients back into them: what embedding and take have in common.
#pragma once

#include "faults.h"

namespace dlbd::cuda {

struct Indices {
  const void* data;
  DType dtype;
  int64_t n;   // they lie in [0, n)
  bool wraps;  // or, counted from the end, in [-n, 0)

  __device__ __forceinline__ int64_t value(int64_t i) const {
    if (dtype == DType::i32) return static_cast<const int32_t*>(data)[i];
    if (dtype == DType::i64) return static_cast<const int64_t*>(data)[i];
    return static_cast<const uint8_t*>(data)[i];
  }
  // The row that index number i chooses, n for one out of range.
  __device__ __forceinline__ int64_t row(int64_t i) const {
    int64_t r = value(i);
    if (wraps && r < 0) r += n;
    return r >= 0 && r < n ? r : n;
  }
  __device__ __forceinline__ int64_t checked_row(int64_t i, Status* status) const {
    const int64_t r = row(i);
    if (r == n) report(status, Fault::index_out_of_range, value(i), n, i);
    return r;
  }
};

// Gather: x (outer, n, inner), y (outer, m, inner), y[o, j] = x[o, indices[j]], zero for an index out of range.
// Scatter: x (outer, m, inner), y (outer, n, inner), y[o, k] = the sum of x[o, j] where indices[j] is k, in order.
struct RowsByIndex : LaunchArgs {
  int64_t outer, inner, m;
  Indices indices;
  DType dtype;
  const void* x;
  void* y;
  bool along;       // gather only: indices (outer, m, inner)
  bool accumulate;  // scatter only
};

void gather_rows(const RowsByIndex& r);  // gather.cu
void scatter_rows(const RowsByIndex& r);
int64_t scatter_rows_scratch(const RowsByIndex& r);  // embedding.cu

}  // namespace dlbd::cuda
