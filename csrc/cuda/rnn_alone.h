// Layers of few units: a block takes some rows of the batch through the whole time loop alone. The recurrent weights
// stay in registers, those of wider layers in shared memory too, so a step costs two block barriers and no trip to L2.
//
// A thread belongs to one gate and owns kPer units of it. Going forward it makes the products of the state with its
// columns of U, going back those of its gate's gradients with its units' rows of U: either way as deep as there are
// units. Each sum runs over even and odd terms in order, however many rows a block takes.
#pragma once

#include "async_copy.h"
#include "rnn_paths.h"

namespace dlbd::cuda {

inline constexpr int kAloneUnits = 128;   // at most: 4 gates x 64 threads x 2 units
inline constexpr int kAloneLanes = 64;    // threads per gate at most
inline constexpr int kInRegisters = 64;   // terms of a sum whose weights lie in registers; 2 units: 128 of 255
inline constexpr int kAloneManyRows = 4;  // rows per block once all multiprocessors have work

template <int kRows>
struct alignas(16) AloneForwardShared {
  float h[kRows][kAloneUnits];
  float gated[kRows][kAloneUnits];
  float c[kRows][kAloneUnits];
  float slots[kMostGates][kRows][kAloneUnits];
  int live[2][kRows];
};

template <int kRows>
struct alignas(16) AloneBackwardShared {
  float d[kMostGates][kRows][kAloneUnits];         // the gradients of a step's gates
  float products[kMostGates][kRows][kAloneUnits];  // of each gate's gradients with U
  float carry[kRows][kAloneUnits];
  float dc[kRows][kAloneUnits];
  float values[2][kBackwardValues][kRows][kAloneUnits];  // of this step, and of the next one on their way
  int live[2][kRows];
};

constexpr int terms_of(int units) { return (units + 3) / 4 * 4; }

template <template <int> class Shared>
AlonePlan plan_alone(RnnCell cell, int64_t batch, int64_t units, const Device& on) {
  AlonePlan p{};
  if (units > kAloneUnits) return p;
  p.per = units > kAloneLanes ? 2 : 1;
  p.lanes = units > 32 ? kAloneLanes : 32;  // whole warps per gate
  const int shared_terms = terms_of(static_cast<int>(units)) - kInRegisters;
  const int64_t weights = p.per == 2 ? int64_t{8} * shared_terms * gates_of(cell) * p.lanes : 0;
  const int64_t one = static_cast<int64_t>(sizeof(Shared<1>)) + weights;
  const int64_t many = static_cast<int64_t>(sizeof(Shared<kAloneManyRows>)) + weights;
  const bool few = batch * p.per <= int64_t{2} * on.multiprocessors;  // two blocks of one unit per thread run at once
  p.rows = few || many > on.shared_bytes ? 1 : kAloneManyRows;
  p.bytes = p.rows == 1 ? one : many;
  if (p.bytes > on.shared_bytes) p.bytes = 0;
  return p;
}

// The weights of one thread: w[p][k] for its units p. Terms beyond kInRegisters lie in shared memory as
// [pair of terms][thread] {w[0][k], w[1][k], w[0][k + 1], w[1][k + 1]}.
template <int kPer>
struct AloneWeights {
  float own[kPer][kInRegisters];
  float4* rest;
  int terms;

  // weight(p, k) gives the number, zero outside of the matrix.
  template <class Weight>
  __device__ __forceinline__ void load(int units, float4* shared_rest, const Weight& weight) {
    terms = (units + 3) / 4 * 4, rest = shared_rest;
#pragma unroll
    for (int k = 0; k < kInRegisters; ++k) {
#pragma unroll
      for (int p = 0; p < kPer; ++p) own[p][k] = weight(p, k);
      if (k % 16 == 15) __syncwarp();  // or ptxas computes all addresses first, and spills them
    }
    if constexpr (kPer == 2) {
      for (int k = kInRegisters; k < terms; k += 2)
        rest[(k - kInRegisters) / 2 * static_cast<int>(blockDim.x) + static_cast<int>(threadIdx.x)] =
            make_float4(weight(0, k), weight(1, k), weight(0, k + 1), weight(1, k + 1));
    }
  }

  // sum[r][p] of the products with the rows of an operand in shared memory.
  template <int kRows>
  __device__ __forceinline__ void multiply(const float (&operand)[kRows][kAloneUnits],
                                           float (&sum)[kRows][kPer]) const {
    float even[kRows][kPer] = {}, odd[kRows][kPer] = {};
#pragma unroll
    for (int k = 0; k < kInRegisters; k += 4) {
      if (k >= terms) continue;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float4 h = *reinterpret_cast<const float4*>(&operand[r][k]);
#pragma unroll
        for (int p = 0; p < kPer; ++p) {
          even[r][p] += h.x * own[p][k], odd[r][p] += h.y * own[p][k + 1];
          even[r][p] += h.z * own[p][k + 2], odd[r][p] += h.w * own[p][k + 3];
        }
      }
    }
    if constexpr (kPer == 2) {
      const float4* w = rest + threadIdx.x;
#pragma unroll 2
      for (int k = kInRegisters; k < terms; k += 4, w += 2 * blockDim.x) {
        const float4 a = w[0], b = w[blockDim.x];
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float4 h = *reinterpret_cast<const float4*>(&operand[r][k]);
          even[r][0] += h.x * a.x, even[r][1] += h.x * a.y, odd[r][0] += h.y * a.z, odd[r][1] += h.y * a.w;
          even[r][0] += h.z * b.x, even[r][1] += h.z * b.y, odd[r][0] += h.w * b.z, odd[r][1] += h.w * b.w;
        }
      }
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int p = 0; p < kPer; ++p) sum[r][p] = even[r][p] + odd[r][p];
  }
};

// The (row, unit) pairs of a block that a thread finishes: `pair` counts up by the block's threads.
struct AlonePairs {
  int shift;  // the units of a row take 2^shift places

  __device__ explicit AlonePairs(int places) : shift(places == 32 ? 5 : places == 64 ? 6 : 7) {}
  __device__ int row(int pair) const { return pair >> shift; }
  __device__ int unit(int pair) const { return pair & ((1 << shift) - 1); }
  __device__ int count(int rows) const { return rows << shift; }
};

}  // namespace dlbd::cuda
