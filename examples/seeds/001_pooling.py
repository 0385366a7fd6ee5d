"""Seed 001, section 4.4, 池化算法: of every 2x2 window the largest value, the windows one pixel apart.

The document's loops step by one, so that 5x5 becomes 4x4: ``strides=1``. Networks mostly step by the window's size,
which is what ``max_pool`` and ``MaxPooling2D`` do when they are not told otherwise.
"""

import data  # noqa: F401  the options of the examples
import numpy as np

from dlbd import ops

# 定义池化窗口大小
pool_size = 2

# 定义图像
image_value = np.arange(1.0, 26.0).reshape(5, 5)


# 池化
def pooling(image, pool_size):
    return ops.max_pool(image[None, :, :, None], pool_size, strides=1).numpy()[0, :, :, 0]


# 测试池化算法
result = pooling(image_value, pool_size)
print(result)
