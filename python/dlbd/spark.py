"""Models on Spark: predictions for the rows of a data frame, made where the rows are.

To read a data frame here is :func:`dlbd.data.open`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["transform"]


def transform(
    frame: Any,
    model: Any,
    *,
    columns: str | Sequence[str] | None = None,
    name: str = "prediction",
    order_by: str | Sequence[str] = (),
) -> Any:
    """The data frame with what a model predicts for each row.

    Nothing is computed before the rows are asked for. The model goes to the workers as the bytes of its file, once, and
    each of their Python processes loads it once; classes and functions of your own that it is made of go with it if
    they are registered. A process uses as many threads as Spark gives a task cores.

    Args:
        frame: of Spark's own session or of Spark Connect. All its columns stay, in their types.
        model: with ``features`` it reads the raw columns that these name. Without, it has one input.
        columns: what a model without features reads: numeric columns, in order; or one column of arrays, of vectors of
            pyspark.ml or of text. The numbers of a row fill the input's shape.
        name: of the new column. A model of one number per row gives a number, others give arrays. A model with several
            outputs gives ``NAME_OUTPUT`` for each. Where the features know classes ``NAME`` is the class, and
            ``NAME_scores`` what the model gives.
        order_by: for features that make windows: the columns that order the rows, ascending, NULL first. The rows of a
            series (``Window(by=)``) are brought into one partition then, and sorted; without ``by`` all rows are one
            series, and the work of one task.

    Returns:
        A data frame. A row with a NULL in what the model reads gets NULL, unless the features say what is to be done;
        so does a row that the features leave out.

    Raises:
        ValueError: a column does not exist, is there already, is not numeric, or is of a type that Spark gives to no
            Python; the columns do not fit the model; there are windows without ``order_by``.
        TypeError: ``frame`` is no data frame of pyspark.sql.

    Example:
        ``scored = dlbd.spark.transform(spark.read.parquet("visits"), dlbd.models.load_model("visits.dlbd"))``
    """
    from dlbd.data.scoring import transformed

    return transformed(frame, model, columns, name, order_by)
