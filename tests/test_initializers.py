"""Initializers: distributions, fans, seeds."""

import numpy as np
import pytest

import dlbd
from dlbd import initializers, random

CLASSES = [c for c in initializers._CLASSES if c is not initializers.Identity]
SCALED = {
    "glorot": lambda i, o: 2 / (i + o),
    "he": lambda i, o: 2 / i,
    "lecun": lambda i, o: 1 / i,
}


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("shape", [(200, 300), (3, 3, 40, 60)])
def test_variance_follows_the_fans(family, shape):
    fan_in, fan_out = initializers._fans(shape)
    assert (fan_in, fan_out) == (np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1])
    variance = SCALED[family](fan_in, fan_out)
    uniform = initializers.get(f"{family}_uniform")(shape).numpy()
    limit = np.sqrt(3 * variance)
    assert limit * 0.99 < np.abs(uniform).max() <= limit
    normal = initializers.get(f"{family}_normal")(shape).numpy()
    assert np.abs(normal).max() <= 2 * np.sqrt(variance) / 0.87962566103423978 * (1 + 1e-6)
    for x in (uniform, normal):
        assert x.dtype == np.float32
        assert x.var() == pytest.approx(variance, rel=0.05)
        assert x.mean() == pytest.approx(0, abs=0.02 * np.sqrt(variance) + 4 * np.sqrt(variance / x.size))


def test_plain_distributions():
    x = initializers.RandomNormal(1.0, 2.0)((400, 500)).numpy()
    assert (x.mean(), x.std()) == (pytest.approx(1, abs=0.03), pytest.approx(2, rel=0.02))
    x = initializers.TruncatedNormal(1.0, 2.0)((400, 500)).numpy()
    assert np.abs(x - 1).max() <= 4
    assert x.std() == pytest.approx(2 * 0.8796, rel=0.02)
    x = initializers.RandomUniform(2.0, 4.0)((400, 500)).numpy()
    assert 2 <= x.min() < 2.001
    assert 3.999 < x.max() <= 4
    x = initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")((400, 500)).numpy()
    assert x.var() == pytest.approx(2 / 500, rel=0.02)
    assert np.abs(x).max() > 3 * x.std()


def test_constants():
    assert (initializers.Zeros()((2, 3)).numpy() == 0).all()
    assert (initializers.get("ones")((2, 3)).numpy() == 1).all()
    assert (initializers.Constant(2.5)((2, 3)).numpy() == 2.5).all()
    np.testing.assert_array_equal(initializers.get(np.arange(3))((2, 3)), [[0, 1, 2]] * 2)
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), 2 * np.eye(2, 3))
    with pytest.raises(ValueError, match="two dimensions"):
        initializers.Identity()((3,))


@pytest.mark.parametrize("shape", [(64, 256), (256, 64), (3, 3, 8, 16), (7, 7)])
def test_orthogonal(shape):
    w = initializers.Orthogonal(gain=2.0)(shape, np.float64).numpy().reshape(-1, shape[-1])
    small = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)
    with pytest.raises(ValueError, match="at least two dimensions"):
        initializers.Orthogonal()((3,))


@pytest.mark.parametrize("cls", [c for c in CLASSES if issubclass(c, initializers._Random)])
def test_seeds(cls):
    seeded = cls(seed=7)
    np.testing.assert_array_equal(seeded((5, 6)), seeded((5, 6)))
    np.testing.assert_array_equal(seeded((5, 6)), cls(seed=7)((5, 6)))
    assert not np.array_equal(seeded((5, 6)), cls(seed=8)((5, 6)))
    free = cls()
    assert not np.array_equal(free((5, 6)), free((5, 6)))
    found = []
    for _ in range(2):
        random.seed(3)
        found.append([free((5, 6)).numpy(), cls()((5, 6)).numpy()])
    np.testing.assert_array_equal(found[0], found[1])
    for wrong in (-1, 1.5, True, "a"):
        with pytest.raises(ValueError, match="seed must be an int"):
            cls(seed=wrong)


@pytest.mark.parametrize("cls", CLASSES)
def test_config_shapes_and_dtypes(cls):
    again = cls.from_config(cls().get_config())
    assert again.get_config() == cls().get_config()
    assert type(cls().clone()) is cls
    assert cls()((4, 6), np.float64).dtype == np.float64
    assert cls()((0, 3)).shape == (0, 3)
    with pytest.raises(ValueError, match="must not be negative"):
        cls()((2, -1))


def test_get():
    for name, cls in initializers._BY_NAME.items():
        assert type(initializers.get(name)) is cls
    assert initializers.get(None) is None
    made = initializers.get({"class_name": "RandomUniform", "config": {"maxval": 1.0}})
    assert (made.maxval, made.minval) == (1.0, -0.05)
    assert initializers.get(made) is made
    assert type(initializers.get(initializers.Zeros)) is initializers.Zeros

    def mine(shape, dtype=None):
        return dlbd.Tensor(np.zeros(shape, dtype))

    assert initializers.get(mine) is mine
    with pytest.raises(ValueError, match="nothing is named 'glorot'"):
        initializers.get("glorot")
    with pytest.raises(ValueError, match="expected a name"):
        initializers.get(3)
    for arguments in ({"scale": 0}, {"mode": "fan"}, {"distribution": "cauchy"}):
        with pytest.raises(ValueError, match="VarianceScaling"):
            initializers.VarianceScaling(**arguments)


def test_fans_of_a_weight_that_is_laid_out_otherwise():
    """(in, heads, size): the fans are in, and heads x size."""
    wide = initializers.VarianceScaling(1.0, "fan_out", "uniform", input_axes=[0], output_axes=[1, 2])
    limit = np.sqrt(3 / (40 * 50))
    assert 0.99 * limit < np.abs(wide((30, 40, 50)).numpy()).max() <= limit
    assert initializers.VarianceScaling.from_config(wide.get_config()).get_config() == wide.get_config()
    with pytest.raises(ValueError, match="input_axes and output_axes are given together"):
        initializers.GlorotUniform(input_axes=[0])


def test_serialize_and_deserialize_are_inverse():
    written = initializers.serialize(initializers.HeNormal(seed=3))
    again = initializers.deserialize(written)
    assert isinstance(again, initializers.HeNormal)
    assert initializers.serialize(again) == written
