// Operations that treat arrays as flat runs of elements.
#pragma once

#include "common.h"

namespace dlbd {

struct FillArgs : LaunchArgs {
  DType dtype;
  int64_t n;
  double value;
  void* y;
};

// y = x, or y += x.
struct AssignArgs : LaunchArgs {
  DType dtype;
  int64_t n;
  const void* x;
  void* y;
  bool accumulate;
};

}  // namespace dlbd
