"""Input: where a model says what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlbd.layers.base import Layer, Shape
from dlbd.naming import automatic_name
from dlbd.symbolic import KerasTensor, Node, dtype_of


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
) -> KerasTensor:
    """What a model takes.

    Args:
        shape: of one sample, with None for a size that varies.
        batch_size: if it is fixed; None by default.
        dtype: what is declared, float32 by default; "string" for text. Floats are cast to the dtype of the layers.
        batch_shape: the shape with the batch size in front, instead of ``shape``.
        name: made up by default.

    Returns:
        A :class:`KerasTensor`: a shape and a dtype without numbers, to call layers with and make a
        :class:`dlbd.Model` of, or to begin a :class:`dlbd.Sequential` with.

    Raises:
        ValueError: both or neither of ``shape`` and ``batch_shape`` are given, or a size is no size.
        TypeError: ``shape`` is a number: ``Input((4,))``, not ``Input(4)``.

    Example:
        >>> x = dlbd.Input((4,))
        >>> model = dlbd.Model(x, dlbd.layers.Dense(2)(x))
        >>> model.output_shape
        (None, 2)
    """
    layer = InputLayer(shape=shape, batch_size=batch_size, dtype=dtype, batch_shape=batch_shape, name=name)
    given: KerasTensor = layer.output
    return given


class InputLayer(Layer):
    """The layer form of :func:`Input`. It has no weights and gives its input.

    Args:
        shape, batch_size, dtype, batch_shape, name: see :func:`Input`; ``input_shape`` is the old name of ``shape``.

    Attributes:
        output: what :func:`Input` gives.

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.InputLayer((4,)), dlbd.layers.Dense(2)])
        >>> model.input_shape
        (None, 4)
    """

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if shape is None:
            shape = kwargs.pop("input_shape", None)
        if (shape is None) == (batch_shape is None):
            raise ValueError("Input takes shape=, or batch_shape= with the batch size in front; received both or none")
        if isinstance(shape, int):
            raise TypeError(f"Input takes a shape, such as ({shape},); received the number {shape}")
        full = (batch_size, *shape) if shape is not None else tuple(batch_shape or ())
        for n in full:
            if n is not None and (not isinstance(n, (int, np.integer)) or n < 0):
                raise ValueError(f"a shape is made of sizes, or None where it varies; received {full}")
        kind = dtype_of("float32" if dtype is None else dtype)
        super().__init__(name=name or automatic_name("input_layer"), batch_shape=full, **kwargs)
        self.input_dtype = kind
        self.built = True
        self._note()

    def _note(self) -> None:
        given = KerasTensor(self.batch_shape or (), self.input_dtype, self.name)
        self.__dict__["_nodes"] = [Node(self, (), {}, given)]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._note()

    @property
    def output_dtype(self) -> np.dtype[Any]:
        return self.input_dtype

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.input_dtype.name, "batch_shape": self.batch_shape}
