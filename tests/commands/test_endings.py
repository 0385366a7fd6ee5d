"""How a command ends whose output nobody reads any more."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv

import dlbd
from dlbd import cli

from .running import started


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    csv.write_csv(pa.table({"x": list(range(100)), "y": ["a", "b"] * 50}), folder / "rows.csv")
    arguments = ["train", str(folder / "rows.csv"), "--target", "y", "--epochs", "1", "--out", str(folder / "m.dlbd")]
    assert cli.main(arguments) == 0
    return folder


@pytest.mark.timeout(120)
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        ["info"],
        ["--help"],
        ["train", "--help"],
        ["inspect", "rows.csv"],
        ["train", "rows.csv", "--target", "y", "--epochs", "1", "--out", "never.dlbd"],
        ["evaluate", "m.dlbd", "rows.csv"],
        ["predict", "m.dlbd", "rows.csv", "--out", "answers.csv"],
    ],
)
def test_a_closed_pipe_ends_a_command_without_a_word(shop: Path, arguments: list[str], buffered: bool):
    reading, writing = os.pipe()
    os.close(reading)
    env = {"PYTHONUNBUFFERED": "" if buffered else "1"}
    process = started(*arguments, cwd=shop, stdout=writing, env=env)
    os.close(writing)
    assert process.communicate()[1] == ""
    assert process.returncode in ((0, 141) if "--help" in arguments else (141,))  # argparse does not look


def test_a_connection_that_breaks_is_no_closed_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(options: object) -> None:
        raise BrokenPipeError(32, "Broken pipe", "db.example.com")

    monkeypatch.setattr(dlbd.commands.info, "run", broken)
    assert cli.main(["info"]) == 1
    assert capsys.readouterr().err == "dlbd info: [Errno 32] Broken pipe: 'db.example.com'\n"
