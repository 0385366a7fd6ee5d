"""Every public name has a docstring with an example, and every example runs."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import dlbd

PUBLIC = [
    "activations",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
]
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(dlbd.__path__, "dlbd.") if not m.name.startswith(("dlbd._", "dlbd.keras"))
)
NEED_SPARK = ("dlbd.data.scoring", "dlbd.data.spark")


def public_objects():
    """Functions and classes by the shortest of their names."""
    found = {}
    for module in (dlbd, *(getattr(dlbd, name) for name in PUBLIC)):
        for name, value in vars(module).items():
            if name.startswith("_") or not callable(value) or not value.__module__.startswith("dlbd"):
                continue
            found.setdefault(id(value), (f"{module.__name__}.{name}", value))
    return [pytest.param(value, id=name) for name, value in found.values()]


@pytest.mark.parametrize("thing", public_objects())
def test_has_an_example(thing):
    assert ">>> " in inspect.getdoc(thing)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    """Examples use ``dlbd`` and ``np`` without importing them, and nothing else that they do not import."""
    if name.startswith(NEED_SPARK):
        pytest.importorskip("pyspark", reason="pyspark is not installed")
    module = importlib.import_module(name)
    result = doctest.testmod(module, globs={"dlbd": dlbd, "np": np}, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
