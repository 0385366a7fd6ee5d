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
  bool aligned;  // quads of channels lie on 16 bytes

  __device__ __forceinline__ int targets() const { return images * axis[0].count * axis[1].count * axis[2].count; }
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

// Phases along an axis at most: their numbers are a kernel's parameter. Strides are rarely above a patch of 32.
constexpr int kMostPhases = 32;

// The gathers of all phases.
struct Phases {
  Gather gather;  // of the first phases
  Phase phase[3][kMostPhases];
  int count[3];

  // Axis i of the gather that is number `number` of all.
  __device__ __forceinline__ GatherAxis axis(int number, int i) const {
    const int across = number / count[2], down = across / count[1];
    const int one = i == 2 ? number - across * count[2] : i == 1 ? across - down * count[1] : down;
    GatherAxis a = gather.axis[i];
    const Phase p = phase[i][one];
    a.count = p.count, a.first = p.first, a.origin = p.origin, a.taps = p.taps, a.tap = p.tap;
    return a;
  }
};

// What forward reads is x, what the way back reads is dy.
inline Gather forward_gather(const ConvShape& s, const void* x) {
  Gather g{};
  for (int i = 0; i < 3; ++i) g.axis[i] = forward_axis(s.axis[i]);
  g.channels = static_cast<int>(s.c / s.groups), g.pitch = static_cast<int>(s.c);
  g.image = in_pixels(s) * s.c, g.images = static_cast<int>(s.n), g.aligned = aligned(x);
  return g;
}

inline bool has_few_phases(const ConvShape& s) {
  int64_t all = 1;
  for (const ConvAxis& a : s.axis) {
    if (phases_of(a) > kMostPhases) return false;
    all *= phases_of(a);
  }
  return all <= kMostPhases * kMostPhases;
}

inline Phases data_phases(const ConvShape& s, const void* dy) {
  Phases p{};
  for (int i = 0; i < 3; ++i) {
    p.count[i] = static_cast<int>(phases_of(s.axis[i]));
    for (int j = 0; j < p.count[i]; ++j) p.phase[i][j] = phase_of(s.axis[i], j);
    p.gather.axis[i] = data_axis(s.axis[i], p.phase[i][0]);
  }
  p.gather.channels = static_cast<int>(s.k / s.groups), p.gather.pitch = static_cast<int>(s.k);
  p.gather.image = out_pixels(s) * s.k, p.gather.images = static_cast<int>(s.n), p.gather.aligned = aligned(dy);
  return p;
}

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

constexpr int kNowhere = -(1 << 30);  // outside of every axis, whatever is added

// Where a pixel's window begins.
struct Window {
  const float* image;  // at the group's first channel
  int d, h, w;

  __device__ __forceinline__ void begin(const Gather& g, const float* x, const Place& p, bool exists) {
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

template <int Width>
__device__ __forceinline__ Pack<float, Width> load_some(const float* p, bool aligned) {
  if constexpr (Width == 1) {
    return {{*p}};
  } else {
    Pack<float, Width> x;
    if (aligned) return *reinterpret_cast<const Pack<float, Width>*>(p);
#pragma unroll
    for (int j = 0; j < Width; ++j) x.v[j] = p[j];
    return x;
  }
}

// What gathers the rows of a tile says how many rows there are and how deep the product is: count(), depth().
//
// Rows of the tile are pixels, steps are the channels of the taps. Packed: channels are whole quads; a quad of channels
// of one or two rows per thread. Else one row, channel by channel.
template <class Tile, bool Packed>
struct PixelRows;

template <class Tile>
struct PixelRows<Tile, true> {
  static constexpr int kApart = Tile::kThreads / 2, kRows = Tile::M / kApart;

  TapWalk walk;
  Window window[kRows];
  const float* at[kRows];  // null: zeros
  float v[Tile::kSlabs][kRows][kQuad];

  __device__ static int count(const Gather& g) { return g.targets(); }
  __device__ static int depth(const Gather& g) { return g.depth(); }
  __device__ static int row() { return static_cast<int>(threadIdx.x) / 2; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) % 2 * kQuad; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x, int first_row, int first_step) {
    const int targets = g.targets();
    walk.begin(g, first_step + step());
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int m = first_row + row() + i * kApart;
      window[i].begin(g, x, g.target(m < targets ? m : 0), m < targets);
    }
    locate(g);
  }
  __device__ __forceinline__ void locate(const Gather& g) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      at[i] = window[i].under(g, walk.tap);
      if (at[i]) at[i] += walk.channel;
    }
  }
  // Takes a slab of the depth and moves on. Whether the tap changed.
  __device__ __forceinline__ bool load(const Gather& g, int slab, int left) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      Pack<float> x{};
      if (step() < left && at[i]) x = load_some<kQuad>(at[i], g.aligned);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[slab][i][j] = x.v[j];
      if (at[i]) at[i] += kSlab;
    }
    const bool changed = walk.advance(g, kSlab);
    if (changed) locate(g);
    return changed;
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& to) const {
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part)
#pragma unroll
      for (int i = 0; i < kRows; ++i)
#pragma unroll
        for (int j = 0; j < kQuad; ++j)
          to[part * kSlab + step() + j][row() + i * kApart] = Tile::word(part, v[0][i][j], v[Tile::kSlabs - 1][i][j]);
  }
};

template <class Tile>
struct PixelRows<Tile, false> {
  static constexpr int kStep = Tile::kThreads / Tile::M, kSteps = kSlab / kStep;
  static_assert(Tile::kSlabs == 1 && Tile::kParts == 1);

  TapWalk walk;
  Window window;
  float v[kSteps];

  __device__ static int count(const Gather& g) { return g.targets(); }
  __device__ static int depth(const Gather& g) { return g.depth(); }
  __device__ static int row() { return static_cast<int>(threadIdx.x) % Tile::M; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / Tile::M; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x, int first_row, int first_step) {
    const int targets = g.targets(), m = first_row + row();
    walk.begin(g, first_step + step());
    window.begin(g, x, g.target(m < targets ? m : 0), m < targets);
  }
  // also(i, inside) for each of the thread's steps, before the walk moves on.
  template <class Also>
  __device__ __forceinline__ void load(const Gather& g, int left, const Also& also) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const bool inside = step() + i * kStep < left;
      const float* at = inside ? window.under(g, walk.tap) : nullptr;
      v[i] = at ? at[walk.channel] : 0.0f;
      also(i, inside);
      walk.advance(g, kStep);
    }
  }
  __device__ __forceinline__ void load(const Gather& g, int, int left) {
    load(g, left, [](int, bool) {});
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& to) const {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) to[step() + i * kStep][row()] = v[i];
  }
};

// Rows of the tile are the channels of the taps, Width of them per thread (4: channels are whole quads; or 1), steps
// are pixels.
template <class Tile, int Width>
struct TapRows {
  static constexpr int kRows = Tile::M / Width, kStep = Tile::kThreads / kRows, kSteps = kSlab / kStep;

  const float* x;  // at the group's first channel
  int dd, dh, dw;  // the tap's offset, or nowhere
  int channel;
  Place pixel;  // of the next load
  float v[Tile::kSlabs][kSteps][Width];

  __device__ static int count(const Gather& g) { return g.depth(); }
  __device__ static int depth(const Gather& g) { return g.targets(); }
  __device__ static int row() { return static_cast<int>(threadIdx.x) % kRows * Width; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / kRows; }

  __device__ __forceinline__ void begin(const Gather& g, const float* x_, int first_row, int first_pixel) {
    TapWalk walk;
    const bool exists = first_row + row() < g.depth();
    walk.begin(g, exists ? first_row + row() : 0);
    x = x_, channel = walk.channel;
    dd = exists ? walk.tap.d * g.axis[0].dilation : kNowhere;
    dh = walk.tap.h * g.axis[1].dilation, dw = walk.tap.w * g.axis[2].dilation;
    pixel = g.target(first_pixel + step());
  }
  __device__ __forceinline__ void load(const Gather& g, int slab, int left) {
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      Window window;
      window.begin(g, x, pixel, true);
      const float* at = step() + i * kStep < left ? window.pixel(g, dd, dh, dw) : nullptr;
      Pack<float, Width> pack{};
      if (at) pack = load_some<Width>(at + channel, g.aligned);
#pragma unroll
      for (int j = 0; j < Width; ++j) v[slab][i][j] = pack.v[j];
      advance(pixel, kStep, g.axis[2].count, g.axis[1].count, g.axis[0].count);
    }
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& to) const {
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part)
#pragma unroll
      for (int i = 0; i < kSteps; ++i) {
        Pack<float, Width> words;
#pragma unroll
        for (int j = 0; j < Width; ++j) words.v[j] = Tile::word(part, v[0][i][j], v[Tile::kSlabs - 1][i][j]);
        *reinterpret_cast<Pack<float, Width>*>(&to[part * kSlab + step() + i * kStep][row()]) = words;
      }
  }
};

}  // namespace dlbd::cuda
