// The gradient of a convolution's input, which is also the transposed convolution: for each phase of the stride (see
// phase_axis) a product whose rows are pixels of x, columns channels, and the depth the filters of the taps that the
// phase meets, read from dy where they lie.
#include "conv_gather.h"
#include "conv_paths.h"
#include "conv_plan.h"

namespace dlbd::cuda {
namespace {

struct DataProduct {
  Phases phases;
  const float *dy, *w;
  TileOutput out;
  int64_t split_stride;  // between the sums of the splits
  int channels, pitch;   // of x: of a group, of all groups
  int filters;           // of all groups: between rows of w
  int targets;           // of the largest phase
  int splits;
  bool aligned_w;
};

template <class Tile>
struct DataShared {
  TileShared<Tile> tiles;
  Gather gather;  // of this block's phase
};

// Where a step's weights begin, for channel 0 of the group: filters side by side, channels apart.
__device__ __forceinline__ int weights_under(const Gather& g, const Place& tap, int between_taps) {
  const int d = g.axis[0].tap + tap.d * g.axis[0].tap_step, h = g.axis[1].tap + tap.h * g.axis[1].tap_step;
  const int w = g.axis[2].tap + tap.w * g.axis[2].tap_step;
  return ((d * g.axis[1].kernel + h) * g.axis[2].kernel + w) * between_taps;
}

template <class Tile, bool Packed>
struct DataOperands;

// Filters are whole quads: a thread has a quad of them, of one or two pixels and of one channel.
template <class Tile>
struct DataOperands<Tile, true> {
  static constexpr bool kIdle = 2 * Tile::N < Tile::kThreads;
  static_assert(2 * Tile::N <= Tile::kThreads);

  const Gather& g;
  const DataProduct& p;
  PixelRows<Tile, true> pixels;
  const float* at;  // in w
  int channel;      // where the thread's channel begins in w, or -1
  float v[Tile::kSlabs][kQuad];

  __device__ DataOperands(const Gather& gather, const DataProduct& product) : g(gather), p(product) {}

  __device__ static int column() { return static_cast<int>(threadIdx.x) / 2; }
  __device__ static int step() { return PixelRows<Tile, true>::step(); }

  __device__ __forceinline__ void begin(const float* dy, int group_filters, int first_row, int first_column,
                                        int first_step) {
    pixels.begin(g, dy, first_row, first_step);
    const bool exists = column() < Tile::N && first_column + column() < p.channels;
    channel = exists ? group_filters + (first_column + column()) * p.filters : -1;
    locate();
  }
  __device__ __forceinline__ void locate() {
    at = p.w + (channel + weights_under(g, pixels.walk.tap, p.channels * p.filters) + pixels.walk.channel);
  }
  __device__ __forceinline__ void load(int slab, int left) {
    Pack<float> x{};
    if (channel >= 0 && step() < left) x = load_some<kQuad>(at, p.aligned_w);
#pragma unroll
    for (int j = 0; j < kQuad; ++j) v[slab][j] = x.v[j];
    at += kSlab;
    if (pixels.load(g, slab, left)) locate();
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& a, typename TileShared<Tile>::B& b) const {
    pixels.store(a);
    if (kIdle && column() >= Tile::N) return;
#pragma unroll
    for (int part = 0; part < Tile::kParts; ++part)
#pragma unroll
      for (int j = 0; j < kQuad; ++j)
        b[part * kSlab + step() + j][column()] = Tile::word(part, v[0][j], v[Tile::kSlabs - 1][j]);
  }
};

// Filter by filter: a thread has one pixel and one channel.
template <class Tile>
struct DataOperands<Tile, false> {
  using Rows = PixelRows<Tile, false>;
  static_assert(Tile::M == Tile::N);

  const Gather& g;
  const DataProduct& p;
  Rows pixels;
  const float* channel;
  bool exists;
  float v[Rows::kSteps];

  __device__ DataOperands(const Gather& gather, const DataProduct& product) : g(gather), p(product) {}

  __device__ __forceinline__ void begin(const float* dy, int group_filters, int first_row, int first_column,
                                        int first_step) {
    pixels.begin(g, dy, first_row, first_step);
    exists = first_column + Rows::row() < p.channels;
    channel = p.w + group_filters + static_cast<int64_t>(first_column + Rows::row()) * p.filters;
  }
  __device__ __forceinline__ void load(int, int left) {
    pixels.load(g, left, [&](int i, bool inside) {
      const int at = weights_under(g, pixels.walk.tap, p.channels * p.filters) + pixels.walk.channel;
      v[i] = exists && inside ? channel[at] : 0.0f;
    });
  }
  __device__ __forceinline__ void store(typename TileShared<Tile>::A& a, typename TileShared<Tile>::B& b) const {
    pixels.store(a);
#pragma unroll
    for (int i = 0; i < Rows::kSteps; ++i) b[Rows::step() + i * Rows::kStep][Rows::row()] = v[i];
  }
};

// Blocks: tiles, groups, phases x splits (many phases leave no splits).
template <class Tile, bool Packed>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kBlocks) data_kernel(const __grid_constant__ DataProduct p) {
  auto& memory = shared<DataShared<Tile>>();
  const int me = static_cast<int>(threadIdx.x);
  const int split = static_cast<int>(blockIdx.z) % p.splits, phase = static_cast<int>(blockIdx.z) / p.splits;
  if (me == 0) memory.gather = p.phases.gather;
  __syncthreads();
  if (me < 3) memory.gather.axis[me] = p.phases.axis(phase, me);
  __syncthreads();
  const Gather& g = memory.gather;

  const int targets = g.targets(), group = static_cast<int>(blockIdx.y), depth = g.depth();
  const TileIndex index = tile_index((p.targets + Tile::M - 1) / Tile::M, (p.channels + Tile::N - 1) / Tile::N);
  const int row = index.m * Tile::M, column = index.n * Tile::N;
  if (row >= targets) return;
  for (int i = me; i < Tile::M; i += Tile::kThreads)
    memory.tiles.place[i] = row + i < targets ? g.written(g.target(row + i)) * p.pitch : -1;

  // phases differ in depth: each has as many splits, some of which may be empty
  constexpr int kStep = 2 * kSlab;
  const int chunk = ((depth + p.splits - 1) / p.splits + kStep - 1) / kStep * kStep, first = split * chunk;
  const int left = depth - first < chunk ? depth - first : chunk;
  DataOperands<Tile, Packed> operands{g, p};
  operands.begin(p.dy + group * g.channels, group * g.channels, row, column, first);
  Tile tile;
  tile.begin();
  sum_tile(memory.tiles, tile, operands, left);
  __syncthreads();
  TileOutput out = p.out;
  out.to += split * p.split_stride;
  store_tile(memory.tiles, tile, out, static_cast<int64_t>(group) * p.channels + column, p.channels - column);
}

int64_t largest_phase(const ConvShape& s) {
  int64_t targets = s.n;
  for (const ConvAxis& a : s.axis) targets *= ceil_div(a.in, a.stride);
  return targets;
}

int64_t all_phases(const ConvShape& s) {
  int64_t phases = 1;
  for (const ConvAxis& a : s.axis) phases *= phases_of(a);
  return phases;
}

bool is_packed(const ConvShape& s) { return s.k / s.groups % kQuad == 0; }

bool is_fast(const ConvShape& s) { return conv_is_fast(s) && has_few_phases(s); }

TilePlan plan_data(const ConvBackwardDataArgs& a) {
  const ConvShape& s = a.shape;
  const int64_t phases = all_phases(s);
  return plan_tiles(s.groups * phases, largest_phase(s), s.c / s.groups, taps_of(s) * (s.k / s.groups) / phases,
                    s.x_size, is_packed(s), a.precision);
}

template <class Tile, bool Packed>
void launch_data(const DataProduct& p, const TilePlan& plan, int64_t groups, int64_t phases, cudaStream_t stream) {
  const int64_t tiles = ceil_div(p.targets, Tile::M) * ceil_div(p.channels, Tile::N);
  launch(
      data_kernel<Tile, Packed>,
      {dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(groups), static_cast<unsigned>(phases * plan.splits)),
       Tile::kThreads, sizeof(DataShared<Tile>)},
      stream, p);
}

void tiled_backward_data(const ConvBackwardDataArgs& a) {
  const ConvShape& s = a.shape;
  const TilePlan plan = plan_data(a);
  const int64_t channels = s.c / s.groups, phases = all_phases(s);
  const bool packed = channels % kQuad == 0;
  const TileOutput out{static_cast<float*>(a.dx), static_cast<const float*>(a.b), a.activation, a.accumulate,
                       packed && aligned(a.dx, a.b)};
  DataProduct p{};
  p.phases = data_phases(s, a.dy);
  p.dy = static_cast<const float*>(a.dy), p.w = static_cast<const float*>(a.w), p.aligned_w = aligned(a.w);
  p.channels = static_cast<int>(channels), p.pitch = static_cast<int>(s.c), p.filters = static_cast<int>(s.k);
  p.targets = static_cast<int>(largest_phase(s)), p.splits = static_cast<int>(plan.splits);
  p.out = first_output(plan, out, a.scratch, packed), p.split_stride = s.x_size;
  if (is_packed(s)) {
    with_tile(plan, [&]<class Tile>(Tile) { launch_data<Tile, true>(p, plan, s.groups, phases, stream_of(a)); });
  } else {
    launch_data<Simt64x64, false>(p, plan, s.groups, phases, stream_of(a));
  }
  if (plan.splits > 1)
    launch_sum_splits(static_cast<const float*>(a.scratch), plan.splits, s.x_size, s.c, out, stream_of(a));
}

}  // namespace

void conv_backward_data(const ConvBackwardDataArgs& a) {
  if (!is_fast(a.shape)) return conv_generic_backward_data(a);
  a.shape.path == ConvPath::depthwise ? conv_depthwise_backward_data(a) : tiled_backward_data(a);
}

int64_t conv_backward_data_scratch(const ConvBackwardDataArgs& a) {
  const bool tiled = is_fast(a.shape) && a.shape.path != ConvPath::depthwise;
  return tiled ? split_bytes(plan_data(a), a.shape.x_size) : 0;
}

}  // namespace dlbd::cuda
