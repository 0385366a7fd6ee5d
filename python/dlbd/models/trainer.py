"""Trainer: compile, fit, evaluate and predict, and the steps that they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlbd import backend, optimizers
from dlbd.backend import Versioned
from dlbd.layers.base import Layer
from dlbd.metrics import Metric
from dlbd.models import inference, step_functions, training
from dlbd.models.adapt import adapt_inputs
from dlbd.models.batches import Batch, restore
from dlbd.models.compiled import CompiledLoss, CompiledMetrics
from dlbd.models.limits import bytes_of
from dlbd.models.raw_rows import RowOptions, batch_of_rows
from dlbd.models.steps import Steps
from dlbd.saving.compiling import compile_config, compile_from_config, noted_arguments
from dlbd.structure import flatten
from dlbd.tensor import Tensor, Variable

# Made anew where they are missing; never pickled or copied.
_RECORDED = ("_train_steps", "_test_steps", "_predict_steps", "_runners", "_step_logs")


class Trainer(Layer):
    """A layer that can be trained and asked: the half of :class:`dlbd.Model` that knows nothing of its structure."""

    _unrecorded = Layer._unrecorded | {"stop_training", "history", "_step_logs", "features"}
    features: Any = None  # what makes inputs of raw rows: set by fit(source)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training = False
        self.history: Any = None
        self.run_eagerly = False
        self._compiled_loss: CompiledLoss | None = None
        self._compiled_metrics: CompiledMetrics | None = None
        self._compile_config: Any = None
        self._trained: list[Variable] | None = None  # compile(variables=): the others stay as they are

    @property
    def output_names(self) -> list[str] | None:
        """The names of the outputs, as far as they are known."""
        return None

    @property
    def layers(self) -> list[Layer]:
        """The layers inside."""
        return self.sublayers

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
        variables: Sequence[Any] | None = None,
    ) -> None:
        """Say how to train.

        Args:
            optimizer: name or optimizer; "rmsprop" by default.
            loss: name, loss or function of (y_true, y_pred) that gives one value per sample; for several outputs one
                for all, or a list or dict by output names, None for an output without. None (the default) will do for
                ``evaluate`` with metrics, and where layers add the loss. "crossentropy" is binary, sparse or
                categorical by the rule of "accuracy" below.
            loss_weights: what the losses of several outputs are multiplied with, as a list or dict; 1 by default.
            metrics: list of names, metrics or functions of (y_true, y_pred); for several outputs a dict by their names,
                or a list with an entry for each. "accuracy" is binary where the output's last size is 1, sparse where
                the targets have fewer axes or a last size of 1, categorical otherwise.
            weighted_metrics: the same, taking sample weights into account.
            run_eagerly: call every layer at every step instead of replaying a recorded step (to look inside).
            steps_per_execution, jit_compile, auto_scale_loss: accepted; change nothing.
            variables: the weights, or layers, that training changes, where not all trainable ones are meant: the
                generator of a GAN, the new top of a network. Whether they are trainable is read at every step.

        Raises:
            ValueError: nothing has the name of the optimizer or the loss, or of ``variables`` one is not the model's.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(10, activation="softmax")])
            >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
            >>> model.optimizer
            <Adam learning_rate=0.001>
        """
        if self.has_own("make_train_function"):
            raise NotImplementedError(
                f"[{self.name}] fit() would not call {type(self).__name__}.make_train_function(); define train_step()"
            )
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self._trained = None if variables is None else self._chosen(variables)
        self._compiled_loss = CompiledLoss(loss, loss_weights, self.output_names)
        self._compile_config = noted_arguments(
            loss=loss,
            loss_weights=loss_weights,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
        )
        self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics, self.output_names)
        self.run_eagerly = bool(run_eagerly)
        self.stop_training = False
        self._forget_steps()

    def _chosen(self, variables: Sequence[Any]) -> list[Variable]:
        listed = [v for part in variables for v in (part.weights if isinstance(part, Layer) else [part])]
        own = {id(v) for v in self.weights}
        for v in listed:
            if id(v) not in own:
                raise ValueError(f"[{self.name}] compile(variables=...): {v!r} is not among the model's weights")
        return listed

    def variables_to_train(self) -> list[Variable]:
        """What a step changes, as of now: the trainable weights, or those that ``compile(variables=)`` names."""
        if self._trained is None:
            return self.trainable_variables
        chosen = {id(v) for v in self._trained}
        return [v for v in self.trainable_variables if id(v) in chosen]

    def optimizers_in_use(self) -> list[Any]:
        """The optimizer of ``compile``, and those that a model with a step of its own keeps."""
        own = [v for v in vars(self).values() if isinstance(v, optimizers.Optimizer)]
        return list({id(v): v for v in own}.values())

    def has_own(self, method: str) -> bool:
        """Whether the class defines ``method`` anew."""
        return getattr(type(self), method, None) is not getattr(Trainer, method, None)

    def _require_compiled(self, method: str) -> None:
        if self._compiled_metrics is None:
            raise ValueError(f"[{self.name}] call compile(optimizer=..., loss=...) before {method}()")

    @property
    def metrics(self) -> list[Any]:
        """The metrics of ``compile``, and those that the model and its layers keep as attributes; without the loss."""
        compiled = [] if self._compiled_metrics is None else self._compiled_metrics.metrics
        own = [v for layer in self.walk() for v in vars(layer).values() if isinstance(v, Metric)]
        return list({id(m): m for m in (*compiled, *own)}.values())

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` returns, in order: "loss", those of the outputs' losses, then the metrics'."""
        parts = [] if self._compiled_loss is None else self._compiled_loss.parts
        return ["loss", *parts, *(m.name for m in self.metrics)]

    def reset_metrics(self) -> None:
        """Start all metrics, and the mean loss, anew."""
        if self._compiled_loss is not None:
            self._compiled_loss.reset_state()
        for metric in self.metrics:
            metric.reset_state()
        self.__dict__.pop("_step_logs", None)

    def get_metrics_result(self) -> dict[str, Tensor]:
        """The mean loss and the metrics so far, as tensors by name: what a step of one's own returns."""
        return step_functions.tensor_results(self)

    # Steps: what is recorded. Nothing in them reads an array on the host.

    def train_step(self, data: Any) -> dict[str, Any]:
        """What ``fit`` does with a batch. A subclass may define its own.

        It is called once as it is, then recorded and replayed like every step: Python code in it runs again only when
        something has changed. A step that reads numbers on the host is called each time.

        Args:
            data: x, or (x, y), or (x, y, sample_weight); tensors, or nests of them.

        Returns:
            What is logged, by name.

        Example:
            >>> class Own(dlbd.Model):
            ...     def __init__(self):
            ...         super().__init__()
            ...         self.top = dlbd.layers.Dense(1, kernel_initializer="zeros")
            ...     def call(self, inputs):
            ...         return self.top(inputs)
            ...     def train_step(self, data):
            ...         x, y = data
            ...         with dlbd.GradientTape() as tape:
            ...             loss = self.compute_loss(y=y, y_pred=self(x, training=True))
            ...         gradients = tape.gradient(loss, self.trainable_variables)
            ...         self.optimizer.apply(gradients, self.trainable_variables)
            ...         return {"loss": loss}
            >>> model = Own()
            >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
            >>> model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0).history
            {'loss': [1.0, 0.0]}
        """
        step_functions.train_step(self, *step_functions.unpacked(data))
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, Any]:
        """What ``evaluate`` does with a batch; see :meth:`train_step`."""
        step_functions.test_step(self, *step_functions.unpacked(data))
        return self.get_metrics_result()

    def predict_step(self, data: Any) -> Any:
        """What ``predict`` does with a batch: gives the outputs for x."""
        return self(step_functions.unpacked(data)[0], training=False)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """The loss of ``compile`` for a batch, with what layers and regularizers add: a scalar tensor.

        A subclass may define its own, which ``fit`` and ``evaluate`` then use.
        """
        return step_functions.mean_loss(self, y, y_pred, sample_weight)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Tensor]:
        """Update the metrics of ``compile`` with a batch, and give :meth:`get_metrics_result`."""
        assert self._compiled_metrics is not None
        self._compiled_metrics.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _train_step(self, structure: Any, tensors: Sequence[Tensor]) -> Any:
        parts = [restore(part, tensors) for part in structure]
        if self.has_own("train_step"):
            return self.train_step(step_functions.packed(*parts))
        step_functions.train_step(self, *parts)
        return None

    def _test_step(self, structure: Any, tensors: Sequence[Tensor]) -> Any:
        parts = [restore(part, tensors) for part in structure]
        if self.has_own("test_step"):
            return self.test_step(step_functions.packed(*parts))
        step_functions.test_step(self, *parts)
        return None

    def _steps(self, kind: str, function: Callable[..., Any], structure: Any) -> Steps:
        """The recordings of one kind of step for one structure of batches."""
        by_structure = self.__dict__.setdefault(kind, {})
        key = repr(structure)
        steps = by_structure.get(key)
        if steps is None:
            own = kind != "_predict_steps" and self.has_own("train_step" if kind == "_train_steps" else "test_step")
            steps = by_structure[key] = Steps(
                lambda tensors: function(structure, tensors),
                self._fingerprint,
                lambda: self.run_eagerly,
                warm_ups=1 if own else 0,
            )
        return steps  # type: ignore[no-any-return]

    def _fingerprint(self) -> Any:
        """Differs when recorded steps are stale: weights moved, frozen or thawed, anything they read changed."""
        read: list[Any] = [*self.walk(), *self.metrics, *self.optimizers_in_use()]
        if self._compiled_loss is not None:
            read += self._compiled_loss.losses
        read += [value for value in vars(self).values() if isinstance(value, Versioned)]
        return (
            tuple((id(v.array), v.trainable, id(v.regularizer), id(v.constraint)) for v in self.weights),
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
        *,
        target: Any = None,
        features: Any = None,
        memory_limit: int | str | None = None,
        shuffle_buffer: int | None = None,
    ) -> Any:
        """Train.

        Args:
            x: inputs: an array with one row per sample, or anything that becomes one (lists, tensors, data frames,
                DLPack); or an iterable of batches ``(x, y)`` or ``(x, y, sample_weight)``, or something with
                ``len()`` and indices that gives them. Arrays are read in place, whatever their dtype. Where the model
                takes (batch, ..., 1) the last axis may be missing. Or a :class:`dlbd.data.Source`, whose raw rows are
                read while the model computes, in bounded memory; see below. A model with features takes all the raw
                rows that :meth:`predict` takes.
            y: targets, if ``x`` does not give them.
            batch_size: 32 by default; the last batch of an epoch may be smaller.
            epochs: the number of the last epoch; 1 by default. ``epochs - initial_epoch`` of them are run.
            verbose: 0 silent, 1 progress bar, 2 one line per epoch; "auto" (the default) is 1 in a
                terminal or a notebook and 2 elsewhere.
            callbacks: list of callbacks.
            validation_split: this last fraction of the rows (before shuffling) is kept for validation.
            validation_data: (x, y) or (x, y, sample_weight), or an iterable of batches, or a source: its rows go
                through what was learned from those of ``x``.
            shuffle: take the rows in a new order every epoch (the default); "batch" reorders whole batches.
            class_weight: {class: weight}; classes that are missing have weight 1. "balanced" is n / (classes * count):
                rare classes weigh as much as frequent ones; of a stream's batches each for itself. For a source the
                class may be named as in its column, and "balanced" counts the rows in a pass of its own.
            sample_weight: weight of each row: its loss is multiplied by it, and divided by the number of rows. For a
                source the name of a column.
            initial_epoch: to go on with an earlier run; 0 by default.
            steps_per_epoch: batches per epoch, for iterables without an end; the next epoch goes on where one ended.
            validation_steps: likewise for the validation data.
            validation_batch_size: ``batch_size`` by default.
            validation_freq: validate every so many epochs, or after the listed epochs.
            target: of a source: the name of the column, or of several, that the model is to predict.
            features: of a source: how its columns become inputs, a :class:`dlbd.data.Features`. By default those that
                the model has, or else what suits the columns' types. They learn from ``x``, in a pass of its own,
                unless they have learned before (of records without an end from those of an epoch, of an iterator from
                the first 16,384 at most); they are kept as ``model.features``, and saved with the model. The names of
                the classes are ``model.features.classes``.
            memory_limit: of a source: bytes, or text like "200MB", that all which is read ahead, the batches and the
                rows to be shuffled take together at most; 64 MB by default, more only where batches and
                ``shuffle_buffer`` need it. Validation data that is a source takes as much at most.
            shuffle_buffer: of a source: among how many rows one is drawn; as many as the limit allows by default. With
                fewer than the source has the order is random only nearby: rows that are sorted by class should be
                stored in another order.

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
            >>> rows = dlbd.data.open({"size": [1.0, 2.0, 8.0, 9.0], "kind": ["cat", "cat", "dog", "dog"]})
            >>> model = dlbd.Sequential([dlbd.layers.Dense(2, activation="softmax")])
            >>> model.compile(dlbd.optimizers.Adam(0.1), "sparse_categorical_crossentropy")
            >>> history = model.fit(rows, target="kind", epochs=20, verbose=0)
            >>> model.features.classes[model.predict({"size": [8.5]}).argmax()]
            'dog'
        """
        self._require_compiled("fit")
        limit = None if memory_limit is None else bytes_of(memory_limit)
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
            options=RowOptions(target, features, limit, shuffle_buffer),
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
        *,
        memory_limit: int | str | None = None,
    ) -> Any:
        """The mean loss and the metrics on data.

        Args:
            x, y, sample_weight: as for :meth:`fit`. With a source the columns of targets and weights are those that
                ``fit`` was told of.
            batch_size: 32 by default.
            verbose: 0 silent, 1 progress bar, 2 one line; "auto" (the default) is 1 in a terminal or a notebook and
                2 elsewhere.
            steps: only so many batches.
            callbacks: list of callbacks.
            return_dict: give a dict by name.
            memory_limit: of a source, as for :meth:`fit`.

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
        logs = training.evaluate(self, x, y, batch_size, verbose, sample_weight, steps, callbacks, memory_limit)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
        *,
        memory_limit: int | str | None = None,
    ) -> Any:
        """The outputs for ``x``.

        Safe to call from several threads at once.

        Args:
            x: inputs, as for :meth:`fit`. A model with features (it was trained on a source) also takes raw rows: a
                source, a data frame, a table or a record batch of pyarrow, a dict of columns, a record (a dict) or a
                list of them, and an iterable of any of these. The column of the target may be missing.
            batch_size: 32 by default.
            verbose: 1 or 2 shows progress; "auto" (the default) and 0 do not.
            steps: only so many batches.
            callbacks: list of callbacks.
            memory_limit: of a source, as for :meth:`fit`; the outputs are not among it.

        Returns:
            New NumPy arrays, in the dtype and structure that the model gives, one row per row of ``x``, in its order.
            Raw rows of which the features make no inputs, as they drop missing values for one, give NaN.

        Raises:
            ValueError: the shape does not fit, or an iterable gives no batches.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.predict([[1.0, 2.0, 3.0]])
            array([[6.]], dtype=float32)
        """
        return inference.predict(self, x, batch_size, verbose, steps, callbacks, memory_limit)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step of training on one batch.

        Args:
            x, y, sample_weight, class_weight: as for :meth:`fit`, of any number of rows. A model with features also
                takes raw rows, which have the targets and weights in their columns: a data frame, a table or a record
                batch of pyarrow, a dict of columns, a record (a dict) or a list of them.
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
        self._require_compiled("train_on_batch")
        logs = training.on_batch(self, x, y, sample_weight, class_weight, train=True)
        return logs if return_dict else _without_names(logs, self.metrics_names)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss (and metrics) of one batch, as :meth:`evaluate` gives them.

        Args:
            x, y, sample_weight: as for :meth:`train_on_batch`.
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
        """The outputs for one batch of any number of rows, as new NumPy arrays; see :meth:`predict`, also for raw rows.

        Example:
            >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1, kernel_initializer="ones")])
            >>> model.predict_on_batch([[1.0, 2.0, 3.0]])
            array([[6.]], dtype=float32)
        """
        rows, size = batch_of_rows(self, x)
        if rows is not None:
            return inference.predict(self, rows, max(size, 1), 0, None, None)
        if isinstance(x, (list, tuple)):
            x = adapt_inputs(self, x)
        return inference.predict(self, x, max(len(flatten(x)[0]), 1), 0, None, None)

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was given, as plain data for files; None if it was not called, or got what cannot be said.

        A class with a ``compile`` of its own overrides this and :meth:`compile_from_config`.

        Example:
            >>> model = dlbd.Sequential([dlbd.layers.Dense(1)])
            >>> model.compile("sgd", "mse")
            >>> model.get_compile_config()["loss"]
            'mse'
        """
        return compile_config(self)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as :meth:`get_compile_config` of another model says."""
        compile_from_config(self, config)

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k not in _RECORDED}


def _without_names(logs: dict[str, float], names: list[str]) -> Any:
    values = [logs[n] for n in names if n in logs]
    return values[0] if len(values) == 1 else values
