// Recurrent layers, backward: one loop back through time for the gradients of the gates, then the gradients of inputs
// and kernels as products over all steps at once.
#include "../shapes/rnn.h"
#include "kernels.h"
#include "parallel.h"
#include "rnn_cells_backward.h"

namespace dlbd::DLBD_ISA {
namespace {

constexpr int64_t kUnitsRowGroup = 64;  // as in the forward pass
constexpr int kBiasPanels = 4;

template <class T>
struct BackwardMemory {
  T* panels;
  T* rows;
  T* db;  // [group of rows][kBiasPanels][padded]
  T* dz;
  T* dz_recurrent;
  T* gated;
  T* dcandidate;
  void* gemm;
  T* du;  // gru_reset_before: recurrent kernel gradients of all gates, then of the candidate
  int64_t rows_stride, rows_held, groups;
  int64_t bytes;
};

template <class T>
RnnBackward<T> describe(const RnnBackwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnBackward<T> f{};
  f.batch = s.batch, f.steps = s.steps, f.units = s.units;
  f.padded = round_up(s.units, kUnits<T>);
  f.blocks = f.padded / kUnits<T>;
  f.depth = s.columns;
  f.lda = padded_stride(f.depth);
  f.reverse = a.reverse, f.activation = a.activation, f.mask = a.mask;
  f.gates = static_cast<const T*>(a.reserve), f.dy = static_cast<const T*>(a.dy);
  return f;
}

int64_t gemm_bytes(const RnnBackwardArgs& a) {
  int64_t most = 0;
  const GemmShape* shapes[] = {&a.shape.dx, &a.shape.dw, &a.shape.du, &a.shape.du_candidate};
  for (const GemmShape* shape : shapes) {
    GemmArgs g{};
    g.threads = a.threads, g.shape = *shape;
    most = max_of(most, gemm_scratch(g));
  }
  return most;
}

template <class T>
BackwardMemory<T> cut(const RnnBackwardArgs& a, const RnnBackward<T>& f) {
  const RnnShape& s = a.shape;
  const int64_t steps = s.batch * s.steps;
  BackwardMemory<T> m{};
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  m.panels = cutter.take<T>(f.padded * f.depth);
  const bool chunks = s.path != RnnPath::units;
  m.groups = ceil_div(s.batch, chunks ? s.row_chunk : kUnitsRowGroup);
  m.rows_held = chunks ? min_of(s.row_chunk, s.batch) : s.batch;
  const int64_t workers = chunks ? max_of<int64_t>(1, min_of<int64_t>(a.threads, m.groups)) : 1;
  m.rows_stride = m.rows_held * (2 * f.lda + 2 * f.padded);
  m.rows = cutter.take<T>(workers * m.rows_stride);
  m.db = cutter.take<T>(m.groups * kBiasPanels * f.padded);
  m.dz = cutter.take<T>(steps * s.columns);
  if (s.cell == RnnCell::gru) m.dz_recurrent = cutter.take<T>(steps * s.columns);
  if (s.cell == RnnCell::gru_reset_before) {
    m.gated = cutter.take<T>(steps * s.units);
    m.dcandidate = cutter.take<T>(steps * s.units);
    m.du = cutter.take<T>(s.units * (s.columns + s.units));
  }
  m.gemm = cutter.take<char>(gemm_bytes(a));
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

template <class T>
void pack_transposed(const RnnBackwardArgs& a, const RnnBackward<T>& f, T* panels) {
  const T* u = static_cast<const T*>(a.u);
  parallel_for(a.threads, f.blocks, 1, [&](int64_t block, int64_t, int) {
    const int64_t unit = block * kUnits<T>, n = min_of<int64_t>(kUnits<T>, f.units - unit);
    pack_b(u + unit * f.depth, 1, f.depth, f.depth, n, panels + block * f.depth * kUnits<T>);
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
      const int64_t fed = Cell::kFed * f.units;
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

template <class T, class Cell>
void backward_rows(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  const EvenSplit chunks(f.batch, a.shape.row_chunk);
  parallel_for(a.threads, chunks.parts, 1, [&](int64_t chunk, int64_t, int worker) {
    RnnBackRows<T> w = rows_of(f, m, worker, chunks.edge(chunk), chunks.edge(chunk + 1) - chunks.edge(chunk));
    w.db = m.db + chunk * kBiasPanels * f.padded;
    for (int64_t i = 0; i < kBiasPanels * f.padded; ++i) w.db[i] = T(0);
    begin_rows(a, f, w, 0, w.count);
    const int64_t last = a.dh0 || a.dc0 ? -1 : 0;
    for (int64_t s = f.steps - 1; s >= last; --s)
      for (int phase = 0; phase < (s < 0 ? 1 : Cell::kPhases); ++phase)
        for (int64_t block = 0; block < f.blocks; ++block)
          backward_block<T, Cell>(a, f, w, phase, s, 0, w.count, block);
  });
}

template <class T, class Cell>
void backward_units(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  const RnnBackRows<T> all = rows_of(f, m, 0, 0, f.batch);
  const EvenSplit groups(f.batch, kUnitsRowGroup);
  parallel_for(a.threads, f.batch, 8, [&](int64_t begin, int64_t end, int) { begin_rows(a, f, all, begin, end); });
  for (int64_t i = 0; i < m.groups * kBiasPanels * f.padded; ++i) m.db[i] = T(0);
  const int64_t last = a.dh0 || a.dc0 ? -1 : 0;
  for (int64_t s = f.steps - 1; s >= last; --s) {
    for (int phase = 0; phase < (s < 0 ? 1 : Cell::kPhases); ++phase) {
      parallel_for(a.threads, groups.parts * f.blocks, 1, [&](int64_t task, int64_t, int) {
        const int64_t group = task / f.blocks;
        RnnBackRows<T> w = all;
        w.db = m.db + group * kBiasPanels * f.padded;
        backward_block<T, Cell>(a, f, w, phase, s, groups.edge(group), groups.edge(group + 1), task % f.blocks);
      });
    }
  }
}

// db (bias rows, columns) from the partial sums of the groups, in their order. gru's second row, the recurrent side,
// shares z and r with the first and has its candidate in panel 3.
template <class T>
void finish_bias(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  T* db = static_cast<T*>(a.db);
  for (int64_t side = 0; side < a.shape.bias_rows; ++side) {
    for (int64_t column = 0; column < f.depth; ++column) {
      const int64_t gate = column / f.units, unit = column % f.units;
      const T* from = m.db + (side == 1 && gate == 2 ? 3 : gate) * f.padded + unit;
      T total = T(0);
      for (int64_t group = 0; group < m.groups; ++group) total += from[group * kBiasPanels * f.padded];
      T* to = db + side * f.depth + column;
      *to = a.accumulate_db ? *to + total : total;
    }
  }
}

void multiply_all_steps(const RnnBackwardArgs& a, void* scratch, const GemmShape& shape, const void* left,
                        const void* right, void* result, bool accumulate) {
  GemmArgs g{};
  g.threads = a.threads, g.status = a.status, g.scratch = scratch;
  g.shape = shape, g.a = left, g.b = right, g.c = result, g.accumulate = accumulate;
  gemm(g);
}

// The candidate's columns of du come from r * state, the others from the state.
template <class T>
void finish_recurrent_reset_before(const RnnBackwardArgs& a, const RnnBackward<T>& f, const BackwardMemory<T>& m) {
  T* gates = m.du;
  T* candidate = m.du + f.units * f.depth;
  multiply_all_steps(a, m.gemm, a.shape.du, f.h_before, m.dz, gates, false);
  multiply_all_steps(a, m.gemm, a.shape.du_candidate, m.gated, m.dcandidate, candidate, false);
  T* du = static_cast<T*>(a.du);
  for (int64_t i = 0; i < f.units; ++i) {
    for (int64_t j = 0; j < f.depth; ++j) {
      const T d = j < 2 * f.units ? gates[i * f.depth + j] : candidate[i * f.units + j - 2 * f.units];
      du[i * f.depth + j] = a.accumulate_du ? du[i * f.depth + j] + d : d;
    }
  }
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
  f.panels = m.panels, f.dz = m.dz, f.dz_recurrent = m.dz_recurrent, f.gated = m.gated, f.dcandidate = m.dcandidate;
  pack_transposed(a, f, m.panels);
  if (sizeof(T) == 4 && s.path == RnnPath::units)
    backward_units<T, Cell>(a, f, m);
  else
    backward_rows<T, Cell>(a, f, m);
  if (a.db) finish_bias(a, f, m);
  if (a.dx) multiply_all_steps(a, m.gemm, s.dx, m.dz, a.w, a.dx, a.accumulate_dx);
  if (a.dw) multiply_all_steps(a, m.gemm, s.dw, a.x, m.dz, a.dw, a.accumulate_dw);
  if (!a.du) return;
  if (s.cell == RnnCell::gru_reset_before) return finish_recurrent_reset_before(a, f, m);
  multiply_all_steps(a, m.gemm, s.du, f.h_before, s.cell == RnnCell::gru ? m.dz_recurrent : m.dz, a.du,
                     a.accumulate_du);
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
  if (a.shape.dtype == DType::f64) return cut(a, describe<double>(a)).bytes;
  return cut(a, describe<float>(a)).bytes;
}

void rnn_backward(const RnnBackwardArgs& a) {
  if (a.shape.dtype == DType::f64) return backward_as<double>(a);
  backward_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
