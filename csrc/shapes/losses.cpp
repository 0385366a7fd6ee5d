#include "losses.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kKinds[] = {"identity",
                                  "squared",
                                  "absolute",
                                  "percentage",
                                  "logarithmic",
                                  "huber",
                                  "log_cosh",
                                  "poisson",
                                  "hinge",
                                  "squared_hinge",
                                  "kl_divergence",
                                  "sigmoid_cross_entropy",
                                  "binary_cross_entropy",
                                  "softmax_cross_entropy",
                                  "categorical_cross_entropy",
                                  "cosine_similarity"};
constexpr const char* kCountings[] = {"rows", "one", "weights"};

template <size_t N>
int32_t number_of(const char* name, const char* const (&names)[N]) {
  for (size_t i = 0; i < N; ++i)
    if (std::strcmp(name, names[i]) == 0) return static_cast<int32_t>(i);
  throw std::invalid_argument(std::string("[loss] nothing is named ") + name);
}

// Elements per chunk: a few microseconds of work, and three arrays of them stay in L2.
constexpr int64_t kChunkElements = 16384;

}  // namespace

LossShape make_loss_shape(const char* kind, const char* counting, int64_t rows, int64_t columns, DType dtype,
                          DType label_dtype, DType weight_dtype, bool sparse, int64_t weights, int64_t masks,
                          double smoothing, double delta, bool has_ignored, int64_t ignored) {
  LossShape s{};
  s.kind = static_cast<LossKind>(number_of(kind, kKinds));
  s.counting = static_cast<LossCount>(number_of(counting, kCountings));
  if (rows < 0 || columns < 1) throw std::invalid_argument("[loss] expected rows of at least one element");
  checked_mul(checked_mul(rows, columns, "[loss] rows * columns"), 8, "[loss] bytes");
  checked_mul(rows, kLossStatistics * 8, "[loss] bytes");
  const bool categorical = s.kind == LossKind::softmax_cross_entropy || s.kind == LossKind::categorical_cross_entropy;
  if (sparse && !categorical)
    throw std::invalid_argument("[loss] only a cross-entropy over classes takes class numbers");
  if (has_ignored && !sparse) throw std::invalid_argument("[loss] ignore_class needs class numbers");
  for (const int64_t n : {weights, masks})
    if (n < 0 || (n > 0 && rows % n != 0))
      throw std::invalid_argument("[loss] " + std::to_string(n) + " weights do not divide " + std::to_string(rows) +
                                  " losses");
  s.rows = rows, s.columns = columns, s.dtype = dtype, s.label_dtype = label_dtype, s.sparse = sparse;
  s.weight_dtype = weight_dtype;
  s.has_ignored = has_ignored, s.ignored = ignored, s.weights = weights, s.masks = masks;
  s.smoothing = smoothing, s.delta = delta;
  s.grain = std::max<int64_t>(1, kChunkElements / columns);
  s.chunks = (rows + s.grain - 1) / s.grain;
  return s;
}

}  // namespace dlbd
