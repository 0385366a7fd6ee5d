// float32 products on the ordinary cores: a tile of C per block, outer products in registers, operands in shared memory
// with k as the outer index, double buffered, the next step's operands on their way in registers meanwhile.
#include "gemm_product.h"

namespace dlbd::cuda {
namespace {

constexpr int kPad = 4;   // floats after each row of it: see Loader
constexpr int kQuad = 4;  // rows and columns of C that are neighbours in a thread: one LDS.128 of each operand

// Depth steps of k at a time. Thread tiles of TM x TN, in quads that lie LanesM (LanesN) quads apart; LanesM x LanesN
// threads make a warp, WarpsM x WarpsN warps a block. PerMultiprocessor blocks are to fit into the registers.
template <int Depth_, int TM_, int TN_, int LanesM_, int WarpsM_, int WarpsN_, int PerMultiprocessor_>
struct Tile {
  static constexpr int kDepth = Depth_;
  static constexpr int TM = TM_, TN = TN_, LanesM = LanesM_, LanesN = 32 / LanesM, WarpsN = WarpsN_;
  static constexpr int M = TM * LanesM * WarpsM_, N = TN * LanesN * WarpsN;
  static constexpr int kThreads = 32 * WarpsM_ * WarpsN, kBlocks = PerMultiprocessor_;
  struct Shared {
    float a[2][kDepth][M + kPad], b[2][kDepth][N + kPad];
  };
};

// How a block brings Depth steps of X rows of a factor into shared memory.
//
// Rows contiguous: a pack holds 4 rows of one step and is stored as it is. Steps contiguous: a pack holds 4 steps of
// one row and is stored as 4 numbers; a warp has 2 packs (a 32-byte sector) of 16 rows, whose numbers then lie in banks
// 16 (pack) + 4 (step) + row, all different thanks to kPad.
template <int X, int Depth, int Threads>
struct Loader {
  static constexpr int kAll = X * Depth / kQuad;  // packs
  static constexpr int kPacks = kAll < Threads ? 1 : kAll / Threads;
  static constexpr bool kIdle = kAll < Threads;  // some threads have nothing to load

  const float* at;
  int64_t pitch;
  int row, step;  // of the first pack
  int rows_left;  // of the matrix from `row` on
  bool contiguous, packed;
  float v[kPacks][kQuad];

  // The pack of number i lies this far from the first one.
  __device__ static constexpr int step_of(bool contiguous, int i) {
    if (contiguous) return i * (Threads * kQuad / X);
    return Threads >= 2 * X ? i * (Threads / X) * kQuad : i * Threads / (2 * X) * 2 * kQuad;
  }
  __device__ static constexpr int row_of(bool contiguous, int i) {
    if (contiguous || Threads >= 2 * X) return 0;
    constexpr int kTimes = Threads >= 2 * X ? 1 : 2 * X / Threads;
    return i % kTimes * (Threads / 2);
  }

  __device__ __forceinline__ void begin(const Factor& f, int64_t batch, int64_t first_row, int64_t rows,
                                        int64_t first_step) {
    const int tid = static_cast<int>(threadIdx.x);
    contiguous = f.rows_contiguous, packed = f.packed, pitch = f.pitch;
    row = contiguous ? tid % (X / kQuad) * kQuad : tid / 2 % X;
    step = contiguous ? tid / (X / kQuad) : (tid % 2 + tid / (2 * X) * 2) * kQuad;
    const int64_t left = rows - first_row;
    rows_left = (left < X ? static_cast<int>(left) : X) - row;
    at = f.data + batch * f.stride +
         (contiguous ? first_row + row + (first_step + step) * pitch : (first_row + row) * pitch + first_step + step);
  }

  // The next Depth steps, of which there are `left`.
  __device__ __forceinline__ void load(int left) {
    if (kIdle && threadIdx.x >= kAll) return;
    if (contiguous) {
      load_packs<true>(left - step);
      at += Depth * pitch;
    } else {
      load_packs<false>(left - step);
      at += Depth;
    }
  }
  template <bool Contiguous>
  __device__ __forceinline__ void load_packs(int steps_left) {
#pragma unroll
    for (int i = 0; i < kPacks; ++i) {
      const int s = step_of(Contiguous, i), r = row_of(Contiguous, i);
      const float* from = at + (Contiguous ? s * pitch : r * pitch + s);
      if (packed) {
        Pack<float> x{};
        if (r < rows_left && s < steps_left) x = load_pack(from);
#pragma unroll
        for (int j = 0; j < kQuad; ++j) v[i][j] = x.v[j];
      } else {
#pragma unroll
        for (int j = 0; j < kQuad; ++j) {
          const bool inside = r + (Contiguous ? j : 0) < rows_left && s + (Contiguous ? 0 : j) < steps_left;
          v[i][j] = inside ? from[j] : 0.0f;
        }
      }
    }
  }

  __device__ __forceinline__ void store(float (*to)[X + kPad]) const {
    if (kIdle && threadIdx.x >= kAll) return;
    if (contiguous) {
#pragma unroll
      for (int i = 0; i < kPacks; ++i)
        store_pack(&to[step + step_of(true, i)][row], Pack<float>{{v[i][0], v[i][1], v[i][2], v[i][3]}});
    } else {
#pragma unroll
      for (int i = 0; i < kPacks; ++i)
#pragma unroll
        for (int j = 0; j < kQuad; ++j) to[step + step_of(false, i) + j][row + row_of(false, i)] = v[i][j];
    }
  }
};

// Position in the warp. Lanes l and l ^ 1 share one operand, l and l ^ 2 the other: so the hardware reads 16 lanes'
// packs of an LDS.128 at once.
struct Position {
  int m, n;
};
template <class Tile>
__device__ __forceinline__ Position position() {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int few = lane / 16 * 2 + lane % 2, many = lane / 2 % 8;  // of 4 and of 8
  const int m = Tile::LanesM == 4 ? few : many, n = Tile::LanesM == 4 ? many : few;
  return {warp / Tile::WarpsN * (Tile::TM * Tile::LanesM) + m * kQuad,
          warp % Tile::WarpsN * (Tile::TN * Tile::LanesN) + n * kQuad};
}

template <class Tile>
__device__ __forceinline__ void multiply(const float (*a)[Tile::M + kPad], const float (*b)[Tile::N + kPad],
                                         Position at, float (&sum)[Tile::TM][Tile::TN]) {
#pragma unroll 8
  for (int s = 0; s < Tile::kDepth; ++s) {
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

// `row` and `column` are of the thread's first quads.
template <class Tile>
__device__ __forceinline__ void store_tile(const Product& p, const Epilogue<float>& e, float* c, int64_t row,
                                           int64_t column, const float (&sum)[Tile::TM][Tile::TN]) {
  constexpr int kApartM = kQuad * Tile::LanesM, kApartN = kQuad * Tile::LanesN;
  float* const first = c + row * p.n + column;
#pragma unroll
  for (int i = 0; i < Tile::TM; ++i) {
    const int down = i / kQuad * kApartM + i % kQuad;
    if (row + down >= p.m) continue;
#pragma unroll
    for (int q = 0; q < Tile::TN / kQuad; ++q) {
      const float(&quad)[kQuad] = *reinterpret_cast<const float(*)[kQuad]>(&sum[i][q * kQuad]);
      store_some(e, first + down * p.n + q * kApartN, column + q * kApartN, p.n - column - q * kApartN, p.packed_c,
                 quad);
    }
  }
  if (in_registers(e)) return;
#pragma unroll 1
  for (int i = 0; i < Tile::TM * Tile::TN; ++i) {
    const int down = i / Tile::TN / kQuad * kApartM + i / Tile::TN % kQuad;
    const int right = i % Tile::TN / kQuad * kApartN + i % kQuad;
    float* const y = first + down * p.n + right;
    if (row + down < p.m && column + right < p.n) *y = activate(e.activation, *y);
  }
}

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) gemm_simt_kernel(Product p) {
  auto& tiles = shared<typename Tile::Shared>();
  const TileIndex tile = tile_index<Tile::M>(p.m);
  const Position at = position<Tile>();
  for (unsigned batch = blockIdx.z; batch < p.batch; batch += gridDim.z) {
    Loader<Tile::M, Tile::kDepth, Tile::kThreads> a;
    Loader<Tile::N, Tile::kDepth, Tile::kThreads> b;
    a.begin(p.a, batch, int64_t{tile.m} * Tile::M, p.m, first_step(p));
    b.begin(p.b, batch, int64_t{tile.n} * Tile::N, p.n, first_step(p));
    bool add = p.epilogue.add;
    int64_t all_left = steps(p);
    do {
      int left = static_cast<int>(all_left < kRun ? all_left : kRun);
      all_left -= left;
      float sum[Tile::TM][Tile::TN] = {};
      // Round r loads step r and multiplies step r - 1.
      for (int round = 0;; ++round, left -= Tile::kDepth) {
        const int from = (round + 1) % 2, to = round % 2;
        if (left > 0) a.load(left), b.load(left);
        if (round > 0) multiply<Tile>(tiles.a[from], tiles.b[from], at, sum);
        if (left > 0) a.store(tiles.a[to]), b.store(tiles.b[to]);
        __syncthreads();
        if (left <= 0) break;
      }
      Epilogue<float> e = all_left > 0 ? unfinished<float>(add) : p.epilogue;
      e.add = add;
      add = true;
      store_tile<Tile>(p, e, p.c + batch * p.c_stride + blockIdx.y * p.split_stride, int64_t{tile.m} * Tile::M + at.m,
                       int64_t{tile.n} * Tile::N + at.n, sum);
    } while (all_left > 0);
  }
}

template <class Tile>
void launch_tile(const Product& p, cudaStream_t stream) {
  launch(gemm_simt_kernel<Tile>, tile_grid(p, Tile::M, Tile::N, Tile::kThreads, sizeof(typename Tile::Shared)), stream,
         p);
}

}  // namespace

void launch_simt(const Product& p, SimtTile tile, cudaStream_t stream) {
  switch (tile) {
    case SimtTile::t128x128: return launch_tile<Tile<8, 8, 8, 4, 4, 2, 2>>(p, stream);
    case SimtTile::t128x64: return launch_tile<Tile<8, 8, 8, 4, 4, 1, 4>>(p, stream);
    case SimtTile::t64x64: return launch_tile<Tile<16, 8, 4, 4, 2, 2, 4>>(p, stream);
    case SimtTile::t32x32: return launch_tile<Tile<16, 4, 4, 4, 2, 1, 8>>(p, stream);
    case SimtTile::t16x128: return launch_tile<Tile<16, 4, 4, 4, 1, 4, 5>>(p, stream);
    case SimtTile::t128x16: return launch_tile<Tile<16, 4, 4, 8, 4, 1, 5>>(p, stream);
  }
}

}  // namespace dlbd::cuda
