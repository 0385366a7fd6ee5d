"""The protocol behind a :class:`dlbd.data.Source`: what each kind of store knows how to do."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Protocol, runtime_checkable

from dlbd.data.arrow import pa
from dlbd.data.expressions import Expression


class Reader(Protocol):
    """A store of rows. Opening one finds its schema; every scan reads it anew, on a shallow copy of the reader: what it
    keeps in attributes for :meth:`abort` is the scan's own.

    A remote one may have a method ``progress()``: it gives something else whenever the store has got on with its work
    since it was last asked, so that work that takes longer than the timeout is told from silence. It may take some
    seconds to find out.

    One that can give columns of text as indices of distinct values, which is quicker where these are few, has an
    attribute ``encoded``: of which columns it may.

    One of rows that may have no end says so by an attribute ``endless``; one that can be read once by ``once``, and has
    a method ``beginning()`` that gives a reader of the first rows, which can be read again and again. One that has to
    look at its rows to count them says so by ``counts_by_reading``.

    Attributes:
        name: what errors call it, without a password.
        schema: of all its columns, in Arrow's types.
        ordered: whether every scan gives the rows in the same order, although none was asked for.
        remote: whether a scan waits for another process, which may die or freeze: it gets a deadline then.
        sorts: whether it can give its rows in the order of columns; where it cannot they are sorted here.
    """

    name: str
    schema: pa.Schema
    ordered: bool
    remote: bool
    sorts: bool

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        """Batches of the rows with these columns.

        Args:
            columns: in this order; what ``where`` reads is among them.
            where: rows that do not meet it may be left out, and may be given as well: it is checked again.
            order_by: the order of rows, ascending, NULL first; empty for the store's own. Only if ``sorts``.
            rows: about how many rows a batch should have at most.

        Closing the iterator ends the scan and lets go of all it holds.

        Raises:
            SourceError: whatever the store's client raises, with the name in front.
        """
        ...

    def count(self, where: Expression | None) -> int | None:
        """How many rows meet the condition, exactly, if the store can say so without giving them; None if it cannot."""
        ...

    def abort(self) -> None:
        """End a scan or count that waits, from another thread: it raises soon. Only if ``remote``."""
        ...


@runtime_checkable
class Sparse(Protocol):
    """A reader of documents, whose keys may be others than those that were looked at for columns.

    Attributes:
        strict: whether such a key is an error when all columns are read; somebody who names columns wants no others.
    """

    strict: bool


def with_client_text(name: str, error: BaseException, secrets: Sequence[str] = ()) -> str:
    """``name: what the client said``, in one line, without any of the ``secrets``."""
    if not str(error) and error.__cause__ is not None:  # fsspec's timeout
        error = error.__cause__
    said = " ".join([str(error), *getattr(error, "__notes__", ())])
    text = " ".join(said.split()) or type(error).__name__
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return f"{name}: {text}"


def options_of(options: dict[str, Any], known: Sequence[str], name: str) -> dict[str, Any]:
    """``options`` if all are known.

    Raises:
        TypeError: one is not.
    """
    unknown = [key for key in options if key not in known]
    if unknown:
        raise TypeError(f"{name} takes no argument {unknown[0]!r}; it takes {', '.join(known) or 'none'}")
    return options
