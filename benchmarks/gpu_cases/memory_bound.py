"""What moves bytes, as a fraction of a copy of as many bytes: elementwise, reductions, copies, the optimizer.

Rows of a network (softmax, normalisation, losses, pooling) are in memory_rows.py; both files are one family.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gpu_cases.case import (
    Arrays,
    Call,
    Case,
    Draw,
    Operation,
    Sizes,
    empty,
    gradients64,
    torch,
    with_gradients,
)
from benchmarks.gpu_cases.memory_rows import ROW_CASES, memory_case, memory_pair


class Add(Operation):
    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["n"],)), "y": Draw((s["n"],))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        shape, out = k.BroadcastShape([(s["n"],), (s["n"],)]), empty(k, s["n"])
        return lambda: k.binary_forward(shape, k.BINARY["add"], a["x"], a["y"], out), [out]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        import cupy

        x, y = cupy.asarray(t["x"]), cupy.asarray(t["y"])
        out = cupy.empty_like(x)
        return {"pytorch": lambda: [t["x"] + t["y"]], "cupy": lambda: [cupy.add(x, y, out=out)]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return [t["x"].double() + t["y"].double()]


class Gelu(Operation):
    """The exact one, by the error function; forward, or forward and backward."""

    def __init__(self, training: bool) -> None:
        self.training = training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["n"],)), "dy": Draw((s["n"],))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        y, dx, op = empty(k, s["n"]), empty(k, s["n"]), k.UNARY["gelu"]

        def call() -> None:
            k.unary_forward(op, a["x"], y)
            if self.training:
                k.unary_backward(op, a["x"], a["dy"], dx, False)

        return call, [y, dx][: 1 + self.training]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        f = torch.nn.functional.gelu
        return {"pytorch": with_gradients(f, [t["x"]], t["dy"]) if self.training else lambda: [f(t["x"])]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return gradients64(torch.nn.functional.gelu, [t["x"]], t["dy"])[: 1 + self.training]


class Sum(Operation):
    """The middle axis of (outer, n, inner)."""

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["outer"], s["n"], s["inner"]))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        y = empty(k, s["outer"], s["inner"])
        return lambda: k.reduce_forward(k.REDUCE["sum"], s["outer"], s["n"], s["inner"], a["x"], y), [y]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        import cupy

        x = cupy.asarray(t["x"])
        y = cupy.empty((s["outer"], s["inner"]), "float32")
        return {"pytorch": lambda: [t["x"].sum(1)], "cupy": lambda: [cupy.sum(x, 1, out=y)]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return [t["x"].sum(1, dtype=torch.float64)]


class Transpose(Operation):
    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["rows"], s["columns"]))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        rows, columns = s["rows"], s["columns"]
        n = rows * columns
        shape = k.CopyShape((columns, rows), (1, columns), (rows, 1), 0, 0, n, n)
        y = empty(k, columns, rows)
        return lambda: k.copy(shape, a["x"], y), [y]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        import cupy

        x = cupy.asarray(t["x"])
        y = cupy.empty(x.shape[::-1], "float32")
        return {"pytorch": lambda: [t["x"].T.contiguous()], "cupy": lambda: [cupy.copyto(y, x.T), y][1:]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return [t["x"].T.double()]


class Adam(Operation):
    """One update of one variable of n parameters, as Keras writes it."""

    stateful = True
    rate, beta_1, beta_2, epsilon = 1e-3, 0.9, 0.999, 1e-7

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        row = 0, s["n"], 1, 0  # begin, end, active, first block
        return {"p": Draw((s["n"],)), "g": Draw((s["n"],)), "table": Draw((1, 4), given=row, dtype="int64")}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        n = s["n"]
        rule = k.OptimizerRule(
            "adam", "none", 0.0, 0.0, self.beta_1, self.beta_2, 0.0, 0.0, self.epsilon, False, False, False
        )
        p, m, v, rate = empty(k, n), empty(k, n), empty(k, n), empty(k, 1)
        iterations, ticket = (k.empty((1,), np.dtype(np.int64)) for _ in range(2))
        for array, value in ((m, 0.0), (v, 0.0), (rate, self.rate), (iterations, 0.0), (ticket, 0.0)):
            k.fill(value, array)
        k.assign(a["p"], p)
        arguments = (rule, a["table"], p, a["g"], m, v, None, None, rate, iterations, ticket, None)
        return lambda: k.optimizer_update(*arguments), [p]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        p = torch.nn.Parameter(t["p"].clone())
        p.grad = t["g"]
        optimizer = torch.optim.Adam([p], lr=self.rate, eps=self.epsilon, fused=True, capturable=True)
        return {"pytorch": lambda: [optimizer.step(), p][1:]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        p, g = t["p"].double(), t["g"].double()
        m, v = (1 - self.beta_1) * g, (1 - self.beta_2) * g * g
        alpha = self.rate * (1 - self.beta_2) ** 0.5 / (1 - self.beta_1)
        return [p - m * alpha / (v.sqrt() + self.epsilon)]


class Dropout(Operation):
    """Forward and backward; the check: the part that is dropped, and that the rest is x / (1 - rate)."""

    stateful = True
    tolerance = 1e-3  # of the part that is dropped
    rate = 0.25

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["n"],)), "dy": Draw((s["n"],))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        n, i64 = s["n"], np.dtype(np.int64)
        shape = k.DropoutShape((n,), (n,), k.DType.float32)
        counter, used, y, dx = k.empty((2,), i64), k.empty((2,), i64), empty(k, n), empty(k, n)
        k.fill(7.0, counter)

        def call() -> None:
            k.dropout_forward(shape, self.rate, counter, used, a["x"], y)
            k.dropout_backward(shape, self.rate, used, a["dy"], dx, False)

        return call, [y, dx]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        return {"pytorch": with_gradients(lambda x: torch.nn.functional.dropout(x, self.rate), [t["x"]], t["dy"])}

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        found = []
        for x, y in zip((t["x"], t["dy"]), results, strict=True):
            error = (y * (1 - self.rate) - x).where(y != 0, torch.zeros_like(x)).abs().max()
            found.append(torch.stack([(y == 0).double().mean(), error.double() + 1]))
        return found

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return [torch.tensor([self.rate, 1.0], dtype=torch.float64, device=t["x"].device)] * 2


class Embedding(Operation):
    """Rows of a table by int32 indices; forward, or forward and backward."""

    def __init__(self, training: bool) -> None:
        self.training = training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {
            "table": Draw((s["rows"], s["columns"])),
            "indices": Draw((s["count"],), below=s["rows"], dtype="int32"),
            "dy": Draw((s["count"], s["columns"])),
        }

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        shape = k.EmbeddingShape(s["count"], s["rows"], s["columns"], k.DType.float32, k.DType.int32)
        y, dtable = empty(k, s["count"], s["columns"]), empty(k, s["rows"], s["columns"])

        def call() -> None:
            k.embedding_forward(shape, a["indices"], a["table"], y)
            if self.training:
                k.embedding_backward(shape, a["indices"], a["dy"], dtable, False)

        return call, [y, dtable][: 1 + self.training]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        def f(table: Any) -> Any:
            return torch.nn.functional.embedding(t["indices"], table)

        return {"pytorch": with_gradients(f, [t["table"]], t["dy"]) if self.training else lambda: [f(t["table"])]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        index = t["indices"].long()
        gradient = torch.zeros(s["rows"], s["columns"], dtype=torch.float64, device=index.device)
        gradient.index_add_(0, index, t["dy"].double())
        return [t["table"].double()[index], gradient][: 1 + self.training]


def _cases() -> list[Case]:
    n = 1 << 26
    rows = {"count": 65536, "rows": 50257, "columns": 1024}
    few = {"count": 40, "rows": 7, "columns": 12}
    picked, table = 4.0 * rows["count"] * rows["columns"], 4.0 * rows["rows"] * rows["columns"]
    cases = [
        memory_case("add 2^26", Add(), {"n": n}, {"n": 1000}, 12.0 * n, True),
        *memory_pair("gelu 2^26", Gelu, {"n": n}, {"n": 1001}, 8.0 * n, 12.0 * n),
        memory_case(
            "sum of 2^28",
            Sum(),
            {"outer": 1, "n": 1 << 28, "inner": 1},
            {"outer": 1, "n": 5000, "inner": 1},
            4.0 * (1 << 28),
            True,
        ),
        memory_case(
            "sum over rows 16384x8192",
            Sum(),
            {"outer": 1, "n": 16384, "inner": 8192},
            {"outer": 1, "n": 90, "inner": 33},
            4.0 * (1 << 27),
        ),
        memory_case(
            "sum of each row 16384x8192",
            Sum(),
            {"outer": 16384, "n": 8192, "inner": 1},
            {"outer": 9, "n": 300, "inner": 1},
            4.0 * (1 << 27),
        ),
        memory_case(
            "transpose 8192x8192",
            Transpose(),
            {"rows": 8192, "columns": 8192},
            {"rows": 50, "columns": 70},
            8.0 * (1 << 26),
            True,
        ),
        memory_case("Adam, 10 M parameters", Adam(), {"n": 10_000_000}, {"n": 1024}, 28.0e7, True),
        memory_case("Adam, 100 M parameters", Adam(), {"n": 100_000_000}, {"n": 2048}, 28.0e8),
        memory_case("dropout 2^26, forward + backward", Dropout(), {"n": n}, {"n": 1003}, 16.0 * n),
        *memory_pair("embedding 65536 of 50257x1024", Embedding, rows, few, 2 * picked, picked + table),
    ]
    return cases + ROW_CASES


CASES = _cases()
