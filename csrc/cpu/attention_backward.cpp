// Softmax attention, backward: the probabilities are computed again, block by block, from the forward's log-sum-exp.
//   P = exp(S - lse)   dV = P^T dY   dP = dY V^T   dS = P (dP - rowsum(dY Y))   dQ = scale dS K   dK = scale dS^T Q
// A task owns a chunk of the keys of one head, so dK and dV are its own; its share of dQ goes into a buffer of its own,
// and the shares are added in order afterwards.
#include "../shapes/kernels.h"
#include "attention_blocks.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Queries per block: long enough that the sums over them, dK and dV, are loaded and stored seldom.
constexpr int64_t kQueryBlock = 112;
// Keys per block: rows of dK and dV, so a multiple of the register tile's 14 rows (AVX-512), and columns of S.
template <class T>
constexpr int64_t kKeyBlock = round_up(224, kPanel<T>);
// Queries whose logits are computed and turned into P and dS while they lie in cache, and keys that share a first
// query.
constexpr int64_t kGroup = 2 * kTileRows;
// Row length of the buffers of P and dS; rows a power of two apart would collide in L1.
template <class T>
constexpr int64_t kLogits = kKeyBlock<T> + 16;
// Tasks wanted: with fewer heads than this, the keys of a head are split into chunks.
constexpr int64_t kTasks = 32;

template <class T>
int64_t key_chunks(const AttentionShape& s) {
  const int64_t all = s.batch * s.heads;
  return max_of<int64_t>(1, min_of(kTasks / max_of<int64_t>(1, all), ceil_div(s.tk, kKeyBlock<T>)));
}

// Keys per chunk, whole blocks.
template <class T>
int64_t chunk_keys(const AttentionShape& s) {
  return round_up(ceil_div(s.tk, key_chunks<T>(s)), kKeyBlock<T>);
}

// A worker's own memory. Packed operands first: they are whole vectors.
template <class T>
struct Buffers {
  T *keys_t, *values_t, *keys;  // packed: K^T, V^T, K of a block of keys
  T *queries, *dy;              // packed: scale Q and dY of a block of queries
  T *p, *ds;                    // kQueryBlock x kLogits
  T* scaled;                    // scale Q, row by row
  T *dk, *dv;                   // of the block of keys
  T* end;

  Buffers(const AttentionShape& s, T* at) {
    const auto take = [&at](int64_t elements) {
      T* p = at;
      at += round_up(elements, kLanes<T>);
      return p;
    };
    keys_t = take(packed_b_size<T>(s.d, kKeyBlock<T>));
    values_t = take(packed_b_size<T>(s.dv, kKeyBlock<T>));
    keys = take(packed_b_size<T>(kKeyBlock<T>, s.d));
    queries = take(packed_b_size<T>(kQueryBlock, s.d));
    dy = take(packed_b_size<T>(kQueryBlock, s.dv));
    p = take(kQueryBlock * kLogits<T>);
    ds = take(kQueryBlock * kLogits<T>);
    scaled = take(kQueryBlock * s.d);
    dk = take(kKeyBlock<T> * s.d);
    dv = take(kKeyBlock<T> * s.dv);
    end = at;
  }
};

template <class T>
int64_t worker_elements(const AttentionShape& s) {
  T* const none = nullptr;
  return Buffers<T>(s, none).end - none;
}

// One block of queries against one block of keys.
template <class T>
struct BlockPair {
  int64_t b, h, i0, rows, k0, n;
  int64_t seen(const AttentionShape& s, int64_t row) const {  // keys of the block that a row sees
    return s.causal ? max_of<int64_t>(0, min_of(n, i0 + row + 1 - k0)) : n;
  }
};

// P and dS of the rows [first, first + count) of the pair, zeros where a key is not seen.
template <class T>
void probabilities(const AttentionBackwardArgs& a, const BlockPair<T>& at, int64_t first, int64_t count,
                   const Buffers<T>& mine) {
  const AttentionShape& s = a.shape;
  constexpr int64_t kRow = kLogits<T>;
  T* p = mine.p + first * kRow;
  T* ds = mine.ds + first * kRow;
  const int64_t n = at.seen(s, first + count - 1);
  const T* dy = head_row<T>(a.dy, at.b, at.h, at.i0 + first, s.tq, s.heads, s.dv);
  const T* y = head_row<T>(a.y, at.b, at.h, at.i0 + first, s.tq, s.heads, s.dv);
  multiply_block<T>(count, n, s.d, {mine.scaled + first * s.d, s.d, 1}, packed_columns(mine.keys_t, s.d),
                    {p, kRow, nullptr, false});
  multiply_block<T>(count, n, s.dv, {dy, s.heads * s.dv, 1}, packed_columns(mine.values_t, s.dv),
                    {ds, kRow, nullptr, false});
  for (int64_t r = 0; r < count; ++r, p += kRow, ds += kRow) {
    const int64_t i = at.i0 + first + r, seen = at.seen(s, first + r), row = r * s.heads * s.dv;
    const T lse = static_cast<const T*>(a.lse)[(at.b * s.heads + at.h) * s.tq + i];
    const T delta = static_cast<T>(sum_vectors<T>(s.dv, [&](int64_t j, int64_t lanes) {
      return load_part(dy + row + j, lanes) * load_part(y + row + j, lanes);
    }));
    adjust_logits(a.mask, a.bias, at.b, at.h, i, at.k0, seen, p);
    each_vector<T>(seen, [&](int64_t j, int64_t lanes) {
      const Vec<T> e = exp_of_logit(load(p + j) - lse);
      store_part<T>(p + j, e, lanes);
      store_part<T>(ds + j, e * (load(ds + j) - delta), lanes);
    });
    if (a.ds)
      __builtin_memcpy(static_cast<T*>(a.ds) + ((at.b * s.heads + at.h) * s.tq + i) * s.tk + at.k0, ds,
                       static_cast<size_t>(seen) * sizeof(T));
    for (int64_t j = seen; j < at.n; ++j) p[j] = ds[j] = 0;
  }
}

// Adds one block of queries to dK and dV of a block of keys, and its own dQ to `dq` (or starts it).
template <class T>
void block_pair(const AttentionBackwardArgs& a, const BlockPair<T>& at, const Buffers<T>& mine, T* dq, bool start_dq) {
  const AttentionShape& s = a.shape;
  constexpr int64_t kRow = kLogits<T>;
  scale_rows(head_row<T>(a.q, at.b, at.h, at.i0, s.tq, s.heads, s.d), s.heads * s.d, at.rows, s.d,
             static_cast<T>(a.scale), mine.scaled);
  pack_b(mine.scaled, s.d, 1, at.rows, s.d, mine.queries);
  pack_b(head_row<T>(a.dy, at.b, at.h, at.i0, s.tq, s.heads, s.dv), s.heads * s.dv, 1, at.rows, s.dv, mine.dy);
  for (int64_t first = 0; first < at.rows; first += kGroup) {
    const int64_t count = min_of(kGroup, at.rows - first);
    probabilities(a, at, first, count, mine);
    const int64_t n = at.seen(s, first + count - 1);
    if (a.dq && (n > 0 || start_dq))
      multiply_block<T>(count, s.d, n, {mine.ds + first * kRow, kRow, 1}, packed_columns(mine.keys, at.n),
                        {dq + first * s.d, s.d, nullptr, !start_dq});
  }
  for (int64_t key = 0; key < at.n; key += kGroup) {
    const int64_t count = min_of(kGroup, at.n - key);
    const int64_t first = s.causal ? max_of<int64_t>(0, at.k0 + key - at.i0) : 0;  // the first row that sees a key
    if (first >= at.rows) break;
    const int64_t rows = at.rows - first, offset = first * kRow + key;
    if (a.dv)
      multiply_block<T>(count, s.dv, rows, {mine.p + offset, 1, kRow},
                        packed_columns(mine.dy + first * kPanel<T>, at.rows),
                        {mine.dv + key * s.dv, s.dv, nullptr, true});
    if (a.dk)
      multiply_block<T>(count, s.d, rows, {mine.ds + offset, 1, kRow},
                        packed_columns(mine.queries + first * kPanel<T>, at.rows),
                        {mine.dk + key * s.d, s.d, nullptr, true});
  }
}

// Writes or adds `rows` rows without gaps to rows of an array (B, T, H, width).
template <class T>
void put_rows(const T* from, int64_t rows, int64_t width, T* to, int64_t stride, bool accumulate) {
  for (int64_t r = 0; r < rows; ++r)
    each_vector<T>(width, [&](int64_t j, int64_t lanes) {
      Vec<T> v = load_part(from + r * width + j, lanes);
      if (accumulate) v += load_part(to + r * stride + j, lanes);
      store_part<T>(to + r * stride + j, v, lanes);
    });
}

// The block of queries from which on a key is seen.
DLBD_INLINE int64_t first_query_block(const AttentionShape& s, int64_t key) { return s.causal ? key / kQueryBlock : 0; }

// dK and dV of one chunk of keys, and its share of dQ (tq x d).
template <class T>
void key_chunk(const AttentionBackwardArgs& a, int64_t b, int64_t h, int64_t begin, int64_t end, T* dq, T* work) {
  const AttentionShape& s = a.shape;
  const Buffers<T> mine(s, work);
  for (int64_t k0 = begin; k0 < end; k0 += kKeyBlock<T>) {
    const int64_t n = min_of(kKeyBlock<T>, end - k0);
    const T* k = head_row<T>(a.k, b, h, k0, s.tk, s.heads, s.d);
    pack_b(k, 1, s.heads * s.d, s.d, n, mine.keys_t);
    pack_b(k, s.heads * s.d, 1, n, s.d, mine.keys);
    pack_b(head_row<T>(a.v, b, h, k0, s.tk, s.heads, s.dv), 1, s.heads * s.dv, s.dv, n, mine.values_t);
    fill_zero(mine.dk, n * s.d);
    fill_zero(mine.dv, n * s.dv);
    for (int64_t i0 = first_query_block(s, k0) * kQueryBlock; i0 < s.tq; i0 += kQueryBlock) {
      const BlockPair<T> at{b, h, i0, min_of(kQueryBlock, s.tq - i0), k0, n};
      block_pair(a, at, mine, dq + i0 * s.d, k0 == begin);
    }
    if (a.dk)
      put_rows(mine.dk, n, s.d, head_row<T>(a.dk, b, h, k0, s.tk, s.heads, s.d), s.heads * s.d, a.accumulate_dk);
    if (a.dv)
      put_rows(mine.dv, n, s.dv, head_row<T>(a.dv, b, h, k0, s.tk, s.heads, s.dv), s.heads * s.dv, a.accumulate_dv);
  }
}

// dQ of one block of queries: the chunks' shares in order, times scale.
template <class T>
void add_shares(const AttentionBackwardArgs& a, int64_t b, int64_t h, int64_t block, const T* shares, int64_t chunks) {
  const AttentionShape& s = a.shape;
  const int64_t i0 = block * kQueryBlock, chunk = chunk_keys<T>(s);
  T* dq = head_row<T>(a.dq, b, h, i0, s.tq, s.heads, s.d);
  for (int64_t r = 0; r < min_of(kQueryBlock, s.tq - i0); ++r)
    each_vector<T>(s.d, [&](int64_t j, int64_t lanes) {
      Vec<T> sum{};
      for (int64_t c = 0; c < chunks && c * chunk < s.tk && first_query_block(s, c * chunk) <= block; ++c)
        sum += load_part(shares + (c * s.tq + i0 + r) * s.d + j, lanes);
      sum *= static_cast<T>(a.scale);
      T* to = dq + r * s.heads * s.d + j;
      if (a.accumulate_dq) sum += load_part(to, lanes);
      store_part<T>(to, sum, lanes);
    });
}

template <class T>
void backward_as(const AttentionBackwardArgs& a) {
  const AttentionShape& s = a.shape;
  const int64_t all = s.batch * s.heads, chunks = key_chunks<T>(s), chunk = chunk_keys<T>(s);
  const int64_t query_blocks = ceil_div(s.tq, kQueryBlock), share = s.tq * s.d, worker_size = worker_elements<T>(s);
  T* workers = static_cast<T*>(a.scratch);
  T* shares = workers + a.threads * worker_size;  // of dQ: by worker with one chunk a head, else by head and chunk
  parallel_for(a.threads, all * chunks, 1, [&](int64_t task, int64_t, int worker) {
    const int64_t b = task / chunks / s.heads, h = task / chunks % s.heads, begin = task % chunks * chunk;
    T* dq = shares + (chunks == 1 ? worker : task) * share;
    key_chunk(a, b, h, begin, min_of(s.tk, begin + chunk), dq, workers + worker * worker_size);
    if (chunks == 1 && a.dq)
      for (int64_t block = 0; block < query_blocks; ++block) add_shares(a, b, h, block, dq, 1);
  });
  if (chunks == 1 || !a.dq) return;
  parallel_for(a.threads, all * query_blocks, 1, [&](int64_t task, int64_t, int) {
    const int64_t head = task / query_blocks;
    add_shares(a, head / s.heads, head % s.heads, task % query_blocks, shares + head * chunks * share, chunks);
  });
}

template <class T>
int64_t scratch_bytes(const AttentionBackwardArgs& a) {
  const AttentionShape& s = a.shape;
  const int64_t chunks = key_chunks<T>(s), shares = chunks == 1 ? a.threads : s.batch * s.heads * chunks;
  return (a.threads * worker_elements<T>(s) + shares * s.tq * s.d) * static_cast<int64_t>(sizeof(T));
}

}  // namespace

void attention_backward(const AttentionBackwardArgs& a) {
  if (a.shape.batch == 0 || a.shape.heads == 0) return;
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

int64_t attention_backward_scratch(const AttentionBackwardArgs& a) {
  return a.shape.dtype == DType::f64 ? scratch_bytes<double>(a) : scratch_bytes<float>(a);
}

}  // namespace dlbd::DLBD_ISA
