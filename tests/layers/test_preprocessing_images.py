"""Layers of images: sizes, and random changes while training."""

import copy

import numpy as np
import pytest

import dlbd
from dlbd import layers, ops

from ..arrays import tensor
from .check import check_layer

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0, 255, (6, 8, 10, 3)).astype(np.float32)

RANDOM = {
    "flip": lambda **k: layers.RandomFlip(**k),
    "rotation": lambda **k: layers.RandomRotation(0.3, **k),
    "zoom": lambda **k: layers.RandomZoom((-0.4, 0.5), (-0.2, 0.7), **k),
    "translation": lambda **k: layers.RandomTranslation(0.4, 0.3, **k),
    "contrast": lambda **k: layers.RandomContrast(0.6, **k),
    "brightness": lambda **k: layers.RandomBrightness(0.4, **k),
    "crop": lambda **k: layers.RandomCrop(5, 7, **k),
}
each = pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM.keys())


# Sizes


def test_resizing():
    check_layer(lambda: layers.Resizing(4, 5), (2, 8, 10, 3), (2, 4, 5, 3), rtol=1e-4)
    check_layer(lambda: layers.Resizing(5, 5, "bicubic", pad_to_aspect_ratio=True), (2, 8, 6, 1), (2, 5, 5, 1))
    y = layers.Resizing(5, 7, "nearest", crop_to_aspect_ratio=True)(IMAGES)
    np.testing.assert_array_equal(y, ops.image.resize(IMAGES, (5, 7), "nearest", crop_to_aspect_ratio=True))


@pytest.mark.parametrize("make", [lambda: layers.Resizing(4, 5), lambda: layers.CenterCrop(4, 5), *RANDOM.values()])
def test_bytes_become_floats_and_one_image_needs_no_batch(make):
    layer = make()
    pixels = IMAGES.astype(np.uint8)
    y = layer(pixels)
    assert y.dtype == np.float32
    assert y.shape == layer.compute_output_shape(pixels.shape)
    one = layer(pixels[0])
    assert one.shape == layer.compute_output_shape(pixels[0].shape)
    np.testing.assert_array_equal(one, np.array(y)[0])
    assert layer(pixels[0], training=True).shape == one.shape
    assert layer(pixels[:0], training=True).shape == (0, *one.shape)
    assert layer.compute_output_shape((None, 8, 10, 3)) == (None, *one.shape)


def test_the_middle():
    check_layer(lambda: layers.CenterCrop(4, 5), (2, 8, 10, 3), (2, 4, 5, 3), reference=lambda x: x[:, 2:6, 2:7])
    check_layer(lambda: layers.CenterCrop(8, 10), (2, 8, 10, 3), (2, 8, 10, 3), reference=lambda x: x)
    check_layer(lambda: layers.CenterCrop(3, 3), (2, 4, 8, 1), (2, 3, 3, 1), reference=lambda x: x[:, :3, 2:5])
    larger = layers.CenterCrop(16, 10)(IMAGES)  # the middle half of the width, twice as large
    np.testing.assert_allclose(larger, ops.image.resize(IMAGES[:, :, 2:7], (16, 10)), rtol=1e-6)


# At random


@each
def test_nothing_happens_without_training(make):
    layer = make()
    y = layer(IMAGES)
    wanted = ops.image.resize(IMAGES, (5, 7), crop_to_aspect_ratio=True) if y.shape[1] == 5 else IMAGES
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(layer(IMAGES, training=False), wanted)


@each
def test_other_changes_each_time_and_seeds_repeat(make):
    x = np.tile(IMAGES[:1], (40, 1, 1, 1))
    layer, again = make(seed=3), make(seed=3)
    first, second = np.array(layer(x, training=True)), np.array(layer(x, training=True))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(again(x, training=True), first)
    np.testing.assert_array_equal(copy.deepcopy(again)(x, training=True), second)
    one_for_all = isinstance(layer, layers.RandomCrop)
    assert (len(np.unique(first, axis=0)) > 1) != one_for_all
    other = type(layer).from_config(layer.get_config())
    assert other.get_config() == layer.get_config()
    np.testing.assert_array_equal(other(x, training=True), first)


@each
def test_the_global_seed_rules_layers_without_one(make):
    found = []
    for _ in range(2):
        dlbd.utils.set_random_seed(5)
        found.append(np.array(make()(IMAGES, training=True)))
    np.testing.assert_array_equal(*found)


@each
def test_recorded_steps_change_images_as_eager_ones(make):
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        model = dlbd.Sequential([make(), layers.Flatten(), layers.Dense(1, kernel_initializer="ones")])
        model.compile(dlbd.optimizers.SGD(0.0), "mae", run_eagerly=eagerly)
        history = model.fit(IMAGES, np.zeros(6), batch_size=3, epochs=4, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    only_moves = isinstance(model.layers[0], layers.RandomFlip)  # and the sum of an image stays
    assert len(set(losses[0])) == 4 or only_moves


def test_flips():
    for mode, most in (("horizontal", 2), ("vertical", 2), ("horizontal_and_vertical", 4)):
        y = np.array(layers.RandomFlip(mode, seed=1)(np.tile(IMAGES[:1], (400, 1, 1, 1)), training=True))
        kinds, counts = np.unique(y.reshape(400, -1), axis=0, return_counts=True)
        x = IMAGES[0]
        expected = {
            "horizontal": [x, x[:, ::-1]],
            "vertical": [x, x[::-1]],
            "horizontal_and_vertical": [x, x[:, ::-1], x[::-1], x[::-1, ::-1]],
        }[mode]
        assert len(kinds) == most
        assert {k.tobytes() for k in kinds} == {np.ascontiguousarray(e).tobytes() for e in expected}
        assert np.all(np.abs(counts / 400 - 1 / most) < 0.1)


def test_crops():
    layer = layers.RandomCrop(5, 7, seed=1)
    seen = set()
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (5, 7), axis=(1, 2)).transpose(1, 2, 0, 4, 5, 3)
    for _ in range(200):
        y = np.array(layer(IMAGES, training=True))
        found = [at for at in np.ndindex(4, 4) if np.array_equal(windows[at], y)]
        assert len(found) == 1
        seen |= set(found)
    assert len(seen) == 16
    for height, width in ((8, 4), (3, 10)):
        assert layers.RandomCrop(height, width)(IMAGES, training=True).shape == (6, height, width, 3)
    same = layers.RandomCrop(8, 10)(IMAGES, training=True)
    np.testing.assert_array_equal(same, IMAGES)
    small = layers.RandomCrop(16, 7)
    np.testing.assert_array_equal(small(IMAGES, training=True), small(IMAGES))


def sampled(x, down, across, mode, fill):
    """Bilinear, by NumPy: the pixel of output (row, column) stands at (down, across)."""
    height, width, _ = x.shape

    def at(rows, columns):
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        pad = {"reflect": "symmetric", "wrap": "wrap", "nearest": "edge", "constant": "constant"}[mode]
        far = 4 * max(height, width)
        wide = np.pad(x, ((far, far), (far, far), (0, 0)), pad)
        found = wide[rows + far, columns + far]
        return np.where(inside[..., None], found, fill) if mode == "constant" else found

    top, left = np.floor(down).astype(int), np.floor(across).astype(int)
    v, u = (down - top)[..., None], (across - left)[..., None]
    above = (1 - u) * at(top, left) + u * at(top, left + 1)
    below = (1 - u) * at(top + 1, left) + u * at(top + 1, left + 1)
    return (1 - v) * above + v * below


ROWS, COLUMNS = np.mgrid[:8, :10].astype(np.float64)
MIDDLE = 3.5, 4.5


@pytest.mark.parametrize("mode", ["reflect", "wrap", "constant", "nearest"])
def test_where_pixels_come_from(mode):
    options = {"fill_mode": mode, "fill_value": 7.0}
    angle = 2 * np.pi * 0.1
    r, c = ROWS - MIDDLE[0], COLUMNS - MIDDLE[1]
    cos, sin = np.cos(angle), np.sin(angle)
    cases = [
        (layers.RandomRotation((0.1, 0.1), **options), (MIDDLE[0] + sin * c + cos * r, MIDDLE[1] + cos * c - sin * r)),
        (layers.RandomZoom((0.5, 0.5), **options), (MIDDLE[0] + 1.5 * r, MIDDLE[1] + 1.5 * c)),
        (layers.RandomZoom((-0.3, -0.3), (0.2, 0.2), **options), (MIDDLE[0] + 0.7 * r, MIDDLE[1] + 1.2 * c)),
        (layers.RandomTranslation((0.3, 0.3), (-0.25, -0.25), **options), (ROWS - 2.4, COLUMNS + 2.5)),
    ]
    for layer, (down, across) in cases:
        wanted = np.stack([sampled(x, down, across, mode, 7.0) for x in IMAGES.astype(np.float64)])
        np.testing.assert_allclose(layer(IMAGES, training=True), wanted, rtol=1e-4, atol=2e-3)


def test_a_quarter_turn_is_counter_clockwise_and_moves_whole_pixels():
    square = IMAGES[:, :, :8]
    for interpolation in ("nearest", "bilinear"):
        layer = layers.RandomRotation((0.25, 0.25), interpolation=interpolation)
        y = layer(square, training=True)
        np.testing.assert_allclose(y, np.rot90(square, axes=(1, 2)), atol=1e-2)
    shift = layers.RandomTranslation((0.25, 0.25), (-0.5, -0.5), "wrap", "nearest")
    np.testing.assert_array_equal(shift(IMAGES, training=True), np.roll(IMAGES, (2, -5), (1, 2)))


def test_zoom_keeps_the_shape_of_things_without_a_width():
    image = np.zeros((50, 9, 9, 1), np.float32)
    image[:, 3:6, 3:6] = 1
    y = np.array(layers.RandomZoom((-0.5, 0.5), fill_mode="constant", seed=1)(image, training=True))
    np.testing.assert_allclose(y, y.transpose(0, 2, 1, 3), atol=1e-5)


def test_contrast():
    layer = layers.RandomContrast((0.5, 0.25), value_range=(0, 200), seed=1)
    x = np.tile(IMAGES[:1] / 2 + 40, (3000, 1, 1, 1))
    y = np.array(layer(x, training=True))
    mean = x.mean((1, 2), keepdims=True)
    scale = np.ptp(y[:, :, :, 0], axis=(1, 2)) / np.ptp(x[:, :, :, 0], axis=(1, 2))
    assert scale.min() >= 0.4999
    assert scale.max() <= 1.2501
    assert abs(scale.mean() - 0.875) < 0.02
    np.testing.assert_allclose(y, (x - mean) * scale[:, None, None, None] + mean, rtol=1e-3)
    limited = np.array(layers.RandomContrast((0.0, 1.0), seed=2)(IMAGES, training=True))
    assert limited.min() == 0
    assert limited.max() == 255


def test_brightness():
    layer = layers.RandomBrightness((-0.1, 0.3), value_range=(-1, 1), seed=1)
    x = np.zeros((3000, 2, 2, 1), np.float32)
    y = np.array(layer(x, training=True))
    assert np.all(y == y[:, :1, :1])
    assert -0.2 <= y.min() < -0.19
    assert 0.59 < y.max() <= 0.6
    assert abs(y.mean() - 0.2) < 0.02
    assert np.array(layers.RandomBrightness((1.0, 1.0))(IMAGES, training=True)).min() == 255


def test_gradients_pass_what_only_moves_or_scales_pixels():
    x = tensor(IMAGES)
    for make, passes in ((RANDOM["flip"], True), (RANDOM["crop"], True), (RANDOM["rotation"], False)):
        with dlbd.GradientTape() as tape:
            tape.watch(x)
            y = ops.sum(make()(x, training=True))
        gradient = tape.gradient(y, x)
        assert (gradient is not None) == passes
        if passes:
            assert set(np.unique(gradient)) <= {0.0, 1.0}


def test_float64_images():
    y = layers.RandomRotation((0.1, 0.1), dtype="float64")(IMAGES.astype(np.float64), training=True)
    assert y.dtype == np.float64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.RandomRotation(1.5), r"factor must lie in \[-1, 1\]; received 1.5"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "a number or two of them"),
        (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode must be one of"),
        (lambda: layers.RandomRotation(0.1, interpolation="bicubic"), "interpolation must be one of"),
        (lambda: layers.RandomZoom(-1.0), "greater than -1"),
        (lambda: layers.RandomZoom(0.1, (-1.0, 0.0)), "width_factor must be greater than -1"),
        (lambda: layers.RandomTranslation(0.1, 2), r"width_factor must lie in"),
        (lambda: layers.RandomContrast(-0.1), r"factor must lie in \[0, 1\]"),
        (lambda: layers.RandomBrightness(1.1), r"factor must lie in"),
        (lambda: layers.RandomBrightness(0.1, value_range=(0, 1, 2)), "value_range must be two numbers"),
        (lambda: layers.RandomFlip("diagonal"), "mode must be one of"),
        (lambda: layers.RandomCrop(0, 3), "height must be at least 1"),
        (lambda: layers.RandomFlip(data_format="channels_first"), "channels_last"),
        (lambda: layers.Resizing(3, 3, "cubic"), "interpolation must be one of"),
        (lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "exclude each other"),
        (lambda: layers.CenterCrop(3, -1), "width must be at least 1"),
    ],
)
def test_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@each
def test_what_is_no_image(make):
    with pytest.raises(ValueError, match=r"images must be \(batch, height, width, channels\).*received shape \(4, 5\)"):
        make()(np.zeros((4, 5)), training=True)
