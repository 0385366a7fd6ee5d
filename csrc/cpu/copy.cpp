// One strided copy for transpose, slice, concatenate, pad, flip and tile.
#include "../shapes/copy.h"

#include "../shapes/kernels.h"
#include "broadcast.h"
#include "transpose.h"

namespace dlbd::DLBD_ISA {
namespace {

template <class T, bool Accumulate>
DLBD_INLINE void put(T* y, T x) {
  *y = Accumulate ? static_cast<T>(*y + x) : x;
}

template <class T, bool Accumulate>
void copy_rows(const CopyArgs& args) {
  const T* x = static_cast<const T*>(args.x) + args.shape.src_offset;
  T* y = static_cast<T*>(args.y) + args.shape.dst_offset;
  // Shorter runs cost less in a loop than in a call.
  constexpr int64_t kCall = 64;
  for_each_row(args.threads, args.shape.walk, [&](const int64_t* at, int64_t, int64_t n) {
    const T* from = x + at[0];
    T* to = y + at[1];
    if (!Accumulate && n >= kCall) {
      __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t i = 0; i < n; ++i) put<T, Accumulate>(to + i, from[i]);
    }
  });
}

template <class T, bool Accumulate>
void copy_strided(const CopyArgs& args) {
  const BroadcastShape& s = args.shape.walk;
  const int64_t src = s.stride[0][s.ndim - 1], dst = s.stride[1][s.ndim - 1];
  const T* x = static_cast<const T*>(args.x) + args.shape.src_offset;
  T* y = static_cast<T*>(args.y) + args.shape.dst_offset;
  for_each_row(args.threads, s, [&](const int64_t* at, int64_t, int64_t n) {
    const T* from = x + at[0];
    T* to = y + at[1];
    if (src == 0 && dst == 1) {
      const T value = *from;
      for (int64_t i = 0; i < n; ++i) put<T, Accumulate>(to + i, value);
    } else if (src == -1 && dst == 1) {
      for (int64_t i = 0; i < n; ++i) put<T, Accumulate>(to + i, from[-i]);
    } else {
      for (int64_t i = 0; i < n; ++i) put<T, Accumulate>(to + i * dst, from[i * src]);
    }
  });
}

template <class T, bool Accumulate>
DLBD_INLINE void transpose_tile(const T* x, int64_t src, T* y, int64_t dst) {
  constexpr int L = kLanes<T>;
  Vec<T> r[L];
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) r[i] = load(x + i * src);
  transpose_square<T>(r);
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) store(y + i * dst, Accumulate ? load(y + i * dst) + r[i] : r[i]);
}

// x is contiguous along `across`, y along the last dimension.
template <class T, bool Accumulate>
void copy_transposed(const CopyArgs& args) {
  // A block of 4 KB x 64 rows: each cache line is used whole, and the rows' pages stay in the TLB.
  constexpr int64_t kBlock = 64;
  const BroadcastShape& s = args.shape.walk;
  const int last = s.ndim - 1, across = args.shape.across;
  const int64_t rows = s.size[across], columns = s.size[last];  // of the destination
  const int64_t src = s.stride[0][last], dst = s.stride[1][across];
  const int64_t row_blocks = ceil_div(rows, kBlock), column_blocks = ceil_div(columns, kBlock);
  const int64_t matrices = s.total / (rows * columns);
  const T* x = static_cast<const T*>(args.x) + args.shape.src_offset;
  T* y = static_cast<T*>(args.y) + args.shape.dst_offset;
  parallel_for(args.threads, matrices * row_blocks * column_blocks, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      int64_t rest = block;
      const int64_t column = rest % column_blocks * kBlock;
      rest /= column_blocks;
      const int64_t row = rest % row_blocks * kBlock;
      rest /= row_blocks;
      int64_t from = row + column * src, to = row * dst + column;
      for (int d = last - 1; d >= 0; --d) {
        if (d == across) continue;
        from += rest % s.size[d] * s.stride[0][d], to += rest % s.size[d] * s.stride[1][d];
        rest /= s.size[d];
      }
      const T* p = x + from;
      T* q = y + to;
      const int64_t m = min_of(kBlock, rows - row), n = min_of(kBlock, columns - column);
      int64_t i = 0;
      if constexpr (sizeof(T) >= 4) {
        constexpr int L = kLanes<T>;
        for (; i + L <= m; i += L) {
          int64_t j = 0;
          for (; j + L <= n; j += L) transpose_tile<T, Accumulate>(p + j * src + i, src, q + i * dst + j, dst);
          for (; j < n; ++j)
            for (int64_t k = i; k < i + L; ++k) put<T, Accumulate>(q + k * dst + j, p[j * src + k]);
        }
      }
      for (; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) put<T, Accumulate>(q + i * dst + j, p[j * src + i]);
    }
  });
}

template <class T, bool Accumulate>
void copy_as(const CopyArgs& args) {
  switch (args.shape.path) {
    case CopyPath::rows: return copy_rows<T, Accumulate>(args);
    case CopyPath::transpose: return copy_transposed<T, Accumulate>(args);
    case CopyPath::strided: return copy_strided<T, Accumulate>(args);
  }
}

}  // namespace

// Without accumulation only the size of an element matters: NaN payloads and integers travel through float registers
// untouched, as a move never changes bits.
void copy(const CopyArgs& args) {
  switch (args.dtype) {
    case DType::f32: return args.accumulate ? copy_as<float, true>(args) : copy_as<float, false>(args);
    case DType::f64: return args.accumulate ? copy_as<double, true>(args) : copy_as<double, false>(args);
    case DType::i32: return copy_as<float, false>(args);
    case DType::i64: return copy_as<double, false>(args);
    case DType::u8:
    case DType::b8: return copy_as<uint8_t, false>(args);
  }
}

}  // namespace dlbd::DLBD_ISA
