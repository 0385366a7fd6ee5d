"""Bad input of convolution and pooling: a clear error, never a crash."""

import re

import numpy as np
import pytest

from dlbd import ops


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("x", "kernel", "arguments", "message"),
    [
        (
            (2, 3, 28, 1),
            (5, 5, 1, 8),
            {},
            '[conv] kernel 5x5 does not fit into input 3x28 (H x W) with padding="valid"; '
            "received x (2, 3, 28, 1), kernel (5, 5, 1, 8)",
        ),
        ((2, 4, 4, 1), (3, 3, 1, 8), {"dilation_rate": 2}, "kernel 3x3 dilated by 2x2 does not fit"),
        ((2, 8, 8, 3), (3, 3, 4, 8), {}, "kernel must take 3 channels"),
        ((2, 8, 8, 4), (3, 3, 4, 8), {"groups": 2}, "kernel must take 2 channels"),
        ((2, 8, 8, 4), (3, 3, 2, 8), {"groups": 3}, "groups must divide the channels and the filters"),
        ((2, 8, 8, 4), (3, 3, 2, 7), {"groups": 2}, "groups must divide the channels and the filters"),
        ((2, 8, 8, 4), (3, 3, 4, 7), {"groups": 0}, "groups must divide"),
        ((2, 8, 8, 4), (3, 3, 4, 7), {"groups": -1}, "groups must divide"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"strides": 0}, "strides must be at least 1; received (0, 0)"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"strides": (1, -2)}, "strides must be at least 1"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"strides": (1, 2, 3)}, "strides must have one value per spatial axis, 2"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"dilation_rate": 0}, "dilation_rate must be at least 1"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"padding": "full"}, "padding must be"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"data_format": "channels_first"}, "channels_last"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"activation": "mystery"}, "activation must be one of"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"bias": zeros(7)}, "bias must have one value per filter, shape (8,)"),
        ((2, 8, 8, 3), (3, 3, 8), {}, "x must be (batch, spatial..., channels)"),
        ((8, 3), (3, 8), {}, "one to three spatial axes"),
        ((), (3, 8), {}, "one to three spatial axes"),
        ((2, 2, 2, 2, 2, 2), (1, 1, 1, 1, 2, 2), {}, "one to three spatial axes"),
        ((2, 8, 8, 3), (0, 3, 3, 8), {}, "kernel must not be empty"),
        ((2, 0, 8, 3), (1, 3, 3, 8), {}, "does not fit"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"dilation_rate": 2**62, "padding": "same"}, "overflows 64 bits"),
        ((2, 8, 8, 3), (3, 3, 3, 8), {"dilation_rate": 2**62}, "does not fit|overflows"),
    ],
)
def test_conv_refuses(x, kernel, arguments, message):
    wanted = message if "|" in message else re.escape(message)
    with pytest.raises(ValueError, match=wanted):
        ops.conv(zeros(*x), zeros(*kernel), **arguments)


@pytest.mark.parametrize(
    ("x", "kernel", "arguments", "message"),
    [
        ((2, 4, 4, 3), (3, 3, 8, 4), {}, "must take x's 3 channels, not 4"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"strides": 0}, "strides must be at least 1"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"strides": 2, "output_padding": 2}, "less than the stride"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"strides": 2, "output_padding": -1}, "output_padding must be at least 0"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"strides": 2, "output_padding": (1,)}, "one value per spatial axis"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"strides": 2**61}, "overflows 64 bits"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"bias": zeros(3)}, "bias must have one value per filter, shape (8,)"),
        ((2, 4, 4, 3), (3, 3, 8, 3), {"data_format": "channels_first"}, "channels_last"),
    ],
)
def test_conv_transpose_refuses(x, kernel, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ops.conv_transpose(zeros(*x), zeros(*kernel), **arguments)


@pytest.mark.parametrize(
    ("x", "kernel", "arguments", "message"),
    [
        ((2, 8, 8, 3), (3, 3, 4, 1), {}, "with the same channels; received x (2, 8, 8, 3), kernel (3, 3, 4, 1)"),
        ((2, 8, 3), (3, 3, 3, 1), {}, "x must be (batch, spatial..., channels)"),
        ((8, 3), (3, 1), {}, "x must be (batch, spatial..., channels)"),
        ((2, 2, 8, 3), (3, 3, 3, 1), {}, "does not fit into input 2x8"),
        ((2, 8, 8, 3), (3, 3, 3, 2), {"bias": zeros(3)}, "bias must have one value per filter, shape (6,)"),
    ],
)
def test_depthwise_conv_refuses(x, kernel, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ops.depthwise_conv(zeros(*x), zeros(*kernel), **arguments)


@pytest.mark.parametrize(
    ("pointwise", "message"),
    [
        ((1, 1, 5, 4), "kernel must take 6 channels"),
        ((1, 2, 6, 4), "pointwise_kernel must be (1..., channels * multiplier, filters); received (1, 2, 6, 4)"),
        ((1, 6, 4), "x must be (batch, spatial..., channels)"),
    ],
)
def test_separable_conv_refuses(pointwise, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ops.separable_conv(zeros(2, 8, 8, 3), zeros(3, 3, 3, 2), zeros(*pointwise))


@pytest.mark.parametrize("pool", [ops.max_pool, ops.average_pool])
@pytest.mark.parametrize(
    ("x", "size", "arguments", "message"),
    [
        ((2, 3, 8, 1), 5, {}, "window 5x5 does not fit into input 3x8 (H x W)"),
        ((2, 8, 8, 1), 0, {}, "pool_size must be at least 1"),
        ((2, 8, 8, 1), 2, {"strides": 0}, "strides must be at least 1"),
        ((2, 8, 8, 1), (2, 2, 2), {}, "pool_size must have one value per spatial axis, 2"),
        ((2, 8, 8, 1), 2, {"padding": "causal"}, "padding must be"),
        ((2, 8, 8, 1), 2, {"data_format": "channels_first"}, "channels_last"),
        ((8, 1), 2, {}, "one to three spatial axes"),
        ((2, 8, 8, 1), 2**63 - 1, {"padding": "same"}, "overflows 64 bits"),
        ((2, 8, 8, 1), 2, {"strides": 2**63 - 1, "padding": "same"}, "overflows 64 bits"),
    ],
)
def test_pool_refuses(pool, x, size, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pool(zeros(*x), size, **arguments)


@pytest.mark.parametrize("strides", [1.0, True, "2", None, (1, 2.0)])
def test_strides_that_are_no_integers(strides):
    with pytest.raises(TypeError, match="strides must be an integer"):
        ops.conv(zeros(1, 4, 4, 1), zeros(2, 2, 1, 1), strides=strides)


def test_padding_that_is_no_text():
    with pytest.raises(TypeError, match="padding must be"):
        ops.conv(zeros(1, 4, 4, 1), zeros(2, 2, 1, 1), padding=1)


@pytest.mark.parametrize("bad", [np.zeros((1, 4, 4, 1), complex), np.full((1, 4, 4, 1), "a"), [[None]], object()])
def test_arrays_of_no_numbers(bad):
    with pytest.raises(TypeError):
        ops.conv(bad, zeros(2, 2, 1, 1))
    with pytest.raises(TypeError):
        ops.max_pool(bad, 2)


def test_integers_are_taken_as_float32():
    x = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    y = ops.conv(x, np.ones((2, 2, 1, 1), np.int64))
    assert y.dtype == np.float32
    assert y.numpy()[0, 0, 0, 0] == 0 + 1 + 4 + 5
    assert ops.max_pool(x, 4).numpy().item() == 15


@pytest.mark.parametrize(
    ("x", "kernel", "expected"),
    [
        ((0, 8, 8, 3), (3, 3, 3, 4), (0, 6, 6, 4)),
        ((2, 8, 8, 0), (3, 3, 0, 4), (2, 6, 6, 4)),
        ((2, 8, 8, 3), (3, 3, 3, 0), (2, 6, 6, 0)),
    ],
)
def test_empty_sizes(x, kernel, expected):
    filters = kernel[-1]
    y = ops.conv(zeros(*x), zeros(*kernel), bias=np.ones(filters, np.float32))
    assert y.shape == expected
    np.testing.assert_array_equal(y, np.ones(expected))


def test_same_padding_of_an_empty_axis():
    assert ops.conv(zeros(2, 0, 8, 3), zeros(3, 3, 3, 4), padding="same").shape == (2, 0, 8, 4)
    assert ops.max_pool(zeros(2, 0, 8, 3), 2, padding="same").shape == (2, 0, 4, 3)


def test_huge_strides_and_dilations_touch_nothing_outside():
    x = np.ones((1, 5, 5, 2), np.float32)
    y = ops.conv(x, np.ones((3, 3, 2, 4), np.float32), dilation_rate=2**40, padding="same")
    np.testing.assert_array_equal(y, np.full((1, 5, 5, 4), 2.0))
    y = ops.conv(x, np.ones((3, 3, 2, 4), np.float32), strides=2**40)
    np.testing.assert_array_equal(y, np.full((1, 1, 1, 4), 18.0))
    y = ops.average_pool(x, 2**40, padding="same")
    np.testing.assert_array_equal(y, np.ones((1, 1, 1, 2)))
