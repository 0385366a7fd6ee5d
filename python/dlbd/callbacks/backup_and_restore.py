"""BackupAndRestore: training that goes on where it was cut short."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from dlbd.callbacks.base import Callback, Logs

_CURRENT, _PREVIOUS = "training.dlbd", "training.previous.dlbd"


class BackupAndRestore(Callback):
    """Writes down how far training has come, and takes it up there when the same program is started again.

    However the program ended, killed at any moment included, it ends with the same weights, bit for bit, as if nothing
    had happened: weights, optimizer, random numbers, the place in the order of the data, the running means, and what
    the other callbacks remember (:meth:`Callback.get_state`) all go on. The program must be the same, and its data:
    data that draws its order or its values from other random numbers than those of :mod:`dlbd.random` gives others.

    Args:
        backup_dir: a folder for this training alone; made if it is not there.
        save_freq: "epoch" (the default), or a number of batches.
        double_checkpoint: keep the state before the last one, too, and take it if the last one is broken, as it may be
            after the disk has failed; False by default.
        delete_checkpoint: delete the states when training has ended; True by default.

    Raises:
        ValueError: ``backup_dir`` is empty, ``save_freq`` is something else; or (at the beginning of training) the
            folder holds the state of another training.
        OSError: (while training) the state cannot be written; the one before is still there.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> def train(stop_after):
        ...     dlbd.utils.set_random_seed(0)
        ...     model = dlbd.Sequential([dlbd.layers.Dense(1)])
        ...     model.compile("sgd", "mse")
        ...     def cut(epoch, logs):
        ...         if epoch == stop_after:
        ...             raise KeyboardInterrupt
        ...     told = [dlbd.callbacks.BackupAndRestore(folder), dlbd.callbacks.LambdaCallback(on_epoch_begin=cut)]
        ...     return model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=4, verbose=0, callbacks=told).history
        >>> try:
        ...     train(stop_after=2)
        ... except KeyboardInterrupt:
        ...     print("cut short")
        cut short
        >>> len(train(stop_after=None)["loss"])  # two of them from before
        4
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.backup_dir = os.fspath(backup_dir)
        if not self.backup_dir:
            raise ValueError("[BackupAndRestore] backup_dir must name a folder; received an empty string")
        if save_freq != "epoch" and (isinstance(save_freq, (bool, str)) or save_freq < 1):
            raise ValueError(
                f'[BackupAndRestore] save_freq must be "epoch" or a number of batches; received {save_freq!r}'
            )
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.run: Any = None  # set by fit
        self._batches = 0  # since training began or went on
        if save_freq != "epoch":
            self.after_train_batch = self._count  # type: ignore[method-assign]

    @property
    def _paths(self) -> list[str]:
        return [os.path.join(self.backup_dir, name) for name in (_CURRENT, _PREVIOUS)]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        from dlbd.saving.atomic import remove_leftovers

        os.makedirs(self.backup_dir, exist_ok=True)
        self._batches = 0
        found = [path for path in self._paths if os.path.exists(path)]
        for path in self._paths:
            remove_leftovers(path)
        while found:
            try:
                self._take_up(found[0])
                return
            except ValueError:
                if len(found) == 1:
                    raise
                del found[0]

    def _take_up(self, path: str) -> None:
        from dlbd.saving.training_state import read_position, restore_training

        def restore(with_results: bool = True) -> None:
            restore_training(path, self.model, self._others, with_results)

        self.run.take_up(read_position(path), restore)
        restore(with_results=False)

    @property
    def _others(self) -> list[Callback]:
        return [c for c in self.run.callbacks if c is not self]

    def _count(self, batch: int, read: Callable[[], Logs]) -> None:
        self._batches += 1
        if self._batches % self.save_freq == 0:  # type: ignore[operator]
            self._save(self.run.epoch, batch + 1, self.run.logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0, logs or {})

    def _save(self, epoch: int, batch: int, logs: Logs) -> None:
        from dlbd.saving.training_state import save_training

        current, previous = self._paths
        if self.double_checkpoint and os.path.exists(current):
            os.replace(current, previous)
        save_training(current, self.model, self._others, self.run.position(epoch, batch, logs))

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for path in self._paths:
                if os.path.exists(path):
                    os.unlink(path)
