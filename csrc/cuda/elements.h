// How elementwise kernels go through arrays. A block takes a chunk at a time, of which each thread holds V elements:
// packs of N neighbours where every array is aligned, else every kElementThreads-th element. The arithmetic in between
// is the same code, written once.
#pragma once

#include <type_traits>

#include "vector.h"

namespace dlbd::cuda {

inline constexpr int kElementThreads = 256;

template <class T>
__device__ __forceinline__ T added(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a + b;
  } else {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));  // integers wrap around
  }
}

// What a thread holds of one chunk.
template <int N, int V>
struct Part {
  static constexpr int kPack = N, kValues = V, kChunk = kElementThreads * V;

  int left;     // elements of the chunk
  bool packed;  // then all of them are there

  // Where in the chunk pack number p starts, where element number k is.
  static __device__ __forceinline__ unsigned pack_at(int p) { return (p * kElementThreads + threadIdx.x) * N; }
  static __device__ __forceinline__ unsigned element_at(int k) { return k * kElementThreads + threadIdx.x; }
  __device__ __forceinline__ bool has(int k) const { return element_at(k) < static_cast<unsigned>(left); }

  template <class T>
  __device__ __forceinline__ void load(const T* x, T (&v)[V]) const {
    if (packed) {
#pragma unroll
      for (int p = 0; p < V / N; ++p) unpack(*reinterpret_cast<const Pack<T, N>*>(x + pack_at(p)), p, v);
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k) v[k] = has(k) ? x[element_at(k)] : T(0);
    }
  }

  template <class T>
  __device__ __forceinline__ void store(T* y, const T (&v)[V]) const {
    if (packed) {
#pragma unroll
      for (int p = 0; p < V / N; ++p) {
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.v[j] = v[p * N + j];
        *reinterpret_cast<Pack<T, N>*>(y + pack_at(p)) = pack;
      }
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k)
        if (has(k)) y[element_at(k)] = v[k];
    }
  }

  // y = v, or y += v.
  template <class T>
  __device__ __forceinline__ void put(T* y, T (&v)[V], bool accumulate) const {
    if (accumulate) {
      T before[V];
      load(y, before);
#pragma unroll
      for (int k = 0; k < V; ++k) v[k] = added(v[k], before[k]);
    }
    store(y, v);
  }

  template <class T>
  static __device__ __forceinline__ void unpack(Pack<T, N> pack, int p, T (&v)[V]) {
#pragma unroll
    for (int j = 0; j < N; ++j) v[p * N + j] = pack.v[j];
  }
};

// A kernel that reads one array keeps two packs of it in flight, one that reads more of them one pack of each; bytes
// come in packs of 8, for the sake of registers. Widest: the type that takes the most memory.
template <class Widest>
inline constexpr int kPackOf = sizeof(Widest) == 1 ? 8 : 16 / sizeof(Widest);
template <class Widest>
using OneInput = Part<kPackOf<Widest>, 2 * kPackOf<Widest>>;
template <class Widest>
using MoreInputs = Part<kPackOf<Widest>, kPackOf<Widest>>;

// body(start of the chunk, part) for the chunks of this block.
template <class Part, class Body>
__device__ __forceinline__ void for_each_chunk(int64_t n, bool packed, const Body& body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * Part::kChunk;
  for (int64_t start = static_cast<int64_t>(blockIdx.x) * Part::kChunk; start < n; start += step) {
    const bool whole = n - start >= Part::kChunk;
    body(start, Part{whole ? Part::kChunk : static_cast<int>(n - start), whole && packed});
  }
}

// Calls f(T{}) with the C++ type of a dtype that is not float.
template <class F>
void with_integer(DType dtype, const F& f) {
  switch (dtype) {
    case DType::i32: return f(int32_t{});
    case DType::i64: return f(int64_t{});
    default: return f(uint8_t{});
  }
}

template <class Part>
Grid chunks_of(int64_t n) {
  return {blocks_for(ceil_div(n, Part::kChunk)), kElementThreads};
}

}  // namespace dlbd::cuda
