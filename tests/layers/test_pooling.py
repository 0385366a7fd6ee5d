import numpy as np
import pytest

import dlbd
from dlbd import layers

from ..ops.table_pool import reference_pool
from .check import check_layer

SHAPES = {1: (2, 7, 3), 2: (2, 6, 7, 3), 3: (2, 3, 4, 3, 2)}
MAX = {1: layers.MaxPooling1D, 2: layers.MaxPooling2D, 3: layers.MaxPooling3D}
AVERAGE = {1: layers.AveragePooling1D, 2: layers.AveragePooling2D, 3: layers.AveragePooling3D}
GLOBAL_MAX = {1: layers.GlobalMaxPooling1D, 2: layers.GlobalMaxPooling2D, 3: layers.GlobalMaxPooling3D}
GLOBAL_AVERAGE = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}


@pytest.mark.parametrize("kind", [MAX, AVERAGE], ids=["max", "average"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same"},
        {"strides": 1},
        {"pool_size": 3, "strides": 2, "padding": "same"},
    ],
    ids=str,
)
def test_pooling(kind, rank: int, options):
    def reference(x):
        return reference_pool(x, **{"pool_size": 2} | options, average=kind is AVERAGE)

    output = reference(np.zeros(SHAPES[rank])).shape
    check_layer(lambda: kind[rank](**options), SHAPES[rank], output, reference=reference)


@pytest.mark.parametrize("kind", [MAX, AVERAGE], ids=["max", "average"])
def test_sizes_of_their_own_for_each_axis(kind):
    check_layer(lambda: kind[2]((3, 2), strides=(1, 2)), (2, 6, 7, 3), (2, 4, 3, 3))
    check_layer(lambda: kind[3]((3, 2, 1)), (2, 3, 4, 3, 2), (2, 1, 2, 3, 2))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_global_pooling(rank: int, keepdims: bool):
    axes = tuple(range(1, rank + 1))
    channels = SHAPES[rank][-1]
    output = (2, *(1,) * rank, channels) if keepdims else (2, channels)
    for kind, function in ((GLOBAL_AVERAGE, np.mean), (GLOBAL_MAX, np.max)):
        check_layer(
            lambda kind=kind: kind[rank](keepdims=keepdims),
            SHAPES[rank],
            output,
            reference=lambda x, function=function: function(x, axis=axes, keepdims=keepdims),
        )


@pytest.mark.parametrize("keepdims", [False, True])
def test_masked_steps_take_no_part_in_the_mean(keepdims: bool):
    x = np.random.default_rng(0).standard_normal((3, 5, 2)).astype(np.float32)
    mask = np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], bool)
    x[0, 2] = np.nan
    y = layers.GlobalAveragePooling1D(keepdims=keepdims)(x, mask=mask)
    wanted = np.stack([x[0, mask[0]].mean(axis=0), x[1].mean(axis=0), np.zeros(2)])
    np.testing.assert_allclose(y, wanted[:, None] if keepdims else wanted, rtol=1e-6)


def test_the_mean_takes_the_mask_of_an_embedding_and_ends_it():
    model = dlbd.Sequential([layers.Embedding(5, 2, mask_zero=True), layers.GlobalAveragePooling1D()])
    tokens = np.array([[3, 4, 0, 0], [1, 2, 3, 4]])
    y = model(tokens)
    table = model.get_weights()[0]
    np.testing.assert_allclose(y, [table[[3, 4]].mean(axis=0), table[1:].mean(axis=0)], rtol=1e-6)
    assert y.mask is None
    model.compile(loss="mse")
    model.fit(tokens, np.ones((2, 2)), epochs=1, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0][0], table[0])  # padding is not trained


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind", [MAX, AVERAGE, GLOBAL_MAX, GLOBAL_AVERAGE])
def test_another_number_of_axes_names_the_layer(kind, rank: int):
    with pytest.raises(ValueError, match=rf"layer 'p' \({kind[rank].__name__}\) takes inputs of {rank + 2} dimensions"):
        kind[rank](name="p")(np.zeros((2, 3)))


def test_window_larger_than_the_image_names_the_layer():
    with pytest.raises(ValueError, match="layer 'p'"):
        layers.MaxPooling2D(5, name="p")(np.zeros((1, 3, 8, 1), np.float32))


@pytest.mark.parametrize("stride", [0, -2])
def test_stride_must_be_positive(stride: int):
    with pytest.raises(ValueError, match="strides must be at least 1"):
        layers.MaxPooling2D(2, strides=stride)


def test_aliases():
    for rank in (1, 2, 3):
        for kind, name in (
            (MAX, "MaxPool"),
            (AVERAGE, "AvgPool"),
            (GLOBAL_MAX, "GlobalMaxPool"),
            (GLOBAL_AVERAGE, "GlobalAvgPool"),
        ):
            assert getattr(layers, f"{name}{rank}D") is kind[rank]
