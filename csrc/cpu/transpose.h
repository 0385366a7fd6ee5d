// Transposing strips of a matrix in registers.
#pragma once

#include "simd.h"

namespace dlbd::DLBD_ISA {

// One of the log2(L) exchanges of a transposition: swaps the off-diagonal halves of every 2 Half x 2 Half block.
template <class T, int Half>
DLBD_INLINE void exchange(Vec<T> (&x)[kLanes<T>]) {
  constexpr int L = kLanes<T>;
  typename MaskOf<T>::type low, high;
  for (int i = 0; i < L; ++i) {
    low[i] = i & Half ? i - Half + L : i;
    high[i] = i & Half ? i + L : i + Half;
  }
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) {
    if (i & Half) continue;
    const Vec<T> a = x[i], b = x[i + Half];
    x[i] = __builtin_shuffle(a, b, low);
    x[i + Half] = __builtin_shuffle(a, b, high);
  }
}

template <class T>
DLBD_INLINE void transpose_square(Vec<T> (&x)[kLanes<T>]) {
  if constexpr (kLanes < T >> 8) exchange<T, 8>(x);
  if constexpr (kLanes < T >> 4) exchange<T, 4>(x);
  if constexpr (kLanes < T >> 2) exchange<T, 2>(x);
  exchange<T, 1>(x);
}

// to[p * ldt + lane] = from[lane * lane_stride + p * step] for lanes < `lanes` <= kLanes, p < k. Writes whole vectors
// in order of p: lanes beyond `lanes` are zero, and what runs over the next row of `to` is overwritten by it.
template <class T>
DLBD_INLINE void transpose_strip(const T* from, int64_t lane_stride, int64_t step, int64_t lanes, int64_t k, T* to,
                                 int64_t ldt) {
  constexpr int L = kLanes<T>;
  int64_t p = 0;
  if (step == 1) {
    for (; p < k; p += L) {
      const int64_t steps = min_of<int64_t>(L, k - p);
      Vec<T> x[L];
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i) {
        x[i] = Vec<T>{};
        if (i < lanes) x[i] = steps == L ? load(from + i * lane_stride + p) : load_n(from + i * lane_stride + p, steps);
      }
      transpose_square<T>(x);
#pragma GCC unroll 16
      for (int i = 0; i < L; ++i)
        if (i < steps) store(to + (p + i) * ldt, x[i]);
    }
    return;
  }
  for (; p < k; ++p) {
    T row[L] = {};
    for (int64_t lane = 0; lane < lanes; ++lane) row[lane] = from[lane * lane_stride + p * step];
    store(to + p * ldt, load(row));
  }
}

}  // namespace dlbd::DLBD_ISA
