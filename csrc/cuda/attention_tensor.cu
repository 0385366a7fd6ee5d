// Softmax attention on tensor cores, forward (FlashAttention-2, Dao 2023): a warp owns 16 M queries, whose logits and
// probabilities never leave its registers; keys and values arrive while the tile before is worked on.
#include "attention_logits.h"
#include "attention_tensor.h"

namespace dlbd::cuda {
namespace {

template <class P, int W, int M, int N>
struct TensorForwardShared {
  Staged<P, 64 * M, W> q;
  Staged<P, 8 * N, W> k[2], v[2];
};
template <class P, int W, int M, int N>
struct TensorForwardSharedTables : TensorForwardShared<P, W, M, N> {
  Addends<64 * M, 8 * N> addends;
};

// Of the 2 M rows of a lane: the largest logit so far and the lane's share of the sum of exponentials.
template <int M>
struct RunningRows {
  float top[M][2], sum[M][2];
};

struct LargestNumber {  // a NaN is not one: the sum finds it
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

// Four lanes share a row.
template <class Op>
__device__ __forceinline__ float reduce_four(float x, Op op) {
  x = op(x, __shfl_xor_sync(kWholeWarp, x, 1));
  return op(x, __shfl_xor_sync(kWholeWarp, x, 2));
}

// Turns logits into 2^(logit - top), after moving top on, and rescales what was summed before.
template <int M, int N, int K>
__device__ __forceinline__ void exponentiate(RunningRows<M>& state, float (&s)[M][N][4], float (&o)[M][K][4]) {
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float next = state.top[m][half], sum = 0;
#pragma unroll
      for (int n = 0; n < N; ++n) next = fmaxf(fmaxf(next, s[m][n][2 * half]), s[m][n][2 * half + 1]);
      next = reduce_four(next, LargestNumber{});
      const float decay = exp2_of(state.top[m][half] - next);
      state.top[m][half] = next;
#pragma unroll
      for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) sum += s[m][n][i] = exp2_of(s[m][n][i] - next);
      state.sum[m][half] = state.sum[m][half] * decay + sum;
#pragma unroll
      for (int k = 0; k < K; ++k) o[m][k][2 * half] *= decay, o[m][k][2 * half + 1] *= decay;
    }
}

// A block of four warps owns 64 M queries of one head and streams tiles of 8 N keys.
template <class P, int W, int M, int N>
__global__ void __launch_bounds__(kAttentionThreads)
    tensor_forward_tiles(AttentionForwardArgs a, const typename P::Stored* q, const typename P::Stored* k,
                         const typename P::Stored* v, int64_t query_tiles, bool pairs) {
  constexpr int kQueries = 64 * M, kKeys = 8 * N;
  auto& sh = shared<TensorForwardShared<P, W, M, N>>();
  const AttentionShape& shape = a.shape;
  const Sight sees{shape.tq, shape.tk, shape.causal};
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp_row = static_cast<int>(threadIdx.x) / kWarp * 16 * M;
  const int64_t task = this_task();
  if (task >= shape.batch * shape.heads * query_tiles) return;
  const int64_t head = task / query_tiles, b = head / shape.heads, h = head % shape.heads;
  // the last queries first: under a causal mask they are the most work
  const int64_t i0 = (query_tiles - 1 - task % query_tiles) * kQueries, i_warp = i0 + warp_row;
  const typename P::Stored *keys = k + head * shape.tk * W, *values = v + head * shape.tk * W;
  const int64_t count = shape.causal ? smaller(shape.tk, i0 + kQueries) : shape.tk;
  stage_async(q + head * shape.tq * W, i0, shape.tq, sh.q);
  stage_async(keys, 0, shape.tk, sh.k[0]);
  stage_async(values, 0, shape.tk, sh.v[0]);
  commit_copies();
  RunningRows<M> state;
  float o[M][W / 8][4] = {};
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) state.top[m][half] = kUnseen<float>, state.sum[m][half] = 0;
  int stage = 0;
  for (int64_t k0 = 0; k0 < count; k0 += kKeys, stage ^= 1) {
    wait_copies<0>();
    __syncthreads();  // this tile is here, and all are done with the one before
    if (k0 + kKeys < count) {
      stage_async(keys, k0 + kKeys, shape.tk, sh.k[stage ^ 1]);
      stage_async(values, k0 + kKeys, shape.tk, sh.v[stage ^ 1]);
      commit_copies();
    }
    float s[M][N][4];
    dot_staged(sh.q, warp_row, sh.k[stage], s);
    finish_logits<TensorForwardSharedTables<P, W, M, N>, false>(a, sees, b, h, warp_row, i_warp, k0, s);
    exponentiate(state, s, o);
    add_staged<P>(s, sh.v[stage], o);
  }
  wait_copies<0>();
  float* y = head_rows(static_cast<float*>(a.y), b, h, shape.tq, shape.heads, shape.dv);
#pragma unroll
  for (int m = 0; m < M; ++m)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float sum = reduce_four(state.sum[m][half], Plus{});
      const int64_t i = i_warp + 16 * m + lane / 4 + 8 * half;
      if (i >= shape.tq) continue;
      const bool blind = sum == 0.0f;  // sees no key
      write_half(o[m], half, blind ? 0.0f : 1.0f / sum, y + i * shape.heads * shape.dv, static_cast<int>(shape.dv),
                 pairs, false);
      if (a.lse && lane % 4 == 0)
        static_cast<float*>(a.lse)[head * shape.tq + i] =
            blind ? infinity<float>() : (state.top[m][half] + log2f(sum)) * kLn2;
    }
}

template <class P, int W, int M, int N>
size_t shared_bytes(const AttentionForwardArgs& a) {
  return has_tables(a) ? sizeof(TensorForwardSharedTables<P, W, M, N>) : sizeof(TensorForwardShared<P, W, M, N>);
}

// Tiles of 128 queries where there are enough of them, of 64 or fewer keys where registers and shared memory end.
template <class P, int W>
struct ForwardTiles {
  static constexpr bool kSmall = sizeof(typename P::Stored) == 4 && W > 64;
  static constexpr int kManyM = kSmall ? 1 : 2, kManyN = W > 64 ? 4 : 8;
};

template <class P, int W, int M, int N>
void launch_tensor_tiles(const AttentionForwardArgs& a) {
  using Stored = typename P::Stored;
  const AttentionShape& s = a.shape;
  const int64_t heads = s.batch * s.heads, tiles = ceil_div(s.tq, 64 * M);
  auto* q = static_cast<Stored*>(a.scratch);
  auto* k = q + heads * s.tq * W;
  auto* v = k + heads * s.tk * W;
  pack_operands<P, W>({{pack_task<P>(a.q, q, s.tq, s.d, static_cast<float>(a.scale) * kLog2E),
                        pack_task<P>(a.k, k, s.tk, s.d, 1.0f), pack_task<P>(a.v, v, s.tk, s.dv, 1.0f)}},
                      s, stream_of(a));
  const bool pairs = s.dv % 2 == 0 && reinterpret_cast<uintptr_t>(a.y) % 8 == 0;
  launch(tensor_forward_tiles<P, W, M, N>,
         Grid{task_grid(heads * tiles), kAttentionThreads, shared_bytes<P, W, M, N>(a)}, stream_of(a), a, q, k, v,
         tiles, pairs);
}

}  // namespace

bool tensor_attention(const AttentionForwardArgs& a) {
  if (!tensor_path(a.shape, a.precision)) return false;
  bool fits = false;
  with_operands(a.precision, [&](auto operands) {
    with_tensor_width(a.shape, [&](auto width) {
      using P = decltype(operands);
      fits = fits_shared(shared_bytes<P, width, 1, 4>(a));
    });
  });
  return fits;
}

int64_t tensor_forward_scratch(const AttentionForwardArgs& a) {
  return packed_bytes(a.shape, a.precision, a.shape.tq + 2 * a.shape.tk);
}

void tensor_forward(const AttentionForwardArgs& a) {
  with_operands(a.precision, [&](auto operands) {
    with_tensor_width(a.shape, [&](auto width) {
      using P = decltype(operands);
      constexpr int W = width, M = ForwardTiles<P, W>::kManyM, N = ForwardTiles<P, W>::kManyN;
      if (large_tiles(a.shape, a.shape.tq, 64 * M, shared_bytes<P, W, M, N>(a)))
        return launch_tensor_tiles<P, W, M, N>(a);
      launch_tensor_tiles<P, W, 1, 4>(a);
    });
  });
}

}  // namespace dlbd::cuda
