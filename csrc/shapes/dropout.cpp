#include "dropout.h"

#include "checked.h"

namespace dlbd {

DropoutShape make_dropout_shape(const int64_t* sizes, const int64_t* noise, int dims, DType dtype) {
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[dropout] the dtype must be float32 or float64");
  DropoutShape s{};
  s.dtype = dtype, s.size = 1, s.noise = 1;
  bool broadcast[kDropoutMaxDims];
  for (int i = 0; i < dims; ++i) {
    if (sizes[i] < 0 || (noise[i] != sizes[i] && noise[i] != 1))
      throw std::invalid_argument("[dropout] noise_shape must have x's sizes, or 1 where it is broadcast");
    s.size = checked_mul(s.size, sizes[i], "[dropout] the size of x");
    s.noise = checked_mul(s.noise, noise[i], "[dropout] the size of x");
    const bool is_broadcast = noise[i] != sizes[i];
    if (sizes[i] == 1) continue;
    if (s.dims > 0 && broadcast[s.dims - 1] == is_broadcast) {
      s.sizes[s.dims - 1] *= sizes[i];
      continue;
    }
    if (s.dims == kDropoutMaxDims) throw std::invalid_argument("[dropout] noise_shape alternates too often");
    broadcast[s.dims] = is_broadcast;
    s.sizes[s.dims++] = sizes[i];
  }
  if (s.dims == 0) s.sizes[0] = s.size, broadcast[0] = false, s.dims = 1;
  int64_t stride = 1;
  for (int i = s.dims - 1; i >= 0; --i) {
    s.strides[i] = broadcast[i] ? 0 : stride;
    if (!broadcast[i]) stride *= s.sizes[i];
  }
  return s;
}

}  // namespace dlbd
