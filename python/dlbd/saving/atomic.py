"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

_SUFFIX = ".tmp"


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends without an error.

    It is written beside ``path``, brought to the disk, and renamed: until then the old file stays as it was. A process
    that is killed may leave ``.<name>.<random>.tmp`` behind.

    Raises:
        OSError: of the kind that the system reports; its text says what was being saved.
    """
    target = os.path.realpath(path)  # a link keeps pointing where it points
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}{_SUFFIX}")
    try:
        try:
            with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "w+b") as file:
                with suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(folder)
    except OSError as error:
        text = f"{error.strerror or error}: nothing was saved, and a file that was there before is as it was"
        raise OSError(error.errno, text, os.fspath(path)) from error


def sync_folder(folder: str) -> None:
    """Bring the names in ``folder`` to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def remove_leftovers(path: str) -> None:
    """Delete what killed processes left of ``path``. Nobody else may be saving it."""
    folder, name = os.path.split(os.path.realpath(path))
    for found in os.listdir(folder):
        if found.startswith(f".{name}.") and found.endswith(_SUFFIX):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, found))
