"""Layers that work on the host, as the first ones of a model: text goes into fit, evaluate and predict."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import dlbd
from dlbd import layers
from dlbd.models.batches import ArrayBatches

from .programs import same

RNG = np.random.default_rng(0)
WORDS = ["good", "bad", "film", "plot", "a", "the"]
TEXTS = np.array([" ".join(RNG.choice(WORDS, RNG.integers(1, 8))) for _ in range(50)])
Y = np.array([float("good" in t) for t in TEXTS])
CITIES = RNG.choice(["Rome", "Oslo", "Bonn"], (50, 1))
CODES = RNG.integers(0, 4, (50, 1)) * 100
AGES = RNG.normal(40, 10, (50, 1)).astype(np.float32)


def vectorize(**options):
    return layers.TextVectorization(vocabulary=WORDS[:5], **({"output_sequence_length": 6} | options))


def head():
    return [layers.Embedding(8, 3), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")]


def trained(model, x, eagerly=False, **options):
    """Weights, history and predictions after three epochs from the same start."""
    model.compile("adam", "binary_crossentropy", run_eagerly=eagerly)
    history = model.fit(x, Y, batch_size=16, epochs=3, verbose=0, **options).history
    return [*model.get_weights(), np.array(list(history.values())), model.predict(x), model.evaluate(x, Y, verbose=0)]


def seeded(make):
    dlbd.utils.set_random_seed(0)
    return make()


def wanted(first=()):
    """What a model of the indices themselves makes of them."""
    return trained(seeded(lambda: dlbd.Sequential([*first, *head()])), np.array(vectorize()(TEXTS)))


INDICES = dlbd.Input((6,), dtype="int64")


def given(kind):
    """The texts, with the axis that only an Input of the model itself would add."""
    return TEXTS[:, None] if kind == "of a functional one" else TEXTS


def functional():
    text = dlbd.Input((1,), dtype="string")
    x = vectorize()(text)
    for layer in head():
        x = layer(x)
    return dlbd.Model(text, x)


MODELS = {
    "sequential": lambda: dlbd.Sequential([vectorize(), *head()]),
    "with an input": lambda: dlbd.Sequential([dlbd.Input((), dtype="string"), vectorize(), *head()]),
    "functional": functional,
    "nested": lambda: dlbd.Sequential([dlbd.Sequential([vectorize(), head()[0]]), *head()[1:]]),
    "of a functional one": lambda: dlbd.Sequential([functional()]),
}


@pytest.mark.parametrize("eagerly", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_a_model_of_texts_trains_as_one_of_their_indices(kind, eagerly):
    made_at_once = kind in ("with an input", "functional", "of a functional one")
    expected = wanted([INDICES] if made_at_once else [])
    assert same(trained(seeded(MODELS[kind]), given(kind), eagerly), expected)


@pytest.mark.parametrize(
    "form",
    [TEXTS.tolist(), TEXTS.astype(object), TEXTS[:, None], pd.Series(TEXTS), np.char.encode(TEXTS)],
    ids=["list", "objects", "column", "pandas", "bytes"],
)
def test_texts_come_in_every_form(form):
    assert same(trained(seeded(MODELS["functional"]), form), wanted([INDICES]))


def test_texts_come_in_batches():
    def stream():
        for start in range(0, 50, 16):
            yield TEXTS[start : start + 16], Y[start : start + 16]

    found = []
    for x in (np.array(vectorize()(TEXTS)), TEXTS):
        model = seeded(lambda: dlbd.Sequential([*([vectorize()] if x is TEXTS else []), *head()]))  # noqa: B023
        model.compile("adam", "binary_crossentropy")
        if x is TEXTS:
            model.fit(stream(), verbose=0)
        else:
            model.fit(x, Y, batch_size=16, shuffle=False, verbose=0)
        losses = model.train_on_batch(x[:7], Y[:7])
        found.append([*model.get_weights(), np.array(losses), model.predict(x[:3]), model.predict_on_batch(x[:2])])
    assert same(*found)


def test_validation_data_of_texts():
    x = np.array(vectorize()(TEXTS))
    options = {"validation_split": 0.2, "shuffle": "batch"}
    expected = trained(seeded(lambda: dlbd.Sequential(head())), x, **options)
    assert same(trained(seeded(MODELS["sequential"]), TEXTS, **options), expected)


def test_a_model_is_called_with_texts():
    for kind, make in MODELS.items():
        model, x = make(), given(kind)[:4]
        np.testing.assert_allclose(model(x), model.predict(x), rtol=1e-6)
        np.testing.assert_allclose(model(x.tolist()), model.predict(x), rtol=1e-6)
        assert model.predict(x[:0]).shape == (0, 1)


def test_texts_of_any_length_and_vectors_of_counts():
    ragged = dlbd.Sequential([vectorize(output_sequence_length=None), *head()])
    np.testing.assert_allclose(ragged.predict(TEXTS[:1]), ragged(TEXTS[:1]), rtol=1e-6)
    assert len(trained(ragged, TEXTS)[-2]) == 50
    counts = vectorize(output_sequence_length=None, output_mode="count")
    x = np.array(counts(TEXTS))
    top = lambda: [layers.Dense(1, activation="sigmoid")]  # noqa: E731
    expected = trained(seeded(lambda: dlbd.Sequential(top())), x)
    found = trained(seeded(lambda: dlbd.Sequential([counts, *top()])), TEXTS)
    assert same(found, expected)


class Counting(layers.HostLayer):
    """How many rows it got at a time."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rows = []

    def host_call(self, array):
        self.rows.append(len(array))
        return np.char.str_len(array) / 10


def test_no_more_than_a_batch_is_converted_at_a_time():
    layer = Counting()
    model = dlbd.Sequential([layer, layers.Dense(1, activation="sigmoid")])
    trained(model, TEXTS[:, None])
    assert max(layer.rows) == 32  # predict's
    assert layer.rows[:4] == [16, 16, 16, 2]
    assert sum(layer.rows) == 5 * 50


def test_steps_are_recorded():
    model = seeded(MODELS["functional"])
    trained(model, TEXTS)
    steps = [step for found in model._train_steps.values() for free in found._free.values() for step in free]
    assert len(steps) == 2
    assert all(step._replay is not None for step in steps)


# Several inputs


def table():
    """One input for several layers on the host, one for such a layer and others, one for others only."""
    age, city = dlbd.Input((1,), name="age"), dlbd.Input((1,), dtype="string", name="city")
    code = dlbd.Input((1,), dtype="int64", name="code")
    norm, lookup = layers.Normalization(mean=40.0, variance=100.0), layers.StringLookup(output_mode="one_hot")
    lookup.adapt(CITIES)
    index = layers.IntegerLookup(vocabulary=[0, 100, 200])(code)
    parts = [
        norm(age),
        lookup(city),
        layers.Hashing(4, output_mode="one_hot")(city),
        layers.Flatten()(layers.Embedding(4, 2)(index)),
        layers.Rescaling(0.01)(code),
    ]
    return dlbd.Model([age, city, code], layers.Dense(1, activation="sigmoid")(layers.Concatenate()(parts)))


def features():
    return {"age": AGES, "city": CITIES, "code": CODES}


def by_hand(model):
    """The same model from the embedding on, fed with what its host layers give."""
    found = {type(layer).__name__: layer for layer in model.layers}
    shared = [
        np.array((AGES - 40) / 10),
        np.array(found["StringLookup"](CITIES)),
        np.array(found["Hashing"](CITIES)),
        np.array(found["Embedding"](found["IntegerLookup"](CODES)))[:, 0],
        (CODES * 0.01).astype(np.float32),
    ]
    return np.array(found["Dense"](np.concatenate(shared, axis=1)))


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_model_of_a_table(eagerly):
    model = seeded(table)
    np.testing.assert_allclose(model.predict(features()), by_hand(model), rtol=1e-5)
    found = trained(model, features(), eagerly)
    np.testing.assert_allclose(found[-2], by_hand(model), rtol=1e-5)
    assert same(found, trained(seeded(table), list(features().values())))
    frame = pd.DataFrame({name: column[:, 0] for name, column in features().items()})
    assert same(found, trained(seeded(table), frame))
    np.testing.assert_array_equal(model(features()), found[-2])


def test_copies_and_files_keep_vocabularies(tmp_path):
    model = seeded(table)
    trained(model, features())
    y = model.predict(features())
    model.save(tmp_path / "table.dlbd")
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        dlbd.models.load_model(tmp_path / "table.dlbd"),
    ):
        np.testing.assert_array_equal(twin.predict(features()), y)
        twin.fit(features(), Y, verbose=0)
        assert not np.array_equal(twin.predict(features()), y)
    np.testing.assert_array_equal(model.predict(features()), y)


def test_a_new_vocabulary_reaches_recorded_steps():
    layer = layers.StringLookup(vocabulary=["Rome"], output_mode="count")
    model = dlbd.Sequential([layer, layers.Dense(1, kernel_initializer="ones")])
    assert model.predict(CITIES).sum() == 50
    layer.set_vocabulary(["Oslo"])
    np.testing.assert_array_equal(model.predict(CITIES)[:, 0], np.ones(50))
    weights = np.array([[0.0], [1.0]], np.float32)
    model.layers[1].set_weights([weights, np.zeros(1)])
    np.testing.assert_array_equal(model.predict(CITIES), CITIES == "Oslo")


def test_behind_other_layers_the_host_reads_what_they_give():
    """Such a step is called each time instead of being replayed."""
    bins = layers.Discretization([30.0, 40.0, 50.0])
    model = dlbd.Sequential([bins, layers.IntegerLookup(vocabulary=[3, 1]), layers.Embedding(3, 2), layers.Flatten()])
    model.add(layers.Dense(1, activation="sigmoid"))
    found = trained(model, AGES)
    index = np.array(model.layers[1](bins(AGES)))
    assert set(index.ravel().tolist()) == {0, 1, 2}
    np.testing.assert_allclose(found[-2], model(AGES), rtol=1e-6)


# Errors


def test_text_without_a_layer_for_it():
    message = r"received dtype <U\d+\. Text goes through dlbd\.layers\.StringLookup or TextVectorization first"
    for model in (dlbd.Sequential([layers.Dense(1)]), dlbd.Sequential([layers.Rescaling(2.0), layers.Dense(1)])):
        model.compile("sgd", "mse")
        with pytest.raises(TypeError, match=message):
            model.fit(TEXTS, Y, verbose=0)
        with pytest.raises(TypeError, match=message):
            model.predict(TEXTS)
    with pytest.raises(TypeError, match=message):
        ArrayBatches(AGES, TEXTS)


def test_errors_of_the_host_name_the_layer():
    model = dlbd.Sequential([layers.StringLookup(vocabulary=["a"], name="words"), layers.Embedding(2, 1)])
    with pytest.raises(TypeError, match=r"'words'.*received None at position 2"):
        model.predict(np.array(["a", "b", None], object))
    with pytest.raises(TypeError, match=r"'words'.*received numbers of dtype float32"):
        model.predict(AGES)
    unknown = dlbd.Sequential([vectorize(name="texts"), *head()])
    with pytest.raises(ValueError, match=r"'texts'.*received shape \(32, 2\)"):
        unknown.predict(np.stack([TEXTS, TEXTS], axis=1))
