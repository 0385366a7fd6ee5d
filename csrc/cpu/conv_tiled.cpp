// Convolution as products of small blocks: patches of a block of output pixels lie side by side in scratch memory
// (never those of a whole image) and meet the weights in the register tile of GEMM.
#include "conv_pack.h"
#include "conv_paths.h"

namespace dlbd::DLBD_ISA {
namespace {

using T = float;

// Elements of a block of patches: it is read once per panel of weights and should stay in half of a 512 KB L2.
constexpr int64_t kBlockElements = 65536;
// Longest piece of a patch that one block takes; a panel of weights of that length fits L2 beside it.
constexpr int64_t kMaxDepth = 1280;
// Weights of more elements than this do not stay in L2: the fewer blocks of pixels pass by them, the better.
constexpr int64_t kHeavyWeights = int64_t{1} << 18;
// Fewer tasks than this leave cores idle.
constexpr int64_t kMinTasks = 16;

DLBD_INLINE int64_t channels_of(const ConvShape& s) { return s.c / s.groups; }
DLBD_INLINE int64_t filters_of(const ConvShape& s) { return s.k / s.groups; }
DLBD_INLINE int64_t depth_of(const ConvShape& s) { return taps_of(s) * channels_of(s); }

// x itself serves as the block of patches.
DLBD_INLINE bool reads_x(const ConvShape& s) { return s.path == ConvPath::pointwise; }

// y = patches x weights: how pixels, filters and depth are cut. A function of the shape alone.
struct ForwardPlan {
  int64_t depth, depth_parts;  // patch length, and how many pieces it is taken in
  int64_t pixel_blocks, panels, panel_blocks;
  int64_t block_rows, row;  // most pixels in a block; elements between its rows
  bool packs_weights;       // all of them, once, before the products
  bool packs_pieces;        // each task the piece that it needs, when it needs it
};

ForwardPlan plan_forward(const ConvShape& s) {
  ForwardPlan p;
  const int64_t pixels = s.n * out_pixels(s), filters = filters_of(s);
  p.depth = depth_of(s);
  p.panels = ceil_div(filters, kPanel<T>);
  // Heavy weights and few pixels: one or two tall blocks of short patches, so that weights are read hardly twice.
  constexpr int64_t kFewPixels = 1024, kTallRows = 400, kPieceDepth = 384, kPiecePanels = 4;
  if (p.depth * filters > kHeavyWeights && pixels <= kFewPixels && pixels >= 2 * kTileRows) {
    p.depth_parts = ceil_div(p.depth, kPieceDepth);
    p.pixel_blocks = ceil_div(pixels, kTallRows);
    p.block_rows = ceil_div(pixels, p.pixel_blocks);
    p.panel_blocks = ceil_div(p.panels, kPiecePanels);
    p.row = padded_row<T>(ceil_div(p.depth, p.depth_parts));
    p.packs_weights = false, p.packs_pieces = true;
    return p;
  }
  p.packs_pieces = false;
  p.depth_parts = ceil_div(p.depth, kMaxDepth);
  p.row = padded_row<T>(ceil_div(p.depth, p.depth_parts));
  const int64_t most = max_of<int64_t>(kBlockElements / p.row, 4 * kTileRows);
  int64_t rows = min_of(most, ceil_div(pixels, kMinTasks));
  rows = round_up(rows, kTileRows);
  p.pixel_blocks = ceil_div(pixels, rows);
  p.block_rows = ceil_div(pixels, p.pixel_blocks);
  p.panel_blocks = min_of(p.panels, max_of<int64_t>(1, kMinTasks / 2 / p.pixel_blocks));
  p.packs_weights = filters % kLanes<T> != 0 || (filters > 2 * kPanel<T> && pixels > 1024);
  return p;
}

int64_t packed_weights(const ConvShape& s, const ForwardPlan& p) {
  return p.packs_weights ? s.groups * p.panels * p.depth * kPanel<T> : 0;
}

int64_t piece_of_weights(const ForwardPlan& p) {
  return p.packs_pieces ? ceil_div(p.panels, p.panel_blocks) * ceil_div(p.depth, p.depth_parts) * kPanel<T> : 0;
}

int64_t block_of_patches(const ConvShape& s, const ForwardPlan& p) {
  return reads_x(s) ? 0 : round_up(p.block_rows * p.row, 16);
}

// dy^T patches: ranges of pixels (each with a partial sum of its own), pieces of the patch, panels of filters.
struct WeightsPlan {
  int64_t depth, ranges, depth_parts, panels;
  int64_t block_rows, row;
  bool packs_dy;
};

WeightsPlan plan_weights(const ConvShape& s) {
  constexpr int64_t kBlockRows = 256, kMostRows = 512, kPartialElements = int64_t{1} << 18;
  WeightsPlan p;
  const int64_t pixels = s.n * out_pixels(s), filters = filters_of(s);
  p.depth = depth_of(s);
  p.panels = ceil_div(filters, kPanel<T>);
  const int64_t affordable = max_of<int64_t>(1, kPartialElements / max_of<int64_t>(1, s.w_size));
  p.ranges = max_of<int64_t>(1, min_of(min_of(kMinTasks, pixels / (2 * kBlockRows)), affordable));
  const int64_t wanted = ceil_div(kMinTasks, p.ranges);
  p.depth_parts = max_of(ceil_div(p.depth, kMaxDepth / 4), min_of(wanted, ceil_div(p.depth, 4 * kTileRows)));
  p.row = padded_row<T>(ceil_div(p.depth, p.depth_parts));
  const int64_t range = ceil_div(pixels, p.ranges);
  p.block_rows = range <= kMostRows ? range : kBlockRows;
  p.packs_dy = filters % kLanes<T> != 0;
  return p;
}

}  // namespace

int64_t conv_tiled_forward_scratch(const ConvForwardArgs& args) {
  const ForwardPlan p = plan_forward(args.shape);
  const int64_t space = block_of_patches(args.shape, p) + piece_of_weights(p);
  return (packed_weights(args.shape, p) + args.threads * space) * static_cast<int64_t>(sizeof(T));
}

void conv_tiled_forward(const ConvForwardArgs& args) {
  const ConvShape& s = args.shape;
  const ForwardPlan p = plan_forward(s);
  const T *x = static_cast<const T*>(args.x), *w = static_cast<const T*>(args.w), *bias = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  const int64_t pixels = s.n * out_pixels(s), cg = channels_of(s), filters = filters_of(s);
  T* packed = static_cast<T*>(args.scratch);
  T* spaces = packed + packed_weights(s, p);
  const int64_t patch_space = block_of_patches(s, p), space = patch_space + piece_of_weights(p);
  const int64_t group_weights = p.panels * p.depth * kPanel<T>;
  if (p.packs_weights) {
    constexpr int64_t kRows = 64;
    const int64_t parts = ceil_div(p.depth, kRows);
    parallel_for(args.threads, s.groups * parts, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t g = i / parts, row = i % parts * kRows;
        pack_panels(w + g * filters, s.k, p.depth, row, min_of(row + kRows, p.depth), filters,
                    packed + g * group_weights);
      }
    });
  }
  const int64_t tasks = s.groups * p.pixel_blocks * p.panel_blocks;
  parallel_for(args.threads, tasks, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t g = task / (p.pixel_blocks * p.panel_blocks);
    const int64_t block = task / p.panel_blocks % p.pixel_blocks, panel_block = task % p.panel_blocks;
    const int64_t p0 = part_begin(pixels, p.pixel_blocks, block), p1 = part_begin(pixels, p.pixel_blocks, block + 1);
    const int64_t j0 = part_begin(p.panels, p.panel_blocks, panel_block);
    const int64_t j1 = part_begin(p.panels, p.panel_blocks, panel_block + 1);
    const int64_t tiles = ceil_div(p1 - p0, kTileRows);
    for (int64_t part = 0; part < p.depth_parts; ++part) {
      const int64_t k0 = part_begin(p.depth, p.depth_parts, part), k1 = part_begin(p.depth, p.depth_parts, part + 1);
      const T* a;
      int64_t row;
      if (reads_x(s)) {
        a = x + p0 * s.c + g * cg + k0, row = s.c;
      } else {
        T* to = spaces + worker * space;
        pack_patches(s, x, g, p0, p1, k0, k1, to, p.row);
        a = to, row = p.row;
      }
      T* piece = spaces + worker * space + patch_space;
      if (p.packs_pieces) {
        const int64_t column = g * filters + j0 * kPanel<T>, columns = min_of(j1 * kPanel<T>, filters) - j0 * kPanel<T>;
        pack_panels(w + k0 * s.k + column, s.k, k1 - k0, 0, k1 - k0, columns, piece);
      }
      const bool last = part + 1 == p.depth_parts;
      for (int64_t j = j0; j < j1; ++j) {
        const int64_t column = g * filters + j * kPanel<T>;
        const T* panel = w + k0 * s.k + column;
        if (p.packs_weights) panel = packed + g * group_weights + (j * p.depth + k0) * kPanel<T>;
        if (p.packs_pieces) panel = piece + (j - j0) * (k1 - k0) * kPanel<T>;
        const int64_t ldb = p.packs_weights || p.packs_pieces ? kPanel<T> : s.k;
        int64_t rows[kTileRows];
        TileOutput<T> out{y + column,
                          rows,
                          min_of<int64_t>(kPanel<T>, filters - j * kPanel<T>),
                          last && bias ? bias + column : nullptr,
                          last ? args.activation : ActivationSpec{Activation::linear, 0.0f},
                          args.accumulate || part > 0};
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t first = part_begin(p1 - p0, tiles, i), count = part_begin(p1 - p0, tiles, i + 1) - first;
          for (int64_t r = 0; r < count; ++r) rows[r] = (p0 + first + r) * s.k;
          panel_tile<T>(static_cast<int>(count), k1 - k0, a + first * row, row, 1, panel, ldb, out);
        }
      }
    }
  });
}

int64_t conv_tiled_backward_weights_scratch(const ConvBackwardWeightsArgs& args) {
  const WeightsPlan p = plan_weights(args.shape);
  const int64_t partial = p.ranges > 1 ? p.ranges * round_up(args.shape.w_size, 16) : 0;
  const int64_t patches = reads_x(args.shape) ? 0 : round_up(p.block_rows * p.row, 16);
  const int64_t dy = p.packs_dy ? p.block_rows * p.panels * kPanel<T> : 0;
  return (partial + args.threads * (patches + dy)) * static_cast<int64_t>(sizeof(T));
}

void conv_tiled_backward_weights(const ConvBackwardWeightsArgs& args) {
  const ConvShape& s = args.shape;
  const WeightsPlan p = plan_weights(s);
  const T *x = static_cast<const T*>(args.x), *dy = static_cast<const T*>(args.dy);
  T* dw = static_cast<T*>(args.dw);
  const int64_t pixels = s.n * out_pixels(s), cg = channels_of(s), filters = filters_of(s);
  const int64_t partial_size = round_up(s.w_size, 16);
  T* partial = static_cast<T*>(args.scratch);
  const int64_t patch_space = reads_x(s) ? 0 : round_up(p.block_rows * p.row, 16);
  const int64_t dy_space = p.packs_dy ? p.block_rows * p.panels * kPanel<T> : 0;
  T* spaces = partial + (p.ranges > 1 ? p.ranges * partial_size : 0);
  const int64_t tasks = s.groups * p.ranges * p.depth_parts;
  parallel_for(args.threads, tasks, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t g = task / (p.ranges * p.depth_parts), range = task / p.depth_parts % p.ranges;
    const int64_t part = task % p.depth_parts;
    const int64_t k0 = part_begin(p.depth, p.depth_parts, part), k1 = part_begin(p.depth, p.depth_parts, part + 1);
    const int64_t range0 = part_begin(pixels, p.ranges, range), range1 = part_begin(pixels, p.ranges, range + 1);
    T* patches = spaces + worker * (patch_space + dy_space);
    T* packed_dy = patches + patch_space;
    T* to = p.ranges > 1 ? partial + range * partial_size : dw;
    const bool add = p.ranges == 1 && args.accumulate;
    const int64_t tiles = ceil_div(k1 - k0, kTileRows);
    for (int64_t p0 = range0; p0 < range1; p0 += p.block_rows) {
      const int64_t p1 = min_of(p0 + p.block_rows, range1);
      const T* a = x + p0 * s.c + g * cg + k0;
      int64_t row = s.c;
      if (!reads_x(s)) {
        pack_patches(s, x, g, p0, p1, k0, k1, patches, p.row);
        a = patches, row = p.row;
      }
      if (p.packs_dy) pack_panels(dy + p0 * s.k + g * filters, s.k, p1 - p0, 0, p1 - p0, filters, packed_dy);
      for (int64_t j = 0; j < p.panels; ++j) {
        const int64_t column = g * filters + j * kPanel<T>;
        const T* b = p.packs_dy ? packed_dy + j * (p1 - p0) * kPanel<T> : dy + p0 * s.k + column;
        const int64_t ldb = p.packs_dy ? kPanel<T> : s.k;
        int64_t rows[kTileRows];
        const TileOutput<T> out{to + column,
                                rows,
                                min_of<int64_t>(kPanel<T>, filters - j * kPanel<T>),
                                nullptr,
                                ActivationSpec{Activation::linear, 0.0f},
                                add || p0 > range0};
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t first = part_begin(k1 - k0, tiles, i), count = part_begin(k1 - k0, tiles, i + 1) - first;
          for (int64_t r = 0; r < count; ++r) rows[r] = (k0 + first + r) * s.k;
          panel_tile<T>(static_cast<int>(count), p1 - p0, a + first, 1, row, b, ldb, out);
        }
      }
    }
  });
  if (p.ranges > 1) sum_partials(args.threads, partial, p.ranges, partial_size, s.w_size, dw, args.accumulate);
}

}  // namespace dlbd::DLBD_ISA
