// Batch normalization, the way back: sums of dy and of dy (x - mean) of every channel, then dx.
#include "batch_norm.h"

namespace dlbd::cuda {
namespace {

using namespace batch_norm;

constexpr int kOfSums = 2;  // numbers of a channel: sum dy, sum dy (x - mean)

template <class T, int N>
__global__ void __launch_bounds__(kColumnThreads) row_sums_kernel(BatchNormBackwardArgs a, Plan p, Partials to) {
  const BatchNormShape& s = a.shape;
  double* slots = shared<double[kColumnThreads]>();
  const RowThread t = row_thread<N>(s, p, p.per_chunk);
  const T* x = static_cast<const T*>(a.x) + t.channel;
  const T* dy = static_cast<const T*>(a.dy) + t.channel;
  Pack<T, N> mean{};
  if (t.there) mean = load_lanes<T, N>(static_cast<const T*>(a.mean) + t.channel);
  T sum[N] = {}, product[N] = {};
#pragma unroll 4
  for (int64_t row = t.first; row < t.stop; row += t.step) {
    const Pack<T, N> d = load_lanes<T, N>(dy + row * s.channels), v = load_lanes<T, N>(x + row * s.channels);
#pragma unroll
    for (int j = 0; j < N; ++j) sum[j] += d.v[j], product[j] += d.v[j] * (v.v[j] - mean.v[j]);
  }
  const bool stores = t.there && p.columns.row() == 0;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const double of_dy = reduce_column(static_cast<double>(sum[j]), Plus(), p.columns, slots);
    __syncthreads();
    const double of_both = reduce_column(static_cast<double>(product[j]), Plus(), p.columns, slots);
    __syncthreads();
    if (stores) to.at(t.chunk, 0, t.channel + j) = of_dy, to.at(t.chunk, 1, t.channel + j) = of_both;
  }
}

template <class T>
__global__ void __launch_bounds__(kTeamsThreads) plane_sums_kernel(BatchNormBackwardArgs a, Plan p, Partials to) {
  const BatchNormShape& s = a.shape;
  TeamSlots& slots = shared<TeamSlots>();
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  const int64_t channel = blockIdx.x % s.channels, chunk = blockIdx.x / s.channels;
  const T mean = static_cast<const T*>(a.mean)[channel];
  const int64_t step = p.team.size * kLanes<T>;
  double sum = 0, product = 0;
  each_piece(s, p, chunk, channel, x, [&](const Span& span) {
#pragma unroll 1
    for (int64_t at = span.first + p.team.rank() * kLanes<T>; at < span.end; at += kAhead * step) {
      Pack<T> v[kAhead], d[kAhead];
      load_run(x, at, step, span, v);
      load_run(dy, at, step, span, d);
      sum += static_cast<double>(sum_of(d));
#pragma unroll
      for (int u = 0; u < kAhead; ++u)
#pragma unroll
        for (int i = 0; i < kLanes<T>; ++i) v[u].v[i] = d[u].v[i] * (v[u].v[i] - mean);
#pragma unroll
      for (int u = 0; u < kAhead; ++u) v[u] = keep_span(v[u], at + u * step, span);
      product += static_cast<double>(sum_of(v));
    }
  });
  sum = reduce_team(sum, Plus(), Team{kTeamsThreads}, slots);
  product = reduce_team(product, Plus(), Team{kTeamsThreads}, slots);
  if (threadIdx.x == 0) to.at(chunk, 0, channel) = sum, to.at(chunk, 1, channel) = product;
}

// dx = gamma rstd (dy - mean(dy) - xhat mean(dy xhat)) in training, gamma rstd dy in inference;
// dgamma = sum dy xhat, dbeta = sum dy.
template <class T>
__global__ void __launch_bounds__(kColumnThreads)
    finish_sums_kernel(BatchNormBackwardArgs a, Partials from, int64_t chunks, ColumnBlock b, T* of_x, T* of_dy,
                       T* constant) {
  double* slots = shared<double[kColumnThreads]>();
  const int64_t c = (int64_t{blockIdx.x} * b.depth + b.piece()) * b.width + b.column();
  const bool there = c < a.shape.channels;
  double sum = 0, product = 0;
  for (int64_t i = b.row(); there && i < chunks; i += b.height) sum += from.at(i, 0, c), product += from.at(i, 1, c);
  sum = reduce_column(sum, Plus(), b, slots);
  __syncthreads();
  product = reduce_column(product, Plus(), b, slots);
  if (!there || b.row() != 0) return;
  const double count = static_cast<double>(a.shape.outer * a.shape.inner);
  const double r = static_cast<double>(static_cast<const T*>(a.rstd)[c]);
  const double scale = a.gamma ? static_cast<double>(static_cast<const T*>(a.gamma)[c]) * r : r;
  const auto add = [&](void* to, double value, bool accumulate) {
    if (!to) return;
    T& out = static_cast<T*>(to)[c];
    out = static_cast<T>((accumulate ? static_cast<double>(out) : 0) + value);
  };
  add(a.dgamma, product * r, a.accumulate_dgamma);
  add(a.dbeta, sum, a.accumulate_dbeta);
  of_dy[c] = static_cast<T>(scale);
  of_x[c] = a.training ? static_cast<T>(-scale * r * r * product / count) : T(0);
  constant[c] = a.training ? static_cast<T>(-scale * sum / count) : T(0);
}

int backward_lanes(const BatchNormBackwardArgs& a) { return lanes_for(a.shape, a.x, a.dy, a.dx, a.mean); }

}  // namespace

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  const BatchNormShape& s = a.shape;
  if (s.channels == 0) return;
  const int lanes = backward_lanes(a);
  const Plan p = plan_of(s, lanes);
  const Partials partials{static_cast<double*>(a.scratch), s.channels, kOfSums};
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto array = [&](int i) { return scratch_array<T>(a.scratch, s, p, kOfSums, i); };
    gather(a, p, partials, lanes > 1 ? row_sums_kernel<T, kMostLanes<T>> : row_sums_kernel<T, 1>, plane_sums_kernel<T>);
    const ColumnBlock b = column_block(s.channels, p.chunks, 1);
    launch(finish_sums_kernel<T>, finish_grid(s, b), stream_of(a), a, partials, p.chunks, b, array(0), array(1),
           array(2));
    if (!a.dx || s.outer == 0 || s.inner == 0) return;
    combine<T>(s, p, lanes,
               {a.training ? static_cast<const T*>(a.x) : nullptr, static_cast<const T*>(a.dy),
                static_cast<const T*>(a.mean), array(0), array(1), array(2), static_cast<T*>(a.dx), a.accumulate_dx},
               stream_of(a));
  });
}

int64_t batch_norm_backward_scratch(const BatchNormBackwardArgs& a) {
  return scratch_bytes(a.shape, plan_of(a.shape, backward_lanes(a)), kOfSums, 3);
}

}  // namespace dlbd::cuda
