#include "attention.h"

#include "checked.h"

namespace dlbd {

AttentionShape make_attention_shape(int64_t batch, int64_t heads, int64_t tq, int64_t tk, int64_t d, int64_t dv,
                                    bool causal, DType dtype) {
  constexpr const char* kOp = "[dot_product_attention] size";
  for (int64_t size : {batch, heads, tq, tk, d, dv})
    if (size < 0) throw std::invalid_argument("[dot_product_attention] sizes must not be negative");
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[dot_product_attention] only float32 and float64 have attention");
  // Every array, the packed copies of them (padded to whole tiles) and the index of an element of the mask.
  constexpr int64_t kPadding = 1024;
  const int64_t longest = checked_add(tq > tk ? tq : tk, kPadding, kOp);
  const int64_t widest = checked_add(d > dv ? d : dv, kPadding, kOp);
  const int64_t all = checked_mul(batch, heads, kOp);
  checked_mul(checked_mul(checked_mul(all, longest, kOp), widest, kOp), 64, kOp);
  checked_mul(checked_mul(all, tq, kOp), tk, kOp);
  return {batch, heads, tq, tk, d, dv, causal, dtype};
}

}  // namespace dlbd
