"""The seed documents' programs run here with only their import lines changed."""

import runpy
import sys
from pathlib import Path

import pytest

import dlbd

from .documents import PROGRAMS

SEEDS = Path(__file__).parents[2] / "examples" / "seeds"
PARAMETERS = {
    "seed_000_cnn": 93_322,
    "seed_000_lstm": 31_649,
    "seed_002_cnn": 54_410,
    "seed_003_dense": 101_770,
    "seed_004_dense": 41,
}
each_program = pytest.mark.parametrize("name", PROGRAMS)


def here(program: str, package: str) -> str:
    return program.replace("import tensorflow as tf", "import dlbd as tf").replace(
        "from tensorflow.keras", f"from {package}"
    )


@each_program
def test_the_example_is_the_document_but_for_its_imports(name: str):
    example = (SEEDS / f"{name}.py").read_text()
    assert example.endswith(here(PROGRAMS[name], "dlbd.keras"))


@each_program
def test_the_example_runs(name: str, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--quick"])
    monkeypatch.setattr(sys, "path", [str(SEEDS), *sys.path])
    monkeypatch.delitem(sys.modules, "data", raising=False)
    ran = runpy.run_path(str(SEEDS / f"{name}.py"))
    monkeypatch.delitem(sys.modules, "data", raising=False)
    model = ran["model"]
    assert model.count_params() == PARAMETERS[name]
    losses = model.history.history["loss"]
    assert losses[-1] < losses[0]
    assert "Epoch 1/" in capsys.readouterr().out


@each_program
def test_the_imports_work_without_keras_in_their_names_too(name: str):
    definition = here(PROGRAMS[name], "dlbd").split("# 编译模型")[0]
    names: dict[str, object] = {}
    exec(definition, names)
    model = names["model"]
    assert isinstance(model, dlbd.Sequential)
    assert model.count_params() == PARAMETERS[name]
