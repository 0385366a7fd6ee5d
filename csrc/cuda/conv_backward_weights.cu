// The gradient of a convolution's kernel: the way back through bias and activation first, then a product whose rows are
// the channels of the taps, columns filters, and the depth the output pixels.
#include "conv_paths.h"
#include "conv_product.h"

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

TilePlan plan_weights(const ConvBackwardWeightsArgs& a) {
  const ConvShape& s = a.shape;
  return plan_tiles(s.groups, taps_of(s) * (s.c / s.groups), s.k / s.groups, s.n * out_pixels(s), s.w_size,
                    has_quads(s), a.precision);
}

void tiled_products(const ConvBackwardWeightsArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_weights(a);
  const int64_t rows = taps_of(s) * (s.c / s.groups);
  const TileOutput out{static_cast<float*>(a.dw),
                       nullptr,
                       {Activation::linear, 0.0f},
                       a.accumulate,
                       s.k / s.groups % kQuad == 0 && aligned(a.dw)};
  const ConvProduct p = conv_product(s, plan, a.x, a.dy, out, a.scratch, s.w_size);
  if (has_quads(s)) {
    with_tile(plan, [&]<class Tile>(Tile) {
      launch_product<Tile, TapRows<Tile, kQuad>>(p, plan, rows, s.groups, stream_of(a));
    });
  } else {
    launch_product<Simt64x64, TapRows<Simt64x64, 1>>(p, plan, rows, s.groups, stream_of(a));
  }
  if (plan.splits > 1)
    launch_sum_splits(static_cast<const float*>(a.scratch), plan.splits, s.w_size, s.k, out, stream_of(a));
}

void products(const ConvBackwardWeightsArgs& a) {
  if (!conv_is_fast(a.shape)) return conv_generic_backward_weights(a);
  a.shape.path == ConvPath::depthwise ? conv_depthwise_backward_weights(a) : tiled_products(a);
}

int64_t products_scratch(const ConvBackwardWeightsArgs& a) {
  if (!conv_is_fast(a.shape)) return 0;
  if (a.shape.path == ConvPath::depthwise) return conv_depthwise_backward_weights_scratch(a);
  return split_bytes(plan_weights(a), a.shape.w_size);
}

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
