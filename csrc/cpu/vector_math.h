// exp, tanh and sigmoid on vectors: own polynomials in float32 (at most 2 ULP), libm lane by lane in float64,
// which only gradient checks use.
#pragma once

#include "simd.h"

namespace dlbd::DLBD_ISA {

template <double (*F)(double)>
DLBD_INLINE Vec<double> each_lane(Vec<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = F(x[i]);
  return x;
}

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; degree-6 minimax polynomial (Cephes expf).
DLBD_INLINE Vec<float> exp(Vec<float> x) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  const V lo = splat(-104.0f), hi = splat(89.0f);
  const V clamped = x < lo ? lo : (x > hi ? hi : x);  // a NaN passes through both comparisons
  const V magic = splat(12582912.0f);                 // 1.5 * 2^23: adding it rounds to an integer
  const V shifted = fma<float>(clamped, splat(1.44269504088896341f), magic);
  const V n = shifted - magic;
  V r = fma<float>(n, splat(-0.693359375f), clamped);
  r = fma<float>(n, splat(2.12194440e-4f), r);
  V p = splat(1.9875691500e-4f);
  p = fma<float>(p, r, splat(1.3981999507e-3f));
  p = fma<float>(p, r, splat(8.3334519073e-3f));
  p = fma<float>(p, r, splat(4.1665795894e-2f));
  p = fma<float>(p, r, splat(1.6666665459e-1f));
  p = fma<float>(p, r, splat(5.0000001201e-1f));
  p = fma<float>(p, r * r, r) + 1.0f;
  // 2^n in two factors, so that results in the subnormal range and just below overflow are right.
  const I e = (I)shifted - (I)magic;
  const I half = e >> 1;
  const V a = (V)((half + 127) << 23), b = (V)((e - half + 127) << 23);
  return p * a * b;
}

DLBD_INLINE Vec<double> exp(Vec<double> x) { return each_lane<__builtin_exp>(x); }

// Odd polynomial near zero, 1 - 2 / (exp(2x) + 1) beyond (Cephes tanhf).
DLBD_INLINE Vec<float> tanh(Vec<float> x) {
  using V = Vec<float>;
  const V z = x * x;
  V p = splat(-5.70498872745e-3f);
  p = fma<float>(p, z, splat(2.06390887954e-2f));
  p = fma<float>(p, z, splat(-5.37397155531e-2f));
  p = fma<float>(p, z, splat(1.33314422036e-1f));
  p = fma<float>(p, z, splat(-3.33332819422e-1f));
  const V near = fma<float>(p * z, x, x);
  const V magnitude = x < 0.0f ? -x : x;
  const V far = 1.0f - 2.0f / (exp(magnitude + magnitude) + 1.0f);
  return magnitude < 0.625f ? near : (x < 0.0f ? -far : far);
}

DLBD_INLINE Vec<double> tanh(Vec<double> x) { return each_lane<__builtin_tanh>(x); }

template <class T>
DLBD_INLINE Vec<T> sigmoid(Vec<T> x) {
  return T(1) / (T(1) + exp(-x));
}

}  // namespace dlbd::DLBD_ISA
