// C = act(op(A) op(B) + bias).
#include "../shapes/gemm.h"

#include "../shapes/kernels.h"
#include "activation.h"
#include "gemm_core.h"
#include "parallel.h"

namespace dlbd::DLBD_ISA {
namespace {

// Where one matrix of the batch lies.
template <class T>
struct Operands {
  Rows<T> a;
  const T* b;
  int64_t b_row, b_column;
  T* c;
};

template <class T>
Operands<T> operands(const GemmArgs& args, int64_t batch) {
  const GemmShape& s = args.shape;
  Operands<T> o;
  o.a = {static_cast<const T*>(args.a) + batch * s.a_stride, s.trans_a ? 1 : s.k, s.trans_a ? s.m : 1};
  o.b = static_cast<const T*>(args.b) + batch * s.b_stride;
  o.b_row = s.trans_b ? 1 : s.n, o.b_column = s.trans_b ? s.k : 1;
  o.c = static_cast<T*>(args.c) + batch * s.c_stride;
  return o;
}

// Any dtype and any sizes, vectorised over N: the reference that the other paths are tested against.
template <class T>
void gemm_generic(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  parallel_for(args.threads, s.batch * s.m, 8, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const Operands<T> o = operands<T>(args, row / s.m);
      const int64_t i = row % s.m;
      const T* a = o.a.data + i * o.a.row;
      const T* bias = static_cast<const T*>(args.bias);
      T* c = o.c + i * s.n;
      for (int64_t j = 0; j < s.n; j += kLanes<T>) {
        const int64_t lanes = min_of<int64_t>(kLanes<T>, s.n - j);
        Vec<T> sum{};
        for (int64_t p = 0; p < s.k; ++p) {
          Vec<T> column{};
          if (o.b_column == 1) {
            column = load_n(o.b + p * o.b_row + j, lanes);
          } else {
            for (int64_t lane = 0; lane < lanes; ++lane) column[lane] = o.b[p * o.b_row + (j + lane) * o.b_column];
          }
          sum += splat(a[p * o.a.step]) * column;
        }
        if (args.accumulate) sum += load_n(c + j, lanes);
        if (bias) sum += load_n(bias + j, lanes);
        store_n(c + j, activate<T>(args.activation, sum), lanes);
      }
    }
  });
}

// How C is cut into tasks, and what is copied into panels. Depends on the shape alone.
struct Plan {
  int64_t m_blocks, n_blocks;  // per matrix of the batch
  int64_t block_m, block_n;
  bool pack_a, pack_b;
  int64_t round;  // steps of k that every task takes before the next ones begin
};

// Rows of A that share a packed panel of B; kDepth deep, they take a third of a megabyte of L2.
constexpr int64_t kBlockRows = 336;
// Multiply-adds that are worth a task (40 microseconds of packed work, 5 of small), and a round of tasks.
constexpr int64_t kTaskWork = 1 << 22, kSmallTaskWork = 1 << 19, kRoundWork = 1 << 25;
// Tasks beyond which no machine gains.
constexpr int64_t kEnoughTasks = 256;

Plan plan_of(const GemmShape& s) {
  Plan plan;
  const bool packed = s.path == GemmPath::packed;
  plan.pack_a = packed && s.trans_a;
  plan.pack_b = packed || s.trans_b;
  const int64_t tiles = max_of<int64_t>(1, ceil_div(s.m, kRows<float>));
  const int64_t panels = max_of<int64_t>(1, ceil_div(s.n, kPanel<float>));
  // Products that cannot overflow: the shape's constructor checked M * N * K * batch.
  const int64_t area = max_of<int64_t>(1, s.m * s.n * s.batch);
  plan.round = packed ? max_of<int64_t>(1, kRoundWork / kDepth / area) * kDepth : s.k;
  const int64_t tasks = area * min_of(s.k, plan.round) / (packed ? kTaskWork : kSmallTaskWork);
  const int64_t wanted = min_of(kEnoughTasks, tasks) / max_of<int64_t>(1, s.batch);
  plan.m_blocks = packed ? max_of<int64_t>(1, ceil_div(s.m, kBlockRows)) : 1;
  plan.n_blocks = 1;
  // Every block of rows packs B anew, so columns are split first; without packing, what there is more of.
  const auto split_rows = [&] { plan.m_blocks = min_of(tiles, max_of(plan.m_blocks, wanted / plan.n_blocks)); };
  if (!plan.pack_b && s.m > s.n) split_rows();
  plan.n_blocks = max_of<int64_t>(1, min_of(panels, ceil_div(wanted, plan.m_blocks)));
  split_rows();
  plan.block_m = ceil_div(tiles, plan.m_blocks) * kRows<float>;
  plan.block_n = ceil_div(panels, plan.n_blocks) * kPanel<float>;
  plan.m_blocks = ceil_div(s.m, plan.block_m), plan.n_blocks = ceil_div(s.n, plan.block_n);
  return plan;
}

// Scratch, in floats, each part a whole number of cache lines: a block of A, kDepth deep, and all of a round; the
// panel of B of one worker.
int64_t block_a_size(const Plan& plan) { return round_up(packed_a_size<float>(plan.block_m, kDepth), 16); }
int64_t blocks_a_size(const GemmShape& s, const Plan& plan) {
  return plan.pack_a ? s.batch * plan.m_blocks * ceil_div(min_of(plan.round, s.k), kDepth) * block_a_size(plan) : 0;
}
int64_t panel_b_size(const Plan& plan) { return plan.pack_b ? kPanel<float> * kDepth : 0; }

// Brings part t of `parts` of a panel of B into L2 while a tile is computed: its rows lie too far apart for the
// processor to see them coming.
DLBD_INLINE void prefetch_panel(const float* b, int64_t ldb, int64_t k, int64_t t, int64_t parts) {
  for (int64_t p = k * t / parts; p < k * (t + 1) / parts; ++p)
    for (int v = 0; v < kTileVectors; ++v) __builtin_prefetch(b + p * ldb + v * kLanes<float>, 0, 2);
}

// One block of C: m rows from i0, n columns from j0; the steps [first, last) of k. blocks_a: its rows of A, packed.
void multiply_block_of(const GemmArgs& args, const Plan& plan, const Operands<float>& o, int64_t i0, int64_t m,
                       int64_t j0, int64_t n, int64_t first, int64_t last, const float* blocks_a, float* panel_b) {
  const GemmShape& s = args.shape;
  const float* bias = static_cast<const float*>(args.bias);
  const RowTiles<float> tiles(m);
  int64_t p = first;
  do {
    TileCall<float> call{};
    call.k = min_of(last - p, kDepth);
    const bool final = p + call.k >= s.k;
    const Rows<float> a{o.a.data + i0 * o.a.row + p * o.a.step, o.a.row, o.a.step};
    call.a.row = plan.pack_a ? 1 : a.row, call.a.step = plan.pack_a ? kRows<float> : a.step;
    call.c.row = s.n, call.c.accumulate = p != 0 || args.accumulate;
    for (int64_t j = j0; j < j0 + n; j += kPanel<float>) {
      const float* b = o.b + p * o.b_row + j * o.b_column;
      call.b = plan.pack_b ? panel_b : b, call.ldb = plan.pack_b ? kPanel<float> : o.b_row;
      call.n = min_of<int64_t>(kPanel<float>, j0 + n - j);
      if (plan.pack_b) pack_b(b, o.b_row, o.b_column, call.k, call.n, panel_b);
      const bool prefetch = plan.pack_b && o.b_column == 1 && j + 2 * kPanel<float> <= s.n;
      call.c.bias = bias && p == 0 ? bias + j : nullptr;
      for (int64_t t = 0; t < tiles.count; ++t) {
        const int64_t i = tiles.first(t), rows = tiles.rows(t);
        call.a.data = plan.pack_a ? blocks_a + t * call.k * kRows<float> : a.data + i * a.row;
        call.c.data = o.c + (i0 + i) * s.n + j;
        if (prefetch) prefetch_panel(b + kPanel<float>, o.b_row, call.k, t, tiles.count);
        multiply_tile(rows, call);
        if (final && args.activation.kind != Activation::linear)
          activate_block(args.activation, call.c.data, s.n, rows, call.n);
      }
    }
    blocks_a += block_a_size(plan);
    p += call.k;
  } while (p < last);
}

void gemm_blocked(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  const Plan plan = plan_of(s);
  const int64_t per_matrix = plan.m_blocks * plan.n_blocks;
  float* const blocks_a = static_cast<float*>(args.scratch);
  float* const panels_b = blocks_a + blocks_a_size(s, plan);
  int64_t p = 0;
  do {
    const int64_t last = min_of(s.k, p + plan.round), depths = ceil_div(last - p, kDepth);
    if (plan.pack_a)
      parallel_for(args.threads, s.batch * plan.m_blocks * depths, 1, [&](int64_t chunk, int64_t, int) {
        const int64_t block = chunk / depths, i = block % plan.m_blocks * plan.block_m;
        const int64_t q = p + chunk % depths * kDepth;
        const Rows<float> a = operands<float>(args, block / plan.m_blocks).a;
        pack_a<float>({a.data + i * a.row + q * a.step, a.row, a.step}, min_of(plan.block_m, s.m - i),
                      min_of(kDepth, last - q), blocks_a + chunk * block_a_size(plan));
      });
    // Tasks in a row share rows of A, which stay in L2.
    parallel_for(args.threads, s.batch * per_matrix, 1, [&](int64_t task, int64_t, int worker) {
      const int64_t block = task / plan.n_blocks;
      const int64_t i = block % plan.m_blocks * plan.block_m, j = task % plan.n_blocks * plan.block_n;
      multiply_block_of(args, plan, operands<float>(args, task / per_matrix), i, min_of(plan.block_m, s.m - i), j,
                        min_of(plan.block_n, s.n - j), p, last, blocks_a + block * depths * block_a_size(plan),
                        panels_b + worker * panel_b_size(plan));
    });
    p = last;
  } while (p < s.k);
}

// Columns of a task of few rows. Its sums, 16 KB, stay in L1 while B streams by in runs of 2 KB.
constexpr int64_t kStreamColumns = 512;

// sums += A B for R rows and Steps rows of B, n columns; sums are kStreamColumns apart and may be written up to there.
template <int R, int Steps>
DLBD_INLINE void stream_steps(Rows<float> a, const float* b, int64_t ldb, int64_t n, float* sums) {
  Vec<float> x[R][Steps];
  for (int r = 0; r < R; ++r)
    for (int i = 0; i < Steps; ++i) x[r][i] = splat(a.data[r * a.row + i * a.step]);
  for (int64_t j = 0; j < n; j += kLanes<float>) {
    const bool whole = n - j >= kLanes<float>;
    Vec<float> row[Steps];
    for (int i = 0; i < Steps; ++i) row[i] = whole ? load(b + i * ldb + j) : load_n(b + i * ldb + j, n - j);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      float* to = sums + r * kStreamColumns + j;
      Vec<float> sum = load(to);
#pragma GCC unroll 4
      for (int i = 0; i < Steps; ++i) sum += x[r][i] * row[i];
      store(to, sum);
    }
  }
}

template <int R>
void stream_rows(const GemmArgs& args, bool one_bias, const Operands<float>& o, int64_t j0, int64_t n) {
  const GemmShape& s = args.shape;
  const float* bias = static_cast<const float*>(args.bias);
  alignas(64) float sums[R * kStreamColumns];
  int64_t p = 0;
  do {
    const int64_t end = min_of(s.k, p + kDepth);
    const bool first = p == 0, add = !first || args.accumulate;
    for (int r = 0; r < R; ++r) fill_zero(sums + r * kStreamColumns, round_up(n, kLanes<float>));
    const auto from = [&] { return Rows<float>{o.a.data + p * o.a.step, o.a.row, o.a.step}; };
    for (; p + 4 <= end; p += 4) stream_steps<R, 4>(from(), o.b + p * s.n + j0, s.n, n, sums);
    for (; p < end; ++p) stream_steps<R, 1>(from(), o.b + p * s.n + j0, s.n, n, sums);
    for (int r = 0; r < R; ++r)
      for (int64_t j = 0; j < n; j += kLanes<float>) {
        const int64_t lanes = min_of<int64_t>(kLanes<float>, n - j);
        float* c = o.c + r * s.n + j0 + j;
        Vec<float> sum = load(sums + r * kStreamColumns + j);
        if (first && bias) sum += one_bias ? splat(*bias) : load_n(bias + j0 + j, lanes);
        if (add) sum += load_n(c, lanes);
        store_n(c, sum, lanes);
      }
  } while (p < s.k);
  if (args.activation.kind != Activation::linear) activate_block(args.activation, o.c + j0, s.n, R, n);
}

// Rows times columns of the dot products that run together: as many sums as registers hold beside the operands.
template <int R>
inline constexpr int kDotColumns = (kTileRows * kTileVectors >= 16 && R > 1 ? 16 : 8) / (R < 3 ? R : 4);

// R rows times N columns of a transposed B, each product a vector of sums that is added up in a fixed order.
template <int R, int N>
DLBD_INLINE void dot_columns(const GemmArgs& args, bool one_bias, const Operands<float>& o, int64_t j) {
  const int64_t k = args.shape.k, ldc = args.shape.n;
  const float* const b = o.b + j * k;
  float* const c = o.c + j;
  const float* const bias = static_cast<const float*>(args.bias);
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < N; ++v)
      c[r * ldc + v] = (args.accumulate ? c[r * ldc + v] : 0.0f) + (bias ? bias[one_bias ? 0 : j + v] : 0.0f);
  for (int64_t p = 0; p < k;) {
    // Partial sums of this many vectors keep the rounding error of long sums small.
    const int64_t end = min_of(k, p + kDepth * kLanes<float>);
    Vec<float> sum[R][N] = {};
    const auto add = [&](const auto& read) {
      Vec<float> x[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) x[r] = read(o.a.data + r * o.a.row + p);
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) {
        Vec<float> y = read(b + v * k + p);
        keep_vector(y);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) sum[r][v] += x[r] * y;
      }
    };
    for (; p + kLanes<float> <= end; p += kLanes<float>) add([](const float* from) { return load(from); });
    if (p < end) add([&](const float* from) { return load_n(from, end - p); });
    p = end;
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) c[r * ldc + v] += reduce_add<float>(sum[r][v]);
  }
}

template <int R>
void dot_rows(const GemmArgs& args, bool one_bias, const Operands<float>& o, int64_t j0, int64_t n) {
  int64_t j = j0;
  for (; j + kDotColumns<R> <= j0 + n; j += kDotColumns<R>) dot_columns<R, kDotColumns<R>>(args, one_bias, o, j);
  for (; j < j0 + n; ++j) dot_columns<R, 1>(args, one_bias, o, j);
  if (args.activation.kind != Activation::linear) activate_block(args.activation, o.c + j0, args.shape.n, R, n);
}

template <int R, bool Dots>
DLBD_INLINE void few_rows_of(const GemmArgs& args, bool one_bias, const Operands<float>& o, int64_t j0, int64_t n) {
  if constexpr (R > 1)
    if (args.shape.m < R) return few_rows_of<R - 1, Dots>(args, one_bias, o, j0, n);
  if constexpr (Dots)
    dot_rows<R>(args, one_bias, o, j0, n);
  else
    stream_rows<R>(args, one_bias, o, j0, n);
}

// Columns of dot products that a task takes at least, and the multiply-adds of any task of few rows (5 microseconds).
constexpr int64_t kDotTask = 128, kFewRowsWork = 1 << 17;

template <int Rows, bool Dots>
void gemm_few_rows(const GemmArgs& args, bool one_bias) {
  constexpr int64_t kColumns = Dots ? kDotTask : kStreamColumns;
  const GemmShape& s = args.shape;
  const int64_t blocks = ceil_div(s.n, kColumns);
  const int64_t grain = max_of<int64_t>(1, kFewRowsWork / kColumns / max_of<int64_t>(1, s.m * s.k));
  parallel_for(args.threads, s.batch * blocks, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t j = block % blocks * kColumns;
      few_rows_of<Rows, Dots>(args, one_bias, operands<float>(args, block / blocks), j, min_of(kColumns, s.n - j));
    }
  });
}

// One column is one row of the transposed product, and its bias that of every column there.
GemmArgs transposed(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  GemmArgs t = args;
  t.a = args.b, t.b = args.a;
  t.shape.m = s.n, t.shape.n = s.m;
  t.shape.trans_a = !s.trans_b, t.shape.trans_b = !s.trans_a;
  t.shape.a_stride = s.b_stride, t.shape.b_stride = s.a_stride;
  return t;
}

// The products of the skinny path that need no copies: B is read once, at the speed of memory.
enum class FewRows { no, stream, dots };

FewRows few_rows(const GemmShape& s) {
  if (s.path != GemmPath::skinny) return FewRows::no;
  if (!s.trans_b) return s.m <= kGemmStreamRows ? FewRows::stream : FewRows::no;
  return s.m <= kGemmDotRows && (!s.trans_a || s.m == 1) ? FewRows::dots : FewRows::no;
}

bool one_column(const GemmShape& s) { return s.path == GemmPath::skinny && s.n == 1; }

}  // namespace

int64_t gemm_scratch(const GemmArgs& args) {
  const GemmShape& s = args.shape;
  if (s.path == GemmPath::generic || one_column(s) || few_rows(s) != FewRows::no) return 0;
  const Plan plan = plan_of(s);
  return (blocks_a_size(s, plan) + args.threads * panel_b_size(plan)) * static_cast<int64_t>(sizeof(float));
}

void gemm(const GemmArgs& args) {
  if (args.shape.m == 0 || args.shape.n == 0) return;
  if (args.shape.dtype == DType::f64) return gemm_generic<double>(args);
  if (args.shape.path == GemmPath::generic) return gemm_generic<float>(args);
  const bool turn = one_column(args.shape);
  const GemmArgs& turned = turn ? transposed(args) : args;
  switch (few_rows(turned.shape)) {
    case FewRows::stream: return gemm_few_rows<kGemmStreamRows, false>(turned, turn);
    case FewRows::dots: return gemm_few_rows<kGemmDotRows, true>(turned, turn);
    case FewRows::no: return gemm_blocked(args);
  }
}

}  // namespace dlbd::DLBD_ISA
