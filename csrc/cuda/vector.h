// 16-byte loads and stores, and dispatch over dtypes.
#pragma once

#include "launch.h"

namespace dlbd::cuda {

// What one thread moves at a time.
template <class T, int N = 16 / sizeof(T)>
struct alignas(N * sizeof(T)) Pack {
  static constexpr int kSize = N;
  T v[N];
};

template <class T>
__device__ __forceinline__ Pack<T> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T>*>(p);
}
template <class T>
__device__ __forceinline__ void store_pack(T* p, const Pack<T>& x) {
  *reinterpret_cast<Pack<T>*>(p) = x;
}

// Whether packs may be loaded at these addresses. Arrays may start anywhere that is aligned to their elements.
template <class... P>
inline bool aligned(const P*... p) {
  return ((reinterpret_cast<uintptr_t>(p) % 16 == 0) && ...);
}

// Calls f(T{}) with the C++ type of a float dtype, or of any dtype (bool is uint8_t).
template <class F>
void with_float(DType dtype, const F& f) {
  dtype == DType::f32 ? f(float{}) : f(double{});
}
template <class F>
void with_type(DType dtype, const F& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::i32: return f(int32_t{});
    case DType::i64: return f(int64_t{});
    case DType::u8:
    case DType::b8: return f(uint8_t{});
  }
}

}  // namespace dlbd::cuda
