// What forward and backward of the recurrent cells share: the product of a few rows with one panel of units, and how
// scratch memory is cut up.
#pragma once

#include "../shapes/rnn.h"
#include "gemm_core.h"

namespace dlbd::DLBD_ISA {

// A block of hidden units is what one panel of a gate holds.
template <class T>
inline constexpr int kUnits = kPanel<T>;

// out[r][j] = sum over p of a[r][p] panel[p][j] + bias[j], for at most kRows rows and whole vectors of the block.
// Each sum runs over p in order whatever the tile, so no split of the rows changes a bit.
template <class T>
DLBD_INLINE void product(int64_t rows, int64_t vectors, int64_t k, const T* a, int64_t lda, const T* panel,
                         const T* bias, T* out) {
  TileCall<T> call{};
  call.k = k, call.n = vectors * kLanes<T>;
  call.a = {a, lda, 1};
  call.b = panel, call.ldb = kUnits<T>;
  call.c = {out, kUnits<T>, bias, false};
  multiply_tile(rows, call);
}

template <class T>
DLBD_INLINE void put(T* p, Vec<T> v, int64_t n) {
  if (n >= kLanes<T>)
    store(p, v);
  else
    store_n(p, v, n);
}
template <class T>
DLBD_INLINE Vec<T> get(const T* p, int64_t n) {
  return n >= kLanes<T> ? load(p) : load_n(p, n);
}

// Rows of a left operand: one more cache line than needed, so that rows do not fall into the same cache set.
DLBD_INLINE constexpr int64_t padded_stride(int64_t depth) { return round_up(depth, 16) + 16; }

// Cuts scratch memory into aligned arrays; with a null base it only counts.
struct ScratchCutter {
  char* base;
  int64_t used;

  template <class T>
  DLBD_INLINE T* take(int64_t count) {
    T* p = base ? reinterpret_cast<T*>(base + used) : nullptr;
    used += round_up(count * static_cast<int64_t>(sizeof(T)), 64);
    return p;
  }
};

// Splits n rows into parts of nearly equal height, at most `most`.
struct EvenSplit {
  int64_t n, parts;
  DLBD_INLINE EvenSplit(int64_t n, int64_t most) : n(n), parts(ceil_div(n, most)) {}
  DLBD_INLINE int64_t edge(int64_t i) const { return n * i / parts; }
};

}  // namespace dlbd::DLBD_ISA
