// The gradient of a convolution's kernel: the way back through bias and activation first, then the products.
#include "conv_index.h"
#include "conv_paths.h"

namespace dlbd::cuda {
namespace {

// The products alone: dy stands for dz, bias and activation are seen to.
ConvBackwardWeightsArgs without_epilogue(const ConvBackwardWeightsArgs& a) {
  ConvBackwardWeightsArgs plain = a;
  plain.y = nullptr, plain.dz = nullptr, plain.db = nullptr;
  return plain;
}

EpilogueBackwardArgs epilogue_of(const ConvBackwardWeightsArgs& a) {
  EpilogueBackwardArgs e{};
  static_cast<LaunchArgs&>(e) = a;
  e.dtype = a.shape.dtype;
  e.columns = a.shape.k, e.rows = e.columns == 0 ? 0 : a.shape.y_size / e.columns;
  e.dy = a.dy, e.y = a.y, e.activation = a.activation, e.dz = a.dz, e.db = a.db;
  e.accumulate = a.accumulate_bias;
  return e;
}

// Bytes of a dz of our own, where the caller does not want it but the products do. Scratch starts on 64 bytes.
int64_t own_dz(const ConvBackwardWeightsArgs& a) {
  const bool own = a.y && !a.dz && a.dw;
  return own ? ceil_div(a.shape.y_size * (a.shape.dtype == DType::f64 ? 8 : 4), 64) * 64 : 0;
}

void products(const ConvBackwardWeightsArgs& a) { conv_generic_backward_weights(a); }
int64_t products_scratch(const ConvBackwardWeightsArgs&) { return 0; }

}  // namespace

void conv_backward_weights(const ConvBackwardWeightsArgs& a) {
  ConvBackwardWeightsArgs plain = without_epilogue(a);
  if (a.y || a.db) {
    EpilogueBackwardArgs epilogue = epilogue_of(a);
    plain.scratch = static_cast<char*>(a.scratch) + own_dz(a);
    epilogue.scratch = plain.scratch;
    if (own_dz(a) > 0) epilogue.dz = a.scratch;
    epilogue_backward(epilogue);
    if (epilogue.dz) plain.dy = epilogue.dz;
  }
  if (a.dw) products(plain);
}

int64_t conv_backward_weights_scratch(const ConvBackwardWeightsArgs& a) {
  const int64_t epilogue = a.y || a.db ? epilogue_backward_scratch(epilogue_of(a)) : 0;
  const int64_t product = a.dw ? products_scratch(without_epilogue(a)) : 0;
  return own_dz(a) + (epilogue > product ? epilogue : product);
}

}  // namespace dlbd::cuda
