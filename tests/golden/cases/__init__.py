"""What is compared with real Keras: expressions that mean the same in Keras and in dlbd, and the arrays they are given.

make_golden.py evaluates them in Keras and writes the answers, the tests evaluate them in dlbd; so nothing here imports
either library. Inputs, weights and cotangents come from generators seeded by the case's name, so that the files hold
answers only. A case's name is its expression: to change the one is to ask for a new answer to the other.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MODULES = (
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "ops",
    "optimizers",
    "regularizers",
    "utils",
)


def evaluate(expression: str, k: Any, **given: Any) -> Any:
    """The value of an expression in the namespace ``k``, ``keras`` or ``dlbd``. Layers need no prefix."""
    names = {name: getattr(k, name) for name in MODULES}
    names |= {name: getattr(k.layers, name) for name in dir(k.layers) if not name.startswith("_")}
    names |= {"Input": k.Input, "Model": k.Model, "Sequential": k.Sequential, "np": np}
    return eval(expression, names | given)


def generator(name: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name}/{purpose}".encode()))


@dataclass(frozen=True)
class Array:
    """An array to be drawn.

    Attributes:
        kind: "normal", "unit" (in 0 to 1), "pixels" (in 0 to 255), "positive", "signs" (-1 and 1), "bits" (0 and 1),
            "bools", "ids" (integers below ``limit``), "tokens" (from 1 on, with zeros at the end of all rows but the
            first), "one-hot" or "simplex" (positive, of sum 1 along the last axis).
    """

    kind: str
    shape: tuple[int, ...]
    limit: int = 6

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        shape = self.shape
        match self.kind:
            case "normal":
                x = rng.standard_normal(shape)
            case "unit":
                x = rng.uniform(0, 1, shape)
            case "pixels":
                x = rng.uniform(0, 255, shape)
            case "positive":
                x = rng.uniform(0.2, 3, shape)
            case "signs":
                x = rng.integers(0, 2, shape) * 2.0 - 1
            case "bits":
                x = rng.integers(0, 2, shape) * 1.0
            case "bools":
                return rng.integers(0, 2, shape).astype(bool)
            case "ids":
                return rng.integers(0, self.limit, shape).astype(np.int32)
            case "tokens":
                ids = rng.integers(1, self.limit, shape).astype(np.int32)
                for row in range(1, shape[0]):
                    ids[row, -row:] = 0
                return ids
            case "one-hot":
                x = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
            case "simplex":
                x = np.exp(rng.standard_normal(shape))
                x /= x.sum(-1, keepdims=True)
            case _:
                raise ValueError(self.kind)
        return x.astype(np.float32)

    @property
    def is_float(self) -> bool:
        return self.kind not in ("bools", "ids", "tokens")


def normal(*shape: int) -> Array:
    return Array("normal", shape)


def unit(*shape: int) -> Array:
    return Array("unit", shape)


def pixels(*shape: int) -> Array:
    return Array("pixels", shape)


def positive(*shape: int) -> Array:
    return Array("positive", shape)


def ids(*shape: int, limit: int = 6) -> Array:
    return Array("ids", shape, limit)


def tokens(*shape: int, limit: int = 6) -> Array:
    return Array("tokens", shape, limit)


def bools(*shape: int) -> Array:
    return Array("bools", shape)


def drawn(arrays: Iterable[Array], name: str, purpose: str = "inputs") -> list[np.ndarray]:
    rng = generator(name, purpose)
    return [array.draw(rng) for array in arrays]


def weights(name: str, variables: Iterable[Any]) -> list[np.ndarray]:
    """Values for variables, of about the size that training gives them; variances are positive."""
    rng = generator(name, "weights")
    made = []
    for variable in variables:
        w = rng.uniform(-0.6, 0.6, tuple(variable.shape))
        made.append((np.abs(w) + 0.5 if "variance" in variable.path else w).astype(np.float32))
    return made


def cotangents(name: str, tensors: Iterable[Any]) -> list[np.ndarray]:
    """What the gradient of each output is taken to be."""
    rng = generator(name, "cotangent")
    return [rng.standard_normal(tuple(t.shape)).astype(np.float32) for t in tensors]


def leaves(result: Any) -> list[Any]:
    """What is in a nest of lists, tuples and dicts."""
    if isinstance(result, dict):
        return leaves(list(result.values()))
    if isinstance(result, (list, tuple)):
        return [y for part in result for y in leaves(part)]
    return [result]


def kind(x: Any) -> str:
    """The dtype, without its width: Keras on JAX has 32 bits for all."""
    return np.asarray(x).dtype.name.rstrip("0123456789")


_OMITTED = frozenset(("name", "seed", "dtype"))


def plain(config: Any) -> Any:
    """A configuration without what no user gives: names that are made up, seeds, and how objects are wrapped.

    Keras gives the learning rate with the noise of float32: 0.10000000149.
    """
    if isinstance(config, dict):
        if "class_name" in config:
            inner = plain(config.get("config"))
            return [config["class_name"], inner] if inner else [config["class_name"]]
        return {key: plain(value) for key, value in sorted(config.items()) if key not in _OMITTED}
    if isinstance(config, (list, tuple)):
        return [plain(value) for value in config]
    if hasattr(config, "__array__"):
        return plain(np.asarray(config).tolist())
    return float(f"{config:.6g}") if isinstance(config, float) else config


@dataclass(frozen=True)
class LayerCase:
    """A layer on given inputs.

    Attributes:
        name: what it is found by.
        build: makes it.
        inputs: arrays to be drawn; ``x`` is the one, or the list of them.
        call: what is compared, of ``layer``, ``x`` and the names in ``given``.
        given: further arrays, masks or words.
        gradient: whether it is compared, too.
    """

    name: str
    build: str
    inputs: tuple[Array, ...] = ()
    call: str = "layer(x)"
    given: dict[str, Any] = field(default_factory=dict)
    gradient: bool = True

    def arrays(self) -> list[np.ndarray]:
        return drawn(self.inputs, self.name)

    def differentiable(self) -> bool:
        """Whether the inputs have a gradient."""
        return self.gradient and all(a.is_float for a in self.inputs)

    def symbols(self, k: Any, unknown: bool) -> list[Any] | None:
        """Inputs of a model that fit, with None for the batch, and if ``unknown`` for all sizes but the last.

        None where the call takes other arrays, too, or there is no size to leave out.
        """
        if self.given or not self.inputs or (unknown and any(len(a.shape) < 3 for a in self.inputs)):
            return None
        shapes = [(None,) * (len(a.shape) - 1) + a.shape[-1:] if unknown else (None, *a.shape[1:]) for a in self.inputs]
        dtypes = ["float32" if a.is_float else "int32" for a in self.inputs]
        return [k.Input(batch_shape=shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]

    def apply(self, k: Any, layer: Any, x: list[Any]) -> list[Any]:
        """The outputs for the inputs ``x``, in a flat list."""
        feed = x[0] if len(x) == 1 else x
        return leaves(evaluate(self.call, k, layer=layer, x=feed, **self.given))


def words(text: str) -> list[str]:
    return text.split()


class Table(dict[str, Any]):
    """Cases by their names."""

    def put(self, case: Any) -> None:
        if case.name in self:
            raise ValueError(f"two cases are named {case.name!r}")
        self[case.name] = case

    def layer(self, build: str, *inputs: Array, call: str = "layer(x)", gradient: bool = True, **given: Any) -> None:
        """The name is the expression, with the shapes of the inputs where there is another case of that name."""
        name = build if call == "layer(x)" else f"{build}: {call}"
        if name in self:
            name += " of " + ", ".join("x".join(map(str, a.shape)) for a in inputs)
        self.put(LayerCase(name, build, inputs, call, given, gradient))
