// Uniform random numbers from a counter: the same on any number of threads, and on a GPU.
#include "../shapes/random.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "philox.h"

namespace dlbd::DLBD_ISA {
namespace {

DLBD_INLINE void to_unit(uint32_t number, float* y) { *y = static_cast<float>(number >> 8) * 0x1p-24f; }
DLBD_INLINE void to_unit(uint32_t number, double* y) { *y = number * 0x1p-32; }

template <class T>
void draw(const RandomUniformArgs& a) {
  const uint64_t seed = static_cast<uint64_t>(a.counter[0]), block = static_cast<uint64_t>(a.counter[1]);
  T* y = static_cast<T*>(a.y);
  parallel_for(a.threads, a.size, kRandomTask, [&](int64_t begin, int64_t end, int) {
    uint32_t numbers[kRandomGroup];
    for (int64_t i = begin; i < end; i += kRandomGroup) {
      philox_group(seed, block + static_cast<uint64_t>(i / kRandomGroup * kRandomBlocks), numbers);
      const int64_t n = min_of(end - i, kRandomGroup);
      for (int64_t j = 0; j < n; ++j) to_unit(numbers[j], y + i + j);
    }
  });
}

}  // namespace

int64_t random_uniform_scratch(const RandomUniformArgs&) { return 0; }

void random_uniform(const RandomUniformArgs& a) {
  a.dtype == DType::f64 ? draw<double>(a) : draw<float>(a);
  a.counter[1] += ceil_div(a.size, kRandomGroup) * kRandomBlocks;
}

}  // namespace dlbd::DLBD_ISA
