// Losses forward and backward: rows, weights, masks and sums around what loss_elements.h and loss_classes.h compute.
#include "../shapes/losses.h"

#include "../shapes/kernels.h"
#include "loss_classes.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

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
    const auto count = [&](int64_t row, double loss) {
      const T weight = weight_of<T>(a, row);
      loss *= static_cast<double>(weight);
      if (losses) losses[row] = static_cast<T>(loss);
      part.loss += loss, part.weight += static_cast<double>(weight), part.rows += 1;
    };
    SoftmaxTerms<T> waiting[kLanes<T>];
    int64_t waiting_rows[kLanes<T>];
    int waits = 0;
    const auto count_waiting = [&] {
      Vec<T> sums = splat(T(1));
      for (int i = 0; i < waits; ++i) sums[i] = waiting[i].sum;
      const Vec<T> logs = log(sums);
      for (int i = 0; i < waits; ++i)
        count(waiting_rows[i], waiting[i].weight * static_cast<double>(logs[i]) + waiting[i].rest);
      waits = 0;
    };
    if (is_flat(a) && !losses) {
      part.loss = share * element_sum<T>(s, a.labels, x, begin * s.columns, (end - begin) * s.columns, target);
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
      switch (s.kind) {
        case LossKind::softmax_cross_entropy:
          waiting[waits] = softmax_row<T>(s, a.labels, label, at, row, target, kept_for_backward);
          waiting_rows[waits] = row;
          if (++waits == kLanes<T>) count_waiting();
          break;
        case LossKind::categorical_cross_entropy:
          count(row, categorical_row<T>(s, a.labels, label, at, row, target, kept_for_backward));
          break;
        case LossKind::cosine_similarity: count(row, cosine_row<T>(s, a.labels, at, row, kept_for_backward)); break;
        default: count(row, share * element_sum<T>(s, a.labels, x, row * s.columns, s.columns, target));
      }
    }
    count_waiting();
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
      element_gradients<T>(s, a.labels, x, dx, begin * s.columns, (end - begin) * s.columns, target,
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
        default: element_gradients<T>(s, a.labels, x, dx, row * s.columns, s.columns, target, scale, a.accumulate);
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
