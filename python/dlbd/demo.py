"""``dlbd demo``: from scanned digits in a database to a trained, checked network and pictures in under a minute."""

from __future__ import annotations

import io
import os
import pathlib
import sqlite3
import time
from contextlib import closing
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


def write_database(path: pathlib.Path, parts: dict[str, tuple[Array, Array]]) -> None:
    """A table "digits" of an SQLite file: id, part, image (PNG) and label of each row.

    Args:
        path: the file; one that is there is replaced.
        parts: images (N, 28, 28, 1) in [0, 1] and labels (N,) by the name of the part.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as database, database:
        database.execute("CREATE TABLE digits (id INTEGER PRIMARY KEY, part TEXT, image BLOB, label INTEGER)")
        for part, (images, labels) in parts.items():
            rows = ((part, as_png(image), label) for image, label in zip(images, labels.tolist(), strict=True))
            database.executemany("INSERT INTO digits (part, image, label) VALUES (?, ?, ?)", rows)
    os.replace(temporary, path)


def as_png(image: Array) -> bytes:
    """A grey image, (height, width, 1) in [0, 1], as a file of 8 bits per pixel."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "the demo's images are PNG files in a database: pip install 'dlbd[demo]' (or pillow)"
        ) from None
    file = io.BytesIO()
    Image.fromarray(np.rint(image[..., 0] * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def save_pictures(history: dict[str, list[float]], matrix: Array, folder: pathlib.Path) -> list[pathlib.Path]:
    """Loss and accuracy by epoch, and the confusion matrix; none where matplotlib is not installed."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt
    except ImportError:
        return []
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axis, name in zip(axes, ("loss", "accuracy"), strict=True):
        axis.plot(epochs, history[name], marker="o", label="training")
        axis.plot(epochs, history[f"val_{name}"], marker="o", label="validation")
        axis.set(xlabel="epoch", title=name)
        axis.grid(alpha=0.3)
        axis.legend()
    curves = folder / "learning-curves.png"
    figure.savefig(curves, dpi=150)
    plt.close(figure)
    figure, axis = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
    axis.imshow(np.sqrt(matrix), cmap="Blues")
    for (true, predicted), n in np.ndenumerate(matrix):
        if n:
            axis.text(
                predicted, true, str(n), ha="center", va="center", color="white" if true == predicted else "black"
            )
    axis.set(xlabel="predicted", ylabel="true", xticks=range(len(matrix)), yticks=range(len(matrix)))
    confusion = folder / "confusion.png"
    figure.savefig(confusion, dpi=150)
    plt.close(figure)
    return [curves, confusion]


def run(seed: int = 0, epochs: int = 8, out: str = "dlbd-demo") -> dict[str, Any]:
    """Write the database, train from it, test, save, print; returns ``accuracy``, ``confusion`` and ``history``."""
    if epochs < 1:
        raise ValueError(f"expected at least 1 epoch; received {epochs}")
    from dlbd import data

    folder = pathlib.Path(out)
    database = folder / "digits.db"
    images, labels = datasets.load_digits()
    rows = dict(zip(("train", "validation", "test"), stratified_split(labels, (0.7, 0.1, 0.2), seed), strict=True))
    x = enlarge(images)
    parts = {part: (x[chosen], labels[chosen]) for part, chosen in rows.items()}
    parts["train"] = with_shifted_copies(*parts["train"])
    write_database(database, parts)
    print(
        f"{database}: {len(labels)} scanned digits: {len(rows['train'])} to train (with shifted copies "
        f"{len(parts['train'][1])}), {len(rows['validation'])} to validate, {len(rows['test'])} to test"
    )

    digits = data.open(f"sqlite:///{database}", table="digits", order_by="id")
    train, validation, test = (digits.where(data.col("part") == part) for part in parts)
    features = data.Features(
        [data.Image("image", size=(28, 28), channels=1)], target=data.Target("label", kind="class")
    )
    utils.set_random_seed(seed)
    model = build_model()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    start = time.perf_counter()
    history = model.fit(train, features=features, epochs=epochs, validation_data=validation)
    seconds = time.perf_counter() - start

    predicted = model.predict(test, verbose=0).argmax(axis=1)
    wanted = parts["test"][1]
    accuracy = float(np.mean(predicted == wanted))
    matrix = confusion_matrix(wanted, predicted)
    print(f"\n{show_confusion(matrix)}\n")
    print(f"test accuracy: {accuracy:.4f} ({int(matrix.trace())} of {len(wanted)})")
    print(f"training:      {epochs * len(parts['train'][1]) / seconds:,.0f} images per second, {seconds:.1f} s in all")
    model.save(folder / "digits.dlbd")
    print(f"model:         {folder / 'digits.dlbd'}")
    for picture in save_pictures(history.history, matrix, folder):
        print(f"picture:       {picture}")
    print(f"next:          dlbd inspect sqlite:///{database} --table digits --target label")
    return {"accuracy": accuracy, "confusion": matrix, "history": history.history}
