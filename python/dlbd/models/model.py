"""Model: a layer with compile, fit, evaluate and predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import backend, optimizers
from dlbd.layers.base import Layer, Shape
from dlbd.models import inference, training
from dlbd.models.adapt import adapt_inputs
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

    ``fit``, ``evaluate`` and ``predict`` record the launches of a step once per shape of batch and replay them, so
    ``call`` runs again only when something has changed: it must not read the values of tensors on the host.

    Args:
        name: made up from the class name by default.
        trainable: whether training changes the weights; True by default.
        kwargs: see :class:`dlbd.layers.Layer`.

    Attributes:
        optimizer: what ``compile`` was given or made.
        history: the :class:`dlbd.callbacks.History` of the last ``fit``.
        stop_training: set to True by a callback, it ends ``fit``.

    Raises:
        NotImplementedError: for ``Model(inputs, outputs)``, which is not supported yet.

    Example:
        >>> class Net(dlbd.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = dlbd.layers.Dense(4, activation="relu")
        ...         self.top = dlbd.layers.Dense(1)
        ...     def call(self, inputs):
        ...         return self.top(self.hidden(inputs))
        >>> model = Net()
        >>> model.compile(optimizer="adam", loss="mse")
        >>> history = model.fit(np.ones((8, 3)), np.ones((8, 1)), epochs=2, verbose=0)
        >>> model.predict(np.ones((2, 3))).shape, len(history.history["loss"])
        ((2, 1), 2)
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
        """A layer by its name or its place.

        Raises:
            ValueError: there is none, or both or neither of the two are given.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(2, name="first"), dlbd.layers.Dense(1)])
            >>> model.get_layer("first") is model.get_layer(index=0)
            True
        """
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
        """Shape of what the model takes, batch size first, as far as it is known; otherwise None."""
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
        """Print the layers, their output shapes and their numbers of parameters, as Keras does.

        The totals count the optimizer's state, too, once there is some; sizes are in units of 1024 bytes.

        Args:
            line_length: characters per line; the terminal's width, between 60 and 100, by default.
            positions: where the columns end, as fractions of the line or in characters.
            print_fn: called with each line instead of ``print``.
            expand_nested: show the layers of models inside this one.
            show_trainable: show which layers are trained: Y or N, - without weights.
            layer_range: names (or patterns) of the first and the last layer to show.

        Raises:
            ValueError: ``positions`` or ``layer_range`` does not fit.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(2, name="top")], name="small")
            >>> model.summary(line_length=60)
            Model: "small"
            ┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┓
            ┃ Layer (type)           ┃ Output Shape       ┃    Param # ┃
            ┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━┩
            │ top (Dense)            │ (None, 2)          │          8 │
            └────────────────────────┴────────────────────┴────────────┘
             Total params: 8 (32.00 B)
             Trainable params: 8 (32.00 B)
             Non-trainable params: 0 (0.00 B)
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
            optimizer: name or optimizer; "rmsprop" by default.
            loss: name, loss or function of (y_true, y_pred) that gives one value per sample. None (the default) will
                do for ``evaluate`` with metrics. "crossentropy" is binary, sparse or categorical by the rule of
                "accuracy" below.
            loss_weights: must be None for now.
            metrics: list of names, metrics or functions of (y_true, y_pred). "accuracy" is binary where the output's
                last size is 1, sparse where the targets have fewer axes or a last size of 1, categorical otherwise.
            weighted_metrics: the same, taking sample weights into account.
            run_eagerly: call every layer at every step instead of replaying a recorded step (to look inside).
            steps_per_execution, jit_compile, auto_scale_loss: accepted; change nothing.

        Raises:
            ValueError: nothing has the name of the optimizer or the loss.
            NotImplementedError: ``loss_weights`` or a loss per output is given, or the class defines a step that only
                Keras's ``fit`` would call, ``train_step`` for one.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(10, activation="softmax")])
            >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            >>> model.optimizer
            <Adam learning_rate=0.001>
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
        """The names of what ``evaluate`` returns, in order: "loss", then the metrics'."""
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
        return self(restore(structure[0], [Tensor(backend.place(r)) for r in rows]), training=False)

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
            x: inputs: an array with one row per sample, or anything that becomes one (lists, tensors, data frames,
                DLPack); or an iterable of batches ``(x, y)`` or ``(x, y, sample_weight)``, or something with
                ``len()`` and indices that gives them. Arrays are read in place, whatever their dtype. Where the model
                takes (batch, ..., 1) the last axis may be missing.
            y: targets, if ``x`` does not give them.
            batch_size: 32 by default; the last batch of an epoch may be smaller.
            epochs: the number of the last epoch; 1 by default. ``epochs - initial_epoch`` of them are run.
            verbose: 0 silent, 1 progress bar, 2 one line per epoch; "auto" (the default) is 1 in a
                terminal or a notebook and 2 elsewhere.
            callbacks: list of callbacks.
            validation_split: this last fraction of the rows (before shuffling) is kept for validation.
            validation_data: (x, y) or (x, y, sample_weight), or an iterable of batches.
            shuffle: take the rows in a new order every epoch (the default); "batch" reorders whole batches.
            class_weight: {class: weight}; classes that are missing have weight 1.
            sample_weight: weight of each row: its loss is multiplied by it, and divided by the number of rows.
            initial_epoch: to go on with an earlier run; 0 by default.
            steps_per_epoch: batches per epoch, for iterables without an end; the next epoch goes on where one ended.
            validation_steps: likewise for the validation data.
            validation_batch_size: ``batch_size`` by default.
            validation_freq: validate every so many epochs, or after the listed epochs.

        Returns:
            A :class:`dlbd.callbacks.History`: ``history.history["loss"]`` is the list of the epochs' losses, each the
            mean over the rows as they were trained on.

        Raises:
            ValueError: the model is not compiled or has nothing to train, shapes or numbers of rows do not fit, there
                is no data, or a label is out of range; a step that meets one changes no weight.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
            >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
            >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0)
            >>> history.history
            {'loss': [1.0, 0.0]}
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
        """The mean loss and the metrics on data.

        Args:
            x, y, sample_weight: as for :meth:`fit`.
            batch_size: 32 by default.
            verbose: 0 silent, 1 progress bar, 2 one line; "auto" (the default) is 1 in a terminal or a notebook and
                2 elsewhere.
            steps: only so many batches.
            callbacks: list of callbacks.
            return_dict: give a dict by name.

        Returns:
            A float, or with metrics a list of floats in the order of :attr:`metrics_names`, or a dict.

        Raises:
            ValueError: as for :meth:`fit`.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.evaluate(np.ones((4, 3)), np.ones((4, 1)), verbose=0)  # 3 in place of 1
            [4.0, 2.0]
        """
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
        """The outputs for ``x``.

        Safe to call from several threads at once.

        Args:
            x: inputs, as for :meth:`fit`.
            batch_size: 32 by default.
            verbose: 1 or 2 shows progress; "auto" (the default) and 0 do not.
            steps: only so many batches.
            callbacks: list of callbacks.

        Returns:
            New NumPy arrays, in the dtype and structure that the model gives, one row per row of ``x``.

        Raises:
            ValueError: the shape does not fit, or an iterable gives no batches.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.predict([[1.0, 2.0, 3.0]])
            array([[6.]], dtype=float32)
        """
        return inference.predict(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: as for :meth:`fit`, of any number of rows.
            return_dict: give a dict by name.

        Returns:
            The loss (and metrics) of this batch before the step, as :meth:`evaluate` gives them.

        Raises:
            ValueError: as for :meth:`fit`.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
            >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
            >>> model.train_on_batch([[1.0]], [[1.0]]), model.train_on_batch([[1.0]], [[1.0]])
            (1.0, 0.0)
        """
        self._require_compiled("train_on_batch", with_optimizer=True)
        logs = training.on_batch(self, x, y, sample_weight, class_weight, train=True)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss (and metrics) of one batch, as :meth:`evaluate` gives them.

        Args:
            x, y, sample_weight: as for :meth:`fit`, of any number of rows.
            return_dict: give a dict by name.

        Raises:
            ValueError: as for :meth:`fit`.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.compile(loss="mse")
            >>> model.test_on_batch([[1.0, 1.0, 1.0]], [[1.0]])
            4.0
        """
        self._require_compiled("test_on_batch")
        logs = training.on_batch(self, x, y, sample_weight, None, train=False)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch of any number of rows, as new NumPy arrays; see :meth:`predict`.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.predict_on_batch([[1.0, 2.0, 3.0]])
            array([[6.]], dtype=float32)
        """
        if isinstance(x, (list, tuple)):
            x = adapt_inputs(self, x)
        rows = len(flatten(x)[0])
        return inference.predict(self, x, max(rows, 1), 0, None, None)

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in _RECORDED}


def _without_names(logs: dict[str, float], names: list[str]) -> Any:
    values = [logs[n] for n in names if n in logs]
    return values[0] if len(values) == 1 else values
