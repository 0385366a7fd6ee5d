// Bias and activation of a convolution on the way back.
#pragma once

#include "activation.h"

namespace dlbd::DLBD_ISA {

// dz = dy * act'(y) for `rows` rows of k values, and sums[0, k) += their column sums, which are formed row block by row
// block so that long sums stay accurate. y: null if the activation is linear. dz, sums: null where nobody needs them;
// sums has room for whole vectors.
template <class T>
inline void epilogue_rows(const T* dy, const T* y, ActivationSpec activation, int64_t rows, int64_t k, T* dz, T* sums) {
  constexpr int64_t kBlock = 64;
  const auto gradient = [&](int64_t at, int64_t lanes) {
    const Vec<T> g = lanes == kLanes<T> ? load(dy + at) : load_n(dy + at, lanes);
    if (!y) return g;
    const Vec<T> value = lanes == kLanes<T> ? load(y + at) : load_n(y + at, lanes);
    if (activation.kind == Activation::relu) return value > T(0) ? g : Vec<T>{};
    return activation_gradient<T>(activation, value, g);
  };
  for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    const int64_t r1 = min_of(r0 + kBlock, rows);
    for (int64_t j = 0; j < k; j += kLanes<T>) {
      const int64_t lanes = min_of<int64_t>(kLanes<T>, k - j);
      Vec<T> sum{};
      for (int64_t r = r0; r < r1; ++r) {
        const Vec<T> g = gradient(r * k + j, lanes);
        if (dz && lanes == kLanes<T>) store(dz + r * k + j, g);
        if (dz && lanes < kLanes<T>) store_n(dz + r * k + j, g, lanes);
        sum += g;
      }
      if (sums) store(sums + j, load(sums + j) + sum);
    }
  }
}

}  // namespace dlbd::DLBD_ISA
