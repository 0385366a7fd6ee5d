// Convolution forward as a product that is never laid out: rows are output pixels, columns filters, the depth the
// channels of the taps, read from x where they lie.
#include "conv_paths.h"
#include "conv_product.h"

namespace dlbd::cuda {
namespace {

TilePlan plan_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  return plan_tiles(s.groups, s.n * out_pixels(s), s.k / s.groups, taps_of(s) * (s.c / s.groups), s.y_size,
                    has_quads(s), a.precision);
}

// y = act(conv(x, w) + b) by tiles.
void tiled_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_forward(a);
  const TileOutput out{static_cast<float*>(a.y), static_cast<const float*>(a.b), a.activation, a.accumulate,
                       s.k / s.groups % kQuad == 0 && aligned(a.y, a.b)};
  const ConvProduct p = conv_product(s, plan, a.x, a.w, out, a.scratch, s.y_size);
  const auto run = [&]<class Tile, bool Packed>(Tile, std::bool_constant<Packed>) {
    launch_product<Tile, PixelRows<Tile, Packed>>(p, plan, s.n * out_pixels(s), s.groups, stream_of(a));
  };
  if (has_quads(s)) {
    with_tile(plan, [&](auto tile) { run(tile, std::true_type{}); });
  } else {
    switch (plan.tile) {
      case TileKind::t128x32: run(Simt128x32{}, std::false_type{}); break;
      case TileKind::t64x64: run(Simt64x64{}, std::false_type{}); break;
      default: run(Simt128x64{}, std::false_type{}); break;
    }
  }
  if (plan.splits > 1)
    launch_sum_splits(static_cast<const float*>(a.scratch), plan.splits, s.y_size, s.k, out, stream_of(a));
}

constexpr int kSumThreads = 256;
constexpr int kSumBlocks = 4;  // of a multiprocessor: for more, nvcc would not keep 8 packs in flight

// V elements per thread.
template <int V>
__global__ void __launch_bounds__(kSumThreads, kSumBlocks)
    sum_splits_kernel(const float* partial, int64_t splits, int64_t size, int64_t columns, TileOutput out) {
  using P = Pack<float, V>;
  for (int64_t i = global_thread() * V; i < size; i += global_threads() * V) {
    P sum = *reinterpret_cast<const P*>(partial + i), before{}, bias{};
#pragma unroll 8
    for (int64_t s = 1; s < splits; ++s) {
      const P x = *reinterpret_cast<const P*>(partial + s * size + i);
#pragma unroll
      for (int v = 0; v < V; ++v) sum.v[v] += x.v[v];
    }
    if (out.add) before = *reinterpret_cast<const P*>(out.to + i);
    if (out.bias) bias = *reinterpret_cast<const P*>(out.bias + i % columns);
#pragma unroll
    for (int v = 0; v < V; ++v) sum.v[v] = finish(out, sum.v[v], before.v[v], bias.v[v]);
    if (!is_finished(out))
      for (int v = 0; v < V; ++v) sum.v[v] = activate(out.activation, sum.v[v]);
    *reinterpret_cast<P*>(out.to + i) = sum;
  }
}

}  // namespace

void launch_sum_splits(const float* partial, int64_t splits, int64_t size, int64_t columns, const TileOutput& out,
                       cudaStream_t stream) {
  const bool packed = columns % kQuad == 0 && aligned(out.to, out.bias);
  const unsigned blocks = blocks_for(ceil_div(packed ? size / kQuad : size, kSumThreads));
  if (packed)
    return launch(sum_splits_kernel<kQuad>, {blocks, kSumThreads}, stream, partial, splits, size, columns, out);
  launch(sum_splits_kernel<1>, {blocks, kSumThreads}, stream, partial, splits, size, columns, out);
}

void conv_forward(const ConvForwardArgs& a) {
  if (!conv_is_fast(a.shape)) return conv_generic_forward(a);
  a.shape.path == ConvPath::depthwise ? conv_depthwise_forward(a) : tiled_forward(a);
}

int64_t conv_forward_scratch(const ConvForwardArgs& a) {
  const bool tiled = conv_is_fast(a.shape) && a.shape.path != ConvPath::depthwise;
  return tiled ? split_bytes(plan_forward(a), a.shape.y_size) : 0;
}

}  // namespace dlbd::cuda
