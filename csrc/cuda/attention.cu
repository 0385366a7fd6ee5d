// Softmax attention, forward: tile by tile of the keys with a running maximum (FlashAttention, Dao et al. 2022).
#include "../shapes/kernels.h"
#include "attention_tensor.h"
#include "attention_tile.h"
#include "block.h"

namespace dlbd::cuda {
namespace {

template <int W, int R, int C>
struct ForwardShared {
  Tile<kDown * R, W> q;
  Tile<kAcross * C, W> k, v;
  Tile<kDown * R, kAcross * C> p;
};

// The running softmax of the rows of a thread: the largest logit so far and this lane's share of the sum of
// exponentials.
template <int R>
struct Running {
  float top[R], sum[R];
};

// Turns logits into exp(logit - top), after moving top on, and rescales what was summed before. A NaN is ignored by the
// maximum: the sum finds it.
template <int R, int C, int N>
__device__ __forceinline__ void exponentiate(Running<R>& state, float (&s)[R][C], float (&o)[R][N]) {
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const auto larger = [](float a, float b) { return fmaxf(a, b); };
    float next = state.top[r];
#pragma unroll
    for (int c = 0; c < C; ++c) next = larger(next, s[r][c]);
    next = reduce_across(next, larger);
    const float decay = expf(state.top[r] - next);
    state.top[r] = next;
    float sum = 0;
#pragma unroll
    for (int c = 0; c < C; ++c) sum += s[r][c] = expf(s[r][c] - next);
    state.sum[r] = state.sum[r] * decay + sum;
#pragma unroll
    for (int n = 0; n < N; ++n) o[r][n] *= decay;
  }
}

// A block owns 16 R queries of one head and streams tiles of 8 C keys.
template <int W, int R, int C>
__global__ void __launch_bounds__(kAttentionThreads, (kBlocksAtOnce<R, W>))
    forward_tiles(AttentionForwardArgs a, int64_t query_tiles, bool packs) {
  constexpr int kQueries = kDown * R, kKeys = kAcross * C;
  auto& sh = shared<ForwardShared<W, R, C>>();
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * query_tiles) return;
  const int64_t head = task / query_tiles, b = head / shape.heads, h = head % shape.heads;
  // the last queries first: under a causal mask they are the most work
  const int64_t i0 = (query_tiles - 1 - task % query_tiles) * kQueries;
  const HeadTables<float> tables(a.mask, a.bias, b, h);
  const Rows k = rows_of(a.k, b, h, shape.tk, shape.heads, shape.d, packs);
  const Rows v = rows_of(a.v, b, h, shape.tk, shape.heads, shape.dv, packs);
  stage(rows_of(a.q, b, h, shape.tq, shape.heads, shape.d, packs), i0, static_cast<float>(a.scale), sh.q);
  Running<R> state;
  float o[R][W / kAcross] = {};
#pragma unroll
  for (int r = 0; r < R; ++r) state.top[r] = kUnseen<float>, state.sum[r] = 0;
  const int64_t keys = shape.causal ? smaller(shape.tk, i0 + kQueries) : shape.tk;
  for (int64_t k0 = 0; k0 < keys; k0 += kKeys) {
    __syncthreads();
    stage(k, k0, 1.0f, sh.k);
    stage(v, k0, 1.0f, sh.v);
    __syncthreads();
    float s[R][C];
    dot_rows(sh.q, sh.k, s);
    if (tables.any() || !sees.whole(i0, kQueries, k0, kKeys))
      revise(s, sh.p, [&](float logit, int row, int column) {
        const int64_t i = i0 + row, j = k0 + column;
        return sees(i, j) ? tables.adjust(logit, i, j) : -infinity<float>();
      });
    exponentiate(state, s, o);
    put_product(s, sh.p);
    add_product(sh.p, sh.v, o);
  }
  float* y = head_rows(static_cast<float*>(a.y), b, h, shape.tq, shape.heads, shape.dv);
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const float sum = reduce_across(state.sum[r], Plus{});
    const int64_t i = i0 + down() + kDown * r;
    if (i >= shape.tq) continue;
    const bool blind = sum == 0.0f;  // sees no key
    write_row(o[r], blind ? 0.0f : 1.0f / sum, y + i * shape.heads * shape.dv, static_cast<int>(shape.dv), packs,
              false);
    if (a.lse && across() == 0)
      static_cast<float*>(a.lse)[head * shape.tq + i] = blind ? infinity<float>() : state.top[r] + logf(sum);
  }
}

// Any depth, float or double: a warp for each query, a lane for each of 32 keys; the sums wait in y.
template <class T>
__global__ void __launch_bounds__(kAttentionThreads) forward_rows(AttentionForwardArgs a) {
  const AttentionShape& s = a.shape;
  const int64_t key_stride = s.heads * s.d, value_stride = s.heads * s.dv;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t row = global_thread() / kWarp; row < s.batch * s.heads * s.tq; row += global_threads() / kWarp) {
    const int64_t i = row % s.tq, h = row / s.tq % s.heads, b = row / s.tq / s.heads;
    const HeadTables<T> tables(a.mask, a.bias, b, h);
    const T* q = head_rows<T>(a.q, b, h, s.tq, s.heads, s.d) + i * key_stride;
    const T* k = head_rows<T>(a.k, b, h, s.tk, s.heads, s.d);
    const T* v = head_rows<T>(a.v, b, h, s.tk, s.heads, s.dv);
    T* y = head_rows(static_cast<T*>(a.y), b, h, s.tq, s.heads, s.dv) + i * value_stride;
    for (int64_t d = lane; d < s.dv; d += kWarp) y[d] = 0;
    T top = kUnseen<T>, sum = 0;
    const int64_t keys = s.causal ? smaller(s.tk, i + 1) : s.tk;
    for (int64_t k0 = 0; k0 < keys; k0 += kWarp) {
      const int64_t j = k0 + lane;
      T logit = -infinity<T>();
      if (j < keys) {
        logit = 0;
        for (int64_t d = 0; d < s.d; ++d) logit += q[d] * static_cast<T>(a.scale) * k[j * key_stride + d];
        logit = tables.adjust(logit, i, j);
      }
      const T next = reduce_warp(logit > top ? logit : top, [](T best, T x) { return x > best ? x : best; });
      const T decay = exp(top - next), p = exp(logit - next);
      top = next;
      sum = sum * decay + reduce_warp(p, Plus{});
      const int count = static_cast<int>(smaller(kWarp, keys - k0));
      for (int64_t d0 = 0; d0 < s.dv; d0 += kWarp) {  // all lanes: they show each other p
        const int64_t d = d0 + lane;
        T o = 0;
        for (int n = 0; n < count; ++n) {
          const T weight = __shfl_sync(kWholeWarp, p, n);
          if (d < s.dv) o += weight * v[(k0 + n) * value_stride + d];
        }
        if (d < s.dv) y[d] = y[d] * decay + o;
      }
    }
    const bool blind = sum == T(0);
    for (int64_t d = lane; d < s.dv; d += kWarp) y[d] = blind ? T(0) : y[d] / sum;
    if (a.lse && lane == 0) static_cast<T*>(a.lse)[row] = blind ? infinity<T>() : top + log(sum);
  }
}

template <class T>
void launch_rows(const AttentionForwardArgs& a) {
  constexpr int64_t kRowsOfBlock = kAttentionThreads / kWarp;
  const int64_t rows = a.shape.batch * a.shape.heads * a.shape.tq;
  launch(forward_rows<T>, Grid{blocks_for(ceil_div(rows, kRowsOfBlock)), kAttentionThreads}, stream_of(a), a);
}

template <int W, int R, int C>
void launch_tiles(const AttentionForwardArgs& a) {
  const int64_t tiles = ceil_div(a.shape.tq, kDown * R);
  const bool packs = whole_packs(a.shape) && aligned(a.q, a.k, a.v, a.y);
  launch(forward_tiles<W, R, C>,
         Grid{task_grid(a.shape.batch * a.shape.heads * tiles), kAttentionThreads, sizeof(ForwardShared<W, R, C>)},
         stream_of(a), a, tiles, packs);
}

}  // namespace

void attention_forward(const AttentionForwardArgs& a) {
  const AttentionShape& s = a.shape;
  if (s.dtype == DType::f64) return launch_rows<double>(a);
  if (s.d > kWidestTile || s.dv > kWidestTile) return launch_rows<float>(a);
  if (tensor_attention(a)) return tensor_forward(a);
  with_width(s, [&](auto width) {
    // 8 x 8 products a thread while the registers last, and two blocks a multiprocessor
    constexpr int W = width, R = W <= 64 ? 8 : 4, C = R;
    if (large_tiles(s, s.tq, kDown * R, sizeof(ForwardShared<W, R, C>))) return launch_tiles<W, R, C>(a);
    launch_tiles<W, 2, 4>(a);
  });
}

int64_t attention_forward_scratch(const AttentionForwardArgs& a) {
  return tensor_attention(a) ? tensor_forward_scratch(a) : 0;
}

}  // namespace dlbd::cuda
