// Convolution forward as a product that is never laid out: rows are output pixels, columns filters, the depth the
// channels of the taps, read from x where they lie.
#include "conv_gather.h"
#include "conv_paths.h"
#include "conv_plan.h"

namespace dlbd::cuda {
namespace {

struct ForwardProduct {
  Gather gather;
  const float *x, *w;
  TileOutput out;
  int64_t split_stride;  // between the sums of the splits
  int filters;           // of a group
  int pitch;             // filters of all groups
  int chunk;             // of the depth, per split
  bool packed_w;
};

template <class Tile, bool Packed>
struct ForwardOperands {
  const Gather& g;
  PixelRows<Tile, Packed> pixels;
  DenseColumns<Tile> weights;
  TapWalk walk;

  __device__ __forceinline__ void load(int left) {
    if constexpr (Packed) {
      pixels.load(pixels.step() < left);
      walk.advance(g, kDepth) ? pixels.locate(g, walk) : pixels.next();
    } else {
#pragma unroll
      for (int i = 0; i < pixels.kSteps; ++i) {
        pixels.load(g, i, walk, pixels.step() + i * pixels.kStep < left);
        walk.advance(g, pixels.kStep);
      }
    }
    weights.load(left);
  }
  __device__ __forceinline__ void store(float (*a)[Tile::M + kPad], float (*b)[Tile::N + kPad]) const {
    pixels.store(a), weights.store(b);
  }
};

// Blocks: tiles, groups, splits.
template <class Tile, bool Packed>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) forward_kernel(const __grid_constant__ ForwardProduct p) {
  auto& tiles = shared<TileShared<Tile>>();
  const Gather& g = p.gather;
  const int group = static_cast<int>(blockIdx.y), split = static_cast<int>(blockIdx.z), targets = g.targets();
  const TileIndex tile = tile_index((targets + Tile::M - 1) / Tile::M, (p.filters + Tile::N - 1) / Tile::N);
  const int first = split * p.chunk, row = tile.m * Tile::M, column = tile.n * Tile::N;
  const int left = g.depth() - first < p.chunk ? g.depth() - first : p.chunk;
  for (int i = static_cast<int>(threadIdx.x); i < Tile::M; i += Tile::kThreads)
    tiles.place[i] = row + i < targets ? static_cast<int64_t>(row + i) * p.pitch : -1;

  const int64_t first_filter = static_cast<int64_t>(group) * p.filters + column;
  ForwardOperands<Tile, Packed> operands{g};
  operands.walk.begin(g, first + operands.pixels.step());
  if constexpr (Packed) {
    operands.pixels.begin(g, p.x + group * g.channels, row, operands.walk);
  } else {
    operands.pixels.begin(g, p.x + group * g.channels, row);
  }
  operands.weights.begin(p.w + static_cast<int64_t>(first) * p.pitch + first_filter, p.pitch, p.filters - column,
                         p.packed_w);

  const TilePosition at = tile_position<Tile>();
  float sum[Tile::TM][Tile::TN] = {};
  sum_tile<Tile>(tiles, operands, left, at, sum);
  __syncthreads();
  TileOutput out = p.out;
  out.to += split * p.split_stride;
  store_tile<Tile>(tiles, out, at, first_filter, p.filters - column, sum);
}

template <class Tile, bool Packed>
void launch_forward(const ForwardProduct& p, const TilePlan& plan, int64_t targets, int64_t groups, cudaStream_t stream) {
  const int64_t tiles = ceil_div(targets, Tile::M) * ceil_div(p.filters, Tile::N);
  launch(forward_kernel<Tile, Packed>,
         {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(groups), static_cast<unsigned>(plan.splits)),
          Tile::kThreads, sizeof(TileShared<Tile>)},
         stream, p);
}

TilePlan plan_forward(const ConvShape& s) {
  return plan_tiles(s.groups, s.n * out_pixels(s), s.k / s.groups, taps_of(s) * (s.c / s.groups), s.y_size, INT32_MAX);
}

// y = act(conv(x, w) + b) by tiles.
void tiled_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_forward(s);
  const int64_t channels = s.c / s.groups, filters = s.k / s.groups;
  ForwardProduct p{};
  for (int i = 0; i < 3; ++i) p.gather.axis[i] = forward_axis(s.axis[i]);
  p.gather.channels = static_cast<int>(channels), p.gather.pitch = static_cast<int>(s.c);
  p.gather.image = in_pixels(s) * s.c, p.gather.images = static_cast<int>(s.n);
  p.x = static_cast<const float*>(a.x), p.w = static_cast<const float*>(a.w);
  p.filters = static_cast<int>(filters), p.pitch = static_cast<int>(s.k), p.chunk = static_cast<int>(plan.chunk);
  p.packed_w = filters % kQuad == 0 && aligned(a.w);
  const TileOutput out{static_cast<float*>(a.y), static_cast<const float*>(a.b), a.activation, a.accumulate,
                       filters % kQuad == 0 && aligned(a.y, a.b)};
  p.out = out;
  if (plan.splits > 1) {
    p.out = {static_cast<float*>(a.scratch), nullptr, {Activation::linear, 0.0f}, false, filters % kQuad == 0};
    p.split_stride = s.y_size;
  }
  const auto run = [&]<class Tile, bool Packed>(Tile, std::bool_constant<Packed>) {
    launch_forward<Tile, Packed>(p, plan, s.n * out_pixels(s), s.groups, stream_of(a));
  };
  if (channels % kQuad == 0 && aligned(a.x)) {
    switch (plan.tile) {
      case TileKind::t128x128: run(Tile128x128{}, std::true_type{}); break;
      case TileKind::t128x64: run(Tile128x64{}, std::true_type{}); break;
      case TileKind::t128x32: run(Tile128x32{}, std::true_type{}); break;
      case TileKind::t64x64: run(Tile64x64{}, std::true_type{}); break;
    }
  } else {
    switch (plan.tile) {
      case TileKind::t128x128:
      case TileKind::t128x64: run(Tile128x64{}, std::false_type{}); break;
      case TileKind::t128x32: run(Tile128x32{}, std::false_type{}); break;
      case TileKind::t64x64: run(Tile64x64{}, std::false_type{}); break;
    }
  }
  if (plan.splits > 1)
    launch_sum_splits(static_cast<const float*>(a.scratch), plan.splits, s.y_size, s.k, out, stream_of(a));
}

bool is_tiled(const ConvShape& s) {
  return s.path != ConvPath::generic && fits_32_bits(s) && s.groups <= kMostGroups;
}

constexpr int kSumThreads = 256;

// V elements per thread.
template <int V>
__global__ void __launch_bounds__(kSumThreads)
    sum_splits_kernel(const float* partial, int64_t splits, int64_t size, int64_t columns, TileOutput out) {
  using P = Pack<float, V>;
  for (int64_t i = global_thread() * V; i < size; i += global_threads() * V) {
    P sum = *reinterpret_cast<const P*>(partial + i), before{}, bias{};
#pragma unroll 4
    for (int64_t s = 1; s < splits; ++s) {
      const P x = *reinterpret_cast<const P*>(partial + s * size + i);
#pragma unroll
      for (int v = 0; v < V; ++v) sum.v[v] += x.v[v];
    }
    if (out.add) before = *reinterpret_cast<const P*>(out.to + i);
    if (out.bias) bias = *reinterpret_cast<const P*>(out.bias + i % columns);
#pragma unroll
    for (int v = 0; v < V; ++v) sum.v[v] = finish(out, sum.v[v], before.v[v], bias.v[v]);
    if (out.activation.kind > Activation::leaky_relu)
      for (int v = 0; v < V; ++v) sum.v[v] = activate(out.activation, sum.v[v]);
    *reinterpret_cast<P*>(out.to + i) = sum;
  }
}

}  // namespace

void launch_sum_splits(const float* partial, int64_t splits, int64_t size, int64_t columns, const TileOutput& out,
                       cudaStream_t stream) {
  const bool packed = columns % kQuad == 0 && aligned(out.to, out.bias);
  const unsigned blocks = blocks_for(ceil_div(packed ? size / kQuad : size, kSumThreads));
  if (packed) return launch(sum_splits_kernel<kQuad>, {blocks, kSumThreads}, stream, partial, splits, size, columns, out);
  launch(sum_splits_kernel<1>, {blocks, kSumThreads}, stream, partial, splits, size, columns, out);
}

void conv_forward(const ConvForwardArgs& a) {
  if (!is_tiled(a.shape)) return conv_generic_forward(a);
  tiled_forward(a);
}

int64_t conv_forward_scratch(const ConvForwardArgs& a) {
  return is_tiled(a.shape) ? split_bytes(plan_forward(a.shape), a.shape.y_size) : 0;
}

}  // namespace dlbd::cuda
