"""InputSpec: what a built layer accepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dlbd.symbolic import KerasTensor
from dlbd.tensor import Tensor


@dataclass(frozen=True)
class InputSpec:
    """What one input must look like.

    Attributes:
        shape: exact shape, None where any size will do.
        ndim: exact number of dimensions, batch included.
        min_ndim: smallest number of dimensions.
        axes: sizes that are known, by axis.
        what: the dimensions' names for the error, "(batch, time, features)".

    All are optional. A layer sets ``self.input_spec`` in ``build``; every later call checks its first input.

    Example:
        >>> layer = dlbd.layers.Dense(3)
        >>> layer.build((None, 5))
        >>> layer.input_spec.min_ndim, layer.input_spec.axes
        (2, {-1: 5})
    """

    shape: tuple[int | None, ...] | None = None
    ndim: int | None = None
    min_ndim: int | None = None
    axes: dict[int, int | None] = field(default_factory=dict)
    what: str = ""

    def check(self, inputs: Any, layer: Any) -> None:
        """Raise a ValueError that names the layer if the (first) input does not fit."""
        first = inputs
        while isinstance(first, (list, tuple)) and first:
            first = first[0]
        if isinstance(first, (Tensor, KerasTensor)):
            self.check_shape(first.shape, layer)

    def check_shape(self, shape: tuple[int | None, ...], layer: Any) -> None:
        """Raise a ValueError that names the layer if ``shape`` does not fit."""
        if self.shape is not None:
            pairs = zip(self.shape, shape, strict=False)
            if len(shape) != len(self.shape) or any(a is not None and b is not None and a != b for a, b in pairs):
                raise ValueError(
                    f"layer {layer.name!r} ({type(layer).__name__}) takes inputs of shape {self.shape}; "
                    f"received shape {shape}"
                )
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim:
            wanted = f"{self.ndim} dimensions"
        elif self.min_ndim is not None and rank < self.min_ndim:
            wanted = f"at least {self.min_ndim} dimensions"
        else:
            for axis, size in self.axes.items():
                if size is not None and shape[axis] is not None and shape[axis] != size:
                    raise ValueError(
                        f"layer {layer.name!r} ({type(layer).__name__}) was built for inputs with {size} in axis {axis}"
                        f"{' of ' + self.what if self.what else ''}; received shape {shape}"
                    )
            return
        raise ValueError(
            f"layer {layer.name!r} ({type(layer).__name__}) takes inputs of {wanted}"
            f"{', ' + self.what if self.what else ''}; received shape {shape}"
        )
