// The gradient of a convolution's kernel: the way back through bias and activation first, then a product whose rows are
// the channels of the taps, columns filters, and the depth the output pixels.
#include "conv_gather.h"
#include "conv_paths.h"
#include "conv_plan.h"

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

struct WeightsProduct {
  Gather gather;
  const float *x, *dy;
  TileOutput out;
  int64_t split_stride;  // between the sums of the splits
  int filters;           // of a group
  int pitch;             // filters of all groups
  int chunk;             // of the depth, per split
  bool packed_dy;
};

template <class Tile, int Width>
struct WeightsOperands {
  const Gather& g;
  TapRows<Tile, Width> taps;
  DenseColumns<Tile> gradients;

  __device__ explicit WeightsOperands(const Gather& gather) : g(gather) {}

  __device__ __forceinline__ void load(int slab, int left) { taps.load(g, slab, left), gradients.load(slab, left); }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& a, typename TileShared<Tile>::B& b) const {
    taps.store(a), gradients.store(b);
  }
};

// Blocks: tiles, groups, splits.
template <class Tile, int Width>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks)
    weights_kernel(const __grid_constant__ WeightsProduct p) {
  auto& memory = shared<TileShared<Tile>>();
  const Gather& g = p.gather;
  const int group = static_cast<int>(blockIdx.y), split = static_cast<int>(blockIdx.z), rows = g.depth();
  const TileIndex index = tile_index((rows + Tile::M - 1) / Tile::M, (p.filters + Tile::N - 1) / Tile::N);
  const int first = split * p.chunk, row = index.m * Tile::M, column = index.n * Tile::N;
  const int left = g.targets() - first < p.chunk ? g.targets() - first : p.chunk;
  for (int i = static_cast<int>(threadIdx.x); i < Tile::M; i += Tile::kThreads)
    memory.place[i] = row + i < rows ? static_cast<int64_t>(row + i) * p.pitch : -1;

  const int64_t first_filter = static_cast<int64_t>(group) * p.filters + column;
  WeightsOperands<Tile, Width> operands{g};
  operands.taps.begin(g, p.x + group * g.channels, row, first);
  operands.gradients.begin(p.dy + static_cast<int64_t>(first) * p.pitch + first_filter, p.pitch, p.filters - column,
                           p.packed_dy);
  Tile tile;
  tile.begin();
  sum_tile(memory, tile, operands, left);
  __syncthreads();
  TileOutput out = p.out;
  out.to += split * p.split_stride;
  store_tile(memory, tile, out, first_filter, p.filters - column);
}

bool is_packed(const ConvShape& s) { return s.c / s.groups % kQuad == 0; }

TilePlan plan_weights(const ConvBackwardWeightsArgs& a) {
  const ConvShape& s = a.shape;
  return plan_tiles(s.groups, taps_of(s) * (s.c / s.groups), s.k / s.groups, s.n * out_pixels(s), s.w_size,
                    is_packed(s), a.precision);
}

template <class Tile, int Width>
void launch_weights(const WeightsProduct& p, const TilePlan& plan, int64_t rows, int64_t groups, cudaStream_t stream) {
  const int64_t tiles = ceil_div(rows, Tile::M) * ceil_div(p.filters, Tile::N);
  launch(weights_kernel<Tile, Width>,
         {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(groups), static_cast<unsigned>(plan.splits)),
          Tile::kThreads, sizeof(TileShared<Tile>)},
         stream, p);
}

void tiled_products(const ConvBackwardWeightsArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_weights(a);
  const int64_t filters = s.k / s.groups, rows = taps_of(s) * (s.c / s.groups);
  const bool packed = filters % kQuad == 0;
  const TileOutput out{
      static_cast<float*>(a.dw), nullptr, {Activation::linear, 0.0f}, a.accumulate, packed && aligned(a.dw)};
  WeightsProduct p{};
  p.gather = forward_gather(s, a.x);
  p.x = static_cast<const float*>(a.x), p.dy = static_cast<const float*>(a.dy);
  p.filters = static_cast<int>(filters), p.pitch = static_cast<int>(s.k), p.chunk = static_cast<int>(plan.chunk);
  p.packed_dy = packed && aligned(a.dy);
  p.out = first_output(plan, out, a.scratch, packed), p.split_stride = s.w_size;
  if (is_packed(s)) {
    with_tile(plan, [&]<class Tile>(Tile) { launch_weights<Tile, kQuad>(p, plan, rows, s.groups, stream_of(a)); });
  } else {
    launch_weights<Simt64x64, 1>(p, plan, rows, s.groups, stream_of(a));
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
