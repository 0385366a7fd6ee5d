#include "embedding.h"

#include "checked.h"

namespace dlbd {

EmbeddingShape make_embedding_shape(int64_t count, int64_t rows, int64_t columns, DType dtype, DType index_dtype) {
  if (count < 0 || rows < 0 || columns < 0) throw std::invalid_argument("[embedding] sizes must not be negative");
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[embedding] the table must be float32 or float64");
  if (index_dtype != DType::i32 && index_dtype != DType::i64 && index_dtype != DType::u8)
    throw std::invalid_argument("[embedding] indices must be int32, int64 or uint8");
  checked_mul(checked_mul(count, columns, "[embedding] the result"), 8, "[embedding] the result");
  checked_mul(checked_mul(rows, columns, "[embedding] the table"), 8, "[embedding] the table");
  checked_mul(checked_add(count, rows, "[embedding] count + rows"), 8, "[embedding] count + rows");
  return {count, rows, columns, dtype, index_dtype};
}

}  // namespace dlbd
