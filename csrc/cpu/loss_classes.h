// Losses over the classes of a row, and their derivatives.
#pragma once

#include "loss_elements.h"

namespace dlbd::DLBD_ISA {

// A softmax cross-entropy is weight * log(sum) + rest; the logarithms of several rows are taken at once.
template <class T>
struct SoftmaxTerms {
  T sum;
  double weight, rest;
};

// L = log sum exp(x) * sum(t) - sum(t x); statistics: max, 1 / sum exp(x - max), sum(t).
template <class T>
SoftmaxTerms<T> softmax_row(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row,
                            Target<T> target, T* statistics) {
  const int64_t n = s.columns;
  const T max = row_max(x, n);
  const T sum =
      static_cast<T>(sum_vectors<T>(n, [&](int64_t j, int64_t lanes) { return exp(load_part(x + j, lanes) - max); }));
  statistics[0] = max, statistics[1] = T(1) / sum;
  if (s.sparse) {
    statistics[2] = T(1);
    return {sum, 1, static_cast<double>(max) - static_cast<double>(x[label])};
  }
  const auto weight = [&](int64_t j, int64_t lanes) { return targets<T>(s, labels, target, row * n + j, lanes); };
  const double total = sum_vectors<T>(n, weight);
  statistics[2] = static_cast<T>(total);
  return {sum, total, -sum_vectors<T>(n, [&](int64_t j, int64_t lanes) {
            const Vec<T> t = weight(j, lanes);
            return t == T(0) ? t : t * (load_part(x + j, lanes) - max);  // 0 * -inf counts as nothing
          })};
}

// dx = (softmax(x) sum(t) - t) scale
template <class T>
void softmax_row_gradient(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row,
                          Target<T> target, const T* statistics, T scale, T* dx, bool accumulate) {
  const T max = statistics[0], factor = statistics[1] * statistics[2] * scale;
  each_vector<T>(s.columns, [&](int64_t i, int64_t lanes) {
    Vec<T> g = exp(load_part(x + i, lanes, max) - max) * factor;
    if (!s.sparse) g -= targets<T>(s, labels, target, row * s.columns + i, lanes) * scale;
    if (accumulate) g += load_part(dx + i, lanes);
    store_part<T>(dx + i, g, lanes);
  });
  if (s.sparse) dx[label] -= scale;
}

// Keras: q = p / sum(p), clipped to [eps, 1 - eps]; L = -sum(t log q).
// statistics: sum(p), sum of t where q was not clipped.
template <class T>
double categorical_row(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row, Target<T> target,
                       T* statistics) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  const T sum =
      static_cast<T>(sum_vectors<T>(s.columns, [&](int64_t j, int64_t lanes) { return load_part(x + j, lanes); }));
  statistics[0] = sum;
  if (s.sparse) {
    const T q = x[label] / sum;
    const bool inside = !(q < low) && !(q > high);
    statistics[1] = inside ? T(1) : T(0);
    return -__builtin_log(static_cast<double>(q < low ? low : (q > high ? high : q)));
  }
  const auto probability = [&](int64_t j, int64_t lanes) { return load_part(x + j, lanes) / sum; };
  const auto weight = [&](int64_t j, int64_t lanes) {
    return targets<T>(s, labels, target, row * s.columns + j, lanes);
  };
  statistics[1] = static_cast<T>(sum_vectors<T>(s.columns, [&](int64_t j, int64_t lanes) {
    const Vec<T> q = probability(j, lanes);
    return (q < low) | (q > high) ? Vec<T>{} : weight(j, lanes);
  }));
  return -sum_vectors<T>(s.columns, [&](int64_t j, int64_t lanes) {
    return weight(j, lanes) * log(at_most(high, at_least(low, probability(j, lanes))));
  });
}

template <class T>
void categorical_row_gradient(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row,
                              Target<T> target, const T* statistics, T scale, T* dx, bool accumulate) {
  const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
  const T sum = statistics[0], per_sum = scale / sum;
  each_vector<T>(s.columns, [&](int64_t i, int64_t lanes) {
    const Vec<T> p = load_part(x + i, lanes, T(1)), q = p / sum;
    Vec<T> t{};
    if (!s.sparse)
      t = targets<T>(s, labels, target, row * s.columns + i, lanes);
    else if (label >= i && label < i + lanes)
      t[label - i] = T(1);
    Vec<T> g = ((q < low) | (q > high) | (t == T(0)) ? Vec<T>{} : -t / q) + statistics[1];
    g *= per_sum;
    if (accumulate) g += load_part(dx + i, lanes);
    store_part<T>(dx + i, g, lanes);
  });
}

// L = -sum(t p) / (|t| |p|), both lengths at least eps; statistics: 1 / |p|, 1 / |t|, -L (0 in place of it when |p|
// was below eps: the length is then constant).
template <class T>
double cosine_row(const LossShape& s, const void* labels, const T* x, int64_t row, T* statistics) {
  const auto prediction = [&](int64_t j, int64_t lanes) { return load_part(x + j, lanes); };
  const auto label = [&](int64_t j, int64_t lanes) {
    return load_labels<T>(labels, s.label_dtype, row * s.columns + j, lanes);
  };
  const double p2 =
      sum_vectors<T>(s.columns, [&](int64_t j, int64_t n) { return prediction(j, n) * prediction(j, n); });
  const double t2 = sum_vectors<T>(s.columns, [&](int64_t j, int64_t n) { return label(j, n) * label(j, n); });
  const double tp = sum_vectors<T>(s.columns, [&](int64_t j, int64_t n) { return label(j, n) * prediction(j, n); });
  const double least = kLossEpsilon * kLossEpsilon;
  const double by_p = 1 / __builtin_sqrt(p2 < least ? least : p2), by_t = 1 / __builtin_sqrt(t2 < least ? least : t2);
  const double cosine = tp * by_p * by_t;
  statistics[0] = static_cast<T>(by_p), statistics[1] = static_cast<T>(by_t);
  statistics[2] = p2 < least ? T(0) : static_cast<T>(cosine);
  return -cosine;
}

// dp = (cosine * p / |p| - t / |t|) / |p|
template <class T>
void cosine_row_gradient(const LossShape& s, const void* labels, const T* x, int64_t row, const T* statistics, T scale,
                         T* dx, bool accumulate) {
  const T by_p = statistics[0], by_t = statistics[1], cosine = statistics[2];
  each_vector<T>(s.columns, [&](int64_t i, int64_t lanes) {
    const Vec<T> p = load_part(x + i, lanes), t = load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes);
    Vec<T> g = (p * (cosine * by_p) - t * by_t) * (by_p * scale);
    if (accumulate) g += load_part(dx + i, lanes);
    store_part<T>(dx + i, g, lanes);
  });
}

}  // namespace dlbd::DLBD_ISA
