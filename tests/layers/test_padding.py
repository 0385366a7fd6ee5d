import numpy as np
import pytest

from dlbd import layers

from .check import check_layer

SHAPES = {1: (2, 5, 3), 2: (2, 5, 6, 3), 3: (2, 4, 5, 6, 3)}
PADDING = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}
CROPPING = {1: layers.Cropping1D, 2: layers.Cropping2D, 3: layers.Cropping3D}

# rank, what is given, what it means
MARGINS = [
    (1, 2, [(2, 2)]),
    (1, (0, 1), [(0, 1)]),
    (2, 1, [(1, 1), (1, 1)]),
    (2, (0, 2), [(0, 0), (2, 2)]),
    (2, ((1, 0), (0, 3)), [(1, 0), (0, 3)]),
    (2, [[1, 0], 2], [(1, 0), (2, 2)]),
    (3, 1, [(1, 1)] * 3),
    (3, (1, 0, 2), [(1, 1), (0, 0), (2, 2)]),
    (3, ((1, 0), (0, 0), (0, 3)), [(1, 0), (0, 0), (0, 3)]),
]


@pytest.mark.parametrize(("rank", "given", "margins"), MARGINS)
def test_zero_padding(rank: int, given, margins):
    around = [(0, 0), *margins, (0, 0)]
    output = np.pad(np.zeros(SHAPES[rank]), around).shape
    check_layer(lambda: PADDING[rank](given), SHAPES[rank], output, reference=lambda x: np.pad(x, around))


@pytest.mark.parametrize(("rank", "given", "margins"), MARGINS)
def test_cropping(rank: int, given, margins):
    def reference(x):
        kept = [slice(before, n - after) for n, (before, after) in zip(x.shape[1:-1], margins, strict=True)]
        return x[(slice(None), *kept)]

    output = reference(np.zeros(SHAPES[rank])).shape
    check_layer(lambda: CROPPING[rank](given), SHAPES[rank], output, reference=reference)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_defaults_are_those_of_keras(rank: int):
    for kind, width in ((PADDING, 1), (CROPPING, -1 if rank != 2 else 0)):
        shape = SHAPES[rank]
        wanted = (2, *(n + 2 * width for n in shape[1:-1]), 3)
        assert kind[rank]()(np.zeros(shape)).shape == wanted


def test_unknown_lengths_stay_unknown():
    assert layers.ZeroPadding2D(1).compute_output_shape((None, None, 4, 3)) == (None, None, 6, 3)
    assert layers.Cropping2D(1).compute_output_shape((None, None, 4, 3)) == (None, None, 2, 3)


@pytest.mark.parametrize("kind", [PADDING, CROPPING])
@pytest.mark.parametrize(
    ("rank", "given", "error", "message"),
    [
        (1, -1, ValueError, "must be at least 0"),
        (1, (1, 2, 3), ValueError, "must be an integer or 2 of them"),
        (2, (1, -1), ValueError, "must be at least 0"),
        (2, (1, 2, 3), ValueError, "must be an integer, 2 of them or 2 pairs of them"),
        (2, ((1, 2, 3), 1), ValueError, "must be an integer or 2 of them"),
        (3, (1, 2), ValueError, "must be an integer, 3 of them or 3 pairs of them"),
        (2, 1.5, TypeError, "made of integers"),
        (2, "1", TypeError, "made of integers"),
    ],
)
def test_wrong_margins(kind, rank: int, given, error, message):
    with pytest.raises(error, match=message):
        kind[rank](given)


@pytest.mark.parametrize("cropping", [((2, 3), 0), ((0, 0), (4, 4))])
def test_cropping_everything_names_the_layer(cropping):
    with pytest.raises(ValueError, match=r"layer 'c' \(Cropping2D.*leaves nothing of an axis of length"):
        layers.Cropping2D(cropping, name="c")(np.zeros((1, 5, 6, 1)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_another_number_of_axes_names_the_layer(rank: int):
    for kind in (PADDING[rank], CROPPING[rank]):
        with pytest.raises(ValueError, match=rf"layer 'p' \({kind.__name__}\) takes inputs of {rank + 2} dimensions"):
            kind(name="p")(np.zeros((2, 3)))
