import numpy as np
import pytest

from dlbd import layers

from .check import check_layer


def windows(x):
    n, h, w, c = x.shape
    return x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c)


def test_max_pooling():
    check_layer(
        lambda: layers.MaxPooling2D(), (2, 6, 7, 3), (2, 3, 3, 3), reference=lambda x: windows(x).max(axis=(2, 4))
    )


def test_average_pooling():
    check_layer(
        lambda: layers.AveragePooling2D(), (2, 6, 7, 3), (2, 3, 3, 3), reference=lambda x: windows(x).mean(axis=(2, 4))
    )


@pytest.mark.parametrize("kind", [layers.MaxPooling2D, layers.AveragePooling2D])
@pytest.mark.parametrize(
    ("options", "output"),
    [
        ({"padding": "same"}, (2, 3, 4, 3)),
        ({"strides": 1}, (2, 5, 6, 3)),
        ({"pool_size": (3, 2), "strides": (1, 2)}, (2, 4, 3, 3)),
        ({"pool_size": 3, "strides": 2, "padding": "same"}, (2, 3, 4, 3)),
    ],
)
def test_pooling_options(kind, options, output):
    check_layer(lambda: kind(**options), (2, 6, 7, 3), output)


@pytest.mark.parametrize("keepdims", [False, True])
def test_global_pooling(keepdims: bool):
    output = (2, 1, 1, 3) if keepdims else (2, 3)
    check_layer(
        lambda: layers.GlobalAveragePooling2D(keepdims=keepdims),
        (2, 4, 5, 3),
        output,
        reference=lambda x: x.mean(axis=(1, 2), keepdims=keepdims),
    )
    check_layer(
        lambda: layers.GlobalMaxPooling2D(keepdims=keepdims),
        (2, 4, 5, 3),
        output,
        reference=lambda x: x.max(axis=(1, 2), keepdims=keepdims),
    )


def test_window_larger_than_the_image_names_the_layer():
    with pytest.raises(ValueError, match="layer 'p'"):
        layers.MaxPooling2D(5, name="p")(np.zeros((1, 3, 8, 1), np.float32))


@pytest.mark.parametrize("stride", [0, -2])
def test_stride_must_be_positive(stride: int):
    with pytest.raises(ValueError, match="strides must be at least 1"):
        layers.MaxPooling2D(2, strides=stride)
