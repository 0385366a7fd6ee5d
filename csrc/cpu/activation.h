// The activations of ActivationSpec on vectors, and their derivatives from the output.
#pragma once

#include "../shapes/common.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {

DLBD_INLINE Vec<double> log1p(Vec<double> x) { return each_lane<__builtin_log1p>(x); }
DLBD_INLINE Vec<float> log1p(Vec<float> x) {
  for (int i = 0; i < kLanes<float>; ++i) x[i] = __builtin_log1pf(x[i]);
  return x;
}

template <class T>
DLBD_INLINE Vec<T> activate(ActivationSpec act, Vec<T> x) {
  const T alpha = static_cast<T>(act.alpha);
  switch (act.kind) {
    case Activation::linear: return x;
    case Activation::relu: return x < T(0) ? Vec<T>{} : x;  // NaN stays NaN
    case Activation::leaky_relu: return x < T(0) ? x * alpha : x;
    case Activation::sigmoid: return sigmoid<T>(x);
    case Activation::tanh: return tanh(x);
    case Activation::elu: return x < T(0) ? (exp(x) - T(1)) * alpha : x;
    case Activation::softplus: {
      const Vec<T> magnitude = x < T(0) ? -x : x;
      return (x < T(0) ? Vec<T>{} : x) + log1p(exp(-magnitude));
    }
  }
  return x;
}

// dact/dx written in terms of y = act(x).
template <class T>
DLBD_INLINE Vec<T> activation_gradient(ActivationSpec act, Vec<T> y, Vec<T> dy) {
  const T alpha = static_cast<T>(act.alpha);
  switch (act.kind) {
    case Activation::linear: return dy;
    case Activation::relu: return y > T(0) ? dy : Vec<T>{};
    case Activation::leaky_relu: return y < T(0) ? dy * alpha : dy;
    case Activation::sigmoid: return dy * y * (T(1) - y);
    case Activation::tanh: return dy * (T(1) - y * y);
    case Activation::elu: return y < T(0) ? dy * (y + alpha) : dy;
    case Activation::softplus: return dy * (T(1) - exp(-y));
  }
  return dy;
}

}  // namespace dlbd::DLBD_ISA
