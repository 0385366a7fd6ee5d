// The recurrent cells, forward: from the products of a tile to the new state. One struct per cell with
//   kProducts    products per block of units and step,
//   kPhases    passes over all units that a step needs,
//   multiply() the products of a tile of rows,
//   finish()   what follows them for one row and one vector of units.
#pragma once

#include "activation.h"
#include "rnn_gates.h"
#include "rnn_tile.h"

namespace dlbd::DLBD_ISA {

template <class T>
struct RnnForward {
  int64_t batch, steps, inputs, units;
  int64_t padded;  // units rounded up to whole panels
  int64_t blocks;  // panels per gate
  int64_t depth;   // of the products: states, then inputs
  int64_t lda;
  bool reverse;
  ActivationSpec activation;
  const T* x;
  const T* panels;  // [block][gate][depth][kUnits]
  const T* bias;    // [panel][padded]
  const uint8_t* mask;
  T* y;
  T* h_last;
  T* c_last;
  T* gates;     // (B, T, saved * units) and the states before each step: null in inference
  T* h_before;  // (B, T, units)
  T* c_before;

  DLBD_INLINE int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
};

// The rows that go through time together. The operand of step s is a[s % 2], rows of (state, input).
template <class T>
struct RnnRows {
  int64_t first, count;
  T* a[2];
  T* gated;  // gru_reset_before: rows of (r * state, input)
  T* z;      // gru_reset_before
  T* c;      // lstm
};

// Some rows of one block of units at one step, and where their products go: out[product][row][kUnits].
template <class T>
struct RnnTile {
  int64_t s, row, rows, block, vectors;
  T* out;
};
template <class T>
inline constexpr int64_t kProductStride = kRows<T>* kUnits<T>;

// Product number `which`, with its bias: columns [first, first + depth) of the operand by those rows of a gate's panel.
template <class T, class Cell>
DLBD_INLINE void gate_product(const RnnForward<T>& f, const T* operand, const RnnTile<T>& tile, int64_t gate,
                              int64_t which, int64_t first, int64_t depth) {
  const T* panel = f.panels + ((tile.block * Cell::kGates + gate) * f.depth + first) * kUnits<T>;
  product(tile.rows, tile.vectors, depth, operand + tile.row * f.lda + first, f.lda, panel,
          f.bias + which * f.padded + tile.block * kUnits<T>, tile.out + which * kProductStride<T>);
}

// Where one vector of one row stands.
struct RnnSpot {
  int64_t s, row, batch, step;  // step: the flat position of (batch, time) in x, mask and the reserve
  int64_t unit, lanes;
  bool live;  // not masked
};

template <class T>
DLBD_INLINE void emit(const RnnForward<T>& f, const RnnRows<T>& w, const RnnSpot& at, Vec<T> h) {
  put(w.a[(at.s + 1) % 2] + at.row * f.lda + at.unit, h, at.lanes);
  if (f.y) put(f.y + (at.batch * f.steps + at.s) * f.units + at.unit, h, at.lanes);
  if (at.s + 1 == f.steps) {
    put(f.h_last + at.batch * f.units + at.unit, h, at.lanes);
  } else if (f.h_before) {
    put(f.h_before + (at.batch * f.steps + f.time(at.s + 1)) * f.units + at.unit, h, at.lanes);
  }
}

template <class T>
DLBD_INLINE void keep(const RnnForward<T>& f, const RnnSpot& at, int64_t saved, int64_t which, Vec<T> value) {
  if (f.gates) put(f.gates + (at.step * saved + which) * f.units + at.unit, value, at.lanes);
}

template <class T>
struct SimpleCell {
  static constexpr int kProducts = 1, kGates = 1, kPhases = 1;

  DLBD_INLINE static void multiply(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnTile<T>& tile) {
    gate_product<T, SimpleCell>(f, w.a[tile.s % 2], tile, 0, 0, 0, f.depth);
  }
  DLBD_INLINE static void finish(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnSpot& at, const T* out) {
    Vec<T> h = load(w.a[at.s % 2] + at.row * f.lda + at.unit);
    if (at.live) {
      h = f.activation.kind == Activation::tanh ? gate_tanh(load(out)) : activate<T>(f.activation, load(out));
      keep(f, at, 1, 0, h);
    }
    emit(f, w, at, h);
  }
};

template <class T>
struct LstmCell {
  static constexpr int kProducts = 4, kGates = 4, kPhases = 1;

  DLBD_INLINE static void multiply(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnTile<T>& tile) {
    for (int g = 0; g < kGates; ++g) gate_product<T, LstmCell>(f, w.a[tile.s % 2], tile, g, g, 0, f.depth);
  }
  // i, f, o = sigmoid, g = tanh; c = f c + i g; h = o tanh(c)
  DLBD_INLINE static void finish(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnSpot& at, const T* out) {
    T* cell = w.c + at.row * f.padded + at.unit;
    Vec<T> c = load(cell), h = load(w.a[at.s % 2] + at.row * f.lda + at.unit);
    if (f.c_before) put(f.c_before + at.step * f.units + at.unit, c, at.lanes);
    if (at.live) {
      const Vec<T> i = gate_sigmoid(load(out));
      const Vec<T> forget = gate_sigmoid(load(out + kProductStride<T>));
      const Vec<T> g = gate_tanh(load(out + 2 * kProductStride<T>));
      const Vec<T> o = gate_sigmoid(load(out + 3 * kProductStride<T>));
      c = forget * c + i * g;
      h = o * gate_tanh(c);
      store(cell, c);
      keep(f, at, 4, 0, i), keep(f, at, 4, 1, forget), keep(f, at, 4, 2, g), keep(f, at, 4, 3, o);
    }
    emit(f, w, at, h);
    if (at.s + 1 == f.steps) put(f.c_last + at.batch * f.units + at.unit, c, at.lanes);
  }
};

// reset_after: the reset gate scales the recurrent product of the candidate.
template <class T>
struct GruCell {
  static constexpr int kProducts = 4, kGates = 3, kPhases = 1;

  DLBD_INLINE static void multiply(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnTile<T>& tile) {
    const T* a = w.a[tile.s % 2];
    for (int g = 0; g < 2; ++g) gate_product<T, GruCell>(f, a, tile, g, g, 0, f.depth);
    gate_product<T, GruCell>(f, a, tile, 2, 2, f.units, f.inputs);
    gate_product<T, GruCell>(f, a, tile, 2, 3, 0, f.units);
  }
  DLBD_INLINE static void finish(const RnnForward<T>& f, const RnnRows<T>& w, int, const RnnSpot& at, const T* out) {
    Vec<T> h = load(w.a[at.s % 2] + at.row * f.lda + at.unit);
    if (at.live) {
      const Vec<T> z = gate_sigmoid(load(out));
      const Vec<T> r = gate_sigmoid(load(out + kProductStride<T>));
      const Vec<T> recurrent = load(out + 3 * kProductStride<T>);
      const Vec<T> candidate = gate_tanh(load(out + 2 * kProductStride<T>) + r * recurrent);
      h = z * h + (T(1) - z) * candidate;
      keep(f, at, 4, 0, z), keep(f, at, 4, 1, r), keep(f, at, 4, 2, candidate), keep(f, at, 4, 3, recurrent);
    }
    emit(f, w, at, h);
  }
};

// reset_after=False: the reset gate scales the state that enters the candidate's product, so a step has two phases.
template <class T>
struct GruResetBeforeCell {
  static constexpr int kProducts = 3, kGates = 3, kPhases = 2;

  DLBD_INLINE static void multiply(const RnnForward<T>& f, const RnnRows<T>& w, int phase, const RnnTile<T>& tile) {
    if (phase == 1) return gate_product<T, GruResetBeforeCell>(f, w.gated, tile, 2, 2, 0, f.depth);
    for (int g = 0; g < 2; ++g) gate_product<T, GruResetBeforeCell>(f, w.a[tile.s % 2], tile, g, g, 0, f.depth);
  }
  DLBD_INLINE static void finish(const RnnForward<T>& f, const RnnRows<T>& w, int phase, const RnnSpot& at,
                                 const T* out) {
    Vec<T> h = load(w.a[at.s % 2] + at.row * f.lda + at.unit);
    T* z = w.z + at.row * f.padded + at.unit;
    if (phase == 0) {
      const Vec<T> update = gate_sigmoid(load(out));
      const Vec<T> r = gate_sigmoid(load(out + kProductStride<T>));
      store(z, update);
      put(w.gated + at.row * f.lda + at.unit, r * h, at.lanes);
      keep(f, at, 3, 0, update), keep(f, at, 3, 1, r);
      return;
    }
    if (at.live) {
      const Vec<T> candidate = gate_tanh(load(out + 2 * kProductStride<T>));
      const Vec<T> update = load(z);
      h = update * h + (T(1) - update) * candidate;
      keep(f, at, 3, 2, candidate);
    }
    emit(f, w, at, h);
  }
};

}  // namespace dlbd::DLBD_ISA
