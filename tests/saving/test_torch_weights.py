"""Weights that real PyTorch saved (tests/golden/make_torch_files.py)."""

from pathlib import Path

import numpy as np
import pytest

import dlbd
from dlbd import Input, Model, Sequential, layers, ops
from dlbd.saving import load_torch_weights
from dlbd.saving.tensor_file import TensorFile
from tests.saving.files import fault

FOLDER = Path(__file__).parents[1] / "golden" / "torch_files"
ANSWERS = np.load(FOLDER / "answers.npz")


def images():
    return Sequential(
        [
            Input((8, 10, 4)),
            layers.Conv2D(6, 3, padding="same"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(8, 3, groups=2),
            layers.PReLU(shared_axes=(1, 2)),
            layers.Flatten(),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Dropout(0.5),
            layers.Dense(10, activation="relu"),
            layers.Dense(10, activation="tanh"),
            layers.Dense(3),
        ]
    )


def branches():
    x = Input((4, 5, 3))
    y = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="depthwise")(x)
    y = layers.SeparableConv2D(4, 3, padding="same")(y)
    y = layers.GroupNormalization(groups=2, epsilon=1e-5)(y)
    both = ops.concatenate([layers.Flatten()(y), layers.Flatten()(x)], axis=-1)
    return Model(x, layers.Dense(2)(both))


def signals():
    return Sequential(
        [
            Input((10, 4)),
            layers.Conv1D(6, 3, activation="elu"),
            layers.AveragePooling1D(2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def volumes():
    return Sequential(
        [
            Input((4, 3, 5, 2)),
            layers.Conv3D(3, 2),
            layers.Conv3DTranspose(2, 2, strides=2),
            layers.Reshape((-1,)),
            layers.Dense(2),
        ]
    )


def generator():
    return Sequential(
        [
            Input((5,)),
            layers.Dense(72),
            layers.BatchNormalization(epsilon=1e-5),
            layers.ReLU(),
            layers.Reshape((3, 4, 6)),
            layers.Conv2DTranspose(4, 4, strides=2, padding="same"),
            layers.BatchNormalization(epsilon=1e-5),
            layers.Activation("relu"),
            layers.Conv2DTranspose(1, 3, use_bias=False, activation="tanh"),
        ]
    )


def words():
    return Sequential(
        [
            Input((None,), dtype="int64"),
            layers.Embedding(9, 4),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(5, return_sequences=True),
            layers.LayerNormalization(epsilon=1e-5),
            layers.SimpleRNN(4, activation="relu"),
            layers.Dense(2),
        ]
    )


def attending():
    x = Input((5, 3))
    y = layers.Conv1D(6, 1)(x)
    y = layers.LayerNormalization(epsilon=1e-5, name="norm1")(y + layers.MultiHeadAttention(2, 3)(y, y))
    z = layers.Dense(6, name="second")(layers.Dense(8, activation="relu", name="first")(y))
    y = layers.LayerNormalization(epsilon=1e-5, name="norm2")(y + z)
    return Model(x, layers.Dense(2)(layers.Flatten()(y)))


MODELS = {f.__name__: f for f in (images, branches, signals, volumes, generator, words, attending)}


def check(model, name):
    found = model.predict(ANSWERS[f"{name}/x"])
    np.testing.assert_allclose(found, ANSWERS[f"{name}/y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_files(name):
    model = MODELS[name]()
    model.load_weights(FOLDER / f"{name}.safetensors", format="torch")
    check(model, name)


def state(name):
    """In the order of the module."""
    with TensorFile(str(FOLDER / f"{name}.safetensors")) as file:
        return {n: file.read(n) for n in ANSWERS[f"{name}/names"].tolist()}


@pytest.mark.parametrize("name", MODELS)
def test_state_dicts(name):
    model = MODELS[name]()
    load_torch_weights(model, state(name))
    check(model, name)


# Models that are not put together of Inputs


class Net(Model):
    """Flattens by a layer, or by a function."""

    def __init__(self, by_layer):
        super().__init__()
        self.conv = layers.Conv2D(3, 2, activation="relu")
        self.flat = layers.Flatten() if by_layer else None
        self.first = layers.Dense(4, name="first")
        self.second = layers.Dense(4, name="second")

    def call(self, x):
        x = self.conv(x)
        x = self.flat(x) if self.flat is not None else ops.reshape(x, (x.shape[0], -1))
        return self.second(ops.tanh(self.first(ops.maximum(x, 0.25))))


def net_state():
    rng = np.random.default_rng(0)
    shapes = {"conv.weight": (3, 2, 2, 2), "conv.bias": (3,), "first.weight": (4, 18), "first.bias": (4,)}
    shapes |= {"second.weight": (4, 4), "second.bias": (4,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def reference(state, x):
    """The same in NumPy, in PyTorch's order."""
    x = np.moveaxis(x, -1, 1)
    y = np.zeros((len(x), 3, 2, 3))
    for i in range(2):
        for j in range(3):
            y[:, :, i, j] = np.einsum("nchw,ochw->no", x[:, :, i : i + 2, j : j + 2], state["conv.weight"])
    y = np.maximum(y + state["conv.bias"][:, None, None], 0).reshape(len(x), -1)
    y = np.tanh(np.maximum(y, 0.25) @ state["first.weight"].T + state["first.bias"])
    return y @ state["second.weight"].T + state["second.bias"]


X = np.random.default_rng(1).standard_normal((2, 3, 4, 2)).astype(np.float32)


def test_a_model_of_ones_own():
    model = Net(by_layer=True)
    with pytest.raises(ValueError, match="has no weights yet"):
        load_torch_weights(model, net_state())
    model(X)
    load_torch_weights(model, net_state())
    np.testing.assert_allclose(model.predict(X), reference(net_state(), X), rtol=1e-4, atol=1e-5)


def test_a_model_that_flattens_by_itself():
    model = Net(by_layer=False)
    model(X)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"the state dict: .*layer 'first' cannot be followed.*pass flattened="):
        load_torch_weights(model, net_state())
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    load_torch_weights(model, net_state(), flattened={"first": (2, 3, 3)})
    np.testing.assert_allclose(model.predict(X), reference(net_state(), X), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"flattened names \['fist'\]"):
        load_torch_weights(model, net_state(), flattened={"fist": (2, 3, 3)})


def test_features_that_lose_their_order():
    x = Input((4, 5, 3))
    for lost in (
        layers.Dense(2)(ops.tanh(layers.Flatten()(x))),
        layers.Dense(2)(layers.Flatten()(x)[:, 3:]),
        layers.Dense(2)(layers.Flatten()(layers.Permute((2, 1, 3))(x))),
        layers.LSTM(2)(layers.Reshape((4, 15))(x)),
        layers.Dense(2)(ops.mean(x, axis=(1, 2))),
    ):
        with pytest.raises(ValueError, match="cannot be followed"):
            load_torch_weights(Model(x, lost), {})
    model = Model(x, layers.Dense(2, name="pooled")(ops.mean(x, axis=(1, 2))))
    state = {"weight": np.ones((2, 3)), "bias": np.zeros(2)}
    load_torch_weights(model, state, flattened={"pooled": None})
    np.testing.assert_allclose(model.get_weights()[0], np.ones((3, 2)))


# What belongs where


def two(*names):
    return Sequential([Input((3,)), *(layers.Dense(3, name=name, use_bias=False) for name in names)])


def matrices(*names):
    return {f"{name}.weight": np.full((3, 3), float(i)) for i, name in enumerate(names)}


def loaded(model, state, **given):
    load_torch_weights(model, state, **given)
    return [w[0, 0] for w in model.get_weights()]


def test_by_names():
    assert loaded(two("a", "b"), matrices("b", "a")) == [1.0, 0.0]
    assert loaded(two("a", "b"), matrices("net.b", "net.a"), mapping={"net.b": "b", "net.a": "a"}) == [1.0, 0.0]
    assert loaded(two("a", "b"), matrices("x", "a")) == [1.0, 0.0]  # the one that is left
    inner = Sequential([Input((3,)), two("a"), two("b")])
    inner.layers[0].name, inner.layers[1].name = "first", "second"
    assert loaded(inner, matrices("second.b", "first.a")) == [1.0, 0.0]


def test_by_numbers_and_order(tmp_path):
    names = ["net.2", "net.10"]
    assert loaded(two("x", "y"), matrices(*names)) == [0.0, 1.0]
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file(matrices(*names), tmp_path / "numbers.safetensors")
    assert loaded(two("x", "y"), tmp_path / "numbers.safetensors") == [0.0, 1.0]
    assert loaded(two("x", "y"), matrices("second", "first")) == [0.0, 1.0]  # a dict has an order
    path = tmp_path / "words.safetensors"
    safetensors.save_file(matrices("second", "first"), path)
    model = two("x", "y")
    with fault(
        path, match=r"not plain which of \['first', 'second'\] belongs to which of the layers \['x', 'y'\]: pass map"
    ):
        load_torch_weights(model, path)
    assert loaded(model, path, mapping={"second": "x"}) == [0.0, 1.0]
    model.load_weights(path, format="torch", mapping={"second": "y"})
    assert [w[0, 0] for w in model.get_weights()] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("state", "options", "match"),
    [
        (matrices("a"), {}, r"there are no weights for layer 'b' \(Dense: kernel \(3, 3\)\)"),
        (matrices("a", "b", "c"), {}, r"no layer is left for c \(weight \(3, 3\)\)"),
        (
            matrices("a") | {"b.weight": np.ones((3, 4))},
            {},
            r"b \(weight \(3, 4\)\) does not fit layer 'b'.*shape \(4, 3\)",
        ),
        (matrices("a") | {"b.weight": np.ones(3)}, {}, "has 1 axes; expected 2"),
        (matrices("a", "b") | {"b.bias": np.ones(3)}, {}, r"has \['bias', 'weight'\]; expected \['weight'\]"),
        (matrices("a", "b"), {"mapping": {"b": "c"}}, r"mapping names 'c'; the layers left are \['a', 'b'\]"),
        (matrices("a", "b"), {"mapping": {"b": ["a", "b"]}}, "of which there are 1 layers"),
        (matrices("a", "b"), {"mapping": {"x": "a"}}, "of which there are 0 layers"),
    ],
)
def test_what_does_not_fit(state, options, match):
    model = two("a", "b")
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"the state dict: .*{match}"):
        load_torch_weights(model, state, **options)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_layers_of_one_recurrent_module_by_a_list():
    model = words()
    names = [model.layers[1].name, model.layers[2].name]
    load_torch_weights(model, state("words"), mapping={"lstm": names, "gru": model.layers[3].name})
    check(model, "words")


def test_layers_that_pytorch_does_not_have():
    model = Sequential([Input((4, 2)), layers.GRU(3, reset_after=False)])
    rng = np.random.default_rng(0)
    gru = {"weight_ih_l0": (9, 2), "weight_hh_l0": (9, 3), "bias_ih_l0": (9,), "bias_hh_l0": (9,)}
    with pytest.raises(ValueError, match=r"gru .* does not fit layer 'gru.*reset_after=True"):
        load_torch_weights(model, {f"gru.{name}": rng.random(shape) for name, shape in gru.items()})

    class Own(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight((2,), name="w")

        def call(self, x):
            return x * self.w

    with pytest.raises(ValueError, match=r"there is no module of PyTorch for layer 'own(_\d+)?' \(Own\)"):
        load_torch_weights(Sequential([Input((2,)), Own()]), {})


def test_cells_and_layers_over_time():
    cells = [layers.LSTMCell(3, name="low"), layers.LSTMCell(3, name="high")]
    model = Sequential(
        [Input((5, 4)), layers.RNN(cells, return_sequences=True), layers.TimeDistributed(layers.Dense(2), name="out")]
    )
    rng = np.random.default_rng(0)
    state = {
        f"{name}.{kind}": rng.random(shape)
        for name, n in (("low", 4), ("high", 3))
        for kind, shape in (("weight_ih", (12, n)), ("weight_hh", (12, 3)), ("bias_ih", (12,)), ("bias_hh", (12,)))
    }
    state |= {"out.weight": rng.random((2, 3)), "out.bias": rng.random(2)}
    load_torch_weights(model, state)
    weights = model.get_weights()
    np.testing.assert_allclose(weights[3], state["high.weight_ih"].T, rtol=1e-6)
    np.testing.assert_allclose(weights[5], state["high.bias_ih"] + state["high.bias_hh"], rtol=1e-6)
    np.testing.assert_allclose(weights[6], state["out.weight"].T, rtol=1e-6)


def test_what_a_stateful_layer_keeps_stays():
    model = Sequential([Input(batch_shape=(2, 3, 2)), layers.SimpleRNN(3, stateful=True)])
    rng = np.random.default_rng(0)
    model.predict(rng.random((2, 3, 2)))
    before = model.layers[0].states[0].numpy().copy() if isinstance(model.layers[0].states, list) else None
    shapes = {"weight_ih_l0": (3, 2), "weight_hh_l0": (3, 3), "bias_ih_l0": (3,), "bias_hh_l0": (3,)}
    load_torch_weights(model, {name: rng.random(shape) for name, shape in shapes.items()})
    if before is not None:
        np.testing.assert_array_equal(model.layers[0].states[0], before)


class Tensor:
    """As much of PyTorch's as is asked of it."""

    dtype = "torch.bfloat16"

    def __init__(self, value):
        self.value = value

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return np.asarray(self.value, np.float32)


def test_tensors():
    model = Sequential([Input((2,)), layers.Dense(1, use_bias=False)])
    load_torch_weights(model, {"weight": Tensor([[2.0, 3.0]])})
    assert model.get_weights()[0].tolist() == [[2.0], [3.0]]


def test_broken_files(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes((FOLDER / "signals.safetensors").read_bytes()[:-1])
    with fault(path, match="cut off"):
        signals().load_weights(path, format="torch")
    with pytest.raises(ValueError, match=r"is no file of dlbd's; weights of PyTorch are loaded"):
        signals().load_weights(FOLDER / "signals.safetensors")
    with pytest.raises(ValueError, match='format must be "torch"'):
        signals().load_weights(path, format="caffe")
    with pytest.raises(TypeError, match="only with format"):
        signals().load_weights(path, mapping={})


def test_float64():
    model = Sequential([Input((2,)), layers.Dense(1, dtype="float64")])
    load_torch_weights(model, {"weight": np.array([[1 / 3, 2.0]]), "bias": np.zeros(1)})
    assert model.get_weights()[0][0, 0] == 1 / 3
    assert dlbd.config.floatx() == "float32"
