"""The memory-bound layers of a network: softmax, normalisation, cross-entropy, pooling. Part of memory_bound.py."""

from __future__ import annotations

from typing import Any

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

CHECKED_ROWS = 256  # of the first and of the last rows, where rows do not know of each other
EPSILON, MOMENTUM = 1e-3, 0.99


def ends(x: Any) -> Any:
    """The first and the last rows of a large array."""
    return x if len(x) <= 2 * CHECKED_ROWS else torch.cat([x[:CHECKED_ROWS], x[-CHECKED_ROWS:]])


class Softmax(Operation):
    def __init__(self, training: bool) -> None:
        self.training = training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {name: Draw((s["rows"], s["n"])) for name in ("x", "dy")[: 1 + self.training]}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        shape = k.SoftmaxShape(s["rows"], s["n"], 1, k.DType.float32)
        outputs = [empty(k, s["rows"], s["n"]) for _ in range(1 + self.training)]

        def call() -> None:
            k.softmax_forward(shape, a["x"], outputs[0])
            if self.training:
                k.softmax_backward(shape, outputs[0], a["dy"], outputs[1], False, False)

        return call, outputs

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        def f(x: Any) -> Any:
            return torch.softmax(x, -1)

        return {"pytorch": with_gradients(f, [t["x"]], t["dy"]) if self.training else lambda: [f(t["x"])]}

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        return [ends(x) for x in results]

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        if not self.training:
            return [torch.softmax(ends(t["x"]).double(), -1)]
        return gradients64(lambda x: torch.softmax(x, -1), [ends(t["x"])], ends(t["dy"]))


class LayerNorm(Operation):
    def __init__(self, training: bool) -> None:
        self.training = training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["rows"], s["n"])), "gamma": Draw((s["n"],)), "beta": Draw((s["n"],))} | (
            {"dy": Draw((s["rows"], s["n"]))} if self.training else {}
        )

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        rows, n = s["rows"], s["n"]
        shape = k.LayerNormShape(rows, n, k.DType.float32)
        x, gamma, beta, y = a["x"], a["gamma"], a["beta"], empty(k, rows, n)
        if not self.training:
            return lambda: k.layer_norm_forward(shape, x, gamma, beta, y, None, None, EPSILON), [y]
        mean, rstd = empty(k, rows), empty(k, rows)
        dx, dgamma, dbeta = empty(k, rows, n), empty(k, n), empty(k, n)
        gradients = (dx, False, dgamma, False, dbeta, False)

        def call() -> None:
            k.layer_norm_forward(shape, x, gamma, beta, y, mean, rstd, EPSILON)
            k.layer_norm_backward(shape, x, gamma, mean, rstd, a["dy"], *gradients)

        return call, [y, dx, dgamma, dbeta]

    @staticmethod
    def _f(x: Any, gamma: Any, beta: Any) -> Any:
        return torch.nn.functional.layer_norm(x, x.shape[-1:], gamma, beta, EPSILON)

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        x = [t["x"], t["gamma"], t["beta"]]
        return {"pytorch": with_gradients(self._f, x, t["dy"]) if self.training else lambda: [self._f(*x)]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        x = [t["x"], t["gamma"], t["beta"]]
        if self.training:
            return gradients64(self._f, x, t["dy"])
        return [self._f(*(v.double() for v in x))]


class BatchNorm(Operation):
    """Training, channels last."""

    def __init__(self, training: bool) -> None:
        self.training = training  # forward and backward; the forward is that of training either way

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        shape, channels = (s["n"], s["h"], s["h"], s["c"]), (s["c"],)
        return {"x": Draw(shape), "gamma": Draw(channels), "beta": Draw(channels), "dy": Draw(shape)}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        c, x, gamma = s["c"], a["x"], a["gamma"]
        shape = k.BatchNormShape(s["n"] * s["h"] ** 2, c, 1, k.DType.float32)
        moving_mean, moving_variance, mean, rstd = (empty(k, c) for _ in range(4))
        k.fill(0.0, moving_mean)
        k.fill(1.0, moving_variance)
        y, dx, dgamma, dbeta = empty(k, *x.shape), empty(k, *x.shape), empty(k, c), empty(k, c)
        settings = (MOMENTUM, EPSILON, True)
        gradients = (dx, False, dgamma, False, dbeta, False)

        def call() -> None:
            k.batch_norm_forward(shape, x, gamma, a["beta"], moving_mean, moving_variance, y, mean, rstd, *settings)
            if self.training:
                k.batch_norm_backward(shape, x, gamma, mean, rstd, a["dy"], *gradients, True)

        return call, [y, dx, dgamma, dbeta] if self.training else [y]

    @staticmethod
    def _f(x: Any, gamma: Any, beta: Any) -> Any:
        y = torch.nn.functional.batch_norm(x.permute(0, 3, 1, 2), None, None, gamma, beta, True, 0.0, EPSILON)
        return y.permute(0, 2, 3, 1)

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        x = [t["x"], t["gamma"], t["beta"]]
        return {"cudnn": with_gradients(self._f, x, t["dy"]) if self.training else lambda: [self._f(*x)]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return gradients64(self._f, [t["x"], t["gamma"], t["beta"]], t["dy"])[: 4 if self.training else 1]


class CrossEntropy(Operation):
    """Sum over the rows of -log softmax(x)[label]."""

    def __init__(self, training: bool) -> None:
        self.training = training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        return {"x": Draw((s["rows"], s["n"])), "labels": Draw((s["rows"],), below=s["n"], dtype="int64")}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        rows, n, f32 = s["rows"], s["n"], k.DType.float32
        labelled = ("softmax_cross_entropy", "rows", rows, n, f32, k.DType.int64, f32, True)
        shape = k.LossShape(*labelled, 0, 0, 0.0, 1.0, False, 0)
        statistics, total, count, one = empty(k, rows, 3), empty(k), empty(k), empty(k)
        k.fill(1.0, one)
        dx = empty(k, rows, n) if self.training else None

        def call() -> None:
            k.loss_forward(shape, a["labels"], a["x"], None, None, statistics, None, total, None, count)
            if self.training:
                k.loss_backward(shape, a["labels"], a["x"], None, None, statistics, one, False, None, dx, False)

        return call, [total, dx] if self.training else [total]

    def _f(self, labels: Any) -> Any:
        return lambda x: torch.nn.functional.cross_entropy(x, labels, reduction="sum")

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        f, one = self._f(t["labels"]), torch.ones((), device=t["x"].device)
        return {"pytorch": with_gradients(f, [t["x"]], one) if self.training else lambda: [f(t["x"])]}

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        return [results[0], *(ends(x) for x in results[1:])]

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        x, labels = t["x"].double(), t["labels"]
        total = self._f(labels)(x)
        if not self.training:
            return [total]
        x, labels = ends(x), ends(labels)
        gradient = torch.softmax(x, -1)
        gradient[torch.arange(len(x), device=x.device), labels] -= 1
        return [total, gradient]


class Pool(Operation):
    def __init__(self, average: bool, training: bool) -> None:
        self.average, self.training = average, training

    @staticmethod
    def _out(s: Sizes) -> int:
        return int((s["h"] - s["window"]) // s["stride"] + 1)

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        p = self._out(s)
        return {"x": Draw((s["n"], s["h"], s["h"], s["c"])), "dy": Draw((s["n"], p, p, s["c"]))}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        x, dy = a["x"], a["dy"]
        window, strides = (s["window"],) * 2, (s["stride"],) * 2
        shape = k.PoolShape(x.shape, window, strides, "valid", self.average, k.DType.float32)
        y, dx = empty(k, *dy.shape), empty(k, *x.shape)

        def call() -> None:
            k.pool_forward(shape, x, y)
            if self.training:
                k.pool_backward(shape, *((None, None) if self.average else (x, y)), dy, dx)

        return call, [y, dx] if self.training else [y]

    def _f(self, s: Sizes) -> Any:
        pool = torch.nn.functional.avg_pool2d if self.average else torch.nn.functional.max_pool2d
        return lambda x: pool(x.permute(0, 3, 1, 2), s["window"], s["stride"]).permute(0, 2, 3, 1)

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        f = self._f(s)
        return {"pytorch": with_gradients(f, [t["x"]], t["dy"]) if self.training else lambda: [f(t["x"])]}

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        return gradients64(self._f(s), [t["x"]], t["dy"])[: 1 + self.training]


def memory_case(name: str, op: Operation, sizes: Sizes, tiny: Sizes, moved: float, quick: bool = False) -> Case:
    """moved: bytes."""
    return Case("memory_bound", name, op, sizes, tiny, limit="copy", work=moved, targets=("memory",), quick=quick)


def memory_pair(
    name: str, op: Any, sizes: Sizes, tiny: Sizes, forward: float, backward: float, quick: bool = False
) -> list[Case]:
    """The forward, and forward + backward; bytes of each."""
    return [
        memory_case(f"{name}, forward", op(False), sizes, tiny, forward, quick),
        memory_case(f"{name}, forward + backward", op(True), sizes, tiny, forward + backward, quick),
    ]


def _cases() -> list[Case]:
    cases = []
    for rows, n in [(16384, 1000), (16384, 8192), (16384, 32768), (16384, 131072)]:
        size = float(rows * n)
        tiny = {"rows": 5, "n": {1000: 100, 8192: 4100}.get(n, 3000)}
        made = memory_pair(f"softmax {rows}x{n}", Softmax, {"rows": rows, "n": n}, tiny, 8 * size, 12 * size, n == 1000)
        cases += made if n < 131072 else made[:1]
    for rows, n in [(8192, 1024), (8192, 4096), (8192, 12288)]:
        size = float(rows * n)
        tiny = {"rows": 7, "n": {1024: 100, 4096: 1030}.get(n, 3100)}
        made = memory_pair(
            f"layer norm {rows}x{n}", LayerNorm, {"rows": rows, "n": n}, tiny, 8 * size, 12 * size, n == 4096
        )
        cases += made
    for h, c in [(56, 64), (56, 256), (7, 2048)]:
        size = 32.0 * h * h * c  # the statistics are another pass over what is larger than the caches
        sizes, tiny = {"n": 32, "h": h, "c": c}, {"n": 2, "h": 5, "c": min(c, 70)}
        cases += memory_pair(f"batch norm 32x{h}x{h}x{c}", BatchNorm, sizes, tiny, 12 * size, 20 * size, c == 256)
    for rows, n in [(65536, 1000), (8192, 50257)]:
        size = float(rows * n)
        tiny = {"rows": 9, "n": 37}
        cases += memory_pair(
            f"cross-entropy {rows}x{n}", CrossEntropy, {"rows": rows, "n": n}, tiny, 4 * size, 8 * size
        )
    for average in (False, True):
        sizes = {"n": 32, "h": 112, "c": 64, "window": 3, "stride": 2}
        read, written = 4.0 * 32 * 112 * 112 * 64, 4.0 * 32 * 55 * 55 * 64
        backward = written + read + (0 if average else read + written)  # the maximum's reads x and y too

        def op(training: bool, average: bool = average) -> Pool:
            return Pool(average, training)

        name = f"{'average' if average else 'max'} pool 3x3/2 32x112x112x64"
        cases += memory_pair(name, op, sizes, sizes | {"n": 2, "h": 9, "c": 6}, read + written, backward)
    return cases


ROW_CASES = _cases()
