// Elements that are moved without a look at their values: in units of 1 to 16 bytes.
#pragma once

#include "vector.h"

namespace dlbd::cuda {

constexpr int bytes_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64: return 8;
    case DType::f32:
    case DType::i32: return 4;
    case DType::u8:
    case DType::b8: break;
  }
  return 1;
}

// The widest of 16, 8, 4 and 1 bytes in which everything lies that fits(elements of a unit) approves of.
template <class Fits>
int unit_bytes(int element, const Fits& fits) {
  for (int bytes : {16, 8, 4})
    if (bytes > element && fits(bytes / element)) return bytes;
  return element;
}
inline bool aligned_to(int bytes, const void* a, const void* b) {
  return (reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b)) % static_cast<uintptr_t>(bytes) == 0;
}

// Zeros of `count` elements. A graph takes no empty node.
inline void clear(void* p, DType dtype, int64_t count, cudaStream_t stream) {
  if (count > 0) cudaMemsetAsync(p, 0, static_cast<size_t>(count * bytes_of(dtype)), stream);
}

// Units that a thread keeps in flight: 32 or 64 bytes.
template <class Unit>
inline constexpr int kUnitsInFlight = sizeof(Unit) == 16 ? 4 : 8;

// Calls f(Pack{}) with the pack of so many bytes.
template <class F>
void with_unit(int bytes, const F& f) {
  switch (bytes) {
    case 16: return f(Pack<uint32_t, 4>{});
    case 8: return f(Pack<uint64_t, 1>{});
    case 4: return f(Pack<uint32_t, 1>{});
    default: return f(Pack<uint8_t, 1>{});
  }
}

}  // namespace dlbd::cuda
