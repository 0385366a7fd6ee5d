// Which tile computes a float32 product and into how many splits k is cut. It depends on the sizes alone, so that the
// bits of the result do: the chip that the estimates are for is an H100.
#pragma once

#include "gemm_product.h"

namespace dlbd::cuda {

struct TileCost {
  double m, n;
  double per_multiprocessor;  // blocks that run together
  double speed;               // multiply-adds per cycle of a multiprocessor that is full
  double step;                // cycles that one step of k takes at least: latencies
};

struct Plan {
  int tile;
  int64_t chunk, splits;
};

constexpr double kMultiprocessors = 132;
constexpr double kBlockCycles = 1500, kElementCycles = 0.125;  // to begin a block; to store an element of its tile
constexpr double kSplitCycles = 5000;                          // to add up the splits
constexpr double kBytesPerCycle = 1500;                        // of memory, for partial sums
constexpr int64_t kChunkUnit = 32;                             // chunks are multiples of it: whole steps of every tile
constexpr int64_t kLeastChunk = 64;
constexpr int64_t kMostSplitC = 1 << 24;  // elements of C up to which k is split

inline double whole(double x) {
  const auto floor = static_cast<double>(static_cast<int64_t>(x));
  return floor < x ? floor + 1 : floor;
}

inline double cycles(const TileCost& t, double tiles, double splits, double chunk, double c_elements) {
  const double blocks = whole(tiles * splits / kMultiprocessors);  // on the busiest multiprocessor
  const double arithmetic = blocks * t.m * t.n * chunk / t.speed;
  const double latency =
      whole(blocks / t.per_multiprocessor) * (chunk * t.step + kBlockCycles + t.m * t.n * kElementCycles);
  const double adding = splits > 1 ? kSplitCycles + 8 * splits * c_elements / kBytesPerCycle : 0;
  return (arithmetic > latency ? arithmetic : latency) + adding;
}

template <size_t N>
Plan cheapest(const TileCost (&tiles)[N], int64_t batch, int64_t m, int64_t n, int64_t k) {
  constexpr int kSplits[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
  Plan best{0, k, 1};
  double least = 0;
  for (int i = 0; i < static_cast<int>(N); ++i) {
    const TileCost& t = tiles[i];
    const double count =
        whole(static_cast<double>(m) / t.m) * whole(static_cast<double>(n) / t.n) * static_cast<double>(batch);
    for (const int wanted : kSplits) {
      const int64_t chunk = wanted == 1 ? k : ceil_div(ceil_div(k, wanted), kChunkUnit) * kChunkUnit;
      if (wanted > 1 && (chunk < kLeastChunk || batch > kMostAlongGrid || batch * m * n > kMostSplitC)) break;
      const int64_t splits = wanted == 1 ? 1 : ceil_div(k, chunk);
      const double cost =
          cycles(t, count, static_cast<double>(splits), static_cast<double>(chunk), static_cast<double>(batch * m * n));
      if ((i > 0 || wanted > 1) && cost >= least) continue;
      least = cost, best = {i, chunk, splits};
    }
  }
  return best;
}

}  // namespace dlbd::cuda
