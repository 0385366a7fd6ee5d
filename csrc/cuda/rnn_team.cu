// The recurrent layers by teams of blocks, forward and backward (rnn_team.h).
#include <type_traits>

#include "rnn_paths.h"

namespace dlbd::cuda {
namespace {

constexpr int kThreads = 256;

template <int kValue>
using Number = std::integral_constant<int, kValue>;

__global__ void __launch_bounds__(kThreads)
    pack_columns_kernel(RnnForward<float> f, TeamPlan p, int padded, float* to) {
  const int units = p.units();
  const int64_t per_member = static_cast<int64_t>(padded) * f.gates * units;
  for (int64_t i = global_thread(); i < p.members * per_member; i += global_threads()) {
    const int64_t rest = i % per_member, k = rest / units / f.gates;
    const int64_t unit = i / per_member * units + rest % units, gate = rest / units % f.gates;
    to[i] = k < f.units && unit < f.units ? f.u[(k * f.gates + gate) * f.units + unit] : 0.0f;
  }
}

// kSplit: gru_reset_before, whose last gate has a phase of its own. The running states are h_last and c_last.
template <int kGates, bool kSplit, int kRowsPer>
__global__ void __launch_bounds__(kTeamThreads, 1)
    team_forward_kernel(RnnForward<float> f, TeamPlan p, TeamForwardMemory memory) {
  auto& m = shared<TeamShared<kSplit ? 2 : kGates, kRowsPer>>();
  const TeamDepth depth(f.units);
  const int units = p.units(), rows = p.rows(), stride = kGates * units;
  const int member = static_cast<int>(blockIdx.x) % p.members, team = static_cast<int>(blockIdx.x) / p.members;
  const int pair = static_cast<int>(threadIdx.x), row = pair / units, unit = member * units + pair % units;
  const int64_t per_tile = static_cast<int64_t>(depth.padded()) * rows;
  const int64_t mine = static_cast<int64_t>(unit) * rows + row;  // in a tile of states
  const TeamLane at(p.lanes, kRowsPer);
  TeamBarrier barrier{memory.arrived + team * kBarrierWords, static_cast<unsigned>(p.members), 0};
  float* weights = reinterpret_cast<float*>(&m + 1);
  keep_weights(memory.weights + static_cast<int64_t>(member) * depth.padded() * stride, weights,
               depth.padded() * stride);
  float bias[kGates];
#pragma unroll
  for (int g = 0; g < kGates; ++g) bias[g] = unit < f.units ? f.bias(g, unit) : 0.0f;

  for (int64_t tile = team; tile < p.tiles; tile += p.teams) {
    const int64_t b = tile * rows + row, own = b * f.units + unit;
    if (row >= rows || b >= f.batch || unit >= f.units) continue;
    const float h = f.first_state(f.h0, own), c = f.first_state(f.c0, own);
    memory.states[0][tile * per_tile + mine] = f.h_last[own] = h;
    if (f.c_last) f.c_last[own] = c;
    emit(f, b, -1, unit, h, c);
  }
  barrier.meet();

  const auto phase = [&](auto which, auto first_gate, auto gates, int64_t s, const float* states) {
    constexpr int kPhase = decltype(which)::value, kFirst = decltype(first_gate)::value;
    constexpr int kCount = decltype(gates)::value;
    float* to = kSplit && kPhase == 0 ? memory.gated : s % 2 ? memory.states[0] : memory.states[1];
    for (int64_t tile = team; tile < p.tiles; tile += p.teams) {
      const int64_t b = tile * rows + row, own = b * f.units + unit;
      const bool valid = row < rows && b < f.batch && unit < f.units;
      const int64_t step = valid ? f.position(b, s) : 0;
      float input[kCount];
      ForwardUnit<float> x{};
#pragma unroll
      for (int g = 0; g < kCount; ++g)
        input[g] = valid ? f.inputs[(step * kGates + kFirst + g) * f.units + unit] : 0.0f;
      const bool live = valid && f.live(b, s);
      if (valid) {
        x.h = f.h_last[own];
        if (f.c_last) x.c = f.c_last[own];
        if (kPhase == 1) x.z[0] = memory.update[own];
      }
      float sum[kRowsPer][kCount][kUnitsPer];
      team_product(p, at, depth, states + tile * per_tile, weights + kFirst * units, stride, m.ring[at.warp], sum);
      __syncthreads();
      store_partial(p, at, sum, m.partial[at.warp]);
      __syncthreads();
      if (!valid) continue;
#pragma unroll
      for (int g = 0; g < kCount; ++g) {
        const float product = add_partials(m, g, pair) + bias[kFirst + g];
        if (slot_of(f.cell, kFirst + g) == kFirst + g) {
          x.z[kFirst + g] = product + input[g];
        } else {
          x.z[kFirst + g] = input[g], x.z[kMostGates - 1] = product;
        }
      }
      if (live) finish_cell(f, kPhase, x, f.kept ? f.kept + step * f.saved * f.units + unit : nullptr);
      if (kSplit && kPhase == 0) {
        memory.update[own] = x.z[0];
        to[tile * per_tile + mine] = x.gated;
      } else {
        to[tile * per_tile + mine] = f.h_last[own] = x.h;
        if (f.c_last) f.c_last[own] = x.c;
        emit(f, b, s, unit, x.h, x.c);
      }
    }
    barrier.meet();
  };
  for (int64_t s = 0; s < f.steps; ++s) {
    const float* states = s % 2 ? memory.states[1] : memory.states[0];
    if constexpr (kSplit) {
      phase(Number<0>{}, Number<0>{}, Number<2>{}, s, states);
      phase(Number<1>{}, Number<2>{}, Number<1>{}, s, memory.gated);
    } else {
      phase(Number<0>{}, Number<0>{}, Number<kGates>{}, s, states);
    }
  }
}

// How deep the products of the two phases are.
struct BackwardDepths {
  int terms[2];
  __host__ __device__ explicit BackwardDepths(RnnCell cell, int gates, int units) {
    const int late = phases_of(cell) == 2 ? 1 : 0;
    terms[0] = (gates - late) * units, terms[1] = late * units;
  }
  __host__ __device__ int padded() const { return TeamDepth(terms[0]).padded() + TeamDepth(terms[1]).padded(); }
};

__global__ void __launch_bounds__(kThreads) pack_rows_kernel(RnnBackward<float> f, TeamPlan p, float* to) {
  const BackwardDepths depths(f.cell, f.gates, f.units);
  const int units = p.units(), early = TeamDepth(depths.terms[0]).padded();
  const int64_t per_member = static_cast<int64_t>(depths.padded()) * units;
  const int64_t columns = static_cast<int64_t>(f.gates) * f.units;
  for (int64_t i = global_thread(); i < p.members * per_member; i += global_threads()) {
    const int64_t rest = i % per_member, k = rest / units, unit = i / per_member * units + rest % units;
    const bool late = k >= early;
    const int64_t term = late ? k - early : k, terms = late ? depths.terms[1] : depths.terms[0];
    const int64_t column = late ? depths.terms[0] + term : term;
    to[i] = term < terms && unit < f.units ? f.u[unit * columns + column] : 0.0f;
  }
}

// kSplit: gru_reset_before.
template <bool kSplit, int kRowsPer>
__global__ void __launch_bounds__(kTeamThreads, 1)
    team_backward_kernel(RnnBackward<float> f, TeamPlan p, TeamBackwardMemory memory) {
  constexpr int kEach = (kPairs<kRowsPer> + kTeamThreads - 1) / kTeamThreads;  // pairs of row and unit per thread
  auto& m = shared<TeamShared<1, kRowsPer>>();
  const BackwardDepths depths(f.cell, f.gates, f.units);
  const int units = p.units(), rows = p.rows();
  const int member = static_cast<int>(blockIdx.x) % p.members, team = static_cast<int>(blockIdx.x) / p.members;
  const TeamLane at(p.lanes, kRowsPer);
  TeamBarrier barrier{memory.arrived + team * kBarrierWords, static_cast<unsigned>(p.members), 0};
  float* weights = reinterpret_cast<float*>(&m + 1);
  keep_weights(memory.weights + static_cast<int64_t>(member) * depths.padded() * units, weights,
               depths.padded() * units);
  // Where pair q of this thread stands.
  const auto row_of = [&](int q) { return (static_cast<int>(threadIdx.x) + q * kTeamThreads) / units; };
  const auto unit_of = [&](int) { return member * units + static_cast<int>(threadIdx.x) % units; };
  const auto valid = [&](int64_t tile, int q) {
    return row_of(q) < rows && tile * rows + row_of(q) < f.batch && unit_of(q) < f.units;
  };

  for (int64_t tile = team; tile < p.tiles; tile += p.teams) {
#pragma unroll
    for (int q = 0; q < kEach; ++q) {
      if (!valid(tile, q)) continue;
      const int64_t own = (tile * rows + row_of(q)) * f.units + unit_of(q);
      memory.carry[own] = f.last_state(f.dh_last, own), memory.dc[own] = f.last_state(f.dc_last, own);
    }
  }

  const auto run = [&](auto which, int64_t s, const float* from, float* to) {
    constexpr int kPhase = decltype(which)::value;
    const TeamDepth depth(depths.terms[kPhase]);
    const TeamDepth to_depth(depths.terms[0]);
    const float* own_weights = weights + (kPhase == 1 ? to_depth.padded() * units : 0);
    for (int64_t tile = team; tile < p.tiles; tile += p.teams) {
      BackwardUnit<float> x[kEach] = {};
      bool live[kEach];
#pragma unroll
      for (int q = 0; q < kEach; ++q) {
        live[q] = false;
        if (!valid(tile, q)) continue;
        const int64_t b = tile * rows + row_of(q), own = b * f.units + unit_of(q);
        x[q].carry = memory.carry[own], x[q].dc = memory.dc[own];
        if (s < 0) continue;
        live[q] = f.live(b, s);
#pragma unroll
        for (int v = 0; v < kBackwardValues; ++v)
          if (const float* value = backward_value(f, v, b, s, unit_of(q))) x[q].v[v] = *value;
      }
      float sum[kRowsPer][1][kUnitsPer];
      team_product(p, at, depth, from + tile * depth.padded() * rows, own_weights, units, m.ring[at.warp], sum);
      __syncthreads();
      store_partial(p, at, sum, m.partial[at.warp]);
      __syncthreads();
#pragma unroll
      for (int q = 0; q < kEach; ++q) {
        if (!valid(tile, q)) continue;
        const int pair = static_cast<int>(threadIdx.x) + q * kTeamThreads, row = row_of(q), unit = unit_of(q);
        const int64_t b = tile * rows + row, own = b * f.units + unit;
        x[q].back = add_partials(m, 0, pair);
        if (s < 0) {
          finish_states(f, b, unit, x[q].back + x[q].carry, x[q].dc);
          continue;
        }
        step_back(f, kPhase, live[q], x[q]);
        note(f, kPhase, b, s, unit, x[q]);
        memory.carry[own] = x[q].carry, memory.dc[own] = x[q].dc;
        const auto hand_on = [&](float* array, TeamDepth d, int gate, float value) {
          array[tile * d.padded() * rows + (static_cast<int64_t>(gate) * f.units + unit) * rows + row] = value;
        };
        if constexpr (kSplit) {
          if (kPhase == 0) hand_on(memory.candidate, TeamDepth(depths.terms[1]), 0, x[q].d[2]);
          hand_on(to, to_depth, kPhase, x[q].d[kPhase]);
        } else {
#pragma unroll
          for (int g = 0; g < kMostGates; ++g)
            if (g < f.gates) hand_on(to, to_depth, g, x[q].d[g]);
        }
      }
    }
    barrier.meet();
  };
  // The gradients of the step behind the last one are zero, as the launcher left them.
  for (int64_t s = f.steps - 1; s >= f.last_step(); --s) {
    const bool odd = (s & 1) != 0;
    float* to = odd ? memory.gradients[1] : memory.gradients[0];
    run(Number<0>{}, s, odd ? memory.gradients[0] : memory.gradients[1], to);
    if constexpr (kSplit) {
      if (s >= 0) run(Number<1>{}, s, memory.candidate, to);
    }
  }
}

template <int kRowsPer>
int64_t team_bytes(RnnCell cell) {
  switch (cell) {
    case RnnCell::rnn: return sizeof(TeamShared<1, kRowsPer>);
    case RnnCell::lstm: return sizeof(TeamShared<4, kRowsPer>);
    case RnnCell::gru: return sizeof(TeamShared<3, kRowsPer>);
    case RnnCell::gru_reset_before: return sizeof(TeamShared<2, kRowsPer>);
  }
  return 0;
}

template <int kGates, bool kSplit>
void run_team(const RnnForwardArgs& a, const RnnForward<float>& f, const TeamPlan& p, const TeamForwardMemory& m) {
  const int padded = TeamDepth(f.units).padded();
  const int64_t packed = int64_t{1} * p.members * padded * kGates * p.units();
  launch(pack_columns_kernel, Grid{blocks_for(ceil_div(packed, kThreads)), kThreads}, stream_of(a), f, p, padded,
         m.weights);
  cudaMemsetAsync(m.states[0], 0, static_cast<size_t>(m.zeroed), stream_of(a));
  // One block per multiprocessor at most: the kernel's launch bounds and plan_team() see to it that it has room.
  const Grid grid{static_cast<unsigned>(p.members * p.teams), kTeamThreads,
                  static_cast<size_t>(forward_team_work(a.shape).shared_bytes(p)), true};
  const auto kernel = p.rows_per == kFewRows ? team_forward_kernel<kGates, kSplit, kFewRows>
                                             : team_forward_kernel<kGates, kSplit, kForwardRows>;
  launch(kernel, grid, stream_of(a), f, p, m);
}

template <bool kSplit>
void run_team(const RnnBackwardArgs& a, const RnnBackward<float>& f, const TeamPlan& p, const TeamBackwardMemory& m) {
  const TeamWork w = backward_team_work(a.shape);
  const int64_t packed = p.members * w.padded * p.units();
  launch(pack_rows_kernel, Grid{blocks_for(ceil_div(packed, kThreads)), kThreads}, stream_of(a), f, p, m.weights);
  cudaMemsetAsync(m.gradients[0], 0, static_cast<size_t>(m.zeroed), stream_of(a));
  // One block per multiprocessor at most: the kernel's launch bounds and plan_team() see to it that it has room.
  const Grid grid{static_cast<unsigned>(p.members * p.teams), kTeamThreads, static_cast<size_t>(w.shared_bytes(p)),
                  true};
  const auto kernel =
      p.rows_per == kFewRows ? team_backward_kernel<kSplit, kFewRows> : team_backward_kernel<kSplit, kBackwardRows>;
  launch(kernel, grid, stream_of(a), f, p, m);
}

}  // namespace

TeamWork forward_team_work(const RnnShape& s) {
  return {s.batch,
          s.units,
          s.units,
          TeamDepth(s.units).padded(),
          gates_of(s.cell),
          kForwardRows,
          team_bytes<kFewRows>(s.cell),
          team_bytes<kForwardRows>(s.cell)};
}

TeamWork backward_team_work(const RnnShape& s) {
  const BackwardDepths depths(s.cell, gates_of(s.cell), static_cast<int>(s.units));
  return {s.batch,
          s.units,
          s.columns,
          depths.padded(),
          1,
          kBackwardRows,
          sizeof(TeamShared<1, kFewRows>),
          sizeof(TeamShared<1, kBackwardRows>)};
}

TeamForwardMemory cut_forward_team(const RnnShape& s, const TeamPlan& p, ScratchCutter& cutter) {
  TeamForwardMemory m{};
  const bool split = phases_of(s.cell) == 2;
  const int padded = TeamDepth(s.units).padded();
  m.weights = cutter.take<float>(int64_t{1} * p.members * padded * gates_of(s.cell) * p.units());
  if (split) m.update = cutter.take<float>(s.batch * s.units);
  const int64_t before = cutter.used, states = p.tiles * padded * p.rows();
  for (float*& buffer : m.states) buffer = cutter.take<float>(states);
  if (split) m.gated = cutter.take<float>(states);
  m.arrived = cutter.take<unsigned>(int64_t{p.teams} * kBarrierWords);
  m.zeroed = cutter.used - before;
  cutter.take<float>(kChunk);  // the slack behind the last chunk
  return m;
}

TeamBackwardMemory cut_backward_team(const RnnShape& s, const TeamPlan& p, ScratchCutter& cutter) {
  TeamBackwardMemory m{};
  const BackwardDepths depths(s.cell, gates_of(s.cell), static_cast<int>(s.units));
  const int64_t places = p.tiles * p.rows();
  m.weights = cutter.take<float>(int64_t{1} * p.members * depths.padded() * p.units());
  m.carry = cutter.take<float>(s.batch * s.units);
  m.dc = cutter.take<float>(s.batch * s.units);
  const int64_t before = cutter.used;
  for (float*& buffer : m.gradients) buffer = cutter.take<float>(places * TeamDepth(depths.terms[0]).padded());
  m.candidate = cutter.take<float>(places * TeamDepth(depths.terms[1]).padded());
  m.arrived = cutter.take<unsigned>(int64_t{p.teams} * kBarrierWords);
  m.zeroed = cutter.used - before;
  cutter.take<float>(kChunk);  // the slack behind the last chunk
  return m;
}

void forward_team(const RnnForwardArgs& a, const RnnForward<float>& f, const TeamPlan& p, const TeamForwardMemory& m) {
  switch (f.cell) {
    case RnnCell::rnn: return run_team<1, false>(a, f, p, m);
    case RnnCell::lstm: return run_team<4, false>(a, f, p, m);
    case RnnCell::gru: return run_team<3, false>(a, f, p, m);
    case RnnCell::gru_reset_before: return run_team<3, true>(a, f, p, m);
  }
}

void backward_team(const RnnBackwardArgs& a, const RnnBackward<float>& f, const TeamPlan& p,
                   const TeamBackwardMemory& m) {
  phases_of(f.cell) == 2 ? run_team<true>(a, f, p, m) : run_team<false>(a, f, p, m);
}

}  // namespace dlbd::cuda
