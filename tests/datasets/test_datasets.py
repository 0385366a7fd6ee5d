import gzip
import struct
import sys

import numpy as np
import pytest

from dlbd.datasets import load_digits, load_idx


def idx(array: np.ndarray, code: int, sizes=None) -> bytes:
    sizes = array.shape if sizes is None else sizes
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("code", "dtype"), [(8, ">u1"), (9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_idx(tmp_path, packed: bool, code: int, dtype: str):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    data = idx(array, code)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data) if packed else data)
    found = load_idx(path)
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative
    assert found.flags.writeable


GOOD = idx(np.zeros((2, 3), np.uint8), 8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no IDX file"),
        (b"\0\0", "no IDX file"),
        (b"PK\x03\x04", "no IDX file"),
        (b"\0\0\x07\x01" + GOOD[4:], "no IDX file"),
        (b"\0\0\x08\x00", "no IDX file"),
        (b"\0\0\x08\xff" + b"\0" * 1020, "255 dimensions"),
        (GOOD[:9], "ends inside its header"),
        (GOOD[:-1], "6 bytes, but holds 5|more than the file can hold"),
        (GOOD + b"x", "more than 6"),
        (idx(np.zeros(6, np.uint8), 8, (2**32 - 1, 2**32 - 1, 2**32 - 1)), "more than the file can hold"),
        (idx(np.zeros(6, np.uint8), 8, (0, 3)), "more than 0"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_hostile_idx(tmp_path, data: bytes, message: str, packed: bool):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(ValueError, match=message):
        load_idx(path)


def test_damaged_gzip(tmp_path):
    path = tmp_path / "file.gz"
    whole = gzip.compress(idx(np.arange(100, dtype=np.uint8), 8))
    path.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match="damaged gzip"):
        load_idx(path)
    path.write_bytes(whole[:15] + b"\xff\xff" + whole[17:])
    with pytest.raises(ValueError, match="load_idx"):
        load_idx(path)


def test_a_size_of_zero_is_an_empty_array(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(idx(np.zeros((0, 5), np.uint8), 8))
    assert load_idx(path).shape == (0, 5)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_idx(tmp_path / "nothing")


def test_digits():
    pytest.importorskip("sklearn")
    images, labels = load_digits()
    assert images.shape == (1797, 8, 8)
    assert images.dtype == np.float32
    assert (images.min(), images.max()) == (0, 1)
    assert sorted(set(labels.tolist())) == list(range(10))


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'dlbd\[demo\]'"):
        load_digits()
