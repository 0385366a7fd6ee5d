// Matrix products on one thread, for use inside other kernels (gemm, conv, rnn, attention). T is float or double.
//   Rows<T>     A(r, p) = data[r * row + p * step]: any strides, so A or its transpose, in place or packed.
//   Columns<T>  B by panels of kPanel<T> columns: packed_columns(panels, k) after pack_b, or direct_columns(b, ldb)
//               where B's rows are contiguous in memory (no packing; the last panel is read with masks).
//   Output<T>   C(r, j) = data[r * row + j], n values of `bias` or null, `accumulate` adds to what C holds.
//   multiply_block(m, n, k, a, b, c)         C = A B (+ bias) or C += A B;
//   multiply_block(m, n, k, a, b, c, done)   and done(row, column, rows, columns) after each finished tile of C, while
//                                            it lies in L1: an activation, say.
//   pack_b(b, row, column, k, n, panels)     B(p, j) = b[p * row + j * column]; panels: packed_b_size<T>(k, n)
//   elements.
// k is summed in blocks of kDepth, in order, so the bits of one element of C depend on its row, column and k alone.
#pragma once

#include "micro.h"

namespace dlbd::DLBD_ISA {

// Columns of a panel of B: the width of the register tile.
template <class T>
inline constexpr int kPanel = kTileVectors* kLanes<T>;

// Rows of the register tile; float64 serves gradient checks only, so it has fewer variants.
template <class T>
inline constexpr int kRows = sizeof(T) == 4 ? kTileRows : 4;

// k steps that one pass over a tile takes: a panel of that depth (32 KB with AVX-512) stays in L1 while the rows of A
// pass by, and partial sums of this length keep the rounding error of long sums small.
inline constexpr int64_t kDepth = 256;

template <class T>
struct Rows {
  const T* data;
  int64_t row, step;
};

template <class T>
struct Columns {
  const T* data;
  int64_t row, panel;  // elements between rows of a panel, and between panels
};

template <class T>
struct Output {
  T* data;
  int64_t row;
  const T* bias;
  bool accumulate;
};

template <class T>
DLBD_INLINE constexpr int64_t packed_b_size(int64_t k, int64_t n) {
  return round_up(n, kPanel<T>) * k;
}

template <class T>
DLBD_INLINE Columns<T> packed_columns(const T* panels, int64_t k) {
  return {panels, kPanel<T>, kPanel<T> * k};
}

template <class T>
DLBD_INLINE Columns<T> direct_columns(const T* b, int64_t ldb) {
  return {b, ldb, kPanel<T>};
}

// m rows cut into tiles of nearly equal height: 32 rows are 11 + 11 + 10 rather than 14 + 14 + 4.
template <class T>
struct RowTiles {
  int64_t count, height, taller;
  DLBD_INLINE explicit RowTiles(int64_t m)
      : count(ceil_div(m, kRows<T>)), height(count ? m / count : 0), taller(count ? m % count : 0) {}
  DLBD_INLINE int64_t rows(int64_t t) const { return height + (t < taller ? 1 : 0); }
  DLBD_INLINE int64_t first(int64_t t) const { return height * t + min_of(t, taller); }
};

// One register tile: rows <= kRows, n <= kPanel columns, all of k.
template <class T>
struct TileCall {
  int64_t k;
  Rows<T> a;
  const T* b;
  int64_t ldb;
  Output<T> c;
  int64_t n;
};

template <class T>
void multiply_tile(int64_t rows, const TileCall<T>& call);

template <class T>
void pack_b(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* panels);

// m rows of A as RowTiles cuts them, each tile for Rows{packed + tile * k * kRows, 1, kRows}; packed_a_size elements.
template <class T>
void pack_a(Rows<T> a, int64_t m, int64_t k, T* packed);

template <class T>
DLBD_INLINE constexpr int64_t packed_a_size(int64_t m, int64_t k) {
  return round_up(m, kRows<T>) * k + kLanes<T>;
}

extern template void multiply_tile<float>(int64_t, const TileCall<float>&);
extern template void multiply_tile<double>(int64_t, const TileCall<double>&);
extern template void pack_b<float>(const float*, int64_t, int64_t, int64_t, int64_t, float*);
extern template void pack_b<double>(const double*, int64_t, int64_t, int64_t, int64_t, double*);
extern template void pack_a<float>(Rows<float>, int64_t, int64_t, float*);
extern template void pack_a<double>(Rows<double>, int64_t, int64_t, double*);

template <class T>
DLBD_INLINE void fill_zero(T* p, int64_t n) {
  __builtin_memset(p, 0, static_cast<size_t>(n) * sizeof(T));
}

template <class T, class Done>
inline void multiply_block(int64_t m, int64_t n, int64_t k, Rows<T> a, Columns<T> b, Output<T> c, const Done& done) {
  if (m == 0 || n == 0) return;
  const RowTiles<T> tiles(m);
  int64_t p = 0;
  do {
    const int64_t depth = min_of(k - p, kDepth);
    for (int64_t j = 0; j < n; j += kPanel<T>) {
      const int64_t columns = min_of<int64_t>(n - j, kPanel<T>);
      TileCall<T> call{};
      call.k = depth, call.n = columns, call.ldb = b.row;
      call.b = b.data + j / kPanel<T> * b.panel + p * b.row;
      call.a.row = a.row, call.a.step = a.step, call.c.row = c.row;
      call.c.bias = p == 0 && c.bias ? c.bias + j : nullptr;
      call.c.accumulate = p != 0 || c.accumulate;
      for (int64_t t = 0; t < tiles.count; ++t) {
        const int64_t i = tiles.first(t), rows = tiles.rows(t);
        call.a.data = a.data + i * a.row + p * a.step;
        call.c.data = c.data + i * c.row + j;
        multiply_tile(rows, call);
        if (p + depth >= k) done(i, j, rows, columns);
      }
    }
    p += depth;
  } while (p < k);
}

template <class T>
inline void multiply_block(int64_t m, int64_t n, int64_t k, Rows<T> a, Columns<T> b, Output<T> c) {
  multiply_block(m, n, k, a, b, c, [](int64_t, int64_t, int64_t, int64_t) {});
}

}  // namespace dlbd::DLBD_ISA
