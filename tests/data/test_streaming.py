"""Batches of a source: order, shuffling, memory, threads."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError
from dlbd.data.source import Source
from dlbd.data.streaming import MEMORY
from dlbd.models.limits import bytes_of, machine_memory

ROWS = 20_011


class Plain:
    """Features in short: all columns but "label" are numbers in a row; rows with NULL in "c0" are left out."""

    columns = ("c0", "c1", "c2")
    columns_with_target = (*columns, "label")

    def needed(self, source: Source, targets: bool) -> Source:
        return source.select(self.columns_with_target if targets else self.columns)

    def samples(self, source: Source, targets: bool) -> int | None:
        return None  # rows are left out

    def arrange(self, x, model):
        return x["x"]

    def blocks(self, batches: Iterator[pa.RecordBatch], targets: bool) -> Iterator[SimpleNamespace]:
        for batch in batches:
            kept = np.asarray(batch.column("c0").is_valid())
            batch = batch.filter(pa.array(kept))
            x = np.stack([batch.column(c).to_numpy() for c in self.columns], axis=1).astype(np.float32)
            y = batch.column("label").to_numpy() if targets else None
            yield SimpleNamespace(x={"x": x}, y=y, weight=None, size=len(x), kept=None if kept.all() else kept)


class Broken:
    """A reader of numbered rows that fails, or waits, after some."""

    name, ordered, remote, sorts = "broken", True, False, False
    schema = pa.schema([*((c, pa.float64()) for c in Plain.columns), ("label", pa.int64())])

    def __init__(self, good: int, then: Exception | None = None) -> None:
        self.good, self.then = good, then
        self.read, self.closed = threading.Event(), threading.Event()

    def scan(self, columns, where, order_by, rows) -> Generator[pa.RecordBatch, None, None]:
        try:
            for start in range(0, self.good, 1000):
                numbers = np.arange(start, min(start + 1000, self.good))
                values = dict.fromkeys(Plain.columns, numbers * 1.0) | {"label": numbers}
                yield pa.RecordBatch.from_pydict({c: values[c] for c in columns})
            self.read.set()
            if self.then is not None:
                raise self.then
        finally:
            self.closed.set()

    def count(self, where) -> int | None:
        return None

    def abort(self) -> None:
        """Nothing waits here."""


def numbered(rows: int = ROWS) -> Source:
    return dlbd.data.open({**{c: np.arange(rows) * 1.0 for c in Plain.columns}, "label": np.arange(rows)})


def streamed(source: Source, **options):
    model = SimpleNamespace(features=Plain(), dtype=np.dtype(np.float32))
    return source.batches_for(model, lambda x, y, w: (x, y, w), **({"targets": True, "batch_size": 32} | options))


def taken(batches, limit: int | None = None) -> list[list[np.ndarray]]:
    """The arrays of each batch."""
    found = []
    for batch in batches:
        buffers = [np.empty(shape, dtype) for shape, dtype in batch.signature]
        batch.write(buffers)
        assert batch.size == len(buffers[0])
        found.append(buffers)
        if len(found) == limit:
            break
    return found


def labels(batches) -> list[int]:
    return [int(n) for _, y in taken(batches) for n in y]


def reading_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("dlbd.data")]


def test_rows_come_in_order_in_batches_of_one_size():
    for size in (1, 32, 1000, ROWS, 2 * ROWS):
        found = taken(streamed(numbered(), batch_size=size).epoch())
        assert all(len(y) == size for _, y in found[:-1])
        assert np.concatenate([y for _, y in found]).tolist() == list(range(ROWS))
        np.testing.assert_array_equal(np.concatenate([x for x, _ in found])[:, 1], np.arange(ROWS))
    assert found[0][0].dtype == np.float32
    assert found[0][1].dtype == np.int64


def test_rows_that_are_left_out_leave_no_gap():
    values = [None if i % 7 == 0 else float(i) for i in range(5000)]
    source = dlbd.data.open({"c0": values, "c1": values, "c2": values, "label": list(range(5000))})
    stream = streamed(source)
    found = taken(stream.epoch())
    assert all(len(y) == 32 for _, y in found[:-1])
    assert np.concatenate([y for _, y in found]).tolist() == [i for i in range(5000) if i % 7]
    unknown = streamed(source, targets=False)
    taken(unknown.epoch())
    np.testing.assert_array_equal(unknown.kept, np.arange(5000) % 7 != 0)
    whole = streamed(numbered(), targets=False)
    taken(whole.epoch())
    assert whole.kept is None


def test_shuffling_gives_each_row_once_in_another_order_each_epoch_and_repeats_with_the_seed():
    for buffer in (None, 1, 100, ROWS - 1, ROWS, 5 * ROWS):
        stream = streamed(numbered(), shuffle=True, shuffle_buffer=buffer)
        runs = []
        for _ in range(2):
            dlbd.utils.set_random_seed(3)
            runs.append([labels(stream.epoch()) for _ in range(2)])
        assert runs[0] == runs[1]
        first, second = runs[0]
        assert sorted(first) == sorted(second) == list(range(ROWS))
        if buffer != 1:
            assert first != second
            assert first != sorted(first)


def test_rows_and_labels_stay_together():
    for x, y in taken(streamed(numbered(), shuffle=True, shuffle_buffer=500).epoch()):
        np.testing.assert_array_equal(x, np.repeat(y[:, None], 3, axis=1))


def test_a_row_is_drawn_from_among_as_many_as_the_buffer_holds():
    dlbd.utils.set_random_seed(0)
    buffer = 2000
    order = np.array(labels(streamed(numbered(), shuffle=True, shuffle_buffer=buffer).epoch()))
    ahead = order - np.arange(ROWS)
    assert ahead.max() <= buffer + 1  # none comes before it was read
    assert np.abs(ahead).mean() > buffer / 3
    whole = np.array(labels(streamed(numbered(), shuffle=True).epoch()))
    assert abs(np.corrcoef(whole, np.arange(ROWS))[0, 1]) < 0.05


def test_the_order_does_not_depend_on_how_the_source_delivers_its_rows():
    table = numbered().to_arrow()
    pieces = pa.concat_tables([table.slice(start, 777) for start in range(0, ROWS, 777)])
    orders = []
    for source in (dlbd.data.open(table), dlbd.data.open(pieces)):
        dlbd.utils.set_random_seed(1)
        orders.append(labels(streamed(source, shuffle=True, shuffle_buffer=3000).epoch()))
    assert orders[0] == orders[1]


@pytest.mark.parametrize(("limit", "buffer"), [(2_000_000, None), (8_000_000, None), (8_000_000, 1000)])
def test_memory_stays_within_its_limit(limit: int, buffer: int | None):
    reader = Broken(400_000)  # 8 MB of float32
    source = Source(reader, reader.schema, reader.schema)
    stream = streamed(source, shuffle=True, memory_limit=limit, shuffle_buffer=buffer)
    taken(stream.epoch(), limit=1)  # what is imported only then does not count
    gc.collect()
    arrow = pa.total_allocated_bytes()
    tracemalloc.start()
    count = most = 0
    for batch in stream.epoch():
        count += batch.size
        most = max(most, pa.total_allocated_bytes() - arrow)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400_000
    assert peak + most < limit
    assert buffer or peak > limit // 2  # and is made use of


def test_limits_that_cannot_be_kept_are_errors():
    with pytest.raises(ValueError, match="memory_limit=2000 is too small: one batch of 100 rows takes 2000 bytes") as e:
        taken(streamed(numbered(), batch_size=100, memory_limit=2000).epoch())
    least = int(str(e.value).split("; ")[1].split(" ")[0])
    assert sorted(labels(streamed(numbered(), shuffle=True, batch_size=100, memory_limit=least).epoch())) == list(
        range(ROWS)
    )
    with pytest.raises(ValueError, match="is too small"):
        taken(streamed(numbered(), batch_size=100, memory_limit=least - 1).epoch())
    with pytest.raises(ValueError, match=f"memory_limit={2 * machine_memory()} is more memory than there is"):
        streamed(numbered(), memory_limit=2 * machine_memory())
    with pytest.raises(ValueError, match=r"shuffle_buffer=90000000 rows of 20 bytes do not fit into .*: \d+ would"):
        taken(streamed(numbered(), shuffle=True, shuffle_buffer=90_000_000, memory_limit="100MB").epoch())
    with pytest.raises(ValueError, match="shuffle_buffer must be at least 1; received 0"):
        streamed(numbered(), shuffle=True, shuffle_buffer=0)
    with pytest.raises(ValueError, match="batch_size must be at least 1; received 0"):
        streamed(numbered(), batch_size=0)
    assert reading_threads() == []


def test_without_a_limit_batches_of_any_size_and_a_buffer_that_is_asked_for_fit():
    for options in ({"batch_size": MEMORY // 20}, {"shuffle_buffer": MEMORY // 20}):
        assert sorted(labels(streamed(numbered(), shuffle=True, **options).epoch())) == list(range(ROWS))


def test_limits_are_numbers_of_bytes():
    assert bytes_of(1000) == bytes_of("1000") == bytes_of("1kB") == 1000
    assert bytes_of("1.5 GB") == 1_500_000_000
    assert bytes_of("64MiB") == 64 * 2**20
    for wrong in ("much", "12 MG", 0, -5, "0MB", 1.5j):
        with pytest.raises(ValueError, match="memory_limit is a number of bytes"):
            bytes_of(wrong)


def test_an_error_of_the_reader_comes_at_once_and_leaves_no_thread():
    reader = Broken(120_000, SourceError("broken: the disk is gone"))
    batches = streamed(Source(reader, reader.schema, reader.schema), batch_size=10).epoch()
    next(batches)
    assert reader.read.wait(10)
    threading.Event().wait(0.2)  # two chunks of 50,000 rows wait to be trained on
    with pytest.raises(SourceError, match="the disk is gone"):
        next(batches)
    assert reading_threads() == []


def test_no_thread_is_left_by_an_epoch_that_is_not_finished():
    reader = Broken(500_000)
    stream = streamed(Source(reader, reader.schema, reader.schema), shuffle=True, shuffle_buffer=100)
    for _ in range(3):
        with closing(stream.epoch()) as batches:
            taken(batches, limit=2)
            assert len(reading_threads()) == 1
        assert reading_threads() == []
        assert reader.closed.is_set()
        reader.closed.clear()
    taken(stream.epoch(), limit=1)  # nobody closes it
    gc.collect()
    assert reading_threads() == []


class Silent(Broken):
    """Another process that says nothing after its first rows, until it is given up."""

    remote = True

    def __init__(self, good: int) -> None:
        super().__init__(good)
        self.given_up = threading.Event()

    def scan(self, columns, where, order_by, rows) -> Generator[pa.RecordBatch, None, None]:
        yield from super().scan(columns, where, order_by, rows)
        self.given_up.wait()
        raise SourceError("the connection was closed")

    def abort(self) -> None:
        self.given_up.set()


def given_up(reader: Silent) -> bool:
    """Whether nothing of the reading is left soon."""
    for _ in range(50):
        if reader.given_up.is_set() and not reading_threads():
            return True
        threading.Event().wait(0.1)
    return False


@pytest.mark.timeout(60)
def test_a_silent_server_keeps_nobody_waiting_who_wants_no_more():
    reader = Silent(500_000)
    batches = streamed(Source(reader, reader.schema, reader.schema), shuffle=True, shuffle_buffer=1).epoch()
    next(batches)
    batches.close()
    assert given_up(reader)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "interrupt",
    [
        lambda: os.kill(os.getpid(), signal.SIGINT),
        lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT),  # as the kernel may choose
    ],
)
def test_an_interrupt_ends_the_wait_for_a_silent_server_within_a_second(interrupt: Callable[[], None]):
    reader = Silent(0)
    batches = streamed(Source(reader, reader.schema, reader.schema)).epoch()
    threading.Timer(0.3, interrupt).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    assert time.monotonic() - begin < 1.3
    assert given_up(reader)


@pytest.mark.timeout(60)
def test_a_silent_server_is_an_error_after_its_time():
    reader = Silent(0)
    batches = streamed(Source(reader, reader.schema, reader.schema, timeout=0.5)).epoch()
    with pytest.raises(SourceError, match=r"nothing came for 0\.5 seconds"):
        next(batches)
    assert reading_threads() == []


def test_a_source_without_rows_has_no_batches_but_known_arrays():
    stream = streamed(numbered(0), targets=False)
    assert taken(stream.epoch()) == []
    assert stream.nothing is not None
    assert [a.shape for a in stream.nothing] == [(0, 3)]


@pytest.mark.timeout(120)
def test_eight_sources_are_read_at_once():
    orders: dict[int, list[int]] = {}

    def read(number: int) -> None:
        orders[number] = labels(streamed(numbered(5000 + number)).epoch())

    threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(orders[n] == list(range(5000 + n)) for n in range(8))
    assert reading_threads() == []
