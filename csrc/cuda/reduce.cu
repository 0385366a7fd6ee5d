// Reductions of the middle axis.
#include <type_traits>

#include "../shapes/kernels.h"
#include "reduce_kernels.h"

namespace dlbd::cuda {
namespace {

void reduce_float(const ReduceArgs& a) {
  switch (a.op) {
    case ReduceOp::sum: return reduce_by(a, Sum<float>{}, a.scratch);
    case ReduceOp::prod: return reduce_by(a, Prod<float>{}, a.scratch);
    case ReduceOp::shifted_squares: return reduce_by(a, ShiftedSquares<float>{}, a.scratch);
    case ReduceOp::shifted_exp: return reduce_by(a, ShiftedExp<float>{}, a.scratch);
    default: return reduce_by(a, Extreme<float>{a.op == ReduceOp::max}, a.scratch);
  }
}

}  // namespace

int64_t reduce_forward_scratch(const ReduceArgs& a) { return partial_bytes(a.dtype, a.outer, a.n, a.inner); }

void reduce_forward(const ReduceArgs& a) {
  with_type(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (a.op == ReduceOp::argmax || a.op == ReduceOp::argmin)
      return reduce_by(a, Position<T>{a.op == ReduceOp::argmax}, a.scratch);
    if constexpr (std::is_same_v<T, float>)
      return reduce_float(a);
    else
      return reduce_by(a, AnyOp<T>{a.op}, a.scratch);
  });
}

}  // namespace dlbd::cuda
