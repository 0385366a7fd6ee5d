// How a convolution's product is cut into tiles and its depth into splits. By the sizes alone: the sums of the splits
// are rounded, so the same sizes must give the same splits on every device.
#pragma once

#include "conv_tile.h"

namespace dlbd::cuda {

enum class TileKind { t128x128, t128x64, t128x32, t64x64 };

#if defined(DLBD_CUDA_EMULATION)
// So few that the small products of the tests take every tile and are split.
constexpr int64_t kEnoughTiles = 2, kLeastSteps = 32;
#else
// Tiles that keep a large device busy: two for each of the 132 multiprocessors of an H100.
constexpr int64_t kEnoughTiles = 264;
// Steps of the depth of a split at least: storing and adding its sums costs as much as some of them.
constexpr int64_t kLeastSteps = 64;
#endif
constexpr int64_t kMostSplits = 64;
// Bytes of the sums of all splits at most.
constexpr int64_t kMostSplitBytes = int64_t{1} << 28;

struct TilePlan {
  TileKind tile;
  MatmulPrecision precision;
  int64_t splits, chunk;  // of the depth
};

inline int64_t tile_m(TileKind t) { return t == TileKind::t64x64 ? 64 : 128; }
inline int64_t tile_n(TileKind t) { return t == TileKind::t128x128 ? 128 : t == TileKind::t128x32 ? 32 : 64; }

// `products` of m x n over `depth` steps; all of their sums together have `size` elements. Packed: channels are whole
// quads; then tensor cores take the precisions that are theirs.
inline TilePlan plan_tiles(int64_t products, int64_t m, int64_t n, int64_t depth, int64_t size, bool packed,
                           MatmulPrecision precision) {
  const auto tiles_of = [&](TileKind t) { return products * ceil_div(m, tile_m(t)) * ceil_div(n, tile_n(t)); };
  TilePlan p{};
  p.precision = packed && device().capability >= 80 ? precision : MatmulPrecision::f32;
  // small tiles where there would be too few large ones, or where large ones would be half empty
  if (p.precision != MatmulPrecision::f32) {
    p.tile =
        m <= 64 || n <= 64 || tiles_of(TileKind::t128x128) < kEnoughTiles / 4 ? TileKind::t64x64 : TileKind::t128x128;
  } else if (m <= 64 || tiles_of(TileKind::t128x64) < kEnoughTiles / 4) {
    p.tile = TileKind::t64x64;
  } else if (n <= 64) {
    p.tile = n <= 32 ? TileKind::t128x32 : TileKind::t128x64;
  } else {
    p.tile = packed && tiles_of(TileKind::t128x128) >= kEnoughTiles ? TileKind::t128x128 : TileKind::t128x64;
  }
  int64_t splits = kEnoughTiles / tiles_of(p.tile);
  for (int64_t most : {depth / kLeastSteps, kMostSplits, kMostSplitBytes / 4 / size})
    if (splits > most) splits = most;
  if (splits < 1) splits = 1;
  constexpr int64_t kStep = 2 * kSlab;  // of any precision
  p.chunk = ceil_div(ceil_div(depth, splits), kStep) * kStep;
  p.splits = p.chunk == 0 ? 1 : ceil_div(depth, p.chunk);
  return p;
}

// Calls run(Tile{}) with the tile of the plan.
template <class F>
void with_tile(const TilePlan& p, const F& run) {
  const auto tensor = [&]<MatmulPrecision P>(std::integral_constant<MatmulPrecision, P>) {
    p.tile == TileKind::t64x64 ? run(Tensor64x64<P>{}) : run(Tensor128x128<P>{});
  };
  switch (p.precision) {
    case MatmulPrecision::tf32x3: return tensor(std::integral_constant<MatmulPrecision, MatmulPrecision::tf32x3>{});
    case MatmulPrecision::tf32: return tensor(std::integral_constant<MatmulPrecision, MatmulPrecision::tf32>{});
    case MatmulPrecision::bf16: return tensor(std::integral_constant<MatmulPrecision, MatmulPrecision::bf16>{});
    case MatmulPrecision::fp16: return tensor(std::integral_constant<MatmulPrecision, MatmulPrecision::fp16>{});
    case MatmulPrecision::f32: break;
  }
  switch (p.tile) {
    case TileKind::t128x128: return run(Simt128x128{});
    case TileKind::t128x64: return run(Simt128x64{});
    case TileKind::t128x32: return run(Simt128x32{});
    case TileKind::t64x64: return run(Simt64x64{});
  }
}

inline int64_t split_bytes(const TilePlan& p, int64_t size) { return p.splits > 1 ? p.splits * size * 4 : 0; }

// out.to = act(the sum of the splits, in order, [+ before] [+ bias]) for `size` elements in rows of `columns`.
void launch_sum_splits(const float* partial, int64_t splits, int64_t size, int64_t columns, const TileOutput& out,
                       cudaStream_t stream);

// Where the sums of a plan go first: to `out`, or to scratch where there are several.
inline TileOutput first_output(const TilePlan& p, const TileOutput& out, void* scratch, bool packed) {
  if (p.splits == 1) return out;
  return {static_cast<float*>(scratch), nullptr, {Activation::linear, 0.0f}, false, packed};
}

}  // namespace dlbd::cuda
