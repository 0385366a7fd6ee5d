import numpy as np
import pytest

import dlbd


def test_gradients_have_the_structure_of_the_sources():
    v, w, unused = dlbd.Variable([1.0, 2.0]), dlbd.Variable(3.0), dlbd.Variable(0.0)
    with dlbd.GradientTape(persistent=True) as tape:
        y = dlbd.ops.sum(v * v * w)
    assert isinstance(tape.gradient(y, v), dlbd.Tensor)
    assert isinstance(tape.gradient(y, (v,)), tuple)
    found = tape.gradient(y, {"v": v, "others": [w, (unused,)]})
    np.testing.assert_array_equal(found["v"], [6, 12])
    np.testing.assert_array_equal(found["others"][0], 5)
    assert found["others"][1] == (None,)
    for wrong in ([np.ones(2)], "v", {"v": None}):
        with pytest.raises(TypeError, match="sources must be tensors or variables"):
            tape.gradient(y, wrong)
