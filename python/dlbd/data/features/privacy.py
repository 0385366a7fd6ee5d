"""Pseudonyms: a keyed hash in the place of what names a person."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping

from dlbd.data.arrow import pa, pc
from dlbd.data.features.tokens import tokens

# Where a key is looked for that was not passed.
KEY_VARIABLE = "DLBD_PSEUDONYM_KEY"
_LEAST_KEY = 16  # bytes


class Pseudonyms:
    """Columns whose values become a keyed hash (BLAKE2b, 16 bytes as hexadecimal text) before anything else reads them.

    Equal values have equal pseudonyms under one key. Keys are in no file, repr or error; a file has 8 bytes made of
    each key, by which another key is known.

    Args:
        keys: of columns, 16 to 64 bytes, or text of so many; None where the key will be found in the environment's
            ``DLBD_PSEUDONYM_KEY``.
        checks: what a file knows of the keys.
    """

    def __init__(
        self, keys: Mapping[str, str | bytes | None] | None = None, checks: Mapping[str, str | None] | None = None
    ) -> None:
        self.columns = tuple(keys or ())
        self._keys: dict[str, bytes] = {}
        self._checks = {name: check for name, check in (checks or {}).items() if check is not None}
        self.set_keys({name: key for name, key in (keys or {}).items() if key is not None})

    def set_keys(self, keys: Mapping[str, str | bytes]) -> None:
        """Give the keys of some columns.

        Raises:
            ValueError: the key is too short or too long, is another one than in training, or belongs to no column.
        """
        for name, key in keys.items():
            if name not in self.columns:
                raise ValueError(f"column {name!r} has no pseudonyms; such are {list(self.columns)}")
            data = key.encode() if isinstance(key, str) else bytes(key)
            if not _LEAST_KEY <= len(data) <= hashlib.blake2b.MAX_KEY_SIZE:
                raise ValueError(f"the key of column {name!r} has {len(data)} bytes; 16 to 64 are due")
            check = hashlib.blake2b(b"dlbd pseudonyms", key=data, digest_size=8).hexdigest()
            if not hmac.compare_digest(self._checks.setdefault(name, check), check):
                raise ValueError(f"column {name!r}: this is another key than the one that was learned with")
            self._keys[name] = data

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with pseudonyms.

        Raises:
            ValueError: there is no key.
        """
        for name in self.columns:
            if name in batch.schema.names:
                place = batch.schema.get_field_index(name)
                batch = batch.set_column(place, name, pseudonyms(batch.column(name), self._key(name), name))
        return batch

    def _key(self, name: str) -> bytes:
        if name not in self._keys:
            found = os.environ.get(KEY_VARIABLE)
            if found is None:
                raise ValueError(
                    f"column {name!r} has pseudonyms, whose key no file holds: pass it to Features.set_keys(), or "
                    f"set {KEY_VARIABLE}"
                )
            self.set_keys({name: found})
        return self._keys[name]

    def __deepcopy__(self, memo: dict[int, object]) -> Pseudonyms:
        twin = Pseudonyms(dict.fromkeys(self.columns), self._checks)
        twin._keys = dict(self._keys)
        return twin

    def __reduce__(self) -> tuple[object, ...]:  # what is pickled may be in a file soon
        return Pseudonyms, (dict.fromkeys(self.columns), self._checks)

    def get_config(self) -> dict[str, str | None]:
        return {name: self._checks.get(name) for name in self.columns}


def pseudonyms(column: pa.Array, key: bytes, name: str) -> pa.Array:
    """The keyed hash of each value's text; NULL stays."""
    distinct = pc.dictionary_encode(tokens(column, name).cast(pa.string()))
    hashed = [
        hashlib.blake2b(value.encode(), key=key, digest_size=16).hexdigest()
        for value in distinct.dictionary.to_pylist()
    ]
    return pa.array(hashed, pa.string()).take(distinct.indices)
