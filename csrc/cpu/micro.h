// The register tile that GEMM, convolution, RNN and attention share: R rows by V vectors of C stay in registers
// while k runs. GCC keeps them there only if every index is a compile-time constant: hence the forced inlining and
// the full unrolling; count stack references in the assembly after touching this.
#pragma once

#include "simd.h"

namespace dlbd::DLBD_ISA {

// The tile sizes that fill the register file of each instruction set without spilling.
#if defined(__AVX512F__)
inline constexpr int kTileRows = 14, kTileVectors = 2;  // 28 accumulators of 32 registers
#elif defined(__AVX2__)
inline constexpr int kTileRows = 6, kTileVectors = 2;  // 12 of 16
#elif defined(__aarch64__)
inline constexpr int kTileRows = 8, kTileVectors = 3;  // 24 of 32
#else
inline constexpr int kTileRows = 4, kTileVectors = 2;  // 8 of 16
#endif

template <class T, int R, int V>
struct Tile {
  Vec<T> acc[R][V];
};

template <class T, int R, int V>
DLBD_INLINE void clear(Tile<T, R, V>& t) {
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) t.acc[r][v] = Vec<T>{};
}

// t += A B over k steps. A(r, p) = a[r * row_stride + p * k_stride]; row p of B is V full vectors at b + p * ldb.
template <class T, int R, int V>
DLBD_INLINE void multiply(Tile<T, R, V>& t, int64_t k, const T* a, int64_t row_stride, int64_t k_stride, const T* b,
                          int64_t ldb) {
  for (int64_t p = 0; p < k; ++p) {
    Vec<T> row[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) row[v] = load(b + v * kLanes<T>);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      const Vec<T> x = splat(a[r * row_stride]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) t.acc[r][v] += x * row[v];
    }
    a += k_stride;
    b += ldb;
  }
}

}  // namespace dlbd::DLBD_ISA
