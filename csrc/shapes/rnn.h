// Recurrent layers over whole sequences: x (B, T, D) -> y (B, T, H), gates side by side in the columns of the kernels.
#pragma once

#include "common.h"

namespace dlbd {

// gru has its reset gate applied after the recurrent product (Keras's reset_after=True), gru_reset_before inside it.
enum class RnnCell : int32_t { rnn, lstm, gru, gru_reset_before };

// `rows` gives a chunk of batch rows to a worker that runs the whole time loop alone; `units` splits the hidden units
// of every step between the workers, for weights that exceed a core's cache or batches of few rows.
enum class RnnPath : int32_t { generic, rows, units };

struct RnnShape {
  RnnCell cell;
  int64_t batch, steps, inputs, units;
  int64_t columns;    // of kernel and recurrent_kernel: gates * units
  int64_t saved;      // per step and row, values kept of the gates for backward, in multiples of units
  int64_t bias_rows;  // 2 for gru: one bias for the input side, one for the recurrent side
  int64_t row_chunk;  // rows of the batch that stay together
  int64_t
      reserve;  // elements of the reserve that training fills: gates, states before each step, cells before each step
  DType dtype;
  RnnPath path;
};

struct RnnForwardArgs : LaunchArgs {
  RnnShape shape;
  ActivationSpec activation;  // of the plain rnn cell; lstm and gru have sigmoid and tanh
  bool reverse;               // step s reads x, mask at T - 1 - s; y is in the order of processing
  const void* x;
  const void* w;
  const void* u;
  const void* bias;     // or null
  const void* h0;       // (B, H) or null for zeros
  const void* c0;       // lstm only
  const uint8_t* mask;  // (B, T) or null; a step whose mask is 0 carries the state over
  void* y;              // (B, T, H), or null when only the last state is wanted
  void* h_last;
  void* c_last;   // lstm only
  void* reserve;  // null in inference
};

struct RnnBackwardArgs : LaunchArgs {
  RnnShape shape;
  ActivationSpec activation;
  bool reverse;
  const void* x;
  const void* w;
  const void* u;
  const uint8_t* mask;
  const void* reserve;
  const void* dy;  // each of dy, dh_last, dc_last may be null
  const void* dh_last;
  const void* dc_last;
  void* dx;  // each result may be null
  void* dw;
  void* du;
  void* db;
  void* dh0;
  void* dc0;
  bool accumulate_dx, accumulate_dw, accumulate_du, accumulate_db, accumulate_dh0, accumulate_dc0;
};

// Checks the sizes and picks the path; cell and path by name. Throws std::invalid_argument.
RnnShape make_rnn_shape(const char* cell, int64_t batch, int64_t steps, int64_t inputs, int64_t units, DType dtype,
                        const char* path);
const char* name_of(RnnPath path);

}  // namespace dlbd
