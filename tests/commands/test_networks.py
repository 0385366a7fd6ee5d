"""The networks of dlbd train, and what dlbd predict makes of their outputs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import dlbd
from dlbd import cli
from dlbd.commands.networks import network, target_shape, usual_kind
from dlbd.data import Category, Features, Number, Text, Vector, Window

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder and gives what it printed."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str, status: int = 0) -> str:
        assert cli.main(list(arguments)) == status
        out = capsys.readouterr()
        return out.out if status == 0 else out.err

    return command


def test_networks_fit_the_features():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 40)
    for kind, columns, rows in [
        ("mlp", [Number("x"), Category("c", encode="embedding")], {"x": label * 1.0, "c": label}),
        ("cnn", [Vector("x", size=(8, 8, 1))], {"x": list(rng.random((40, 64)))}),
        ("lstm", [Vector("x", size=(6, 2))], {"x": list(rng.random((40, 12)))}),
        ("conv1d", [Text("x", length=9)], {"x": [f"word{n} and more" for n in label]}),
    ]:
        source = dlbd.data.open({**rows, "label": label})
        features = Features(columns, "label")
        features.adapt(source)
        assert usual_kind(features) == kind
        model = network(kind, features)
        model.fit(source, features=features, verbose=0)
        assert model.predict(source).shape == (40, 3)
    assert network("gru", features).output_shape == (None, 3)
    with pytest.raises(ValueError, match=r"unet makes images|unet takes images"):
        network("unet", features)


@pytest.mark.parametrize(
    ("target", "horizon", "shape", "columns"),
    [
        ("load", 0, (), ["predicted"]),
        ("load", 1, (1,), ["predicted"]),
        ("load", 3, (3,), ["predicted_1", "predicted_2", "predicted_3"]),
        ("load,temp", 1, (1, 2), ["predicted_load", "predicted_temp"]),
        (
            "load,temp",
            2,
            (2, 2),
            ["predicted_load_1", "predicted_load_2", "predicted_temp_1", "predicted_temp_2"],
        ),
        ("state", 1, (1,), ["predicted", "probability"]),
        ("state", 2, (2,), ["predicted_1", "probability_1", "predicted_2", "probability_2"]),
    ],
)
def test_sequences_of_several_columns(run: Run, target: str, horizon: int, shape: tuple[int, ...], columns: list[str]):
    t = np.arange(900)
    wave = np.sin(t / 5)
    table = {"t": t, "load": 100 + 10 * wave, "temp": 20 + np.cos(t / 5), "state": np.where(wave > 0, "up", "down")}
    csv.write_csv(pa.table(table), "series.csv")
    arguments = ["--target", target, "--order-by", "t", "--window", "10", "--horizon", str(horizon), "--epochs", "2"]
    run("train", "series.csv", *arguments)
    features = dlbd.models.load_model("model.dlbd").features
    assert target_shape(features) == shape
    run("predict", "model.dlbd", "series.csv", "--order-by", "t", "--out", "p.csv")
    found = csv.read_csv("p.csv", convert_options=csv.ConvertOptions(strings_can_be_null=True))
    assert found.column_names == ["t", *columns]
    assert [found[name].null_count for name in columns] == [9] * len(columns)
    if target != "state":
        last = found[columns[0]].to_numpy()[9:]
        assert np.abs(last - (100 + 10 * np.sin((t[9:] + min(horizon, 1)) / 5))).mean() < 5


def test_images_out_of_images(run: Run):
    pillow = pytest.importorskip("PIL.Image")

    def png(pixels: np.ndarray) -> bytes:
        file = io.BytesIO()
        pillow.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        return file.getvalue()

    rng = np.random.default_rng(0)
    masks = np.zeros((120, 15, 21))
    for mask, y, x in zip(masks, rng.integers(0, 10, 120), rng.integers(0, 16, 120), strict=True):
        mask[y : y + 5, x : x + 5] = 255
    photos = masks / 2 + rng.integers(0, 100, masks.shape)
    rows = {"id": np.arange(120), "photo": list(map(png, photos)), "mask": list(map(png, masks))}
    parquet.write_table(pa.table(rows), "masks.parquet")
    assert 'Model: "unet"' in run("train", "masks.parquet", "--target", "mask", "--drop", "id", "--epochs", "6")
    run("predict", "model.dlbd", "masks.parquet", "--keep", "id", "--out", "p.parquet")
    found = [np.asarray(pillow.open(io.BytesIO(b))) for b in parquet.read_table("p.parquet")["predicted"].to_pylist()]
    assert np.mean((np.stack(found) > 127) == (masks > 127)) > 0.95
    for out in ("p.csv", "p.jsonl"):
        said = run("predict", "model.dlbd", "masks.parquet", "--out", out, status=1)
        assert said.startswith(
            f"dlbd predict: --out: a {Path(out).suffix} file holds no binary, which column 'predicted'"
        )
    run("train", "masks.parquet", "--target", "mask", "--columns", "photo,mask", "--model", "mlp", "--epochs", "1")
    assert dlbd.models.load_model("model.dlbd").output_shape == (None, 15, 21, 1)
    said = run("train", "masks.parquet", "--target", "id", "--drop", "mask", "--model", "unet", status=1)
    assert "unet makes images" in said


def test_lists_out(run: Run):
    t = np.arange(80)[:, None] + np.arange(8)
    rows = {"wave": list(np.sin(t)), "turned": list(np.cos(t))}
    parquet.write_table(pa.table(rows), "waves.parquet")
    run("train", "waves.parquet", "--target", "turned", "--epochs", "60", "--learning-rate", "0.01")
    run("predict", "model.dlbd", "waves.parquet", "--out", "p.jsonl")
    found = [json.loads(line)["predicted"] for line in Path("p.jsonl").read_text().splitlines()]
    assert np.abs(np.array(found) - np.cos(t)).mean() < 0.2
    assert "holds no fixed_size_list" in run("predict", "model.dlbd", "waves.parquet", "--out", "p.csv", status=1)


def test_windows_are_predicted_in_bounded_memory(run: Run, monkeypatch: pytest.MonkeyPatch):
    """Many more rows than a batch has; what is asked for at once is what comes of one."""
    t = np.arange(40_000)
    parquet.write_table(pa.table({"t": t, "load": np.sin(t / 5)}), "long.parquet")
    features = Features([Number("load")], "load", window=Window(50))
    source = dlbd.data.open("long.parquet", order_by="t")
    features.adapt(source)
    model = network("mlp", features)
    model.features = features
    model.save("m.dlbd")
    sizes: list[int] = []
    predict = dlbd.Model.predict

    def noted(self: Any, x: Any, **options: Any) -> Any:
        sizes.append(len(x))
        return predict(self, x, **options)

    wanted = model.predict(source)
    monkeypatch.setattr(dlbd.Model, "predict", noted)
    run("predict", "m.dlbd", "long.parquet", "--order-by", "t", "--out", "p.parquet")
    assert sum(sizes) == 40_000 - 49
    assert max(sizes) <= 16_384
    found = parquet.read_table("p.parquet")["predicted"].to_numpy()
    np.testing.assert_array_equal(found, wanted.ravel())


def test_what_features_take_for_a_target():
    rows = dlbd.data.open(
        {
            "x": [1.0, 2.0],
            "list": [[1.0, 2.0], [3.0, 4.0]],
            "pixels": pa.array([[[0, 1]], [[2, 3]]], pa.list_(pa.list_(pa.uint8(), 2), 1)),
            "bytes": [b"abc", None],
        }
    )
    assert Features.infer(rows, "list", drop=["pixels", "bytes"]).target == Vector("list")
    image = Features.infer(rows, "pixels", drop=["list", "bytes"]).target
    assert image == Vector("pixels", size=(1, 2, 1), scale=1 / 255)
    with pytest.raises(ValueError, match="target 'bytes' holds bytes that are no image"):
        Features.infer(rows, "bytes", drop=["list", "pixels"])
