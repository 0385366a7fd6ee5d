import numpy as np
import pytest

from dlbd import layers

from ..ops.table_conv import reference_conv, reference_depthwise
from .check import check_layer

DEPTHWISE = {1: layers.DepthwiseConv1D, 2: layers.DepthwiseConv2D}
SEPARABLE = {1: layers.SeparableConv1D, 2: layers.SeparableConv2D}


OPTIONS = [
    {},
    {"padding": "same"},
    {"strides": 2, "padding": "same"},
    {"dilation_rate": 2, "padding": "same"},
]


def named(options):
    return {"dilation" if k == "dilation_rate" else k: v for k, v in options.items()}


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_depthwise_conv(rank: int, multiplier: int, options):
    shape = (2, *(6, 7)[:rank], 3)
    lengths = DEPTHWISE[rank](3, **options).compute_output_shape(shape)[1:-1]
    check_layer(
        lambda: DEPTHWISE[rank](3, depth_multiplier=multiplier, **options),
        shape,
        (2, *lengths, 3 * multiplier),
        weights=[(*(3,) * rank, 3, multiplier), (3 * multiplier,)],
        reference=lambda x, w, b: reference_depthwise(x, w, b, **named(options)),
    )


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_separable_conv(rank: int, multiplier: int, options):
    shape = (2, *(6, 7)[:rank], 3)
    lengths = SEPARABLE[rank](4, 3, **options).compute_output_shape(shape)[1:-1]
    check_layer(
        lambda: SEPARABLE[rank](4, 3, depth_multiplier=multiplier, **options),
        shape,
        (2, *lengths, 4),
        weights=[(*(3,) * rank, 3, multiplier), (*(1,) * rank, 3 * multiplier, 4), (4,)],
        reference=lambda x, w, v, b: reference_conv(reference_depthwise(x, w, **named(options)), v, b),
    )


def test_activation_and_no_bias():
    x = np.random.default_rng(0).standard_normal((2, 5, 6, 3)).astype(np.float32)
    for layer in (
        layers.DepthwiseConv2D(2, activation="relu", use_bias=False),
        layers.SeparableConv2D(4, 2, activation="relu", use_bias=False),
    ):
        y = np.array(layer(x))
        assert layer.bias is None
        assert y.min() == 0 < y.max()


def test_names_of_weights_are_those_of_keras():
    for layer, names in (
        (layers.DepthwiseConv2D(2), ["kernel", "bias"]),
        (layers.SeparableConv2D(4, 2), ["depthwise_kernel", "pointwise_kernel", "bias"]),
    ):
        layer.build((None, 5, 5, 3))
        assert [v.name for v in layer.weights] == names


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.DepthwiseConv2D(2, depth_multiplier=0), "depth_multiplier must be at least 1"),
        (lambda: layers.DepthwiseConv1D((2, 2)), "kernel_size must be an integer or 1 of them"),
        (lambda: layers.DepthwiseConv1D(2, padding="causal"), "padding must be one of"),
        (lambda: layers.SeparableConv2D(0, 2), "filters must be at least 1"),
        (lambda: layers.SeparableConv1D(2, 2, depth_multiplier=-1), "depth_multiplier must be at least 1"),
        (lambda: layers.SeparableConv2D(2, 2, data_format="channels_first"), "channels_last"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", [layers.DepthwiseConv2D, layers.SeparableConv2D])
def test_a_window_that_does_not_fit_names_the_layer(kind):
    layer = kind(kernel_size=5, name="d", **({"filters": 2} if kind is layers.SeparableConv2D else {}))
    with pytest.raises(ValueError, match=r"layer 'd' \(.*Conv2D.*5x5 does not fit into input 3x9"):
        layer(np.zeros((1, 3, 9, 2), np.float32))


def test_aliases():
    assert layers.SeparableConvolution1D is layers.SeparableConv1D
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


@pytest.mark.parametrize(
    ("kind", "options", "regularized"),
    [
        (layers.DepthwiseConv2D, {}, {"depthwise": "kernel"}),
        (layers.SeparableConv2D, {"filters": 4}, {"depthwise": "depthwise_kernel", "pointwise": "pointwise_kernel"}),
    ],
)
def test_regularizers_and_constraints_of_the_kernels(kind, options, regularized):
    for option, weight in regularized.items():
        given = {f"{option}_regularizer": "l2", f"{option}_constraint": "non_neg"}
        layer = kind(kernel_size=2, **options, **given)
        layer.build((None, 5, 5, 3))
        for v in layer.weights:
            assert (v.regularizer is not None) == (v.constraint is not None) == (v.name == weight)
