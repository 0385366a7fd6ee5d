import json

import numpy as np
import pytest

import dlbd


def test_the_global_seed_rules_what_has_no_seed():
    found = []
    for _ in range(2):
        dlbd.utils.set_random_seed(5)
        found.append((np.array(dlbd.random.normal((3, 2))), np.array(dlbd.random.uniform((4,), 2, 3))))
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(dlbd.random.normal((3, 2)), dlbd.random.normal((3, 2)))


def test_an_integer_repeats_and_a_generator_goes_on():
    np.testing.assert_array_equal(dlbd.random.uniform((5,), seed=3), dlbd.random.uniform((5,), seed=3))
    generator = dlbd.random.SeedGenerator(3)
    first = np.array(dlbd.random.uniform((5,), seed=generator))
    np.testing.assert_array_equal(first, dlbd.random.uniform((5,), seed=3))
    assert not np.array_equal(first, dlbd.random.uniform((5,), seed=generator))


def test_in_a_recorded_step_numbers_are_new_unless_they_are_seeded():
    class Noisy(dlbd.layers.Layer):
        def call(self, x):
            return x + dlbd.random.normal(x.shape) + 0 * dlbd.random.normal(x.shape, seed=1)

    class Seeded(dlbd.layers.Layer):
        def call(self, x):
            return x + dlbd.random.normal(x.shape, seed=1)

    x = np.zeros((4, 3), np.float32)
    noisy, seeded = dlbd.Sequential([Noisy()]), dlbd.Sequential([Seeded()])
    found = [noisy.predict(x, verbose=0) for _ in range(4)]
    assert len({y.tobytes() for y in found}) == 4
    assert len({seeded.predict(x, verbose=0).tobytes() for _ in range(4)}) == 1
    dlbd.random.seed(2)
    again = noisy.predict(x, verbose=0)
    dlbd.random.seed(2)
    np.testing.assert_array_equal(noisy.predict(x, verbose=0), again)


def test_who_draws_from_the_process_changes_nothing_else():
    """Whether the stream of numbers without a seed was used before, the seeds of layers are the same."""
    found = []
    for _ in range(2):
        dlbd.random.seed(4)
        first = dlbd.random.next_seed()
        dlbd.random.normal((2,))
        found.append((first, dlbd.random.next_seed()))
    assert found[0] == found[1]


def test_a_state_goes_on_anywhere():
    dlbd.random.seed(4)
    dlbd.random.normal((2,))
    state = dlbd.random.get_state()
    wanted = [np.array(dlbd.random.normal((3,))), dlbd.random.next_seed()]
    dlbd.random.seed(9)
    dlbd.random.set_state(json.loads(json.dumps(state)))
    np.testing.assert_array_equal(wanted[0], dlbd.random.normal((3,)))
    assert dlbd.random.next_seed() == wanted[1]
    for wrong in ({}, {"generator": 1}, {**state, "generator": {"bit_generator": "other"}}, {**state, "counters": 5}):
        with pytest.raises(ValueError, match="state"):
            dlbd.random.set_state(wrong)
