"""LSTM and GRU over a whole sequence in float32 against cuDNN (torch.nn.LSTM, torch.nn.GRU), T = 128."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_cases.case import Arrays, Call, Case, Draw, Operation, Sizes, empty, torch

GATES = {"lstm": 4, "gru": 3}
# Where our gates (Keras's order) stand in PyTorch's; each order is its own inverse.
ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}
STEPS = 128


class Recurrent(Operation):
    def __init__(self, cell: str, training: bool) -> None:
        self.cell, self.training = cell, training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        b, t, d, h = (s[n] for n in "btdh")
        columns, scale = GATES[self.cell] * h, h**-0.5
        return {
            "x": Draw((b, t, d)),
            "w": Draw((d, columns), d**-0.5),
            "u": Draw((h, columns), scale),
            "bias": Draw((2, columns) if self.cell == "gru" else (columns,), scale),
            "dy": Draw((b, t, h)),
        }

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        b, t, d, h = (s[n] for n in "btdh")
        shape = k.RnnShape(self.cell, b, t, d, h, k.DType.float32)
        tanh, lstm = k.Activation("tanh"), self.cell == "lstm"
        x, w, u = a["x"], a["w"], a["u"]
        y, last, cell = empty(k, b, t, h), empty(k, b, h), empty(k, b, h) if lstm else None
        reserve = empty(k, shape.reserve) if self.training else None
        gradients = [empty(k, *a[n].shape) for n in ("x", "w", "u", "bias")] if self.training else []

        def call() -> None:
            k.rnn_forward(shape, tanh, False, x, w, u, a["bias"], None, None, None, y, last, cell, reserve)
            if self.training:
                states = (a["dy"], None, None)
                k.rnn_backward(shape, tanh, False, x, w, u, None, reserve, *states, *gradients, None, None, [False] * 6)

        return call, [y, *gradients]

    def _gates(self, w: Any) -> Any:
        """Columns of gates from our order to PyTorch's, or back."""
        parts = w.chunk(GATES[self.cell], -1)
        return torch.cat([parts[g] for g in ORDER[self.cell]], -1)

    def _peer(self, s: Sizes, t: Arrays, dtype: Any, batch_first: bool) -> Call:
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[self.cell]
        module = kind(s["d"], s["h"], batch_first=batch_first, device=t["x"].device, dtype=dtype)
        bias = t["bias"] if self.cell == "gru" else torch.stack([t["bias"], torch.zeros_like(t["bias"])])
        values = [self._gates(t["w"]).T, self._gates(t["u"]).T, self._gates(bias[0]), self._gates(bias[1])]
        parameters = list(module.parameters())
        for p, value in zip(parameters, values, strict=True):
            p.data.copy_(value)
            p.requires_grad_(self.training)
        module.flatten_parameters()
        x, dy = ((t[n] if batch_first else t[n].transpose(0, 1)).to(dtype).contiguous() for n in ("x", "dy"))
        x.requires_grad_(self.training)

        def call() -> list[Any]:
            y = module(x)[0]
            if not self.training:
                return [y if batch_first else y.transpose(0, 1)]
            dx, dw, du, *db = torch.autograd.grad(y, [x, *parameters], dy)
            time_last = [v.detach() if batch_first else v.detach().transpose(0, 1) for v in (y, dx)]
            return [*time_last, dw, du, *db]

        return call

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        return {
            "cudnn": self._peer(s, t, torch.float32, False),
            "cudnn batch first": self._peer(s, t, torch.float32, True),
        }

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        """Of a peer's the sequence and the gradient of x alone: its weights lie in another order."""
        return results if len(results) < 6 else results[:2]

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        found = self._peer(s, t, torch.float64, True)()
        if not self.training:
            return found
        y, dx, dw, du, *db = found
        db = [self._gates(v) for v in db]
        return [y, dx, self._gates(dw.T), self._gates(du.T), torch.stack(db) if self.cell == "gru" else db[0]]


def _case(cell: str, b: int, h: int, training: bool) -> Case:
    return Case(
        "rnn",
        f"{cell} B{b} T{STEPS} H{h}, forward" + (" + backward" if training else ""),
        Recurrent(cell, training),
        {"b": b, "t": STEPS, "d": h, "h": h},
        {"b": 3, "t": 4, "d": 5, "h": 8},
        work=2.0 * b * STEPS * GATES[cell] * h * 2 * h * (3.0 if training else 1.0),
        targets=("rnn",),
        quick=(b, h) == (32, 512),
    )


CASES = [
    _case(cell, b, h, training)
    for cell in GATES
    for b in (32, 64)
    for h in (128, 512, 1024)
    for training in (False, True)
]
