"""PyTorch at its best: inference mode, the faster of its layouts, oneDNN's linear or MKL's product, fused Adam."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import overhead
from benchmarks.harness import Case, Run
from benchmarks.memory_bound import ADAM_STEPS
from benchmarks.training_step import CHECKED_STEPS
from tests.golden import programs

Arrays = dict[str, Any]


def tensor(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x))


def run(case: Case, x: list[torch.Tensor], dy: torch.Tensor, f: Callable[..., Any], restore: Any, label: str) -> Run:
    """f(*x), and its gradients in training; ``restore`` turns the results into the layout that is compared."""
    if case.training:
        for t in x:
            t.requires_grad_(True)

        def call() -> list[torch.Tensor]:
            y = f(*x)
            return [y, *torch.autograd.grad(y, x, dy)]
    else:

        def call() -> list[torch.Tensor]:
            with torch.inference_mode():
                return [f(*x)]

    return Run(call, check=lambda: restore(call()), label=label)


def channels_last(results: list[torch.Tensor]) -> list[torch.Tensor]:
    return [t.permute(0, 2, 3, 1) for t in results]


def adam_step(optimizer: torch.optim.Optimizer, count: int) -> None:
    """Step ``count`` (from 1) by Keras's formula, for the checks: there epsilon joins before the bias correction."""
    group = optimizer.param_groups[0]
    epsilon = group["eps"]
    group["eps"] = epsilon / (1 - group["betas"][1] ** count) ** 0.5
    optimizer.step()
    group["eps"] = epsilon


class PyTorch:
    version = torch.__version__

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(0)

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return x.detach().contiguous().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)

    def _plain(self, case: Case, arrays: Arrays, names: str, f: Callable[..., Any]) -> Run:
        x = [tensor(arrays[n]) for n in names.split()]
        return run(case, x, tensor(arrays["dy"]) if "dy" in arrays else x[0], f, lambda results: results, "")

    def matmul(self, case: Case, arrays: Arrays) -> list[Run]:
        a, b = tensor(arrays["a"]), tensor(arrays["b"])
        transposed = b.T.contiguous()
        dy = tensor(arrays["dy"])
        return [
            run(case, [a, b], dy, torch.mm, lambda r: r, "mm"),
            run(case, [a, transposed], dy, F.linear, lambda r: r, "linear"),
        ]

    def dense(self, case: Case, arrays: Arrays) -> Run:
        x = [tensor(arrays["a"]), tensor(arrays["b"].T), tensor(arrays["bias"])]

        def restore(r: list[torch.Tensor]) -> list[torch.Tensor]:
            return [r[0], r[1], r[2].T, r[3]] if case.training else r

        return run(case, x, tensor(arrays["dy"]), lambda *a: F.relu(F.linear(*a)), restore, "")

    def conv(self, case: Case, arrays: Arrays) -> list[Run]:
        s = case.sizes
        padding = s["k"] // 2 if s["padding"] == "same" else 0
        x = tensor(arrays["x"]).permute(0, 3, 1, 2)
        w = tensor(arrays["w"]).permute(3, 2, 0, 1)
        dy = tensor(arrays["dy"]).permute(0, 3, 1, 2)

        def restore(r: list[torch.Tensor]) -> list[torch.Tensor]:
            return [*channels_last(r[:2]), r[2].permute(2, 3, 1, 0), r[3]] if case.training else channels_last(r)

        runs = []
        for label, layout in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
            laid_out = [t.contiguous(memory_format=layout) for t in (x, w)] + [tensor(arrays["b"].copy())]
            gradient = dy.contiguous(memory_format=layout)

            def f(x: Any, w: Any, b: Any) -> torch.Tensor:
                return F.conv2d(x, w, b, stride=s["stride"], padding=padding)

            runs.append(run(case, laid_out, gradient, f, restore, label))
        return runs

    def _pool(self, case: Case, arrays: Arrays, pool: Callable[..., Any]) -> list[Run]:
        x, dy = (tensor(arrays[n]).permute(0, 3, 1, 2) for n in ("x", "dy"))
        size, stride = case.sizes["size"], case.sizes["stride"]
        runs = []
        for label, layout in (("channels_last", torch.channels_last), ("contiguous", torch.contiguous_format)):
            x_, dy_ = x.clone(memory_format=layout), dy.clone(memory_format=layout)
            runs.append(run(case, [x_], dy_, lambda x: pool(x, size, stride), channels_last, label))
        return runs

    def max_pool(self, case: Case, arrays: Arrays) -> list[Run]:
        return self._pool(case, arrays, F.max_pool2d)

    def average_pool(self, case: Case, arrays: Arrays) -> list[Run]:
        return self._pool(case, arrays, F.avg_pool2d)

    def _recurrent(self, case: Case, arrays: Arrays, kind: Any, order: list[int]) -> list[Run]:
        """``order``: where our gates stand in PyTorch's order of gates (its own inverse here)."""
        h = case.sizes["h"]

        def gates(w: np.ndarray) -> np.ndarray:
            return np.concatenate([w[..., g * h : (g + 1) * h] for g in order], axis=-1)

        bias = arrays["b"] if arrays["b"].ndim == 2 else np.stack((arrays["b"], 0 * arrays["b"]))
        values = [gates(arrays["w"]).T, gates(arrays["u"]).T, gates(bias[0]), gates(bias[1])]
        runs = []
        for batch_first in (True, False):
            module = kind(case.sizes["d"], h, batch_first=batch_first)
            parameters = list(module.parameters())
            for p, value in zip(parameters, values, strict=True):
                p.data = tensor(value)
            module.flatten_parameters()
            x, dy = (tensor(arrays[n] if batch_first else arrays[n].transpose(1, 0, 2)) for n in ("x", "dy"))

            def restore(r: list[torch.Tensor], batch_first: bool = batch_first) -> list[Any]:
                r = [self.to_numpy(t) for t in r]
                time_first = [t if batch_first else t.transpose(1, 0, 2) for t in r[:2]]
                if not case.training:
                    return time_first
                bias = np.stack((gates(r[4]), gates(r[5]))) if arrays["b"].ndim == 2 else gates(r[4])
                return [*time_first, gates(r[2].T), gates(r[3].T), bias]

            label = "batch first" if batch_first else "time first"
            if case.training:
                x.requires_grad_(True)

                def call(module: Any = module, x: Any = x, dy: Any = dy, p: Any = parameters) -> list[torch.Tensor]:
                    y = module(x)[0]
                    return [y, *torch.autograd.grad(y, [x, *p], dy)]

                runs.append(Run(call, check=lambda call=call, restore=restore: restore(call()), label=label))
            else:
                runs.append(run(case, [x], dy, lambda x, module=module: module(x)[0], restore, label))
        return runs

    def lstm(self, case: Case, arrays: Arrays) -> list[Run]:
        return self._recurrent(case, arrays, nn.LSTM, [0, 1, 2, 3])

    def gru(self, case: Case, arrays: Arrays) -> list[Run]:
        return self._recurrent(case, arrays, nn.GRU, [1, 0, 2])

    def rnn(self, case: Case, arrays: Arrays) -> list[Run]:
        return self._recurrent(case, arrays, nn.RNN, [0])

    def attention(self, case: Case, arrays: Arrays) -> Run:
        x = [tensor(arrays[n].transpose(0, 2, 1, 3)) for n in "qkv"]
        dy = tensor(arrays["dy"].transpose(0, 2, 1, 3))
        causal = case.sizes["causal"]

        def f(q: Any, k: Any, v: Any) -> torch.Tensor:
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

        return run(case, x, dy, f, lambda r: [t.transpose(1, 2) for t in r], "")

    def softmax(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", lambda x: F.softmax(x, -1))

    def layer_norm(self, case: Case, arrays: Arrays) -> Run:
        def f(x: Any, gamma: Any, beta: Any) -> torch.Tensor:
            return F.layer_norm(x, x.shape[-1:], gamma, beta, 1e-3)

        return self._plain(case, arrays, "x gamma beta", f)

    def relu(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", torch.relu)

    def gelu(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", lambda x: F.gelu(x, approximate="tanh"))

    def add(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x y", torch.add)

    def add_row(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x row", torch.add)

    def sum_all(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", lambda x: torch.sum(x).reshape(1))

    def sum_rows(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", lambda x: torch.sum(x, 0))

    def transpose(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x", lambda x: x.T.contiguous())

    def adam(self, case: Case, arrays: Arrays) -> Run:
        p = nn.Parameter(tensor(arrays["p"]))
        p.grad = tensor(arrays["g"])
        optimizer = torch.optim.Adam([p], lr=1e-3, eps=1e-7, fused=True)

        def check() -> torch.Tensor:
            for i in range(ADAM_STEPS):
                adam_step(optimizer, i + 1)
            return p

        return Run(optimizer.step, check=check, label="fused")

    def add_small(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x y", torch.add)

    def matmul_small(self, case: Case, arrays: Arrays) -> Run:
        return self._plain(case, arrays, "x y", torch.mm)

    def fit(self, case: Case, arrays: Arrays) -> list[Run]:
        return training(case, arrays, lambda model: model)

    def fit_small(self, case: Case, arrays: Arrays) -> Run:
        x, y = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"])

        def trained() -> list[np.ndarray]:
            model = torch.nn.Linear(x.shape[1], 1)
            torch.nn.init.zeros_(model.weight)
            torch.nn.init.zeros_(model.bias)
            optimizer = torch.optim.SGD(model.parameters(), overhead.SMALL_RATE)
            for start in range(0, len(x), overhead.SMALL_BATCH):
                rows = slice(start, start + overhead.SMALL_BATCH)
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(model(x[rows]), y[rows]).backward()
                optimizer.step()
            return [model.weight.detach().numpy().T, model.bias.detach().numpy()]

        return Run(trained, units=overhead.SMALL_ROWS // overhead.SMALL_BATCH)

    def import_library(self, case: Case, arrays: Arrays) -> Run:
        return overhead.import_run("import torch")

    def call_one(self, case: Case, arrays: Arrays) -> Run:
        model = from_keras("003-dense", arrays["weights"]).eval()
        x = tensor(arrays["x"])

        def call() -> torch.Tensor:
            with torch.inference_mode():
                return torch.softmax(model(x), -1)

        return Run(call)

    def predict_one(self, case: Case, arrays: Arrays) -> Run:
        model, x = from_keras("003-dense", arrays["weights"]).eval(), arrays["x"]

        def call() -> np.ndarray:  # an array in, an array out, as predict does
            with torch.inference_mode():
                result: np.ndarray = torch.softmax(model(torch.from_numpy(x)), -1).numpy()
                return result

        return Run(call)


class Compiled:
    """torch.compile, for training steps only: the row beside the eager one."""

    version, __init__ = PyTorch.version, PyTorch.__init__
    to_numpy = staticmethod(PyTorch.to_numpy)

    def fit(self, case: Case, arrays: Arrays) -> list[Run]:
        return training(case, arrays, torch.compile)


class Recurrent(nn.Module):
    """Two LSTMs and a Dense on the last step, as seed 000 has them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(10, 64, batch_first=True)
        self.second = nn.LSTM(64, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.head(self.second(self.first(x)[0])[0][:, -1])
        return y


class Flatten(nn.Module):
    """In Keras's order: height, width, channels."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


def from_keras(program: str, weights: list[np.ndarray]) -> nn.Module:
    """The program's network (logits, no softmax) with Keras's weights."""
    if program == "003-dense":
        model: nn.Module = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    elif program == "000-cnn":
        pool, conv, relu = nn.MaxPool2d, nn.Conv2d, nn.ReLU
        convolutions = [conv(1, 32, 3), relu(), pool(2), conv(32, 64, 3), relu(), pool(2), conv(64, 64, 3), relu()]
        model = nn.Sequential(*convolutions, Flatten(), nn.Linear(576, 64), relu(), nn.Linear(64, 10))
    else:
        model = Recurrent()
    left = list(weights)
    for name, value in model.named_parameters():
        if "bias_hh" in name:  # Keras has one bias
            value.data.zero_()
            value.requires_grad_(False)
            continue
        w = left.pop(0)
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[w.ndim]
        value.data = torch.tensor(w.transpose(order).copy())  # its own: training must not reach ``weights``
    assert not left
    return model


def training(case: Case, arrays: Arrays, wrap: Callable[[Any], Any]) -> list[Run]:
    """A plain loop over batches: forward, loss, backward, fused Adam."""
    program = case.sizes["program"]
    shapes = {
        "003-dense": [(784, 128), (128,), (128, 10), (10,)],
        "000-cnn": [
            (3, 3, 1, 32),
            (32,),
            (3, 3, 32, 64),
            (64,),
            (3, 3, 64, 64),
            (64,),
            (576, 64),
            (64,),
            (64, 10),
            (10,),
        ],
        "000-lstm": [(10, 256), (64, 256), (256,), (64, 128), (32, 128), (128,), (32, 1), (1,)],
    }[program]
    weights = programs.initial_weights(shapes)
    regression = program == "000-lstm"
    runs = []
    for layout in ("channels_last", "contiguous") if program == "000-cnn" else ("",):
        x = tensor(arrays["x"])
        y = tensor(arrays["y"]) if regression else tensor(arrays["y"]).long()
        if layout:
            x = x.permute(0, 3, 1, 2)
            x = x.contiguous(
                memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format
            )
        x_batches, y_batches = x.split(programs.BATCH), y.split(programs.BATCH)

        def start(
            layout: str = layout, update: Callable[[Any, int], None] = lambda optimizer, count: optimizer.step()
        ) -> Callable[[Any, Any], torch.Tensor]:
            model = from_keras(program, weights)
            if layout == "channels_last":
                model = model.to(memory_format=torch.channels_last)
            optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], eps=1e-7, fused=True)
            forward = wrap(model)
            loss_of = F.mse_loss if regression else F.cross_entropy
            count = itertools.count(1)

            def step(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
                loss = loss_of(forward(images), labels)
                loss.backward()
                update(optimizer, next(count))
                optimizer.zero_grad(set_to_none=True)
                return loss.detach()

            return step

        timed = start()

        def call(step: Any = timed, xs: Any = x_batches, ys: Any = y_batches) -> None:
            for x, y in zip(xs, ys, strict=True):
                step(x, y)

        def check(start: Any = start, xs: Any = x_batches, ys: Any = y_batches) -> np.ndarray:
            step = start(update=adam_step)
            return np.array([float(step(xs[i], ys[i])) for i in range(CHECKED_STEPS)])

        runs.append(Run(call, check=check, label=layout, units=len(x_batches)))
    return runs
