"""Operation: a function of dlbd.ops as a layer, as it stands in a model that is made of KerasTensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlbd import ops, symbolic
from dlbd.layers.base import Layer
from dlbd.naming import automatic_name
from dlbd.ops import indexing
from dlbd.symbolic import KerasTensor


class Operation(Layer):
    """A function of :mod:`dlbd.ops` as a layer. Calling the function with a KerasTensor makes one.

    Args:
        function: its name, such as "add".
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: :mod:`dlbd.ops` has no function of this name.

    Example:
        >>> x = dlbd.Input((3,))
        >>> model = dlbd.Model(x, dlbd.ops.sum(x * x, axis=-1))
        >>> model.predict([[1.0, 2.0, 3.0]]).tolist()
        [14.0]
    """

    def __init__(self, function: str, **kwargs: Any) -> None:
        if function not in _FUNCTIONS:
            raise ValueError(f"dlbd.ops has no function {function!r}")
        kwargs.setdefault("name", automatic_name(function.rpartition(".")[2]))
        super().__init__(**kwargs)
        self.function = function
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's own arguments: nothing is converted, and no mask goes on."""
        if symbolic.has_symbols(args, kwargs):
            outputs = symbolic.infer(self.call, args, kwargs)
            self.__dict__.setdefault("_nodes", []).append(symbolic.Node(self, args, kwargs, outputs))
            return outputs
        return self.call(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return _FUNCTIONS[self.function](*args, **kwargs)


_FUNCTIONS: dict[str, Callable[..., Any]] = {name: getattr(ops, name) for name in ops.__all__}
_FUNCTIONS |= {f"image.{name}": getattr(ops.image, name) for name in ops.image.__all__}
_FUNCTIONS["getitem"] = indexing.getitem  # what x[...] means; dlbd.ops does not show it
_NAMES = {function: name for name, function in reversed(_FUNCTIONS.items())}  # of two names the first


def _note(self: KerasTensor, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The layer that the operation becomes."""
    return Operation(_NAMES[function])(*args, **kwargs)


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def operator(self: KerasTensor, *other: Any) -> Any:
        return Operation(name)(*((*other, self) if reflected else (self, *other)))

    return operator


KerasTensor.note = _note  # type: ignore[assignment, method-assign]
for _operation, _method in {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "floor_divide": "floordiv",
    "mod": "mod",
    "power": "pow",
    "matmul": "matmul",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator(_operation))
    setattr(KerasTensor, f"__r{_method}__", _operator(_operation, reflected=True))
for _operation, _method in {
    "negative": "neg",
    "absolute": "abs",
    "getitem": "getitem",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
}.items():
    setattr(KerasTensor, f"__{_method}__", _operator(_operation))
