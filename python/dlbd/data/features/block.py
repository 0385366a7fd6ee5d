"""Block: rows as a model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import pa


@dataclass
class Block:
    """Rows as numbers.

    Attributes:
        x: for each column, or for the window, (size, *shape) float32 or int64.
        y: the target, of one array per name where there are several; None where it was not asked for.
        weight: (size,) float32; None where there are none.
        size: how many samples.
        kept: which rows of the batch that was read have a sample here, (rows,) bool; None for all. A window stands in
            the place of its last row.
    """

    x: dict[str, Array]
    y: Array | dict[str, Array] | None
    weight: Array | None
    size: int
    kept: Array | None = None


def spread(values: pa.Array, kept: Array | None) -> pa.Array:
    """Values of samples as one for each row that was read, NULL where it has no sample; see :attr:`Block.kept`."""
    return values if kept is None else values.take(pa.array(np.cumsum(kept) - 1, mask=~kept))


def joined(arrays: Sequence[Array], names: Sequence[str]) -> Array:
    """(rows, width): the columns of all arrays side by side; one alone stays as it is.

    Raises:
        ValueError: there are several, and one of them is no vector.
    """
    if len(arrays) == 1:
        return arrays[0]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 2:
            raise ValueError(
                f"column {name!r} has the shape {array.shape[1:]} and does not join {len(arrays) - 1} others in one "
                "vector: give it an Input of its own, named like it"
            )
    matrix = arrays[0].base
    if (
        all(a.base is matrix for a in arrays)
        and matrix is not None
        and matrix.shape[1] == sum(a.shape[1] for a in arrays)
    ):
        return matrix
    whole = all(a.dtype == np.int64 for a in arrays)
    return np.concatenate(arrays, axis=1, dtype=np.int64 if whole else np.float32, casting="same_kind")


def arranged(x: Mapping[str, Array], names: Sequence[str] | None) -> Any:
    """What a model with these inputs takes: an Input named like a column gets it, the one that is not all the others.

    Args:
        names: of the model's inputs; None, or one that is no column: all go into one.

    Raises:
        ValueError: there is more than one input whose name is no column, or a column is left over.
    """
    names = list(names or [""])
    others = [name for name in names if name not in x]
    rest = [name for name in x if name not in names]
    if len(others) > 1 or bool(others) != bool(rest):
        raise ValueError(f"the model has the inputs {names}; the features have the columns {list(x)}")
    y = {name: x[name] for name in names if name in x}
    if others:
        y[others[0]] = joined([x[name] for name in rest], rest)
    return y[names[0]] if len(names) == 1 else y
