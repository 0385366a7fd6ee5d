"""What a case is: an operation at some sizes, our call, the peers' calls, a float64 reference, the issue's target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    import torch
except ImportError:  # the self-check runs without it
    torch = None  # type: ignore[assignment]

DEVICE = "cuda"
F32 = np.dtype(np.float32)

# Largest error, as a part of the largest absolute value of the reference, by the precision of the products.
TOLERANCE = {"float32": 1e-4, "tf32x3": 1e-4, "tf32": 3e-3, "bfloat16": 2e-2, "float16": 3e-3}

Sizes = dict[str, Any]
Arrays = dict[str, Any]
Call = Callable[[], Any]


@dataclass(frozen=True)
class Draw:
    """An input: normal numbers times ``scale``, integers in [0, below), or just what is given."""

    shape: tuple[int, ...]
    scale: float = 1.0
    below: int = 0
    given: tuple[int, ...] | None = None
    dtype: str = "float32"


class Operation:
    """One operation, at any sizes. ``k`` is the twin, dlbd._cuda or (in the self-check) dlbd._cpu."""

    stateful = False  # a second call gives another result
    tolerance: float | None = None  # if not that of the precision

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        raise NotImplementedError

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        """A call that does nothing but launch, and the arrays that it fills."""
        raise NotImplementedError

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        """Each peer's call; its results come in the order of ours, as many as it has."""
        raise NotImplementedError

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        """The results in float64, from torch tensors."""
        raise NotImplementedError

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        """What of the results the reference is compared with: all, unless that is too much."""
        return results


@dataclass(frozen=True)
class Target:
    """A line of the issue: our time / the fastest named peer's at most, or a fraction of the limit at least."""

    text: str
    metric: str  # "ratio" or "fraction"
    bound: float
    peers: tuple[str, ...] = ()

    def value(self, row: dict[str, Any]) -> float | None:
        if self.metric == "fraction":
            return row.get("fraction")
        ratios = [row["peers"][p]["ratio"] for p in self.peers if p in row["peers"]]
        return max(ratios) if ratios else None

    def met(self, value: float) -> bool:
        return value >= self.bound if self.metric == "fraction" else value <= self.bound


TARGETS = {
    "gemm": Target("fp32 SIMT GEMM 8192^3: at least 85% of cuBLAS", "ratio", 1 / 0.85, ("cublas",)),
    "gemm bf16": Target("bf16 GEMM 8192^3: at least 55% of the measured bf16 limit", "fraction", 0.55),
    "conv": Target("fp32 convolution: at least 80% of cuDNN", "ratio", 1 / 0.8, ("cudnn",)),
    "attention": Target("bf16 attention: at most 1.2 x FlashAttention-2's time", "ratio", 1.2, ("flash",)),
    "rnn": Target("fp32 LSTM and GRU: at most cuDNN's time", "ratio", 1.0, ("cudnn",)),
    "memory": Target("memory-bound: at least 90% of copy bandwidth", "fraction", 0.9),
    "eager": Target("training step: at most half of PyTorch eager's time", "ratio", 0.5, ("eager",)),
    "graphs": Target("training step: at most PyTorch's with CUDA graphs", "ratio", 1.0, ("compile", "graph")),
}


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        family, name: where it stands.
        op: what is measured.
        sizes: of the measurement.
        tiny: of the self-check on the host emulation.
        precision: of the products (dlbd.config.set_matmul_precision).
        limit: which measured limit bounds it: "fma", "tf32", "tf32x3", "bfloat16" (with ``work`` in FLOP) or "copy"
            (in bytes; such a case is timed with a cold L2 cache).
        work: FLOP or bytes of one call.
        targets: names of TARGETS.
        quick: part of ``--quick``.
    """

    family: str
    name: str
    op: Operation
    sizes: Sizes
    tiny: Sizes
    precision: str = "float32"
    limit: str = "fma"
    work: float = 0.0
    targets: tuple[str, ...] = ()
    quick: bool = False


def empty(k: Any, *shape: int) -> Any:
    return k.empty(shape, F32)


def with_gradients(f: Callable[..., Any], inputs: list[Any], dy: Any) -> Call:
    """f(*inputs) and its gradients with respect to all of them, as PyTorch computes them."""
    leaves = [x.detach().requires_grad_(True) for x in inputs]

    def call() -> list[Any]:
        y = f(*leaves)
        return [y.detach(), *torch.autograd.grad(y, leaves, dy)]

    return call


def gradients64(f: Callable[..., Any], inputs: list[Any], dy: Any) -> list[Any]:
    """The same in float64: the reference."""
    return list(with_gradients(f, [x.double() for x in inputs], dy.double())())
