"""IDX files as sources."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col
from tests.data.peak import peak_of_reading

DATA = os.environ.get("DLBD_TEST_DATA")


def idx(path: Path, array: np.ndarray, code: int = 8) -> Path:
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(array.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def digits(tmp_path: Path) -> tuple[Path, Path, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (10_000, 8, 6), np.uint8), rng.integers(0, 10, 10_000, np.uint8)
    files = idx(tmp_path / "train-images-idx3-ubyte.gz", images), idx(tmp_path / "train-labels-idx1-ubyte", labels)
    return *files, images, labels


def test_images_and_labels(digits: tuple[Path, Path, np.ndarray, np.ndarray]):
    path, labels_path, images, labels = digits
    source = dlbd.data.open(path, labels=labels_path)
    assert source.schema == pa.schema({"image": pa.list_(pa.list_(pa.uint8(), 6), 8), "label": pa.uint8()})
    assert source.count() == 10_000
    table = source.to_arrow()
    found = table["image"].combine_chunks().flatten().flatten().to_numpy().reshape(images.shape)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(table["label"].to_numpy(), labels)
    sevens = source.where(col("label") == 7).select(["image"])
    assert sevens.count() == (labels == 7).sum()
    assert sevens.head(1)["image"].to_pylist() == [images[labels == 7][0].tolist()]


def test_one_file(digits: tuple[Path, Path, np.ndarray, np.ndarray]):
    path, labels_path, images, labels = digits
    assert dlbd.data.open(labels_path).to_numpy()["label"].tolist() == labels.tolist()
    assert dlbd.data.open(path).head(2)["image"].to_pylist() == images[:2].tolist()


@pytest.mark.parametrize(("code", "dtype"), [(9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
def test_every_type_of_number(tmp_path: Path, code: int, dtype: str):
    values = np.array([[1, -2], [3, 4]], dtype)
    source = dlbd.data.open(idx(tmp_path / "a.idx", values, code))
    assert source.schema.field("image").type == pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), 2)
    assert source.to_arrow()["image"].to_pylist() == values.tolist()


@pytest.mark.skipif(not DATA, reason="DLBD_TEST_DATA names no folder with data")
def test_mnist_trains_from_its_own_files():
    folder = Path(str(DATA)) / "mnist10k"
    source = dlbd.data.open(folder / "t10k-images-idx3-ubyte.gz", labels=folder / "t10k-labels-idx1-ubyte.gz")
    images = dlbd.datasets.load_idx(folder / "t10k-images-idx3-ubyte.gz")
    first = source.head(100)["image"].combine_chunks()
    np.testing.assert_array_equal(first.flatten().flatten().to_numpy().reshape(-1, 28, 28), images[:100])
    assert source.count() == 10_000


def test_files_that_are_wrong(tmp_path: Path, digits: tuple[Path, Path, np.ndarray, np.ndarray]):
    path, labels_path, _, labels = digits
    few = idx(tmp_path / "few.idx", labels[:10])
    with pytest.raises(SourceError, match=rf"{path}: has 10000 rows, and its labels .*few\.idx 10"):
        dlbd.data.open(path, labels=few)
    with pytest.raises(ValueError, match="labels= is for a file of images"):
        dlbd.data.open(labels_path, labels=labels_path)
    with pytest.raises(ValueError, match=r"one IDX file is a source.*found 3"):
        dlbd.data.open(tmp_path, format="idx")
    with pytest.raises(TypeError, match="takes no argument 'label'"):
        dlbd.data.open(path, label=labels_path)
    for content, said in [
        (few.read_bytes()[:-3], r"claims shape \(10,\), and ends before"),
        (few.read_bytes() + b"x", r"claims shape \(10,\), and goes on behind it"),
        (b"PNG", "is no IDX file: it begins with b'PNG'"),
        (b"", "is no IDX file"),
        (bytes([0, 0, 8, 3, 0]), "ends inside its header"),
    ]:
        few.write_bytes(content)
        with pytest.raises(SourceError, match=rf"{re.escape(str(few))}: .*{said}"):
            dlbd.data.open(few).to_arrow()
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(SourceError, match=rf"{path}: "):
        dlbd.data.open(path).to_arrow()


def test_an_idx_file_is_not_read_whole(tmp_path: Path):
    path = idx(tmp_path / "large.idx", np.zeros((100_000, 28, 28), np.uint8))  # 78 MB
    assert peak_of_reading(path, 100_000) < 50
