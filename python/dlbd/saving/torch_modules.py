"""How the parameters of each kind of PyTorch module become the weights of a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dlbd import layers
from dlbd.backend import Array
from dlbd.layers.base import Layer
from dlbd.layers.conv import _Conv
from dlbd.layers.conv_transpose import _ConvTranspose
from dlbd.layers.depthwise_conv import _DepthwiseConv
from dlbd.layers.multi_head_attention import MultiHeadAttention
from dlbd.layers.recurrent_cells import Cell
from dlbd.layers.separable_conv import _SeparableConv
from dlbd.saving.state import parts_of
from dlbd.saving.torch_layout import Layout
from dlbd.tensor import Variable

Parameters = Mapping[str, Array]
Pairs = list[tuple[Variable, Array]]


class DoesNotFit(ValueError):
    """A module is not of a layer's kind or sizes."""


class Slot:
    """A layer, or a part of one, that takes the parameters of one module.

    Args:
        name: the layer's path.
        layer: the layer.
        values: makes the weights' values of a module's parameters.
    """

    def __init__(self, name: str, layer: Layer, values: Callable[[Parameters], Pairs]) -> None:
        self.name, self._layer, self._values = name, layer, values
        self.names = {name, name.replace("/", "."), layer.name}

    def convert(self, parameters: Parameters) -> Pairs:
        """The weights and their values. DoesNotFit if there are other parameters, or of other shapes."""
        try:
            pairs = self._values(parameters)
        except (KeyError, IndexError) as error:
            raise DoesNotFit(f"it has {sorted(parameters)}") from error
        except ValueError as error:
            raise DoesNotFit(str(error)) from error
        for variable, value in pairs:
            if variable.shape != value.shape:
                raise DoesNotFit(f"it gives {variable.name} the shape {value.shape}; expected {variable.shape}")
        return pairs

    def __str__(self) -> str:
        shapes = ", ".join(f"{v.name} {v.shape}" for v in self._layer.weights)
        return f"layer {self.name!r} ({type(self._layer).__name__}: {shapes})"


def slots_of(model: Layer, layout: Layout) -> Iterator[Slot]:
    """All layers with weights, in order.

    Raises:
        ValueError: PyTorch has no such layer.
    """
    done: set[int] = set()
    for path, layer in parts_of(model).layers.items():
        if id(layer) in done or not (layer._own_variables or isinstance(layer, layers.Bidirectional)):
            continue
        kind = next((kind for kind in _SLOTS if isinstance(layer, kind)), None)
        if kind is None:
            raise ValueError(f"there is no module of PyTorch for layer {path!r} ({type(layer).__name__})")
        for values in _SLOTS[kind](layer, layout):
            yield Slot(path.removesuffix("/cell").removesuffix("/layer"), layer, values)
        done |= {id(inner) for inner in layer.walk()}


def _taken(parameters: Parameters, *names: str | None) -> list[Array]:
    """Exactly these parameters; None stands for one that the layer does not have."""
    wanted = [name for name in names if name is not None]
    if set(wanted) != set(parameters):
        raise DoesNotFit(f"it has {sorted(parameters)}; expected {sorted(wanted)}")
    return [parameters[name] for name in wanted]


def _require_ndim(array: Array, ndim: int) -> Array:
    if array.ndim != ndim:
        raise DoesNotFit(f"its weight has {array.ndim} axes; expected {ndim}")
    return array


# Each gives functions of a module's parameters: as many as a layer takes modules.


def _dense(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    inputs, outputs = (orders.get(id(layer), slice(None)) for orders in (layout.inputs, layout.outputs))

    def values(parameters: Parameters) -> Pairs:
        weight, *bias = _taken(parameters, "weight", "bias" if layer.use_bias else None)
        kernel = _require_ndim(weight, 2).T[inputs][:, outputs]
        return [(layer.kernel, kernel), *((layer.bias, b[outputs]) for b in bias)]

    yield values


def _image_kernel(weight: Array, rank: int) -> Array:
    """(a, b, height, width) to (height, width, b, a)."""
    return _require_ndim(weight, rank + 2).transpose(*range(2, rank + 2), 1, 0)


def _conv(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    """Convolutions and transposed ones: (out, in, ...) becomes (..., in, out), and (in, out, ...) (..., out, in)."""

    def values(parameters: Parameters) -> Pairs:
        weight, *bias = _taken(parameters, "weight", "bias" if layer.use_bias else None)
        return list(zip(layer.weights, [_image_kernel(weight, layer.rank), *bias], strict=True))

    yield values


def _per_channel(weight: Array, layer: Any) -> Array:
    """(channels * multiplier, 1, height, width) to (height, width, channels, multiplier)."""
    rank, multiplier = layer.rank, layer.depth_multiplier
    if weight.ndim != rank + 2 or weight.shape[1] != 1 or weight.shape[0] % multiplier:
        raise DoesNotFit(f"its weight has shape {weight.shape}, which is not of a convolution by channel")
    split = weight.reshape(-1, multiplier, *weight.shape[2:])
    return split.transpose(*range(2, rank + 2), 0, 1)


def _depthwise(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    def values(parameters: Parameters) -> Pairs:
        weight, *bias = _taken(parameters, "weight", "bias" if layer.use_bias else None)
        return list(zip(layer.weights, [_per_channel(weight, layer), *bias], strict=True))

    yield values


def _separable(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    """Two modules: a convolution by channel without bias, and one that mixes channels."""

    def by_channel(parameters: Parameters) -> Pairs:
        (weight,) = _taken(parameters, "weight")
        return [(layer.depthwise_kernel, _per_channel(weight, layer))]

    def mixing(parameters: Parameters) -> Pairs:
        weight, *bias = _taken(parameters, "weight", "bias" if layer.use_bias else None)
        return [(layer.pointwise_kernel, _image_kernel(weight, layer.rank)), *((layer.bias, b) for b in bias)]

    yield by_channel
    yield mixing


def _batch_norm(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    order = layout.inputs.get(id(layer), slice(None))

    def values(parameters: Parameters) -> Pairs:
        own = ["weight" if layer.scale else None, "bias" if layer.center else None]
        given = [value[order] for value in _taken(parameters, *own, "running_mean", "running_var")]
        return list(zip(layer._own_variables, given, strict=True))

    yield values


def _normalization(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    """Of layers and groups: a scale and an offset per feature."""
    order = layout.inputs.get(id(layer), slice(None))

    def values(parameters: Parameters) -> Pairs:
        own = layer._own_variables
        names = {"gamma": "weight", "scale": "weight", "beta": "bias"}
        given = _taken(parameters, *(names[v.name] for v in own))
        if id(layer) in layout.images:
            given = [np.moveaxis(value, 0, -1) for value in given]
        return [(v, value[order]) for v, value in zip(own, given, strict=True)]

    yield values


def _embedding(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    yield lambda parameters: list(zip(layer._own_variables, _taken(parameters, "weight"), strict=True))


def _prelu(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    order = layout.inputs.get(id(layer), slice(None))

    def values(parameters: Parameters) -> Pairs:
        (weight,) = _taken(parameters, "weight")
        shape = layer.alpha.shape
        if weight.size == 1:
            return [(layer.alpha, np.full(shape, weight.item()))]
        if any(n != 1 for n in shape[:-1]):
            raise DoesNotFit(f"PyTorch has a slope per channel, this layer {shape}: it needs shared_axes")
        return [(layer.alpha, weight.reshape(-1)[order].reshape(*shape[:-1], -1))]

    yield values


# Gates in the order of ours: (input, forget, cell, output) is PyTorch's, too; ours are (update, reset, candidate).
_GATES: dict[type, list[int]] = {layers.SimpleRNNCell: [0], layers.LSTMCell: [0, 1, 2, 3], layers.GRUCell: [1, 0, 2]}


def _of_cell(cell: Any, parameters: Parameters, suffix: str) -> Pairs:
    gates = next(gates for kind, gates in _GATES.items() if isinstance(cell, kind))

    def rows(name: str) -> Array:
        array = parameters[name + suffix]
        return np.concatenate([np.split(array, len(gates))[gate] for gate in gates])

    found = [(cell.kernel, rows("weight_ih").T), (cell.recurrent_kernel, rows("weight_hh").T)]
    if not cell.use_bias:
        return found
    biases = [rows("bias_ih"), rows("bias_hh")]
    if not isinstance(cell, layers.GRUCell):
        return [*found, (cell.bias, biases[0] + biases[1])]
    if not cell.reset_after:
        raise DoesNotFit("PyTorch's GRU is that of reset_after=True")
    return [*found, (cell.bias, np.stack(biases))]


def _names(cells: list[Any], suffixes: tuple[str, ...]) -> list[str]:
    kinds = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if cells[0].use_bias else [])]
    return [kind + suffix for suffix in suffixes for kind in kinds]


def _recurrent(cell: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    def values(parameters: Parameters) -> Pairs:
        _taken(parameters, *_names([cell], ("",)))
        return _of_cell(cell, parameters, "")

    yield values


def _bidirectional(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    cells, suffixes = [layer.forward_layer.cell, layer.backward_layer.cell], ("", "_reverse")

    def values(parameters: Parameters) -> Pairs:
        _taken(parameters, *_names(cells, suffixes))
        return [pair for of in zip(cells, suffixes, strict=True) for pair in _of_cell(of[0], parameters, of[1])]

    yield values


def _attention(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    kinds = ("query", "key", "value")

    def values(parameters: Parameters) -> Pairs:
        joined = "in_proj_weight" in parameters
        weights = ["in_proj_weight"] if joined else [f"{kind[0]}_proj_weight" for kind in kinds]
        biases = ["in_proj_bias", "out_proj.bias"] if layer.use_bias else []
        *projections, out = _taken(parameters, *weights, "out_proj.weight", *biases)[: len(weights) + 1]
        if joined:
            projections = np.split(projections[0], 3)
        found = [(layer.output_kernel, out.T.reshape(layer.output_kernel.shape))]
        for kind, weight in zip(kinds, projections, strict=True):
            kernel = getattr(layer, f"{kind}_kernel")
            found.append((kernel, weight.T.reshape(-1, *kernel.shape[1:])))
        if layer.use_bias:
            for kind, bias in zip(kinds, np.split(parameters["in_proj_bias"], 3), strict=True):
                own = getattr(layer, f"{kind}_bias")
                found.append((own, bias.reshape(own.shape)))
            found.append((layer.output_bias, parameters["out_proj.bias"]))
        return found

    yield values


def _none(layer: Any, layout: Layout) -> Iterator[Callable[[Parameters], Pairs]]:
    """What PyTorch does outside of modules."""
    return iter(())


_SLOTS: dict[type, Callable[[Any, Layout], Iterator[Callable[[Parameters], Pairs]]]] = {
    layers.Dense: _dense,
    _DepthwiseConv: _depthwise,
    _SeparableConv: _separable,
    _ConvTranspose: _conv,
    _Conv: _conv,
    layers.BatchNormalization: _batch_norm,
    layers.LayerNormalization: _normalization,
    layers.GroupNormalization: _normalization,
    layers.RMSNormalization: _normalization,
    layers.Embedding: _embedding,
    layers.PositionEmbedding: _embedding,
    layers.PReLU: _prelu,
    layers.Bidirectional: _bidirectional,
    Cell: _recurrent,
    MultiHeadAttention: _attention,
    layers.Normalization: _none,
}
