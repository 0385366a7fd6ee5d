// Dropout: y = x / (1 - rate) where a random number is at least `rate`, otherwise 0.
#pragma once

#include "random.h"

namespace dlbd {

inline constexpr int kDropoutMaxDims = 8;

struct DropoutShape {
  int64_t size;   // elements of x
  int64_t noise;  // random numbers: fewer than `size` where they are broadcast
  int32_t dims;   // of x, after merging neighbours that are broadcast alike
  int64_t sizes[kDropoutMaxDims];
  int64_t strides[kDropoutMaxDims];  // in the noise; 0 where it is broadcast
  DType dtype;
};

struct DropoutForwardArgs : LaunchArgs {
  DropoutShape shape;
  double rate;
  int64_t* counter;  // seed, and the number of the next Philox block: the launch advances it after use
  int64_t* used;     // seed and number that this launch used: backward draws the same mask from them
  const void* x;
  void* y;
};

struct DropoutBackwardArgs : LaunchArgs {
  DropoutShape shape;
  double rate;
  const int64_t* used;
  const void* dy;
  void* dx;
  bool accumulate;
};

// `sizes` are x's dimensions, `noise` the same or 1 where the mask is broadcast. Throws std::invalid_argument.
DropoutShape make_dropout_shape(const int64_t* sizes, const int64_t* noise, int dims, DType dtype);

}  // namespace dlbd
