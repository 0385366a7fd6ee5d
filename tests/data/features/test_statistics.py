"""Statistics in one pass against NumPy over the whole column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dlbd.data.features.statistics import Counts, Extent, Moments, Quantiles

FRACTIONS = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)


def parts(x: np.ndarray, rows: int) -> list[np.ndarray]:
    return [x[i : i + rows] for i in range(0, len(x), rows)]


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments_are_those_of_the_whole_column(offset: float):
    x = np.random.default_rng(0).standard_normal(100_000) * 3 + offset
    one, first, second = Moments(), Moments(), Moments()
    for i, part in enumerate(parts(x, 4096)):
        one.add(part)
        (first if i % 2 else second).add(part)
    first.merge(second)
    for found in (one, first):
        assert found.count == len(x)
        np.testing.assert_allclose(found.mean, x.mean(), rtol=1e-12)
        np.testing.assert_allclose(found.variance, x.var(), rtol=1e-12)


def test_moments_and_extent_of_each_place():
    x = np.random.default_rng(0).standard_normal((5_000, 7))
    moments, extent = Moments(), Extent()
    for part in [*parts(x, 999), x[:0]]:
        moments.add(part)
        extent.add(part)
    other = Extent()
    other.add(np.full((1, 7), 50.0))
    np.testing.assert_allclose(moments.mean, x.mean(0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(moments.variance, x.var(0), rtol=1e-12)
    assert (extent.least == x.min(0)).all()
    assert (extent.greatest == x.max(0)).all()
    extent.merge(other)
    assert (extent.greatest == 50).all()


@pytest.mark.parametrize("rows", [1, 2, 999, 16_384])
def test_quantiles_of_little_data_are_exact(rows: int):
    x = np.random.default_rng(rows).standard_normal(rows)
    sketch = Quantiles()
    for part in parts(x, 1000):
        sketch.add(part)
    np.testing.assert_allclose(sketch.at(*FRACTIONS), np.quantile(x, FRACTIONS), rtol=1e-12)


def ranks_off(sketch: Quantiles, x: np.ndarray) -> float:
    """By how much the sketch is wrong, as a fraction of the ranks."""
    fractions = np.linspace(0, 1, 201)
    found = np.searchsorted(np.sort(x), sketch.at(*fractions))
    return float(np.abs(found / len(x) - fractions).max())


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "waves"])
def test_quantiles_of_much_data_are_right_to_a_thousandth_of_the_ranks(order: str):
    x = np.random.default_rng(0).lognormal(size=1_000_000)
    if order != "random":
        x = np.sort(x)
        x = {"ascending": x, "descending": x[::-1], "waves": x.reshape(1000, 1000).T.ravel()}[order]
    one, first, second = Quantiles(), Quantiles(), Quantiles()
    for i, part in enumerate(parts(x, 10_000)):
        one.add(part)
        (first if i % 3 else second).add(part)
    first.merge(second)
    assert one.count == first.count == len(x)
    assert ranks_off(one, x) < 1e-3
    assert ranks_off(first, x) < 1e-3


def test_a_sketch_is_small_and_does_not_depend_on_the_batches():
    x = np.random.default_rng(0).standard_normal(300_000)
    found = []
    for rows in (7_777, 16_384, 100_000, 300_000):
        sketch = Quantiles()
        for part in parts(x, rows):
            sketch.add(part)
        assert len(sketch.items()[0]) < 8 * 4096
        assert sketch.items()[1].sum() == len(x)
        found.append(sketch.at(*FRACTIONS))
    assert all(f == found[0] for f in found)


def test_counts_are_in_order_of_frequency_and_value():
    counts, other = Counts(10), Counts(10)
    counts.add(pa.array(["b", "a", None, "b", "c"]))
    other.add(pa.array(["c", "d"]))
    counts.merge(other)
    assert counts.most_common() == ["b", "c", "a", "d"]
    assert counts.most_common(1) == ["b"]
    assert counts.of["b"] == 2


def test_too_many_values_are_noted_or_the_rare_ones_forgotten():
    counts, pruned = Counts(100), Counts(100, prune=True)
    for begin in range(0, 1000, 50):
        values = pa.array([*range(begin, begin + 50), *[-1] * 20, *[-2] * 10])
        counts.add(values)
        pruned.add(values)
    assert counts.overflow
    assert pruned.most_common(2) == [-1, -2]
    assert len(pruned.of) <= 100


def test_counts_of_indices_are_those_of_the_values():
    counts = Counts(10)
    indices = pa.array([0, 2, None, 3, 0], pa.int32())
    counts.add(pa.DictionaryArray.from_arrays(indices, pa.array(["a", "nobody", "b", "a"])))
    counts.add(pa.array(["b", "b", "b"]))
    assert counts.of == {"a": 3, "b": 4}
    assert counts.most_common() == ["b", "a"]


@pytest.mark.parametrize(
    "values",
    [[True, False, True], [3, 1, 3], [0.0, -0.0, 2.5, -1.0], ["b", "a", "é", "z", "a"], [None, None]],
    ids=["booleans", "integers", "floats", "texts", "none"],
)
def test_counts_of_every_type(values: list):
    counts = Counts(10)
    counts.add(pa.array(values))
    counts.add(pa.array(values))
    known = {v: 2 * values.count(v) for v in values if v is not None}
    assert counts.of == known
    assert counts.most_common() == sorted(known, key=lambda v: (-known[v], v))
    assert Counts(10).most_common() == []
