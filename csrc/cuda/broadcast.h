// How elementwise kernels find the operands of a broadcast result. Where packs of the result lie within rows, each
// costs one division per dimension outside the innermost; elements cost as much each where they do not.
#pragma once

#include "../shapes/elementwise.h"
#include "elements.h"
#include "walk.h"

namespace dlbd::cuda {

// At most this many elements of a shape with several dimensions are computed in one launch: 32 bits hold every index.
#if defined(DLBD_CUDA_EMULATION)
inline constexpr int64_t kMostIndexed = 20000;  // for the tests to reach beyond
#else
inline constexpr int64_t kMostIndexed = int64_t{1} << 30;
#endif

// A broadcast shape as kernels need it: with one dimension of any size, or with at most kMostIndexed elements.
struct Broadcast {
  int64_t total;
  int32_t ndim;
  bool packed;              // packs of the result lie within rows, and everything is aligned
  bool runs[kMaxOperands];  // along the innermost dimension, or has a single value there
  Divisor size[kMaxDims];
  uint32_t stride[kMaxDims][kMaxOperands];
};

// The offsets of K operands for this thread's packs or elements.
template <int K, int V>
struct Offsets {
  uint32_t at[K][V];
};

// Operand number k from a chunk's start on: with one dimension the chunk is found in 64 bits, else find_operands()
// counts on.
template <class T>
__device__ __forceinline__ const T* operand_at(const Broadcast& shape, int k, const T* x, int64_t start) {
  return shape.ndim == 1 && shape.runs[k] ? x + start : x;
}

template <int K, int N, int V>
__device__ __forceinline__ Offsets<K, V> find_operands(const Broadcast& shape, int64_t start, Part<N, V> part) {
  const uint32_t first = shape.ndim == 1 ? 0 : static_cast<uint32_t>(start);
  uint32_t rest[V];
  Offsets<K, V> found;
#pragma unroll
  for (int i = 0; i < V; ++i) {
    rest[i] = first + (part.packed ? part.pack_at(i < V / N ? i : 0) : part.element_at(i));
#pragma unroll
    for (int k = 0; k < K; ++k) found.at[k][i] = 0;
  }
#pragma unroll 1
  for (int d = shape.ndim - 1; d > 0; --d) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      if (i >= V / N && part.packed) break;
      const uint32_t inner = shape.size[d].split(rest[i]);
#pragma unroll
      for (int k = 0; k < K; ++k) found.at[k][i] += inner * shape.stride[d][k];
    }
  }
#pragma unroll
  for (int i = 0; i < V; ++i)
#pragma unroll
    for (int k = 0; k < K; ++k) found.at[k][i] += rest[i] * shape.stride[0][k];
  return found;
}

template <class T, int N, int V>
__device__ __forceinline__ void load_operand(const T* x, const uint32_t (&at)[V], bool runs, Part<N, V> part,
                                             T (&v)[V]) {
  if (!part.packed) {
#pragma unroll
    for (int k = 0; k < V; ++k) v[k] = part.has(k) ? x[at[k]] : T(0);
  } else if (runs) {
#pragma unroll
    for (int p = 0; p < V / N; ++p) part.unpack(*reinterpret_cast<const Pack<T, N>*>(x + at[p]), p, v);
  } else {
#pragma unroll
    for (int p = 0; p < V / N; ++p) {
      const T value = x[at[p]];
#pragma unroll
      for (int j = 0; j < N; ++j) v[p * N + j] = value;
    }
  }
}

// A part of a broadcast shape, and where in the arrays it starts.
struct Slice {
  BroadcastShape shape;
  int64_t operand[kMaxOperands];
  int64_t result;
};

// f(slice) for slices of the shape that a Broadcast can serve.
template <class F>
void for_each_slice(const Slice& s, const F& f) {
  const BroadcastShape& whole = s.shape;
  if (whole.total == 0) return;
  if (whole.ndim == 1 || whole.total <= kMostIndexed) return f(s);
  const int64_t inner = whole.total / whole.size[0];
  const int64_t most = inner < kMostIndexed ? kMostIndexed / inner : 1;
  for (int64_t first = 0; first < whole.size[0]; first += most) {
    const int64_t rows = whole.size[0] - first < most ? whole.size[0] - first : most;
    Slice part = s;
    part.shape.total = rows * inner;
    part.shape.size[0] = rows;
    for (int k = 0; k < kMaxOperands; ++k) part.operand[k] += first * whole.stride[k][0];
    part.result += first * inner;
    if (inner > kMostIndexed) {  // one row: its dimension goes
      --part.shape.ndim;
      for (int d = 0; d < part.shape.ndim; ++d) {
        part.shape.size[d] = whole.size[d + 1];
        for (int k = 0; k < kMaxOperands; ++k) part.shape.stride[k][d] = whole.stride[k][d + 1];
      }
    }
    for_each_slice(part, f);
  }
}

// `packs`: N elements of every array are aligned where packs of them would start.
inline Broadcast make_broadcast(const BroadcastShape& s, int N, bool packs) {
  const int last = s.ndim - 1;
  Broadcast shape{};
  shape.total = s.total;
  shape.ndim = s.ndim;
  shape.packed = packs && (last == 0 || s.size[last] % N == 0);
  for (int k = 0; k < kMaxOperands; ++k) shape.runs[k] = s.stride[k][last] != 0;
  for (int d = 0; d < s.ndim; ++d) {
    if (d > 0) shape.size[d] = divisor(s.size[d]);
    for (int k = 0; k < kMaxOperands; ++k) shape.stride[d][k] = static_cast<uint32_t>(s.stride[k][d]);
  }
  return shape;
}

}  // namespace dlbd::cuda
