"""Every name that Keras and dlbd share stands in a case, and the answers are those of one Keras."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dlbd

from . import answers, cases
from .cases import arguments

MODULES = (
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "ops",
    "optimizers",
    "optimizers.schedules",
    "regularizers",
)
# What has no answer of its own: bases, functions that find and write objects, what only converts; and what differs
# (docs/deviations.md).
EXEMPT = frozenset(
    cases.words(
        "Constraint Initializer InputLayer InputSpec Layer LearningRateSchedule Loss Metric Optimizer Regularizer "
        "deserialize get serialize convert_to_numpy ndim shape stop_gradient Lambda RandomCrop batch_normalization "
        "sparsemax"
    )
)
KINDS = sorted(file.stem for file in answers.FOLDER.glob("*.npz") if file.stem != "arguments")


def used() -> set[str]:
    """Words in the cases: those of models are programs, those of the others expressions, which are their names."""
    expressions = [name for kind in KINDS for name in answers.of(kind).words]
    programs = (Path(__file__).parent / "cases" / "models.py").read_text()
    return set(re.findall(r"\w+", " ".join([programs, *expressions])))


@pytest.mark.parametrize("module", MODULES)
def test_every_shared_name_is_in_a_case(module: str):
    """Or another name of the same."""
    namespace = arguments.module(dlbd, module)
    shared = {name for name in answers.of("arguments").words[module] if hasattr(namespace, name)}
    known = {id(getattr(namespace, name)) for name in used() if hasattr(namespace, name)}
    assert not {name for name in shared - EXEMPT if id(getattr(namespace, name)) not in known}


def test_there_are_enough_cases_of_one_version():
    assert sum(len(answers.of(kind).words) for kind in KINDS) >= 300
    assert len({answers.of(kind).versions["keras"] for kind in KINDS}) == 1
    assert sum(file.stat().st_size for file in answers.FOLDER.glob("*.npz")) < 2_000_000
