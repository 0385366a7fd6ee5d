// The operands of a convolution as a product that read an image where it lies: pixels under the taps of a kernel.
#pragma once

#include "conv_index.h"
#include "conv_tile.h"

namespace dlbd::cuda {

// A convolution without its arrays: how positions meet, and the image that is read.
struct Gather {
  GatherAxis axis[3];
  int channels;   // of a group
  int pitch;      // between pixels of the image
  int64_t image;  // between images
  int images;

  __device__ __forceinline__ int targets() const {
    return images * axis[0].count * axis[1].count * axis[2].count;
  }
  __device__ __forceinline__ int depth() const { return axis[0].taps * axis[1].taps * axis[2].taps * channels; }
  __device__ __forceinline__ Place target(int i) const {
    return split_place(static_cast<unsigned>(i), axis[2].count, axis[1].count, axis[0].count);
  }
  // The number of a target's pixel in the array that is written.
  __device__ __forceinline__ int64_t written(const Place& p) const {
    const int64_t d = static_cast<int64_t>(p.n) * axis[0].written + axis[0].first + p.d * axis[0].apart;
    return (d * axis[1].written + axis[1].first + p.h * axis[1].apart) * axis[2].written + axis[2].first +
           p.w * axis[2].apart;
  }
};

// A step of the depth: a channel of a tap.
struct TapWalk {
  int channel;
  Place tap;  // n is not used

  __device__ __forceinline__ void begin(const Gather& g, int step) {
    const unsigned i = static_cast<unsigned>(step) / static_cast<unsigned>(g.channels);
    channel = step - static_cast<int>(i) * g.channels;
    tap = {};
    if (g.depth() == 0) return;  // a phase may meet no tap at all: then nothing is loaded
    tap = split_place(i, g.axis[2].taps, g.axis[1].taps, g.axis[0].taps);
  }
  // Whether the tap changed.
  __device__ __forceinline__ bool advance(const Gather& g, int steps) {
    channel += steps;
    if (channel < g.channels) return false;
    do {
      channel -= g.channels;
      dlbd::cuda::advance(tap, 1, g.axis[2].taps, g.axis[1].taps, g.axis[0].taps);
    } while (channel >= g.channels);
    return true;
  }
};

// Where a pixel's window begins.
struct Window {
  const float* image;  // at the group's first channel
  int d, h, w;

  __device__ __forceinline__ void begin(const Gather& g, const float* x, const Place& p, bool exists) {
    constexpr int kNowhere = -(1 << 30);
    image = x + p.n * g.image;
    d = exists ? g.axis[0].origin + p.d * g.axis[0].stride : kNowhere;
    h = g.axis[1].origin + p.h * g.axis[1].stride;
    w = g.axis[2].origin + p.w * g.axis[2].stride;
  }
  // The image's pixel under a tap, or null.
  __device__ __forceinline__ const float* pixel(const Gather& g, int dd, int dh, int dw) const {
    const int pd = d + dd, ph = h + dh, pw = w + dw;
    const bool inside = static_cast<unsigned>(pd) < static_cast<unsigned>(g.axis[0].size) &&
                        static_cast<unsigned>(ph) < static_cast<unsigned>(g.axis[1].size) &&
                        static_cast<unsigned>(pw) < static_cast<unsigned>(g.axis[2].size);
    return inside ? image + ((pd * g.axis[1].size + ph) * g.axis[2].size + pw) * g.pitch : nullptr;
  }
  __device__ __forceinline__ const float* under(const Gather& g, const Place& tap) const {
    return pixel(g, tap.d * g.axis[0].dilation, tap.h * g.axis[1].dilation, tap.w * g.axis[2].dilation);
  }
};

// Rows of the tile are pixels, steps are the channels of the taps. Packed: channels are whole quads, on 16 bytes; a quad
// of channels of one or two rows per thread. Else one row, channel by channel.
template <class Tile, bool Packed>
struct PixelRows;

template <class Tile>
struct PixelRows<Tile, true> {
  static constexpr int kApart = Tile::kThreads / 2, kRows = Tile::M / kApart;

  Window window[kRows];
  const float* at[kRows];  // null: zeros
  float v[kRows][kQuad];

  __device__ static int row() { return static_cast<int>(threadIdx.x) / 2; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) % 2 * kQuad; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x, int first_row, const TapWalk& walk) {
    const int targets = g.targets();
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int m = first_row + row() + i * kApart;
      window[i].begin(g, x, g.target(m < targets ? m : 0), m < targets);
    }
    locate(g, walk);
  }
  __device__ __forceinline__ void locate(const Gather& g, const TapWalk& walk) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      at[i] = window[i].under(g, walk.tap);
      if (at[i]) at[i] += walk.channel;
    }
  }
  __device__ __forceinline__ void load(bool inside) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      Pack<float> x{};
      if (inside && at[i]) x = load_pack(at[i]);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[i][j] = x.v[j];
    }
  }
  __device__ __forceinline__ void next() {
#pragma unroll
    for (int i = 0; i < kRows; ++i)
      if (at[i]) at[i] += kDepth;
  }
  __device__ __forceinline__ void store(float (*to)[Tile::M + kPad]) const {
#pragma unroll
    for (int i = 0; i < kRows; ++i)
#pragma unroll
      for (int j = 0; j < kQuad; ++j) to[step() + j][row() + i * kApart] = v[i][j];
  }
};

template <class Tile>
struct PixelRows<Tile, false> {
  static constexpr int kStep = Tile::kThreads / Tile::M, kSteps = kDepth / kStep;

  Window window;
  float v[kSteps];

  __device__ static int row() { return static_cast<int>(threadIdx.x) % Tile::M; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / Tile::M; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x, int first_row) {
    const int targets = g.targets(), m = first_row + row();
    window.begin(g, x, g.target(m < targets ? m : 0), m < targets);
  }
  __device__ __forceinline__ void load(const Gather& g, int i, const TapWalk& walk, bool inside) {
    v[i] = 0.0f;
    if (!inside) return;
    const float* at = window.under(g, walk.tap);
    if (at) v[i] = at[walk.channel];
  }
  __device__ __forceinline__ void store(float (*to)[Tile::M + kPad]) const {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) to[step() + i * kStep][row()] = v[i];
  }
};

// Rows of the tile are the channels of the taps, Width of them per thread (4: channels are whole quads, on 16 bytes; or
// 1), steps are pixels.
template <class Tile, int Width>
struct TapRows {
  static constexpr int kRows = Tile::M / Width, kStep = Tile::kThreads / kRows, kSteps = kDepth / kStep;

  const float* x;      // at the group's first channel
  int dd, dh, dw;      // the tap's offset, or nowhere
  int channel;
  Place pixel;         // of the next load
  float v[kSteps][Width];

  __device__ static int row() { return static_cast<int>(threadIdx.x) % kRows * Width; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / kRows; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x_, int first_row, int first_pixel) {
    TapWalk walk;
    const bool exists = first_row + row() < g.depth();
    walk.begin(g, exists ? first_row + row() : 0);
    x = x_, channel = walk.channel;
    dd = exists ? walk.tap.d * g.axis[0].dilation : -(1 << 30);
    dh = walk.tap.h * g.axis[1].dilation, dw = walk.tap.w * g.axis[2].dilation;
    pixel = g.target(first_pixel + step());
  }
  __device__ __forceinline__ void load(const Gather& g, int left) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      Window window;
      window.begin(g, x, pixel, true);
      const float* at = step() + i * kStep < left ? window.pixel(g, dd, dh, dw) : nullptr;
      Pack<float, Width> pack{};
      if (at) pack = *reinterpret_cast<const Pack<float, Width>*>(at + channel);
#pragma unroll
      for (int j = 0; j < Width; ++j) v[i][j] = pack.v[j];
      advance(pixel, kStep, g.axis[2].count, g.axis[1].count, g.axis[0].count);
    }
  }
  __device__ __forceinline__ void store(float (*to)[Tile::M + kPad]) const {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      Pack<float, Width> pack;
#pragma unroll
      for (int j = 0; j < Width; ++j) pack.v[j] = v[i][j];
      *reinterpret_cast<Pack<float, Width>*>(&to[step() + i * kStep][row()]) = pack;
    }
  }
};

}  // namespace dlbd::cuda
