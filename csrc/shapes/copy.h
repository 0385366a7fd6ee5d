// Copies between strided arrays (transpose, slice, concatenate, pad, flip, tile) and along an index (take).
#pragma once

#include "elementwise.h"

namespace dlbd {

// rows: runs that are contiguous on both sides. transpose: square tiles between two dimensions. strided: one by one.
enum class CopyPath : int32_t { rows, transpose, strided };

struct CopyShape {
  BroadcastShape walk;  // operand 0: source, operand 1: destination; merged, innermost in the destination last
  int64_t src_offset, dst_offset;
  int64_t src_size, dst_size;  // elements of the whole arrays
  int32_t across;              // transpose: the dimension along which the source is contiguous
  CopyPath path;
};

struct CopyArgs : LaunchArgs {
  CopyShape shape;
  DType dtype;
  const void* x;
  void* y;
  bool accumulate;  // float dtypes only
};

// x (outer, n, inner). take: indices (m); y (outer, m, inner), y[o, j, i] = x[o, indices[j], i].
// Along an axis: indices (outer, m, inner) and y[o, j, i] = x[o, indices[o, j, i], i].
// Indices from -n to -1 count from the end. Backward: x is dy and y is dx, of the shapes of y and x.
struct GatherArgs : LaunchArgs {
  int64_t outer, n, inner, m;
  DType dtype;
  bool wide;  // indices are int64, else int32
  bool along;
  const void* x;
  const void* indices;
  void* y;
  bool accumulate;
};

// Strides in elements, negative or (source only) zero too. Throws std::invalid_argument when an element would lie
// outside of its array or one of the destination would be written twice for a zero stride.
CopyShape make_copy_shape(int ndim, const int64_t* size, const int64_t* src_stride, const int64_t* dst_stride,
                          int64_t src_offset, int64_t dst_offset, int64_t src_size, int64_t dst_size);
const char* name_of(CopyPath path);

}  // namespace dlbd
