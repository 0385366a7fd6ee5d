// Layers of many units: the units of some rows of the batch are spread over the blocks of a team, each of which holds
// the weights of its units in shared memory for the whole time loop (or streams them from L2 where they do not fit).
// The blocks of a team exchange states through global memory and meet at a barrier after each step.
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
inline constexpr int kForwardRows = 4;   // rows of a lane; times 4 units x 4 gates = 64 sums
inline constexpr int kBackwardRows = 8;  // with one sum per unit, more rows for the same reason

// A matrix's depth as the warps share it: per_warp terms each, an even number.
struct TeamDepth {
  int per_warp;
  __host__ __device__ explicit TeamDepth(int64_t terms) : per_warp(static_cast<int>((terms + kHalf - 1) / kHalf) * 2) {}
  __host__ __device__ int padded() const { return per_warp * kTeamWarps; }
};

struct TeamPlan {
  int lanes;  // of a half warp along the units: 1, 2, 4, 8 or 16
  int members, teams;
  int64_t tiles;  // of rows, in turn for the teams
  bool resident;  // the weights lie in shared memory
  bool fits;

  __host__ __device__ int units() const { return kUnitsPer * lanes; }
  __host__ __device__ int rows(int rows_per) const { return rows_per * kHalf / lanes; }
};

template <int kSums, int kRowsPer>
struct alignas(16) TeamShared {
  float ring[kTeamWarps][kStages][kChunk];
  float partial[kTeamWarps][kSums][kHalf * kUnitsPer * kRowsPer];  // [sum][row][unit]
};

// What a layer asks of a plan.
struct TeamWork {
  int64_t batch, units;
  int64_t depth;  // of the products in all
  int64_t padded;
  int sums;  // per unit
  int rows_per;
  int64_t shared_bytes;  // beside the weights
};

// Estimates for the choice of a plan, in clocks of one multiprocessor. Its results do not depend on them.
inline constexpr int64_t kFmaPerClock = 128;      // H100 white paper
inline constexpr int64_t kL2BytesPerClock = 32;   // of each multiprocessor when all read: 5.5 TB/s on an H100
inline constexpr int64_t kTileClocks = 600;       // latencies of loading, reducing and finishing a tile
inline constexpr int64_t kArrivalClocks = 6;      // atomics on one address follow each other

inline TeamPlan plan_team(const TeamWork& w, const Device& on) {
  TeamPlan best{};
  int64_t least = 0;
  for (int lanes = kHalf; lanes >= 1; lanes /= 2) {
    TeamPlan p{};
    p.lanes = lanes;
    const int64_t members = ceil_div(w.units, p.units()), rows = p.rows(w.rows_per);
    if (members > on.multiprocessors) break;
    p.members = static_cast<int>(members);
    p.tiles = ceil_div(w.batch, rows);
    const int64_t room = on.multiprocessors / members;
    p.teams = static_cast<int>(room < p.tiles ? room : p.tiles);
    const int64_t weights = int64_t{4} * w.sums * p.units() * w.padded;
    p.resident = w.shared_bytes + weights <= on.shared_bytes;
    p.fits = true;
    const int64_t tile = w.sums * p.units() * rows * w.depth / kFmaPerClock +
                         (4 * rows * w.depth + (p.resident ? 0 : weights)) / kL2BytesPerClock + kTileClocks;
    const int64_t clocks = ceil_div(p.tiles, p.teams) * tile + members * kArrivalClocks;
    if (!best.fits || clocks < least) best = p, least = clocks;
  }
  return best;
}

// Where a lane stands in its half warp's piece of a tile.
struct TeamLane {
  int warp, lane, half, unit, row;  // its first unit and row

  __device__ explicit TeamLane(int lanes) {
    warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp, half = lane / kHalf;
    unit = (lane & (lanes - 1)) * kUnitsPer, row = lane % kHalf / lanes * 4;
  }
};

// sum[row][sum][unit] of this half warp's terms: states (depth, rows of the tile) in global memory by
// weights (depth, stride), each sum's units side by side. All of a block's threads call.
template <int kRowsPer, int kSums>
__device__ __forceinline__ void team_product(const TeamPlan& p, const TeamLane& at, TeamDepth depth,
                                             const float* states, const float* weights, int stride,
                                             float (&ring)[kStages][kChunk], float (&sum)[kRowsPer][kSums][kUnitsPer]) {
  const int rows = p.rows(kRowsPer), terms = kChunk / rows, chunks = (depth.per_warp + terms - 1) / terms;
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
#pragma unroll
      for (int r = 0; r < kRowsPer; r += 4) {
        const float4 four = *reinterpret_cast<const float4*>(s + r / 4 * (kHalf / p.lanes * 4));
        h[r] = four.x, h[r + 1] = four.y, h[r + 2] = four.z, h[r + 3] = four.w;
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
                                              float (*partial)[kHalf * kUnitsPer * kRowsPer]) {
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
