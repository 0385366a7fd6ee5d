"""What users hand to fit, evaluate and predict, put into the form that the model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlbd.backend import Array, is_device_array, on_host
from dlbd.layers.preprocessing.host import with_host_inputs
from dlbd.models.batches import host_array
from dlbd.models.frames import Columns, columns_by_name, is_frame
from dlbd.models.hints import fits, inputs_hint
from dlbd.models.py_dataset import PyDataset
from dlbd.structure import map_structure


def is_array(x: Any) -> bool:
    return isinstance(x, (np.ndarray, Columns)) or is_device_array(x)


def is_stream(x: Any) -> bool:
    """Whether ``x`` yields batches (a generator, a data set) rather than being data itself."""
    if isinstance(x, Iterator):
        return True
    arrayish = isinstance(x, (np.ndarray, list, tuple, dict, Mapping, str)) or any(
        hasattr(x, protocol) for protocol in ("__array__", "__dlpack__", "to_numpy")
    )
    indexed = hasattr(x, "__getitem__") and (hasattr(x, "__len__") or isinstance(x, PyDataset))
    return not arrayish and (hasattr(x, "__iter__") or indexed)


def adapt_inputs(model: Any, x: Any) -> Any:
    """Inputs as arrays; for a model made of Inputs one for each, in their order.

    (N, 28, 28) becomes (N, 28, 28, 1) for an input that takes that, and the other way round. What layers on the host
    take is left to be converted batch by batch.
    """
    return with_host_inputs(_arrays(model, x), model.host_inputs())


def _arrays(model: Any, x: Any) -> Any:
    if x is None:
        raise ValueError(f"[{model.name}] there is no data: x is None")
    graph = model._graph
    if graph is not None and isinstance(x, Mapping):
        leaves = graph.arrange(x, model.name)
        x = leaves if len(leaves) > 1 else leaves[0]
    elif graph is not None and len(graph.input_layers) > 1:
        x = graph.arrange(columns_by_name(x) if is_frame(x) else x, model.name)
    if graph is not None and len(graph.input_layers) > 1:
        given = zip(x, graph.input_layers, strict=True)
        return [
            _fitted(model, host_array(a), layer.batch_shape, f"as its input {layer.name!r} says") for a, layer in given
        ]
    if isinstance(x, (list, tuple)):
        # a list of one array is that array; a list of numbers, or of rows, is data
        if len(x) == 1 and not np.isscalar(x[0]) and is_array(x[0]):
            x = x[0]
        elif not any(is_array(v) for v in x):
            x = np.asarray(x)
    adapted = map_structure(host_array, x)
    wanted = model.built_input_shape()
    if wanted is None:
        return adapted
    if not is_array(adapted):
        raise ValueError(
            f"model {model.name!r} takes one array of shape {wanted}; received a {type(x).__name__} of {len(x)}, "
            "each for an input of its own. If they are the rows of one array, pass np.stack(x)"
        )
    if graph is None and model.input_spec is None:  # the shape is that of the first data: another may do as well
        return _with_channels(adapted, wanted)
    first = next((layer for layer in model.layers if layer.weights), model)
    return _fitted(
        model, adapted, wanted, f"which its first layer {first.name!r} ({type(first).__name__}) was built for"
    )


def _with_channels(x: Array, wanted: tuple[int | None, ...]) -> Array:
    if wanted[-1] == 1 and fits(x.shape[1:], wanted[1:-1]):
        return x[..., None]
    if x.ndim == len(wanted) + 1 and x.shape[-1] == 1:
        return x[..., 0]
    return x


def _fitted(model: Any, x: Array, wanted: tuple[int | None, ...], why: str) -> Array:
    x = _with_channels(x, wanted)
    if not x.ndim or not fits(x.shape[1:], wanted[1:]):
        raise ValueError(
            f"model {model.name!r} takes inputs of shape {wanted} (batch size first; None: any), {why}; "
            f"received shape {x.shape}{inputs_hint(x.shape, wanted)}"
        )
    return x


def weights_of_classes(y: Any, class_weight: Mapping[Any, float] | str, numbers: bool = False) -> Array:
    """One weight per row from a weight per class; "balanced" gives every class the same weight altogether.

    Rows of several numbers are one-hot; if targets are said to be ``numbers`` of classes, there is a weight for each.
    """
    if y is None:
        raise ValueError("class_weight needs targets: pass y, or batches (x, y)")
    balanced = isinstance(class_weight, str) and class_weight == "balanced"
    numbered = isinstance(class_weight, Mapping) and all(isinstance(c, (int, np.integer)) for c in class_weight)
    if not balanced and not numbered:
        raise TypeError(
            f'class_weight is a dict with a weight per class number, or "balanced"; received {class_weight!r}'
        )
    labels = np.asarray(on_host(host_array(y)))
    if labels.ndim > 1 and not numbers:
        labels = labels.reshape(len(labels), -1)
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    classes, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(class_weight, Mapping):
        weights = np.array([class_weight.get(c, 1.0) for c in classes.tolist()], np.float32)
    else:
        weights = (len(labels) / (len(classes) * counts)).astype(np.float32)
    return weights[place].reshape(labels.shape)
