// Uniform random numbers from a counter.
#include "../shapes/kernels.h"
#include "../shapes/random.h"
#include "philox.h"

namespace dlbd::cuda {
namespace {

template <class T>
struct ToUnit {
  __device__ __forceinline__ T operator()(uint32_t number) const {
    if constexpr (sizeof(T) == sizeof(float))
      return static_cast<T>(number >> 8) * 0x1p-24f;
    else
      return number * 0x1p-32;
  }
};

template <class T>
__global__ void uniform_kernel(int64_t n, const int64_t* used, T* y, bool packed) {
  const int64_t place = global_thread();
  if (first_of(place, 0) >= n) return;
  const Drawn<T> drawn = draw<T>(used, place, ToUnit<T>{});
#pragma unroll
  for (int r = 0; r < kRuns; ++r) {
    const int64_t first = first_of(place, r);
    if (packed && first + kBlocks <= n) {
      Run<T> run;
#pragma unroll
      for (int b = 0; b < kBlocks; ++b) run.v[b] = drawn.of[r][b];
      store_run(y + first, run);
      continue;
    }
#pragma unroll
    for (int b = 0; b < kBlocks; ++b)
      if (first + b < n) y[first + b] = drawn.of[r][b];
  }
}

}  // namespace

int64_t random_uniform_scratch(const RandomUniformArgs&) { return 2 * sizeof(int64_t); }

void random_uniform(const RandomUniformArgs& a) {
  int64_t* used = static_cast<int64_t*>(a.scratch);
  launch(advance_kernel, {1, 1}, stream_of(a), a.counter, used, a.size);
  with_float(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    T* y = static_cast<T*>(a.y);
    launch(uniform_kernel<T>, draw_grid(a.size), stream_of(a), a.size, static_cast<const int64_t*>(used), y,
           aligned(y));
  });
}

}  // namespace dlbd::cuda
