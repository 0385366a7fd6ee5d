import numpy as np
import pytest

from dlbd import layers

from .check import check_layer


def test_flatten():
    check_layer(lambda: layers.Flatten(), (3, 2, 4, 5), (3, 40), reference=lambda x: x.reshape(3, 40))


def test_flatten_of_numbers_makes_columns():
    assert layers.Flatten()(np.zeros(5, np.float32)).shape == (5, 1)
    assert layers.Flatten().compute_output_shape((None, None, 3)) == (None, None)


@pytest.mark.parametrize(("target", "output"), [((5, 4), (3, 5, 4)), ((-1,), (3, 20)), ((2, -1, 2), (3, 2, 5, 2))])
def test_reshape(target, output):
    check_layer(lambda: layers.Reshape(target), (3, 2, 10), output, reference=lambda x: x.reshape(output))


def test_reshape_that_does_not_fit_names_the_layer():
    with pytest.raises(ValueError, match=r"layer 'r' \(Reshape.*\(2, 10\) \(20 numbers\).*\(3, 7\)"):
        layers.Reshape((3, 7), name="r")(np.zeros((3, 2, 10), np.float32))
    with pytest.raises(ValueError, match="one -1"):
        layers.Reshape((-1, -1))


@pytest.mark.parametrize("dims", [(2, 1), (1, 2)])
def test_permute(dims):
    output = (3, *((4, 5)[d - 1] for d in dims))
    check_layer(lambda: layers.Permute(dims), (3, 4, 5), output, reference=lambda x: x.transpose(0, *dims))


def test_repeat_vector():
    check_layer(lambda: layers.RepeatVector(4), (3, 5), (3, 4, 5), reference=lambda x: x[:, None].repeat(4, 1))


def test_permute_and_repeat_vector_name_what_does_not_fit():
    with pytest.raises(ValueError, match=r"dims must order the axes 1 to 2; received \(0, 1\)"):
        layers.Permute((0, 1))
    with pytest.raises(ValueError, match=r"layer 'p' \(Permute\) takes inputs of 3 dimensions.*\(2, 3\)"):
        layers.Permute((2, 1), name="p")(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"layer 'r' \(RepeatVector\).*\(batch, features\).*\(2, 3, 4\)"):
        layers.RepeatVector(2, name="r")(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match="n must be at least 1"):
        layers.RepeatVector(0)
