// The device's own limits, measured with the instructions that the kernels use.
#include "../shapes/kernels.h"
#include "../shapes/measure.h"
#include "block.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;  // a chunk is a warp's: 8 chunks to a block
constexpr int kSums = 12;      // in flight per thread; a scheduler's 16 warps need no more than 4 cycles' worth of them

__global__ void __launch_bounds__(kThreads) fma_kernel(int64_t chunks, int64_t steps, float a, float b, float* sums) {
  const int64_t chunk = global_thread() / kWarp;
  float sum[kSums];
#pragma unroll
  for (int i = 0; i < kSums; ++i) sum[i] = static_cast<float>(i + threadIdx.x);
#pragma unroll 16
  for (int64_t step = 0; step < steps; ++step)
#pragma unroll
    for (int i = 0; i < kSums; ++i) sum[i] = sum[i] * a + b;
  float total = 0;
#pragma unroll
  for (int i = 0; i < kSums; ++i) total += sum[i];
  total = reduce_warp(total, Plus{});
  if (threadIdx.x % kWarp == 0 && chunk < chunks) sums[chunk] = total;
}

}  // namespace

void measure_fma_peak(const MeasureFmaArgs& args) {
  launch(fma_kernel, Grid{static_cast<unsigned>(ceil_div(args.chunks, kThreads / kWarp)), kThreads}, stream_of(args),
         args.chunks, args.steps, 0.5f, 0.25f, args.sums);
}

void measure_copy(const MeasureCopyArgs& args) {
  cudaMemcpyAsync(args.y, args.x, static_cast<size_t>(args.bytes), cudaMemcpyDeviceToDevice, stream_of(args));
}

}  // namespace dlbd::cuda
