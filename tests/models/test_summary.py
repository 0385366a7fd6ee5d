"""The table of summary(), and what it says of memory and FLOPs."""

import numpy as np
import pytest

import dlbd
from dlbd import layers, models
from dlbd.models.flops import flops
from dlbd.models.outline import outline


def seed_000_cnn():
    return models.Sequential(
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


def lines_of(model, **options) -> list[str]:
    lines = []
    model.summary(print_fn=lines.append, **options)
    return lines


def cells(lines) -> list[list[str]]:
    """The rows, without the header; cells that wrap are put together again."""
    rows = []
    for line in lines:
        parts = [c.strip() for c in line.split("│")[1:-1]]
        if line.startswith(("┡", "├")):
            rows.append([])
        elif line.startswith("│"):
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1] or [""] * len(parts), parts, strict=True)]
    return rows


def test_summary(capsys):
    dlbd.utils.clear_session()
    model = seed_000_cnn()
    model.summary()
    text = capsys.readouterr().out
    for part in (
        'Model: "sequential"',
        "conv2d (Conv2D)",
        "(None, 26, 26, 32)",
        "320",
        "18,496",
        "Total params: 93,322 (364.54 KB)",
        "Trainable params: 93,322",
        "Non-trainable params: 0 (0.00 B)",
    ):
        assert part in text
    lines = []
    model.layers[0].trainable = False
    model.summary(line_length=60, print_fn=lines.append)
    assert max(map(len, lines)) <= 60
    assert any("Non-trainable params: 320" in line for line in lines)
    models.Sequential([layers.Dense(2)]).summary(print_fn=lines.append)
    assert any("unbuilt" in line for line in lines)


def test_summary_of_nested_models():
    inner = models.Sequential([layers.Dense(4, name="deep"), layers.Flatten(name="flat")], name="inner")
    middle = models.Sequential([inner, layers.Dense(3, name="side")], name="middle")
    model = models.Sequential([layers.Input((5,)), middle, layers.Dense(1, name="top")], name="outer")
    inner.trainable = False
    assert not any("deep" in line for line in lines_of(model))
    text = lines_of(model, expand_nested=True, show_trainable=True, line_length=70)
    assert len({len(line) for line in text if line[0] in "┏┃┡│├└"}) == 1
    assert cells(text) == [
        ["middle (Sequential)", "(None, 3)", "39", "Y"],
        ["└ inner (Sequential)", "(None, 4)", "24", "N"],
        ["└ deep (Dense)", "(None, 4)", "24", "N"],
        ["└ flat (Flatten)", "(None, 4)", "0", "-"],
        ["└ side (Dense)", "(None, 3)", "15", "Y"],
        ["top (Dense)", "(None, 1)", "4", "Y"],
    ]
    assert any(line.startswith(" Trainable params: 19 ") for line in text)


def test_summary_of_some_layers_in_columns_of_choice():
    model = seed_000_cnn()
    names = [layer.name for layer in model.layers]
    text = "\n".join(lines_of(model, layer_range=[names[2], "flatten.*"], positions=[0.5, 0.6, 1.0], line_length=70))
    assert all((name + " (" in text) == (2 <= i <= 5) for i, name in enumerate(names))
    assert lines_of(model, positions=[30, 55, 70], line_length=70)[1].index("┳") == 28
    for options, message in (
        ({"layer_range": ["nobody", names[0]]}, "fits none of the layers"),
        ({"layer_range": names[0]}, "the first and the last layer"),
        ({"positions": [0.5, 1.0]}, "3 rising numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            model.summary(**options)


def branching():
    image, place = layers.Input((8, 8, 1), name="image"), layers.Input((2,), name="place")
    shared = layers.Dense(4, name="shared")
    seen = layers.Flatten(name="flat")(layers.Conv2D(4, 3, name="conv")(image))
    both = dlbd.ops.concatenate([shared(layers.Dense(2, name="small")(seen)), shared(place)], axis=-1)
    states = layers.LSTM(3, return_state=True, name="lstm")(layers.Reshape((4, 2), name="steps")(both))
    return dlbd.Model([image, place], [layers.Dense(1, name="head")(both), states[1]])


def test_connections():
    dlbd.utils.clear_session()
    rows = {row[0]: row for row in cells(lines_of(branching(), line_length=120)) if row[0]}
    assert rows["shared (Dense)"][1:4] == ["(None, 4)", "12", "small[0][0], place[0][0]"]
    assert rows["concatenate (ops.concatenate)"][3] == "shared[0][0], shared[1][0]"
    assert rows["lstm (LSTM)"][1:] == ["[(None, 3), (None, 3), (None, 3)]", "72", "steps[0][0]", "36.00 B", "480"]
    assert rows["image (InputLayer)"][1:] == ["(None, 8, 8, 1)", "0", "-", "-", "-"]


def test_a_chain_needs_no_connections():
    x = layers.Input((3,))
    model = dlbd.Model(x, layers.Dense(2)(layers.Dense(4)(x)))
    assert not any("Connected" in line for line in lines_of(model, line_length=120))


def test_a_model_of_ones_own():
    class Net(dlbd.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = layers.Dense(4, name="first"), layers.Dense(2, name="last")

        def call(self, inputs):
            return self.last(self.first(inputs))

    model = Net()
    assert [row[1] for row in cells(lines_of(model))] == ["?", "?"]
    model(np.ones((7, 3)))
    assert cells(lines_of(model)) == [
        ["first (Dense)", "(None, 4)", "16", "16.00 B", "24"],
        ["last (Dense)", "(None, 2)", "10", "8.00 B", "16"],
    ]


def test_columns_that_do_not_fit_are_left_out(monkeypatch):
    model = seed_000_cnn()
    for width, shown in ((60, False), (80, True), (200, True)):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = lines_of(model)
        assert max(map(len, lines)) <= min(width, 120)
        assert any("FLOPs ┃" in line for line in lines) == shown
        assert lines[-1].startswith(" FLOPs per sample: ")
    assert len({len(line) for line in lines_of(model, line_length=100) if line[0] in "┏┃┡│├└"}) == 1


def test_long_names_wrap_at_spaces():
    name = "a_name_without_more_room"
    model = models.Sequential([layers.Input((3,)), layers.Dense(2, name=name)])
    lines = lines_of(model, line_length=70)
    assert [line.split("│")[1].strip() for line in lines if line.startswith("│")] == [name, "(Dense)"]


def test_totals_of_memory_and_flops():
    model = models.Sequential([layers.Input((28, 28, 1)), layers.Conv2D(32, 3), layers.Flatten(), layers.Dense(10)])
    conv, dense = 26 * 26 * 32 * 9 * 2, 26 * 26 * 32 * 10 * 2
    outputs = (2 * 26 * 26 * 32 + 10) * 4
    assert lines_of(model)[-2:] == [
        f" Outputs per sample: {outputs / 1024:.2f} KB",
        f" FLOPs per sample: {conv + dense:,}",
    ]


def test_totals_of_what_is_not_known():
    model = models.Sequential(
        [layers.Input((None, 5)), layers.LSTM(8, return_sequences=True), layers.LSTM(4), layers.Dense(1)]
    )
    assert lines_of(model)[-2:] == [" Outputs per sample: more than 20.00 B", " FLOPs per sample: more than 8"]


def test_a_nested_model_costs_what_its_layers_do():
    inner = models.Sequential([layers.Input((5,)), layers.Dense(4), layers.Dense(3)], name="inner")
    model = models.Sequential([layers.Input((5,)), inner, layers.Dense(2)])
    assert cells(lines_of(model))[0] == ["inner (Sequential)", "(None, 3)", "39", "28.00 B", "64"]
    assert lines_of(model)[-1] == " FLOPs per sample: 76"


def of(layer, *shapes):
    """FLOPs of a layer called with inputs of these shapes (without the batch)."""
    inputs = [layers.Input(shape) for shape in shapes]
    return flops(outline(dlbd.Model(inputs, layer(inputs[0] if len(inputs) == 1 else inputs)))[-1])


# 2 * multiply-adds, written out
FLOPS = {
    "dense": (layers.Dense(7), [(5,)], 2 * 5 * 7),
    "dense-of-sequences": (layers.Dense(7), [(3, 5)], 2 * 3 * 5 * 7),
    "conv1d": (layers.Conv1D(4, 3, strides=2), [(9, 5)], 2 * 4 * (3 * 5) * 4),
    "conv2d-same": (layers.Conv2D(4, 3, padding="same"), [(6, 5, 2)], 2 * 30 * (9 * 2) * 4),
    "conv2d-groups": (layers.Conv2D(4, 3, groups=2), [(6, 6, 2)], 2 * 16 * 9 * 4),
    "conv2d-dilated": (layers.Conv2D(4, 3, dilation_rate=2), [(6, 6, 2)], 2 * 4 * (9 * 2) * 4),
    "conv2d-transpose": (layers.Conv2DTranspose(4, 3, strides=2), [(5, 5, 2)], 2 * 25 * (9 * 2) * 4),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), [(6, 6, 4)], 2 * 16 * 9 * 4 * 2),
    "separable": (layers.SeparableConv2D(7, 3), [(6, 6, 4)], 2 * 16 * (9 * 4 + 4 * 7)),
    "lstm": (layers.LSTM(6), [(10, 3)], 2 * 10 * 4 * (3 * 6 + 6 * 6)),
    "gru": (layers.GRU(6), [(10, 3)], 2 * 10 * 3 * (3 * 6 + 6 * 6)),
    "simple-rnn": (layers.SimpleRNN(6, return_sequences=True), [(10, 3)], 2 * 10 * (3 * 6 + 6 * 6)),
    "bidirectional": (layers.Bidirectional(layers.LSTM(6)), [(10, 3)], 2 * 2 * 10 * 4 * (3 * 6 + 6 * 6)),
    "cells": (
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(4)]),
        [(5, 2)],
        2 * 5 * (4 * (2 + 3) * 3 + 3 * (3 + 4) * 4),
    ),
    "time-distributed": (layers.TimeDistributed(layers.Conv2D(3, 2)), [(5, 4, 4, 1)], 5 * 2 * 9 * 4 * 3),
    "dot": (layers.Dot(axes=(2, 1)), [(4, 3), (3, 5)], 2 * 4 * 5 * 3),
    "self-attention": (layers.Attention(), [(10, 3)], 2 * 2 * 10 * 10 * 3),
    "attention": (layers.Attention(), [(10, 3), (7, 5), (7, 3)], 2 * 10 * 7 * (3 + 5)),
    "pooling": (layers.MaxPooling2D(), [(6, 6, 2)], 0),
    "normalization": (layers.BatchNormalization(), [(6,)], 0),
    "embedding": (layers.Embedding(100, 8), [(6,)], 0),
    "of-unknown-length": (layers.Dense(7), [(None, 5)], None),
}


@pytest.mark.parametrize("name", FLOPS)
def test_flops(name):
    layer, shapes, wanted = FLOPS[name]
    assert of(layer, *shapes) == wanted


def test_flops_of_multi_head_attention():
    q, v = layers.Input((10, 3)), layers.Input((7, 5))
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=4, value_dim=6)
    found = flops(outline(dlbd.Model([q, v], layer(q, v)))[-1])
    projections = 10 * 3 * 8 + 7 * 5 * 8 + 7 * 5 * 12 + 10 * 12 * 3
    assert found == 2 * (projections + 2 * 10 * 7 * (4 + 6))


def test_flops_of_operations():
    x, y = layers.Input((4, 3)), layers.Input((3, 5))
    assert flops(outline(dlbd.Model([x, y], dlbd.ops.matmul(x, y)))[-1]) == 2 * 4 * 5 * 3
    assert flops(outline(dlbd.Model(x, x + 1.0))[-1]) == 0
    assert flops(outline(dlbd.Model(x, dlbd.ops.conv(x, np.ones((2, 3, 1)))))[-1]) is None


def test_flops_of_layers_of_ones_own():
    class Silent(layers.Layer):
        def call(self, inputs):
            return inputs

    class Telling(Silent):
        def flops(self, inputs, outputs):
            return inputs[0][-1] * outputs[0][-1]

    assert of(Silent(), (5,)) is None
    assert of(Telling(), (5,)) == 25


def test_every_layer_with_a_kernel_costs_something():
    """A layer that is forgotten in the table of formulas would seem to cost nothing."""
    shapes = {1: (6, 4), 2: (6, 6, 4), 3: (6, 6, 6, 4)}
    made = 0
    for name in layers.__all__:
        if "Conv" not in name:
            continue
        kind = getattr(layers, name)
        rank = next(n for n in shapes if f"{n}D" in name)
        layer = kind(2) if "Depthwise" in name else kind(4, 2)
        assert of(layer, shapes[rank]) > 0
        made += 1
    assert made >= 8
