import itertools

import numpy as np
import pytest

from dlbd import layers

from ..ops.table_conv import reference_conv, reference_conv_transpose
from .check import check_layer

SHAPES = {1: (2, 9, 3), 2: (2, 6, 7, 3), 3: (2, 4, 5, 6, 3)}
CONV = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSE = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(rank: int):
    shape = SHAPES[rank]
    check_layer(
        lambda: CONV[rank](4, 3),
        shape,
        (2, *(n - 2 for n in shape[1:-1]), 4),
        weights=[(*(3,) * rank, 3, 4), (4,)],
        reference=reference_conv,
    )


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"strides": 2, "padding": "same"},
        {"dilation_rate": 2, "padding": "same"},
        {"groups": 3, "kernel_size": 2},
    ],
    ids=str,
)
def test_conv_options_of_every_rank(rank: int, options):
    layer = CONV[rank](6, **{"kernel_size": 3} | options)
    x = np.random.default_rng(0).standard_normal(SHAPES[rank]).astype(np.float32)
    y = layer(x)
    named = {"dilation" if k == "dilation_rate" else k: v for k, v in options.items() if k != "kernel_size"}
    np.testing.assert_allclose(y, reference_conv(x, *layer.get_weights(), **named), rtol=1e-5, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == y.shape


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 3)])
def test_causal_padding(stride: int, dilation: int):
    def reference(x, w, b):
        before = np.pad(x, ((0, 0), (2 * dilation, 0), (0, 0)))
        return reference_conv(before, w, b, stride, dilation=dilation)

    check_layer(
        lambda: layers.Conv1D(4, 3, stride, padding="causal", dilation_rate=dilation),
        (2, 9, 3),
        (2, -(-9 // stride), 4),
        weights=[(3, 3, 4), (4,)],
        reference=reference,
    )


def test_no_output_of_a_causal_convolution_sees_a_later_input():
    layer = layers.Conv1D(1, 3, padding="causal", dilation_rate=2)
    x = np.random.default_rng(0).standard_normal((1, 12, 2)).astype(np.float32)
    y = np.array(layer(x))
    x[:, 7] += 1
    changed = (np.array(layer(x)) != y)[0, :, 0]
    np.testing.assert_array_equal(changed.nonzero()[0], [7, 9, 11])


@pytest.mark.parametrize(
    ("options", "output", "kernel"),
    [
        ({"padding": "same"}, (2, 8, 9, 4), (3, 2, 2, 4)),
        ({"strides": 2}, (2, 3, 4, 4), (3, 2, 2, 4)),
        ({"strides": (2, 1), "padding": "same"}, (2, 4, 9, 4), (3, 2, 2, 4)),
        ({"dilation_rate": 2}, (2, 4, 7, 4), (3, 2, 2, 4)),
        ({"groups": 2}, (2, 6, 8, 4), (3, 2, 1, 4)),
        ({"activation": "relu"}, (2, 6, 8, 4), (3, 2, 2, 4)),
        ({"activation": "softmax"}, (2, 6, 8, 4), (3, 2, 2, 4)),
        ({"use_bias": False}, (2, 6, 8, 4), (3, 2, 2, 4)),
    ],
)
def test_conv2d_options(options, output, kernel):
    weights = [kernel] if options.get("use_bias") is False else [kernel, (4,)]
    check_layer(lambda: layers.Conv2D(4, (3, 2), **options), (2, 8, 9, 2), output, weights=weights)


@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({}, (2, 6, 7, 3)),
        ({"padding": "same"}, (2, 4, 5, 3)),
        ({"strides": 2}, (2, 9, 11, 3)),
        ({"strides": 2, "padding": "same"}, (2, 8, 10, 3)),
        ({"strides": 4, "padding": "valid"}, (2, 16, 20, 3)),
        ({"strides": 2, "padding": "valid", "output_padding": 1}, (2, 10, 12, 3)),
        ({"activation": "tanh"}, (2, 6, 7, 3)),
    ],
)
def test_conv2d_transpose(options, output):
    check_layer(lambda: layers.Conv2DTranspose(3, 3, **options), (2, 4, 5, 2), output, weights=[(3, 3, 3, 2), (3,)])


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize(("padding", "extra"), list(itertools.product(("valid", "same"), (None, 1))))
def test_transposed_convolution_of_every_rank(rank: int, padding: str, extra):
    shape = (2, *(3, 2, 4)[:rank], 2)
    lengths = [
        reference_conv_transpose(np.zeros((1, n, 1)), np.zeros((3, 1, 1)), None, 2, padding, extra).shape[1]
        for n in shape[1:-1]
    ]
    check_layer(
        lambda: TRANSPOSE[rank](3, 3, 2, padding, output_padding=extra),
        shape,
        (2, *lengths, 3),
        weights=[(*(3,) * rank, 3, 2), (3,)],
        reference=lambda x, w, b: reference_conv_transpose(x, w, b, 2, padding, extra),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters must be at least 1"),
        (lambda: layers.Conv2D(2, 0), "kernel_size must be at least 1"),
        (lambda: layers.Conv2D(2, (3, 3, 3)), "kernel_size must be an integer or 2 of them"),
        (lambda: layers.Conv2D(2, 3, strides=0), "strides must be at least 1"),
        (lambda: layers.Conv2D(2, 3, strides=-1), "strides must be at least 1"),
        (lambda: layers.Conv2D(2, 3, padding="full"), "padding must be one of"),
        (lambda: layers.Conv2D(2, 3, padding="causal"), "padding must be one of"),
        (lambda: layers.Conv1D(2, (3, 3)), "kernel_size must be an integer or 1 of them"),
        (lambda: layers.Conv3D(2, (3, 3)), "kernel_size must be an integer or 3 of them"),
        (lambda: layers.Conv2D(2, 3, data_format="channels_first"), "channels_last"),
        (lambda: layers.Conv2D(3, 3, groups=2), "divisible by groups"),
        (lambda: layers.Conv2DTranspose(3, 3, strides=2, output_padding=2), "smaller than strides"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_kernel_larger_than_the_image_names_the_layer():
    with pytest.raises(ValueError, match=r"layer 'c' \(Conv2D.*3.*valid"):
        layers.Conv2D(2, 5, name="c")(np.zeros((1, 3, 28, 1), np.float32))


@pytest.mark.parametrize(
    ("rank", "axes"),
    [(1, "batch, steps, channels"), (2, "batch, height, width, channels"), (3, "batch, depth, height")],
)
def test_inputs_without_channels_name_the_layer(rank: int, axes: str):
    for kind in (CONV[rank], TRANSPOSE[rank]):
        with pytest.raises(ValueError, match=rf"layer 'c' \({kind.__name__}.*\({axes}"):
            kind(2, 1, name="c")(np.zeros((4,) * (rank + 1), np.float32))


def test_another_number_of_channels_names_the_layer():
    layer = layers.Conv1D(2, 3, name="c")
    layer.build((None, None, 4))
    with pytest.raises(ValueError, match=r"layer 'c' \(Conv1D\) was built for inputs with 4 in axis -1.*\(1, 8, 5\)"):
        layer(np.zeros((1, 8, 5), np.float32))


def test_unknown_lengths_stay_unknown():
    assert layers.Conv1D(2, 3).compute_output_shape((None, None, 4)) == (None, None, 2)
    assert layers.Conv3DTranspose(2, 3).compute_output_shape((None, 4, None, 4, 1)) == (None, 6, None, 6, 2)


def test_aliases():
    for rank in (1, 2, 3):
        assert getattr(layers, f"Convolution{rank}D") is CONV[rank]
        assert getattr(layers, f"Convolution{rank}DTranspose") is TRANSPOSE[rank]
