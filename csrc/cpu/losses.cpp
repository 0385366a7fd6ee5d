// Losses forward and backward. One template serves every loss that is a function of single elements; the losses over
// classes have their own.
#include "../shapes/losses.h"

#include "activation.h"
#include "kernels.h"
#include "parallel.h"
#include "vector_math.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras's, where it keeps probabilities away from 0 and 1
constexpr double kLog2 = 0.69314718055994530942;

template <class T>
DLBD_INLINE Vec<T> magnitude(Vec<T> x) {
  return x < T(0) ? -x : x;
}
template <class T>
DLBD_INLINE Vec<T> at_least(Vec<T> x, double limit) {
  return x < T(limit) ? splat(T(limit)) : x;
}
template <class T>
DLBD_INLINE Vec<T> at_most(Vec<T> x, double limit) {
  return x > T(limit) ? splat(T(limit)) : x;
}

// The first n lanes of x, zero in the others.
template <class T>
DLBD_INLINE Vec<T> keep_n(Vec<T> x, int64_t n) {
  if (n >= kLanes<T>) return x;
  for (int i = 0; i < kLanes<T>; ++i) x[i] = i < n ? x[i] : T(0);
  return x;
}

template <class T, class L>
DLBD_INLINE Vec<T> converted(const void* p, int64_t at, int64_t n) {
  const L* x = static_cast<const L*>(p) + at;
  Vec<T> v{};
  for (int64_t i = 0; i < n; ++i) v[i] = static_cast<T>(x[i]);
  return v;
}

// Labels at [at, at + n), zero in the other lanes.
template <class T>
DLBD_INLINE Vec<T> load_labels(const void* p, DType dtype, int64_t at, int64_t n) {
  switch (dtype) {
    case DType::f32:
      if constexpr (sizeof(T) == 4) return load_n(static_cast<const T*>(p) + at, n);
      return converted<T, float>(p, at, n);
    case DType::f64:
      if constexpr (sizeof(T) == 8) return load_n(static_cast<const T*>(p) + at, n);
      return converted<T, double>(p, at, n);
    case DType::i32: return converted<T, int32_t>(p, at, n);
    case DType::i64: return converted<T, int64_t>(p, at, n);
    case DType::u8:
    case DType::b8: return converted<T, uint8_t>(p, at, n);
  }
  return Vec<T>{};
}

// A sum that takes vectors of T and is kept in double: blocks of 8 vectors are added in T, then folded.
template <class T>
struct Sum {
  double lanes[kLanes<T>] = {};
  Vec<T> block{};
  int filled = 0;

  DLBD_INLINE void add(Vec<T> v) {
    block += v;
    if (++filled == 8) fold();
  }
  DLBD_INLINE void fold() {
    for (int i = 0; i < kLanes<T>; ++i) lanes[i] += static_cast<double>(block[i]);
    block = Vec<T>{};
    filled = 0;
  }
  DLBD_INLINE double total() {
    fold();
    for (int width = kLanes<T> / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    return lanes[0];
  }
};

struct ClassLabel {
  int64_t index;
  double given;  // as it stood in the array, when that was a float
  bool whole;
};

DLBD_INLINE ClassLabel class_label(const void* labels, DType dtype, int64_t row) {
  switch (dtype) {
    case DType::i32: return {static_cast<const int32_t*>(labels)[row], 0, true};
    case DType::i64: return {static_cast<const int64_t*>(labels)[row], 0, true};
    case DType::u8:
    case DType::b8: return {static_cast<const uint8_t*>(labels)[row], 0, true};
    case DType::f32:
    case DType::f64: break;
  }
  const double x = dtype == DType::f32 ? static_cast<double>(static_cast<const float*>(labels)[row])
                                       : static_cast<const double*>(labels)[row];
  if (!(x > -9.0e18 && x < 9.0e18)) return {-1, x, false};
  const int64_t index = static_cast<int64_t>(x);
  return {index, x, static_cast<double>(index) == x};
}

// --- losses of single elements ------------------------------------------------------------------------------------

// t: label, p: prediction.
template <class T>
DLBD_INLINE Vec<T> element_loss(const LossShape& s, Vec<T> t, Vec<T> p) {
  switch (s.kind) {
    case LossKind::squared: return (p - t) * (p - t);
    case LossKind::absolute: return magnitude<T>(p - t);
    case LossKind::percentage: return T(100) * magnitude<T>((t - p) / at_least<T>(magnitude<T>(t), kEpsilon));
    case LossKind::logarithmic: {
      const Vec<T> d = log1p(at_least<T>(t, kEpsilon)) - log1p(at_least<T>(p, kEpsilon));
      return d * d;
    }
    case LossKind::huber: {
      const Vec<T> e = magnitude<T>(p - t);
      const T delta = static_cast<T>(s.delta);
      return e <= delta ? T(0.5) * e * e : delta * e - T(0.5) * delta * delta;
    }
    case LossKind::log_cosh: {
      const Vec<T> e = magnitude<T>(p - t);  // log cosh e = e + log(1 + exp(-2e)) - log 2
      return e + log1p(exp(T(-2) * e)) - T(kLog2);
    }
    case LossKind::poisson: return p - t * log(p + T(kEpsilon));
    case LossKind::hinge: return at_least<T>(T(1) - t * p, 0);
    case LossKind::squared_hinge: {
      const Vec<T> e = at_least<T>(T(1) - t * p, 0);
      return e * e;
    }
    case LossKind::kl_divergence: {
      const Vec<T> a = at_most<T>(at_least<T>(t, kEpsilon), 1), b = at_most<T>(at_least<T>(p, kEpsilon), 1);
      return a * log(a / b);
    }
    case LossKind::sigmoid_cross_entropy: return at_least<T>(p, 0) - p * t + log1p(exp(-magnitude<T>(p)));
    case LossKind::binary_cross_entropy: {
      const Vec<T> q = at_most<T>(at_least<T>(p, kEpsilon), static_cast<T>(1 - kEpsilon));
      return -(t * log(q) + (T(1) - t) * log(T(1) - q));
    }
    case LossKind::identity:
    default: return p;
  }
}

// d element_loss / dp.
template <class T>
DLBD_INLINE Vec<T> element_gradient(const LossShape& s, Vec<T> t, Vec<T> p) {
  const Vec<T> zero{}, one = splat(T(1));
  switch (s.kind) {
    case LossKind::squared: return T(2) * (p - t);
    case LossKind::absolute: return p > t ? one : (p < t ? -one : p - t);  // 0 where equal, NaN stays
    case LossKind::percentage: {
      const Vec<T> sign = p > t ? one : (p < t ? -one : p - t);
      return T(100) * sign / at_least<T>(magnitude<T>(t), kEpsilon);
    }
    case LossKind::logarithmic: {
      const Vec<T> d = log1p(at_least<T>(p, kEpsilon)) - log1p(at_least<T>(t, kEpsilon));
      return p < T(kEpsilon) ? zero : T(2) * d / (T(1) + p);
    }
    case LossKind::huber: {
      const T delta = static_cast<T>(s.delta);
      return at_most<T>(at_least<T>(p - t, -delta), delta);
    }
    case LossKind::log_cosh: return tanh(p - t);
    case LossKind::poisson: return T(1) - t / (p + T(kEpsilon));
    case LossKind::hinge: return T(1) - t * p > T(0) ? -t : zero;
    case LossKind::squared_hinge: return T(-2) * t * at_least<T>(T(1) - t * p, 0);
    case LossKind::kl_divergence: {
      const Vec<T> a = at_most<T>(at_least<T>(t, kEpsilon), 1);
      return (p < T(kEpsilon)) | (p > T(1)) ? zero : -a / p;
    }
    case LossKind::sigmoid_cross_entropy: return sigmoid<T>(p) - t;
    case LossKind::binary_cross_entropy: {
      const T low = static_cast<T>(kEpsilon), high = static_cast<T>(1 - kEpsilon);
      return (p < low) | (p > high) ? zero : (p - t) / (p * (T(1) - p));
    }
    case LossKind::identity:
    default: return one;
  }
}

// How labels are changed on their way in: smoothed, or 0 and 1 to -1 and 1.
template <class T>
struct Target {
  T scale, shift;
};

template <class T>
DLBD_INLINE Target<T> target_of(const LossShape& s, bool binary) {
  if (s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge)
    return binary ? Target<T>{T(2), T(-1)} : Target<T>{T(1), T(0)};
  const bool classes = s.kind == LossKind::softmax_cross_entropy || s.kind == LossKind::categorical_cross_entropy;
  const double share = classes ? 1.0 / static_cast<double>(s.columns) : 0.5;
  return {static_cast<T>(1 - s.smoothing), static_cast<T>(s.smoothing * share)};
}

template <class T>
double element_row(const LossShape& s, const void* labels, const T* predictions, int64_t begin, int64_t count,
                   Target<T> target) {
  Sum<T> sum;
  for (int64_t i = begin; i < begin + count; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, begin + count - i);
    const Vec<T> p = load_n(predictions + i, lanes);
    const Vec<T> t = labels ? load_labels<T>(labels, s.label_dtype, i, lanes) * target.scale + target.shift : Vec<T>{};
    sum.add(keep_n<T>(element_loss<T>(s, t, p), lanes));
  }
  return sum.total();
}

template <class T>
void element_row_gradient(const LossShape& s, const void* labels, const T* predictions, T* dx, int64_t begin,
                          int64_t count, Target<T> target, T scale, bool accumulate) {
  for (int64_t i = begin; i < begin + count; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, begin + count - i);
    const Vec<T> p = load_n(predictions + i, lanes);
    const Vec<T> t = labels ? load_labels<T>(labels, s.label_dtype, i, lanes) * target.scale + target.shift : Vec<T>{};
    Vec<T> g = element_gradient<T>(s, t, p) * scale;
    if (accumulate) g += load_n(dx + i, lanes);
    store_n(dx + i, g, lanes);
  }
}

// What the mean over a row's elements (kl_divergence: their sum) multiplies them with.
DLBD_INLINE double element_share(const LossShape& s) {
  return s.kind == LossKind::kl_divergence ? 1.0 : 1.0 / static_cast<double>(s.columns);
}

// --- losses over classes ------------------------------------------------------------------------------------------

// Four vectors at a time: one accumulator would wait for each addition.
constexpr int kUnroll = 4;

template <class T>
T row_max(const T* x, int64_t n) {
  const T lowest = static_cast<T>(-__builtin_inf());
  Vec<T> most[kUnroll];
#pragma GCC unroll 4
  for (int j = 0; j < kUnroll; ++j) most[j] = splat(lowest);
  int64_t i = 0;
  for (; i + kUnroll * kLanes<T> <= n; i += kUnroll * kLanes<T>)
#pragma GCC unroll 4
    for (int j = 0; j < kUnroll; ++j) most[j] = vmax<T>(most[j], load(x + i + j * kLanes<T>));
  for (; i < n; i += kLanes<T>) most[0] = vmax<T>(most[0], load_n(x + i, min_of<int64_t>(kLanes<T>, n - i), lowest));
  return reduce_max<T>(vmax<T>(vmax<T>(most[0], most[1]), vmax<T>(most[2], most[3])));
}

template <class T>
double sum_of_exponentials(const T* x, int64_t n, T max) {
  Sum<T> total;
  Vec<T> sums[kUnroll] = {};
  int64_t i = 0;
  while (i < n) {
    // at most 16 additions in T before what they gave is kept in double
    const int64_t stop = min_of<int64_t>(n, i + 16 * kUnroll * kLanes<T>);
    for (; i + kUnroll * kLanes<T> <= stop; i += kUnroll * kLanes<T>)
#pragma GCC unroll 4
      for (int j = 0; j < kUnroll; ++j) sums[j] += exp(load(x + i + j * kLanes<T>) - max);
    for (; i < stop; i += kLanes<T>)  // the missing lanes count exp(-inf)
      sums[1] += exp(load_n(x + i, min_of<int64_t>(kLanes<T>, n - i), static_cast<T>(-__builtin_inf())) - max);
    const Vec<T> block = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    if (stop == n && stop <= 16 * kUnroll * kLanes<T>) return static_cast<double>(reduce_add<T>(block));
    total.block = block;
    total.fold();
#pragma GCC unroll 4
    for (int j = 0; j < kUnroll; ++j) sums[j] = Vec<T>{};
  }
  return total.total();
}

// L = log sum exp(x) * sum(t) - sum(t x); statistics: max, 1 / sum exp(x - max), sum(t).
template <class T>
double softmax_row(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row, Target<T> target,
                   T* statistics) {
  const int64_t n = s.columns;
  const T max = row_max(x, n);
  const double sum = sum_of_exponentials(x, n, max);
  statistics[0] = max, statistics[1] = static_cast<T>(1 / sum);
  if (s.sparse) {
    statistics[2] = T(1);
    return __builtin_log(sum) - (static_cast<double>(x[label]) - static_cast<double>(max));
  }
  Sum<T> weighted, weights;
  for (int64_t i = 0; i < n; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, n - i);
    const Vec<T> shifted = load_n(x + i, lanes, max) - max;
    const Vec<T> t =
        keep_n<T>(load_labels<T>(labels, s.label_dtype, row * n + i, lanes) * target.scale + target.shift, lanes);
    weights.add(t);
    weighted.add(t == T(0) ? t : t * shifted);  // 0 * -inf counts as nothing
  }
  const double weight = weights.total();
  statistics[2] = static_cast<T>(weight);
  return weight * __builtin_log(sum) - weighted.total();
}

// dx = (softmax(x) sum(t) - t) scale
template <class T>
void softmax_row_gradient(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row,
                          Target<T> target, const T* statistics, T scale, T* dx, bool accumulate) {
  const T max = statistics[0], factor = statistics[1] * statistics[2] * scale;
  for (int64_t i = 0; i < s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.columns - i);
    Vec<T> g = exp(load_n(x + i, lanes, max) - max) * factor;
    if (!s.sparse)
      g -= (load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes) * target.scale + target.shift) * scale;
    if (accumulate) g += load_n(dx + i, lanes);
    store_n(dx + i, g, lanes);
  }
  if (s.sparse) dx[label] -= scale;
}

// Keras: q = p / sum(p), clipped to [eps, 1 - eps]; L = -sum(t log q).
// statistics: sum(p), sum of t where q was not clipped.
template <class T>
double categorical_row(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row, Target<T> target,
                       T* statistics) {
  const T low = static_cast<T>(kEpsilon), high = static_cast<T>(1 - kEpsilon);
  Sum<T> total;
  for (int64_t i = 0; i < s.columns; i += kLanes<T>)
    total.add(load_n(x + i, min_of<int64_t>(kLanes<T>, s.columns - i)));
  const T sum = static_cast<T>(total.total());
  statistics[0] = sum;
  if (s.sparse) {
    const T q = x[label] / sum;
    const bool inside = !(q < low) && !(q > high);
    statistics[1] = inside ? T(1) : T(0);
    return -__builtin_log(static_cast<double>(q < low ? low : (q > high ? high : q)));
  }
  Sum<T> loss, unclipped;
  for (int64_t i = 0; i < s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.columns - i);
    const Vec<T> q = load_n(x + i, lanes) / sum;
    const Vec<T> t = keep_n<T>(
        load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes) * target.scale + target.shift, lanes);
    loss.add(-t * log(at_most<T>(at_least<T>(q, low), high)));
    unclipped.add((q < low) | (q > high) ? Vec<T>{} : t);
  }
  statistics[1] = static_cast<T>(unclipped.total());
  return loss.total();
}

template <class T>
void categorical_row_gradient(const LossShape& s, const void* labels, int64_t label, const T* x, int64_t row,
                              Target<T> target, const T* statistics, T scale, T* dx, bool accumulate) {
  const T low = static_cast<T>(kEpsilon), high = static_cast<T>(1 - kEpsilon);
  const T sum = statistics[0], per_sum = scale / sum;
  for (int64_t i = 0; i < s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.columns - i);
    const Vec<T> p = load_n(x + i, lanes, T(1)), q = p / sum;
    Vec<T> t{};
    if (!s.sparse)
      t = load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes) * target.scale + target.shift;
    else if (label >= i && label < i + lanes)
      t[label - i] = T(1);
    Vec<T> g = ((q < low) | (q > high) | (t == T(0)) ? Vec<T>{} : -t / q) + statistics[1];
    g *= per_sum;
    if (accumulate) g += load_n(dx + i, lanes);
    store_n(dx + i, g, lanes);
  }
}

// L = -sum(t p) / (|t| |p|), both lengths at least eps; statistics: 1 / |p|, 1 / |t|, -L (0 in place of it when |p|
// was below eps: the length is then constant).
template <class T>
double cosine_row(const LossShape& s, const void* labels, const T* x, int64_t row, T* statistics) {
  Sum<T> tt, pp, tp;
  for (int64_t i = 0; i < s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.columns - i);
    const Vec<T> p = load_n(x + i, lanes), t = load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes);
    tt.add(t * t), pp.add(p * p), tp.add(t * p);
  }
  const double least = kEpsilon * kEpsilon, p2 = pp.total(), t2 = tt.total();
  const double by_p = 1 / __builtin_sqrt(p2 < least ? least : p2), by_t = 1 / __builtin_sqrt(t2 < least ? least : t2);
  const double cosine = tp.total() * by_p * by_t;
  statistics[0] = static_cast<T>(by_p), statistics[1] = static_cast<T>(by_t);
  statistics[2] = p2 < least ? T(0) : static_cast<T>(cosine);
  return -cosine;
}

// dp = (cosine * p / |p| - t / |t|) / |p|
template <class T>
void cosine_row_gradient(const LossShape& s, const void* labels, const T* x, int64_t row, const T* statistics, T scale,
                         T* dx, bool accumulate) {
  const T by_p = statistics[0], by_t = statistics[1], cosine = statistics[2];
  for (int64_t i = 0; i < s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.columns - i);
    const Vec<T> p = load_n(x + i, lanes), t = load_labels<T>(labels, s.label_dtype, row * s.columns + i, lanes);
    Vec<T> g = (p * (cosine * by_p) - t * by_t) * (by_p * scale);
    if (accumulate) g += load_n(dx + i, lanes);
    store_n(dx + i, g, lanes);
  }
}

// --- rows, weights, masks ------------------------------------------------------------------------------------------

template <class Args>
DLBD_INLINE bool kept(const Args& a, int64_t row) {
  const LossShape& s = a.shape;
  if (a.mask && !a.mask[row / (s.rows / s.masks)]) return false;
  return !s.has_ignored || class_label(a.labels, s.label_dtype, row).index != s.ignored;
}

template <class T, class Args>
DLBD_INLINE T weight_of(const Args& a, int64_t row) {
  const LossShape& s = a.shape;
  return a.weights ? load_labels<T>(a.weights, s.weight_dtype, row / (s.rows / s.weights), 1)[0] : T(1);
}

// Rows need not be told apart when nothing weighs, masks or lists them.
template <class Args>
DLBD_INLINE bool is_flat(const Args& a) {
  return a.shape.kind < LossKind::softmax_cross_entropy && !a.weights && !a.mask;
}

// Hinge losses take labels 0 and 1 for -1 and 1, if all labels are such.
template <class T>
bool labels_are_binary(const LossShape& s, const void* labels) {
  for (int64_t i = 0; i < s.rows * s.columns; i += kLanes<T>) {
    const int64_t lanes = min_of<int64_t>(kLanes<T>, s.rows * s.columns - i);
    const Vec<T> t = load_labels<T>(labels, s.label_dtype, i, lanes);
    for (int64_t lane = 0; lane < lanes; ++lane)
      if (t[lane] != T(0) && t[lane] != T(1)) return false;
  }
  return true;
}

struct Partial {
  double loss, weight;
  int64_t rows;
  int64_t faulty;  // first row with an impossible label, or -1
};

template <class T>
void forward_as(const LossForwardArgs& a) {
  const LossShape& s = a.shape;
  const T* x = static_cast<const T*>(a.predictions);
  T* statistics = static_cast<T*>(a.statistics);
  T* losses = static_cast<T*>(a.losses);
  Partial* partials = static_cast<Partial*>(a.scratch);
  const bool hinge = s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge;
  const bool binary = hinge && labels_are_binary<T>(s, a.labels);
  if (hinge && s.rows > 0) statistics[0] = binary ? T(1) : T(0);
  const Target<T> target = target_of<T>(s, binary);
  const double share = element_share(s);
  parallel_for(a.threads, s.rows, s.grain, [&](int64_t begin, int64_t end, int) {
    Partial part{0, 0, 0, -1};
    if (is_flat(a) && !losses) {
      part.loss = share * element_row<T>(s, a.labels, x, begin * s.columns, (end - begin) * s.columns, target);
      part.weight = static_cast<double>(end - begin), part.rows = end - begin;
      partials[begin / s.grain] = part;
      return;
    }
    for (int64_t row = begin; row < end; ++row) {
      if (!kept(a, row)) {
        if (losses) losses[row] = T(0);
        continue;
      }
      int64_t label = 0;
      if (s.sparse) {
        const ClassLabel given = class_label(a.labels, s.label_dtype, row);
        label = given.index;
        if (!given.whole || label < 0 || label >= s.columns) {
          if (part.faulty < 0) part.faulty = row;
          if (losses) losses[row] = T(0);
          continue;
        }
      }
      const T* at = x + row * s.columns;
      T* kept_for_backward = statistics + row * kLossStatistics;
      double loss;
      switch (s.kind) {
        case LossKind::softmax_cross_entropy:
          loss = softmax_row<T>(s, a.labels, label, at, row, target, kept_for_backward);
          break;
        case LossKind::categorical_cross_entropy:
          loss = categorical_row<T>(s, a.labels, label, at, row, target, kept_for_backward);
          break;
        case LossKind::cosine_similarity: loss = cosine_row<T>(s, a.labels, at, row, kept_for_backward); break;
        default: loss = share * element_row<T>(s, a.labels, x, row * s.columns, s.columns, target);
      }
      const T weight = weight_of<T>(a, row);
      loss *= static_cast<double>(weight);
      if (losses) losses[row] = static_cast<T>(loss);
      part.loss += loss, part.weight += static_cast<double>(weight), part.rows += 1;
    }
    partials[begin / s.grain] = part;
  });
  double sum = 0, weight = 0;
  int64_t rows = 0;
  for (int64_t i = 0; i < s.chunks; ++i) {
    const Partial& part = partials[i];
    sum += part.loss, weight += part.weight, rows += part.rows;
    if (part.faulty >= 0 && a.status->code == Fault::none) {
      const ClassLabel label = class_label(a.labels, s.label_dtype, part.faulty);
      *a.status = {Fault::label_out_of_range, label.index, s.columns, part.faulty};
      if (!label.whole) {
        a.status->code = Fault::label_not_whole;
        __builtin_memcpy(&a.status->value, &label.given, sizeof(double));
      }
    }
  }
  const double count = s.counting == LossCount::one ? 1 : (s.counting == LossCount::rows ? double(rows) : weight);
  if (a.total) *static_cast<T*>(a.total) = static_cast<T>(sum);
  if (a.mean) *static_cast<T*>(a.mean) = count != 0 ? static_cast<T>(sum / count) : T(0);
  *static_cast<T*>(a.count) = static_cast<T>(count);
}

template <class T>
void backward_as(const LossBackwardArgs& a) {
  const LossShape& s = a.shape;
  const T* x = static_cast<const T*>(a.predictions);
  const T* statistics = static_cast<const T*>(a.statistics);
  const T* dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.dpredictions);
  const bool hinge = s.kind == LossKind::hinge || s.kind == LossKind::squared_hinge;
  const Target<T> target = target_of<T>(s, hinge && s.rows > 0 && statistics[0] == T(1));
  T divisor = T(1);
  if (a.count) {
    const T count = *static_cast<const T*>(a.count);
    divisor = count != T(0) ? T(1) / count : T(0);
  }
  const T share = s.kind < LossKind::softmax_cross_entropy ? static_cast<T>(element_share(s)) : T(1);
  parallel_for(a.threads, s.rows, s.grain, [&](int64_t begin, int64_t end, int) {
    if (is_flat(a) && !a.dy_per_row) {
      element_row_gradient<T>(s, a.labels, x, dx, begin * s.columns, (end - begin) * s.columns, target,
                              dy[0] * divisor * share, a.accumulate);
      return;
    }
    for (int64_t row = begin; row < end; ++row) {
      T* out = dx + row * s.columns;
      int64_t label = 0;
      bool counts = kept(a, row);
      if (counts && s.sparse) {
        const ClassLabel given = class_label(a.labels, s.label_dtype, row);
        label = given.index;
        counts = given.whole && label >= 0 && label < s.columns;
      }
      if (!counts) {
        if (!a.accumulate)
          for (int64_t i = 0; i < s.columns; ++i) out[i] = T(0);
        continue;
      }
      const T scale = dy[a.dy_per_row ? row : 0] * weight_of<T>(a, row) * divisor * share;
      const T* at = x + row * s.columns;
      const T* known = statistics + row * kLossStatistics;
      switch (s.kind) {
        case LossKind::softmax_cross_entropy:
          softmax_row_gradient<T>(s, a.labels, label, at, row, target, known, scale, out, a.accumulate);
          break;
        case LossKind::categorical_cross_entropy:
          categorical_row_gradient<T>(s, a.labels, label, at, row, target, known, scale, out, a.accumulate);
          break;
        case LossKind::cosine_similarity:
          cosine_row_gradient<T>(s, a.labels, at, row, known, scale, out, a.accumulate);
          break;
        default: element_row_gradient<T>(s, a.labels, x, dx, row * s.columns, s.columns, target, scale, a.accumulate);
      }
    }
  });
}

}  // namespace

int64_t loss_forward_scratch(const LossForwardArgs& a) {
  return a.shape.chunks * static_cast<int64_t>(sizeof(Partial));
}

void loss_forward(const LossForwardArgs& a) {
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

void loss_backward(const LossBackwardArgs& a) {
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
