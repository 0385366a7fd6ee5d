// Metrics: how many predictions are right, averaged into two doubles.
#include "../shapes/metrics.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "simd.h"

namespace dlbd::DLBD_ISA {
namespace {

DLBD_INLINE double element(const void* p, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32: return static_cast<double>(static_cast<const float*>(p)[i]);
    case DType::f64: return static_cast<const double*>(p)[i];
    case DType::i32: return static_cast<const int32_t*>(p)[i];
    case DType::i64: return static_cast<double>(static_cast<const int64_t*>(p)[i]);
    case DType::u8:
    case DType::b8: return static_cast<const uint8_t*>(p)[i];
  }
  return 0;
}

// The first of the largest; a NaN counts as the largest, as in NumPy.
template <class T>
int64_t argmax(const T* x, int64_t n) {
  const T lowest = static_cast<T>(-__builtin_inf());
  Vec<T> most = splat(lowest);
  for (int64_t i = 0; i < n; i += kLanes<T>)
    most = vmax<T>(most, load_n(x + i, min_of<int64_t>(kLanes<T>, n - i), lowest));
  const T largest = reduce_max<T>(most);
  for (int64_t i = 0; i < n; ++i)
    if (x[i] == largest || x[i] != x[i]) return i;
  return 0;
}

int64_t argmax_of(const void* p, DType dtype, int64_t at, int64_t n) {
  if (dtype == DType::f32) return argmax(static_cast<const float*>(p) + at, n);
  if (dtype == DType::f64) return argmax(static_cast<const double*>(p) + at, n);
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i)
    if (element(p, dtype, at + i) > element(p, dtype, at + best)) best = i;
  return best;
}

double row_value(const MetricShape& s, const void* labels, const void* predictions, int64_t row) {
  const int64_t n = s.columns, at = row * n;
  switch (s.kind) {
    case MetricKind::value: return element(predictions, s.dtype, row);
    case MetricKind::equal: {
      int64_t right = 0;
      for (int64_t i = at; i < at + n; ++i)
        right += element(labels, s.label_dtype, i) == element(predictions, s.dtype, i);
      return static_cast<double>(right) / static_cast<double>(n);
    }
    case MetricKind::binary_accuracy: {
      int64_t right = 0;
      for (int64_t i = at; i < at + n; ++i) {
        const double said = element(predictions, s.dtype, i) > s.threshold ? 1 : 0;
        right += element(labels, s.label_dtype, i) == said;
      }
      return static_cast<double>(right) / static_cast<double>(n);
    }
    case MetricKind::categorical_accuracy:
      return argmax_of(labels, s.label_dtype, at, n) == argmax_of(predictions, s.dtype, at, n);
    case MetricKind::sparse_accuracy:
      return element(labels, s.label_dtype, row) == static_cast<double>(argmax_of(predictions, s.dtype, at, n));
    case MetricKind::categorical_top_k:
    case MetricKind::sparse_top_k: {
      const double label = s.kind == MetricKind::sparse_top_k
                               ? element(labels, s.label_dtype, row)
                               : static_cast<double>(argmax_of(labels, s.label_dtype, at, n));
      if (!(label >= 0 && label < static_cast<double>(n))) return 0;
      const double score = element(predictions, s.dtype, at + static_cast<int64_t>(label));
      int64_t above = 0;
      for (int64_t i = at; i < at + n; ++i) above += !(element(predictions, s.dtype, i) <= score);
      return above < s.k;
    }
  }
  return 0;
}

}  // namespace

int64_t metric_update_scratch(const MetricArgs& a) { return a.shape.chunks * 2 * static_cast<int64_t>(sizeof(double)); }

void metric_update(const MetricArgs& a) {
  if (a.status->code != Fault::none) return;
  const MetricShape& s = a.shape;
  double* partial = static_cast<double*>(a.scratch);
  parallel_for(a.threads, s.rows, s.grain, [&](int64_t begin, int64_t end, int) {
    double sum = 0, weights = 0;
    for (int64_t row = begin; row < end; ++row) {
      if (a.mask && !a.mask[row / (s.rows / s.masks)]) continue;
      const double weight = a.weights ? element(a.weights, s.weight_dtype, row / (s.rows / s.weights)) : 1;
      sum += weight * row_value(s, a.labels, a.predictions, row);
      weights += weight;
    }
    partial[begin / s.grain * 2] = sum, partial[begin / s.grain * 2 + 1] = weights;
  });
  for (int64_t i = 0; i < s.chunks; ++i) a.state[0] += partial[2 * i], a.state[1] += partial[2 * i + 1];
}

void metric_add_loss(const MetricAddLossArgs& a) {
  if (a.status->code != Fault::none) return;
  const double count = element(a.count, a.dtype, 0);
  if (count != 0) a.state[0] += a.batch * (element(a.sum, a.dtype, 0) / count);
  a.state[1] += a.batch;
}

}  // namespace dlbd::DLBD_ISA
