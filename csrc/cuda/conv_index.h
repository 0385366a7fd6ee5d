// Where the positions of a convolution meet: arithmetic alone, the same on the host and on the device.
#pragma once

#include <type_traits>

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

// One axis of a gather: target number q, for which there is position first + q * apart of the written array, meets at
// tap j position origin + q * stride + j * dilation of the array that is read, and kernel position tap + j * tap_step.
struct GatherAxis {
  int count, first, apart, written;    // targets; `written` is the size of the written array
  int size, stride, origin, dilation;  // of the array that is read
  int taps, tap, tap_step, kernel;
};

DLBD_BOTH GatherAxis forward_axis(const ConvAxis& a) {
  const auto out = static_cast<int>(a.out), kernel = static_cast<int>(a.kernel);
  return {out,
          0,
          1,
          out,
          static_cast<int>(a.in),
          static_cast<int>(a.stride),
          static_cast<int>(-a.pad),
          static_cast<int>(a.dilation),
          kernel,
          0,
          1,
          kernel};
}

// The way back takes input positions first, first + stride, ... together: they meet the same kernel positions, and
// neighbours meet neighbouring output positions. So a strided convolution's gradient falls into as many convolutions
// without stride, and nothing is multiplied by zeros.
DLBD_BOTH int64_t phases_of(const ConvAxis& a) { return a.stride < a.in ? a.stride : a.in; }

// What differs between the phases of an axis.
struct Phase {
  int count, first, origin, taps, tap;
};

// Between the kernel positions that a phase meets.
DLBD_BOTH int64_t phase_step(const ConvAxis& a) {
  int64_t divisor = a.stride;  // the greatest of stride and dilation
  for (int64_t rest = a.dilation % a.stride; rest != 0;) {
    const int64_t next = divisor % rest;
    divisor = rest, rest = next;
  }
  return a.stride / divisor;
}

DLBD_BOTH Phase phase_of(const ConvAxis& a, int64_t first) {
  const int64_t step = phase_step(a);
  int64_t tap = 0;
  while (tap < step && (first + a.pad - tap * a.dilation) % a.stride != 0) ++tap;
  const auto count = static_cast<int>((a.in - first + a.stride - 1) / a.stride);
  if (tap >= step || tap >= a.kernel) return {count, static_cast<int>(first), 0, 0, 0};
  const int64_t origin = (first + a.pad - tap * a.dilation) / a.stride, taps = (a.kernel - 1 - tap) / step + 1;
  return {count, static_cast<int>(first), static_cast<int>(origin), static_cast<int>(taps), static_cast<int>(tap)};
}

DLBD_BOTH GatherAxis data_axis(const ConvAxis& a, const Phase& p) {
  const int64_t step = phase_step(a);
  return {p.count,
          p.first,
          static_cast<int>(a.stride),
          static_cast<int>(a.in),
          static_cast<int>(a.out),
          1,
          p.origin,
          static_cast<int>(-(step * a.dilation / a.stride)),
          p.taps,
          p.tap,
          static_cast<int>(step),
          static_cast<int>(a.kernel)};
}

// The four numbers of a position: innermost first.
struct Place {
  int w, h, d, n;
};

DLBD_BOTH Place split_place(unsigned i, int w, int h, int d) {
  const unsigned up = i / static_cast<unsigned>(w), far = up / static_cast<unsigned>(h),
                 n = far / static_cast<unsigned>(d);
  return {static_cast<int>(i - up * static_cast<unsigned>(w)), static_cast<int>(up - far * static_cast<unsigned>(h)),
          static_cast<int>(far - n * static_cast<unsigned>(d)), static_cast<int>(n)};
}

// Moves a position on by a few innermost steps.
DLBD_BOTH void advance(Place& p, int step, int w, int h, int d) {
  p.w += step;
  while (p.w >= w) {
    p.w -= w;
    if (++p.h < h) continue;
    p.h = 0;
    if (++p.d < d) continue;
    p.d = 0, ++p.n;
  }
}

// Whether positions, offsets in an image and the numbers of pixels fit into 32 bits, with room for sums of a few.
inline bool fits_32_bits(const ConvShape& s) {
  constexpr int64_t kMost = int64_t{1} << 29;
  for (const ConvAxis& a : s.axis) {
    if (a.stride > kMost || a.dilation > kMost || a.kernel > kMost || a.out > kMost || a.in > kMost) return false;
    if (a.kernel * a.dilation > kMost || a.out * a.stride > kMost) return false;
  }
  return in_pixels(s) * s.c <= kMost && out_pixels(s) * s.k <= kMost && s.n * in_pixels(s) <= kMost &&
         s.n * out_pixels(s) <= kMost && s.w_size <= kMost;
}

// Whether the float32 kernels take a shape: groups lie along a grid's y, in the depthwise kernels taps along its z.
inline bool conv_is_fast(const ConvShape& s) {
  constexpr int64_t kMost = 65535;
  if (s.path == ConvPath::generic || !fits_32_bits(s)) return false;
  return (s.path == ConvPath::depthwise ? taps_of(s) : s.groups) <= kMost;
}

}  // namespace dlbd::cuda
