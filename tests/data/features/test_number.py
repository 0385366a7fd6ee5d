"""Numbers: missing values, outliers, scaling, and what cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import dlbd
from dlbd.data import Features, Number


def transformed(number: Number, training: Any, later: Any = None) -> np.ndarray:
    """What becomes of the column ``later`` after learning from the column ``training``."""
    features = Features([number])
    features.adapt(dlbd.data.open({number.name: training}))
    x, _ = features.to_numpy(dlbd.data.open({number.name: training if later is None else later}))
    assert x.dtype == np.float32
    assert x.shape[1] == 1
    return x[:, 0]


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).lognormal(3, 2, 50_000)


def test_scales(values: np.ndarray):
    q1, q2, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    wanted = {
        None: values,
        "standard": (values - values.mean()) / values.std(),
        "minmax": (values - values.min()) / (values.max() - values.min()),
    }
    for scale, right in wanted.items():
        np.testing.assert_allclose(transformed(Number("x", scale=scale), values), right, rtol=1e-6, atol=1e-7)
    small = values[:10_000]
    q1, q2, q3 = np.quantile(small, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(
        transformed(Number("x", scale="robust"), small), (small - q2) / (q3 - q1), rtol=1e-5, atol=1e-6
    )


def test_what_is_learned_equals_numpy_in_float64(values: np.ndarray):
    features = Features([Number("x", scale="standard", missing="mean")])
    features.adapt(dlbd.data.open({"x": values}))
    learned = features.inputs[0].learned
    np.testing.assert_allclose(learned["center"], values.mean(), rtol=1e-12)
    np.testing.assert_allclose(learned["width"], values.std(), rtol=1e-12)
    assert learned["fill"] == learned["center"]


def test_missing_values():
    column = [1.0, None, 2.0, float("nan"), 2.0, 7.0]
    for missing, fill in [("mean", 3.0), ("median", 2.0), ("most_frequent", 2.0), (-1, -1.0), (0.5, 0.5)]:
        assert transformed(Number("x", missing=missing), column).tolist() == [1, fill, 2, fill, 2, 7]
    assert transformed(Number("x", missing="drop"), column).tolist() == [1, 2, 2, 7]
    # NULL of whole numbers, and beside a scale: the mean becomes 0
    scaled = transformed(Number("x", missing="mean", scale="standard"), pa.array([1, None, 3]))
    assert scaled.tolist() == [-1, 0, 1]
    for scale in (None, "standard"):
        with pytest.raises(ValueError, match=r"column 'x' has no value \(NULL or NaN\); missing= .* \(row 3\)"):
            transformed(Number("x", scale=scale), [1.0, 2.0, 3.0, None])


def test_outliers_are_clipped():
    x = np.arange(1001.0)
    x[1000] = 1e9
    y = transformed(Number("x", clip=(0.01, 0.99)), x, [-5.0, 500.0, 1e9, np.inf, -np.inf])
    assert y.tolist() == [10, 500, 990, 990, 10]
    clipped = np.clip(x, 10, 990)
    y = transformed(Number("x", clip=(0.01, 0.99), scale="standard"), x)
    np.testing.assert_allclose(y, (clipped - clipped.mean()) / clipped.std(), rtol=1e-6)
    y = transformed(Number("x", clip=(0.01, 0.99), scale="minmax", missing="mean"), x, [None, 10.0])
    np.testing.assert_allclose(y, [(clipped.mean() - 10) / 980, 0], rtol=1e-6)


def test_both_zeros_are_one_value():
    filled = transformed(Number("x", missing="most_frequent"), [0.0, -0.0, 0.0, -0.0, 5.0, 5.0, 5.0, np.nan])
    assert filled[-1] == 0


def test_limits_at_the_ends_are_the_extremes():
    x = np.random.default_rng(0).standard_normal(100_000)
    y = transformed(Number("x", clip=(0, 0.5)), x)
    assert y.min() == np.float32(x.min())
    y = transformed(Number("x", clip=(0.5, 1)), x)
    assert y.max() == np.float32(x.max())


def test_infinities_and_what_float32_does_not_hold():
    with pytest.raises(ValueError, match=r"holds an infinity; clip=\(0.01, 0.99\) would limit it \(row 1\)"):
        transformed(Number("x", scale="standard"), [1.0, np.inf])
    with pytest.raises(ValueError, match=r"holds an infinity.*\(row 0\)"):
        transformed(Number("x"), [-np.inf, 1.0])
    with pytest.raises(ValueError, match=r"holds 1e\+300, of which float32 makes an infinity \(row 1\)"):
        transformed(Number("x"), [1.0, 1e300])
    assert np.isfinite(transformed(Number("x", scale="minmax"), [1e300, -1e300])).all()
    with pytest.raises(ValueError, match=r"holds 1e-320, of which float32 makes an infinity \(row 0\)"):
        transformed(Number("x", scale="minmax"), [1e-320, 0.0])
    for scale, large in (("standard", 1e300), ("minmax", 1.7e308)):
        with pytest.raises(ValueError, match=r"from -1.*e\+30\d to 1.*e\+30\d, too large to be scaled"):
            transformed(Number("x", scale=scale), [large, -large])


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust"])
def test_a_constant_column_becomes_zeros(scale: str):
    assert (transformed(Number("x", scale=scale), np.full(1000, 0.1)) == 0).all()
    assert transformed(Number("x", scale=scale, clip=(0.1, 0.9)), np.full(1000, 0.1)).tolist() == [0] * 1000


def test_a_column_without_values():
    for number in (Number("x", missing="mean"), Number("x", missing=0, scale="standard")):
        with pytest.raises(ValueError, match="column 'x' has no value in the training rows"):
            transformed(number, pa.array([None, None], pa.float64()))
    assert transformed(Number("x", missing=5), pa.array([None, None], pa.float64())).tolist() == [5, 5]


def test_types_that_say_a_number():
    for column in (
        pa.array([1, 2, 3], pa.int8()),
        pa.array([1, 2, 3], pa.decimal128(10, 2)),
        pa.array([1, 2, 3], pa.float32()),
        pa.array(["1", "2", "3.0"]),
        pa.array([1, 2, 3]).dictionary_encode(),
    ):
        assert transformed(Number("x"), column).tolist() == [1, 2, 3]
    assert transformed(Number("x"), [True, False, True]).tolist() == [1, 0, 1]
    assert transformed(Number("x", scale="minmax"), [1, 3], pa.array(["2"])).tolist() == [0.5]
    with pytest.raises(ValueError, match="column 'x' should hold values of type double; received 'two'"):
        transformed(Number("x", scale="minmax"), [1, 3], ["1", "two"])
    with pytest.raises(ValueError, match="should hold numbers; received values of type timestamp"):
        transformed(Number("x"), pa.array([0], pa.timestamp("s")))


def test_arguments():
    assert Number("x", scale="Standard", missing="Mean") == Number("x", scale="standard", missing="mean")
    with pytest.raises(ValueError, match="missing"):
        Number("x", missing="average")
    with pytest.raises(ValueError, match="finite"):
        Number("x", missing=float("nan"))
    with pytest.raises(ValueError, match="scale"):
        Number("x", scale="max")
    for clip in ((0.9, 0.1), (1, 99), (0.1,)):
        with pytest.raises(ValueError, match="two fractions"):
            Number("x", clip=clip)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than 100,000 different values"):
        transformed(Number("x", missing="most_frequent"), np.arange(100_001))
