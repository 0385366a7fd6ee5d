// Softmax attention, forward: block by block of the keys with a running maximum (FlashAttention, Dao et al. 2022).
#include "../shapes/kernels.h"
#include "attention_blocks.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Queries whose logits with one block of keys are held at a time: two register tiles, 30 KB of logits in L1.
constexpr int64_t kQueryRows = 2 * kTileRows;
// Queries of one task: its groups of kQueryRows share a block of keys and values while it lies in L2.
constexpr int64_t kQueryGroups = 4;
constexpr int64_t kQueryBlock = kQueryGroups * kQueryRows;
// Keys per block: 128 KB of keys and values at D = 64.
template <class T>
constexpr int64_t kKeyBlock = round_up(256, kPanel<T>);
// Row length of the logits' buffer; rows a power of two apart would collide in L1.
template <class T>
constexpr int64_t kLogits = kKeyBlock<T> + 16;
// From so many heads on, each is a task of its own: packing and computing then share a core's cache.
constexpr int64_t kManyHeads = 64;

bool whole_heads(const AttentionShape& s) { return s.tq <= kQueryBlock || s.batch * s.heads >= kManyHeads; }

// Elements of one head's packed keys and values, and of a worker's own memory.
template <class T>
int64_t packed_keys(const AttentionShape& s) {
  return packed_b_size<T>(s.d, s.tk);
}
template <class T>
int64_t packed_head(const AttentionShape& s) {
  return packed_keys<T>(s) + packed_b_size<T>(s.tk, s.dv);
}
template <class T>
int64_t worker_elements(const AttentionShape& s) {
  return round_up(kQueryBlock * (s.d + s.dv), kLanes<T>) + kQueryRows * kLogits<T>;
}

// Keys (transposed) and values of [k0, k0 + n), a block.
template <class T>
void pack_block(const AttentionForwardArgs& a, int64_t b, int64_t h, int64_t k0, int64_t n, T* packed) {
  const AttentionShape& s = a.shape;
  pack_b(head_row<T>(a.k, b, h, k0, s.tk, s.heads, s.d), 1, s.heads * s.d, s.d, n, packed + k0 * s.d);
  pack_b(head_row<T>(a.v, b, h, k0, s.tk, s.heads, s.dv), s.heads * s.dv, 1, n, s.dv,
         packed + packed_keys<T>(s) + packed_b_size<T>(k0, s.dv));
}

// The largest logit of a row that has seen none.
template <class T>
constexpr T kUnseen = sizeof(T) == 4 ? T(-__FLT_MAX__) : T(-__DBL_MAX__);

// The running softmax of a group of queries.
template <class T>
struct RowState {
  static constexpr int64_t kSize = round_up(kQueryRows, kLanes<T>);
  T top[kSize];    // largest logit so far
  T next[kSize];   // and with the block at hand
  T decay[kSize];  // what the sums so far are multiplied with, now that top has grown
  T sum[kSize];    // of exp(logit - top)
};

// The largest of n logits and `top`. A NaN is ignored here: the sum of exponentials finds it.
template <class T>
DLBD_INLINE T largest_logit(const T* s, int64_t n, T top) {
  constexpr int64_t L = kLanes<T>;
  const auto larger = [](Vec<T> x, Vec<T> best) { return x > best ? x : best; };
  Vec<T> best[4];
#pragma GCC unroll 4
  for (int u = 0; u < 4; ++u) best[u] = splat(top);
  int64_t j = 0;
  for (; j + 4 * L <= n; j += 4 * L) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) best[u] = larger(load(s + j + u * L), best[u]);
  }
  for (; j + L <= n; j += L) best[0] = larger(load(s + j), best[0]);
  if (j < n) best[1] = larger(keep_lanes<T>(load(s + j), n - j, top), best[1]);
  return reduce_max<T>(larger(larger(best[0], best[1]), larger(best[2], best[3])));
}

// Moves every row's maximum on. As long as a row has seen nothing its top stays at a finite value below all others, so
// that exp(-inf - top) is zero and not NaN.
template <class T>
DLBD_INLINE void advance(RowState<T>& state) {
  for (int64_t r = 0; r < RowState<T>::kSize; r += kLanes<T>) {
    const Vec<T> next = load(state.next + r);
    store<T>(state.decay + r, exp_of_logit(load(state.top + r) - next));
    store<T>(state.top + r, next);
  }
}

// Turns n logits into exp(logit - top), with zeros from there to `width`, and returns their sum.
template <class T>
DLBD_INLINE T exponentiate(T* s, int64_t n, int64_t width, T top) {
  constexpr int64_t L = kLanes<T>;
  Vec<T> sum[2] = {};
  const auto step = [&](int64_t j) {
    const Vec<T> e = exp_of_logit(load(s + j) - top);
    store<T>(s + j, e);
    return e;
  };
  int64_t j = 0;
  for (; j + 2 * L <= n; j += 2 * L) sum[0] += step(j), sum[1] += step(j + L);
  for (; j + L <= n; j += L) sum[0] += step(j);
  if (j < n) sum[1] += keep_lanes<T>(step(j), n - j);
  for (j = n; j < width; ++j) s[j] = 0;
  return reduce_add<T>(sum[0] + sum[1]);
}

// One block of keys [k0, k0 + n) for one group of queries [i0, i0 + rows).
template <class T>
void query_group(const AttentionForwardArgs& a, int64_t b, int64_t h, int64_t i0, int64_t rows, int64_t k0, int64_t n,
                 const T* q, const T* packed, T* s, T* o, RowState<T>& state) {
  const AttentionShape& shape = a.shape;
  const int64_t block = min_of(kKeyBlock<T>, shape.tk - k0);
  constexpr int64_t kRow = kLogits<T>;
  const auto seen = [&](int64_t r) { return shape.causal ? max_of<int64_t>(0, min_of(n, i0 + r + 1 - k0)) : n; };
  multiply_block<T>(rows, n, shape.d, {q, shape.d, 1}, packed_columns(packed + k0 * shape.d, shape.d),
                    {s, kRow, nullptr, false});
  for (int64_t r = 0; r < rows; ++r) {
    adjust_logits(a.mask, a.bias, b, h, i0 + r, k0, seen(r), s + r * kRow);
    state.next[r] = largest_logit(s + r * kRow, seen(r), state.top[r]);
  }
  advance(state);
  for (int64_t r = 0; r < rows; ++r) {
    const T sum = exponentiate(s + r * kRow, seen(r), n, state.top[r]);
    state.sum[r] = state.sum[r] * state.decay[r] + sum;
    if (k0 == 0) continue;
    T* row = o + r * shape.dv;
    each_vector<T>(shape.dv, [&](int64_t j, int64_t lanes) {
      store_part<T>(row + j, load_part(row + j, lanes) * state.decay[r], lanes);
    });
  }
  const T* v = packed + packed_keys<T>(shape) + packed_b_size<T>(k0, shape.dv);
  multiply_block<T>(rows, shape.dv, n, {s, kRow, 1}, packed_columns(v, block), {o, shape.dv, nullptr, k0 != 0});
}

template <class T>
void query_block(const AttentionForwardArgs& a, int64_t b, int64_t h, int64_t i0, const T* packed, T* work) {
  const AttentionShape& s = a.shape;
  const int64_t rows = min_of(kQueryBlock, s.tq - i0);
  T* q = work;
  T* o = q + kQueryBlock * s.d;
  T* logits = work + round_up(kQueryBlock * (s.d + s.dv), kLanes<T>);
  RowState<T> state[kQueryGroups];
  for (auto& group : state)
    for (int64_t r = 0; r < RowState<T>::kSize; ++r) group.top[r] = group.next[r] = kUnseen<T>, group.sum[r] = 0;
  scale_rows(head_row<T>(a.q, b, h, i0, s.tq, s.heads, s.d), s.heads * s.d, rows, s.d, static_cast<T>(a.scale), q);
  const int64_t seen = s.causal ? min_of(s.tk, i0 + rows) : s.tk;
  for (int64_t k0 = 0; k0 < seen; k0 += kKeyBlock<T>) {
    for (int64_t i = 0; i < rows; i += kQueryRows) {
      const int64_t count = min_of(kQueryRows, rows - i);
      const int64_t n = min_of(kKeyBlock<T>, (s.causal ? min_of(s.tk, i0 + i + count) : s.tk) - k0);
      if (n > 0)
        query_group(a, b, h, i0 + i, count, k0, n, q + i * s.d, packed, logits, o + i * s.dv, state[i / kQueryRows]);
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    const T sum = state[i / kQueryRows].sum[i % kQueryRows], top = state[i / kQueryRows].top[i % kQueryRows];
    const bool blind = sum == T(0);  // sees no key
    T* y = head_row<T>(a.y, b, h, i0 + i, s.tq, s.heads, s.dv);
    each_vector<T>(s.dv, [&](int64_t j, int64_t lanes) {
      store_part<T>(y + j, blind ? Vec<T>{} : load_part(o + i * s.dv + j, lanes) / sum, lanes);
    });
    if (a.lse) {
      static_cast<T*>(a.lse)[(b * s.heads + h) * s.tq + i0 + i] =
          blind ? -kMinusInfinity<T> : top + static_cast<T>(__builtin_log(static_cast<double>(sum)));
    }
  }
}

template <class T>
void forward_as(const AttentionForwardArgs& a) {
  const AttentionShape& s = a.shape;
  const int64_t all = s.batch * s.heads, query_blocks = ceil_div(s.tq, kQueryBlock);
  const int64_t key_blocks = ceil_div(s.tk, kKeyBlock<T>);
  const int64_t head_size = packed_head<T>(s), worker_size = worker_elements<T>(s);
  T* heads = static_cast<T*>(a.scratch);
  T* workers = heads + (whole_heads(s) ? a.threads : all) * head_size;
  const auto pack = [&](int64_t head, int64_t block, T* packed) {
    const int64_t k0 = block * kKeyBlock<T>;
    pack_block(a, head / s.heads, head % s.heads, k0, min_of(kKeyBlock<T>, s.tk - k0), packed);
  };
  const auto attend = [&](int64_t head, int64_t block, const T* packed, int worker) {
    query_block(a, head / s.heads, head % s.heads, block * kQueryBlock, packed, workers + worker * worker_size);
  };
  if (whole_heads(s)) {
    parallel_for(a.threads, all, 1, [&](int64_t head, int64_t, int worker) {
      T* packed = heads + worker * head_size;
      for (int64_t block = 0; block < key_blocks; ++block) pack(head, block, packed);
      for (int64_t block = 0; block < query_blocks; ++block) attend(head, block, packed, worker);
    });
    return;
  }
  parallel_for(a.threads, all * key_blocks, 1, [&](int64_t task, int64_t, int) {
    pack(task / key_blocks, task % key_blocks, heads + task / key_blocks * head_size);
  });
  parallel_for(a.threads, all * query_blocks, 1, [&](int64_t task, int64_t, int worker) {
    // the last queries first: under a causal mask they are the most work
    const int64_t head = task / query_blocks, block = query_blocks - 1 - task % query_blocks;
    attend(head, block, heads + head * head_size, worker);
  });
}

template <class T>
int64_t scratch_bytes(const AttentionForwardArgs& a) {
  const AttentionShape& s = a.shape;
  const int64_t heads = whole_heads(s) ? a.threads : s.batch * s.heads;
  return (a.threads * worker_elements<T>(s) + heads * packed_head<T>(s)) * static_cast<int64_t>(sizeof(T));
}

}  // namespace

void attention_forward(const AttentionForwardArgs& a) {
  if (a.shape.batch == 0 || a.shape.heads == 0 || a.shape.tq == 0) return;
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

int64_t attention_forward_scratch(const AttentionForwardArgs& a) {
  return a.shape.dtype == DType::f64 ? scratch_bytes<double>(a) : scratch_bytes<float>(a);
}

}  // namespace dlbd::DLBD_ISA
