// The recurrent cells, one unit of one row at a time: what all paths of the forward and the backward pass share.
// A cell has gates columns of the kernels per unit. gru_reset_before needs two passes over all units per step (phases).
#pragma once

#include "../shapes/rnn.h"
#include "scalar_math.h"

namespace dlbd::cuda {

inline constexpr int kMostGates = 4;

constexpr int gates_of(RnnCell cell) { return cell == RnnCell::rnn ? 1 : cell == RnnCell::lstm ? 4 : 3; }
constexpr int saved_of(RnnCell cell) { return cell == RnnCell::rnn ? 1 : cell == RnnCell::gru_reset_before ? 3 : 4; }
__host__ __device__ constexpr int phases_of(RnnCell cell) { return cell == RnnCell::gru_reset_before ? 2 : 1; }

// The phase in which a gate's recurrent product is made.
__device__ __forceinline__ int phase_of(RnnCell cell, int gate) {
  return cell == RnnCell::gru_reset_before && gate == 2 ? 1 : 0;
}

// The reset-after candidate needs its recurrent product apart from its input: the product has slot 3, the input slot 2.
__device__ __forceinline__ int slot_of(RnnCell cell, int gate) { return cell == RnnCell::gru && gate == 2 ? 3 : gate; }

// Arrays (B, T, ...) are at time t, which is T - 1 - s for step s of a reversed layer; y is in the order of steps.
template <class T>
struct RnnForward {
  RnnCell cell;
  ActivationSpec activation;
  bool reverse;
  int gates, saved, units;
  int64_t batch, steps;
  const T* inputs;  // x W + b of all steps (B, T, gates * units); may be the very memory of `kept`
  const T* u;
  const T* recurrent_bias;  // gates * units, or null
  const T* h0;
  const T* c0;
  const uint8_t* mask;
  T* y;
  T* h_last;
  T* c_last;
  T* kept;      // (B, T, saved * units) and the states before each step; null in inference
  T* h_before;  // (B, T, units)
  T* c_before;

  __device__ __forceinline__ int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  __device__ __forceinline__ int64_t position(int64_t b, int64_t s) const { return b * steps + time(s); }
  __device__ __forceinline__ bool live(int64_t b, int64_t s) const { return !mask || mask[position(b, s)]; }
  __device__ __forceinline__ T first_state(const T* given, int64_t at) const { return given ? given[at] : T(0); }
  __device__ __forceinline__ T bias(int gate, int unit) const {
    return recurrent_bias ? recurrent_bias[static_cast<int64_t>(gate) * units + unit] : T(0);
  }
};

template <class T>
struct ForwardUnit {
  T z[kMostGates];  // by slot: products with input and bias; after phase 0 of gru_reset_before, its gates
  T h, c;           // before the step, then after it
  T gated;          // gru_reset_before: what the candidate's product reads
};

// What follows the products of a live unit. `kept` takes what the backward pass wants, T* or null.
template <class T>
__device__ __forceinline__ void finish_cell(const RnnForward<T>& f, int phase, ForwardUnit<T>& s, T* kept) {
  T save[kMostGates] = {};
  int first = 0, count = f.saved;
  switch (f.cell) {
    case RnnCell::rnn: s.h = save[0] = activate(f.activation, s.z[0]); break;
    case RnnCell::lstm: {
      const T i = sigmoid(s.z[0]), forget = sigmoid(s.z[1]), g = tanh(s.z[2]), o = sigmoid(s.z[3]);
      s.c = forget * s.c + i * g;
      s.h = o * tanh(s.c);
      save[0] = i, save[1] = forget, save[2] = g, save[3] = o;
      break;
    }
    case RnnCell::gru: {
      const T z = sigmoid(s.z[0]), r = sigmoid(s.z[1]), candidate = tanh(s.z[2] + r * s.z[3]);
      s.h = z * s.h + (T(1) - z) * candidate;
      save[0] = z, save[1] = r, save[2] = candidate, save[3] = s.z[3];
      break;
    }
    case RnnCell::gru_reset_before:
      if (phase == 0) {
        save[0] = s.z[0] = sigmoid(s.z[0]), save[1] = s.z[1] = sigmoid(s.z[1]);
        s.gated = s.z[1] * s.h;
        count = 2;
      } else {
        save[2] = tanh(s.z[2]);
        s.h = s.z[0] * s.h + (T(1) - s.z[0]) * save[2];
        first = 2;
      }
      break;
  }
  if (!kept) return;
#pragma unroll
  for (int i = 0; i < kMostGates; ++i)
    if (i >= first && i < count) kept[static_cast<int64_t>(i) * f.units] = save[i];
}

// The state after step s (-1: before the first) goes to the output and to what the next step's backward pass reads.
template <class T>
__device__ __forceinline__ void emit(const RnnForward<T>& f, int64_t b, int64_t s, int unit, T h, T c) {
  if (s >= 0 && f.y) f.y[(b * f.steps + s) * f.units + unit] = h;
  if (s + 1 < f.steps) {
    const int64_t next = f.position(b, s + 1) * f.units + unit;
    if (f.h_before) f.h_before[next] = h;
    if (f.c_before) f.c_before[next] = c;
  } else {
    f.h_last[b * f.units + unit] = h;
    if (f.c_last) f.c_last[b * f.units + unit] = c;
  }
}

template <class T>
struct RnnBackward {
  RnnCell cell;
  ActivationSpec activation;
  bool reverse;
  int gates, saved, units;
  int64_t batch, steps;
  const T* u;
  const uint8_t* mask;
  const T* kept;
  const T* h_before;
  const T* c_before;
  const T* dy;
  const T* dh_last;
  const T* dc_last;
  T* dh0;
  T* dc0;
  bool accumulate_dh0, accumulate_dc0;
  // The gradients of all steps, (B, T, gates * units): of the products with the input, and of those with the state
  // (the same array but for gru). gru_reset_before: of its candidate alone and what that was multiplied with, (B, T,
  // units).
  T* d_input;
  T* d_recurrent;
  T* d_candidate;
  T* gated;

  __device__ __forceinline__ int64_t time(int64_t s) const { return reverse ? steps - 1 - s : s; }
  __device__ __forceinline__ int64_t position(int64_t b, int64_t s) const { return b * steps + time(s); }
  __device__ __forceinline__ bool live(int64_t b, int64_t s) const { return !mask || mask[position(b, s)]; }
  __device__ __forceinline__ T last_state(const T* given, int64_t at) const { return given ? given[at] : T(0); }
  // The loop goes on to step -1 where something wants what comes back there.
  __device__ __forceinline__ int64_t last_step() const { return dh0 || dc0 ? -1 : 0; }
};

// What a unit's step back reads from global memory: the gates, the state before the step (lstm: the cell's), dy.
inline constexpr int kBackwardValues = kMostGates + 2, kValueBefore = kMostGates, kValueDy = kMostGates + 1;

// Where value v of a unit lies, or null where the cell has none.
template <class T>
__device__ __forceinline__ const T* backward_value(const RnnBackward<T>& f, int v, int64_t b, int64_t s, int unit) {
  const int64_t at = f.position(b, s);
  if (v < kMostGates)
    return v < f.saved ? f.kept + (at * f.saved + v) * f.units + unit : static_cast<const T*>(nullptr);
  if (v == kValueDy) return f.dy ? f.dy + (b * f.steps + s) * f.units + unit : static_cast<const T*>(nullptr);
  return (f.cell == RnnCell::lstm ? f.c_before : f.h_before) + at * f.units + unit;
}

template <class T>
struct BackwardUnit {
  T v[kBackwardValues];
  T back;           // what comes through the recurrent kernel: from the next step; in phase 1 from the candidate
  T carry;          // the part of the state's gradient that does not pass through the recurrent kernel
  T dc;             // lstm
  T d[kMostGates];  // the gradients of the recurrent products, by gate; gru: [3] is that of the candidate's input
  T gated;
};

// One step back; a unit that is not live only hands the gradient of its state on.
template <class T>
__device__ __forceinline__ void step_back(const RnnBackward<T>& f, int phase, bool live, BackwardUnit<T>& s) {
  if (phase == 1) {  // gru_reset_before: the gradient has come through the candidate's product to r * state
    const T r = s.v[1], before = s.v[kValueBefore];
    s.gated = live ? r * before : T(0);
    s.d[1] = live ? s.back * before * r * (T(1) - r) : T(0);
    if (live) s.carry += s.back * r;
    return;
  }
  const T dh = s.back + s.carry + s.v[kValueDy];
#pragma unroll
  for (int i = 0; i < kMostGates; ++i) s.d[i] = T(0);
  s.carry = dh;
  if (!live) return;
  switch (f.cell) {
    case RnnCell::rnn:
      s.d[0] = activation_gradient(f.activation, s.v[0], dh);
      s.carry = T(0);
      break;
    case RnnCell::lstm: {
      const T i = s.v[0], forget = s.v[1], g = s.v[2], o = s.v[3], before = s.v[kValueBefore];
      const T squashed = tanh(forget * before + i * g);
      const T dc = s.dc + dh * o * (T(1) - squashed * squashed);
      s.d[0] = dc * g * i * (T(1) - i);
      s.d[1] = dc * before * forget * (T(1) - forget);
      s.d[2] = dc * i * (T(1) - g * g);
      s.d[3] = dh * squashed * o * (T(1) - o);
      s.dc = dc * forget;
      s.carry = T(0);
      break;
    }
    case RnnCell::gru:
    case RnnCell::gru_reset_before: {
      const T z = s.v[0], candidate = s.v[2];
      s.d[0] = dh * (s.v[kValueBefore] - candidate) * z * (T(1) - z);
      const T through = dh * (T(1) - z) * (T(1) - candidate * candidate);
      s.carry = dh * z;
      if (f.cell == RnnCell::gru_reset_before) {
        s.d[2] = through;
      } else {
        const T r = s.v[1], recurrent = s.v[3];
        s.d[1] = through * recurrent * r * (T(1) - r);
        s.d[2] = through * r;
        s.d[3] = through;
      }
      break;
    }
  }
}

// The gradients of a step for the products over all steps.
template <class T>
__device__ __forceinline__ void note(const RnnBackward<T>& f, int phase, int64_t b, int64_t s, int unit,
                                     const BackwardUnit<T>& x) {
  const int64_t at = f.position(b, s), row = at * f.gates * f.units + unit;
#pragma unroll
  for (int g = 0; g < kMostGates; ++g) {
    if (g >= f.gates || (phases_of(f.cell) == 2 && (g == 1) != (phase == 1))) continue;
    const int64_t to = row + static_cast<int64_t>(g) * f.units;
    f.d_input[to] = f.cell == RnnCell::gru && g == 2 ? x.d[3] : x.d[g];
    if (f.d_recurrent != f.d_input) f.d_recurrent[to] = x.d[g];
  }
  if (f.cell != RnnCell::gru_reset_before) return;
  if (phase == 0)
    f.d_candidate[at * f.units + unit] = x.d[2];
  else
    f.gated[at * f.units + unit] = x.gated;
}

// What arrives before the first step. One array may be both: its gradients add up in order.
template <class T>
__device__ __forceinline__ void finish_states(const RnnBackward<T>& f, int64_t b, int unit, T dh, T dc) {
  const int64_t at = b * f.units + unit;
  if (f.dh0) f.dh0[at] = f.accumulate_dh0 ? f.dh0[at] + dh : dh;
  if (f.dc0) f.dc0[at] = f.accumulate_dc0 ? f.dc0[at] + dc : dc;
}

}  // namespace dlbd::cuda
