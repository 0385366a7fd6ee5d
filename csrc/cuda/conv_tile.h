// A tile of a product in a block: its sums in registers, operands in shared memory with the depth as outer index,
// double buffered, the next step's operands on their way in registers meanwhile. What loads the operands is a
// parameter; so is what multiplies: ordinary cores, or tensor cores, for which a "row" of shared memory holds what one
// register of their fragments takes of the depth.
#pragma once

#include <cfloat>

#include "mma.h"
#include "scalar_math.h"
#include "vector.h"

namespace dlbd::cuda {

constexpr int kSlab = 8;  // steps of the depth that are loaded together, and rows of shared memory
constexpr int kQuad = 4;  // neighbours that a thread loads and stores together

// What becomes of the sums: act(sum [+ before] [+ bias of the column]).
struct TileOutput {
  float* to;
  const float* bias;  // or null
  ActivationSpec activation;
  bool add;     // to what is there
  bool packed;  // quads of a row lie in the array as a whole or not at all, on 16 bytes; bias too
};

__device__ __forceinline__ float finish(const TileOutput& out, float sum, float before, float bias) {
  if (out.add) sum += before;
  if (out.bias) sum += bias;
  const ActivationSpec act = out.activation;
  if (act.kind == Activation::relu) return sum < 0.0f ? 0.0f : sum;  // NaN stays NaN
  if (act.kind == Activation::leaky_relu) return sum < 0.0f ? sum * act.alpha : sum;
  return sum;
}

// The other activations are big: their code is there once, for what a thread has stored, and not once per sum.
__device__ __forceinline__ bool is_finished(const TileOutput& out) {
  return out.activation.kind <= Activation::leaky_relu;
}

// `to` and `bias` are at the tile's first column, n is the first of N neighbours, of which those below `columns` exist.
template <int N>
__device__ __forceinline__ void store_some(const TileOutput& out, float* to, const float* bias, int n, int columns,
                                           const float (&sum)[N]) {
  using P = Pack<float, N>;
  if (out.packed) {
    if (n >= columns) return;
    P before{}, add{}, y;
    if (out.add) before = *reinterpret_cast<const P*>(to + n);
    if (bias) add = *reinterpret_cast<const P*>(bias + n);
#pragma unroll
    for (int j = 0; j < N; ++j) y.v[j] = finish(out, sum[j], before.v[j], add.v[j]);
    *reinterpret_cast<P*>(to + n) = y;
  } else {
#pragma unroll
    for (int j = 0; j < N; ++j)
      if (n + j < columns) to[n + j] = finish(out, sum[j], out.add ? to[n + j] : 0.0f, bias ? bias[n + j] : 0.0f);
  }
}

// kPad: floats after each row.
template <class Tile>
struct TileShared {
  using A = float[Tile::kRows][Tile::M + Tile::kPad];
  using B = float[Tile::kRows][Tile::N + Tile::kPad];
  A a[2];
  B b[2];
  int64_t place[Tile::M];  // where each row of the tile is written, or -1
};

// float32 on ordinary cores. Thread tiles of TM x TN in quads that lie LanesM (LanesN) quads apart; LanesM x LanesN
// threads make a warp, WarpsM x WarpsN warps a block. Blocks of them are to fit into a multiprocessor's registers.
template <int TM, int TN, int WarpsM, int WarpsN, int Blocks>
struct SimtTile {
  static constexpr int kLanesM = 4, kLanesN = 8;
  static constexpr int M = TM * kLanesM * WarpsM, N = TN * kLanesN * WarpsN;
  static constexpr int kThreads = 32 * WarpsM * WarpsN, kBlocks = Blocks;
  static constexpr int kSlabs = 1, kParts = 1, kRows = kSlab;  // of a step: slabs of the depth, parts of a number, rows
  static constexpr int kPad = 4;  // numbers stored along the depth, 4 apart, then meet different banks
  using Shared = TileShared<SimtTile>;

  // What shared memory holds of the numbers of a step's slabs.
  __device__ static float word(int, float x, float) { return x; }

  // The thread's first row and column. Lanes l and l ^ 1 share one operand, l and l ^ 2 the other: then the hardware
  // reads 16 lanes' quads at once.
  int m, n;
  float sum[TM][TN];

  __device__ __forceinline__ void begin() {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    m = warp / WarpsN * (TM * kLanesM) + (lane / 16 * 2 + lane % 2) * kQuad;
    n = warp % WarpsN * (TN * kLanesN) + lane / 2 % 8 * kQuad;
#pragma unroll
    for (int i = 0; i < TM * TN; ++i) sum[i / TN][i % TN] = 0.0f;
  }

  __device__ __forceinline__ void multiply(const Shared::A& a, const Shared::B& b) {
#pragma unroll
    for (int s = 0; s < kSlab; ++s) {
      float x[TM], y[TN];
#pragma unroll
      for (int i = 0; i < TM; i += kQuad) {
        const Pack<float> pack = load_pack(&a[s][m + i * kLanesM]);
#pragma unroll
        for (int j = 0; j < kQuad; ++j) x[i + j] = pack.v[j];
      }
#pragma unroll
      for (int i = 0; i < TN; i += kQuad) {
        const Pack<float> pack = load_pack(&b[s][n + i * kLanesN]);
#pragma unroll
        for (int j = 0; j < kQuad; ++j) y[i + j] = pack.v[j];
      }
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i][j] += x[i] * y[j];
    }
  }

  // Row and column of sum number i of the thread.
  __device__ int row(int i) const { return m + i / TN / kQuad * (kQuad * kLanesM) + i / TN % kQuad; }
  __device__ int column(int i) const { return n + i % TN / kQuad * (kQuad * kLanesN) + i % kQuad; }
  static constexpr int kSums = TM * TN;

  __device__ __forceinline__ void store(const int64_t* place, const TileOutput& out, float* to, const float* bias,
                                        int columns) const {
#pragma unroll
    for (int i = 0; i < kSums; i += kQuad) {
      const int64_t at = place[row(i)];
      const float quad[kQuad] = {sum[i / TN][i % TN], sum[i / TN][i % TN + 1], sum[i / TN][i % TN + 2],
                                 sum[i / TN][i % TN + 3]};
      if (at >= 0) store_some(out, to + at, bias, column(i), columns, quad);
    }
  }
};
using Simt128x128 = SimtTile<8, 8, 4, 2, 2>;
using Simt128x64 = SimtTile<8, 8, 4, 1, 3>;
using Simt128x32 = SimtTile<8, 4, 4, 1, 4>;
using Simt64x64 = SimtTile<8, 4, 2, 2, 4>;

// Tensor cores: WarpsM x WarpsN warps of 16 FragmentsM x 8 FragmentsN sums. A word of shared memory is a tf32 number of
// a slab of 8 steps, or two 16-bit numbers of two slabs: which numbers of the depth meet in a register does not matter
// as long as both operands agree.
template <MatmulPrecision Precision, int FragmentsM, int FragmentsN, int WarpsM, int WarpsN, int Blocks>
struct TensorTile {
  static constexpr int M = 16 * FragmentsM * WarpsM, N = 8 * FragmentsN * WarpsN;
  static constexpr int kThreads = 32 * WarpsM * WarpsN, kBlocks = Blocks;
  static constexpr bool kHalf = Precision == MatmulPrecision::bf16 || Precision == MatmulPrecision::fp16;
  static constexpr bool kExact = Precision == MatmulPrecision::tf32x3;
  static constexpr int kSlabs = kHalf ? 2 : 1, kParts = kExact ? 2 : 1, kRows = kSlab * kParts;
  static constexpr int kPad = 8;  // the 4 rows of a fragment's register then meet all banks once
  using Shared = TileShared<TensorTile>;

  // Part 1 is what part 0 lacks.
  __device__ static float word(int part, float x, float next) {
    if (Precision == MatmulPrecision::bf16) return __uint_as_float(to_bf16(x, next));
    if (Precision == MatmulPrecision::fp16) return __uint_as_float(to_fp16(x, next));
    const float rounded = __uint_as_float(to_tf32(x));
    return part == 0 ? rounded : __uint_as_float(to_tf32(x - rounded));
  }

  int m, n;  // of the thread's first sum
  float sum[FragmentsM][FragmentsN][4];

  __device__ __forceinline__ void begin() {
    const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
    m = warp / WarpsN * (16 * FragmentsM) + lane / 4;
    n = warp % WarpsN * (8 * FragmentsN) + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < kSums; ++i) sum[i / 4 / FragmentsN][i / 4 % FragmentsN][i % 4] = 0.0f;
  }

  __device__ static void fragment_product(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (Precision == MatmulPrecision::bf16) {
      mma_bf16(c, a, b);
    } else if constexpr (Precision == MatmulPrecision::fp16) {
      mma_fp16(c, a, b);
    } else {
      mma_tf32(c, a, b);
    }
  }

  __device__ __forceinline__ void multiply(const Shared::A& a, const Shared::B& b) {
    const int t = static_cast<int>(threadIdx.x) % 4, column = n - 2 * t + static_cast<int>(threadIdx.x) % 32 / 4;
    uint32_t y[kParts][FragmentsN][2];
#pragma unroll
    for (int i = 0; i < kParts * FragmentsN * 2; ++i) {
      const int part = i / (FragmentsN * 2), f = i / 2 % FragmentsN, half = i % 2;
      y[part][f][half] = __float_as_uint(b[part * kSlab + t + 4 * half][column + 8 * f]);
    }
#pragma unroll
    for (int i = 0; i < FragmentsM; ++i) {
      uint32_t x[kParts][4];
#pragma unroll
      for (int j = 0; j < kParts * 4; ++j)
        x[j / 4][j % 4] = __float_as_uint(a[j / 4 * kSlab + t + j % 4 / 2 * 4][m + 16 * i + j % 2 * 8]);
#pragma unroll
      for (int j = 0; j < FragmentsN; ++j) {
        if constexpr (kExact) {  // summed up here: tensor cores truncate their sums
          float c[4] = {};
          fragment_product(c, x[1], y[0][j]);
          fragment_product(c, x[0], y[1][j]);
#pragma unroll
          for (int k = 0; k < 4; ++k)
            c[k] = fabsf(c[k]) <= FLT_MAX ? c[k] : 0.0f;  // what is infinite has one part alone
          fragment_product(c, x[0], y[0][j]);
#pragma unroll
          for (int k = 0; k < 4; ++k) sum[i][j][k] += c[k];
        } else {
          fragment_product(sum[i][j], x[0], y[0][j]);
        }
      }
    }
  }

  static constexpr int kSums = FragmentsM * FragmentsN * 4;
  __device__ int row(int i) const { return m + i / 4 / FragmentsN * 16 + i % 4 / 2 * 8; }
  __device__ int column(int i) const { return n + i / 4 % FragmentsN * 8 + i % 2; }

  __device__ __forceinline__ void store(const int64_t* place, const TileOutput& out, float* to, const float* bias,
                                        int columns) const {
#pragma unroll
    for (int i = 0; i < kSums; i += 2) {
      const int64_t at = place[row(i)];
      const float(&c)[4] = sum[i / 4 / FragmentsN][i / 4 % FragmentsN];
      const float pair[2] = {c[i % 4], c[i % 4 + 1]};
      if (at >= 0) store_some(out, to + at, bias, column(i), columns, pair);
    }
  }
};
template <MatmulPrecision P>
using Tensor128x128 = TensorTile<P, 4, 4, 2, 4, P == MatmulPrecision::tf32x3 ? 1 : 2>;
template <MatmulPrecision P>
using Tensor64x64 = TensorTile<P, 2, 4, 2, 2, 4>;

// The sums over `left` steps of the depth. Operands have load(slab, left), which takes the next kSlab steps into
// registers, and store(a, b), which puts a step's slabs into shared memory.
template <class Tile, class Operands>
__device__ __forceinline__ void sum_tile(TileShared<Tile>& shared, Tile& tile, Operands& operands, int left) {
  constexpr int kDepth = Tile::kSlabs * kSlab;
  const auto load = [&] {
#pragma unroll
    for (int s = 0; s < Tile::kSlabs; ++s) operands.load(s, left - s * kSlab);
  };
  if (left <= 0) return;
  load();
  operands.store(shared.a[0], shared.b[0]);
  __syncthreads();
  for (int buffer = 0;; buffer ^= 1) {
    left -= kDepth;
    if (left > 0) load();
    tile.multiply(shared.a[buffer], shared.b[buffer]);
    if (left <= 0) return;
    operands.store(shared.a[buffer ^ 1], shared.b[buffer ^ 1]);
    __syncthreads();
  }
}

// Writes the sums; `column` is the tile's first one, `columns` lie in the array from there on. shared.place is filled,
// a barrier behind it.
template <class Tile>
__device__ __forceinline__ void store_tile(const TileShared<Tile>& shared, const Tile& tile, const TileOutput& out,
                                           int64_t column, int columns) {
  float* const to = out.to + column;
  tile.store(shared.place, out, to, out.bias ? out.bias + column : nullptr, columns);
  if (is_finished(out)) return;
#pragma unroll 1
  for (int i = 0; i < Tile::kSums; ++i) {
    const int64_t place = shared.place[tile.row(i)];
    const int n = tile.column(i);
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
  const int block = static_cast<int>(blockIdx.x), group = block / (kGroup * columns);
  const int within = block - group * kGroup * columns;
  const int left = rows - group * kGroup, height = left < kGroup ? left : kGroup;
  return {group * kGroup + within % height, within / height};
}

// Columns of a factor whose rows (steps of the depth) lie `pitch` apart, a quad per thread.
template <class Tile>
struct DenseColumns {
  static constexpr int kColumns = Tile::N / kQuad;  // quads of a step
  static constexpr bool kIdle = kColumns * kSlab < Tile::kThreads;
  static_assert(kColumns * kSlab <= Tile::kThreads);

  const float* at;
  int64_t pitch;
  int left;  // columns from the thread's first one on
  bool packed;
  float v[Tile::kSlabs][kQuad];

  __device__ static int column() { return static_cast<int>(threadIdx.x) % kColumns * kQuad; }
  __device__ static int step() { return static_cast<int>(threadIdx.x) / kColumns; }

  // `from` is the tile's first element.
  __device__ __forceinline__ void begin(const float* from, int64_t pitch_, int columns, bool packed_) {
    at = from + step() * pitch_ + column();
    pitch = pitch_, left = columns - column(), packed = packed_;
  }
  __device__ __forceinline__ void load(int slab, int steps_left) {
    if (kIdle && step() >= kSlab) return;
    const bool inside = step() < steps_left;
    if (packed) {
      Pack<float> x{};
      if (inside && left > 0) x = load_pack(at);
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[slab][j] = x.v[j];
    } else {
#pragma unroll
      for (int j = 0; j < kQuad; ++j) v[slab][j] = inside && j < left ? at[j] : 0.0f;
    }
    at += kSlab * pitch;
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::B& to) const {
    if (kIdle && step() >= kSlab) return;
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part) {
      Pack<float> words;
#pragma unroll
      for (int j = 0; j < kQuad; ++j) words.v[j] = Tile::word(part, v[0][j], v[Tile::kSlabs - 1][j]);
      store_pack(&to[part * kSlab + step()][column()], words);
    }
  }
};

}  // namespace dlbd::cuda
