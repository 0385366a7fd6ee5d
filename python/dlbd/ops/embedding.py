"""Rows of a table by index."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from dlbd import _cpu, autograd, backend
from dlbd.autograd import Gradients
from dlbd.backend import INT32, INT64, UINT8
from dlbd.tensor import Tensor, as_float, as_tensor


@lru_cache(maxsize=4096)
def _embedding_shape(*key: Any) -> Any:
    return _cpu.EmbeddingShape(*key)


def embedding(indices: Any, table: Any) -> Tensor:
    """``table[indices]``, row by row.

    Args:
        indices: integers of any shape, in ``[0, V)``.
        table: (V, E), float.

    Returns:
        (*indices.shape, E). In the gradient the uses of a row add up, in their order.

    Raises:
        ValueError: an index out of range, which the message names, or a table that is no matrix.
        TypeError: indices that are no integers.

    Example:
        >>> table = np.array([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
        >>> dlbd.ops.embedding([[2, 0]], table).numpy()
        array([[[2. , 2.5],
                [0. , 0.5]]], dtype=float32)
    """
    i, t = as_tensor(indices), as_float(table)
    if i.dtype not in (INT32, INT64, UINT8):
        raise TypeError(f"[embedding] indices must be integers; received {i.dtype}")
    if t.ndim != 2:
        raise ValueError(f"[embedding] table must be (V, E); received {t.shape}")
    shape = _embedding_shape(i.size, *t.shape, backend.DTYPE[t.dtype], backend.DTYPE[i.dtype])
    y = Tensor(backend.empty((*i.shape, t.shape[1]), t.dtype, t.array))
    backend.twin(t.array).embedding_forward(shape, i.array, t.array, y.array)
    if autograd.recording():
        autograd.note((t,), (y,), lambda grads: _embedding_gradient(grads, shape, i, t, y))
    return y


def _embedding_gradient(grads: Gradients, shape: Any, indices: Tensor, table: Tensor, y: Tensor) -> None:
    """Each row of the table adds up the gradients of its uses, in their order."""
    dy = grads.of(y)
    assert dy is not None
    dtable, accumulate = grads.into(table)
    if dtable is not None:
        backend.twin(dy).embedding_backward(shape, indices.array, dy, dtable, accumulate)
