// Batch normalization: every channel by the mean and variance of the batch (training) or by the moving ones.
#include "batch_norm.h"

namespace dlbd::cuda {
namespace {

using namespace batch_norm;

constexpr int kOfStatistics = 3;  // numbers of a channel: count, mean, sum of squared deviations

// Statistics of some values, counted from `shift`, one of them.
template <class T>
struct Moments {
  T count = 0, mean = 0, squares = 0;
};

// Joins those of `more` values (Chan, Golub, LeVeque).
template <class T>
__device__ __forceinline__ void join(Moments<T>& to, T more, T mean, T squares) {
  const T part = more / (to.count + more), delta = mean - to.mean;
  to.mean += delta * part;
  to.squares += squares + delta * delta * (to.count * part);
  to.count += more;
}

// The moments of all threads as one, by a reduction over them: reduce(x) gives every thread the sum of x.
template <class T, class Reduce>
__device__ __forceinline__ void store_moments(const Moments<T>& m, T shift, const Partials& to, int64_t chunk,
                                              int64_t channel, bool stores, const Reduce& reduce) {
  const double count = static_cast<double>(m.count), all = reduce(count);
  const double mean = reduce(count * static_cast<double>(m.mean)) / all;
  const double delta = static_cast<double>(m.mean) - mean;
  const double squares = reduce(static_cast<double>(m.squares) + count * delta * delta);
  if (!stores) return;
  to.at(chunk, 0, channel) = all;
  to.at(chunk, 1, channel) = static_cast<double>(shift) + mean;
  to.at(chunk, 2, channel) = squares;
}

template <class T, int N>
__global__ void __launch_bounds__(kColumnThreads) row_statistics_kernel(BatchNormForwardArgs a, Plan p, Partials to) {
  const BatchNormShape& s = a.shape;
  double* slots = shared<double[kColumnThreads]>();
  const RowThread t = row_thread<N>(s, p, p.per_chunk);
  const T* x = static_cast<const T*>(a.x) + t.channel;
  Pack<T, N> shift{};
  if (t.there) shift = load_lanes<T, N>(x + t.chunk * p.per_chunk * s.channels);
  Moments<T> m[N];
#pragma unroll 1
  for (int64_t row = t.first; row < t.stop; row += kValues * t.step) {
    Pack<T, N> v[kValues];
    int count = 0;
#pragma unroll
    for (int u = 0; u < kValues; ++u)
      if (row + u * t.step < t.stop) v[u] = load_lanes<T, N>(x + (row + u * t.step) * s.channels), count = u + 1;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      T sum = 0, squares = 0;
#pragma unroll
      for (int u = 0; u < kValues; ++u) sum += u < count ? v[u].v[j] - shift.v[j] : T(0);
      const T mean = sum / static_cast<T>(count);
#pragma unroll
      for (int u = 0; u < kValues; ++u) {
        const T d = v[u].v[j] - shift.v[j] - mean;
        squares += u < count ? d * d : T(0);
      }
      join(m[j], static_cast<T>(count), mean, squares);
    }
  }
  const auto reduce = [&](double value) {
    __syncthreads();  // earlier results have been read
    return reduce_column(value, Plus(), p.columns, slots);
  };
#pragma unroll
  for (int j = 0; j < N; ++j)
    store_moments(m[j], shift.v[j], to, t.chunk, t.channel + j, t.there && p.columns.row() == 0, reduce);
}

template <class T>
__global__ void __launch_bounds__(kTeamsThreads) plane_statistics_kernel(BatchNormForwardArgs a, Plan p, Partials to) {
  const BatchNormShape& s = a.shape;
  TeamSlots& slots = shared<TeamSlots>();
  const T* x = static_cast<const T*>(a.x);
  const int64_t channel = blockIdx.x % s.channels, chunk = blockIdx.x / s.channels;
  const int64_t first = chunk * p.per_chunk;
  const T shift = x[(first / p.pieces * s.channels + channel) * s.inner + first % p.pieces * p.piece];
  const int64_t step = p.team.size * kLanes<T>;
  Moments<T> m;
  each_piece(s, p, chunk, channel, x, [&](const Span& span) {
#pragma unroll 1
    for (int64_t at = span.first + p.team.rank() * kLanes<T>; at < span.end; at += kAhead * step) {
      Pack<T> v[kAhead];
      load_run(x, at, step, span, v, shift);
      int count = 0;
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const Lanes lanes = lanes_of<T>(at + u * step, span);
        count += lanes.end > lanes.begin ? lanes.end - lanes.begin : 0;
#pragma unroll
        for (int i = 0; i < kLanes<T>; ++i) v[u].v[i] -= shift;
      }
      if (count == 0) continue;
      const T mean = sum_of(v) / static_cast<T>(count);
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
#pragma unroll
        for (int i = 0; i < kLanes<T>; ++i) v[u].v[i] = (v[u].v[i] - mean) * (v[u].v[i] - mean);
        v[u] = keep_span(v[u], at + u * step, span);
      }
      join(m, static_cast<T>(count), mean, sum_of(v));
    }
  });
  const auto reduce = [&](double value) { return reduce_team(value, Plus(), Team{kTeamsThreads}, slots); };
  store_moments(m, shift, to, chunk, channel, threadIdx.x == 0, reduce);
}

// mean and rstd of every channel, in training with the moving averages updated; then what the output is made of.
template <class T>
__global__ void __launch_bounds__(kColumnThreads)
    finish_statistics_kernel(BatchNormForwardArgs a, Partials from, int64_t chunks, ColumnBlock b, T* mean, T* rstd,
                             T* scale, T* shift) {
  double* slots = shared<double[kColumnThreads]>();
  const int64_t c = (int64_t{blockIdx.x} * b.depth + b.piece()) * b.width + b.column();
  const bool there = c < a.shape.channels;
  const auto sum = [&](const auto& term) {
    double value = 0;
    for (int64_t i = b.row(); there && i < chunks; i += b.height) value += term(i);
    __syncthreads();  // earlier results have been read
    return reduce_column(value, Plus(), b, slots);
  };
  double m = 0, variance = 0;
  if (a.training) {
    const double count = sum([&](int64_t i) { return from.at(i, 0, c); });
    m = sum([&](int64_t i) { return from.at(i, 0, c) * from.at(i, 1, c); }) / count;
    variance = sum([&](int64_t i) {
                 const double delta = from.at(i, 1, c) - m;
                 return from.at(i, 2, c) + from.at(i, 0, c) * delta * delta;
               }) /
               count;
  }
  if (!there || b.row() != 0) return;
  T& moving_mean = static_cast<T*>(a.moving_mean)[c];
  T& moving_variance = static_cast<T*>(a.moving_variance)[c];
  if (a.training) {
    const double rest = 1 - a.momentum;
    moving_mean = static_cast<T>(static_cast<double>(moving_mean) * a.momentum + m * rest);
    moving_variance = static_cast<T>(static_cast<double>(moving_variance) * a.momentum + variance * rest);
  } else {
    m = static_cast<double>(moving_mean), variance = static_cast<double>(moving_variance);
  }
  const T r = static_cast<T>(1 / sqrt(variance + a.epsilon));
  mean[c] = static_cast<T>(m), rstd[c] = r;
  scale[c] = a.gamma ? static_cast<const T*>(a.gamma)[c] * r : r;
  shift[c] = a.beta ? static_cast<const T*>(a.beta)[c] : T(0);
}

template <class T, int N>
__global__ void __launch_bounds__(kColumnThreads) combine_rows_kernel(Combination<T> k, BatchNormShape s, Plan p) {
  const RowThread t = row_thread<N>(s, p, int64_t{p.columns.height} * kWritten);
  if (!t.there) return;
  using P = Pack<T, N>;
  // the mean is taken off first: folding it into the constant would cancel badly where |mean| >> deviation
  const P mean = load_lanes<T, N>(k.mean + t.channel), constant = load_lanes<T, N>(k.constant + t.channel);
  P of_x{}, of_dy{};
  if (k.x) of_x = load_lanes<T, N>(k.of_x + t.channel);
  if (k.dy) of_dy = load_lanes<T, N>(k.of_dy + t.channel);
#pragma unroll 4
  for (int64_t row = t.first; row < t.stop; row += t.step) {
    const int64_t at = row * s.channels + t.channel;
    P x{}, dy{}, y = constant;
    if (k.x) x = load_lanes<T, N>(k.x + at);
    if (k.dy) dy = load_lanes<T, N>(k.dy + at);
    if (k.x)
#pragma unroll
      for (int j = 0; j < N; ++j) y.v[j] += (x.v[j] - mean.v[j]) * of_x.v[j];
    if (k.dy)
#pragma unroll
      for (int j = 0; j < N; ++j) y.v[j] += dy.v[j] * of_dy.v[j];
    if (k.accumulate) {
      const P before = load_lanes<T, N>(k.out + at);
#pragma unroll
      for (int j = 0; j < N; ++j) y.v[j] += before.v[j];
    }
    *reinterpret_cast<P*>(k.out + at) = y;
  }
}

template <class T>
__global__ void __launch_bounds__(kTeamsThreads) combine_planes_kernel(Combination<T> k, BatchNormShape s, Plan p) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * p.team.count() + p.team.number();
  const int64_t plane = i / p.pieces;
  if (plane >= s.outer * s.channels) return;
  const int64_t c = plane % s.channels, start = i % p.pieces * p.piece;
  const int64_t stop = start + p.piece < s.inner ? start + p.piece : s.inner;
  const Span span = span_of(k.out, plane * s.inner + start, plane * s.inner + stop);
  const T mean = k.mean[c], constant = k.constant[c], of_x = k.x ? k.of_x[c] : T(0), of_dy = k.dy ? k.of_dy[c] : T(0);
  const int64_t step = p.team.size * kLanes<T>;
#pragma unroll 4
  for (int64_t at = span.first + p.team.rank() * kLanes<T>; at < span.end; at += step) {
    Pack<T> y, x{}, dy{}, before{};
    if (k.x) x = load_span(k.x, at, span);
    if (k.dy) dy = load_span(k.dy, at, span);
    if (k.accumulate) before = load_span<T>(k.out, at, span);
#pragma unroll
    for (int j = 0; j < kLanes<T>; ++j) {
      y.v[j] = constant;
      if (k.x) y.v[j] += (x.v[j] - mean) * of_x;
      if (k.dy) y.v[j] += dy.v[j] * of_dy;
      y.v[j] += before.v[j];
    }
    store_span(k.out, at, span, y);
  }
}

int forward_lanes(const BatchNormForwardArgs& a) { return lanes_for(a.shape, a.x, a.y, a.mean, a.rstd); }

}  // namespace

namespace batch_norm {

template <class T>
void combine(const BatchNormShape& s, const Plan& p, int lanes, const Combination<T>& k, cudaStream_t stream) {
  if (s.path == BatchNormPath::channels) {
    const int64_t chunks = ceil_div(s.outer, int64_t{p.columns.height} * kWritten);
    launch(lanes > 1 ? combine_rows_kernel<T, kMostLanes<T>> : combine_rows_kernel<T, 1>,
           Grid{static_cast<unsigned>(p.tiles * chunks), kColumnThreads}, stream, k, s, p);
  } else {
    const int64_t pieces = s.outer * s.channels * p.pieces;
    launch(combine_planes_kernel<T>,
           Grid{static_cast<unsigned>(ceil_div(pieces, kTeamsThreads / p.team.size)), kTeamsThreads}, stream, k, s, p);
  }
}
template void combine(const BatchNormShape&, const Plan&, int, const Combination<float>&, cudaStream_t);
template void combine(const BatchNormShape&, const Plan&, int, const Combination<double>&, cudaStream_t);

}  // namespace batch_norm

void batch_norm_forward(const BatchNormForwardArgs& a) {
  const BatchNormShape& s = a.shape;
  if (s.outer == 0 || s.channels == 0 || s.inner == 0) {  // the moving averages stay as they are
    for (void* statistic : {a.mean, a.rstd})
      if (statistic) clear(statistic, s.dtype, s.channels, stream_of(a));
    return;
  }
  const int lanes = forward_lanes(a);
  const Plan p = plan_of(s, lanes);
  const Partials partials{static_cast<double*>(a.scratch), s.channels, kOfStatistics};
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto array = [&](int i) { return scratch_array<T>(a.scratch, s, p, kOfStatistics, i); };
    T* mean = a.mean ? static_cast<T*>(a.mean) : array(2);
    T* rstd = a.rstd ? static_cast<T*>(a.rstd) : array(3);
    if (a.training)
      gather(a, p, partials, lanes > 1 ? row_statistics_kernel<T, kMostLanes<T>> : row_statistics_kernel<T, 1>,
             plane_statistics_kernel<T>);
    const ColumnBlock b = column_block(s.channels, p.chunks, 1);
    launch(finish_statistics_kernel<T>, finish_grid(s, b), stream_of(a), a, partials, p.chunks, b, mean, rstd, array(0),
           array(1));
    combine<T>(s, p, lanes,
               {static_cast<const T*>(a.x), nullptr, mean, array(0), nullptr, array(1), static_cast<T*>(a.y), false},
               stream_of(a));
  });
}

int64_t batch_norm_forward_scratch(const BatchNormForwardArgs& a) {
  return scratch_bytes(a.shape, plan_of(a.shape, forward_lanes(a)), kOfStatistics, 4);
}

}  // namespace dlbd::cuda
