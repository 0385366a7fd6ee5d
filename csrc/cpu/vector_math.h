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
DLBD_INLINE Vec<T> round_by_adding(Vec<T> x) {
  constexpr T magic = sizeof(T) == 4 ? T(12582912.0) : T(6755399441055744.0);
  constexpr T whole = sizeof(T) == 4 ? T(4194304.0) : T(2251799813685248.0);
  const Vec<T> rounded = copysign<T>((x + magic) - magic, x);
  // Between 2^22 and 2^23 (2^51 and 2^52) halves still exist; two steps of adding the sign's 2^23 (2^52) serve them.
  const Vec<T> large = copysign<T>(splat(T(2) * whole), x);
  const Vec<T> rounded_large = (x + large) - large;
  const Vec<T> magnitude = vabs<T>(x);
  return magnitude < whole ? rounded : (magnitude < T(2) * whole ? rounded_large : x);
}

enum class Rounding { nearest = 8, down = 9, up = 10 };  // the instructions' own codes

template <class T, Rounding mode>
DLBD_INLINE Vec<T> rounded(Vec<T> x) {
  constexpr int code = static_cast<int>(mode);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm512_mask_roundscale_ps((__m512)x, 0xffff, (__m512)x, code);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm512_mask_roundscale_pd((__m512d)x, 0xff, (__m512d)x, code);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return (Vec<T>)_mm256_round_ps((__m256)x, code);
  if constexpr (sizeof(T) == 8) return (Vec<T>)_mm256_round_pd((__m256d)x, code);
#else
  const Vec<T> r = round_by_adding<T>(x);
  if (code == static_cast<int>(Rounding::down)) return copysign<T>(r > x ? r - T(1) : r, x);
  if (code == static_cast<int>(Rounding::up)) return copysign<T>(r < x ? r + T(1) : r, x);
  return r;
#endif
}

template <class T>
DLBD_INLINE Vec<T> round(Vec<T> x) {
  return rounded<T, Rounding::nearest>(x);
}

template <class T>
DLBD_INLINE Vec<T> floor(Vec<T> x) {
  return rounded<T, Rounding::down>(x);
}

template <class T>
DLBD_INLINE Vec<T> ceil(Vec<T> x) {
  return rounded<T, Rounding::up>(x);
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

DLBD_INLINE Vec<double> at_least(double bound, Vec<double> x) { return x < bound ? splat(bound) : x; }
DLBD_INLINE Vec<double> at_most(double bound, Vec<double> x) { return x > bound ? splat(bound) : x; }

struct ExpParts {
  Vec<float> r;  // |r| <= ln 2 / 2
  Vec<float> n;  // an integer: exp(x) = 2^n exp(r)
};

// For -104 <= x <= 89.
DLBD_INLINE ExpParts bounded_exp_parts(Vec<float> x) {
  const Vec<float> n = fma<float>(x, splat(1.44269504088896341f), splat(kRoundMagic)) - kRoundMagic;
  Vec<float> r = fma<float>(n, splat(-0.693359375f), x);
  r = fma<float>(n, splat(2.12194440e-4f), r);
  return {r, n};
}

DLBD_INLINE ExpParts exp_parts(Vec<float> x) { return bounded_exp_parts(at_most(89.0f, at_least(-104.0f, x))); }

// (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2: minimax, 3e-9 of exp(r) and 1.3e-8 of exp(r) - 1.
DLBD_INLINE Vec<float> exp_polynomial(Vec<float> r) {
  Vec<float> p = splat(1.3882510715e-3f);
  p = fma<float>(p, r, splat(8.3665474469e-3f));
  p = fma<float>(p, r, splat(4.1667200795e-2f));
  p = fma<float>(p, r, splat(1.6666543421e-1f));
  return fma<float>(p, r, splat(4.9999998149e-1f));
}

DLBD_INLINE Vec<float> expm1_polynomial(Vec<float> r) { return fma<float>(exp_polynomial(r), r * r, r); }

DLBD_INLINE Vec<float> exp_of_parts(ExpParts x) {
  const Vec<float> p = fma<float>(exp_polynomial(x.r), x.r, splat(1.0f));
  return scale_by_power_of_two(fma<float>(p, x.r, splat(1.0f)), x.n);
}

DLBD_INLINE Vec<float> exp(Vec<float> x) { return exp_of_parts(exp_parts(x)); }

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

// n ln 2 + log(1 + f), -1/4 <= f < 1/2.
DLBD_INLINE Vec<float> log_of_parts(Vec<float> f, Vec<float> n) {
  const Vec<float> z = f * f;
  Vec<float> p = splat(-4.5074466506e-2f);  // minimax: 5e-9 of the logarithm
  p = fma<float>(p, f, splat(1.0462995665e-1f));
  p = fma<float>(p, f, splat(-1.3161196534e-1f));
  p = fma<float>(p, f, splat(1.4478400505e-1f));
  p = fma<float>(p, f, splat(-1.6647312344e-1f));
  p = fma<float>(p, f, splat(1.9990860860e-1f));
  p = fma<float>(p, f, splat(-2.5000095829e-1f));
  p = fma<float>(p, f, splat(3.3333449120e-1f));
  Vec<float> y = fma<float>(n, splat(-2.12194440e-4f), p * f * z);
  y = fma<float>(z, splat(-0.5f), y);
  return fma<float>(n, splat(0.693359375f), f + y);
}

// y, but what a logarithm of x is where x is zero, negative, infinite or NaN.
DLBD_INLINE Vec<float> fix_logarithm(Vec<float> y, Vec<float> x) {
#if defined(__AVX512F__)
  // Four bits for each class of x, the lowest first: x for quiet and signalling NaN, -inf for zero, y for one, NaN for
  // -inf, +inf for +inf, NaN for negatives, y for positives.
  return (Vec<float>)_mm512_fixupimm_ps((__m512)y, (__m512)x, _mm512_set1_epi32(0x03530422), 0);
#else
  constexpr float kInfinity = __builtin_inff();
  y = x == 0.0f ? splat(-kInfinity) : y;
  y = x < 0.0f ? splat(__builtin_nanf("")) : y;
  return (x == kInfinity) | (x != x) ? x : y;
#endif
}

DLBD_INLINE Vec<float> log(Vec<float> x) {
  using V = Vec<float>;
#if defined(__AVX512F__)
  const __m512 m = _mm512_maskz_getmant_ps(0xffff, (__m512)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
  const V exponent = (V)_mm512_maskz_getexp_ps(0xffff, (__m512)x);
  return fix_logarithm(log_of_parts((V)m - 1.0f, (V)m < 1.0f ? exponent + 1.0f : exponent), x);
#else
  using I = Vec<int32_t>;
  constexpr float kSmallestNormal = 1.17549435e-38f;
  const V scaled = x < kSmallestNormal ? x * 8388608.0f : x;  // a subnormal times 2^23
  const I shift = x < kSmallestNormal ? I{} + 23 : I{};
  // Subtracting the bits of 3/4 first makes the exponent field count from there.
  // Unsigned, for the bits of a negative or NaN may wrap around.
  const I bits = (I)((Vec<uint32_t>)scaled - 0x3f400000u);
  const V n = __builtin_convertvector((bits >> 23) - shift, V);
  return fix_logarithm(log_of_parts((V)((bits & 0x007fffff) + 0x3f400000) - 1.0f, n), x);
#endif
}

DLBD_INLINE Vec<double> log(Vec<double> x) { return each_lane<__builtin_log>(x); }

// n from u = 1 + x rounded; then f = 2^-n x + (2^-n - 1), which nothing has rounded away (N. Juffa's log1pf).
DLBD_INLINE Vec<float> log1p(Vec<float> x) {
  using V = Vec<float>;
  using U = Vec<uint32_t>;
  const V u = x + 1.0f;
  const U exponent = ((U)u - 0x3f400000u) & 0xff800000u;
  const V quarter = (V)(0x40800000u - exponent);  // 4 * 2^-n
  const V f = (V)((U)x - exponent) + fma<float>(quarter, splat(0.25f), splat(-1.0f));
  const V n = __builtin_convertvector((Vec<int32_t>)exponent, V) * 1.1920928955078125e-7f;
  return x == 0.0f ? x : fix_logarithm(log_of_parts(f, n), u);
}

DLBD_INLINE Vec<double> log1p(Vec<double> x) { return each_lane<__builtin_log1p>(x); }

// t / (t + 2) with t = exp(2|x|) - 1, which near zero is its polynomial: right there too.
DLBD_INLINE Vec<float> tanh(Vec<float> x) {
  using V = Vec<float>;
  const V magnitude = vabs<float>(x);
  const V twice = at_most(18.1f, magnitude + magnitude);  // there it has become 1
  const ExpParts parts = bounded_exp_parts(twice);
  const V power = (V)(((Vec<uint32_t>)(parts.n + kRoundMagic) << 23) + 0x3f800000u);  // 2^n
  const V t = fma<float>(power, expm1_polynomial(parts.r), power - 1.0f);
  const V y = t / (t + 2.0f);
  // One Newton step takes back what rounding t + 2 cost a small y; 1 / (t + 2) is (1 - y) / 2, or less will do.
  const V lacking = fma<float>(-y, t, fma<float>(y, splat(-2.0f), t));
  return copysign<float>(fma<float>(lacking, at_least(0.0f, 0.5f - y), y), x);
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

// exp(-x^2 / 2), and the probability that a standard normal variable exceeds |x|.
template <class T>
struct NormalTail {
  Vec<T> bell, probability;
};

// The bell times a polynomial in 1 / (1 + p |x|) (the form of Abramowitz and Stegun 7.1.26, minimax to 2.4e-8): right
// relative to its size as far as it goes, which 1 - erf is not.
DLBD_INLINE NormalTail<float> normal_tail(Vec<float> x) {
  const Vec<float> magnitude = at_most(14.25f, vabs<float>(x));  // beyond, both are below the smallest float
  const Vec<float> bell = exp_of_parts(bounded_exp_parts(magnitude * -0.5f * magnitude));
  const Vec<float> t = 1.0f / fma<float>(magnitude, splat(0.27f), splat(1.0f));
  Vec<float> p = splat(2.8915544072e-2f);
  p = fma<float>(p, t, splat(-1.2625655433e-1f));
  p = fma<float>(p, t, splat(1.6929403493e-1f));
  p = fma<float>(p, t, splat(-6.8623981028e-2f));
  p = fma<float>(p, t, splat(1.0740148967e-1f));
  p = fma<float>(p, t, splat(7.2239423001e-2f));
  p = fma<float>(p, t, splat(1.0175938796e-1f));
  p = fma<float>(p, t, splat(1.0755048043e-1f));
  p = fma<float>(p, t, splat(1.0772018705e-1f));
  return {bell, p * t * bell};
}

DLBD_INLINE NormalTail<double> normal_tail(Vec<double> x) {
  return {exp(x * x * -0.5), 0.5 * each_lane<__builtin_erfc>(vabs<double>(x) * 0.70710678118654752)};
}

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

DLBD_INLINE Vec<double> sqrt(Vec<double> x) { return vsqrt(x); }

// Correctly rounded. With AVX-512 from an estimate of 1 / sqrt(x), refined until the last step rounds once (P.
// Markstein 2000): shorter than the instruction.
DLBD_INLINE Vec<float> sqrt(Vec<float> x) {
#if defined(__AVX512F__)
  if (!all_lanes((x > 1e-30f) & (x < __builtin_inff()))) return vsqrt(x);
  const Vec<float> r = (Vec<float>)_mm512_maskz_rsqrt14_ps(0xffff, (__m512)x);
  Vec<float> root = x * r, half = r * 0.5f;
  const Vec<float> error = fma<float>(-root, half, splat(0.5f));
  root = fma<float>(root, error, root), half = fma<float>(half, error, half);
  return fma<float>(fma<float>(-root, root, x), half, root);
#else
  return vsqrt(x);
#endif
}

template <class T>
DLBD_INLINE Vec<T> rsqrt(Vec<T> x) {
  return T(1) / sqrt(x);
}

// exp(b log a) in double, a > 0 and finite: half a ULP of a float is left.
DLBD_INLINE Vec<double> pow_in_double(Vec<double> a, Vec<double> b) {
  using V = Vec<double>;
  using U = Vec<uint64_t>;
  constexpr uint64_t kThreeQuarters = 0x3fe8000000000000, kMantissa = 0x000fffffffffffff;
  constexpr double kMagic = 6755399441055744.0, kLog2 = 0.69314718055994530942;  // 1.5 * 2^52: see round_by_adding
  const U magic = (U)splat(kMagic);
  const U bits = (U)a - kThreeQuarters;
  const V n = (V)(((bits + (uint64_t{1024} << 52)) >> 52) - 1024 + magic) - kMagic;
  const V m = (V)((bits & kMantissa) + kThreeQuarters);
  const V s = (m - 1.0) / (m + 1.0), z = s * s;  // log m = 2 atanh s, |s| <= 1/5
  V p = splat(0.201322002125349722);
  p = fma<double>(p, z, splat(0.221342578185880303));
  p = fma<double>(p, z, splat(0.285732102933649565));
  p = fma<double>(p, z, splat(0.399999843138474875));
  p = fma<double>(p, z, splat(0.666666667114374949));
  V y = b * fma<double>(n, splat(kLog2), fma<double>(p * z, s, s + s));
  y = y < -200.0 ? splat(-200.0) : (y > 200.0 ? splat(200.0) : y);  // where a float is zero, where it is infinite
  const V shifted = fma<double>(y, splat(1 / kLog2), splat(kMagic));
  const V r = fma<double>(shifted - kMagic, splat(-kLog2), y);
  V q = splat(1.97676546794945040e-4);
  q = fma<double>(q, r, splat(1.39459093005670060e-3));
  q = fma<double>(q, r, splat(8.33356899817728435e-3));
  q = fma<double>(q, r, splat(4.16662723915948100e-2));
  q = fma<double>(q, r, splat(1.66666651628590596e-1));
  q = fma<double>(q, r, splat(5.00000007719348199e-1));
  q = fma<double>(q, r, splat(1.00000000020876881));
  q = fma<double>(q, r, splat(1.0));
  return (V)((U)q + ((U)shifted << 52));
}

DLBD_INLINE Vec<float> pow(Vec<float> a, Vec<float> b) {
  using V = Vec<float>;
  using I = Vec<int32_t>;
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  constexpr float kInfinity = __builtin_inff();
  const V magnitude = vabs<float>(a);
  Half base[2], exponent[2], result[2];
  __builtin_memcpy(base, &magnitude, sizeof(V)), __builtin_memcpy(exponent, &b, sizeof(V));
  for (int i = 0; i < 2; ++i)
    result[i] = __builtin_convertvector(
        pow_in_double(__builtin_convertvector(base[i], Vec<double>), __builtin_convertvector(exponent[i], Vec<double>)),
        Half);
  V y;
  __builtin_memcpy(&y, result, sizeof(V));
  const I whole = round<float>(b) == b, odd = whole & (round<float>(b * 0.5f) != b * 0.5f);
  y = a < 0.0f ? (whole ? (odd ? -y : y) : splat(__builtin_nanf(""))) : y;
  const I plain = (magnitude > 0.0f) & (magnitude < kInfinity) & (vabs<float>(b) < kInfinity);
  if (!all_lanes(plain)) {  // zeros, infinities, NaN
    for (int i = 0; i < kLanes<float>; ++i)
      if (plain[i] == 0) y[i] = __builtin_powf(a[i], b[i]);
  }
  return y;
}
DLBD_INLINE Vec<double> pow(Vec<double> a, Vec<double> b) {
  for (int i = 0; i < kLanes<double>; ++i) a[i] = __builtin_pow(a[i], b[i]);
  return a;
}

}  // namespace dlbd::DLBD_ISA
