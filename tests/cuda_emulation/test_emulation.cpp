// The emulation sees what it is there to see: `test_emulation <case>` runs a small kernel, right or with one fault.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "../../csrc/cuda/block.h"
#include "../../csrc/cuda/launch.h"

namespace {

using dlbd::cuda::Grid;
using dlbd::cuda::launch;
using dlbd::cuda::shared;

constexpr int kThreads = 96;

struct Tile {
  float values[kThreads];
};

// Each block turns its part of x around, through shared memory.
template <bool Barrier>
__global__ void reverse_kernel(const float* x, float* y) {
  Tile& tile = shared<Tile>();
  const int i = static_cast<int>(threadIdx.x), first = static_cast<int>(blockIdx.x) * kThreads;
  tile.values[i] = x[first + i];
  if (Barrier) __syncthreads();
  y[first + i] = tile.values[kThreads - 1 - i];
}

// Adds up a block's numbers round by round. Without the second barrier a thread may overwrite what another still reads.
template <bool Barrier>
__global__ void prefix_kernel(const float* x, float* y) {
  Tile& tile = shared<Tile>();
  const int i = static_cast<int>(threadIdx.x);
  tile.values[i] = x[i];
  __syncthreads();
  for (int d = 1; d < kThreads; d *= 2) {
    const float before = i >= d ? tile.values[i - d] : 0.0f;
    if (Barrier) __syncthreads();
    tile.values[i] += before;
    __syncthreads();
  }
  y[i] = tile.values[i];
}

__global__ void write_kernel(float* y, int at) { y[at + static_cast<int>(threadIdx.x)] = 1.0f; }

__global__ void shared_write_kernel(float* y, int at) {
  float* values = shared<Tile>().values;
  values[at + static_cast<int>(threadIdx.x)] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = values[threadIdx.x];
}

__global__ void divergent_kernel(float* y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1.0f;
}

__global__ void shuffle_kernel(float* y, unsigned mask) {
  const int lane = static_cast<int>(threadIdx.x);
  if (mask >> lane & 1) y[lane] = __shfl_sync(mask, static_cast<float>(lane), 31 - lane);
}

__global__ void grid_kernel(int* words, float* y) {
  const int blocks = static_cast<int>(gridDim.x), b = static_cast<int>(blockIdx.x);
  if (threadIdx.x == 0) words[b] = b + 1;
  cuda_emulation::grid_barrier();
  if (threadIdx.x == 0) y[b] = static_cast<float>(words[blocks - 1 - b]);
}

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

void correct() {
  std::vector<float> x(2 * kThreads), y(2 * kThreads);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  launch(reverse_kernel<true>, Grid{2, kThreads, sizeof(Tile)}, nullptr, x.data(), y.data());
  for (int i = 0; i < kThreads; ++i) expect(y[kThreads + i] == x[2 * kThreads - 1 - i], "reversal");
  launch(prefix_kernel<true>, Grid{1, kThreads, sizeof(Tile)}, nullptr, x.data(), y.data());
  for (int i = 0; i < kThreads; ++i) expect(y[i] == static_cast<float>((i + 1) * (i + 2) / 2), "prefix sums");
  launch(shuffle_kernel, Grid{1, 32}, nullptr, y.data(), 0xffffffffu);
  for (int i = 0; i < 32; ++i) expect(y[i] == static_cast<float>(31 - i), "shuffle");
  std::vector<int> words(5);
  launch(grid_kernel, Grid{5, 64, 0, true}, nullptr, words.data(), y.data());
  for (int i = 0; i < 5; ++i) expect(y[i] == static_cast<float>(5 - i), "grid barrier");
}

// Without the barrier the result must be wrong, or the emulation is of no use.
template <bool Prefix>
void missing_barrier() {
  std::vector<float> x(kThreads), y(kThreads);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i + 1);
  launch(Prefix ? prefix_kernel<false> : reverse_kernel<false>, Grid{1, kThreads, sizeof(Tile)}, nullptr, x.data(),
         y.data());
  for (int i = 0; i < kThreads; ++i)
    if (y[i] != (Prefix ? static_cast<float>((i + 1) * (i + 2) / 2) : x[kThreads - 1 - i])) {
      std::printf("a missing barrier was seen\n");
      std::exit(1);
    }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "correct";
  const auto y = std::make_unique<float[]>(kThreads);
  if (what == "correct") correct();
  if (what == "missing-barrier") missing_barrier<false>();
  if (what == "missing-second-barrier") missing_barrier<true>();
  if (what == "over-write") launch(write_kernel, Grid{1, kThreads}, nullptr, y.get(), 1);
  if (what == "shared-over-write") launch(shared_write_kernel, Grid{1, kThreads, sizeof(Tile)}, nullptr, y.get(), 1);
  if (what == "too-little-shared") launch(reverse_kernel<true>, Grid{1, kThreads, 16}, nullptr, y.get(), y.get());
  if (what == "divergent-barrier") launch(divergent_kernel, Grid{1, kThreads}, nullptr, y.get());
  if (what == "absent-lane") launch(shuffle_kernel, Grid{1, 32}, nullptr, y.get(), 0xffffu);
  if (what == "not-cooperative") launch(grid_kernel, Grid{2, 32}, nullptr, new int[2], y.get());
  std::printf("done\n");
  return 0;
}
