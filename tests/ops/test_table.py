"""Every row of the operations table against everything that is promised of an operation."""

import importlib
import pkgutil

import numpy as np
import pytest

from dlbd import _cpu

from . import row as rows
from .row import EPS32, Row

TABLES = [
    importlib.import_module(f"{__package__}.{m.name}")
    for m in pkgutil.iter_modules(importlib.import_module(__package__).__path__)
    if m.name.startswith("table_")
]
ROWS = [r for table in TABLES for r in table.ROWS]
each_row = pytest.mark.parametrize("row", [pytest.param(r, id=r.name, marks=r.marks) for r in ROWS])
each_gradient = pytest.mark.parametrize(
    "row", [pytest.param(r, id=r.name, marks=r.marks) for r in ROWS if r.differentiable]
)


def test_row_names_are_unique():
    names = [r.name for r in ROWS]
    assert len(names) == len(set(names))


@each_row
def test_float64_matches_the_reference(row: Row):
    inputs = row.make()
    wanted = rows.tuple_of(row.reference(*inputs))
    found = rows.forward(row, rows.cast(inputs, np.float64))
    assert len(found) == len(wanted)
    for y, reference in zip(found, wanted, strict=True):
        assert y.shape == np.shape(reference)
        np.testing.assert_allclose(y, reference, rtol=1e-9, atol=1e-11)


@each_row
def test_float32_matches_float64(row: Row):
    inputs = row.make()
    wanted = rows.forward(row, rows.cast(inputs, np.float64))
    found = rows.forward(row, rows.cast(inputs, np.float32))
    if row.multilinear:
        bounds = rows.forward(row, rows.cast(rows.magnitudes(inputs), np.float64))
        # the inputs' own rounding to float32 is part of the difference: one eps per factor
        for y, reference, bound in zip(found, wanted, bounds, strict=True):
            assert np.all(np.abs(y - reference) <= 4 * EPS32 * bound)
        return
    for y, reference in zip(found, wanted, strict=True):
        assert y.dtype in (np.float32, reference.dtype)
        np.testing.assert_allclose(y, reference, rtol=row.rtol, atol=row.atol)


@each_row
def test_integer_values_are_exact(row: Row):
    if not row.multilinear:
        return
    rng = np.random.default_rng(3)
    inputs = tuple(
        rng.integers(-3, 4, x.shape).astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
        for x in row.make()
    )
    wanted = rows.tuple_of(row.reference(*inputs))
    for y, reference in zip(rows.forward(row, rows.cast(inputs, np.float32)), wanted, strict=True):
        np.testing.assert_array_equal(y, reference)


@each_gradient
def test_float64_gradients_match_central_differences(row: Row):
    inputs = [np.array(x) if isinstance(x, np.ndarray) else x for x in row.make()]
    outputs = rows.forward(row, rows.cast(tuple(inputs), np.float64))
    dy = rows.cotangents(outputs)
    found = rows.gradients(row, rows.cast(tuple(inputs), np.float64), dy)
    rng = np.random.default_rng(2)
    for gradient, position in zip(found, row.differentiable, strict=True):

        def weighted_sum(x, position=position):
            changed = tuple(x if i == position else v for i, v in enumerate(inputs))
            results = rows.forward(row, rows.cast(changed, np.float64))
            return sum(float(np.sum(y * w)) for y, w in zip(results, dy, strict=True))

        for index, slope in rows.numerical_gradient(weighted_sum, inputs[position], rng):
            assert gradient[index] == pytest.approx(slope, rel=1e-3, abs=1e-5), f"input {position} at {index}"


@each_gradient
def test_float32_gradients_match_float64(row: Row):
    inputs = row.make()
    dy = rows.cotangents(rows.forward(row, rows.cast(inputs, np.float64)))
    wanted = rows.gradients(row, rows.cast(inputs, np.float64), dy)
    found = rows.gradients(row, rows.cast(inputs, np.float32), dy)
    if row.multilinear:
        bounds = rows.gradients(row, rows.cast(rows.magnitudes(inputs), np.float64), tuple(np.abs(w) for w in dy))
        for g, reference, bound in zip(found, wanted, bounds, strict=True):
            assert np.all(np.abs(g - reference) <= 4 * EPS32 * bound)
        return
    for g, reference in zip(found, wanted, strict=True):
        np.testing.assert_allclose(g, reference, rtol=row.gradient_rtol, atol=row.gradient_atol)


@each_row
def test_bits_do_not_depend_on_the_number_of_threads(row: Row):
    inputs = rows.cast(row.make(), np.float32)
    before = _cpu.num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            _cpu.set_num_threads(threads)
            outputs = rows.forward(row, inputs)
            found = [y.tobytes() for y in outputs]
            if row.differentiable:
                found += [g.tobytes() for g in rows.gradients(row, inputs, rows.cotangents(outputs))]
            results.append(found)
    finally:
        _cpu.set_num_threads(before)
    assert all(found == results[0] for found in results)


@each_row
def test_memory_layouts_give_the_same_result(row: Row):
    inputs = tuple(x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in row.make())
    wanted = [y.tobytes() for y in rows.forward(row, rows.cast(inputs, np.float32))]
    for position, x in enumerate(inputs):
        if not isinstance(x, np.ndarray):
            continue
        for name, laid_out in rows.layouts(x).items():
            before = laid_out.copy()
            changed = tuple(laid_out if i == position else v for i, v in enumerate(inputs))
            found = [y.tobytes() for y in rows.forward(row, changed)]
            assert found == wanted, f"input {position}, {name}"
            np.testing.assert_array_equal(laid_out, before)
