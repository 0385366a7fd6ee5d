"""Where a model's features stand in another order in PyTorch: behind a Flatten of images, and before a Reshape to them.

PyTorch's images are (channels, height, width), so flattened ones are in that order, too. To see which features of
which layers these are, the model is run once with marks in place of numbers: infinity for what is an image, or a
signal that is convolved; NaN for a sequence, whose features come last in PyTorch, too (the sum of both is NaN); and
where an image was flattened, the number of each feature. Layers that mix all features, such as Dense, begin new
numbers; others, such as BatchNormalization, let them through. So the marks tell, whatever the model does in between;
where they are lost, an error says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlbd import backend
from dlbd.backend import Array
from dlbd.layers import (
    RNN,
    BatchNormalization,
    Bidirectional,
    Dense,
    Flatten,
    GroupNormalization,
    LayerNormalization,
    Permute,
    PReLU,
    Reshape,
    TimeDistributed,
)
from dlbd.layers.activation import _Elementwise
from dlbd.layers.base import Layer, calls_run_by, map_shapes
from dlbd.layers.dropout import Dropout, _SpatialDropout
from dlbd.layers.noise import _Noise
from dlbd.layers.spatial import Spatial
from dlbd.structure import map_structure
from dlbd.tensor import Tensor

_BATCH, _LENGTH = 2, 32  # in place of sizes that are not known
_IMAGE, _SEQUENCE, _OTHER = math.inf, math.nan, 0.0
_FIRST_MARK = 1 << 20  # what no layer makes of zeros; float32 holds integers up to 2^24
_LAST_MARK = 1 << 24
# Layers that leave each feature where it is.
_BY_FEATURE = (BatchNormalization, GroupNormalization, LayerNormalization, PReLU)
_UNCHANGED = (*_BY_FEATURE, _Elementwise, Dropout, _SpatialDropout, _Noise)


class Layout:
    """Orders of features, by the ids of layers.

    Attributes:
        inputs: {id(layer): for each input feature its place in PyTorch}, where that differs.
        outputs: the same for output features.
        images: ids of the layers that take images.
    """

    def __init__(self) -> None:
        self.inputs: dict[int, Array] = {}
        self.outputs: dict[int, Array] = {}
        self.images: set[int] = set()
        self._next = _FIRST_MARK
        self._begun: dict[int, tuple[int, list[Layer], bool]] = {}  # by first mark: how many, whose, to be read by any?
        self._read: set[int] = set()

    # Marks

    def _marks(self, order: Array, of: Layer, must_be_read: bool) -> Array:
        first = self._next
        self._next += order.size
        if self._next > _LAST_MARK:
            raise ValueError(f"{of.name!r}: there are too many features to follow")
        self._begun[first] = order.size, [of], must_be_read
        return order + first

    def _order_of(self, x: Array, layer: Layer) -> tuple[Array | None, list[int]]:
        """For each feature its place in PyTorch, None if nothing is marked; and the first marks of where it is from."""
        row = x[0]
        if not np.any(row >= _FIRST_MARK):
            return None, []
        order, sources, at = np.arange(row.size), [], 0
        while at < row.size:
            begun = next((f for f, (n, _, _) in self._begun.items() if f <= row[at] < f + n), None)
            n = 1 if begun is None else self._begun[begun][0]
            if begun is not None:
                part = row[at : at + n] - begun
                if part.size != n or not np.array_equal(np.sort(part), np.arange(n)):
                    raise _lost(layer)
                order[at : at + n] = at + part.astype(np.int64)
                sources.append(begun)
            at += n
        return order, sources

    # The run

    def run(self, layer: Layer, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """What stands for ``layer.call``."""
        x = backend.on_host(inputs.array) if isinstance(inputs, Tensor) else None
        image = x is not None and _is_image(x, layer)
        if image:
            self.images.add(id(layer))
        if isinstance(layer, _UNCHANGED) and x is not None:
            if isinstance(layer, _BY_FEATURE) and x.ndim == 2:
                self._note_input(layer, x)
            of_sequences = isinstance(layer, LayerNormalization) and x.ndim == 3
            return _filled(inputs, _SEQUENCE) if of_sequences else inputs
        if isinstance(layer, (RNN, Bidirectional, TimeDistributed)) and x is not None:
            return self._over_time(layer, x, image)
        if isinstance(layer, Spatial) and x is not None:
            shape = layer.compute_output_shape(x.shape)
            return _full(shape, _IMAGE if len(shape) > 2 else _OTHER, x.dtype)
        if isinstance(layer, Dense) and x is not None and x.ndim == 2:
            self._note_input(layer, x)
            return self._rows(self._marks(np.arange(layer.units), layer, must_be_read=False), x)
        outputs = layer.call(inputs, *args, **kwargs)
        if layer.sublayers and not layer._own_variables:
            return outputs
        if isinstance(layer, (Flatten, Reshape)) and x is not None:
            return self._reshaped(layer, x, image, outputs)
        if isinstance(layer, Permute) and image:
            raise _lost(layer)
        return _filled(outputs, _SEQUENCE) if layer.weights else outputs

    def _note_input(self, layer: Layer, x: Array) -> None:
        if np.isinf(x).any():
            raise _lost(layer)
        order, sources = self._order_of(x, layer)
        if order is not None and not np.array_equal(order, np.arange(order.size)):
            self.inputs[id(layer)] = order
        self._read |= set(sources)
        if isinstance(layer, _BY_FEATURE) and len(sources) == 1:
            self._begun[sources[0]][1].append(layer)

    def _over_time(self, layer: Layer, x: Array, image: bool) -> Any:
        """Without running it, which would change what a stateful layer keeps."""
        inner = [] if isinstance(layer, RNN) else layer.walk()
        if image and any(isinstance(one, (Flatten, Reshape, Permute)) for one in inner):
            raise _lost(layer)
        value = _IMAGE if any(isinstance(one, Spatial) for one in inner) else _SEQUENCE
        shapes = layer.compute_output_shape(x.shape)
        return map_shapes(lambda shape: _full(shape, value, x.dtype), shapes)

    def _reshaped(self, layer: Layer, x: Array, image: bool, outputs: Tensor) -> Any:
        if image:
            if outputs.ndim > 2:
                if outputs.shape[-1] != x.shape[-1]:
                    raise _lost(layer)
                return _filled(outputs, _IMAGE)
            return self._rows(self._marks(_flat_order(x.shape[1:]), layer, must_be_read=True), x)
        if x.ndim == 2 and outputs.ndim > 3:  # an image of features
            _, sources = self._order_of(x, layer)
            order = _flat_order(outputs.shape[1:])
            for first in sources:
                n, made_by, _ = self._begun[first]
                if n != order.size:
                    raise _lost(layer)
                self.outputs |= {id(one): order for one in made_by if isinstance(one, Dense)}
                self.inputs |= {id(one): order for one in made_by if isinstance(one, _BY_FEATURE)}
            return _filled(outputs, _IMAGE)
        return outputs

    def _rows(self, marks: Array, x: Array) -> Tensor:
        return Tensor(backend.place(np.tile(marks.astype(x.dtype), (x.shape[0], 1))))

    def check(self) -> None:
        """ValueError if what was flattened has met no layer that could tell."""
        for first, (_, layers, must_be_read) in self._begun.items():
            if must_be_read and first not in self._read:
                raise _lost(layers[0])


def _is_image(x: Array, layer: Layer) -> bool:
    """What has lost its marks is an image if it has the axes of one; a signal is not guessed at."""
    if x.ndim < 3 or x.dtype.kind != "f":
        return False
    if np.isnan(x).any():
        if x.ndim > 3 and isinstance(layer, (Flatten, Reshape)):
            raise _lost(layer)
        return False
    if x.ndim == 3 and not np.isinf(x).all() and isinstance(layer, (Flatten, Reshape)):
        raise _lost(layer)
    return True


def _lost(layer: Layer) -> ValueError:
    return ValueError(
        f"the order of the features at layer {layer.name!r} cannot be followed from image to flat array: pass "
        "flattened={name of the layer that takes them: shape of the image, or None if they were none}"
    )


def _flat_order(shape: tuple[int, ...]) -> Array:
    """For each number of a flattened (height, width, channels) its place in a flattened (channels, height, width)."""
    places = np.arange(math.prod(shape)).reshape(shape[-1], *shape[:-1])
    return np.moveaxis(places, 0, -1).reshape(-1)


def _full(shape: tuple[Any, ...], value: float, dtype: np.dtype[Any]) -> Tensor:
    return Tensor(backend.place(np.full(shape, value, dtype)))


def _filled(outputs: Any, value: float) -> Any:
    def like(t: Any) -> Any:
        if not isinstance(t, Tensor):
            return t
        return _full(t.shape, value if t.dtype.kind == "f" and t.ndim > 2 else _OTHER, t.dtype)

    return map_structure(like, outputs)


def find_layout(model: Any, flattened: Mapping[str, Any]) -> Layout:
    """The layout of a built model.

    Args:
        model: the model.
        flattened: {layer name: shape of the image before it was flattened, or None}, where that is known.

    Raises:
        ValueError: the order of a layer's features cannot be found out.
    """
    layout = Layout()
    known: dict[int, Array | None] = {}
    for layer in model.walk():
        if layer.name in flattened:
            shape = flattened[layer.name]
            known[id(layer)] = None if shape is None else _flat_order(tuple(shape))
    missing = flattened.keys() - {layer.name for layer in model.walk()}
    if missing:
        raise ValueError(f"flattened names {sorted(missing)}, which are no layers of {model.name!r}")

    def run(layer: Layer, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) in known:
            order = known[id(layer)]
            if order is not None:
                layout.inputs[id(layer)] = order
            if isinstance(inputs, Tensor):
                inputs = _filled(inputs, _OTHER)
        return layout.run(layer, inputs, *args, **kwargs)

    with calls_run_by(run):
        model(_inputs(model), training=False)
    if not known:
        layout.check()
    return layout


def _inputs(model: Any) -> Any:
    """What a model takes: images have two axes or more before the channels."""
    if getattr(model, "_graph", None) is not None:
        return map_structure(lambda x: _input(x.shape, x.dtype), model.input)
    shape = model.built_shape
    if shape is None:
        raise ValueError(f"[{model.name}] has no weights yet: call it, or build() it first")
    return map_shapes(lambda s: _input(s, np.dtype(model.dtype)), shape)


def _input(shape: Any, dtype: np.dtype[Any]) -> Tensor:
    if dtype.kind not in "fiub":
        raise ValueError("weights of PyTorch go into models that take numbers, not text")
    sizes = (shape[0] or _BATCH, *(_LENGTH if n is None else n for n in shape[1:]))
    marks = {3: _SEQUENCE, 2: _OTHER, 1: _OTHER}
    return _full(sizes, marks.get(len(sizes), _IMAGE) if dtype.kind == "f" else _OTHER, dtype)
