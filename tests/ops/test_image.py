"""What the operations table cannot say of images: dtypes, aspect ratios, bad input."""

import numpy as np
import pytest

from dlbd import ops


def test_integers_stay_integers_and_are_rounded():
    image = np.array([0, 255, 7], np.uint8).reshape(1, 3, 1)
    y = ops.image.resize(image, (1, 6))
    assert y.dtype == np.uint8
    assert y.numpy().ravel().tolist() == [0, 64, 191, 193, 69, 7]
    assert ops.image.resize(image, (1, 2), "nearest").numpy().ravel().tolist() == [0, 7]
    edge = np.array([0, 0, 255, 255], np.uint8).reshape(1, 4, 1)
    y = ops.image.resize(edge, (1, 8), "bicubic")  # overshoots on both sides of the edge: limited to 0 and 255
    assert y.numpy().ravel().tolist() == [0, 0, 0, 52, 203, 255, 255, 255]


def test_what_is_not_finite_stays_where_it_is():
    image = np.zeros((8, 1, 1), np.float32)
    image[0] = np.nan
    assert np.isnan(ops.image.resize(image, (16, 1)).numpy()).sum() == 3


@pytest.mark.parametrize(("shape", "size"), [((4, 8, 1), (2, 2)), ((8, 4, 1), (2, 2)), ((3, 7, 1), (6, 4))])
def test_cropping_keeps_what_is_in_the_middle(shape, size):
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    (h, w), (height, width) = shape[:2], size
    high, wide = min(h, w * height // width), min(w, h * width // height)
    top, left = (h - high) // 2, (w - wide) // 2
    middle = image[top : top + high, left : left + wide]
    found = ops.image.resize(image, size, crop_to_aspect_ratio=True)
    np.testing.assert_allclose(found, ops.image.resize(middle, size), rtol=1e-6)
    assert middle.shape != shape


@pytest.mark.parametrize(
    ("size", "margins"), [((8, 8), ((2, 2), (0, 0))), ((4, 16), ((0, 0), (4, 4))), ((4, 8), ((0, 0), (0, 0)))]
)
def test_padding_fills_both_ends(size, margins):
    images = np.random.default_rng(0).standard_normal((2, 4, 8, 3)).astype(np.float32)
    around = np.pad(images, ((0, 0), *margins, (0, 0)), constant_values=-1)
    found = ops.image.resize(images, size, pad_to_aspect_ratio=True, fill_value=-1)
    np.testing.assert_allclose(found, ops.image.resize(around, size), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((4, 4), {}, r"\[resize\] images must be .*received \(4, 4\)"),
        ((1, 0, 4, 3), {}, "not empty"),
        ((4, 4, 3), {"size": (2, 2, 2)}, r"size must be \(height, width\)"),
        ((4, 4, 3), {"size": (2, 0)}, "both at least 1"),
        ((4, 4, 3), {"interpolation": "area"}, "interpolation must be one of"),
        ((4, 4, 3), {"fill_mode": "reflect"}, "fill_mode must be"),
        ((4, 4, 3), {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "exclude each other"),
        ((4, 4, 3), {"data_format": "channels_first"}, "channels_last"),
    ],
)
def test_resize_refuses(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        ops.image.resize(np.zeros(shape, np.float32), **{"size": (2, 2)} | arguments)
