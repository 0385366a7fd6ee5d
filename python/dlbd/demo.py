"""``dlbd demo``: from scanned digits to a trained, checked convolutional network in under a minute."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import numpy as np

from dlbd import Sequential, datasets, layers, utils
from dlbd.backend import Array

SCALE = 3  # an 8x8 scan becomes 24x24, and 28x28 with a border of two
SHIFT = 3  # pixels: one of the scan's own


def enlarge(images: Array) -> Array:
    """8x8 scans as (N, 28, 28, 1) images."""
    large = np.kron(images, np.ones((1, SCALE, SCALE), images.dtype))
    return np.pad(large, ((0, 0), (2, 2), (2, 2)))[..., None]


def with_shifted_copies(images: Array, labels: Array, pixels: int = SHIFT) -> tuple[Array, Array]:
    """The images and four copies moved up, down, left and right, zeros coming in at the edge."""
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    height, width = images.shape[1:3]
    corners = [(pixels, pixels), (0, pixels), (2 * pixels, pixels), (pixels, 0), (pixels, 2 * pixels)]
    moved = [padded[:, top : top + height, left : left + width] for top, left in corners]
    return np.concatenate(moved), np.tile(labels, len(corners))


def stratified_split(labels: Array, fractions: tuple[float, ...], seed: int) -> list[Array]:
    """Row numbers of each part; every class is divided in the same proportions, in a seeded random order."""
    rng = np.random.default_rng(seed)
    parts: list[list[Array]] = [[] for _ in fractions]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        edges = np.round(np.cumsum(fractions) * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, edges[:-1]), strict=True):
            part.append(chosen)
    return [rng.permutation(np.concatenate(part)) for part in parts]


def build_model() -> Sequential:
    """The convolutional network of seed 000: 93,322 parameters."""
    return Sequential(
        [
            layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def confusion_matrix(labels: Array, predicted: Array, classes: int = 10) -> Array:
    """Counts, a row per true class and a column per predicted class."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def show_confusion(matrix: Array) -> str:
    """The matrix as text, true classes down, predicted classes across."""
    head = "true\\predicted" + "".join(f"{c:5d}" for c in range(matrix.shape[1]))
    rows = [f"{c:>14d}" + "".join(f"{n:5d}" if n else "    ." for n in row) for c, row in enumerate(matrix)]
    return "\n".join([head, *rows])


def save_learning_curves(history: dict[str, list[float]], path: pathlib.Path) -> bool:
    """Loss and accuracy by epoch as a picture; False where matplotlib is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return False
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(epochs, history[name], marker="o", label="training")
        axis.plot(epochs, history[f"val_{name}"], marker="o", label="validation")
        axis.set(xlabel="epoch", title=name)
        axis.grid(alpha=0.3)
        axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True


def run(seed: int = 0, epochs: int = 8, out: str = "dlbd-demo") -> dict[str, Any]:
    """Train, test, print; returns ``accuracy``, ``confusion`` and ``history``."""
    if epochs < 1:
        raise ValueError(f"expected at least 1 epoch; received {epochs}")
    images, labels = datasets.load_digits()
    train, validation, test = stratified_split(labels, (0.7, 0.1, 0.2), seed)
    x = enlarge(images)
    x_train, y_train = with_shifted_copies(x[train], labels[train])
    print(
        f"{len(labels)} scanned digits: {len(train)} to train (with shifted copies {len(y_train)}), "
        f"{len(validation)} to validate, {len(test)} to test"
    )

    utils.set_random_seed(seed)
    model = build_model()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    start = time.perf_counter()
    history = model.fit(x_train, y_train, epochs=epochs, validation_data=(x[validation], labels[validation]))
    seconds = time.perf_counter() - start

    predicted = model.predict(x[test], verbose=0).argmax(axis=1)
    accuracy = float(np.mean(predicted == labels[test]))
    matrix = confusion_matrix(labels[test], predicted)
    print(f"\n{show_confusion(matrix)}\n")
    print(f"test accuracy: {accuracy:.4f} ({int(matrix.trace())} of {len(test)})")
    print(f"training:      {epochs * len(y_train) / seconds:,.0f} images per second, {seconds:.1f} s in all")
    picture = pathlib.Path(out) / "learning-curves.png"
    if save_learning_curves(history.history, picture):
        print(f"picture:       {picture}")
    else:
        print("picture:       not drawn, matplotlib is missing: pip install 'dlbd[demo]'")
    return {"accuracy": accuracy, "confusion": matrix, "history": history.history}
