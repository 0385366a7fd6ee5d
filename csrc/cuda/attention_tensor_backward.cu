// Softmax attention on tensor cores, backward; see attention_backward.cu. A warp owns 16 M keys (dK, dV) or queries
// (dQ): the transposed logits have the keys as rows, so that P and dS go from one product to the next in registers.
#include "attention_logits.h"
#include "attention_tensor.h"

namespace dlbd::cuda {
namespace {

template <class P>
struct Packed {
  const typename P::Stored *q, *k, *v, *dy;
};

template <class P, int W, int M, int N>
struct TensorBackwardShared {
  Staged<P, 64 * M, W> keys, values;  // what a block owns: keys and values, or queries and dY in their place
  Staged<P, 8 * N, W> queries[2], dys[2];
  float lse[2][8 * N], delta[2][8 * N];
};
template <class P, int W, int M, int N>
struct TensorBackwardSharedTables : TensorBackwardShared<P, W, M, N> {
  Addends<64 * M, 8 * N> addends;
};

// dS = P (dP - delta) of a tile, in place of dP; delta(m, n, i) is that of the number's query. `careful`: what has no
// weight has no gradient, even where dP is infinite or NaN.
template <int M, int N, class F>
__device__ __forceinline__ void logit_gradients(const float (&p)[M][N][4], float (&ds)[M][N][4], bool careful,
                                                const F& delta) {
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) ds[m][n][i] = p[m][n][i] * (ds[m][n][i] - delta(m, n, i));
  if (!careful) return;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (p[m][n][i] == 0.0f) ds[m][n][i] = 0;
}

template <class P, int W, int M, int N>
__global__ void __launch_bounds__(kAttentionThreads)
    tensor_key_tiles(AttentionBackwardArgs a, Packed<P> packed, const float* delta, int64_t tiles, bool pairs) {
  constexpr int kKeys = 64 * M, kQueries = 8 * N;
  auto& sh = shared<TensorBackwardShared<P, W, M, N>>();
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp_row = static_cast<int>(threadIdx.x) / kWarp * 16 * M;
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * tiles) return;
  const int64_t head = task / tiles, b = head / shape.heads, h = head % shape.heads;
  const int64_t k0 = task % tiles * kKeys, j_warp = k0 + warp_row;
  const auto stage_queries = [&](int64_t i0, int stage) {
    stage_async(packed.q + head * shape.tq * W, i0, shape.tq, sh.queries[stage]);
    stage_async(packed.dy + head * shape.tq * W, i0, shape.tq, sh.dys[stage]);
    const int n = static_cast<int>(threadIdx.x);
    if (n < kQueries) {
      const int64_t i = i0 + n < shape.tq ? i0 + n : 0;
      copy_async<4>(&sh.lse[stage][n], static_cast<const float*>(a.lse) + head * shape.tq + i);
      copy_async<4>(&sh.delta[stage][n], delta + head * shape.tq + i);
    }
  };
  const int64_t first = shape.causal ? k0 / kQueries * kQueries : 0;
  stage_async(packed.k + head * shape.tk * W, k0, shape.tk, sh.keys);
  stage_async(packed.v + head * shape.tk * W, k0, shape.tk, sh.values);
  if (first < shape.tq) stage_queries(first, 0);
  commit_copies();
  float dk[M][W / 8][4] = {}, dv[M][W / 8][4] = {};
  int stage = 0;
  for (int64_t i0 = first; i0 < shape.tq; i0 += kQueries, stage ^= 1) {
    wait_copies<0>();
    __syncthreads();  // this tile is here, and all are done with the one before
    if (i0 + kQueries < shape.tq) stage_queries(i0 + kQueries, stage ^ 1);
    commit_copies();
    float p[M][N][4], ds[M][N][4];
    dot_staged(sh.keys, warp_row, sh.queries[stage], p);
    const float* lse = sh.lse[stage];
    const bool careful = has_tables(a) || !sees.whole(i0, kQueries, j_warp, 16 * M);
    if (has_tables(a)) {
      auto& addends = shared<TensorBackwardSharedTables<P, W, M, N>>().addends;
      fill_addends<true, M>(a, sees, b, h, warp_row, j_warp, i0, addends);
      each_product(p, [&](float& x, int row, int column) {
        const float more = addends.row[warp_row + row][column];
        x = more == -infinity<float>() ? 0.0f : exp2_of(x + more - lse[column] * kLog2E);
      });
    } else if (careful) {
      const int last = static_cast<int>(smaller(kQueries, shape.tq - i0)), diagonal = static_cast<int>(j_warp - i0);
      const int last_key = static_cast<int>(smaller(16 * M, shape.tk - j_warp));
      each_product(p, [&](float& x, int row, int column) {
        const bool seen = column < last && row < last_key && (!shape.causal || column >= diagonal + row);
        x = seen ? exp2_of(x - lse[column] * kLog2E) : 0.0f;
      });
    } else {
      each_product(p, [&](float& x, int, int column) { x = exp2_of(x - lse[column] * kLog2E); });
    }
    add_staged<P>(p, sh.dys[stage], dv);
    dot_staged(sh.values, warp_row, sh.dys[stage], ds);
    const float* sums = sh.delta[stage] + 2 * (lane % 4);
    logit_gradients(p, ds, careful, [&](int, int n, int i) { return sums[8 * n + i % 2]; });
    add_staged<P>(ds, sh.queries[stage], dk);
  }
  wait_copies<0>();
  float* dk_rows = a.dk ? head_rows(static_cast<float*>(a.dk), b, h, shape.tk, shape.heads, shape.d) : nullptr;
  float* dv_rows = a.dv ? head_rows(static_cast<float*>(a.dv), b, h, shape.tk, shape.heads, shape.dv) : nullptr;
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t j = j_warp + 16 * m + lane / 4 + 8 * half;
      if (j >= shape.tk) continue;
      if (a.dk)
        write_half(dk[m], half, kLn2, dk_rows + j * shape.heads * shape.d, static_cast<int>(shape.d), pairs,
                   a.accumulate_dk);  // the packed queries are times scale log2(e)
      if (a.dv)
        write_half(dv[m], half, 1.0f, dv_rows + j * shape.heads * shape.dv, static_cast<int>(shape.dv), pairs,
                   a.accumulate_dv);
    }
}

template <class P, int W, int M, int N>
__global__ void __launch_bounds__(kAttentionThreads)
    tensor_query_tiles(AttentionBackwardArgs a, Packed<P> packed, const float* delta, int64_t tiles, bool pairs) {
  constexpr int kQueries = 64 * M, kKeys = 8 * N;
  auto& sh = shared<TensorBackwardShared<P, W, M, N>>();
  auto &queries = sh.keys, &dys = sh.values;
  auto &keys = sh.queries, &values = sh.dys;
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp_row = static_cast<int>(threadIdx.x) / kWarp * 16 * M;
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * tiles) return;
  const int64_t head = task / tiles, b = head / shape.heads, h = head % shape.heads;
  const int64_t i0 = (tiles - 1 - task % tiles) * kQueries, i_warp = i0 + warp_row;
  const int64_t count = shape.causal ? smaller(shape.tk, i0 + kQueries) : shape.tk;
  const auto stage_keys = [&](int64_t k0, int stage) {
    stage_async(packed.k + head * shape.tk * W, k0, shape.tk, keys[stage]);
    stage_async(packed.v + head * shape.tk * W, k0, shape.tk, values[stage]);
  };
  stage_async(packed.q + head * shape.tq * W, i0, shape.tq, queries);
  stage_async(packed.dy + head * shape.tq * W, i0, shape.tq, dys);
  if (count > 0) stage_keys(0, 0);
  commit_copies();
  float dq[M][W / 8][4] = {}, lse[M][2], sums[M][2];
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t i = i_warp + 16 * m + lane / 4 + 8 * half;
      lse[m][half] = i < shape.tq ? static_cast<const float*>(a.lse)[head * shape.tq + i] * kLog2E : 0.0f;
      sums[m][half] = i < shape.tq ? delta[head * shape.tq + i] : 0.0f;
    }
  int stage = 0;
  for (int64_t k0 = 0; k0 < count; k0 += kKeys, stage ^= 1) {
    wait_copies<0>();
    __syncthreads();  // this tile is here, and all are done with the one before
    if (k0 + kKeys < count) stage_keys(k0 + kKeys, stage ^ 1);
    commit_copies();
    float p[M][N][4], ds[M][N][4];
    dot_staged(queries, warp_row, keys[stage], p);
    dot_staged(dys, warp_row, values[stage], ds);
    const bool careful =
        finish_logits<TensorBackwardSharedTables<P, W, M, N>, true>(a, sees, b, h, warp_row, i_warp, k0, p);
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float logit = p[m][n][i];  // -inf where nothing is seen, whatever the row's log-sum-exp
          p[m][n][i] = careful && logit == -infinity<float>() ? 0.0f : exp2_of(logit - lse[m][i / 2]);
        }
    logit_gradients(p, ds, careful, [&](int m, int, int i) { return sums[m][i / 2]; });
    if (a.ds) {
      auto& addends = shared<TensorBackwardSharedTables<P, W, M, N>>().addends;
      each_product(ds, [&](float& x, int row, int column) { addends.row[warp_row + row][column] = x; });
      float* rows = static_cast<float*>(a.ds) + head * shape.tq * shape.tk;
      each_of_warp<M, kKeys, false>([&](int row, int column) {
        const int64_t i = i_warp + row, j = k0 + column;
        if (sees(i, j)) rows[i * shape.tk + j] = addends.row[warp_row + row][column];
      });
    }
    if (a.dq) add_staged<P>(ds, keys[stage], dq);
  }
  wait_copies<0>();
  if (!a.dq) return;
  float* rows = head_rows(static_cast<float*>(a.dq), b, h, shape.tq, shape.heads, shape.d);
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t i = i_warp + 16 * m + lane / 4 + 8 * half;
      if (i < shape.tq)
        write_half(dq[m], half, static_cast<float>(a.scale), rows + i * shape.heads * shape.d,
                   static_cast<int>(shape.d), pairs, a.accumulate_dq);
    }
}

// Rows of a streamed tile: registers end at dK and dV of 16 rows of 128 numbers, the shared memory of some chips at 99
// KB.
template <class P, int W>
struct BackwardTiles {
  static constexpr int kM = 1, kN = W > 64 || sizeof(typename P::Stored) == 4 ? 4 : 8;
};

template <class P, int W, int M, int N>
size_t shared_bytes(const AttentionBackwardArgs& a) {
  return has_tables(a) || a.ds ? sizeof(TensorBackwardSharedTables<P, W, M, N>)
                               : sizeof(TensorBackwardShared<P, W, M, N>);
}

template <class P, int W>
void launch_tensor_backward(const AttentionBackwardArgs& a, const float* delta, void* scratch) {
  using Stored = typename P::Stored;
  constexpr int M = BackwardTiles<P, W>::kM, N = BackwardTiles<P, W>::kN;
  const AttentionShape& s = a.shape;
  const int64_t heads = s.batch * s.heads;
  auto* q = static_cast<Stored*>(scratch);
  auto* dy = q + heads * s.tq * W;
  auto* k = dy + heads * s.tq * W;
  auto* v = k + heads * s.tk * W;
  pack_operands<P, W>(
      {{pack_task<P>(a.q, q, s.tq, s.d, static_cast<float>(a.scale) * kLog2E), pack_task<P>(a.k, k, s.tk, s.d, 1.0f),
        pack_task<P>(a.v, v, s.tk, s.dv, 1.0f), pack_task<P>(a.dy, dy, s.tq, s.dv, 1.0f)}},
      s, stream_of(a));
  const Packed<P> packed{q, k, v, dy};
  const bool pairs = s.d % 2 == 0 && s.dv % 2 == 0 && aligned(a.dq, a.dk, a.dv);
  const auto run = [&](auto kernel, int64_t t) {
    const int64_t tiles = ceil_div(t, 64 * M);
    launch(kernel, Grid{task_grid(heads * tiles), kAttentionThreads, shared_bytes<P, W, M, N>(a)}, stream_of(a), a,
           packed, delta, tiles, pairs);
  };
  if (a.dk || a.dv) run(tensor_key_tiles<P, W, M, N>, s.tk);
  if (a.dq || a.ds) run(tensor_query_tiles<P, W, M, N>, s.tq);
}

}  // namespace

bool tensor_attention(const AttentionBackwardArgs& a) {
  if (!tensor_path(a.shape, a.precision)) return false;
  bool fits = false;
  with_operands(a.precision, [&](auto operands) {
    with_tensor_width(a.shape, [&](auto width) {
      using P = decltype(operands);
      constexpr int W = width;
      fits = fits_shared(shared_bytes<P, W, BackwardTiles<P, W>::kM, BackwardTiles<P, W>::kN>(a));
    });
  });
  return fits;
}

int64_t tensor_backward_scratch(const AttentionBackwardArgs& a) {
  return packed_bytes(a.shape, a.precision, 2 * (a.shape.tq + a.shape.tk));
}

void tensor_backward(const AttentionBackwardArgs& a, const float* delta, void* scratch) {
  with_operands(a.precision, [&](auto operands) {
    with_tensor_width(a.shape,
                      [&](auto width) { launch_tensor_backward<decltype(operands), width>(a, delta, scratch); });
  });
}

}  // namespace dlbd::cuda
