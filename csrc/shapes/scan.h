// Running sums and products along the middle axis of x (outer, n, inner).
#pragma once

#include "common.h"

namespace dlbd {

#define DLBD_SCAN(X) X(sum) X(prod)

#define DLBD_NAME(name) name,
enum class ScanOp : int32_t { DLBD_SCAN(DLBD_NAME) count };
#undef DLBD_NAME

struct ScanArgs : LaunchArgs {
  ScanOp op;
  DType dtype;
  int64_t outer, n, inner;
  bool reverse;    // from the end to the start
  bool exclusive;  // an element is not part of its own sum
  const void* x;
  void* y;
  bool accumulate;  // add to y: floats only
};

// The gradient of running products: dx[i] = before[i] (dy[i] + x[i + 1] (dy[i + 1] + x[i + 2] (...))), where `before`
// is the exclusive product. Nothing is divided by x, which may hold zeros.
struct ScanProdBackwardArgs : LaunchArgs {
  DType dtype;
  int64_t outer, n, inner;
  const void* x;
  const void* before;
  const void* dy;
  void* dx;
  bool accumulate;
};

}  // namespace dlbd
