// The ways of the recurrent layers through time in float32: how each is planned, what scratch memory it takes, how it
// is launched. rnn.cu and rnn_backward.cu choose, and have a plain loop besides.
#pragma once

#include "rnn_cells.h"
#include "rnn_products.h"
#include "rnn_team.h"

namespace dlbd::cuda {

enum class RnnWay { plain, rows, team, steps };

// rnn_rows.cu: how a layer is spread over the threads of a block.
struct AlonePlan {
  int rows, per, lanes;
  int64_t bytes;  // of shared memory; 0: the layer does not fit
};

AlonePlan plan_forward_rows(const RnnShape& s);
AlonePlan plan_backward_rows(const RnnShape& s);
void forward_rows(const RnnForwardArgs& a, const RnnForward<float>& f, const AlonePlan& p);
void backward_rows(const RnnBackwardArgs& a, const RnnBackward<float>& f, const AlonePlan& p);

// rnn_team.cu
struct TeamForwardMemory {
  float* weights;    // [member][k][gate][unit of the member]
  float* states[2];  // before even and odd steps: [tile][k][row]
  float* gated;      // gru_reset_before: r * state, likewise
  float* update;     // gru_reset_before: (B, units)
  unsigned* arrived;
  int64_t zeroed;  // bytes of states, gated and arrived, which lie together
};

struct TeamBackwardMemory {
  float* weights;       // [member][k][unit of the member], k over the gates of phase 0, padded, then those of phase 1
  float* gradients[2];  // of even and odd steps, gates of phase 0: [tile][k][row]
  float* candidate;     // gru_reset_before: of the gate of phase 1, likewise
  float* carry;         // (B, units)
  float* dc;
  unsigned* arrived;
  int64_t zeroed;  // bytes of gradients, candidate and arrived, which lie together
};

TeamWork forward_team_work(const RnnShape& s);
TeamWork backward_team_work(const RnnShape& s);
TeamForwardMemory cut_forward_team(const RnnShape& s, const TeamPlan& p, ScratchCutter& cutter);
TeamBackwardMemory cut_backward_team(const RnnShape& s, const TeamPlan& p, ScratchCutter& cutter);
void forward_team(const RnnForwardArgs& a, const RnnForward<float>& f, const TeamPlan& p, const TeamForwardMemory& m);
void backward_team(const RnnBackwardArgs& a, const RnnBackward<float>& f, const TeamPlan& p,
                   const TeamBackwardMemory& m);

// rnn_steps.cu
struct StepForwardMemory {
  float* parts;     // gru_reset_before: u in two parts
  float* products;  // (B, gates of the phase, units)
  float* gated;     // gru_reset_before: r * state and the update gate, (B, units)
  float* update;
  GemmArgs gemm[2];  // by phase
  int64_t gemm_bytes;
};

struct StepBackwardMemory {
  float* parts;
  float* products;   // (B, units)
  float* gradients;  // of a step's gates of phase 0, (B, gates, units)
  float* candidate;  // gru_reset_before: of the gate of phase 1
  float* carry;      // (B, units)
  float* dc;
  GemmArgs gemm[2];
  int64_t gemm_bytes;
};

StepForwardMemory cut_forward_steps(const RnnForwardArgs& a, ScratchCutter& cutter);
StepBackwardMemory cut_backward_steps(const RnnBackwardArgs& a, ScratchCutter& cutter);
void forward_steps(const RnnForwardArgs& a, const RnnForward<float>& f, const StepForwardMemory& m, void* gemm_scratch);
void backward_steps(const RnnBackwardArgs& a, const RnnBackward<float>& f, const StepBackwardMemory& m,
                    void* gemm_scratch);

// Whether the path is another than make_rnn_shape() picks for a CPU: then it was asked for by name.
inline bool is_forced(const RnnShape& s) {
  constexpr const char* kNames[] = {"rnn", "lstm", "gru", "gru_reset_before"};
  return s.path !=
         make_rnn_shape(kNames[static_cast<int>(s.cell)], s.batch, s.steps, s.inputs, s.units, s.dtype, "auto").path;
}

// Follows a path asked for by name; else few units go by rows, and of the other two what will be faster.
inline RnnWay choose_way(const RnnShape& s, const AlonePlan& alone, const TeamWork& work, const TeamPlan& team) {
  if (s.path == RnnPath::generic) return RnnWay::plain;
  const bool forced = is_forced(s);
  if (alone.bytes && !(forced && s.path == RnnPath::units)) return RnnWay::rows;
  if (!team.fits) return RnnWay::steps;
  const bool slow = clocks_of(work, team) > clocks_of_products(work, phases_of(s.cell), device());
  return forced || !slow ? RnnWay::team : RnnWay::steps;
}

}  // namespace dlbd::cuda
