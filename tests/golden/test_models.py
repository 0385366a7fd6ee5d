"""Models put together, train, evaluate and predict as in real Keras."""

from __future__ import annotations

import pytest

import dlbd

from . import answers
from .cases.models import MODELS

NAMES = {"models": {name: name for name in MODELS}}


@pytest.mark.parametrize(("kind", "name"), answers.cases_of(NAMES, faults=True))
def test_model(kind: str, name: str):
    dlbd.utils.clear_session()
    numbers, words = MODELS[name].train(dlbd)
    wanted = answers.of(kind).words[name]
    assert {key: words[key] for key in wanted} == wanted
    answers.of(kind).check(name, numbers)
