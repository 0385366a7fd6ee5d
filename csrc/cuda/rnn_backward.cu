// Recurrent layers, backward: one kernel goes back through time for the gradients of all gates, by the same paths as
// forward; then the gradients of inputs and kernels are products over all steps at once, and that of the bias a sum.
#include <type_traits>

#include "rnn_alone.h"
#include "rnn_steps.h"
#include "rnn_team.h"

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

struct TeamBackwardMemory {
  float* weights;       // [member][k][unit of the member], k over the gates of phase 0, padded, then those of phase 1
  float* gradients[2];  // of even and odd steps, gates of phase 0: [tile][k][row]
  float* candidate;     // gru_reset_before: of the gate of phase 1, likewise
  float* carry;         // (B, units)
  float* dc;
  unsigned* arrived;
};

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
    run(std::integral_constant<int, 0>{}, s, odd ? memory.gradients[0] : memory.gradients[1], to);
    if constexpr (kSplit) {
      if (s >= 0) run(std::integral_constant<int, 1>{}, s, memory.candidate, to);
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

enum class Path { plain, alone, team, steps };

template <class T>
struct BackwardMemory {
  Path path;
  AlonePlan alone;
  TeamPlan plan;
  T* plain;
  TeamBackwardMemory team;
  StepBackwardMemory steps;
  int64_t zeroed;  // bytes of gradients and counters, which lie together
  T* sums;         // of the chunks of rows
  T* products;     // gru_reset_before: du as a product with the states, and with r * state
  T* candidate;
  GemmArgs dx, dw, du, du_candidate;
  void* gemm;
  int64_t bytes;
};

TeamWork team_work(const RnnShape& s) {
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

template <class T>
Path choose(const RnnBackwardArgs& a, BackwardMemory<T>& m) {
  const RnnShape& s = a.shape;
  if (sizeof(T) == 8 || (s.forced && s.path == RnnPath::generic)) return Path::plain;
  m.alone = plan_alone<AloneBackwardShared>(s.cell, s.batch, s.units, device());
  const bool rows = s.forced && s.path == RnnPath::rows, units = s.forced && s.path == RnnPath::units;
  if (m.alone.bytes && !units) return Path::alone;
  const TeamWork work = team_work(s);
  m.plan = plan_team(work, device());
  const bool slow = clocks_of(work, m.plan) > clocks_of_products(work, phases_of(s.cell), device());
  return m.plan.fits && (units || rows || !slow) ? Path::team : Path::steps;
}

template <class T>
void cut_team(const RnnBackwardArgs& a, ScratchCutter& cutter, BackwardMemory<T>& m) {
  const RnnShape& s = a.shape;
  const BackwardDepths depths(s.cell, gates_of(s.cell), static_cast<int>(s.units));
  const int64_t places = m.plan.tiles * m.plan.rows();
  m.team.weights = cutter.take<float>(int64_t{1} * m.plan.members * depths.padded() * m.plan.units());
  m.team.carry = cutter.take<float>(s.batch * s.units);
  m.team.dc = cutter.take<float>(s.batch * s.units);
  const int64_t before = cutter.used;
  for (float*& p : m.team.gradients) p = cutter.take<float>(places * TeamDepth(depths.terms[0]).padded());
  m.team.candidate = cutter.take<float>(places * TeamDepth(depths.terms[1]).padded());
  m.team.arrived = cutter.take<unsigned>(int64_t{m.plan.teams} * kBarrierWords);
  m.zeroed = cutter.used - before;
  cutter.take<float>(kChunk);  // the slack behind the last chunk
}

void cut_steps(const RnnBackwardArgs& a, ScratchCutter& cutter, StepBackwardMemory& m) {
  const RnnShape& s = a.shape;
  const int64_t states = s.batch * s.units;
  m.products = cutter.take<float>(states), m.carry = cutter.take<float>(states), m.dc = cutter.take<float>(states);
  m.gradients = cutter.take<float>(states * gates_in(s.cell, 0));
  for (int phase = 0; phase < phases_of(s.cell); ++phase)
    m.gemm[phase] = product_over_steps(a, s.dtype, s.batch, s.units, gates_in(s.cell, phase) * s.units, false, true);
  if (phases_of(s.cell) == 1) return;
  m.parts = cutter.take<float>(s.units * s.columns), m.candidate = cutter.take<float>(states);
}

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
  m.path = choose(a, m);
  if (m.path == Path::plain) m.plain = cutter.take<T>(s.batch * kPlainArrays * s.units);
  if (m.path == Path::team) cut_team(a, cutter, m);
  if (m.path == Path::steps) cut_steps(a, cutter, m.steps);
  if (a.db) m.sums = cutter.take<T>(ceil_div(steps, kSumChunk) * s.columns);
  m.dx = product_over_steps(a, s.dtype, steps, s.inputs, s.columns, false, true);
  m.dw = product_over_steps(a, s.dtype, s.inputs, s.columns, steps, true, false);
  m.du = product_over_steps(a, s.dtype, s.units, s.columns, steps, true, false);
  m.du_candidate = product_over_steps(a, s.dtype, s.units, s.units, steps, true, false);
  int64_t most = 0;
  for (const GemmArgs* g : {&m.dx, &m.dw, &m.du, &m.du_candidate}) most = larger(most, gemm_scratch(*g));
  if (m.path == Path::steps)
    for (int phase = 0; phase < phases_of(s.cell); ++phase) most = larger(most, gemm_scratch(m.steps.gemm[phase]));
  m.gemm = cutter.take<char>(most);
  m.bytes = cutter.used;
  return m;
}

template <int kRows, int kPer>
void run_alone(const RnnBackwardArgs& a, const RnnBackward<float>& f, const AlonePlan& p) {
  const Grid grid{static_cast<unsigned>(ceil_div(f.batch, kRows)), static_cast<unsigned>(f.gates * p.lanes),
                  static_cast<size_t>(p.bytes)};
  launch(alone_backward_kernel<kRows, kPer>, grid, stream_of(a), f, p.lanes);
}

template <bool kSplit>
void run_team(const RnnBackwardArgs& a, const RnnBackward<float>& f, const BackwardMemory<float>& m) {
  const TeamPlan& p = m.plan;
  const TeamWork w = team_work(a.shape);
  const int64_t packed = p.members * w.padded * p.units();
  launch(pack_rows_kernel, Grid{blocks_for(ceil_div(packed, kThreads)), kThreads}, stream_of(a), f, p, m.team.weights);
  cudaMemsetAsync(m.team.gradients[0], 0, static_cast<size_t>(m.zeroed), stream_of(a));
  // One block per multiprocessor at most: the kernel's launch bounds and plan_team() see to it that it has room.
  const Grid grid{static_cast<unsigned>(p.members * p.teams), kTeamThreads, static_cast<size_t>(w.shared_bytes(p)),
                  true};
  const auto kernel =
      p.rows_per == kFewRows ? team_backward_kernel<kSplit, kFewRows> : team_backward_kernel<kSplit, kBackwardRows>;
  launch(kernel, grid, stream_of(a), f, p, m.team);
}

void run_steps(const RnnBackwardArgs& a, const RnnBackward<float>& f, const BackwardMemory<float>& m) {
  const StepBackwardMemory& own = m.steps;
  const StepWeights weights = step_weights(a, f.cell, f.units, f.u, own.parts);
  const Grid grid = step_grid(f.batch, f.units);
  launch(begin_backward_kernel, grid, stream_of(a), f, own.carry, own.dc);
  const int64_t end = a.dh0 || a.dc0 ? -1 : 0;
  for (int64_t s = f.steps - 1; s >= end; --s) {
    for (int phase = 0; phase < (s < 0 ? 1 : phases_of(f.cell)); ++phase) {
      const bool behind = phase == 0 && s == f.steps - 1;  // no step
      const float* from = phase == 0 ? own.gradients : own.candidate;
      if (!behind) run_product(own.gemm[phase], from, weights.of[phase], nullptr, own.products, false, m.gemm);
      launch(backward_step_kernel, grid, stream_of(a), f, s, phase, behind ? nullptr : own.products, own.gradients,
             own.candidate, own.carry, own.dc);
    }
  }
}

template <class T>
void back_through_time(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  if constexpr (sizeof(T) == 4) {
    if (m.path == Path::alone) {
      if (m.alone.per == 1) return m.alone.rows == 1 ? run_alone<1, 1>(a, f, m.alone) : run_alone<4, 1>(a, f, m.alone);
      return m.alone.rows == 1 ? run_alone<1, 2>(a, f, m.alone) : run_alone<4, 2>(a, f, m.alone);
    }
    if (m.path == Path::steps) return run_steps(a, f, m);
    if (m.path == Path::team)
      return a.shape.cell == RnnCell::gru_reset_before ? run_team<true>(a, f, m) : run_team<false>(a, f, m);
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
