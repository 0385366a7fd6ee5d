// Recurrent layers, forward: the products of a step with its gates fused behind them, one tile at a time.
#include "../shapes/rnn.h"

#include "../shapes/kernels.h"
#include "parallel.h"
#include "rnn_cells.h"

namespace dlbd::DLBD_ISA {
namespace {

// Rows of one task on the units path: the panel of a block stays in L1 or L2 while its rows pass.
constexpr int64_t kUnitsRowGroup = 64;

template <class T>
struct ForwardMemory {
  T* panels;
  T* bias;
  T* rows;  // per worker (rows path) or once (units path)
  int64_t rows_stride, rows_held, workers;
  int64_t bytes;
};

template <class T>
RnnForward<T> describe(const RnnForwardArgs& a) {
  const RnnShape& s = a.shape;
  RnnForward<T> f{};
  f.batch = s.batch, f.steps = s.steps, f.inputs = s.inputs, f.units = s.units;
  f.padded = round_up(s.units, kUnits<T>);
  f.blocks = f.padded / kUnits<T>;
  f.depth = s.units + s.inputs;
  f.lda = padded_stride(f.depth);
  f.reverse = a.reverse, f.activation = a.activation;
  f.x = static_cast<const T*>(a.x), f.mask = a.mask;
  f.y = static_cast<T*>(a.y), f.h_last = static_cast<T*>(a.h_last), f.c_last = static_cast<T*>(a.c_last);
  if (a.reserve) {
    const int64_t steps = s.batch * s.steps;
    f.gates = static_cast<T*>(a.reserve);
    f.h_before = f.gates + steps * s.saved * s.units;
    if (s.cell == RnnCell::lstm) f.c_before = f.h_before + steps * s.units;
  }
  return f;
}

template <class T>
ForwardMemory<T> cut(const RnnForwardArgs& a, const RnnForward<T>& f) {
  const RnnShape& s = a.shape;
  ForwardMemory<T> m{};
  ScratchCutter cutter{static_cast<char*>(a.scratch), 0};
  m.panels = cutter.take<T>(f.padded * (s.units ? s.columns / s.units : 0) * f.depth);
  m.bias = cutter.take<T>(4 * f.padded);
  const bool chunks = s.path != RnnPath::units;
  m.rows_held = chunks ? min_of(s.row_chunk, s.batch) : s.batch;
  m.workers = chunks ? max_of<int64_t>(1, min_of<int64_t>(a.threads, ceil_div(s.batch, s.row_chunk))) : 1;
  m.rows_stride = m.rows_held * (3 * f.lda + 2 * f.padded);
  m.rows = cutter.take<T>(m.workers * m.rows_stride);
  m.bytes = cutter.used;
  return m;
}

template <class T>
RnnRows<T> rows_of(const RnnForward<T>& f, const ForwardMemory<T>& m, int64_t worker, int64_t first, int64_t count) {
  RnnRows<T> w{};
  w.first = first, w.count = count;
  T* at = m.rows + worker * m.rows_stride;
  w.a[0] = at, w.a[1] = at + m.rows_held * f.lda, w.gated = at + 2 * m.rows_held * f.lda;
  w.z = at + 3 * m.rows_held * f.lda, w.c = w.z + m.rows_held * f.padded;
  return w;
}

template <class T, class Cell>
void pack_panels(const RnnForwardArgs& a, const RnnForward<T>& f, T* panels) {
  const int64_t columns = a.shape.columns;
  parallel_for(a.threads, f.blocks * Cell::kGates, 1, [&](int64_t i, int64_t, int) {
    const int64_t unit = i / Cell::kGates * kUnits<T>, column = i % Cell::kGates * f.units + unit;
    const int64_t n = min_of<int64_t>(kUnits<T>, f.units - unit);
    T* to = panels + i * f.depth * kUnits<T>;
    pack_b(static_cast<const T*>(a.u) + column, columns, 1, f.units, n, to);
    pack_b(static_cast<const T*>(a.w) + column, columns, 1, f.inputs, n, to + f.units * kUnits<T>);
  });
}

// One padded bias per product. gru has z, r (both sides summed), the candidate's input side, its recurrent side.
template <class T>
void pack_bias(const RnnForwardArgs& a, const RnnForward<T>& f, T* bias) {
  const int64_t gates = a.shape.units ? a.shape.columns / a.shape.units : 0;
  const T* given = static_cast<const T*>(a.bias);
  for (int64_t i = 0; i < 4 * f.padded; ++i) bias[i] = T(0);
  if (!given) return;
  for (int64_t g = 0; g < gates; ++g)
    for (int64_t j = 0; j < f.units; ++j) bias[g * f.padded + j] = given[g * f.units + j];
  if (a.shape.bias_rows != 2) return;
  const T* recurrent = given + a.shape.columns;
  for (int64_t g = 0; g < gates; ++g)
    for (int64_t j = 0; j < f.units; ++j) bias[(g < 2 ? g : 3) * f.padded + j] += recurrent[g * f.units + j];
}

// The state before the first step, for rows [begin, end) of w.
template <class T>
void begin_rows(const RnnForwardArgs& a, const RnnForward<T>& f, const RnnRows<T>& w, int64_t begin, int64_t end) {
  const T* h0 = static_cast<const T*>(a.h0);
  const T* c0 = static_cast<const T*>(a.c0);
  for (int64_t r = begin; r < end; ++r) {
    const int64_t b = w.first + r;
    T* before = f.h_before ? f.h_before + (b * f.steps + f.time(0)) * f.units : nullptr;
    for (int64_t j = 0; j < f.units; ++j) {
      const T h = h0 ? h0[b * f.units + j] : T(0);
      w.a[0][r * f.lda + j] = h;
      if (before) before[j] = h;
    }
    if (a.shape.cell != RnnCell::lstm) continue;
    for (int64_t j = 0; j < f.padded; ++j) w.c[r * f.padded + j] = c0 && j < f.units ? c0[b * f.units + j] : T(0);
  }
}

template <class T>
DLBD_INLINE void bring_input(const RnnForward<T>& f, const RnnRows<T>& w, int64_t s, T* operand, int64_t begin,
                             int64_t end) {
  for (int64_t r = begin; r < end; ++r)
    __builtin_memcpy(operand + r * f.lda + f.units, f.x + ((w.first + r) * f.steps + f.time(s)) * f.inputs,
                     static_cast<size_t>(f.inputs) * sizeof(T));
}

template <class T, class Cell>
void forward_block(const RnnForward<T>& f, const RnnRows<T>& w, int phase, int64_t s, int64_t begin, int64_t end,
                   int64_t block) {
  alignas(64) T out[Cell::kProducts * kProductStride<T>];
  const int64_t unit = block * kUnits<T>;
  const int64_t vectors = min_of<int64_t>(kTileVectors, ceil_div(f.units - unit, kLanes<T>));
  const EvenSplit tiles(end - begin, kRows<T>);
  for (int64_t i = 0; i < tiles.parts; ++i) {
    RnnTile<T> tile{};
    tile.s = s, tile.row = begin + tiles.edge(i), tile.rows = begin + tiles.edge(i + 1) - tile.row;
    tile.block = block, tile.vectors = vectors, tile.out = out;
    Cell::multiply(f, w, phase, tile);
    RnnSpot at{};
    at.s = s;
    for (int64_t r = 0; r < tile.rows; ++r) {
      at.row = tile.row + r, at.batch = w.first + at.row, at.step = at.batch * f.steps + f.time(s);
      at.live = !f.mask || f.mask[at.step];
      for (int64_t v = 0; v < vectors; ++v) {
        at.unit = unit + v * kLanes<T>, at.lanes = f.units - at.unit;
        Cell::finish(f, w, phase, at, out + r * kUnits<T> + v * kLanes<T>);
      }
    }
  }
}

template <class T, class Cell>
void forward_rows(const RnnForwardArgs& a, const RnnForward<T>& f, const ForwardMemory<T>& m) {
  const EvenSplit chunks(f.batch, a.shape.row_chunk);
  parallel_for(a.threads, chunks.parts, 1, [&](int64_t chunk, int64_t, int worker) {
    const RnnRows<T> w = rows_of(f, m, worker, chunks.edge(chunk), chunks.edge(chunk + 1) - chunks.edge(chunk));
    begin_rows(a, f, w, 0, w.count);
    for (int64_t s = 0; s < f.steps; ++s) {
      bring_input(f, w, s, w.a[s % 2], 0, w.count);
      if (Cell::kPhases == 2) bring_input(f, w, s, w.gated, 0, w.count);
      for (int phase = 0; phase < Cell::kPhases; ++phase)
        for (int64_t block = 0; block < f.blocks; ++block) forward_block<T, Cell>(f, w, phase, s, 0, w.count, block);
    }
  });
}

template <class T, class Cell>
void forward_units(const RnnForwardArgs& a, const RnnForward<T>& f, const ForwardMemory<T>& m) {
  const RnnRows<T> w = rows_of(f, m, 0, 0, f.batch);
  const EvenSplit groups(f.batch, kUnitsRowGroup);
  parallel_for(a.threads, f.batch, 8, [&](int64_t begin, int64_t end, int) {
    begin_rows(a, f, w, begin, end);
    bring_input(f, w, 0, w.a[0], begin, end);
  });
  for (int64_t s = 0; s < f.steps; ++s) {
    for (int phase = 0; phase < Cell::kPhases; ++phase) {
      parallel_for(a.threads, groups.parts * f.blocks, 1, [&](int64_t task, int64_t, int) {
        const int64_t begin = groups.edge(task / f.blocks), end = groups.edge(task / f.blocks + 1);
        const int64_t block = task % f.blocks;
        if (phase == 0) {  // each task brings its share of the inputs that the next phase or step will read
          const int64_t from = begin + (end - begin) * block / f.blocks;
          const int64_t to = begin + (end - begin) * (block + 1) / f.blocks;
          if (s + 1 < f.steps) bring_input(f, w, s + 1, w.a[(s + 1) % 2], from, to);
          if (Cell::kPhases == 2) bring_input(f, w, s, w.gated, from, to);
        }
        forward_block<T, Cell>(f, w, phase, s, begin, end, block);
      });
    }
  }
}

template <class T>
void no_steps(const RnnForwardArgs& a) {
  const int64_t n = a.shape.batch * a.shape.units;
  for (int64_t i = 0; i < n; ++i) {
    static_cast<T*>(a.h_last)[i] = a.h0 ? static_cast<const T*>(a.h0)[i] : T(0);
    if (a.c_last) static_cast<T*>(a.c_last)[i] = a.c0 ? static_cast<const T*>(a.c0)[i] : T(0);
  }
}

template <class T, class Cell>
void forward_cell(const RnnForwardArgs& a) {
  const RnnForward<T> plan = describe<T>(a);
  if (plan.steps == 0) return no_steps<T>(a);
  if (plan.batch == 0 || plan.units == 0) return;
  const ForwardMemory<T> m = cut(a, plan);
  RnnForward<T> f = plan;
  f.panels = m.panels, f.bias = m.bias;
  pack_panels<T, Cell>(a, f, m.panels);
  pack_bias(a, f, m.bias);
  if constexpr (sizeof(T) == 4) {
    if (a.shape.path == RnnPath::units) return forward_units<T, Cell>(a, f, m);
  }
  forward_rows<T, Cell>(a, f, m);
}

template <class T>
void forward_as(const RnnForwardArgs& a) {
  switch (a.shape.cell) {
    case RnnCell::rnn: return forward_cell<T, SimpleCell<T>>(a);
    case RnnCell::lstm: return forward_cell<T, LstmCell<T>>(a);
    case RnnCell::gru: return forward_cell<T, GruCell<T>>(a);
    case RnnCell::gru_reset_before: return forward_cell<T, GruResetBeforeCell<T>>(a);
  }
}

}  // namespace

int64_t rnn_forward_scratch(const RnnForwardArgs& a) {
  if (a.shape.dtype == DType::f64) return cut(a, describe<double>(a)).bytes;
  return cut(a, describe<float>(a)).bytes;
}

void rnn_forward(const RnnForwardArgs& a) {
  if (a.shape.dtype == DType::f64) return forward_as<double>(a);
  forward_as<float>(a);
}

}  // namespace dlbd::DLBD_ISA
