"""Convolution, pooling and resizing of images. ONNX's are channels-first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import ops
from dlbd.backend import FLOAT32
from dlbd.export.graph import Value
from dlbd.export.operations.products import activated
from dlbd.export.sizes import Size
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced
from dlbd.ops.conv import per_axis, repeated
from dlbd.ops.image import taps


def _first(t: Trace, value: Value, rank: int) -> Value:
    """Channels from the last axis to the second."""
    return t.graph.transposed(value, [0, rank + 1, *range(1, rank + 1)])


def _last(t: Trace, value: Value, rank: int) -> Value:
    """The way back."""
    return t.graph.transposed(value, [0, *range(2, rank + 2), 1])


def _sizes(value: Any, rank: int) -> list[int]:
    return list(repeated(per_axis("export", "argument", value), rank))


def _kernel_first(t: Trace, value: Value, rank: int) -> Value:
    """A kernel (spatial..., a, b) as (b, a, spatial...)."""
    return t.graph.transposed(value, [rank + 1, rank, *range(rank)])


def _window(
    shape: Sequence[Any], window: Sequence[int], strides: Any, padding: str, data_format: Any, dilation_rate: Any = 1
) -> dict[str, Any]:
    """The attributes that say where windows lie: "same" has the odd zero at the end, as ONNX's SAME_UPPER."""
    steps, dilation = (_sizes(value, len(window)) for value in (strides, dilation_rate))
    attributes: dict[str, Any] = {"kernel_shape": list(window), "strides": steps}
    if any(d != 1 for d in dilation):
        attributes["dilations"] = dilation
    if padding.lower() == "valid":
        return attributes
    before, after = [], []
    for n, k, s, d in zip(shape[1:-1], window, steps, dilation, strict=True):
        reach = (k - 1) * d + 1
        if isinstance(n, Size) and s > 1:
            if "dilations" in attributes:
                raise NotInOnnx(
                    f'padding="same" with strides {strides} and dilation {dilation_rate} along an axis of open size '
                    f"{n!r}: declare the size in the Input, or pass input_signature="
                )
            return attributes | {"auto_pad": "SAME_UPPER"}
        missing = reach - 1 if isinstance(n, Size) else max((-(-n // s) - 1) * s + reach - n, 0)
        before.append(missing // 2)
        after.append(missing - missing // 2)
    return attributes | {"pads": before + after} if any(before + after) else attributes


def _convolution(
    t: Trace, y: Spec, x: Traced, kernel: Value, groups: int, bias: Any, activation: Any, attributes: dict[str, Any]
) -> Value:
    """With a kernel (spatial..., channels / groups, filters)."""
    rank = x.ndim - 2
    operands = [_first(t, t.value(x, y.dtype), rank), _kernel_first(t, kernel, rank)]
    if bias is not None:
        operands.append(t.value(bias, y.dtype))
    if groups != 1:
        attributes["group"] = groups
    return _last(t, activated(t, t.graph.node("Conv", *operands, **attributes), activation), rank)


def _conv(t: Trace, y: Spec, x: Traced, kernel: Any, groups: int, bias: Any, activation: Any, **windows: Any) -> Value:
    attributes = _window(x.shape, kernel.shape[:-2], **windows)
    return _convolution(t, y, x, t.value(kernel, y.dtype), groups, bias, activation, attributes)


def _depthwise_conv(t: Trace, y: Spec, x: Traced, kernel: Any, bias: Any, activation: Any, **windows: Any) -> Value:
    *window, channels, multiplier = kernel.shape
    grouped = t.reshaped(t.value(kernel, y.dtype), kernel.shape, (*window, 1, channels * multiplier))
    return _convolution(t, y, x, grouped, channels, bias, activation, _window(x.shape, window, **windows))


def _conv_transpose(
    t: Trace,
    y: Spec,
    x: Traced,
    kernel: Any,
    strides: Any,
    padding: str,
    output_padding: Any,
    data_format: Any,
    dilation_rate: Any,
    bias: Any,
    activation: Any,
) -> Value:
    rank = x.ndim - 2
    window, same = kernel.shape[:-2], padding.lower() == "same"
    steps, dilation = (_sizes(value, rank) for value in (strides, dilation_rate))
    extra = [None] * rank if output_padding is None else _sizes(output_padding, rank)
    before, after, added = [], [], []
    for k, s, d, e in zip(window, steps, dilation, extra, strict=True):
        reach = (k - 1) * d + 1
        # Longer than (n - 1) s by
        longer = e + (reach % 2 if same else reach) if e is not None else s if same else max(reach, s)
        cut = max((reach - longer) // 2, 0) if same else 0
        rest = reach - longer - cut
        before.append(cut)
        after.append(max(rest, 0))
        added.append(max(-rest, 0))
    operands = [_first(t, t.value(x, y.dtype), rank), _kernel_first(t, t.value(kernel, y.dtype), rank)]
    if bias is not None:
        operands.append(t.value(bias, y.dtype))
    made = t.graph.node(
        "ConvTranspose",
        *operands,
        kernel_shape=list(window),
        strides=steps,
        dilations=dilation,
        pads=before + after,
        output_padding=added,
    )
    return _last(t, activated(t, made, activation), rank)


def _pool(op: str) -> Callable[..., Any]:
    """Padding is left out of the mean, and counts as -inf for the largest value: ONNX's defaults."""

    def operation(t: Trace, y: Spec, x: Traced, pool_size: Any, strides: Any, padding: str, data_format: Any) -> Value:
        rank = x.ndim - 2
        window = _sizes(pool_size, rank)
        attributes = _window(x.shape, window, window if strides is None else strides, padding, data_format)
        return _last(t, t.graph.node(op, _first(t, t.value(x, y.dtype), rank), **attributes), rank)

    return operation


# ONNX's form of an interpolation. Places beyond the image are left out there as they are here.
_INTERPOLATIONS: dict[str, dict[str, Any]] = {
    "nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "bilinear": {"mode": "linear"},
    "bicubic": {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
}


def _resize(
    t: Trace,
    y: Spec,
    images: Any,
    size: Sequence[Any],
    interpolation: str,
    antialias: bool,
    crop_to_aspect_ratio: bool,
    pad_to_aspect_ratio: bool,
    fill_mode: str,
    fill_value: float,
    data_format: Any,
) -> Any:
    if crop_to_aspect_ratio:
        images = _cropped(images, *size)
    if pad_to_aspect_ratio:
        images = _padded(images, size[0], size[1], fill_value)
    if y.dtype.kind != "f":
        return ops.cast(ops.round(_resized(t, ops.cast(images, FLOAT32), size, interpolation, antialias)), y.dtype)
    return _resized(t, images, size, interpolation, antialias)


def _resized(t: Trace, images: Any, size: Sequence[Any], interpolation: str, antialias: bool) -> Any:
    if images.ndim == 3:
        return ops.squeeze(_resized(t, ops.expand_dims(images, 0), size, interpolation, antialias), 0)
    batch, *before, channels = images.shape
    if before == list(size):
        return images
    antialias = antialias and interpolation != "nearest"
    opened = any(isinstance(n, Size) for n in (*before, *size))
    x = _first(t, t.value(images), 2)
    if antialias or interpolation not in ("nearest", "bilinear", "bicubic" if opened else ""):
        x = _by_matrices(t, x, images.dtype, before, size, interpolation, antialias)
    else:
        options = _INTERPOLATIONS[interpolation] | {"coordinate_transformation_mode": "half_pixel"}
        x = t.graph.node("Resize", x, None, None, t.vector((batch, channels, *size)), **options)
    return t.tensor(_last(t, x, 2), Spec((batch, *size, channels), images.dtype))


def _by_matrices(
    t: Trace, x: Value, dtype: Any, before: Sequence[Any], size: Sequence[Any], interpolation: str, antialias: bool
) -> Value:
    """Each axis by a matrix with the weight of each pixel: runtimes do not agree on such interpolations."""
    for last, n, m in zip((False, True), before, size, strict=True):
        if isinstance(n, Size) or isinstance(m, Size):
            raise NotInOnnx(
                f"[resize] {interpolation!r} with antialias={antialias} needs images of a known size: declare it in "
                "the Input, or pass input_signature="
            )
        position, weight = taps(n, m, interpolation, antialias)
        matrix = np.zeros((m, n))
        np.add.at(matrix, (np.arange(m)[:, None], position), weight)
        factor = t.graph.constant(matrix.T if last else matrix, dtype)
        x = t.graph.node("MatMul", *((x, factor) if last else (factor, x)))
    return x


def _known(images: Traced) -> tuple[int, int]:
    height, width = images.shape[-3:-1]
    if isinstance(height, Size) or isinstance(width, Size):
        raise NotInOnnx(
            "[resize] what is cut off or filled up to keep the aspect ratio depends on the size of the images: declare "
            "it in the Input, or pass input_signature="
        )
    return height, width


def _cropped(images: Traced, height: int, width: int) -> Any:
    h, w = _known(images)
    high, wide = max(min(h, w * height // width), 1), max(min(w, h * width // height), 1)
    top, left = (h - high) // 2, (w - wide) // 2
    return images[..., top : top + high, left : left + wide, :]


def _padded(images: Traced, height: int, width: int, value: float) -> Any:
    h, w = _known(images)
    rows, columns = max(w * height // width - h, 0) // 2, max(h * width // height - w, 0) // 2
    margins = ((0, 0),) * (images.ndim - 3) + ((rows, rows), (columns, columns), (0, 0))
    return ops.pad(images, margins, constant_values=value)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "average_pool": _pool("AveragePool"),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "depthwise_conv": _depthwise_conv,
    "max_pool": _pool("MaxPool"),
    "resize": _resize,
}
