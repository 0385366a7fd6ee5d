// The recurrent layers by steps, forward and backward: layers whose recurrent weights fit on no team of blocks, and
// large batches: every step is a product by this twin's gemm and a kernel for what follows it.
#include "rnn_paths.h"

namespace dlbd::cuda {
namespace {

constexpr int kStepThreads = 128;

// The gates of a phase: all of them, but for gru_reset_before whose last one is late.
constexpr int gates_in(RnnCell cell, int phase) {
  const int late = phases_of(cell) == 2 ? 1 : 0;
  return phase == 1 ? late : gates_of(cell) - late;
}

// A block takes kStepThreads units of one row.
struct StepSpot {
  int64_t b;
  int unit;
  __device__ explicit StepSpot(int units) {
    const int64_t chunks = ceil_div(units, kStepThreads);
    b = blockIdx.x / chunks;
    unit = static_cast<int>(blockIdx.x % chunks) * kStepThreads + static_cast<int>(threadIdx.x);
  }
};
Grid step_grid(int64_t batch, int64_t units) {
  return {static_cast<unsigned>(batch * ceil_div(units, kStepThreads)), kStepThreads};
}

// gemm takes whole matrices: columns [first, first + count) of a kernel, apart.
__global__ void __launch_bounds__(kStepThreads)
    take_columns_kernel(int64_t rows, int64_t columns, int64_t first, int64_t count, const float* from, float* to) {
  for (int64_t i = global_thread(); i < rows * count; i += global_threads())
    to[i] = from[i / count * columns + first + i % count];
}

// The recurrent weights of each phase: u itself, or its parts in scratch memory.
struct StepWeights {
  const float* of[2];
};

StepWeights step_weights(const LaunchArgs& a, RnnCell cell, int64_t units, const float* u, float* parts) {
  if (phases_of(cell) == 1) return {{u, nullptr}};
  const int64_t columns = 3 * units, early = 2 * units;
  const auto take = [&](int64_t first, int64_t count, float* to) {
    launch(take_columns_kernel, Grid{blocks_for(ceil_div(units * count, kStepThreads)), kStepThreads}, stream_of(a),
           units, columns, first, count, u, to);
  };
  take(0, early, parts), take(early, units, parts + units * early);
  return {{parts, parts + units * early}};
}

// The running states are h_last and c_last.
__global__ void __launch_bounds__(kStepThreads) begin_forward_kernel(RnnForward<float> f) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit;
  const float h = f.first_state(f.h0, own), c = f.first_state(f.c0, own);
  f.h_last[own] = h;
  if (f.c_last) f.c_last[own] = c;
  emit(f, at.b, -1, at.unit, h, c);
}

__global__ void __launch_bounds__(kStepThreads)
    forward_step_kernel(RnnForward<float> f, int64_t s, int phase, const float* products, float* gated, float* update) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit, step = f.position(at.b, s);
  const bool split = phases_of(f.cell) == 2;
  const int first = phase == 1 ? 2 : 0, count = split ? 2 - phase : f.gates;
  ForwardUnit<float> x{};
  x.h = f.h_last[own];
  if (f.c_last) x.c = f.c_last[own];
  if (phase == 1) x.z[0] = update[own];
#pragma unroll
  for (int g = 0; g < kMostGates; ++g) {
    if (g < first || g >= first + count) continue;
    const float input = f.inputs[(step * f.gates + g) * f.units + at.unit];
    const float product = products[(at.b * count + g - first) * f.units + at.unit] + f.bias(g, at.unit);
    const bool apart = slot_of(f.cell, g) != g;
    x.z[g] = apart ? input : product + input;
    if (apart) x.z[kMostGates - 1] = product;
  }
  if (f.live(at.b, s)) finish_cell(f, phase, x, f.kept ? f.kept + step * f.saved * f.units + at.unit : nullptr);
  if (split && phase == 0) {
    gated[own] = x.gated, update[own] = x.z[0];
    return;
  }
  f.h_last[own] = x.h;
  if (f.c_last) f.c_last[own] = x.c;
  emit(f, at.b, s, at.unit, x.h, x.c);
}

__global__ void __launch_bounds__(kStepThreads) begin_backward_kernel(RnnBackward<float> f, float* carry, float* dc) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit;
  carry[own] = f.last_state(f.dh_last, own), dc[own] = f.last_state(f.dc_last, own);
}

// s = -1 is what lies before the first step; no products behind the last one.
__global__ void __launch_bounds__(kStepThreads)
    backward_step_kernel(RnnBackward<float> f, int64_t s, int phase, const float* products, float* gradients,
                         float* candidate, float* carry, float* dc) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit;
  BackwardUnit<float> x{};
  x.back = products ? products[own] : 0.0f;
  x.carry = carry[own], x.dc = dc[own];
  if (s < 0) return finish_states(f, at.b, at.unit, x.back + x.carry, x.dc);
#pragma unroll
  for (int v = 0; v < kBackwardValues; ++v)
    if (const float* value = backward_value(f, v, at.b, s, at.unit)) x.v[v] = *value;
  step_back(f, phase, f.live(at.b, s), x);
  note(f, phase, at.b, s, at.unit, x);
  carry[own] = x.carry, dc[own] = x.dc;
  const bool split = phases_of(f.cell) == 2;
  const int count = split ? 2 : f.gates;
#pragma unroll
  for (int g = 0; g < kMostGates; ++g)
    if (g < count && (!split || g == phase)) gradients[(at.b * count + g) * f.units + at.unit] = x.d[g];
  if (split && phase == 0) candidate[own] = x.d[2];
}

}  // namespace

StepForwardMemory cut_forward_steps(const RnnForwardArgs& a, ScratchCutter& cutter) {
  StepForwardMemory m{};
  const RnnShape& s = a.shape;
  m.products = cutter.take<float>(s.batch * s.columns);
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm[phase] = product_over_steps(a, s.dtype, s.batch, gates_in(s.cell, phase) * s.units, s.units, false, false);
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm_bytes = larger(m.gemm_bytes, gemm_scratch(m.gemm[phase]));
  if (phases_of(s.cell) == 1) return m;
  m.parts = cutter.take<float>(s.units * s.columns);
  m.gated = cutter.take<float>(s.batch * s.units), m.update = cutter.take<float>(s.batch * s.units);
  return m;
}

StepBackwardMemory cut_backward_steps(const RnnBackwardArgs& a, ScratchCutter& cutter) {
  StepBackwardMemory m{};
  const RnnShape& s = a.shape;
  const int64_t states = s.batch * s.units;
  m.products = cutter.take<float>(states), m.carry = cutter.take<float>(states), m.dc = cutter.take<float>(states);
  m.gradients = cutter.take<float>(states * gates_in(s.cell, 0));
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm[phase] = product_over_steps(a, s.dtype, s.batch, s.units, gates_in(s.cell, phase) * s.units, false, true);
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm_bytes = larger(m.gemm_bytes, gemm_scratch(m.gemm[phase]));
  if (phases_of(s.cell) == 1) return m;
  m.parts = cutter.take<float>(s.units * s.columns), m.candidate = cutter.take<float>(states);
  return m;
}

void forward_steps(const RnnForwardArgs& a, const RnnForward<float>& f, const StepForwardMemory& m,
                   void* gemm_scratch) {
  const StepWeights weights = step_weights(a, f.cell, f.units, f.u, m.parts);
  const Grid grid = step_grid(f.batch, f.units);
  launch(begin_forward_kernel, grid, stream_of(a), f);
  for (int64_t s = 0; s < f.steps; ++s) {
    for (int phase = 0; phase < phases_of(f.cell); ++phase) {
      const float* states = phase == 0 ? f.h_last : m.gated;
      run_product(m.gemm[phase], states, weights.of[phase], nullptr, m.products, false, gemm_scratch);
      launch(forward_step_kernel, grid, stream_of(a), f, s, phase, m.products, m.gated, m.update);
    }
  }
}

void backward_steps(const RnnBackwardArgs& a, const RnnBackward<float>& f, const StepBackwardMemory& m,
                    void* gemm_scratch) {
  const StepWeights weights = step_weights(a, f.cell, f.units, f.u, m.parts);
  const Grid grid = step_grid(f.batch, f.units);
  launch(begin_backward_kernel, grid, stream_of(a), f, m.carry, m.dc);
  const int64_t end = a.dh0 || a.dc0 ? -1 : 0;
  for (int64_t s = f.steps - 1; s >= end; --s) {
    for (int phase = 0; phase < (s < 0 ? 1 : phases_of(f.cell)); ++phase) {
      const bool behind = phase == 0 && s == f.steps - 1;  // no step
      const float* from = phase == 0 ? m.gradients : m.candidate;
      if (!behind) run_product(m.gemm[phase], from, weights.of[phase], nullptr, m.products, false, gemm_scratch);
      launch(backward_step_kernel, grid, stream_of(a), f, s, phase, behind ? nullptr : m.products, m.gradients,
             m.candidate, m.carry, m.dc);
    }
  }
}

}  // namespace dlbd::cuda
