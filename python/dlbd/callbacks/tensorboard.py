"""TensorBoard: event files, written by the ``tensorboard`` package alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlbd.backend import on_host
from dlbd.callbacks.base import Callback, Logs

BINS = 30  # of a histogram


class TensorBoard(Callback):
    """Writes the losses and metrics for ``tensorboard --logdir logs`` to show.

    Needs the extra ``tensorboard`` (``pip install dlbd[tensorboard]``), but no TensorFlow.

    Names are Keras's. ``<log_dir>/train`` gets "epoch_loss" and the like, "epoch_learning_rate", and where
    ``update_freq`` asks for it "batch_loss", by the optimizer's steps, which a second ``fit`` goes on counting.
    ``<log_dir>/validation`` gets "epoch_loss", too, and "evaluation_loss_vs_iterations" after each evaluation. What is
    not a single number is left out.

    Args:
        log_dir: folder of the event files; "logs" by default. One for each run makes them lie side by side.
        histogram_freq: epochs from one histogram of every weight to the next; 0 (the default) for none.
        write_graph: write the layers and what connects them, after the first epoch; True by default.
        write_steps_per_second: write how many steps were done in a second, too.
        update_freq: "epoch" (the default), or "batch", or the number of batches after which the running means are
            written, too; each time the GPU must come to a halt.
        write_images, profile_batch, embeddings_freq, embeddings_metadata: as in Keras, but not supported: they must
            keep their defaults.

    Raises:
        ImportError: the package ``tensorboard`` is missing; at the beginning of training.
        NotImplementedError: an option is not supported.
        ValueError: ``update_freq`` is none of the above.

    Example:
        >>> import tempfile
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     board = dlbd.callbacks.TensorBoard(folder, histogram_freq=1)
        ...     history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[board])
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        for name, given in {
            "write_images": write_images,
            "profile_batch": profile_batch,
            "embeddings_freq": embeddings_freq,
            "embeddings_metadata": embeddings_metadata,
        }.items():
            if given:
                raise NotImplementedError(f"[TensorBoard] {name} is not supported; received {given!r}")
        if update_freq not in ("epoch", "batch") and not (isinstance(update_freq, int) and update_freq > 0):
            raise ValueError(
                f'[TensorBoard] update_freq must be "epoch", "batch" or a number of batches; received {update_freq!r}'
            )
        self.log_dir = Path(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = update_freq
        self._every = int({"epoch": 0, "batch": 1}.get(str(update_freq), update_freq))
        self._writers: dict[str, Any] = {}
        self._mark = 0, 0.0  # steps and time when steps per second were last written
        self._graph_is_due = write_graph

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._writer("train")
        self._graph_is_due = self.write_graph

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._mark = self._steps(), time.perf_counter()

    def after_train_batch(self, batch: int, read: Callable[[], Logs]) -> None:
        if self._every and (batch + 1) % self._every == 0:
            self._scalars("train", "batch", self._steps(), read())

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        steps = self._steps()
        trained = {name: value for name, value in logs.items() if not name.startswith("val_")}
        trained["learning_rate"] = float(self.model.optimizer.learning_rate)
        if self.write_steps_per_second:
            before, then = self._mark
            trained["steps_per_second"] = (steps - before) / (time.perf_counter() - then)
        self._scalars("train", "epoch", epoch, trained)
        validated = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        if validated:
            self._scalars("validation", "epoch", epoch, validated)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)
        if self._graph_is_due:
            self._graph_is_due = False
            self._graph()
        for writer in self._writers.values():
            writer.flush()

    def on_test_end(self, logs: Logs | None = None) -> None:
        if self.model.optimizer is not None:
            named = {f"{name}_vs_iterations": value for name, value in (logs or {}).items()}
            self._scalars("validation", "evaluation", self._steps(), named)
            self._writer("validation").flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _steps(self) -> int:
        return int(self.model.optimizer.iterations)

    # Event files

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            try:
                from tensorboard.summary.writer.event_file_writer import EventFileWriter
            except ImportError as error:
                raise ImportError("[TensorBoard] needs the extra: pip install dlbd[tensorboard]") from error
            self._writers[part] = EventFileWriter(str(self.log_dir / part))
        return self._writers[part]

    def _scalars(self, part: str, prefix: str, step: int, values: Mapping[str, Any]) -> None:
        numbers = {f"{prefix}_{name}": float(value) for name, value in values.items() if np.ndim(value) == 0}
        self._write(part, step, [{"tag": name, "simple_value": number} for name, number in numbers.items()])

    def _histograms(self, epoch: int) -> None:
        found = []
        for weight in self.model.weights:
            values = np.asarray(on_host(weight.array), np.float64).ravel()
            values = values[np.isfinite(values)]
            if values.size:
                found.append({"tag": f"{weight.path}/histogram", "histo": _histogram(values)})
        self._write("train", epoch, found)

    def _write(self, part: str, step: int, values: list[dict[str, Any]]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary(value=[Summary.Value(**value) for value in values])
        self._writer(part).add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def _graph(self) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.graph_pb2 import GraphDef
        from tensorboard.compat.proto.node_def_pb2 import NodeDef

        from dlbd.models.outline import kind, outline

        nodes: dict[str, NodeDef] = {}
        for call in outline(self.model):
            node = nodes.setdefault(call.layer.name, NodeDef(name=call.layer.name, op=kind(call.layer)))
            node.input.extend(source.layer.name for source in call.sources)
        graph = GraphDef(node=nodes.values())
        self._writer("train").add_event(Event(wall_time=time.time(), graph_def=graph.SerializeToString()))


def _histogram(values: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    from tensorboard.compat.proto.summary_pb2 import HistogramProto

    counts, edges = np.histogram(values, BINS)
    return HistogramProto(
        min=values.min(),
        max=values.max(),
        num=values.size,
        sum=values.sum(),
        sum_squares=np.square(values).sum(),
        bucket_limit=edges[1:],
        bucket=counts,
    )
