"""Pictures of models and histories: what stands in them, that nothing overlaps, and the files."""

import io
import itertools
import math
import sys
import threading

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from PIL import Image

import dlbd
from dlbd import callbacks, layers
from dlbd.pictures import style
from dlbd.utils import plot_model
from tests.models.programs import blobs, mlp


def branching():
    image, place = layers.Input((8, 8, 1), name="image"), layers.Input((None, 2), name="place")
    shared = layers.Dense(4, activation="relu", name="shared")
    seen = shared(layers.Flatten(name="flat")(layers.Conv2D(4, 3, name="conv")(image)))
    read = shared(layers.Dense(144, name="widen")(layers.LSTM(3, return_state=True, name="lstm")(place)[0]))
    return dlbd.Model([image, place], [layers.Dense(1, name="head")(seen + read), seen])


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def parts(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def frames(figure):
    return [patch.get_path().get_extents() for patch in parts(figure, FancyBboxPatch)]


def apart(a, b) -> bool:
    return a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
def test_a_model_with_branches(rankdir):
    figure = plot_model(branching(), None, rankdir=rankdir)
    for text in ("Conv2D", "conv", "shared", "8 × 8 × 1", "? × 2", "144", "add"):
        assert text in texts(figure)
    assert texts(figure).count("shared") == 2
    assert len(parts(figure, FancyBboxPatch)) == 10
    assert len(parts(figure, FancyArrowPatch)) == 9
    dashed = [patch for patch in parts(figure, FancyBboxPatch) if patch.get_linestyle() != "-"]
    assert len(dashed) == 2


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
@pytest.mark.parametrize("options", [{}, {"show_shapes": False}, {"show_dtype": True, "show_trainable": True}])
def test_nothing_overlaps_and_nothing_sticks_out(rankdir, options):
    figure = plot_model(branching(), None, rankdir=rankdir, **options)
    width, height = figure.get_size_inches()
    found = frames(figure)
    assert all(apart(a, b) for a, b in itertools.combinations(found, 2))
    figure.canvas.draw()
    for text in figure.axes[0].texts:
        box = text.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    labels = [t.get_window_extent().transformed(figure.axes[0].transData.inverted()) for t in figure.axes[0].texts]
    inside = [
        any(f.x0 <= (b.x0 + b.x1) / 2 <= f.x1 and f.y0 <= (b.y0 + b.y1) / 2 <= f.y1 for f in found) for b in labels
    ]
    outside = [b for b, within in zip(labels, inside, strict=True) if not within]
    assert len(outside) == (0 if options.get("show_shapes") is False else 12)
    for label in outside:
        low, high = sorted((label.y0, label.y1))
        assert all(label.x1 <= f.x0 or f.x1 <= label.x0 or high <= f.y0 or f.y1 <= low for f in found)


def test_what_is_shown():
    model = branching()
    plain = texts(plot_model(model, None, show_shapes=False, show_layer_names=False))
    assert "conv" not in plain
    assert "144" not in plain
    rich = texts(plot_model(model, None, show_dtype=True, show_layer_activations=True, show_trainable=True))
    assert {"144 float32", "relu", "trainable"} <= set(rich)
    model.trainable = False
    assert "frozen" in texts(plot_model(model, None, show_trainable=True))


def test_models_inside_models():
    inner = dlbd.Sequential([layers.Input((4,)), layers.Dense(3, name="deep"), layers.Dense(2)], name="inner")
    x = layers.Input((4,))
    model = dlbd.Model(x, layers.Dense(1)(inner(x)))
    assert "deep" not in texts(plot_model(model, None))
    figure = plot_model(model, None, expand_nested=True)
    assert "deep" in texts(figure)
    outer, *_ = sorted(frames(figure), key=lambda f: f.x0 - f.x1)
    assert sum(outer.x0 < f.x0 and f.x1 < outer.x1 and outer.y0 < f.y0 and f.y1 < outer.y1 for f in frames(figure)) == 3


def test_a_sequential_that_is_not_built():
    figure = plot_model(dlbd.Sequential([layers.Dense(3), layers.Dense(2)]), None)
    assert len(parts(figure, FancyArrowPatch)) == 1


def test_names_are_not_read_as_formulas():
    model = dlbd.Sequential([layers.Input((4,)), layers.Dense(3, name="$a_{$")])
    assert "$a_{$" in texts(plot_model(model, None))
    io.BytesIO(plot_model(model, None)._repr_png_())


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_files(tmp_path, ending):
    path = tmp_path / f"model.{ending}"
    figure = plot_model(mlp(), path)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    if ending == "png":
        with Image.open(path) as image:
            assert image.size == pytest.approx(200 * figure.get_size_inches(), abs=1)


def test_a_very_tall_picture_gets_fewer_dots(tmp_path, monkeypatch):
    """Agg draws no more than 65,536 pixels along a side."""
    monkeypatch.setattr(style, "MOST_PIXELS", 300)
    plot_model(mlp(), tmp_path / "small.png")
    with Image.open(tmp_path / "small.png") as image:
        assert max(image.size) == pytest.approx(300, abs=1)


def test_what_cannot_be_drawn():
    class Net(dlbd.Model):
        def __init__(self):
            super().__init__()
            self.first, self.last = layers.Dense(4), layers.Dense(2)

        def call(self, inputs):
            return self.last(self.first(inputs))

    with pytest.raises(ValueError, match=r"nothing tells how the layers of model 'net.*' are connected"):
        plot_model(Net(), None)
    with pytest.raises(ValueError, match='rankdir must be "TB" or "LR"; received \'BT\''):
        plot_model(mlp(), None, rankdir="BT")


def history(names, epochs, **params):
    made = callbacks.History()
    made.params = {"epochs": epochs, **params}
    made.epoch = list(range(epochs))
    rng = np.random.default_rng(0)
    made.history = {name: list(rng.random(n) + 0.5) for name, n in names.items()}
    return made


def lines(panel):
    return [line for line in panel.lines if line.get_label()[0] != "_"]


def test_a_history_of_training(tmp_path):
    x, y = blobs()
    made = mlp().fit(x, y, epochs=3, validation_split=0.2, verbose=0)
    figure = made.plot(tmp_path / "history.png")
    assert [panel.get_title("left") for panel in figure.axes] == ["loss", "accuracy"]
    training, validation = lines(figure.axes[0])
    assert training.get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(training.get_ydata(), made.history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), made.history["val_loss"])
    best = min(made.history["val_loss"])
    assert figure.axes[0].get_title("right") == f"{best:.4g} in epoch {made.history['val_loss'].index(best) + 1}"
    with Image.open(tmp_path / "history.png") as image:
        assert image.width > image.height


def test_a_history_of_one_epoch():
    panel = history({"loss": 1}, 1).plot().axes[0]
    assert [tick for tick in panel.get_xticks() if 0.5 <= tick <= 1.5] == [1]
    assert lines(panel)[0].get_marker() == "o"


def test_a_history_of_many_epochs():
    panel = history({"loss": 1000}, 1000).plot().axes[0]
    assert lines(panel)[0].get_marker() in ("", "None")


@pytest.mark.parametrize(("frequency", "epochs"), [(3, [3, 6, 9]), ([2, 5, 9], [2, 5, 9])])
def test_validation_now_and_then(frequency, epochs):
    panel = history({"loss": 10, "val_loss": 3}, 10, validation_freq=frequency).plot().axes[0]
    assert lines(panel)[1].get_xdata().tolist() == epochs


def test_panels():
    names = ["learning_rate", "auc", "loss", "b_loss", "a_loss", "accuracy", "mae"]
    figure = history(dict.fromkeys(names, 4), 4).plot()
    titles = [panel.get_title("left") for panel in figure.axes if panel.axison]
    assert titles == ["loss", "a_loss", "b_loss", "accuracy", "auc", "mae", "learning_rate"]
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 3)


def test_a_loss_that_falls_far_is_logarithmic():
    made = history({"loss": 3, "accuracy": 3}, 3)
    made.history = {"loss": [100.0, 1.0, 0.1], "accuracy": [0.01, 0.5, 0.9]}
    assert [panel.get_yscale() for panel in made.plot().axes] == ["log", "linear"]


def test_values_that_are_not_finite_or_not_numbers():
    made = history({}, 3)
    made.history = {
        "loss": [1.0, math.nan, math.inf],
        "val_loss": [math.nan] * 3,
        "f1_score": [np.array([0.5, 1.0])] * 3,
        "confusion_matrix": [np.eye(3)] * 3,
    }
    figure = made.plot()
    assert [panel.get_title("left") for panel in figure.axes] == ["loss", "f1_score"]
    assert lines(figure.axes[1])[0].get_ydata().tolist() == [0.75] * 3
    figure._repr_png_()


def test_a_history_without_epochs():
    with pytest.raises(ValueError, match="there is no epoch to draw"):
        callbacks.History().plot()


@pytest.mark.parametrize(
    ("draw", "module"),
    [(lambda: plot_model(mlp(), None), "boxes"), (lambda: history({"loss": 2}, 2).plot(), "history")],
)
def test_a_missing_package_is_named(monkeypatch, draw, module):
    monkeypatch.setitem(sys.modules, f"dlbd.pictures.{module}", None)
    with pytest.raises(ImportError, match=r"pip install dlbd\[plot\]"):
        draw()


def test_pictures_in_threads():
    model, problems = branching(), []

    def work():
        try:
            plot_model(model, None)._repr_png_()
            history({"loss": 5}, 5).plot()._repr_png_()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
