// Recurrent layers, backward: one kernel goes back through time for the gradients of all gates, by the same paths as
// forward; then the gradients of inputs and kernels are products over all steps at once, and that of the bias a sum.
#include "rnn_paths.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256, kPlainThreads = 128;
constexpr int kPlainArrays = 3 + kMostGates;  // of a row: back, carry, dc, the gates' gradients

// A block takes a row back through time.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) plain_backward_kernel(RnnBackward<T> f, T* memory) {
  const int tid = static_cast<int>(threadIdx.x), units = f.units;
  const int64_t columns = static_cast<int64_t>(f.gates) * units;
  for (int64_t b = blockIdx.x; b < f.batch; b += gridDim.x) {
    T* back = memory + b * kPlainArrays * units;
    T *carry = back + units, *dc = carry + units, *d = dc + units;
    for (int j = tid; j < units; j += kPlainThreads) {
      carry[j] = f.last_state(f.dh_last, b * units + j), dc[j] = f.last_state(f.dc_last, b * units + j);
      for (int64_t g = 0; g < kMostGates; ++g) d[g * units + j] = T(0);
    }
    __syncthreads();
    for (int64_t s = f.steps - 1; s >= f.last_step(); --s) {
      const bool live = s >= 0 && f.live(b, s);
      for (int phase = 0; phase < (s < 0 ? 1 : phases_of(f.cell)); ++phase) {
        for (int j = tid; j < units; j += kPlainThreads) {
          T sum = T(0);
          for (int g = 0; g < f.gates; ++g) {
            if (phase_of(f.cell, g) != phase) continue;
            const T* row = f.u + j * columns + static_cast<int64_t>(g) * units;
            const T* operand = d + static_cast<int64_t>(g) * units;
            for (int k = 0; k < units; ++k) sum += operand[k] * row[k];
          }
          back[j] = sum;
        }
        __syncthreads();
        for (int j = tid; j < units; j += kPlainThreads) {
          BackwardUnit<T> x{};
          x.back = back[j], x.carry = carry[j], x.dc = dc[j];
          if (s < 0) {
            finish_states(f, b, j, x.back + x.carry, x.dc);
            continue;
          }
#pragma unroll
          for (int v = 0; v < kBackwardValues; ++v) {
            const T* value = backward_value(f, v, b, s, j);
            x.v[v] = value ? *value : T(0);
          }
          step_back(f, phase, live, x);
          note(f, phase, b, s, j, x);
          carry[j] = x.carry, dc[j] = x.dc;
#pragma unroll
          for (int g = 0; g < kMostGates; ++g)
            if (phase == 0 || g == 1) d[static_cast<int64_t>(g) * units + j] = x.d[g];
        }
        __syncthreads();
      }
    }
  }
}

// Sums over the rows of an array (rows, columns): first of each chunk of rows, then of the chunks.
constexpr int kSumColumns = 32, kSumHeight = kThreads / kSumColumns;
constexpr int64_t kSumChunk = 512;

template <class T>
struct SumShared {
  T slots[kSumHeight][kSumColumns];
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    sum_rows_kernel(int64_t rows, int64_t columns, int64_t chunk, const T* x, T* sums, bool accumulate) {
  auto& m = shared<SumShared<T>>();
  const int lane = static_cast<int>(threadIdx.x) % kSumColumns, height = static_cast<int>(threadIdx.x) / kSumColumns;
  const int64_t groups = ceil_div(columns, kSumColumns), part = blockIdx.x / groups;
  const int64_t column = blockIdx.x % groups * kSumColumns + lane;
  const int64_t end = (part + 1) * chunk < rows ? (part + 1) * chunk : rows;
  T sum = T(0);
  if (column < columns)
    for (int64_t i = part * chunk + height; i < end; i += kSumHeight) sum += x[i * columns + column];
  m.slots[height][lane] = sum;
  __syncthreads();
  if (height != 0 || column >= columns) return;
#pragma unroll
  for (int i = 1; i < kSumHeight; ++i) sum += m.slots[i][lane];
  T* to = sums + part * columns + column;
  *to = accumulate ? *to + sum : sum;
}

// du of gru_reset_before: the candidate's columns come from a product with r * state.
template <class T>
__global__ void __launch_bounds__(kThreads)
    join_kernel(int64_t units, const T* products, const T* candidate, T* du, bool accumulate) {
  const int64_t columns = 3 * units, n = units * columns;
  for (int64_t i = global_thread(); i < n; i += global_threads()) {
    const int64_t row = i / columns, column = i % columns;
    const T value = column < 2 * units ? products[i] : candidate[row * units + column - 2 * units];
    du[i] = accumulate ? du[i] + value : value;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) pass_kernel(int64_t n, const T* from, T* to, bool accumulate) {
  for (int64_t i = global_thread(); i < n; i += global_threads()) {
    const T given = from ? from[i] : T(0);
    to[i] = accumulate ? to[i] + given : given;
  }
}

template <class T>
RnnBackward<T> describe(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnBackward<T> f{};
  f.cell = s.cell, f.activation = a.activation, f.reverse = a.reverse;
  f.gates = gates_of(s.cell), f.saved = saved_of(s.cell), f.units = static_cast<int>(s.units);
  f.batch = s.batch, f.steps = s.steps;
  f.u = static_cast<const T*>(a.u), f.mask = a.mask;
  f.kept = static_cast<const T*>(a.reserve);
  f.h_before = f.kept + s.batch * s.steps * s.saved * s.units;
  f.c_before = s.cell == RnnCell::lstm ? f.h_before + s.batch * s.steps * s.units : nullptr;
  f.dy = static_cast<const T*>(a.dy);
  f.dh_last = static_cast<const T*>(a.dh_last), f.dc_last = static_cast<const T*>(a.dc_last);
  f.dh0 = static_cast<T*>(a.dh0), f.dc0 = static_cast<T*>(a.dc0);
  f.accumulate_dh0 = a.accumulate_dh0, f.accumulate_dc0 = a.accumulate_dc0;
  return f;
}

template <class T>
struct BackwardMemory {
  RnnWay way;
  AlonePlan alone;
  TeamPlan plan;
  T* plain;
  TeamBackwardMemory team;
  StepBackwardMemory steps;
  T* sums;      // of the chunks of rows
  T* products;  // gru_reset_before: du as a product with the states, and with r * state
  T* candidate;
  GemmArgs dx, dw, du, du_candidate;
  void* gemm;
  int64_t bytes;
};

// Sets the arrays of f that lie in scratch memory, too.
template <class T>
BackwardMemory<T> cut(const RnnBackwardArgs& a, RnnBackward<T>& f) {
  const RnnShape& s = a.shape;
  const int64_t steps = s.batch * s.steps;
  const bool split = s.cell == RnnCell::gru_reset_before;
  BackwardMemory<T> m{};
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  f.d_input = f.d_recurrent = cutter.take<T>(steps * s.columns);
  if (s.cell == RnnCell::gru) f.d_recurrent = cutter.take<T>(steps * s.columns);
  if (split) {
    f.d_candidate = cutter.take<T>(steps * s.units), f.gated = cutter.take<T>(steps * s.units);
    if (a.du) m.products = cutter.take<T>(s.units * s.columns), m.candidate = cutter.take<T>(s.units * s.units);
  }
  m.alone = plan_backward_rows(s);
  const TeamWork work = backward_team_work(s);
  m.plan = plan_team(work, device());
  m.way = choose_way(s, m.alone, work, m.plan);
  if (m.way == RnnWay::plain) m.plain = cutter.take<T>(s.batch * kPlainArrays * s.units);
  if (m.way == RnnWay::team) m.team = cut_backward_team(s, m.plan, cutter);
  if (m.way == RnnWay::steps) m.steps = cut_backward_steps(a, cutter);
  if (a.db) m.sums = cutter.take<T>(ceil_div(steps, kSumChunk) * s.columns);
  m.dx = product_over_steps(a, s.dtype, steps, s.inputs, s.columns, false, true);
  m.dw = product_over_steps(a, s.dtype, s.inputs, s.columns, steps, true, false);
  m.du = product_over_steps(a, s.dtype, s.units, s.columns, steps, true, false);
  m.du_candidate = product_over_steps(a, s.dtype, s.units, s.units, steps, true, false);
  int64_t most = m.steps.gemm_bytes;
  for (const GemmArgs* g : {&m.dx, &m.dw, &m.du, &m.du_candidate}) most = larger(most, gemm_scratch(*g));
  m.gemm = cutter.take<char>(most);
  m.bytes = cutter.used;
  return m;
}

template <class T>
void back_through_time(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  if constexpr (sizeof(T) == 4) {
    if (m.way == RnnWay::rows) return backward_rows(a, f, m.alone);
    if (m.way == RnnWay::team) return backward_team(a, f, m.plan, m.team);
    if (m.way == RnnWay::steps) return backward_steps(a, f, m.steps, m.gemm);
  }
  launch(plain_backward_kernel<T>, Grid{blocks_for(f.batch), kPlainThreads}, stream_of(a), f, m.plain);
}

// db from the gradients of one side.
template <class T>
void sum_bias(const RnnBackwardArgs& a, const BackwardMemory<T>& m, const T* gradients, T* db) {
  const int64_t rows = a.shape.batch * a.shape.steps, columns = a.shape.columns, chunks = ceil_div(rows, kSumChunk);
  const auto sum = [&](int64_t parts, int64_t n, int64_t chunk, const T* from, T* to, bool accumulate) {
    const Grid grid{static_cast<unsigned>(parts * ceil_div(columns, kSumColumns)), kThreads, sizeof(SumShared<T>)};
    launch(sum_rows_kernel<T>, grid, stream_of(a), n, columns, chunk, from, to, accumulate);
  };
  sum(chunks, rows, kSumChunk, gradients, m.sums, false);
  sum(1, chunks, chunks, m.sums, db, a.accumulate_db);
}

// No step: the gradients of the last states pass through, all others are zero.
template <class T>
void no_steps(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  const auto pass = [&](void* to, const void* from, int64_t n, bool accumulate) {
    if (to)
      launch(pass_kernel<T>, Grid{blocks_for(ceil_div(n, kThreads)), kThreads}, stream_of(a), n,
             static_cast<const T*>(from), static_cast<T*>(to), accumulate);
  };
  pass(a.dh0, a.dh_last, s.batch * s.units, a.accumulate_dh0);
  pass(a.dc0, a.dc_last, s.batch * s.units, a.accumulate_dc0);
  pass(a.dx, nullptr, s.batch * s.steps * s.inputs, a.accumulate_dx);
  pass(a.db, nullptr, s.bias_rows * s.columns, a.accumulate_db);
  pass(a.dw, nullptr, s.inputs * s.columns, a.accumulate_dw);
  pass(a.du, nullptr, s.units * s.columns, a.accumulate_du);
}

template <class T>
void backward(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  if (s.batch == 0 || s.steps == 0 || s.units == 0) return no_steps<T>(a);
  RnnBackward<T> f = describe<T>(a);
  const BackwardMemory<T> m = cut(a, f);
  back_through_time(a, f, m);
  // In the order that the accumulate flags were given for: one array may be several of the results.
  if (a.dx) run_product(m.dx, f.d_input, a.w, nullptr, a.dx, a.accumulate_dx, m.gemm);
  if (a.db) {
    T* db = static_cast<T*>(a.db);
    sum_bias(a, m, f.d_input, db);
    if (s.bias_rows == 2) sum_bias(a, m, f.d_recurrent, db + s.columns);
  }
  if (a.dw) run_product(m.dw, a.x, f.d_input, nullptr, a.dw, a.accumulate_dw, m.gemm);
  if (!a.du) return;
  if (s.cell != RnnCell::gru_reset_before)
    return run_product(m.du, f.h_before, f.d_recurrent, nullptr, a.du, a.accumulate_du, m.gemm);
  run_product(m.du, f.h_before, f.d_recurrent, nullptr, m.products, false, m.gemm);
  run_product(m.du_candidate, f.gated, f.d_candidate, nullptr, m.candidate, false, m.gemm);
  launch(join_kernel<T>, Grid{blocks_for(ceil_div(s.units * s.columns, kThreads)), kThreads}, stream_of(a), s.units,
         m.products, m.candidate, static_cast<T*>(a.du), a.accumulate_du);
}

template <class T>
int64_t scratch_bytes(const RnnBackwardArgs& a) {
  if (a.shape.batch == 0 || a.shape.steps == 0 || a.shape.units == 0) return 0;
  RnnBackward<T> f = describe<T>(a);
  return cut(a, f).bytes;
}

}  // namespace

int64_t rnn_backward_scratch(const RnnBackwardArgs& a) {
  return a.shape.dtype == DType::f64 ? scratch_bytes<double>(a) : scratch_bytes<float>(a);
}

void rnn_backward(const RnnBackwardArgs& a) { a.shape.dtype == DType::f64 ? backward<double>(a) : backward<float>(a); }

}  // namespace dlbd::cuda
