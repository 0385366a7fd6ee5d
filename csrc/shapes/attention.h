// y = softmax(scale q k^T + bias, where mask) v, head by head, without the Tq x Tk matrix in memory.
#pragma once

#include "common.h"

namespace dlbd {

// Arrays are laid out as Keras has them: q (B, Tq, H, D), k (B, Tk, H, D), v (B, Tk, H, Dv), y (B, Tq, H, Dv).
struct AttentionShape {
  int64_t batch, heads, tq, tk, d, dv;
  bool causal;  // query i sees the keys 0..i
  DType dtype;
};

// An array that broadcasts to (B, H, Tq, Tk): elements from one index to the next along each, 0 where it is repeated.
struct AttentionTable {
  const void* data;  // or null
  int64_t batch, head, query, key;
};

struct AttentionForwardArgs : LaunchArgs {
  AttentionShape shape;
  const void* q;
  const void* k;
  const void* v;
  AttentionTable mask;  // bool: which keys a query may see
  AttentionTable bias;  // of the arrays' dtype, added to the scaled products
  double scale;
  void* y;
  void* lse;  // (B, H, Tq) log of the sum of exponentials, +inf for a row that sees no key; null without a backward
};

struct AttentionBackwardArgs : LaunchArgs {
  AttentionShape shape;
  const void* q;
  const void* k;
  const void* v;
  AttentionTable mask;
  AttentionTable bias;
  double scale;
  const void* y;
  const void* lse;
  const void* dy;
  void* dq;  // each may be null
  void* dk;
  void* dv;
  void* ds;  // (B, H, Tq, Tk), zeroed: the gradient of the logits, for the gradient of a bias; usually null
  bool accumulate_dq, accumulate_dk, accumulate_dv;
};

// Checks the sizes. Throws std::invalid_argument.
AttentionShape make_attention_shape(int64_t batch, int64_t heads, int64_t tq, int64_t tk, int64_t d, int64_t dv,
                                    bool causal, DType dtype);

}  // namespace dlbd
