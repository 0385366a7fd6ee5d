// A barrier of some of the blocks of a cooperative launch, for kernels whose blocks hand data on through global memory.
#pragma once

#include "launch.h"

namespace dlbd::cuda {

// Words of memory per team, so that each counter has a cache line of its own (128 bytes in L2).
inline constexpr int kBarrierWords = 32;

// The blocks of one team share a counter, which is zero before the launch. Every thread of each of them must call
// meet(), and every team of the launch as often as the others.
struct TeamBarrier {
  unsigned* arrived;  // the counter never goes back: after the n-th meeting it stands at n * blocks
  unsigned blocks;
  unsigned wanted;

  __device__ void meet() {
#if defined(DLBD_CUDA_EMULATION)
    cuda_emulation::grid_barrier();
#else
    __syncthreads();
    wanted += blocks;
    if (threadIdx.x == 0) {
      __threadfence();  // what the block has written is seen before its arrival
      atomicAdd(arrived, 1u);
      const volatile unsigned* now = arrived;
      while (static_cast<int>(*now - wanted) < 0) {  // right also when the counter wraps
      }
      __threadfence();  // nothing of what others wrote is read earlier, or from an old L1 line
    }
    __syncthreads();
#endif
  }
};

}  // namespace dlbd::cuda
