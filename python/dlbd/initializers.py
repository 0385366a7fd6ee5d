"""Initial values of weights, with Keras's names, defaults and distributions.

An initializer with a seed gives the same values at every call; one without draws from the process's generator, which
:func:`dlbd.utils.set_random_seed` seeds, so that no two layers start alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from dlbd import backend, random
from dlbd import lookup as _lookup
from dlbd.backend import FLOAT32, Array
from dlbd.saving.objects import registered as _registered
from dlbd.tensor import Tensor

# The standard deviation of a standard normal truncated to two of its own.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base of all initializers: ``initializer(shape, dtype=None)`` gives a new tensor of that shape and dtype.

    One of your own overrides :meth:`values`; with constructor arguments also :meth:`get_config`.

    Raises:
        ValueError: (at the call) a size is negative.

    Example:
        >>> class Ramp(dlbd.initializers.Initializer):
        ...     def values(self, shape):
        ...         return np.arange(np.prod(shape)).reshape(shape)
        >>> Ramp()((2, 2), dtype="float32").numpy().tolist()
        [[0.0, 1.0], [2.0, 3.0]]
    """

    def values(self, shape: tuple[int, ...]) -> Array:
        """The values as a NumPy array of ``shape`` and any real dtype; the caller converts it."""
        raise NotImplementedError(f"{type(self).__name__} must define values(shape)")

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        sizes = tuple(int(n) for n in shape)
        if any(n < 0 for n in sizes):
            raise ValueError(f"[{type(self).__name__}] sizes must not be negative; received {tuple(shape)}")
        wanted = FLOAT32 if dtype is None else np.dtype(dtype)
        return Tensor(backend.place(np.require(self.values(sizes), wanted, ["C", "A", "W"])))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, as a dict."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """The initializer that :meth:`get_config` describes."""
        return cls(**config)

    def clone(self) -> Initializer:
        """An equal one."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.get_config()}>"


class Zeros(Initializer):
    """All 0: Keras's start for biases.

    Example:
        >>> dlbd.initializers.Zeros()((3,)).numpy().tolist()
        [0.0, 0.0, 0.0]
    """

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape, FLOAT32)


class Ones(Initializer):
    """All 1.

    Example:
        >>> dlbd.initializers.Ones()((1, 2)).numpy().tolist()
        [[1.0, 1.0]]
    """

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.ones(shape, FLOAT32)


class Constant(Initializer):
    """The same value everywhere.

    Args:
        value: a number (0 by default), or an array that broadcasts to the shape asked for; otherwise the call raises
            ValueError.

    Example:
        >>> dlbd.initializers.Constant([1, 2])((2, 2)).numpy().tolist()
        [[1.0, 2.0], [1.0, 2.0]]
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def values(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(np.asarray(self.value), shape)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: 1 by default.

    Raises:
        ValueError: (at the call) the shape has not two dimensions.

    Example:
        >>> dlbd.initializers.Identity(2.0)((2, 3)).numpy().tolist()
        [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

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
    """Normal distribution.

    Args:
        mean: 0 by default.
        stddev: standard deviation, 0.05 by default.
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.RandomNormal(mean=1.0, stddev=0.1, seed=0)((100, 100)).numpy()
        >>> round(float(x.mean()), 2), round(float(x.std()), 2)
        (1.0, 0.1)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * self._generator().standard_normal(shape)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(_Random):
    """Normal distribution, drawn again where a value lies more than two ``stddev`` from ``mean``.

    The cut leaves a standard deviation of 0.88 ``stddev``.

    Args:
        mean: 0 by default.
        stddev: standard deviation before the cut, 0.05 by default.
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.TruncatedNormal(stddev=1.0, seed=0)((100, 100)).numpy()
        >>> bool(abs(x).max() <= 2), round(float(x.std()), 2)
        (True, 0.88)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        self.mean, self.stddev, self.seed = mean, stddev, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self.mean + self.stddev * _truncated(self._generator(), shape)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomUniform(_Random):
    """Uniform distribution over [minval, maxval).

    Args:
        minval: -0.05 by default.
        maxval: 0.05 by default.
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.RandomUniform(0, 1, seed=0)((100, 100)).numpy()
        >>> bool(x.min() >= 0 and x.max() <= 1), round(float(x.mean()), 1)
        (True, 0.5)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        self.minval, self.maxval, self.seed = minval, maxval, _checked_seed(seed)

    def values(self, shape: tuple[int, ...]) -> Array:
        return self._generator().uniform(self.minval, self.maxval, shape)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class VarianceScaling(_Random):
    """Zero mean and variance ``scale / n``, n being the fan that ``mode`` names.

    A kernel (..., in, out) has fan_in = in and fan_out = out, each times the product of the sizes before; a vector has
    its size for both.

    Args:
        scale: positive; 1 by default.
        mode: "fan_in" (the default), "fan_out" or "fan_avg", the mean of both.
        distribution: "truncated_normal" (the default; "normal" is the same; cut at two standard deviations and widened
            so that the variance is as said), "untruncated_normal" or "uniform" (within ``sqrt(3 scale / n)``).
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.
        input_axes, output_axes: both, for a weight that is laid out otherwise: the axes whose sizes are multiplied to
            give fan_in and fan_out.

    Raises:
        ValueError: ``scale`` is not positive, ``mode`` or ``distribution`` is unknown, or only one of ``input_axes``
            and ``output_axes`` is given.

    Example:
        >>> init = dlbd.initializers.VarianceScaling(2.0, "fan_in", "uniform", seed=0)
        >>> x = init((6, 1000)).numpy()  # limit: sqrt(3 * 2 / 6) = 1
        >>> round(float(abs(x).max()), 1)
        1.0
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
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
        if (input_axes is None) != (output_axes is None):
            raise ValueError("[VarianceScaling] input_axes and output_axes are given together, or neither of them")
        self.scale, self.mode, self.distribution, self.seed = scale, mode, distribution, _checked_seed(seed)
        self.input_axes, self.output_axes = input_axes, output_axes

    def values(self, shape: tuple[int, ...]) -> Array:
        fan_in, fan_out = _fans(shape)
        if self.input_axes is not None and self.output_axes is not None:
            fan_in, fan_out = (float(math.prod(shape[a] for a in axes)) for axes in (self.input_axes, self.output_axes))
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
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return own | {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class _Scaled(VarianceScaling):
    _arguments: ClassVar[tuple[float, str, str]]

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._arguments, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_Scaled):
    """Uniform within +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010): Keras's start for kernels.

    The fans are those of :class:`VarianceScaling`.

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.GlorotUniform(seed=0)((50, 100)).numpy()  # limit: sqrt(6 / 150) = 0.2
        >>> round(float(abs(x).max()), 2)
        0.2
    """

    _arguments = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Truncated normal with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

    The fans are those of :class:`VarianceScaling`.

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.GlorotNormal(seed=0)((100, 100)).numpy()  # sqrt(2 / 200) = 0.1
        >>> round(float(x.std()), 2)
        0.1
    """

    _arguments = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Scaled):
    """Uniform within +-sqrt(6 / fan_in) (He et al., 2015), for layers followed by relu.

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.HeUniform(seed=0)((150, 100)).numpy()  # limit: sqrt(6 / 150) = 0.2
        >>> round(float(abs(x).max()), 2)
        0.2
    """

    _arguments = 2.0, "fan_in", "uniform"


class HeNormal(_Scaled):
    """Truncated normal with variance 2 / fan_in (He et al., 2015), for layers followed by relu.

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.HeNormal(seed=0)((200, 100)).numpy()  # sqrt(2 / 200) = 0.1
        >>> round(float(x.std()), 2)
        0.1
    """

    _arguments = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Scaled):
    """Uniform within +-sqrt(3 / fan_in) (LeCun et al., 1998).

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.LecunUniform(seed=0)((75, 100)).numpy()  # limit: sqrt(3 / 75) = 0.2
        >>> round(float(abs(x).max()), 2)
        0.2
    """

    _arguments = 1.0, "fan_in", "uniform"


class LecunNormal(_Scaled):
    """Truncated normal with variance 1 / fan_in (LeCun et al., 1998), for layers followed by selu.

    Args:
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Example:
        >>> x = dlbd.initializers.LecunNormal(seed=0)((100, 100)).numpy()  # sqrt(1 / 100) = 0.1
        >>> round(float(x.std()), 2)
        0.1
    """

    _arguments = 1.0, "fan_in", "truncated_normal"


class Orthogonal(_Random):
    """``gain`` times an orthogonal matrix (Saxe et al., 2014): rows or columns, whichever are fewer, are orthonormal.

    More than two dimensions are taken as (product of all but the last, the last).

    Args:
        gain: factor, 1 by default.
        seed: an int of 0 or more gives the same values at every call; None (the default) draws new ones from the
            process's generator, which :func:`dlbd.utils.set_random_seed` seeds.

    Raises:
        ValueError: (at the call) the shape has fewer than two dimensions.

    Example:
        >>> q = dlbd.initializers.Orthogonal(seed=0)((4, 3)).numpy()
        >>> bool(np.allclose(q.T @ q, np.eye(3), atol=1e-5))
        True
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


def _fans(shape: Sequence[int]) -> tuple[float, float]:
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
# Keras's other names.
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_normal, glorot_uniform = VarianceScaling, GlorotNormal, GlorotUniform
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform


def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer that ``identifier`` means.

    Args:
        identifier: an initializer or None (given back as it is); a name, "he_normal" or "HeNormal"; a class; a dict
            ``{"class_name": ..., "config": {...}}``; an array, which :class:`Constant` takes; or a function of
            ``(shape, dtype=)``.

    Raises:
        ValueError: nothing has that name, or it is nothing of these.

    Example:
        >>> dlbd.initializers.get("he_normal")((3, 4)).shape
        (3, 4)
    """
    identifier = _registered(identifier)
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


def serialize(initializer: Any) -> Any:
    """An initializer as plain data, which :func:`deserialize` understands; a function becomes its name.

    Example:
        >>> dlbd.initializers.serialize(dlbd.initializers.Constant(0.5))
        {'class_name': 'Constant', 'config': {'value': 0.5}}
    """
    return _lookup.serialize(initializer)


deserialize = get

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]
