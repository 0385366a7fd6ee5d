"""The examples of the seed documents: what follows their marker is the document's text, and each runs and holds.

Each is run once, with ``--quick`` and on the data there is: DLBD_TEST_DATA's, or what data.py takes without it.
"""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import dlbd

from .documents import PROGRAMS

SEEDS = Path(__file__).parents[2] / "examples" / "seeds"
EXAMPLES = sorted(path.stem for path in SEEDS.glob("0*.py") if path.stem != "003_pyspark")  # test_pyspark.py runs it
BEGIN = "# Below, only the import lines differ from the document.\n"
END = "\n# Here the document's program ends.\n"
PRINTED = sorted(name for name in PROGRAMS if not name.startswith("001"))  # those of 001 are put right throughout
PARAMETERS = {
    "000_attention": 1_354,
    "000_cnn": 93_322,
    "000_lstm": 31_649,
    "002_cnn": 54_410,
    "003_dense": 101_770,
    "004_dense": 41,
}


@cache
def ran(name: str) -> tuple[dict[str, Any], str]:
    """The variables of an example after it has run, and what it printed."""
    argv, path, out = sys.argv, list(sys.path), io.StringIO()
    state = dlbd.random.get_state()
    with TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(out):
        sys.argv, sys.path[:0] = [name, "--quick"], [str(SEEDS)]
        try:
            found = runpy.run_path(str(SEEDS / f"{name}.py"))
            found["pictures"] = {file.name: file.stat().st_size for file in Path("build", "seeds").glob("*.png")}
        finally:
            sys.argv, sys.path[:] = argv, path
            sys.modules.pop("data", None)
            dlbd.random.set_state(state)
    return found, out.getvalue()


def printed_part(name: str) -> str:
    return (SEEDS / f"{name}.py").read_text().split(BEGIN)[1].split(END)[0]


def here(program: str, package: str) -> str:
    return program.replace("import tensorflow as tf", "import dlbd as tf").replace(
        "from tensorflow.keras", f"from {package}"
    )


def without_imports(program: str) -> list[str]:
    return [line for line in program.splitlines() if not line.startswith(("import ", "from "))]


@pytest.mark.parametrize("name", PRINTED)
def test_the_example_is_the_document_but_for_its_imports(name: str):
    assert without_imports(printed_part(name)) == without_imports(PROGRAMS[name])


@pytest.mark.parametrize("name", [name for name in PRINTED if name != "000_gan_as_printed"])  # imports two layers more
def test_its_imports_are_the_documents_from_dlbd(name: str):
    assert printed_part(name) == here(PROGRAMS[name], "dlbd.keras")


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_imports_work_without_keras_in_their_names_too(name: str):
    definition = here(PROGRAMS[name], "dlbd").split("\nmodel.compile")[0]
    names: dict[str, object] = {}
    exec(definition, names)
    model = names["model"]
    assert isinstance(model, dlbd.Model)
    assert model.count_params() == PARAMETERS[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name: str):
    assert ran(name)[1]


@pytest.mark.parametrize("name", PARAMETERS)
def test_its_model_has_the_documents_size_and_learns(name: str):
    model = ran(name)[0]["model"]
    assert model.count_params() == PARAMETERS[name]
    losses = model.history.history["loss"]
    assert losses[-1] < losses[0]


ON_DATA = re.compile(r"from data import .*(digits|forecasts|gaps|penguins|points|readings|sentences)")


@pytest.mark.parametrize("name", [name for name in EXAMPLES if ON_DATA.search((SEEDS / f"{name}.py").read_text())])
def test_examples_on_data_say_where_it_is_from(name: str):
    assert "data: " in ran(name)[1]


# 000


def test_000_lstm_prints_every_error_beside_the_others():
    found, out = ran("000_lstm")
    assert found["train_data"].shape[1:] == (96, 10)
    np.testing.assert_allclose(found["train_data"].mean(axis=1), 0, atol=1e-4)
    assert found["errors"].keys() == found["forecasts_of"].keys()
    assert all(f"{name:27}{error:7.3f}" in out for name, error in found["errors"].items())


def test_000_attention_gives_a_distribution_for_every_hour():
    found, _ = ran("000_attention")
    outputs = found["model"].predict(found["test_data"][:2], verbose=0)
    assert outputs.shape == (2, found["test_data"].shape[1], 10)
    np.testing.assert_allclose(outputs.sum(axis=-1), 1, rtol=1e-5)
    assert found["without"].count_params() == found["model"].count_params()  # attention has no weights


def test_000_gan_judges_by_classes_and_distance_and_draws_every_epoch():
    found, out = ran("000_gan")
    assert re.search(r"^NOT REACHED: \d+ digits of 10 .*--quick", out, re.MULTILINE)
    assert found["pictures"].keys() == {"gan-00.png", "gan-01.png"}
    assert min(found["pictures"].values()) > 1000
    assert found["gan"].history.history.keys() == {"discriminator", "generator"}


def test_000_gan_frechet_distance():
    distance = ran("000_gan")[0]["frechet_distance"]
    rng = np.random.default_rng(0)
    a = rng.standard_normal((4000, 3))
    assert distance(a, a) == pytest.approx(0, abs=1e-9)
    assert distance(a, a + np.array([3.0, 0.0, 4.0])) == pytest.approx(25)
    # of normal distributions with deviations 1 and s: the sum of (1 - s)^2
    assert distance(a, a * [1.0, 2.0, 4.0]) == pytest.approx(0 + 1 + 9, rel=0.1)


def test_000_gan_as_printed_builds_and_is_refused_together():
    found, out = ran("000_gan_as_printed")
    assert found["generator"].count_params() == 15_247_811
    assert found["generator"].output_shape == (None, 56, 56, 3)
    assert found["discriminator"].count_params() == 224_129
    for part in ("(None, 28, 28, 1)", "(None, 56, 56, 3)", found["discriminator"].name):
        assert part in found["message"]
        assert part in out


# 001


def test_001_gradient_descent_ends_where_the_document_does():
    found, _ = ran("001_gradient_descent")
    document: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(PROGRAMS["001_gradient_descent"], document)
    for result in (found["result"], found["variable"]):
        np.testing.assert_allclose(result, [2.037e-10, 4.074e-10], rtol=1e-3)
        np.testing.assert_allclose(result, document["result"], rtol=1e-5)


def test_001_backpropagation_learns_xor():
    found, _ = ran("001_backpropagation")
    assert found["apart"] < 1e-7
    np.testing.assert_array_equal(found["result"].round(), [[0], [1], [1], [0]])
    np.testing.assert_allclose(found["result"], [[0], [1], [1], [0]], atol=0.2)


def test_001_convolution_is_the_documents_put_right():
    result = ran("001_convolution")[0]["result"]
    np.testing.assert_array_equal(result, [[8 + 20 * i + 4 * j for j in range(3)] for i in range(5)])
    with pytest.raises(ValueError, match="could not be broadcast"):
        exec(PROGRAMS["001_convolution"], {})


def test_001_pooling_gives_what_the_document_gives():
    found, _ = ran("001_pooling")
    document: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(PROGRAMS["001_pooling"], document)
    np.testing.assert_array_equal(found["result"], [[7 + 5 * i + j for j in range(4)] for i in range(4)])
    np.testing.assert_array_equal(found["result"], document["result"])


def test_001_evaluation_has_a_score_per_fold():
    for scores in ran("001_evaluation")[0]["scores"].values():
        assert scores.keys() == {"accuracy", "recall_macro", "f1_macro"}
        assert all(values.shape == (3,) and values.min() > 0.5 for values in scores.values())


# 002


def test_002_svm_has_the_documents_figures():
    found, out = ran("002_svm")
    assert found["right"]["SVC"] == 352
    assert len(found["y_test"]) == 360
    assert len(found["clf"].support_) == 396
    assert "352 of 360 right" in out


def test_002_svm_metrics_are_scikit_learns():
    from sklearn.metrics import f1_score, precision_score, recall_score

    found, out = ran("002_svm")
    predicted = found["clf"].predict(found["X_test"])
    figures = [
        score(found["y_test"], predicted, average="macro") for score in (precision_score, recall_score, f1_score)
    ]
    assert "precision {:.4f}, recall {:.4f}, F1 {:.4f}".format(*figures) in out


def test_002_threshold_stops_at_it_and_the_half_is_half():
    found, _ = ran("002_threshold")
    history, by_epoch = found["history"], found["by_epoch"]
    assert found["enough"].stopped_epoch == len(history["loss"]) - 1
    assert history["loss"][-1] <= found["enough"].threshold < history["loss"][-2]
    np.testing.assert_allclose(history["mse"], np.multiply(2, history["loss"]), rtol=1e-5)
    of_mse, of_half, of_adam, of_half_by_adam = by_epoch.values()
    np.testing.assert_allclose(of_half, np.divide(of_mse, 2), rtol=1e-5)
    np.testing.assert_allclose(of_half_by_adam, np.divide(of_adam, 2), rtol=0.05)  # but for its epsilon


def test_002_decision_tree_asks_what_gains_most():
    found, out = ran("002_decision_tree")
    assert found["entropy"](np.array([0, 0, 1, 1])) == 1
    assert found["entropy"](np.array([5, 5])) == 0
    tree, gains = found["tree"].tree_, found["gains"]
    first = found["names"][tree.feature[0]]
    assert gains[first] == max(gains.values())
    left, right = tree.children_left[0], tree.children_right[0]
    shares = tree.n_node_samples[[left, right]] / tree.n_node_samples[0]
    assert gains[first] == pytest.approx(tree.impurity[0] - shares @ tree.impurity[[left, right]])
    assert min(found["found"]["decision tree"], found["found"]["support vector machine"]) > 0.9
    assert "class: Gentoo" in out


# 003


def test_003_sentiment_takes_sentences():
    found, _ = ran("003_sentiment")
    praise = found["model"].predict(np.array(["a wonderful film", "dull and much too long"]), verbose=0)
    assert praise.shape == (2, 1)
    assert len(found["model"].history.history["val_accuracy"]) == 2


# 004


def test_004_rnn_takes_pytorchs_weights_and_refuses_another_batchs_state():
    found, out = ran("004_rnn")
    assert found["rnn"].count_params() == 161
    assert found["parameters"] == 169
    assert found["apart"] < 1e-5
    assert "initial_state must be (batch, units) = (5, 8); received (24, 8)" in found["message"]
    assert found["message"] in out


def test_004_optimizers_all_learn():
    losses = ran("004_optimizers")[0]["losses"]
    assert losses.keys() == {"gradient descent", "momentum", "AdaGrad", "RMSprop", "Adam"}
    assert all(by_epoch[-1] < by_epoch[0] for by_epoch in losses.values())


def test_004_activations_show_the_vanishing_gradient():
    found = ran("004_activations")[0]["found"]
    first, last, _ = found["sigmoid", "glorot_uniform"]
    assert first < last * 1e-4
    for name in (("tanh", "glorot_uniform"), ("relu", "he_normal"), ("leaky_relu", "he_normal")):
        first, last, _ = found[name]
        assert first > last / 10
    assert found["relu", "zeros"][:2] == (0, 0)


@pytest.mark.parametrize("name", ["004_overfitting", "004_augmentation"])
def test_004_each_way_against_overfitting_is_measured_on_both_sides(name: str):
    found, out = ran(name)
    for way, (known, unknown) in found["found"].items():
        assert way in out
        assert 0 < unknown <= 1
        assert known > 0.2
