// y = softmax(x) or log_softmax(x) along one axis of an array that is seen as outer x n x inner.
#pragma once

#include "common.h"

namespace dlbd {

// `rows` (inner == 1) vectorises along the axis; `columns` takes any inner and vectorises across it.
enum class SoftmaxPath : int32_t { rows, columns };

struct SoftmaxShape {
  int64_t outer, n, inner;
  DType dtype;
  SoftmaxPath path;
};

struct SoftmaxForwardArgs : LaunchArgs {
  SoftmaxShape shape;
  const void* x;
  void* y;
  bool log;
};

// dx = y (dy - sum(dy y)), or for the logarithm dx = dy - exp(y) sum(dy).
struct SoftmaxBackwardArgs : LaunchArgs {
  SoftmaxShape shape;
  const void* y;
  const void* dy;
  void* dx;
  bool log;
  bool accumulate;
};

// Checks the sizes and picks the path; `path` is "auto" or a name of SoftmaxPath. Throws std::invalid_argument.
SoftmaxShape make_softmax_shape(int64_t outer, int64_t n, int64_t inner, DType dtype, const char* path);
const char* name_of(SoftmaxPath path);

}  // namespace dlbd
