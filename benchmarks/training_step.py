"""A training step of the seed documents' models at batch 32, through fit (ours, Keras) or a plain loop (PyTorch).

The check: the losses of the first five steps from the weights and data of tests/golden/programs.py are those that
real Keras committed to tests/golden/steps.json.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Case
from tests.golden import programs

CHECKED_STEPS = 5
_MODELS = {"MLP 784-128-10": "003-dense", "CNN of seed 000": "000-cnn", "LSTM 64+32, 50 steps": "000-lstm"}
# multiply-adds of one sample's forward, times 2, times 3 for the backward, times the batch
_FLOP = {
    "003-dense": 6.0 * 32 * (784 * 128 + 128 * 10),
    "000-cnn": 6.0 * 32 * (26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 3 * 3 * 9 * 64 * 64 + 576 * 64 + 640),
    "000-lstm": 6.0 * 32 * (50 * (256 * (10 + 64) + 128 * (64 + 32)) + 32),
}


CASES = [
    Case("training_step", "fit", name, {"program": p}, flop=_FLOP[p], quick=p == "003-dense")
    for name, p in _MODELS.items()
]


def inputs(case: Case, rng: np.random.Generator) -> dict[str, Any]:
    x, y = programs.PROGRAMS[case.sizes["program"]].data()
    return {"x": x, "y": y}


def reference(case: Case, arrays: dict[str, Any]) -> list[Any]:
    runs = json.loads((ROOT / "tests" / "golden" / "steps.json").read_text())
    losses = runs["tensorflow"]["losses"][case.sizes["program"]]["steps"]
    return [np.array(losses[:CHECKED_STEPS])]
