#include "elementwise.h"

#include "checked.h"

namespace dlbd {

BroadcastShape make_broadcast_shape(int operands, int ndim, const int64_t* shapes) {
  BroadcastShape s{};
  s.total = 1;
  for (int k = 0; k < kMaxOperands; ++k) s.operand[k] = k < operands ? 1 : 0;
  // From the innermost dimension outwards: (size, strides) joins the one inside it, or starts a new one.
  int64_t size[kMaxDims], stride[kMaxOperands][kMaxDims];
  int dims = 0;
  for (int d = ndim - 1; d >= 0; --d) {
    int64_t n = 1;
    for (int k = 0; k < operands; ++k) {
      const int64_t own = shapes[k * ndim + d];
      if (own < 0) throw std::invalid_argument("sizes must not be negative");
      if (own != 1 && n != 1 && own != n)
        throw std::invalid_argument("cannot broadcast sizes " + std::to_string(n) + " and " + std::to_string(own));
      if (own != 1) n = own;
    }
    s.total = checked_mul(s.total, n, "the result of broadcasting");
    if (n == 1) continue;
    int64_t step[kMaxOperands] = {};
    bool joins = dims > 0;
    for (int k = 0; k < operands; ++k) {
      const bool moves = shapes[k * ndim + d] != 1;
      step[k] = moves ? s.operand[k] : 0;
      if (moves) s.operand[k] *= n;
      if (dims > 0) joins = joins && step[k] == stride[k][dims - 1] * size[dims - 1];
    }
    if (joins) {
      size[dims - 1] *= n;
      continue;
    }
    if (dims == kMaxDims) throw std::invalid_argument("at most 8 dimensions that cannot be merged are supported");
    size[dims] = n;
    for (int k = 0; k < operands; ++k) stride[k][dims] = step[k];
    ++dims;
  }
  s.ndim = dims == 0 ? 1 : dims;
  if (dims == 0) s.size[0] = 1;
  for (int d = 0; d < dims; ++d) {  // outermost first
    s.size[d] = size[dims - 1 - d];
    for (int k = 0; k < operands; ++k) s.stride[k][d] = stride[k][dims - 1 - d];
  }
  return s;
}

}  // namespace dlbd
