// Loops over the vectors of a row: whole vectors, then one masked tail that runs the same code.
#pragma once

#include "simd.h"

namespace dlbd::DLBD_ISA {

// load_n and store_n that cost nothing where `lanes` is known to be a whole vector.
template <class T>
DLBD_INLINE Vec<T> load_part(const T* p, int64_t lanes, T fill = T(0)) {
  return lanes == kLanes<T> ? load(p) : load_n(p, lanes, fill);
}
template <class T>
DLBD_INLINE void store_part(T* p, Vec<T> v, int64_t lanes) {
  if (lanes == kLanes<T>)
    store(p, v);
  else
    store_n(p, v, lanes);
}

// body(j, lanes) for j = 0, L, 2L, ...
template <class T, class Body>
DLBD_INLINE void each_vector(int64_t n, const Body& body) {
  int64_t j = 0;
  for (; j + kLanes<T> <= n; j += kLanes<T>) body(j, kLanes<T>);
  if (j < n) body(j, n - j);
}

// The lanes of v from `lanes` on replaced by `fill`.
template <class T>
DLBD_INLINE Vec<T> keep_lanes(Vec<T> v, int64_t lanes, T fill = T(0)) {
  if (lanes == kLanes<T>) return v;
  Vec<T> index{};
  for (int i = 0; i < kLanes<T>; ++i) index[i] = static_cast<T>(i);
  return index < static_cast<T>(lanes) ? v : splat(fill);
}

// The largest element; NaN is ignored, for the sum of exponentials that follows finds it anyway.
template <class T>
DLBD_INLINE T row_max(const T* x, int64_t n) {
  constexpr int64_t L = kLanes<T>;
  constexpr T kLowest = T(-__builtin_inf());
  const auto larger = [](Vec<T> v, Vec<T> best) __attribute__((always_inline)) { return v > best ? v : best; };
  Vec<T> best[4];
#pragma GCC unroll 4
  for (int u = 0; u < 4; ++u) best[u] = splat(kLowest);
  int64_t j = 0;
  for (; j + 4 * L <= n; j += 4 * L) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) best[u] = larger(load(x + j + u * L), best[u]);
  }
  for (; j + L <= n; j += L) best[0] = larger(load(x + j), best[0]);
  if (j < n) best[1] = larger(load_n(x + j, n - j, kLowest), best[1]);
  return reduce_max<T>(larger(larger(best[0], best[1]), larger(best[2], best[3])));
}

// Sums body(j, lanes) over the row in runs of kSumRun vectors, whose totals are added in double: the rounding error
// stays that of a short sum however long the row is. Four accumulators hide the latency of the addition.
inline constexpr int64_t kSumRun = 64;

template <class T, class Body>
DLBD_INLINE double sum_vectors(int64_t n, const Body& body) {
  constexpr int64_t L = kLanes<T>;
  double total = 0;
  for (int64_t start = 0; start < n; start += kSumRun * L) {
    const int64_t stop = min_of(n, start + kSumRun * L);
    Vec<T> sum[4] = {};
    int64_t j = start;
    for (; j + 4 * L <= stop; j += 4 * L) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sum[u] += body(j + u * L, L);
    }
    for (; j + L <= stop; j += L) sum[0] += body(j, L);
    if (j < stop) sum[1] += keep_lanes<T>(body(j, stop - j), stop - j);
    total += static_cast<double>(reduce_add<T>((sum[0] + sum[1]) + (sum[2] + sum[3])));
  }
  return total;
}

}  // namespace dlbd::DLBD_ISA
