"""Layers that prepare data: words, categories, tables, images. What is random is tried with ranges of one value."""

from __future__ import annotations

import numpy as np

from . import Table, ids, normal, pixels, positive

CASES = Table()


def _add(build: str, *inputs: object, call: str = "layer(x)", **given: np.ndarray) -> None:
    CASES.layer(build, *inputs, call=call, gradient=False, **given)


# Numbers
_add("Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])", normal(4, 3))
_add("Normalization(mean=1.0, variance=4.0, axis=None)", normal(4, 3))
_add("Normalization(mean=2.0, variance=0.5, invert=True, axis=None)", normal(4, 3))
_add("Normalization()", normal(5, 3), normal(4, 3), call="[layer.adapt(np.asarray(x[0])), layer(x[1])]")
_add("Normalization(axis=None)", normal(5, 3), normal(4, 3), call="[layer.adapt(np.asarray(x[0])), layer(x[1])]")
_add(
    "Normalization(axis=(1, 2))", normal(5, 3, 2), normal(4, 3, 2), call="[layer.adapt(np.asarray(x[0])), layer(x[1])]"
)
_add("Normalization(axis=1)", normal(5, 3, 2), normal(4, 3, 2), call="[layer.adapt(np.asarray(x[0])), layer(x[1])]")
_add("Discretization(bin_boundaries=[-1.0, 0.0, 1.0])", normal(4, 3))
_add("Discretization(bin_boundaries=[-1.0, 0.0, 1.0], output_mode='one_hot')", normal(4))
_add("Discretization(bin_boundaries=[-1.0, 0.0, 1.0], output_mode='multi_hot')", normal(4, 3))
_add("Discretization(bin_boundaries=[-1.0, 0.0, 1.0], output_mode='count')", normal(4, 3))
_add("Discretization(num_bins=4)", normal(40), normal(7), call="[layer.adapt(np.asarray(x[0])), layer(x[1])]")

# Categories
for _mode in ("one_hot", "multi_hot", "count"):
    _add(f"CategoryEncoding(6, output_mode='{_mode}')", ids(4))
    if _mode != "one_hot":
        _add(f"CategoryEncoding(num_tokens=6, output_mode='{_mode}')", ids(4, 3))
_add("CategoryEncoding(6, output_mode='one_hot')", ids(4, 1))
_add("CategoryEncoding(6, output_mode='count')", ids(4, 3), positive(4, 3), call="layer(x[0], count_weights=x[1])")
_add(
    "IntegerLookup(vocabulary=[12, 36, 1138, 42])",
    call="layer(numbers)",
    numbers=np.array([[12, 1138, 42], [42, 1000, 36]]),
)
_add(
    "IntegerLookup(vocabulary=[12, 36], mask_token=0, num_oov_indices=2)",
    call="layer(numbers)",
    numbers=np.array([[12, 0, 42], [36, 1001, 36]]),
)
_add("IntegerLookup(vocabulary=[12, 36], invert=True)", call="layer(numbers)", numbers=np.array([1, 2, 0]))
_add(
    "IntegerLookup(vocabulary=[12, 36, 42], output_mode='multi_hot')",
    call="layer(numbers)",
    numbers=np.array([[12, 36, 7], [12, 12, 42]]),
)
_add(
    "IntegerLookup()",
    call="[layer.adapt(data), layer(numbers)]",
    data=np.array([5, 5, 5, 7, 7, 9]),
    numbers=np.array([[9, 7, 5, 1]]),
)

# Words
_words = np.array([["a", "c", "d"], ["d", "z", "b"]])
_add("StringLookup(vocabulary=['a', 'b', 'c', 'd'])", call="layer(words)", words=_words)
_add(
    "StringLookup(vocabulary=['a', 'b', 'c', 'd'], num_oov_indices=0)",
    call="layer(words)",
    words=np.array(["a", "d", "c"]),
)
_add(
    "StringLookup(vocabulary=['a', 'b'], mask_token='', num_oov_indices=1)",
    call="layer(words)",
    words=np.array([["a", "", "b"]]),
)
for _mode in ("one_hot", "multi_hot", "count"):
    _add(
        f"StringLookup(vocabulary=['a', 'b', 'c', 'd'], output_mode='{_mode}')",
        call="layer(words)",
        words=_words if _mode != "one_hot" else _words[0],
    )
_add(
    "StringLookup(vocabulary=['a', 'b', 'c', 'd'], idf_weights=[0.25, 0.75, 0.6, 0.4], output_mode='tf_idf')",
    call="layer(words)",
    words=_words,
)
_add(
    "StringLookup(vocabulary=['a', 'b', 'c', 'd'], output_mode='multi_hot', max_tokens=7, pad_to_max_tokens=True)",
    call="layer(words)",
    words=_words,
)
_add(
    "StringLookup()",
    call="[layer.adapt(data), layer(words)]",
    data=np.array(["b", "b", "a", "c", "a", "b"]),
    words=_words,
)
_add(
    "StringLookup(max_tokens=3)",
    call="[layer.adapt(data), layer(words)]",
    data=np.array(["b", "b", "a", "c", "a", "b"]),
    words=_words,
)
_texts = np.array(["The quick brown fox", "the LAZY dog!", "fox, dog; the end."])
for _options in (
    "",
    "max_tokens=5",
    "output_sequence_length=6",
    "max_tokens=6, output_sequence_length=2",
    "output_mode='multi_hot'",
    "output_mode='count', max_tokens=6",
    "output_mode='tf_idf'",
    "ngrams=2",
    "standardize=None",
    "standardize='lower'",
    "standardize='strip_punctuation'",
    "split='character', output_sequence_length=9",
    "split=None, standardize='lower'",
    "output_mode='multi_hot', max_tokens=20, pad_to_max_tokens=True",
):
    _add(f"TextVectorization({_options})", call="[layer.adapt(texts), layer(texts)]", texts=_texts)
_add("TextVectorization(vocabulary=['the', 'dog', 'fox'])", call="layer(texts)", texts=_texts)
_add("TextVectorization(vocabulary=['the', 'dog', 'fox'], output_mode='count')", call="layer(texts)", texts=_texts)
_add("Hashing(num_bins=3)", call="layer(words)", words=_words)
_add("Hashing(num_bins=5, salt=[133, 137])", call="layer(words)", words=_words)

# Images
_image = pixels(2, 6, 8, 3)
_add("CenterCrop(4, 5)", _image)
_add("CenterCrop(3, 3)", pixels(5, 4, 1))
for _method in ("bilinear", "nearest", "bicubic"):
    _add(f"Resizing(4, 5, interpolation='{_method}')", _image)
    _add(f"Resizing(9, 11, interpolation='{_method}')", _image)
_add("Resizing(4, 4, crop_to_aspect_ratio=True)", _image)
_add("Resizing(8, 8, pad_to_aspect_ratio=True)", _image)
for _layer in (
    "RandomFlip()",
    "RandomRotation(0.2)",
    "RandomZoom(0.2)",
    "RandomTranslation(0.2, 0.2)",
    "RandomContrast(0.2)",
    "RandomBrightness(0.2)",
):
    _add(_layer, _image, call="layer(x, training=False)")
for _mode in ("reflect", "constant", "wrap", "nearest"):
    for _layer in (
        "RandomRotation((0.1, 0.1), {})",
        "RandomZoom((0.3, 0.3), {})",
        "RandomZoom((-0.3, -0.3), (0.2, 0.2), {})",
        "RandomTranslation((0.2, 0.2), (-0.3, -0.3), {})",
    ):
        _add(_layer.format(f"fill_mode='{_mode}'"), _image, call="layer(x, training=True)")
_add("RandomRotation((0.25, 0.25), fill_mode='constant', fill_value=7.0)", _image, call="layer(x, training=True)")
_add("RandomRotation((0.1, 0.1), interpolation='nearest')", _image, call="layer(x, training=True)")
_add("RandomZoom((0.3, 0.3), interpolation='nearest')", _image, call="layer(x, training=True)")
_add(
    "RandomTranslation((0.21, 0.21), (0.12, 0.12), interpolation='nearest', fill_mode='constant')",
    _image,
    call="layer(x, training=True)",
)
_add(
    "RandomTranslation((0.5, 0.5), (0.25, 0.25), fill_mode='constant', fill_value=3.0)",
    _image,
    call="layer(x, training=True)",
)
_add("RandomBrightness((0.1, 0.1))", _image, call="layer(x, training=True)")
_add("RandomBrightness((-0.1, -0.1), value_range=(0.0, 1.0))", pixels(2, 3, 3, 1), call="layer(x / 255, training=True)")
