// Losses: one value per row of predictions, their sum, and how many were counted.
#pragma once

#include "common.h"

namespace dlbd {

// Up to binary_cross_entropy the loss of a row is the mean (kl_divergence: the sum) of a function of each element.
enum class LossKind : int32_t {
  identity,  // the predictions are the losses
  squared,
  absolute,
  percentage,   // 100 |t - p| / max(|t|, eps)
  logarithmic,  // (log(1 + max(t, eps)) - log(1 + max(p, eps)))^2
  huber,
  log_cosh,
  poisson,
  hinge,
  squared_hinge,
  kl_divergence,
  sigmoid_cross_entropy,      // from logits
  binary_cross_entropy,       // from probabilities
  softmax_cross_entropy,      // from logits
  categorical_cross_entropy,  // from probabilities
  cosine_similarity
};

// What the sum is to be divided by: the rows that the mask keeps, one, or the sum of their weights.
enum class LossCount : int32_t { rows, one, weights };

struct LossShape {
  LossKind kind;
  LossCount counting;
  int64_t rows, columns;
  DType dtype, label_dtype, weight_dtype;
  bool sparse;       // labels are class numbers, one per row
  bool has_ignored;  // rows whose label is `ignored` are masked out
  int64_t ignored;
  int64_t weights, masks;  // one weight (mask) serves rows / weights consecutive rows; 0 without
  double smoothing, delta;
  int64_t grain, chunks;  // rows per chunk: depends on the sizes alone
};

// Values per row that the forward pass leaves for the backward pass.
inline constexpr int64_t kLossStatistics = 3;

struct LossForwardArgs : LaunchArgs {
  LossShape shape;
  const void* labels;
  const void* predictions;
  const void* weights;
  const uint8_t* mask;
  void* statistics;  // rows x kLossStatistics
  void* losses;      // one per row, or null
  void* total;       // or null
  void* mean;        // total / count, 0 when nothing was counted; or null
  void* count;
};

struct LossBackwardArgs : LaunchArgs {
  LossShape shape;
  const void* labels;
  const void* predictions;
  const void* weights;
  const uint8_t* mask;
  const void* statistics;
  const void* dy;
  bool dy_per_row;    // dy belongs to the losses, not to their sum
  const void* count;  // dy belongs to the mean; null otherwise
  void* dpredictions;
  bool accumulate;
};

LossShape make_loss_shape(const char* kind, const char* counting, int64_t rows, int64_t columns, DType dtype,
                          DType label_dtype, DType weight_dtype, bool sparse, int64_t weights, int64_t masks,
                          double smoothing, double delta, bool has_ignored, int64_t ignored);

}  // namespace dlbd
