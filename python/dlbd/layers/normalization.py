"""BatchNormalization and LayerNormalization."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from dlbd import initializers, ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.input_spec import InputSpec
from dlbd.tensor import Tensor


def known_sizes(input_shape: Shape, axes: Sequence[int]) -> tuple[int, ...]:
    found = []
    for axis in axes:
        if not -len(input_shape) <= axis < len(input_shape):
            raise ValueError(f"axis {axis} does not exist in inputs of shape {input_shape}")
        size = input_shape[axis]
        if size is None:
            raise ValueError(f"the size of axis {axis} must be known; received shape {input_shape}")
        found.append(size)
    return tuple(found)


class BatchNormalization(Layer):
    """Normalizes each channel by its mean and variance: of the batch while training, of moving averages otherwise.

    ``gamma (x - mean) / sqrt(variance + epsilon) + beta`` (Ioffe and Szegedy, 2015). As in Keras the moving variance
    follows the biased one, which divides by the number of elements. The shape stays as it is.

    With ``trainable = False`` the moving averages are used, and stay, while training too. Masked time steps do not
    count for the mean and variance of a batch.

    Args:
        axis: the axis of the channels; the last one by default.
        momentum: of the moving averages, 0.99 by default: ``moving = moving * momentum + batch * (1 - momentum)``.
        epsilon: 1e-3 by default.
        center: whether there is a beta; True by default.
        scale: whether there is a gamma; True by default.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: "zeros", "ones",
            "zeros" and "ones" by default.
        kwargs: see :class:`Layer`.

    Weights: gamma, beta, moving_mean, moving_variance, each (channels,); the latter two are not trained.

    Raises:
        ValueError: (at the call) there is no such axis.

    Example:
        >>> layer = dlbd.layers.BatchNormalization(epsilon=0.0)
        >>> layer([[1.0], [3.0]], training=True).numpy().tolist()
        [[-1.0], [1.0]]
        >>> layer([[1.0], [3.0]]).shape, [w.name for w in layer.weights]
        ((2, 1), ['gamma', 'beta', 'moving_mean', 'moving_variance'])
    """

    supports_masking = True
    regularizable = ("beta", "gamma")

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis = operator.index(axis)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Shape) -> None:
        shape = known_sizes(input_shape, [self.axis])
        self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma") if self.scale else None
        self.beta = self.add_weight(shape, self.beta_initializer, name="beta") if self.center else None
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs: Tensor, training: bool = False, mask: Any = None) -> Tensor:
        return ops.batch_normalization(
            inputs,
            self.gamma,
            self.beta,
            self.moving_mean,
            self.moving_variance,
            axis=self.axis,
            momentum=self.momentum,
            epsilon=self.epsilon,
            training=bool(training) and self.trainable,
            mask=mask,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        known_sizes(input_shape, [self.axis])
        return input_shape


class LayerNormalization(Layer):
    """Normalizes each sample by its own mean and variance.

    ``gamma (x - mean) / sqrt(variance + epsilon) + beta`` with the biased variance (Ba et al., 2016). The shape stays
    as it is.

    Args:
        axis: the axis or axes that are normalized together; the last one by default.
        epsilon: 1e-3 by default.
        center: whether there is a beta; True by default.
        scale: whether there is a gamma; True by default.
        beta_initializer, gamma_initializer: "zeros" and "ones" by default.
        kwargs: see :class:`Layer`.

    Weights: gamma, beta, each with the sizes of ``axis``.

    Raises:
        ValueError: (at the call) there is no such axis.

    Example:
        >>> dlbd.layers.LayerNormalization(epsilon=0.0)([[1.0, 3.0], [7.0, 5.0]]).numpy().tolist()
        [[-1.0, 1.0], [1.0, -1.0]]
    """

    supports_masking = True
    regularizable = ("beta", "gamma")

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis: int | list[int] = axis if isinstance(axis, int) else sorted(operator.index(a) for a in axis)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)

    def _axes(self) -> list[int]:
        return [self.axis] if isinstance(self.axis, int) else self.axis

    def build(self, input_shape: Shape) -> None:
        shape = known_sizes(input_shape, self._axes())
        self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma") if self.scale else None
        self.beta = self.add_weight(shape, self.beta_initializer, name="beta") if self.center else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(self._axes(), shape, strict=True)))

    def call(self, inputs: Tensor) -> Tensor:
        return ops.layer_normalization(inputs, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        known_sizes(input_shape, self._axes())
        return input_shape
