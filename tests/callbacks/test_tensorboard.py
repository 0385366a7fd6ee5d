"""What TensorBoard reads of the event files."""

import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dlbd
from dlbd import callbacks, layers
from tests.models.programs import blobs, mlp


def read(folder, part):
    events = EventAccumulator(str(folder / part), size_guidance={"histograms": 0})
    events.Reload()
    return events


def scalars(folder, part):
    events = read(folder, part)
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def close(found, wanted):
    steps, values = zip(*found, strict=True)
    return list(steps) == list(range(len(wanted))) and np.allclose(values, wanted, rtol=1e-6)


def test_epochs(tmp_path):
    x, y = blobs()
    board = callbacks.TensorBoard(tmp_path)
    history = mlp().fit(x, y, epochs=3, validation_split=0.2, verbose=0, callbacks=[board]).history
    trained, validated = scalars(tmp_path, "train"), scalars(tmp_path, "validation")
    assert sorted(trained) == ["epoch_accuracy", "epoch_learning_rate", "epoch_loss"]
    assert close(trained["epoch_loss"], history["loss"])
    assert close(trained["epoch_learning_rate"], [0.001] * 3)
    assert close(validated["epoch_accuracy"], history["val_accuracy"])
    assert [step for step, _ in validated["evaluation_loss_vs_iterations"]] == [5, 10, 15]


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6, 7]), (3, [3, 6])])
def test_batches(tmp_path, update_freq, steps):
    x, y = blobs()
    model = mlp()
    model.fit(x, y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, update_freq=update_freq)])
    found = scalars(tmp_path, "train")
    assert [step for step, _ in found["batch_loss"]] == steps
    if update_freq == "batch":
        assert found["batch_loss"][-1][1] == pytest.approx(found["epoch_loss"][0][1])
    model.fit(x, y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path / "again", update_freq=update_freq)])
    assert [step for step, _ in scalars(tmp_path / "again", "train")["batch_loss"]] == [7 + step for step in steps]


def test_histograms_of_weights(tmp_path):
    model = mlp()
    model.fit(*blobs(), epochs=4, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=3)])
    events = read(tmp_path, "train")
    tags = [f"{w.path}/histogram" for w in model.weights]
    assert sorted(events.Tags()["histograms"]) == sorted(tags)
    first, last = events.Histograms(tags[0])
    assert (first.step, last.step) == (0, 3)
    kernel = model.get_weights()[0]
    value = last.histogram_value
    assert (value.num, sum(value.bucket)) == (kernel.size, kernel.size)
    assert [value.min, value.max, value.sum] == pytest.approx([kernel.min(), kernel.max(), kernel.sum()], rel=1e-5)


def test_histograms_leave_out_what_is_not_finite(tmp_path):
    model = mlp()
    weights = model.get_weights()
    weights[0][0, 0], weights[1][:] = np.inf, np.nan
    spoil = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: model.set_weights(weights))
    model.fit(*blobs(), verbose=0, callbacks=[spoil, callbacks.TensorBoard(tmp_path, histogram_freq=1)])
    events = read(tmp_path, "train")
    assert len(events.Tags()["histograms"]) == 3
    assert events.Histograms(f"{model.weights[0].path}/histogram")[0].histogram_value.num == weights[0].size - 1


def test_graph(tmp_path):
    x = layers.Input((6,), name="x")
    shared = layers.Dense(3, name="shared")
    model = dlbd.Model(x, layers.Dense(3, activation="softmax", name="top")(shared(x) + shared(x * 2.0)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(*blobs(), epochs=2, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    nodes = {node.name: node for node in read(tmp_path, "train").Graph().node}
    assert nodes["top"].op == "Dense"
    (added,) = nodes["top"].input
    assert list(nodes[added].input) == ["shared", "shared"]
    assert next(iter(nodes["shared"].input)) == "x"
    model.fit(*blobs(), verbose=0, callbacks=[callbacks.TensorBoard(tmp_path / "without", write_graph=False)])
    assert not read(tmp_path / "without", "train").Tags()["graph"]


def test_steps_per_second(tmp_path):
    board = callbacks.TensorBoard(tmp_path, write_steps_per_second=True)
    mlp().fit(*blobs(), verbose=0, callbacks=[board])
    assert scalars(tmp_path, "train")["epoch_steps_per_second"][0][1] > 0


def test_arrays_are_left_out(tmp_path):
    tell = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(matrix=np.eye(3)))
    mlp().fit(*blobs(), verbose=0, callbacks=[tell, callbacks.TensorBoard(tmp_path)])
    assert "epoch_matrix" not in scalars(tmp_path, "train")


def test_an_evaluation_alone(tmp_path):
    x, y = blobs()
    model = mlp()
    model.evaluate(x, y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
    assert list(scalars(tmp_path, "validation")) == [
        "evaluation_accuracy_vs_iterations",
        "evaluation_loss_vs_iterations",
    ]


def test_what_is_not_supported():
    with pytest.raises(NotImplementedError, match="profile_batch is not supported; received 2"):
        callbacks.TensorBoard(profile_batch=2)
    with pytest.raises(ValueError, match="update_freq must be"):
        callbacks.TensorBoard(update_freq=0)


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with pytest.raises(ImportError, match=r"pip install dlbd\[tensorboard\]"):
        mlp().fit(*blobs(), verbose=0, callbacks=[callbacks.TensorBoard(tmp_path)])
