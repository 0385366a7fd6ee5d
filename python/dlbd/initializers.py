"""Initial values of weights, with Keras's names, defaults and distributions.

An initializer with a seed gives the same values at every call; one without draws from the process's generator, which
:func:`dlbd.utils.set_random_seed` seeds, so that no two layers start alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd import random
from dlbd.backend import FLOAT32, Array
from dlbd.tensor import Tensor

# The standard deviation of a standard normal truncated to two of its own.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base: ``initializer(shape, dtype)`` gives a tensor; an initializer of your own overrides :meth:`values`."""

    def values(self, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define values(shape)")

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        sizes = tuple(int(n) for n in shape)
        if any(n < 0 for n in sizes):
            raise ValueError(f"[{type(self).__name__}] sizes must not be negative; received {tuple(shape)}")
        wanted = FLOAT32 if dtype is None else np.dtype(dtype)
        return Tensor(np.require(self.values(sizes), wanted, ["C", "A", "W"]))

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        return cls(**config)

    def clone(self) -> Initializer:
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class Zeros(Initializer):
    """All 0."""

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape, FLOAT32)


class Ones(Initializer):
    """All 1."""

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.ones(shape, FLOAT32)


class Constant(Initializer):
    """All ``value``, or an array that fits the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.asarray(self.value), shape)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) != 2:
            raise ValueError(f"[Identity] expected a shape of two dimensions; received {shape}")
        return self.gain * np.eye(*shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class _Random(Initializer):
    seed: int | None

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(random.next_seed() if self.seed is None else self.seed)


class RandomNormal(_Random):
    """Normal with ``mean`` and ``stddev``."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * self._generator().standard_normal(shape)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(_Random):
    """Normal with ``mean`` and ``stddev``, drawn again where it is more than two ``stddev`` away."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * _truncated(self._generator(), shape)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomUniform(_Random):
    """Uniform in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self._generator().uniform(self.minval, self.maxval, shape)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class VarianceScaling(_Random):
    """Zero mean and variance ``scale / n``, n being the fan that ``mode`` names.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: an int, or None to draw from the process's generator.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not scale > 0:
            raise ValueError(f"[VarianceScaling] scale must be positive; received {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"[VarianceScaling] mode must be fan_in, fan_out or fan_avg; received {mode!r}")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "[VarianceScaling] distribution must be truncated_normal, untruncated_normal or uniform; "
                f"received {distribution!r}"
            )
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = compute_fans(shape)
        fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, fans[self.mode])
        rng = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return rng.uniform(-limit, limit, shape)
        if self.distribution == "untruncated_normal":
            return math.sqrt(variance) * rng.standard_normal(shape)
        return math.sqrt(variance) / _TRUNCATED_STDDEV * _truncated(rng, shape)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


class _Scaled(VarianceScaling):
    _arguments: ClassVar[tuple[float, str, str]]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._arguments, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    _arguments = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Truncated normal with variance 2 / (fan_in + fan_out)."""

    _arguments = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Scaled):
    """Uniform within sqrt(6 / fan_in) (He et al., 2015)."""

    _arguments = 2.0, "fan_in", "uniform"


class HeNormal(_Scaled):
    """Truncated normal with variance 2 / fan_in."""

    _arguments = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Scaled):
    """Uniform within sqrt(3 / fan_in) (LeCun et al., 1998)."""

    _arguments = 1.0, "fan_in", "uniform"


class LecunNormal(_Scaled):
    """Truncated normal with variance 1 / fan_in."""

    _arguments = 1.0, "fan_in", "truncated_normal"


class Orthogonal(_Random):
    """``gain`` times an orthogonal matrix (Saxe et al., 2014): rows or columns, whichever are fewer, are orthonormal.

    More than two dimensions are taken as (all but the last, the last).
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = gain, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        if len(shape) < 2:
            raise ValueError(f"[Orthogonal] expected a shape of at least two dimensions; received {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(self._generator().standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # makes it uniform over all orthogonal matrices
        return self.gain * (q.T if rows < columns else q).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


def compute_fans(shape: Sequence[int]) -> tuple[float, float]:
    """How many inputs and outputs a weight of this shape joins; kernels are (..., in, out)."""
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = math.prod(shape[:-2])
    return float(field * shape[-2]), float(field * shape[-1])


def _truncated(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = rng.standard_normal(shape)
    outside = np.abs(x) > 2
    while outside.any():
        x[outside] = rng.standard_normal(int(outside.sum()))
        outside = np.abs(x) > 2
    return x


def _checked_seed(seed: Any) -> int | None:
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"[initializer] seed must be an int, 0 or more, or None; received {seed!r}")
    return int(seed)


_CLASSES = (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
)
_BY_NAME: dict[str, type[Initializer]] = {cls.__name__: cls for cls in _CLASSES}
_BY_NAME |= {"".join("_" + c.lower() if c.isupper() else c for c in n).lstrip("_"): c for n, c in _BY_NAME.items()}
_BY_NAME |= {
    "uniform": RandomUniform,
    "normal": RandomNormal,
    "zero": Zeros,
    "one": Ones,
    "OrthogonalInitializer": Orthogonal,
    "IdentityInitializer": Identity,
}
# Keras's functions of the same names.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_normal, glorot_uniform = VarianceScaling, GlorotNormal, GlorotUniform
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform


def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer that a string, a class, a configuration, an array or a function of (shape, dtype) means.

    Example:
        >>> dlbd.initializers.get("he_normal")((3, 4)).shape
        (3, 4)
    """
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, dict):
        cls = _BY_NAME.get(identifier.get("class_name", ""))
        if cls is not None:
            return cls.from_config(identifier.get("config", {}))
    elif isinstance(identifier, str):
        cls = _BY_NAME.get(identifier)
        if cls is not None:
            return cls()
        known = sorted(n for n in _BY_NAME if n[0].islower())
        raise ValueError(f"[initializer] nothing is named {identifier!r}; expected one of {known}")
    elif isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    elif isinstance(identifier, (np.ndarray, Tensor)):
        return Constant(np.array(identifier))
    elif callable(identifier):
        return identifier  # type: ignore[no-any-return]
    raise ValueError(f"[initializer] expected a name, an Initializer or a function; received {identifier!r}")
