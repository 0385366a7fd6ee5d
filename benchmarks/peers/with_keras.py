"""Keras: training through fit, predict, import, on the backend that the peer's name says."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from benchmarks import overhead
from benchmarks.harness import Case, Run
from benchmarks.peers.fit import fit_run, mlp, small_run

Arrays = dict[str, Any]


class Keras:
    def __init__(self, threads: int, backend: str) -> None:
        os.environ.update(KERAS_BACKEND=backend, JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="-1")
        self.backend = backend
        module = importlib.import_module(backend)
        if backend == "tensorflow":
            module.config.threading.set_intra_op_parallelism_threads(threads)
        self.keras = importlib.import_module("keras")
        self.version = f"{self.keras.__version__} on {backend} {module.__version__}"

    @staticmethod
    def to_numpy(x: Any) -> np.ndarray:
        return np.asarray(x)

    def fit(self, case: Case, arrays: Arrays) -> Run:
        return fit_run(self.keras, case, arrays)

    def import_library(self, case: Case, arrays: Arrays) -> Run:
        return overhead.import_run(f"import os; os.environ['KERAS_BACKEND'] = '{self.backend}'; import keras")

    def call_one(self, case: Case, arrays: Arrays) -> Run:
        model, x = mlp(self.keras, arrays), self.keras.ops.convert_to_tensor(arrays["x"])
        return Run(lambda: np.asarray(model(x)))

    def predict_one(self, case: Case, arrays: Arrays) -> Run:
        model, x = mlp(self.keras, arrays), arrays["x"]
        return Run(lambda: model.predict(x, verbose=0))

    def fit_small(self, case: Case, arrays: Arrays) -> Run:
        return small_run(self.keras, arrays)
