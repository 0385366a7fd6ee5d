"""Files as people have them: byte order marks, odd names, hidden ones, links, fields of any length."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import dlbd
from dlbd.data import SourceError, col
from tests.data.rows import write

MARK = b"\xef\xbb\xbf"  # what Windows puts in front of UTF-8


def rows(what: object, **options: Any) -> list[dict[str, Any]]:
    return dlbd.data.open(what, **options).to_arrow().to_pylist()  # type: ignore[no-any-return]


def put(path: Path, content: str | bytes = "a\n1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Text


def test_a_byte_order_mark_is_no_text(tmp_path: Path):
    assert rows(put(tmp_path / "a.csv", MARK + b"a,b\n1,2\n")) == [{"a": 1, "b": 2}]
    assert rows(put(tmp_path / "a.txt", MARK + b"one\ntwo\n")) == [{"text": "one"}, {"text": "two"}]
    put(tmp_path / "mail" / "spam" / "1.txt", MARK + b"one\r\n")
    assert rows(tmp_path / "mail")[0]["text"] == "one\r\n"
    broken = put(tmp_path / "b.csv", MARK + b"a,b\n" + b"1,2\n" * 300_000 + b"x,2\n")
    with pytest.raises(SourceError, match=r"b\.csv: line 300002, column 'a': "):
        rows(broken)


def test_the_line_of_an_error_behind_a_long_field(tmp_path: Path):
    path = put(tmp_path / "a.csv", "a,b\n1," + "x" * 300_000 + "\n2\n")
    with pytest.raises(SourceError, match=r"a\.csv: line 3: Expected 2 columns, got 1"):
        rows(path)


def test_decimal_commas(tmp_path: Path):
    path = put(tmp_path / "a.csv", "x;price\n1,5;2,25\n-0,5;\n")
    assert rows(path, delimiter=";", decimal_point=",") == [
        {"x": 1.5, "price": 2.25},
        {"x": -0.5, "price": None},
    ]


def test_a_text_in_place_of_a_list_of_texts(tmp_path: Path):
    path = put(tmp_path / "a.csv")
    for option in ("null_values", "column_names"):
        with pytest.raises(TypeError, match=f"{option} is a list of texts; received 'NA'"):
            dlbd.data.open(path, **{option: "NA"})


# Names


@pytest.mark.parametrize("name", ["photos[1]", "photos*", "photos?"])
def test_a_folder_with_wildcards_in_its_name(tmp_path: Path, name: str):
    for label in ("cat", "dog"):
        (tmp_path / name / label).mkdir(parents=True)
        Image.new("RGB", (2, 2)).save(tmp_path / name / label / "1.png")
    assert dlbd.data.open(tmp_path / name).to_arrow()["label"].to_pylist() == ["cat", "dog"]
    put(tmp_path / f"lines{name}" / "a.txt", "one\ntwo\n")
    assert [row["text"] for row in rows(tmp_path / f"lines{name}")] == ["one", "two"]


def test_hidden_files(tmp_path: Path):
    put(tmp_path / "a.csv")
    for name in (".b.csv", "._a.csv", "_c.csv", "_temporary/0/d.csv", ".e/f.csv"):
        put(tmp_path / name, "a\n2\n")
    put(tmp_path / "_SUCCESS", "")
    for what in (tmp_path, f"{tmp_path}/*.csv", f"{tmp_path}/*", f"{tmp_path}/**/*.csv", f"{tmp_path}/**"):
        assert rows(what, format="csv") == [{"a": 1}], what
    for name in ("_c.csv", "_temporary", "_temporary/*/d.csv", ".b*"):
        assert rows(tmp_path / name) == [{"a": 2}], name


def test_a_column_of_folders_may_begin_with_an_underscore(tmp_path: Path):
    for year in (2023, 2024):
        put(tmp_path / f"_year={year}" / "a.csv")
    assert rows(tmp_path) == [{"a": 1, "_year": 2023}, {"a": 1, "_year": 2024}]


def test_wildcards_look_into_no_other_folders(tmp_path: Path):
    for i in (1, 2):
        put(tmp_path / f"day{i}" / "set" / "a.csv", f"a\n{i}\n")
    (tmp_path / "day1" / "other").mkdir()
    (tmp_path / "day1" / "other" / "round").symlink_to("round")
    assert [row["a"] for row in rows(f"{tmp_path}/day?/set/*.csv")] == [1, 2]
    assert [row["a"] for row in rows(f"{tmp_path}/*[2]/**/a.csv")] == [2]


# Types


def test_views_are_read_as_plain_values(tmp_path: Path):
    frame = pl.DataFrame(
        {
            "text": ["a", None, "b"],
            "tags": [["x"], [], None],
            "kind": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
            "pair": [{"k": "x"}] * 3,
        }
    )
    frame.write_ipc(tmp_path / "a.arrow")
    frame.write_parquet(tmp_path / "a.parquet")
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None]))
    with pa.ipc.new_file(tmp_path / "runs.arrow", pa.schema({"runs": runs.type, "i": pa.int64()})) as writer:
        writer.write_batch(pa.record_batch({"runs": runs, "i": [0, 1, 2]}))
    for what in (frame, tmp_path / "a.arrow", tmp_path / "a.parquet"):
        source = dlbd.data.open(what, order_by="text")
        assert source.to_arrow()["text"].to_pylist() == [None, "a", "b"]
        some = source.where((col("text") == "b") & (col("kind") == "u"))
        assert some.to_arrow().to_pylist() == [{"text": "b", "tags": None, "kind": "u", "pair": {"k": "x"}}]
        assert sum(part.count() for part in source.split(a=0.5, b=0.5, by="text")) == 3
        assert source.to_numpy()["tags"][1].tolist() == ["x"]
    assert rows(tmp_path / "runs.arrow") == [{"runs": "x", "i": 0}, {"runs": "x", "i": 1}, {"runs": None, "i": 2}]
    assert dlbd.data.open(tmp_path / "runs.arrow").where(col("runs") == "x").count() == 2


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_files_of_different_types_are_put_in_the_declared_order(tmp_path: Path, suffix: str):
    write(tmp_path / f"a.{suffix}", pa.table({"x": [1, 10, 9]}))
    write(tmp_path / f"b.{suffix}", pa.table({"x": [1.5, None]}))
    write(tmp_path / f"c.{suffix}", pa.table({"x": ["20", "3"]}))
    source = dlbd.data.open(tmp_path, schema={"x": "float64"}, order_by="x")
    assert source.to_arrow()["x"].to_pylist() == [None, 1.0, 1.5, 3.0, 9.0, 10.0, 20.0]


def test_a_table_of_very_many_columns(tmp_path: Path):
    names = [f"c{i}" for i in range(10_000)]
    table = pa.table({name: [i] for i, name in enumerate(names)})
    for suffix in ("csv", "arrow"):
        path = write(tmp_path / f"a.{suffix}", table)
        begin = time.process_time()
        source = dlbd.data.open(path, schema=dict.fromkeys(names, "float32"))
        assert source.to_arrow()["c9999"].to_pylist() == [9999.0]
        assert time.process_time() - begin < 5


# Damage


PROGRAM = """
import random, sys
import dlbd.data
path, seeds = sys.argv[1], range(*map(int, sys.argv[2:]))
good = open(path, "rb").read()
for seed in seeds:
    draw = random.Random(seed)
    content = bytearray(good)
    for _ in range(draw.choice([1, 2, 5])):
        content[draw.randrange(8, len(content))] = draw.randrange(256)
    with open(path, "wb") as file:
        file.write(content)
    try:
        source = dlbd.data.open(path)
        for batch in source.where(dlbd.data.col("i") >= 0).batches():
            batch.validate(full=True)
            batch.column("text").to_pylist()
    except dlbd.data.SourceError as error:
        assert path in str(error)
"""


@pytest.mark.parametrize("suffix", ["arrow", "arrows", "parquet"])
def test_a_damaged_file_is_an_error_or_has_rows(tmp_path: Path, suffix: str):
    table = pa.table(
        {
            "i": range(500),
            "text": [f"text {i} é" for i in range(500)],
            "kind": pa.array(["abc"[i % 3] for i in range(500)]).dictionary_encode(),
            "list": [[i] * (i % 4) for i in range(500)],
        }
    )
    path = write(tmp_path / f"a.{suffix}", table)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), "0", "300"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": range(100_000)}), path, row_group_size=1_000)
    batches = dlbd.data.open(path).batches(100)
    next(batches)
    os.truncate(path, 1_000)
    with pytest.raises(SourceError, match=r"a\.parquet: "):
        list(batches)


def test_an_idx_file_that_claims_the_impossible(tmp_path: Path):
    for sizes in ((1, 2**31, 1), (1, 2**20, 2**20)):
        path = put(tmp_path / "a.idx", bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in sizes) + bytes(9))
        with pytest.raises(SourceError, match=r"a\.idx: "):
            rows(path)


def test_links(tmp_path: Path):
    put(tmp_path / "set" / "a.csv", "a\n1\n")
    put(tmp_path / "other" / "sub" / "b.csv", "a\n2\n")
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "set" / "up").symlink_to("..")
    (tmp_path / "other" / "back").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "self").symlink_to("self")
    for what in (tmp_path / "set", f"{tmp_path}/set/**/*.csv"):
        found = sorted({row["a"] for row in rows(what)})
        assert found == [1, 2], what
        assert dlbd.data.open(what).count() <= 4
    (tmp_path / "set" / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    for what in (tmp_path / "set", f"{tmp_path}/set/*.csv"):
        with pytest.raises(SourceError, match=r"gone\.csv: .*No such file"):
            rows(what)


def test_json_that_is_no_utf8(tmp_path: Path):
    for line in ('{"name": "Zoë"}', '{"ë": 1}'):
        with pytest.raises(SourceError, match=r"a\.jsonl: line 2: holds bytes that are no UTF-8"):
            rows(put(tmp_path / "a.jsonl", b'{"name": "x"}\n' + line.encode("latin1") + b"\n"))
    path = put(tmp_path / "a.jsonl", b'{"name": "x"}\n' * 800_000 + b'{"name": "\xff"}\n')
    with pytest.raises(SourceError, match=r"a\.jsonl: line 800001: holds bytes that are no UTF-8"):
        rows(path)


def test_a_broken_line_of_json_is_found_quickly(tmp_path: Path):
    path = put(tmp_path / "a.jsonl", '{"day": "2020-01-01"}\n' * 600_000 + '{"day": "never"}\n')
    begin = time.process_time()
    with pytest.raises(SourceError, match=r"a\.jsonl: line 600001: .*never"):
        rows(path)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Größe,b\n1,2\n".encode("latin1"), r"the names of columns are not utf8: pass encoding="),
        (b"a,b\n" + b"x,1\n" * 300_000 + b"\xeb,1\n", r"line 300002, column 'a': is not utf8: pass encoding="),
        ("a,b\n1,2\n".encode("utf16"), r'begins as UTF-16: pass encoding="utf16"'),
        (gzip.compress(b"a,b\n1,2\n" * 1000), r"begins as gzip does: its name should end in \.gz"),
    ],
)
def test_bytes_that_are_no_text_in_utf8(tmp_path: Path, content: bytes, said: str):
    with pytest.raises(SourceError, match=rf"a\.csv: {said}"):
        rows(put(tmp_path / "a.csv", content))


def test_utf16(tmp_path: Path):
    path = put(tmp_path / "a.csv", "name\nZoë\n".encode("utf16"))
    assert rows(path, encoding="utf16") == [{"name": "Zoë"}]
    for delimiter in ("", "||"):
        with pytest.raises(ValueError, match="delimiter is one character; received"):
            dlbd.data.open(path, delimiter=delimiter)


def test_a_quote_that_is_never_closed_loses_no_rows_in_silence(tmp_path: Path):
    for content, line in (('a,b\n1,"x\n2,y\n3,z\n', 2), ("a,b\n\n" + "1,2\n" * 400_000 + '5,"x\n6,y', 400_003)):
        path = put(tmp_path / "a.csv", content)
        for read in (rows, lambda path: dlbd.data.open(path).count()):
            with pytest.raises(SourceError, match=rf"a\.csv: line {line}: a quote is never closed"):
                read(path)
    for content in ('a,b\n1,"x\ny"', 'a,b\n1,"x\ny"\n', 'a,b\r\n1,"x\ny"\r\n\r\n', 'a,b\n1,"x\ny"\n\n\n'):
        assert rows(put(tmp_path / "a.csv", content)) == [{"a": 1, "b": "x\ny"}]
    assert rows(put(tmp_path / "a.csv", "a\n1\n")) == [{"a": 1}]
    assert rows(put(tmp_path / "a.csv", "1\n"), column_names=["a"]) == [{"a": 1}]
    assert rows(put(tmp_path / "a.csv", "\n\n"), schema={"a": "int64"}) == []


def test_a_source_can_be_sent_to_another_process(tmp_path: Path):
    table = pa.table({"i": [1, 2], "day": [date(2020, 1, 1), None], "price": pa.array([1, 2], pa.decimal128(5, 2))})
    sources = [dlbd.data.open(write(tmp_path / f"a.{suffix}", table)) for suffix in ("csv", "parquet", "arrow")]
    for kind in ("sqlite", "duckdb"):
        address = f"{kind}:///{tmp_path}/{kind}.db"
        dlbd.data.write_table(address, "t", table)
        sources.append(dlbd.data.open(address, table="t", order_by="i"))
    for source in [*sources, dlbd.data.open(table)]:
        sent = pickle.loads(pickle.dumps(source.where(col("i") > 1).split(a=0.5, b=0.5, by="i")[0]))
        assert pickle.loads(pickle.dumps(source)).to_arrow().equals(source.to_arrow())
        assert sent.count() in (0, 1)
