// The activations of ActivationSpec on vectors, and their derivatives from the output.
#pragma once

#include "../shapes/common.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {

template <class T>
DLBD_INLINE Vec<T> activate(ActivationSpec act, Vec<T> x) {
  const T alpha = static_cast<T>(act.alpha);
  switch (act.kind) {
    case Activation::linear: return x;
    case Activation::relu: return x < T(0) ? Vec<T>{} : x;  // NaN stays NaN
    case Activation::leaky_relu: return x < T(0) ? x * alpha : x;
    case Activation::sigmoid: return sigmoid<T>(x);
    case Activation::tanh: return tanh(x);
    case Activation::elu: return x < T(0) ? expm1(x) * alpha : x;
    case Activation::softplus: return softplus<T>(x);
  }
  return x;
}

template <Activation K>
struct ActivationKind {
  static constexpr Activation value = K;
};

// Calls f with the activation as a compile-time constant.
template <class F>
DLBD_INLINE void with_activation(Activation kind, const F& f) {
  switch (kind) {
    case Activation::linear: return f(ActivationKind<Activation::linear>{});
    case Activation::relu: return f(ActivationKind<Activation::relu>{});
    case Activation::leaky_relu: return f(ActivationKind<Activation::leaky_relu>{});
    case Activation::sigmoid: return f(ActivationKind<Activation::sigmoid>{});
    case Activation::tanh: return f(ActivationKind<Activation::tanh>{});
    case Activation::elu: return f(ActivationKind<Activation::elu>{});
    case Activation::softplus: return f(ActivationKind<Activation::softplus>{});
  }
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
    case Activation::softplus: return -dy * expm1(-y);
  }
  return dy;
}

// In place on rows x columns values, `row` apart; the choice of the activation stays outside the loops.
template <class T>
inline void activate_block(ActivationSpec act, T* c, int64_t row, int64_t rows, int64_t columns) {
  const auto apply = [&](auto kind) {
    const ActivationSpec fixed{decltype(kind)::value, act.alpha};
    for (int64_t i = 0; i < rows; ++i, c += row)
      for (int64_t j = 0; j < columns; j += kLanes<T>) {
        if (columns - j >= kLanes<T>) {
          store(c + j, activate<T>(fixed, load(c + j)));
        } else {
          store_n(c + j, activate<T>(fixed, load_n(c + j, columns - j)), columns - j);
        }
      }
  };
  with_activation(act.kind, apply);
}

}  // namespace dlbd::DLBD_ISA
