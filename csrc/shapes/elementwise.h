// Operations that act on each element: flat runs, broadcasting, casts.
#pragma once

#include "common.h"

namespace dlbd {

inline constexpr int kMaxDims = 8;  // after dimensions that lie together in memory were merged
inline constexpr int kMaxOperands = 3;

// Contiguous operands broadcast to one contiguous result. Dimensions are merged wherever every operand allows it, so
// the innermost one has stride 1 or 0 for each operand.
struct BroadcastShape {
  int32_t ndim;
  int64_t total;  // elements of the result
  int64_t size[kMaxDims];
  int64_t stride[kMaxOperands][kMaxDims];
  int64_t operand[kMaxOperands];  // elements of each operand
};

// clang-format off
#define DLBD_BINARY(X) \
  X(add) X(subtract) X(multiply) X(divide) X(power) X(maximum) X(minimum) X(floor_divide) X(mod) X(arctan2)
// clang-format on
// clang-format off
#define DLBD_COMPARE(X) \
  X(equal) X(not_equal) X(less) X(less_equal) X(greater) X(greater_equal) X(logical_and) X(logical_or) X(logical_xor)
// clang-format on

// X(name, what its gradient is computed from: the input x or the output y)
// clang-format off
#define DLBD_UNARY(X) \
  X(negative, x) \
  X(abs, x) \
  X(square, x) \
  X(sqrt, y) \
  X(rsqrt, y) \
  X(reciprocal, y) \
  X(exp, y) X(expm1, y) X(log, x) X(log1p, x) X(sin, x) X(cos, x) X(erf, x) X(sign, x) X(floor, x) X(ceil, x) \
      X(round, x) X(clip, x) X(relu, y) X(leaky_relu, x) X(relu6, y) X(threshold, x) X(sigmoid, y) X(tanh, y) \
          X(gelu, x) X(gelu_tanh, x) X(silu, x) X(elu, x) X(celu, x) X(selu, y) X(softplus, y) X(softsign, x) \
              X(hard_sigmoid, y) X(hard_silu, x) X(hard_tanh, x) X(hard_shrink, x) X(soft_shrink, x) X(tanh_shrink, x) \
                  X(log_sigmoid, x) X(mish, x) X(arcsin, x) X(arccos, x) X(arctan, x) X(arcsinh, x) X(arccosh, x) \
                      X(arctanh, x) X(cbrt, y) X(erfinv, y)
// clang-format on

#define DLBD_PREDICATE(X) X(isnan) X(isinf) X(isfinite) X(logical_not)

#define DLBD_NAME(name, ...) name,
enum class BinaryOp : int32_t { DLBD_BINARY(DLBD_NAME) count };
enum class CompareOp : int32_t { DLBD_COMPARE(DLBD_NAME) count };
enum class UnaryOp : int32_t { DLBD_UNARY(DLBD_NAME) count };
enum class PredicateOp : int32_t { DLBD_PREDICATE(DLBD_NAME) count };
#undef DLBD_NAME

struct FillArgs : LaunchArgs {
  DType dtype;
  int64_t n;
  double value;
  void* y;
};

// y = x, or y += x.
struct AssignArgs : LaunchArgs {
  DType dtype;
  int64_t n;
  const void* x;
  void* y;
  bool accumulate;
};

// y = x in another dtype; a float outside the range of an integer dtype takes the nearest value of it, NaN takes 0.
struct CastArgs : LaunchArgs {
  DType from, to;
  int64_t n;
  const void* x;
  void* y;
};

struct BinaryArgs : LaunchArgs {
  BroadcastShape shape;
  BinaryOp op;
  DType dtype;
  const void* a;
  const void* b;
  void* y;
};

// gradient = dy * d op(a, b) / d (side 0: a, side 1: b), in the shape of the result: what was broadcast is summed
// after.
struct BinaryBackwardArgs : LaunchArgs {
  BroadcastShape shape;
  BinaryOp op;
  DType dtype;
  int32_t side;
  const void* a;
  const void* b;
  const void* dy;
  void* gradient;
  bool accumulate;
};

// y is bool.
struct CompareArgs : LaunchArgs {
  BroadcastShape shape;
  CompareOp op;
  DType dtype;  // of a and b
  const void* a;
  const void* b;
  void* y;
};

// y = condition ? a : b, and added to y if accumulate (float dtypes only).
struct SelectArgs : LaunchArgs {
  BroadcastShape shape;  // condition, a, b
  DType dtype;
  const void* condition;
  const void* a;
  const void* b;
  void* y;
  bool accumulate;
};

// alpha and beta: slopes, limits or thresholds, as the operation needs.
struct UnaryArgs : LaunchArgs {
  UnaryOp op;
  DType dtype;
  int64_t n;
  double alpha, beta;
  const void* x;
  void* y;
};

struct UnaryBackwardArgs : LaunchArgs {
  UnaryOp op;
  DType dtype;
  int64_t n;
  double alpha, beta;
  const void* saved;  // x or y, as the table above says
  const void* dy;
  void* dx;
  bool accumulate;
};

struct PredicateArgs : LaunchArgs {
  PredicateOp op;
  DType dtype;
  int64_t n;
  const void* x;
  void* y;
};

// Merges dimensions. `shapes` holds the operands' sizes one after the other, each with `ndim` entries (ones in front).
// Throws std::invalid_argument.
BroadcastShape make_broadcast_shape(int operands, int ndim, const int64_t* shapes);

}  // namespace dlbd
