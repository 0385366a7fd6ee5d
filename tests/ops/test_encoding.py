"""Sets of class numbers as vectors."""

import numpy as np
import pytest

from dlbd import ops
from dlbd.ops.encoding import class_counts

from ..arrays import tensor


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
@pytest.mark.parametrize("shape", [(7,), (5, 6), (2, 3, 70), (4, 1), (3, 0), (0, 4)])
def test_counts(shape, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, shape).astype(dtype)
    weights = rng.standard_normal(shape)
    hot = x[..., None] == np.arange(9)
    np.testing.assert_array_equal(ops.multi_hot(tensor(x), 9), hot.any(-2))
    np.testing.assert_array_equal(class_counts(tensor(x), 9), hot.sum(-2))
    weighted = class_counts(tensor(x), 9, weights, np.float64)
    assert weighted.dtype == np.float64
    np.testing.assert_allclose(weighted, (hot * weights[..., None]).sum(-2), atol=1e-12)


def test_negative_numbers_count_for_nothing():
    np.testing.assert_array_equal(ops.multi_hot([[-1, 2], [-7, -1]], 3), [[0, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(class_counts([[-1, 0, 0]], 2, [[np.nan, 1.0, 2.0]]), [[3, 0]])


def test_what_is_no_set_of_classes():
    with pytest.raises(ValueError, match="index 3 at position 1 is out of range"):
        ops.multi_hot([[0, 3]], 3).numpy()
    with pytest.raises(TypeError, match="must be integers; received float32"):
        ops.multi_hot([[0.0]], 3)
    with pytest.raises(ValueError, match="single number"):
        class_counts(1, 3)
    with pytest.raises(ValueError, match="last axis"):
        ops.multi_hot([[0]], 3, axis=0)
