"""Gives Tensor its operators. ``==`` compares element by element; a tensor hashes by identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dlbd.backend import BOOL
from dlbd.ops import compare, elementwise
from dlbd.ops.indexing import getitem
from dlbd.ops.matmul import matmul
from dlbd.ops.shape import transpose
from dlbd.symbolic import KerasTensor, SymbolicArgument
from dlbd.tensor import Tensor, as_tensor


def _direct(op: Callable[[Any, Any], Tensor]) -> Callable[[Tensor, Any], Any]:
    def operator(self: Tensor, other: Any) -> Any:
        try:
            return op(self, other)
        except SymbolicArgument:
            return NotImplemented  # the KerasTensor's turn

    return operator


def _reflected(op: Callable[[Any, Any], Tensor]) -> Callable[[Tensor, Any], Tensor]:
    def operator(self: Tensor, other: Any) -> Tensor:
        return op(other, self)

    return operator


def _comparison(op: Callable[[Any, Any], Tensor]) -> Callable[[Tensor, Any], Any]:
    def operator(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, (str, KerasTensor)):
            return NotImplemented
        return op(self, other)

    return operator


def _of_booleans(op: Callable[[Any, Any], Tensor]) -> Callable[[Tensor, Any], Any]:
    def operator(self: Tensor, other: Any) -> Any:
        both = self, as_tensor(other, like=self.array)
        return op(*both) if all(t.dtype == BOOL for t in both) else NotImplemented

    return operator


def _invert(self: Tensor) -> Tensor:
    if self.dtype != BOOL:
        raise TypeError(f"~ is logical and takes a tensor of bool; received {self.dtype}")
    return compare.logical_not(self)


def _iterate(self: Tensor) -> Iterator[Tensor]:
    return (getitem(self, i) for i in range(len(self)))


for _name, _op in {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.mod,
    "pow": elementwise.power,
    "matmul": matmul,
}.items():
    setattr(Tensor, f"__{_name}__", _direct(_op))
    setattr(Tensor, f"__r{_name}__", _reflected(_op))

for _name, _op in {
    "eq": compare.equal,
    "ne": compare.not_equal,
    "lt": compare.less,
    "le": compare.less_equal,
    "gt": compare.greater,
    "ge": compare.greater_equal,
}.items():
    setattr(Tensor, f"__{_name}__", _comparison(_op))

for _name, _op in {"and": compare.logical_and, "or": compare.logical_or, "xor": compare.logical_xor}.items():
    setattr(Tensor, f"__{_name}__", _of_booleans(_op))
    setattr(Tensor, f"__r{_name}__", _of_booleans(_op))

for _name, _function in {
    "__invert__": _invert,
    "__neg__": elementwise.negative,
    "__abs__": elementwise.absolute,
    "__getitem__": getitem,
    "__iter__": _iterate,
    "__hash__": object.__hash__,
    "T": property(transpose),
}.items():
    setattr(Tensor, _name, _function)
