import numpy as np
import pytest

from dlbd import layers

from ..ops.table_image import reference_resize
from .check import check_layer

SHAPES = {1: (2, 4, 3), 2: (2, 4, 5, 3), 3: (2, 2, 3, 2, 1)}
UPSAMPLING = {1: layers.UpSampling1D, 2: layers.UpSampling2D, 3: layers.UpSampling3D}


def repeated(x, size):
    for axis, factor in enumerate(size, 1):
        x = np.repeat(x, factor, axis)
    return x


@pytest.mark.parametrize(
    ("rank", "given", "size"),
    [(1, 3, (3,)), (2, 2, (2, 2)), (2, (1, 3), (1, 3)), (3, 2, (2, 2, 2)), (3, (3, 1, 2), (3, 1, 2))],
)
def test_upsampling(rank: int, given, size):
    output = repeated(np.zeros(SHAPES[rank]), size).shape
    check_layer(lambda: UPSAMPLING[rank](given), SHAPES[rank], output, reference=lambda x: repeated(x, size))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_factor_is_two_by_default(rank: int):
    shape = SHAPES[rank]
    assert UPSAMPLING[rank]().compute_output_shape((None, *shape[1:])) == (
        None,
        *(2 * n for n in shape[1:-1]),
        shape[-1],
    )
    unknown = (*(None,) * (rank + 1), 3)
    assert UPSAMPLING[rank]().compute_output_shape(unknown) == unknown


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_interpolations(interpolation: str):
    check_layer(
        lambda: layers.UpSampling2D((2, 3), interpolation=interpolation),
        (2, 4, 5, 3),
        (2, 8, 15, 3),
        reference=lambda x: reference_resize(x, (8, 15), interpolation),
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.UpSampling1D(0), "size must be at least 1"),
        (lambda: layers.UpSampling2D((1, 2, 3)), "size must be an integer or 2 of them"),
        (lambda: layers.UpSampling2D(2, interpolation="linear"), "interpolation must be one of"),
        (lambda: layers.UpSampling3D(2, "channels_first"), "channels_last"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_another_number_of_axes_names_the_layer(rank: int):
    kind = UPSAMPLING[rank]
    with pytest.raises(ValueError, match=rf"layer 'u' \({kind.__name__}\) takes inputs of {rank + 2} dimensions"):
        kind(name="u")(np.zeros((2, 3)))
