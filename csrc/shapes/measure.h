// What the machine can do at most: the yardsticks of the benchmarks.
#pragma once

#include "common.h"

namespace dlbd {

// `chunks` equal runs of `steps` times 12 independent float32 multiply-adds of the widest vector; each chunk writes one
// number, so that nothing is optimised away.
struct MeasureFmaArgs : LaunchArgs {
  int64_t chunks, steps;
  float* sums;  // `chunks` values
};

// y = x as fast as memory allows.
struct MeasureCopyArgs : LaunchArgs {
  int64_t bytes;
  const void* x;
  void* y;
};

}  // namespace dlbd
