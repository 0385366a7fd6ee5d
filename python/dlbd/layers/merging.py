"""Layers of several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate and Dot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape, is_shape
from dlbd.layers.length_normalization import unit
from dlbd.tensor import Tensor

Masks = Sequence[Tensor | None] | None


class _Merge(Layer):
    """What they share: a list of inputs. A position of the output is masked if it is so in all inputs."""

    supports_masking = True
    inputs_taken: int | None = None  # any number by default

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def _listed(self, shapes: Any) -> list[Shape]:
        wanted = f"{self.inputs_taken or 'several'} inputs"
        if not isinstance(shapes, (list, tuple)) or not shapes or is_shape(shapes):
            raise ValueError(f"{type(self).__name__} takes a list of {wanted}; received one of shape {shapes}")
        if self.inputs_taken not in (None, len(shapes)):
            raise ValueError(f"{type(self).__name__} takes a list of {wanted}; received {len(shapes)}, {shapes}")
        return [tuple(s) for s in shapes]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if previous_mask is None or any(m is None for m in previous_mask):
            return None
        return _reduced(ops.logical_or, previous_mask)


class _Elementwise(_Merge):
    """Shapes broadcast from the axis after the batch on: (batch, 4) meets (batch, 3, 4) as (batch, 1, 4)."""

    def call(self, inputs: Any) -> Tensor:
        return self._merged(_of_one_rank(inputs))

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self._listed(input_shape)
        ndim = max(len(s) for s in shapes)
        wide = [(*s[:1], *(1,) * (ndim - len(s)), *s[1:]) for s in shapes]
        sizes = []
        for axis in range(ndim):
            found = {s[axis] for s in wide}
            known = found - {None, 1}
            if len(known) > 1 or (axis == 0 and len(found - {None}) > 1):
                raise ValueError(f"{type(self).__name__} takes inputs whose shapes broadcast; received {shapes}")
            sizes.append(known.pop() if known else None if None in found else 1)
        return tuple(sizes)


class _WhereSeen(_Elementwise):
    """Masked positions do not take part."""

    def call(self, inputs: Any, mask: Masks = None) -> Tensor:
        tensors = _of_one_rank(inputs)
        if mask is None:
            return self._merged(tensors)
        spread = [
            ops.ones(t.shape, "bool") if m is None else ops.broadcast_to(ops.expand_dims(m, -1), t.shape)
            for m, t in zip(mask, inputs, strict=True)
        ]
        return self._merged_where_seen(tensors, _of_one_rank(spread))

    def _merged_where_seen(self, tensors: list[Tensor], masks: list[Tensor]) -> Tensor:
        raise NotImplementedError


def _of_one_rank(tensors: Sequence[Tensor]) -> list[Tensor]:
    ndim = max(t.ndim for t in tensors)
    return [t if t.ndim == ndim else ops.expand_dims(t, tuple(range(1, 1 + ndim - t.ndim))) for t in tensors]


def _reduced(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = function(result, value)
    return result


class Add(_Elementwise):
    """The sum of the inputs.

    Called with a list of any number of tensors whose shapes broadcast; those with fewer axes get axes of size 1 after
    the batch. The output is masked where all inputs are.

    Args:
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) it is no list, or the shapes do not broadcast.

    Example:
        >>> dlbd.layers.Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])]).numpy().tolist()
        [[11.0, 22.0]]
    """

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        return _reduced(ops.add, tensors)  # type: ignore[no-any-return]


class Average(_Elementwise):
    """The mean of the inputs; otherwise as :class:`Add`.

    Example:
        >>> dlbd.layers.Average()([np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]])]).numpy().tolist()
        [[2.0, 4.0]]
    """

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        return ops.divide(_reduced(ops.add, tensors), len(tensors))


class Subtract(_Elementwise):
    """The first of two inputs less the second; otherwise as :class:`Add`.

    Example:
        >>> dlbd.layers.Subtract()([np.array([[3.0, 6.0]]), np.array([[1.0, 2.0]])]).numpy().tolist()
        [[2.0, 4.0]]
    """

    inputs_taken = 2

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        return ops.subtract(*tensors)


class Multiply(_WhereSeen):
    """The product of the inputs, element by element; otherwise as :class:`Add`.

    A masked position counts as 1; where all inputs are masked the product is 0.

    Example:
        >>> dlbd.layers.Multiply()([np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]])]).numpy().tolist()
        [[3.0, 12.0]]
    """

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        return _reduced(ops.multiply, tensors)  # type: ignore[no-any-return]

    def _merged_where_seen(self, tensors: list[Tensor], masks: list[Tensor]) -> Tensor:
        factors = [ops.where(m, t, 1) for t, m in zip(tensors, masks, strict=True)]
        return ops.where(_reduced(ops.logical_or, masks), self._merged(factors), 0)


class _Extreme(_WhereSeen):
    function: Callable[[Any, Any], Tensor]

    def _merged(self, tensors: list[Tensor]) -> Tensor:
        return _reduced(self.function, tensors)  # type: ignore[no-any-return]

    def _merged_where_seen(self, tensors: list[Tensor], masks: list[Tensor]) -> Tensor:
        output, seen = tensors[0], masks[0]
        for x, mask in zip(tensors[1:], masks[1:], strict=True):
            candidate = ops.where(mask, x, output)
            output = self.function(ops.where(seen, output, candidate), candidate)
            seen = ops.logical_or(seen, mask)
        return output


class Maximum(_Extreme):
    """The largest of the inputs, element by element; otherwise as :class:`Add`. Masked positions do not take part.

    Example:
        >>> dlbd.layers.Maximum()([np.array([[1.0, 6.0]]), np.array([[3.0, 2.0]])]).numpy().tolist()
        [[3.0, 6.0]]
    """

    function = staticmethod(ops.maximum)


class Minimum(_Extreme):
    """The smallest of the inputs, element by element; otherwise as :class:`Add`. Masked positions do not take part.

    Example:
        >>> dlbd.layers.Minimum()([np.array([[1.0, 6.0]]), np.array([[3.0, 2.0]])]).numpy().tolist()
        [[1.0, 2.0]]
    """

    function = staticmethod(ops.minimum)


class Concatenate(_Merge):
    """The inputs one after the other along an axis.

    Called with a list of tensors whose sizes agree except along the axis. Masks go along: side by side where they run
    along the axis; along the last axis a position is masked if it is so in all inputs. An input without a mask counts
    as seen.

    Args:
        axis: the last by default.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: (at the call) it is no list, the sizes do not agree, or there is no such axis.

    Example:
        >>> dlbd.layers.Concatenate()([np.ones((2, 3)), np.zeros((2, 4))]).shape
        (2, 7)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Tensor:
        return ops.concatenate(inputs, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self._listed(input_shape)
        ndim = len(shapes[0])
        if not -ndim <= self.axis < ndim:
            raise ValueError(f"axis {self.axis} does not exist in inputs of shape {shapes[0]}")
        axis = self.axis % ndim
        sizes: list[int | None] = []
        for i in range(ndim):
            if any(len(s) != ndim for s in shapes):
                sizes = []
                break
            found = [s[i] for s in shapes]
            known = [n for n in found if n is not None]
            if i == axis:
                sizes.append(sum(known) if len(known) == len(found) else None)
            elif len(set(known)) > 1:
                sizes = []
                break
            else:
                sizes.append(known[0] if known else None)
        if not sizes:
            raise ValueError(f"Concatenate takes inputs that agree except along axis {self.axis}; received {shapes}")
        return tuple(sizes)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if previous_mask is None:
            return None
        if self.axis % inputs[0].ndim == inputs[0].ndim - 1:
            return super().compute_mask(inputs, previous_mask)
        masks = [ops.ones(x.shape[:-1], "bool") if m is None else m for x, m in zip(inputs, previous_mask, strict=True)]
        return ops.concatenate(masks, self.axis % inputs[0].ndim)


class Dot(_Merge):
    """The dot products of two inputs along an axis of each, sample by sample.

    The output has the axes of the first input, then those of the second after the batch, without the axes that were
    summed over; (batch, 1) for two vectors.

    Args:
        axes: the axis of both inputs, or a pair of axes; never the batch's.
        normalize: divide by the lengths first, which gives the cosine of the angle; False by default.
        kwargs: see :class:`Layer`.

    Raises:
        TypeError: ``axes`` is neither an integer nor two of them.
        ValueError: (at the call) it is no list of two, or the axes do not exist or differ in size.

    Example:
        >>> dlbd.layers.Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 6.0]])]).numpy().tolist()
        [[15.0]]
        >>> dlbd.layers.Dot(axes=(1, 2))([np.ones((2, 3, 5)), np.ones((2, 10, 3))]).shape
        (2, 5, 10)
    """

    inputs_taken = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = (axes, axes) if isinstance(axes, int) else tuple(axes) if isinstance(axes, (list, tuple)) else ()
        if len(pair) != 2 or not all(isinstance(a, int) for a in pair):
            raise TypeError(f"[{self.name}] axes must be an integer or two of them; received {axes!r}")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = normalize

    def _axes(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(given, shapes, strict=True):
            if len(shape) < 2 or not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                raise ValueError(f"Dot sums along an axis after the batch; axis {axis} of shape {shape} is none")
        first, second = (axis % len(shape) for axis, shape in zip(given, shapes, strict=True))
        return first, second

    def call(self, inputs: Any) -> Tensor:
        axes = self._axes([t.shape for t in inputs])
        x, y = (unit(t, axis) for t, axis in zip(inputs, axes, strict=True)) if self.normalize else inputs
        # (batch, other axes of x, n) @ (batch, n, other axes of y)
        x, y = ops.moveaxis(x, axes[0], -1), ops.moveaxis(y, axes[1], 1)
        batch, n = x.shape[0], x.shape[-1]
        left, right = x.shape[1:-1], y.shape[2:]
        product = ops.matmul(ops.reshape(x, (batch, math.prod(left), n)), ops.reshape(y, (batch, n, math.prod(right))))
        return ops.reshape(product, (batch, *left, *right) if left or right else (batch, 1))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self._listed(input_shape)
        axes = self._axes(shapes)
        summed = [shape[axis] for shape, axis in zip(shapes, axes, strict=True)]
        batches = {s[0] for s in shapes} - {None}
        if len(batches) > 1 or (None not in summed and summed[0] != summed[1]):
            raise ValueError(f"Dot along axes {axes} takes the same batch and the same size there; received {shapes}")
        left, right = ([n for i, n in enumerate(s) if i not in (0, a)] for s, a in zip(shapes, axes, strict=True))
        return (batches.pop() if batches else None, *(left + right or [1]))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of inputs: :class:`Add`, called at once. ``kwargs`` are those of the layer.

    Example:
        >>> dlbd.layers.add([np.ones((1, 2)), np.ones((1, 2))]).numpy().tolist()
        [[2.0, 2.0]]
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The first input less the second: :class:`Subtract`, called at once.

    Example:
        >>> dlbd.layers.subtract([np.ones((1, 2)), np.ones((1, 2))]).numpy().tolist()
        [[0.0, 0.0]]
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """The product of a list of inputs, element by element: :class:`Multiply`, called at once.

    Example:
        >>> dlbd.layers.multiply([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).numpy().tolist()
        [[6.0, 6.0]]
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """The mean of a list of inputs: :class:`Average`, called at once.

    Example:
        >>> dlbd.layers.average([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).numpy().tolist()
        [[2.5, 2.5]]
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The largest of a list of inputs, element by element: :class:`Maximum`, called at once.

    Example:
        >>> dlbd.layers.maximum([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).numpy().tolist()
        [[3.0, 3.0]]
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The smallest of a list of inputs, element by element: :class:`Minimum`, called at once.

    Example:
        >>> dlbd.layers.minimum([np.full((1, 2), 3.0), np.full((1, 2), 2.0)]).numpy().tolist()
        [[2.0, 2.0]]
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """A list of inputs one after the other along an axis: :class:`Concatenate`, called at once.

    Example:
        >>> dlbd.layers.concatenate([np.ones((2, 3)), np.zeros((2, 4))]).shape
        (2, 7)
    """
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Any, axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """The dot products of two inputs: :class:`Dot`, called at once; along the last axes by default.

    Example:
        >>> dlbd.layers.dot([np.ones((2, 3)), np.ones((2, 3))]).numpy().tolist()
        [[3.0], [3.0]]
    """
    return Dot(axes, **kwargs)(inputs)
