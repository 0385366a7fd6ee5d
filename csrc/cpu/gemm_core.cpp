// The register tiles and the packing behind gemm_core.h, compiled once per instruction set.
#include "gemm_core.h"

#include "transpose.h"

namespace dlbd::DLBD_ISA {
namespace {

template <class T, int R, int V, bool Tail>
void tile(const TileCall<T>& call) {
  // C arrives from L2 or beyond while k runs.
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) __builtin_prefetch(call.c.data + r * call.c.row + v * kLanes<T>, 1);
  Tile<T, R, V> t;
  clear(t);
  const int64_t last = Tail ? call.n - (V - 1) * kLanes<T> : kLanes<T>;
  multiply<T, R, V, Tail>(t, call.k, call.a.data, call.a.row, call.a.step, call.b, call.ldb, last);
  T* c = call.c.data;
  if (call.c.bias) {
    Vec<T> bias[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const T* from = call.c.bias + v * kLanes<T>;
      bias[v] = Tail && v == V - 1 ? load_n(from, last) : load(from);
    }
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) t.acc[r][v] += bias[v];
  }
  if (call.c.accumulate) {
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        const T* from = c + r * call.c.row + v * kLanes<T>;
        t.acc[r][v] += Tail && v == V - 1 ? load_n(from, last) : load(from);
      }
  }
#pragma GCC unroll 32
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      T* to = c + r * call.c.row + v * kLanes<T>;
      if (Tail && v == V - 1) {
        store_n(to, t.acc[r][v], last);
      } else {
        store(to, t.acc[r][v]);
      }
    }
}

template <class T, int R, int V>
DLBD_INLINE void tile_of_width(const TileCall<T>& call) {
  if (call.n % kLanes<T> == 0) return tile<T, R, V, false>(call);
  tile<T, R, V, true>(call);
}

template <class T, int R>
void tile_of_height(const TileCall<T>& call) {
  static_assert(kTileVectors <= 3);
  if (call.n <= kLanes<T>) return tile_of_width<T, R, 1>(call);
  if constexpr (kTileVectors == 3)
    if (call.n > 2 * kLanes<T>) return tile_of_width<T, R, 3>(call);
  tile_of_width<T, R, 2>(call);
}

template <class T, int R>
DLBD_INLINE void choose_height(int64_t rows, const TileCall<T>& call) {
  if constexpr (R > 1)
    if (rows < R) return choose_height<T, R - 1>(rows, call);
  tile_of_height<T, R>(call);
}

}  // namespace

template <class T>
void multiply_tile(int64_t rows, const TileCall<T>& call) {
  choose_height<T, kRows<T>>(rows, call);
}

template <class T>
void pack_b(const T* b, int64_t row, int64_t column, int64_t k, int64_t n, T* panels) {
  // Runs of this many panels are copied together, so that memory is read in long runs.
  constexpr int64_t kTogether = 8 * kPanel<T>;
  for (int64_t j0 = 0; column == 1 && j0 < n; j0 += kTogether) {
    const int64_t columns = min_of(kTogether, n - j0), whole = columns / kPanel<T>;
    for (int64_t p = 0; p < k; ++p) {
      const T* from = b + p * row + j0;
      T* to = panels + j0 * k + p * kPanel<T>;
      for (int64_t q = 0; q < whole; ++q, from += kPanel<T>, to += k * kPanel<T>)
#pragma GCC unroll 4
        for (int v = 0; v < kTileVectors; ++v) store(to + v * kLanes<T>, load(from + v * kLanes<T>));
      for (int64_t v = 0; v < kTileVectors && whole * kPanel<T> < columns; ++v) {
        const int64_t lanes = columns - whole * kPanel<T> - v * kLanes<T>;
        store(to + v * kLanes<T>,
              lanes > 0 ? load_n(from + v * kLanes<T>, min_of<int64_t>(lanes, kLanes<T>)) : Vec<T>{});
      }
    }
  }
  if (column == 1) return;
  for (int64_t j = 0; j < n; j += kPanel<T>)
    for (int v = 0; v < kTileVectors; ++v) {
      const int64_t first = j + v * kLanes<T>, lanes = max_of<int64_t>(0, min_of<int64_t>(kLanes<T>, n - first));
      transpose_strip(b + first * column, column, row, lanes, k, panels + j * k + v * kLanes<T>, kPanel<T>);
    }
}

template <class T>
void pack_a(Rows<T> a, int64_t m, int64_t k, T* packed) {
  static_assert(kRows<T> <= kLanes<T> || kRows<T> % kLanes<T> == 0);
  const RowTiles<T> tiles(m);
  if (a.row == 1) {
    for (int64_t p = 0; p < k; ++p)
      for (int64_t t = 0; t < tiles.count; ++t)
        for (int64_t i = 0; i < tiles.rows(t); i += kLanes<T>) {
          __builtin_prefetch(a.data + (p + 8) * a.step + tiles.first(t) + i);
          const Vec<T> x =
              load_n(a.data + p * a.step + tiles.first(t) + i, min_of<int64_t>(kLanes<T>, tiles.rows(t) - i));
          T* to = packed + (t * k + p) * kRows<T> + i;
          // A whole vector may run over the tile's next step, which is yet to come; but not over the next tile.
          if (p + 1 < k) {
            store(to, x);
          } else {
            store_n(to, x, min_of<int64_t>(kLanes<T>, kRows<T> - i));
          }
        }
    return;
  }
  for (int64_t t = 0; t < tiles.count; ++t)
    for (int64_t i = 0; i < tiles.rows(t); i += kLanes<T>)
      transpose_strip(a.data + (tiles.first(t) + i) * a.row, a.row, a.step,
                      min_of<int64_t>(kLanes<T>, tiles.rows(t) - i), k, packed + t * k * kRows<T> + i, kRows<T>);
}

template void multiply_tile<float>(int64_t, const TileCall<float>&);
template void multiply_tile<double>(int64_t, const TileCall<double>&);
template void pack_b<float>(const float*, int64_t, int64_t, int64_t, int64_t, float*);
template void pack_b<double>(const double*, int64_t, int64_t, int64_t, int64_t, double*);
template void pack_a<float>(Rows<float>, int64_t, int64_t, float*);
template void pack_a<double>(Rows<double>, int64_t, int64_t, double*);

}  // namespace dlbd::DLBD_ISA
