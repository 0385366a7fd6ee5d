"""What compile was given and what the optimizers know, as plain data and arrays, and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from dlbd.backend import Array
from dlbd.saving.objects import deserialize_keras_object, serialize_keras_object
from dlbd.saving.state import parts_of
from dlbd.tensor import Variable


def noted_arguments(**arguments: Any) -> dict[str, Any] | str:
    """The arguments of ``compile`` as plain data, or why they cannot be.

    Noted at once: compile gives metrics other names.
    """
    try:
        return {name: serialize_keras_object(value) for name, value in arguments.items()}
    except (ValueError, NotImplementedError) as error:
        return str(error)


def compile_config(model: Any) -> dict[str, Any] | None:
    """What :meth:`Model.get_compile_config` gives: None for a model that is not compiled."""
    noted = model._compile_config
    if isinstance(noted, dict):
        try:
            return {
                "optimizer": serialize_keras_object(model.optimizer),
                **noted,
                "variables": _names_of_trained(model),
            }
        except (ValueError, NotImplementedError) as error:
            noted = str(error)
    if noted is not None:
        warnings.warn(
            f"[{model.name}] how it was compiled is not saved, so that load_model() will give a model to be compiled "
            f"anew: {noted}",
            stacklevel=4,
        )
    return None


def _names_of_trained(model: Any) -> list[str] | None:
    if model._trained is None:
        return None
    chosen = {id(v) for v in model._trained}
    return [name for name, v in parts_of(model).weights.items() if id(v) in chosen]


def compile_from_config(model: Any, config: Mapping[str, Any]) -> None:
    """What :meth:`Model.compile_from_config` does."""
    if model.has_own("compile"):
        warnings.warn(
            f"{type(model).__name__} has a compile() of its own: compile the model anew, or define "
            "compile_from_config()",
            stacklevel=4,
        )
        return
    arguments = {name: deserialize_keras_object(value) for name, value in config.items()}
    if arguments.get("variables") is not None:
        weights = parts_of(model).weights
        arguments["variables"] = [weights[name] for name in arguments["variables"]]
    model.compile(**arguments)


# Optimizers


def optimizer_note(optimizer: Any, names: Mapping[int, str]) -> dict[str, Any]:
    """Which weights it changes, by ``names`` ({id(variable): name})."""
    if not optimizer.built:
        return {"variables": None}
    variables: Sequence[Variable] = optimizer._variables
    unknown = [v.path for v in variables if id(v) not in names]
    if unknown:
        raise ValueError(
            f"[{optimizer.name}] changes {unknown}, which are none of the model's weights: it cannot be saved"
        )
    kept = [names[id(v)] for v in variables if not optimizer._decays(v)]
    return {"variables": [names[id(v)] for v in variables], "without_decay": kept}


def restore_optimizer(
    optimizer: Any, note: Mapping[str, Any], weights: Mapping[str, Variable], state: Sequence[Array]
) -> None:
    """Give it the weights that ``note`` lists and the ``state`` (of ``optimizer.variables``).

    Raises:
        ValueError: a weight is missing, or the state is not that of such an optimizer.
    """
    if note["variables"] is not None:
        missing = [name for name in note["variables"] if name not in weights]
        if missing:
            raise ValueError(f"the optimizer's state belongs to the weights {missing}, which the model does not have")
        if not optimizer.built:
            optimizer.exclude_from_weight_decay(var_list=[weights[name] for name in note["without_decay"]])
        optimizer.build([weights[name] for name in note["variables"]])
    variables = optimizer.variables
    if [v.shape for v in variables] != [a.shape for a in state]:
        raise ValueError(
            f"the optimizer's state, {len(state)} arrays, is not that of {optimizer!r}, which has {len(variables)}"
        )
    for variable, array in zip(variables, state, strict=True):
        variable.assign(array)
