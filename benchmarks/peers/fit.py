"""Training through fit, which ours and Keras share: ``k`` is either."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Case, Run
from benchmarks.overhead import SMALL_BATCH, SMALL_RATE, SMALL_ROWS
from benchmarks.training_step import CHECKED_STEPS
from tests.golden import programs


def fit_run(k: Any, case: Case, arrays: dict[str, Any]) -> Run:
    """A training epoch of the program in dlbd or Keras; the first steps' losses are the check."""
    program = programs.PROGRAMS[case.sizes["program"]]
    x, y = arrays["x"], arrays["y"]
    model = programs.compiled(k, program)
    return Run(
        lambda: model.fit(x, y, batch_size=programs.BATCH, epochs=1, shuffle=False, verbose=0),
        check=lambda: np.array(programs.step_losses(programs.compiled(k, program), x, y, CHECKED_STEPS)),
        units=len(x) // programs.BATCH,
    )


def small(k: Any, arrays: dict[str, Any]) -> tuple[Any, Any]:
    """A model whose steps take next to nothing, and an epoch of it."""
    model = k.Sequential([k.Input((arrays["x"].shape[1],)), k.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(k.optimizers.SGD(SMALL_RATE), "mse")
    return model, lambda: model.fit(arrays["x"], arrays["y"], batch_size=SMALL_BATCH, shuffle=False, verbose=0)


def small_run(k: Any, arrays: dict[str, Any]) -> Run:
    """Batches of fit that are nearly all fit's own."""

    def check() -> list[Any]:
        model, epoch = small(k, arrays)
        epoch()
        return list(model.get_weights())

    return Run(small(k, arrays)[1], check=check, units=SMALL_ROWS // SMALL_BATCH)


def mlp(k: Any, arrays: dict[str, Any]) -> Any:
    model = programs.PROGRAMS["003-dense"].build(k)
    model.set_weights(arrays["weights"])
    return model
