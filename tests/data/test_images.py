"""Folders of images and of texts by class."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

import dlbd
from dlbd.data import SourceError, col


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    for name in ("dog/2.jpg", "cat/10.png", "cat/1.PNG", "dog/old/1.jpeg", "cat/.hidden.png", "cat/Thumbs.db"):
        path = tmp_path / "animals" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"bytes of {name}".encode())
    return tmp_path / "animals"


def test_images_by_class(animals: Path):
    source = dlbd.data.open(animals)
    assert source.schema == pa.schema({"image": pa.binary(), "label": pa.string(), "path": pa.string()})
    names = ["cat/1.PNG", "cat/10.png", "dog/2.jpg", "dog/old/1.jpeg"]
    assert source.to_arrow().to_pylist() == [
        {"image": f"bytes of {n}".encode(), "label": n[:3], "path": f"{animals}/{n}"} for n in names
    ]
    assert source.count() == 4
    assert source.where(col("label") == "dog").select(["path"]).count() == 2
    assert dlbd.data.open(f"{animals}/*/*.jpg").to_arrow()["label"].to_pylist() == ["dog"]


def test_several_folders_are_no_set_of_classes(animals: Path):
    with pytest.raises(ValueError, match=r"images by class lie in one folder; received 2 addresses"):
        dlbd.data.open([animals / "cat", animals / "dog"])


def test_only_the_files_that_are_needed_are_read(animals: Path):
    source = dlbd.data.open(animals)
    (animals / "cat" / "10.png").unlink()
    assert source.select(["label"]).to_arrow()["label"].to_pylist() == ["cat", "cat", "dog", "dog"]
    with pytest.raises(SourceError, match=r"cat/10\.png: .*No such file"):
        source.to_arrow()


def test_images_without_classes(animals: Path):
    source = dlbd.data.open(animals / "cat")
    assert source.schema.names == ["image", "path"]
    assert source.count() == 2
    (animals / "stray.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"animals: .*/stray\.png lies beside the folders of the classes"):
        dlbd.data.open(animals)


def test_batches_of_large_images_are_small(tmp_path: Path):
    (tmp_path / "a").mkdir()
    for i in range(10):
        (tmp_path / "a" / f"{i}.png").write_bytes(bytes(5 << 20))
    source = dlbd.data.open(tmp_path)
    assert max(batch.num_rows for batch in source.reader.scan(["image"], None, (), 16384)) == 2
    assert source.count() == 10


def test_texts_by_class(tmp_path: Path):
    for name, text in {"good/1.txt": "nice\nday", "bad/1.txt": "düster", "bad/2.txt": ""}.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf8")
    (tmp_path / "texts" / "good" / "2.txt.gz").write_bytes(gzip.compress("très bien".encode()))
    source = dlbd.data.open(tmp_path / "texts")
    assert source.select(["text", "label"]).to_arrow().to_pydict() == {
        "text": ["düster", "", "nice\nday", "très bien"],
        "label": ["bad", "bad", "good", "good"],
    }
    assert dlbd.data.open(tmp_path / "texts", format="text").count() == 4  # lines, without classes
    (tmp_path / "texts" / "bad" / "3.txt").write_bytes(b"\xff")
    with pytest.raises(SourceError, match=r"bad/3\.txt: .*can't decode"):
        dlbd.data.open(tmp_path / "texts").to_arrow()
    assert dlbd.data.open(tmp_path / "texts", encoding="latin1").count() == 5
