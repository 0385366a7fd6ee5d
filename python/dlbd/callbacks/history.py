"""History: what fit returns."""

from __future__ import annotations

import os
from typing import Any

from dlbd.callbacks.base import Callback, Logs


class History(Callback):
    """The losses and metrics of every epoch: what ``fit`` returns.

    Attributes:
        history: dict of lists of floats, one per epoch; the names of the validation data's begin with ``val_``.
        epoch: the epochs' numbers, from 0.
        params: dict with verbose, epochs and steps (batches per epoch).

    Example:
        >>> model = dlbd.Sequential([dlbd.layers.Dense(1, kernel_initializer="zeros")])
        >>> model.compile(dlbd.optimizers.SGD(0.25), "mse")
        >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0)
        >>> history.history["loss"], history.epoch  # weight and bias go from 0 to the solution in one step
        ([1.0, 0.0], [0, 1])
    """

    remembered = ("history", "epoch")

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the losses and metrics by epoch, those of training and of validation together, the best one marked.

        Needs the extra ``plot`` (``pip install dlbd[plot]``). Losses that fall far are drawn on a logarithmic scale. Of
        a metric that is a vector the mean is drawn; a matrix is left out.

        Args:
            path: where to save the picture; the ending tells the format: png, svg or pdf. None (the default): nowhere.

        Returns:
            The matplotlib figure, which a notebook shows.

        Raises:
            ImportError: matplotlib is missing.
            ValueError: there is no epoch to draw.

        Example:
            >>> import tempfile
            >>> model = dlbd.Sequential([dlbd.layers.Dense(1)])
            >>> model.compile("sgd", "mse")
            >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0)
            >>> with tempfile.NamedTemporaryFile(suffix=".png") as file:
            ...     figure = history.plot(file.name)
        """
        try:
            from dlbd.pictures.history import draw
        except ImportError as error:
            raise ImportError("[History.plot] needs the extra: pip install dlbd[plot]") from error
        figure = draw(self.history, self.epoch, self.params.get("validation_freq", 1))
        if path is not None:
            figure.write(path)
        return figure

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_model": None}  # a model holds its history: no circle in a pickle
