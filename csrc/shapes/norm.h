// Batch and layer normalization: y = (x - mean) rstd gamma + beta, rstd = 1 / sqrt(variance + epsilon).
// Statistics are gathered in chunks whose edges depend on the sizes alone and merged in order.
#pragma once

#include "common.h"

namespace dlbd {

// `channels` (inner == 1) vectorises across the channels, `planes` along the runs of `inner` elements of one channel.
enum class BatchNormPath : int32_t { channels, planes };

// x is outer x channels x inner; mean and variance are those of a channel.
struct BatchNormShape {
  int64_t outer, channels, inner;
  int64_t chunk, chunks;  // rows per chunk of the path `channels`, and how many
  DType dtype;
  BatchNormPath path;
};

struct BatchNormForwardArgs : LaunchArgs {
  BatchNormShape shape;
  const void* x;
  const void* gamma;      // channels, or null for ones
  const void* beta;       // channels, or null for zeros
  void* moving_mean;      // read in inference; updated in training
  void* moving_variance;  // (the biased variance enters it, as in Keras)
  void* y;
  void* mean;  // channels: what the backward needs; may be null in inference
  void* rstd;
  double momentum, epsilon;
  bool training;
};

struct BatchNormBackwardArgs : LaunchArgs {
  BatchNormShape shape;
  const void* x;
  const void* gamma;  // or null
  const void* mean;
  const void* rstd;
  const void* dy;
  void* dx;      // or null
  void* dgamma;  // or null
  void* dbeta;   // or null
  bool training;
  bool accumulate_dx, accumulate_dgamma, accumulate_dbeta;
};

// x is rows x n; mean and variance are those of a row, gamma and beta have n values.
struct LayerNormShape {
  int64_t rows, n;
  int64_t chunk, chunks;  // rows per partial sum of dgamma and dbeta, and how many
  DType dtype;
};

struct LayerNormForwardArgs : LaunchArgs {
  LayerNormShape shape;
  const void* x;
  const void* gamma;  // or null
  const void* beta;   // or null
  void* y;
  void* mean;  // rows each, for the backward; may be null
  void* rstd;
  double epsilon;
};

struct LayerNormBackwardArgs : LaunchArgs {
  LayerNormShape shape;
  const void* x;
  const void* gamma;  // or null
  const void* mean;
  const void* rstd;
  const void* dy;
  void* dx;      // or null
  void* dgamma;  // or null
  void* dbeta;   // or null
  bool accumulate_dx, accumulate_dgamma, accumulate_dbeta;
};

// Check the sizes and pick the path; `path` is "auto" or a name of BatchNormPath. Throw std::invalid_argument.
BatchNormShape make_batch_norm_shape(int64_t outer, int64_t channels, int64_t inner, DType dtype, const char* path);
LayerNormShape make_layer_norm_shape(int64_t rows, int64_t n, DType dtype);
const char* name_of(BatchNormPath path);

}  // namespace dlbd
