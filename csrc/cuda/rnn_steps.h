// Layers whose recurrent weights fit on no team of blocks, and large batches: every step is a product by this twin's
// gemm and a kernel for what follows it.
#pragma once

#include "rnn_cells.h"
#include "rnn_products.h"

namespace dlbd::cuda {

inline constexpr int kStepThreads = 128;

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
inline Grid step_grid(int64_t batch, int64_t units) {
  return {static_cast<unsigned>(batch * ceil_div(units, kStepThreads)), kStepThreads};
}

// gemm takes whole matrices: columns [first, first + count) of a kernel, apart.
inline __global__ void __launch_bounds__(kStepThreads)
    take_columns_kernel(int64_t rows, int64_t columns, int64_t first, int64_t count, const float* from, float* to) {
  for (int64_t i = global_thread(); i < rows * count; i += global_threads())
    to[i] = from[i / count * columns + first + i % count];
}

// The recurrent weights of each phase: u itself, or its parts in scratch memory.
struct StepWeights {
  const float* of[2];
};

struct StepForwardMemory {
  float* parts;     // gru_reset_before: u in two parts
  float* products;  // (B, gates of the phase, units)
  float* gated;     // gru_reset_before: r * state and the update gate, (B, units)
  float* update;
  GemmArgs gemm[2];  // by phase
};

struct StepBackwardMemory {
  float* parts;
  float* products;   // (B, units)
  float* gradients;  // of a step's gates of phase 0, (B, gates, units)
  float* candidate;  // gru_reset_before: of the gate of phase 1
  float* carry;      // (B, units)
  float* dc;
  GemmArgs gemm[2];
};

inline StepWeights step_weights(const LaunchArgs& a, RnnCell cell, int64_t units, const float* u, float* parts) {
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
inline __global__ void __launch_bounds__(kStepThreads) begin_forward_kernel(RnnForward<float> f) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit;
  const float h = f.first_state(f.h0, own), c = f.first_state(f.c0, own);
  f.h_last[own] = h;
  if (f.c_last) f.c_last[own] = c;
  emit(f, at.b, -1, at.unit, h, c);
}

inline __global__ void __launch_bounds__(kStepThreads)
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

inline __global__ void __launch_bounds__(kStepThreads)
    begin_backward_kernel(RnnBackward<float> f, float* carry, float* dc) {
  const StepSpot at(f.units);
  if (at.unit >= f.units) return;
  const int64_t own = at.b * f.units + at.unit;
  carry[own] = f.last_state(f.dh_last, own), dc[own] = f.last_state(f.dc_last, own);
}

// s = -1 is what lies before the first step; no products behind the last one.
inline __global__ void __launch_bounds__(kStepThreads)
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

}  // namespace dlbd::cuda
