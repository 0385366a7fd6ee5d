// Max and average pooling over one to three spatial axes, channels last.
#pragma once

#include "conv.h"

namespace dlbd {

// `generic` serves every shape and dtype; `disjoint` takes windows that do not overlap, forward and backward in one
// pass without adding to memory.
enum class PoolPath : int32_t { generic, disjoint };

struct PoolShape {
  int64_t n, c;
  ConvAxis axis[3];  // kernel is the window; dilation is 1
  int64_t rank;
  int64_t x_size, y_size;
  bool average;
  DType dtype;
  PoolPath path;
};

struct PoolForwardArgs : LaunchArgs {
  PoolShape shape;
  const void* x;
  void* y;
};

// Max pooling finds the first maximum of each window again from x and y.
struct PoolBackwardArgs : LaunchArgs {
  PoolShape shape;
  const void* x;  // null for average pooling
  const void* y;  // null for average pooling
  const void* dy;
  void* dx;
  bool accumulate;
};

const char* name_of(PoolPath path);

}  // namespace dlbd
