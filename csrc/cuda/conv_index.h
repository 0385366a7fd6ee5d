// Where the positions of a convolution meet: arithmetic alone, the same on the host and on the device.
#pragma once

#include "../shapes/conv.h"
#include "launch.h"

namespace dlbd::cuda {

#define DLBD_BOTH __host__ __device__ __forceinline__

// Output position that meets input position i at kernel position t, or -1.
DLBD_BOTH int64_t output_at(const ConvAxis& a, int64_t i, int64_t t) {
  const int64_t stretched = i + a.pad - t * a.dilation;
  if (stretched < 0 || stretched % a.stride != 0) return -1;
  const int64_t o = stretched / a.stride;
  return o < a.out ? o : -1;
}

// Input position that output position o meets at kernel position t, or -1.
DLBD_BOTH int64_t input_at(const ConvAxis& a, int64_t o, int64_t t) {
  const int64_t i = o * a.stride + t * a.dilation - a.pad;
  return i >= 0 && i < a.in ? i : -1;
}

DLBD_BOTH int64_t in_pixels(const ConvShape& s) { return s.axis[0].in * s.axis[1].in * s.axis[2].in; }
DLBD_BOTH int64_t out_pixels(const ConvShape& s) { return s.axis[0].out * s.axis[1].out * s.axis[2].out; }
DLBD_BOTH int64_t taps_of(const ConvShape& s) { return s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel; }

}  // namespace dlbd::cuda
