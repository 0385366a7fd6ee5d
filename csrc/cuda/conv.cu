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

  __device__ explicit ForwardOperands(const Gather& gather) : g(gather) {}

  __device__ __forceinline__ void load(int slab, int left) {
    if constexpr (Packed) {
      pixels.load(g, slab, left);
    } else {
      pixels.load(g, left, [](int, bool) {});
    }
    weights.load(slab, left);
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& a, typename TileShared<Tile>::B& b) const {
    pixels.store(a), weights.store(b);
  }
};

// Blocks: tiles, groups, splits.
template <class Tile, bool Packed>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    forward_kernel(const __grid_constant__ ForwardProduct p) {
  auto& memory = shared<TileShared<Tile>>();
  const Gather& g = p.gather;
  const int group = static_cast<int>(blockIdx.y), split = static_cast<int>(blockIdx.z), targets = g.targets();
  const TileIndex index = tile_index((targets + Tile::M - 1) / Tile::M, (p.filters + Tile::N - 1) / Tile::N);
  const int first = split * p.chunk, row = index.m * Tile::M, column = index.n * Tile::N;
  const int left = g.depth() - first < p.chunk ? g.depth() - first : p.chunk;
  for (int i = static_cast<int>(threadIdx.x); i < Tile::M; i += Tile::kThreads)
    memory.place[i] = row + i < targets ? static_cast<int64_t>(row + i) * p.pitch : -1;

  const int64_t first_filter = static_cast<int64_t>(group) * p.filters + column;
  ForwardOperands<Tile, Packed> operands{g};
  operands.pixels.begin(g, p.x + group * g.channels, row, first);
  operands.weights.begin(p.w + static_cast<int64_t>(first) * p.pitch + first_filter, p.pitch, p.filters - column,
                         p.packed_w);
  Tile tile;
  tile.begin();
  sum_tile(memory, tile, operands, left);
  __syncthreads();
  TileOutput out = p.out;
  out.to += split * p.split_stride;
  store_tile(memory, tile, out, first_filter, p.filters - column);
}

template <class Tile, bool Packed>
void launch_forward(const ForwardProduct& p, const TilePlan& plan, int64_t targets, int64_t groups,
                    cudaStream_t stream) {
  const int64_t tiles = ceil_div(targets, Tile::M) * ceil_div(p.filters, Tile::N);
  launch(forward_kernel<Tile, Packed>,
         {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(groups), static_cast<unsigned>(plan.splits)),
          Tile::kThreads, sizeof(TileShared<Tile>)},
         stream, p);
}

bool is_packed(const ConvShape& s) { return s.c / s.groups % kQuad == 0; }

TilePlan plan_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  return plan_tiles(s.groups, s.n * out_pixels(s), s.k / s.groups, taps_of(s) * (s.c / s.groups), s.y_size,
                    is_packed(s), a.precision);
}

// y = act(conv(x, w) + b) by tiles.
void tiled_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_forward(a);
  const int64_t filters = s.k / s.groups;
  const bool packed = filters % kQuad == 0;
  const TileOutput out{static_cast<float*>(a.y), static_cast<const float*>(a.b), a.activation, a.accumulate,
                       packed && aligned(a.y, a.b)};
  ForwardProduct p{};
  p.gather = forward_gather(s, a.x);
  p.x = static_cast<const float*>(a.x), p.w = static_cast<const float*>(a.w);
  p.filters = static_cast<int>(filters), p.pitch = static_cast<int>(s.k), p.chunk = static_cast<int>(plan.chunk);
  p.packed_w = packed && aligned(a.w);
  p.out = first_output(plan, out, a.scratch, packed), p.split_stride = s.y_size;
  const int64_t targets = s.n * out_pixels(s);
  if (is_packed(s)) {
    with_tile(plan, [&]<class Tile>(Tile) { launch_forward<Tile, true>(p, plan, targets, s.groups, stream_of(a)); });
  } else {
    switch (plan.tile) {
      case TileKind::t128x32: launch_forward<Simt128x32, false>(p, plan, targets, s.groups, stream_of(a)); break;
      case TileKind::t64x64: launch_forward<Simt64x64, false>(p, plan, targets, s.groups, stream_of(a)); break;
      default: launch_forward<Simt128x64, false>(p, plan, targets, s.groups, stream_of(a)); break;
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
