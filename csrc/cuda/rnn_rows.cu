// The recurrent layers by rows, forward and backward: a block runs the whole time loop alone (rnn_alone.h).
#include <type_traits>

#include "rnn_alone.h"

namespace dlbd::cuda {
namespace {

template <int kRows, int kPer>
__global__ void __launch_bounds__(kMostGates* kAloneLanes) alone_forward_kernel(RnnForward<float> f, int lanes) {
  auto& m = shared<AloneForwardShared<kRows>>();
  const int tid = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int gate = tid / lanes, lane = tid % lanes, slot = slot_of(f.cell, gate);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kRows, columns = static_cast<int64_t>(f.gates) * f.units;
  AloneWeights<kPer> w;
  w.load(f.units, reinterpret_cast<float4*>(&m + 1), [&](int p, int k) {
    const int unit = lane + p * lanes;
    return k < f.units && unit < f.units ? f.u[k * columns + gate * f.units + unit] : 0.0f;
  });
  float bias[kPer];
  int64_t column[kPer];  // clamped into the gate
#pragma unroll
  for (int p = 0; p < kPer; ++p) {
    const int unit = min(lane + p * lanes, f.units - 1);
    column[p] = static_cast<int64_t>(gate) * f.units + unit;
    bias[p] = f.bias(gate, unit);
  }
  const auto row = [&](int r) { return first + r < f.batch ? first + r : f.batch - 1; };
  float now[kRows][kPer], next[kRows][kPer];  // inputs of this step and of the one after
  const auto fetch = [&](int64_t s, float(&to)[kRows][kPer]) {
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int p = 0; p < kPer; ++p) to[r][p] = f.inputs[f.position(row(r), s) * columns + column[p]];
  };
  const AlonePairs pairs(lanes * kPer);
  for (int i = tid; i < kRows * kAloneUnits; i += threads) {
    const int r = i / kAloneUnits, j = i % kAloneUnits;
    const bool mine = first + r < f.batch && j < f.units;
    const int64_t at = (first + r) * f.units + j;
    const float h = mine ? f.first_state(f.h0, at) : 0.0f, c = mine ? f.first_state(f.c0, at) : 0.0f;
    m.h[r][j] = h, m.c[r][j] = c, m.gated[r][j] = 0.0f;
    if (mine) emit(f, first + r, -1, j, h, c);
  }
  if (tid < kRows) m.live[0][tid] = f.live(row(tid), 0);
  fetch(0, now);
  __syncthreads();
  for (int64_t s = 0; s < f.steps; ++s) {
    const int64_t coming = s + 1 < f.steps ? s + 1 : s;
    fetch(coming, next);
    const int live_next = tid < kRows ? f.live(row(tid), coming) : 0;
    for (int phase = 0; phase < phases_of(f.cell); ++phase) {
      if (phase_of(f.cell, gate) == phase) {
        float sum[kRows][kPer];
        w.multiply(phase == 0 ? m.h : m.gated, sum);
#pragma unroll
        for (int r = 0; r < kRows; ++r)
#pragma unroll
          for (int p = 0; p < kPer; ++p) {
            const int unit = lane + p * lanes;
            const float product = sum[r][p] + bias[p];
            m.slots[slot][r][unit] = slot == gate ? product + now[r][p] : product;
            if (slot != gate) m.slots[gate][r][unit] = now[r][p];
          }
      }
      if (phase == 0 && tid < kRows) m.live[(s + 1) % 2][tid] = live_next;
      __syncthreads();
      for (int pair = tid; pair < pairs.count(kRows); pair += threads) {
        const int r = pairs.row(pair), j = pairs.unit(pair);
        const int64_t b = first + r;
        if (b >= f.batch || j >= f.units) continue;
        ForwardUnit<float> x;
#pragma unroll
        for (int i = 0; i < kMostGates; ++i) x.z[i] = m.slots[i][r][j];
        x.h = m.h[r][j], x.c = m.c[r][j], x.gated = 0.0f;
        if (m.live[s % 2][r])
          finish_cell(f, phase, x, f.kept ? f.kept + f.position(b, s) * f.saved * f.units + j : nullptr);
        if (phase + 1 < phases_of(f.cell)) {
          m.slots[0][r][j] = x.z[0], m.gated[r][j] = x.gated;
        } else {
          m.h[r][j] = x.h, m.c[r][j] = x.c;
          emit(f, b, s, j, x.h, x.c);
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r)
#pragma unroll
      for (int p = 0; p < kPer; ++p) now[r][p] = next[r][p];
  }
}

template <int kRows, int kPer>
__global__ void __launch_bounds__(kMostGates* kAloneLanes) alone_backward_kernel(RnnBackward<float> f, int lanes) {
  auto& m = shared<AloneBackwardShared<kRows>>();
  const int tid = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int gate = tid / lanes, lane = tid % lanes;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kRows, columns = static_cast<int64_t>(f.gates) * f.units;
  AloneWeights<kPer> w;
  w.load(f.units, reinterpret_cast<float4*>(&m + 1), [&](int p, int k) {
    const int unit = lane + p * lanes;
    return k < f.units && unit < f.units ? f.u[unit * columns + gate * f.units + k] : 0.0f;
  });
  const AlonePairs pairs(lanes * kPer);
  // Each thread brings the values of the very pairs that it will finish.
  const auto fetch = [&](int64_t s) {
    if (s >= 0) {
      for (int pair = tid; pair < pairs.count(kRows); pair += threads) {
        const int r = pairs.row(pair), j = pairs.unit(pair);
        if (first + r >= f.batch || j >= f.units) continue;
#pragma unroll
        for (int v = 0; v < kBackwardValues; ++v)
          if (const float* from = backward_value(f, v, first + r, s, j)) copy_async<4>(&m.values[s % 2][v][r][j], from);
      }
    }
    commit_copies();
  };
  const auto live = [&](int64_t s) { return first + tid < f.batch && f.live(first + tid, s); };
  for (int i = tid; i < kRows * kAloneUnits; i += threads) {
    const int r = i / kAloneUnits, j = i % kAloneUnits;
    const bool mine = first + r < f.batch && j < f.units;
    const int64_t at = (first + r) * f.units + j;
    m.carry[r][j] = mine ? f.last_state(f.dh_last, at) : 0.0f, m.dc[r][j] = mine ? f.last_state(f.dc_last, at) : 0.0f;
#pragma unroll
    for (int g = 0; g < kMostGates; ++g) m.d[g][r][j] = 0.0f;
#pragma unroll
    for (int v = 0; v < kBackwardValues; ++v) m.values[0][v][r][j] = m.values[1][v][r][j] = 0.0f;
  }
  if (tid < kRows) m.live[(f.steps - 1) % 2][tid] = live(f.steps - 1);
  __syncthreads();
  fetch(f.steps - 1);
  for (int64_t s = f.steps - 1; s >= f.last_step(); --s) {
    fetch(s - 1);
    const int64_t coming = s > 0 ? s - 1 : 0;
    const int live_next = tid < kRows ? live(coming) : 0;
    for (int phase = 0; phase < (s < 0 ? 1 : phases_of(f.cell)); ++phase) {
      if (phase_of(f.cell, gate) == phase) {
        float sum[kRows][kPer];
        w.multiply(m.d[gate], sum);
#pragma unroll
        for (int r = 0; r < kRows; ++r)
#pragma unroll
          for (int p = 0; p < kPer; ++p) m.products[gate][r][lane + p * lanes] = sum[r][p];
      }
      wait_copies<1>();
      if (phase == 0 && s > 0 && tid < kRows) m.live[coming % 2][tid] = live_next;
      __syncthreads();
      for (int pair = tid; pair < pairs.count(kRows); pair += threads) {
        const int r = pairs.row(pair), j = pairs.unit(pair);
        const int64_t b = first + r;
        if (b >= f.batch || j >= f.units) continue;
        BackwardUnit<float> x{};
#pragma unroll
        for (int g = 0; g < kMostGates; ++g)
          if (g < f.gates && phase_of(f.cell, g) == phase) x.back += m.products[g][r][j];
        x.carry = m.carry[r][j], x.dc = m.dc[r][j];
        if (s < 0) {
          finish_states(f, b, j, x.back + x.carry, x.dc);
          continue;
        }
#pragma unroll
        for (int v = 0; v < kBackwardValues; ++v) x.v[v] = m.values[s % 2][v][r][j];
        step_back(f, phase, m.live[s % 2][r], x);
        note(f, phase, b, s, j, x);
        m.carry[r][j] = x.carry, m.dc[r][j] = x.dc;
#pragma unroll
        for (int g = 0; g < kMostGates; ++g)
          if (phase == 0 || g == 1) m.d[g][r][j] = x.d[g];
      }
      __syncthreads();
    }
  }
}

// Calls f(rows, per) with the plan's numbers as constants.
template <class F>
void with_plan(const AlonePlan& p, const F& f) {
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  using Many = std::integral_constant<int, kAloneManyRows>;
  if (p.per == 1) return p.rows == 1 ? f(One{}, One{}) : f(Many{}, One{});
  p.rows == 1 ? f(One{}, Two{}) : f(Many{}, Two{});
}

Grid grid_of(const AlonePlan& p, int64_t batch, int gates) {
  return {static_cast<unsigned>(ceil_div(batch, p.rows)), static_cast<unsigned>(gates * p.lanes),
          static_cast<size_t>(p.bytes)};
}

}  // namespace

AlonePlan plan_forward_rows(const RnnShape& s) {
  return plan_alone<AloneForwardShared>(s.cell, s.batch, s.units, device());
}
AlonePlan plan_backward_rows(const RnnShape& s) {
  return plan_alone<AloneBackwardShared>(s.cell, s.batch, s.units, device());
}

void forward_rows(const RnnForwardArgs& a, const RnnForward<float>& f, const AlonePlan& p) {
  with_plan(p, [&](auto rows, auto per) {
    launch(alone_forward_kernel<rows.value, per.value>, grid_of(p, f.batch, f.gates), stream_of(a), f, p.lanes);
  });
}
void backward_rows(const RnnBackwardArgs& a, const RnnBackward<float>& f, const AlonePlan& p) {
  with_plan(p, [&](auto rows, auto per) {
    launch(alone_backward_kernel<rows.value, per.value>, grid_of(p, f.batch, f.gates), stream_of(a), f, p.lanes);
  });
}

}  // namespace dlbd::cuda
