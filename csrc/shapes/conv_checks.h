// How the shapes of convolution and pooling are made and checked (host code only; never included by a kernel source).
#pragma once

#include <string>
#include <vector>

#include "conv.h"
#include "pool.h"

namespace dlbd {

using Sizes = std::vector<int64_t>;

// x is (n, spatial..., c), kernel (spatial..., c / groups, k); padding is "valid" or "same"; path is "auto" or a name
// of ConvPath. These throw std::invalid_argument, which Python sees as ValueError.
ConvShape make_conv_shape(const Sizes& x, const Sizes& kernel, const Sizes& strides, const std::string& padding,
                          const Sizes& dilation, int64_t groups, DType dtype, const std::string& path);

// x is (n, spatial..., k), kernel (spatial..., c, k). The result is the shape of the convolution whose gradient this
// is: its x has the size of the transposed convolution's output. An empty output_padding means Keras's default.
ConvShape make_conv_transpose_shape(const Sizes& x, const Sizes& kernel, const Sizes& strides,
                                    const std::string& padding, const Sizes& output_padding, const Sizes& dilation,
                                    DType dtype, const std::string& path);

// x is (n, spatial..., c).
PoolShape make_pool_shape(const Sizes& x, const Sizes& window, const Sizes& strides, const std::string& padding,
                          bool average, DType dtype, const std::string& path);

// "3x28 (H x W)"
std::string spatial_text(const Sizes& sizes);
std::string tuple_text(const Sizes& sizes);

}  // namespace dlbd
