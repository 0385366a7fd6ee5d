"""Model: a layer with compile, fit, evaluate and predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import optimizers
from dlbd.layers.base import Layer, Shape
from dlbd.models import inference, training
from dlbd.models.batches import Batch, restore
from dlbd.models.compiled import CompiledLoss, CompiledMetrics
from dlbd.models.steps import Steps
from dlbd.models.summary import summarize
from dlbd.structure import flatten
from dlbd.tensor import Tensor

# Made anew where they are missing; never pickled or copied.
_RECORDED = ("_train_steps", "_test_steps", "_predict_steps", "_runners")

# Methods that Keras's fit, evaluate and predict would call.
_KERAS_STEPS = ("train_step", "test_step", "predict_step", "make_train_function", "compute_loss")


class Model(Layer):
    """The base of models. A subclass defines its layers in ``__init__`` and uses them in ``call``.

    Args:
        name: made up by default.
        trainable: whether training changes the weights.
    """

    _unrecorded = Layer._unrecorded | {"stop_training", "history"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args or "inputs" in kwargs:
            raise NotImplementedError("Model(inputs, outputs) is not supported yet; use Sequential, or subclass Model")
        super().__init__(**kwargs)
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training = False
        self.history: Any = None
        self.run_eagerly = False
        self._compiled_loss: CompiledLoss | None = None
        self._compiled_metrics: CompiledMetrics | None = None

    # Layers

    @property
    def layers(self) -> list[Layer]:
        """The layers that the model owns directly."""
        return self.sublayers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its place."""
        if (name is None) == (index is None):
            raise ValueError("get_layer takes either name= or index=")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ValueError(f"the model has {len(self.layers)} layers; received index={index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"there is no layer named {name!r}; the layers are {[layer.name for layer in self.layers]}")

    def built_input_shape(self) -> Shape | None:
        """What the model takes, as far as it is known."""
        shape = self.built_shape
        is_shape = isinstance(shape, tuple) and all(n is None or isinstance(n, int) for n in shape)
        return (None, *shape[1:]) if is_shape and shape else None

    def layers_and_shapes(self) -> list[tuple[Layer, Any]]:
        """The layers and their output shapes, None where they are not known, for ``summary``."""
        return [(layer, None) for layer in self.layers]

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print the layers, their output shapes and their numbers of parameters.

        Args:
            line_length: characters per line; the terminal's width by default.
            positions: where the columns end, as fractions of the line or in characters.
            print_fn: called with each line instead of ``print``.
            expand_nested: show the layers of models inside this one.
            show_trainable: show which layers are trained: Y or N, - without weights.
            layer_range: names (or patterns) of the first and the last layer to show.
        """
        summarize(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # Compiling

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: name or optimizer.
            loss: name, loss or function of (y_true, y_pred).
            loss_weights: must be None for now.
            metrics: list of names, metrics or functions of (y_true, y_pred).
            weighted_metrics: the same, taking sample weights into account.
            run_eagerly: call every layer at every step instead of replaying a recorded step (to look inside).
            steps_per_execution, jit_compile, auto_scale_loss: accepted; change nothing.
        """
        own = [name for name in _KERAS_STEPS if hasattr(type(self), name)]
        if own:
            raise NotImplementedError(
                f"[{self.name}] fit() runs steps of its own and would not call {type(self).__name__}.{own[0]}(); "
                "give it another name and write the loop with dlbd.GradientTape"
            )
        if loss_weights is not None:
            raise NotImplementedError("loss_weights is not supported yet; leave it out or pass None")
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self._compiled_loss = None if loss is None else CompiledLoss(loss)
        self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics)
        self.run_eagerly = bool(run_eagerly)
        self.stop_training = False
        self._forget_steps()

    def _require_compiled(self, method: str, with_optimizer: bool = False) -> None:
        if self._compiled_metrics is None:
            raise ValueError(f"[{self.name}] call compile(optimizer=..., loss=...) before {method}()")
        if with_optimizer and self._compiled_loss is None:
            raise ValueError(f"[{self.name}] {method}() needs a loss: compile(loss=...)")

    @property
    def metrics(self) -> list[Any]:
        """The metrics of ``compile``, without the loss."""
        return [] if self._compiled_metrics is None else self._compiled_metrics.metrics

    @property
    def metrics_names(self) -> list[str]:
        """What ``evaluate`` returns, in order."""
        return ["loss", *(m.name for m in self.metrics)]

    def reset_metrics(self) -> None:
        """Start all metrics, and the mean loss, anew."""
        if self._compiled_loss is not None:
            self._compiled_loss.mean.reset_state()
        for metric in self.metrics:
            metric.reset_state()

    # Steps: what is recorded. Nothing in them reads an array on the host.

    def _train_step(self, structure: Any, tensors: Sequence[Tensor]) -> Any:
        return training.train_step(self, *(restore(part, tensors) for part in structure))

    def _test_step(self, structure: Any, tensors: Sequence[Tensor]) -> Any:
        return training.test_step(self, *(restore(part, tensors) for part in structure))

    def _steps(self, kind: str, function: Callable[..., Any], structure: Any) -> Steps:
        """The recordings of one kind of step for one structure of batches."""
        by_structure = self.__dict__.setdefault(kind, {})
        key = repr(structure)
        steps = by_structure.get(key)
        if steps is None:
            steps = by_structure[key] = Steps(
                lambda tensors: function(structure, tensors), self._fingerprint, lambda: self.run_eagerly
            )
        return steps  # type: ignore[no-any-return]

    def _fingerprint(self) -> Any:
        """Differs when recorded steps are stale: weights moved, frozen or thawed, anything they read changed."""
        read = [*self.walk(), *self.metrics]
        if self._compiled_loss is not None:
            read.append(self._compiled_loss.loss)
        if self.optimizer is not None:
            read.append(self.optimizer)
        return (
            tuple((id(v.array), v.trainable) for v in self.weights),
            tuple(layer.trainable for layer in self.walk()),
            tuple((id(part), getattr(part, "_revision", 0)) for part in read),
        )

    def _forget_steps(self) -> None:
        for kind in _RECORDED:
            self.__dict__.pop(kind, None)

    def _ensure_built(self, batch: Batch, structure: Any) -> None:
        """Build what is not built yet, outside any recording."""
        if self.built and all(layer.built for layer in self.layers):
            return
        shapes = restore(structure[0], [(None, *shape[1:]) for shape, _ in batch.signature])
        if not self.built:
            self._build_for(shapes)
        if not all(layer.built for layer in self.layers):
            self.output_of_first_rows(batch, structure)

    def output_of_first_rows(self, batch: Batch, structure: Any) -> Any:
        """What the model makes of a batch, outside any recording."""
        rows = [np.empty(shape, dtype) for shape, dtype in batch.signature]
        batch.write(rows)
        return self(restore(structure[0], [Tensor(r) for r in rows]), training=False)

    # Training, evaluation, prediction

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> Any:
        """Train.

        Args:
            x: inputs: an array, or an iterable of batches ``(x, y)`` or ``(x, y, sample_weight)``.
            y: targets, if ``x`` does not give them.
            batch_size: 32 by default.
            epochs: train until this epoch, counted from ``initial_epoch``.
            verbose: 0 silent, 1 progress bar, 2 one line per epoch; "auto" is 1 in a terminal and 2 elsewhere.
            callbacks: list of callbacks.
            validation_split: this last fraction of the rows (before shuffling) is kept for validation.
            validation_data: (x, y) or (x, y, sample_weight), or an iterable of batches.
            shuffle: take the rows in a new order every epoch.
            class_weight: weight of each class, as a dict.
            sample_weight: weight of each row.
            initial_epoch: to go on with an earlier run.
            steps_per_epoch: batches per epoch, for iterables without an end.
            validation_steps: likewise for the validation data.
            validation_batch_size: ``batch_size`` by default.
            validation_freq: validate every so many epochs, or after the listed epochs.

        Returns:
            A History: ``history.history["loss"]`` is the list of the epochs' losses.
        """
        self._require_compiled("fit", with_optimizer=True)
        return training.fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """The loss on data, as a float; with metrics a list with the loss first, or a dict by name."""
        self._require_compiled("evaluate")
        logs = training.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for ``x``, as new NumPy arrays that the caller owns.

        Safe to call from several threads at once. Silent unless ``verbose=1``.
        """
        return inference.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training; the loss (and metrics) of this batch."""
        self._require_compiled("train_on_batch", with_optimizer=True)
        logs = training.on_batch(self, x, y, sample_weight, class_weight, train=True)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss (and metrics) of one batch."""
        self._require_compiled("test_on_batch")
        logs = training.on_batch(self, x, y, sample_weight, None, train=False)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as new NumPy arrays."""
        rows = len(flatten(x)[0])
        return inference.predict(self, x, max(rows, 1), 0, None, None)

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in _RECORDED}


def _without_names(logs: dict[str, float], names: list[str]) -> Any:
    values = [logs[n] for n in names if n in logs]
    return values[0] if len(values) == 1 else values
