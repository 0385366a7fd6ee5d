"""What real Keras gave for the cases: answers/*.npz, made by make_golden.py."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlbd import Tensor

from . import archive, cases


def cases_of(tables: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    """The cases as parameters (kind, case) of a test."""
    return [
        pytest.param(kind, case, id=f"{kind}-{name}") for kind, table in tables.items() for name, case in table.items()
    ]


FOLDER = Path(__file__).parent / "answers"


class Answers:
    """All of one kind.

    Attributes:
        numbers: by case, arrays by key.
        words: by case, what is no array: names, shapes, configurations.
    """

    def __init__(self, kind: str) -> None:
        self.numbers, self.words, self.versions = archive.read(FOLDER / f"{kind}.npz")

    def check(self, name: str, found: dict[str, Any]) -> None:
        """Fail unless ``found`` has all the answers to the case, and no others."""
        wanted = self.numbers[name]
        assert sorted(found) == sorted(wanted), f"answers {sorted(found)}; Keras has {sorted(wanted)}"
        for key, value in found.items():
            assert_as_keras(value, wanted[key], key)


@functools.cache
def of(kind: str) -> Answers:
    return Answers(kind)


def assert_as_keras(found: Any, wanted: np.ndarray, key: str = "") -> None:
    """Both sides are float32: a few units of its last digit, relative to the array's size where terms cancel.

    The terms of a gradient are about 1, as the cotangents and weights are, whatever they add up to.
    """
    found = on_host(found)
    assert found.shape == wanted.shape, f"{key}: shape {found.shape}, Keras gives {wanted.shape}"
    scale = max(np.max(np.abs(wanted), initial=0), 1.0 if "gradient" in key else 0.1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2e-6 * float(scale), err_msg=key)


# Layers in layers, which are cases of their own; and what is written in another form, to the same effect: vocabularies
# with the tokens for padding and the unknown, factors as ranges.
_NOT_COMPARED = frozenset(
    cases.words("backward_layer cell cells factor height_factor idf_weights layer layers vocabulary width_factor")
)


def assert_same_configuration(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Arguments that only Keras has are test_arguments.py's concern."""
    compared = {key: value for key, value in wanted.items() if key not in _NOT_COMPARED}
    differing = {key: (found[key], value) for key, value in compared.items() if not alike(found.get(key, value), value)}
    assert not differing, f"{{key: (ours, Keras's)}}: {differing}"


def alike(a: Any, b: Any) -> bool:
    """Equal, or a number and a sequence of that number only: strides of 1 and (1, 1)."""
    if isinstance(a, list) != isinstance(b, list):
        return all(
            alike(x, y) for x in (a if isinstance(a, list) else [a]) for y in (b if isinstance(b, list) else [b])
        )
    if isinstance(a, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b)


def on_host(value: Any) -> np.ndarray:
    return np.asarray(value.numpy() if isinstance(value, Tensor) else value)
