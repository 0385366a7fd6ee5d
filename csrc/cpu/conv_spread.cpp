// The gradient of the input where that has few channels: each pixel of dy is multiplied with the whole kernel at once
// (its elements, not the channels, fill the vectors), and the products are added where the kernel lies over dx.
#include "conv_pack.h"
#include "conv_paths.h"

namespace dlbd::DLBD_ISA {
namespace {

using T = float;

// Elements of dy that make a task worth handing out.
constexpr int64_t kTaskElements = 16384;
constexpr int64_t kMinTasks = 16;

struct SpreadPlan {
  int64_t depth, panels;  // elements of the kernel per filter
  int64_t images, bands;  // images of a task, or bands of rows of one image
};

SpreadPlan plan_spread(const ConvShape& s) {
  SpreadPlan p;
  p.depth = taps_of(s) * s.c;
  p.panels = ceil_div(p.depth, kPanel<T>);
  const int64_t image = max_of<int64_t>(1, out_pixels(s) * s.k);
  p.images = max_of<int64_t>(1, min_of(kTaskElements / image, s.n / kMinTasks));
  // A row of dy that reaches into two bands is multiplied twice: bands are much higher than the kernel.
  const ConvAxis& h = s.axis[1];
  const int64_t reach = (h.kernel - 1) * h.dilation + 1;
  const int64_t most = max_of<int64_t>(1, h.in / max_of<int64_t>(4, reach < h.in ? 3 * reach : h.in));
  p.bands = s.n >= kMinTasks ? 1 : min_of(most, ceil_div(kMinTasks, s.n));
  return p;
}

// Adds one pixel's products (kernel order, c values each) to the rows [h0, h1) of an image of dx.
DLBD_INLINE void spread_pixel(const ConvShape& s, const T* products, int64_t oh, int64_t ow, int64_t h0, int64_t h1,
                              T* image) {
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const int64_t iw = ow * w.stride - w.pad;
  const int64_t run = w.kernel * s.c;
  const bool inside = w.dilation == 1 && iw >= 0 && iw + w.kernel <= w.in;
  for (int64_t th = 0; th < h.kernel; ++th, products += run) {
    const int64_t ih = oh * h.stride + th * h.dilation - h.pad;
    if (ih < h0 || ih >= h1) continue;
    T* line = image + (ih * w.in + iw) * s.c;
    if (inside) {
      for (int64_t i = 0; i < run; i += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, run - i);
        store_n(line + i, load_n(line + i, lanes) + load_n(products + i, lanes), lanes);
      }
      continue;
    }
    for (int64_t tw = 0; tw < w.kernel; ++tw) {
      const int64_t i = iw + tw * w.dilation;
      if (i < 0 || i >= w.in) continue;
      for (int64_t c = 0; c < s.c; ++c) line[tw * w.dilation * s.c + c] += products[tw * s.c + c];
    }
  }
}

}  // namespace

int64_t conv_spread_backward_data_scratch(const ConvBackwardDataArgs& args) {
  const SpreadPlan p = plan_spread(args.shape);
  const int64_t products = args.threads * kTileRows * p.panels * kPanel<T>;
  return (p.panels * args.shape.k * kPanel<T> + products) * static_cast<int64_t>(sizeof(T));
}

void conv_spread_backward_data(const ConvBackwardDataArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const SpreadPlan p = plan_spread(s);
  const T *dy = static_cast<const T*>(args.dy), *bias = static_cast<const T*>(args.b);
  T *dx = static_cast<T*>(args.dx), *packed = static_cast<T*>(args.scratch);
  const int64_t width = p.panels * kPanel<T>;
  T* spaces = packed + s.k * width;
  for (int64_t j = 0; j < p.panels; ++j)
    pack_transposed_panel(static_cast<const T*>(args.w) + j * kPanel<T> * s.k, s.k,
                          min_of<int64_t>(kPanel<T>, p.depth - j * kPanel<T>), s.k, packed + j * s.k * kPanel<T>);
  const int64_t blocks = ceil_div(s.n, p.images);
  parallel_for(args.threads, blocks * p.bands, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t block = task / p.bands, band = task % p.bands;
    const int64_t h0 = part_begin(h.in, p.bands, band), h1 = part_begin(h.in, p.bands, band + 1);
    T* products = spaces + worker * kTileRows * width;
    int64_t rows[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) rows[r] = r * width;
    // rows of dy of which some row of the kernel lies over the band
    const int64_t reach = (h.kernel - 1) * h.dilation, low = h0 + h.pad - reach;
    const int64_t oh0 = low <= 0 ? 0 : ceil_div(low, h.stride), oh1 = min_of(h.out, (h1 - 1 + h.pad) / h.stride + 1);
    const int64_t pixels = max_of<int64_t>(0, oh1 - oh0) * w.out, tiles = ceil_div(pixels, kTileRows);
    for (int64_t n = part_begin(s.n, blocks, block); n < part_begin(s.n, blocks, block + 1); ++n) {
      T* image = dx + n * h.in * w.in * s.c;
      if (!args.accumulate) zero_run(image + h0 * w.in * s.c, (h1 - h0) * w.in * s.c);
      int64_t oh = oh0, ow = 0;
      for (int64_t i = 0; i < tiles; ++i) {
        const int64_t first = part_begin(pixels, tiles, i), count = part_begin(pixels, tiles, i + 1) - first;
        const T* a = dy + ((n * h.out + oh0) * w.out + first) * s.k;
        for (int64_t j = 0; j < p.panels; ++j) {
          // whole vectors, so that tiles are written straight from registers
          const int64_t columns = p.depth - j * kPanel<T> <= kLanes<T> ? kLanes<T> : kPanel<T>;
          const TileOutput<T> out{
              products + j * kPanel<T>, rows, columns, nullptr, ActivationSpec{Activation::linear, 0.0f}, false};
          panel_tile<T>(static_cast<int>(count), s.k, a, s.k, 1, packed + j * s.k * kPanel<T>, kPanel<T>, out);
        }
        for (int64_t r = 0; r < count; ++r) {
          spread_pixel(s, products + r * width, oh, ow, h0, h1, image);
          if (++ow == w.out) ow = 0, ++oh;
        }
      }
      if (!bias && args.activation.kind == Activation::linear) continue;
      for (T* pixel = image + h0 * w.in * s.c; pixel < image + h1 * w.in * s.c; pixel += s.c) {
        for (int64_t c = 0; c < s.c; c += kLanes<T>) {
          const int64_t lanes = min_of<int64_t>(kLanes<T>, s.c - c);
          Vec<T> value = load_n(pixel + c, lanes);
          if (bias) value += load_n(bias + c, lanes);
          store_n(pixel + c, activate<T>(args.activation, value), lanes);
        }
      }
    }
  });
}

}  // namespace dlbd::DLBD_ISA
