"""Layers that work on the host: text, and numbers that no kernel looks up, become indices there, batch by batch.

Where a model's input goes straight into such layers, what reads its data keeps the input as a :class:`HostInput`. Each
batch's rows go through :meth:`HostLayer.host_call` and the results to the device; in the model's step the layers find
them in a :class:`Prepared` tensor. So a recorded step only ever sees numbers, and no more than a batch is converted at
a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.layers.base import Layer, Shape
from dlbd.layers.preprocessing.reading import host_values
from dlbd.structure import map_structure
from dlbd.symbolic import Symbol
from dlbd.tensor import Tensor, as_tensor


class Prepared(Tensor):
    """An input of a model, together with what host layers made of it.

    Its array is the input where other layers take it, too; otherwise one of the results, of which nobody makes use.

    Attributes:
        shape: of the input.
        results: tensors by the id of the layer.
    """

    __slots__ = ("_shape", "results")

    def __init__(self, shape: tuple[int, ...], own: Tensor | None, results: dict[int, Tensor]) -> None:
        super().__init__((next(iter(results.values())) if own is None else own).array)
        self._shape = shape
        self.results = results

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self._shape)


class HostLayer(Layer):
    """The base of layers whose work begins on the host. A subclass defines :meth:`host_call`, and perhaps ``call``.

    It may stand right behind an Input, be the first of a Sequential model, or be called with data.

    Args:
        kwargs: see :class:`Layer`.

    Example:
        >>> class Length(dlbd.layers.HostLayer):
        ...     def host_call(self, array):
        ...         return np.char.str_len(array)
        >>> Length()(["one", "three"]).numpy().tolist()
        [3, 5]
        >>> model = dlbd.Sequential([Length(), dlbd.layers.Dense(1)])
        >>> model.predict(np.array([["one"], ["three"]])).shape
        (2, 1)
    """

    def host_call(self, array: Array) -> Array:
        """NumPy's numbers for one batch; ``call`` gets them as a tensor, also inside a recorded step.

        Args:
            array: NumPy, of any dtype.
        """
        raise NotImplementedError(f"{type(self).__name__} must define host_call()")

    def call(self, inputs: Tensor) -> Tensor:
        """What is left to do with the result of :meth:`host_call`, by launches; nothing by default."""
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(inputs, Prepared) and id(self) in inputs.results:
            inputs = inputs.results[id(self)]
        elif not isinstance(inputs, Symbol):
            inputs = as_tensor(self.staged(host_values(inputs)))
        return super().__call__(inputs, *args, **kwargs)

    def staged(self, array: Array) -> Array:
        """:meth:`host_call`; its errors name the layer."""
        try:
            return self.host_call(array)
        except (ValueError, TypeError) as error:
            self._name_in(error, array.shape)
            raise

    def host_inputs(self) -> HostInputs:
        return [([self], False)]


# For each input of a layer or a model the host layers that it goes into, and whether others take it, too.
HostInputs = list[tuple[list[HostLayer], bool]]


class HostInput:
    """What a user gave for an input that host layers take. It looks like an array; nothing has been converted yet.

    Args:
        source: the array.
        layers: the host layers.
        other: whether other layers take the input, too.
    """

    def __init__(self, source: Array, layers: Sequence[HostLayer], other: bool) -> None:
        self.source, self.layers, self.other = source, layers, other
        self.shape = source.shape

    def __len__(self) -> int:
        return len(self.source)

    def tensor(self, dtype: np.dtype[Any]) -> Prepared:
        """All of it at once, for a model that is called with data."""
        own = as_tensor(self.source) if self.other else None
        made = ((layer, layer.staged(host_values(self.source))) for layer in self.layers)
        results = {id(layer): as_tensor(a, dtype if a.dtype.kind == "f" else None) for layer, a in made}
        return Prepared(self.shape, own, results)

    def place(self, arrays: list[Any]) -> HostPlace:
        """Append what a batch holds of it to ``arrays``."""
        first = len(arrays)
        own = [self.source] if self.other else []
        arrays += [*own, *(Hosted(layer, self.source) for layer in self.layers)]
        return HostPlace((None, *self.shape[1:]), first if self.other else None, first + len(own), tuple(self.layers))


@dataclass(frozen=True)
class HostPlace:
    """Where in a batch an input stands that host layers take.

    Attributes:
        shape: of the input, None for the rows.
        own: the position of the input itself; None where only host layers take it.
        first: the position of the first layer's result; the others' follow.
        layers: the host layers.
    """

    shape: Shape
    own: int | None
    first: int
    layers: tuple[HostLayer, ...]

    def of(self, leaves: Sequence[Any]) -> Any:
        """The input's leaf: its tensor, or its shape where the leaves are shapes."""
        if not isinstance(leaves[self.first], Tensor):
            return self.shape
        own = None if self.own is None else leaves[self.own]
        results = {id(layer): leaves[self.first + i] for i, layer in enumerate(self.layers)}
        return Prepared((len(leaves[self.first]), *self.shape[1:]), own, results)  # type: ignore[arg-type]


class Hosted:
    """What a host layer makes of an array's rows, made when they are asked for."""

    def __init__(self, layer: HostLayer, source: Array) -> None:
        self._layer, self._source = layer, source
        self.ndim = source.ndim

    def __len__(self) -> int:
        return len(self._source)

    def rows(self, rows: Any) -> HostedRows:
        """For these rows; None for all."""
        return HostedRows(self._layer.staged(host_values(self._source if rows is None else self._source[rows])))


class HostedRows:
    """The result for the rows of one batch, in the form of an array that rows are taken of."""

    def __init__(self, made: Array) -> None:
        self._made = made
        self.shape, self.dtype = made.shape, made.dtype

    def __len__(self) -> int:
        return len(self._made)

    def write(self, rows: Any, buffer: Array) -> None:
        """Copy the result; the rows are its own."""
        np.copyto(buffer, self._made, casting="same_kind")


def resolved(arrays: Sequence[Any], rows: Any) -> list[Any]:
    """``arrays`` with the results of host layers for these rows in place of what is to be made."""
    return [a.rows(rows) if isinstance(a, Hosted) else a for a in arrays]


def with_host_inputs(arrays: Any, inputs: HostInputs | None) -> Any:
    """The inputs of a model, one array or a list of them, with those that host layers take as :class:`HostInput`."""
    if inputs is None:
        return arrays
    given = arrays if isinstance(arrays, list) else [arrays]
    found = [HostInput(a, *of) if of[0] else a for a, of in zip(given, inputs, strict=True)]
    return found if isinstance(arrays, list) else found[0]


def prepared(inputs: Any, dtype: np.dtype[Any]) -> Any:
    """Tensors in place of :class:`HostInput`, for a model that is called with data."""
    return map_structure(lambda a: a.tensor(dtype) if isinstance(a, HostInput) else a, inputs)
