"""Features of real stores: the same rows give the same bits; images and IDX files; models that train on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow.parquet as pq
import pytest

import dlbd
from dlbd.data import Category, Date, DropDuplicates, Features, Image, Number, Source, Target, Text, Vector, Window

from ..rows import ORDER_BY, SCHEMA, TABLE, write


def made() -> Features:
    return Features(
        [
            Number("age", missing="median", clip=(0.05, 0.95), scale="standard"),
            Number("price", missing="mean", scale="standard"),
            Number("weight", missing="mean", scale="robust"),
            Number("score", missing=0, clip=(0.01, 0.99), scale="minmax"),
            Date("at", missing="mean"),
            Category("city"),
            Text("comment", max_tokens=20, encode="bag"),
        ],
        target="label",
    )


def test_the_same_bits_from_every_format(tmp_path: Path):
    pq.write_table(TABLE, tmp_path / "groups.parquet", row_group_size=37)
    files = [tmp_path / "groups.parquet", *(write(tmp_path / f"r.{k}") for k in ("csv", "csv.gz", "jsonl", "arrow"))]
    sources = [dlbd.data.open(TABLE), *(dlbd.data.open(f, schema=SCHEMA, order_by=ORDER_BY) for f in files)]
    found = []
    for source in sources:
        features = made()
        features.adapt(source)
        x, y = features.to_numpy(source)
        found.append((json.dumps(features.get_config()), x.tobytes(), y.tobytes()))
    assert x.shape == (1000, features.width)
    assert all(f == found[0] for f in found)


@pytest.fixture
def folder(tmp_path: Path) -> Source:
    """Images whose left or right half is bright."""
    rng = np.random.default_rng(0)
    for label in ("left", "right"):
        (tmp_path / label).mkdir()
        for i in range(40):
            pixels = rng.integers(0, 100, (6, 8), np.uint8)
            pixels[:, :4] += np.uint8(100 if label == "left" else 0)
            pixels[:, 4:] += np.uint8(100 if label == "right" else 0)
            PIL.Image.fromarray(pixels).save(tmp_path / label / f"{i}.png")
    return dlbd.data.open(tmp_path)


def test_a_folder_of_images_trains_a_model_that_reads_files(folder: Source, tmp_path: Path):
    features = Features.infer(folder, "label")
    assert features.inputs == (Image("image", size=(6, 8), channels=1),)
    dlbd.utils.set_random_seed(0)
    layers = dlbd.layers
    model = dlbd.Sequential(
        [
            dlbd.Input(features.input_shape),
            layers.RandomTranslation(0.2, 0.0),  # augmentation on the fly
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(dlbd.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(folder, target="label", features=features, epochs=8, verbose=0)
    assert model.evaluate(folder, verbose=0, return_dict=True)["accuracy"] > 0.95
    model.save(tmp_path / "m.dlbd")
    again = dlbd.models.load_model(tmp_path / "m.dlbd")
    assert again.features.classes == ["left", "right"]
    assert (again.predict(folder, verbose=0) == model.predict(folder, verbose=0)).all()


def test_idx_files_are_images(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 28, 28), np.uint8)
    header = bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">i4").tobytes()
    (tmp_path / "images.idx3-ubyte").write_bytes(header + pixels.tobytes())
    rows = dlbd.data.open(tmp_path / "images.idx3-ubyte")
    features = Features.infer(rows)
    assert features.inputs == (Vector("image", size=(28, 28, 1), scale=1 / 255),)
    assert features.input_shape == (28, 28, 1)
    features.adapt(rows)
    np.testing.assert_allclose(features.to_numpy(rows)[0][..., 0], pixels / 255, rtol=1e-6)


def test_windows_train_a_model_to_forecast():
    t = np.arange(400)
    rows = dlbd.data.open({"t": t, "load": np.sin(t / 5) * 3 + 7}, order_by="t")
    features = Features([Number("load", scale="standard")], target=Target("load"), window=Window(length=12, horizon=2))
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential([dlbd.Input((12, 1)), dlbd.layers.Flatten(), dlbd.layers.Dense(2)])
    model.compile(dlbd.optimizers.Adam(0.05), "mse")
    model.fit(rows, target="load", features=features, epochs=30, verbose=0)
    found = model.predict(rows, verbose=0)
    assert found.shape == (400, 2)
    assert np.isnan(found[:11]).all()
    np.testing.assert_allclose(found[11:398, 0], np.sin(t[12:399] / 5) * 3 + 7, atol=0.3)


def test_scikit_learn_trains_on_the_same_split():
    tree = pytest.importorskip("sklearn.tree").DecisionTreeClassifier(random_state=0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2_000)
    rows = dlbd.data.open(
        {"id": np.arange(2_000), "x": x, "city": rng.choice(["a", "b"], 2_000), "y": (x > 0).tolist()}
    )
    train, test = rows.split(train=0.8, test=0.2, by="id")
    features = Features.infer(train, "y", drop=["id"])
    features.adapt(train)
    tree.fit(*features.to_numpy(train))
    assert tree.score(*features.to_numpy(test)) > 0.99


def test_frames_of_every_kind():
    columns = {
        "c": ["a", "b", None, "a"],
        "t": ["x y", "y", None, "z"],
        "n": [1, 2, None, 4],
        "y": ["p", "q", "p", "q"],
    }
    frame, table = pd.DataFrame(columns), pl.DataFrame(columns)
    found = []
    for rows in (
        columns,
        frame,
        frame.convert_dtypes(),
        frame.astype({"c": "category", "y": "category"}),
        table,
        table.with_columns(pl.col("c", "y").cast(pl.Categorical)),
    ):
        features = Features(
            [Category("c"), Text("t", encode="bag"), Number("n", missing="mean")],
            target="y",
            rows=[DropDuplicates()],
            window=Window(1, horizon=0, by="c"),
            pseudonyms={"c": "0123456789abcdef"},
        )
        source = dlbd.data.open(rows)
        features.adapt(source)
        x, y = features.to_numpy(source)
        found.append((json.dumps(features.get_config()), x.tobytes(), y.tobytes()))
    assert x.shape == (4, 1, 8)
    assert [f == found[0] for f in found] == [True] * 6
