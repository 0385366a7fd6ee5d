// Elementary functions on vectors: own polynomials in float32 (at most 2 ULP unless a comment says otherwise), libm
// lane by lane in float64, which only gradient checks use.
#pragma once

#include "simd.h"

namespace dlbd::DLBD_ISA {

template <double (*F)(double)>
DLBD_INLINE Vec<double> each_lane(Vec<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = F(x[i]);
  return x;
}

template <class T>
DLBD_INLINE Vec<T> vabs(Vec<T> x) {
  using Bits = Mask<T>;
  return (Vec<T>)((Bits)x & ~(Bits)splat(T(-0.0)));
}

template <class T>
DLBD_INLINE Vec<T> copysign(Vec<T> magnitude, Vec<T> sign) {
  using Bits = Mask<T>;
  const Bits bit = (Bits)splat(T(-0.0));
  return (Vec<T>)(((Bits)magnitude & ~bit) | ((Bits)sign & bit));
}

// To the nearest integer, ties to even: adding 1.5 * 2^23 (2^52) pushes the fraction out of the mantissa.
template <class T>
DLBD_INLINE Vec<T> round(Vec<T> x) {
  constexpr T magic = sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0);
  constexpr T whole = sizeof(T) == 4 ? T(4194304.0) : T(2251799813685248.0);
  const Vec<T> rounded = copysign<T>((x + magic) - magic, x);
  // Between 2^22 and 2^23 (2^51 and 2^52) halves still exist; two steps of adding the sign's 2^23 (2^52) serve them.
  const Vec<T> large = copysign<T>(splat(T(2) * whole), x);
  const Vec<T> rounded_large = (x + large) - large;
  const Vec<T> magnitude = vabs<T>(x);
  return magnitude < whole ? rounded : (magnitude < T(2) * whole ? rounded_large : x);
}

template <class T>
DLBD_INLINE Vec<T> floor(Vec<T> x) {
  const Vec<T> r = round<T>(x);
  return copysign<T>(r > x ? r - T(1) : r, x);
}

template <class T>
DLBD_INLINE Vec<T> ceil(Vec<T> x) {
  const Vec<T> r = round<T>(x);
  return copysign<T>(r < x ? r + T(1) : r, x);
}

// The larger of a bound and x, the smaller of both: one instruction each, and a NaN stays.
DLBD_INLINE Vec<float> at_least(float bound, Vec<float> x) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_mask_max_ps((__m512)x, 0xffff, (__m512)splat(bound), (__m512)x);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_max_ps((__m256)splat(bound), (__m256)x);
#else
  return x < bound ? splat(bound) : x;
#endif
}
DLBD_INLINE Vec<float> at_most(float bound, Vec<float> x) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_mask_min_ps((__m512)x, 0xffff, (__m512)splat(bound), (__m512)x);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_min_ps((__m256)splat(bound), (__m256)x);
#else
  return x > bound ? splat(bound) : x;
#endif
}

inline constexpr float kRoundMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer

// p * 2^n for an integer n, |n| < 250. Without AVX-512 in two factors, so that results in the subnormal range and just
// below overflow are right.
DLBD_INLINE Vec<float> scale_by_power_of_two(Vec<float> p, Vec<float> n) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_mask_scalef_ps((__m512)p, 0xffff, (__m512)p, (__m512)n);
#else
  const Vec<int32_t> e = (Vec<int32_t>)(n + kRoundMagic) - (Vec<int32_t>)splat(kRoundMagic);
  const Vec<int32_t> half = e >> 1;
  return p * (Vec<float>)((half + 127) << 23) * (Vec<float>)((e - half + 127) << 23);
#endif
}

struct ExpParts {
  Vec<float> r;  // |r| <= ln 2 / 2
  Vec<float> n;  // an integer: exp(x) = 2^n exp(r)
};

DLBD_INLINE ExpParts exp_parts(Vec<float> x) {
  const Vec<float> clamped = at_most(89.0f, at_least(-104.0f, x));
  const Vec<float> n = fma<float>(clamped, splat(1.44269504088896341f), splat(kRoundMagic)) - kRoundMagic;
  Vec<float> r = fma<float>(n, splat(-0.693359375f), clamped);
  r = fma<float>(n, splat(2.12194440e-4f), r);
  return {r, n};
}

// exp(r) - 1 for |r| <= ln 2 / 2: degree-7 minimax polynomial (Cephes expf).
DLBD_INLINE Vec<float> expm1_polynomial(Vec<float> r) {
  Vec<float> p = splat(1.9875691500e-4f);
  p = fma<float>(p, r, splat(1.3981999507e-3f));
  p = fma<float>(p, r, splat(8.3334519073e-3f));
  p = fma<float>(p, r, splat(4.1665795894e-2f));
  p = fma<float>(p, r, splat(1.6666665459e-1f));
  p = fma<float>(p, r, splat(5.0000001201e-1f));
  return fma<float>(p, r * r, r);
}

DLBD_INLINE Vec<float> exp(Vec<float> x) {
  const ExpParts parts = exp_parts(x);
  return scale_by_power_of_two(expm1_polynomial(parts.r) + 1.0f, parts.n);
}

DLBD_INLINE Vec<double> exp(Vec<double> x) { return each_lane<__builtin_exp>(x); }

DLBD_INLINE Vec<float> expm1(Vec<float> x) {
  const ExpParts parts = exp_parts(x);
  const Vec<float> p = expm1_polynomial(parts.r);
  const Vec<float> less_one = scale_by_power_of_two(splat(1.0f), parts.n) - 1.0f;
  const Vec<float> y = scale_by_power_of_two(p, parts.n) + less_one;
  const Vec<float> top = scale_by_power_of_two(p + 1.0f, parts.n);  // where 2^n itself overflows
  // n = 0 leaves the polynomial as it is, the sign of a zero included.
  return parts.n == 0.0f ? copysign<float>(p, x) : (x > 88.0f ? top : y);
}

DLBD_INLINE Vec<double> expm1(Vec<double> x) { return each_lane<__builtin_expm1>(x); }

// log(x) = n ln 2 + log(m), sqrt(1/2) <= m < sqrt(2) (Cephes logf).
DLBD_INLINE Vec<float> log(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  constexpr float kSmallestNormal = 1.17549435e-38f, kInfinity = __builtin_inff();
  const V scaled = x < kSmallestNormal ? x * 8388608.0f : x;  // a subnormal times 2^23
  const I shift = x < kSmallestNormal ? I{} + 23 : I{};
  // Subtracting sqrt(1/2)'s bits first makes the exponent field count from there.
  // Unsigned, for the bits of a negative or NaN may wrap around.
  const I bits = (I)((Vec<uint32_t>)scaled - 0x3f3504f3u);
  const I n = (bits >> 23) - shift;
  const V f = (V)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const V e = __builtin_convertvector(n, V);
  const V z = f * f;
  V p = splat(7.0376836292e-2f);
  p = fma<float>(p, f, splat(-1.1514610310e-1f));
  p = fma<float>(p, f, splat(1.1676998740e-1f));
  p = fma<float>(p, f, splat(-1.2420140846e-1f));
  p = fma<float>(p, f, splat(1.4249322787e-1f));
  p = fma<float>(p, f, splat(-1.6668057665e-1f));
  p = fma<float>(p, f, splat(2.0000714765e-1f));
  p = fma<float>(p, f, splat(-2.4999993993e-1f));
  p = fma<float>(p, f, splat(3.3333331174e-1f));
  V y = p * f * z;
  y = fma<float>(e, splat(-2.12194440e-4f), y);
  y = fma<float>(z, splat(-0.5f), y);
  y = fma<float>(e, splat(0.693359375f), f + y);
  y = x == 0.0f ? splat(-kInfinity) : y;
  y = x < 0.0f ? splat(__builtin_nanf("")) : y;
  return (x == kInfinity) | (x != x) ? x : y;
}

DLBD_INLINE Vec<double> log(Vec<double> x) { return each_lane<__builtin_log>(x); }

// log(u) with u = 1 + x rounded, plus what the rounding lost, to first order.
DLBD_INLINE Vec<float> log1p(Vec<float> x) {
  const Vec<float> u = x + 1.0f;
  const Vec<float> lost = x - (u - 1.0f);
  const Vec<float> y = log(u) + lost / u;
  const Vec<float> magnitude = vabs<float>(x);
  // Below 2^-12 two terms of the series are exact to half a ULP, and keep the sign of a zero.
  const Vec<float> series = fma<float>(x * x, splat(-0.5f), x);
  return magnitude < 2.44140625e-4f ? series : ((x == -1.0f) | (x == __builtin_inff()) ? log(u) : y);
}

DLBD_INLINE Vec<double> log1p(Vec<double> x) { return each_lane<__builtin_log1p>(x); }

// Odd polynomial near zero, 1 - 2 / (exp(2x) + 1) beyond (Cephes tanhf).
DLBD_INLINE Vec<float> tanh(Vec<float> x) {
  using V = Vec<float>;
  const V z = x * x;
  V p = splat(-5.70498872745e-3f);
  p = fma<float>(p, z, splat(2.06390887954e-2f));
  p = fma<float>(p, z, splat(-5.37397155531e-2f));
  p = fma<float>(p, z, splat(1.33314422036e-1f));
  p = fma<float>(p, z, splat(-3.33332819422e-1f));
  const V near = copysign<float>(fma<float>(p * z, x, x), x);  // the sign of a zero
  const V magnitude = vabs<float>(x);
  const V far = copysign<float>(1.0f - 2.0f / (exp(magnitude + magnitude) + 1.0f), x);
  return magnitude < 0.625f ? near : far;
}

DLBD_INLINE Vec<double> tanh(Vec<double> x) { return each_lane<__builtin_tanh>(x); }

template <class T>
DLBD_INLINE Vec<T> sigmoid(Vec<T> x) {
  return T(1) / (T(1) + exp(-x));
}

// max(x, 0) + log(1 + exp(-|x|)): exact at both ends.
template <class T>
DLBD_INLINE Vec<T> softplus(Vec<T> x) {
  return (x < T(0) ? Vec<T>{} : x) + log1p(exp(-vabs<T>(x)));
}

// Two minimax polynomials (N. Juffa's erff): odd below 475/512, 1 - exp(q(|x|)) above.
DLBD_INLINE Vec<float> erf(Vec<float> x) {
  using V = Vec<float>;
  const V t = vabs<float>(x), s = x * x;
  V q = fma<float>(splat(-1.72853470e-5f), t, splat(3.83197126e-4f));
  const V u = fma<float>(splat(-3.88396438e-3f), t, splat(2.42546219e-2f));
  q = fma<float>(q, s, u);
  q = fma<float>(q, t, splat(-1.06777877e-1f));
  q = fma<float>(q, t, splat(-6.34846687e-1f));
  q = fma<float>(q, t, splat(-1.28717512e-1f));
  q = fma<float>(q, t, -t);
  const V far = copysign<float>(1.0f - exp(q), x);
  V p = splat(-5.96761703e-4f);
  p = fma<float>(p, s, splat(4.99119423e-3f));
  p = fma<float>(p, s, splat(-2.67681349e-2f));
  p = fma<float>(p, s, splat(1.12819925e-1f));
  p = fma<float>(p, s, splat(-3.76125336e-1f));
  p = fma<float>(p, s, splat(1.28379166e-1f));
  const V near = fma<float>(p, x, x);
  // Beyond 4 the result is 1; the polynomial is not to be trusted at infinity.
  return t > 4.0f ? copysign<float>(splat(1.0f), x) : (t > 0.927734375f ? far : near);
}

DLBD_INLINE Vec<double> erf(Vec<double> x) { return each_lane<__builtin_erf>(x); }

// Quadrants of pi/2, taken off in three parts (Cephes sinf, cosf): right to 1e-7 absolute, and to 2 ULP where the
// result is not near a zero. Beyond 8192 the three parts no longer suffice and libm takes over.
template <bool Cosine>
DLBD_INLINE Vec<float> sine_or_cosine(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  const V magic = splat(12582912.0f);
  const V shifted = fma<float>(x, splat(0.636619772367581343f), magic);
  const V n = shifted - magic;
  V r = fma<float>(n, splat(-1.5703125f), x);
  r = fma<float>(n, splat(-4.837512969970703125e-4f), r);
  r = fma<float>(n, splat(-7.54978995489188216e-8f), r);
  const I quadrant = (I)((Vec<uint32_t>)shifted + (Cosine ? 1u : 0u));
  const V z = r * r;
  V s = splat(-1.9515295891e-4f);
  s = fma<float>(s, z, splat(8.3321608736e-3f));
  s = fma<float>(s, z, splat(-1.6666654611e-1f));
  s = fma<float>(s * z, r, r);
  V c = splat(2.443315711809948e-5f);
  c = fma<float>(c, z, splat(-1.388731625493765e-3f));
  c = fma<float>(c, z, splat(4.166664568298827e-2f));
  c = fma<float>(c * z, z, fma<float>(z, splat(-0.5f), splat(1.0f)));
  V y = (quadrant & 1) != 0 ? c : s;
  y = (quadrant & 2) != 0 ? -y : y;
  if (!Cosine) y = x == 0.0f ? x : y;  // the sign of a zero
  const I small = vabs<float>(x) < 8192.0f;
  if (!all_lanes(small)) {
    for (int i = 0; i < kLanes<float>; ++i)
      if (small[i] == 0) y[i] = Cosine ? __builtin_cosf(x[i]) : __builtin_sinf(x[i]);
  }
  return y;
}

DLBD_INLINE Vec<float> sin(Vec<float> x) { return sine_or_cosine<false>(x); }
DLBD_INLINE Vec<float> cos(Vec<float> x) { return sine_or_cosine<true>(x); }
DLBD_INLINE Vec<double> sin(Vec<double> x) { return each_lane<__builtin_sin>(x); }
DLBD_INLINE Vec<double> cos(Vec<double> x) { return each_lane<__builtin_cos>(x); }

template <class T>
DLBD_INLINE Vec<T> sqrt(Vec<T> x) {
#if defined(__AVX512F__)  // the masked form: GCC warns of the undefined operand inside the plain one
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_mask_sqrt_ps((__m512)x, 0xffff, (__m512)x);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_mask_sqrt_pd((__m512d)x, 0xff, (__m512d)x);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm256_sqrt_ps((__m256)x);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm_sqrt_ps((__m128)x);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm_sqrt_pd((__m128d)x);
#else
  for (int i = 0; i < kLanes<T>; ++i) x[i] = static_cast<T>(__builtin_sqrt(x[i]));
  return x;
#endif
}

template <class T>
DLBD_INLINE Vec<T> rsqrt(Vec<T> x) {
  return T(1) / sqrt<T>(x);
}

DLBD_INLINE Vec<float> pow(Vec<float> a, Vec<float> b) {
  for (int i = 0; i < kLanes<float>; ++i) a[i] = __builtin_powf(a[i], b[i]);
  return a;
}
DLBD_INLINE Vec<double> pow(Vec<double> a, Vec<double> b) {
  for (int i = 0; i < kLanes<double>; ++i) a[i] = __builtin_pow(a[i], b[i]);
  return a;
}

}  // namespace dlbd::DLBD_ISA
