"""Text: the numbers of its words, as TextVectorization has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Features, Text

TEXTS = ["The cat sat, the CAT!", "", "  a dog —  ¿and\ta cat? ", None, "x " * 50, "£5 a+b = c", "(…)"]


def transformed(text: Text, training: list, later: list | None = None) -> np.ndarray:
    features = Features([text])
    features.adapt(dlbd.data.open({"t": pa.array(training, pa.string())}))
    rows = dlbd.data.open({"t": pa.array(training if later is None else later, pa.string())})
    return features.to_numpy(rows)[0]


def test_words_are_those_of_text_vectorization():
    layer = dlbd.layers.TextVectorization(output_sequence_length=8)
    text = Text("t", length=8)
    features = Features([text])
    features.adapt(dlbd.data.open({"t": pa.array(TEXTS, pa.string())}))
    layer.set_vocabulary(features.inputs[0].vocabulary)
    found = transformed(text, TEXTS)
    assert found.dtype == np.int64
    assert (found == layer([t or "" for t in TEXTS]).numpy()).all()
    layer.adapt([t or "" for t in TEXTS])
    assert sorted(layer.get_vocabulary()) == sorted(features.inputs[0].vocabulary)


def test_unknown_words_and_length():
    found = transformed(Text("t", length=3, max_tokens=4), ["b b b a a c"], ["a b c d", "d", None])
    assert found.tolist() == [[3, 2, 1], [1, 0, 0], [0, 0, 0]]


def test_a_bag_of_words():
    found = transformed(Text("t", encode="bag", max_tokens=4), ["b b b a a c"], ["a a d", "b", None])
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_errors():
    for wrong in ({"encode": "tokens"}, {"length": 0}, {"max_tokens": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Text("t", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="column 't' has no word in the training rows"):
        transformed(Text("t"), ["!!", None])


def test_texts_train_a_model():
    rng = np.random.default_rng(0)
    good = rng.random(400) < 0.5
    texts = [f"it is {'good' if g else 'bad'} {rng.integers(100)}" for g in good]
    rows = dlbd.data.open({"t": texts, "y": good})
    features = Features.infer(rows, "y")
    assert features.inputs == (Text("t", length=4),)
    features.adapt(rows)
    x, y = features.to_numpy(rows)
    dlbd.utils.set_random_seed(0)
    model = dlbd.Sequential(
        [
            dlbd.Input(features.input_shape),
            dlbd.layers.Embedding(len(features.inputs[0].vocabulary), 4),
            dlbd.layers.GlobalAveragePooling1D(),
            dlbd.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(dlbd.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    assert model.fit(x, y, epochs=10, verbose=0).history["accuracy"][-1] > 0.95


def test_ascii_alone_is_read_as_among_other_characters():
    texts = [f"{chr(i)}Ab{chr(i)}{chr(i)}C a{chr(i)}b{chr(i)}" for i in range(128)]
    among = [*texts, "é"]
    for options in ({}, {"length": 2}, {"encode": "bag"}):
        found = transformed(Text("t", **options), among)  # type: ignore[arg-type]
        assert (transformed(Text("t", **options), among, texts) == found[:-1]).all()  # type: ignore[arg-type]
