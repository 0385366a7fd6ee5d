"""fit and evaluate: loops over recorded steps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.callbacks.backup_and_restore import BackupAndRestore
from dlbd.callbacks.base import CallbackList, as_list
from dlbd.callbacks.history import History
from dlbd.callbacks.progbar_logger import ProgbarLogger
from dlbd.callbacks.progress import verbosity
from dlbd.models.adapt import adapt_inputs, is_array, is_stream, weights_of_classes
from dlbd.models.batches import ArrayBatches, Batch, Source, StreamBatches, host_array, one_epoch, unpack
from dlbd.models.epochs import Epochs, Run
from dlbd.models.raw_rows import (
    NO_OPTIONS,
    RowOptions,
    are_records,
    batch_of_rows,
    features_of,
    raw_rows,
    row_batches,
    weights_by_number,
)
from dlbd.models.step_functions import Logs, map_first, results
from dlbd.structure import map_structure

# Sources


def make_source(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    shuffle: bool | str = False,
    steps: int | None = None,
    class_weight: Any = None,
    options: RowOptions = NO_OPTIONS,
) -> Source:
    """Whatever a user passed, as batches."""
    if hasattr(x, "epoch") and hasattr(x, "structure"):
        return x  # type: ignore[no-any-return]
    (rows, x), numbers = raw_rows(model, x), False
    if rows is not None and class_weight is not None:
        class_weight = weights_by_number(model, rows, class_weight)
        numbers = getattr(features_of(model), "classes", None) is not None

    def adapt(x: Any, y: Any, w: Any) -> tuple[Any, Any, Any]:
        if class_weight is not None:
            if w is not None:
                raise ValueError("pass either class_weight or sample_weight; received both")
            w = weights_of_classes(y, class_weight, numbers)
        y, w = (None if part is None else map_structure(host_array, _single(part)) for part in (y, w))
        return adapt_inputs(model, x), y, w

    if rows is not None:
        _refuse_targets(y, sample_weight)
        return row_batches(
            model, rows, adapt, targets=True, batch_size=batch_size, shuffle=shuffle, steps=steps, options=options
        )
    options.refuse()
    if is_stream(x):
        if y is not None or sample_weight is not None:
            raise ValueError("x yields whole batches (x, y): y and sample_weight must be None")
        return StreamBatches(x, steps, adapt, model.dtype, shuffle)
    return ArrayBatches(*adapt(x, y, sample_weight), 32 if batch_size is None else batch_size, shuffle, model.dtype)


def _refuse_targets(y: Any, sample_weight: Any = None) -> None:
    if y is not None or sample_weight is not None:
        raise ValueError("targets and weights of a source are columns: y and sample_weight must be None")


def _single(y: Any) -> Any:
    """A list of numbers, or of rows, is one array; a list of one array is that array."""
    if isinstance(y, (list, tuple)):
        if len(y) == 1 and is_array(y[0]):
            return y[0]
        if not any(is_array(v) for v in y):
            return np.asarray(y)
    return y


def _split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any, Any, Any]:
    """The first rows, and the last ``fraction`` of them for validation: views, not copies."""
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must lie between 0 and 1; received {fraction}")
    if is_stream(x) or hasattr(x, "batches_for"):
        raise ValueError(
            "validation_split needs arrays; pass validation_data with a stream of batches, or a part of source.split()"
        )
    parts = [None if p is None else map_structure(host_array, _single(p)) for p in (x, y, sample_weight)]
    n = len(map_first(parts[0]))
    kept = math.floor(n * (1 - fraction))
    if kept == 0 or kept == n:
        raise ValueError(f"validation_split={fraction} of {n} rows leaves no rows to train or to validate on")
    first = [None if p is None else map_structure(lambda a: a[:kept], p) for p in parts]
    last = tuple(None if p is None else map_structure(lambda a: a[kept:], p) for p in parts)
    return first[0], first[1], first[2], last


# Loops


def prepare(model: Any, batch: Batch, structure: Any, train: bool) -> None:
    """Everything that a step needs exists before the first one is recorded."""
    if model.has_own("train_step" if train else "test_step"):
        return  # its first call prepares everything
    model._ensure_built(batch, structure)
    model._compiled_metrics.prepare(model, batch, structure)
    if not train:
        return
    variables = model.variables_to_train()
    if not variables:
        raise ValueError(
            f"model {model.name!r} has nothing to train: "
            + (
                "none of its layers has weights"
                if not model.weights
                else f"trainable is False in {[layer.name for layer in model.walk() if not layer.trainable]}"
                if model._trained is None
                else "compile(variables=...) names none that is trainable"
            )
        )
    model.optimizer.build(variables)


class _Runner:
    """Runs a model's steps over batches, preparing the model when it has changed."""

    def __init__(self, model: Any, train: bool) -> None:
        self.model, self.train = model, train
        self._structure: Any = None
        self._steps: Any = None
        self._state: Any = None
        self._version = -1

    def __call__(self, batch: Batch, structure: Any) -> None:
        if self._version != backend.structure_version or self._structure != structure:
            self._prepare(batch, structure)
            self._version = backend.structure_version
        logs = self._steps.run(batch)
        if logs is not None:  # of a step of the model's own
            self.model._step_logs = logs

    def _prepare(self, batch: Batch, structure: Any) -> None:
        state = self.model._fingerprint() if self.model.built else None
        if state is None or state != self._state or self._structure != structure:
            prepare(self.model, batch, structure, self.train)
            kind, function = (
                ("_train_steps", self.model._train_step) if self.train else ("_test_steps", self.model._test_step)
            )
            self._structure = structure
            self._steps = self.model._steps(kind, function, structure)
            self._state = self.model._fingerprint()


def _runner(model: Any, train: bool) -> _Runner:
    """The model's own: what it found out about the model is kept from one call to the next."""
    runners: dict[bool, _Runner] = model.__dict__.setdefault("_runners", {})
    if train not in runners:
        runners[train] = _Runner(model, train)
    return runners[train]


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    batch_size: int | None,
    epochs: int,
    verbose: Any,
    callbacks: Any,
    validation_split: float,
    validation_data: Any,
    shuffle: bool | str,
    class_weight: Any,
    sample_weight: Any,
    initial_epoch: int,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    validation_batch_size: int | None,
    validation_freq: Any,
    options: RowOptions,
) -> History:
    limits = {"steps_per_epoch": steps_per_epoch, "validation_steps": validation_steps}
    if not isinstance(validation_freq, Iterable):
        limits["validation_freq"] = validation_freq
    _require_positive(limits)
    rows, x = raw_rows(model, x)
    if validation_split and validation_data is None:
        x, y, sample_weight, validation_data = _split(x if rows is None else rows, y, sample_weight, validation_split)
    if rows is not None:
        _refuse_targets(y)
        enough = None if steps_per_epoch is None else steps_per_epoch * (32 if batch_size is None else batch_size)
        rows.learn_features(model, options.target, options.features, sample_weight, enough)
        x, sample_weight = rows, None
    source = make_source(model, x, y, sample_weight, batch_size, shuffle, steps_per_epoch, class_weight, options)
    validation = None
    if validation_data is not None:
        vx, vy, vw = validation_data, None, None
        records = features_of(model) is not None and isinstance(vx, list) and are_records(vx)
        if isinstance(vx, (list, tuple)) and not records:
            vx, vy, vw = unpack(tuple(vx))
        held_out, vx = raw_rows(model, vx)
        limit = NO_OPTIONS if held_out is None else RowOptions(memory_limit=options.memory_limit)
        size = validation_batch_size or batch_size
        validation = make_source(
            model, vx if held_out is None else held_out, vy, vw, size, steps=validation_steps, options=limit
        )
    batches = Epochs(source, steps_per_epoch)
    steps = source.steps if steps_per_epoch is None else steps_per_epoch
    shown = verbosity(verbose)
    history = History()
    told: list[Any] = as_list(callbacks)
    bar = next((c for c in told if isinstance(c, ProgbarLogger)), None)
    if bar is None and shown:
        bar = ProgbarLogger(shown)
        told = [bar, *told]
    params = {"verbose": shown, "epochs": epochs, "steps": steps}
    if validation_freq != 1:  # Keras's callbacks know the three above
        params["validation_freq"] = validation_freq
    backups = [c for c in told if isinstance(c, BackupAndRestore)]  # which are told last
    list_of_callbacks = CallbackList([*(c for c in told if c not in backups), history, *backups], model, params)
    run = Run(list_of_callbacks.callbacks, batches, validation, initial_epoch)
    for backup in backups:
        backup.run = run
    model.stop_training = False
    model.history = history
    with closing(batches), _cut_short(model, bar):
        list_of_callbacks.tell("on_train_begin", {})
        initial_epoch, logs = run.epoch, run.logs
        for epoch in range(initial_epoch, epochs):
            if model.stop_training and not run.batch:
                break
            run.epoch = epoch
            model.reset_metrics()
            list_of_callbacks.tell("on_epoch_begin", epoch, {})
            done = _run_epoch(model, source, run, list_of_callbacks)
            if done == 0 and epoch == initial_epoch:
                raise ValueError(f"[{model.name}] fit() received no batches: the data is empty")
            if done < (steps_per_epoch or 1) and not model.stop_training:
                warnings.warn(
                    f"[{model.name}] the data ended after {done} batches of epoch {epoch + 1}: training ends here. "
                    f"It must yield steps_per_epoch * epochs batches",
                    stacklevel=3,
                )
                model.stop_training = True
                if done == 0:
                    break
            logs = results(model)
            if validation is not None and _validates(epoch, validation_freq):
                model.reset_metrics()
                list_of_callbacks.tell("on_test_begin", {})
                run.validated += _run_test(model, validation, validation_steps, list_of_callbacks)
                found = results(model)
                list_of_callbacks.tell("on_test_end", found)
                logs = logs | {f"val_{name}": value for name, value in found.items()}
            list_of_callbacks.tell("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    for optimizer in model.optimizers_in_use():
        optimizer.finalize_variable_values(model.trainable_variables)
    list_of_callbacks.tell("on_train_end", logs)
    return history


@contextmanager
def _cut_short(model: Any, bar: ProgbarLogger | None) -> Iterator[None]:
    """An error or an interrupt leaves a line of progress that ends, and says of a label whose targets it is among."""
    try:
        yield
    except BaseException as error:
        if bar is not None:
            bar.abandon()
        if isinstance(error, ValueError):
            model._compiled_loss.explain(error)
        raise


def _require_positive(limits: dict[str, int | None]) -> None:
    for name, n in limits.items():
        if n is not None and n < 1:
            raise ValueError(f"{name} must be at least 1; received {n}")


def _validates(epoch: int, frequency: Any) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _after_batch(model: Any, callbacks: CallbackList, kind: str) -> Callable[[int], None]:
    """Tells who wants to know that a batch is done; reads the results only if somebody looks at them."""
    named = callbacks.listeners(f"on_{kind}_batch_end", *(["on_batch_end"] if kind == "train" else []))
    readers = callbacks.listeners(f"after_{kind}_batch")

    def read() -> Logs:
        return results(model)

    def tell(batch: int) -> None:
        if named:
            logs = read()
            for listener in named:
                listener(batch, logs)
        for listener in readers:
            listener(batch, read)

    return tell


def _run_epoch(model: Any, source: Source, run: Run, callbacks: CallbackList) -> int:
    """How many batches there were."""
    runner = _runner(model, train=True)
    done, run.batch = run.batch, 0
    if run.restore is not None and run.data.last is not None:
        runner(run.data.last, source.structure)  # makes what a step makes; all that it changed is put back
        run.restore()
        run.restore = None
    before = callbacks.listeners("on_train_batch_begin", "on_batch_begin")
    after = _after_batch(model, callbacks, "train")
    for batch in () if model.stop_training else run.data.epoch(done):
        for listener in before:
            listener(done, {})
        runner(batch, source.structure)
        after(done)
        done += 1
        if model.stop_training:
            break
    return done


def _run_test(model: Any, source: Source, steps: int | None, callbacks: CallbackList) -> int:
    runner = _runner(model, train=False)
    before = callbacks.listeners("on_test_batch_begin")
    after = _after_batch(model, callbacks, "test")
    done = 0
    with one_epoch(source) as batches:
        for batch in batches:
            for listener in before:
                listener(done, {})
            runner(batch, source.structure)
            after(done)
            done += 1
            if done == steps:
                break
    if done == 0:
        raise ValueError(f"[{model.name}] evaluate() received no batches: the data is empty")
    return done


def evaluate(
    model: Any,
    x: Any,
    y: Any,
    batch_size: int | None,
    verbose: Any,
    sample_weight: Any,
    steps: int | None,
    callbacks: Any,
    memory_limit: int | str | None,
) -> Logs:
    _require_positive({"steps": steps})
    options = RowOptions(memory_limit=memory_limit)
    source = make_source(model, x, y, sample_weight, batch_size, steps=steps, options=options)
    shown = verbosity(verbose)
    bar = ProgbarLogger(shown) if shown else None
    params = {"verbose": shown, "steps": steps or source.steps}
    told = CallbackList([*([bar] if bar else []), *as_list(callbacks)], model, params)
    model.reset_metrics()
    told.tell("on_test_begin", {})
    with _cut_short(model, bar):
        _run_test(model, source, steps, told)
        logs = results(model)
    told.tell("on_test_end", logs)
    return logs


def on_batch(model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, train: bool) -> Logs:
    """One step on one batch, and its own loss and metrics."""
    rows, n = batch_of_rows(model, x)
    if rows is not None:
        x = rows
    else:
        if isinstance(x, (list, tuple)):
            x = adapt_inputs(model, x)
        n = len(host_array(map_first(x)))
    if n == 0:
        raise ValueError(f"[{model.name}] the batch is empty")
    source = make_source(model, x, y, sample_weight, n, class_weight=class_weight)
    model.reset_metrics()
    runner, done = _runner(model, train), 0
    with _cut_short(model, None), one_epoch(source) as batches:
        for batch in batches:
            runner(batch, source.structure)
            done += 1
        if not done:
            raise ValueError(f"[{model.name}] the batch is empty: its features leave out all of its {n} rows")
        return results(model)
