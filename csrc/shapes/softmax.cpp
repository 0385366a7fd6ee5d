#include "softmax.h"

#include <cstring>
#include <iterator>

#include "checked.h"

namespace dlbd {
namespace {

constexpr const char* kPathNames[] = {"rows", "columns"};

}  // namespace

const char* name_of(SoftmaxPath path) { return kPathNames[static_cast<int>(path)]; }

SoftmaxShape make_softmax_shape(int64_t outer, int64_t n, int64_t inner, DType dtype, const char* path) {
  if (outer < 0 || n < 0 || inner < 0) throw std::invalid_argument("[softmax] sizes must not be negative");
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[softmax] only float32 and float64 have a softmax");
  checked_mul(checked_mul(outer, n, "[softmax] size"), inner, "[softmax] size");
  SoftmaxShape s{outer, n, inner, dtype, inner == 1 ? SoftmaxPath::rows : SoftmaxPath::columns};
  if (std::strcmp(path, "auto") == 0) return s;
  for (int i = 0; i < static_cast<int>(std::size(kPathNames)); ++i) {
    if (std::strcmp(path, kPathNames[i]) != 0) continue;
    s.path = static_cast<SoftmaxPath>(i);
    if (s.path == SoftmaxPath::rows && inner != 1)
      throw std::invalid_argument("[softmax] the path rows takes the last axis only");
    return s;
  }
  throw std::invalid_argument(std::string("[softmax] no path named ") + path);
}

}  // namespace dlbd
