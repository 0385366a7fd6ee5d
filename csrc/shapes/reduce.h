// Reductions of the middle axis of x (outer, n, inner) to y (outer, inner).
#pragma once

#include "common.h"

namespace dlbd {

// X(name). shifted_squares: sum of (x - shift)^2; shifted_exp: sum of exp(x - shift), shift (outer, inner).
// argmax and argmin give int32.
#define DLBD_REDUCE(X) X(sum) X(prod) X(max) X(min) X(argmax) X(argmin) X(shifted_squares) X(shifted_exp)

#define DLBD_NAME(name) name,
enum class ReduceOp : int32_t { DLBD_REDUCE(DLBD_NAME) count };
#undef DLBD_NAME

struct ReduceArgs : LaunchArgs {
  ReduceOp op;
  DType dtype;
  int64_t outer, n, inner;
  double scale;  // multiplies a float result
  const void* x;
  const void* shift;  // or null
  void* y;
  bool accumulate;  // add to y: float sum only
};

// sum: dx = dy * scale. max, min: dy in equal parts to every element equal to y. prod: dy * product of the others.
// shifted_squares: dx = dy * scale * (x - y), y being the shift. shifted_exp: dx = dy * exp(x - y), y = logsumexp(x).
struct ReduceBackwardArgs : LaunchArgs {
  ReduceOp op;
  DType dtype;
  int64_t outer, n, inner;
  double scale;
  const void* x;
  const void* y;
  const void* dy;
  void* dx;
  bool accumulate;
};

}  // namespace dlbd
