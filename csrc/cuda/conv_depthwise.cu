// Convolution in which every channel is a group of its own: bound by memory, threads along channels.
#include "columns.h"
#include "conv_gather.h"
#include "conv_paths.h"
#include "conv_plan.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;
// Pixels of a row that a thread takes together: they share the weights, and what they read overlaps.
constexpr int kRun = 4;

struct DepthwiseSums {
  Phases phases;
  const float *x, *w;
  TileOutput out;
};

// A Pack of channels of a run of pixels of the phase blockIdx.y, for the rows of pixels that threadIdx.y's take. Wide:
// the length of the kernel's rows where it is known and neither stride nor dilation is there; then what a row of the
// kernel reads is loaded once.
template <int V, int Wide>
__global__ void __launch_bounds__(kThreads, 2) depthwise_kernel(const __grid_constant__ DepthwiseSums p) {
  using P = Pack<float, V>;
  constexpr int kRead = Wide > 0 ? kRun + Wide - 1 : kRun;
  const Gather& g = p.phases.gather;
  const int number = static_cast<int>(blockIdx.y), channels = g.pitch;
  const GatherAxis d = p.phases.axis(number, 0), h = p.phases.axis(number, 1), w = p.phases.axis(number, 2);
  const int rows = g.images * d.count * h.count, packs = channels / V, pieces = (w.count + kRun - 1) / kRun * packs;
  for (int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); row < rows;
       row += static_cast<int>(gridDim.x * blockDim.y)) {
    const Place at = split_place(static_cast<unsigned>(row), h.count, d.count, 1);
    const int q_h = at.w, q_d = at.h;
    const float* image = p.x + at.n * g.image;
    const int64_t line =
        ((static_cast<int64_t>(at.n) * d.written + d.first + q_d * d.apart) * h.written + h.first + q_h * h.apart) *
        w.written;
    for (int piece = static_cast<int>(threadIdx.x); piece < pieces; piece += static_cast<int>(blockDim.x)) {
      const int run = piece / packs, c = (piece - run * packs) * V, q = run * kRun;
      P sum[kRun] = {};
      for (int td = 0; td < d.taps; ++td) {
        const int pd = d.origin + q_d * d.stride + td * d.dilation;
        if (static_cast<unsigned>(pd) >= static_cast<unsigned>(d.size)) continue;
        for (int th = 0; th < h.taps; ++th) {
          const int ph = h.origin + q_h * h.stride + th * h.dilation;
          if (static_cast<unsigned>(ph) >= static_cast<unsigned>(h.size)) continue;
          const float* from = image + (pd * h.size + ph) * w.size * channels + c;
          const int kernel_row = (d.tap + td * d.tap_step) * h.kernel + h.tap + th * h.tap_step;
          const float* weights = p.w + (kernel_row * w.kernel + w.tap) * channels + c;
          const int between = w.tap_step * channels;
          const auto read = [&](int pw) {
            P x{};
            if (static_cast<unsigned>(pw) < static_cast<unsigned>(w.size))
              x = *reinterpret_cast<const P*>(from + pw * channels);
            return x;
          };
          if constexpr (Wide > 0) {
            // a dilation of -1 reads the same, the other way round
            const int first = w.origin + q - (w.dilation < 0 ? Wide - 1 : 0);
            P x[kRead];
#pragma unroll
            for (int i = 0; i < kRead; ++i) x[i] = read(first + i);
#pragma unroll
            for (int j = 0; j < Wide; ++j) {
              const P weight = *reinterpret_cast<const P*>(weights + (w.dilation < 0 ? Wide - 1 - j : j) * between);
#pragma unroll
              for (int i = 0; i < kRun; ++i)
#pragma unroll
                for (int v = 0; v < V; ++v) sum[i].v[v] += x[i + j].v[v] * weight.v[v];
            }
          } else {
            for (int tw = 0; tw < w.taps; ++tw) {
              const P weight = *reinterpret_cast<const P*>(weights + tw * between);
              const int first = w.origin + q * w.stride + tw * w.dilation;
              P x[kRead];
#pragma unroll
              for (int i = 0; i < kRun; ++i) x[i] = read(first + i * w.stride);
#pragma unroll
              for (int i = 0; i < kRun; ++i)
#pragma unroll
                for (int v = 0; v < V; ++v) sum[i].v[v] += x[i].v[v] * weight.v[v];
            }
          }
        }
      }
      float* const to = p.out.to + (line + w.first + q * w.apart) * channels;
#pragma unroll
      for (int i = 0; i < kRun; ++i)
        if (q + i < w.count) store_some(p.out, to + i * w.apart * channels, p.out.bias, c, channels, sum[i].v);
      if (is_finished(p.out)) continue;
#pragma unroll 1
      for (int i = 0; i < kRun * V; ++i) {
        float* const y = to + i / V * w.apart * channels + c + i % V;
        if (q + i / V < w.count) *y = activate(p.out.activation, *y);
      }
    }
  }
}

template <int V>
void launch_depthwise(const DepthwiseSums& p, int64_t rows, int64_t width, unsigned phases, cudaStream_t stream) {
  const GatherAxis& w = p.phases.gather.axis[2];
  const int64_t pieces = ceil_div(width, kRun) * (p.phases.gather.pitch / V);
  unsigned across = 8;
  while (across < kThreads && across < pieces) across *= 2;
  const unsigned down = kThreads / across;
  const Grid grid{{blocks_for(ceil_div(rows, down)), phases}, {across, down}};
  const bool plain = phases == 1 && w.stride == 1 && (w.dilation == 1 || w.dilation == -1);
  if (plain && w.taps == 3) return launch(depthwise_kernel<V, 3>, grid, stream, p);
  if (plain && w.taps == 5) return launch(depthwise_kernel<V, 5>, grid, stream, p);
  launch(depthwise_kernel<V, 0>, grid, stream, p);
}

bool has_packs(const ConvShape& s) { return s.c % kQuad == 0; }

// ---- the gradient of the kernel

// Pixels of a row that a thread goes along at a time, and taps whose sums it has.
constexpr int kSegment = 32, kTaps = 4;
// Items (segments of rows) of a block at least.
constexpr int64_t kLeastItems = 16;

struct DepthwiseWeights {
  Gather gather;
  const float *x, *dy;
  float* partial;    // per chunk the gradient of the whole kernel
  int segments;      // of a row
  int items, chunk;  // segments of all rows, and of a block
  int tap_groups;    // runs of kTaps taps of a row of the kernel, for all of its rows
  int groups_per_row;
  int lanes_m, lanes_g;  // threads of a block along channels, and its tap groups; the others share the items
};

template <int V>
struct WeightsShared {
  Pack<float, V> sum[kThreads][kTaps];
};

// Blocks: packs of channels, chunks of items, tap groups.
template <int V>
__global__ void __launch_bounds__(kThreads) depthwise_weights_kernel(const __grid_constant__ DepthwiseWeights p) {
  using P = Pack<float, V>;
  auto& memory = shared<WeightsShared<V>>();
  const Gather& g = p.gather;
  const GatherAxis &d = g.axis[0], &h = g.axis[1], &w = g.axis[2];
  const int me = static_cast<int>(threadIdx.x), channels = g.pitch;
  const int c = (static_cast<int>(blockIdx.x) * p.lanes_m + me % p.lanes_m) * V;
  const int group_lane = me / p.lanes_m % p.lanes_g, share = me / p.lanes_m / p.lanes_g;
  const int shares = kThreads / p.lanes_m / p.lanes_g;
  const int group = static_cast<int>(blockIdx.z) * p.lanes_g + group_lane;
  const int kernel_row = group / p.groups_per_row, first_tap = (group - kernel_row * p.groups_per_row) * kTaps;
  const int td = kernel_row / h.kernel, th = kernel_row - td * h.kernel;
  const int begin = static_cast<int>(blockIdx.y) * p.chunk, end = begin + p.chunk < p.items ? begin + p.chunk : p.items;
  P sum[kTaps] = {};
  if (c < channels && group < p.tap_groups && share < shares) {
    for (int item = begin + share; item < end; item += shares) {
      const int row = item / p.segments, segment = item - row * p.segments;
      const Place at = split_place(static_cast<unsigned>(row), h.count, d.count, g.images);
      const int pd = d.origin + at.h * d.stride + td * d.dilation, ph = h.origin + at.w * h.stride + th * h.dilation;
      if (static_cast<unsigned>(pd) >= static_cast<unsigned>(d.size)) continue;
      if (static_cast<unsigned>(ph) >= static_cast<unsigned>(h.size)) continue;
      const float* from = p.x + at.d * g.image + (pd * h.size + ph) * w.size * channels + c;
      const int first = segment * kSegment, last = first + kSegment < w.count ? first + kSegment : w.count;
      const float* gradient = p.dy + (static_cast<int64_t>(row) * w.count + first) * channels + c;
      P part[kTaps] = {};  // row by row: long sums stay accurate
#pragma unroll 2
      for (int q = first; q < last; ++q, gradient += channels) {
        const P dy = *reinterpret_cast<const P*>(gradient);
#pragma unroll
        for (int j = 0; j < kTaps; ++j) {
          const int pw = w.origin + q * w.stride + (first_tap + j) * w.dilation;
          P x{};
          if (first_tap + j < w.kernel && static_cast<unsigned>(pw) < static_cast<unsigned>(w.size))
            x = *reinterpret_cast<const P*>(from + pw * channels);
#pragma unroll
          for (int v = 0; v < V; ++v) part[j].v[v] += x.v[v] * dy.v[v];
        }
      }
#pragma unroll
      for (int i = 0; i < kTaps * V; ++i) sum[i / V].v[i % V] += part[i / V].v[i % V];
    }
  }
#pragma unroll
  for (int j = 0; j < kTaps; ++j) memory.sum[me][j] = sum[j];
  __syncthreads();
  if (share != 0 || c >= channels || group >= p.tap_groups) return;
  float* const to = p.partial + static_cast<int64_t>(blockIdx.y) * d.kernel * h.kernel * w.kernel * channels;
  for (int j = 0; j < kTaps && first_tap + j < w.kernel; ++j) {
    P total = memory.sum[me][j];
    for (int i = 1; i < shares; ++i) {
      const P more = memory.sum[me + i * p.lanes_m * p.lanes_g][j];
#pragma unroll
      for (int v = 0; v < V; ++v) total.v[v] += more.v[v];
    }
    *reinterpret_cast<P*>(to + (kernel_row * w.kernel + first_tap + j) * channels + c) = total;
  }
}

// dw = the sum of the chunks [+ dw]: several threads share those of an element.
__global__ void __launch_bounds__(kColumnThreads)
    sum_chunks_kernel(const float* partial, int64_t chunks, int64_t size, ColumnBlock b, float* dw, bool accumulate) {
  float* slots = shared<float[kColumnThreads]>();
  const int64_t i = (int64_t{blockIdx.x} * b.depth + b.piece()) * b.width + b.column();
  float sum = 0;
#pragma unroll 4
  for (int64_t chunk = b.row(); i < size && chunk < chunks; chunk += b.height) sum += partial[chunk * size + i];
  sum = reduce_column(sum, Plus(), b, slots);
  if (i < size && b.row() == 0) dw[i] = accumulate ? dw[i] + sum : sum;
}

// Chunks that a thread adds at least; on the emulation one, for its tests have few of them.
#if defined(DLBD_CUDA_EMULATION)
constexpr int kLeastChunks = 1;
#else
constexpr int kLeastChunks = 4;
#endif

struct WeightsPlan {
  int64_t segments, items, chunk, chunks, groups_per_row, tap_groups, lanes_m, lanes_g;
};

WeightsPlan plan_weights(const ConvShape& s) {
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  WeightsPlan p{};
  p.segments = ceil_div(w.out, kSegment), p.items = s.n * d.out * h.out * p.segments;
  p.groups_per_row = ceil_div(w.kernel, kTaps), p.tap_groups = d.kernel * h.kernel * p.groups_per_row;
  const int64_t packs = has_packs(s) ? s.c / kQuad : s.c;
  p.lanes_m = 8;
  while (p.lanes_m < 32 && p.lanes_m < packs) p.lanes_m *= 2;
  const int64_t lanes = kThreads / p.lanes_m;
  p.lanes_g = p.tap_groups < lanes ? p.tap_groups : lanes;
  const int64_t blocks = ceil_div(packs, p.lanes_m) * ceil_div(p.tap_groups, p.lanes_g);
  int64_t chunks = ceil_div(4 * kEnoughTiles, blocks);  // these blocks are small
  for (int64_t most : {ceil_div(p.items, kLeastItems), kMostSplitBytes / 4 / s.w_size, int64_t{1024}})
    if (chunks > most) chunks = most;
  if (chunks < 1) chunks = 1;
  p.chunk = ceil_div(p.items, chunks), p.chunks = ceil_div(p.items, p.chunk);
  return p;
}

template <int V>
void launch_weights(const DepthwiseWeights& p, const WeightsPlan& plan, cudaStream_t stream) {
  const dim3 blocks(static_cast<unsigned>(ceil_div(p.gather.pitch / V, plan.lanes_m)),
                    static_cast<unsigned>(plan.chunks), static_cast<unsigned>(ceil_div(plan.tap_groups, plan.lanes_g)));
  launch(depthwise_weights_kernel<V>, {blocks, kThreads, sizeof(WeightsShared<V>)}, stream, p);
}

}  // namespace

void conv_depthwise_forward(const ConvForwardArgs& a) {
  const ConvShape& s = a.shape;
  DepthwiseSums p{};
  p.phases.gather = forward_gather(s, a.x);
  for (int i = 0; i < 3; ++i) {
    const GatherAxis& axis = p.phases.gather.axis[i];
    p.phases.count[i] = 1, p.phases.phase[i][0] = {axis.count, axis.first, axis.origin, axis.taps, axis.tap};
  }
  p.x = static_cast<const float*>(a.x), p.w = static_cast<const float*>(a.w);
  const bool packs = has_packs(s) && aligned(a.x, a.w, a.b, a.y);
  p.out = {static_cast<float*>(a.y), static_cast<const float*>(a.b), a.activation, a.accumulate, packs};
  const int64_t rows = s.n * s.axis[0].out * s.axis[1].out, width = s.axis[2].out;
  packs ? launch_depthwise<kQuad>(p, rows, width, 1, stream_of(a))
        : launch_depthwise<1>(p, rows, width, 1, stream_of(a));
}

void conv_depthwise_backward_data(const ConvBackwardDataArgs& a) {
  const ConvShape& s = a.shape;
  const ConvAxis &d = s.axis[0], &h = s.axis[1], &w = s.axis[2];
  DepthwiseSums p{};
  p.phases = data_phases(s, a.dy);
  p.x = static_cast<const float*>(a.dy), p.w = static_cast<const float*>(a.w);
  const bool packs = has_packs(s) && aligned(a.dy, a.w, a.b, a.dx);
  p.out = {static_cast<float*>(a.dx), static_cast<const float*>(a.b), a.activation, a.accumulate, packs};
  const int64_t rows = s.n * ceil_div(d.in, d.stride) * ceil_div(h.in, h.stride), width = ceil_div(w.in, w.stride);
  const auto phases = static_cast<unsigned>(p.phases.count[0] * p.phases.count[1] * p.phases.count[2]);
  packs ? launch_depthwise<kQuad>(p, rows, width, phases, stream_of(a))
        : launch_depthwise<1>(p, rows, width, phases, stream_of(a));
}

int64_t conv_depthwise_backward_weights_scratch(const ConvBackwardWeightsArgs& a) {
  return plan_weights(a.shape).chunks * a.shape.w_size * static_cast<int64_t>(sizeof(float));
}

void conv_depthwise_backward_weights(const ConvBackwardWeightsArgs& a) {
  const ConvShape& s = a.shape;
  const WeightsPlan plan = plan_weights(s);
  DepthwiseWeights p{};
  p.gather = forward_gather(s, a.x);
  p.x = static_cast<const float*>(a.x), p.dy = static_cast<const float*>(a.dy),
  p.partial = static_cast<float*>(a.scratch);
  p.segments = static_cast<int>(plan.segments), p.items = static_cast<int>(plan.items);
  p.chunk = static_cast<int>(plan.chunk), p.tap_groups = static_cast<int>(plan.tap_groups);
  p.groups_per_row = static_cast<int>(plan.groups_per_row);
  p.lanes_m = static_cast<int>(plan.lanes_m), p.lanes_g = static_cast<int>(plan.lanes_g);
  has_packs(s) && aligned(a.x, a.dy) ? launch_weights<kQuad>(p, plan, stream_of(a))
                                     : launch_weights<1>(p, plan, stream_of(a));
  const ColumnBlock b = column_block(s.w_size, plan.chunks, kLeastChunks);
  launch(
      sum_chunks_kernel,
      Grid{static_cast<unsigned>(ceil_div(s.w_size, b.width * b.depth)), kColumnThreads, sizeof(float[kColumnThreads])},
      stream_of(a), p.partial, plan.chunks, s.w_size, b, static_cast<float*>(a.dw), a.accumulate);
}

}  // namespace dlbd::cuda
