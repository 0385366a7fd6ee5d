"""Tokens: what the values of categories, classes and names say, whatever their type."""

from __future__ import annotations

import numpy as np

from dlbd.backend import Array
from dlbd.data.arrow import decoded, is_text, pa, pc
from dlbd.data.features.column import as_type, missing_rows
from dlbd.data.parts import words_of

_WHOLE_NUMBER = r"^(0|-?[1-9]\d{0,18})$"
_LARGEST = str(2**63 - 1)
# Of decimals and of times in every unit: no zeros behind the last digit, and midnight is its day.
_SHORTER = ((r"(\.\d*?)0+(Z?)$", r"\1\2"), (r"\.(Z?)$", r"\1"), (r" 00:00:00$", ""))


def tokens(column: pa.Array, name: str, kind: str | None = None) -> pa.Array:
    """The values as text, int64, uint64 or booleans, which files can hold: of the type that is named, or that comes
    nearest. NULL is what is missing, and a whole number that the named type does not hold: it was never seen. Indices
    of distinct texts stay such.

    Raises:
        RowError: one is of another type, and does not say the same in it.
    """
    if kind in (None, "string") and pa.types.is_dictionary(column.type):
        distinct = column.dictionary
        if is_text(distinct.type) and not distinct.null_count:
            return pa.DictionaryArray.from_arrays(column.indices, distinct.cast(pa.string()))
    column = decoded(column)
    if pa.types.is_float16(column.type):  # Arrow makes no integers of it
        column = column.cast(pa.float32())
    given, types = column.type, pa.types
    whole = types.is_integer(given) or types.is_floating(given) or (types.is_decimal(given) and given.scale == 0)
    nearest = given if types.is_boolean(given) or types.is_uint64(given) else pa.int64() if whole else pa.string()
    wanted = nearest if kind is None else pa.type_for_alias(kind)
    if types.is_floating(given):
        missing = missing_rows(column)
        column = column if missing is None else _only(pa.array(~missing), column)
    elif types.is_temporal(given) or (types.is_decimal(given) and types.is_string(wanted)):
        column = _text(column)
    elif types.is_uint64(given) and wanted == pa.int64():
        column = _only(pc.less_equal(column, pa.scalar(int(_LARGEST), given)), column)
    elif types.is_signed_integer(given) and types.is_uint64(wanted):
        column = _only(pc.greater_equal(column, pa.scalar(0, given)), column)
    if whole and types.is_boolean(wanted):  # as text: Arrow takes 2 for true
        column = as_type(as_type(column, pa.int64(), name), pa.string(), name)
    return as_type(column, wanted, name)


def _only(condition: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(condition, column, pa.scalar(None, column.type))


def _text(column: pa.Array) -> pa.Array:
    """Decimals, dates and times as text, alike in every scale, unit and zone."""
    kind = column.type
    if pa.types.is_date64(kind):
        column = column.cast(pa.date32())
    if pa.types.is_duration(kind):
        column = column.cast(pa.duration("ns"))
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    text = column.cast(pa.string())
    for pattern, replacement in _SHORTER:
        text = pc.replace_substring_regex(text, pattern, replacement)
    return text


def token_words(values: pa.Array) -> Array:
    """64 bits for what each token says: 12 and "12" are alike. Those of NULL say nothing."""
    if pa.types.is_dictionary(values.type):
        if len(values.dictionary) > len(values):
            return token_words(decoded(values))
        of: Array = np.append(token_words(values.dictionary), np.uint64(0))
        return of[np.asarray(values.indices.fill_null(0))]  # type: ignore[no-any-return]
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.string())
    words = words_of(values)
    if pa.types.is_string(values.type):
        digits = pc.utf8_ltrim(values, "-")
        fits = pc.or_(pc.less(pc.binary_length(digits), len(_LARGEST)), pc.less_equal(digits, _LARGEST))
        whole = pc.and_(pc.match_substring_regex(values, _WHOLE_NUMBER), fits).fill_null(False)
        words[np.asarray(whole)] = words_of(values.filter(whole).cast(pa.int64()))
    return words
