"""Models put together, train, evaluate and predict as in real Keras."""

from __future__ import annotations

import pytest

import dlbd

from . import answers
from .cases.models import MODELS

KERAS = answers.of("models")


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str):
    dlbd.utils.clear_session()
    numbers, words = MODELS[name].train(dlbd)
    wanted = KERAS.words[name]
    assert {key: words[key] for key in wanted} == wanted
    KERAS.check(name, numbers)
