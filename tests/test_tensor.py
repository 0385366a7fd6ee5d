import numpy as np
import pytest

import dlbd
from dlbd import layers, metrics


def test_variables_change_in_place():
    v = dlbd.Variable([1.0, 2.0])
    memory = v.array
    assert v.assign_add([1, 1]) is v
    assert v.assign_sub(dlbd.Tensor(np.array([0.5, 0.5], np.float32))) is v
    np.testing.assert_array_equal(v, [1.5, 2.5])
    assert v.array is memory
    assert v.value is v
    with pytest.raises(ValueError, match=r"shape \(2,\); received \(3, 2\)"):
        v.assign_add(np.ones((3, 2)))


def test_variables_that_a_step_changes_do_so_in_every_replay():
    class Counter(layers.Layer):
        def build(self, input_shape):
            self.calls = self.add_weight((), "zeros", trainable=False, name="calls")
            self.rows = self.add_weight((), "zeros", dtype="int64", trainable=False, name="rows")

        def call(self, x):
            self.calls.assign_add(1)
            self.rows.assign_sub(-x.shape[0])
            return x

        def compute_output_shape(self, input_shape):
            return input_shape

    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.seen = self.add_variable(())

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.seen.assign(dlbd.ops.maximum(self.seen, dlbd.ops.max(y_true)))

        def result(self):
            return self.seen

    counter = Counter()
    model = dlbd.Sequential([counter, layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Largest()])
    y = np.arange(50.0)
    history = model.fit(np.ones((50, 3)), y, batch_size=10, epochs=3, verbose=0)
    (steps,) = model._train_steps.values()
    assert all(step._replay is not None for free in steps._free.values() for step in free)
    assert history.history["largest"] == [49.0] * 3
    assert float(counter.calls) == 15
    assert int(counter.rows) == 150
