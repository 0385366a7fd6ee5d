"""Convolution, depthwise, separable and transposed convolution, channels last."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.ops.epilogue import LINEAR, before_activation, fused_activation
from dlbd.ops.join import stack
from dlbd.ops.promotion import floats
from dlbd.ops.shape import reshape
from dlbd.tensor import Tensor, as_float


def per_axis(op: str, name: str, value: Any) -> int | tuple[int, ...]:
    """An integer, or a tuple with one integer per spatial axis."""
    if type(value) is int:
        return value
    values = value if isinstance(value, (tuple, list)) else (value,)
    sizes = []
    for v in values:
        if isinstance(v, bool) or not hasattr(v, "__index__"):
            raise TypeError(f"[{op}] {name} must be an integer or one integer per spatial axis; received {value!r}")
        sizes.append(v.__index__())
    return tuple(sizes) if isinstance(value, (tuple, list)) else sizes[0]


def repeated(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One integer per spatial axis."""
    return (value,) * rank if isinstance(value, int) else value


def check_layout(op: str, padding: Any, data_format: Any) -> str:
    """The padding in lower case, once it and the layout are known to be ours."""
    if data_format not in (None, "channels_last"):
        raise ValueError(
            f'[{op}] data_format must be "channels_last" (NHWC); received {data_format!r}. '
            "Move the channels of a channels_first array to its last axis."
        )
    if not isinstance(padding, str):
        raise TypeError(f'[{op}] padding must be "valid" or "same"; received {padding!r}')
    return padding if padding in ("valid", "same") else padding.lower()


@lru_cache(maxsize=4096)
def _conv_shape(
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: int | tuple[int, ...],
    padding: str,
    dilation: int | tuple[int, ...],
    groups: int,
    dtype: Any,
    path: str,
) -> Any:
    rank = max(len(x) - 2, 0)
    shape = _cpu.ConvShape(x, kernel, repeated(strides, rank), padding, repeated(dilation, rank), groups, dtype, path)
    return shape, shape.y_shape


@lru_cache(maxsize=4096)
def _transposed_shape(
    x: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: int | tuple[int, ...],
    padding: str,
    output_padding: int | tuple[int, ...] | None,
    dilation: int | tuple[int, ...],
    dtype: Any,
    path: str,
) -> Any:
    rank = max(len(x) - 2, 0)
    extra = () if output_padding is None else repeated(output_padding, rank)
    shape = _cpu.ConvShape.transposed(
        x, kernel, repeated(strides, rank), padding, extra, repeated(dilation, rank), dtype, path
    )
    return shape, shape.x_shape


def _operands(op: str, x: Any, kernel: Any, bias: Any, filters_axis: int) -> tuple[Tensor, Tensor, Tensor | None]:
    t, w = as_float(x), as_float(kernel)
    b = None if bias is None else as_float(bias)
    if t.dtype != w.dtype or (b is not None and b.dtype != t.dtype):
        t, w, b = floats(x, kernel, bias)
    if b is not None and w.ndim >= 2 and b.shape != (w.shape[filters_axis],):
        raise ValueError(
            f"[{op}] bias must have one value per filter, shape ({w.shape[filters_axis]},); received {b.shape}"
        )
    return t, w, b


def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    groups: int = 1,
    bias: Any = None,
    activation: Any = None,
) -> Tensor:
    """Convolution (cross-correlation) over one to three spatial axes, with bias and activation in the same pass.

    Args:
        inputs: (batch, spatial..., channels), float; integers are taken as float32.
        kernel: (spatial..., channels / groups, filters).
        strides: one integer, or one per spatial axis.
        padding: "valid", or "same": output size ceil(size / stride), the odd zero at the end.
        data_format: None or "channels_last".
        dilation_rate: one integer, or one per spatial axis.
        groups: channels and filters are split into that many groups that do not see each other.
        bias: (filters,) or None.
        activation: None, "linear", "relu", "leaky_relu", "sigmoid", "tanh", "elu" or "softplus".

    Returns:
        (batch, spatial..., filters); "valid" gives ceil((size - (kernel - 1) * dilation) / stride) per axis.

    Raises:
        ValueError: shapes, strides or groups do not fit, the kernel is larger than ``inputs``, or another padding,
            layout or activation.
        TypeError: ``inputs``, ``kernel`` and ``bias`` differ in dtype, or a stride is no integer.

    Example:
        >>> slope = np.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1)
        >>> x = np.array([0.0, 1.0, 4.0, 9.0, 16.0]).reshape(1, 5, 1)
        >>> dlbd.ops.conv(x, slope).numpy().ravel()
        array([ 4.,  8., 12.], dtype=float32)
        >>> dlbd.ops.conv(x, slope, strides=2, padding="same").numpy().ravel()
        array([ 1.,  8., -9.], dtype=float32)
        >>> dlbd.ops.conv(np.ones((1, 28, 28, 3)), np.ones((5, 5, 3, 8)), strides=(2, 1)).shape
        (1, 12, 24, 8)
    """
    padding = check_layout("conv", padding, data_format)
    act = fused_activation("conv", activation)
    x, w, b = _operands("conv", inputs, kernel, bias, -1)
    shape, y_shape = _conv_shape(
        x.shape,
        w.shape,
        per_axis("conv", "strides", strides),
        padding,
        per_axis("conv", "dilation_rate", dilation_rate),
        groups if type(groups) is int else repeated(per_axis("conv", "groups", groups), 1)[0],
        backend.DTYPE[x.dtype],
        backend.path.get("conv", "auto"),
    )
    y = Tensor(backend.empty(y_shape, x.dtype, x.array))
    backend.twin(x.array).conv_forward(shape, x.array, w.array, None if b is None else b.array, y.array, act)
    if autograd.recording():
        sources = (x, w) if b is None else (x, w, b)
        autograd.note(sources, (y,), lambda grads: _conv_gradient(grads, shape, x, w, b, y, act))
    return y


def _conv_gradient(grads: Gradients, shape: Any, x: Tensor, w: Tensor, b: Tensor | None, y: Tensor, act: Any) -> None:
    """dx = dz (*) w turned round, dw = x (*) dz, db = sum of dz over all pixels, where dz = dy act'(y)."""
    dy = grads.of(y)
    assert dy is not None
    twin = backend.twin(dy)
    wants_x, values = grads.wants(x), None if act is LINEAR else y.array
    dz = backend.empty(dy.shape, dy.dtype, dy) if values is not None and wants_x else None
    dw, accumulate = grads.into(w)
    db, accumulate_bias = (None, False) if b is None else grads.into(b)
    if dw is not None or db is not None or dz is not None:
        twin.conv_backward_weights(shape, x.array, dy, values, act, dz, dw, db, accumulate, accumulate_bias)
    dx, accumulate = grads.into(x)
    if dx is not None:
        twin.conv_backward_data(shape, dy if dz is None else dz, w.array, None, dx, LINEAR, accumulate)


def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    bias: Any = None,
    activation: Any = None,
) -> Tensor:
    """Convolution of every channel by itself: :func:`conv` with as many groups as ``inputs`` has channels.

    Args:
        inputs: (batch, spatial..., channels), float; integers are taken as float32.
        kernel: (spatial..., channels, multiplier).
        strides, padding, data_format, dilation_rate, activation: as in :func:`conv`.
        bias: (channels * multiplier,) or None.

    Returns:
        (batch, spatial..., channels * multiplier), what is made of one channel side by side.

    Raises:
        ValueError: the kernel is not for the channels of ``inputs``; otherwise as :func:`conv`.

    Example:
        >>> x = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
        >>> dlbd.ops.depthwise_conv(x, np.ones((2, 2, 1))).numpy().tolist()
        [[[3.0, 30.0], [5.0, 50.0]]]
    """
    x, w = as_float(inputs), as_float(kernel)
    if w.ndim < 3 or w.ndim != x.ndim or w.shape[-2] != x.shape[-1]:
        raise ValueError(
            "[depthwise_conv] x must be (batch, spatial..., channels) and kernel (spatial..., channels, multiplier) "
            f"with the same channels; received x {x.shape}, kernel {w.shape}"
        )
    *window, channels, multiplier = w.shape
    x, w, b = _operands("depthwise_conv", x, reshape(w, (*window, 1, channels * multiplier)), bias, -1)
    options = strides, padding, data_format, dilation_rate
    if multiplier < 2:
        return conv(x, w, *options, groups=channels, bias=b, activation=activation)
    # The fast kernel has one filter for each channel: one of each at a time, then those of a channel side by side.
    parts = [
        conv(
            x,
            w[..., i::multiplier],
            *options,
            groups=channels,
            bias=None if b is None else b[i::multiplier],
            activation=activation,
        )
        for i in range(multiplier)
    ]
    return reshape(stack(parts, -1), (*parts[0].shape[:-1], channels * multiplier))


def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    bias: Any = None,
    activation: Any = None,
) -> Tensor:
    """A :func:`depthwise_conv`, then a :func:`conv` with a window of one element, which mixes the channels.

    Args:
        inputs: (batch, spatial..., channels), float; integers are taken as float32.
        depthwise_kernel: (spatial..., channels, multiplier).
        pointwise_kernel: (1..., channels * multiplier, filters).
        strides, padding, data_format, dilation_rate: of the first step, as in :func:`conv`.
        bias: (filters,) or None.
        activation: as in :func:`conv`.

    Returns:
        (batch, spatial..., filters).

    Raises:
        ValueError, TypeError: as :func:`depthwise_conv`; also for a ``pointwise_kernel`` that does not fit.

    Example:
        >>> x = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
        >>> dlbd.ops.separable_conv(x, np.ones((2, 2, 1)), np.ones((1, 2, 1))).numpy().ravel()
        array([33., 55.], dtype=float32)
    """
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    w = as_float(pointwise_kernel)
    if any(n != 1 for n in w.shape[:-2]):
        raise ValueError(
            f"[separable_conv] pointwise_kernel must be (1..., channels * multiplier, filters); received {w.shape}"
        )
    return conv(y, w, bias=bias, activation=activation)


def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
    *,
    bias: Any = None,
    activation: Any = None,
) -> Tensor:
    """Transposed convolution: the gradient of :func:`conv` with respect to its input, as a layer that enlarges.

    Args:
        inputs: (batch, spatial..., channels), float; integers are taken as float32.
        kernel: (spatial..., filters, channels).
        strides: one integer, or one per spatial axis.
        padding: "valid": output size (size - 1) * stride + max(kernel, stride); "same": size * stride.
        output_padding: overrides that size: what is added at the end to (size - 1) * stride + kernel ("valid") or to
            (size - 1) * stride + kernel % 2 ("same"); less than the stride.
        data_format: None or "channels_last".
        dilation_rate: one integer, or one per spatial axis.
        bias: (filters,) or None.
        activation: as in :func:`conv`.

    Returns:
        (batch, spatial..., filters).

    Raises:
        ValueError, TypeError: as :func:`conv`; also for an ``output_padding`` that is not less than the stride.

    Example:
        >>> kernel = np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
        >>> dlbd.ops.conv_transpose(np.array([[[1.0], [2.0]]]), kernel, strides=2).numpy().ravel()
        array([  1.,  10., 102.,  20., 200.], dtype=float32)
    """
    op = "conv_transpose"
    padding = check_layout(op, padding, data_format)
    act = fused_activation(op, activation)
    x, w, b = _operands(op, inputs, kernel, bias, -2)
    shape, y_shape = _transposed_shape(
        x.shape,
        w.shape,
        per_axis(op, "strides", strides),
        padding,
        None if output_padding is None else per_axis(op, "output_padding", output_padding),
        per_axis(op, "dilation_rate", dilation_rate),
        backend.DTYPE[x.dtype],
        backend.path.get("conv", "auto"),
    )
    y = Tensor(backend.empty(y_shape, x.dtype, x.array))
    backend.twin(x.array).conv_backward_data(shape, x.array, w.array, None if b is None else b.array, y.array, act)
    if autograd.recording():
        sources = (x, w) if b is None else (x, w, b)
        autograd.note(sources, (y,), lambda grads: _conv_transpose_gradient(grads, shape, x, w, b, y, act))
    return y


def _conv_transpose_gradient(
    grads: Gradients, shape: Any, x: Tensor, w: Tensor, b: Tensor | None, y: Tensor, act: Any
) -> None:
    """dx = dz (*) w, dw = dz (*) x: the roles of x and y are exchanged."""
    dz = before_activation(grads, b, y, act)
    twin = backend.twin(dz)
    dw, accumulate = grads.into(w)
    if dw is not None:
        twin.conv_backward_weights(shape, dz, x.array, None, LINEAR, None, dw, None, accumulate)
    dx, accumulate = grads.into(x)
    if dx is not None:
        twin.conv_forward(shape, dz, w.array, None, dx, LINEAR, accumulate)
