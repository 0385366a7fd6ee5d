// The operations of one operand and their gradients, for floats. `op` is a constant in most kernels.
#pragma once

#include "../shapes/elementwise.h"
#include "scalar_math.h"

namespace dlbd::cuda {

inline constexpr double kSeluScale = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;  // Klambauer et al. 2017
inline constexpr double kInverseSqrtTwoPi = 0.39894228040143268;
inline constexpr double kSqrtTwoOverPi = 0.79788456080286536, kGeluCubic = 0.044715;  // Hendrycks and Gimpel 2016
inline constexpr double kTwoOverSqrtPi = 1.1283791670955126, kHalfSqrtPi = 0.88622692545275801;

template <class T>
__device__ __forceinline__ T clip(T x, T low, T high) {  // NaN stays
  const T raised = x < low ? low : x;
  return raised > high ? high : raised;
}

// exp(-x^2 / 2), and the probability that a standard normal variable exceeds |x|.
template <class T>
struct NormalTail {
  T bell, probability;
};

// The CPU twin's: the bell times a polynomial in 1 / (1 + p |x|) (the form of Abramowitz and Stegun 7.1.26, minimax to
// 2.4e-8), right relative to its size, which 1 - erf is not.
__device__ __forceinline__ NormalTail<float> normal_tail(float x) {
  const float magnitude = clip(fabs(x), 0.0f, 14.25f);  // beyond, both are below the smallest float
  const float bell = exp(magnitude * -0.5f * magnitude);
  const float t = 1.0f / (magnitude * 0.27f + 1.0f);
  float p = 2.8915544072e-2f;
  p = p * t - 1.2625655433e-1f;
  p = p * t + 1.6929403493e-1f;
  p = p * t - 6.8623981028e-2f;
  p = p * t + 1.0740148967e-1f;
  p = p * t + 7.2239423001e-2f;
  p = p * t + 1.0175938796e-1f;
  p = p * t + 1.0755048043e-1f;
  p = p * t + 1.0772018705e-1f;
  return {bell, p * t * bell};
}
__device__ __forceinline__ NormalTail<double> normal_tail(double x) {
  return {exp(x * x * -0.5), 0.5 * erfc(fabs(x) * 0.70710678118654752)};
}

// The CPU twin's: x times a polynomial in log(1 - x^2), one near and one far from zero (N. Juffa's erfinvf).
__device__ __forceinline__ float inverse_erf(float x) {
  const float t = log((1.0f - x) * (1.0f + x));
  float p;
  if (t < -6.125f) {
    p = 3.03697567e-10f;
    p = p * t + 2.93243101e-8f;
    p = p * t + 1.22150334e-6f;
    p = p * t + 2.84108955e-5f;
    p = p * t + 3.93552968e-4f;
    p = p * t + 3.02698812e-3f;
    p = p * t + 4.83185798e-3f;
    p = p * t - 2.64646143e-1f;
    p = p * t + 8.40016484e-1f;
  } else {
    p = 5.43877832e-9f;
    p = p * t + 1.43285448e-7f;
    p = p * t + 1.22774793e-6f;
    p = p * t + 1.12963626e-7f;
    p = p * t - 5.61530760e-5f;
    p = p * t - 1.47697632e-4f;
    p = p * t + 2.31468678e-3f;
    p = p * t + 1.15392581e-2f;
    p = p * t - 2.32015476e-1f;
    p = p * t + 8.86226892e-1f;
  }
  return x * p;
}
// Winitzki's formula (2008) within 0.2 %, then two steps of Halley's method.
__device__ __forceinline__ double inverse_erf(double x) {
  const double a = fabs(x);
  if (a == 0 || a == 1) return x / (1 - a);
  const double t = log1p(-a * a), b = 4.330746750799873 + 0.5 * t;  // 2 / (0.147 pi)
  double y = sqrt(sqrt(b * b - t / 0.147) - b);
  for (int step = 0; step < 2; ++step) {
    const double error = a < 0.5 ? erf(y) - a : (1 - a) - erfc(y);
    const double newton = error * kHalfSqrtPi * exp(y * y);
    y -= newton / (1 + y * newton);
  }
  return copysign(y, x);
}

// a and b are the operation's parameters alpha and beta.
template <class T>
__device__ __forceinline__ T unary_of(UnaryOp op, T x, T a, T b) {
  switch (op) {
    case UnaryOp::negative: return -x;
    case UnaryOp::abs: return fabs(x);
    case UnaryOp::square: return x * x;
    case UnaryOp::sqrt: return sqrt(x);
    case UnaryOp::rsqrt: return T(1) / sqrt(x);
    case UnaryOp::reciprocal: return T(1) / x;
    case UnaryOp::exp: return exp(x);
    case UnaryOp::expm1: return expm1(x);
    case UnaryOp::log: return log(x);
    case UnaryOp::log1p: return log1p(x);
    case UnaryOp::sin: return sin(x);
    case UnaryOp::cos: return cos(x);
    case UnaryOp::erf: return erf(x);
    case UnaryOp::sign: return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x);  // NaN and zeros stay
    case UnaryOp::floor: return floor(x);
    case UnaryOp::ceil: return ceil(x);
    case UnaryOp::round: return rint(x);  // ties to even
    case UnaryOp::clip: return clip(x, a, b);
    case UnaryOp::relu: return x < T(0) ? T(0) : x;
    case UnaryOp::leaky_relu: return x < T(0) ? x * a : x;
    case UnaryOp::relu6: return clip(x, T(0), T(6));
    case UnaryOp::threshold: return x > a || x != x ? x : b;
    case UnaryOp::sigmoid: return sigmoid(x);
    case UnaryOp::tanh: return tanh(x);
    case UnaryOp::gelu: return (x < T(0) ? T(0) : x) - fabs(x) * normal_tail(x).probability;
    case UnaryOp::gelu_tanh: return T(0.5) * x * (T(1) + tanh((x + T(kGeluCubic) * x * x * x) * T(kSqrtTwoOverPi)));
    case UnaryOp::silu: return x * sigmoid(x);
    case UnaryOp::elu: return x < T(0) ? expm1(x) * a : x;
    case UnaryOp::celu: return x < T(0) ? expm1(x / a) * a : x;
    case UnaryOp::selu: return x < T(0) ? expm1(x) * T(kSeluScale * kSeluAlpha) : x * T(kSeluScale);
    case UnaryOp::softplus: return softplus(x);
    case UnaryOp::softsign: return x / (T(1) + fabs(x));
    case UnaryOp::hard_sigmoid: return clip(x + T(3), T(0), T(6)) * T(1.0 / 6);
    case UnaryOp::hard_silu: return x * (clip(x + T(3), T(0), T(6)) * T(1.0 / 6));
    case UnaryOp::hard_tanh: return clip(x, T(-1), T(1));
    case UnaryOp::hard_shrink: return fabs(x) <= a ? T(0) : x;
    case UnaryOp::soft_shrink: return fabs(x) <= a ? T(0) : x - copysign(a, x);
    case UnaryOp::tanh_shrink: return x - tanh(x);
    case UnaryOp::log_sigmoid: return -softplus(-x);
    case UnaryOp::mish: return x * tanh(softplus(x));
    case UnaryOp::arcsin: return asin(x);
    case UnaryOp::arccos: return acos(x);
    case UnaryOp::arctan: return atan(x);
    case UnaryOp::arcsinh: return asinh(x);
    case UnaryOp::arccosh: return acosh(x);
    case UnaryOp::arctanh: return atanh(x);
    case UnaryOp::cbrt: return cbrt(x);
    case UnaryOp::erfinv: return inverse_erf(x);
    case UnaryOp::count: break;
  }
  return x;
}

// dy times the derivative, from what DLBD_UNARY says was saved: the input or the output.
template <class T>
__device__ __forceinline__ T unary_slope(UnaryOp op, T v, T dy, T a, T b) {
  switch (op) {
    case UnaryOp::negative: return -dy;
    case UnaryOp::abs: return v > T(0) ? dy : (v < T(0) ? -dy : T(0));
    case UnaryOp::square: return dy * (v + v);
    case UnaryOp::sqrt: return dy * T(0.5) / v;
    case UnaryOp::rsqrt: return dy * T(-0.5) * v * v * v;
    case UnaryOp::reciprocal: return -dy * v * v;
    case UnaryOp::exp: return dy * v;
    case UnaryOp::expm1: return dy * (v + T(1));
    case UnaryOp::log: return dy / v;
    case UnaryOp::log1p: return dy / (v + T(1));
    case UnaryOp::sin: return dy * cos(v);
    case UnaryOp::cos: return -dy * sin(v);
    case UnaryOp::erf: return dy * T(kTwoOverSqrtPi) * exp(-v * v);
    case UnaryOp::sign:
    case UnaryOp::floor:
    case UnaryOp::ceil:
    case UnaryOp::round: return dy - dy;
    case UnaryOp::clip: return v < a || v > b ? T(0) : dy;
    case UnaryOp::relu: return v > T(0) ? dy : T(0);
    case UnaryOp::leaky_relu: return v < T(0) ? dy * a : dy;
    case UnaryOp::relu6: return v > T(0) && v < T(6) ? dy : T(0);
    case UnaryOp::threshold: return v > a ? dy : T(0);
    case UnaryOp::sigmoid: return dy * v * (T(1) - v);
    case UnaryOp::tanh: return dy * (T(1) - v * v);
    case UnaryOp::gelu: {
      const NormalTail<T> tail = normal_tail(v);
      const T probability = v < T(0) ? tail.probability : T(1) - tail.probability;
      return dy * (probability + v * T(kInverseSqrtTwoPi) * tail.bell);
    }
    case UnaryOp::gelu_tanh: {
      const T t = tanh((v + T(kGeluCubic) * v * v * v) * T(kSqrtTwoOverPi));
      const T inner = T(kSqrtTwoOverPi) * (T(1) + T(3 * kGeluCubic) * v * v);
      return dy * T(0.5) * (T(1) + t + v * (T(1) - t * t) * inner);
    }
    case UnaryOp::silu: {
      const T s = sigmoid(v);
      return dy * s * (T(1) + v * (T(1) - s));
    }
    case UnaryOp::elu: return v < T(0) ? dy * a * exp(v) : dy;
    case UnaryOp::celu: return v < T(0) ? dy * exp(v / a) : dy;
    case UnaryOp::selu: return v < T(0) ? dy * (v + T(kSeluScale * kSeluAlpha)) : dy * T(kSeluScale);
    case UnaryOp::softplus: return -dy * expm1(-v);
    case UnaryOp::softsign: {
      const T d = T(1) + fabs(v);
      return dy / (d * d);
    }
    case UnaryOp::hard_sigmoid: return v > T(0) && v < T(1) ? dy * T(1.0 / 6) : T(0);
    case UnaryOp::hard_silu: return v <= T(-3) ? T(0) : (v >= T(3) ? dy : dy * (v * T(1.0 / 3) + T(0.5)));
    case UnaryOp::hard_tanh: return v < T(-1) || v > T(1) ? T(0) : dy;
    case UnaryOp::hard_shrink:
    case UnaryOp::soft_shrink: return fabs(v) <= a ? T(0) : dy;
    case UnaryOp::tanh_shrink: {
      const T t = tanh(v);
      return dy * t * t;
    }
    case UnaryOp::log_sigmoid: return dy * sigmoid(-v);
    case UnaryOp::mish: {
      const T t = tanh(softplus(v));
      return dy * (t + v * (T(1) - t * t) * sigmoid(v));
    }
    case UnaryOp::arcsin: return dy / sqrt((T(1) - v) * (T(1) + v));
    case UnaryOp::arccos: return -dy / sqrt((T(1) - v) * (T(1) + v));
    case UnaryOp::arctan: return dy / (T(1) + v * v);
    case UnaryOp::arcsinh: return dy / sqrt(T(1) + v * v);
    case UnaryOp::arccosh: return dy / sqrt((v - T(1)) * (v + T(1)));
    case UnaryOp::arctanh: return dy / ((T(1) - v) * (T(1) + v));
    case UnaryOp::cbrt: return dy / (T(3) * v * v);
    case UnaryOp::erfinv: return dy * T(kHalfSqrtPi) * exp(v * v);
    case UnaryOp::count: break;
  }
  return dy;
}

}  // namespace dlbd::cuda
