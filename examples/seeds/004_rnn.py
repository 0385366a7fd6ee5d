"""Seed 004, section 4.2, 使用PyTorch实现简单的RNN: the same network here, and PyTorch's weights in it.

    class RNN(nn.Module): nn.RNN(10, 8), then nn.Linear(8, 1) of the last time step

The document's sequences are (batch, time, features), but ``nn.RNN`` reads (time, batch, features) unless it is told
``batch_first=True``. It stops at an error then, or, where there are as many samples as time steps, mixes the samples
and says nothing. Here sequences are always (batch, time, features). PyTorch's network has 169 parameters, this one 161:
PyTorch adds two biases to every state, which are one.
"""

import numpy as np
from data import QUICK, forecasts

import dlbd
from dlbd import layers

# 创建RNN实例
input_size, hidden_size, output_size = 10, 8, 1


def make_rnn() -> dlbd.Sequential:
    """h_t = tanh(x_t W_xh + h_{t-1} W_hh + b_h) from h_0 = 0; the last one goes through a linear layer."""
    return dlbd.Sequential(
        [
            dlbd.Input((None, input_size)),
            layers.SimpleRNN(hidden_size, name="rnn"),
            layers.Dense(output_size, name="linear"),
        ]
    )


# 训练RNN: by how much will the oil of a transformer be warmer in twelve hours, from the last day?
train, validation, test = forecasts(length=24, ahead=12)
rnn = make_rnn()
rnn.summary()
rnn.compile("adam", "mse")
rnn.fit(*train, epochs=2 if QUICK else 10, batch_size=128, validation_data=validation)
error = rnn.evaluate(*test, verbose=0)
print(f"Mean squared error of the test: {error:.3f}; {np.mean(test[1] ** 2):.3f} if nothing changed")

# What a trained network of PyTorch would bring: the names and shapes of its state_dict. A file of it in the safetensors
# format is read by rnn.load_weights("rnn.safetensors", format="torch").
rng = np.random.default_rng(0)
shapes = {
    "rnn.weight_ih_l0": (hidden_size, input_size),
    "rnn.weight_hh_l0": (hidden_size, hidden_size),
    "rnn.bias_ih_l0": (hidden_size,),
    "rnn.bias_hh_l0": (hidden_size,),
    "linear.weight": (output_size, hidden_size),
    "linear.bias": (output_size,),
}
state_dict = {name: rng.uniform(-0.3, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
moved = make_rnn()
dlbd.saving.load_torch_weights(moved, state_dict)

x = test[0][:5]
h = np.zeros((len(x), hidden_size), np.float32)
for x_t in x.swapaxes(0, 1):  # as PyTorch's documentation writes it
    of_input = x_t @ state_dict["rnn.weight_ih_l0"].T + state_dict["rnn.bias_ih_l0"]
    h = np.tanh(of_input + h @ state_dict["rnn.weight_hh_l0"].T + state_dict["rnn.bias_hh_l0"])
by_formula = h @ state_dict["linear.weight"].T + state_dict["linear.bias"]
apart = np.abs(moved.predict(x, verbose=0) - by_formula).max()
parameters = sum(value.size for value in state_dict.values())
print(f"PyTorch's {parameters} parameters as our {moved.count_params()}: outputs differ by at most {apart:.0e}")

# An initial state is for each sample. That of another batch is refused, whatever the number of time steps.
try:
    moved.get_layer("rnn")(x, initial_state=np.zeros((x.shape[1], hidden_size), np.float32))
except ValueError as problem:
    message = str(problem)
    print("Refused:", message)
