// A tile of a product in a block: outer products in registers, operands in shared memory with the depth as outer index,
// double buffered, the next step's operands on their way in registers meanwhile. What loads the operands is a parameter.
#pragma once

#include "scalar_math.h"
#include "vector.h"

namespace dlbd::cuda {

constexpr int kDepth = 8;  // of a step
constexpr int kQuad = 4;   // rows or columns that are neighbours in a thread: one 16-byte load of each operand
constexpr int kPad = 4;    // floats after each row of shared memory: numbers stored along the depth meet different banks

// Thread tiles of TM x TN in quads that lie LanesM (LanesN) quads apart; LanesM x LanesN threads make a warp, WarpsM x
// WarpsN warps a block. kBlocks of them are to fit into the registers of a multiprocessor.
template <int TM_, int TN_, int LanesM_, int WarpsM_, int WarpsN_, int Blocks>
struct Tile {
  static constexpr int TM = TM_, TN = TN_, LanesM = LanesM_, LanesN = 32 / LanesM, WarpsN = WarpsN_;
  static constexpr int M = TM * LanesM * WarpsM_, N = TN * LanesN * WarpsN;
  static constexpr int kThreads = 32 * WarpsM_ * WarpsN, kBlocks = Blocks;
};
using Tile128x128 = Tile<8, 8, 4, 4, 2, 2>;
using Tile128x64 = Tile<8, 8, 4, 4, 1, 3>;
using Tile128x32 = Tile<8, 4, 4, 4, 1, 4>;
using Tile64x64 = Tile<8, 4, 4, 2, 2, 4>;

template <class Tile>
struct TileShared {
  float a[2][kDepth][Tile::M + kPad], b[2][kDepth][Tile::N + kPad];
  int64_t place[Tile::M];  // where each row of the tile is written, or -1
};

// What becomes of the sums: act(sum [+ before] [+ bias of the column]).
struct TileOutput {
  float* to;
  const float* bias;  // or null
  ActivationSpec activation;
  bool add;     // to what is there
  bool packed;  // quads of a row lie in the array as a whole or not at all, on 16 bytes; bias too
};

// The thread's first row and column. Lanes l and l ^ 1 share one operand, l and l ^ 2 the other: then the hardware reads
// 16 lanes' quads at once.
struct TilePosition {
  int m, n;
};
template <class Tile>
__device__ __forceinline__ TilePosition tile_position() {
  static_assert(Tile::LanesM == 4);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  return {warp / Tile::WarpsN * (Tile::TM * Tile::LanesM) + (lane / 16 * 2 + lane % 2) * kQuad,
          warp % Tile::WarpsN * (Tile::TN * Tile::LanesN) + lane / 2 % 8 * kQuad};
}

template <class Tile>
__device__ __forceinline__ void multiply(const float (*a)[Tile::M + kPad], const float (*b)[Tile::N + kPad],
                                         TilePosition at, float (&sum)[Tile::TM][Tile::TN]) {
#pragma unroll
  for (int s = 0; s < kDepth; ++s) {
    float x[Tile::TM], y[Tile::TN];
#pragma unroll
    for (int q = 0; q < Tile::TM / kQuad; ++q) {
      const Pack<float> pack = load_pack(&a[s][at.m + q * kQuad * Tile::LanesM]);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) x[q * kQuad + j] = pack.v[j];
    }
#pragma unroll
    for (int q = 0; q < Tile::TN / kQuad; ++q) {
      const Pack<float> pack = load_pack(&b[s][at.n + q * kQuad * Tile::LanesN]);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) y[q * kQuad + j] = pack.v[j];
    }
#pragma unroll
    for (int i = 0; i < Tile::TM; ++i)
#pragma unroll
      for (int j = 0; j < Tile::TN; ++j) sum[i][j] += x[i] * y[j];
  }
}

// The sums over `left` steps of the depth. Operands have load(left), which takes the next kDepth steps into registers,
// and store(a, b), which puts them into shared memory.
template <class Tile, class Operands>
__device__ __forceinline__ void sum_tile(TileShared<Tile>& tiles, Operands& operands, int left, TilePosition at,
                                         float (&sum)[Tile::TM][Tile::TN]) {
  if (left <= 0) return;
  operands.load(left);
  operands.store(tiles.a[0], tiles.b[0]);
  __syncthreads();
  for (int buffer = 0;; buffer ^= 1) {
    left -= kDepth;
    if (left > 0) operands.load(left);
    multiply<Tile>(tiles.a[buffer], tiles.b[buffer], at, sum);
    if (left <= 0) return;
    operands.store(tiles.a[buffer ^ 1], tiles.b[buffer ^ 1]);
    __syncthreads();
  }
}

__device__ __forceinline__ float finish(const TileOutput& out, float sum, float before, float bias) {
  if (out.add) sum += before;
  if (out.bias) sum += bias;
  const ActivationSpec act = out.activation;
  if (act.kind == Activation::relu) return sum < 0.0f ? 0.0f : sum;  // NaN stays NaN
  if (act.kind == Activation::leaky_relu) return sum < 0.0f ? sum * act.alpha : sum;
  return sum;
}

// Writes the sums; `column` is the tile's first one, of which `columns` lie in the array. tiles.place is filled, a
// barrier behind it.
template <class Tile>
__device__ __forceinline__ void store_tile(const TileShared<Tile>& tiles, const TileOutput& out, TilePosition at,
                                           int64_t column, int columns, const float (&sum)[Tile::TM][Tile::TN]) {
  constexpr int kApartM = kQuad * Tile::LanesM, kApartN = kQuad * Tile::LanesN;
  float* const to = out.to + column;
  const float* const bias = out.bias ? out.bias + column : nullptr;
#pragma unroll
  for (int i = 0; i < Tile::TM; ++i) {
    const int64_t place = tiles.place[at.m + i / kQuad * kApartM + i % kQuad];
    if (place < 0) continue;
#pragma unroll
    for (int q = 0; q < Tile::TN / kQuad; ++q) {
      const int n = at.n + q * kApartN;
      const float* const quad = &sum[i][q * kQuad];
      if (out.packed) {
        if (n >= columns) continue;
        Pack<float> before{}, add{}, y;
        if (out.add) before = load_pack(to + place + n);
        if (bias) add = load_pack(bias + n);
#pragma unroll
        for (int j = 0; j < kQuad; ++j) y.v[j] = finish(out, quad[j], before.v[j], add.v[j]);
        store_pack(to + place + n, y);
      } else {
#pragma unroll
        for (int j = 0; j < kQuad; ++j)
          if (n + j < columns)
            to[place + n + j] =
                finish(out, quad[j], out.add ? to[place + n + j] : 0.0f, bias ? bias[n + j] : 0.0f);
      }
    }
  }
  // The other activations are big: their code is there once, for what the thread has stored, and not once per sum.
  if (out.activation.kind <= Activation::leaky_relu) return;
#pragma unroll 1
  for (int i = 0; i < Tile::TM * Tile::TN; ++i) {
    const int64_t place = tiles.place[at.m + i / Tile::TN / kQuad * kApartM + i / Tile::TN % kQuad];
    const int n = at.n + i % Tile::TN / kQuad * kApartN + i % kQuad;
    if (place >= 0 && n < columns) to[place + n] = activate(out.activation, to[place + n]);
  }
}

// The tile of this block. Blocks with near numbers run together: they get tiles from kGroup rows of tiles, so that what
// they read stays in L2.
struct TileIndex {
  int m, n;
};
__device__ __forceinline__ TileIndex tile_index(int rows, int columns) {
  constexpr int kGroup = 8;
  const int block = static_cast<int>(blockIdx.x), group = block / (kGroup * columns), within = block % (kGroup * columns);
  const int left = rows - group * kGroup, height = left < kGroup ? left : kGroup;
  return {group * kGroup + within % height, within / height};
}

// Columns of a factor whose rows (steps of the depth) lie `pitch` apart, a quad per thread.
template <class Tile>
struct DenseColumns {
  static constexpr int kColumns = Tile::N / kQuad;  // quads of a step
  static constexpr bool kIdle = kColumns * kDepth < Tile::kThreads;
  static_assert(kColumns * kDepth <= Tile::kThreads);

  const float* at;
  int64_t pitch;
  int left;  // columns from the thread's first one on
  bool packed;
  float v[kQuad];

  __device__ static int column() { return static_cast<int>(threadIdx.x) % kColumns * kQuad; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / kColumns; }

  // `from` is the tile's first element.
  __device__ __forceinline__ void begin(const float* from, int64_t pitch_, int columns, bool packed_) {
    at = from + step() * pitch_ + column();
    pitch = pitch_, left = columns - column(), packed = packed_;
  }
  __device__ __forceinline__ void load(int steps_left) {
    if (kIdle && step() >= kDepth) return;
    const bool inside = step() < steps_left;
    if (packed) {
      Pack<float> x{};
      if (inside && left > 0) x = load_pack(at);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[j] = x.v[j];
    } else {
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[j] = inside && j < left ? at[j] : 0.0f;
    }
    at += kDepth * pitch;
  }
  __device__ __forceinline__ void store(float (*to)[Tile::N + kPad]) const {
    if (kIdle && step() >= kDepth) return;
    store_pack(&to[step()][column()], Pack<float>{{v[0], v[1], v[2], v[3]}});
  }
};

}  // namespace dlbd::cuda
