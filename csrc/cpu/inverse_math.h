// Inverse functions and the cube root on vectors: at most 3 ULP in float32, libm lane by lane in float64.
#pragma once

#include "vector_math.h"

namespace dlbd::DLBD_ISA {

inline constexpr float kHalfPi = 1.57079637f, kHalfPiRest = -4.37113883e-8f;  // their sum is pi / 2
inline constexpr float kLog2 = 0.693147182f;

// atan(x) / x for s = x^2 <= 1, less 1 and divided by s: minimax, 1.7e-8 of atan.
DLBD_INLINE Vec<float> arctan_polynomial(Vec<float> s) {
  Vec<float> p = splat(2.9206918705e-3f);
  p = fma<float>(p, s, splat(-1.6367926483e-2f));
  p = fma<float>(p, s, splat(4.3211858191e-2f));
  p = fma<float>(p, s, splat(-7.5522140475e-2f));
  p = fma<float>(p, s, splat(1.0666004518e-1f));
  p = fma<float>(p, s, splat(-1.4211055270e-1f));
  p = fma<float>(p, s, splat(1.9993772829e-1f));
  return fma<float>(p, s, splat(-3.3333152736e-1f));
}

DLBD_INLINE Vec<float> arctan(Vec<float> x) {
  using V = Vec<float>;
  const V magnitude = vabs<float>(x);
  const Vec<int32_t> far = magnitude > 1.0f;
  const V z = far ? 1.0f / magnitude : magnitude, s = z * z;
  const V y = fma<float>(arctan_polynomial(s) * s, z, z);
  return copysign<float>(far ? (kHalfPi - y) + kHalfPiRest : y, x);
}

// asin |x| for |x| <= 1/2, and above asin sqrt((1 - |x|) / 2), which is half of acos |x|.
struct ArcsinParts {
  Vec<float> y;
  Vec<int32_t> upper;
};

DLBD_INLINE ArcsinParts arcsin_parts(Vec<float> x) {
  using V = Vec<float>;
  const V magnitude = vabs<float>(x);
  const Vec<int32_t> upper = magnitude > 0.5f;
  const V s = upper ? fma<float>(magnitude, splat(-0.5f), splat(0.5f)) : x * x;
  const V z = upper ? sqrt(s) : magnitude;
  V p = splat(4.2166308289e-2f);  // minimax: 4.8e-9 of asin
  p = fma<float>(p, s, splat(2.4179514785e-2f));
  p = fma<float>(p, s, splat(4.5470375937e-2f));
  p = fma<float>(p, s, splat(7.4952976432e-2f));
  p = fma<float>(p, s, splat(1.6666752482e-1f));
  return {fma<float>(p * s, z, z), upper};
}

DLBD_INLINE Vec<float> arcsin(Vec<float> x) {
  const ArcsinParts parts = arcsin_parts(x);
  const Vec<float> above = kHalfPi - (parts.y + parts.y) + kHalfPiRest;
  return copysign<float>(parts.upper ? above : parts.y, x);
}

DLBD_INLINE Vec<float> arccos(Vec<float> x) {
  const ArcsinParts parts = arcsin_parts(x);
  const Vec<float> twice = parts.y + parts.y;
  const Vec<float> above = x < 0.0f ? 2 * kHalfPi - twice + 2 * kHalfPiRest : twice;
  return parts.upper ? above : kHalfPi - (copysign<float>(parts.y, x) - kHalfPiRest);
}

// log(x + sqrt(x^2 + 1)), as log1p of what is more than 1.
DLBD_INLINE Vec<float> arcsinh(Vec<float> x) {
  using V = Vec<float>;
  const V a = vabs<float>(x), square = a * a;
  const Vec<int32_t> large = a > 1e9f;  // there 1 does not count, and squares overflow soon
  const V near = log1p(a + square / (1.0f + sqrt(1.0f + square)));
  return copysign<float>(large ? log(a) + kLog2 : near, x);
}

DLBD_INLINE Vec<float> arccosh(Vec<float> x) {
  const Vec<float> t = x - 1.0f;
  const Vec<int32_t> large = x > 1e9f;
  const Vec<float> near = log1p(t + sqrt(t * (t + 2.0f)));
  return x < 1.0f ? splat(__builtin_nanf("")) : (large ? log(x) + kLog2 : near);
}

DLBD_INLINE Vec<float> arctanh(Vec<float> x) {
  const Vec<float> a = vabs<float>(x);
  return copysign<float>(0.5f * log1p((a + a) / (1.0f - a)), x);
}

// A third of the exponent is a guess within 4 %; a step of Halley's and one of Newton's method make it right.
DLBD_INLINE Vec<float> cbrt(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  const V a = vabs<float>(x);
  const I small = a < 1.17549435e-38f;
  const V scaled = small ? a * 16777216.0f : a;  // 2^24
  const V third = __builtin_convertvector((I)scaled, V) * (1.0f / 3);
  V y = (V)(__builtin_convertvector(third, I) + 0x2a5137a0);
  V q = scaled / (y * y);
  y = y * ((y + (q + q)) / (q + (y + y)));
  q = scaled / (y * y);
  y = y - (y - q) * (1.0f / 3);
  y = small ? y * 0.00390625f : y;  // 2^-8
  return (a > 0.0f) & (a < __builtin_inff()) ? copysign<float>(y, x) : x;
}

// x times a polynomial in log(1 - x^2), one near and one far from zero (N. Juffa's erfinvf).
DLBD_INLINE Vec<float> erfinv(Vec<float> x) {
  using V = Vec<float>;
  const V t = log((1.0f - x) * (1.0f + x));
  V far = splat(3.03697567e-10f);
  far = fma<float>(far, t, splat(2.93243101e-8f));
  far = fma<float>(far, t, splat(1.22150334e-6f));
  far = fma<float>(far, t, splat(2.84108955e-5f));
  far = fma<float>(far, t, splat(3.93552968e-4f));
  far = fma<float>(far, t, splat(3.02698812e-3f));
  far = fma<float>(far, t, splat(4.83185798e-3f));
  far = fma<float>(far, t, splat(-2.64646143e-1f));
  far = fma<float>(far, t, splat(8.40016484e-1f));
  V near = splat(5.43877832e-9f);
  near = fma<float>(near, t, splat(1.43285448e-7f));
  near = fma<float>(near, t, splat(1.22774793e-6f));
  near = fma<float>(near, t, splat(1.12963626e-7f));
  near = fma<float>(near, t, splat(-5.61530760e-5f));
  near = fma<float>(near, t, splat(-1.47697632e-4f));
  near = fma<float>(near, t, splat(2.31468678e-3f));
  near = fma<float>(near, t, splat(1.15392581e-2f));
  near = fma<float>(near, t, splat(-2.32015476e-1f));
  near = fma<float>(near, t, splat(8.86226892e-1f));
  return x * (t < -6.125f ? far : near);
}

DLBD_INLINE Vec<double> arctan(Vec<double> x) { return each_lane<__builtin_atan>(x); }
DLBD_INLINE Vec<double> arcsin(Vec<double> x) { return each_lane<__builtin_asin>(x); }
DLBD_INLINE Vec<double> arccos(Vec<double> x) { return each_lane<__builtin_acos>(x); }
DLBD_INLINE Vec<double> arcsinh(Vec<double> x) { return each_lane<__builtin_asinh>(x); }
DLBD_INLINE Vec<double> arccosh(Vec<double> x) { return each_lane<__builtin_acosh>(x); }
DLBD_INLINE Vec<double> arctanh(Vec<double> x) { return each_lane<__builtin_atanh>(x); }
DLBD_INLINE Vec<double> cbrt(Vec<double> x) { return each_lane<__builtin_cbrt>(x); }

// Winitzki's formula (2008) within 0.2 %, then two steps of Halley's method.
DLBD_INLINE double erfinv_of(double x) {
  const double a = __builtin_fabs(x);
  if (a == 0 || a == 1) return x / (1 - a);
  const double t = __builtin_log1p(-a * a), b = 4.330746750799873 + 0.5 * t;  // 2 / (0.147 pi)
  double y = __builtin_sqrt(__builtin_sqrt(b * b - t / 0.147) - b);
  for (int step = 0; step < 2; ++step) {
    const double error = a < 0.5 ? __builtin_erf(y) - a : (1 - a) - __builtin_erfc(y);
    const double newton = error * 0.88622692545275801 * __builtin_exp(y * y);  // sqrt(pi) / 2
    y -= newton / (1 + y * newton);
  }
  return __builtin_copysign(y, x);
}

DLBD_INLINE Vec<double> erfinv(Vec<double> x) { return each_lane<erfinv_of>(x); }

}  // namespace dlbd::DLBD_ISA
