// Vectors of the instruction set this source is being compiled for, on GCC vector extensions.
// Everything lives in the per-ISA namespace DLBD_ISA (baseline, v3 or v4) so that no two builds share a symbol.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define DLBD_INLINE inline __attribute__((always_inline))

namespace dlbd::DLBD_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;  // SSE2 or NEON
#endif

template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VectorOf<T>::type;

// The integer vector that a comparison of Vec<T> yields (all ones where true).
template <class T>
struct MaskOf;
template <>
struct MaskOf<float> {
  using type = Vec<int32_t>;
};
template <>
struct MaskOf<double> {
  using type = Vec<int64_t>;
};
template <class T>
using Mask = typename MaskOf<T>::type;

template <class A>
DLBD_INLINE constexpr A min_of(A a, A b) {
  return b < a ? b : a;
}
template <class A>
DLBD_INLINE constexpr A max_of(A a, A b) {
  return a < b ? b : a;
}
DLBD_INLINE constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
DLBD_INLINE constexpr int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

template <class T>
DLBD_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};  // x - 0 keeps the sign of a zero; GCC turns it into a broadcast
}

template <class T>
DLBD_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
DLBD_INLINE void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

// First n lanes (0 <= n <= kLanes) from memory, the rest `fill`. Touches no byte beyond p + n.
template <class T>
DLBD_INLINE Vec<T> load_n(const T* p, int64_t n, T fill = T(0)) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const __mmask16 m = static_cast<__mmask16>(_bzhi_u32(0xffffu, static_cast<unsigned>(n)));
    return (Vec<T>)_mm512_mask_loadu_epi32((__m512i)splat<T>(fill), m, p);
  } else if constexpr (sizeof(T) == 8) {
    const __mmask8 m = static_cast<__mmask8>(_bzhi_u32(0xffu, static_cast<unsigned>(n)));
    return (Vec<T>)_mm512_mask_loadu_epi64((__m512i)splat<T>(fill), m, p);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto m = Vec<int32_t>{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(n);
    return m ? (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), (__m256i)m) : splat<T>(fill);
  } else if constexpr (sizeof(T) == 8) {
    const auto m = Vec<int64_t>{0, 1, 2, 3} < n;
    return m ? (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), (__m256i)m) : splat<T>(fill);
  }
#else
  if constexpr (kLanes<T> <= 4) {
    Vec<T> v = splat<T>(fill);
    for (int i = 0; i < kLanes<T>; ++i)
      if (i < n) v[i] = p[i];
    return v;
  }
#endif
  T lanes[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) lanes[i] = fill;
  __builtin_memcpy(lanes, p, static_cast<size_t>(n) * sizeof(T));
  return load(lanes);
}

// Writes the first n lanes only.
template <class T>
DLBD_INLINE void store_n(T* p, Vec<T> v, int64_t n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(p, static_cast<__mmask16>(_bzhi_u32(0xffffu, static_cast<unsigned>(n))), (__m512i)v);
    return;
  } else if constexpr (sizeof(T) == 8) {
    _mm512_mask_storeu_epi64(p, static_cast<__mmask8>(_bzhi_u32(0xffu, static_cast<unsigned>(n))), (__m512i)v);
    return;
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto m = Vec<int32_t>{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(n);
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), (__m256i)m, (__m256i)v);
    return;
  } else if constexpr (sizeof(T) == 8) {
    const auto m = Vec<int64_t>{0, 1, 2, 3} < n;
    _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), (__m256i)m, (__m256i)v);
    return;
  }
#else
  if constexpr (kLanes<T> <= 4) {
    for (int i = 0; i < kLanes<T>; ++i)
      if (i < n) p[i] = v[i];
    return;
  }
#endif
  T lanes[kLanes<T>];
  store(lanes, v);
  __builtin_memcpy(p, lanes, static_cast<size_t>(n) * sizeof(T));
}

// m ? a : b, lane by lane.
template <class T>
DLBD_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Vec<T> b) {
  return m ? a : b;
}

// Whether a float comparison holds in every lane.
DLBD_INLINE bool all_lanes(Vec<int32_t> m) {
#if defined(__AVX512F__)
  return _mm512_movepi32_mask((__m512i)m) == 0xffff;
#elif defined(__AVX2__)
  return _mm256_movemask_ps((__m256)m) == 0xff;
#elif defined(__x86_64__)
  return _mm_movemask_ps((__m128)m) == 0xf;
#else
  int32_t all = -1;
  for (int i = 0; i < kLanes<int32_t>; ++i) all &= m[i];
  return all != 0;
#endif
}

// NaN in either operand propagates, alike on every instruction set.
template <class T>
DLBD_INLINE Vec<T> vmax(Vec<T> a, Vec<T> b) {
  return (a > b) | (a != a) ? a : b;
}
template <class T>
DLBD_INLINE Vec<T> vmin(Vec<T> a, Vec<T> b) {
  return (a < b) | (a != a) ? a : b;
}

// While one lives, this thread's arithmetic takes subnormal numbers for zero and makes none: each costs an x86 core
// more than a hundred cycles.
class FlushSubnormals {
 public:
#if defined(__x86_64__)
  DLBD_INLINE FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  DLBD_INLINE ~FlushSubnormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  DLBD_INLINE FlushSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" : : "r"(before_ | (uint64_t{1} << 24)));
  }
  DLBD_INLINE ~FlushSubnormals() { asm volatile("msr fpcr, %0" : : "r"(before_)); }

 private:
  uint64_t before_;
#endif
};

// a * b + c; contracted to one FMA where the instruction set has it.
template <class T>
DLBD_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return a * b + c;
}

// Correctly rounded on every instruction set. (maskz: GCC 12 warns of its own header for the plain intrinsic.)
DLBD_INLINE Vec<float> vsqrt(Vec<float> x) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_sqrt_ps((__m256)x);
#elif defined(__x86_64__)
  return (Vec<float>)_mm_sqrt_ps((__m128)x);
#else
  for (int i = 0; i < kLanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}
DLBD_INLINE Vec<double> vsqrt(Vec<double> x) {
#if defined(__AVX512F__)
  return (Vec<double>)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
#elif defined(__AVX2__)
  return (Vec<double>)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
  return (Vec<double>)_mm_sqrt_pd((__m128d)x);
#else
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
#endif
}

// Lane i of the result is lane i ^ width of v.
template <int width, class T>
DLBD_INLINE Vec<T> swap_lanes(Vec<T> v) {
  Mask<T> from;
  for (int i = 0; i < kLanes<T>; ++i) from[i] = i ^ width;
  return __builtin_shuffle(v, from);
}

// Sum of the lanes by halving: the same order on every call.
template <class T, int width = kLanes<T> / 2>
DLBD_INLINE T reduce_add(Vec<T> v) {
  if constexpr (width == 0)
    return v[0];
  else
    return reduce_add<T, width / 2>(v + swap_lanes<width, T>(v));
}

template <class T, int width = kLanes<T> / 2>
DLBD_INLINE T reduce_max(Vec<T> v) {
  if constexpr (width == 0)
    return v[0];
  else
    return reduce_max<T, width / 2>(vmax<T>(v, swap_lanes<width, T>(v)));
}

}  // namespace dlbd::DLBD_ISA
