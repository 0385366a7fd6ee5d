"""Models like others, with weights of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from dlbd.layers.base import Layer
from dlbd.layers.input import Input, InputLayer
from dlbd.models.model import Model
from dlbd.models.raw_rows import features_of
from dlbd.models.sequential import Sequential
from dlbd.saving import deserialize_keras_object
from dlbd.saving.text import from_text
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """A model of the same layers, newly initialised and not compiled; of the same features, if it has any.

    Args:
        model: a Sequential or functional model; of another class, one whose ``from_config`` makes it from
            ``get_config``.
        input_tensors: what the clone begins with, KerasTensors in place of the model's own Inputs.
        clone_function: gives the new layer for each layer; ``from_config`` of its class by default.
        call_function: called ``(layer, *args, **kwargs)`` in place of each new layer, for functional models.
        recursive: call ``clone_function`` for the layers of models inside, too, in place of those models.

    Raises:
        ValueError: the model is neither Sequential nor functional, and one of the other arguments is given.

    Example:
        >>> model = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(4), dlbd.layers.Dense(1)])
        >>> clone = dlbd.models.clone_model(model)
        >>> clone.count_params(), clone.layers[0] is model.layers[0]
        (21, False)
    """
    clone = _clone(model, input_tensors, clone_function, call_function, recursive)
    if features_of(model) is not None:
        clone.features = deepcopy(model.features)
    return clone


def _clone(
    model: Any,
    input_tensors: Any,
    clone_function: Callable[[Layer], Layer] | None,
    call_function: Callable[..., Any] | None,
    recursive: bool,
) -> Any:
    cls = type(model)

    def cloned(layer: Layer) -> Layer:
        inner = isinstance(layer, Model) and (recursive or clone_function is None)
        if inner and (isinstance(layer, Sequential) or layer._graph is not None):
            return clone_model(layer, clone_function=clone_function, recursive=recursive)  # type: ignore[no-any-return]
        if clone_function is not None:
            return clone_function(layer)
        return type(layer).from_config(layer.get_config())

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("clone_model takes call_function for functional models")
        return cls([*_beginning(model, input_tensors), *map(cloned, model.layers)], name=model.name)
    graph = getattr(model, "_graph", None)
    if graph is None:
        if any(given is not None for given in (input_tensors, clone_function, call_function)):
            raise ValueError(f"{cls.__name__} is neither Sequential nor functional: clone_model takes the model alone")
        return cls.from_config(model.get_config())
    copies = {id(layer): cloned(layer) for layer in graph.layers if not isinstance(layer, InputLayer)}

    def call(layer: Layer, args: Any, kwargs: Any) -> Any:
        copy = copies[id(layer)]
        return copy(*args, **kwargs) if call_function is None else call_function(copy, *args, **kwargs)

    given = [_like(x) for x in graph.input_layers] if input_tensors is None else flatten(input_tensors)
    order = iter(given)
    return cls(map_structure(lambda _: next(order), model.input), graph.run(given, call), name=model.name)


def _like(layer: InputLayer) -> KerasTensor:
    return Input(batch_shape=layer.batch_shape, dtype=layer.input_dtype, name=layer.name)


def _beginning(model: Sequential, input_tensors: Any) -> list[KerasTensor]:
    if input_tensors is not None:
        return flatten(input_tensors)
    return [_like(model._input)] if model._input is not None and model._declared else []


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The model, without weights, that ``model.to_json()`` described.

    Args:
        json_string: the JSON.
        custom_objects: {name: class or function} of the program's own, beside those that are registered.

    Raises:
        ValueError: it is no JSON, or names a class that is not known.

    Example:
        >>> text = dlbd.Sequential([dlbd.Input((3,)), dlbd.layers.Dense(1)], name="small").to_json()
        >>> dlbd.models.model_from_json(text).name
        'small'
    """
    model = deserialize_keras_object(from_text(json_string, "the model's JSON"), custom_objects)
    if not isinstance(model, Layer):
        raise ValueError(f"the JSON describes a {type(model).__name__}, which is no model")
    return model
