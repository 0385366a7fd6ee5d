"""Seed 002, section 3.2, 深度学习算法的具体操作步骤: its six steps, with 1/(2n) sum (y_i - y^_i)^2 down to a threshold.

Training ends when the loss has reached a threshold (直到…损失函数值达到预设的阈值). The loss of section 3.5 is half of
"mse": without the 2 that the square's derivative has. Both are smallest at the same weights. Gradient descent takes the
same steps if the learning rate of the half is twice that of the other; Adam, which divides by the size of the gradient,
hardly notices.
"""

from data import QUICK, digits

import dlbd
from dlbd import callbacks, initializers, layers, losses, optimizers

# 1. 数据预处理: what is to be foretold of an image is the image itself, through a layer of 32 numbers.
(images, _), (test, _) = digits()
train, validation = images[: len(images) * 7 // 8], images[len(images) * 7 // 8 :]


def network() -> dlbd.Sequential:
    """2. 模型构建 and 3. 参数初始化: the seeds give the same weights every time."""
    few = layers.Dense(32, activation="relu", kernel_initializer=initializers.HeNormal(seed=1))
    many = layers.Dense(784, activation="sigmoid", kernel_initializer=initializers.GlorotUniform(seed=2))
    return dlbd.Sequential([dlbd.Input((28, 28, 1)), layers.Flatten(), few, many, layers.Reshape((28, 28, 1))])


# 4. 训练: until L has come down to 0.01, and at most for 100 epochs
model = network()
model.compile("adam", losses.HalfSquaredError(), metrics=["mse"])
enough = callbacks.StopAtThreshold(0.03 if QUICK else 0.01, verbose=1)
history = model.fit(train, train, epochs=100, callbacks=[enough], verbose=0).history
print(f"after {len(history['loss'])} epochs: L {history['loss'][-1]:.5f}, mse {history['mse'][-1]:.5f}")

# 5. 验证 and 6. 测试
for name, rows in (("validation", validation), ("test", test)):
    print(f"{name + ':':11} L {model.evaluate(rows, rows, verbose=0)[0]:.5f}")

# The two losses side by side
by_epoch = {}
for name, optimizer, loss in (
    ("mse, gradient descent at rate 0.5", optimizers.SGD(0.5), "mse"),
    ("half, gradient descent at rate 1.0", optimizers.SGD(1.0), "half_squared_error"),
    ("mse, Adam", optimizers.Adam(), "mse"),
    ("half, Adam", optimizers.Adam(), "half_squared_error"),
):
    twin = network()
    twin.compile(optimizer, loss)
    by_epoch[name] = twin.fit(train[:256], train[:256], epochs=3, shuffle=False, verbose=0).history["loss"]
    print(f"{name:35} {' '.join(f'{value:.5f}' for value in by_epoch[name])}")
