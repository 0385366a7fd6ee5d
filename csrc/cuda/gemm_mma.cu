// float32 arrays multiplied on tensor cores. Both factors have steps of k contiguous: as they are, or copied so by
// gemm_prepare.cu. Shared memory holds Stages tiles of 64 bytes of k of each row, which cp.async fills ahead.
#include <cfloat>

#include "async_copy.h"
#include "gemm_product.h"
#include "mma.h"

namespace dlbd::cuda {
namespace {

constexpr int kChunk = 16;  // bytes that ldmatrix and cp.async move
constexpr int kChunks = 4;  // of a row of a tile
constexpr int kRowBytes = kChunk * kChunks;
constexpr int kMmaM = 16, kMmaN = 8;  // rows and columns of one instruction, whose k is 2 chunks
constexpr int kSubsteps = kChunks / 2;
constexpr int kStages = 4;

// Where a chunk lies in its row: 8 rows' chunks of one number, which ldmatrix reads together, fill all banks once.
__device__ __forceinline__ int swizzled(int row, int chunk) { return row * kChunks + (chunk ^ (row >> 1 & 3)); }

// Warps of WarpsM x WarpsN compute WM x WN elements of C each. PerMultiprocessor blocks are to fit.
template <int WM_, int WN_, int WarpsM_, int WarpsN_, int PerMultiprocessor_>
struct Tile {
  static constexpr int WM = WM_, WN = WN_, WarpsN = WarpsN_;
  static constexpr int M = WM * WarpsM_, N = WN * WarpsN;
  static constexpr int kThreads = 32 * WarpsM_ * WarpsN, kBlocks = PerMultiprocessor_;
  struct alignas(kChunk) Chunk {
    unsigned char bytes[kChunk];
  };
  struct Shared {
    Chunk a[kStages][M * kChunks], b[kStages][N * kChunks];
  };
};

constexpr uint32_t kTf32Bits = 0xffffe000, kHalfTf32 = 0x1000;  // sign, exponent, 10 bits of 23; half of the last one

// The products of one instruction per precision: sum += a b for fragments as they were loaded.
struct Bf16 {
  static constexpr int kBytes = 2;
  struct A {
    uint32_t v[4];
  };
  struct B {
    uint32_t v[2];
  };
  static __device__ __forceinline__ void prepare(A&) {}
  static __device__ __forceinline__ void prepare(B&) {}
  static __device__ __forceinline__ void multiply(float (&sum)[4], const A& a, const B& b) { mma_bf16(sum, a.v, b.v); }
};
struct Fp16 : Bf16 {
  static __device__ __forceinline__ void multiply(float (&sum)[4], const A& a, const B& b) { mma_fp16(sum, a.v, b.v); }
};
struct Tf32 {
  static constexpr int kBytes = 4;
  using A = Bf16::A;
  using B = Bf16::B;
  template <class F>
  static __device__ __forceinline__ void prepare(F& f) {
#pragma unroll
    for (uint32_t& x : f.v) x = to_tf32(__uint_as_float(x));
  }
  static __device__ __forceinline__ void multiply(float (&sum)[4], const A& a, const B& b) { mma_tf32(sum, a.v, b.v); }
};
// A number is big + small, both tf32, up to eps; the product of the smalls is left out. The tensor core truncates its
// sums, so those of one instruction's k are added here, rounded (Ootomo and Yokota 2022, "Recovering single precision
// accuracy from Tensor Cores"). What is not finite is in the product of the bigs alone: 0 times infinity is not wanted.
struct Tf32x3 {
  static constexpr int kBytes = 4;
  template <int N>
  struct Fragment {
    uint32_t v[N], finite[N], small[N];
  };
  using A = Fragment<4>;
  using B = Fragment<2>;
  template <class F>
  static __device__ __forceinline__ void prepare(F& f) {
#pragma unroll
    for (int i = 0; i < static_cast<int>(sizeof(f.v) / sizeof(f.v[0])); ++i) {
      const float x = __uint_as_float(f.v[i]);
      const bool finite = fabsf(x) <= FLT_MAX;
      const uint32_t big = (f.v[i] + kHalfTf32) & kTf32Bits;
      f.finite[i] = finite ? big : 0;
      f.small[i] = finite ? __float_as_uint(x - __uint_as_float(big)) : 0;
      if (finite) f.v[i] = big;
    }
  }
  static __device__ __forceinline__ void multiply(float (&sum)[4], const A& a, const B& b) {
    float part[4] = {};
    mma_tf32(part, a.small, b.finite);
    mma_tf32(part, a.finite, b.small);
    mma_tf32(part, a.v, b.v);
#pragma unroll
    for (int i = 0; i < 4; ++i) sum[i] += part[i];
  }
};

// How a block brings the next 64 bytes of k of X rows into shared memory.
template <int X, int Threads, int Bytes>
struct RowLoader {
  static constexpr int kTimes = X * kChunks / Threads, kRows = Threads / kChunks;
  const unsigned char* at;  // this thread's chunk of the first row it loads
  int64_t apart;            // bytes between the rows it loads
  int row, chunk, rows_left;

  __device__ __forceinline__ void begin(const Factor& f, int64_t batch, int64_t first_row, int64_t rows,
                                        int64_t first_step) {
    const int tid = static_cast<int>(threadIdx.x);
    row = tid / kChunks, chunk = tid % kChunks;
    const int64_t left = rows - first_row;
    rows_left = left < X ? static_cast<int>(left) : X;
    at = reinterpret_cast<const unsigned char*>(f.data) +
         (batch * f.stride + (first_row + row) * f.pitch + first_step) * Bytes + chunk * kChunk;
    apart = f.pitch * (kRows * Bytes);
  }
  // `left` steps of k are left, of which the tile takes what it can.
  template <class Chunk>
  __device__ __forceinline__ void load(Chunk* to, int64_t left) {
    const bool some = chunk * kChunk < left * Bytes;
#pragma unroll
    for (int i = 0; i < kTimes; ++i) {
      const int r = row + i * kRows;
      copy_async<kChunk>(&to[swizzled(r, chunk)], at + i * apart, some && r < rows_left ? kChunk : 0);
    }
    at += kRowBytes;
  }
};

// 16 rows from `row` on of the two chunks of a substep: a whole A fragment.
template <class A, class Chunk>
__device__ __forceinline__ void load_a(A& a, const Chunk* tile, int row, int substep) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  load_matrices(a.v, &tile[swizzled(row + lane % 16, substep * 2 + lane / 16)]);
}
// The same of 16 columns: two B fragments.
template <class Chunk>
__device__ __forceinline__ void load_b(uint32_t (&b)[4], const Chunk* tile, int column, int substep) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  load_matrices(b, &tile[swizzled(column + lane / 16 * 8 + lane % 8, substep * 2 + lane / 8 % 2)]);
}

template <class Precision, class Tile>
__device__ __forceinline__ void multiply(const typename Tile::Chunk* a, const typename Tile::Chunk* b, int row,
                                         int column, float (&sum)[Tile::WM / kMmaM][Tile::WN / kMmaN][4]) {
  // fragments that are converted take more registers than two substeps at once have
  [[maybe_unused]] constexpr int kAtOnce = Precision::kBytes == 2 ? kSubsteps : 1;
#pragma unroll kAtOnce
  for (int s = 0; s < kSubsteps; ++s) {
    typename Precision::B y[Tile::WN / kMmaN];
#pragma unroll
    for (int j = 0; j < Tile::WN / kMmaN; j += 2) {
      uint32_t two[4];
      load_b(two, b, column + j * kMmaN, s);
      y[j].v[0] = two[0], y[j].v[1] = two[1], y[j + 1].v[0] = two[2], y[j + 1].v[1] = two[3];
      Precision::prepare(y[j]), Precision::prepare(y[j + 1]);
    }
#pragma unroll
    for (int i = 0; i < Tile::WM / kMmaM; ++i) {
      typename Precision::A x;
      load_a(x, a, row + i * kMmaM, s);
      Precision::prepare(x);
#pragma unroll
      for (int j = 0; j < Tile::WN / kMmaN; ++j) Precision::multiply(sum[i][j], x, y[j]);
    }
  }
}

// `row` and `column` are of this thread's first sum.
template <class Tile>
__device__ __forceinline__ void store_tile(const Product& p, float* c, int64_t row, int64_t column,
                                           const float (&sum)[Tile::WM / kMmaM][Tile::WN / kMmaN][4]) {
  float* const first = c + row * p.n + column;
#pragma unroll
  for (int i = 0; i < Tile::WM / 8; ++i) {
    if (row + i * 8 >= p.m) continue;
#pragma unroll
    for (int j = 0; j < Tile::WN / kMmaN; ++j) {
      const int right = j * kMmaN;
      const float pair[2] = {sum[i / 2][j][i % 2 * 2], sum[i / 2][j][i % 2 * 2 + 1]};
      store_some(p.epilogue, first + i * 8 * p.n + right, column + right, p.n - column - right, p.packed_c, pair);
    }
  }
  if (in_registers(p.epilogue)) return;
#pragma unroll 1
  for (int i = 0; i < Tile::WM / 8; ++i)
#pragma unroll 1
    for (int j = 0; j < Tile::WN / 4; ++j) {
      const int right = j / 2 * kMmaN + j % 2;
      float* const y = first + i * 8 * p.n + right;
      if (row + i * 8 < p.m && column + right < p.n) *y = activate(p.epilogue.activation, *y);
    }
}

template <class Precision, class Tile>
__device__ __forceinline__ void gemm_mma(const Product& p) {
  constexpr int kDepth = kRowBytes / Precision::kBytes;
  auto& tiles = shared<typename Tile::Shared>();
  const TileIndex tile = tile_index<Tile::M>(p.m);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int row = warp / Tile::WarpsN * Tile::WM, column = warp % Tile::WarpsN * Tile::WN;
  for (unsigned batch = blockIdx.z; batch < p.batch; batch += gridDim.z) {
    RowLoader<Tile::M, Tile::kThreads, Precision::kBytes> a;
    RowLoader<Tile::N, Tile::kThreads, Precision::kBytes> b;
    a.begin(p.a, batch, int64_t{tile.m} * Tile::M, p.m, first_step(p));
    b.begin(p.b, batch, int64_t{tile.n} * Tile::N, p.n, first_step(p));
    float sum[Tile::WM / kMmaM][Tile::WN / kMmaN][4] = {};
    int64_t to_load = steps(p), to_multiply = to_load;
    const auto load_next = [&](int stage) {
      if (to_load > 0) a.load(tiles.a[stage], to_load), b.load(tiles.b[stage], to_load);
      to_load -= kDepth;
      commit_copies();
    };
#pragma unroll
    for (int stage = 0; stage < kStages - 1; ++stage) load_next(stage);
    for (int stage = 0; to_multiply > 0; to_multiply -= kDepth, stage = (stage + 1) % kStages) {
      wait_copies<kStages - 2>();
      __syncthreads();  // this stage is there for all, and the one before is free
      load_next((stage + kStages - 1) % kStages);
      multiply<Precision, Tile>(tiles.a[stage], tiles.b[stage], row, column, sum);
    }
    __syncthreads();
    store_tile<Tile>(p, p.c + batch * p.c_stride + blockIdx.y * p.split_stride,
                     int64_t{tile.m} * Tile::M + row + lane / 4, int64_t{tile.n} * Tile::N + column + lane % 4 * 2,
                     sum);
  }
}

template <class Precision, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) gemm_mma_kernel(Product p) {
  if constexpr (kTensorCores) gemm_mma<Precision, Tile>(p);
}

template <class Precision, class Tile>
void launch_tile(const Product& p, cudaStream_t stream) {
  launch(gemm_mma_kernel<Precision, Tile>,
         tile_grid(p, Tile::M, Tile::N, Tile::kThreads, sizeof(typename Tile::Shared)), stream, p);
}

using Large = Tile<64, 64, 2, 4, 1>;
using Medium = Tile<64, 32, 2, 4, 2>;
using MediumAlone = Tile<64, 32, 2, 4, 1>;  // for fragments that take twice the registers
using Small = Tile<32, 32, 2, 2, 3>;

template <class Precision>
void launch_16_bits(const Product& p, MmaTile tile, cudaStream_t stream) {
  switch (tile) {
    case MmaTile::t128x256: return launch_tile<Precision, Large>(p, stream);
    case MmaTile::t128x128: return launch_tile<Precision, Medium>(p, stream);
    case MmaTile::t64x64: return launch_tile<Precision, Small>(p, stream);
  }
}

}  // namespace

void launch_mma(const Product& p, MatmulPrecision precision, MmaTile tile, cudaStream_t stream) {
  const bool small = tile == MmaTile::t64x64;
  switch (precision) {
    case MatmulPrecision::f32: return;
    case MatmulPrecision::tf32x3:
      return small ? launch_tile<Tf32x3, Small>(p, stream) : launch_tile<Tf32x3, MediumAlone>(p, stream);
    case MatmulPrecision::tf32:
      return small ? launch_tile<Tf32, Small>(p, stream) : launch_tile<Tf32, Medium>(p, stream);
    case MatmulPrecision::bf16: return launch_16_bits<Bf16>(p, tile, stream);
    case MatmulPrecision::fp16: return launch_16_bits<Fp16>(p, tile, stream);
  }
}

}  // namespace dlbd::cuda
