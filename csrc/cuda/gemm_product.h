// What the float32 kernels of gemm are given, and how they cut C into tiles.
#pragma once

#include "gemm_epilogue.h"

namespace dlbd::cuda {

// One factor. Its "rows" are those of op(A) or the columns of op(B): what C has one row or column of.
struct Factor {
  const float* data;
  int64_t stride;  // between the matrices of the batch; 0 for one matrix
  int64_t pitch;   // between rows, or between steps of k where rows_contiguous
  bool rows_contiguous;
  bool packed;  // runs start at multiples of 16 bytes and are whole numbers of packs long
};

struct Product {
  Factor a, b;
  float* c;          // or the partial sums: one C per split
  int64_t c_stride;  // between the matrices of the batch
  int64_t batch, m, n, k;
  int64_t chunk;         // steps of k of a split
  int64_t split_stride;  // between the partial sums of the splits
  Epilogue<float> epilogue;
  bool packed_c;  // C and bias
};

// More sums than this of one run are rounded too often: each run of so many steps of k is added to C. It costs a
// hundredth of the time.
constexpr int64_t kRun = 512;

constexpr int64_t kMostAlongGrid = 65535;  // blocks along y and along z
inline Grid tile_grid(const Product& p, int tile_m, int tile_n, int threads, size_t shared_bytes) {
  const int64_t splits = p.chunk > 0 ? ceil_div(p.k, p.chunk) : 1;
  return {dim3(static_cast<unsigned>(ceil_div(p.m, tile_m) * ceil_div(p.n, tile_n)), static_cast<unsigned>(splits),
               static_cast<unsigned>(p.batch < kMostAlongGrid ? p.batch : kMostAlongGrid)),
          static_cast<unsigned>(threads), shared_bytes};
}

// The tile of this block. Blocks with near numbers run together: they get tiles from kGroup rows of tiles, so that what
// they read of A and B stays in L2.
struct TileIndex {
  unsigned m, n;
};
constexpr unsigned kGroup = 8;
template <int TileM>
__device__ __forceinline__ TileIndex tile_index(int64_t m) {
  const auto rows = static_cast<unsigned>((m + TileM - 1) / TileM), columns = gridDim.x / rows;
  const unsigned group = blockIdx.x / (kGroup * columns), within = blockIdx.x % (kGroup * columns);
  const unsigned left = rows - group * kGroup, height = left < kGroup ? left : kGroup;
  return {group * kGroup + within % height, within / height};
}

// Steps of k of this block.
__device__ __forceinline__ int64_t first_step(const Product& p) { return blockIdx.y * p.chunk; }
__device__ __forceinline__ int64_t steps(const Product& p) {
  const int64_t left = p.k - first_step(p);
  return left < p.chunk ? left : p.chunk;
}

// The kernels: gemm_simt.cu, gemm_prepare.cu, gemm_mma.cu, gemm_split.cu.
enum class SimtTile { t128x128, t128x64, t64x64, t32x32, t16x128, t128x16 };
void launch_simt(const Product& p, SimtTile tile, cudaStream_t stream);

// Tensor cores. Factors have steps of k contiguous and are packed; for bf16 and fp16, `data` is of 16-bit numbers.
enum class MmaTile { t128x128, t64x64, t128x256 };  // the last for 16-bit numbers only
void launch_mma(const Product& p, MatmulPrecision precision, MmaTile tile, cudaStream_t stream);

// Copies factors into such a form: their matrices one after the other, rows of `pitch` numbers, zeros after the k-th.
struct Preparation {
  Factor from;
  void* to;  // null: this factor needs no copy
  int64_t matrices, rows, k, pitch;
};
void launch_prepare(const Preparation& a, const Preparation& b, MatmulPrecision precision, cudaStream_t stream);

// C = act(the sum of the splits' partial sums, in order, [+ C] [+ bias]).
void launch_add_splits(const Product& p, const float* partial, int64_t splits, cudaStream_t stream);

}  // namespace dlbd::cuda
