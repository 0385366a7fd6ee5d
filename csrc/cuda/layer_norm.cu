// Layer normalization: every row by its own mean and variance.
#include "../shapes/kernels.h"
#include "../shapes/norm.h"
#include "columns.h"
#include "rows.h"

namespace dlbd::cuda {
namespace {

// Rows of float32 up to this many packs are kept in registers, eight packs a thread, or four of each of two.
constexpr int64_t kMostKeptForward = 8 * kMostWalkers, kMostKeptBackward = 4 * kMostWalkers;
// Blocks that leave a partial sum of dgamma and dbeta each: two waves of a large GPU for wide rows, more while the sums
// stay small.
constexpr int64_t kLeastChunks = 256, kMostChunks = 2048, kPartialElements = 1 << 20;
// Rows per partial sum at least where rows are too long to be kept.
constexpr int64_t kChunkRows = 16;

// The row of this thread's team, empty where there is none.
template <class T>
__device__ __forceinline__ Span row_span(const void* x, const LayerNormShape& s, int64_t row) {
  const int64_t begin = row < s.rows ? row * s.n : 0;
  return span_of(static_cast<const T*>(x), begin, row < s.rows ? begin + s.n : begin);
}

// gamma or beta at a pack of the row: they start with the row.
template <class T, class I>
__device__ __forceinline__ Pack<T> parameters_at(const void* p, I at, const SpanOf<I>& s) {
  return load_span(static_cast<const T*>(p) - s.begin, at, s);
}

template <class T, class I>
__device__ __forceinline__ void normalize(const LayerNormForwardArgs& a, T* y, Pack<T> x, I at, const SpanOf<I>& span,
                                          T mean, T rstd) {
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x.v[i] = (x.v[i] - mean) * rstd;
  if (a.gamma) {
    const Pack<T> gamma = parameters_at<T>(a.gamma, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) x.v[i] *= gamma.v[i];
  }
  if (a.beta) {
    const Pack<T> beta = parameters_at<T>(a.beta, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) x.v[i] += beta.v[i];
  }
  store_span(y, at, span, x);
}

// The sum of squared deviations of a pack; zero outside of the span.
template <class T, class I>
__device__ __forceinline__ T squares_of(Pack<T> x, I at, const SpanOf<I>& span, T mean) {
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x.v[i] = (x.v[i] - mean) * (x.v[i] - mean);
  return sum_of<T, 1>({keep_span(x, at, span)});
}

template <class T>
__device__ __forceinline__ T rstd_of(const LayerNormForwardArgs& a, T squares) {
  return 1 / static_cast<T>(sqrt(squares / static_cast<T>(a.shape.n) + static_cast<T>(a.epsilon)));
}

template <class T>
__device__ __forceinline__ void store_statistics(const LayerNormForwardArgs& a, int64_t row, Team team, T mean,
                                                 T rstd) {
  if (!a.mean || team.rank() != 0 || row >= a.shape.rows) return;
  static_cast<T*>(a.mean)[row] = mean, static_cast<T*>(a.rstd)[row] = rstd;
}

// Rows that stay in registers.
template <int kPacks>
__global__ void __launch_bounds__(kMostWalkers) forward_kept_kernel(LayerNormForwardArgs a, Team team) {
  TeamSlots& slots = shared<TeamSlots>();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const Span whole = row_span<float>(a.x, a.shape, row);
  const SpanOf<int> span = from_first(whole);
  const float* x = static_cast<const float*>(a.x) + whole.first;
  float* y = static_cast<float*>(a.y) + whole.first;
  const int at = team.rank() * kLanes<float>, step = team.size * kLanes<float>;
  Pack<float> v[kPacks];
#pragma unroll
  for (int u = 0; u < kPacks; ++u) v[u] = load_span(x, at + u * step, span);
  const float mean = reduce_team(sum_of(v), Plus(), team, slots) / static_cast<float>(a.shape.n);
  float squares = 0;
#pragma unroll
  for (int u = 0; u < kPacks; ++u) squares += squares_of(v[u], at + u * step, span, mean);
  squares = reduce_team(squares, Plus(), team, slots);
  const float rstd = rstd_of(a, squares);
#pragma unroll
  for (int u = 0; u < kPacks; ++u) normalize(a, y, v[u], at + u * step, span, mean, rstd);
  store_statistics(a, row, team, mean, rstd);
}

// Rows of any length, read three times.
template <class T>
__global__ void __launch_bounds__(kMostWalkers) forward_walked_kernel(LayerNormForwardArgs a, Team team) {
  TeamSlots& slots = shared<TeamSlots>();
  const T* x = static_cast<const T*>(a.x);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const Span span = row_span<T>(x, a.shape, row);
  const int64_t start = span.first + team.rank() * kLanes<T>, step = team.size * kLanes<T>;
  double sum = 0;
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> v[kAhead];
    load_run(x, at, step, span, v);
    sum += static_cast<double>(sum_of(v));
  }
  const T mean = static_cast<T>(reduce_team(sum, Plus(), team, slots)) / static_cast<T>(a.shape.n);
  double squares = 0;
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> v[kAhead];
    load_run(x, at, step, span, v);
    T run = 0;
#pragma unroll
    for (int u = 0; u < kAhead; ++u) run += squares_of(v[u], at + u * step, span, mean);
    squares += static_cast<double>(run);
  }
  const T rstd = rstd_of(a, static_cast<T>(reduce_team(squares, Plus(), team, slots)));
#pragma unroll 1
  for (int64_t at = start; at < span.end; at += kAhead * step) {
    Pack<T> v[kAhead];
    load_run(x, at, step, span, v);
#pragma unroll
    for (int u = 0; u < kAhead; ++u) normalize(a, static_cast<T*>(a.y), v[u], at + u * step, span, mean, rstd);
  }
  store_statistics(a, row, team, mean, rstd);
}

// dx = rstd (g - mean(g) - xhat mean(g xhat)) with g = dy gamma and xhat = (x - mean) rstd. x becomes xhat, dy becomes
// g; both are zero outside of the span.
template <class T, class I>
__device__ __forceinline__ void scale_pack(const LayerNormBackwardArgs& a, Pack<T>& x, Pack<T>& dy, I at,
                                           const SpanOf<I>& span, T mean, T rstd) {
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) x.v[i] = (x.v[i] - mean) * rstd;
  x = keep_span(x, at, span);
  if (!a.gamma) return;
  const Pack<T> gamma = parameters_at<T>(a.gamma, at, span);
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) dy.v[i] *= gamma.v[i];
}

template <class T>
__device__ __forceinline__ T product_of(const Pack<T>& x, const Pack<T>& y) {
  T sum = 0;
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) sum += x.v[i] * y.v[i];
  return sum;
}

template <class T, class I>
__device__ __forceinline__ void store_dx(const LayerNormBackwardArgs& a, T* dx, const Pack<T>& xhat, Pack<T> g, I at,
                                         const SpanOf<I>& span, T g_mean, T gx_mean, T rstd) {
#pragma unroll
  for (int i = 0; i < kLanes<T>; ++i) g.v[i] = (g.v[i] - g_mean - xhat.v[i] * gx_mean) * rstd;
  if (a.accumulate_dx) {
    const Pack<T> before = load_span(dx, at, span);
#pragma unroll
    for (int i = 0; i < kLanes<T>; ++i) g.v[i] += before.v[i];
  }
  store_span(dx, at, span, g);
}

// Each team adds dgamma and dbeta of its rows up in shared memory: n values each, after the slots.
__device__ __forceinline__ float* team_sums(TeamSlots& slots, int64_t n, int team) {
  return reinterpret_cast<float*>(&slots + 1) + team * 2 * n;
}

// dx, and the block's partial sums of dgamma and dbeta, from one reading of x and dy. A block takes `rows` rows.
template <int kPacks>
__global__ void __launch_bounds__(kMostWalkers)
    backward_kept_kernel(LayerNormBackwardArgs a, Team team, int64_t rows, bool sums) {
  TeamSlots& slots = shared<TeamSlots>();
  const int n = static_cast<int>(a.shape.n);
  float* const dgamma = team_sums(slots, n, team.number());
  float* const dbeta = dgamma + n;
  const int at = team.rank() * kLanes<float>, step = team.size * kLanes<float>;
  if (sums) {
    for (int i = static_cast<int>(threadIdx.x); i < 2 * n * team.count(); i += static_cast<int>(blockDim.x))
      team_sums(slots, n, 0)[i] = 0;
    __syncthreads();
  }
  const int64_t first = blockIdx.x * rows;
  for (int64_t r = 0; r < rows; r += team.count()) {
    const int64_t row = r + team.number() < rows ? first + r + team.number() : a.shape.rows;
    const Span whole = row_span<float>(a.x, a.shape, row);
    const SpanOf<int> span = from_first(whole);
    const bool there = span.begin < span.end;
    const float mean = there ? static_cast<const float*>(a.mean)[row] : 0;
    const float rstd = there ? static_cast<const float*>(a.rstd)[row] : 0;
    const float* x = static_cast<const float*>(a.x) + whole.first;
    const float* dy = static_cast<const float*>(a.dy) + whole.first;
    Pack<float> v[kPacks], d[kPacks];
#pragma unroll
    for (int u = 0; u < kPacks; ++u) {
      v[u] = load_span(x, at + u * step, span);
      d[u] = load_span(dy, at + u * step, span);
    }
    float g_sum = 0, gx_sum = 0;
#pragma unroll
    for (int u = 0; u < kPacks; ++u) {
      const Pack<float> given = d[u];
      scale_pack(a, v[u], d[u], at + u * step, span, mean, rstd);
      g_sum += sum_of<float, 1>({d[u]});
      gx_sum += product_of(v[u], d[u]);
      if (!sums) continue;
      const Lanes lanes = lanes_of<float>(at + u * step, span);
#pragma unroll
      for (int i = 0; i < kLanes<float>; ++i) {
        if (!lanes.holds(i)) continue;
        const int column = at + u * step + i - span.begin;
        dgamma[column] += given.v[i] * v[u].v[i];
        dbeta[column] += given.v[i];
      }
    }
    if (a.dx) {
      const float g_mean = reduce_team(g_sum, Plus(), team, slots) / static_cast<float>(n);
      const float gx_mean = reduce_team(gx_sum, Plus(), team, slots) / static_cast<float>(n);
      float* dx = static_cast<float*>(a.dx) + whole.first;
#pragma unroll
      for (int u = 0; u < kPacks; ++u) store_dx(a, dx, v[u], d[u], at + u * step, span, g_mean, gx_mean, rstd);
    }
    if (sums) team.size > kWarp ? __syncthreads() : __syncwarp();  // another thread may have a column in the next row
  }
  if (!sums) return;
  __syncthreads();
  float* const out = static_cast<float*>(a.scratch) + int64_t{blockIdx.x} * 2 * n;
  for (int i = static_cast<int>(threadIdx.x); i < 2 * n; i += static_cast<int>(blockDim.x)) {
    float sum = 0;
    for (int t = 0; t < team.count(); ++t) sum += team_sums(slots, n, t)[i];
    out[i] = sum;
  }
}

// dx of rows of any length, read twice.
template <class T>
__global__ void __launch_bounds__(kMostWalkers) backward_walked_kernel(LayerNormBackwardArgs a, Team team) {
  TeamSlots& slots = shared<TeamSlots>();
  const T* x = static_cast<const T*>(a.x);
  const T* dy = static_cast<const T*>(a.dy);
  const int64_t row = static_cast<int64_t>(blockIdx.x) * team.count() + team.number();
  const Span span = row_span<T>(x, a.shape, row);
  const bool there = span.begin < span.end;
  const T mean = there ? static_cast<const T*>(a.mean)[row] : T(0);
  const T rstd = there ? static_cast<const T*>(a.rstd)[row] : T(0);
  const int64_t start = span.first + team.rank() * kLanes<T>, step = team.size * kLanes<T>;
  double g_sum = 0, gx_sum = 0;
#pragma unroll 2
  for (int64_t at = start; at < span.end; at += step) {
    Pack<T> v = load_span(x, at, span), d = load_span(dy, at, span);
    scale_pack(a, v, d, at, span, mean, rstd);
    g_sum += static_cast<double>(sum_of<T, 1>({d}));
    gx_sum += static_cast<double>(product_of(v, d));
  }
  const T n = static_cast<T>(a.shape.n);
  const T g_mean = static_cast<T>(reduce_team(g_sum, Plus(), team, slots)) / n;
  const T gx_mean = static_cast<T>(reduce_team(gx_sum, Plus(), team, slots)) / n;
#pragma unroll 2
  for (int64_t at = start; at < span.end; at += step) {
    Pack<T> v = load_span(x, at, span), d = load_span(dy, at, span);
    scale_pack(a, v, d, at, span, mean, rstd);
    store_dx(a, static_cast<T*>(a.dx), v, d, at, span, g_mean, gx_mean, rstd);
  }
}

// Partial sums of dgamma and dbeta over `rows` rows: blocks along x take columns, along y rows.
template <class T>
__global__ void __launch_bounds__(kColumnThreads) sums_kernel(LayerNormBackwardArgs a, int64_t rows) {
  const LayerNormShape& s = a.shape;
  const int64_t column = global_thread();
  if (column >= s.n) return;
  const int64_t first = blockIdx.y * rows, stop = first + rows < s.rows ? first + rows : s.rows;
  T of_gamma = 0, of_beta = 0;
#pragma unroll 4
  for (int64_t row = first; row < stop; ++row) {
    const T d = static_cast<const T*>(a.dy)[row * s.n + column], x = static_cast<const T*>(a.x)[row * s.n + column];
    of_gamma += d * (x - static_cast<const T*>(a.mean)[row]) * static_cast<const T*>(a.rstd)[row];
    of_beta += d;
  }
  T* out = static_cast<T*>(a.scratch) + int64_t{blockIdx.y} * 2 * s.n;
  out[column] = of_gamma, out[s.n + column] = of_beta;
}

// dgamma and dbeta from the partial sums.
template <class T>
__global__ void __launch_bounds__(kColumnThreads)
    add_partials_kernel(LayerNormBackwardArgs a, int64_t chunks, ColumnBlock b) {
  T* slots = shared<T[kColumnThreads]>();
  const int64_t n = a.shape.n, column = (int64_t{blockIdx.x} * b.depth + b.piece()) * b.width + b.column();
  const bool of_beta = column >= n;
  T* out = static_cast<T*>(of_beta ? a.dbeta : a.dgamma);
  const bool wanted = column < 2 * n && out;
  T sum = 0;
#pragma unroll 4
  for (int64_t i = b.row(); i < chunks; i += b.height)
    if (wanted) sum += static_cast<const T*>(a.scratch)[i * 2 * n + column];
  sum = reduce_column(sum, Plus(), b, slots);
  if (!wanted || b.row() != 0) return;
  T& to = out[of_beta ? column - n : column];
  to = (of_beta ? a.accumulate_dbeta : a.accumulate_dgamma) ? to + sum : sum;
}

// How the backward pass works, by the sizes and the device alone.
struct BackwardPlan {
  int kept;  // packs of each array that a thread keeps; 0: the row is walked
  Team team;
  size_t shared_bytes;
  int64_t rows, chunks;  // per partial sum, and how many there are
};

BackwardPlan plan(const LayerNormBackwardArgs& a) {
  const LayerNormShape& s = a.shape;
  const bool sums = a.dgamma || a.dbeta;
  const int64_t packs = packs_of<float>(s.n, a.x);
  BackwardPlan p{};
  p.kept = packs <= kWarp ? 1 : 4;
  p.team = {power_of_two(packs <= kWarp ? packs : (packs <= 4 * kWarp ? kWarp : ceil_div(packs, 4)))};
  const int64_t teams = p.team.size > kWarp ? 1 : kTeamsThreads / p.team.size;
  p.shared_bytes = sizeof(TeamSlots) + (sums ? static_cast<size_t>(teams * 2 * s.n) * sizeof(float) : 0);
  if (s.dtype == DType::f64 || packs > kMostKeptBackward ||
      p.shared_bytes > static_cast<size_t>(device().shared_bytes)) {
    p.kept = 0;
    p.rows = ceil_div(s.rows, kMostChunks) > kChunkRows ? ceil_div(s.rows, kMostChunks) : kChunkRows;
  } else {
    const int64_t small = kPartialElements / (2 * s.n);
    const int64_t chunks = small < kLeastChunks ? kLeastChunks : (small > kMostChunks ? kMostChunks : small);
    p.rows = sums ? ceil_div(ceil_div(s.rows, chunks), teams) * teams : teams;
  }
  p.chunks = p.rows == 0 ? 0 : ceil_div(s.rows, p.rows);
  return p;
}

template <class T>
void launch_backward(const LayerNormBackwardArgs& a, const BackwardPlan& p) {
  const LayerNormShape& s = a.shape;
  const bool sums = a.dgamma || a.dbeta;
  if (p.kept > 0) {
    const Grid grid{static_cast<unsigned>(p.chunks), threads_for(p.team), p.shared_bytes};
    launch(p.kept == 1 ? backward_kept_kernel<1> : backward_kept_kernel<4>, grid, stream_of(a), a, p.team, p.rows,
           sums);
  } else {
    const Team team = team_for(packs_of<T>(s.n, a.x));
    if (a.dx)
      launch(backward_walked_kernel<T>, Grid{blocks_of_teams(s.rows, team), threads_for(team), sizeof(TeamSlots)},
             stream_of(a), a, team);
    const dim3 blocks(static_cast<unsigned>(ceil_div(s.n, kColumnThreads)), static_cast<unsigned>(p.chunks));
    if (sums) launch(sums_kernel<T>, Grid{blocks, kColumnThreads}, stream_of(a), a, p.rows);
  }
  if (!sums) return;
  const ColumnBlock b = column_block(2 * s.n, p.chunks, 4);
  launch(add_partials_kernel<T>,
         Grid{static_cast<unsigned>(ceil_div(2 * s.n, b.width * b.depth)), kColumnThreads, sizeof(T[kColumnThreads])},
         stream_of(a), a, p.chunks, b);
}

}  // namespace

void layer_norm_forward(const LayerNormForwardArgs& a) {
  const LayerNormShape& s = a.shape;
  if (s.rows == 0 || s.n == 0) return;
  with_float(s.dtype, [&](auto zero) {
    using T = decltype(zero);
    const int64_t packs = packs_of<T>(s.n, a.x);
    const auto on = [&](void (*kernel)(LayerNormForwardArgs, Team), Team team) {
      launch(kernel, Grid{blocks_of_teams(s.rows, team), threads_for(team), sizeof(TeamSlots)}, stream_of(a), a, team);
    };
    if (s.dtype == DType::f64 || packs > kMostKeptForward) return on(forward_walked_kernel<T>, team_for(packs));
    if (packs <= kWarp) return on(forward_kept_kernel<1>, {power_of_two(packs)});
    if (packs <= 4 * kWarp) return on(forward_kept_kernel<4>, {kWarp});
    if (packs <= 8 * kWarp) return on(forward_kept_kernel<8>, {kWarp});
    if (packs <= 4 * kMostWalkers) return on(forward_kept_kernel<4>, {power_of_two(ceil_div(packs, 4))});
    on(forward_kept_kernel<8>, {kMostWalkers});
  });
}

void layer_norm_backward(const LayerNormBackwardArgs& a) {
  if (a.shape.n == 0) return;
  const BackwardPlan p = plan(a);
  with_float(a.shape.dtype, [&](auto zero) { launch_backward<decltype(zero)>(a, p); });
}

int64_t layer_norm_backward_scratch(const LayerNormBackwardArgs& a) {
  if (a.shape.n == 0 || (!a.dgamma && !a.dbeta)) return 0;
  return plan(a).chunks * 2 * a.shape.n * (a.shape.dtype == DType::f64 ? 8 : 4);
}

}  // namespace dlbd::cuda
