// What the kernels of attention share: where the rows of a head lie, its mask and bias, and products of tiles that lie
// in shared memory, in float32 (Volkov and Demmel 2008: outer products in registers).
#pragma once

#include <cfloat>

#include "../shapes/attention.h"
#include "launch.h"
#include "vector.h"

namespace dlbd::cuda {

// A block for each task; past the limit of gridDim.x, in several rows.
constexpr int64_t kMostBlocks = 0x7fffffff;
inline dim3 task_grid(int64_t tasks) {
  if (tasks <= kMostBlocks) return dim3(static_cast<unsigned>(tasks));
  return dim3(static_cast<unsigned>(kMostBlocks), static_cast<unsigned>(ceil_div(tasks, kMostBlocks)));
}
__device__ __forceinline__ int64_t this_task() { return static_cast<int64_t>(blockIdx.y) * gridDim.x + blockIdx.x; }

__device__ __forceinline__ int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// The largest logit of a row that has seen none: exp(-inf - this) is zero and not NaN.
template <class T>
constexpr T kUnseen = sizeof(T) == 4 ? T(-FLT_MAX) : T(-DBL_MAX);

template <class T>
__device__ __forceinline__ T infinity() {
  return static_cast<T>(__builtin_huge_valf());
}

// The first row of head (b, h) of an array (B, T, H, width); the next is heads * width elements on.
template <class T>
__device__ __forceinline__ T* head_rows(T* x, int64_t b, int64_t h, int64_t t, int64_t heads, int64_t width) {
  return x + (b * t * heads + h) * width;
}
template <class T>
__device__ __forceinline__ const T* head_rows(const void* x, int64_t b, int64_t h, int64_t t, int64_t heads,
                                              int64_t width) {
  return head_rows(static_cast<const T*>(x), b, h, t, heads, width);
}

// The mask and the bias of one head.
template <class T>
struct HeadTables {
  const uint8_t* mask;
  const T* bias;
  int64_t mask_query, mask_key, bias_query, bias_key;

  __device__ HeadTables(const AttentionTable& m, const AttentionTable& s, int64_t b, int64_t h)
      : mask(m.data ? static_cast<const uint8_t*>(m.data) + b * m.batch + h * m.head : nullptr),
        bias(s.data ? static_cast<const T*>(s.data) + b * s.batch + h * s.head : nullptr),
        mask_query(m.query),
        mask_key(m.key),
        bias_query(s.query),
        bias_key(s.key) {}
  __device__ bool any() const { return mask || bias; }
  // The logit of query i and key j, given the product.
  __device__ T adjust(T s, int64_t i, int64_t j) const {
    if (bias) s += bias[i * bias_query + j * bias_key];
    if (mask && !mask[i * mask_query + j * mask_key]) s = -infinity<T>();
    return s;
  }
};

// Which keys exist for which queries.
struct Sight {
  int64_t tq, tk;
  bool causal;
  __device__ bool operator()(int64_t i, int64_t j) const { return i < tq && j < tk && (!causal || j <= i); }
  // Whether every query of [i, i + queries) sees every key of [j, j + keys).
  __device__ bool whole(int64_t i, int queries, int64_t j, int keys) const {
    return i + queries <= tq && j + keys <= tk && (!causal || j + keys - 1 <= i);
  }
};

// A block of threads is 16 x 8: a thread owns the rows down() + 16 r of a product, and the columns across() + 8 c of a
// product of rows, or four columns of each 32 of a product with columns. A row is the work of 8 lanes of one warp, so
// what one product leaves in shared memory for the next is exchanged within warps.
constexpr int kAttentionThreads = 128;
constexpr int kDown = 16, kAcross = 8;
__device__ __forceinline__ int down() { return static_cast<int>(threadIdx.x) / kAcross; }
__device__ __forceinline__ int across() { return static_cast<int>(threadIdx.x) % kAcross; }

// Blocks of a multiprocessor that tiles of 16 R rows aim at; named for the small ones, which would spill for more.
template <int R, int W>
constexpr int kBlocksAtOnce = R > 2    ? 1
                              : W > 64 ? 3
                                       : 4;

template <class Op>
__device__ __forceinline__ float reduce_across(float x, Op op) {
#pragma unroll
  for (int d = kAcross / 2; d > 0; d /= 2) x = op(x, __shfl_xor_sync(0xffffffffu, x, d));
  return x;
}

// Four floats more a row: 8 lanes that read 16 bytes of 8 rows meet all 32 banks once.
template <int kRows, int kWidth>
struct alignas(16) Tile {
  float row[kRows][kWidth + 4];
};

// Rows of one head in global memory.
struct Rows {
  const float* data;
  int64_t count, stride;
  int width;
  bool packs;  // rows are whole aligned packs
};
__device__ __forceinline__ Rows rows_of(const void* x, int64_t b, int64_t h, int64_t t, int64_t heads, int64_t width,
                                        bool packs) {
  return {head_rows<float>(x, b, h, t, heads, width), t, heads * width, static_cast<int>(width), packs};
}

__device__ __forceinline__ Pack<float> load_four(const Rows& x, int64_t row, int d) {
  Pack<float> v{};
  if (row >= x.count) return v;
  const float* p = x.data + row * x.stride + d;
  if (x.packs) return d < x.width ? load_pack(p) : v;
#pragma unroll
  for (int u = 0; u < 4; ++u)
    if (d + u < x.width) v.v[u] = p[u];
  return v;
}

// The rows from `first` on, times factor; zeros beyond the last and beyond the width.
template <int kRows, int kWidth>
__device__ __forceinline__ void stage(const Rows& x, int64_t first, float factor, Tile<kRows, kWidth>& to) {
  constexpr int kPacks = kWidth / 4;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kPacks; i += kAttentionThreads) {
    const int row = i / kPacks, d = i % kPacks * 4;
    Pack<float> v = load_four(x, first + row, d);
#pragma unroll
    for (int u = 0; u < 4; ++u) v.v[u] *= factor;
    store_pack(&to.row[row][d], v);
  }
}

// s[r][c] = a.row[down + 16 r] . b.row[across + 8 c]
template <int R, int C, int kWidth>
__device__ __forceinline__ void dot_rows(const Tile<kDown * R, kWidth>& a, const Tile<kAcross * C, kWidth>& b,
                                         float (&s)[R][C]) {
#pragma unroll
  for (int r = 0; r < R; ++r)
#pragma unroll
    for (int c = 0; c < C; ++c) s[r][c] = 0;
#pragma unroll 1
  // one round of an 8 x 8 product is 256 multiplications: enough to hide the loop
  for (int d = 0; d < kWidth; d += 4) {
    Pack<float> x[R];
#pragma unroll
    for (int r = 0; r < R; ++r) x[r] = load_pack(&a.row[down() + kDown * r][d]);
#pragma unroll
    for (int c = 0; c < C; ++c) {
      const Pack<float> y = load_pack(&b.row[across() + kAcross * c][d]);
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int u = 0; u < 4; ++u) s[r][c] = fmaf(x[r].v[u], y.v[u], s[r][c]);
    }
  }
}

// o += p b: the sums over b's rows.
template <int R, int kDepth, int kWidth>
__device__ __forceinline__ void add_product(const Tile<kDown * R, kDepth>& p, const Tile<kDepth, kWidth>& b,
                                            float (&o)[R][kWidth / kAcross]) {
#pragma unroll 1
  for (int k = 0; k < kDepth; k += 4) {
    Pack<float> x[R];
#pragma unroll
    for (int r = 0; r < R; ++r) x[r] = load_pack(&p.row[down() + kDown * r][k]);
#pragma unroll
    for (int u = 0; u < 4; ++u)
#pragma unroll
      for (int c = 0; c < kWidth / 32; ++c) {
        const Pack<float> y = load_pack(&b.row[k + u][32 * c + 4 * across()]);
#pragma unroll
        for (int r = 0; r < R; ++r)
#pragma unroll
          for (int v = 0; v < 4; ++v) o[r][4 * c + v] = fmaf(x[r].v[u], y.v[v], o[r][4 * c + v]);
      }
  }
}

// Puts a thread's part of a product into p, for its warp to read.
template <int R, int C>
__device__ __forceinline__ void put_product(const float (&s)[R][C], Tile<kDown * R, kAcross * C>& p) {
  __syncwarp();  // who still reads what lay there
#pragma unroll
  for (int r = 0; r < R; ++r)
#pragma unroll
    for (int c = 0; c < C; ++c) p.row[down() + kDown * r][across() + kAcross * c] = s[r][c];
  __syncwarp();
}

// s[r][c] = f(s[r][c], row, column), by way of p: a loop in few instructions, for the tiles at the edges and for those
// with a mask or a bias.
template <int R, int C, class F>
__device__ __forceinline__ void revise(float (&s)[R][C], Tile<kDown * R, kAcross * C>& p, const F& f) {
  put_product(s, p);
#pragma unroll 1
  for (int row = down(); row < kDown * R; row += kDown)
#pragma unroll 1
    for (int column = across(); column < kAcross * C; column += kAcross)
      p.row[row][column] = f(p.row[row][column], row, column);
#pragma unroll
  for (int r = 0; r < R; ++r)
#pragma unroll
    for (int c = 0; c < C; ++c) s[r][c] = p.row[down() + kDown * r][across() + kAcross * c];
}

// One row of a product with columns, times factor, into row of `width` elements; adds if asked to.
template <int kColumns>
__device__ __forceinline__ void write_row(const float (&o)[kColumns], float factor, float* row, int width, bool packs,
                                          bool accumulate) {
#pragma unroll
  for (int c = 0; c < kColumns / 4; ++c) {
    const int d = 32 * c + 4 * across();
    if (packs && d < width) {
      Pack<float> v{};
      if (accumulate) v = load_pack(row + d);
#pragma unroll
      for (int u = 0; u < 4; ++u) v.v[u] = accumulate ? v.v[u] + o[4 * c + u] * factor : o[4 * c + u] * factor;
      store_pack(row + d, v);
    } else if (!packs) {
#pragma unroll
      for (int u = 0; u < 4; ++u)
        if (d + u < width) row[d + u] = accumulate ? row[d + u] + o[4 * c + u] * factor : o[4 * c + u] * factor;
    }
  }
}

// Widths of the tiles: the depth of keys or of values, whichever is larger, padded.
constexpr int64_t kWidestTile = 128;
template <class F>
void with_width(const AttentionShape& s, const F& f) {
  const int64_t widest = s.d > s.dv ? s.d : s.dv;
  if (widest <= 32) return f(std::integral_constant<int, 32>{});
  if (widest <= 64) return f(std::integral_constant<int, 64>{});
  f(std::integral_constant<int, 128>{});
}

// From so many blocks on, tiles are large: about one for each multiprocessor of the largest GPUs.
constexpr int64_t kEnoughBlocks = 96;
// Large tiles of `rows` rows for t rows of each head, or smaller ones for more parallelism and less padding.
inline bool large_tiles(const AttentionShape& s, int64_t t, int64_t rows, size_t shared_bytes) {
  return static_cast<int64_t>(shared_bytes) <= device().shared_bytes && 2 * t > rows &&
         s.batch * s.heads * ceil_div(t, rows) >= kEnoughBlocks;
}
// Whether 16-byte accesses reach every row of arrays that start at packs.
inline bool whole_packs(const AttentionShape& s) { return s.d % 4 == 0 && s.dv % 4 == 0; }

}  // namespace dlbd::cuda
