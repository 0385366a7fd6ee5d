// The recurrent cells, backward: from the gradient of a step's state to the gradients of its gates. A cell has kSets
// gradients per unit; set i lies in columns [i * units, (i + 1) * units) of the operand that goes back one step.
//   kGates         columns of the kernels per unit
//   kInputSet      the set of the last gate as the input side sees it; the recurrent side has set kGates - 1
//   kPhases        passes over all units that a step needs
//   kFed           gates that feed the state before through phase 0; phase 1, of the same step, has the rest
#pragma once

#include "activation.h"
#include "rnn_gates.h"
#include "rnn_tile.h"

namespace dlbd::DLBD_ISA {

template <class T>
struct RnnBackward {
  int64_t batch, steps, inputs, units;
  int64_t padded, blocks;  // units in whole panels
  int64_t input_blocks;    // panels of inputs, for dx
  int64_t depth;           // columns of the kernels
  int64_t lda;
  bool reverse;
  ActivationSpec activation;
  const T* panels;        // the recurrent kernel transposed: [block][depth][kUnits]
  const T* input_panels;  // the kernel transposed: [input block][depth][kUnits]
  const uint8_t* mask;
  const T* gates;
  const T* h_before;
  const T* c_before;
  const T* dy;
  T* dx;
  bool accumulate_dx;
  T* dz;     // the gradients of all steps as panels for the products over all steps: [set][block][(b, t)][kUnits]
  T* gated;  // gru_reset_before: r * state, (B, T, units)

  DLBD_INLINE int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  DLBD_INLINE T* set(int64_t i, int64_t block) const { return dz + (i * blocks + block) * batch * steps * kUnits<T>; }
};

// Rows that go back through time together. Step s writes the gradients of its gates to a[s % 2] and reads those of
// step s + 1 from the other.
template <class T>
struct RnnBackRows {
  int64_t first, count;
  T* a[2];
  T* carry;  // the part of the state's gradient that does not pass through the recurrent kernel
  T* dc;     // lstm
  T* db;     // partial sums of the bias gradient: [set][padded]
};

struct RnnBackSpot {
  int64_t s, row, batch, step, unit, lanes;
  bool live;
};

template <class T>
DLBD_INLINE Vec<T> saved(const RnnBackward<T>& f, const RnnBackSpot& at, int64_t count, int64_t which) {
  return get(f.gates + (at.step * count + which) * f.units + at.unit, at.lanes);
}
template <class T>
DLBD_INLINE Vec<T> state_before(const RnnBackward<T>& f, const RnnBackSpot& at) {
  return get(f.h_before + at.step * f.units + at.unit, at.lanes);
}

// The gradient of the state after step s: from the steps behind it and from the output of this one.
template <class T>
DLBD_INLINE Vec<T> state_gradient(const RnnBackward<T>& f, const RnnBackRows<T>& w, const RnnBackSpot& at,
                                  const T* out) {
  Vec<T> dh = load(out) + load(w.carry + at.row * f.padded + at.unit);
  if (f.dy) dh += get(f.dy + (at.batch * f.steps + at.s) * f.units + at.unit, at.lanes);
  return dh;
}

// Where the gradient of one gate goes: to the next step back, to the products over all steps, into the bias.
template <class T>
DLBD_INLINE void note(const RnnBackward<T>& f, const RnnBackRows<T>& w, const RnnBackSpot& at, int64_t set, Vec<T> dz) {
  put(w.a[at.s % 2] + at.row * f.lda + set * f.units + at.unit, dz, at.lanes);
  store(f.set(set, at.unit / kUnits<T>) + at.step * kUnits<T> + at.unit % kUnits<T>, dz);
  T* db = w.db + set * f.padded + at.unit;
  store(db, load(db) + dz);
}
template <class T>
DLBD_INLINE void carry_over(const RnnBackward<T>& f, const RnnBackRows<T>& w, const RnnBackSpot& at, Vec<T> dh) {
  store(w.carry + at.row * f.padded + at.unit, dh);
}

template <class T>
struct SimpleCellBackward {
  static constexpr int kSets = 1, kGates = 1, kInputSet = 0, kPhases = 1, kFed = 1;

  DLBD_INLINE static void finish(const RnnBackward<T>& f, const RnnBackRows<T>& w, int, const RnnBackSpot& at,
                                 const T* out) {
    const Vec<T> dh = state_gradient(f, w, at, out);
    Vec<T> dz{};
    if (at.live) dz = activation_gradient<T>(f.activation, saved(f, at, 1, 0), dh);
    note(f, w, at, 0, dz);
    carry_over(f, w, at, at.live ? Vec<T>{} : dh);
  }
};

template <class T>
struct LstmCellBackward {
  static constexpr int kSets = 4, kGates = 4, kInputSet = 3, kPhases = 1, kFed = 4;

  DLBD_INLINE static void finish(const RnnBackward<T>& f, const RnnBackRows<T>& w, int, const RnnBackSpot& at,
                                 const T* out) {
    const Vec<T> dh = state_gradient(f, w, at, out);
    if (!at.live) {
      for (int g = 0; g < kGates; ++g) note(f, w, at, g, Vec<T>{});
      return carry_over(f, w, at, dh);
    }
    const Vec<T> i = saved(f, at, 4, 0), forget = saved(f, at, 4, 1), g = saved(f, at, 4, 2), o = saved(f, at, 4, 3);
    const Vec<T> before = get(f.c_before + at.step * f.units + at.unit, at.lanes);
    const Vec<T> squashed = gate_tanh(forget * before + i * g);
    T* cell = w.dc + at.row * f.padded + at.unit;
    const Vec<T> dc = load(cell) + dh * o * (T(1) - squashed * squashed);
    note(f, w, at, 0, dc * g * i * (T(1) - i));
    note(f, w, at, 1, dc * before * forget * (T(1) - forget));
    note(f, w, at, 2, dc * i * (T(1) - g * g));
    note(f, w, at, 3, dh * squashed * o * (T(1) - o));
    store(cell, dc * forget);
    carry_over(f, w, at, Vec<T>{});
  }
};

template <class T>
struct GruCellBackward {
  static constexpr int kSets = 4, kGates = 3, kInputSet = 3, kPhases = 1, kFed = 3;

  DLBD_INLINE static void finish(const RnnBackward<T>& f, const RnnBackRows<T>& w, int, const RnnBackSpot& at,
                                 const T* out) {
    const Vec<T> dh = state_gradient(f, w, at, out);
    Vec<T> dz{}, dr{}, dcandidate{}, drecurrent{};
    Vec<T> rest = dh;
    if (at.live) {
      const Vec<T> z = saved(f, at, 4, 0), r = saved(f, at, 4, 1), candidate = saved(f, at, 4, 2);
      const Vec<T> recurrent = saved(f, at, 4, 3), before = state_before(f, at);
      dz = dh * (before - candidate) * z * (T(1) - z);
      dcandidate = dh * (T(1) - z) * (T(1) - candidate * candidate);
      dr = dcandidate * recurrent * r * (T(1) - r);
      drecurrent = dcandidate * r;
      rest = dh * z;
    }
    note(f, w, at, 0, dz), note(f, w, at, 1, dr), note(f, w, at, 2, drecurrent), note(f, w, at, 3, dcandidate);
    carry_over(f, w, at, rest);
  }
};

template <class T>
struct GruResetBeforeCellBackward {
  static constexpr int kSets = 3, kGates = 3, kInputSet = 2, kPhases = 2, kFed = 2;

  DLBD_INLINE static void finish(const RnnBackward<T>& f, const RnnBackRows<T>& w, int phase, const RnnBackSpot& at,
                                 const T* out) {
    if (phase == 0) {
      const Vec<T> dh = state_gradient(f, w, at, out);
      Vec<T> dz{}, dcandidate{};
      Vec<T> rest = dh;
      if (at.live) {
        const Vec<T> z = saved(f, at, 3, 0), candidate = saved(f, at, 3, 2);
        dz = dh * (state_before(f, at) - candidate) * z * (T(1) - z);
        dcandidate = dh * (T(1) - z) * (T(1) - candidate * candidate);
        rest = dh * z;
      }
      note(f, w, at, 0, dz), note(f, w, at, 2, dcandidate);
      return carry_over(f, w, at, rest);
    }
    Vec<T> dr{}, gated{};
    if (at.live) {
      const Vec<T> r = saved(f, at, 3, 1), before = state_before(f, at), dgated = load(out);
      gated = r * before;
      dr = dgated * before * r * (T(1) - r);
      carry_over(f, w, at, load(w.carry + at.row * f.padded + at.unit) + dgated * r);
    }
    note(f, w, at, 1, dr);
    put(f.gated + at.step * f.units + at.unit, gated, at.lanes);
  }
};

}  // namespace dlbd::DLBD_ISA
