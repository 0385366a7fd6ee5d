"""Files made by somebody who wanted something else than a model."""

import copy
import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

from dlbd import layers, saving
from dlbd.models import load_model, model_from_json
from dlbd.saving.tensor_file import write
from tests.saving.files import contents, fault, rewritten
from tests.saving.models import branches, dense


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    model = dense()
    model.compile("adam", "mse")
    x = np.ones((4, 6))
    model.fit(x, x[:, :1], verbose=0)
    path = tmp_path_factory.mktemp("original") / "m.dlbd"
    model.save(path)
    return path


@pytest.fixture
def path(original, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # the disk need not see the hundreds of files made here
    shutil.copy(original, tmp_path)
    return tmp_path / "m.dlbd"


def config_of(path):
    return json.loads(contents(path)[1]["model"])


def with_layer(path, **changes):
    """The configuration, with another first Dense layer."""
    config = config_of(path)
    config["config"]["layers"][1] |= changes
    return config


CLASSES = [
    ("os", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("os.path", "join"),
    ("dlbd.layers", "np"),
    ("dlbd.layers", "__import__"),
    ("dlbd.layers.base", "import_module"),
    ("dlbd.layers", "InputSpec"),
    ("dlbd.initializers", "get"),
    ("dlbd.saving", "load_model"),
    ("dlbd.models", "load_model"),
    ("keras.layers", "Lambda"),
    ("keras.src.utils.file_utils", "get_file"),
    (None, "os.system"),
    (["os"], "system"),
    ("dlbd.layers", ["Dense"]),
    ("dlbd.layers", None),
    ("dlbd.layers", ""),
]


@pytest.mark.parametrize(("module", "name"), CLASSES)
@pytest.mark.parametrize("registered", [False, True])
def test_classes_that_are_none(path, module, name, registered):
    config = with_layer(path, module=module, class_name=name, registered_name=name if registered else None, config={})
    with fault(rewritten(path, path, model=config)):
        load_model(path)


@pytest.mark.parametrize("name", ["system", "eval", "get", "load_model", "deserialize"])
@pytest.mark.parametrize("module", ["os", "builtins", "dlbd.activations", "dlbd.losses", "dlbd.models", None])
def test_functions_that_are_none(path, module, name):
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    config = config_of(path)
    config["config"]["layers"][1]["config"]["activation"] = function
    with fault(rewritten(path, path.parent / "a", model=config)):
        load_model(path.parent / "a")
    compiled = json.loads(contents(path)[1]["compile"]) | {"loss": function}
    with fault(rewritten(path, path.parent / "b", compile=compiled), match="compile=False"):
        load_model(path.parent / "b")


@pytest.mark.parametrize("kind", ["__lambda__", "__typespec__", "__bytes__", "__class__", "__reduce__"])
def test_codes_that_other_files_hold(path, kind):
    config = config_of(path)
    config["config"]["layers"][1]["config"]["activation"] = {
        "module": "builtins",
        "class_name": kind,
        "config": {"value": "4wEAAAAA", "defaults": None, "closure": None},
    }
    with fault(rewritten(path, path, model=config)):
        load_model(path)


def test_there_is_no_unsafe_mode(path):
    with fault(path, match="never run"):
        load_model(path, safe_mode=False)


def test_nothing_but_the_file_is_opened(path):
    """Python tells of every file, process and import; what a first load imports is imported by then."""
    config = config_of(path)
    config["config"]["layers"][1] = {"module": "os", "class_name": "system", "config": {"command": "touch /tmp/x"}}
    rewritten(path, path.parent / "hostile.dlbd", model=config)
    code = """
import sys
import dlbd
watched, told = False, []
def hook(event, args):
    kinds = ("open", "os", "subprocess", "socket", "import", "exec", "compile", "ctypes")
    if watched and event.partition(".")[0] in kinds:
        told.append((event, str(args[0])))
sys.addaudithook(hook)
def load(path):
    try:
        dlbd.models.load_model(path)
    except ValueError as error:
        print(error)
for path in sys.argv[1:]:
    load(path)
watched = True
for path in sys.argv[1:]:
    load(path)
watched = False
assert [file for file in told if not file[1].isdigit()] == [("open", path) for path in sys.argv[1:]], told
"""
    paths = [str(path), str(path.parent / "hostile.dlbd")]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("hostile.dlbd: cannot be loaded: there is no class 'system' of module 'os'") == 2


# Sizes


def test_weights_larger_than_the_file(path):
    """Refused before they are made: a process that may have 2 GB more than it has survives."""
    config = with_layer(path, config=config_of(path)["config"]["layers"][1]["config"] | {"units": 10**11})
    rewritten(path, path, model=config)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**31, limits[1]))
    try:
        with fault(path, match="does not fit: the file holds"):
            load_model(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("units", [0, -1, 6, 2**70, 1.5, "5", None, [5], {"a": 1}, True])
def test_sizes_that_are_none(path, units):
    config = with_layer(path, config=config_of(path)["config"]["layers"][1]["config"] | {"units": units})
    with fault(rewritten(path, path, model=config)):
        load_model(path)


def test_deep_configurations(path):
    deep = '{"class_name":"Sequential","module":"dlbd.models","config":{"name":"s","layers":['
    text = deep * 150 + "]}}" * 150
    with fault(rewritten(path, path.parent / "a", model=text)):
        load_model(path.parent / "a")
    text = deep * 50_000 + "]}}" * 50_000
    with fault(rewritten(path, path.parent / "b", model=text), match="nested too deeply"):
        load_model(path.parent / "b")
    with pytest.raises(ValueError, match="nested too deeply"):
        model_from_json("[" * 100_000)


# Shapes of things


JUNK = [True, 5, "text", [], {}, [[]], {"a": 1}, [None], {"class_name": "Dense"}, {"class_name": 1, "config": 2}]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("where", ["model", "layers", "compile", "optimizers"])
def test_metadata_that_says_something_else(path, where, junk):
    with fault(rewritten(path, path, **{where: json.dumps(junk)})):
        load_model(path)


@pytest.mark.parametrize("where", ["model", "layers", "optimizers"])
def test_metadata_that_is_missing(path, where):
    with fault(rewritten(path, path, **{where: None})):
        load_model(path)


@pytest.mark.parametrize("junk", [None, True, -5, "text", [], {}, [[1]], {"a": 1}])
def test_configurations_with_something_else_somewhere(path, junk):
    """In place of each part of the configuration: loads an equal model, or gives the one error."""
    config = config_of(path)

    def places(nest, so_far=()):
        for key, value in nest.items() if isinstance(nest, dict) else enumerate(nest):
            yield (*so_far, key)
            if isinstance(value, (dict, list)):
                yield from places(value, (*so_far, key))

    weights = load_model(path).get_weights()
    for place in places(config):
        changed = copy.deepcopy(config)
        part = changed
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] = junk
        rewritten(path, path.parent / "a", model=changed)
        try:
            loaded = load_model(path.parent / "a", compile=False)
        except ValueError as error:
            if not str(error).startswith(f"{path.parent / 'a'}: "):
                raise
        else:
            assert all(np.array_equal(a, b) for a, b in zip(loaded.get_weights(), weights, strict=True))


def functional(tmp_path):
    branches().save(tmp_path / "f.dlbd")
    return tmp_path / "f.dlbd"


def test_calls_in_a_circle(tmp_path):
    path = functional(tmp_path)
    config = config_of(path)
    by_name = {layer["name"]: layer for layer in config["config"]["layers"]}
    circle = by_name["dense"] if "dense" in by_name else list(by_name.values())[-1]
    tensor = circle["inbound_nodes"][0]["args"][0]
    tensor["config"]["keras_history"] = [circle["name"], 0, 0]
    with fault(rewritten(path, path, model=config), match="need what no layer gives"):
        load_model(path)


@pytest.mark.parametrize("history", [None, [], ["a"], ["a", 0, 9], ["a", 9, 0], ["none", 0, 0], [[], {}, 1], "abc", 5])
def test_calls_of_what_is_not_there(tmp_path, history):
    path = functional(tmp_path)
    config = config_of(path)
    config["config"]["layers"][-1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = history
    with fault(rewritten(path, path, model=config)):
        load_model(path)


def test_weights_that_do_not_fit(path):
    arrays, metadata = contents(path)
    metadata = {k: v for k, v in metadata.items() if not k.startswith("checksum")}
    target = path.parent / "a.dlbd"
    name = "weights/dense/kernel"
    others = {
        "another shape": {**arrays, name: arrays[name][:-1]},
        "transposed": {**arrays, name: arrays[name].T},
        "missing": {k: v for k, v in arrays.items() if k != name},
        "one more": {**arrays, "weights/more": arrays[name]},
        "of the optimizer": {**arrays, "optimizers/optimizer/3": arrays[name][:1]},
        "missing of the optimizer": {k: v for k, v in arrays.items() if k != "optimizers/optimizer/3"},
        "of a generator": {**arrays, "state/dropout/seed_generator": np.zeros(3, np.int64)},
        "missing of a generator": {k: v for k, v in arrays.items() if not k.startswith("state/")},
    }
    for changed in others.values():
        write(str(target), changed, metadata)
        with fault(target):
            load_model(target)
    write(str(target), arrays, metadata)
    load_model(target)


@pytest.mark.parametrize("dtype", ["int32", "bool", "uint8"])
def test_weights_of_another_kind(path, dtype):
    arrays, metadata = contents(path)
    metadata = {k: v for k, v in metadata.items() if not k.startswith("checksum")}
    write(str(path), {**arrays, "weights/dense/kernel": arrays["weights/dense/kernel"].astype(dtype)}, metadata)
    with fault(path, match=rf"is \(6, 5\) float32 in the model and \(6, 5\) {dtype} in the file"):
        load_model(path)


def test_files_of_others(path, tmp_path):
    arrays, _ = contents(path)
    write(str(tmp_path / "x.dlbd"), arrays, {})
    with fault(tmp_path / "x.dlbd", match="is no file of dlbd"):
        load_model(tmp_path / "x.dlbd")
    with fault(rewritten(path, tmp_path / "y.dlbd", format_version="2"), match="a newer one made it"):
        load_model(tmp_path / "y.dlbd")
    (tmp_path / "z.dlbd").write_bytes(b"PK\3\4" + bytes(100))
    with fault(tmp_path / "z.dlbd", match="not of the safetensors format"):
        load_model(tmp_path / "z.dlbd")
    dense().save_weights(tmp_path / "w.dlbd")
    with fault(tmp_path / "w.dlbd", match="holds weights only"):
        load_model(tmp_path / "w.dlbd")


def test_an_error_of_load_weights_changes_nothing(path):
    model = dense()
    before = model.get_weights()
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1  # in the last array
    path.write_bytes(raw)
    with fault(path, match="checksum"):
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert os.listdir(path.parent) == [path.name]


def test_registered_names_do_not_hide_ours(path):
    """A file that asks for dlbd.layers.Dense gets it, whatever is registered under that name in a package."""

    @saving.register_keras_serializable("tests", "Dense")
    class Other(layers.Layer):
        pass

    assert type(load_model(path).layers[0]) is layers.Dense
