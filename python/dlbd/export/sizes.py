"""Sizes of axes that are known only when the model runs, and arithmetic with them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from dlbd.export.graph import Value
from dlbd.symbolic import Symbol, SymbolicArgument

if TYPE_CHECKING:
    from dlbd.export.tracing import Trace

# How often everything is tried, with other sizes in place of those that are not known: what is the same then is the
# same always.
TRIALS = 3


class Size(Symbol):
    """The size of an axis that is known only when the model runs.

    Args:
        trace: what it belongs to.
        values: what stands for it in each trial.
        make: gives it as a vector of one int64; None until :meth:`Trace.tensor` knows where it is read from.
        name: what ONNX calls it.
    """

    __slots__ = ("make", "name", "trace", "values")

    def __init__(self, trace: Trace, values: Sequence[int], make: Callable[[], Value] | None, name: str = "") -> None:
        self.trace, self.values, self.make, self.name = trace, tuple(values), make, name

    def value(self) -> Value:
        assert self.make is not None
        known = self.trace.graph.known
        if ("size", self) not in known:
            known["size", self] = self.make()
        return known["size", self]  # type: ignore[no-any-return]

    def note(self, operation: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.trace.note(operation, args, kwargs)

    def __eq__(self, other: object) -> bool:
        """A size that may vary is like no number."""
        return isinstance(other, Size) and self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return self.name or "?"

    def _unknown(self, *others: Any) -> NoReturn:
        raise SymbolicArgument(
            f"its call depends on the size {self!r} of an axis, which is known only when the model runs: declare the "
            "size in the Input, or pass input_signature="
        )

    __index__ = __int__ = __float__ = __lt__ = __le__ = __gt__ = __ge__ = __truediv__ = __rtruediv__ = _unknown
    __array_ufunc__ = None

    def __neg__(self) -> Size:
        return 0 - self

    __add__: Callable[[Size, Any], Size]
    __sub__: Callable[[Size, Any], Size]
    __mul__: Callable[[Size, Any], Size]
    __floordiv__: Callable[[Size, Any], Size]
    __mod__: Callable[[Size, Any], Size]
    __radd__: Callable[[Size, Any], Size]
    __rsub__: Callable[[Size, Any], Size]
    __rmul__: Callable[[Size, Any], Size]
    __rfloordiv__: Callable[[Size, Any], Size]
    __rmod__: Callable[[Size, Any], Size]


def _arithmetic(function: Callable[[Any, Any], Any], op: str, reflected: bool) -> Callable[[Size, Any], Size]:
    def combined(self: Size, other: Any) -> Any:
        if not isinstance(other, (int, np.integer, Size)):
            return NotImplemented
        a, b = (other, self) if reflected else (self, other)
        trace = self.trace
        values = [function(*pair) for pair in zip(_in_trials(a), _in_trials(b), strict=True)]
        return trace.known_size(values, lambda: trace.computed_size(op, trace.vector([a]), trace.vector([b])))

    return combined


def _in_trials(n: Any) -> tuple[int, ...]:
    return n.values if isinstance(n, Size) else (int(n),) * TRIALS


for _name, _op in {"add": "Add", "sub": "Sub", "mul": "Mul", "floordiv": "Div", "mod": "Mod"}.items():
    setattr(Size, f"__{_name}__", _arithmetic(getattr(operator, _name), _op, False))
    setattr(Size, f"__r{_name}__", _arithmetic(getattr(operator, _name), _op, True))
