// What the convolution paths share: a register tile with a place for its rows, its bias and its activation; copies of
// short runs; packed weights.
#pragma once

#include "../shapes/conv.h"
#include "activation.h"
#include "gemm_core.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {

// Where a tile of R rows goes: row r to c + rows[r].
template <class T>
struct TileOutput {
  T* c;
  const int64_t* rows;
  int64_t columns;  // of the tile that exist
  const T* bias;    // of its columns, or null
  ActivationSpec activation;
  bool add;  // to what is there
};

template <class T, int R, int V>
DLBD_INLINE void add_tile(const Tile<T, R, V>& t, const TileOutput<T>& out) {
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    T* row = out.c + out.rows[r];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(row + v * kLanes<T>, load(row + v * kLanes<T>) + t.acc[r][v]);
  }
}

template <bool Relu, class T, int R, int V>
DLBD_INLINE void write_tile(const Tile<T, R, V>& t, const TileOutput<T>& out) {
  Vec<T> bias[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) bias[v] = out.bias ? load(out.bias + v * kLanes<T>) : Vec<T>{};
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r) {
    T* row = out.c + out.rows[r];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const Vec<T> y = t.acc[r][v] + bias[v];
      store(row + v * kLanes<T>, Relu ? (y < T(0) ? Vec<T>{} : y) : y);
    }
  }
}

// Writes the tile: straight from registers in the common cases, by way of memory for the rest.
template <class T, int R, int V>
DLBD_INLINE void finish(const Tile<T, R, V>& t, const TileOutput<T>& out) {
  constexpr int64_t width = V * kLanes<T>;
  const Activation kind = out.activation.kind;
  if (out.columns == width && (kind == Activation::linear || kind == Activation::relu)) {
    if (!out.add && kind == Activation::relu) return write_tile<true>(t, out);
    if (!out.add) return write_tile<false>(t, out);
    if (kind == Activation::linear && !out.bias) return add_tile(t, out);
  }
  T spilled[R][V][kLanes<T>];
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(&spilled[r][v][0], t.acc[r][v]);
  for (int r = 0; r < R; ++r) {
    T* row = out.c + out.rows[r];
    for (int64_t j = 0; j < out.columns; j += kLanes<T>) {
      const int64_t lanes = min_of<int64_t>(kLanes<T>, out.columns - j);
      Vec<T> y = load(&spilled[r][0][0] + j);
      if (out.add) y += load_n(row + j, lanes);
      if (out.bias) y += load_n(out.bias + j, lanes);
      store_n(row + j, activate<T>(out.activation, y), lanes);
    }
  }
}

// rows x V vectors of A B, 1 <= rows <= R, written to `out`. A and B as in multiply() of micro.h.
template <int V, class T, int R = kTileRows>
inline void tile(int rows, int64_t k, const T* a, int64_t row_stride, int64_t k_stride, const T* b, int64_t ldb,
                 const TileOutput<T>& out) {
  if constexpr (R > 1) {
    if (rows < R) return tile<V, T, R - 1>(rows, k, a, row_stride, k_stride, b, ldb, out);
  }
  Tile<T, R, V> t;
  clear(t);
  multiply(t, k, a, row_stride, k_stride, b, ldb);
  finish(t, out);
}

// Vectors that `columns` columns of a panel need: tiles half as wide serve a narrow last panel.
template <class T>
DLBD_INLINE bool is_narrow(int64_t columns) {
  return kTileVectors == 2 && columns <= kLanes<T>;
}

template <class T>
DLBD_INLINE void panel_tile(int rows, int64_t k, const T* a, int64_t row_stride, int64_t k_stride, const T* b,
                            int64_t ldb, const TileOutput<T>& out) {
  if (is_narrow<T>(out.columns)) return tile<1, T>(rows, k, a, row_stride, k_stride, b, ldb, out);
  tile<kTileVectors, T>(rows, k, a, row_stride, k_stride, b, ldb, out);
}

template <class T>
DLBD_INLINE void copy_run(T* to, const T* from, int64_t n) {
  for (; n >= kLanes<T>; n -= kLanes<T>, to += kLanes<T>, from += kLanes<T>) store(to, load(from));
  if (n > 0) store_n(to, load_n(from, n), n);
}

template <class T>
DLBD_INLINE void zero_run(T* to, int64_t n) {
  for (; n >= kLanes<T>; n -= kLanes<T>, to += kLanes<T>) store(to, Vec<T>{});
  if (n > 0) store_n(to, Vec<T>{}, n);
}

// The part of [0, n) that the i-th of `parts` gets; the sizes differ by at most one.
DLBD_INLINE int64_t part_begin(int64_t n, int64_t parts, int64_t i) { return n / parts * i + min_of(i, n % parts); }

// Elements between rows of a patch block: an odd number of cache lines, so that the rows of a tile do not fall into
// the same sets of the cache.
template <class T>
DLBD_INLINE int64_t padded_row(int64_t n) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  const int64_t lines = ceil_div(n, line);
  return (lines | 1) * line;
}

DLBD_INLINE int64_t taps_of(const ConvShape& s) { return s.axis[0].kernel * s.axis[1].kernel * s.axis[2].kernel; }
DLBD_INLINE int64_t in_pixels(const ConvShape& s) { return s.axis[0].in * s.axis[1].in * s.axis[2].in; }
DLBD_INLINE int64_t out_pixels(const ConvShape& s) { return s.axis[0].out * s.axis[1].out * s.axis[2].out; }

}  // namespace dlbd::DLBD_ISA
