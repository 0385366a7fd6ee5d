// C = act(op(A) op(B) + bias).
#include "../shapes/kernels.h"
#include "gemm_epilogue.h"

namespace dlbd::cuda {
namespace {

constexpr int kTile = 64, kDepth = 16, kSide = 16, kPer = kTile / kSide;

template <class T>
struct GenericTiles {
  T a[kDepth][kTile + 1];  // + 1: a column of the tile lies in as many banks
  T b[kDepth][kTile + 1];
};

// Any dtype, sizes, strides: a tile of C per block, 4 x 4 elements per thread.
template <class T>
__global__ void __launch_bounds__(kSide* kSide) gemm_generic_kernel(GemmArgs args) {
  const GemmShape& s = args.shape;
  GenericTiles<T>& tiles = shared<GenericTiles<T>>();
  const int tid = static_cast<int>(threadIdx.x), tx = tid % kSide, ty = tid / kSide;
  const int64_t n_tiles = ceil_div(s.n, kTile);
  const int64_t i0 = blockIdx.x / n_tiles * kTile, j0 = blockIdx.x % n_tiles * kTile;
  const Epilogue<T> e{static_cast<const T*>(args.bias), args.activation, args.accumulate};
  const int64_t a_row = s.trans_a ? 1 : s.k, a_step = s.trans_a ? s.m : 1;
  const int64_t b_row = s.trans_b ? 1 : s.n, b_column = s.trans_b ? s.k : 1;
  for (int64_t batch = blockIdx.y; batch < s.batch; batch += gridDim.y) {
    const T* a = static_cast<const T*>(args.a) + batch * s.a_stride;
    const T* b = static_cast<const T*>(args.b) + batch * s.b_stride;
    T* c = static_cast<T*>(args.c) + batch * s.c_stride;
    T sum[kPer][kPer] = {};
    for (int64_t p0 = 0; p0 < s.k; p0 += kDepth) {
      for (int x = tid; x < kTile * kDepth; x += kSide * kSide) {
        const int row = s.trans_a ? x % kTile : x / kDepth, p = s.trans_a ? x / kTile : x % kDepth;
        const bool inside = i0 + row < s.m && p0 + p < s.k;
        tiles.a[p][row] = inside ? a[(i0 + row) * a_row + (p0 + p) * a_step] : T(0);
        const int column = s.trans_b ? x / kDepth : x % kTile, q = s.trans_b ? x % kDepth : x / kTile;
        const bool within = j0 + column < s.n && p0 + q < s.k;
        tiles.b[q][column] = within ? b[(p0 + q) * b_row + (j0 + column) * b_column] : T(0);
      }
      __syncthreads();
#pragma unroll
      for (int p = 0; p < kDepth; ++p)
#pragma unroll
        for (int i = 0; i < kPer; ++i)
#pragma unroll
          for (int j = 0; j < kPer; ++j) sum[i][j] += tiles.a[p][ty + i * kSide] * tiles.b[p][tx + j * kSide];
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kPer; ++i)
#pragma unroll
      for (int j = 0; j < kPer; ++j) {
        const int64_t row = i0 + ty + i * kSide, column = j0 + tx + j * kSide;
        if (row >= s.m || column >= s.n) continue;
        T* to = c + row * s.n + column;
        *to = finish(e, sum[i][j], to, column);
      }
    if (!in_registers(e))
      for (int i = 0; i < kPer * kPer; ++i) {
        const int64_t row = i0 + ty + i / kPer * kSide, column = j0 + tx + i % kPer * kSide;
        if (row < s.m && column < s.n) c[row * s.n + column] = activate(e.activation, c[row * s.n + column]);
      }
  }
}

constexpr int64_t kMostBatches = 65535;  // blocks along y

template <class T>
void gemm_generic(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  const int64_t tiles = ceil_div(s.m, kTile) * ceil_div(s.n, kTile);
  const auto batches = static_cast<unsigned>(s.batch < kMostBatches ? s.batch : kMostBatches);
  launch(gemm_generic_kernel<T>,
         Grid{dim3(static_cast<unsigned>(tiles), batches), kSide * kSide, sizeof(GenericTiles<T>)}, stream_of(args),
         args);
}

}  // namespace

int64_t gemm_scratch(const GemmArgs&) { return 0; }

void gemm(const GemmArgs& args) {
  with_float(args.shape.dtype, [&](auto zero) { gemm_generic<decltype(zero)>(args); });
}

}  // namespace dlbd::cuda
