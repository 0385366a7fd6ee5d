// A stable sort of the positions 0, 1, 2, ... along rows by their keys, 8 bits at a time: each pass counts the digits
// of a tile, adds up the counts, and moves the positions, in order, to their places. The same places on every run.
#pragma once

#include <bit>

#include "block.h"

namespace dlbd::cuda {

inline constexpr int kSortThreads = 256, kSortWarps = kSortThreads / kWarp;
inline constexpr int kDigits = 256, kDigitBits = 8, kSortRounds = 8, kSortTile = kSortThreads * kSortRounds;
static_assert(kDigits == kSortThreads);

inline int64_t sort_tiles(int64_t n) { return ceil_div(n, kSortTile); }

// Keys: unsigned key(row, position), and meet(row, position) for what is to happen once with each.
template <class Keys, class Position>
struct SortPass {
  Keys keys;
  int64_t n, tiles;      // of a row
  int shift;             // of the digit
  const Position* from;  // (rows, n) positions in the order of the digits before; null: 0, 1, 2, ...
  Position* to;          // (rows, kept)
  int64_t kept;          // how many of the first places are written
  int64_t* counts;       // (rows, digits, tiles): how often; then how often in tiles before
  int64_t* totals;       // (rows, digits)

  __device__ __forceinline__ int64_t position(int64_t row, int64_t i) const {
    return from ? static_cast<int64_t>(from[row * n + i]) : i;
  }
  __device__ __forceinline__ int digit(int64_t row, int64_t at) const {
    return static_cast<int>(keys.key(row, at) >> shift) & (kDigits - 1);
  }
};

struct DigitCounts {
  unsigned of[kDigits];
};

// A block per tile.
template <class Keys, class Position>
__global__ void count_kernel(SortPass<Keys, Position> p) {
  DigitCounts& counts = shared<DigitCounts>();
  const int64_t row = blockIdx.x / p.tiles, tile = blockIdx.x % p.tiles;
  counts.of[threadIdx.x] = 0;
  __syncthreads();
#pragma unroll
  for (int r = 0; r < kSortRounds; ++r) {
    const int64_t i = tile * kSortTile + r * kSortThreads + threadIdx.x;
    if (i >= p.n) break;
    const int64_t position = p.position(row, i);
    if (!p.from) p.keys.meet(row, position);
    atomicAdd(&counts.of[p.digit(row, position)], 1u);
  }
  __syncthreads();
  p.counts[(row * kDigits + threadIdx.x) * p.tiles + tile] = counts.of[threadIdx.x];
}

struct ScanSlots {
  int64_t warp[kSortWarps];
};

struct Scan {
  int64_t before, all;
};

// The sum over the threads before this one, and over all, of a block of so many warps.
__device__ __forceinline__ Scan scan_block(int64_t x, int warps, ScanSlots& slots) {
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  int64_t sum = x;
#pragma unroll
  for (int d = 1; d < kWarp; d *= 2) {
    const int64_t other = __shfl_up_sync(kWholeWarp, sum, d);
    sum += lane >= d ? other : 0;
  }
  if (lane == kWarp - 1) slots.warp[warp] = sum;
  __syncthreads();
  Scan scan{sum - x, 0};
  for (int w = 0; w < warps; ++w) {
    scan.before += w < warp ? slots.warp[w] : 0;
    scan.all += slots.warp[w];
  }
  __syncthreads();
  return scan;
}

// A block per row and digit, of a warp where there are few tiles.
template <class Keys, class Position>
__global__ void scan_kernel(SortPass<Keys, Position> p) {
  ScanSlots& slots = shared<ScanSlots>();
  int64_t* counts = p.counts + blockIdx.x * p.tiles;
  int64_t before = 0;
  for (int64_t first = 0; first < p.tiles; first += blockDim.x) {
    const int64_t i = first + threadIdx.x;
    const Scan scan = scan_block(i < p.tiles ? counts[i] : 0, static_cast<int>(blockDim.x) / kWarp, slots);
    if (i < p.tiles) counts[i] = before + scan.before;
    before += scan.all;
  }
  if (threadIdx.x == 0) p.totals[blockIdx.x] = before;
}

struct Destinations {
  ScanSlots slots;
  int64_t start[kDigits];              // of this tile's positions with a digit
  unsigned next[kSortWarps][kDigits];  // first the counts of a warp, then where its next position goes
};

// The lanes of a warp whose digits are the same; none for a lane that has no position.
__device__ __forceinline__ unsigned lanes_like(int digit, bool present) {
  unsigned like = __ballot_sync(kWholeWarp, present);
#pragma unroll
  for (int bit = 1; bit < kDigits; bit *= 2) {
    const unsigned set = __ballot_sync(kWholeWarp, digit & bit);
    like &= digit & bit ? set : ~set;
  }
  return present ? like : 0;
}

// A block per tile, of which each warp has its part, in rounds of a position a lane.
template <class Keys, class Position>
__global__ void place_kernel(SortPass<Keys, Position> p) {
  Destinations& places = shared<Destinations>();
  const int64_t row = blockIdx.x / p.tiles, tile = blockIdx.x % p.tiles;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int64_t first = tile * kSortTile + warp * (kSortRounds * kWarp) + lane;
  unsigned* next = places.next[warp];
  for (int d = lane; d < kDigits; d += kWarp) next[d] = 0;
  __syncwarp();
  int64_t position[kSortRounds];
  int digit[kSortRounds];
  unsigned like[kSortRounds];
#pragma unroll
  for (int r = 0; r < kSortRounds; ++r) {
    const bool present = first + r * kWarp < p.n;
    position[r] = present ? p.position(row, first + r * kWarp) : 0;
    digit[r] = present ? p.digit(row, position[r]) : 0;
    like[r] = lanes_like(digit[r], present);
    if (like[r] && __ffs(static_cast<int>(like[r])) - 1 == lane) next[digit[r]] += __popc(like[r]);
    __syncwarp();
  }
  const int mine = threadIdx.x;
  const Scan digits = scan_block(p.totals[row * kDigits + mine], kSortWarps, places.slots);
  places.start[mine] = digits.before + p.counts[(row * kDigits + mine) * p.tiles + tile];
  unsigned before = 0;
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) {
    const unsigned count = places.next[w][mine];
    places.next[w][mine] = before;
    before += count;
  }
  __syncthreads();
#pragma unroll
  for (int r = 0; r < kSortRounds; ++r) {
    const unsigned lower = like[r] & ((1u << lane) - 1);
    const int64_t at = places.start[digit[r]] + next[digit[r]] + __popc(lower);
    if (like[r] && at < p.kept) p.to[row * p.kept + at] = static_cast<Position>(position[r]);
    __syncwarp();
    if (like[r] && lower == 0) next[digit[r]] += __popc(like[r]);
    __syncwarp();
  }
}

// Memory that a sort takes beside its result.
template <class Position>
struct SortMemory {
  Position* order[2];  // (rows, n) each; the second one, and the first, only where there are as many passes
  int64_t *counts, *totals;
};

inline int sort_passes(int bits) { return bits > kDigitBits ? static_cast<int>(ceil_div(bits, kDigitBits)) : 1; }

// order (rows, kept): the first positions of each row by keys of so many bits. It may be one of memory.order.
template <class Keys, class Position>
void radix_sort(const Keys& keys, int64_t rows, int64_t n, int bits, const SortMemory<Position>& memory,
                Position* order, int64_t kept, cudaStream_t stream) {
  const int passes = sort_passes(bits);
  SortPass<Keys, Position> p{keys, n, sort_tiles(n), 0, nullptr, nullptr, n, memory.counts, memory.totals};
  const unsigned tiles = static_cast<unsigned>(rows * p.tiles);
  const unsigned scanning = p.tiles <= kWarp ? kWarp : kSortThreads;
  for (int pass = 0; pass < passes; ++pass) {
    p.to = memory.order[pass % 2];
    if (pass == passes - 1) p.to = order, p.kept = kept;
    launch(count_kernel<Keys, Position>, {tiles, kSortThreads, sizeof(DigitCounts)}, stream, p);
    launch(scan_kernel<Keys, Position>, {static_cast<unsigned>(rows * kDigits), scanning, sizeof(ScanSlots)}, stream,
           p);
    launch(place_kernel<Keys, Position>, {tiles, kSortThreads, sizeof(Destinations)}, stream, p);
    p.from = p.to, p.shift += kDigitBits;
  }
}

}  // namespace dlbd::cuda
