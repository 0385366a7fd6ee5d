// y[i] = table[indices[i]]: `count` indices into a table of `rows` rows with `columns` values each.
#pragma once

#include "common.h"

namespace dlbd {

struct EmbeddingShape {
  int64_t count, rows, columns;
  DType dtype;        // of the table
  DType index_dtype;  // int32, int64 or uint8
};

struct EmbeddingForwardArgs : LaunchArgs {
  EmbeddingShape shape;
  const void* indices;
  const void* table;
  void* y;
};

struct EmbeddingBackwardArgs : LaunchArgs {
  EmbeddingShape shape;
  const void* indices;
  const void* dy;
  void* dtable;
  bool accumulate;
};

// Checks the sizes. Throws std::invalid_argument.
EmbeddingShape make_embedding_shape(int64_t count, int64_t rows, int64_t columns, DType dtype, DType index_dtype);

}  // namespace dlbd
