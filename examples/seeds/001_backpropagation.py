"""Seed 001, section 4.2, 反向传播算法: errors travel backwards through a network, until it knows XOR.

The document's network cannot run: its shapes do not fit, it has no labels, and its gradients are not those of
its loss. Put right, it keeps the document's names. ``backward`` is the chain rule by hand; GradientTape, which does the
same for any program, must find the same gradients.
"""

import numpy as np
from data import SEED

import dlbd
from dlbd import ops

learning_rate = 1.0
num_iterations = 1000  # a second; there is no data to leave out for --quick


# 定义损失函数
def loss_function(a, y):
    return ops.mean((a - y) ** 2)


# 定义神经网络
class NeuralNetwork:
    def __init__(self, input_size, hidden_size, output_size):
        # 初始化权重和偏置
        rng = np.random.default_rng(SEED)
        self.weights = [
            dlbd.Variable(rng.standard_normal(shape).astype(np.float32))
            for shape in ((input_size, hidden_size), (hidden_size, output_size))
        ]
        self.biases = [dlbd.Variable(np.zeros(size, np.float32)) for size in (hidden_size, output_size)]

    def forward(self, x):
        # 前向传播: what each layer gave is kept, since the way back needs it
        self.a = [x]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            self.a.append(ops.sigmoid(ops.matmul(self.a[-1], weight) + bias))
        return self.a[-1]

    def backward(self, y):
        # 反向传播: from dL/da of a layer to its dL/dz, to its dL/dW and dL/db, and to dL/da of the layer before it
        dW, db = [], []
        dL_da = 2 * (self.a[-1] - y) / y.size
        for layer in (1, 0):
            a = self.a[layer + 1]
            dL_dz = dL_da * a * (1 - a)  # the derivative of the sigmoid is a (1 - a)
            dW.insert(0, ops.matmul(ops.transpose(self.a[layer]), dL_dz))
            db.insert(0, ops.sum(dL_dz, axis=0))
            dL_da = ops.matmul(dL_dz, ops.transpose(self.weights[layer]))
        return [*dW, *db]

    def update(self, gradients):
        # 更新权重和偏置
        for parameter, gradient in zip([*self.weights, *self.biases], gradients, strict=True):
            parameter.assign(parameter - learning_rate * gradient)


# 测试反向传播算法: XOR, which no single layer can learn
x = ops.convert_to_tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = ops.convert_to_tensor([[0.0], [1.0], [1.0], [0.0]])
network = NeuralNetwork(input_size=2, hidden_size=8, output_size=1)

with dlbd.GradientTape() as tape:
    loss = loss_function(network.forward(x), y)
by_tape = tape.gradient(loss, [*network.weights, *network.biases])
apart = max(float(ops.max(ops.abs(a - b))) for a, b in zip(by_tape, network.backward(y), strict=True))
print(f"the gradients by hand and by the tape differ by at most {apart:.1e}")

for step in range(num_iterations):
    network.forward(x)
    network.update(network.backward(y))
    if step % 200 == 0 or step == num_iterations - 1:
        print(f"step {step:4d}: loss {float(loss_function(network.forward(x), y)):.4f}")
result = network.forward(x).numpy()
for (first, second), answer in zip(x.numpy(), result[:, 0], strict=True):
    print(f"{first:.0f} xor {second:.0f} = {answer:.3f}")
