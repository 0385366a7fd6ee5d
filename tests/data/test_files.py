"""Files of rows: the same from every format, wherever they lie; in how much memory; what may be wrong with them."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.fs
import pyarrow.parquet as pq
import pytest

import dlbd
from dlbd.data import SourceError, col
from dlbd.data.locations import naming
from tests.data.peak import peak_of_reading
from tests.data.rows import COUNT, ORDER_BY, SCHEMA, TABLE, write
from tests.servers.process import AS_NOBODY, temporary_folder

FORMATS = ["csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "parquet", "arrow", "arrows", "arrow.gz", "arrows.zst"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str):
    source = dlbd.data.open(write(tmp_path / f"rows.{suffix}"), schema=SCHEMA, order_by=ORDER_BY)
    assert source.to_arrow().equals(TABLE)
    assert source.schema == SCHEMA
    assert source.ordered
    assert source.count() == COUNT
    assert source.select(["label", "id"]).head(3).equals(TABLE.select(["label", "id"]).slice(0, 3))
    adults = source.where((col("age") > 17) & ~col("city").is_null())
    wanted = [
        row for row in TABLE.to_pylist() if row["age"] is not None and row["age"] > 17 and row["city"] is not None
    ]
    assert adults.to_arrow().to_pylist() == wanted
    assert adults.count() == len(wanted)


def test_a_format_that_the_name_does_not_say(tmp_path: Path):
    path = write(tmp_path / "rows.csv").rename(tmp_path / "rows.data")
    with pytest.raises(ValueError, match=r"rows\.data: no file with the suffix of a format: pass format=, one of csv"):
        dlbd.data.open(path)
    assert dlbd.data.open(path, format="csv").count() == COUNT
    with pytest.raises(ValueError, match=r"format is one of csv, .*; received 'xls'"):
        dlbd.data.open(path, format="xls")
    with pytest.raises(TypeError, match="csv files takes no argument 'colour'; it takes delimiter, "):
        dlbd.data.open(path, format="csv", colour="red")
    with pytest.raises(TypeError, match=r"files have no table="):
        dlbd.data.open(path, table="rows")


# Where they lie


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Ten parts in three folders, whose order by path is that of the rows."""
    for i in range(10):
        folder = tmp_path / "set" / f"folder{i // 4}"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"part{i}.parquet", TABLE.slice(100 * i, 100))
    (tmp_path / "set" / "_SUCCESS").write_text("")
    (tmp_path / "set" / ".part.crc").write_text("")
    (tmp_path / "set" / "README.md").write_text("about these rows")
    return tmp_path / "set"


def test_folders_globs_and_lists(many: Path):
    def ids(what: object) -> list[int]:
        return dlbd.data.open(what, columns=["id"]).to_arrow()["id"].to_pylist()  # type: ignore[no-any-return]

    assert ids(many) == ids(str(many)) == ids(f"{many}/") == list(range(COUNT))
    assert ids(f"{many}/**/*.parquet") == list(range(COUNT))
    assert ids(f"{many}/folder1/part[45].parquet") == list(range(400, 600))
    assert ids(f"{many}/folder?/part9*") == list(range(900, COUNT))
    assert ids(f"{many}/folder[12]") == list(range(400, COUNT))
    assert ids([many / "folder2", many / "folder0" / "part1.parquet"]) == [*range(800, COUNT), *range(100, 200)]
    assert dlbd.data.open(many).count() == COUNT
    with pytest.raises(SourceError, match=r"part7\*: no file matches"):
        dlbd.data.open(f"{many}/part7*")


def test_a_name_with_wildcards_in_it_is_a_name_first(tmp_path: Path):
    path = write(tmp_path / "rows[1].csv")
    assert dlbd.data.open(path).count() == COUNT


def test_several_formats_in_a_folder(many: Path):
    write(many / "rows.csv")
    with pytest.raises(ValueError, match=r"set: files of several formats, csv, parquet: pass format="):
        dlbd.data.open(many)


def test_file_systems_of_fsspec():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/dlbd/a.csv": b"x,y\n1,2\n", "/dlbd/b.csv.gz": gzip.compress(b"x,y\n3,4\n")})
    try:
        source = dlbd.data.open("memory://dlbd/*")
        assert source.name == "memory://dlbd/*"
        assert source.to_arrow().to_pydict() == {"x": [1, 3], "y": [2, 4]}
        assert dlbd.data.open("memory://dlbd/a.csv").count() == 1
    finally:
        memory.rm("/dlbd", recursive=True)
    with pytest.raises(ValueError, match="nosuch"):
        dlbd.data.open("nosuch://host/a.csv")


@pytest.mark.parametrize(
    ("scheme", "library", "extra"),
    [("gs", "gcsfs.core", "gcs"), ("abfs", "adlfs", "azure"), ("hdfs", "hdfs_native.fsspec", "hdfs")],
)
def test_a_missing_client_names_its_extra(scheme: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, library, None)
    for name in ("google", "azure", "hdfs"):
        monkeypatch.delitem(sys.modules, f"dlbd.data.stores.{name}", raising=False)
    with pytest.raises(ImportError, match=rf"needs the extra {extra}: pip install 'dlbd\[{extra}\]'"):
        dlbd.data.open(f"{scheme}://place/a.csv")


def test_passwords_do_not_show():
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class Guarded(MemoryFileSystem):
        """A client whose errors are no OSError and hold the password."""

        protocol = "guarded"

        refused = "info"

        def refuse(self, what: str, path: str) -> None:
            if what == self.refused:
                raise type("HttpError", (Exception,), {})(f"401 for {what} of {path} with tiger and lion")

        def info(self, path: str, **options: object) -> object:
            self.refuse("info", path)
            return {"name": path, "size": 0, "type": "file"}

        def open(self, path: str, *options: object, **named: object) -> object:
            self.refuse("open", path)

    fsspec.register_implementation("guarded", Guarded, clobber=True)
    for refused in ("info", "open"):
        Guarded.refused = refused
        said = rf"^guarded://.*/a\.csv: 401 for {refused} of .*/a\.csv with \*\*\* and \*\*\*$"
        with pytest.raises(SourceError, match=said) as error:
            dlbd.data.open("guarded://scott:tiger@host/a.csv", storage_options={"token": "lion"})
        assert error.value.__cause__ is None


def test_an_error_without_words_says_its_cause():
    silent = TimeoutError()
    silent.__cause__ = OSError("no answer from the server")
    with pytest.raises(SourceError, match=r"^gs://a/b: no answer from the server$"), naming("gs://a/b"):
        raise silent
    with pytest.raises(SourceError, match=r"^gs://a/b: TimeoutError$"), naming("gs://a/b"):
        raise TimeoutError


def test_nothing_there(tmp_path: Path):
    with pytest.raises(SourceError, match=r"/none\.csv: there is no such file or folder"):
        dlbd.data.open(tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"/empty: the folder has no files"):
        dlbd.data.open(tmp_path / "empty")


def test_a_file_that_may_not_be_read():
    folder = temporary_folder("files")  # those of pytest are closed to others altogether
    try:
        path = write(folder / "rows.csv")
        path.chmod(0)
        program = f"import dlbd.data\ntry: dlbd.data.open({str(path)!r})\nexcept dlbd.data.SourceError as e: print(e)"
        command = [*AS_NOBODY, sys.executable, "-c", program]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
        assert re.search(r"rows\.csv: .*Permission denied", said.stdout), said.stderr[-500:]
    finally:
        shutil.rmtree(folder)


# What CSV may look like


def test_csv_options(tmp_path: Path):
    path = tmp_path / "rows.txt"
    path.write_bytes("Zoë;-;1,5\nAndré;2;\n".encode("latin1"))
    options = {"format": "csv", "delimiter": ";", "column_names": ["name", "n", "x"], "null_values": ["", "-"]}
    source = dlbd.data.open(path, encoding="latin1", **options)
    assert source.to_arrow().to_pydict() == {"name": ["Zoë", "André"], "n": [None, 2], "x": ["1,5", None]}
    with pytest.raises(SourceError, match=r"rows\.txt: column 'name' is not utf8: pass encoding="):
        dlbd.data.open(path, **options)
    tabs = tmp_path / "rows.tsv"
    tabs.write_text("a\tb\n1\t2\n")
    assert dlbd.data.open(tabs).to_arrow().to_pydict() == {"a": [1], "b": [2]}


def test_null_and_text_are_told_apart(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n,1\n"",2\nNA,\n"x\ny",4\n')
    assert dlbd.data.open(path).to_arrow().to_pydict() == {"a": [None, "", "NA", "x\ny"], "b": [1, 2, None, 4]}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_nan_and_infinities_come_through(tmp_path: Path, suffix: str):
    path = tmp_path / f"rows.{suffix}"
    values = [1.5, float("nan"), float("inf"), float("-inf"), None]
    if suffix == "jsonl":
        path.write_text("".join(f'{{"i": 0, "x": {v}}}\n' for v in ("1.5", "NaN", "Infinity", "-Infinity", "null")))
    else:
        write(path, pa.table({"i": range(5), "x": values}))
    found = dlbd.data.open(path, schema={"x": "float32"}).to_arrow()["x"]
    assert found.null_count == 1
    np.testing.assert_array_equal(found.drop_null().to_numpy(), np.array(values[:4], np.float32))


def test_declared_types_are_read_not_guessed(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("code,day\n0123,2024-02-29\n")
    assert dlbd.data.open(path).to_arrow()["code"].to_pylist() == [123]
    declared = dlbd.data.open(path, schema={"code": "string", "day": "timestamp[us]"})
    assert declared.to_arrow()["code"].to_pylist() == ["0123"]
    assert declared.schema.field("day").type == pa.timestamp("us")
    with pytest.raises(ValueError, match=r"has no column 'cod'; it has \['code', 'day'\]"):
        dlbd.data.open(path, schema={"cod": "string"})


def test_text_is_rows_of_lines(tmp_path: Path):
    (tmp_path / "a.txt").write_text("one\n\nthree", encoding="utf8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress("vier\r\nfünf\n".encode()))
    source = dlbd.data.open(f"{tmp_path}/*")
    assert source.to_arrow().to_pydict() == {"text": ["one", "", "three", "vier", "fünf"]}
    (tmp_path / "c.txt").write_bytes(b"\xff\n")
    with pytest.raises(SourceError, match=r"c\.txt: .*can't decode byte 0xff"):
        dlbd.data.open(f"{tmp_path}/*").count()
    assert dlbd.data.open(tmp_path / "c.txt", encoding="latin1").to_arrow()["text"].to_pylist() == ["ÿ"]


# Files of no rows


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "arrows"])
def test_an_empty_table(tmp_path: Path, suffix: str):
    source = dlbd.data.open(write(tmp_path / f"rows.{suffix}", TABLE.slice(0, 0)), schema=SCHEMA)
    assert source.to_arrow().equals(TABLE.slice(0, 0))
    assert source.count() == 0


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.csv.gz", "rows.jsonl.gz"])
def test_a_file_of_no_bytes(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    with pytest.raises(SourceError, match=rf"{name}: is empty: no rows and no names of columns"):
        dlbd.data.open(tmp_path / name)
    assert dlbd.data.open(tmp_path / name, schema=SCHEMA).to_arrow().equals(TABLE.slice(0, 0))


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow"])
def test_a_binary_file_of_no_bytes_is_broken(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceError, match=rf"{name}: "):
        dlbd.data.open(tmp_path / name)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_parts_without_rows(tmp_path: Path, suffix: str):
    for i, rows in enumerate([0, 300, 0, 700, 0]):
        write(tmp_path / f"part{i}.{suffix}", TABLE.slice(300 if rows == 700 else 0, rows))
    if suffix != "parquet":
        (tmp_path / f"part9.{suffix}").write_bytes(b"")
    assert dlbd.data.open(tmp_path, schema=SCHEMA).to_arrow().equals(TABLE)
    # the types of columns come from the first file that has values
    assert dlbd.data.open(tmp_path, columns=["id", "score"]).to_arrow().equals(TABLE.select(["id", "score"]))


# Broken files


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_file_that_is_cut_off(tmp_path: Path, suffix: str):
    path = write(tmp_path / f"rows.{suffix}")
    content = path.read_bytes()
    for size in (3, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(SourceError, match=rf"rows\.{suffix}: "):
            dlbd.data.open(path).to_arrow()


def test_a_stream_that_is_cut_off(tmp_path: Path):
    path = write(tmp_path / "rows.arrows")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(SourceError, match=r"rows\.arrows: "):
        dlbd.data.open(path).to_arrow()


def test_a_corrupt_footer_and_a_corrupt_page(tmp_path: Path):
    path = write(tmp_path / "rows.parquet")
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-100] + bytes(92) + content[-8:])
    with pytest.raises(SourceError, match=r"rows\.parquet: "):
        dlbd.data.open(path)
    content[2000:3000] = os.urandom(1000)
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"rows\.parquet: "):
        dlbd.data.open(path).to_arrow()


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_broken_line_of_csv(tmp_path: Path, suffix: str):
    lines = [f"{i},{i}.5,text" for i in range(60_000)]
    lines[40_000] = "40000,40000.5"
    lines[20_000] = '20000,20000.5,"two\nlines"'  # so that row and line differ
    lines[30_000] += "\n"
    content = ("i,x,t\n" + "\n".join(lines) + "\n").encode()
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(gzip.compress(content) if suffix == "csv.gz" else content)
    with pytest.raises(SourceError, match=rf"/rows\.{suffix}: line 40004: Expected 3 columns, got 2: 40000,40000\.5"):
        dlbd.data.open(path).count()


def test_csv_of_mixed_types(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("i,x\n" + "".join(f"{i},{i}\n" for i in range(200_000)) + "7,many\n")
    inferred = r"/rows\.csv: line 200002, column 'x': .*int64: invalid value 'many'; its type is inferred .* schema="
    with pytest.raises(SourceError, match=inferred):
        dlbd.data.open(path).select(["x"]).to_arrow()
    with pytest.raises(SourceError, match=r"column 'x': .*float: invalid value 'many'; its type is declared"):
        dlbd.data.open(path, schema={"x": "float32"}).to_arrow()
    assert dlbd.data.open(path, schema={"x": "string"}).to_arrow()["x"][-1].as_py() == "many"
    assert dlbd.data.open(path).select(["i"]).count() == 200_001


def test_a_quote_that_is_never_closed_and_a_row_that_is_too_long(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + '1,"x\n' + "2,y\n" * 1_000_000)
    with pytest.raises(
        SourceError, match=r"rows\.csv: a row is longer than 1048576 bytes, or its quote is never closed"
    ):
        dlbd.data.open(path).count()
    path.write_text("a,b\n1," + "x" * 2_000_000 + "\n")
    assert dlbd.data.open(path, block_size=4 << 20).count() == 1


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.csv.zst"])
def test_a_damaged_compressed_file(tmp_path: Path, name: str):
    path = write(tmp_path / name)
    content = path.read_bytes()
    for damaged in (content[:-1000], b"no such thing", content[:500] + bytes(500) + content[1000:]):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match=rf"{re.escape(name)}: "):
            dlbd.data.open(path).to_arrow()


# Files that do not fit together


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_a_column_that_one_file_lacks(tmp_path: Path, suffix: str):
    write(tmp_path / f"a.{suffix}")
    write(tmp_path / f"b.{suffix}", TABLE.drop_columns(["score"]).select(["label", "id"]))
    source = dlbd.data.open(tmp_path)
    assert source.select(["id", "label"]).count() == 2 * COUNT  # by name, whatever their order
    with pytest.raises(SourceError, match=rf"/b\.{suffix}: .*'age'"):
        source.to_arrow()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow"])
def test_a_column_of_another_type(tmp_path: Path, suffix: str):
    write(tmp_path / f"a.{suffix}", pa.table({"x": [1, 2]}))
    write(tmp_path / f"b.{suffix}", pa.table({"x": ["one", "2"]}))
    with pytest.raises(SourceError, match=rf"/b\.{suffix}: .*column 'x'.*schema="):
        dlbd.data.open(tmp_path).to_arrow()
    assert dlbd.data.open(tmp_path, schema={"x": "string"}).to_arrow()["x"].to_pylist() == ["1", "2", "one", "2"]


def test_types_that_are_alike_fit_together(tmp_path: Path):
    pq.write_table(pa.table({"x": pa.array([None, None], pa.null()), "t": ["a", "b"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": [1], "t": pa.array(["c"], pa.large_string())}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"x": pa.array([2], pa.int16()), "t": ["d"]}), tmp_path / "c.parquet")
    found = dlbd.data.open(tmp_path).to_arrow()
    assert found.to_pydict() == {"x": [None, None, 1, 2], "t": ["a", "b", "c", "d"]}
    assert found.schema.field("x").type == pa.int64()


def test_a_file_that_vanishes(many: Path):
    source = dlbd.data.open(many)
    batches = source.batches(50)
    next(batches)
    (many / "folder1" / "part6.parquet").unlink()
    with pytest.raises(SourceError, match=r"folder1/part6\.parquet: .*No such file"):
        list(batches)


def test_categories_of_pandas(tmp_path: Path):
    for i, letters in enumerate(("abc", "cde")):
        frame = pd.DataFrame({"c": pd.Categorical(list(letters))})
        frame.to_parquet(tmp_path / f"{i}.parquet")
    source = dlbd.data.open(tmp_path)
    assert pa.Table.from_batches(source.batches(4))["c"].to_pylist() == list("abccde")
    assert source.where(col("c") == "c").count() == 2


# What is read


def test_only_the_columns_and_row_groups_that_are_needed(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    rng = np.random.default_rng(0)
    table = pa.table({"i": np.arange(200_000), **{f"x{j}": rng.random(200_000) for j in range(10)}})
    pq.write_table(table, path, row_group_size=10_000)
    content = bytearray(path.read_bytes())
    groups = pq.read_metadata(path)
    for group in range(20):
        for column in range(11):
            if group != 3 or column > 1:
                chunk = groups.row_group(group).column(column)
                begin = chunk.dictionary_page_offset or chunk.data_page_offset
                content[begin : begin + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)  # whoever reads anything else fails
    source = dlbd.data.open(path)
    assert source.count() == 200_000
    some = source.where((col("i") >= 32_000) & (col("i") < 33_000)).select(["x0"])
    assert some.to_arrow()["x0"].to_numpy().tolist() == table["x0"].slice(32_000, 1_000).to_numpy().tolist()
    with pytest.raises(SourceError):
        source.select(["x0"]).to_arrow()


def test_parquet_is_read_in_bounded_memory(tmp_path: Path):
    rng = np.random.default_rng(0)
    as_pandas_writes = tmp_path / "narrow.parquet"  # one row group of 240 MB
    pd.DataFrame(rng.random((1_000_000, 30)), columns=[f"x{i}" for i in range(30)]).to_parquet(as_pandas_writes)
    assert pq.read_metadata(as_pandas_writes).num_row_groups == 1
    assert peak_of_reading(as_pandas_writes, 1_000_000) < 150
    as_pandas_writes.unlink()
    wide = tmp_path / "wide.parquet"  # row groups of 125 MB, in dictionaries
    pixels = rng.integers(0, 256, (40_000, 785)).astype(np.float64)
    pd.DataFrame(pixels, columns=[f"x{i}" for i in range(785)]).to_parquet(wide, row_group_size=20_000)
    assert peak_of_reading(wide, 40_000) < 150


def test_no_row_group_stays_in_memory_while_the_next_one_is_read(tmp_path: Path):
    path, group = tmp_path / "rows.parquet", 1_000_000
    pq.write_table(pa.table({"x": np.arange(4.0 * group)}), path, row_group_size=group)
    before, held, last = pa.total_allocated_bytes(), [], None
    for batch in dlbd.data.open(path).reader.scan(["x"], None, (), 10_000):
        held.append(pa.total_allocated_bytes() - before)
        last = batch
    assert last is not None
    assert max(held) < 1.5 * 8 * group


def test_a_file_that_was_written_anew(tmp_path: Path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), path)
    source = dlbd.data.open(path)
    assert source.count() == 2
    pq.write_table(pa.table({"x": list(range(5))}), path, row_group_size=2)
    assert source.count() == 5
    assert source.to_arrow()["x"].to_pylist() == list(range(5))


@pytest.mark.parametrize("suffix", ["csv", "csv.zst"])
def test_csv_is_read_in_bounded_memory(tmp_path: Path, suffix: str):
    path = tmp_path / f"rows.{suffix}"
    block = pa.table({f"x{i}": np.random.default_rng(i).random(1_000) for i in range(10)})
    with pa.output_stream(path, compression="detect") as out, pacsv.CSVWriter(out, block.schema) as writer:
        for _ in range(500):  # 95 MB
            writer.write_table(block)
    assert peak_of_reading(path, 500_000) < 70


def test_reading_may_end_early(many: Path):
    before = len(os.listdir("/proc/self/fd"))
    batches = dlbd.data.open(many).batches(10)
    next(batches)
    batches.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_columns_that_are_there_twice_are_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "a.parquet")
    for file in ("a.csv", "a.parquet"):
        with pytest.raises(ValueError, match=f"{file}: column 'a' is there twice"):
            dlbd.data.open(tmp_path / file)


# Folders of column=value


@pytest.fixture
def by_country(tmp_path: Path) -> str:
    for country, year, n in [
        ("NO", 2023, 3),
        ("NO", 2024, 2),
        ("S%C3%A3o", 2024, 4),
        ("__HIVE_DEFAULT_PARTITION__", 2023, 1),
    ]:
        folder = tmp_path / f"country={country}" / f"year={year}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"x": list(range(n))}), folder / "part-0.parquet")
    return str(tmp_path)


def test_folders_that_name_values_are_columns(by_country: str):
    source = dlbd.data.open(by_country)
    assert source.schema == pa.schema({"x": pa.int64(), "country": pa.string(), "year": pa.int64()})
    rows = source.to_arrow()
    assert rows["country"].to_pylist() == ["NO"] * 5 + ["São"] * 4 + [None]
    assert rows["year"].to_pylist() == [2023] * 3 + [2024] * 6 + [2023]
    assert source.select(["year", "x"]).head(1).to_pylist() == [{"year": 2023, "x": 0}]
    assert source.select(["year"]).to_arrow()["year"].to_pylist() == rows["year"].to_pylist()
    assert source.count() == 10
    assert dlbd.data.open(by_country, schema={"year": "string"}).head(1)["year"].to_pylist() == ["2023"]
    assert dlbd.data.open(f"{by_country}/country=NO").schema.names == ["x", "year"]


def test_files_in_folders_of_other_values_are_not_opened(by_country: str):
    (Path(by_country) / "country=NO/year=2023/part-0.parquet").write_bytes(b"no longer Parquet")
    source = dlbd.data.open(f"{by_country}/*/year=2024")  # whose schema is there
    assert source.count() == 6
    whole = dlbd.data.open([f"{by_country}/country=S%C3%A3o", f"{by_country}/country=NO"])
    assert whole.where((col("year") == 2024) & (col("x") > 0)).count() == 4
    with pytest.raises(SourceError, match=r"year=2023/part-0\.parquet"):
        whole.to_arrow()


def test_folders_of_different_columns(by_country: str):
    odd = Path(by_country) / "country=NO" / "z=1"
    odd.mkdir()
    pq.write_table(pa.table({"x": [1]}), odd / "part-0.parquet")
    with pytest.raises(SourceError, match=r"its folders name the columns \['country', 'z'\], and"):
        dlbd.data.open(by_country)
