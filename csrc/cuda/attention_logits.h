// Logits of attention in a warp's registers, between the products on tensor cores: mask, bias, what is not seen; and
// rows on their way out.
#pragma once

#include "attention_operands.h"

namespace dlbd::cuda {

// Calls f(x, row, column) for each number x of a lane's part of M x N products, counted from the warp's first row.
template <int M, int N, class F>
__device__ __forceinline__ void each_product(float (&s)[M][N][4], const F& f) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) f(s[m][n][i], 16 * m + g + i / 2 * 8, 8 * n + 2 * t + i % 2);
}

// What the mask and the bias of one tile add to the logits, or gradients on their way out: through shared memory, where
// lanes reach them at fixed offsets, and global memory sees whole lines. 8 floats more a row: no bank is met twice.
template <int kRows, int kColumns>
struct alignas(16) Addends {
  float row[kRows][kColumns + 8];
};

// Calls f(row, column) for the 16 M rows of a warp, neighbours along the columns (or the rows) in neighbouring lanes.
template <int M, int kColumns, bool kAlongRows, class F>
__device__ __forceinline__ void each_of_warp(const F& f) {
  __syncwarp();
#pragma unroll 1
  for (int at = static_cast<int>(threadIdx.x) % kWarp; at < 16 * M * kColumns; at += kWarp)
    kAlongRows ? f(at % (16 * M), at / (16 * M)) : f(at / kColumns, at % kColumns);
  __syncwarp();
}

// What mask and bias add to the logits of the warp's rows from `row0` on and the columns from `column0` on; -inf where
// nothing is seen. Rows are queries, or with kKeyRows keys.
template <bool kKeyRows, int M, class Args, int kRows, int kColumns>
__device__ __forceinline__ void fill_addends(const Args& a, const Sight& sees, int64_t b, int64_t h, int warp_row,
                                             int64_t row0, int64_t column0, Addends<kRows, kColumns>& to) {
  const HeadTables<float> tables(a.mask, a.bias, b, h);  // made here: it would take registers of all tiles
  const int64_t i0 = kKeyRows ? column0 : row0, j0 = kKeyRows ? row0 : column0;
  each_of_warp<M, kColumns, kKeyRows>([&](int row, int column) {
    const int64_t i = i0 + (kKeyRows ? column : row), j = j0 + (kKeyRows ? row : column);
    to.row[warp_row + row][column] = sees(i, j) ? tables.adjust(0.0f, i, j) * kLog2E : -infinity<float>();
  });
}

// Makes logits of the products of the warp's queries from i0 on and the keys from j0 on: -inf where nothing is seen,
// with kRows in rows beyond the last query, too. Memory: what holds the addends of a block that has a mask or a bias.
// Whether there may be such an -inf.
template <class Memory, bool kRows, class Args, int M, int N>
__device__ __forceinline__ bool finish_logits(const Args& a, const Sight& sees, int64_t b, int64_t h, int warp_row,
                                              int64_t i0, int64_t j0, float (&s)[M][N][4]) {
  if (has_tables(a)) {
    auto& addends = shared<Memory>().addends;
    fill_addends<false, M>(a, sees, b, h, warp_row, i0, j0, addends);
    each_product(s, [&](float& x, int row, int column) {
      const float more = addends.row[warp_row + row][column];
      x = more == -infinity<float>() ? more : x + more;
    });
    return true;
  }
  if (sees.whole(i0, 16 * M, j0, 8 * N)) return false;
  const int last = static_cast<int>(smaller(8 * N, sees.tk - j0)), diagonal = static_cast<int>(i0 - j0);
  const int last_row = kRows ? static_cast<int>(smaller(16 * M, sees.tq - i0)) : 0;
  each_product(s, [&](float& x, int row, int column) {
    const bool beyond = column >= last || (kRows && row >= last_row);
    if (beyond || (sees.causal && column > diagonal + row)) x = -infinity<float>();
  });
  return true;
}

// Row g + 8 half of o, times factor, to `width` numbers; adds if asked to. pairs: the row starts at 8 bytes.
template <int kColumns>
__device__ __forceinline__ void write_half(const float (&o)[kColumns][4], int half, float factor, float* row, int width,
                                           bool pairs, bool accumulate) {
  const int t = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int n = 0; n < kColumns; ++n) {
    const int d = 8 * n + 2 * t;
    float x = o[n][2 * half] * factor, y = o[n][2 * half + 1] * factor;
    if (pairs && d < width) {  // the width is even
      auto* at = reinterpret_cast<float2*>(row + d);
      if (accumulate) x += at->x, y += at->y;
      *at = make_float2(x, y);
    } else if (!pairs) {
      if (d < width) row[d] = accumulate ? row[d] + x : x;
      if (d + 1 < width) row[d + 1] = accumulate ? row[d + 1] + y : y;
    }
  }
}

}  // namespace dlbd::cuda
