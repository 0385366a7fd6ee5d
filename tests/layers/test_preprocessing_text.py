"""Layers that look text up: StringLookup, IntegerLookup, Hashing, TextVectorization."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest

from dlbd import Input, Tensor, layers

from ..arrays import tensor

WORDS = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
LETTERS = ["a", "b", "c", "d"]
TEXTS = ["The quick brown fox!", "the lazy dog, the FOX.", "a  b\tc a", ""]

FORMS = {
    "list": ["b", "é", "zz"],
    "unicode": np.array(["b", "é", "zz"]),
    "objects": np.array(["b", "é", "zz"], object),
    "bytes": np.array([s.encode() for s in ["b", "é", "zz"]]),
    "byte objects": np.array([s.encode() for s in ["b", "é", "zz"]], object),
    "numpy's strings": np.array(["b", "é", "zz"], np.dtypes.StringDType()),
    "pandas": pd.Series(["b", "é", "zz"], index=[7, 8, 9]),
    "polars": pl.Series(["b", "é", "zz"]),
}


def same_copies(layer, x):
    """Copies and what the configuration makes give the same; the configuration is plain data."""
    y = np.array(layer(x))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)
    config = layer.get_config()
    other = type(layer).from_config(config)
    np.testing.assert_array_equal(other(x), y)
    assert other.get_config() == config


# StringLookup


@pytest.mark.parametrize("form", FORMS)
def test_text_comes_in_every_form(form):
    layer = layers.StringLookup(vocabulary=["é", "b"])
    y = layer(FORMS[form])
    assert isinstance(y, Tensor)
    assert y.dtype == layer.output_dtype == np.int64
    assert y.numpy().tolist() == [2, 1, 0]
    learned = layers.StringLookup()
    learned.adapt(FORMS[form])
    assert learned.get_vocabulary() == ["[UNK]", "é", "zz", "b"]


def test_bytes_of_another_encoding():
    layer = layers.StringLookup(vocabulary=["é"], encoding="latin-1")
    assert int(layer(np.array(["é".encode("latin-1")]))[0]) == 1


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [[1, 3, 4, 4], [4, 0, 2, 0]]),
        ({"mask_token": "z"}, [[2, 4, 5, 5], [5, 0, 3, 0]]),
        ({"mask_token": "q", "num_oov_indices": 2}, [[3, 5, 6, 6], [6, 2, 4, 2]]),
        ({"output_mode": "one_hot"}, np.eye(5)[[[1, 3, 4, 4], [4, 0, 2, 0]]]),
        ({"output_mode": "multi_hot"}, [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]),
        ({"output_mode": "count"}, [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]),
        ({"output_mode": "count", "mask_token": "z"}, [[0, 1, 0, 1, 2], [0, 0, 1, 0, 1]]),
        (
            {"output_mode": "multi_hot", "max_tokens": 7, "pad_to_max_tokens": True},
            [[0, 1, 0, 1, 1, 0, 0], [1, 0, 1, 0, 1, 0, 0]],
        ),
        (
            {"output_mode": "tf_idf", "idf_weights": [0.25, 0.75, 0.6, 0.4]},
            [[0, 0.25, 0, 0.6, 0.8], [1, 0, 0.75, 0, 0.4]],
        ),
    ],
)
def test_words_are_looked_up(options, wanted):
    """The examples of Keras's documentation among them."""
    layer = layers.StringLookup(vocabulary=LETTERS, **options)
    y = layer(WORDS)
    np.testing.assert_allclose(y, wanted, rtol=1e-6)
    assert y.dtype == layer.output_dtype
    assert layer.compute_output_shape((2, 4)) == y.shape
    same_copies(layer, WORDS)


def test_special_tokens_may_stand_in_the_vocabulary():
    mask = {"mask_token": ""}
    full = layers.StringLookup(vocabulary=["", "[UNK]", "a", "b"], **mask)
    bare = layers.StringLookup(vocabulary=["a", "b"], **mask)
    for layer in (full, bare):
        assert layer.get_vocabulary() == ["", "[UNK]", "a", "b"]
        assert layer.get_vocabulary(include_special_tokens=False) == ["a", "b"]
        assert layer.vocabulary_size() == 4
        assert layer(["b", "", "q"]).numpy().tolist() == [3, 0, 1]
    weighted = layers.StringLookup(output_mode="tf_idf")
    weighted.set_vocabulary(["[UNK]", "a"], idf_weights=[0.9, 0.25])
    np.testing.assert_allclose(weighted([["a", "q", "q"]]), [[1.8, 0.25]], rtol=1e-6)


def test_shapes():
    for mode in ("int", "one_hot", "multi_hot"):
        layer = layers.StringLookup(vocabulary=["a"], output_mode=mode)
        for x in (np.array("a"), np.array(["a", "b"]), np.array([["a"], ["b"]]), np.full((2, 3, 4), "a")):
            y = layer(x)
            if x.ndim:
                assert layer.compute_output_shape(x.shape) == y.shape
        assert layer(np.empty((0, 2), "U1")).shape == layer.compute_output_shape((0, 2))
    assert layers.StringLookup(output_mode="count").compute_output_shape((None, 3)) == (None, None)


def test_the_other_way_round():
    layer = layers.StringLookup(vocabulary=["a", "b"], invert=True, mask_token="")
    found = layer(tensor(np.array([[0, 1, 2], [3, 4, -5]])))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == [["", "[UNK]", "a"], ["b", "[UNK]", "[UNK]"]]
    with pytest.raises(TypeError, match="expected indices; received dtype float32"):
        layer(np.ones(2, np.float32))
    with pytest.raises(TypeError, match="gives text, which a model cannot"):
        layer(Input((1,), dtype="int64"))


def test_adapt_counts_words():
    """By frequency, and of equally frequent words the greater first."""
    data = np.array([["b", "ä"], ["b", "c"], ["ä", "d"]])
    layer = layers.StringLookup(mask_token="d", oov_token="c")
    layer.adapt(data)
    assert layer.get_vocabulary(include_special_tokens=False) == ["ä", "b"]
    layer = layers.StringLookup(max_tokens=3)
    for given in (data, data.tolist(), iter(data), [data[:1], data[1:]], pd.DataFrame(data)):
        layer.adapt(given)
        assert layer.get_vocabulary() == ["[UNK]", "ä", "b"]
    layer.adapt((batch for batch in data), steps=1)
    assert layer.get_vocabulary() == ["[UNK]", "ä", "b"]
    layer.adapt((batch for batch in data[::-1]), steps=1)
    assert layer.get_vocabulary() == ["[UNK]", "ä", "d"]
    for batch in data:
        layer.update_state(batch)
    layer.finalize_state()
    assert layer.get_vocabulary() == ["[UNK]", "ä", "b"]


@pytest.mark.parametrize("padded", [False, True])
def test_adapt_weighs_words_by_their_documents(padded):
    documents = np.array([["a", "a", "b"], ["b", "c", "b"], ["b", "b", "b"]])
    size = {"max_tokens": 6, "pad_to_max_tokens": True} if padded else {}
    layer = layers.StringLookup(output_mode="tf_idf", **size)
    layer.adapt(documents)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a", "c"]
    idf = np.log(1 + 3 / (1 + np.array([3, 1, 1])))
    weights = np.array([idf.mean(), *idf])
    counts = np.array([[0, 1, 2, 0], [1, 2, 0, 0]])
    wanted = np.pad(counts * weights, ((0, 0), (0, 2 if padded else 0)))
    x = np.array([["a", "a", "b"], ["b", "b", "q"]])
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-6)
    assert layer.compute_output_shape((None, 3)) == (None, 6 if padded else 4)
    same_copies(layer, x)


def test_a_new_vocabulary_takes_the_place_of_the_old():
    layer = layers.StringLookup(vocabulary=["a"], output_mode="count")
    assert layer([["a", "b"]]).shape == (1, 2)
    layer.set_vocabulary(["b", "a", "c"])
    np.testing.assert_array_equal(layer([["a", "b"]]), [[0, 1, 1, 0]])
    layer.adapt(["z"])
    np.testing.assert_array_equal(layer([["a", "z"]]), [[1, 1]])


def test_a_vocabulary_in_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("été\na b\n\u2028\n", encoding="utf-8")
    layer = layers.StringLookup(vocabulary=str(path))
    assert layer.get_vocabulary() == ["[UNK]", "été", "a b", "\u2028"]
    assert layer.get_config()["vocabulary"] == layer.get_vocabulary()
    with pytest.raises(ValueError, match="no file is read for it"):
        layers.StringLookup.from_config(layer.get_config() | {"vocabulary": str(path)})
    numbers = tmp_path / "numbers.txt"
    numbers.write_text("12\n-3")
    assert layers.IntegerLookup(vocabulary=numbers).get_vocabulary() == [-1, 12, -3]


def test_configurations_of_keras():
    keras = {"vocabulary_size": 3, "has_input_vocabulary": True, "dtype": "string"}
    config = layers.StringLookup(vocabulary=["a", "b"]).get_config() | keras | {"oov_method": "floormod"}
    assert layers.StringLookup.from_config(config).get_vocabulary() == ["[UNK]", "a", "b"]
    config = layers.IntegerLookup(vocabulary=[1], oov_method="farmhash").get_config() | keras
    assert layers.IntegerLookup.from_config(config).oov_method == "farmhash"
    with pytest.raises(TypeError, match="takes no argument 'size'"):
        layers.StringLookup.from_config({"size": 3})


@pytest.mark.parametrize("missing", [None, np.nan, 3, pd.NA])
def test_missing_values_are_an_error(missing):
    layer = layers.StringLookup(vocabulary=["a"], name="words")
    with pytest.raises(TypeError, match=r"'words'.*at position 1\. Fill missing values first"):
        layer(np.array(["a", missing], object))


def test_errors_of_a_call_name_the_layer():
    with pytest.raises(TypeError, match=r"'words' \(StringLookup.*expected text; received numbers of dtype float64"):
        layers.StringLookup(vocabulary=["a"], name="words")(np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"'words'.*no vocabulary yet: call adapt\(\)"):
        layers.StringLookup(name="words")(["a"])
    with pytest.raises(ValueError, match=r"'words'.*'q' is not in the vocabulary; num_oov_indices=1"):
        layers.StringLookup(vocabulary=["a"], num_oov_indices=0, name="words")(["a", "q"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 1}, "greater than 1"),
        ({"pad_to_max_tokens": True}, "needs max_tokens"),
        ({"num_oov_indices": -1}, "at least 0"),
        ({"output_mode": "ints"}, "output_mode must be one of"),
        ({"invert": True, "output_mode": "count"}, 'needs output_mode="int"'),
        ({"sparse": True}, "sparse"),
        ({"vocabulary": []}, "is empty"),
        ({"vocabulary": ["a", "b", "a"]}, r"more than once in the vocabulary: \['a'\]"),
        ({"vocabulary": ["a", ""], "mask_token": ""}, "has a meaning of its own"),
        ({"vocabulary": ["a", "[UNK]"], "invert": True}, "has a meaning of its own"),
        ({"vocabulary": ["a", "b"], "max_tokens": 2}, "3 entries; max_tokens is 2"),
        ({"vocabulary": ["a"], "output_mode": "tf_idf"}, "received none"),
        ({"vocabulary": ["a"], "idf_weights": [1.0]}, "and for no other"),
        ({"vocabulary": ["a", "b"], "idf_weights": [1.0], "output_mode": "tf_idf"}, r"2 tokens; received shape \(1,\)"),
        ({"idf_weights": [1.0], "output_mode": "tf_idf"}, "go with a vocabulary"),
        ({"salt": [1, 2, 3]}, "salt must be"),
    ],
)
def test_lookup_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        layers.StringLookup(**options)


def test_adapt_wants_words():
    for nothing in ([], ["[UNK]"], iter([])):
        with pytest.raises(ValueError, match="received no tokens"):
            layers.StringLookup().adapt(nothing)
    with pytest.raises(ValueError, match="max_tokens=2 leaves no place"):
        layers.StringLookup(max_tokens=2, mask_token="").adapt(["a"])
    with pytest.raises(TypeError, match="expected text"):
        layers.StringLookup().adapt([1.0])


# IntegerLookup


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, [[1, 3, 0], [0, 2, 0]]),
        ({"mask_token": 0}, [[2, 4, 1], [0, 3, 1]]),
        ({"mask_token": 0, "num_oov_indices": 2}, [[3, 5, 2], [0, 4, 1]]),
        ({"output_mode": "count"}, [[1, 1, 0, 1], [2, 0, 1, 0]]),
        ({"output_mode": "count", "mask_token": 0}, [[1, 1, 0, 1], [1, 0, 1, 0]]),
    ],
)
def test_integers_are_looked_up(options, wanted, dtype):
    layer = layers.IntegerLookup(vocabulary=[12, 36, 42], **options)
    x = np.array([[12, 42, 7], [0, 36, 8]], dtype)
    np.testing.assert_array_equal(layer(x), wanted)
    same_copies(layer, x)


def test_integers_the_other_way_round():
    layer = layers.IntegerLookup(vocabulary=[12, 36], invert=True)
    assert layer([1, 2, 0, 9]).numpy().tolist() == [12, 36, -1, -1]


def test_adapt_counts_integers():
    layer = layers.IntegerLookup(max_tokens=3)
    layer.adapt(np.array([[5, 7], [7, 9]]))
    assert layer.get_vocabulary() == [-1, 7, 9]
    assert layer(tensor(np.array([9, 5]))).numpy().tolist() == [2, 0]


def test_integer_arguments():
    with pytest.raises(ValueError, match="vocabulary_dtype"):
        layers.IntegerLookup(vocabulary_dtype="string")
    with pytest.raises(ValueError, match='salt is for oov_method="farmhash"'):
        layers.IntegerLookup(salt=1)
    with pytest.raises(TypeError, match="expected integers; received dtype float64"):
        layers.IntegerLookup(vocabulary=[1.0, 2.0])


# Hashing

LONG = "x" * 200
HASHED = ["", "a", "abcd", "abcdefgh", "ünïcode 中文", "a string of forty characters, or a few more", "y" * 64, LONG]
# What Keras 3.15 gives on TensorFlow 2.21: of 1000 bins for the strings, of 100 for 0, 1, -7 and 123456.
FARM = [263, 939, 985, 497, 506, 778, 424, 527]
FARM_MASKED = [339, 0, 145, 938, 590, 514, 982, 657]
FARM_NUMBERS = [35, 49, 62, 98]
SIP = [900, 354, 879, 444, 11, 723, 717, 806]
SIP_133 = [907, 997, 431, 802, 839, 895, 980, 884]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, FARM),
        ({"salt": [133, 137]}, SIP),
        ({"salt": 133}, SIP_133),
        ({"mask_value": "a"}, FARM_MASKED),
    ],
)
def test_bins_of_text(options, wanted):
    layer = layers.Hashing(1000, **options)
    x = np.array(HASHED)[:, None]
    y = layer(x)
    assert y.dtype == layer.output_dtype == np.int64
    assert y.shape == layer.compute_output_shape((8, 1))
    assert y.numpy().ravel().tolist() == wanted
    same_copies(layer, x)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
def test_bins_of_numbers(dtype):
    assert layers.Hashing(100)(np.array([0, 1, -7, 123456], dtype)).numpy().tolist() == FARM_NUMBERS
    assert layers.Hashing(100, mask_value=1)(np.array([0, 1, -7], dtype)).numpy()[1] == 0


@pytest.mark.parametrize(("mode", "shape"), [("one_hot", (2, 3, 5)), ("multi_hot", (2, 5)), ("count", (2, 5))])
def test_bins_as_vectors(mode, shape):
    x = np.array([["a", "b", "a"], ["c", "c", "c"]])
    bins = layers.Hashing(5)(x).numpy()
    layer = layers.Hashing(5, output_mode=mode)
    y = layer(x)
    assert y.shape == shape == layer.compute_output_shape((2, 3))
    hot = np.eye(5)[bins]
    wanted = {"one_hot": hot, "multi_hot": hot.max(1), "count": hot.sum(1)}[mode]
    np.testing.assert_array_equal(y, wanted)


def test_hashing_arguments():
    with pytest.raises(ValueError, match="at least 1"):
        layers.Hashing(0)
    with pytest.raises(ValueError, match="output_mode"):
        layers.Hashing(3, output_mode="tf_idf")
    with pytest.raises(ValueError, match="salt must be"):
        layers.Hashing(3, salt="pepper")
    with pytest.raises(TypeError, match=r"Hashing.*received None at position 0"):
        layers.Hashing(3)(np.array([None]))


# TextVectorization


@pytest.mark.parametrize(
    ("options", "vocabulary", "wanted"),
    [
        (
            {},
            ["", "[UNK]", "the", "fox", "a", "quick", "lazy", "dog", "c", "brown", "b"],
            [[2, 6, 3, 1], [4, 4, 0, 0], [0, 0, 0, 0]],
        ),
        ({"max_tokens": 4}, ["", "[UNK]", "the", "fox"], [[2, 1, 3, 1], [1, 1, 0, 0], [0, 0, 0, 0]]),
        (
            {"max_tokens": 4, "output_sequence_length": 3},
            ["", "[UNK]", "the", "fox"],
            [[2, 1, 3], [1, 1, 0], [0, 0, 0]],
        ),
        (
            {"max_tokens": 4, "output_sequence_length": 5},
            ["", "[UNK]", "the", "fox"],
            [[2, 1, 3, 1, 0], [1, 1, 0, 0, 0], [0] * 5],
        ),
        ({"max_tokens": 3, "standardize": None}, ["", "[UNK]", "the"], [[1, 1, 1, 1], [1, 1, 0, 0], [0] * 4]),
        ({"max_tokens": 3, "standardize": "lower"}, ["", "[UNK]", "the"], [[2, 1, 1, 1], [1, 1, 0, 0], [0] * 4]),
        (
            {"max_tokens": 4, "split": "character", "output_sequence_length": 3},
            ["", "[UNK]", " ", "o"],
            [[1, 1, 1], [1, 1, 1], [0] * 3],
        ),
        (
            {"max_tokens": 4, "output_mode": "count"},
            ["[UNK]", "the", "fox", "a"],
            [[2, 1, 1, 0], [0, 0, 0, 2], [0] * 4],
        ),
        (
            {"max_tokens": 4, "output_mode": "multi_hot"},
            ["[UNK]", "the", "fox", "a"],
            [[1, 1, 1, 0], [0, 0, 0, 1], [0] * 4],
        ),
    ],
)
def test_texts_become_numbers(options, vocabulary, wanted):
    layer = layers.TextVectorization(**options)
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == vocabulary
    x = ["The lazy. Fox (jumps)", "a\na", ""]
    y = layer(x)
    np.testing.assert_array_equal(y, wanted)
    assert y.dtype == layer.output_dtype
    assert layer.compute_output_shape((3, 1))[0] == 3
    assert layer.compute_output_shape((3,))[1] in (None, y.shape[1])
    np.testing.assert_array_equal(layer(np.array(x)[:, None]), y)
    np.testing.assert_array_equal(layer(x[0])[: y.shape[1]] if layer.output_mode == "int" else y[0], y[0])
    same_copies(layer, x)


def test_all_of_unicode():
    layer = layers.TextVectorization()
    layer.adapt(["Straße «ÉTÉ» Œuvre", "i̇zmir\u3000„日本“…", "don’t $5"])
    tokens = set(layer.get_vocabulary(include_special_tokens=False))
    assert tokens == {"straße", "été", "œuvre", "i̇zmir", "日本", "dont", "5"}
    characters = layers.TextVectorization(split="character", standardize=None, vocabulary=["日", "🙂", "é"])
    assert characters(["日🙂é"]).numpy().tolist() == [[2, 3, 4]]


@pytest.mark.parametrize(
    ("ngrams", "wanted"),
    [
        (1, ["a", "b", "c"]),
        (2, ["a", "b", "c", "a b", "b c"]),
        ((2,), ["a b", "b c"]),
        ((3, 1), ["a b c", "a", "b", "c"]),
        ((4,), []),
    ],
)
def test_ngrams(ngrams, wanted):
    layer = layers.TextVectorization(ngrams=ngrams, vocabulary=["a", "b", "c", "a b", "b c", "a b c"])
    names = layer.get_vocabulary()
    assert [names[i] for i in layer(["a b c"]).numpy()[0]] == wanted
    same_copies(layer, ["a b c", "b c"])


def test_tokens_that_are_there_already():
    layer = layers.TextVectorization(split=None, vocabulary=["new york", "rome"])
    assert layer([["Rome", "New York"], ["rome!", "?"]]).numpy().tolist() == [[3, 2], [3, 0]]
    assert layer(["Rome", "Oslo"]).numpy().tolist() == [3, 1]
    assert layer.compute_output_shape((None,)) == (None,)
    assert layer.compute_output_shape((None, 2)) == (None, None)


def test_functions_of_ones_own():
    def standardize(texts):
        assert texts.dtype.kind == "U"
        return np.char.replace(texts, "-", " ")

    def split(texts):
        return [text.split(";") for text in texts]

    layer = layers.TextVectorization(standardize=standardize, split=split, vocabulary=["a b", "c"])
    assert layer(np.array([["a-b;c"], ["c"]])).numpy().tolist() == [[2, 3], [3, 0]]


def test_texts_are_documents():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a a b", "b"])
    idf = np.log(1 + 2 / (1 + np.array([2, 1])))
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    np.testing.assert_allclose(layer(["a a q"]), [[idf.mean(), 0, 2 * idf[1]]], rtol=1e-6)
    same_copies(layer, ["a b c"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"standardize": "upper"}, "standardize must be one of"),
        ({"split": "comma"}, "split must be one of"),
        ({"ngrams": 0}, "ngrams must be at least 1"),
        ({"ngrams": (0, 1)}, "ngrams must be at least 1"),
        ({"output_sequence_length": 0}, "at least 1"),
        ({"output_sequence_length": 3, "output_mode": "count"}, 'is for output_mode="int"'),
        ({"ragged": True}, "ragged"),
        ({"sparse": True, "output_mode": "count"}, "sparse"),
    ],
)
def test_vectorization_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        layers.TextVectorization(**options)


def test_texts_of_another_shape():
    layer = layers.TextVectorization(vocabulary=["a"], name="text")
    with pytest.raises(ValueError, match=r"'text'.*\(batch,\) or \(batch, 1\); received shape \(2, 2\)"):
        layer([["a", "b"], ["c", "d"]])
