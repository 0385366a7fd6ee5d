// Functions of one number, alike for float and double, with the CPU twin's treatment of NaN and of the extremes.
#pragma once

#include "../shapes/common.h"
#include "launch.h"

namespace dlbd::cuda {

template <class T>
__device__ __forceinline__ T sigmoid(T x) {
  const T e = exp(-fabs(x));  // no overflow on either side
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}
template <class T>
__device__ __forceinline__ T softplus(T x) {
  return (x > T(0) ? x : (x == x ? T(0) : x)) + log1p(exp(-fabs(x)));
}

template <class T>
__device__ __forceinline__ T activate(ActivationSpec act, T x) {
  const T alpha = static_cast<T>(act.alpha);
  switch (act.kind) {
    case Activation::linear: return x;
    case Activation::relu: return x < T(0) ? T(0) : x;  // NaN stays NaN
    case Activation::leaky_relu: return x < T(0) ? x * alpha : x;
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return tanh(x);
    case Activation::elu: return x < T(0) ? expm1(x) * alpha : x;
    case Activation::softplus: return softplus(x);
  }
  return x;
}

// dact/dx written in terms of y = act(x).
template <class T>
__device__ __forceinline__ T activation_gradient(ActivationSpec act, T y, T dy) {
  const T alpha = static_cast<T>(act.alpha);
  switch (act.kind) {
    case Activation::linear: return dy;
    case Activation::relu: return y > T(0) ? dy : T(0);
    case Activation::leaky_relu: return y < T(0) ? dy * alpha : dy;
    case Activation::sigmoid: return dy * y * (T(1) - y);
    case Activation::tanh: return dy * (T(1) - y * y);
    case Activation::elu: return y < T(0) ? dy * (y + alpha) : dy;
    case Activation::softplus: return -dy * expm1(-y);
  }
  return dy;
}

}  // namespace dlbd::cuda
