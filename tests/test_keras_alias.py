"""dlbd.keras is dlbd, down to every submodule, for every way to import it."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import dlbd

from .test_docstrings import NEED_SPARK

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(dlbd.__path__, "dlbd.")
    if not m.name.startswith(("dlbd._", "dlbd.cli", "dlbd.demo", "dlbd.keras"))
)


@pytest.mark.parametrize("name", MODULES)
def test_identity(name: str):
    if name.startswith(NEED_SPARK):
        pytest.importorskip("pyspark", reason="pyspark is not installed")
    module = importlib.import_module(name)
    parent, _, child = name.rpartition(".")
    attribute = getattr(importlib.import_module(parent), child)
    alias = importlib.import_module(name.replace("dlbd.", "dlbd.keras.", 1))
    assert alias is module
    assert module.__name__ == name
    assert module.__spec__.name == name
    assert getattr(importlib.import_module(parent), child) is attribute


FORMS = [
    "import dlbd as tf; assert tf.keras.layers.Dense is tf.layers.Dense; tf.keras.Sequential",
    "from dlbd.keras import layers, models; import dlbd; assert layers is dlbd.layers and models is dlbd.models",
    "from dlbd.keras.models import Sequential, Model; import dlbd; assert Sequential is dlbd.models.Sequential",
    "from dlbd.keras.layers import Conv2D, MaxPooling2D, Flatten, Dense, LSTM, Input, Attention, LeakyReLU, Reshape, "
    "Conv2DTranspose; import dlbd.layers; assert Dense is dlbd.layers.Dense",
    "from dlbd.layers import Dense; import dlbd.keras.layers as k; assert k.Dense is Dense",
    "import dlbd.keras.layers.dense as a; import dlbd.layers.dense as b; assert a is b",
    "import dlbd.keras as k; import dlbd; assert k is dlbd and k.keras.keras is dlbd",
    "from dlbd.keras.utils import to_categorical, pad_sequences, set_random_seed",
    "from dlbd.keras.optimizers import Adam; from dlbd.keras.callbacks import EarlyStopping",
    "import sys, dlbd, dlbd.keras.layers; assert 'dlbd.keras.layers' in sys.modules; "
    "assert len({id(m) for n, m in sys.modules.items() if n in ('dlbd.layers', 'dlbd.keras.layers')}) == 1",
]


@pytest.mark.parametrize("form", FORMS)
def test_in_a_fresh_interpreter(form: str):
    subprocess.run([sys.executable, "-W", "error", "-c", form], check=True, timeout=60)


def test_missing_names():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("dlbd.keras.nothing")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dlbd.nothing  # noqa: B018
    assert {"layers", "Sequential", "keras"} <= set(dir(dlbd))
