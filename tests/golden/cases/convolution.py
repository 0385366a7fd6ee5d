"""Convolutions and pooling."""

from __future__ import annotations

from . import Table, normal

CASES = Table()
_add = CASES.layer
_line, _image, _volume = normal(2, 9, 4), normal(2, 6, 7, 4), normal(2, 5, 4, 5, 2)

_add("Conv1D(4, 3)", _line)
_add("Conv1D(4, 3, padding='causal')", _line)
_add("Conv1D(4, 3, padding='causal', dilation_rate=2, activation='relu')", _line)
_add("Conv1D(4, 3, padding='causal', strides=2)", _line)
_add("Conv1D(4, 4, padding='same', strides=2, use_bias=False)", _line)
_add("Conv1D(6, 2, dilation_rate=3, groups=2, padding='same')", _line)
_add("Conv1D(3, [1], activation='tanh')", _line)

_add("Conv2D(3, 3)", _image)
_add("Conv2D(3, (3, 3), padding='same', activation='relu')", _image)
_add("Conv2D(3, 3, strides=2, padding='same')", _image)
_add("Conv2D(3, (3, 2), strides=(2, 3))", _image)
_add("Conv2D(3, (4, 2), padding='same')", _image)
_add("Conv2D(3, 2, dilation_rate=2)", _image)
_add("Conv2D(3, 3, dilation_rate=(1, 2), padding='same')", _image)
_add("Conv2D(6, 3, groups=2, padding='same')", _image)
_add("Conv2D(8, 3, groups=4)", _image)
_add("Conv2D(5, 1, use_bias=False, activation='tanh')", _image)
_add("Conv2D(4, 3)", normal(2, 6, 7, 1), call="layer(x[..., :1])")
_add(
    "Conv2D(filters=2, kernel_size=[2, 2], strides=[1, 2], kernel_regularizer='l2', bias_constraint='non_neg')", _image
)

_add("Conv3D(3, 2)", _volume)
_add("Conv3D(3, (3, 2, 2), padding='same', strides=(2, 1, 2), activation='relu')", _volume)
_add("Conv3D(2, 2, dilation_rate=(2, 1, 2), use_bias=False)", _volume)
_add("Conv3D(4, 2, groups=2)", _volume)

_small = normal(2, 4, 3, 3)
_add("Conv2DTranspose(2, 3)", _small)
_add("Conv2DTranspose(2, 4, padding='same', activation='relu')", _small)
_add("Conv2DTranspose(2, (3, 4), strides=2)", _small)
_add("Conv2DTranspose(2, (4, 3), strides=2, padding='same')", _small)
_add("Conv2DTranspose(2, 1, strides=2, padding='same')", _small)
_add("Conv2DTranspose(2, 2, strides=3)", _small)
_add("Conv2DTranspose(2, 3, strides=2, padding='same', output_padding=1)", _small)
_add("Conv2DTranspose(2, 3, strides=2, output_padding=(0, 1))", _small)
_add("Conv2DTranspose(2, 3, dilation_rate=2)", _small)
_add("Conv2DTranspose(2, 2, strides=(2, 1), padding='same', use_bias=False)", _small)
_add("Conv1DTranspose(2, 3)", normal(2, 5, 3))
_add("Conv1DTranspose(2, 4, strides=3, padding='same')", normal(2, 5, 3))
_add("Conv1DTranspose(2, 3, strides=2, output_padding=1, activation='relu')", normal(2, 5, 3))
_add("Conv3DTranspose(2, 2)", normal(2, 3, 2, 3, 2))
_add("Conv3DTranspose(2, 3, strides=2, padding='same')", normal(2, 3, 2, 3, 2))

_add("DepthwiseConv1D(3)", _line)
_add("DepthwiseConv1D(3, strides=2, padding='same', depth_multiplier=2)", _line)
_add("DepthwiseConv2D(3)", _image)
_add("DepthwiseConv2D((3, 2), padding='same', depth_multiplier=2, activation='relu')", _image)
_add("DepthwiseConv2D(3, strides=2, padding='same', use_bias=False)", _image)
_add("DepthwiseConv2D(2, dilation_rate=2)", _image)
_add("SeparableConv1D(3, 3)", _line)
_add("SeparableConv1D(3, 3, depth_multiplier=2)", _line)
_add("SeparableConv1D(5, 4, strides=2, padding='same', activation='relu')", _line)
_add("SeparableConv2D(3, 3)", _image)
_add("SeparableConv2D(3, (3, 2), padding='same', depth_multiplier=2, activation='relu')", _image)
_add("SeparableConv2D(3, 3, strides=2, padding='same', use_bias=False)", _image)
_add("SeparableConv2D(3, 2, dilation_rate=2)", _image)
_add("SeparableConv2D(2, 2, depthwise_regularizer='l2', pointwise_constraint='non_neg')", _image)

for _n, _x, _uneven, _strides in (
    (1, _line, "2", "1"),
    (2, _image, "(2, 3)", "(1, 2)"),
    (3, _volume, "(2, 1, 3)", "(1, 2, 1)"),
):
    for _kind in ("Max", "Average"):
        if _kind == "Max":
            _add(f"{_kind}Pooling{_n}D()", _x)
        _add(f"{_kind}Pooling{_n}D(2)", _x)
        _add(f"{_kind}Pooling{_n}D(pool_size=3, strides=2, padding='same')", _x)
        _add(f"{_kind}Pooling{_n}D({_uneven}, strides={_strides})", _x)
        _add(f"{_kind}Pooling{_n}D(3, strides=1, padding='same')", _x)
        _add(f"Global{_kind}Pooling{_n}D()", _x)
        _add(f"Global{_kind}Pooling{_n}D(keepdims=True)", _x)
        _short = {"Max": "Max", "Average": "Avg"}[_kind]
        _add(f"{_short}Pool{_n}D(3, 2)", _x)
        _add(f"Global{_short}Pool{_n}D()", _x)
