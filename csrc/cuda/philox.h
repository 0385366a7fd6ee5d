// Philox 4x32-10 (../shapes/random.h) on a GPU: the CPU twin's numbers, bit for bit.
#pragma once

#include "../shapes/random.h"
#include "vector.h"
#include "walk.h"

namespace dlbd::cuda {
namespace {

struct Words {
  uint32_t v[4];
};

__device__ __forceinline__ Words philox(uint64_t seed, uint64_t block) {
  constexpr uint32_t kFactor0 = 0xD2511F53, kFactor1 = 0xCD9E8D57, kKey0 = 0x9E3779B9, kKey1 = 0xBB67AE85;
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32), c2 = 0, c3 = 0;
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kFactor0} * c0, p1 = uint64_t{kFactor1} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0, c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1, c3 = static_cast<uint32_t>(p0);
    key0 += kKey0, key1 += kKey1;
  }
  return {{c0, c1, c2, c3}};
}

// A thread draws so many neighbouring blocks: the same word of each is for as many neighbouring elements, so that it
// has 4 runs of them.
constexpr int kBlocks = 4, kRuns = 4;
static_assert(kRandomBlocks % kBlocks == 0 && kBlocks * kRuns * (kRandomBlocks / kBlocks) == kRandomGroup);

template <class T>
struct Drawn {
  T of[kRuns][kBlocks];
};

// f of each number that thread number `place` draws; its run r starts at element first_of(place, r).
template <class T, class F>
__device__ __forceinline__ Drawn<T> draw(const int64_t* used, int64_t place, const F& f) {
  const uint64_t seed = static_cast<uint64_t>(used[0]);
  const uint64_t block = static_cast<uint64_t>(used[1]) + static_cast<uint64_t>(place * kBlocks);
  Drawn<T> drawn;
#pragma unroll
  for (int b = 0; b < kBlocks; ++b) {
    const Words words = philox(seed, block + static_cast<uint64_t>(b));
#pragma unroll
    for (int r = 0; r < kRuns; ++r) drawn.of[r][b] = f(words.v[r]);
  }
  return drawn;
}
__device__ __forceinline__ int64_t first_of(int64_t place, int run) {
  constexpr int64_t kPlaces = kRandomBlocks / kBlocks;  // in a group
  return place / kPlaces * kRandomGroup + run * kRandomBlocks + place % kPlaces * kBlocks;
}
inline Grid draw_grid(int64_t n) {
  constexpr int kThreads = 256;
  const int64_t places = ceil_div(n, kRandomGroup) * (kRandomBlocks / kBlocks);
  return {static_cast<unsigned>(ceil_div(places, kThreads)), kThreads};
}

template <class T>
using Run = Pack<T, kBlocks>;
template <class T>
__device__ __forceinline__ void store_run(T* p, const Run<T>& run) {
  if constexpr (sizeof(run) == 16) {
    *reinterpret_cast<Run<T>*>(p) = run;
  } else {
#pragma unroll
    for (int i = 0; i < kBlocks; ++i) p[i] = run.v[i];
  }
}

// One thread: the launches before it have read the counter, those after it find it advanced.
__global__ void advance_kernel(int64_t* counter, int64_t* used, int64_t numbers) {
  used[0] = counter[0], used[1] = counter[1];
  counter[1] += ceil_div(numbers, kRandomGroup) * kRandomBlocks;
}

}  // namespace
}  // namespace dlbd::cuda
