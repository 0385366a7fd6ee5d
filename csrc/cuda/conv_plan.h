// How a convolution's product is cut into tiles and its depth into splits. By the sizes alone: the sums of the splits are
// rounded, so the same sizes must give the same splits on every device.
#pragma once

#include "conv_tile.h"

namespace dlbd::cuda {

enum class TileKind { t128x128, t128x64, t128x32, t64x64 };

// Tiles that keep a large device busy: two for each of the 132 multiprocessors of an H100.
constexpr int64_t kEnoughTiles = 264;
// Steps of the depth of a split at least: storing and adding its sums costs as much as some of them.
constexpr int64_t kLeastSteps = 64;
constexpr int64_t kMostSplits = 64;
// Bytes of the sums of all splits at most.
constexpr int64_t kMostSplitBytes = int64_t{1} << 28;

struct TilePlan {
  TileKind tile;
  int64_t splits, chunk;  // of the depth
};

inline int64_t tile_m(TileKind t) { return t == TileKind::t64x64 ? 64 : 128; }
inline int64_t tile_n(TileKind t) { return t == TileKind::t128x128 ? 128 : t == TileKind::t128x32 ? 32 : 64; }

// `products` of m x n over `depth` steps; all of their sums together have `size` elements. A split has at most
// `most_steps` steps if possible: long sums are split to stay accurate.
inline TilePlan plan_tiles(int64_t products, int64_t m, int64_t n, int64_t depth, int64_t size, int64_t most_steps) {
  TilePlan p{};
  if (m <= 64 || products * ceil_div(m, 128) * ceil_div(n, 64) < kEnoughTiles / 4) {
    p.tile = TileKind::t64x64;
  } else {
    p.tile = n <= 32 ? TileKind::t128x32 : n <= 64 ? TileKind::t128x64 : TileKind::t128x128;
    // whole waves of smaller tiles where there would be few of the large ones
    if (p.tile == TileKind::t128x128 && products * ceil_div(m, 128) * ceil_div(n, 128) < kEnoughTiles)
      p.tile = TileKind::t128x64;
  }
  const int64_t tiles = products * ceil_div(m, tile_m(p.tile)) * ceil_div(n, tile_n(p.tile));
  int64_t splits = kEnoughTiles / tiles;
  if (splits > depth / kLeastSteps) splits = depth / kLeastSteps;
  const int64_t accurate = ceil_div(depth, most_steps);
  if (splits < accurate) splits = accurate;
  const int64_t most = kMostSplitBytes / 4 / size;
  if (splits > most) splits = most;
  if (splits > kMostSplits) splits = kMostSplits;
  if (splits < 1) splits = 1;
  p.chunk = ceil_div(ceil_div(depth, splits), kDepth) * kDepth;
  p.splits = p.chunk == 0 ? 1 : ceil_div(depth, p.chunk);
  return p;
}

inline int64_t split_bytes(const TilePlan& p, int64_t size) { return p.splits > 1 ? p.splits * size * 4 : 0; }

// out.to = act(the sum of the splits, in order, [+ before] [+ bias]) for `size` elements in rows of `columns`.
void launch_sum_splits(const float* partial, int64_t splits, int64_t size, int64_t columns, const TileOutput& out,
                       cudaStream_t stream);

}  // namespace dlbd::cuda
