#include "metrics.h"

#include <algorithm>
#include <cstring>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kKinds[] = {
    "value",       "equal", "binary_accuracy", "categorical_accuracy", "sparse_accuracy", "categorical_top_k",
    "sparse_top_k"};
constexpr int64_t kChunkElements = 16384;  // as for losses

MetricKind kind_named(const char* name) {
  for (int i = 0; i < 7; ++i)
    if (std::strcmp(name, kKinds[i]) == 0) return static_cast<MetricKind>(i);
  throw std::invalid_argument(std::string("[metric] nothing is named ") + name);
}

}  // namespace

MetricShape make_metric_shape(const char* kind, int64_t rows, int64_t columns, DType dtype, DType label_dtype,
                              DType weight_dtype, int64_t weights, int64_t masks, double threshold, int64_t k) {
  MetricShape s{};
  s.kind = kind_named(kind);
  if (rows < 0 || columns < 1) throw std::invalid_argument("[metric] expected rows of at least one element");
  checked_mul(rows, columns, "[metric] rows * columns");
  for (const int64_t n : {weights, masks})
    if (n < 0 || (n > 0 && rows % n != 0))
      throw std::invalid_argument("[metric] " + std::to_string(n) + " weights do not divide " + std::to_string(rows) +
                                  " values");
  s.rows = rows, s.columns = columns, s.dtype = dtype, s.label_dtype = label_dtype, s.weight_dtype = weight_dtype;
  s.weights = weights, s.masks = masks, s.threshold = threshold, s.k = k;
  s.grain = std::max<int64_t>(1, kChunkElements / columns);
  s.chunks = (rows + s.grain - 1) / s.grain;
  return s;
}

}  // namespace dlbd
