// Recurrent layers, forward: the inputs of all steps as one product, then one kernel for the whole time loop. Layers of
// few units go by rows (rnn_alone.h), wider ones by teams of blocks (rnn_team.h), still wider ones and large batches by
// products of single steps (rnn_steps.cu), float64 by a plain loop.
#include "rnn_paths.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256, kPlainThreads = 128;
constexpr int kPlainArrays = 3 + kMostGates;  // of a row: the state, r * state, the cell, the slots

// A block takes a row through time; its state lies in global memory.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) plain_forward_kernel(RnnForward<T> f, T* memory) {
  const int tid = static_cast<int>(threadIdx.x), units = f.units;
  const int64_t columns = static_cast<int64_t>(f.gates) * units;
  for (int64_t b = blockIdx.x; b < f.batch; b += gridDim.x) {
    T* h = memory + b * kPlainArrays * units;
    T *gated = h + units, *c = gated + units, *slots = c + units;
    for (int j = tid; j < units; j += kPlainThreads) {
      h[j] = f.first_state(f.h0, b * units + j), c[j] = f.first_state(f.c0, b * units + j);
      emit(f, b, -1, j, h[j], c[j]);
    }
    __syncthreads();
    for (int64_t s = 0; s < f.steps; ++s) {
      const int64_t at = f.position(b, s);
      const bool live = f.live(b, s);
      for (int phase = 0; phase < phases_of(f.cell); ++phase) {
        for (int64_t column = tid; column < columns; column += kPlainThreads) {
          const int gate = static_cast<int>(column / units), j = static_cast<int>(column % units);
          if (phase_of(f.cell, gate) != phase) continue;
          const T* operand = phase == 0 ? h : gated;
          T sum = f.bias(gate, j);
          for (int k = 0; k < units; ++k) sum += operand[k] * f.u[k * columns + column];
          const int slot = slot_of(f.cell, gate);
          const T input = f.inputs[at * columns + column];
          slots[static_cast<int64_t>(slot) * units + j] = slot == gate ? sum + input : sum;
          if (slot != gate) slots[static_cast<int64_t>(gate) * units + j] = input;
        }
        __syncthreads();
        for (int j = tid; j < units; j += kPlainThreads) {
          ForwardUnit<T> x;
          for (int i = 0; i < kMostGates; ++i) x.z[i] = slots[static_cast<int64_t>(i) * units + j];
          x.h = h[j], x.c = c[j], x.gated = T(0);
          if (live) finish_cell(f, phase, x, f.kept ? f.kept + at * f.saved * units + j : nullptr);
          if (phase + 1 < phases_of(f.cell)) {
            slots[j] = x.z[0], gated[j] = x.gated;
          } else {
            h[j] = x.h, c[j] = x.c;
            emit(f, b, s, j, x.h, x.c);
          }
        }
        __syncthreads();
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) first_states_kernel(int64_t n, const T* given, T* last) {
  for (int64_t i = global_thread(); i < n; i += global_threads()) last[i] = given ? given[i] : T(0);
}

template <class T>
RnnForward<T> describe(const RnnForwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnForward<T> f{};
  f.cell = s.cell, f.activation = a.activation, f.reverse = a.reverse;
  f.gates = gates_of(s.cell), f.saved = saved_of(s.cell), f.units = static_cast<int>(s.units);
  f.batch = s.batch, f.steps = s.steps;
  f.u = static_cast<const T*>(a.u), f.h0 = static_cast<const T*>(a.h0), f.c0 = static_cast<const T*>(a.c0);
  if (a.bias && s.bias_rows == 2) f.recurrent_bias = static_cast<const T*>(a.bias) + s.columns;
  f.mask = a.mask, f.y = static_cast<T*>(a.y);
  f.h_last = static_cast<T*>(a.h_last), f.c_last = static_cast<T*>(a.c_last);
  if (a.reserve) {
    const int64_t steps = s.batch * s.steps;
    f.kept = static_cast<T*>(a.reserve);
    f.h_before = f.kept + steps * s.saved * s.units;
    if (s.cell == RnnCell::lstm) f.c_before = f.h_before + steps * s.units;
  }
  return f;
}

template <class T>
struct ForwardMemory {
  RnnWay way;
  AlonePlan alone;
  TeamPlan plan;
  GemmArgs inputs_gemm;
  T* inputs;
  T* plain;
  TeamForwardMemory team;
  StepForwardMemory steps;
  void* gemm;
  int64_t bytes;
};

template <class T>
ForwardMemory<T> cut(const RnnForwardArgs& a) {
  const RnnShape& s = a.shape;
  ForwardMemory<T> m{};
  if (s.batch == 0 || s.steps == 0 || s.units == 0) return m;
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  m.alone = plan_forward_rows(s);
  const TeamWork work = forward_team_work(s);
  m.plan = plan_team(work, device());
  m.way = choose_way(s, m.alone, work, m.plan);
  // The gates that backward wants take the place of the inputs where there are as many of them.
  const bool in_place = a.reserve && gates_of(s.cell) == saved_of(s.cell);
  m.inputs = in_place ? static_cast<T*>(a.reserve) : cutter.take<T>(s.batch * s.steps * s.columns);
  if (m.way == RnnWay::plain) m.plain = cutter.take<T>(s.batch * kPlainArrays * s.units);
  if (m.way == RnnWay::team) m.team = cut_forward_team(s, m.plan, cutter);
  if (m.way == RnnWay::steps) m.steps = cut_forward_steps(a, cutter);
  m.inputs_gemm = product_over_steps(a, s.dtype, s.batch * s.steps, s.columns, s.inputs, false, false);
  m.gemm = cutter.take<char>(larger(gemm_scratch(m.inputs_gemm), m.steps.gemm_bytes));
  m.bytes = cutter.used;
  return m;
}

template <class T>
void forward(const RnnForwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnForward<T> f = describe<T>(a);
  if (s.batch == 0 || s.steps == 0 || s.units == 0) {
    const int64_t n = s.batch * s.units;
    const Grid grid{blocks_for(ceil_div(n, kThreads)), kThreads};
    launch(first_states_kernel<T>, grid, stream_of(a), n, f.h0, f.h_last);
    if (f.c_last) launch(first_states_kernel<T>, grid, stream_of(a), n, f.c0, f.c_last);
    return;
  }
  const ForwardMemory<T> m = cut<T>(a);
  run_product(m.inputs_gemm, a.x, a.w, a.bias, m.inputs, false, m.gemm);
  f.inputs = m.inputs;
  if constexpr (sizeof(T) == 4) {
    if (m.way == RnnWay::rows) return forward_rows(a, f, m.alone);
    if (m.way == RnnWay::team) return forward_team(a, f, m.plan, m.team);
    if (m.way == RnnWay::steps) return forward_steps(a, f, m.steps, m.gemm);
  }
  launch(plain_forward_kernel<T>, Grid{blocks_for(s.batch), kPlainThreads}, stream_of(a), f, m.plain);
}

}  // namespace

int64_t rnn_forward_scratch(const RnnForwardArgs& a) {
  return a.shape.dtype == DType::f64 ? cut<double>(a).bytes : cut<float>(a).bytes;
}

void rnn_forward(const RnnForwardArgs& a) { a.shape.dtype == DType::f64 ? forward<double>(a) : forward<float>(a); }

}  // namespace dlbd::cuda
