"""The ``dlbd`` command and what the demo is made of."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import dlbd
from dlbd import _cpu, cli, demo


def dlbd_command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "dlbd.cli", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_info_says_what_a_bug_report_needs():
    out = dlbd_command("info")
    assert out.returncode == 0
    assert not out.stderr
    said = {name: value.strip() for name, value in (line.split(":", 1) for line in out.stdout.splitlines())}
    assert said["instruction set"].startswith(_cpu.isa)
    assert said["threads"].startswith(f"{_cpu.num_threads()} of ")
    assert said["build"] == _cpu.build
    assert said["device"] == "cpu"
    assert said["numpy"] == np.__version__
    for what in ("dlbd", "processor", "system", "python"):
        assert said[what]


@pytest.mark.parametrize(
    "arguments", [[], ["tarin"], ["demo", "--epochs", "many"], ["train", "d.csv"], ["predict", "m.dlbd", "d.csv"]]
)
def test_misuse_is_status_2_with_a_usage_line(arguments):
    out = dlbd_command(*arguments)
    assert out.returncode == 2
    assert out.stderr.startswith("usage: dlbd")


def test_a_failure_is_one_line_and_status_1(capsys):
    assert cli.main(["demo", "--epochs", "0"]) == 1
    assert capsys.readouterr().err.startswith("dlbd demo: ")


def test_demo(tmp_path):
    out = dlbd_command("demo", "--epochs", "1", "--out", str(tmp_path / "new"))
    assert out.returncode == 0, out.stderr
    assert not out.stderr
    assert "Total params: 93,322" in out.stdout
    accuracy = float(out.stdout.split("test accuracy: ")[1].split()[0])
    assert accuracy > 0.8
    rows = out.stdout.split("true\\predicted")[1].splitlines()[1:11]
    matrix = np.array([[0 if n == "." else int(n) for n in row.split()[1:]] for row in rows])
    assert matrix.shape == (10, 10)
    assert accuracy == pytest.approx(matrix.trace() / matrix.sum(), abs=1e-4)
    assert "images per second" in out.stdout
    for name in ("learning-curves.png", "confusion.png"):
        picture = tmp_path / "new" / name
        assert str(picture) in out.stdout
        assert picture.read_bytes().startswith(b"\x89PNG")
    model, database = tmp_path / "new" / "digits.dlbd", tmp_path / "new" / "digits.db"
    test = dlbd.data.open(f"sqlite:///{database}", table="digits").where(dlbd.data.col("part") == "test")
    found = dlbd.models.load_model(model).evaluate(test, verbose=0, return_dict=True)
    assert found["accuracy"] == pytest.approx(accuracy, abs=1e-4)


def test_stratified_split_is_disjoint_seeded_and_proportional():
    labels = np.repeat(np.arange(4), [10, 20, 30, 40])
    parts = demo.stratified_split(labels, (0.7, 0.1, 0.2), seed=3)
    assert sorted(np.concatenate(parts)) == list(range(100))
    for part, fraction in zip(parts, (0.7, 0.1, 0.2), strict=True):
        np.testing.assert_array_equal(np.bincount(labels[part]), fraction * np.array([10, 20, 30, 40]))
    again, other = (demo.stratified_split(labels, (0.7, 0.1, 0.2), seed) for seed in (3, 4))
    np.testing.assert_array_equal(parts[0], again[0])
    assert not np.array_equal(parts[0], other[0])


def test_shifted_copies_bring_zeros_in():
    image = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    images, labels = demo.with_shifted_copies(image, np.array([7]), pixels=1)
    assert images.shape == (5, 4, 4, 1)
    assert labels.tolist() == [7] * 5
    np.testing.assert_array_equal(images[0], image[0])
    for moved, shift, axis in zip(images[1:, ..., 0], (1, -1, 1, -1), (0, 0, 1, 1), strict=True):
        expected = np.roll(image[0, ..., 0], shift, axis)
        np.moveaxis(expected, axis, 0)[0 if shift > 0 else -1] = 0
        np.testing.assert_array_equal(moved, expected)


# train, evaluate, predict, inspect


def people(rows=1200):
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, rows)
    income = rng.normal(3000, 1000, rows).round(2)
    city = np.array(["Bonn", "Oslo", "Rome"])[rng.integers(0, 3, rows)]
    return {
        "id": np.arange(rows),
        "age": pa.array(age, mask=np.arange(rows) % 50 == 0),
        "income": income,
        "city": city,
        "buys": np.where((income > 3000) & (city != "Rome"), "yes", "no"),
        "price": income * 10 + age,
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with people.csv and a model of who buys."""
    folder = tmp_path_factory.mktemp("shop")
    csv.write_csv(pa.table(people()), folder / "people.csv")
    arguments = ["--target", "buys", "--drop", "id,price", "--epochs", "4", "--out", str(folder / "buys.dlbd")]
    assert cli.main(["train", str(folder / "people.csv"), *arguments]) == 0
    return folder


@pytest.fixture
def run(shop, monkeypatch, capsys):
    """Runs a command in the folder and gives what it printed."""
    monkeypatch.chdir(shop)

    def command(*arguments, status=0):
        assert cli.main(list(arguments)) == status
        said = capsys.readouterr()
        return said.out if status == 0 else said.err

    return command


def test_train_and_evaluate(run, shop):
    said = run("train", "people.csv", "--target", "buys", "--drop", "id,price", "--epochs", "4", "--out", "again.dlbd")
    accuracy = float(said.split("test: ")[1].split("accuracy ")[1].split(",")[0])
    assert accuracy > 0.9
    assert "val_loss" in said
    assert said.endswith("model: again.dlbd\n")
    first, again = (dlbd.models.load_model(shop / name) for name in ("buys.dlbd", "again.dlbd"))
    assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
    assert again.features.columns == ["age", "income", "city"]
    found = dict(line.split(": ") for line in run("evaluate", "buys.dlbd", "people.csv").splitlines())
    assert float(found["accuracy"]) > 0.9
    assert float(found["loss"]) < 0.4


def test_numbers_are_predicted_in_their_own_units(run, shop):
    run("train", "people.csv", "--target", "price", "--drop", "id,buys", "--epochs", "12", "--out", "price.dlbd")
    run("predict", "price.dlbd", "people.csv", "--out", "price.csv")
    predicted = csv.read_csv(shop / "price.csv")["predicted"].to_numpy()
    assert np.abs(predicted - people()["price"]).mean() < 500
    run("train", "people.csv", "--target", "price,income", "--columns", "age,price,income", "--epochs", "1")
    run("predict", "model.dlbd", "people.csv", "--out", "two.csv")
    assert csv.read_csv(shop / "two.csv").column_names == ["predicted_price", "predicted_income"]


def test_predictions_go_into_files_and_tables(run, shop):
    said = run("predict", "buys.dlbd", "people.csv", "--out", "p.parquet", "--keep", "id")
    assert said == "1,200 rows: p.parquet\n"
    wanted = parquet.read_table(shop / "p.parquet")
    assert wanted.column_names == ["id", "predicted", "probability"]
    assert wanted["id"].to_pylist() == list(range(1200))
    assert np.mean(wanted["predicted"].to_numpy() == people()["buys"]) > 0.9
    assert wanted["probability"].to_numpy().min() >= 0.5
    run("predict", "buys.dlbd", "people.csv", "--out", "p.jsonl", "--order-by", "id")
    lines = [json.loads(line) for line in (shop / "p.jsonl").read_text().splitlines()]
    assert [line["predicted"] for line in lines] == wanted["predicted"].to_pylist()
    assert list(lines[0]) == ["id", "predicted", "probability"]
    run("predict", "buys.dlbd", "people.csv", "--out", "sqlite:///p.db", "--out-table", 'odd "name"', "--keep", "id")
    with sqlite3.connect(shop / "p.db") as database:
        rows = database.execute('SELECT id, predicted FROM "odd ""name"""').fetchall()
    assert rows == list(zip(range(1200), wanted["predicted"].to_pylist(), strict=True))
    again = run("predict", "buys.dlbd", "people.csv", "--out", "sqlite:///p.db", "--out-table", 'odd "name"', status=1)
    assert "has a table" in again
    run("predict", "buys.dlbd", "people.csv", "--out", "sqlite:///p.db", "--out-table", "t", "--if-exists", "replace")


def test_no_rows_give_a_file_without_rows(run, shop):
    (shop / "none.csv").write_text("age,income,city\n")
    schema = "age=int64,income=double,city=string"
    assert run("predict", "buys.dlbd", "none.csv", "--schema", schema, "--out", "none.parquet").startswith("0 rows")
    assert parquet.read_table(shop / "none.parquet").schema.names == ["predicted", "probability"]


def test_windows_of_a_time_series(run, shop):
    t = np.arange(1500)
    csv.write_csv(pa.table({"t": t, "load": 100 + 10 * np.sin(t / 5)}), shop / "load.csv")
    arguments = ["--target", "load", "--order-by", "t", "--window", "12", "--epochs", "5", "--out", "load.dlbd"]
    assert 'Model: "lstm"' in run("train", "load.csv", *arguments)
    run("predict", "load.dlbd", "load.csv", "--order-by", "t", "--out", "next.csv")
    found = csv.read_csv(shop / "next.csv")
    assert found["t"].to_pylist() == t.tolist()
    assert found["predicted"].null_count == 11
    errors = found["predicted"].to_numpy()[11:] - (100 + 10 * np.sin((t[11:] + 1) / 5))
    assert np.abs(errors).mean() < 2
    assert "--order-by" in run("train", "load.csv", "--target", "load", "--window", "12", status=1)


def test_a_model_of_ones_own(run, shop):
    (shop / "own.py").write_text(
        """
from dlbd import Sequential, layers

def build(features):
    model = Sequential([layers.Dense(len(features.classes), activation="softmax")], name="own")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
    )
    arguments = ["--target", "buys", "--model", "own.py", "--epochs", "1", "--split", "1", "--out", "own.dlbd"]
    assert "test: " not in run("train", "people.csv", *arguments)
    assert dlbd.models.load_model(shop / "own.dlbd").name == "own"


def test_options_of_a_kind_of_source(run, shop):
    (shop / "export.csv").write_text("name;price\nZoë;1,5\nNA;2,5\n", encoding="latin1")
    options = ["delimiter=;", "decimal_point=,", "encoding=latin1", 'null_values=["NA"]']
    said = run("inspect", "export.csv", *(word for option in options for word in ("--option", option)))
    assert "2 rows, 2 columns" in said
    assert "float64" in said
    assert "50.0%" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "nothing.csv", "--target", "x"], "nothing.csv: there is no such file"),
        (["train", "people.csv", "--target", "bys"], "has no column 'bys'; it has"),
        (["train", "people.csv", "--target", "buys", "--out", "m.keras"], "--out ends in"),
        (
            ["train", "people.csv", "--target", "buys", "--out", "nowhere/m.dlbd"],
            "is not there, or cannot be written to",
        ),
        (["train", "people.csv", "--target", "buys", "--model", "svm"], "--model is one of mlp, cnn"),
        (["train", "people.csv", "--target", "buys", "--model", "cnn"], "cnn takes images"),
        (["train", "people.csv", "--target", "buys", "--split", "half"], "--split is one to three numbers"),
        (["train", "people.csv", "--target", "buys", "--split", "0.9,0.9"], "at most 1"),
        (["train", "people.csv", "--target", "buys", "--schema", "age"], "--schema has a type for each column"),
        (["inspect", "people.csv", "--option", "delimiter"], "--option is a name and a value"),
        (["inspect", "people.csv", "--option", "delimitr=;"], "delimitr"),
        (["train", "people.csv", "--target", "buys", "--epochs", "0"], "--epochs must be at least 1"),
        (["evaluate", "people.csv", "people.csv"], "people.csv"),
        (["evaluate", "nothing.dlbd", "people.csv"], "nothing.dlbd"),
        (["predict", "buys.dlbd", "people.csv", "--out", "p.xls"], "--out is a file that ends in .csv"),
        (["predict", "buys.dlbd", "people.csv", "--out", "nowhere/p.csv"], "nothing was saved"),
        (["predict", "buys.dlbd", "people.csv", "--out", "p.csv", "--keep", "x"], "has no column 'x'"),
        (["predict", "buys.dlbd", "people.csv", "--out", "p.csv", "--columns", "age"], "has no column 'income'"),
        (["inspect", "people.csv", "--target", "x"], "has no column 'x'"),
    ],
)
def test_what_is_wrong_is_one_line(run, shop, arguments, says):
    before = sorted(os.listdir(shop))
    said = run(*arguments, status=1)
    assert said.startswith(f"dlbd {arguments[0]}: ")
    assert says in said
    assert said.count("\n") == 1
    assert sorted(os.listdir(shop)) == before


@pytest.mark.parametrize("out", ["p.csv", "p.parquet", "p.jsonl", "sqlite:///p.db"])
def test_a_full_disk_leaves_no_part_of_the_predictions(shop, tmp_path, out):
    """Files may grow to 8 kB: what a full disk looks like to a program."""

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    (tmp_path / "p.csv").write_text("from before")
    arguments = ["predict", str(shop / "buys.dlbd"), str(shop / "people.csv"), "--out", out, "--keep", "id,price"]
    failed = dlbd_command(*arguments, cwd=tmp_path, preexec_fn=small_files, env=os.environ | {"PYTHONPATH": _path()})
    assert failed.returncode == 1, failed.stderr
    assert failed.stderr.startswith("dlbd predict: ")
    assert failed.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["p.csv"]
    assert (tmp_path / "p.csv").read_text() == "from before"


def _path():
    return os.pathsep.join(os.path.abspath(p) for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("out", ["p.csv", "sqlite:///p.db"])
def test_an_interrupt_leaves_no_part_of_the_predictions(shop, tmp_path, out):
    arguments = ["predict", str(shop / "buys.dlbd"), "endless", "--out", out]
    code = f"""
import itertools, sys
import dlbd.data, dlbd.cli
def records():
    for i in itertools.count():
        if i == 40_000:
            print("reading", flush=True)
        yield {{"age": i % 90, "income": 1.0 * i, "city": "Rome"}}
opened = dlbd.data.open(records, schema={{"age": "int64", "income": "double", "city": "string"}})
import dlbd.commands.predict
dlbd.commands.predict.opened = lambda options: opened
sys.exit(dlbd.cli.main({arguments!r}))
"""
    running = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": _path()},
    )
    try:
        assert running.stdout.readline() == "reading\n"
        running.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert running.wait(10) == 130
        assert time.monotonic() - sent < 2
    finally:
        running.kill()
    assert running.communicate()[1] == "dlbd predict: interrupted\n"
    assert os.listdir(tmp_path) == []
