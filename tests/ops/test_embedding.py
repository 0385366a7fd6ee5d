"""Embedding with indices that are none."""

import numpy as np
import pytest

from dlbd import Variable, ops

from ..arrays import tensor


@pytest.mark.parametrize(
    ("bad", "dtype"), [(-1, np.int32), (4, np.int32), (4, np.uint8), (-1, np.int64), (4, np.int64), (2**40, np.int64)]
)
def test_an_index_out_of_range_is_named(bad, dtype):
    indices = np.array([[0, 1], [bad, 3]], dtype)
    with pytest.raises(ValueError, match=rf"index {bad} at position 2 is out of range: expected 0 <= value < 4"):
        ops.embedding(indices, np.ones((4, 2), np.float32)).numpy()  # a GPU tells when it is read


def test_what_is_no_index_or_no_table_is_refused():
    table = Variable(np.ones((4, 2), np.float32))
    for indices in [[0.5], [True]]:
        with pytest.raises(TypeError, match="indices must be integers"):
            ops.embedding(indices, table)
    with pytest.raises(ValueError, match=r"table must be \(V, E\)"):
        ops.embedding([0], tensor(np.ones(4, np.float32)))
