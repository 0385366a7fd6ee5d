"""GradientTape: operations note their gradient functions on it; gradient() calls them in reverse.

A gradient function is written right under its operation and receives a :class:`Gradients`: it reads the gradient of
its output with ``of`` and asks where to write the gradient of an input with ``into``::

    def _matmul_gradient(grads, shape, a, b, y):
        dy = grads.of(y)
        da, accumulate = grads.into(a)
        if da is not None:
            twin(dy).gemm(..., da, accumulate)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from dlbd import backend
from dlbd.backend import Array
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor, Variable, as_array

GradientFunction = Callable[["Gradients"], None]


class _Tapes(threading.local):
    def __init__(self) -> None:
        self.active: list[GradientTape] = []


_tapes = _Tapes()


def note(inputs: Sequence[Tensor], outputs: Sequence[Tensor], gradient: GradientFunction) -> None:
    """Tell every active tape that watches one of ``inputs`` how to differentiate ``outputs``."""
    for tape in _tapes.active:
        tape._note(inputs, outputs, gradient)


def recording() -> bool:
    """Whether any tape is active on this thread: operations skip ``note`` otherwise."""
    return bool(_tapes.active)


class Gradients:
    """The gradients known so far while a tape runs backwards, by tensor."""

    def __init__(self, wanted: set[int], slots: dict[int, Array]) -> None:
        self._wanted = wanted  # ids of the tensors that lie on a path to a source
        self._slots = slots  # preassigned buffers (an optimizer's flat gradient): overwritten at first use
        self._known: dict[int, tuple[Array, bool]] = {}  # array, and whether it is ours to add to

    def of(self, y: Tensor) -> Array | None:
        """The gradient with respect to an output, or None when nothing depends on it. Never write to it."""
        entry = self._known.get(id(y))
        return entry[0] if entry else None

    def wants(self, x: Tensor) -> bool:
        return id(x) in self._wanted

    def into(self, x: Tensor) -> tuple[Array | None, bool]:
        """Where to write dx, and whether to add to what is there. (None, False) if nobody wants it."""
        key = id(x)
        if key not in self._wanted:
            return None, False
        entry = self._known.get(key)
        if entry is None:
            dx = self._slots.get(key)
            if dx is None:
                dx = backend.empty(x.array.shape, x.array.dtype, x.array)
            self._known[key] = dx, True
            return dx, False
        dx, owned = entry
        if not owned:
            copy = backend.empty(dx.shape, dx.dtype, dx)
            backend.twin(dx).assign(dx, copy)
            dx = copy
            self._known[key] = dx, True
        return dx, True

    def give(self, x: Tensor, dx: Array) -> None:
        """Hand over a finished gradient that may be shared (a view of dy, say): added if one is known already."""
        key = id(x)
        if key not in self._wanted:
            return
        if key in self._known or key in self._slots:
            into, accumulate = self.into(x)
            assert into is not None
            backend.twin(dx).assign(dx.reshape(into.shape), into, accumulate)
        else:
            shape = x.array.shape
            self._known[key] = dx if dx.shape == shape else dx.reshape(shape), False


class GradientTape:
    """Record operations on watched tensors and differentiate them, as in TensorFlow.

    Trainable variables are watched by themselves, other tensors after :meth:`watch`. Operations count that run inside
    the ``with`` block, on the same thread. Tapes may be nested; gradients of gradients are not recorded.

    Args:
        persistent: give gradients more than once; what the operations kept stays in memory as long as the tape.
        watch_accessed_variables: False watches only what :meth:`watch` names.

    Example:
        >>> x = dlbd.Variable([3.0])
        >>> with dlbd.GradientTape() as tape:
        ...     y = dlbd.ops.sum(x * x)
        >>> tape.gradient(y, x).numpy().tolist()
        [6.0]
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables
        self._watched: dict[int, Tensor] = {}
        self._nodes: list[tuple[Sequence[Tensor], Sequence[Tensor], GradientFunction]] = []
        self._used = False

    def __enter__(self) -> GradientTape:
        _tapes.active.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        _tapes.active.remove(self)

    def watch(self, tensor: Tensor) -> None:
        """Watch a tensor that is not a trainable variable, from here on.

        Example:
            >>> x = dlbd.ops.convert_to_tensor([3.0])
            >>> with dlbd.GradientTape() as tape:
            ...     tape.watch(x)
            ...     y = x * x
            >>> tape.gradient(y, x).numpy().tolist()
            [6.0]
        """
        self._watched[id(tensor)] = tensor

    def _watches(self, x: Tensor) -> bool:
        if id(x) in self._watched:
            return True
        if self.watch_accessed_variables and isinstance(x, Variable) and x.trainable:
            self._watched[id(x)] = x
            return True
        return False

    def _note(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], gradient: GradientFunction) -> None:
        watched = False
        for x in inputs:  # every input is asked: each variable met becomes watched
            watched |= self._watches(x)
        if watched:
            for y in outputs:
                self._watched[id(y)] = y
            self._nodes.append((inputs, outputs, gradient))

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None) -> Any:
        """d sum(target) / d source for each source; None where the target does not depend on it.

        Args:
            target: a tensor or a list of tensors.
            sources: a tensor, or any nest of them in lists, tuples and dicts.
            output_gradients: weights of the targets' elements, an array of the shape of each target; ones by default.

        Returns:
            Tensors of the shapes and dtypes of the sources, or None, in the structure of ``sources``.

        Raises:
            TypeError: a source is no tensor.
            ValueError: a weight has not the shape of its target.
            RuntimeError: the tape is not persistent and was asked before.

        Example:
            >>> w, b = dlbd.Variable([2.0]), dlbd.Variable([1.0])
            >>> with dlbd.GradientTape() as tape:
            ...     y = w * 3.0 + b
            >>> {name: g.numpy().tolist() for name, g in tape.gradient(y, {"w": w, "b": b}).items()}
            {'w': [3.0], 'b': [1.0]}
        """
        targets = [target] if isinstance(target, Tensor) else list(target)
        listed = flatten(sources)
        for source in listed:
            if not isinstance(source, Tensor):
                raise TypeError(f"[gradient] sources must be tensors or variables; received {type(source).__name__}")
        given = [output_gradients] if isinstance(target, Tensor) else output_gradients
        seeds = []
        for i, t in enumerate(targets):
            weight = None if given is None or given[i] is None else as_array(given[i], t.dtype, t.array)
            if weight is not None and weight.shape != t.shape:
                raise ValueError(
                    f"[gradient] output_gradients must have the target's shape {t.shape}; received {weight.shape}"
                )
            seeds.append(weight)
        found = self.backward(targets, seeds, listed, {})
        results = iter(found)

        def result(source: Tensor) -> Tensor | None:
            gradient = next(results)
            return None if gradient is None else Tensor(gradient)

        return map_structure(result, sources)

    def backward(
        self,
        targets: Sequence[Tensor],
        seeds: Sequence[Array | None],
        sources: Sequence[Tensor],
        slots: dict[int, Array],
    ) -> list[Array | None]:
        """The arrays behind :meth:`gradient`; ``slots`` maps id(source) to the buffer its gradient is written to."""
        if self._used and not self.persistent:
            raise RuntimeError("a GradientTape that is not persistent gives gradients once")
        self._used = True
        keep = {id(s) for s in sources}
        wanted = set(keep)
        for inputs, outputs, _ in self._nodes:
            for x in inputs:
                if id(x) in wanted:
                    for y in outputs:
                        wanted.add(id(y))
                    break
        grads = Gradients(wanted, slots)
        for target, seed in zip(targets, seeds, strict=True):
            if seed is None:
                seed = backend.empty(target.shape, target.dtype, target.array)
                backend.twin(seed).fill(1.0, seed)
            grads.give(target, seed)
        known = grads._known
        nodes = list(self._nodes) if self.persistent else self._nodes
        while nodes:  # popped, so that what a node holds is free for reuse as soon as it has run
            _, outputs, gradient = nodes.pop()
            for y in outputs:
                if id(y) in known:
                    break
            else:
                continue
            gradient(grads)
            for y in outputs:
                key = id(y)
                if key not in keep:
                    known.pop(key, None)
        return [grads.of(s) for s in sources]
