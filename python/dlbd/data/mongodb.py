"""Collections of MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, unquote

from dlbd.data.arrow import as_schema, pa
from dlbd.data.deadline import watched
from dlbd.data.documents import PLAIN, Documents
from dlbd.data.errors import SourceError, missing
from dlbd.data.expressions import Expression
from dlbd.data.keys import Keys
from dlbd.data.reader import options_of, with_client_text
from dlbd.data.sampling import SAMPLE, TYPES, sampled
from dlbd.data.sorting import sorted_batches

try:
    import bson
    import pymongo
    from bson.codec_options import CodecOptions, DatetimeConversion
    from bson.errors import BSONError
    from pymongo.cursor import RawBatchCursor
    from pymongo.errors import ConfigurationError, PyMongoError
except ImportError as error:
    raise missing("mongodb", error) from error

from dlbd.data.mongo_filter import filter_of

_CHUNK = 512  # documents decoded and turned into columns while they lie in the cache
_CONNECT = 5.0  # seconds for a server to be found and to accept a connection, at most
_SIGN_OF_LIFE = 5.0  # seconds in which a server that lives says so
_PATIENCE = 0.2  # seconds in which a server that lives ends a reading
_FAREWELL = 0.5  # seconds to tell the server that a cursor or a session ends, at most: it may be dead
_BSON: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_PLAIN: Mapping[type, Callable[[Any], Any]] = {
    **PLAIN,
    bson.ObjectId: str,
    bson.Decimal128: bson.Decimal128.to_decimal,
}
_TYPES = {**TYPES, bson.Int64: pa.int64(), bson.Binary: pa.binary(), datetime: pa.timestamp("ms")}


def reader(
    what: str,
    *,
    table: str | None = None,
    query: Any = None,
    parameters: Any = None,
    schema: Any = None,
    timeout: float = 30.0,
    **options: Any,
) -> MongoReader:
    """See :func:`dlbd.data.open`."""
    options_of(options, ("client_options", "misfits", "sample"), "a collection of MongoDB")
    if parameters is not None:
        raise TypeError("a filter or pipeline of MongoDB has its values in it: there are no parameters=")
    if query is not None and not isinstance(query, (Mapping, list, tuple)):
        raise TypeError(f"query is a filter of MongoDB (a dict) or a pipeline (a list); received {query!r}")
    return MongoReader(what, table, query, schema, timeout, **options)


class MongoReader:
    """Documents of a collection, in the order of their ``_id``, or of what a pipeline makes of it.

    Args:
        address: ``mongodb://user:password@host:port/database?options``.
        table: the collection.
        query: a filter, a pipeline, or None for all documents.
        schema: the types of some columns, or all; the documents have those of the others.
        timeout: seconds without a sign of life of the server: neither an answer nor one to a ping.
        sample: how many documents are looked at for columns and types, half of them the last ones; 0 for none but the
            declared ones.
        misfits: what becomes of a value that does not fit its type: "error" (the default), or "null".
        client_options: of pymongo's MongoClient, such as ``tls=True``, ``tlsCAFile=``, ``tlsCertificateKeyFile=``,
            ``username=``, ``password=``.
    """

    remote, sorts = True, True

    def __init__(
        self,
        address: str,
        table: str | None,
        query: Any,
        schema: Any,
        timeout: float,
        sample: int = SAMPLE,
        misfits: str = "error",
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        scheme, _, rest = address.partition("://")
        user, _, rest = rest.rpartition("@")  # a password that is not escaped may have any of the other letters
        place, _, self._address_options = rest.partition("?")
        hosts, _, database = place.partition("/")
        self._database = unquote(database)
        self.name = f"{scheme}://{hosts}/{self._database}" + (f".{table}" if table else "")
        if sample < 0 or (not sample and schema is None):
            raise ValueError(f"{self.name}: sample is at least 1 where no schema is declared; received {sample}")
        if not self._database:
            raise ValueError(f"{self.name}: the address ends in a database: mongodb://host/DATABASE")
        self._address, self._query, self._timeout = address, query, timeout
        self._client_options = dict(client_options or {})
        self._secrets = _secrets(user, self._address_options, self._client_options)
        self._client: Any = None
        self._ended, self._aborted, self._signs = Event(), False, 0
        declared = pa.schema([]) if schema is None else as_schema(schema)

        def opened() -> Generator[tuple[pa.Schema, set[str]], None, None]:
            with self._connected() as database:
                found = self._collection(database, table)
                plain = found.get("type", "collection") == "collection"
                self._has_collation = "collation" in found.get("options", {})
                self._table = str(table)
                self.ordered = plain and not isinstance(query, (list, tuple))
                yield sampled(self._first(database, sample) if sample else (), declared, _PLAIN, _TYPES)

        with closing(watched(opened, timeout, self.name, self.abort, self.progress)) as opening:
            self.schema, dotted = next(opening)
        if not len(self.schema):
            raise SourceError(f"{self.name}: no document shows a column; declare them (schema=)")
        self._nameable = {name for name in self.schema.names if name not in dotted and _is_nameable(name)}
        self._documents = Documents(self.name, self.schema, misfits, _PLAIN)
        self._keys = Keys(pa.schema([*self.schema, *([] if "_id" in self.schema.names else [("_id", pa.null())])]))
        self.strict = sample > 0

    # Server

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """The database, by a client that is closed at the end; its errors become ours."""
        self._ended, self._aborted = Event(), False
        try:
            self._client = client = pymongo.MongoClient(self._address, **self._options())
        except (ConfigurationError, ValueError, OSError) as error:  # the last of a file for TLS
            self._ended.set()
            raise (SourceError if isinstance(error, OSError) else ValueError)(self._said(error)) from None
        try:
            yield client[self._database]
        except (PyMongoError, BSONError) as error:
            raise SourceError(self._said(error)) from None
        finally:
            with pymongo.timeout(_FAREWELL):
                client.close()
            self._ended.set()

    def _said(self, error: Exception) -> str:
        """The error's text, without pymongo's description of all it knows."""
        text = str(error)
        for rest in (" (configured timeouts", ", Timeout:", ", full error:"):
            text = text.partition(rest)[0]
        return with_client_text(self.name, SourceError(text), self._secrets)

    def _options(self) -> dict[str, Any]:
        """Of the client: bounds on how long it waits, where the user has set none."""
        connect = round(1000 * min(self._timeout / 2, _CONNECT))
        bounds = {"serverSelectionTimeoutMS": connect, "connectTimeoutMS": connect}
        in_address = self._address_options.lower()
        ours = {key: value for key, value in bounds.items() if f"{key.lower()}=" not in in_address}
        return {**ours, **self._client_options}

    def _collection(self, database: Any, table: str | None) -> Mapping[str, Any]:
        """What the server says of the collection."""
        found: dict[str, dict[str, Any]] = {c["name"]: c for c in database.list_collections()}
        if table not in found:
            lacks = "pass table=COLLECTION" if table is None else f"there is no collection {table!r}"
            raise ValueError(f"{self.name}: {lacks}; the database has {sorted(found)}")
        return found[str(table)]

    def progress(self) -> int:
        """How often the server has answered a ping while it was asked for something else."""
        client = self._client
        if client is not None and not self._ended.is_set():
            with suppress(PyMongoError), pymongo.timeout(min(self._timeout, _SIGN_OF_LIFE)):
                client.admin.command("ping", read_preference=client.read_preference)
                self._signs += 1
        return self._signs

    def abort(self) -> None:
        if self._ended.wait(_PATIENCE):
            return
        self._aborted = True
        # pymongo has no public way to end an answer that a thread waits for
        with suppress(AttributeError):
            for server in self._client._topology._servers.values():
                server.pool.reset(interrupt_connections=True)

    # Documents

    def _first(self, database: Any, sample: int) -> Any:
        """Some documents: of a collection half of them the last ones, which may have other fields."""
        collection = database[self._table].with_options(_BSON)
        if not self.ordered:
            stages = self._stages() or [{"$match": self._query or {}}]
            return collection.aggregate([*stages, {"$limit": sample}])
        ends = (collection.find(self._query, sort=[("_id", way)], limit=-(-sample // 2)) for way in (1, -1))
        return (document for end in ends for document in end)

    def _stages(self) -> list[Any] | None:
        return list(self._query) if isinstance(self._query, (list, tuple)) else None

    def scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        if all(map(self._sorts_by, order_by)) and not any(map(self._may_round, order_by[:-1])):
            return self._scan(columns, where, order_by, rows)
        return sorted_batches(self._scan(columns, where, (), rows), order_by, rows)

    def _sorts_by(self, name: str) -> bool:
        """Whether the server's order by this field is that of the column."""
        kind = self.schema.field(name).type
        if self._documents.misfits == "null" or name not in self._nameable:
            return False
        if _is_text(kind):
            return not self._has_collation
        return any(
            is_kind(kind)
            for is_kind in (
                pa.types.is_integer,
                pa.types.is_floating,
                pa.types.is_decimal,
                pa.types.is_boolean,
                pa.types.is_temporal,
            )
        )

    def _may_round(self, name: str) -> bool:
        """Whether numbers that differ on the server may be equal here, which the columns behind decide then."""
        return bool(pa.types.is_floating(self.schema.field(name).type))

    def _scan(
        self, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Generator[pa.RecordBatch, None, None]:
        strict = self.strict and set(self.schema.names) <= set(columns)
        with self._connected() as database:
            cursor = self._cursor(database[self._table], () if strict else columns, where, order_by, rows)
            try:
                for documents in _replies(cursor):
                    batches = []
                    while chunk := list(islice(documents, _CHUNK)):
                        if strict:
                            self._keys.require(chunk, self.name, partial(_label, chunk))
                        batches.append(self._documents.batch(chunk, columns, partial(_label, chunk)))
                    if batches:
                        yield pa.concat_batches(batches)
            finally:
                if not self._aborted:  # or pymongo would print that nobody answers
                    with pymongo.timeout(_FAREWELL):
                        cursor.close()

    def _cursor(
        self, collection: Any, columns: Sequence[str], where: Expression | None, order_by: Sequence[str], rows: int
    ) -> Any:
        condition = None if where is None else filter_of(where, self.schema, self._comparable())
        projection = self._projection(columns)
        sort = dict.fromkeys(order_by, 1) or ({"_id": 1} if self.ordered else {})
        stages = self._stages()
        if stages is None:
            parts = [part for part in (self._query, condition) if part]
            return collection.find_raw_batches(
                {"$and": parts} if parts else {},
                projection,
                sort=list(sort.items()) or None,
                batch_size=rows,
                allow_disk_use=True if order_by or parts else None,  # by _id alone nothing is sorted
            )
        more = (("$match", condition), ("$sort", sort), ("$project", projection))
        stages += [{name: stage} for name, stage in more if stage]
        return collection.with_options(_BSON).aggregate(stages, batchSize=rows, allowDiskUse=True)

    def _comparable(self) -> set[str]:
        """Columns that a filter can name, and whose values the server compares as Arrow does."""
        if not self._has_collation:
            return self._nameable
        return {name for name in self._nameable if not _is_text(self.schema.field(name).type)}

    def _projection(self, columns: Sequence[str]) -> dict[str, int] | None:
        """The fields of these columns, and the _id, by which errors name a document; None for all fields."""
        if not columns or not self._nameable.issuperset(columns):
            return None
        names = {"_id", *columns}
        within = {n for n in names if any(n.startswith(f"{outer}.") for outer in names)}
        return dict.fromkeys(sorted(names - within), 1)

    def count(self, where: Expression | None) -> int | None:
        if where is not None:
            return None
        stages = self._stages()
        with self._connected() as database:
            collection = database[self._table]
            if stages is None:
                return int(collection.count_documents(self._query or {}))
            counted = list(collection.aggregate([*stages, {"$count": "documents"}], allowDiskUse=True))
            return int(counted[0]["documents"]) if counted else 0


def _replies(cursor: Any) -> Iterator[Iterator[Any]]:
    """The documents of each answer of the server, decoded one after the other."""
    if isinstance(cursor, RawBatchCursor):
        return (bson.decode_iter(reply, _BSON) for reply in cursor)
    return (chain([document], islice(cursor, _CHUNK - 1)) for document in cursor)


def _label(documents: Sequence[Mapping[str, Any]], row: int) -> str:
    document = documents[row]
    return f"document {document['_id']!r}" if "_id" in document else "a document without _id"


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string())


def _is_nameable(name: str) -> bool:
    """Whether the query language takes the name as a path of keys."""
    return all(key and not key.startswith("$") for key in name.split("."))


def _secrets(user: str, address_options: str, client_options: Mapping[str, Any]) -> list[str]:
    """What must not be said: passwords as they are in the address, and decoded."""
    options = [*parse_qsl(address_options), *client_options.items()]
    given = [str(value) for key, value in options if "password" in key.lower()]
    written = user.partition(":")[2]
    return [secret for secret in (written, unquote(written), *given) if secret]
