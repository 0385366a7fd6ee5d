// The order of values along rows, and places in a sorted sequence. NaN count as the largest, zeros of both signs as
// equal.
#pragma once

#include "common.h"

namespace dlbd {

// order (rows, k): the positions of the first k of n values, in ascending or descending order; equal ones keep theirs.
struct SortOrderArgs : LaunchArgs {
  int64_t rows, n, k;
  DType dtype;
  bool descending;
  const void* x;
  int32_t* order;
};

// places[i]: how many of the n sorted numbers are less than values[i], or not greater if `right`.
struct SearchSortedArgs : LaunchArgs {
  int64_t n, count;
  DType dtype;
  bool right;
  const void* sorted;
  const void* values;
  int32_t* places;
};

}  // namespace dlbd
