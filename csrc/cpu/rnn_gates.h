// Sigmoid and tanh for the gates of recurrent cells: at most 3 ULP, results below 1e-38 are not followed further.
// Small layers spend more time here than in their products, so there is no division and no branch by magnitude.
#pragma once

#include "vector_math.h"

namespace dlbd::DLBD_ISA {

#if defined(__AVX512F__)
// The masked forms: GCC 12 warns of an uninitialised register in the plain ones.
inline constexpr __mmask16 kAllLanes = 0xffff;
#endif

// 1 / d for 1 <= d < 2^126.
DLBD_INLINE Vec<float> gate_reciprocal(Vec<float> d) {
#if defined(__AVX512F__)
  const Vec<float> r = (Vec<float>)_mm512_maskz_rcp14_ps(kAllLanes, (__m512)d);
  return fma<float>(r, 1.0f - d * r, r);  // one Newton step: 2^-28
#else
  return 1.0f / d;
#endif
}

// A NaN passes through.
DLBD_INLINE Vec<float> gate_clamp(Vec<float> x, float lo, float hi) {
#if defined(__AVX512F__)
  const __m512 below = _mm512_maskz_min_ps(kAllLanes, (__m512)splat(hi), (__m512)x);
  return (Vec<float>)_mm512_maskz_max_ps(kAllLanes, (__m512)splat(lo), below);
#else
  const Vec<float> low = splat(lo), high = splat(hi);
  return x < low ? low : (x > high ? high : x);
#endif
}

struct GateExp {
  Vec<float> m;  // exp(x) = power (1 + m)
  Vec<float> power;
};

// |x| <= 87, so that the power of two is a normal number.
DLBD_INLINE GateExp gate_exp(Vec<float> x) {
  const Vec<float> magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec<float> shifted = fma<float>(x, splat(1.44269504088896341f), magic);
  const Vec<float> n = shifted - magic;
  Vec<float> r = fma<float>(n, splat(-0.693359375f), x);
  r = fma<float>(n, splat(2.12194440e-4f), r);
  const Vec<int32_t> exponent = (Vec<int32_t>)shifted - (Vec<int32_t>)magic + 127;
  return {expm1_polynomial(r), (Vec<float>)(exponent << 23)};
}

// 1 / (1 + exp(-x))
DLBD_INLINE Vec<float> gate_sigmoid(Vec<float> x) {
  const GateExp e = gate_exp(gate_clamp(-x, -87.0f, 87.0f));
  return gate_reciprocal(fma<float>(e.m, e.power, e.power) + 1.0f);
}

// m / (m + 2) with m = exp(2 x) - 1, which keeps its relative accuracy near 0. Beyond 10 the result is 1.
DLBD_INLINE Vec<float> gate_tanh(Vec<float> x) {
  const Vec<float> twice = gate_clamp(x + x, -20.0f, 20.0f);
  const GateExp e = gate_exp(vabs<float>(twice));
  const Vec<float> m = fma<float>(e.m, e.power, e.power - 1.0f);
  return copysign<float>(m * gate_reciprocal(m + 2.0f), twice);
}

DLBD_INLINE Vec<double> gate_sigmoid(Vec<double> x) { return sigmoid<double>(x); }
DLBD_INLINE Vec<double> gate_tanh(Vec<double> x) { return tanh(x); }

}  // namespace dlbd::DLBD_ISA
