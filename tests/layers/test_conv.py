import numpy as np
import pytest

from dlbd import layers

from .check import check_layer


def conv_reference(x, w, b, stride=1):
    """valid convolution by its definition"""
    n, h, wd, _ = x.shape
    kh, kw, _, f = w.shape
    out = np.zeros((n, (h - kh) // stride + 1, (wd - kw) // stride + 1, f))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, i * stride : i * stride + kh, j * stride : j * stride + kw]
            out[:, i, j] = np.tensordot(window, w, 3) + b
    return out


def test_conv2d():
    check_layer(
        lambda: layers.Conv2D(4, 3),
        (2, 6, 7, 3),
        (2, 4, 5, 4),
        weights=[(3, 3, 3, 4), (4,)],
        reference=conv_reference,
    )


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 3), "filters must be at least 1"),
        (lambda: layers.Conv2D(2, 0), "kernel_size must be at least 1"),
        (lambda: layers.Conv2D(2, (3, 3, 3)), "kernel_size must be an integer or 2 of them"),
        (lambda: layers.Conv2D(2, 3, strides=0), "strides must be at least 1"),
        (lambda: layers.Conv2D(2, 3, strides=-1), "strides must be at least 1"),
        (lambda: layers.Conv2D(2, 3, padding="full"), "padding must be one of"),
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


def test_images_without_channels_name_the_layer():
    with pytest.raises(ValueError, match=r"layer 'c' \(Conv2D.*\(batch, height, width, channels\)"):
        layers.Conv2D(2, 5, name="c")(np.zeros((1, 28, 28), np.float32))
