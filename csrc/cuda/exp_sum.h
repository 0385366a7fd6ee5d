// The largest element of a row and the sum of exponentials from one reading (Milakov and Gimelshein 2018): whenever a
// larger element comes, what was summed so far is scaled down.
#pragma once

#include "block.h"
#include "vector.h"

namespace dlbd::cuda {

template <class T>
inline constexpr T kLowest = T(-__builtin_huge_val());

// A NaN or +inf in the row makes the sum NaN; of nothing but -inf it is 0.
template <class T>
struct ExpSum {
  T top = kLowest<T>;
  double sum = 0;  // of exp(x - top)
};

// What exponents are counted from: nothing is subtracted from -inf where all are such.
template <class T>
__device__ __forceinline__ T origin(T top) {
  return top == kLowest<T> ? T(0) : top;
}

template <class T, int N>
__device__ __forceinline__ void add_exponentials(ExpSum<T>& to, const T (&x)[N]) {
  T top = to.top;
#pragma unroll
  for (int i = 0; i < N; ++i) top = Larger()(x[i], top);
  if (to.sum != 0 && top != to.top) to.sum *= static_cast<double>(exp(to.top - top));
  const T from = origin(top);
  T even = 0, odd = 0;
#pragma unroll
  for (int i = 0; i < N; i += 2) {
    even += exp(x[i] - from);
    odd += exp(x[i + 1] - from);
  }
  to.top = top;
  to.sum += static_cast<double>(even + odd);
}

template <class T, int N>
__device__ __forceinline__ void add_exponentials(ExpSum<T>& to, const Pack<T> (&packs)[N]) {
  T x[N * Pack<T>::kSize];
#pragma unroll
  for (int u = 0; u < N; ++u)
#pragma unroll
    for (int i = 0; i < Pack<T>::kSize; ++i) x[u * Pack<T>::kSize + i] = packs[u].v[i];
  add_exponentials(to, x);
}

// The sum as it is when `top` is the largest.
template <class T>
__device__ __forceinline__ double seen_from(const ExpSum<T>& s, T top) {
  return s.sum == 0 ? 0 : s.sum * static_cast<double>(exp(s.top - top));
}

}  // namespace dlbd::cuda
