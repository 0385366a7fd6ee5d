// Bias and activation on the way back, as a pass over rows that a kernel can make for the block it works on.
#pragma once

#include "activation.h"

namespace dlbd::DLBD_ISA {

// dz = dy * act'(y) for `rows` rows of `columns` values, and sums[0, columns) += their column sums, which are formed
// row block by row block so that long sums stay accurate. y: null if the activation is linear. dz, sums: null where
// nobody needs them; sums has room for whole vectors.
template <class T>
inline void epilogue_rows(const T* dy, const T* y, ActivationSpec activation, int64_t rows, int64_t columns, T* dz,
                          T* sums) {
  constexpr int64_t kBlock = 64;
  const auto pass = [&](auto kind) {
    constexpr Activation kKind = decltype(kind)::value;
    const ActivationSpec act{kKind, activation.alpha};
    for (int64_t first = 0; first < rows; first += kBlock) {
      const int64_t last = min_of(first + kBlock, rows);
      for (int64_t j = 0; j < columns; j += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, columns - j);
        Vec<T> sum{};
        const auto run = [&](auto read, auto write) {
          for (int64_t r = first; r < last; ++r) {
            Vec<T> g = read(dy + r * columns + j);
            if constexpr (kKind != Activation::linear) g = activation_gradient<T>(act, read(y + r * columns + j), g);
            if (dz) write(dz + r * columns + j, g);
            sum += g;
          }
        };
        if (lanes == kLanes<T>) {
          run([](const T* p) { return load(p); }, [](T* p, Vec<T> v) { store(p, v); });
        } else {
          run([&](const T* p) { return load_n(p, lanes); }, [&](T* p, Vec<T> v) { store_n(p, v, lanes); });
        }
        if (sums) store(sums + j, load(sums + j) + sum);
      }
    }
  };
  with_activation(y ? activation.kind : Activation::linear, pass);
}

}  // namespace dlbd::DLBD_ISA
