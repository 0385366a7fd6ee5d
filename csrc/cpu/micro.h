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

// Keeps a value in a register and hides where it came from, so that GCC does not turn R rows into R pointers.
template <class P>
DLBD_INLINE void keep(P& p) {
  asm("" : "+r"(p));
}

// Keeps a loaded vector in a register: GCC would rather load it again for every product it enters.
template <class V>
DLBD_INLINE void keep_vector(V& v) {
#if defined(__x86_64__)
  asm("" : "+v"(v));
#else
  asm("" : "+w"(v));
#endif
}

// t += A B over k steps. A(r, p) = a[r * row_stride + p * k_stride]; row p of B is V vectors at b + p * ldb, of which
// the last has `last` lanes if Tail (the others read as zero).
template <class T, int R, int V, bool Tail = false>
DLBD_INLINE void multiply(Tile<T, R, V>& t, int64_t k, const T* a, int64_t row_stride, int64_t k_stride, const T* b,
                          int64_t ldb, int64_t last = kLanes<T>) {
  // Five rows per base pointer: x86 addresses base + stride * {0, 1, 2, 4} and base + 3 stride with no arithmetic.
  constexpr int kBases = (R + 4) / 5;
  const int64_t step = row_stride * static_cast<int64_t>(sizeof(T));
  int64_t step3 = 3 * step;
  const int64_t next = k_stride * static_cast<int64_t>(sizeof(T));
  keep(step3);
  const char* base[kBases];
#pragma GCC unroll 8
  for (int g = 0; g < kBases; ++g) {
    base[g] = reinterpret_cast<const char*>(a) + 5 * g * step;
    keep(base[g]);
  }
  for (int64_t p = 0; p < k; ++p) {
    Vec<T> row[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) row[v] = Tail && v == V - 1 ? load_n(b + v * kLanes<T>, last) : load(b + v * kLanes<T>);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      const int64_t offset = r % 5 == 3 ? step3 : (r % 5) * step;
      const Vec<T> x = splat(*reinterpret_cast<const T*>(base[r / 5] + offset));
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) t.acc[r][v] += x * row[v];
    }
#pragma GCC unroll 8
    for (int g = 0; g < kBases; ++g) {
      base[g] += next;
      keep(base[g]);
    }
    b += ldb;
  }
}

}  // namespace dlbd::DLBD_ISA
