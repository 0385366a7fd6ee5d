// What only the data can show, written where the host will find it.
#pragma once

#include "launch.h"

namespace dlbd::cuda {

// The first fault wins, all of it.
__device__ __forceinline__ void report(Status* status, Fault code, int64_t value, int64_t limit, int64_t where) {
  using Word = unsigned long long;
  if (atomicCAS(reinterpret_cast<Word*>(&status->code), Word{0}, static_cast<Word>(code)) != 0) return;
  status->value = value, status->limit = limit, status->where = where;
}

}  // namespace dlbd::cuda
