"""JSON as it stands in files: written in one way, read with suspicion."""

from __future__ import annotations

import json
from typing import Any


def to_text(value: Any) -> str:
    """Compact JSON. TypeError for what JSON does not have."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str | bytes, what: str) -> Any:
    """What the text says.

    Raises:
        ValueError: it is no JSON, says a name twice, or is nested beyond all measure; the error begins with ``what``.
    """
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None
    except ValueError as error:  # of JSON and of UTF-8
        raise ValueError(f"{what} is not valid JSON: {error}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands there twice")
    return found
