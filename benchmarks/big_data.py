"""Training on data that does not fit: peak memory, and an epoch against its two halves, reading and computing.

    python benchmarks/big_data.py [--quick] [--parquet 4GB] [--sqlite 2GB] [--folder build/big_data] [--json FILE]

Each data set is made once. For each of them: the peak resident size of a process that trains on it, above that of one
that only imports dlbd (to be at most 400 MB); and an epoch, as a ratio to the sum of an epoch from arrays in memory and
a bare pass of the source's own library over the same columns (to be at most 1.1; below 1 reading and computing
overlap). PyTorch's DataLoader and tf.data read the same Parquet file with the same network where they are installed.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BATCH = 256
IN_MEMORY = 1_000_000_000  # bytes of the rows that the epoch from arrays is measured with, and scaled up from
MOST_MEMORY, MOST_RATIO = 400e6, 1.1


class Case:
    """A data set and how it is read.

    Args:
        name: of the case.
        columns: how many numbers a row has, beside its label.
        dtype: of the numbers.
        group: rows of a row group; None for SQLite.
    """

    def __init__(self, name: str, columns: int, dtype: str, group: int | None) -> None:
        self.name, self.dtype, self.group = name, np.dtype(dtype), group
        self.columns = [f"c{i}" for i in range(columns)]

    @property
    def row_bytes(self) -> int:
        return len(self.columns) * self.dtype.itemsize + 8

    def path(self, folder: Path, size: int) -> Path:
        return folder / f"{self.name}-{size}.{'db' if self.group is None else 'parquet'}"

    def blocks(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(0)
        left = size // self.row_bytes
        while left:
            rows = min(left, self.group or 20_000)
            x = rng.random((rows, len(self.columns)), dtype=np.float32).astype(self.dtype)
            yield x, (x[:, 0] + x[:, 1] > 1).astype(np.int64)
            left -= rows

    def make(self, path: Path, size: int) -> None:
        temporary = path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        (self._make_sqlite if self.group is None else self._make_parquet)(temporary, size)
        temporary.rename(path)

    def _make_parquet(self, path: Path, size: int) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        schema = pa.schema([*((c, pa.from_numpy_dtype(self.dtype)) for c in self.columns), ("label", pa.int64())])
        with parquet.ParquetWriter(path, schema) as writer:
            for x, y in self.blocks(size):
                columns = [*(np.ascontiguousarray(c) for c in x.T), y]
                writer.write_table(pa.table(columns, schema=schema), row_group_size=self.group)

    def _make_sqlite(self, path: Path, size: int) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA synchronous=OFF")
            numbers = ", ".join(f"{c} REAL" for c in self.columns)
            database.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {numbers}, label INTEGER)")
            places = ", ".join("?" * (len(self.columns) + 1))
            into = f"INSERT INTO t ({', '.join(self.columns)}, label) VALUES ({places})"
            for x, y in self.blocks(size):
                rows = ([*row, label] for row, label in zip(x.tolist(), y.tolist(), strict=True))
                database.executemany(into, rows)

    def source(self, path: Path) -> Any:
        import dlbd

        if self.group is None:
            return dlbd.data.open(f"sqlite:///{path}", table="t", columns=[*self.columns, "label"])
        return dlbd.data.open(path)

    def bare_pass(self, path: Path) -> None:
        """What the source's own library needs for the same columns, in batches of the same size."""
        if self.group is None:
            names = ", ".join([*self.columns, "label"])
            with closing(sqlite3.connect(path)) as database:
                cursor = database.execute(f"SELECT {names} FROM t")
                while cursor.fetchmany(16_384):
                    pass
            return
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(16_384):
                assert batch.num_rows


CASES = {
    case.name: case
    for case in (
        Case("parquet-30", 30, "float64", 1 << 20),  # the row groups of DataFrame.to_parquet
        Case("parquet-785", 784, "float32", 20_000),
        Case("sqlite-30", 30, "float64", None),
    )
}


# Measurements: each in a process of its own


def peak() -> int:
    """Of this process alone: ru_maxrss begins with that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def idle(case: Case, path: Path, size: int, repeat: int) -> dict[str, float]:
    import dlbd  # noqa: F401

    return {"peak": peak()}


def network(width: int) -> Any:
    import dlbd
    from dlbd import layers

    dlbd.utils.set_random_seed(0)
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    model = dlbd.Sequential([dlbd.Input((width,)), *hidden, layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def train(case: Case, path: Path, size: int, repeat: int) -> dict[str, float]:
    start = time.perf_counter()
    model = network(len(case.columns))
    model.fit(case.source(path), target="label", batch_size=BATCH, verbose=0)
    return {"peak": peak(), "with_learning": time.perf_counter() - start}


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def epochs(case: Case, path: Path, size: int, repeat: int) -> dict[str, float]:
    """In turn, so that a noisy machine disturbs all alike."""
    import dlbd

    source = case.source(path)
    features = dlbd.data.Features.infer(source, "label")
    learning = seconds(lambda: features.adapt(source))
    rows = size // case.row_bytes
    held = min(rows, IN_MEMORY // (4 * len(case.columns)))
    x, y = np.empty((held, len(case.columns)), np.float32), np.empty(held, np.int64)
    at = 0
    with closing(features.read(source)) as blocks:
        for block in blocks:
            n = min(block.size, held - at)
            x[at : at + n], y[at : at + n] = features.arrange(block.x, None)[:n], block.y[:n]
            at += n
            if at == held:
                break
    model = network(len(case.columns))
    model.fit(x[: 4 * BATCH], y[: 4 * BATCH], batch_size=BATCH, verbose=0)
    found: dict[str, list[float]] = {"bare": [], "memory": [], "stream": []}
    for _ in range(repeat):
        found["bare"].append(seconds(lambda: case.bare_pass(path)))
        found["memory"].append(seconds(lambda: model.fit(x, y, batch_size=BATCH, verbose=0)) * rows / held)
        found["stream"].append(seconds(lambda: model.fit(source, features=features, batch_size=BATCH, verbose=0)))
    return {"learning": learning} | {name: statistics.median(times) for name, times in found.items()}


def shuffled_chunks(case: Case, path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What the peers' loaders read: some thousand rows at a time, which costs both of them less than single batches."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(64 * BATCH):
            x = np.column_stack([batch.column(c).to_numpy() for c in case.columns]).astype(np.float32)
            order = np.random.default_rng(0).permutation(len(x))
            yield x[order], batch.column("label").to_numpy()[order]


def pytorch(case: Case, path: Path, size: int, repeat: int) -> dict[str, float]:
    import torch
    from torch import nn

    class Rows(torch.utils.data.IterableDataset):  # type: ignore[misc,type-arg]
        def __iter__(self) -> Iterator[Any]:
            return iter(shuffled_chunks(case, path))

    width = len(case.columns)
    model = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer, loss = torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss()

    def epoch() -> None:
        for x, y in torch.utils.data.DataLoader(Rows(), batch_size=None, num_workers=1):
            for begin in range(0, len(x), BATCH):
                optimizer.zero_grad()
                loss(model(x[begin : begin + BATCH]), y[begin : begin + BATCH]).backward()
                optimizer.step()

    times = []
    for threads in (torch.get_num_threads(), 1):  # one leaves the other cores to the worker
        torch.set_num_threads(threads)
        times.append(seconds(epoch))
    return {"stream": min(times), "peak": peak()}


def tensorflow(case: Case, path: Path, size: int, repeat: int) -> dict[str, float]:
    import tensorflow as tf

    width = len(case.columns)
    signature = (tf.TensorSpec((None, width), tf.float32), tf.TensorSpec((None,), tf.int64))
    chunks = tf.data.Dataset.from_generator(lambda: shuffled_chunks(case, path), output_signature=signature)
    hidden = [tf.keras.layers.Dense(64, activation="relu") for _ in range(2)]
    model = tf.keras.Sequential([tf.keras.Input((width,)), *hidden, tf.keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    batches = chunks.rebatch(BATCH).prefetch(tf.data.AUTOTUNE)
    return {"stream": seconds(lambda: model.fit(batches, verbose=0)), "peak": peak()}


MEASURES = {f.__name__: f for f in (idle, train, epochs, pytorch, tensorflow)}
PEERS = {"pytorch": "torch", "tensorflow": "tensorflow"}


def measured(what: str, case: Case, options: argparse.Namespace, size: int) -> dict[str, float]:
    arguments = ["--measure", what, "--case", case.name, "--size", str(size), "--repeat", str(options.repeat)]
    command = [sys.executable, __file__, *arguments, "--folder", str(options.folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def report(case: Case, options: argparse.Namespace, size: int) -> dict[str, Any]:
    path = case.path(options.folder, size)
    if not path.exists():
        print(f"{case.name}: making {size / 1e9:g} GB in {path}", flush=True)
        case.make(path, size)
    before = measured("idle", case, options, size)["peak"]
    trained, times = (measured(what, case, options, size) for what in ("train", "epochs"))
    above = trained["peak"] - before
    ratio = times["stream"] / (times["bare"] + times["memory"])
    print(
        f"{case.name}: {size // case.row_bytes:,} rows, {path.stat().st_size / 1e9:.2f} GB\n"
        f"  memory: {trained['peak'] / 1e6:.0f} MB at most, {above / 1e6:.0f} above import dlbd"
        f" ({'kept' if above <= MOST_MEMORY else 'TOO MUCH'}: {MOST_MEMORY / 1e6:.0f})\n"
        f"  epoch: {times['stream']:.2f} s; in memory {times['memory']:.2f} s + bare pass {times['bare']:.2f} s: "
        f"{ratio:.2f} of the sum ({'kept' if ratio <= MOST_RATIO else 'TOO MUCH'}: {MOST_RATIO}); "
        f"learning features {times['learning']:.2f} s",
        flush=True,
    )
    result = {"case": case.name, "size": size, "above": above, "ratio": ratio, **times}
    if case.group is not None:
        for peer, module in PEERS.items():
            if find_spec(module) is not None:
                result[peer] = measured(peer, case, options, size)
                print(
                    f"  {peer}: epoch {result[peer]['stream']:.2f} s, {result[peer]['peak'] / 1e6:.0f} MB at most",
                    flush=True,
                )
    return result


def size_of(text: str) -> int:
    from dlbd.data.streaming import bytes_of

    return bytes_of(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 MB each, once")
    parser.add_argument("--parquet", type=size_of, default=4_000_000_000, help="bytes of each Parquet file")
    parser.add_argument("--sqlite", type=size_of, default=2_000_000_000, help="bytes of the SQLite table")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "big_data")
    parser.add_argument("--only", choices=CASES, action="append")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        case = CASES[options.case]
        path = case.path(options.folder, options.size)
        print(json.dumps(MEASURES[options.measure](case, path, options.size, options.repeat)))
        return 0
    if options.quick:
        options.parquet = options.sqlite = 40_000_000
        options.repeat = 1
    options.folder.mkdir(parents=True, exist_ok=True)
    results = [
        report(CASES[name], options, options.sqlite if CASES[name].group is None else options.parquet)
        for name in options.only or CASES
    ]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
