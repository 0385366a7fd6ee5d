"""What goes wrong between here and the data."""

from __future__ import annotations


class SourceError(OSError):
    """A source could not be read: its server does not answer, its file is broken, the password is wrong.

    The message begins with the source's name and has what the source's own client says; never a password.
    """


def missing(extra: str, error: ImportError) -> ImportError:
    """The error to raise where a library of an extra is not installed."""
    return ImportError(f"needs the extra {extra}: pip install 'dlbd[{extra}]' ({error})")
