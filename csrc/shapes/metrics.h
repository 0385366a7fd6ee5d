// Metrics: a weighted mean whose sum and weight (two doubles) live in an array.
#pragma once

#include "common.h"

namespace dlbd {

// What is averaged over the rows.
enum class MetricKind : int32_t {
  value,                 // the predictions themselves
  equal,                 // labels == predictions, averaged over the row
  binary_accuracy,       // labels == (predictions > threshold), averaged over the row
  categorical_accuracy,  // argmax(labels) == argmax(predictions)
  sparse_accuracy,       // label == argmax(predictions)
  categorical_top_k,     // fewer than k predictions are above that of argmax(labels)
  sparse_top_k           // fewer than k predictions are above that of the label
};

struct MetricShape {
  MetricKind kind;
  int64_t rows, columns;
  DType dtype, label_dtype, weight_dtype;
  int64_t weights, masks;  // one weight (mask) serves rows / weights consecutive rows; 0 without
  double threshold;
  int64_t k;
  int64_t grain, chunks;
};

struct MetricArgs : LaunchArgs {
  MetricShape shape;
  const void* labels;  // null for value
  const void* predictions;
  const void* weights;
  const uint8_t* mask;
  double* state;
};

// state += (batch * sum / count, batch): the mean of batch losses, weighted by batch size.
struct MetricAddLossArgs : LaunchArgs {
  DType dtype;
  const void* sum;
  const void* count;
  double batch;
  double* state;
};

MetricShape make_metric_shape(const char* kind, int64_t rows, int64_t columns, DType dtype, DType label_dtype,
                              DType weight_dtype, int64_t weights, int64_t masks, double threshold, int64_t k);

}  // namespace dlbd
