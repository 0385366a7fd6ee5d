import numpy as np

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
