// One update of every parameter: flat buffers, and a table that says where each variable lies in them.
#pragma once

#include "common.h"

namespace dlbd {

enum class OptimizerKind : int32_t { sgd, adam, rmsprop, adagrad };
enum class Clipping : int32_t { none, value, norm, global_norm };

// A row of the segment table (int64): [begin, end) in elements of the flat buffers, both multiples of 64 bytes;
// flags; the number of its first block among all segments' blocks of kOptimizerBlock elements (for the norms).
inline constexpr int64_t kSegmentFields = 4;
inline constexpr int64_t kSegmentActive = 1, kSegmentDecays = 2;
inline constexpr int64_t kOptimizerBlock = 16384;

// The rule and its constants; which state buffers it uses is written beside each member.
struct OptimizerRule {
  OptimizerKind kind;
  Clipping clipping;
  double clip;          // limit of a value or of a norm
  double weight_decay;  // 0 for none
  double beta_1;        // adam: momentum (state 0)
  double beta_2;        // adam: velocity (state 1)
  double rho;           // rmsprop: velocity (state 0)
  double momentum;      // sgd (state 0), rmsprop (state 1); 0 for none
  double epsilon;       // adagrad: accumulator (state 0)
  bool nesterov;
  bool amsgrad;          // largest velocity (state 2)
  bool centered;         // average gradient (state 2)
  int64_t accumulation;  // only every so many steps is an update, by the mean of sums of as many gradients
};

struct OptimizerArgs : LaunchArgs {
  OptimizerRule rule;
  DType dtype;
  int64_t n, segments, blocks;
  const int64_t* table;
  void* parameters;
  const void* gradients;
  void* state[3];
  const void* count;  // the gradient is divided by it (0: the gradient counts as zero); null for 1
  DType count_dtype;
  const float* learning_rate;
  int64_t* iterations;  // steps taken; counted up by one
  int64_t* ticket;      // GPU only: how many blocks are past reading `iterations`; 0 before and after each launch
  const double* norms;  // sums of squares per segment, and of all of them; null without clipping by norm
};

// The sums that an update with accumulation takes its mean from: they start anew after it.
struct GradientAccumulateArgs : LaunchArgs {
  DType dtype;
  int64_t n, segments, accumulation;
  const int64_t* table;
  const void* gradients;
  const void* count;  // as above
  DType count_dtype;
  const int64_t* iterations;
  void* sums;
};

// After an update: averages = momentum averages + (1 - momentum) parameters, and the parameters themselves at the
// first.
struct MovingAverageArgs : LaunchArgs {
  DType dtype;
  int64_t n, accumulation;
  int64_t overwrite_every;  // so many updates the parameters become their averages; 0 for never
  double momentum;
  const int64_t* iterations;
  void* parameters;
  void* averages;
};

struct GradientNormsArgs : LaunchArgs {
  DType dtype;
  int64_t segments, blocks;
  const int64_t* table;
  const void* gradients;
  double* squares;  // per segment, then the sum over all active ones
};

OptimizerRule make_optimizer_rule(const char* kind, const char* clipping, double clip, double weight_decay,
                                  double beta_1, double beta_2, double rho, double momentum, double epsilon,
                                  bool nesterov, bool amsgrad, bool centered, int64_t accumulation);

}  // namespace dlbd
