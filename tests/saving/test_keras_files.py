"""Models that real Keras saved (tests/golden/make_keras_files.py), and files that pretend to be such."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

import dlbd
from dlbd import Model, Sequential, layers
from dlbd.models import load_model
from dlbd.saving import register_keras_serializable
from tests.saving.files import fault
from tests.saving.test_hostile_files import JUNK

h5py = pytest.importorskip("h5py")
FOLDER = Path(__file__).parents[1] / "golden" / "keras_files"
ANSWERS = np.load(FOLDER / "answers.npz")


@register_keras_serializable("golden")
class Blocks(Model):
    """As in make_keras_files.py."""

    def __init__(self, width=3, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.blocks = [layers.Dense(width, activation="relu") for _ in range(2)]
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(2)}
        self.last = Sequential([layers.Dense(2), layers.BatchNormalization()])

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(dlbd.ops.concatenate([self.heads["a"](x), self.heads["b"](x)], axis=-1))


def given(name, kind="input"):
    found = [ANSWERS[key] for key in ANSWERS.files if key.startswith(f"{name}/{kind}")]
    return found[0] if len(found) == 1 else found


def check_outputs(model, name, tolerance=1e-5):
    outputs = model.predict(given(name))
    outputs = outputs if isinstance(outputs, list) else [outputs]
    wanted = [ANSWERS[key] for key in ANSWERS.files if key.startswith(f"{name}/output")]
    assert len(outputs) == len(wanted)
    for pair in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(*pair, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["images", "sequences", "graph", "many", "subclass"])
def test_outputs(name):
    check_outputs(load_model(FOLDER / f"{name}.keras"), name)


@pytest.mark.parametrize("name", ["float16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_single(name):
    model = load_model(FOLDER / f"{name}.keras")
    assert {w.dtype.name for w in model.weights} == {"float32"}
    check_outputs(model, name, 2e-2)


def test_text():
    model = load_model(FOLDER / "text.keras")
    words = np.array([["d a"], ["x"], ["ZZ b"]])
    np.testing.assert_allclose(model.predict(words), given("text", "output"), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["images", "sequences"])
def test_training_goes_on(name):
    """With the optimizer's state, as it does in Keras."""
    model = load_model(FOLDER / f"{name}.keras")
    assert int(model.optimizer.iterations) == len(given(name)) // 8
    history = model.fit(given(name), given(name, "target"), batch_size=8, epochs=3, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], given(name, "losses"), rtol=2e-5)


def test_how_it_was_compiled():
    model = load_model(FOLDER / "graph.keras")
    assert {name: type(dlbd.losses.get(loss)).__name__ for name, loss in model.loss.items()} == {
        "u": "MeanSquaredError",
        "v": "Huber",
    }
    assert [type(model.optimizer).__name__, model.optimizer.get_config()["learning_rate"]] == ["SGD", 0.01]
    x = given("graph")
    y = {"u": np.zeros((4, 2)), "v": np.zeros((4, 1))}
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == {"loss", "u_loss", "v_loss", "u_mae"}
    assert load_model(FOLDER / "graph.keras", compile=False).optimizer is None
    assert load_model(FOLDER / "many.keras").optimizer is None


def test_it_can_be_saved_as_ours(tmp_path):
    for name in ("graph", "many", "text", "sequences"):
        model = load_model(FOLDER / f"{name}.keras")
        model.save(tmp_path / "m.dlbd")
        again = load_model(tmp_path / "m.dlbd")
        if name != "text":
            check_outputs(again, name)


# Weights alone


def images():
    return Sequential(
        [
            dlbd.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


def test_weights_of_a_sequential_model():
    model = images()
    model.load_weights(FOLDER / "images.weights.h5")
    flat = np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(flat, given("images", "weights"))
    other = images()
    other.load_weights(FOLDER / "images.keras")
    check_outputs(other, "images")


def test_weights_of_a_subclass():
    model = Blocks(4)
    with pytest.raises(ValueError, match="has no weights yet"):
        model.load_weights(FOLDER / "subclass.weights.h5")
    model(given("subclass"))
    model.load_weights(FOLDER / "subclass.weights.h5")
    check_outputs(model, "subclass")


def test_weights_that_do_not_fit():
    model = Sequential([dlbd.Input((8, 8, 2)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(5)])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"images\.weights\.h5: these are not the model's weights: dense/kernel is "):
        model.load_weights(FOLDER / "images.weights.h5")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="skipped"):
        model.load_weights(FOLDER / "images.weights.h5", skip_mismatch=True)
    assert not np.array_equal(before[0], model.get_weights()[0])


# What is refused


def test_code():
    with fault(FOLDER / "lambda.keras", match="code of a lambda, which is never run"):
        load_model(FOLDER / "lambda.keras")


def test_classes_that_are_not_registered():
    with dlbd.saving.custom_object_scope({"golden>Blocks": Model}), fault(FOLDER / "subclass.keras"):
        load_model(FOLDER / "subclass.keras")


@pytest.fixture
def path(tmp_path):
    shutil.copy(FOLDER / "images.keras", tmp_path / "m.keras")
    return tmp_path / "m.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rezipped(path, compression=zipfile.ZIP_STORED, **changes):
    """The file with other members; None leaves one out."""
    found = members(path) | {name.replace("_", "."): data for name, data in changes.items()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in found.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def reconfigured(path, change):
    config = json.loads(members(path)["config.json"])
    change(config)
    return rezipped(path, config_json=json.dumps(config))


def test_lengths(path):
    raw = path.read_bytes()
    for n in [*range(0, len(raw), 997), len(raw) - 1]:
        path.write_bytes(raw[:n])
        with fault(path):
            load_model(path)


def test_changed_bytes(path):
    """The archive has checksums; what is not covered by them, does not matter or is found."""
    raw = path.read_bytes()
    wanted = load_model(path).get_weights()
    rng = np.random.default_rng(0)
    for at in [*rng.integers(0, len(raw), 60), *range(40), *range(len(raw) - 60, len(raw))]:
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0x41]) + raw[at + 1 :])
        try:
            found = load_model(path).get_weights()
        except ValueError as error:
            if not str(error).startswith(f"{path}: "):
                raise
        else:
            assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_archives(path, tmp_path):
    for missing in ("config_json", "model_weights_h5"):
        shutil.copy(FOLDER / "images.keras", path)
        with fault(rezipped(path, **{missing: None}), match="it has no"):
            load_model(path)
    shutil.copy(FOLDER / "images.keras", path)
    with fault(rezipped(path, zipfile.ZIP_DEFLATED), match="is compressed"):
        load_model(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with fault(path, match="no file of Keras"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.keras")
    with fault(FOLDER / "images.weights.h5", match="only the weights"):
        load_model(FOLDER / "images.weights.h5")


@pytest.mark.parametrize("junk", JUNK)
def test_configurations(path, junk):
    with fault(rezipped(path, config_json=json.dumps(junk))):
        load_model(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": 1, "a": 2}'])
def test_configurations_that_are_no_json(path, text):
    with fault(rezipped(path, config_json=text), match=r"config\.json"):
        load_model(path)


def test_huge_layers(path):
    def change(config):
        config["config"]["layers"][-1]["config"]["units"] = 10**11

    with fault(reconfigured(path, change), match="does not fit"):
        load_model(path)


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("keras.src.utils.file_utils", "get_file")])
def test_other_classes(path, module, name):
    def change(config):
        config["config"]["layers"][-1] = {"module": module, "class_name": name, "config": {}, "registered_name": name}

    with fault(reconfigured(path, change), match="there is no class"):
        load_model(path)


def test_what_only_keras_can_do(path):
    def change(config):
        config["config"]["layers"][2]["config"]["renorm"] = True

    with fault(reconfigured(path, change), match="BatchNormalization in this file has renorm=True"):
        load_model(path)


# HDF5 that is something else than plain arrays


def with_weights(path, change):
    """The model file, with its HDF5 file changed by ``change(file)``."""
    buffer = io.BytesIO(members(path)["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return rezipped(path, model_weights_h5=buffer.getvalue())


KERNEL = "layers/dense/vars/0"


def external_link(file):
    file[KERNEL.replace("0", "7")] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(file):
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/layers/conv2d/vars/0")


def replaced(**options):
    def change(file):
        value = file[KERNEL][...]
        del file[KERNEL]
        file.create_dataset(KERNEL, **({"data": value} | options))

    return change


def virtual(file):
    layout = h5py.VirtualLayout((48, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (48, 3))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def external_storage(file):
    del file[KERNEL]
    file.create_dataset(KERNEL, (48, 3), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def circle(file):
    file["layers/dense/again"] = file["layers"]


HOSTILE = {
    "an external link": external_link,
    "a soft link": soft_link,
    "a virtual array": virtual,
    "an array in another file": external_storage,
    "a compressed array": replaced(compression="gzip"),
    "a chunked array": replaced(chunks=True),
    "an array of text": replaced(data=np.array([b"abc"])),
    "an array of objects": replaced(data=np.array(["abc"], object), dtype=h5py.string_dtype()),
    "a shape without bytes": replaced(data=None, shape=(10**6, 10**6), dtype="f4"),
    "another shape": replaced(data=np.zeros((48, 4), np.float32)),
    "integers": replaced(data=np.zeros((48, 3), np.int32)),
    "nothing": replaced(data=h5py.Empty("f4")),
    "a circle": circle,
    "Keras 2": lambda file: file.attrs.update(layer_names=[b"dense"]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_arrays(path, name):
    with fault(with_weights(path, HOSTILE[name])):
        load_model(path)


def test_broken_hdf5(path):
    raw = bytearray(members(path)["model.weights.h5"])
    rng = np.random.default_rng(1)
    for _ in range(40):
        changed = bytearray(raw)
        for at in rng.integers(0, 2000, 3):
            changed[at] ^= 0xFF
        rezipped(path, model_weights_h5=bytes(changed))
        try:
            load_model(path)
        except ValueError as error:
            if not str(error).startswith(f"{path}: "):
                raise


def test_without_h5py(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install 'dlbd\[h5\]'"):
        load_model(path)
