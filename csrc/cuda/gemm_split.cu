// The end of a product whose k was split: the partial sums of the splits are added in order.
#include "gemm_product.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocks = 4;  // of a multiprocessor: for more, nvcc would not keep 8 packs in flight

// N numbers of a row per thread. A product is split only where C is small: 32-bit positions.
template <int N>
__global__ void __launch_bounds__(kThreads, kBlocks)
    gemm_add_splits_kernel(Product p, const float* partial, int splits) {
  using P = Pack<float, N>;
  const auto position = static_cast<unsigned>(global_thread()) * N, columns = static_cast<unsigned>(p.n);
  const auto size = static_cast<unsigned>(p.m) * columns;
  if (position >= size) return;
  const float* from = partial + blockIdx.y * int64_t{size} + position;
  const int64_t stride = p.batch * size;
  P sum = *reinterpret_cast<const P*>(from);
#pragma unroll 8
  for (int s = 1; s < splits; ++s) {
    const P x = *reinterpret_cast<const P*>(from + s * stride);
#pragma unroll
    for (int i = 0; i < N; ++i) sum.v[i] += x.v[i];
  }
  float* const c = p.c + blockIdx.y * p.c_stride + position;
  store_some(p.epilogue, c, position % columns, N, N > 1, sum.v);
  if (in_registers(p.epilogue)) return;
#pragma unroll 1
  for (int i = 0; i < N; ++i) c[i] = activate(p.epilogue.activation, c[i]);
}

}  // namespace

void launch_add_splits(const Product& p, const float* partial, int64_t splits, cudaStream_t stream) {
  const int n = p.packed_c ? 4 : 1;
  const Grid grid{dim3(static_cast<unsigned>(ceil_div(p.m * p.n, n * kThreads)), static_cast<unsigned>(p.batch)),
                  kThreads};
  launch(n == 4 ? gemm_add_splits_kernel<4> : gemm_add_splits_kernel<1>, grid, stream, p, partial,
         static_cast<int>(splits));
}

}  // namespace dlbd::cuda
