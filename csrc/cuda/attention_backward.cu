// Softmax attention, backward: the probabilities are computed again, tile by tile, from the forward's log-sum-exp.
//   P = exp(S - lse)   dV = P^T dY   dP = dY V^T   dS = P (dP - rowsum(dY Y))   dQ = scale dS K   dK = scale dS^T Q
// One kernel owns keys and sums dK and dV over the queries, another owns queries and sums dQ over the keys: the logits
// are computed twice, and nothing is added by atomics, so that the result is the same every time.
#include "../shapes/kernels.h"
#include "attention_tensor.h"
#include "attention_tile.h"
#include "block.h"

namespace dlbd::cuda {
namespace {

// delta = rowsum(dY Y), (B, H, Tq): 8 lanes a row.
constexpr int kDeltaLanes = 8;
template <class T>
__global__ void __launch_bounds__(kAttentionThreads) sum_rows(AttentionBackwardArgs a, T* delta) {
  const AttentionShape& s = a.shape;
  const int64_t rows = s.batch * s.heads * s.tq;
  const int lane = static_cast<int>(threadIdx.x) % kDeltaLanes;
  // all lanes of a warp stay for the sum
  for (int64_t first = global_thread() / kWarp * (kWarp / kDeltaLanes); first < rows;
       first += global_threads() / kDeltaLanes) {
    const int64_t row = first + static_cast<int>(threadIdx.x) % kWarp / kDeltaLanes;  // in the order of memory
    T sum = 0;
    if (row < rows) {
      const T* y = static_cast<const T*>(a.y) + row * s.dv;
      const T* dy = static_cast<const T*>(a.dy) + row * s.dv;
      for (int64_t d = lane; d < s.dv; d += kDeltaLanes) sum += dy[d] * y[d];
    }
#pragma unroll
    for (int n = kDeltaLanes / 2; n > 0; n /= 2) sum += __shfl_xor_sync(kWholeWarp, sum, n);
    if (row < rows && lane == 0) {
      const int64_t h = row % s.heads, i = row / s.heads % s.tq, b = row / s.heads / s.tq;
      delta[(b * s.heads + h) * s.tq + i] = sum;
    }
  }
}

template <int W, int R, int C>
struct BackwardShared {
  Tile<kDown * R, W> q, dy;  // what a block owns: queries, or keys and values in their place
  Tile<kAcross * C, W> k, v;
  Tile<kDown * R, kAcross * C> p;
  static constexpr int kMostQueries = kDown * R > kAcross* C ? kDown* R : kAcross* C;
  float lse[kMostQueries], delta[kMostQueries];
};

// The forward's log-sum-exp and delta of the queries from i0 on.
template <int N>
__device__ __forceinline__ void stage_sums(const AttentionBackwardArgs& a, const float* delta, int64_t head, int64_t i0,
                                           float (&lse)[N], float (&sums)[N]) {
  for (int n = static_cast<int>(threadIdx.x); n < N; n += kAttentionThreads) {
    const int64_t at = head * a.shape.tq + i0 + n;
    const bool exists = i0 + n < a.shape.tq;
    lse[n] = exists ? static_cast<const float*>(a.lse)[at] : 0.0f;
    sums[n] = exists ? delta[at] : 0.0f;
  }
}

// What has no weight has no gradient, even where dP is infinite or NaN.
template <class T>
__device__ __forceinline__ T logit_gradient(T p, T dp, T delta) {
  return p == T(0) ? T(0) : p * (dp - delta);
}

// A thread's part of p, to dS of one head.
template <int kQueries, int kKeys>
__device__ __forceinline__ void write_logit_gradients(const Tile<kQueries, kKeys>& p, const Sight& sees, int64_t i0,
                                                      int64_t k0, float* ds) {
#pragma unroll 1
  for (int row = down(); row < kQueries; row += kDown)
#pragma unroll 1
    for (int column = across(); column < kKeys; column += kAcross)
      if (sees(i0 + row, k0 + column)) ds[(i0 + row) * sees.tk + k0 + column] = p.row[row][column];
}

// A block owns 16 R queries of one head and streams tiles of 8 C keys: dQ, and the gradient of the logits.
template <int W, int R, int C>
__global__ void __launch_bounds__(kAttentionThreads, (kBlocksAtOnce<R, W>))
    query_tiles(AttentionBackwardArgs a, const float* delta, int64_t tiles, bool packs) {
  constexpr int kQueries = kDown * R, kKeys = kAcross * C;
  auto& sh = shared<BackwardShared<W, R, C>>();
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * tiles) return;
  const int64_t head = task / tiles, b = head / shape.heads, h = head % shape.heads;
  const int64_t i0 = (tiles - 1 - task % tiles) * kQueries;  // the last, most work under a causal mask, first
  const HeadTables<float> tables(a.mask, a.bias, b, h);
  const Rows k = rows_of(a.k, b, h, shape.tk, shape.heads, shape.d, packs);
  const Rows v = rows_of(a.v, b, h, shape.tk, shape.heads, shape.dv, packs);
  stage(rows_of(a.q, b, h, shape.tq, shape.heads, shape.d, packs), i0, static_cast<float>(a.scale), sh.q);
  stage(rows_of(a.dy, b, h, shape.tq, shape.heads, shape.dv, packs), i0, 1.0f, sh.dy);
  stage_sums(a, delta, head, i0, sh.lse, sh.delta);
  float dq[R][W / kAcross] = {};
  const int64_t keys = shape.causal ? smaller(shape.tk, i0 + kQueries) : shape.tk;
  for (int64_t k0 = 0; k0 < keys; k0 += kKeys) {
    __syncthreads();
    stage(k, k0, 1.0f, sh.k);
    stage(v, k0, 1.0f, sh.v);
    __syncthreads();
    float s[R][C], ds[R][C];
    dot_rows(sh.q, sh.k, s);
    dot_rows(sh.dy, sh.v, ds);
    if (tables.any() || !sees.whole(i0, kQueries, k0, kKeys)) {
      revise(s, sh.p, [&](float logit, int row, int column) {
        const int64_t i = i0 + row, j = k0 + column;
        return sees(i, j) ? expf(tables.adjust(logit, i, j) - sh.lse[row]) : 0.0f;
      });
    } else {
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int c = 0; c < C; ++c) s[r][c] = expf(s[r][c] - sh.lse[down() + kDown * r]);
    }
#pragma unroll
    for (int r = 0; r < R; ++r)
#pragma unroll
      for (int c = 0; c < C; ++c) ds[r][c] = logit_gradient(s[r][c], ds[r][c], sh.delta[down() + kDown * r]);
    put_product(ds, sh.p);
    if (a.ds) write_logit_gradients(sh.p, sees, i0, k0, static_cast<float*>(a.ds) + head * shape.tq * shape.tk);
    if (a.dq) add_product(sh.p, sh.k, dq);
  }
  if (!a.dq) return;
  float* rows = head_rows(static_cast<float*>(a.dq), b, h, shape.tq, shape.heads, shape.d);
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int64_t i = i0 + down() + kDown * r;
    if (i < shape.tq)
      write_row(dq[r], static_cast<float>(a.scale), rows + i * shape.heads * shape.d, static_cast<int>(shape.d), packs,
                a.accumulate_dq);
  }
}

// A block owns 16 R keys of one head and streams tiles of 8 C queries: dK and dV.
template <int W, int R, int C>
__global__ void __launch_bounds__(kAttentionThreads, (kBlocksAtOnce<R, W>))
    key_tiles(AttentionBackwardArgs a, const float* delta, int64_t tiles, bool packs) {
  constexpr int kKeys = kDown * R, kQueries = kAcross * C;
  auto& sh = shared<BackwardShared<W, R, C>>();
  auto &keys = sh.q, &values = sh.dy;
  auto &queries = sh.k, &dys = sh.v;
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * tiles) return;
  const int64_t head = task / tiles, b = head / shape.heads, h = head % shape.heads;
  const int64_t k0 = task % tiles * kKeys;
  const HeadTables<float> tables(a.mask, a.bias, b, h);
  const Rows q = rows_of(a.q, b, h, shape.tq, shape.heads, shape.d, packs);
  const Rows dy = rows_of(a.dy, b, h, shape.tq, shape.heads, shape.dv, packs);
  stage(rows_of(a.k, b, h, shape.tk, shape.heads, shape.d, packs), k0, 1.0f, keys);
  stage(rows_of(a.v, b, h, shape.tk, shape.heads, shape.dv, packs), k0, 1.0f, values);
  float dk[R][W / kAcross] = {}, dv[R][W / kAcross] = {};
  for (int64_t i0 = shape.causal ? k0 / kQueries * kQueries : 0; i0 < shape.tq; i0 += kQueries) {
    __syncthreads();
    stage(q, i0, static_cast<float>(a.scale), queries);
    stage(dy, i0, 1.0f, dys);
    stage_sums(a, delta, head, i0, sh.lse, sh.delta);
    __syncthreads();
    float p[R][C], ds[R][C];
    dot_rows(keys, queries, p);
    if (tables.any() || !sees.whole(i0, kQueries, k0, kKeys)) {
      revise(p, sh.p, [&](float logit, int row, int column) {
        const int64_t i = i0 + column, j = k0 + row;
        return sees(i, j) ? expf(tables.adjust(logit, i, j) - sh.lse[column]) : 0.0f;
      });
    } else {
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int c = 0; c < C; ++c) p[r][c] = expf(p[r][c] - sh.lse[across() + kAcross * c]);
    }
    put_product(p, sh.p);
    add_product(sh.p, dys, dv);
    dot_rows(values, dys, ds);
#pragma unroll
    for (int r = 0; r < R; ++r)
#pragma unroll
      for (int c = 0; c < C; ++c) ds[r][c] = logit_gradient(p[r][c], ds[r][c], sh.delta[across() + kAcross * c]);
    put_product(ds, sh.p);
    add_product(sh.p, queries, dk);
  }
  float* dk_rows = a.dk ? head_rows(static_cast<float*>(a.dk), b, h, shape.tk, shape.heads, shape.d) : nullptr;
  float* dv_rows = a.dv ? head_rows(static_cast<float*>(a.dv), b, h, shape.tk, shape.heads, shape.dv) : nullptr;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int64_t j = k0 + down() + kDown * r;
    if (j >= shape.tk) continue;
    if (a.dk)
      write_row(dk[r], 1.0f, dk_rows + j * shape.heads * shape.d, static_cast<int>(shape.d), packs, a.accumulate_dk);
    if (a.dv)
      write_row(dv[r], 1.0f, dv_rows + j * shape.heads * shape.dv, static_cast<int>(shape.dv), packs, a.accumulate_dv);
  }
}

// Any depth, float or double: a warp for each row that gets a gradient, a lane for each of 32 rows of the other side.
template <class T>
struct OneHead {
  const AttentionShape& shape;
  HeadTables<T> tables;
  const T *q, *k, *v, *dy, *lse, *delta;
  T scale;
  int64_t head;

  __device__ OneHead(const AttentionBackwardArgs& a, const T* sums, int64_t head)
      : shape(a.shape),
        tables(a.mask, a.bias, head / shape.heads, head % shape.heads),
        q(rows(a.q, shape.tq, shape.d, head)),
        k(rows(a.k, shape.tk, shape.d, head)),
        v(rows(a.v, shape.tk, shape.dv, head)),
        dy(rows(a.dy, shape.tq, shape.dv, head)),
        lse(static_cast<const T*>(a.lse) + head * shape.tq),
        delta(sums + head * shape.tq),
        scale(static_cast<T>(a.scale)),
        head(head) {}
  __device__ const T* rows(const void* x, int64_t t, int64_t width, int64_t at) const {
    return head_rows<T>(x, at / shape.heads, at % shape.heads, t, shape.heads, width);
  }
  // P and dS of query i and key j.
  __device__ void pair(int64_t i, int64_t j, T& p, T& ds) const {
    const T *qi = q + i * shape.heads * shape.d, *kj = k + j * shape.heads * shape.d;
    const T *dyi = dy + i * shape.heads * shape.dv, *vj = v + j * shape.heads * shape.dv;
    T s = 0, dp = 0;
    for (int64_t d = 0; d < shape.d; ++d) s += qi[d] * scale * kj[d];
    for (int64_t d = 0; d < shape.dv; ++d) dp += dyi[d] * vj[d];
    p = exp(tables.adjust(s, i, j) - lse[i]);
    ds = logit_gradient(p, dp, delta[i]);
  }
};

// row[d] += factor * sum over n of weight of lane n * x[n * stride + d]; all lanes of a warp call.
template <class T>
__device__ void add_weighted(T weight, int count, T factor, const T* x, int64_t stride, int64_t width, T* row) {
  for (int64_t d0 = 0; d0 < width; d0 += kWarp) {
    const int64_t d = d0 + static_cast<int>(threadIdx.x) % kWarp;
    T sum = 0;
    for (int n = 0; n < count; ++n) {
      const T w = __shfl_sync(kWholeWarp, weight, n);
      if (d < width) sum += w * x[n * stride + d];
    }
    if (d < width) row[d] += sum * factor;
  }
}

template <class T>
__device__ void clear_row(T* row, int64_t width) {
  for (int64_t d = static_cast<int>(threadIdx.x) % kWarp; d < width; d += kWarp) row[d] = 0;
}

template <class T>
__global__ void __launch_bounds__(kAttentionThreads) query_rows(AttentionBackwardArgs a, const T* delta) {
  const AttentionShape& s = a.shape;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = s.heads * s.d;
  for (int64_t row = global_thread() / kWarp; row < s.batch * s.heads * s.tq; row += global_threads() / kWarp) {
    const OneHead<T> head(a, delta, row / s.tq);
    const int64_t i = row % s.tq, keys = s.causal ? smaller(s.tk, i + 1) : s.tk;
    T* dq = a.dq ? const_cast<T*>(head.rows(a.dq, s.tq, s.d, head.head)) + i * stride : nullptr;
    if (dq && !a.accumulate_dq) clear_row(dq, s.d);
    for (int64_t j = lane; j - lane < keys; j += kWarp) {
      T p = 0, ds = 0;
      if (j < keys) head.pair(i, j, p, ds);
      if (a.ds && j < keys) static_cast<T*>(a.ds)[row * s.tk + j] = ds;
      if (dq)
        add_weighted(ds, static_cast<int>(smaller(kWarp, keys - (j - lane))), head.scale, head.k + (j - lane) * stride,
                     stride, s.d, dq);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kAttentionThreads) key_rows(AttentionBackwardArgs a, const T* delta) {
  const AttentionShape& s = a.shape;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t stride = s.heads * s.d, value_stride = s.heads * s.dv;
  for (int64_t row = global_thread() / kWarp; row < s.batch * s.heads * s.tk; row += global_threads() / kWarp) {
    const OneHead<T> head(a, delta, row / s.tk);
    const int64_t j = row % s.tk, first = s.causal ? j : 0;
    T* dk = a.dk ? const_cast<T*>(head.rows(a.dk, s.tk, s.d, head.head)) + j * stride : nullptr;
    T* dv = a.dv ? const_cast<T*>(head.rows(a.dv, s.tk, s.dv, head.head)) + j * value_stride : nullptr;
    if (dk && !a.accumulate_dk) clear_row(dk, s.d);
    if (dv && !a.accumulate_dv) clear_row(dv, s.dv);
    for (int64_t i0 = first; i0 < s.tq; i0 += kWarp) {
      const int count = static_cast<int>(smaller(kWarp, s.tq - i0));
      T p = 0, ds = 0;
      if (lane < count) head.pair(i0 + lane, j, p, ds);
      if (dk) add_weighted(ds, count, head.scale, head.q + i0 * stride, stride, s.d, dk);
      if (dv) add_weighted(p, count, T(1), head.dy + i0 * value_stride, value_stride, s.dv, dv);
    }
  }
}

template <class T>
void launch_rows(const AttentionBackwardArgs& a, const T* delta) {
  constexpr int64_t kRowsOfBlock = kAttentionThreads / kWarp;
  const int64_t heads = a.shape.batch * a.shape.heads;
  const auto grid = [&](int64_t t) { return Grid{blocks_for(ceil_div(heads * t, kRowsOfBlock)), kAttentionThreads}; };
  if (a.dk || a.dv) launch(key_rows<T>, grid(a.shape.tk), stream_of(a), a, delta);
  if (a.dq || a.ds) launch(query_rows<T>, grid(a.shape.tq), stream_of(a), a, delta);
}

template <int W, int R, int C>
void launch_tiles(const AttentionBackwardArgs& a, const float* delta, bool of_queries) {
  const int64_t tiles = ceil_div(of_queries ? a.shape.tq : a.shape.tk, kDown * R);
  const bool packs = whole_packs(a.shape) && aligned(a.q, a.k, a.v, a.dy, a.dq, a.dk, a.dv);
  launch(of_queries ? query_tiles<W, R, C> : key_tiles<W, R, C>,
         Grid{task_grid(a.shape.batch * a.shape.heads * tiles), kAttentionThreads, sizeof(BackwardShared<W, R, C>)},
         stream_of(a), a, delta, tiles, packs);
}

void tiles_backward(const AttentionBackwardArgs& a, const float* delta, bool of_queries) {
  const AttentionShape& s = a.shape;
  with_width(s, [&](auto width) {
    constexpr int W = width, R = 4, C = W <= 64 ? 8 : 4;  // while the registers last
    if (large_tiles(s, of_queries ? s.tq : s.tk, kDown * R, sizeof(BackwardShared<W, R, C>)))
      return launch_tiles<W, R, C>(a, delta, of_queries);
    launch_tiles<W, 2, W <= 64 ? 4 : 2>(a, delta, of_queries);  // within the 64 KB of compute capability 7.5
  });
}

template <class T>
void launch_delta(const AttentionBackwardArgs& a, T* delta) {
  const int64_t rows = a.shape.batch * a.shape.heads * a.shape.tq;
  launch(sum_rows<T>, Grid{blocks_for(ceil_div(rows, kAttentionThreads / kDeltaLanes)), kAttentionThreads},
         stream_of(a), a, delta);
}

// Of delta, in whole lines of memory.
int64_t delta_bytes(const AttentionBackwardArgs& a) {
  constexpr int64_t kLine = 128;
  const int64_t size = a.shape.dtype == DType::f64 ? sizeof(double) : sizeof(float);
  return ceil_div(a.shape.batch * a.shape.heads * a.shape.tq * size, kLine) * kLine;
}

}  // namespace

void attention_backward(const AttentionBackwardArgs& a) {
  const AttentionShape& s = a.shape;
  if (s.dtype == DType::f64) {
    launch_delta(a, static_cast<double*>(a.scratch));
    return launch_rows(a, static_cast<const double*>(a.scratch));
  }
  auto* delta = static_cast<float*>(a.scratch);
  launch_delta(a, delta);
  if (s.d > kWidestTile || s.dv > kWidestTile) return launch_rows<float>(a, delta);
  if (tensor_attention(a)) return tensor_backward(a, delta, static_cast<char*>(a.scratch) + delta_bytes(a));
  if (a.dk || a.dv) tiles_backward(a, delta, false);
  if (a.dq || a.ds) tiles_backward(a, delta, true);
}

int64_t attention_backward_scratch(const AttentionBackwardArgs& a) {
  return delta_bytes(a) + (tensor_attention(a) ? tensor_backward_scratch(a) : 0);
}

}  // namespace dlbd::cuda
