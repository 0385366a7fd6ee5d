// Random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011).
#pragma once

#include "common.h"

namespace dlbd {

// Groups of 64 random numbers: word w of the 16 Philox blocks b is number 16 w + b of a group, on every device.
inline constexpr int64_t kRandomGroup = 64;
inline constexpr int64_t kRandomBlocks = 16;

// y = numbers in [0, 1): the upper 24 bits of each for float32, all 32 for float64.
struct RandomUniformArgs : LaunchArgs {
  int64_t size;
  DType dtype;
  int64_t* counter;  // seed, and the number of the next Philox block: the launch advances it after use
  void* y;
};

}  // namespace dlbd
