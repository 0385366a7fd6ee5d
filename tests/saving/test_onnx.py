"""Whole models as ONNX files."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import dlbd
from dlbd import Input, Model, Sequential, layers, ops

from .onnx_models import assert_same, checked, model_of, operators, randomized

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def words(*shape, most=20):
    return RNG.integers(0, most, shape).astype(np.int32)


# The programs of the documents


def digits():
    return Sequential(
        [
            layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def generator():
    return Sequential(
        [
            Input((100,)),
            layers.Dense(7 * 7 * 64, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Reshape((7, 7, 64)),
            layers.Conv2DTranspose(32, (4, 4), strides=(2, 2), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Conv2DTranspose(1, (4, 4), strides=(2, 2), padding="same", activation="tanh"),
        ]
    )


def discriminator():
    return Sequential(
        [
            Input((28, 28, 1)),
            layers.Conv2D(32, (4, 4), strides=(2, 2), padding="same"),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.3),
            layers.Conv2D(64, (4, 4), strides=(2, 2), padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def weather():
    return Sequential(
        [layers.LSTM(50, return_sequences=True, input_shape=(None, 10)), layers.LSTM(50), layers.Dense(1)]
    )


def attention():
    return model_of(
        lambda x: layers.Dense(10)(layers.Attention()([layers.Dense(64, activation="relu")(x)])), Input((None, 10))
    )


def test_the_convolutional_network_has_transposes_at_its_ends_only():
    model = digits()
    assert model.count_params() == 93_322
    proto = assert_same(model, normal(1, 28, 28, 1), normal(7, 28, 28, 1))
    assert operators(proto) == [
        *("Transpose", "Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Conv", "Relu"),
        *("Transpose", "Reshape", "Gemm", "Relu", "Gemm", "Softmax"),
    ]


@pytest.mark.parametrize(
    ("build", "shape"), [(generator, (100,)), (discriminator, (28, 28, 1)), (weather, (9, 10)), (attention, (9, 10))]
)
def test_programs_of_the_documents(build, shape):
    model = randomized(build())
    assert_same(model, normal(1, *shape), normal(6, *shape))


def test_stacked_recurrent_layers_hand_on_sequences_as_onnx_has_them():
    proto = assert_same(weather(), normal(2, 24, 10), normal(3, 7, 10))
    assert operators(proto).count("Transpose") == 1


# Layouts


def test_residual_blocks_stay_channels_first():
    def block(x):
        y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
        return layers.Activation("relu")(layers.Add()([layers.ReLU(max_value=6.0)(y), x]))

    def network(x):
        y = block(block(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(x))))
        y = layers.Concatenate()([y, layers.UpSampling2D(2)(layers.MaxPooling2D(2)(y))])
        y = layers.Softmax()(layers.Cropping2D(1)(layers.ZeroPadding2D(2)(y)))
        return layers.Dense(3)(layers.GlobalAveragePooling2D()(y))

    model = randomized(model_of(network, Input((10, 10, 3), dtype="uint8")))
    proto = assert_same(model, RNG.integers(0, 255, (2, 10, 10, 3)).astype(np.uint8))
    assert operators(proto).count("Transpose") == 1


# Sizes


def test_open_sizes_are_named():
    tokens, image = Input((None,), dtype="int32", name="tokens"), Input((None, None, 3), name="image")
    seen = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image))
    read = layers.GRU(4, return_sequences=True)(layers.Embedding(20, 5)(tokens))
    model = randomized(Model([tokens, image], [read, layers.Dense(2, name="seen")(seen)]))
    proto = assert_same(model, [words(2, 7), normal(2, 9, 12, 3)], [words(3, 4), normal(3, 20, 5, 3)])
    named = [[d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in proto.graph.input]
    assert named == [["batch", "tokens_1"], ["batch", "image_1", "image_2", 3]]
    assert [d.dim_param for d in proto.graph.output[0].type.tensor_type.shape.dim][:2] == ["batch", "tokens_1"]


def test_open_sizes_of_two_inputs_that_have_to_agree():
    a, b = Input((None, 3)), Input((None, 3))
    assert_same(Model([a, b], layers.Add()([a, b])), [normal(2, 5, 3), normal(2, 5, 3)])


def test_deep_networks_of_images_of_any_size():
    x = y = Input((None, None, 1))
    for _ in range(4):
        y = layers.MaxPooling2D(2)(layers.Conv2D(2, 3)(y))
    assert_same(randomized(Model(x, layers.GlobalMaxPooling2D()(y))), normal(1, 60, 80, 1), normal(2, 50, 50, 1))


def test_a_batch_size_that_is_declared():
    x = Input(batch_shape=(4, 3))
    proto = assert_same(Model(x, layers.Dense(2)(x)), normal(4, 3))
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 4


def test_arithmetic_of_sizes():
    def halves(x):
        time = x.shape[1]
        first, rest = x[:, : -(-time // 2)], x[:, time // 2 :]
        pairs = ops.reshape(x, (time * x.shape[0], 2, -1))
        place = ops.cast(ops.arange(time, 2 * time) % (time + 1), "float32")
        return first, rest, ops.repeat(pairs, 2, 1), x * ops.expand_dims(place, -1), ops.zeros((time % 3, time - 1))

    model = model_of(layers.Lambda(halves), Input((None, 4)))
    assert_same(model, normal(2, 5, 4), normal(3, 8, 4))


def test_networks_that_go_down_and_up_again():
    x = Input((None, None, 1))
    low = layers.Conv2D(2, 3, padding="same")(layers.MaxPooling2D(16)(layers.Conv2D(3, 3, padding="same")(x)))
    both = layers.Concatenate()([x, layers.UpSampling2D(16)(low)])
    assert_same(randomized(Model(x, layers.Conv2DTranspose(1, 3, padding="same")(both))), normal(2, 32, 48, 1))


# Masks: exact wherever the padding is


@pytest.mark.parametrize("layer", [layers.LSTM, layers.GRU, layers.SimpleRNN])
def test_masks_of_words(layer):
    x = Input((None,), dtype="int32")
    seen = layers.Embedding(9, 4, mask_zero=True)(x)
    y, *state = layer(5, return_sequences=True, return_state=True)(seen)
    model = randomized(Model(x, [y, *state, layers.Bidirectional(layer(3))(y)]))
    at_the_end, in_front = [[3, 4, 1, 0, 0], [2, 0, 0, 0, 0]], [[0, 0, 3, 4, 1], [0, 0, 0, 0, 2]]
    holes = [[3, 0, 4, 0, 1], [0, 0, 0, 0, 0]]
    assert_same(model, *(np.array(x, np.int32) for x in (at_the_end, in_front, holes)))


def test_masks_go_on_through_other_layers():
    x = Input((6,), dtype="int32")
    seen = layers.LayerNormalization()(layers.Dense(4, "relu")(layers.Embedding(9, 4, mask_zero=True)(x)))
    pooled = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(seen, seen))
    model = randomized(
        Model(x, [pooled, layers.Attention()([seen, seen]), layers.TimeDistributed(layers.Dense(2))(seen)])
    )
    assert_same(model, words(5, 6, most=3), np.zeros((2, 6), np.int32))


# Models of all kinds


def test_nests_names_and_shared_layers():
    left, right = Input((3,), name="left"), Input((3,), name="right")
    shared = layers.Dense(4, name="shared")
    outputs = {"sum": layers.Add()([shared(left), shared(right)]), "left": left, "constant": right * 0 + 1}
    model = randomized(Model({"a": left, "b": right}, outputs))
    proto = checked(model)
    assert sorted(i.name for i in proto.graph.initializer if "/" in i.name) == ["shared/bias", "shared/kernel"]
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    x, y = normal(2, 3), normal(2, 3)
    found = dict(zip((o.name for o in session.get_outputs()), session.run(None, {"left": x, "right": y}), strict=True))
    expected = model({"a": x, "b": y})
    assert found.keys() == {"sum", "left_1", "constant"}  # an input is called "left" already
    np.testing.assert_allclose(found["sum"], expected["sum"].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found["left_1"], x)


def test_several_outputs_of_one_layer_get_numbers():
    x = Input((5, 3))
    proto = assert_same(Model(x, layers.LSTM(4, return_state=True, name="lstm")(x)), normal(2, 5, 3))
    assert [o.name for o in proto.graph.output] == ["lstm", "lstm_1", "lstm_2"]


def test_models_inside_models():
    a, b = Input((4,)), Input((4,))
    inner = Model([a, b], layers.Dense(3, name="deep")(layers.Multiply()([a, b])), name="inner")
    x = Input((4,))
    outer = randomized(Model(x, inner([x, Sequential([layers.Dense(4, "relu")], name="chain")(x)])))
    proto = assert_same(outer, normal(3, 4))
    assert "inner/deep/Gemm" in [node.name for node in proto.graph.node]


class Net(Model):
    """Layers, variables and operations of a program's own."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(6, activation="gelu", activity_regularizer="l2")
        self.norm = layers.BatchNormalization()
        self.scale = dlbd.Variable([0.5, 2.0, -1.0], name="scale")
        self.heads = [layers.Dense(3), layers.Dense(1)]

    def call(self, inputs, training=False):
        x = self.norm(self.hidden(inputs), training=training)
        first, second = (head(x) for head in self.heads)
        return {"scaled": first * self.scale + ops.mean(x, -1, keepdims=True), "plain": second[:, 0]}


def test_weights_in_another_shape_keep_their_names():
    x = Input((5, 4))
    proto = checked(Model(x, layers.MultiHeadAttention(2, 3, name="heads")(x, x)))
    weights = {
        f"heads/{part}/{kind}" for part in ("query", "key", "value", "attention_output") for kind in ("kernel", "bias")
    }
    assert weights <= {i.name for i in proto.graph.initializer}


def test_a_subclass_as_it_was_built():
    model = Net()
    with pytest.raises(ValueError, match="is not built"):
        model.export("never.onnx")
    model(normal(2, 4))
    randomized(model)
    proto = assert_same(model, normal(1, 4), normal(5, 4))
    assert [o.name for o in proto.graph.output] == ["scaled", "plain"]
    assert "scale" in [i.name for i in proto.graph.initializer]
    assert not model.losses or all(isinstance(float(loss), float) for loss in model.losses)


def test_a_signature_builds_a_subclass():
    class Words(Model):
        def __init__(self):
            super().__init__()
            self.table, self.read = layers.Embedding(20, 4), layers.GRU(3)

        def call(self, inputs):
            tokens, start = inputs
            return self.read(self.table(tokens), initial_state=start)

    model = Words()
    signature = [Input((None,), dtype="int64"), Input((3,))]
    proto = checked(model, input_signature=signature)
    assert_same(model, [words(2, 5).astype(np.int64), normal(2, 3)], proto=proto)
    with pytest.raises(TypeError, match="input_signature is made of what"):
        model.export("never.onnx", input_signature=[(None, 3)])


def test_a_signature_declares_sizes():
    x = Input((None, None, 3), name="image")
    model = Model(x, layers.Resizing(6, 5, "lanczos3")(x))
    with pytest.raises(ValueError, match=r"layer 'resizing.*needs images of a known size"):
        model.export("never.onnx")
    proto = checked(model, input_signature=Input((8, 9, 3)))
    assert_same(model, normal(2, 8, 9, 3), proto=proto)


def test_a_signature_of_another_number_of_inputs():
    x = Input((3,), name="x")
    with pytest.raises(ValueError, match=r"has 1 inputs, \['x'\]; input_signature has 2"):
        Model(x, layers.Dense(1)(x)).export("never.onnx", input_signature=[Input((3,)), Input((3,))])


def test_sizes_that_fit_for_no_open_one():
    x = Input((None,))
    model = Model(x, layers.Lambda(lambda x: ops.reshape(x, (x.shape[0], 11, 13)), output_shape=(11, 13))(x))
    with pytest.raises(ValueError, match=r"cannot be exported to ONNX: .*\[reshape\]"):
        model.export("never.onnx")


def test_training_goes_on_after_an_export(tmp_path):
    models = [digits(), digits()]
    models[1].set_weights(models[0].get_weights())
    x, y = normal(8, 28, 28, 1), words(8, most=10)
    for model in models:
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.train_on_batch(x, y)
        if model is models[0]:
            model.export(tmp_path / "m.onnx")
        model.train_on_batch(x, y)
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(a, b)


# Double precision


def test_float64_is_double():
    x = Input((None, 3))
    y = layers.LSTM(4, return_sequences=True, dtype="float64")(x)
    model = Model(x, layers.Dense(2, "tanh", dtype="float64")(layers.LayerNormalization(dtype="float64")(y)))
    proto = checked(randomized(model))
    kinds = {i.data_type for i in proto.graph.initializer if "/" in i.name}
    assert kinds == {onnx.TensorProto.DOUBLE}
    batch = RNG.standard_normal((2, 5, 3))
    (found,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {x.name: batch})
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, model(ops.convert_to_tensor(batch, "float64")).numpy(), rtol=1e-10, atol=1e-12)


def test_float64_convolutions_are_what_onnx_says():
    """ONNX Runtime has none in double; ONNX's own evaluator has."""
    x = Input((7, 6, 2))
    y = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", dtype="float64")(x)
    model = randomized(Model(x, layers.MaxPooling2D(2, dtype="float64")(y)))
    batch = RNG.standard_normal((2, 7, 6, 2))
    (found,) = ReferenceEvaluator(checked(model)).run(None, {x.name: batch})
    np.testing.assert_allclose(found, model(ops.convert_to_tensor(batch, "float64")).numpy(), rtol=1e-10)


# Files and errors


def test_a_file(tmp_path, capsys):
    model = Sequential([Input((3,), name="x"), layers.Dense(2, name="y")])
    path = tmp_path / "m.onnx"
    model.export(str(path))
    assert capsys.readouterr().out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    proto = onnx.load(path)
    assert (proto.producer_name, proto.ir_version, proto.opset_import[0].version) == ("dlbd", 8, 18)
    assert [i.name for i in proto.graph.initializer] == ["y/kernel", "y/bias"]
    before = path.read_bytes()
    model.export(path, format="onnx", verbose=True)
    assert capsys.readouterr().out == f"Saved artifact at '{path}'.\n"
    assert path.read_bytes() == before


class ReadsNumbers(layers.Layer):
    def call(self, inputs):
        return inputs * float(np.max(inputs))


class AsksForASize(layers.Layer):
    def call(self, inputs):
        return inputs[:, :2] if inputs.shape[1] > 4 else inputs


class DrawsNumbers(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = dlbd.random.SeedGenerator(1)

    def call(self, inputs):
        return (
            inputs
            + ops.random_normal((1, 3), self.generator.state)
            * ops.random_normal((inputs.shape[0], 3), self.generator.state)[:, None]
        )


REFUSED = {
    "numbers": (lambda: ReadsNumbers(name="odd"), "'odd' .ReadsNumbers.*wants the numbers of a tensor"),
    "size": (lambda: AsksForASize(name="odd"), r"'odd' .AsksForASize.*depends on the size x_1 of an axis"),
    "random": (lambda: DrawsNumbers(name="odd"), r"'odd' .DrawsNumbers.*\[random_normal\] draws random numbers"),
    "state": (lambda: layers.LSTM(2, stateful=True, name="odd"), "'odd' .LSTM.*keeps its state"),
    "dilation": (
        lambda: layers.Conv1D(2, 3, strides=2, dilation_rate=2, padding="same", name="odd"),
        "'odd' .Conv1D.*open size x_1",
    ),
    "inside": (
        lambda: layers.TimeDistributed(Sequential([layers.Dense(2), ReadsNumbers(name="odd")])),
        "'odd' .ReadsNumbers.*wants the numbers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_onnx_cannot_say_leaves_files_as_they_were(name, tmp_path):
    make, reason = REFUSED[name]
    x = Input(batch_shape=(2, None, 3) if name == "state" else (None, None, 3), name="x")
    layer = make()
    model = Model(x, layer(x))
    (tmp_path / "m.onnx").write_text("before")
    with pytest.raises(ValueError, match=rf"model '{model.name}' cannot be exported to ONNX: layer {reason}"):
        model.export(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("indices", [0, 2])
def test_unknown_strings_have_one_index(indices):
    x = Input((1,), dtype="string")
    model = Model(x, layers.StringLookup(vocabulary=["a", "b"], num_oov_indices=indices)(x))
    with pytest.raises(ValueError, match=rf"layer 'string_lookup.*num_oov_indices={indices}"):
        model.export("never.onnx")


def test_what_is_looked_up_is_declared():
    x = Input((1,), dtype="int64")
    with pytest.raises(ValueError, match="it looks up text; its input is declared as int64"):
        Model(x, layers.StringLookup(vocabulary=["a"])(x)).export("never.onnx")


def test_another_format():
    with pytest.raises(ValueError, match="format must be \"onnx\"; received 'tf_saved_model'"):
        digits().export("never", format="tf_saved_model")


def test_weights_that_no_file_can_hold(monkeypatch, tmp_path):
    monkeypatch.setattr("dlbd.export.proto.MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="has 373,304 bytes of weights; an ONNX file holds at most 1,000"):
        digits().export(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in ("proto", "layers"):
        monkeypatch.delitem(sys.modules, f"dlbd.export.{name}")
    with pytest.raises(ModuleNotFoundError, match=r'pip install "dlbd\[onnx\]"'):
        digits().export("never.onnx")
