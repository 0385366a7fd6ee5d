"""Seed 001, section 4.3, 卷积算法: a filter slides over an image, and each place gives a weighted sum.

The document takes the height of the output for its width too, and stops at an error: a 1x3 filter on a 5x5 image fits
into 5 places down and 3 across. An operation of dlbd takes images (N, H, W, channels) and filters (h, w, in, out).
Neither turns the filter over, as convolution in mathematics does: a network that learns its filters need not.
"""

import data  # noqa: F401  the options of the examples
import numpy as np

from dlbd import ops

# 定义滤波器
filter_value = np.array([[1.0, 2.0, 1.0]])

# 定义图像
image_value = np.arange(1.0, 26.0).reshape(5, 5)


# 卷积
def convolution(image, filter):
    return ops.conv(image[None, :, :, None], filter[:, :, None, None]).numpy()[0, :, :, 0]


# 测试卷积算法
result = convolution(image_value, filter_value)
print(result)
