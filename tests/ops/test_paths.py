"""What a row of the table names is what its kernels get, and every named path of every family is launched."""

import re
from pathlib import Path

import numpy as np
import pytest

from dlbd import backend

from . import row as rows
from . import table_shape
from .test_table import ROWS

_HEADERS = Path(__file__).parents[2] / "csrc" / "shapes"
ROWS_PER_PATH = 10


def declared() -> dict[str, set[str]]:
    """{family: names} as the enumerations of csrc/shapes declare them."""
    text = "\n".join(header.read_text() for header in sorted(_HEADERS.glob("*.h")))
    found = re.findall(r"enum class (\w+)Path\b[^{]*\{([^}]*)\}", text)
    return {family: set(re.findall(r"\w+", names)) for family, names in found}


def naming_rows() -> list[rows.Row]:
    """A few rows of each path, the smallest ones."""

    def elements(row: rows.Row) -> int:
        return sum(np.size(x) for x in row.make())

    taken: dict[tuple[str, str], list[rows.Row]] = {}
    for row in sorted((row for row in ROWS if row.path), key=elements):
        of_path = taken.setdefault(row.path, [])
        if len(of_path) < ROWS_PER_PATH:
            of_path.append(row)
    return [row for of_path in taken.values() for row in of_path]


@pytest.fixture
def launches(device, monkeypatch) -> list[tuple[str, str, str]]:
    """(kernel, family, path) of each launch, by the shape object that the kernel got."""
    seen = []
    twin = backend.current_twin()
    for name in dir(twin):
        kernel = getattr(twin, name)
        if name.startswith("_") or isinstance(kernel, type) or not callable(kernel):
            continue

        def spy(*args, _name=name, _kernel=kernel, **kwargs):
            if args and hasattr(args[0], "path"):
                seen.append((_name, type(args[0]).__name__.removesuffix("Shape"), args[0].path))
            return _kernel(*args, **kwargs)

        monkeypatch.setattr(twin, name, spy)
    return seen


def test_rows_launch_the_paths_that_they_name_and_leave_none_out(launches):
    kernels: dict[tuple[str, str], set[str]] = {}
    for row in [*naming_rows(), *table_shape.ROWS]:
        launches.clear()
        inputs = rows.cast(row.make(), np.float32)
        outputs = rows.forward(row, inputs)
        if row.differentiable:
            rows.gradients(row, inputs, rows.cotangents(outputs))
        for kernel, family, path in launches:
            kernels.setdefault((family, path), set()).add(kernel)
        if row.path and row.path[1] != "auto":
            family = row.path[0].replace("_", " ").title().replace(" ", "")
            assert {path for _, f, path in launches if f == family} == {row.path[1]}, row.name
    assert set(kernels) == {(family, path) for family, names in declared().items() for path in names}
    for family, names in declared().items():  # backward as well as forward
        assert len({frozenset(kernels[family, path]) for path in names}) == 1, family
