// The one way a kernel of the GPU twin is queued, and the only file that knows how: nvcc builds it for a GPU, an
// ordinary compiler builds the same sources on the host emulation of tests/cuda_emulation.
#pragma once

#include <cuda_runtime.h>

#include "../shapes/common.h"

namespace dlbd::cuda {

struct Grid {
  dim3 blocks;
  dim3 threads;
  size_t shared_bytes = 0;   // of what shared<T>() gives
  bool cooperative = false;  // all blocks run at once and may meet at grid_barrier()
};

inline cudaStream_t stream_of(const LaunchArgs& args) { return static_cast<cudaStream_t>(args.stream); }

// What launchers need to know of the current device; asked once per device.
struct Device {
  int multiprocessors;
  int shared_bytes;  // that a block may ask for
  int capability;    // 75, 90, ...
};
const Device& device();  // device.cu

// More shared memory than this must be asked for (CUDA programming guide, "Shared Memory", since compute
// capability 7.0). That holds for a kernel, not for a launch: asking for all there is, threads do not take it from each
// other.
inline constexpr size_t kSharedBytesWithoutAsking = 48 * 1024;

// Queues kernel(given...) on the stream. Errors show in cudaGetLastError(), which the binding asks.
template <class... Parameters, class... Given>
void launch(void (*kernel)(Parameters...), const Grid& grid, cudaStream_t stream, const Given&... given) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
#if defined(DLBD_CUDA_EMULATION)
  cuda_emulation::launch({grid.blocks, grid.threads, grid.shared_bytes, grid.cooperative}, stream,
                         [kernel, given...] { kernel(static_cast<Parameters>(given)...); });
#else
  if (grid.shared_bytes > kSharedBytesWithoutAsking)
    cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                         device().shared_bytes);
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks, config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes, config.stream = stream;
  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative, cooperative.val.cooperative = 1;
  if (grid.cooperative) config.attrs = &cooperative, config.numAttrs = 1;
  cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(given)...);
#endif
}

// The shared memory of this block, as one struct. All shared memory of a kernel is this.
template <class T>
__device__ __forceinline__ T& shared() {
#if defined(DLBD_CUDA_EMULATION)
  return *static_cast<T*>(cuda_emulation::shared_memory(sizeof(T)));
#else
  extern __shared__ __align__(128) unsigned char dlbd_shared[];
  return *reinterpret_cast<T*>(dlbd_shared);
#endif
}

// Blocks for `work` pieces, capped at `waves` rounds of the whole device: kernels stride over the rest.
inline unsigned blocks_for(int64_t work, int64_t waves = 32) {
  const int64_t most = waves * device().multiprocessors;
  return static_cast<unsigned>(work < most ? work : most);
}

__host__ __device__ constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Which element a thread starts with and how far the next one is: loops over arrays of any size.
__device__ __forceinline__ int64_t global_thread() {
  return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ int64_t global_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace dlbd::cuda
