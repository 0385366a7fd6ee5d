"""What features cost: learning them and reading with them, against a bare pass of the source's own library.

    python benchmarks/features.py [--rows 50000] [--repeat 5] [--only numbers,text] [--folder FOLDER] [--json FILE]

For each kind of column and store: a bare pass over the columns, and ``Features.adapt`` and ``Features.read`` as
multiples of it. Beside them the same job by scikit-learn, pandas and Keras's preprocessing layers where they are
installed, from the same Parquet file in batches of the same size, as multiples of ours. All take turns in one process,
so that a noisy machine disturbs all alike; the medians count. What the peers make is compared with ours first.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from pyarrow import json as jsonlines

ROOT = Path(__file__).resolve().parents[1]
BATCH = 16_384
WORDS, LENGTH = 20_000, 20

Table = Callable[[np.random.Generator, int], pa.Table]
Peer = tuple[str, Callable[["Data"], tuple[Callable[[], Any], Callable[[], Iterator[np.ndarray]]]]]


@dataclass
class Data:
    """A case's rows in a file."""

    table: pa.Table
    path: Path
    store: str

    def source(self) -> Any:
        import dlbd

        if self.store == "sqlite":
            return dlbd.data.open(f"sqlite:///{self.path}", table="t")
        return dlbd.data.open(self.path, schema=self.table.schema if self.store in ("csv", "jsonl") else None)

    def make(self) -> None:
        import dlbd

        if self.store == "parquet":
            parquet.write_table(self.table, self.path)
        elif self.store == "csv":
            csv.write_csv(self.table, self.path)
        elif self.store == "jsonl":
            with self.path.open("w") as file:
                for row in self.table.to_pylist():
                    file.write(json.dumps(row, default=str) + "\n")
        else:
            dlbd.data.write_table(f"sqlite:///{self.path}", "t", self.table)

    def bare_pass(self) -> None:
        """What the source's own library needs for the same columns."""
        if self.store == "parquet":
            for _ in self.batches():
                pass
        elif self.store == "csv":
            for _ in csv.open_csv(self.path, convert_options=csv.ConvertOptions(column_types=self.table.schema)):
                pass
        elif self.store == "jsonl":
            options = jsonlines.ParseOptions(explicit_schema=self.table.schema)
            for _ in jsonlines.open_json(self.path, parse_options=options):
                pass
        else:
            with closing(sqlite3.connect(self.path)) as database:
                cursor = database.execute("SELECT * FROM t")
                while cursor.fetchmany(BATCH):
                    pass

    def batches(self) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(self.path) as file:
            yield from file.iter_batches(BATCH)


# Tables


def numbers(rng: np.random.Generator, rows: int) -> pa.Table:
    return pa.table({f"c{i}": rng.standard_normal(rows) for i in range(30)})


def numbers_with_nulls(rng: np.random.Generator, rows: int) -> pa.Table:
    return pa.table({f"c{i}": pa.array(rng.standard_normal(rows), mask=rng.random(rows) < 0.1) for i in range(30)})


def texts_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Distinct words of two to a dozen letters."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    lengths = rng.integers(0, 8, count)
    return np.array([f"{i:x}" + "".join(rng.choice(letters, n)) for i, n in enumerate(lengths.tolist())])


def categories(distinct: int, columns: int) -> Table:
    def make(rng: np.random.Generator, rows: int) -> pa.Table:
        values = texts_of(rng, distinct)
        return pa.table({f"c{i}": values[rng.integers(0, distinct, rows)] for i in range(columns)})

    return make


def texts(rng: np.random.Generator, rows: int) -> pa.Table:
    """Words as frequent as in a language (Zipf), some with punctuation."""
    frequency = 1 / np.arange(1, WORDS + 1)
    chosen = rng.choice(texts_of(rng, WORDS), (rows, LENGTH), p=frequency / frequency.sum())
    marks = np.array([*[""] * 8, ",", "."])[rng.integers(0, 10, chosen.shape)]
    return pa.table({"text": [" ".join(row) for row in np.char.add(chosen, marks).tolist()]})


def times(rng: np.random.Generator, rows: int) -> pa.Table:
    """Three columns, of twenty years."""
    return pa.table({f"d{i}": pa.array(rng.integers(10**15, 16 * 10**14, rows), pa.timestamp("us")) for i in range(3)})


def vectors(rng: np.random.Generator, rows: int) -> pa.Table:
    values = pa.array(rng.random(rows // 10 * 784, np.float32))
    return pa.table({"v": pa.FixedSizeListArray.from_arrays(values, 784)})


# Peers: what learns, and what reads


def standard_scaler(data: Data) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    scaler, imputer = StandardScaler(), SimpleImputer()

    def matrices() -> Iterator[np.ndarray]:
        return (np.column_stack([c.to_numpy(zero_copy_only=False) for c in b.columns]) for b in data.batches())

    def learn() -> None:
        nonlocal scaler
        scaler = StandardScaler()
        for x in matrices():
            scaler.partial_fit(x)
        imputer.fit(scaler.mean_[None])

    def read() -> Iterator[np.ndarray]:
        for x in matrices():
            yield scaler.transform(imputer.transform(x)).astype(np.float32)

    return learn, read


def keras_normalization(data: Data) -> Any:
    import keras

    layer = keras.layers.Normalization()

    def matrices() -> Iterator[np.ndarray]:
        return (np.column_stack([c.to_numpy() for c in b.columns]) for b in data.batches())

    def learn() -> None:
        layer.adapt(np.concatenate(list(matrices())))  # it takes no batches without tf.data

    return learn, lambda: (np.asarray(layer(x)) for x in matrices())


def ordinal_encoder(data: Data) -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)

    def learn() -> None:
        encoder.fit(data_frame(data))

    return learn, lambda: (encoder.transform(batch.to_pandas()) for batch in data.batches())


def one_hot_encoder(data: Data) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(sparse_output=False, dtype=np.float32, handle_unknown="ignore")

    def learn() -> None:
        encoder.fit(data_frame(data))

    return learn, lambda: (encoder.transform(batch.to_pandas()) for batch in data.batches())


def data_frame(data: Data) -> Any:
    return parquet.read_table(data.path).to_pandas()


def keras_string_lookup(data: Data) -> Any:
    import keras

    names = data.table.column_names
    layers: dict[str, Any] = {}

    def learn() -> None:
        table = parquet.read_table(data.path)
        for name in names:
            layers[name] = keras.layers.StringLookup()
            layers[name].adapt(table[name].to_numpy())

    def read() -> Iterator[np.ndarray]:
        for batch in data.batches():
            found = [np.asarray(layers[name](batch.column(name).to_numpy(zero_copy_only=False))) for name in names]
            yield np.column_stack(found)

    return learn, read


def keras_text_vectorization(data: Data) -> Any:
    import keras

    layer = keras.layers.TextVectorization(max_tokens=WORDS + 2, output_sequence_length=LENGTH)

    def learn() -> None:
        layer.adapt(parquet.read_table(data.path)["text"].to_numpy())

    def read() -> Iterator[np.ndarray]:
        for batch in data.batches():
            yield np.asarray(layer(batch.column("text").to_numpy(zero_copy_only=False)))

    return learn, read


def pandas_parts(data: Data) -> Any:
    def read() -> Iterator[np.ndarray]:
        for batch in data.batches():
            found = [batch.column(name).to_pandas().dt for name in batch.schema.names]
            yield np.column_stack([part for t in found for part in (t.year, t.month, t.day_of_week, t.hour)]).astype(
                "f4"
            )

    return lambda: None, read


# Cases


@dataclass
class Case:
    """Columns of one kind.

    Args:
        table: makes rows.
        features: of its columns.
        stores: it is read from.
        peers: name and maker of those that do the same job.
    """

    table: Table
    features: Callable[[list[str]], list[Any]]
    stores: tuple[str, ...]
    peers: tuple[Peer, ...] = ()


def column(kind: str, **options: Any) -> Callable[[list[str]], list[Any]]:
    def make(names: list[str]) -> list[Any]:
        import dlbd

        return [getattr(dlbd.data, kind)(name, **options) for name in names]

    return make


STANDARD = column("Number", missing="mean", scale="standard")
SCALER: Peer = ("scikit-learn", standard_scaler)
CASES = {
    "30 numbers": Case(
        numbers, STANDARD, ("parquet", "csv", "jsonl", "sqlite"), (SCALER, ("Keras", keras_normalization))
    ),
    "30 numbers, a tenth NULL": Case(numbers_with_nulls, STANDARD, ("parquet", "csv", "jsonl", "sqlite"), (SCALER,)),
    "5 categories of 100": Case(
        categories(100, 5),
        column("Category", encode="embedding"),
        ("parquet", "csv", "jsonl", "sqlite"),
        (("scikit-learn", ordinal_encoder), ("Keras", keras_string_lookup)),
    ),
    "3 categories of 200,000": Case(
        categories(200_000, 3),
        column("Category", encode="embedding"),
        ("parquet",),
        (("scikit-learn", ordinal_encoder), ("Keras", keras_string_lookup)),
    ),
    "2 categories of 50, one-hot": Case(
        categories(50, 2), column("Category"), ("parquet",), (("scikit-learn", one_hot_encoder),)
    ),
    "text of 20 words": Case(
        texts,
        column("Text", length=LENGTH, max_tokens=WORDS + 2),
        ("parquet", "csv", "sqlite"),
        (("Keras", keras_text_vectorization),),
    ),
    "3 dates": Case(times, column("Date", scale=None), ("parquet", "csv", "sqlite"), (("pandas", pandas_parts),)),
    "vectors of 784": Case(vectors, column("Vector"), ("parquet",)),
}
MODULES = {"scikit-learn": "sklearn", "Keras": "keras", "pandas": "pandas"}


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def drained(batches: Iterator[Any]) -> None:
    for _ in batches:
        pass


def measured(case: Case, data: Data, repeat: int) -> dict[str, Any]:
    """Medians, and of each peer its times as multiples of ours."""
    import dlbd

    source, columns = data.source(), case.features(data.table.column_names)
    features = dlbd.data.Features(columns)
    features.adapt(source)
    learning = dlbd.data.Features(columns)
    jobs: dict[str, Callable[[], Any]] = {
        "bare": data.bare_pass,
        "adapt": lambda: learning.adapt(source),
        "read": lambda: drained(features.read(source)),
    }
    for name, make in case.peers if data.store == "parquet" else ():
        if find_spec(MODULES[name]) is not None:
            learn, read = make(data)
            learn()
            jobs[f"{name} adapt"], jobs[f"{name} read"] = learn, lambda read=read: drained(read())
            compare(features, source, read())
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeat):
        for name, job in jobs.items():
            times[name].append(seconds(job))
    return {name: statistics.median(values) for name, values in times.items()}


def compare(features: Any, source: Any, theirs: Iterator[np.ndarray]) -> None:
    """The same numbers; of categories, which each library numbers in its own order: equal where ours are."""
    ours = next(features.read(source, rows=BATCH))
    x = np.column_stack([a.reshape(ours.size, -1) for a in ours.x.values()])
    y = next(theirs).reshape(len(x), -1)
    if x.shape == y.shape and x.dtype == np.float32:
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
        return
    if x.shape != y.shape:  # one-hot, of which ours has a place for unknown values
        x, y = (np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1, 1) for rows in (x, y))
    for mine, other in zip(x.T.tolist(), y.T.tolist(), strict=True):
        assert len(set(zip(mine, other, strict=True))) == len(set(mine)) == len(set(other))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name contains one of these, comma-separated")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "features")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    options.folder.mkdir(parents=True, exist_ok=True)
    results = []
    for name, case in CASES.items():
        if not any(part in name for part in options.only.split(",")):
            continue
        table = case.table(np.random.default_rng(0), options.rows)
        for store in case.stores:
            data = Data(
                table, options.folder / f"{name.replace(' ', '_').replace(',', '')}-{options.rows}.{store}", store
            )
            if not data.path.exists():
                data.make()
            found = measured(case, data, options.repeat)
            results.append({"case": name, "store": store, "rows": len(table), **found})
            print(line(name, store, len(table), found), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


def line(name: str, store: str, rows: int, found: dict[str, float]) -> str:
    bare = found["bare"]
    text = f"{name}, {store}: bare pass {bare / rows * 1e9:,.0f} ns a row"
    text += f"; adapt {found['adapt'] / bare:.2f}, read {found['read'] / bare:.2f} of it"
    for peer in MODULES:
        if f"{peer} read" in found:
            learn, read = (found[f"{peer} {job}"] / found[job] for job in ("adapt", "read"))
            text += f"; {peer}: adapt {learn:.2f}, read {read:.2f} times as long as ours"
    return text


if __name__ == "__main__":
    sys.exit(main())
