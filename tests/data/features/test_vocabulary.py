"""The number of each known value, however many there are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dlbd.data.features.vocabulary import Vocabulary


@pytest.mark.parametrize("size", [3, 10_000])
def test_numbers_of_text_and_integers(size: int):
    rng = np.random.default_rng(0)
    for values in ([f"v{i}" for i in range(size)], list(range(5, 5 + size))):
        chosen = rng.integers(0, size, 1000)
        column = pa.array([values[i] for i in chosen], mask=np.arange(1000) % 10 == 0)
        wanted = np.where(np.arange(1000) % 10 == 0, -7, chosen + 2)
        for rows in (1000, 3):  # by either way of looking up
            assert Vocabulary(values, 2, column.type).find(column[:rows], -7).tolist() == wanted[:rows].tolist()
    unknown = pa.array([None, "v1", "other", "v1"])
    assert Vocabulary([f"v{i}" for i in range(size)], 0, pa.string()).find(unknown, -1).tolist() == [-1, 1, -1, 1]
    assert Vocabulary([False, True], 1, pa.bool_()).find(pa.array([True, None, False]), 0).tolist() == [2, 0, 1]
    assert Vocabulary(["a"], 1, pa.string()).find(pa.array([], pa.string()), 0).tolist() == []


def test_numbers_of_indices():
    vocabulary = Vocabulary(["a", "b", "c"], 1, pa.string())
    for distinct in (["c", "other", "a", "c"], ["a", "b"], ["a", "b"], []):
        rows = [*range(len(distinct)), None, *range(len(distinct))]
        column = pa.DictionaryArray.from_arrays(pa.array(rows, pa.int32()), pa.array(distinct, pa.string()))
        assert vocabulary.find(column, 0).tolist() == [" abc".find(v or " ") for v in map(to_known, column.to_pylist())]


def to_known(value: str | None) -> str | None:
    return value if value in ("a", "b", "c") else None
