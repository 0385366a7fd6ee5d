// Copies of factors as the tensor core kernels want them: steps of k contiguous, rows of whole chunks of 16 bytes, for
// bf16 and fp16 in 16 bits.
#include "gemm_product.h"
#include "mma.h"

namespace dlbd::cuda {
namespace {

constexpr int kTile = 64;  // rows and steps of k of a block
constexpr int kThreads = 256;
constexpr int kEight = 8;                               // numbers that a thread writes together
constexpr int kRowsAtOnce = kThreads * kEight / kTile;  // of the tile that the block writes together

struct Turned {
  float v[kTile][kTile + 1];  // + 1: a column lies in as many banks
};

// Reads a tile whose rows are contiguous; `rows` and `steps` of it lie in the matrix.
__device__ __forceinline__ void turn(const Factor& f, const float* from, int64_t rows, int64_t steps, Turned& to) {
  constexpr int kAcross = kTile / 4;
  const int row = static_cast<int>(threadIdx.x) % kAcross * 4;
#pragma unroll
  for (int i = 0; i < kTile * kAcross / kThreads; ++i) {
    const int step = static_cast<int>(threadIdx.x) / kAcross + i * (kThreads / kAcross);
    Pack<float> x{};
    if (f.packed) {
      if (row < rows && step < steps) x = load_pack(from + step * f.pitch + row);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (row + j < rows && step < steps) x.v[j] = from[step * f.pitch + row + j];
    }
#pragma unroll
    for (int j = 0; j < 4; ++j) to.v[row + j][step] = x.v[j];
  }
}

// Eight steps of a row, of which `steps` lie in the matrix.
__device__ __forceinline__ void read_row(const Factor& f, const float* from, int64_t steps, float (&x)[kEight]) {
  if (f.packed) {
#pragma unroll
    for (int h = 0; h < kEight; h += 4) {
      Pack<float> four{};
      if (h < steps) four = load_pack(from + h);
#pragma unroll
      for (int j = 0; j < 4; ++j) x[h + j] = four.v[j];
    }
  } else {
#pragma unroll
    for (int j = 0; j < kEight; ++j) x[j] = j < steps ? from[j] : 0.0f;
  }
}

__device__ __forceinline__ void write_row(MatmulPrecision precision, void* to, int64_t at, const float (&x)[kEight]) {
  if (precision == MatmulPrecision::bf16 || precision == MatmulPrecision::fp16) {
    Pack<uint32_t> y;
#pragma unroll
    for (int j = 0; j < 4; ++j)
      y.v[j] = precision == MatmulPrecision::bf16 ? to_bf16(x[2 * j], x[2 * j + 1]) : to_fp16(x[2 * j], x[2 * j + 1]);
    store_pack(reinterpret_cast<uint32_t*>(static_cast<uint16_t*>(to) + at), y);
  } else {
#pragma unroll
    for (int h = 0; h < kEight; h += 4)
      store_pack(static_cast<float*>(to) + at + h, Pack<float>{{x[h], x[h + 1], x[h + 2], x[h + 3]}});
  }
}

__device__ __forceinline__ void prepare(const Preparation& p, int64_t tile, MatmulPrecision precision) {
  const int64_t across = (p.pitch + kTile - 1) / kTile, down = (p.rows + kTile - 1) / kTile;
  const int64_t step = tile % across * kTile, row = tile / across % down * kTile, matrix = tile / across / down;
  const float* from = p.from.data + matrix * p.from.stride;
  Turned& turned = shared<Turned>();
  const bool turns = p.from.rows_contiguous;
  if (turns) {
    turn(p.from, from + step * p.from.pitch + row, p.rows - row, p.k - step, turned);
    __syncthreads();
  }
  const int k = static_cast<int>(threadIdx.x) % (kTile / kEight) * kEight;
#pragma unroll
  for (int i = 0; i < kTile / kRowsAtOnce; ++i) {
    const int r = static_cast<int>(threadIdx.x) / (kTile / kEight) + i * kRowsAtOnce;
    if (row + r >= p.rows || step + k >= p.pitch) continue;
    float x[kEight];
    if (turns) {
#pragma unroll
      for (int j = 0; j < kEight; ++j) x[j] = turned.v[r][k + j];
    } else {
      read_row(p.from, from + (row + r) * p.from.pitch + step + k, p.k - step - k, x);
    }
    write_row(precision, p.to, (matrix * p.rows + row + r) * p.pitch + step + k, x);
  }
}

int64_t tiles(const Preparation& p) {
  return p.to ? p.matrices * ceil_div(p.rows, kTile) * ceil_div(p.pitch, kTile) : 0;
}

__global__ void __launch_bounds__(kThreads)
    gemm_prepare_kernel(Preparation a, Preparation b, unsigned tiles_a, MatmulPrecision precision) {
  if constexpr (kTensorCores) {
    if (blockIdx.x < tiles_a) {
      prepare(a, blockIdx.x, precision);
    } else {
      prepare(b, blockIdx.x - tiles_a, precision);
    }
  }
}

}  // namespace

void launch_prepare(const Preparation& a, const Preparation& b, MatmulPrecision precision, cudaStream_t stream) {
  const auto tiles_a = static_cast<unsigned>(tiles(a));
  const auto all = tiles_a + static_cast<unsigned>(tiles(b));
  launch(gemm_prepare_kernel, Grid{all, kThreads, sizeof(Turned)}, stream, a, b, tiles_a, precision);
}

}  // namespace dlbd::cuda
