"""Training in mid-course as a file: what a process that takes it up needs to go on bit for bit.

Beside what a model file holds (without configurations: the program makes the model), arrays ``metrics/<number>/...``,
and in the metadata "training": where ``fit`` stands and what callbacks remember. Arrays in that are ``training/...``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import backend, random
from dlbd.backend import Array
from dlbd.saving import building
from dlbd.saving.model_file import SavedFile, optimizer_arrays, restore_optimizers, write_parts
from dlbd.saving.state import parts_of, set_states, states_of
from dlbd.saving.tensor_file import TensorFile
from dlbd.tensor import Tensor, Variable


def save_training(path: str, model: Any, callbacks: Sequence[Any], position: dict[str, Any]) -> None:
    """Write down how far the training of ``model`` has come.

    Args:
        path: where.
        model: the model.
        callbacks: those of ``fit``.
        position: what else :func:`restore_training` is to give, a nest of plain data and arrays.
    """
    parts = parts_of(model)
    arrays, notes = optimizer_arrays(parts)
    arrays |= {f"state/{name}": array for name, array in states_of(parts).items()}
    arrays |= {f"metrics/{name}": array for name, array in results_of(model).items()}
    training = {
        "position": position,
        "stop": model.stop_training,
        "random": random.get_state(),
        "step_logs": model.__dict__.get("_step_logs"),
        "callbacks": [[type(c).__name__, c.get_state()] for c in callbacks],
    }
    texts = {"optimizers": notes, "training": _without_arrays(training, "training", arrays)}
    write_parts(path, parts, arrays, texts)


def read_position(path: str) -> Any:
    """The ``position`` in the file. ValueError if anything in the file is broken."""
    with TensorFile(path) as file:
        file.verify()
        given = SavedFile(file)
        return _with_arrays(_training(given)["position"], file.read)


def restore_training(path: str, model: Any, callbacks: Sequence[Any], with_results: bool) -> None:
    """Put a model, its callbacks and the random numbers where they were.

    Args:
        path: a file of :func:`save_training`.
        model, callbacks: those of the same program.
        with_results: the running means of the loss and the metrics, too; they exist once a step has been run.

    Raises:
        ValueError: the file is broken, or of another model.
    """
    with TensorFile(path) as file:
        given = SavedFile(file)
        training = _with_arrays(_training(given), file.read)
        try:
            parts = building.build_layers(model, given.layers["shapes"])
            given.assign(parts)
            set_states(parts, {name: given.read("state", name) for name in given.names("state")})
            restore_optimizers(parts, given.text("optimizers"), given)
            if with_results:
                _set_results(model, {name: given.read("metrics", name) for name in given.names("metrics")})
            _set_callbacks(callbacks, training["callbacks"])
            random.set_state(training["random"])
        except (ValueError, KeyError) as error:
            raise file.fault(f"is not of this training ({error}): delete it to begin anew") from error
    model.stop_training = bool(training["stop"])
    if training["step_logs"] is not None:
        model._step_logs = training["step_logs"]


def _training(given: SavedFile) -> Any:
    found = given.text("training")
    if found is None:
        raise given.file.fault("holds no training that could go on")
    return found


def _set_callbacks(callbacks: Sequence[Any], saved: Sequence[Any]) -> None:
    names, kinds = [name for name, _ in saved], [type(c).__name__ for c in callbacks]
    if names != kinds:
        raise ValueError(f"the callbacks were {names}, and are {kinds}")
    for callback, (_, state) in zip(callbacks, saved, strict=True):
        callback.set_state(state)


# The running means


def results_of(model: Any) -> dict[str, Array]:
    """The arrays in which the means of the losses and the metrics add up."""
    found: dict[str, Array] = {}
    for i, part in enumerate((model._compiled_loss, *model.metrics)):
        found |= _arrays_in(part, str(i))
    return found


def _arrays_in(part: Any, name: str) -> dict[str, Array]:
    if isinstance(part, Variable):
        return {name: part.array}
    if name.endswith("/state") and (isinstance(part, np.ndarray) or backend.is_device_array(part)):
        return {name: part}
    if isinstance(part, (list, tuple)):
        inner = dict(enumerate(part))
    elif hasattr(part, "reset_state"):  # a metric, or the mean of a loss
        inner = vars(part)
    else:
        return {}
    return {k: v for key, value in inner.items() for k, v in _arrays_in(value, f"{name}/{key}").items()}


def _set_results(model: Any, saved: dict[str, Array]) -> None:
    found = results_of(model)
    if {n: a.shape for n, a in found.items()} != {n: a.shape for n, a in saved.items()}:
        raise ValueError(f"the metrics are kept in {sorted(found)}, and were in {sorted(saved)}")
    for name, array in found.items():
        backend.write(array, saved[name])


# Nests with arrays, as JSON and arrays


def _without_arrays(nest: Any, name: str, arrays: dict[str, Array]) -> Any:
    if isinstance(nest, (np.ndarray, Tensor)) or backend.is_device_array(nest):
        arrays[name] = nest.array if isinstance(nest, Tensor) else nest
        return {"__array__": name}
    if isinstance(nest, dict):
        return {key: _without_arrays(value, f"{name}/{key}", arrays) for key, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return [_without_arrays(value, f"{name}/{i}", arrays) for i, value in enumerate(nest)]
    if isinstance(nest, np.generic):
        return nest.item()
    if nest is None or isinstance(nest, (bool, int, float, str)):
        return nest
    raise TypeError(f"{name}: only numbers, strings, arrays and nests of them can be written down; received {nest!r}")


def _with_arrays(nest: Any, read: Callable[[str], Array]) -> Any:
    if isinstance(nest, dict):
        if nest.keys() == {"__array__"}:
            return read(nest["__array__"])
        return {key: _with_arrays(value, read) for key, value in nest.items()}
    if isinstance(nest, list):
        return [_with_arrays(value, read) for value in nest]
    return nest
