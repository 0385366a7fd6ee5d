// Images sampled at places that a projective transform per image says: y[h, w] = x[h', w'] with
// w' = (a0 w + a1 h + a2) / k, h' = (b0 w + b1 h + b2) / k, k = c0 w + c1 h + 1.
#pragma once

#include "common.h"

namespace dlbd {

enum class Interpolation : int32_t { nearest, bilinear };

// What lies outside of an image of n pixels: one value, the pixel at the edge, the image mirrored (d c b a | a b c d |
// d c b a), or the image again.
enum class Outside : int32_t { constant, nearest, reflect, wrap };

// Per image: a0 a1 a2 b0 b1 b2 c0 c1.
inline constexpr int64_t kTransformNumbers = 8;

struct ImageShape {
  int64_t batch, height, width, channels;
  DType dtype;  // of the images and the transforms
};

struct AffineSampleArgs : LaunchArgs {
  ImageShape shape;
  Interpolation interpolation;
  Outside outside;
  double fill_value;  // of Outside::constant
  const void* x;
  const void* transform;
  void* y;
};

// Checks the sizes. Throws std::invalid_argument.
ImageShape make_image_shape(int64_t batch, int64_t height, int64_t width, int64_t channels, DType dtype);

}  // namespace dlbd
