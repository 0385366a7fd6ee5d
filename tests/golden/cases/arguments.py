"""What functions and constructors take: the names, the order and the defaults of their arguments."""

from __future__ import annotations

import inspect
from typing import Any

MODULES = (
    "activations",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "ops",
    "ops.image",
    "optimizers",
    "optimizers.schedules",
    "random",
    "regularizers",
    "utils",
    "models",
)
# Methods that programs call with arguments by name or by place.
METHODS = {
    "Model": "compile fit evaluate predict train_on_batch test_on_batch predict_on_batch summary save save_weights "
    "load_weights get_layer compute_loss compute_metrics export",
    "Layer": "add_weight add_loss build_from_config compute_output_shape compute_mask set_weights count_params",
    "Optimizer": "apply_gradients apply build exclude_from_weight_decay",
    "Metric": "update_state add_weight add_variable",
}


def module(k: Any, path: str) -> Any:
    for part in path.split("."):
        k = getattr(k, part)
    return k


def signatures(namespace: Any) -> dict[str, Any]:
    """By name, and for methods by "Class.method": [[argument, default as text or None], ...]."""
    found = {}
    for name in dir(namespace):
        thing = getattr(namespace, name)
        if name.startswith("_") or inspect.ismodule(thing) or not callable(thing):
            continue
        found[name] = arguments(thing)
        for method in METHODS.get(name, "").split():
            if hasattr(thing, method):
                found[f"{name}.{method}"] = arguments(getattr(thing, method))[1:]
    return found


def arguments(thing: Any) -> list[list[Any]]:
    """Those that a caller may name; "*" stands before such as must be named."""
    try:
        parameters = list(inspect.signature(thing).parameters.values())
    except (TypeError, ValueError):
        return []
    found: list[list[Any]] = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and ["*", None] not in found:
            found.append(["*", None])
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            found.append([p.name, None if p.default is p.empty else written(p.default)])
        elif p.kind is p.VAR_KEYWORD:
            found.append(["**", None])
    return found


def written(default: Any) -> str:
    """A default as text; 1 is as good as (1, 1), a list as a tuple, and 1.0 as 1."""
    if isinstance(default, (list, tuple)):
        parts = [written(value) for value in default]
        return parts[0] if len(set(parts)) == 1 else f"({', '.join(parts)})"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return getattr(default, "__name__", None) or repr(default)
