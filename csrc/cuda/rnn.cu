// Recurrent layers, forward: the inputs of all steps as one product, then one kernel for the whole time loop. Layers of
// few units go by rows (rnn_alone.h), wider ones by teams of blocks (rnn_team.h), still wider ones and large batches by
// products of single steps (rnn_steps.h), float64 by a plain loop.
#include <type_traits>

#include "rnn_alone.h"
#include "rnn_steps.h"
#include "rnn_team.h"

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

struct TeamForwardMemory {
  float* weights;    // [member][k][gate][unit of the member]
  float* states[2];  // before even and odd steps: [tile][k][row]
  float* gated;      // gru_reset_before: r * state, likewise
  float* update;     // gru_reset_before: (B, units)
  unsigned* arrived;
};

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
      phase(std::integral_constant<int, 0>{}, std::integral_constant<int, 0>{}, std::integral_constant<int, 2>{}, s,
            states);
      phase(std::integral_constant<int, 1>{}, std::integral_constant<int, 2>{}, std::integral_constant<int, 1>{}, s,
            memory.gated);
    } else {
      phase(std::integral_constant<int, 0>{}, std::integral_constant<int, 0>{}, std::integral_constant<int, kGates>{},
            s, states);
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

enum class Path { plain, alone, team, steps };

template <class T>
struct ForwardMemory {
  Path path;
  AlonePlan alone;
  TeamPlan plan;
  GemmArgs inputs_gemm;
  T* inputs;
  T* plain;
  TeamForwardMemory team;
  StepForwardMemory steps;
  int64_t zeroed;  // bytes of states, r * state and counters, which lie together
  void* gemm;
  int64_t bytes;
};

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

TeamWork team_work(const RnnShape& s) {
  return {s.batch,
          s.units,
          s.units,
          TeamDepth(s.units).padded(),
          gates_of(s.cell),
          kForwardRows,
          team_bytes<kFewRows>(s.cell),
          team_bytes<kForwardRows>(s.cell)};
}

template <class T>
Path choose(const RnnForwardArgs& a, ForwardMemory<T>& m) {
  const RnnShape& s = a.shape;
  if (sizeof(T) == 8 || (s.forced && s.path == RnnPath::generic)) return Path::plain;
  m.alone = plan_alone<AloneForwardShared>(s.cell, s.batch, s.units, device());
  const bool rows = s.forced && s.path == RnnPath::rows, units = s.forced && s.path == RnnPath::units;
  if (m.alone.bytes && !units) return Path::alone;
  const TeamWork work = team_work(s);
  m.plan = plan_team(work, device());
  const bool slow = clocks_of(work, m.plan) > clocks_of_products(work, phases_of(s.cell), device());
  return m.plan.fits && (units || rows || !slow) ? Path::team : Path::steps;
}

void cut_steps(const RnnForwardArgs& a, ScratchCutter& cutter, StepForwardMemory& m) {
  const RnnShape& s = a.shape;
  m.products = cutter.take<float>(s.batch * s.columns);
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm[phase] = product_over_steps(a, s.dtype, s.batch, gates_in(s.cell, phase) * s.units, s.units, false, false);
  if (phases_of(s.cell) == 1) return;
  m.parts = cutter.take<float>(s.units * s.columns);
  m.gated = cutter.take<float>(s.batch * s.units), m.update = cutter.take<float>(s.batch * s.units);
}

template <class T>
ForwardMemory<T> cut(const RnnForwardArgs& a) {
  const RnnShape& s = a.shape;
  ForwardMemory<T> m{};
  if (s.batch == 0 || s.steps == 0 || s.units == 0) return m;
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  m.path = choose(a, m);
  // The gates that backward wants take the place of the inputs where there are as many of them.
  const bool in_place = a.reserve && gates_of(s.cell) == saved_of(s.cell);
  m.inputs = in_place ? static_cast<T*>(a.reserve) : cutter.take<T>(s.batch * s.steps * s.columns);
  if (m.path == Path::plain) m.plain = cutter.take<T>(s.batch * kPlainArrays * s.units);
  if (m.path == Path::team) {
    const bool split = s.cell == RnnCell::gru_reset_before;
    const int padded = TeamDepth(s.units).padded(), rows = m.plan.rows();
    m.team.weights = cutter.take<float>(int64_t{1} * m.plan.members * padded * gates_of(s.cell) * m.plan.units());
    if (split) m.team.update = cutter.take<float>(s.batch * s.units);
    const int64_t before = cutter.used, states = m.plan.tiles * padded * rows;
    for (float*& p : m.team.states) p = cutter.take<float>(states);
    if (split) m.team.gated = cutter.take<float>(states);
    m.team.arrived = cutter.take<unsigned>(int64_t{m.plan.teams} * kBarrierWords);
    m.zeroed = cutter.used - before;
    cutter.take<float>(kChunk);  // the slack behind the last chunk
  }
  if (m.path == Path::steps) cut_steps(a, cutter, m.steps);
  m.inputs_gemm = product_over_steps(a, s.dtype, s.batch * s.steps, s.columns, s.inputs, false, false);
  int64_t most = gemm_scratch(m.inputs_gemm);
  if (m.path == Path::steps)
    for (int phase = 0; phase < phases_of(s.cell); ++phase) most = larger(most, gemm_scratch(m.steps.gemm[phase]));
  m.gemm = cutter.take<char>(most);
  m.bytes = cutter.used;
  return m;
}

template <int kRows, int kPer>
void run_alone(const RnnForwardArgs& a, const RnnForward<float>& f, const AlonePlan& p) {
  const Grid grid{static_cast<unsigned>(ceil_div(f.batch, kRows)), static_cast<unsigned>(f.gates * p.lanes),
                  static_cast<size_t>(p.bytes)};
  launch(alone_forward_kernel<kRows, kPer>, grid, stream_of(a), f, p.lanes);
}

template <int kGates, bool kSplit>
void run_team(const RnnForwardArgs& a, const RnnForward<float>& f, const ForwardMemory<float>& m) {
  const TeamPlan& p = m.plan;
  const int padded = TeamDepth(f.units).padded();
  const int64_t packed = int64_t{1} * p.members * padded * kGates * p.units();
  launch(pack_columns_kernel, Grid{blocks_for(ceil_div(packed, kThreads)), kThreads}, stream_of(a), f, p, padded,
         m.team.weights);
  cudaMemsetAsync(m.team.states[0], 0, static_cast<size_t>(m.zeroed), stream_of(a));
  // One block per multiprocessor at most: the kernel's launch bounds and plan_team() see to it that it has room.
  const Grid grid{static_cast<unsigned>(p.members * p.teams), kTeamThreads,
                  static_cast<size_t>(team_work(a.shape).shared_bytes(p)), true};
  const auto kernel = p.rows_per == kFewRows ? team_forward_kernel<kGates, kSplit, kFewRows>
                                             : team_forward_kernel<kGates, kSplit, kForwardRows>;
  launch(kernel, grid, stream_of(a), f, p, m.team);
}

void run_steps(const RnnForwardArgs& a, const RnnForward<float>& f, const ForwardMemory<float>& m) {
  const StepForwardMemory& own = m.steps;
  const StepWeights weights = step_weights(a, f.cell, f.units, f.u, own.parts);
  const Grid grid = step_grid(f.batch, f.units);
  launch(begin_forward_kernel, grid, stream_of(a), f);
  for (int64_t s = 0; s < f.steps; ++s) {
    for (int phase = 0; phase < phases_of(f.cell); ++phase) {
      const float* states = phase == 0 ? f.h_last : own.gated;
      run_product(own.gemm[phase], states, weights.of[phase], nullptr, own.products, false, m.gemm);
      launch(forward_step_kernel, grid, stream_of(a), f, s, phase, own.products, own.gated, own.update);
    }
  }
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
    if (m.path == Path::alone) {
      if (m.alone.per == 1) return m.alone.rows == 1 ? run_alone<1, 1>(a, f, m.alone) : run_alone<4, 1>(a, f, m.alone);
      return m.alone.rows == 1 ? run_alone<1, 2>(a, f, m.alone) : run_alone<4, 2>(a, f, m.alone);
    }
    if (m.path == Path::steps) return run_steps(a, f, m);
    if (m.path == Path::team) {
      switch (s.cell) {
        case RnnCell::rnn: return run_team<1, false>(a, f, m);
        case RnnCell::lstm: return run_team<4, false>(a, f, m);
        case RnnCell::gru: return run_team<3, false>(a, f, m);
        case RnnCell::gru_reset_before: return run_team<3, true>(a, f, m);
      }
    }
  }
  launch(plain_forward_kernel<T>, Grid{blocks_for(s.batch), kPlainThreads}, stream_of(a), f, m.plain);
}

}  // namespace

int64_t rnn_forward_scratch(const RnnForwardArgs& a) {
  return a.shape.dtype == DType::f64 ? cut<double>(a).bytes : cut<float>(a).bytes;
}

void rnn_forward(const RnnForwardArgs& a) { a.shape.dtype == DType::f64 ? forward<double>(a) : forward<float>(a); }

}  // namespace dlbd::cuda
