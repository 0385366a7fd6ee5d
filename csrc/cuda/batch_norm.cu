// Batch normalization: every channel by the mean and variance of the batch (training) or by the moving ones.
#include "../shapes/kernels.h"
#include "../shapes/norm.h"
#include "columns.h"
#include "rows.h"

namespace dlbd::cuda {
namespace {

// Values of a channel that a thread loads at once: their mean is taken off before their squares are summed.
constexpr int kValues = 8;
// Blocks that gather partial sums: two waves of a large GPU at four blocks a multiprocessor.
constexpr int64_t kBlocks = 1024;
// Planes are cut into pieces of at most this many elements; a block gathers at least as many.
constexpr int64_t kPiece = 16384;
// Values of a channel that a thread writes: enough to make up for loading the channel's coefficients.
constexpr int kWritten = 16;

// How the work is shared out, by the sizes alone. Path `channels`: chunks are of rows, blocks of `tiles` neighbouring
// packs of channels. Path `planes`: of pieces of the planes of one channel, a team of threads for each piece.
struct Plan {
  ColumnBlock columns;
  int64_t tiles;
  Team team;
  int64_t piece, pieces;  // elements of a piece, pieces of a plane
  int64_t per_chunk, chunks;
};

Plan plan_of(const BatchNormShape& s, int lanes) {
  Plan p{};
  int64_t all = s.outer, least = 0, across = 0;
  if (s.path == BatchNormPath::channels) {
    const int width = column_block(ceil_div(s.channels, lanes), 0, 1).width;
    p.columns = {width, kColumnThreads / width, 1};
    p.tiles = across = ceil_div(s.channels, int64_t{width} * lanes);
    least = int64_t{p.columns.height} * kValues;
  } else {
    p.piece = s.inner < kPiece ? (s.inner > 0 ? s.inner : 1) : kPiece;
    p.pieces = ceil_div(s.inner, p.piece);
    const int64_t packs = ceil_div(p.piece, 4 * 4);  // of four elements, four to a thread
    p.team = {power_of_two(packs < kTeamsThreads ? packs : kTeamsThreads)};
    all = s.outer * p.pieces, across = s.channels;
    least = ceil_div(kPiece, p.piece);
  }
  const int64_t balanced = ceil_div(all * across, kBlocks);
  p.per_chunk = balanced > least ? balanced : least;
  p.chunks = ceil_div(all, p.per_chunk);
  return p;
}

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

// What chunks of values left of each channel: numbers[k] of a chunk and channel.
struct Partials {
  double* numbers;
  int64_t channels;
  int kinds;

  __device__ double& at(int64_t chunk, int kind, int64_t channel) const {
    return numbers[(chunk * kinds + kind) * channels + channel];
  }
};
constexpr int kOfStatistics = 3;  // count, mean, sum of squared deviations
constexpr int kOfSums = 2;        // sum dy, sum dy (x - mean)

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

// A thread of the path `channels`: N channels from `channel` on, rows first, first + step, ... below stop.
struct RowThread {
  int64_t channel, chunk, first, stop, step;
  bool there;
};

template <int N>
__device__ __forceinline__ RowThread row_thread(const BatchNormShape& s, const Plan& p, int64_t rows) {
  const int64_t tile = blockIdx.x % p.tiles, chunk = blockIdx.x / p.tiles;
  const int64_t channel = (tile * p.columns.width + p.columns.column()) * N;
  const int64_t begin = chunk * rows, end = begin + rows < s.outer ? begin + rows : s.outer;
  const bool there = channel < s.channels;
  return {channel, chunk, begin + p.columns.row(), there ? end : begin, p.columns.height, there};
}

template <class T, int N>
__device__ __forceinline__ Pack<T, N> load_lanes(const T* p) {
  return *reinterpret_cast<const Pack<T, N>*>(p);
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

// Calls body(span) for each piece that this thread's team has of the block's chunk; p: the array walked.
template <class T, class Body>
__device__ __forceinline__ void each_piece(const BatchNormShape& s, const Plan& p, int64_t chunk, int64_t channel,
                                           const T* x, const Body& body) {
  const int64_t all = s.outer * p.pieces, begin = chunk * p.per_chunk;
  const int64_t end = begin + p.per_chunk < all ? begin + p.per_chunk : all;
  for (int64_t i = begin + p.team.number(); i < end; i += p.team.count()) {
    const int64_t plane = i / p.pieces * s.channels + channel, start = i % p.pieces * p.piece;
    const int64_t stop = start + p.piece < s.inner ? start + p.piece : s.inner;
    body(span_of(x, plane * s.inner + start, plane * s.inner + stop));
  }
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

// out = of_x (x - mean) + of_dy dy + constant, per channel; x or dy may be null.
template <class T>
struct Combination {
  const T *x, *dy, *mean, *of_x, *of_dy, *constant;
  T* out;
  bool accumulate;
};

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

// Channels at a time in the path `channels`: packs where they may be loaded.
template <class T, class... P>
int lanes_for(const BatchNormShape& s, const P*... p) {
  return sizeof(T) == sizeof(float) && s.channels % kLanes<T> == 0 && aligned(p...) ? kLanes<T> : 1;
}
int forward_lanes(const BatchNormForwardArgs& a) {
  return a.shape.dtype == DType::f32 ? lanes_for<float>(a.shape, a.x, a.y, a.mean, a.rstd) : 1;
}
int backward_lanes(const BatchNormBackwardArgs& a) {
  return a.shape.dtype == DType::f32 ? lanes_for<float>(a.shape, a.x, a.dy, a.dx, a.mean) : 1;
}

// Gathers partials by the kernel of the shape's path; `rows` is the one for the lanes.
template <class Args>
void gather(const Args& a, const Plan& p, const Partials& to, void (*rows)(Args, Plan, Partials),
            void (*planes)(Args, Plan, Partials)) {
  if (a.shape.path == BatchNormPath::channels)
    launch(rows, Grid{static_cast<unsigned>(p.tiles * p.chunks), kColumnThreads, sizeof(double[kColumnThreads])},
           stream_of(a), a, p, to);
  else
    launch(planes, Grid{static_cast<unsigned>(a.shape.channels * p.chunks), kTeamsThreads, sizeof(TeamSlots)},
           stream_of(a), a, p, to);
}

template <class T>
void combine(const BatchNormShape& s, const Plan& p, int lanes, const Combination<T>& k, cudaStream_t stream) {
  if (s.path == BatchNormPath::channels) {
    const int64_t chunks = ceil_div(s.outer, int64_t{p.columns.height} * kWritten);
    launch(lanes > 1 ? combine_rows_kernel < T, sizeof(T) == 4 ? 4 : 1 > : combine_rows_kernel<T, 1>,
           Grid{static_cast<unsigned>(p.tiles * chunks), kColumnThreads}, stream, k, s, p);
  } else {
    const int64_t pieces = s.outer * s.channels * p.pieces;
    launch(combine_planes_kernel<T>,
           Grid{static_cast<unsigned>(ceil_div(pieces, kTeamsThreads / p.team.size)), kTeamsThreads}, stream, k, s, p);
  }
}

Grid finish_grid(const BatchNormShape& s, const ColumnBlock& b) {
  return {static_cast<unsigned>(ceil_div(s.channels, b.width * b.depth)), kColumnThreads,
          sizeof(double[kColumnThreads])};
}

int64_t bytes_of(const BatchNormShape& s) { return s.dtype == DType::f64 ? 8 : 4; }

// Arrays of one number per channel in the scratch memory start at multiples of 16 bytes.
int64_t array_bytes(const BatchNormShape& s) { return ceil_div(s.channels * bytes_of(s), 16) * 16; }

int64_t scratch_bytes(const BatchNormShape& s, const Plan& p, int kinds, int arrays) {
  return ceil_div(p.chunks * kinds * s.channels * 8, 16) * 16 + arrays * array_bytes(s);
}

// The i-th of those arrays, after the partials.
template <class T>
T* scratch_array(void* scratch, const BatchNormShape& s, const Plan& p, int kinds, int i) {
  return reinterpret_cast<T*>(static_cast<char*>(scratch) + scratch_bytes(s, p, kinds, i));
}

}  // namespace

void batch_norm_forward(const BatchNormForwardArgs& a) {
  const BatchNormShape& s = a.shape;
  if (s.outer == 0 || s.channels == 0 || s.inner == 0) {  // the moving averages stay as they are
    const auto bytes = static_cast<size_t>(s.channels * bytes_of(s));
    if (a.mean && bytes > 0) cudaMemsetAsync(a.mean, 0, bytes, stream_of(a));
    if (a.rstd && bytes > 0) cudaMemsetAsync(a.rstd, 0, bytes, stream_of(a));
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
      gather(a, p, partials, lanes > 1 ? row_statistics_kernel < T,
             sizeof(T) == 4 ? 4 : 1 > : row_statistics_kernel<T, 1>, plane_statistics_kernel<T>);
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

void batch_norm_backward(const BatchNormBackwardArgs& a) {
  const BatchNormShape& s = a.shape;
  if (s.channels == 0) return;
  const int lanes = backward_lanes(a);
  const Plan p = plan_of(s, lanes);
  const Partials partials{static_cast<double*>(a.scratch), s.channels, kOfSums};
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto array = [&](int i) { return scratch_array<T>(a.scratch, s, p, kOfSums, i); };
    gather(a, p, partials, lanes > 1 ? row_sums_kernel < T, sizeof(T) == 4 ? 4 : 1 > : row_sums_kernel<T, 1>,
           plane_sums_kernel<T>);
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
