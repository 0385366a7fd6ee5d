// Losses that are functions of single elements, and their derivatives.
#pragma once

#include "loss_labels.h"
#include "rows.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {

inline constexpr double kLossEpsilon = 1e-7;  // Keras's, where it keeps probabilities away from 0 and 1

// t: label, p: prediction.
template <class T>
DLBD_INLINE Vec<T> element_loss(const LossShape& s, Vec<T> t, Vec<T> p) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  switch (s.kind) {
    case LossKind::squared: return (p - t) * (p - t);
    case LossKind::absolute: return vabs<T>(p - t);
    case LossKind::percentage: return T(100) * vabs<T>((t - p) / at_least(low, vabs<T>(t)));
    case LossKind::logarithmic: {
      const Vec<T> d = log1p(at_least(low, t)) - log1p(at_least(low, p));
      return d * d;
    }
    case LossKind::huber: {
      const Vec<T> e = vabs<T>(p - t);
      const T delta = static_cast<T>(s.delta);
      return e <= delta ? T(0.5) * e * e : delta * e - T(0.5) * delta * delta;
    }
    case LossKind::log_cosh: {
      const Vec<T> e = vabs<T>(p - t);  // log cosh e = e + log(1 + exp(-2e)) - log 2
      return e + log1p(exp(T(-2) * e)) - T(0.69314718055994530942);
    }
    case LossKind::poisson: return p - t * log(p + low);
    case LossKind::hinge: return at_least(T(0), T(1) - t * p);
    case LossKind::squared_hinge: {
      const Vec<T> e = at_least(T(0), T(1) - t * p);
      return e * e;
    }
    case LossKind::kl_divergence: {
      const Vec<T> a = at_most(T(1), at_least(low, t)), b = at_most(T(1), at_least(low, p));
      return a * log(a / b);
    }
    case LossKind::sigmoid_cross_entropy: return at_least(T(0), p) - p * t + log1p(exp(-vabs<T>(p)));
    case LossKind::binary_cross_entropy: {
      const Vec<T> q = at_most(high, at_least(low, p));
      return -(t * log(q) + (T(1) - t) * log(T(1) - q));
    }
    case LossKind::identity:
    default: return p;
  }
}

// d element_loss / dp.
template <class T>
DLBD_INLINE Vec<T> element_gradient(const LossShape& s, Vec<T> t, Vec<T> p) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  const Vec<T> zero{}, one = splat(T(1));
  switch (s.kind) {
    case LossKind::squared: return T(2) * (p - t);
    case LossKind::absolute: return p > t ? one : (p < t ? -one : p - t);  // 0 where equal, NaN stays
    case LossKind::percentage: {
      const Vec<T> sign = p > t ? one : (p < t ? -one : p - t);
      return T(100) * sign / at_least(low, vabs<T>(t));
    }
    case LossKind::logarithmic: {
      const Vec<T> d = log1p(at_least(low, p)) - log1p(at_least(low, t));
      return p < low ? zero : T(2) * d / (T(1) + p);
    }
    case LossKind::huber: {
      const T delta = static_cast<T>(s.delta);
      return at_most(delta, at_least(-delta, p - t));
    }
    case LossKind::log_cosh: return tanh(p - t);
    case LossKind::poisson: return T(1) - t / (p + low);
    case LossKind::hinge: return T(1) - t * p > T(0) ? -t : zero;
    case LossKind::squared_hinge: return T(-2) * t * at_least(T(0), T(1) - t * p);
    case LossKind::kl_divergence: {
      const Vec<T> a = at_most(T(1), at_least(low, t));
      return (p < low) | (p > T(1)) ? zero : -a / p;
    }
    case LossKind::sigmoid_cross_entropy: return sigmoid<T>(p) - t;
    case LossKind::binary_cross_entropy: {
      return (p < low) | (p > high) ? zero : (p - t) / (p * (T(1) - p));
    }
    case LossKind::identity:
    default: return one;
  }
}

// The sum over [begin, begin + count).
template <class T>
double element_sum(const LossShape& s, const void* labels, const T* predictions, int64_t begin, int64_t count,
                   Target<T> target) {
  return sum_vectors<T>(
      count, [&](int64_t j, int64_t lanes) __attribute__((always_inline)) {
        const Vec<T> t = labels ? targets<T>(s, labels, target, begin + j, lanes) : Vec<T>{};
        return element_loss<T>(s, t, load_part(predictions + begin + j, lanes));
      });
}

template <class T>
void element_gradients(const LossShape& s, const void* labels, const T* predictions, T* dx, int64_t begin,
                       int64_t count, Target<T> target, T scale, bool accumulate) {
  each_vector<T>(
      count, [&](int64_t j, int64_t lanes) __attribute__((always_inline)) {
        const int64_t i = begin + j;
        const Vec<T> t = labels ? targets<T>(s, labels, target, i, lanes) : Vec<T>{};
        Vec<T> g = element_gradient<T>(s, t, load_part(predictions + i, lanes)) * scale;
        if (accumulate) g += load_part(dx + i, lanes);
        store_part<T>(dx + i, g, lanes);
      });
}

// What the mean over a row's elements (kl_divergence: their sum) multiplies them with.
DLBD_INLINE double element_share(const LossShape& s) {
  return s.kind == LossKind::kl_divergence ? 1.0 : 1.0 / static_cast<double>(s.columns);
}

}  // namespace dlbd::DLBD_ISA
