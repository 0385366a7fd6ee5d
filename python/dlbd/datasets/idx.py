"""IDX files: the format of MNIST (http://yann.lecun.com/exdb/mnist), plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
# Deflate cannot do better than 1032 to 1: a header that claims more than that is a lie, whatever comes after it.
_MOST_COMPRESSION = 1032


def load_idx(path: str | os.PathLike[str]) -> Array:
    """Read one array from an IDX file, the format of MNIST (http://yann.lecun.com/exdb/mnist).

    Args:
        path: an IDX file; gzip is recognised by its first bytes, not by the name.

    Returns:
        An array of the file's shape and dtype (uint8, int8, int16, int32, float32 or float64), in the machine's byte
        order.

    Raises:
        ValueError: the file is no IDX file, is cut short, has bytes left over, or claims more data than it can hold;
            no memory is taken for such a claim.
        OSError: it cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels.idx"
        >>> file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))  # uint8, one dimension of 3
        11
        >>> dlbd.datasets.load_idx(file)
        array([7, 2, 1], dtype=uint8)
    """
    size = os.stat(path).st_size
    with open(path, "rb") as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if not packed:
            return _read(raw, size, path)
        try:
            with gzip.open(raw) as unpacked:
                return _read(unpacked, size * _MOST_COMPRESSION, path)  # type: ignore[arg-type]
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"[load_idx] {os.fspath(path)!r} is a damaged gzip file: {error}") from error


def read_header(file: IO[bytes], name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype, in the file's byte order, and the shape; the file is then where the data begin.

    Raises:
        ValueError: this is no IDX file.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        raise ValueError(f"[load_idx] {name!r} is no IDX file: it begins with {magic!r}")
    rank = magic[3]
    if rank > 32:
        raise ValueError(f"[load_idx] {name!r} claims {rank} dimensions; at most 32 are possible")
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"[load_idx] {name!r} ends inside its header")
    return np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{rank}I", sizes)


def _read(file: IO[bytes], most: int, path: Any) -> Array:
    name = os.fspath(path)
    dtype, shape = read_header(file, name)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > most:
        raise ValueError(f"[load_idx] {name!r} claims shape {shape}, {wanted} bytes: more than the file can hold")
    data = bytearray()
    while len(data) <= wanted:
        piece = file.read(min(wanted + 1 - len(data), 1 << 24))  # one byte more than claimed shows what is left over
        if not piece:
            break
        data += piece
    if len(data) != wanted:
        found = f"{len(data)}" if len(data) < wanted else f"more than {wanted}"
        raise ValueError(f"[load_idx] {name!r} claims shape {shape}, {wanted} bytes, but holds {found}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
