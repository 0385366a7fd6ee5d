// Losses over the classes of a row, and their derivatives. The first thread of the row's team gets the loss and writes
// what the backward pass needs.
#pragma once

#include "exp_sum.h"
#include "loss_elements.h"

namespace dlbd::cuda {

// L = log sum exp(x) * sum(t) - sum(t x); statistics: max, 1 / sum exp(x - max), sum(t). The row is read once.
struct SoftmaxRow {
  template <class T>
  static __device__ double loss(const LossForwardArgs& a, const Span& span, int64_t label, Target<T> target, Team team,
                                TeamSlots& slots, T* statistics) {
    const T* x = static_cast<const T*>(a.predictions);
    const bool sparse = a.shape.sparse;
    const int64_t step = team.size * kLanes<T>;
    ExpSum<T> mine;
    double total = 0, dot = 0;  // sum(t), sum(t (x - max))
#pragma unroll 1
    for (int64_t at = span.first + team.rank() * kLanes<T>; at < span.end; at += kAhead * step) {
      Pack<T> v[kAhead];
      load_run(x, at, step, span, v, kLowest<T>);
      const T before = origin(mine.top);
      add_exponentials(mine, v);
      if (sparse) continue;
      const T from = origin(mine.top);
      dot -= total * static_cast<double>(from - before);
      Pack<T> t[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        t[u] = targets(a.shape, a.labels, target, at + u * step, span);
#pragma unroll
        for (int i = 0; i < kLanes<T>; ++i)  // 0 * -inf counts as nothing
          v[u].v[i] = t[u].v[i] == T(0) ? T(0) : t[u].v[i] * (v[u].v[i] - from);
      }
      total += static_cast<double>(sum_of(t));
      dot += static_cast<double>(sum_of(v));
    }
    const T max = reduce_team(mine.top, Larger(), team, slots);
    const T sum = static_cast<T>(reduce_team(seen_from(mine, max), Plus(), team, slots));
    if (sparse) {
      total = 1;
      dot = span.begin < span.end ? static_cast<double>(x[span.begin + label]) - static_cast<double>(max) : 0;
    } else {
      dot = reduce_team(dot - total * static_cast<double>(max - origin(mine.top)), Plus(), team, slots);
      total = reduce_team(total, Plus(), team, slots);
    }
    if (team.rank() == 0 && span.begin < span.end)
      statistics[0] = max, statistics[1] = T(1) / sum, statistics[2] = static_cast<T>(total);
    return total * static_cast<double>(log(sum)) - dot;
  }

  // dx = (softmax(x) sum(t) - t) scale
  template <class T>
  static __device__ Pack<T> gradient(const LossBackwardArgs& a, const Span& span, int64_t label, Target<T> target,
                                     int64_t at, const T* statistics, T scale) {
    const T max = statistics[0], factor = statistics[1] * statistics[2] * scale;
    Pack<T> g = load_span(static_cast<const T*>(a.predictions), at, span, max);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) g.v[i] = exp(g.v[i] - max) * factor;
    if (a.shape.sparse) {
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i)
        if (at + i == span.begin + label) g.v[i] -= scale;
    } else {
      const Pack<T> t = targets(a.shape, a.labels, target, at, span);
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) g.v[i] -= t.v[i] * scale;
    }
    return g;
  }
};

// Keras: q = p / sum(p), clipped to [eps, 1 - eps]; L = -sum(t log q).
// statistics: sum(p), sum of t where q was not clipped.
struct CategoricalRow {
  template <class T>
  static __device__ double loss(const LossForwardArgs& a, const Span& span, int64_t label, Target<T> target, Team team,
                                TeamSlots& slots, T* statistics) {
    const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
    const T* x = static_cast<const T*>(a.predictions);
    const int64_t start = span.first + team.rank() * kLanes<T>, step = team.size * kLanes<T>;
    const bool leads = team.rank() == 0 && span.begin < span.end;
    double all = 0;
#pragma unroll 1
    for (int64_t at = start; at < span.end; at += kAhead * step) {
      Pack<T> p[kAhead];
      load_run(x, at, step, span, p);
      all += static_cast<double>(sum_of(p));
    }
    const T sum = static_cast<T>(reduce_team(all, Plus(), team, slots));
    if (a.shape.sparse) {
      const T q = span.begin < span.end ? x[span.begin + label] / sum : T(1);
      if (leads) statistics[0] = sum, statistics[1] = q < low || q > high ? T(0) : T(1);
      return -static_cast<double>(log(at_most(high, at_least(low, q))));
    }
    double inside = 0, dot = 0;
#pragma unroll 1
    for (int64_t at = start; at < span.end; at += step) {
      const Pack<T> p = load_span(x, at, span, T(1)), t = targets(a.shape, a.labels, target, at, span);
      T some = 0, product = 0;
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) {
        const T q = p.v[i] / sum;
        some += q < low || q > high ? T(0) : t.v[i];
        product += t.v[i] * log(at_most(high, at_least(low, q)));
      }
      inside += static_cast<double>(some), dot += static_cast<double>(product);
    }
    inside = reduce_team(inside, Plus(), team, slots);
    dot = reduce_team(dot, Plus(), team, slots);
    if (leads) statistics[0] = sum, statistics[1] = static_cast<T>(inside);
    return -dot;
  }

  template <class T>
  static __device__ Pack<T> gradient(const LossBackwardArgs& a, const Span& span, int64_t label, Target<T> target,
                                     int64_t at, const T* statistics, T scale) {
    const T low = static_cast<T>(kLossEpsilon), high = static_cast<T>(1 - kLossEpsilon);
    const T sum = statistics[0], inside = statistics[1], per_sum = scale / sum;
    Pack<T> g = load_span(static_cast<const T*>(a.predictions), at, span, T(1)), t{};
    if (!a.shape.sparse) t = targets(a.shape, a.labels, target, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) {
      if (a.shape.sparse) t.v[i] = at + i == span.begin + label ? T(1) : T(0);
      const T q = g.v[i] / sum;
      g.v[i] = ((q < low || q > high || t.v[i] == T(0) ? T(0) : -t.v[i] / q) + inside) * per_sum;
    }
    return g;
  }
};

// L = -sum(t p) / (|t| |p|), both lengths at least eps; statistics: 1 / |p|, 1 / |t|, -L (0 in place of it when |p|
// was below eps: the length is then constant).
struct CosineRow {
  template <class T>
  static __device__ double loss(const LossForwardArgs& a, const Span& span, int64_t, Target<T>, Team team,
                                TeamSlots& slots, T* statistics) {
    const T* x = static_cast<const T*>(a.predictions);
    const int64_t step = team.size * kLanes<T>;
    double pp = 0, tt = 0, tp = 0;
#pragma unroll 1
    for (int64_t at = span.first + team.rank() * kLanes<T>; at < span.end; at += step) {
      const Pack<T> p = load_span(x, at, span), t = load_labels<T>(a.labels, a.shape.label_dtype, at, span);
      T of_p = 0, of_t = 0, of_both = 0;
#pragma unroll
      for (int i = 0; i < kLanes<T>; ++i) of_p += p.v[i] * p.v[i], of_t += t.v[i] * t.v[i], of_both += t.v[i] * p.v[i];
      pp += static_cast<double>(of_p), tt += static_cast<double>(of_t), tp += static_cast<double>(of_both);
    }
    pp = reduce_team(pp, Plus(), team, slots);
    tt = reduce_team(tt, Plus(), team, slots);
    tp = reduce_team(tp, Plus(), team, slots);
    if (team.rank() != 0) return 0;
    const double least = kLossEpsilon * kLossEpsilon;
    const double by_p = 1 / sqrt(pp < least ? least : pp), by_t = 1 / sqrt(tt < least ? least : tt);
    const double cosine = tp * by_p * by_t;
    if (span.begin < span.end) {
      statistics[0] = static_cast<T>(by_p), statistics[1] = static_cast<T>(by_t);
      statistics[2] = pp < least ? T(0) : static_cast<T>(cosine);
    }
    return -cosine;
  }

  // dp = (cosine * p / |p| - t / |t|) / |p|
  template <class T>
  static __device__ Pack<T> gradient(const LossBackwardArgs& a, const Span& span, int64_t, Target<T>, int64_t at,
                                     const T* statistics, T scale) {
    const T by_p = statistics[0], by_t = statistics[1], cosine = statistics[2];
    Pack<T> g = load_span(static_cast<const T*>(a.predictions), at, span);
    const Pack<T> t = load_labels<T>(a.labels, a.shape.label_dtype, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) g.v[i] = (g.v[i] * (cosine * by_p) - t.v[i] * by_t) * (by_p * scale);
    return g;
  }
};

}  // namespace dlbd::cuda
