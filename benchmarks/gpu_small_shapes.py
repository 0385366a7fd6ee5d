"""Every kernel family on small shapes, for compute-sanitizer: rows of the operations table, forward and backward.

    compute-sanitizer --tool memcheck python benchmarks/gpu_small_shapes.py [--rows N] [--seconds N] [--only conv,rnn]

Each array is its own allocation of exactly its size, so that one byte beyond it is an error.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np  # noqa: E402

import dlbd  # noqa: E402
import tests.ops  # noqa: E402
from tests.golden import programs  # noqa: E402
from tests.ops import row as rows  # noqa: E402

MOST_ELEMENTS = 300_000  # of a row's inputs together
PRECISIONS = ("tf32x3", "tf32", "bfloat16", "float16")
PRODUCTS = ("matmul", "conv", "attention")  # tables whose kernels have tensor-core paths
TRAINED = ("003-dense", "000-cnn", "000-lstm")


def chosen_rows(most: int, only: list[str]) -> Iterator[tuple[str, Any]]:
    """(table, row): of each operation and kernel path ``most`` rows (a fifth of many), spread over all of them."""
    names = [m.name for m in pkgutil.iter_modules(tests.ops.__path__) if m.name.startswith("table_")]
    for name in names:
        table = name.removeprefix("table_")
        if only and table not in only:
            continue
        groups: dict[Any, list[Any]] = defaultdict(list)
        for row in importlib.import_module(f"tests.ops.{name}").ROWS:
            groups[row.name.split("-")[0], row.path].append(row)
        for group in groups.values():
            step = -(-len(group) // max(most, len(group) // 5))
            for row in group[::step]:
                yield table, row


def run(row: Any) -> bool:
    """Forward and backward in float32; False where the inputs are too large for a sanitizer."""
    inputs = row.make()
    if sum(x.size for x in inputs if isinstance(x, np.ndarray)) > MOST_ELEMENTS:
        return False
    inputs = rows.cast(inputs, np.float32)
    outputs = rows.forward(row, inputs)
    if row.differentiable:
        rows.gradients(row, inputs, rows.cotangents(outputs))
    return True


def train(name: str) -> None:
    """Two recorded steps: the optimizer, metrics and the replay as a graph."""
    program = programs.PROGRAMS[name]
    x, y = program.data()
    model = programs.compiled(dlbd, program)
    model.fit(x[: 2 * programs.BATCH], y[: 2 * programs.BATCH], batch_size=programs.BATCH, epochs=2, verbose=0)


class Count:
    """What ran, failed, or was left out because the time was up."""

    def __init__(self, stop: float) -> None:
        self.stop, self.failed, self.left = stop, 0, 0
        self.ran: dict[str, int] = defaultdict(int)

    def run(self, kind: str, name: str, call: Callable[[], Any]) -> bool:
        if time.time() > self.stop:
            self.left += 1
            return False
        try:
            done = call() is not False
        except Exception as error:  # the other rows still count
            self.failed += 1
            print(f"{kind} {name}: {type(error).__name__}: {error}", flush=True)
            return False
        self.ran[kind] += done
        return done

    def __str__(self) -> str:
        each = ", ".join(f"{kind} {n}" for kind, n in self.ran.items())
        return f"{sum(self.ran.values())} ran ({each}), {self.failed} failed, {self.left} left out"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=6, help="of each operation and kernel path")
    parser.add_argument("--seconds", type=float, default=600.0, help="then the rest is left out")
    parser.add_argument("--only", default="", help="tables, comma-separated")
    chosen = parser.parse_args()
    import cupy

    if hasattr(cupy.cuda, "set_allocator"):  # the emulation allocates so anyway
        cupy.cuda.set_allocator(None)
    only = [t for t in chosen.only.split(",") if t]
    count = Count(time.time() + chosen.seconds)
    products = []
    with dlbd.device("cuda:0"):
        for table, row in chosen_rows(chosen.rows, only):
            if count.run(table, row.name, lambda row=row: run(row)) and table in PRODUCTS:
                products.append(row)
        for precision in PRECISIONS:
            dlbd.config.set_matmul_precision(precision)
            for row in products[::4]:
                count.run(precision, row.name, lambda row=row: run(row))
        dlbd.config.set_matmul_precision("float32")
        for name in TRAINED if not only else ():
            count.run("training", name, lambda name=name: train(name))
        cupy.cuda.Device(0).synchronize()
    print(f"small shapes: {count}")
    return int(count.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
