"""NumPy: the references of each family in float32, with the BLAS that NumPy ships."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.harness import Case, Run


class NumPy:
    version = np.__version__

    def __init__(self, threads: int) -> None:
        pass  # the parent sets OPENBLAS_NUM_THREADS

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return np.asarray(x)

    def __getattr__(self, op: str) -> Any:
        if op in ("fit", "fit_small", "step_small", "import_library", "predict_one", "adam_step"):
            raise AttributeError(op)

        def make(case: Case, arrays: dict[str, Any]) -> Run:
            family = importlib.import_module(f"benchmarks.{case.family}")
            return Run(lambda: family.reference(case, arrays))

        return make

    def adam(self, case: Case, arrays: dict[str, Any]) -> None:
        return None  # a reference makes its steps from nothing: no fair row
