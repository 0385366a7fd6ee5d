"""What users hand to fit, evaluate and predict, put into the form that the model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlbd.backend import Array, is_device_array, on_host
from dlbd.models.batches import host_array
from dlbd.structure import map_structure


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or is_device_array(x)


def is_stream(x: Any) -> bool:
    """Whether ``x`` yields batches (a generator, a data set) rather than being data itself."""
    if isinstance(x, Iterator):
        return True
    arrayish = isinstance(x, (np.ndarray, list, tuple, dict, Mapping, str)) or any(
        hasattr(x, protocol) for protocol in ("__array__", "__dlpack__", "to_numpy")
    )
    return not arrayish and (hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__")))


def adapt_inputs(model: Any, x: Any) -> Any:
    """Inputs as arrays; (N, 28, 28) becomes (N, 28, 28, 1) for a model that takes that, and the other way round."""
    if isinstance(x, (list, tuple)):
        # a list of one array is that array; a list of numbers, or of rows, is data
        if len(x) == 1 and not np.isscalar(x[0]) and is_array(x[0]):
            x = x[0]
        elif not any(is_array(v) for v in x):
            x = np.asarray(x)
    if x is None:
        raise ValueError(f"[{model.name}] there is no data: x is None")
    adapted = map_structure(host_array, x)
    wanted = model.built_input_shape()
    if wanted is None:
        return adapted
    if not is_array(adapted):
        raise ValueError(
            f"model {model.name!r} takes one array of shape {wanted}; received a {type(x).__name__} of {len(x)}, "
            "each for an input of its own. If they are the rows of one array, pass np.stack(x)"
        )
    if adapted.ndim == len(wanted) - 1 and wanted[-1] == 1:
        return adapted[..., None]
    if adapted.ndim == len(wanted) + 1 and adapted.shape[-1] == 1:
        return adapted[..., 0]
    if model.input_spec is not None:
        check_inputs(model, adapted, wanted)
    return adapted


def check_inputs(model: Any, x: Array, wanted: tuple[int | None, ...]) -> None:
    fits = x.ndim == len(wanted) and all(w is None or w == n for w, n in zip(wanted[1:], x.shape[1:], strict=True))
    if not fits:
        first = model.layers[0] if model.layers else model
        raise ValueError(
            f"model {model.name!r} takes inputs of shape {wanted} (batch size first; None: any), which its first layer "
            f"{first.name!r} ({type(first).__name__}) was built for; received shape {x.shape}"
        )


def weights_of_classes(y: Any, class_weight: Mapping[Any, float]) -> Array:
    """One weight per row from a weight per class."""
    if y is None:
        raise ValueError("class_weight needs targets: pass y, or batches (x, y)")
    if not isinstance(class_weight, Mapping) or not all(isinstance(c, (int, np.integer)) for c in class_weight):
        raise TypeError(f"class_weight is a dict with a weight per class number; received {class_weight!r}")
    labels = on_host(host_array(y))
    if labels.ndim > 1:
        labels = labels.reshape(len(labels), -1)
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    classes, place = np.unique(labels, return_inverse=True)
    return np.array([class_weight.get(c, 1.0) for c in classes.tolist()], np.float32)[place]
