"""Seed 001, section 4.1, 梯度下降算法: theta goes down the gradient of a loss.

theta_{t+1} = theta_t - alpha grad J(theta_t). The document writes the gradient 2 theta down by hand. Here the program
is the same on dlbd's operations, and then once more as one does it: the tape finds the gradient, an optimizer steps.
"""

import data  # noqa: F401  the options of the examples

import dlbd
from dlbd import ops


# 定义损失函数
def loss_function(theta):
    return ops.sum(theta**2)


# 定义梯度
def gradient(theta):
    return 2 * theta


# 定义梯度下降算法
def gradient_descent(theta, learning_rate, num_iterations):
    for _ in range(num_iterations):
        theta = theta - learning_rate * gradient(theta)
    return theta


# 测试梯度下降算法
theta = ops.convert_to_tensor([1.0, 2.0])
learning_rate = 0.1
num_iterations = 100
result = gradient_descent(theta, learning_rate, num_iterations)
print("by hand:                ", result.numpy())  # each step leaves 0.8 of theta: 0.8^100 = 2.037e-10

variable = dlbd.Variable([1.0, 2.0])
optimizer = dlbd.optimizers.SGD(learning_rate)
for _ in range(num_iterations):
    with dlbd.GradientTape() as tape:
        loss = loss_function(variable)
    optimizer.apply_gradients([(tape.gradient(loss, variable), variable)])
print("by GradientTape and SGD:", variable.numpy())
