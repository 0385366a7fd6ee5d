// The way back through bias and activation, which ride in the epilogue of gemm and conv on the way forward.
#pragma once

#include "common.h"

namespace dlbd {

// dz = dy * act'(y) and db (+)= the sum of dz over the rows.
struct EpilogueBackwardArgs : LaunchArgs {
  int64_t rows, columns;
  DType dtype;
  const void* dy;
  const void* y;  // null if the activation is linear
  ActivationSpec activation;
  void* dz;         // null if nobody needs it (it equals dy if the activation is linear)
  void* db;         // `columns` values or null
  bool accumulate;  // into db
};

}  // namespace dlbd
