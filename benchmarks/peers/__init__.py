"""The peers. Each is a class in a module of its own, imported in its own process only.

A peer has ``version``, ``to_numpy`` and, for each operation it knows, a method ``op(case, arrays)`` that returns how to
run it: a Run, several (the fastest is taken), or None. Its constructor takes the number of threads and raises
ImportError where the library is not installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def _peer(module: str, name: str, *arguments: str) -> Callable[[int], Any]:
    def make(threads: int) -> Any:
        return getattr(importlib.import_module(f"benchmarks.peers.{module}"), name)(threads, *arguments)

    return make


PEERS: dict[str, Callable[[int], Any]] = {
    "dlbd": _peer("ours", "Ours"),
    "numpy": _peer("with_numpy", "NumPy"),
    "pytorch": _peer("with_torch", "PyTorch"),
    "pytorch-compile": _peer("with_torch", "Compiled"),
    "onnxruntime": _peer("with_onnxruntime", "OnnxRuntime"),
    "jax": _peer("with_jax", "Jax"),
    "keras-jax": _peer("with_keras", "Keras", "jax"),
    "keras-tensorflow": _peer("with_keras", "Keras", "tensorflow"),
}
