// Losses that are functions of single elements, and their derivatives.
#pragma once

#include "loss_labels.h"
#include "scalar_math.h"

namespace dlbd::cuda {

inline constexpr double kLossEpsilon = 1e-7;  // Keras's, where it keeps probabilities away from 0 and 1

// A NaN stays.
template <class T>
__device__ __forceinline__ T at_least(T bound, T x) {
  return x < bound ? bound : x;
}
template <class T>
__device__ __forceinline__ T at_most(T bound, T x) {
  return x > bound ? bound : x;
}
template <class T>
__device__ __forceinline__ T sign_of(T x) {  // 0 for 0, NaN stays
  return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x);
}

// f of each label and prediction.
template <class T, class F>
__device__ __forceinline__ Pack<T> each(const Pack<T>& t, const Pack<T>& p, const F& f) {
  Pack<T> y;
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) y.v[i] = f(t.v[i], p.v[i]);
  return y;
}

template <class T>
__device__ __forceinline__ Pack<T> element_loss(const LossShape& s, const Pack<T>& labels, const Pack<T>& predictions) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  const auto of = [&](const auto& f) { return each(labels, predictions, f); };
  switch (s.kind) {
    case LossKind::squared: return of([](T t, T p) { return (p - t) * (p - t); });
    case LossKind::absolute: return of([](T t, T p) { return fabs(p - t); });
    case LossKind::percentage: return of([low](T t, T p) { return T(100) * fabs((t - p) / at_least(low, fabs(t))); });
    case LossKind::logarithmic:
      return of([low](T t, T p) {
        const T d = log1p(at_least(low, t)) - log1p(at_least(low, p));
        return d * d;
      });
    case LossKind::huber:
      return of([delta = static_cast<T>(s.delta)](T t, T p) {
        const T e = fabs(p - t);
        return e <= delta ? T(0.5) * e * e : delta * e - T(0.5) * delta * delta;
      });
    case LossKind::log_cosh:  // log cosh e = e + log(1 + exp(-2e)) - log 2
      return of([](T t, T p) {
        const T e = fabs(p - t);
        return e + log1p(exp(T(-2) * e)) - T(0.69314718055994530942);
      });
    case LossKind::poisson: return of([low](T t, T p) { return p - t * log(p + low); });
    case LossKind::hinge: return of([](T t, T p) { return at_least(T(0), T(1) - t * p); });
    case LossKind::squared_hinge:
      return of([](T t, T p) {
        const T e = at_least(T(0), T(1) - t * p);
        return e * e;
      });
    case LossKind::kl_divergence:
      return of([low](T t, T p) {
        const T a = at_most(T(1), at_least(low, t)), b = at_most(T(1), at_least(low, p));
        return a * log(a / b);
      });
    case LossKind::sigmoid_cross_entropy:
      return of([](T t, T p) { return at_least(T(0), p) - p * t + log1p(exp(-fabs(p))); });
    case LossKind::binary_cross_entropy:
      return of([low, high](T t, T p) {
        const T q = at_most(high, at_least(low, p));
        return -(t * log(q) + (T(1) - t) * log(T(1) - q));
      });
    case LossKind::identity:
    default: return predictions;
  }
}

// d element_loss / dp.
template <class T>
__device__ __forceinline__ Pack<T> element_gradient(const LossShape& s, const Pack<T>& labels,
                                                    const Pack<T>& predictions) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  const auto of = [&](const auto& f) { return each(labels, predictions, f); };
  switch (s.kind) {
    case LossKind::squared: return of([](T t, T p) { return T(2) * (p - t); });
    case LossKind::absolute: return of([](T t, T p) { return sign_of(p - t); });
    case LossKind::percentage: return of([low](T t, T p) { return T(100) * sign_of(p - t) / at_least(low, fabs(t)); });
    case LossKind::logarithmic:
      return of([low](T t, T p) {
        const T d = log1p(at_least(low, p)) - log1p(at_least(low, t));
        return p < low ? T(0) : T(2) * d / (T(1) + p);
      });
    case LossKind::huber:
      return of([delta = static_cast<T>(s.delta)](T t, T p) { return at_most(delta, at_least(-delta, p - t)); });
    case LossKind::log_cosh: return of([](T t, T p) { return static_cast<T>(tanh(p - t)); });
    case LossKind::poisson: return of([low](T t, T p) { return T(1) - t / (p + low); });
    case LossKind::hinge: return of([](T t, T p) { return T(1) - t * p > T(0) ? -t : T(0); });
    case LossKind::squared_hinge: return of([](T t, T p) { return T(-2) * t * at_least(T(0), T(1) - t * p); });
    case LossKind::kl_divergence:
      return of([low](T t, T p) {
        const T a = at_most(T(1), at_least(low, t));
        return p < low || p > T(1) ? T(0) : -a / p;
      });
    case LossKind::sigmoid_cross_entropy: return of([](T t, T p) { return sigmoid(p) - t; });
    case LossKind::binary_cross_entropy:
      return of([low, high](T t, T p) { return p < low || p > high ? T(0) : (p - t) / (p * (T(1) - p)); });
    case LossKind::identity:
    default: return of([](T, T) { return T(1); });
  }
}

// What the mean over a row's elements (kl_divergence: their sum) multiplies them with.
__device__ __forceinline__ double element_share(const LossShape& s) {
  return s.kind == LossKind::kl_divergence ? 1.0 : 1.0 / static_cast<double>(s.columns);
}

// As the row losses of loss_classes.h: the mean (sum) of a row's element losses.
struct ElementRow {
  template <class T>
  static __device__ double loss(const LossForwardArgs& a, const Span& span, int64_t, Target<T> target, Team team,
                                TeamSlots& slots, T*) {
    const T* x = static_cast<const T*>(a.predictions);
    const int64_t step = team.size * kLanes<T>;
    double sum = 0;
#pragma unroll 1
    for (int64_t at = span.first + team.rank() * kLanes<T>; at < span.end; at += step) {
      const Pack<T> p = load_span(x, at, span);
      const Pack<T> t = a.labels ? targets(a.shape, a.labels, target, at, span) : Pack<T>{};
      sum += static_cast<double>(sum_of<T, 1>({keep_span(element_loss(a.shape, t, p), at, span)}));
    }
    return element_share(a.shape) * reduce_team(sum, Plus(), team, slots);
  }

  template <class T>
  static __device__ Pack<T> gradient(const LossBackwardArgs& a, const Span& span, int64_t, Target<T> target, int64_t at,
                                     const T*, T scale) {
    Pack<T> t{};
    if (a.labels) t = targets(a.shape, a.labels, target, at, span);
    Pack<T> g = element_gradient(a.shape, t, load_span(static_cast<const T*>(a.predictions), at, span));
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) g.v[i] *= scale;
    return g;
  }
};

}  // namespace dlbd::cuda
