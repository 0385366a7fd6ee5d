// Layers of many units: the units of some rows of the batch are spread over the blocks of a team, each of which holds
// the weights of its units in shared memory for the whole time loop. The blocks of a team exchange states through
// global memory and meet at a barrier after each step.
//
// A product of a tile of rows with the columns of a block's units: the depth is split over the 8 warps and in each over
// its two halves, which take even and odd terms. So a sum is the same to the bit for every tile, team and device.
// 16 lanes of a half warp form lanes x (16 / lanes) pieces of 4 units x kRowsPer rows.
#pragma once

#include "async_copy.h"
#include "block.h"
#include "grid_barrier.h"
#include "rnn_cells.h"

namespace dlbd::cuda {

inline constexpr int kTeamThreads = 256, kTeamWarps = kTeamThreads / kWarp;
inline constexpr int kHalf = 16;         // lanes of half a warp
inline constexpr int kUnitsPer = 4;      // units of a lane: one float4 of weights
inline constexpr int kStages = 4;        // chunks of the states on their way, per warp
inline constexpr int kChunk = 256;       // floats of a chunk
inline constexpr int kFewRows = 2;       // rows of a lane where the batch is small
inline constexpr int kForwardRows = 4;   // and where it is not; times 4 units x 4 gates = 64 sums
inline constexpr int kBackwardRows = 8;  // with one sum per unit, more rows for as much work per load

// A matrix's depth as the warps share it: per_warp terms each, an even number.
struct TeamDepth {
  int per_warp;
  __host__ __device__ explicit TeamDepth(int64_t terms) : per_warp(static_cast<int>((terms + kHalf - 1) / kHalf) * 2) {}
  __host__ __device__ int padded() const { return per_warp * kTeamWarps; }
};

struct TeamPlan {
  int rows_per;  // rows of a lane
  int lanes;     // of a half warp along the units: 1, 2, 4, 8 or 16
  int members, teams;
  int64_t tiles;  // of rows, in turn for the teams
  bool fits;

  __host__ __device__ int units() const { return kUnitsPer * lanes; }
  __host__ __device__ int rows() const { return rows_per * kHalf / lanes; }
};

template <int kRowsPer>
inline constexpr int kPairs = kHalf* kUnitsPer* kRowsPer;  // units of rows of a tile

template <int kSums, int kRowsPer>
struct alignas(16) TeamShared {
  float ring[kTeamWarps][kStages][kChunk];
  float partial[kTeamWarps][kSums][kPairs<kRowsPer>];  // [sum][row][unit]
};

// What a layer asks of a plan.
struct TeamWork {
  int64_t batch, units;
  int64_t depth;  // of the products in all
  int64_t padded;
  int sums;                       // per unit
  int many_rows;                  // rows of a lane, if not kFewRows
  int64_t few_bytes, many_bytes;  // of shared memory beside the weights

  int64_t weights(const TeamPlan& p) const { return int64_t{4} * sums * p.units() * padded; }
  int64_t shared_bytes(const TeamPlan& p) const {
    return (p.rows_per == kFewRows ? few_bytes : many_bytes) + weights(p);
  }
};

// Estimates for the choice of a plan, in clocks of one multiprocessor. Its results do not depend on them.
inline constexpr int64_t kFmaPerClock = 128;     // H100 white paper
inline constexpr int64_t kL2BytesPerClock = 32;  // of each multiprocessor when all read: 5.5 TB/s on an H100
inline constexpr int64_t kTileClocks = 600;      // latencies of loading, reducing and finishing a tile
inline constexpr int64_t kArrivalClocks = 6;     // atomics on one address follow each other

// A step takes about this long.
inline int64_t clocks_of(const TeamWork& w, const TeamPlan& p) {
  const int64_t few = p.rows_per == kFewRows;
  const int64_t products = w.sums * p.units() * p.rows() * w.depth * (few ? 3 : 2) / (2 * kFmaPerClock);
  const int64_t states = 4 * p.rows() * w.depth / kL2BytesPerClock;
  return ceil_div(p.tiles, p.teams) * (products + states + kTileClocks) + p.members * kArrivalClocks;
}

// The same by a product of the whole device and a kernel behind it, at half of the peak, with their launches.
inline constexpr int64_t kLaunchClocks = 3000;
inline int64_t clocks_of_products(const TeamWork& w, int phases, const Device& on) {
  return 2 * w.batch * w.units * w.depth * w.sums / (kFmaPerClock * on.multiprocessors) + 2 * phases * kLaunchClocks;
}

inline TeamPlan plan_team(const TeamWork& w, const Device& on) {
  TeamPlan best{};
  for (const int rows_per : {w.many_rows, kFewRows}) {
    for (int lanes = kHalf; lanes >= 1; lanes /= 2) {
      TeamPlan p{};
      p.rows_per = rows_per, p.lanes = lanes;
      const int64_t members = ceil_div(w.units, p.units());
      if (members > on.multiprocessors) break;
      p.members = static_cast<int>(members);
      p.tiles = ceil_div(w.batch, p.rows());
      const int64_t room = on.multiprocessors / members;
      p.teams = static_cast<int>(room < p.tiles ? room : p.tiles);
      p.fits = w.shared_bytes(p) <= on.shared_bytes;
      if (p.fits && (!best.fits || clocks_of(w, p) < clocks_of(w, best))) best = p;
    }
  }
  return best;
}

// Where a lane stands in its half warp's piece of a tile.
struct TeamLane {
  int warp, lane, half, unit, row;  // its first unit and row

  __device__ TeamLane(int lanes, int rows_per) {
    warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp, half = lane / kHalf;
    unit = (lane & (lanes - 1)) * kUnitsPer, row = lane % kHalf / lanes * (rows_per < 4 ? rows_per : 4);
  }
};

// sum[row][sum][unit] of this half warp's terms: states (depth, rows of the tile) in global memory by
// weights (depth, stride), each sum's units side by side. All of a block's threads call.
template <int kRowsPer, int kSums>
__device__ __forceinline__ void team_product(const TeamPlan& p, const TeamLane& at, TeamDepth depth,
                                             const float* states, const float* weights, int stride,
                                             float (&ring)[kStages][kChunk], float (&sum)[kRowsPer][kSums][kUnitsPer]) {
  const int rows = p.rows(), terms = kChunk / rows, chunks = (depth.per_warp + terms - 1) / terms;
  const int units = p.units();
  states += static_cast<int64_t>(at.warp) * depth.per_warp * rows;
  weights += at.warp * depth.per_warp * stride + at.half * stride + at.unit;
  // The last chunk reads on into the next warp's terms, or into the slack behind the last one's.
  const auto bring = [&](int chunk) {
    if (chunk < chunks) {
      float* to = ring[chunk % kStages];
      const float* from = states + chunk * kChunk;
#pragma unroll
      for (int i = 0; i < kChunk; i += kWarp * 4) copy_async<16>(to + i + at.lane * 4, from + i + at.lane * 4);
    }
    commit_copies();
  };
#pragma unroll
  for (int i = 0; i < kStages; ++i) bring(i);
#pragma unroll
  for (int r = 0; r < kRowsPer; ++r)
#pragma unroll
    for (int g = 0; g < kSums; ++g)
#pragma unroll
      for (int i = 0; i < kUnitsPer; ++i) sum[r][g][i] = 0.0f;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    wait_copies<kStages - 1>();
    __syncwarp();
    const int left = depth.per_warp - chunk * terms, here = left < terms ? left : terms;
    const float* s = ring[chunk % kStages] + at.half * rows + at.row;
#pragma unroll 2
    for (int k = at.half; k < here; k += 2, s += 2 * rows, weights += 2 * stride) {
      float h[kRowsPer];
      if constexpr (kRowsPer == kFewRows) {
        const float2 two = *reinterpret_cast<const float2*>(s);
        h[0] = two.x, h[1] = two.y;
      } else {
#pragma unroll
        for (int r = 0; r < kRowsPer; r += 4) {
          const float4 four = *reinterpret_cast<const float4*>(s + r / 4 * (kHalf / p.lanes * 4));
          h[r] = four.x, h[r + 1] = four.y, h[r + 2] = four.z, h[r + 3] = four.w;
        }
      }
#pragma unroll
      for (int g = 0; g < kSums; ++g) {
        const float4 w = *reinterpret_cast<const float4*>(weights + g * units);
#pragma unroll
        for (int r = 0; r < kRowsPer; ++r) {
          sum[r][g][0] += h[r] * w.x, sum[r][g][1] += h[r] * w.y;
          sum[r][g][2] += h[r] * w.z, sum[r][g][3] += h[r] * w.w;
        }
      }
    }
    __syncwarp();
    bring(chunk + kStages);
  }
}

// Adds the halves of each warp and leaves the warps' sums in shared memory. No thread may still read older ones.
template <int kRowsPer, int kSums>
__device__ __forceinline__ void store_partial(const TeamPlan& p, const TeamLane& at,
                                              const float (&sum)[kRowsPer][kSums][kUnitsPer],
                                              float (*partial)[kPairs<kRowsPer>]) {
  constexpr int kMine = kRowsPer / 2;  // each half finishes half of the rows
#pragma unroll
  for (int r = 0; r < kMine; ++r) {
    const int of_lane = at.half ? r + kMine : r;
    const int row = of_lane / 4 * (kHalf / p.lanes * 4) + at.row + of_lane % 4;
#pragma unroll
    for (int g = 0; g < kSums; ++g) {
      float v[kUnitsPer];
#pragma unroll
      for (int i = 0; i < kUnitsPer; ++i) {
        const float low = sum[r][g][i], high = sum[r + kMine][g][i];
        v[i] = (at.half ? high : low) + __shfl_xor_sync(kWholeWarp, at.half ? low : high, kHalf);
      }
      *reinterpret_cast<float4*>(&partial[g][row * p.units() + at.unit]) = make_float4(v[0], v[1], v[2], v[3]);
    }
  }
}

// The sum of all warps, in their order.
template <class Shared>
__device__ __forceinline__ float add_partials(const Shared& m, int sum, int pair) {
  float total = m.partial[0][sum][pair];
#pragma unroll
  for (int w = 1; w < kTeamWarps; ++w) total += m.partial[w][sum][pair];
  return total;
}

// A block's weights into shared memory.
__device__ __forceinline__ void keep_weights(const float* from, float* to, int count) {
  for (int i = static_cast<int>(threadIdx.x) * 4; i < count; i += kTeamThreads * 4)
    *reinterpret_cast<float4*>(to + i) = *reinterpret_cast<const float4*>(from + i);
  __syncthreads();
}

}  // namespace dlbd::cuda
