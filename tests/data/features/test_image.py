"""Images: decoded, resized, scaled; corrupt ones; augmented by layers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import DropMissing, Features, Image


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), np.uint8)


def transformed(image: Image, images: Any, **options: Any) -> np.ndarray:
    features = Features([image], **options)
    rows = dlbd.data.open({"i": pa.array(images, pa.binary())})
    features.adapt(rows)
    return features.to_numpy(rows)[0]


def test_pixels_are_scaled(pixels: np.ndarray):
    images = [encoded(p) for p in pixels]
    found = transformed(Image("i", size=(8, 6)), images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pixels / 255, rtol=1e-6)
    assert (transformed(Image("i", size=(8, 6), scale=1), images) == pixels).all()


def test_colours_and_grey(pixels: np.ndarray):
    grey = pixels[..., 0]
    found = transformed(Image("i", size=(8, 6), channels=1, scale=1), [encoded(g) for g in grey])
    assert (found[..., 0] == grey).all()
    found = transformed(Image("i", size=(8, 6), scale=1), [encoded(g) for g in grey])
    assert (found == grey[..., None]).all()
    found = transformed(Image("i", size=(8, 6), channels=1, scale=1), [encoded(p) for p in pixels])
    weighted = pixels @ [0.299, 0.587, 0.114]
    assert np.abs(found[..., 0] - weighted).max() < 1.5


def test_transparent_palettes_are_colours(pixels: np.ndarray):
    palette = PIL.Image.fromarray(pixels[0]).convert("P")
    plain, transparent = io.BytesIO(), io.BytesIO()
    palette.save(plain, "PNG")
    palette.save(transparent, "PNG", transparency=bytes(range(256)))
    found = transformed(Image("i", size=(8, 6), scale=1), [plain.getvalue(), transparent.getvalue()])
    assert (found[0] == found[1]).all()


def test_every_size_becomes_the_same():
    images = [encoded(np.full((h, w, 3), 100, np.uint8)) for h, w in ((3, 5), (64, 32), (8, 8))]
    found = transformed(Image("i", size=(8, 8), scale=1), images)
    assert found.shape == (3, 8, 8, 3)
    assert (found == 100).all()


def test_what_is_no_image_is_named_by_its_row(pixels: np.ndarray):
    good = encoded(pixels[0])
    for bad in (b"no image", good[: len(good) // 2], b""):
        with pytest.raises(ValueError, match=r"column 'i' holds bytes that are no whole image: .* \(row 1\)"):
            transformed(Image("i", size=(8, 6)), [good, bad])
    with pytest.raises(ValueError, match=r"column 'i' has no image.*\(row 1\)"):
        transformed(Image("i", size=(8, 6)), [good, None])
    assert len(transformed(Image("i", size=(8, 6)), [good, None], rows=[DropMissing()])) == 1
    with pytest.raises(ValueError, match=r"no whole image: of no known format \(row 0\)"):
        transformed(Image("i", size=(8, 6)), [b"<html>"])
    deep = encoded(np.full((4, 4), 1000, np.uint16))
    with pytest.raises(ValueError, match="more than 8 bits"):
        transformed(Image("i", size=(4, 4)), [deep])
    with pytest.raises(ValueError, match="should hold the bytes of images; received values of type string"):
        Features([Image("i", size=(4, 4))]).to_numpy(dlbd.data.open({"i": ["a.png"]}))
    with pytest.raises(ValueError, match="channels must be 1 or 3"):
        Image("i", size=(4, 4), channels=4)
    with pytest.raises(ValueError, match="height, width"):
        Image("i", size=(4,))  # type: ignore[arg-type]


def test_a_target_may_be_an_image(pixels: np.ndarray):
    images = [encoded(p) for p in pixels]
    features = Features([Image("i", size=(8, 6))], target=Image("mask", size=(8, 6), channels=1))
    rows = dlbd.data.open({"i": images, "mask": images})
    features.adapt(rows)
    assert features.to_numpy(rows)[1].shape == (5, 8, 6, 1)
    assert features.classes is None


def test_inferred(pixels: np.ndarray):
    images = [encoded(p) for p in pixels]
    rows = dlbd.data.open({"image": images, "path": list("abcde"), "label": list("xyxyx")})
    features = Features.infer(rows, "label")
    assert features.inputs == (Image("image", size=(8, 6)),)
    with pytest.raises(ValueError, match="binary that is no image"):
        Features.infer(dlbd.data.open({"b": [b"x"]}))


def test_layers_augment_on_the_fly():
    """A flip that happens in training only: the model learns both directions from images of one."""
    rng = np.random.default_rng(0)
    left = np.zeros((64, 4, 4), np.uint8)
    left[:, :, 0] = 255
    rows = dlbd.data.open({"image": [encoded(p) for p in left], "y": rng.random(64)})
    features = Features([Image("image", size=(4, 4), channels=1)], target="y")
    features.adapt(rows)
    x, _ = features.to_numpy(rows)
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential([dlbd.Input(features.input_shape), dlbd.layers.RandomFlip("horizontal")])
    assert (np.asarray(model(x, training=False)) == x).all()
    flipped = np.asarray(model(x, training=True))
    turned = (flipped[:, :, -1] == 1).all(axis=(1, 2))
    assert 10 < turned.sum() < 54
