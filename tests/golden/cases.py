"""What is compared with real Keras: layers, losses, metrics and optimizers, written once for both libraries.

Imported by make_golden.py (which runs Keras) and by test_golden.py: so nothing here imports either. ``build(k)`` takes
the namespace, ``keras`` or ``dlbd``. Inputs, weights and cotangents come from a generator seeded by the case's name, so
that the golden file holds answers only.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LayerCase:
    """A layer (or a small Sequential) on given inputs.

    Attributes:
        build: makes it from the namespace.
        shapes: of its inputs.
        call: how it is called with the list of inputs; ``layer(x)`` by default.
        inputs: makes the inputs instead of standard normal numbers (token ids, say).
        differentiable: whether the inputs have a gradient.
    """

    build: Callable[[Any], Any]
    shapes: tuple[tuple[int, ...], ...]
    call: Callable[..., Any] = lambda layer, x: layer(x)
    inputs: Callable[[np.random.Generator], list[np.ndarray]] | None = None
    differentiable: bool = True

    def make_inputs(self, name: str) -> list[np.ndarray]:
        rng = generator(name, "inputs")
        if self.inputs:
            return self.inputs(rng)
        return [rng.standard_normal(s).astype(np.float32) for s in self.shapes]


def generator(name: str, purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{name}/{purpose}".encode()))


def weights(name: str, shapes: list[tuple[int, ...]], names: list[str]) -> list[np.ndarray]:
    """Weights of about the size that training gives them; variances are positive."""
    rng = generator(name, "weights")
    made = []
    for shape, kind in zip(shapes, names, strict=True):
        w = rng.uniform(-0.6, 0.6, shape)
        made.append((np.abs(w) + 0.5 if "variance" in kind else w).astype(np.float32))
    return made


def cotangent(name: str, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    rng = generator(name, "cotangent")
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def outputs(result: Any) -> list[Any]:
    """A call's result as a flat list of tensors."""
    if isinstance(result, (list, tuple)):
        return [y for part in result for y in outputs(part)]
    return [result]


def _tokens(*shape: int, limit: int = 6) -> Callable[[np.random.Generator], list[np.ndarray]]:
    """Token ids with zeros (padding) at the end of each row but the first."""

    def make(rng: np.random.Generator) -> list[np.ndarray]:
        ids = rng.integers(1, limit, shape).astype(np.int32)
        for row in range(1, shape[0]):
            ids[row, -row:] = 0
        return [ids]

    return make


_IMAGE = ((2, 6, 7, 4),)
_SEQUENCE = ((3, 5, 4),)
_MATRIX = ((3, 5),)

_ACTIVATIONS = (
    "relu",
    "sigmoid",
    "tanh",
    "softmax",
    "gelu",
    "silu",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "relu6",
    "exponential",
    "mish",
    "log_softmax",
    "log_sigmoid",
    "linear",
)


def _layers() -> dict[str, LayerCase]:
    cases: dict[str, LayerCase] = {}

    def add(name: str, build: Callable[[Any], Any], shapes: tuple[tuple[int, ...], ...], **more: Any) -> None:
        cases[name] = LayerCase(build, shapes, **more)

    add("dense", lambda k: k.layers.Dense(4), _MATRIX)
    add("dense-relu-no-bias", lambda k: k.layers.Dense(4, activation="relu", use_bias=False), _MATRIX)
    add("dense-3d-softmax", lambda k: k.layers.Dense(4, activation="softmax"), _SEQUENCE)
    for a in _ACTIVATIONS:
        add(f"activation-{a}", lambda k, a=a: k.layers.Activation(a), _MATRIX)

    def conv(name: str, *args: Any, shapes: Any = _IMAGE, **kwargs: Any) -> None:
        add(f"conv2d-{name}", lambda k: k.layers.Conv2D(*args, **kwargs), shapes)

    conv("valid", 3, 3)
    conv("same-relu", 3, (3, 3), padding="same", activation="relu")
    conv("strided-same", 3, 3, strides=2, padding="same")
    conv("strided-valid", 3, (3, 2), strides=(2, 3))
    conv("even-same", 3, (4, 2), padding="same")
    conv("dilated", 3, 2, dilation_rate=2)
    conv("dilated-same", 3, 3, dilation_rate=(1, 2), padding="same")
    conv("groups", 6, 3, groups=2, padding="same")
    conv("depthwise-groups", 8, 3, groups=4)
    conv("1x1-no-bias", 5, 1, use_bias=False, activation="tanh")
    conv("one-channel", 4, 3, shapes=((2, 6, 7, 1),))

    def transpose(name: str, *args: Any, **kwargs: Any) -> None:
        add(f"conv2d-transpose-{name}", lambda k: k.layers.Conv2DTranspose(*args, **kwargs), ((2, 4, 3, 3),))

    transpose("valid", 2, 3)
    transpose("same", 2, 4, padding="same", activation="relu")
    transpose("strided-valid", 2, (3, 4), strides=2)
    transpose("strided-same", 2, (4, 3), strides=2, padding="same")
    transpose("stride-over-kernel-same", 2, 1, strides=2, padding="same")
    transpose("stride-over-kernel-valid", 2, 2, strides=3)
    transpose("output-padding", 2, 3, strides=2, padding="same", output_padding=1)
    transpose("dilated", 2, 3, dilation_rate=2)
    transpose("no-bias", 2, 2, strides=(2, 1), padding="same", use_bias=False)

    for kind in ("Max", "Average"):
        for name, args in (
            ("2x2", {"pool_size": 2}),
            ("3-stride-2-same", {"pool_size": 3, "strides": 2, "padding": "same"}),
            ("uneven", {"pool_size": (2, 3), "strides": (1, 2)}),
            ("overlapping-same", {"pool_size": 3, "strides": 1, "padding": "same"}),
        ):
            add(
                f"{kind.lower()}-pool-{name}",
                lambda k, kind=kind, a=args: getattr(k.layers, f"{kind}Pooling2D")(**a),
                _IMAGE,
            )
        add(f"global-{kind.lower()}-pool", lambda k, kind=kind: getattr(k.layers, f"Global{kind}Pooling2D")(), _IMAGE)
        add(
            f"global-{kind.lower()}-pool-keepdims",
            lambda k, kind=kind: getattr(k.layers, f"Global{kind}Pooling2D")(keepdims=True),
            _IMAGE,
        )

    add("flatten", lambda k: k.layers.Flatten(), _IMAGE)
    add("reshape", lambda k: k.layers.Reshape((-1, 14)), _IMAGE)
    add("relu-options", lambda k: k.layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), _MATRIX)
    add("leaky-relu", lambda k: k.layers.LeakyReLU(), _MATRIX)
    add("leaky-relu-slope", lambda k: k.layers.LeakyReLU(negative_slope=0.1), _MATRIX)
    add("softmax-axis-1", lambda k: k.layers.Softmax(axis=1), _SEQUENCE)
    add("dropout-inference", lambda k: k.layers.Dropout(0.5), _MATRIX)

    def training(layer: Any, x: Any) -> Any:
        return layer(x, training=True)

    add("batch-norm-inference", lambda k: k.layers.BatchNormalization(), _IMAGE)
    add("batch-norm-training", lambda k: k.layers.BatchNormalization(), _IMAGE, call=training)
    add("batch-norm-matrix", lambda k: k.layers.BatchNormalization(momentum=0.9, epsilon=1e-5), _MATRIX, call=training)
    add("batch-norm-axis-1", lambda k: k.layers.BatchNormalization(axis=1), _IMAGE, call=training)
    add("batch-norm-plain", lambda k: k.layers.BatchNormalization(center=False, scale=False), _IMAGE, call=training)
    steps = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    add(
        "batch-norm-masked",
        lambda k: k.layers.BatchNormalization(momentum=0.9),
        _SEQUENCE,
        call=lambda layer, x: layer(x, training=True, mask=steps),
    )
    add("layer-norm", lambda k: k.layers.LayerNormalization(), _SEQUENCE)
    add("layer-norm-axes", lambda k: k.layers.LayerNormalization(axis=[1, 2], epsilon=1e-5), _SEQUENCE)
    add("layer-norm-no-center", lambda k: k.layers.LayerNormalization(center=False), _SEQUENCE)
    add("layer-norm-no-scale", lambda k: k.layers.LayerNormalization(scale=False), _SEQUENCE)

    tokens = {"inputs": _tokens(3, 5), "differentiable": False}
    add("embedding", lambda k: k.layers.Embedding(6, 4), ((3, 5),), **tokens)
    _recurrent(add, tokens)
    _attention(add)
    return cases


def _recurrent(add: Callable[..., None], tokens: dict[str, Any]) -> None:
    for kind in ("SimpleRNN", "LSTM", "GRU"):
        name = kind.lower()

        def make(k: Any, kind: str = kind, **options: Any) -> Any:
            return getattr(k.layers, kind)(3, **options)

        add(name, make, _SEQUENCE)
        add(f"{name}-sequences", lambda k, make=make: make(k, return_sequences=True), _SEQUENCE)
        add(f"{name}-backwards", lambda k, make=make: make(k, return_sequences=True, go_backwards=True), _SEQUENCE)
        add(f"{name}-state", lambda k, make=make: make(k, return_sequences=True, return_state=True), _SEQUENCE)
        add(f"{name}-no-bias", lambda k, make=make: make(k, use_bias=False), _SEQUENCE)
        add(f"{name}-relu", lambda k, make=make: make(k, activation="relu", return_sequences=True), _SEQUENCE)
        if kind != "SimpleRNN":
            add(f"{name}-hard-sigmoid", lambda k, make=make: make(k, recurrent_activation="hard_sigmoid"), _SEQUENCE)
        states = 2 if kind == "LSTM" else 1
        add(
            f"{name}-initial-state",
            make,
            (*_SEQUENCE, *[(3, 3)] * states),
            call=lambda layer, x, s=states: layer(x[0], initial_state=x[1:] if s > 1 else x[1]),
        )
        for sequences in (False, True):
            add(
                f"{name}-masked{'-sequences' if sequences else ''}",
                lambda k, make=make, s=sequences: k.Sequential(
                    [k.layers.Embedding(6, 4, mask_zero=True), make(k, return_sequences=s)]
                ),
                ((3, 5),),
                **tokens,
            )
        add(
            f"{name}-masked-backwards",
            lambda k, make=make: k.Sequential(
                [k.layers.Embedding(6, 4, mask_zero=True), make(k, return_sequences=True, go_backwards=True)]
            ),
            ((3, 5),),
            **tokens,
        )
        add(f"bidirectional-{name}", lambda k, make=make: k.layers.Bidirectional(make(k)), _SEQUENCE)
        for mode in ("concat", "sum", "mul", "ave"):
            add(
                f"bidirectional-{name}-{mode}",
                lambda k, make=make, m=mode: k.layers.Bidirectional(make(k, return_sequences=True), merge_mode=m),
                _SEQUENCE,
            )
        add(
            f"bidirectional-{name}-masked",
            lambda k, make=make: k.Sequential(
                [k.layers.Embedding(6, 4, mask_zero=True), k.layers.Bidirectional(make(k, return_sequences=True))]
            ),
            ((3, 5),),
            **tokens,
        )
    add("gru-reset-before", lambda k: k.layers.GRU(3, reset_after=False, return_sequences=True), _SEQUENCE)
    add("lstm-no-forget-bias", lambda k: k.layers.LSTM(3, unit_forget_bias=False), _SEQUENCE)


def _attention(add: Callable[..., None]) -> None:
    two = ((2, 4, 3), (2, 5, 3))
    three = (*two, (2, 5, 3))
    add("attention", lambda k: k.layers.Attention(), two)
    add("attention-key", lambda k: k.layers.Attention(), three)
    add("attention-scale", lambda k: k.layers.Attention(use_scale=True), two)
    add("attention-concat", lambda k: k.layers.Attention(score_mode="concat", use_scale=True), two)
    add(
        "attention-causal",
        lambda k: k.layers.Attention(),
        ((2, 4, 3),) * 2,
        call=lambda a, x: a(x, use_causal_mask=True),
    )
    add("attention-scores", lambda k: k.layers.Attention(), two, call=lambda a, x: a(x, return_attention_scores=True))
    value_mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    add("attention-masked", lambda k: k.layers.Attention(), two, call=lambda a, x: a(x, mask=[None, value_mask]))

    def multi(k: Any, **options: Any) -> Any:
        return k.layers.MultiHeadAttention(2, 3, **options)

    add("multi-head-self", multi, ((2, 4, 5),), call=lambda a, x: a(x, x))
    add("multi-head-cross", multi, ((2, 4, 5), (2, 3, 6)), call=lambda a, x: a(x[0], x[1]))
    add("multi-head-key", multi, ((2, 4, 5), (2, 3, 6), (2, 3, 4)), call=lambda a, x: a(x[0], x[1], key=x[2]))
    # Keras 3.15 on JAX fails here (value_dim is not key_dim) unless it is asked for the scores.
    add(
        "multi-head-sizes",
        lambda k: multi(k, value_dim=2, output_shape=7),
        ((2, 4, 5),),
        call=lambda a, x: a(x, x, return_attention_scores=True),
    )
    add("multi-head-no-bias", lambda k: multi(k, use_bias=False), ((2, 4, 5),), call=lambda a, x: a(x, x))
    add("multi-head-causal", multi, ((2, 4, 5),), call=lambda a, x: a(x, x, use_causal_mask=True))
    mask = np.tril(np.ones((2, 4, 4), bool))
    mask[1, :, 2] = False
    add("multi-head-masked", multi, ((2, 4, 5),), call=lambda a, x: a(x, x, attention_mask=mask))
    volume = ((2, 3, 4, 5),)
    add("multi-head-all-axes", multi, volume, call=lambda a, x: a(x, x))
    for axis in (1, 2):
        along = np.random.default_rng(axis).random((2, volume[0][3 - axis], 4, 4)) < 0.7
        along = along[..., : volume[0][axis], : volume[0][axis]]
        along |= np.eye(volume[0][axis], dtype=bool)
        add(
            f"multi-head-axis-{axis}",
            lambda k, axis=axis: multi(k, attention_axes=(axis,)),
            volume,
            call=lambda a, x, m=along: a(x, x, attention_mask=m, return_attention_scores=True),
        )
    planes = np.random.default_rng(0).random((2, 3, 4, 2, 4)) < 0.7
    planes[..., 0, 0] = True
    add(
        "multi-head-all-axes-masked",
        multi,
        (*volume, (2, 2, 4, 5)),
        call=lambda a, x: a(x[0], x[1], attention_mask=planes, return_attention_scores=True),
    )
    add(
        "multi-head-scores",
        multi,
        ((2, 4, 5),),
        call=lambda a, x: a(x, x, return_attention_scores=True),
    )


LAYERS = _layers()


@dataclass(frozen=True)
class LossCase:
    build: Callable[[Any], Any]
    labels: str  # "real", "binary", "one-hot" or "sparse"
    predictions: str  # "real" (also logits), "unit" (independent probabilities) or "simplex"
    weights: str = ""  # "", "rows" or "elements"

    def arrays(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        rng = generator(name, "loss")
        shape = (6, 4)
        y_pred = rng.standard_normal(shape)
        if self.predictions == "unit":
            y_pred = 1 / (1 + np.exp(-y_pred))
        elif self.predictions == "simplex":
            y_pred = np.exp(y_pred) / np.exp(y_pred).sum(-1, keepdims=True)
        classes = rng.integers(0, shape[1], shape[0])
        y_true = {
            "real": rng.standard_normal(shape),
            "binary": rng.integers(0, 2, shape).astype(float),
            "one-hot": np.eye(shape[1])[classes],
            "sparse": classes,
        }[self.labels]
        sample_weight = {"": None, "rows": rng.uniform(0, 2, 6), "elements": rng.uniform(0, 2, shape)}[self.weights]
        as_float = [None if a is None else a.astype(np.float32) for a in (y_pred, sample_weight)]
        y_true = y_true.astype(np.int32 if self.labels == "sparse" else np.float32)
        assert as_float[0] is not None
        return y_true, as_float[0], as_float[1]


def _losses() -> dict[str, LossCase]:
    cases = {}
    for loss, options, labels, predictions in (
        ("MeanSquaredError", {}, "real", "real"),
        ("MeanAbsoluteError", {}, "real", "real"),
        ("BinaryCrossentropy", {}, "binary", "unit"),
        ("BinaryCrossentropy", {"from_logits": True}, "binary", "real"),
        ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}, "binary", "real"),
        ("BinaryCrossentropy", {"label_smoothing": 0.2}, "binary", "unit"),
        ("CategoricalCrossentropy", {}, "one-hot", "simplex"),
        ("CategoricalCrossentropy", {}, "one-hot", "unit"),
        ("CategoricalCrossentropy", {"from_logits": True}, "one-hot", "real"),
        ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one-hot", "real"),
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "one-hot", "simplex"),
        ("SparseCategoricalCrossentropy", {}, "sparse", "simplex"),
        ("SparseCategoricalCrossentropy", {"from_logits": True}, "sparse", "real"),
    ):
        name = "-".join([loss, predictions, *options])
        for reduction in ("sum_over_batch_size", "sum", "none"):
            for weights in ("", "rows"):
                cases["-".join(filter(None, (name, reduction, weights)))] = LossCase(
                    lambda k, loss=loss, options=options, r=reduction: getattr(k.losses, loss)(
                        reduction=None if r == "none" else r, **options
                    ),
                    labels,
                    predictions,
                    weights,
                )
    return cases


LOSSES = _losses()


@dataclass(frozen=True)
class MetricCase:
    build: Callable[[Any], Any]
    labels: str
    predictions: str
    weights: str = ""


METRICS = {
    "-".join(filter(None, (metric, weights))): MetricCase(
        lambda k, metric=metric: getattr(k.metrics, metric)(), labels, predictions, weights
    )
    for metric, labels, predictions in (
        ("MeanSquaredError", "real", "real"),
        ("MeanAbsoluteError", "real", "real"),
        ("BinaryAccuracy", "binary", "unit"),
        ("CategoricalAccuracy", "one-hot", "simplex"),
        ("SparseCategoricalAccuracy", "sparse", "simplex"),
        ("BinaryCrossentropy", "binary", "unit"),
        ("CategoricalCrossentropy", "one-hot", "simplex"),
        ("SparseCategoricalCrossentropy", "sparse", "simplex"),
    )
    for weights in ("", "rows")
}


@dataclass(frozen=True)
class OptimizerCase:
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    STEPS = 20
    SHAPES = ((3, 4), (4,))

    def build(self, k: Any) -> Any:
        return getattr(k.optimizers, self.name)(**self.options)

    def arrays(self) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
        """Initial variables, and the gradients of each step."""
        rng = generator("optimizer", "values")
        values = [rng.standard_normal(s).astype(np.float32) for s in self.SHAPES]
        steps = [[rng.standard_normal(s).astype(np.float32) for s in self.SHAPES] for _ in range(self.STEPS)]
        return values, steps


OPTIMIZERS = {
    "-".join([name, *(f"{k}={v}" for k, v in options.items())]): OptimizerCase(name, options)
    for name, options in (
        ("SGD", {}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
        ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
        ("SGD", {"clipvalue": 0.5}),
        ("SGD", {"momentum": 0.9, "weight_decay": 0.1, "clipnorm": 0.7}),
        ("SGD", {"momentum": 0.5, "nesterov": True, "global_clipnorm": 1.5}),
        ("Adam", {}),
        ("Adam", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}),
        ("Adam", {"clipnorm": 1.0}),
        ("Adam", {"global_clipnorm": 1.0}),
        ("Adam", {"clipvalue": 0.5}),
        ("Adam", {"weight_decay": 0.1}),
        ("Adam", {"learning_rate": 0.01, "amsgrad": True, "beta_2": 0.9}),
        ("AdamW", {}),
        ("AdamW", {"learning_rate": 0.1, "weight_decay": 0.1}),
        ("AdamW", {"learning_rate": 0.01, "amsgrad": True, "global_clipnorm": 1.5, "weight_decay": 0.05}),
        ("RMSprop", {}),
        ("RMSprop", {"rho": 0.8, "momentum": 0.9}),
        ("RMSprop", {"centered": True}),
        ("RMSprop", {"rho": 0.8, "momentum": 0.5, "centered": True, "weight_decay": 0.1, "clipnorm": 0.7}),
        ("Adagrad", {}),
        ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.0}),
        ("Adagrad", {"learning_rate": 0.1, "epsilon": 1e-3, "weight_decay": 0.1, "clipvalue": 0.5}),
    )
}
