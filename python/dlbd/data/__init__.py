"""From where data lives to batches: files, SQL, MongoDB, Spark, tables in memory; and from rows to features."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dlbd.data.errors import SourceError
from dlbd.data.expressions import col
from dlbd.data.opening import open
from dlbd.data.source import Source
from dlbd.data.tables import write_table

if TYPE_CHECKING:
    from dlbd.data.features import (
        Block,
        Category,
        Date,
        DropDuplicates,
        DropMissing,
        Features,
        Image,
        Number,
        Ranking,
        Target,
        Text,
        Vector,
        Window,
        rank_features,
    )
    from dlbd.data.validation import CrossValidation, cross_validate

# Loaded when first used: they need layers.
_LATER = {
    "Block": "features",
    "Category": "features",
    "CrossValidation": "validation",
    "Date": "features",
    "DropDuplicates": "features",
    "DropMissing": "features",
    "Features": "features",
    "Image": "features",
    "Number": "features",
    "Ranking": "features",
    "Target": "features",
    "Text": "features",
    "Vector": "features",
    "Window": "features",
    "rank_features": "features",
    "cross_validate": "validation",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = getattr(import_module(f"dlbd.data.{_LATER[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlbd.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [
    "Block",
    "Category",
    "CrossValidation",
    "Date",
    "DropDuplicates",
    "DropMissing",
    "Features",
    "Image",
    "Number",
    "Ranking",
    "Source",
    "SourceError",
    "Target",
    "Text",
    "Vector",
    "Window",
    "col",
    "cross_validate",
    "open",
    "rank_features",
    "write_table",
]
