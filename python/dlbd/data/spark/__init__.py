"""Data frames of Spark, read partition by partition."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dlbd.data.reader import options_of

_MODULES = {
    "pyspark.sql.connect.dataframe": "connect",
    "pyspark.sql.classic.dataframe": "classic",
    "pyspark.sql.dataframe": "classic",  # before Spark 4
}


def reader(frame: Any, **options: Any) -> Any:
    """A reader of a data frame, of Spark's own session or of Spark Connect."""
    kind = kind_of(frame)
    options.pop("schema", None)
    options_of(options, ("name",), "a data frame of Spark")
    return import_module(f"dlbd.data.spark.{kind}").reader(frame, **options)


def kind_of(frame: Any) -> str:
    """``"classic"`` or ``"connect"``.

    Raises:
        TypeError: it is no data frame of pyspark.sql.
    """
    for base in type(frame).__mro__:
        if base.__name__ == "DataFrame" and base.__module__ in _MODULES:
            return _MODULES[base.__module__]
    kind = f"{type(frame).__module__}.{type(frame).__qualname__}"
    hint = ": pass its to_spark()" if kind.startswith("pyspark.pandas.") else ""
    raise TypeError(f"of Spark, data frames of pyspark.sql are read; received a {kind}{hint}")
