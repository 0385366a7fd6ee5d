// Convolution over one to three spatial axes: NHWC images, HWIO kernels, any stride, dilation, padding and groups.
// A transposed convolution is the same shape read backwards: its input is y, its output x, its kernel w.
#pragma once

#include "common.h"

namespace dlbd {

// Which implementation runs. `generic` serves every dtype and every shape; the others are float32 only.
//   tiled      patches of a block of output pixels side by side, then the register tile of GEMM
//   pointwise  the same for kernels of size 1 and stride 1: x needs no patches
//   direct     the register tile reads x, or a padded copy of a few of its rows, along a row of output pixels
//   depthwise  one input and one output channel per group: vectors of channels
enum class ConvPath : int32_t { generic, tiled, pointwise, direct, depthwise };

// Output position o and kernel position t meet input position o * stride + t * dilation - pad.
struct ConvAxis {
  int64_t in, out, kernel, stride, dilation, pad;
};

struct ConvShape {
  int64_t n, c, k, groups;  // images, input channels, filters
  ConvAxis axis[3];         // depth, height, width; those that an operation lacks come first and have size 1
  int64_t rank;             // how many of them it has
  int64_t x_size, w_size, y_size;
  DType dtype;
  ConvPath path;
};

// y = act(conv(x, w) + b), or y += conv(x, w).
struct ConvForwardArgs : LaunchArgs {
  ConvShape shape;
  const void* x;
  const void* w;
  const void* b;  // k values or null
  void* y;
  ActivationSpec activation;
  bool accumulate;  // bias and activation are then not allowed
};

// dx (+)= the gradient of the input. A transposed convolution's forward: then with bias (c values) and activation.
struct ConvBackwardDataArgs : LaunchArgs {
  ConvShape shape;
  const void* dy;
  const void* w;
  const void* b;
  void* dx;
  ActivationSpec activation;
  bool accumulate;
};

// With dz = dy * act'(y): dw (+)= the gradient of the kernel, db (+)= the sum of dz over all pixels.
struct ConvBackwardWeightsArgs : LaunchArgs {
  ConvShape shape;
  const void* x;
  const void* dy;
  const void* y;  // null if the activation is linear
  ActivationSpec activation;
  void* dz;  // where dz is wanted too, or null
  void* dw;  // null if the kernel is frozen
  void* db;  // k values or null
  bool accumulate, accumulate_bias;
};

const char* name_of(ConvPath path);

}  // namespace dlbd
