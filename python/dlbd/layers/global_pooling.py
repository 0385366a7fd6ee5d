"""The mean or the largest value over all spatial axes at once."""

from __future__ import annotations

from typing import Any

from dlbd import ops
from dlbd.layers.base import Shape
from dlbd.layers.spatial import Spatial
from dlbd.tensor import Tensor


class _GlobalPooling(Spatial):
    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(1, self.rank + 1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.input_spec.check_shape(input_shape, self)
        return (input_shape[0], *((1,) * self.rank if self.keepdims else ()), input_shape[-1])


class _GlobalAveragePooling(_GlobalPooling):
    def call(self, inputs: Tensor) -> Tensor:
        return ops.mean(inputs, self._axes, self.keepdims)


class GlobalAveragePooling1D(_GlobalAveragePooling):
    """The mean over the steps: (batch, steps, channels) to (batch, channels).

    With a mask, of the steps that count; zero where none does.

    Args:
        data_format: "channels_last" or None, which is the same.
        keepdims: keep the steps as an axis of length 1; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) the input has not three axes.

    Example:
        >>> layer, steps = dlbd.layers.GlobalAveragePooling1D(), [[[2.0], [4.0], [9.0]]]
        >>> layer(steps).numpy().tolist(), layer(steps, mask=[[True, True, False]]).numpy().tolist()
        ([[5.0]], [[3.0]])
    """

    rank = 1
    supports_masking = True

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is None:
            return super().call(inputs)
        counts = ops.expand_dims(ops.cast(mask, bool), -1)
        total = ops.sum(ops.where(counts, inputs, 0.0), 1, self.keepdims)
        number = ops.sum(ops.cast(counts, inputs.dtype), 1, self.keepdims)
        return ops.divide(total, ops.maximum(number, 1.0))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None


class GlobalAveragePooling2D(_GlobalAveragePooling):
    """The mean over height and width: (batch, height, width, channels) to (batch, channels).

    Args:
        data_format: "channels_last" or None, which is the same.
        keepdims: keep height and width as axes of length 1; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) the input has not four axes.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.GlobalAveragePooling2D()(image).numpy().tolist()
        [[7.5]]
    """

    rank = 2


class GlobalAveragePooling3D(_GlobalAveragePooling):
    """The mean over a volume: (batch, depth, height, width, channels) to (batch, channels).

    Arguments and errors are those of :class:`GlobalAveragePooling2D`.

    Example:
        >>> dlbd.layers.GlobalAveragePooling3D()(np.arange(8.0).reshape(1, 2, 2, 2, 1)).numpy().tolist()
        [[3.5]]
    """

    rank = 3


class _GlobalMaxPooling(_GlobalPooling):
    def call(self, inputs: Tensor) -> Tensor:
        return ops.max(inputs, self._axes, self.keepdims)


class GlobalMaxPooling1D(_GlobalMaxPooling):
    """The largest value over the steps: (batch, steps, channels) to (batch, channels). As in Keras, a mask is ignored.

    Arguments and errors are those of :class:`GlobalAveragePooling1D`.

    Example:
        >>> dlbd.layers.GlobalMaxPooling1D()([[[2.0, 0.0], [1.0, 3.0]]]).numpy().tolist()
        [[2.0, 3.0]]
    """

    rank = 1


class GlobalMaxPooling2D(_GlobalMaxPooling):
    """The largest value over height and width: (batch, height, width, channels) to (batch, channels).

    Args:
        data_format: "channels_last" or None, which is the same.
        keepdims: keep height and width as axes of length 1; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) the input has not four axes.

    Example:
        >>> image = np.arange(16.0).reshape(1, 4, 4, 1)
        >>> dlbd.layers.GlobalMaxPooling2D(keepdims=True)(image).numpy().tolist()
        [[[[15.0]]]]
    """

    rank = 2


class GlobalMaxPooling3D(_GlobalMaxPooling):
    """The largest value over a volume: (batch, depth, height, width, channels) to (batch, channels).

    Arguments and errors are those of :class:`GlobalMaxPooling2D`.

    Example:
        >>> dlbd.layers.GlobalMaxPooling3D()(np.arange(8.0).reshape(1, 2, 2, 2, 1)).numpy().tolist()
        [[7.0]]
    """

    rank = 3


GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
