"""Which columns tell most about a target: by variance, correlation, information gain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, pa, pc
from dlbd.data.errors import missing
from dlbd.data.features.column import float64s, missing_rows
from dlbd.data.features.statistics import Moments
from dlbd.data.features.target import Target
from dlbd.data.features.tokens import tokens
from dlbd.data.parts import mixed
from dlbd.data.source import Source
from dlbd.layers.arguments import one_of

_NEIGHBOURS = 3  # of a number, as scikit-learn has them by default
_BY = ("variance", "correlation", "information_gain")


@dataclass(frozen=True)
class Ranking:
    """Columns in the order of their scores, the highest first.

    Attributes:
        by: what the scores are.
        scores: {column: score}, in order.
        how: from which rows, and by what, they were found.
        skipped: {column: why it has no score}.
    """

    by: str
    scores: dict[str, float]
    how: str
    skipped: dict[str, str] = field(default_factory=dict)

    def best(self, k: int) -> list[str]:
        """The first ``k`` columns."""
        return list(self.scores)[:k]

    def __repr__(self) -> str:
        width = max([len("column"), *map(len, self.scores), *map(len, self.skipped)])
        lines = [f"{'rank':>4}  {'column':<{width}}  {self.by}"]
        lines += [f"{i:>4}  {name:<{width}}  {score:.4g}" for i, (name, score) in enumerate(self.scores.items(), 1)]
        lines += [f"{'-':>4}  {name:<{width}}  {why}" for name, why in self.skipped.items()]
        return "\n".join([*lines, self.how])


def rank_features(
    source: Source, target: str | Target | None = None, by: str = "information_gain", sample: int = 50_000
) -> Ranking:
    """Columns of a source, ranked by what they tell.

    - ``"variance"``: of a column's numbers, in their own unit, from all rows in one pass; it needs no target.
    - ``"correlation"``: from all rows in one pass. With a number: the size of Pearson's coefficient, 0 to 1. With
      classes: the correlation ratio (the root of the part of the variance that lies between the classes), which is the
      same for two classes.
    - ``"information_gain"``, the same as the mutual information of column and target, in bits: by how much the entropy
      of the target is less where the column is known, ``H(target) - H(target | column)``. scikit-learn finds it, for
      numbers by their nearest neighbours, from all rows where they are at most ``sample``, else from so many rows
      drawn evenly by a hash of their number. Needs the extra ``sklearn``.

    Rows without a value in the column, or in the target, do not count; a missing category is one of its own.

    Args:
        source: the training rows; ``source.select()`` says which columns.
        target: a column, or a :class:`Target` that says whether it is a class or a number.
        by: one of these; "information_gain" by default.
        sample: rows for the information gain; 50,000 by default.

    Raises:
        ValueError: a column does not exist, or there is no target where one is needed.
        ImportError: scikit-learn is not installed.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.standard_normal(1000)
        >>> rows = dlbd.data.open({"noise": rng.standard_normal(1000), "x": x, "y": np.where(x > 0, "plus", "minus")})
        >>> ranking = dlbd.data.rank_features(rows, "y", by="correlation")
        >>> ranking.best(1)
        ['x']
        >>> ranking
        rank  column  correlation
           1  x       0.7942
           2  noise   0.05964
        from all 1,000 rows, in one pass
    """
    by = one_of(by, _BY, "by", "rank_features")
    target = Target(target) if isinstance(target, str) else target
    if target is None and by != "variance":
        raise ValueError(f"{by} is that of columns and a target: pass target=")
    if target is not None:
        source.select([target.name])  # an error if it does not exist
    names = [name for name in source.schema.names if target is None or name != target.name]
    if by == "variance":
        return _by_variance(source.select(names))
    assert target is not None
    target = _learned(target, source)
    if by == "correlation":
        return _by_correlation(source, names, target)
    return _by_information(source, names, target, sample)


def _is_number(kind: pa.DataType) -> bool:
    t = pa.types
    return bool(t.is_integer(kind) or t.is_floating(kind) or t.is_boolean(kind) or t.is_decimal(kind))


def _numbers(source: Source, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The columns that hold numbers, and why the others are skipped."""
    kinds = {name: source.schema.field(name).type for name in names}
    skipped = {name: f"no number ({kind})" for name, kind in kinds.items() if not _is_number(kind)}
    return [name for name in names if name not in skipped], skipped


def _ranking(by: str, scores: dict[str, float], how: str, skipped: dict[str, str]) -> Ranking:
    finite = {name: score for name, score in scores.items() if np.isfinite(score)}
    ordered = sorted(finite.items(), key=lambda item: -item[1])  # equal ones as in the source
    too_large = dict.fromkeys((name for name in scores if name not in finite), "numbers too large")
    return Ranking(by, dict(ordered), how, skipped | too_large)


def _learned(target: Target, source: Source) -> Target:
    statistics = target.statistics(source.schema.field(target.name).type)
    with closing(source.select([target.name]).batches()) as batches:
        for batch in batches:
            statistics.add(batch.column(0))
    return replace(target, learned=statistics.result())


@np.errstate(over="ignore", invalid="ignore")
def _by_variance(source: Source) -> Ranking:
    names, skipped = _numbers(source, source.schema.names)
    if not names:
        return _ranking("variance", {}, "no column holds numbers", skipped)
    moments = {name: Moments() for name in names}
    rows = 0
    with closing(source.select(names).batches()) as batches:
        for batch in batches:
            rows += batch.num_rows
            for name in names:
                x = float64s(batch.column(name), name)
                moments[name].add(x[np.isfinite(x)])
    scores = {name: float(m.variance) for name, m in moments.items() if m.count}
    skipped |= {name: "no values" for name in names if name not in scores}
    return _ranking("variance", scores, f"from all {rows:,} rows, in one pass", skipped)


class _Correlation:
    """Of numbers x and y: the five sums, about means that follow the data (Chan, Golub, LeVeque 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = np.zeros(2)
        self.products = np.zeros((2, 2))

    def add(self, x: Array, y: Array) -> None:
        if not len(x):
            return
        both = np.stack([x, y.astype(np.float64)])
        mean = both.mean(axis=1)
        both -= mean[:, None]
        own = np.array([[(a * b).sum() for b in both] for a in both])
        count = self.count + len(x)
        apart = mean - self.mean
        self.products += own + np.outer(apart, apart) * (self.count * len(x) / count)
        self.mean += apart * (len(x) / count)
        self.count = count

    def result(self) -> float:
        scale = np.sqrt(self.products[0, 0]) * np.sqrt(self.products[1, 1])
        if not np.isfinite(scale):
            return float("nan")
        return 0.0 if scale == 0 else float(np.minimum(1.0, abs(self.products[0, 1]) / scale))


class _CorrelationRatio:
    """Of numbers x and classes y: one variance for each class."""

    def __init__(self, classes: int) -> None:
        self._of = [Moments() for _ in range(classes)]

    def add(self, x: Array, y: Array) -> None:
        for i in np.unique(y).tolist():
            self._of[i].add(x[y == i])

    def result(self) -> float:
        whole = Moments()
        for one in self._of:
            whole.merge(one)
        within = sum(float(one.squares) for one in self._of)
        return 0.0 if whole.squares == 0 else float(np.sqrt(np.maximum(0.0, 1 - within / whole.squares)))


@np.errstate(over="ignore", invalid="ignore")
def _by_correlation(source: Source, names: list[str], target: Target) -> Ranking:
    names, skipped = _numbers(source, names)
    classes = target.classes
    found = {name: _Correlation() if classes is None else _CorrelationRatio(len(classes)) for name in names}
    rows = 0
    for batch in _with_target(source.select([*names, target.name]), target.name):
        rows += batch.num_rows
        y = _labels(target, batch.column(target.name))
        for name in names:
            x = float64s(batch.column(name), name)
            there = np.isfinite(x) & np.isfinite(y)
            found[name].add(x[there], y[there])
    scores = {name: one.result() for name, one in found.items()}
    return _ranking("correlation", scores, f"from all {rows:,} rows, in one pass", skipped)


def _labels(target: Target, column: pa.Array) -> Array:
    """Classes as their numbers; numbers in float64, as the columns are."""
    return float64s(column, target.name) if target.classes is None else target.transform(column)


def _with_target(source: Source, target: str) -> Iterator[pa.RecordBatch]:
    """The batches without the rows that have no target."""
    with closing(source.batches()) as batches:
        for batch in batches:
            absent = missing_rows(batch.column(target))
            yield batch if absent is None else batch.filter(pa.array(~absent))


def _by_information(source: Source, names: list[str], target: Target, sample: int) -> Ranking:
    try:
        from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
    except ImportError as error:
        raise missing("sklearn", error) from error
    table, rows = _sampled(_with_target(source, target.name), sample)
    y = _labels(target, table.column(target.name).combine_chunks())
    scores, skipped = {}, {}
    for name in names:
        column = table.column(name).combine_chunks()
        discrete = not _is_number(column.type) or pa.types.is_boolean(column.type)
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            skipped[name] = f"neither number nor category ({column.type})"
            continue
        if discrete:
            codes = pc.dictionary_encode(decoded(tokens(column, name)), null_encoding="encode").indices
            x, there = np.asarray(codes, np.float64), np.isfinite(y)
        else:
            x = float64s(column, name)
            there = np.isfinite(x) & np.isfinite(y)
        if not there.any():
            skipped[name] = "no values"
            continue
        if why := _unfit(x[there], y[there], discrete, target.classes is not None):
            skipped[name] = why
            continue
        found = mutual_info_regression if target.classes is None else mutual_info_classif
        nats = found(x[there, None], y[there], discrete_features=discrete, random_state=0)[0]
        scores[name] = float(nats / np.log(2))
    how = f"all {rows:,} rows" if rows == len(table) else f"a sample of {len(table):,} of {rows:,} rows"
    return _ranking("information_gain", scores, f"in bits, by scikit-learn, from {how}", skipped)


def _unfit(x: Array, y: Array, discrete: bool, classes: bool) -> str | None:
    """Why there is nothing that scikit-learn could find: numbers need neighbours, of their own category or class."""
    if discrete and not classes:
        return None if _most(x) > 1 else "all values are different"
    few = not discrete and (_most(y) < 2 if classes else len(x) <= _NEIGHBOURS)
    return "too few values" if few else None


def _most(values: Array) -> int:
    """How often the most frequent one is there."""
    return int(np.unique(values, return_counts=True)[1].max())


def _sampled(batches: Iterator[pa.RecordBatch], most: int) -> tuple[pa.Table, int]:
    """At most so many rows, drawn evenly by a hash of their number, in order; and how many there were."""
    kept: list[pa.RecordBatch] = []
    hashes: list[Array] = []
    limit = np.uint64(2**64 - 1)
    rows = 0
    for batch in batches:
        words = mixed(np.arange(rows, rows + batch.num_rows, dtype=np.uint64))
        rows += batch.num_rows
        chosen = words <= limit
        kept.append(batch.filter(pa.array(chosen)))
        hashes.append(words[chosen])
        held = np.concatenate(hashes)
        if len(held) > 2 * most:
            kept, hashes, limit = _fewer(kept, held, most)
    if not kept:
        raise ValueError("there are no rows to rank columns by")
    held = np.concatenate(hashes)
    if len(held) > most:
        kept, hashes, limit = _fewer(kept, held, most)
    return pa.Table.from_batches(kept), rows


def _fewer(kept: list[pa.RecordBatch], held: Array, most: int) -> tuple[list[pa.RecordBatch], list[Array], Any]:
    limit = np.partition(held, most - 1)[most - 1]
    table = pa.Table.from_batches(kept).filter(pa.array(held <= limit)).combine_chunks()
    return table.to_batches(), [held[held <= limit]], limit
