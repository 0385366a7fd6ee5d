"""The file format of answers/*.npz, which make_golden.py writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def write(file: Path, numbers: dict[str, dict[str, Any]], words: dict[str, Any], versions: dict[str, str]) -> None:
    """One flat array and an index instead of an archive member per answer: a tenth of the size.

    Args:
        file: where to.
        numbers: by case, arrays by key; float32 says them all.
        words: by case, what is no array: names, shapes, configurations.
        versions: of the libraries that gave the answers.
    """
    arrays = {f"{name}\n{key}": np.asarray(a, np.float32) for name, keys in numbers.items() for key, a in keys.items()}
    header = {"versions": versions, "index": {key: list(a.shape) for key, a in arrays.items()}, "words": words}
    flat = np.concatenate([a.ravel() for a in arrays.values()] or [np.zeros(0, np.float32)])
    packed = np.frombuffer(json.dumps(header, separators=(",", ":")).encode(), np.uint8)
    file.parent.mkdir(exist_ok=True)
    np.savez_compressed(file, values=flat, header=packed)


def read(file: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any], dict[str, str]]:
    """What :func:`write` was given."""
    with np.load(file) as archive:
        values, header = archive["values"], json.loads(archive["header"].tobytes())
    numbers: dict[str, dict[str, np.ndarray]] = {name: {} for name in header["words"]}
    start = 0
    for label, shape in header["index"].items():
        name, _, key = label.partition("\n")
        stop = start + int(np.prod(shape))
        numbers[name][key] = values[start:stop].reshape(shape)
        start = stop
    return numbers, header["words"], header["versions"]
