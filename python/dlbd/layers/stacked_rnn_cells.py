"""StackedRNNCells: several cells as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor


class StackedRNNCells(Layer):
    """Several cells as one: each takes what the one before gives.

    Args:
        cells: a list of cells. :class:`RNN` makes this layer of a list by itself.
        kwargs: see :class:`Layer`.

    Called with ``(inputs, states)``, the states being a list with the state, or states, of each cell; it gives the
    last cell's output and the list of new states.

    Raises:
        TypeError: something is no cell: a layer with ``state_size``.

    Example:
        >>> cells = [dlbd.layers.LSTMCell(4), dlbd.layers.GRUCell(6)]
        >>> dlbd.layers.RNN(dlbd.layers.StackedRNNCells(cells))(np.ones((2, 5, 3))).shape
        (2, 6)
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = [require_cell(cell) for cell in cells]

    @property
    def state_size(self) -> list[Any]:
        """That of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """That of the last cell."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """That of each cell."""
        return [initial_state(cell, batch_size, self.dtype) for cell in self.cells]

    def build(self, input_shape: Shape) -> None:
        shape = tuple(input_shape)
        for cell in self.cells:
            if not cell.built:
                cell._build_for(shape)
            shape = (shape[0], output_size(cell))

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Any]]:
        y, after = inputs, []
        for cell, before in zip(self.cells, states, strict=True):
            given = list(before) if isinstance(before, (list, tuple)) else [before]
            y, new = cell(y, given, training=training)
            new = list(new) if isinstance(new, (list, tuple)) else [new]
            after.append(new if isinstance(before, (list, tuple)) else new[0])
        return y, after

    def compute_output_shape(self, input_shape: Shape, states_shape: Any = None) -> Any:
        def shapes(size: Any) -> Any:
            return (input_shape[0], size) if isinstance(size, int) else [shapes(n) for n in size]

        return (input_shape[0], self.output_size), shapes(self.state_size)

    # Whole sequences, cell by cell

    def fuses(self, training: bool) -> bool:
        return all(fuses(cell, training) for cell in self.cells)

    def sequence(
        self, x: Tensor, states: list[Any] | None, mask: Tensor | None, reverse: bool, training: bool
    ) -> tuple[Tensor, Tensor, list[Any]]:
        after = []
        for i, cell in enumerate(self.cells):
            before = None if states is None else states[i]
            if before is not None and not isinstance(before, (list, tuple)):
                before = [before]
            x, y, last = cell.sequence(x, before, mask, reverse, training)
            after.append(last if isinstance(cell.state_size, (list, tuple)) else last[0])
            if reverse:  # what was given is in the order of processing
                reverse, mask = False, None if mask is None else ops.flip(mask, axis=1)
        return x, y, after


def require_cell(cell: Any) -> Any:
    if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
        raise TypeError(
            "a cell is a Layer with state_size (an integer, or a list of them) whose call(inputs, states) gives the "
            f"output and the list of new states; received {cell!r}"
        )
    return cell


def fuses(cell: Any, training: bool) -> bool:
    """Whether the cell runs whole sequences by itself."""
    return hasattr(cell, "sequence") and cell.fuses(training)


def output_size(cell: Any) -> int:
    """What it says, or the size of its first state."""
    size: Any = getattr(cell, "output_size", None) or cell.state_size
    while not isinstance(size, int):
        size = size[0]
    return size


def initial_state(cell: Any, batch: int | None, dtype: Any) -> Any:
    """What it says, or zeros in the structure of its ``state_size``."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)

    def zeros(size: Any) -> Any:
        return ops.zeros((batch or 0, size), dtype) if isinstance(size, int) else [zeros(n) for n in size]

    return zeros(cell.state_size)
