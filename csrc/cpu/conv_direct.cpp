// Convolution without patches: a register tile is a run of pixels in one output row (forward) or a run of kernel
// elements (weights), and reads x where it lies, or a padded copy of the few rows that a band of output rows needs.
// At its best for maps wider than the tile and for few input channels, where patches would cost as much as products.
#include "conv_pack.h"
#include "conv_paths.h"
#include "epilogue.h"

namespace dlbd::DLBD_ISA {
namespace {

using T = float;

// Elements of x under one band of output rows: they are read once per panel of weights and should stay in L2.
constexpr int64_t kBandElements = 32768;
// The same for dw, which goes through them once per tile of dw: longer passes are worth more than a smaller band.
constexpr int64_t kWeightsBandElements = 131072;
constexpr int64_t kMinTasks = 16;
// Pixels that one pass over a tile of dw takes, at least: it then pays for loading and storing the tile.
constexpr int64_t kPassPixels = 256;
// Partial sums of dw may take this many elements in all.
constexpr int64_t kPartialElements = int64_t{3} << 19;

// Rows of x as a band sees them: padded, so that no kernel position hangs over the edge.
struct Padded {
  bool copied;    // false: x itself has every row and column
  int64_t width;  // pixels of a row
  int64_t row;    // elements between rows
};

Padded padded_of(const ConvShape& s) {
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const auto fits = [](const ConvAxis& a) {
    return a.pad == 0 && (a.out - 1) * a.stride + (a.kernel - 1) * a.dilation < a.in;
  };
  Padded p;
  p.copied = !fits(h) || !fits(w);
  p.width = p.copied ? (w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1 : w.in;
  p.row = p.width * s.c;
  return p;
}

int64_t input_rows(const ConvShape& s, int64_t rows) {
  return (rows - 1) * s.axis[1].stride + (s.axis[1].kernel - 1) * s.axis[1].dilation + 1;
}

// Output rows whose input rows take at most `elements`; at least one.
int64_t fitting_rows(const ConvShape& s, const Padded& p, int64_t elements) {
  const int64_t lines = elements / p.row - input_rows(s, 1);
  return min_of(s.axis[1].out, lines < 0 ? 1 : lines / s.axis[1].stride + 1);
}

// The input rows under output rows [first, first + rows) of image n: in place, or copied to `space`.
const T* band_of(const ConvShape& s, const Padded& p, const T* x, int64_t n, int64_t first, int64_t rows, T* space) {
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const T* image = x + n * h.in * w.in * s.c;
  if (!p.copied) return image + first * h.stride * w.in * s.c;
  const int64_t left = min_of(w.pad, p.width), middle = max_of<int64_t>(0, min_of(w.in, p.width - w.pad));
  const int64_t right = p.width - left - middle;
  T* to = space;
  for (int64_t i = 0; i < input_rows(s, rows); ++i, to += p.row) {
    const int64_t ih = first * h.stride + i - h.pad;
    if (ih < 0 || ih >= h.in) {
      zero_run(to, p.row);
      continue;
    }
    zero_run(to, left * s.c);
    copy_run(to + left * s.c, image + ih * w.in * s.c, middle * s.c);
    zero_run(to + (left + middle) * s.c, right * s.c);
  }
  return space;
}

// A row of the kernel reads one run of x.
DLBD_INLINE bool is_dense(const ConvShape& s) { return s.axis[2].dilation == 1; }

struct ForwardPlan {
  Padded padded;
  int64_t depth, panels, bands, panel_blocks, rows;  // rows: most output rows of a band
  bool packs_weights;
};

ForwardPlan plan_forward(const ConvShape& s) {
  ForwardPlan p;
  p.padded = padded_of(s);
  p.depth = taps_of(s) * s.c;
  p.panels = ceil_div(s.k, kPanel<T>);
  p.bands = ceil_div(s.axis[1].out, fitting_rows(s, p.padded, kBandElements));
  if (s.n * p.bands < kMinTasks) p.bands = min_of(s.axis[1].out, ceil_div(kMinTasks, s.n));
  p.rows = ceil_div(s.axis[1].out, p.bands);
  p.panel_blocks = min_of(p.panels, ceil_div(kMinTasks / 2, s.n * p.bands));
  p.packs_weights = s.k % kLanes<T> != 0 || (s.k > 2 * kPanel<T> && s.n * p.bands > 8);
  return p;
}

// One output row's run of R pixels.
template <int V, int R = kTileRows>
inline void row_tile(int rows, const ConvShape& s, const T* a, int64_t line, const T* b, int64_t ldb,
                     const TileOutput<T>& out) {
  if constexpr (R > 1) {
    if (rows < R) return row_tile<V, R - 1>(rows, s, a, line, b, ldb, out);
  }
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const int64_t step = w.stride * s.c;
  const int64_t runs = is_dense(s) ? 1 : w.kernel, run = is_dense(s) ? w.kernel * s.c : s.c;
  Tile<T, R, V> t;
  clear(t);
  for (int64_t th = 0; th < h.kernel; ++th) {
    for (int64_t i = 0; i < runs; ++i) {
      multiply(t, run, a + th * h.dilation * line + i * w.dilation * s.c, step, 1, b, ldb);
      b += run * ldb;
    }
  }
  finish(t, out);
}

struct WeightsPlan {
  Padded padded;
  int64_t depth, panels;
  int64_t bands, rows;      // bands of an image, and most output rows of one
  int64_t ranges, splits;   // tasks: ranges of (image, band) pairs, splits of the tiles of dw
  int64_t tiles, per_line;  // tiles of dw; of one row of the kernel, or 0 where tiles take elements from anywhere
  bool packs_dz;
};

WeightsPlan plan_weights(const ConvShape& s) {
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  WeightsPlan p;
  p.padded = padded_of(s);
  p.depth = taps_of(s) * s.c;
  p.panels = ceil_div(s.k, kPanel<T>);
  p.rows = min_of(min_of(h.out, ceil_div(kPassPixels, w.out)), fitting_rows(s, p.padded, kWeightsBandElements));
  p.bands = ceil_div(h.out, p.rows);
  const int64_t affordable = max_of<int64_t>(1, kPartialElements / s.w_size);
  p.ranges = kMinTasks;
  while (p.ranges > 1 && (p.ranges > s.n * p.bands || p.ranges > affordable)) p.ranges /= 2;
  p.per_line = is_dense(s) && w.kernel * s.c >= kTileRows ? ceil_div(w.kernel * s.c, kTileRows) : 0;
  p.tiles = p.per_line > 0 ? h.kernel * p.per_line : ceil_div(p.depth, kTileRows);
  p.splits = min_of(ceil_div(p.tiles, 4), ceil_div(kMinTasks / 2, p.ranges));
  p.packs_dz = s.k % kLanes<T> != 0;
  return p;
}

// Bias and activation are seen to on the way if every band passes one task only.
DLBD_INLINE bool is_fused(const WeightsPlan& p) { return p.splits == 1; }

// What one worker holds: rows of x, dz of a band, its panels.
struct WorkerSpace {
  int64_t x, dz, panels;
  int64_t total() const { return x + dz + panels; }
};

WorkerSpace space_of(const ConvShape& s, const WeightsPlan& p, bool own_dz) {
  const int64_t pixels = p.rows * s.axis[2].out;
  return {p.padded.copied ? round_up(input_rows(s, p.rows) * p.padded.row, 16) : 0,
          own_dz ? round_up(pixels * s.k, 16) : 0, p.packs_dz ? pixels * p.panels * kPanel<T> : 0};
}

// dw elements [first, first + R) of a panel over a band: A(r, pixel) = a[offset[r] + pixel]. With `Run` the offsets
// are consecutive.
template <bool Run, int V, int R = kTileRows>
inline void weights_tile(int count, const ConvShape& s, int64_t rows, const T* a, const int64_t* offset, int64_t line,
                         const T* dz, int64_t ld, const TileOutput<T>& out) {
  if constexpr (R > 1) {
    if (count < R) return weights_tile<Run, V, R - 1>(count, s, rows, a, offset, line, dz, ld, out);
  }
  const int64_t width = s.axis[2].out, step = s.axis[2].stride * s.c;
  Tile<T, R, V> t;
  clear(t);
  for (int64_t oh = 0; oh < rows; ++oh) {
    const T* from = a + oh * s.axis[1].stride * line;
    const T* b = dz + oh * width * ld;
    if constexpr (Run) {
      multiply(t, width, from + offset[0], 1, step, b, ld);
    } else {
      for (int64_t ow = 0; ow < width; ++ow) {
        Vec<T> row[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) row[v] = load(b + v * kLanes<T>);
#pragma GCC unroll 32
        for (int r = 0; r < R; ++r) {
          const Vec<T> value = splat(from[offset[r]]);
#pragma GCC unroll 8
          for (int v = 0; v < V; ++v) t.acc[r][v] += value * row[v];
        }
        from += step;
        b += ld;
      }
    }
  }
  finish(t, out);
}

template <int V>
DLBD_INLINE void any_weights_tile(bool run, int count, const ConvShape& s, int64_t rows, const T* a,
                                  const int64_t* offset, int64_t line, const T* dz, int64_t ld,
                                  const TileOutput<T>& out) {
  if (run) return weights_tile<true, V>(count, s, rows, a, offset, line, dz, ld, out);
  weights_tile<false, V>(count, s, rows, a, offset, line, dz, ld, out);
}

}  // namespace

int64_t conv_direct_forward_scratch(const ConvForwardArgs& args) {
  const ConvShape& s = args.shape;
  const ForwardPlan p = plan_forward(s);
  const int64_t band = p.padded.copied ? round_up(input_rows(s, p.rows) * p.padded.row, 16) : 0;
  const int64_t weights = p.packs_weights ? p.panels * p.depth * kPanel<T> : 0;
  return (weights + args.threads * band) * static_cast<int64_t>(sizeof(T));
}

void conv_direct_forward(const ConvForwardArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const ForwardPlan p = plan_forward(s);
  const T *x = static_cast<const T*>(args.x), *weights = static_cast<const T*>(args.w);
  const T* bias = static_cast<const T*>(args.b);
  T *y = static_cast<T*>(args.y), *packed = static_cast<T*>(args.scratch);
  T* spaces = packed + (p.packs_weights ? p.panels * p.depth * kPanel<T> : 0);
  const int64_t space = p.padded.copied ? round_up(input_rows(s, p.rows) * p.padded.row, 16) : 0;
  if (p.packs_weights) {
    constexpr int64_t kRows = 64;
    parallel_for(args.threads, p.depth, kRows,
                 [&](int64_t begin, int64_t end, int) { pack_panels(weights, s.k, p.depth, begin, end, s.k, packed); });
  }
  const int64_t tiles = ceil_div(w.out, kTileRows);
  parallel_for(args.threads, s.n * p.bands * p.panel_blocks, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t block = task % p.panel_blocks, band = task / p.panel_blocks % p.bands;
    const int64_t n = task / p.panel_blocks / p.bands;
    const int64_t h0 = part_begin(h.out, p.bands, band), h1 = part_begin(h.out, p.bands, band + 1);
    const T* rows_of_x = band_of(s, p.padded, x, n, h0, h1 - h0, spaces + worker * space);
    for (int64_t j = part_begin(p.panels, p.panel_blocks, block); j < part_begin(p.panels, p.panel_blocks, block + 1);
         ++j) {
      const int64_t column = j * kPanel<T>;
      const T* b = p.packs_weights ? packed + j * p.depth * kPanel<T> : weights + column;
      const int64_t ldb = p.packs_weights ? kPanel<T> : s.k;
      int64_t rows[kTileRows];
      for (int64_t r = 0; r < kTileRows; ++r) rows[r] = r * s.k;
      TileOutput<T> out{
          nullptr,         rows,           min_of<int64_t>(kPanel<T>, s.k - column), bias ? bias + column : nullptr,
          args.activation, args.accumulate};
      for (int64_t oh = h0; oh < h1; ++oh) {
        const T* line = rows_of_x + (oh - h0) * h.stride * p.padded.row;
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t first = part_begin(w.out, tiles, i);
          const int count = static_cast<int>(part_begin(w.out, tiles, i + 1) - first);
          out.c = y + ((n * h.out + oh) * w.out + first) * s.k + column;
          const T* a = line + first * w.stride * s.c;
          if (is_narrow<T>(out.columns)) {
            row_tile<1>(count, s, a, p.padded.row, b, ldb, out);
          } else {
            row_tile<kTileVectors>(count, s, a, p.padded.row, b, ldb, out);
          }
        }
      }
    }
  });
}

bool conv_direct_fuses_epilogue(const ConvShape& s) { return is_fused(plan_weights(s)); }

int64_t conv_direct_backward_weights_scratch(const ConvBackwardWeightsArgs& args) {
  const ConvShape& s = args.shape;
  const WeightsPlan p = plan_weights(s);
  const int64_t partial = p.ranges > 1 ? p.ranges * round_up(s.w_size, 16) : 0;
  const int64_t sums = args.db ? p.ranges * round_up(s.k, 16) : 0;
  const int64_t workers = args.threads * space_of(s, p, args.y && !args.dz).total();
  return (partial + sums + workers) * static_cast<int64_t>(sizeof(T)) + round_up(p.depth, 8) * 8;
}

void conv_direct_backward_weights(const ConvBackwardWeightsArgs& args) {
  const ConvShape& s = args.shape;
  const ConvAxis &h = s.axis[1], &w = s.axis[2];
  const WeightsPlan p = plan_weights(s);
  const T *x = static_cast<const T*>(args.x), *dy = static_cast<const T*>(args.dy), *y = static_cast<const T*>(args.y);
  T *dw = static_cast<T*>(args.dw), *dz = static_cast<T*>(args.dz), *db = static_cast<T*>(args.db);
  int64_t* offsets = static_cast<int64_t*>(args.scratch);
  const int64_t partial_size = round_up(s.w_size, 16), sums_size = round_up(s.k, 16);
  T* partial = reinterpret_cast<T*>(offsets + round_up(p.depth, 8));
  T* sums = partial + (p.ranges > 1 ? p.ranges * partial_size : 0);
  T* spaces = sums + (db ? p.ranges * sums_size : 0);
  const WorkerSpace space = space_of(s, p, y && !dz);
  for (int64_t i = 0; i < p.depth; ++i) {
    const int64_t c = i % s.c, tw = i / s.c % w.kernel, th = i / s.c / w.kernel;
    offsets[i] = th * h.dilation * p.padded.row + tw * w.dilation * s.c + c;
  }
  const int64_t units = s.n * p.bands;
  parallel_for(args.threads, p.ranges * p.splits, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t range = task / p.splits, split = task % p.splits;
    T* x_space = spaces + worker * space.total();
    T *dz_space = x_space + space.x, *panel_space = dz_space + space.dz;
    T* range_sums = db ? sums + range * sums_size : nullptr;
    if (range_sums) zero_run(range_sums, sums_size);
    T* to = p.ranges > 1 ? partial + range * partial_size : dw;
    const int64_t first_unit = part_begin(units, p.ranges, range);
    for (int64_t unit = first_unit; unit < part_begin(units, p.ranges, range + 1); ++unit) {
      const int64_t n = unit / p.bands, band = unit % p.bands;
      const int64_t h0 = part_begin(h.out, p.bands, band), h1 = part_begin(h.out, p.bands, band + 1);
      const int64_t pixel = (n * h.out + h0) * w.out, pixels = (h1 - h0) * w.out;
      const T* gradient = dy + pixel * s.k;
      if (y || db) {
        T* z = y ? (dz ? dz + pixel * s.k : dz_space) : nullptr;
        epilogue_rows(gradient, y ? y + pixel * s.k : nullptr, args.activation, pixels, s.k, z, range_sums);
        if (z) gradient = z;
      }
      if (!dw) continue;
      if (p.packs_dz) pack_panels(gradient, s.k, pixels, 0, pixels, s.k, panel_space);
      const T* rows_of_x = band_of(s, p.padded, x, n, h0, h1 - h0, x_space);
      const bool add = unit > first_unit || (p.ranges == 1 && args.accumulate);
      for (int64_t j = 0; j < p.panels; ++j) {
        const int64_t column = j * kPanel<T>;
        const T* b = p.packs_dz ? panel_space + j * pixels * kPanel<T> : gradient + column;
        const int64_t ldb = p.packs_dz ? kPanel<T> : s.k;
        int64_t rows[kTileRows];
        const TileOutput<T> out{to + column,
                                rows,
                                min_of<int64_t>(kPanel<T>, s.k - column),
                                nullptr,
                                ActivationSpec{Activation::linear, 0.0f},
                                add};
        for (int64_t i = part_begin(p.tiles, p.splits, split); i < part_begin(p.tiles, p.splits, split + 1); ++i) {
          int64_t first, count;
          if (p.per_line > 0) {
            const int64_t length = w.kernel * s.c, at = i % p.per_line;
            first = i / p.per_line * length + part_begin(length, p.per_line, at);
            count = part_begin(length, p.per_line, at + 1) - part_begin(length, p.per_line, at);
          } else {
            first = part_begin(p.depth, p.tiles, i), count = part_begin(p.depth, p.tiles, i + 1) - first;
          }
          for (int64_t r = 0; r < count; ++r) rows[r] = (first + r) * s.k;
          if (is_narrow<T>(out.columns)) {
            any_weights_tile<1>(p.per_line > 0, static_cast<int>(count), s, h1 - h0, rows_of_x, offsets + first,
                                p.padded.row, b, ldb, out);
          } else {
            any_weights_tile<kTileVectors>(p.per_line > 0, static_cast<int>(count), s, h1 - h0, rows_of_x,
                                           offsets + first, p.padded.row, b, ldb, out);
          }
        }
      }
    }
  });
  if (dw && p.ranges > 1) sum_partials(args.threads, partial, p.ranges, partial_size, s.w_size, dw, args.accumulate);
  if (db) sum_partials(args.threads, sums, p.ranges, sums_size, s.k, db, args.accumulate_bias);
}

}  // namespace dlbd::DLBD_ISA
