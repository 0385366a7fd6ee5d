"""Max and average pooling, channels last."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.ops.conv import check_layout, per_axis, repeated
from dlbd.tensor import Tensor, as_float


@lru_cache(maxsize=4096)
def _pool_shape(
    x: tuple[int, ...],
    window: int | tuple[int, ...],
    strides: int | tuple[int, ...],
    padding: str,
    average: bool,
    dtype: Any,
    path: str,
) -> Any:
    rank = max(len(x) - 2, 0)
    shape = _cpu.PoolShape(x, repeated(window, rank), repeated(strides, rank), padding, average, dtype, path)
    return shape, shape.y_shape


def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The largest value of each window; a NaN in a window makes its result NaN.

    The gradient goes to the first of several equal maxima.

    Args:
        inputs: (batch, spatial..., channels), one to three spatial axes; integers are taken as float32.
        pool_size: one integer, or one per spatial axis.
        strides: likewise; ``pool_size`` unless given.
        padding: "valid", or "same": output size ceil(size / stride); what lies outside counts as -inf.
        data_format: None or "channels_last".

    Returns:
        (batch, spatial..., channels); "valid" gives floor((size - pool_size) / stride) + 1 per axis.

    Raises:
        ValueError: the window does not fit into ``x``, or another padding or layout.

    Example:
        >>> x = np.array([[1, 5, 2], [3, 4, 0], [7, 6, 8]]).reshape(1, 3, 3, 1)
        >>> dlbd.ops.max_pool(x, 2, strides=1).numpy().reshape(2, 2)
        array([[5., 5.],
               [7., 8.]], dtype=float32)
    """
    return _pool("max_pool", inputs, pool_size, strides, padding, data_format, False)


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The mean of each window; what lies outside ``x`` is left out of sum and count.

    Arguments, result and errors are those of :func:`max_pool`. The gradient spreads over the window in equal parts.

    Example:
        >>> dlbd.ops.average_pool(np.array([[[1.0], [3.0], [8.0]]]), 2, padding="same").numpy().ravel()
        array([2., 8.], dtype=float32)
    """
    return _pool("average_pool", inputs, pool_size, strides, padding, data_format, True)


def _pool(op: str, x: Any, pool_size: Any, strides: Any, padding: Any, data_format: Any, average: bool) -> Tensor:
    padding = check_layout(op, padding, data_format)
    x = as_float(x)
    window = per_axis(op, "pool_size", pool_size)
    shape, y_shape = _pool_shape(
        x.shape,
        window,
        window if strides is None else per_axis(op, "strides", strides),
        padding,
        average,
        backend.DTYPE[x.dtype],
        backend.path.get("pool", "auto"),
    )
    y = Tensor(backend.empty(y_shape, x.dtype, x.array))
    backend.twin(x.array).pool_forward(shape, x.array, y.array)
    if autograd.recording():
        # the mean's gradient needs neither x nor y: nothing holds them then
        values = (None, None) if average else (x.array, y.array)
        autograd.note((x,), (y,), lambda grads: _pool_gradient(grads, shape, x, y, values))
    return y


def _pool_gradient(grads: Gradients, shape: Any, x: Tensor, y: Tensor, values: tuple[Any, Any]) -> None:
    """Max: dy goes to the first maximum of its window. Average: dy / count to each of its elements."""
    dy = grads.of(y)
    dx, accumulate = grads.into(x)
    if dx is not None:
        backend.twin(dx).pool_backward(shape, values[0], values[1], dy, dx, accumulate)
