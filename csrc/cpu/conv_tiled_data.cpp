// The gradient of a convolution's input, which is also the transposed convolution: for every kernel position the rows
// of dy meet the transposed weights in the register tile, and the tile is added to the rows of dx that it belongs to.
// So nothing is multiplied by a zero that stride or padding would have put in, and dy is read where it lies.
#include "conv_pack.h"
#include "conv_paths.h"

namespace dlbd::DLBD_ISA {
namespace {

using T = float;

// Elements of dx that a task adds to, kernel position after kernel position: they should stay in L2.
constexpr int64_t kTaskElements = 32768;
constexpr int64_t kMinTasks = 16;

// How dx is cut: a task owns some rows (of the height axis) of one image, or some whole images.
struct DataPlan {
  int64_t filters, channels, panels;  // of one group
  int64_t images, bands, panel_blocks;
};

DataPlan plan_data(const ConvShape& s) {
  DataPlan p;
  p.filters = s.k / s.groups, p.channels = s.c / s.groups, p.panels = ceil_div(p.channels, kPanel<T>);
  const int64_t height = s.axis[1].in, image = in_pixels(s) * s.c;
  p.bands = min_of(height, ceil_div(image, kTaskElements));
  const int64_t fitting = max_of<int64_t>(1, kTaskElements / image);
  p.images = p.bands > 1 ? 1 : min_of(fitting, ceil_div(s.n, kMinTasks));
  const int64_t tasks = s.groups * ceil_div(s.n, p.images) * p.bands;
  if (tasks < kMinTasks) p.bands = min_of(ceil_div(height, 4), p.bands * ceil_div(kMinTasks, tasks));
  const int64_t more = ceil_div(kMinTasks / 2, s.groups * ceil_div(s.n, p.images) * p.bands);
  p.panel_blocks = min_of(p.panels, more);
  return p;
}

DLBD_INLINE int64_t packed_size(const ConvShape& s, const DataPlan& p) {
  return s.groups * taps_of(s) * p.panels * p.filters * kPanel<T>;
}

struct Range {
  int64_t begin, end;
};

// Output positions o that meet an input position in [lo, hi) at kernel position t.
DLBD_INLINE Range outputs_between(const ConvAxis& a, int64_t t, int64_t lo, int64_t hi) {
  const int64_t shift = a.pad - t * a.dilation;
  const int64_t first = lo + shift <= 0 ? 0 : ceil_div(lo + shift, a.stride);
  const int64_t last = hi - 1 + shift < 0 ? 0 : (hi - 1 + shift) / a.stride + 1;
  return {first, min_of(last, a.out)};
}

}  // namespace

int64_t conv_tiled_backward_data_scratch(const ConvBackwardDataArgs& args) {
  return packed_size(args.shape, plan_data(args.shape)) * static_cast<int64_t>(sizeof(T));
}

void conv_tiled_backward_data(const ConvBackwardDataArgs& args) {
  const ConvShape& s = args.shape;
  const DataPlan p = plan_data(s);
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  const T *dy = static_cast<const T*>(args.dy), *bias = static_cast<const T*>(args.b);
  T *dx = static_cast<T*>(args.dx), *packed = static_cast<T*>(args.scratch);
  const int64_t taps = taps_of(s);

  parallel_for(args.threads, s.groups * taps * p.panels, 1, [&](int64_t i, int64_t, int) {
    const int64_t j = i % p.panels, tap = i / p.panels % taps, g = i / p.panels / taps;
    const T* from = static_cast<const T*>(args.w) + (tap * p.channels + j * kPanel<T>)*s.k + g * p.filters;
    pack_transposed_panel(from, s.k, min_of<int64_t>(kPanel<T>, p.channels - j * kPanel<T>), p.filters,
                          packed + i * p.filters * kPanel<T>);
  });

  const int64_t image_blocks = ceil_div(s.n, p.images);
  const int64_t tasks = s.groups * image_blocks * p.bands * p.panel_blocks;
  parallel_for(args.threads, tasks, 1, [&](int64_t task, int64_t, int) {
    const int64_t panel_block = task % p.panel_blocks, band = task / p.panel_blocks % p.bands;
    const int64_t images = task / p.panel_blocks / p.bands % image_blocks;
    const int64_t g = task / p.panel_blocks / p.bands / image_blocks;
    const int64_t n0 = part_begin(s.n, image_blocks, images), n1 = part_begin(s.n, image_blocks, images + 1);
    const int64_t h0 = part_begin(h.in, p.bands, band), h1 = part_begin(h.in, p.bands, band + 1);
    for (int64_t j = part_begin(p.panels, p.panel_blocks, panel_block);
         j < part_begin(p.panels, p.panel_blocks, panel_block + 1); ++j) {
      const int64_t channel = g * p.channels + j * kPanel<T>;
      const int64_t columns = min_of<int64_t>(kPanel<T>, p.channels - j * kPanel<T>);
      int64_t rows[kTileRows];
      const TileOutput<T> out{dx + channel, rows, columns, nullptr, ActivationSpec{Activation::linear, 0.0f}, true};

      const auto each_pixel = [&](const auto& body) {
        for (int64_t n = n0; n < n1; ++n)
          for (int64_t id = 0; id < d.in; ++id) {
            T* line = dx + (((n * d.in + id) * h.in + h0) * w.in) * s.c + channel;
            for (int64_t i = 0; i < (h1 - h0) * w.in; ++i) body(line + i * s.c);
          }
      };
      if (!args.accumulate) each_pixel([&](T* pixel) { zero_run(pixel, columns); });

      for (int64_t tap = 0; tap < taps; ++tap) {
        const int64_t tw = tap % w.kernel, th = tap / w.kernel % h.kernel, td = tap / w.kernel / h.kernel;
        const T* b = packed + ((g * taps + tap) * p.panels + j) * p.filters * kPanel<T>;
        const Range across = outputs_between(w, tw, 0, w.in), down = outputs_between(h, th, h0, h1);
        const Range deep = outputs_between(d, td, 0, d.in);
        if (across.end <= across.begin || down.end <= down.begin) continue;
        // Whole rows of dy follow one another without a gap: they make one run.
        const bool whole = across.begin == 0 && across.end == w.out;
        const int64_t runs = whole ? 1 : down.end - down.begin;
        const int64_t length = whole ? (down.end - down.begin) * w.out : across.end - across.begin;
        const int64_t tiles = ceil_div(length, kTileRows);
        for (int64_t n = n0; n < n1; ++n) {
          for (int64_t od = deep.begin; od < deep.end; ++od) {
            const int64_t id = od * d.stride + td * d.dilation - d.pad;
            for (int64_t run = 0; run < runs; ++run) {
              int64_t oh = down.begin + run, ow = across.begin;
              const T* a = dy + (((n * d.out + od) * h.out + oh) * w.out + ow) * s.k + g * p.filters;
              const int64_t step = w.stride * s.c;
              const auto line = [&] {
                const int64_t ih = oh * h.stride + th * h.dilation - h.pad;
                return (((n * d.in + id) * h.in + ih) * w.in + ow * w.stride + tw * w.dilation - w.pad) * s.c;
              };
              int64_t at = line();
              for (int64_t i = 0; i < tiles; ++i) {
                const int64_t count = part_begin(length, tiles, i + 1) - part_begin(length, tiles, i);
                for (int64_t r = 0; r < count; ++r) {
                  rows[r] = at;
                  at += step;
                  if (++ow == across.end && whole) {
                    ow = 0, ++oh;
                    at = line();
                  }
                }
                panel_tile<T>(static_cast<int>(count), p.filters, a, s.k, 1, b, kPanel<T>, out);
                a += count * s.k;
              }
            }
          }
        }
      }

      if (bias || args.activation.kind != Activation::linear) {
        each_pixel([&](T* pixel) {
          for (int64_t i = 0; i < columns; i += kLanes<T>) {
            const int64_t lanes = min_of<int64_t>(kLanes<T>, columns - i);
            Vec<T> y = load_n(pixel + i, lanes);
            if (bias) y += load_n(bias + channel + i, lanes);
            store_n(pixel + i, activate<T>(args.activation, y), lanes);
          }
        });
      }
    }
  });
}

}  // namespace dlbd::DLBD_ISA
