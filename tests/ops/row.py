"""The operations table: what a row says, and the one place where results are compared.

A row names an operation, how to make its inputs and what the answer is (NumPy in float64). tests/ops/test_table.py
runs every row against everything that was promised: float64 and float32 results, gradients, every kernel path,
thread counts, memory layouts. Adding an operation is adding a row to the table of its family (tests/ops/table_*.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlbd import GradientTape, Tensor, backend, ops

EPS32 = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Row:
    """One operation at one set of shapes.

    Attributes:
        name: unique, "<op>-<what is special>".
        run: the operation, called with tensors; returns a tensor or a tuple of tensors.
        reference: the same in NumPy, called with float64 (or integer) arrays.
        inputs: makes the inputs from a seeded generator; float inputs in float64.
        differentiable: positions of the inputs whose gradient is checked.
        path: (family, name) of the kernel path that float32 is forced to; None for the only one.
        multilinear: the result is a sum of products, linear in each input: float32 is then held to
            4 eps sum|a b| instead of ``rtol`` and ``atol``, and must be exact on integer-valued inputs.
        rtol, atol: float32 against the float64 result otherwise.
        gradient_rtol, gradient_atol: float32 gradients against the float64 gradients.
    """

    name: str
    run: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    differentiable: tuple[int, ...] = ()
    path: tuple[str, str] | None = None
    multilinear: bool = False
    rtol: float = 1.3e-6
    atol: float = 1e-5
    gradient_rtol: float = 1.3e-6
    gradient_atol: float = 1e-5
    marks: tuple[Any, ...] = field(default=())

    def make(self, seed: int = 0) -> tuple[Any, ...]:
        return self.inputs(np.random.default_rng(seed))


def tuple_of(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def cast(inputs: tuple[Any, ...], dtype: Any) -> tuple[Any, ...]:
    """Float arrays as tensors of ``dtype``; integer arrays and None as they are."""
    out = []
    for x in inputs:
        is_float = isinstance(x, np.ndarray) and x.dtype.kind == "f"
        out.append(ops.convert_to_tensor(x, dtype) if is_float else x)
    return tuple(out)


def forward(row: Row, inputs: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """Run with the row's path forced (float32 only: float64 has the generic path)."""
    with ExitStack() as stack:
        if row.path and not any(isinstance(x, Tensor) and x.dtype == np.float64 for x in inputs):
            stack.enter_context(backend.forced_path(*row.path))
        return tuple(np.array(y) for y in tuple_of(row.run(*inputs)))


def cotangents(outputs: tuple[np.ndarray, ...], seed: int = 1) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal(y.shape) for y in outputs)


def gradients(row: Row, inputs: tuple[Any, ...], dy: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    with ExitStack() as stack:
        if row.path and not any(isinstance(x, Tensor) and x.dtype == np.float64 for x in inputs):
            stack.enter_context(backend.forced_path(*row.path))
        sources = [inputs[i] for i in row.differentiable]
        with GradientTape() as tape:
            for s in sources:
                tape.watch(s)
            outputs = tuple_of(row.run(*inputs))
        weights = [np.require(w, y.dtype, "C") for w, y in zip(dy, outputs, strict=True)]
        found = tape.gradient(list(outputs), sources, output_gradients=weights)
    return [np.zeros(s.shape) if g is None else np.array(g) for g, s in zip(found, sources, strict=True)]


def numerical_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, rng: np.random.Generator, checks: int = 12, eps: float = 1e-6
) -> list[tuple[tuple[int, ...], float]]:
    """Central differences of f at a few random elements of x: [(index, df/dx[index]), ...]."""
    found = []
    for flat in rng.permutation(x.size)[:checks]:
        index = np.unravel_index(flat, x.shape)
        before = x[index]
        x[index] = before + eps
        up = f(x)
        x[index] = before - eps
        down = f(x)
        x[index] = before
        found.append((tuple(int(i) for i in index), (up - down) / (2 * eps)))
    return found


def magnitudes(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """|x| of the float inputs: a multilinear operation of them is the sum |a b| of the error bound."""
    return tuple(np.asarray(np.abs(x)) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in inputs)


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays equal to x in every awkward memory layout."""
    made = {"read-only": x.copy()}
    made["read-only"].flags.writeable = False
    offset = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    offset[...] = x
    made["unaligned"] = offset
    made["fortran"] = np.asfortranarray(x)
    if x.ndim:
        made["flipped"] = np.flip(np.flip(x).copy())
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        made["strided"] = wide[..., ::2]
    if x.dtype.itemsize > 1:
        made["big-endian"] = x.astype(x.dtype.newbyteorder(">"))
    return made
