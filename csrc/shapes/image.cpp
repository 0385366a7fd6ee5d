#include "image.h"

#include "checked.h"

namespace dlbd {

ImageShape make_image_shape(int64_t batch, int64_t height, int64_t width, int64_t channels, DType dtype) {
  if (batch < 0 || height < 0 || width < 0 || channels < 0)
    throw std::invalid_argument("[affine_transform] sizes must not be negative");
  if (dtype != DType::f32 && dtype != DType::f64)
    throw std::invalid_argument("[affine_transform] the images must be float32 or float64");
  const char* what = "[affine_transform] the size of the images";
  checked_mul(checked_mul(checked_mul(checked_mul(batch, height, what), width, what), channels, what), 8, what);
  checked_mul(batch, kTransformNumbers * 8, "[affine_transform] the transforms");
  return {batch, height, width, channels, dtype};
}

}  // namespace dlbd
