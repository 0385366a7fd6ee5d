"""What layers of signals, images and volumes share: (batch, spatial..., channels), one to three spatial axes."""

from __future__ import annotations

from typing import Any

from dlbd.layers.arguments import channels_last
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec

AXES = {
    1: "(batch, steps, channels)",
    2: "(batch, height, width, channels)",
    3: "(batch, depth, height, width, channels)",
}


def window_output(n: int, size: int, stride: int, padding: str, dilation: int = 1) -> int:
    """Output length of a window that slides along an axis of length ``n``."""
    if padding != "valid":
        return -(-n // stride)
    reach = (size - 1) * dilation + 1
    if n < reach:
        raise ValueError(
            f'a window of {reach} does not fit into an axis of length {n} with padding="valid"; '
            f'use a smaller window or padding="same"'
        )
    return (n - reach) // stride + 1


class Spatial(Layer):
    """A layer over ``rank`` spatial axes. A subclass says what becomes of a length, and of the channels."""

    rank: int
    input_spec: InputSpec

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = channels_last(data_format, self.name)
        self.input_spec = InputSpec(ndim=self.rank + 2, what=AXES[self.rank])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.input_spec.check_shape(input_shape, self)
        try:
            lengths = [None if n is None else self._length(n, axis) for axis, n in enumerate(input_shape[1:-1])]
        except ValueError as error:
            raise ValueError(f"{error}; the axes are {AXES[self.rank]}") from None
        return (input_shape[0], *lengths, self._channels(input_shape[-1]))

    def _length(self, n: int, axis: int) -> int:
        """Output length of spatial axis number ``axis`` from its input length."""
        raise NotImplementedError

    def _channels(self, channels: int | None) -> int | None:
        return channels
