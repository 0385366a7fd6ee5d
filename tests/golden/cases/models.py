"""Small models that real Keras and dlbd put together and train alike: layers, masks, losses, sample weights, fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ROWS, CLASSES, EPOCHS, BATCH = 40, 3, 3, 12


def data() -> dict[str, np.ndarray]:
    """Inputs and targets of all kinds, one row per sample."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 9, (ROWS, 7)).astype(np.int32)
    for row in range(ROWS):
        tokens[row, 7 - row % 5 :] = 0  # padding
    classes = rng.integers(0, CLASSES, ROWS)
    return {
        "tokens": tokens,
        "images": rng.standard_normal((ROWS, 9, 8, 3)).astype(np.float32),
        "sequences": rng.standard_normal((ROWS, 6, 5)).astype(np.float32),
        "vectors": rng.standard_normal((ROWS, 5)).astype(np.float32),
        "more": rng.standard_normal((ROWS, 4)).astype(np.float32),
        "classes": classes,
        "one-hot": np.eye(CLASSES, dtype=np.float32)[classes],
        "signs": np.where(classes > 0, 1, -1).astype(np.float32)[:, None],
        "yes-or-no": (classes > 0).astype(np.float32),
        "real": rng.standard_normal((ROWS, 1)).astype(np.float32),
        "steps": rng.standard_normal((ROWS, 7, 2)).astype(np.float32),
        "weights": np.linspace(0.5, 1.5, ROWS).astype(np.float32),
    }


@dataclass(frozen=True)
class ModelCase:
    """A model and how to train it.

    Attributes:
        build: makes the model from the namespace, ``keras`` or ``dlbd``, or the layers that come after an Input.
        inputs, targets: names of :func:`data`; a list or dict of them for several.
        loss: as for ``compile``, or a function of the namespace.
        compiling, fitting: further arguments of ``compile`` and ``fit``; functions of the namespace are called.
    """

    build: Callable[[Any], Any]
    inputs: Any
    targets: Any
    loss: Any = None
    optimizer: Callable[[Any], Any] = lambda k: k.optimizers.Adam(0.01)
    compiling: dict[str, Any] = field(default_factory=dict)
    fitting: dict[str, Any] = field(default_factory=dict)

    def model(self, k: Any) -> Any:
        made = self.build(k)
        if isinstance(made, list):
            x = data()[self.inputs]
            made = k.Sequential([k.layers.Input(x.shape[1:], dtype=str(x.dtype)), *made])
        rng = np.random.default_rng(1)
        made.set_weights([_initial(rng, w.shape) for w in made.weights])
        return made

    def train(self, k: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Numbers: losses of the epochs, what the trained model gives, its weights. And words: names, in order."""
        columns = data()
        x, y = _chosen(self.inputs, columns), _chosen(self.targets, columns)
        model = self.model(k)
        compiling = {key: value(k) if callable(value) else value for key, value in self.compiling.items()}
        model.compile(self.optimizer(k), self.loss(k) if callable(self.loss) else self.loss, **compiling)
        fitting = {"validation_split": 0.2, **{key: _chosen(v, columns) for key, v in self.fitting.items()}}
        history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **fitting)
        numbers = {f"history/{key}": values for key, values in history.history.items()}
        scores = model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True)
        numbers |= {f"evaluate/{key}": value for key, value in scores.items()}
        for method in (model.train_on_batch, model.test_on_batch):
            logs = method(_rows(x, 8), _rows(y, 8), return_dict=True)
            numbers |= {f"{method.__name__}/{key}": value for key, value in logs.items()}
        predicted = model.predict(_rows(x, 5), verbose=0)
        named = predicted if isinstance(predicted, dict) else dict(enumerate(_listed(predicted)))
        numbers |= {f"prediction/{key}": value for key, value in named.items()}
        numbers |= {f"weight/{i}": w for i, w in enumerate(model.get_weights())}
        words = {
            # Keras does not count operations (ops.tanh) among the layers.
            "layers": [layer.name for layer in model.layers if type(layer).__name__ != "Operation"],
            "weights": [[w.name, list(w.shape)] for w in model.weights],
            "trainable": [any(w is t for t in model.trainable_weights) for w in model.weights],
            "shape": _shape(model.output_shape),
            "history": sorted(history.history),
            "parameters": model.count_params(),
        }
        return numbers, words


def _chosen(names: Any, columns: dict[str, np.ndarray]) -> Any:
    if isinstance(names, str):
        return columns[names]
    if isinstance(names, list):
        return [_chosen(name, columns) for name in names]
    if isinstance(names, dict) and any(isinstance(name, str) for name in names.values()):
        return {key: _chosen(name, columns) for key, name in names.items()}
    return names


def _rows(nest: Any, n: int) -> Any:
    if isinstance(nest, dict):
        return {key: value[:n] for key, value in nest.items()}
    return [value[:n] for value in nest] if isinstance(nest, list) else nest[:n]


def _listed(nest: Any) -> list[Any]:
    return list(nest) if isinstance(nest, (list, tuple)) else [nest]


def _shape(nest: Any) -> Any:
    if isinstance(nest, dict):
        nest = list(nest.values())
    return [_shape(n) if isinstance(n, (list, tuple)) else n for n in nest]


def _initial(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Kernels of both signs; vectors, of which some are variances, stay positive."""
    sign = np.where(np.arange(int(np.prod(shape))) % 3 == 0, -1, 1).reshape(shape) if len(shape) > 1 else 1
    return (rng.uniform(0.1, 0.4, shape) * sign).astype(np.float32)


def _smoothed(k: Any) -> Any:
    return k.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)


def _momentum(k: Any) -> Any:
    return k.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=0.5)


def _siamese(k: Any) -> Any:
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    shared = k.layers.Dense(4, activation="tanh", name="shared")
    left, right = shared(a), shared(b)
    joined = k.layers.Concatenate(name="joined")([left, right, k.layers.Multiply(name="product")([left, right])])
    return k.Model([a, b], k.layers.Dense(1, name="score")(joined), name="siamese")


def _two_headed(k: Any) -> Any:
    words = k.Input((7,), dtype="int32", name="words")
    numbers = k.Input((4,), name="numbers")
    x = k.layers.Embedding(9, 4, mask_zero=True, name="embedded")(words)
    x = k.layers.LSTM(3, name="read")(x)
    x = k.layers.concatenate([x, k.layers.Dense(3, activation="relu", name="seen")(numbers)], name="both")
    kind = k.layers.Dense(CLASSES, activation="softmax", name="kind")(x)
    size = k.layers.Dense(1, name="size")(x)
    return k.Model({"words": words, "numbers": numbers}, {"kind": kind, "size": size}, name="two_headed")


def _two_outputs(k: Any) -> Any:
    x = k.Input((5,), name="x")
    hidden = k.layers.Dense(6, activation="relu", name="hidden")(x)
    kind = k.layers.Dense(CLASSES, activation="softmax", name="kind")(hidden)
    return k.Model(x, [kind, k.layers.Dense(1, name="size")(hidden)])


def _residual(k: Any) -> Any:
    x = k.Input((9, 8, 3), name="image")
    y = k.layers.Conv2D(4, 3, padding="same", use_bias=False, name="first")(x)
    y = k.layers.BatchNormalization(name="norm")(y)
    z = k.layers.Activation("relu", name="bend")(y)
    z = k.layers.Conv2D(4, 3, padding="same", name="second")(z)
    y = k.layers.Add(name="sum")([y, z])
    y = k.layers.GlobalAveragePooling2D(name="pool")(y)
    return k.Model(x, k.layers.Dense(CLASSES, activation="softmax", name="top")(y), name="residual")


def _nested(k: Any) -> Any:
    x = k.Input((5,), name="inner_x")
    inner = k.Model(x, k.layers.Dense(4, activation="elu", name="inner_dense")(x), name="inner")
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    top = k.Sequential([k.layers.Dense(3, name="t1"), k.layers.Dense(1, name="t2")], name="top")
    return k.Model([a, b], top(k.layers.Subtract(name="less")([inner(a), inner(b)])), name="nested")


def _frozen(k: Any) -> Any:
    model = _residual(k)
    model.get_layer("first").trainable = False
    model.get_layer("norm").trainable = False
    return model


def _encoder(k: Any) -> Any:
    words = k.Input((7,), dtype="int32", name="words")
    x = k.layers.Embedding(9, 6, mask_zero=True, name="embedded")(words)
    y = k.layers.MultiHeadAttention(2, 3, name="attend")(x, x)
    x = k.layers.LayerNormalization(name="norm")(k.layers.Add(name="sum")([x, y]))
    x = k.layers.GlobalAveragePooling1D(name="pool")(x)
    return k.Model(words, k.layers.Dense(CLASSES, name="top")(x), name="encoder")


def _steps(k: Any) -> Any:
    words = k.Input((7,), dtype="int32", name="words")
    x = k.layers.Embedding(9, 4, mask_zero=True, name="embedded")(words)
    x = k.layers.Bidirectional(k.layers.GRU(3, return_sequences=True, name="gru"), name="both_ways")(x)
    return k.Model(words, k.layers.TimeDistributed(k.layers.Dense(2, name="of_step"), name="steps")(x), name="steps")


def _operations(k: Any) -> Any:
    x = k.Input((6, 5), name="x")
    y = k.ops.mean(k.layers.Dense(4, name="dense")(x) * 2.0, axis=1)
    return k.Model(x, k.layers.Dense(1, activation="sigmoid", name="top")(k.ops.tanh(y) + y), name="operations")


def _regularized(k: Any) -> list[Any]:
    return [
        k.layers.Dense(6, activation="tanh", kernel_regularizer="l2", activity_regularizer=k.regularizers.L1(0.01)),
        k.layers.Dense(4, kernel_constraint=k.constraints.MaxNorm(0.8), bias_regularizer=k.regularizers.L1L2(0.1, 0.1)),
        k.layers.Dense(1),
    ]


MODELS = {
    "bidirectional-masked": ModelCase(
        lambda k: [
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.Bidirectional(k.layers.LSTM(3, return_sequences=True)),
            k.layers.Bidirectional(k.layers.GRU(3), merge_mode="sum"),
            k.layers.Dense(CLASSES, activation="softmax"),
        ],
        "tokens",
        "classes",
        "sparse_categorical_crossentropy",
        compiling={"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]},
        fitting={"sample_weight": "weights"},
    ),
    "masked-normalization": ModelCase(
        lambda k: [
            k.layers.Embedding(9, 4, mask_zero=True),
            k.layers.BatchNormalization(momentum=0.8),
            k.layers.LayerNormalization(),
            k.layers.SimpleRNN(3, go_backwards=True),
            k.layers.Dense(1),
        ],
        "tokens",
        "real",
        "mae",
        _momentum,
        fitting={"sample_weight": "weights"},
    ),
    "convolutions": ModelCase(
        lambda k: [
            k.layers.Conv2D(4, 3, padding="same", use_bias=False),
            k.layers.BatchNormalization(),
            k.layers.ReLU(),
            k.layers.MaxPooling2D(2),
            k.layers.Conv2D(6, 3, strides=2, padding="same", activation="elu"),
            k.layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
            k.layers.GlobalAveragePooling2D(),
            k.layers.Dense(CLASSES, activation="softmax"),
        ],
        "images",
        "one-hot",
        "categorical_crossentropy",
        compiling={"metrics": ["accuracy", "mse"]},
    ),
    "grouped": ModelCase(
        lambda k: [
            k.layers.Conv2D(6, 3, groups=3, dilation_rate=2, activation="gelu"),
            k.layers.LeakyReLU(),
            k.layers.Flatten(),
            k.layers.Dense(4, activation="selu"),
            k.layers.Dense(1, activation="sigmoid"),
        ],
        "images",
        "yes-or-no",
        "binary_crossentropy",
        _momentum,
        {"metrics": lambda k: ["accuracy", k.metrics.AUC(name="auc"), k.metrics.Precision(), k.metrics.Recall()]},
        {"class_weight": {0: 2.0, 1: 0.5}},
    ),
    "unfused-recurrent": ModelCase(
        lambda k: [
            k.layers.SimpleRNN(4, activation="relu", return_sequences=True),
            k.layers.LSTM(3, recurrent_activation="hard_sigmoid"),
            k.layers.Dense(CLASSES),
        ],
        "sequences",
        "one-hot",
        _smoothed,
    ),
    "hinge": ModelCase(
        lambda k: [k.layers.Flatten(), k.layers.Dense(1, activation="tanh")],
        "sequences",
        "signs",
        "hinge",
        lambda k: k.optimizers.RMSprop(0.01),
        {"metrics": ["hinge"]},
    ),
    "regularized": ModelCase(
        _regularized,
        "vectors",
        "real",
        "mse",
        lambda k: k.optimizers.SGD(0.05, momentum=0.5),
        {"metrics": ["mae", "mse"]},
    ),
    "siamese": ModelCase(
        _siamese, {"a": "vectors", "b": "vectors"}, "real", "huber", compiling={"metrics": ["mse", "mae"]}
    ),
    "siamese-list": ModelCase(_siamese, ["vectors", "vectors"], "real", "mse", _momentum),
    "two-headed": ModelCase(
        _two_headed,
        {"words": "tokens", "numbers": "more"},
        {"kind": "classes", "size": "real"},
        {"kind": "sparse_categorical_crossentropy", "size": "mse"},
        compiling={"loss_weights": {"kind": 0.5, "size": 2.0}, "metrics": {"kind": ["accuracy"], "size": ["mae"]}},
    ),
    "two-outputs": ModelCase(
        _two_outputs,
        "vectors",
        ["classes", "real"],
        ["sparse_categorical_crossentropy", "mae"],
        compiling={"loss_weights": [1.0, 0.3], "metrics": [["accuracy"], ["mse", "mae"]]},
    ),
    "one-loss-for-two": ModelCase(_two_outputs, "vectors", ["one-hot", "real"], "mse", _momentum),
    "residual": ModelCase(
        _residual, "images", "classes", "sparse_categorical_crossentropy", compiling={"metrics": ["accuracy"]}
    ),
    "frozen": ModelCase(_frozen, "images", "classes", "sparse_categorical_crossentropy", _momentum),
    "nested": ModelCase(_nested, ["vectors", "vectors"], "real", "mse"),
    "encoder": ModelCase(_encoder, "tokens", "one-hot", _smoothed, compiling={"metrics": ["accuracy"]}),
    "masked-steps": ModelCase(_steps, "tokens", "steps", "mse"),  # Keras's metrics leave the mask out in training
    "operations": ModelCase(_operations, "sequences", "yes-or-no", "binary_crossentropy"),
    "accumulated": ModelCase(
        lambda k: [k.layers.Dense(4, activation="relu"), k.layers.Dense(1)],
        "vectors",
        "real",
        "mse",
        lambda k: k.optimizers.Adam(0.02, gradient_accumulation_steps=2),
    ),
    "averaged": ModelCase(
        lambda k: [k.layers.Dense(4, activation="relu"), k.layers.Dense(1)],
        "vectors",
        "real",
        "mse",
        lambda k: k.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.7),
        {"jit_compile": False},  # Keras on JAX fails otherwise: the averages have been donated
    ),
    "scheduled": ModelCase(
        lambda k: [k.layers.Dense(4, activation="relu"), k.layers.Dense(1)],
        "vectors",
        "real",
        "mse",
        lambda k: k.optimizers.SGD(k.optimizers.schedules.PolynomialDecay(0.1, 6, 0.01)),
    ),
}
