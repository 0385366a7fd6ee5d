// Recurrent layers, backward: one loop back through time for the gradients of the gates, then the gradients of inputs
// and kernels as products over all steps at once.
#include "../shapes/kernels.h"
#include "../shapes/rnn.h"
#include "parallel.h"
#include "rnn_cells_backward.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kUnitsRowGroup = 64;  // as in the forward pass
constexpr int kMostSets = 4;

// One task of the products over all steps: rows of a kernel's gradient by panels of it.
constexpr int64_t kTaskTiles = 9, kTaskPanels = 4;

template <class T>
struct BackwardMemory {
  T* panels;
  T* input_panels;
  T* rows;
  T* db;  // [group of rows][kMostSets][padded]
  T* dz;
  T* gated;
  int64_t rows_stride, rows_held, groups;
  int64_t bytes;
};

template <class T>
RnnBackward<T> describe(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnBackward<T> f{};
  f.batch = s.batch, f.steps = s.steps, f.inputs = s.inputs, f.units = s.units;
  f.padded = round_up(s.units, kUnits<T>);
  f.blocks = f.padded / kUnits<T>;
  f.input_blocks = a.dx ? ceil_div(s.inputs, kUnits<T>) : 0;
  f.depth = s.columns;
  f.lda = padded_stride(kMostSets * s.units);
  f.reverse = a.reverse, f.activation = a.activation, f.mask = a.mask;
  f.gates = static_cast<const T*>(a.reserve), f.dy = static_cast<const T*>(a.dy);
  f.dx = static_cast<T*>(a.dx), f.accumulate_dx = a.accumulate_dx;
  return f;
}

template <class T>
BackwardMemory<T> cut(const RnnBackwardArgs& a, const RnnBackward<T>& f) {
  const RnnShape& s = a.shape;
  const int64_t steps = s.batch * s.steps;
  BackwardMemory<T> m{};
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  m.panels = cutter.take<T>(f.padded * f.depth);
  m.input_panels = cutter.take<T>(f.input_blocks * kUnits<T> * f.depth);
  const bool chunks = s.path != RnnPath::units;
  m.groups = ceil_div(s.batch, chunks ? s.row_chunk : kUnitsRowGroup);
  m.rows_held = chunks ? min_of(s.row_chunk, s.batch) : s.batch;
  const int64_t workers = chunks ? max_of<int64_t>(1, min_of<int64_t>(a.threads, m.groups)) : 1;
  m.rows_stride = m.rows_held * (2 * f.lda + 2 * f.padded);
  m.rows = cutter.take<T>(workers * m.rows_stride);
  m.db = cutter.take<T>(m.groups * kMostSets * f.padded);
  m.dz = cutter.take<T>((s.cell == RnnCell::gru ? 4 : s.columns / s.units) * f.padded * steps);
  if (s.cell == RnnCell::gru_reset_before) m.gated = cutter.take<T>(steps * s.units);
  m.bytes = cutter.used;
  return m;
}

template <class T>
RnnBackRows<T> rows_of(const RnnBackward<T>& f, const BackwardMemory<T>& m, int64_t worker, int64_t first,
                       int64_t count) {
  RnnBackRows<T> w{};
  w.first = first, w.count = count;
  T* at = m.rows + worker * m.rows_stride;
  w.a[0] = at, w.a[1] = at + m.rows_held * f.lda, w.carry = at + 2 * m.rows_held * f.lda;
  w.dc = w.carry + m.rows_held * f.padded;
  return w;
}

// The panels of a kernel's transpose: rows [0, count) of it become columns.
template <class T>
void pack_transposed(const RnnBackwardArgs& a, const RnnBackward<T>& f, const void* kernel, int64_t count, T* panels) {
  const T* from = static_cast<const T*>(kernel);
  parallel_for(a.threads, ceil_div(count, kUnits<T>), 1, [&](int64_t block, int64_t, int) {
    const int64_t row = block * kUnits<T>, n = min_of<int64_t>(kUnits<T>, count - row);
    pack_b(from + row * f.depth, 1, f.depth, f.depth, n, panels + row * f.depth);
  });
}

template <class T>
void begin_rows(const RnnBackwardArgs& a, const RnnBackward<T>& f, const RnnBackRows<T>& w, int64_t begin,
                int64_t end) {
  const T* dh = static_cast<const T*>(a.dh_last);
  const T* dc = static_cast<const T*>(a.dc_last);
  for (int64_t r = begin; r < end; ++r) {
    const int64_t b = w.first + r;
    for (int64_t j = 0; j < f.padded; ++j) {
      w.carry[r * f.padded + j] = dh && j < f.units ? dh[b * f.units + j] : T(0);
      w.dc[r * f.padded + j] = dc && j < f.units ? dc[b * f.units + j] : T(0);
    }
  }
}

// What came back to the initial state, for rows [begin, end) of a block of units: dh0 = (gates of step 0) U^T + carry.
template <class T>
DLBD_INLINE void end_rows(const RnnBackwardArgs& a, const RnnBackward<T>& f, const RnnBackRows<T>& w,
                          const RnnBackSpot& at, const T* out) {
  const int64_t to = at.batch * f.units + at.unit, from = at.row * f.padded + at.unit;
  if (T* dh0 = static_cast<T*>(a.dh0)) {
    Vec<T> d = load(out) + load(w.carry + from);
    if (a.accumulate_dh0) d += get(dh0 + to, at.lanes);
    put(dh0 + to, d, at.lanes);
  }
  if (T* dc0 = static_cast<T*>(a.dc0)) {
    Vec<T> d = load(w.dc + from);
    if (a.accumulate_dc0) d += get(dc0 + to, at.lanes);
    put(dc0 + to, d, at.lanes);
  }
}

// One block of units at step s; s = -1 is what lies before the first step.
template <class T, class Cell>
void backward_block(const RnnBackwardArgs& a, const RnnBackward<T>& f, const RnnBackRows<T>& w, int phase, int64_t s,
                    int64_t begin, int64_t end, int64_t block) {
  alignas(64) T out[kRows<T> * kUnits<T>];
  const int64_t unit = block * kUnits<T>;
  const int64_t vectors = min_of<int64_t>(kTileVectors, ceil_div(f.units - unit, kLanes<T>));
  const T* panel = f.panels + block * f.depth * kUnits<T>;
  const EvenSplit tiles(end - begin, kRows<T>);
  for (int64_t i = 0; i < tiles.parts; ++i) {
    const int64_t row = begin + tiles.edge(i), rows = begin + tiles.edge(i + 1) - row;
    if (phase == 1) {
      constexpr int64_t kRest = Cell::kFed;
      const int64_t fed = kRest * f.units;
      product<T>(rows, vectors, f.depth - fed, w.a[s % 2] + row * f.lda + fed, f.lda, panel + fed * kUnits<T>, nullptr,
                 out);
    } else if (s + 1 < f.steps) {
      product<T>(rows, vectors, Cell::kFed * f.units, w.a[(s + 1) % 2] + row * f.lda, f.lda, panel, nullptr, out);
    } else {
      for (T& x : out) x = T(0);
    }
    RnnBackSpot at{};
    at.s = s;
    for (int64_t r = 0; r < rows; ++r) {
      at.row = row + r, at.batch = w.first + at.row;
      for (int64_t v = 0; v < vectors; ++v) {
        at.unit = unit + v * kLanes<T>, at.lanes = f.units - at.unit;
        const T* result = out + r * kUnits<T> + v * kLanes<T>;
        if (s < 0) {
          end_rows(a, f, w, at, result);
          continue;
        }
        at.step = at.batch * f.steps + f.time(s);
        at.live = !f.mask || f.mask[at.step];
        Cell::finish(f, w, phase, at, result);
      }
    }
  }
}

// One block of dx of step s + 1, from the gradients of its gates.
template <class T, class Cell>
void backward_inputs(const RnnBackward<T>& f, const RnnBackRows<T>& w, int64_t s, int64_t begin, int64_t end,
                     int64_t block) {
  const int64_t step = s + 1, input = block * kUnits<T>;
  if (step == f.steps) return;
  const T* panel = f.input_panels + input * f.depth;
  const EvenSplit tiles(end - begin, kRows<T>);
  for (int64_t i = 0; i < tiles.parts; ++i) {
    const int64_t row = begin + tiles.edge(i), rows = begin + tiles.edge(i + 1) - row;
    T* dx = f.dx + ((w.first + row) * f.steps + f.time(step)) * f.inputs + input;
    TileCall<T> call{};
    // The last gate's set may stand apart from the others.
    constexpr bool kApart = Cell::kInputSet != Cell::kGates - 1;
    call.k = (Cell::kGates - kApart) * f.units, call.n = min_of<int64_t>(kUnits<T>, f.inputs - input);
    call.a = {w.a[step % 2] + row * f.lda, f.lda, 1};
    call.b = panel, call.ldb = kUnits<T>;
    call.c = {dx, f.steps * f.inputs, nullptr, f.accumulate_dx};
    multiply_tile(rows, call);
    if (!kApart) continue;
    call.a.data += Cell::kInputSet * f.units, call.b += call.k * kUnits<T>;
    call.k = f.units, call.c.accumulate = true;
    multiply_tile(rows, call);
  }
}

// The loop goes one step before the first where something wants what comes back there.
DLBD_INLINE int64_t last_step(const RnnBackwardArgs& a) { return a.dh0 || a.dc0 || a.dx ? -1 : 0; }

template <class T, class Cell>
void backward_rows(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  const EvenSplit chunks(f.batch, a.shape.row_chunk);
  parallel_for(a.threads, chunks.parts, 1, [&](int64_t chunk, int64_t, int worker) {
    RnnBackRows<T> w = rows_of(f, m, worker, chunks.edge(chunk), chunks.edge(chunk + 1) - chunks.edge(chunk));
    w.db = m.db + chunk * kMostSets * f.padded;
    fill_zero(w.db, kMostSets * f.padded);
    begin_rows(a, f, w, 0, w.count);
    for (int64_t s = f.steps - 1; s >= last_step(a); --s) {
      for (int phase = 0; phase < (s < 0 ? 1 : Cell::kPhases); ++phase)
        for (int64_t block = 0; block < f.blocks; ++block)
          backward_block<T, Cell>(a, f, w, phase, s, 0, w.count, block);
      for (int64_t block = 0; block < f.input_blocks; ++block) backward_inputs<T, Cell>(f, w, s, 0, w.count, block);
    }
  });
}

template <class T, class Cell>
void backward_units(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  const RnnBackRows<T> all = rows_of(f, m, 0, 0, f.batch);
  const EvenSplit groups(f.batch, kUnitsRowGroup);
  parallel_for(a.threads, f.batch, 8, [&](int64_t begin, int64_t end, int) { begin_rows(a, f, all, begin, end); });
  fill_zero(m.db, m.groups * kMostSets * f.padded);
  for (int64_t s = f.steps - 1; s >= last_step(a); --s) {
    for (int phase = 0; phase < (s < 0 ? 1 : Cell::kPhases); ++phase) {
      const int64_t blocks = f.blocks + (phase == 0 ? f.input_blocks : 0);
      parallel_for(a.threads, groups.parts * blocks, 1, [&](int64_t task, int64_t, int) {
        const int64_t group = task / blocks, block = task % blocks;
        const int64_t begin = groups.edge(group), end = groups.edge(group + 1);
        RnnBackRows<T> w = all;
        w.db = m.db + group * kMostSets * f.padded;
        if (block < f.blocks)
          backward_block<T, Cell>(a, f, w, phase, s, begin, end, block);
        else
          backward_inputs<T, Cell>(f, w, s, begin, end, block - f.blocks);
      });
    }
  }
}

// db (bias rows, columns) from the partial sums of the groups, in their order.
template <class T, class Cell>
void finish_bias(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  T* db = static_cast<T*>(a.db);
  for (int64_t side = 0; side < a.shape.bias_rows; ++side) {
    for (int64_t gate = 0; gate < Cell::kGates; ++gate) {
      const int64_t set = side == 0 && gate == Cell::kGates - 1 ? Cell::kInputSet : gate;
      for (int64_t unit = 0; unit < f.units; ++unit) {
        const T* from = m.db + set * f.padded + unit;
        T total = T(0);
        for (int64_t group = 0; group < m.groups; ++group) total += from[group * kMostSets * f.padded];
        T* to = db + side * f.depth + gate * f.units + unit;
        *to = a.accumulate_db ? *to + total : total;
      }
    }
  }
}

// dW = X^T dZ and dU = H^T dZ over all steps and rows at once. dZ lies in panels; X and H are read in place.
template <class T, class Cell>
void finish_kernels(const RnnBackwardArgs& a, const RnnBackward<T>& f, bool input_side, bool recurrent_side) {
  struct Side {
    const T* operand;
    T* result;
    int64_t rows;
    bool accumulate;
  };
  const Side sides[2] = {{static_cast<const T*>(a.x), static_cast<T*>(a.dw), f.inputs, a.accumulate_dw},
                         {f.h_before, static_cast<T*>(a.du), f.units, a.accumulate_du}};
  const int64_t groups = ceil_div(f.blocks, kTaskPanels), panels = groups * Cell::kGates;
  const EvenSplit rows[2] = {EvenSplit(input_side ? f.inputs : 0, kTaskTiles * kRows<T>),
                             EvenSplit(recurrent_side ? f.units : 0, kTaskTiles * kRows<T>)};
  const int64_t steps = f.batch * f.steps;
  parallel_for(a.threads, panels * (rows[0].parts + rows[1].parts), 1, [&](int64_t task, int64_t, int) {
    const bool recurrent = task >= panels * rows[0].parts;
    const int64_t within = recurrent ? task - panels * rows[0].parts : task;
    const Side& side = sides[recurrent];
    const EvenSplit& split = rows[recurrent];
    const int64_t row = split.edge(within / panels), m = split.edge(within / panels + 1) - row;
    const int64_t gate = within % panels / groups, block = within % groups * kTaskPanels;
    const int64_t unit = block * kUnits<T>, n = min_of<int64_t>(kTaskPanels * kUnits<T>, f.units - unit);
    const bool last = gate == Cell::kGates - 1;
    // With the reset gate before the product, the candidate's operand is r * state.
    const T* operand = recurrent && last && f.gated ? f.gated : side.operand;
    const T* dz = f.set(!recurrent && last ? Cell::kInputSet : gate, block);
    multiply_block<T>(m, n, steps, {operand + row, 1, side.rows}, packed_columns(dz, steps),
                      {side.result + row * f.depth + gate * f.units + unit, f.depth, nullptr, side.accumulate});
  });
}

// No step: the state's gradient passes through, all others are zero.
template <class T>
void no_steps(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  const auto pass = [](void* to, const void* from, int64_t n, bool accumulate) {
    T* d = static_cast<T*>(to);
    const T* g = static_cast<const T*>(from);
    if (!d) return;
    for (int64_t i = 0; i < n; ++i) d[i] = (accumulate ? d[i] : T(0)) + (g ? g[i] : T(0));
  };
  pass(a.dw, nullptr, s.inputs * s.columns, a.accumulate_dw);
  pass(a.du, nullptr, s.units * s.columns, a.accumulate_du);
  pass(a.db, nullptr, s.bias_rows * s.columns, a.accumulate_db);
  pass(a.dx, nullptr, s.batch * s.steps * s.inputs, a.accumulate_dx);
  pass(a.dh0, a.dh_last, s.batch * s.units, a.accumulate_dh0);
  pass(a.dc0, a.dc_last, s.batch * s.units, a.accumulate_dc0);
}

template <class T, class Cell>
void backward_cell(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  if (s.batch == 0 || s.steps == 0 || s.units == 0) return no_steps<T>(a);
  const RnnBackward<T> plan = describe<T>(a);
  const BackwardMemory<T> m = cut(a, plan);
  RnnBackward<T> f = plan;
  const int64_t steps = s.batch * s.steps;
  f.h_before = f.gates + steps * s.saved * s.units;
  f.c_before = f.h_before + (s.cell == RnnCell::lstm ? steps * s.units : 0);
  f.panels = m.panels, f.input_panels = m.input_panels, f.dz = m.dz, f.gated = m.gated;
  pack_transposed(a, f, a.u, f.units, m.panels);
  if (a.dx) pack_transposed(a, f, a.w, f.inputs, m.input_panels);
  if (sizeof(T) == 4 && s.path == RnnPath::units)
    backward_units<T, Cell>(a, f, m);
  else
    backward_rows<T, Cell>(a, f, m);
  if (a.db) finish_bias<T, Cell>(a, f, m);
  if (a.dw != a.du) return finish_kernels<T, Cell>(a, f, a.dw != nullptr, a.du != nullptr);
  if (!a.dw) return;
  finish_kernels<T, Cell>(a, f, true, false);  // one variable is both kernels: their gradients add up in order
  finish_kernels<T, Cell>(a, f, false, true);
}

template <class T>
void backward_as(const RnnBackwardArgs& a) {
  switch (a.shape.cell) {
    case RnnCell::rnn: return backward_cell<T, SimpleCellBackward<T>>(a);
    case RnnCell::lstm: return backward_cell<T, LstmCellBackward<T>>(a);
    case RnnCell::gru: return backward_cell<T, GruCellBackward<T>>(a);
    case RnnCell::gru_reset_before: return backward_cell<T, GruResetBeforeCellBackward<T>>(a);
  }
}

}  // namespace

int64_t rnn_backward_scratch(const RnnBackwardArgs& a) {
  if (a.shape.batch == 0 || a.shape.steps == 0 || a.shape.units == 0) return 0;
  if (a.shape.dtype == DType::f64) return cut(a, describe<double>(a)).bytes;
  return cut(a, describe<float>(a)).bytes;
}

void rnn_backward(const RnnBackwardArgs& a) {
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
