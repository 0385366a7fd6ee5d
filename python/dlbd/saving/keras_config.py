"""Configurations of Keras 3 as ours: the same classes and arguments, but for what is only in its files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from dlbd import ops
from dlbd.naming import snake_case
from dlbd.saving.objects import class_named, dtype_of_policy, require_no_code

_ANY = None

# Arguments that Keras has, and beside False and None the values of them that change nothing. Where ours do not have
# them, they must have one of these.
_KERAS_ONLY: dict[str, Any] = {
    "input_axes": (),
    "lora_alpha": (),
    "lora_rank": (),
    "oov_method": ("floormod",),
    "optional": (),
    "output_axes": (),
    "quantization_config": (),
    "ragged": (),
    "renorm": (),
    "renorm_clipping": (),
    "renorm_momentum": _ANY,
    "rms_scaling": (),
    "sliding_window": (),
    "sparse": (),
    "synchronized": (True,),  # there is one device
    "use_gate": (),
    "vocabulary_size": _ANY,  # that of the vocabulary
}
_NOT_OURS = frozenset(("build_config", "compile_config", "shared_object_id"))


def translated(config: Any) -> Any:
    """What a Keras file says of an object, a nest of objects, or anything else, in our words.

    Raises:
        ValueError: it asks for something that ours cannot do.
    """
    if isinstance(config, list):
        return [translated(value) for value in config]
    if not isinstance(config, dict):
        return config
    name = config.get("class_name")
    if not isinstance(name, str) or "config" not in config:
        return {key: translated(value) for key, value in config.items()}
    require_no_code(config)
    if name.endswith("DTypePolicy"):
        return dtype_of_policy(config["config"]["name"])
    if str(config.get("module", "")).startswith("keras.src.ops."):
        return _operation(config)
    found = {key: translated(value) for key, value in config.items() if key not in _NOT_OURS}
    if isinstance(found["config"], dict):
        found["config"] = _without_what_only_keras_has(found)
    if "inbound_nodes" in found:
        found["inbound_nodes"] = [_call(node, {}) for node in found["inbound_nodes"]]
    return found


def _without_what_only_keras_has(config: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = config["config"]
    known = _KERAS_ONLY.keys() & inner.keys()
    if not known:
        return inner
    ours = inspect.signature(class_named(config).__init__).parameters
    for key in known - ours.keys():
        if inner[key] and _KERAS_ONLY[key] is not _ANY and inner[key] not in _KERAS_ONLY[key]:
            raise ValueError(f"{config['class_name']} in this file has {key}={inner[key]!r}, which dlbd does not know")
    return {key: value for key, value in inner.items() if key not in known or key in ours}


def _operation(config: dict[str, Any]) -> dict[str, Any]:
    """A function of keras.ops that a model calls: its options stand beside it, and with us in each call."""
    name = config["class_name"]
    function = "getitem" if name == "GetItem" else snake_case(name)
    if function != "getitem" and function not in ops.__all__:
        raise ValueError(f"dlbd.ops has no function like {name} of {config['module']}")
    takes = inspect.signature(getattr(ops, function)).parameters if function != "getitem" else {}
    options = {}
    for key, value in config["config"].items():
        if key in takes:
            options[key] = translated(value)
        elif value and key not in ("name", "dtype"):
            raise ValueError(f"{name} in this file has {key}={value!r}, which dlbd does not know")
    calls = [_call(node, options) for node in config.get("inbound_nodes", ())]
    if function == "getitem":
        for call in calls:
            call["args"][1] = _index(call["args"][1])
    inner = {"function": function, "name": config["config"]["name"]}
    found = {"module": "dlbd.layers", "class_name": "Operation", "config": inner, "registered_name": None}
    return found | {"name": config.get("name"), "inbound_nodes": calls}


def _call(node: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, without those that Keras notes for every call: these are known when the model runs."""
    kwargs = {k: translated(v) for k, v in node["kwargs"].items() if k != "training" and v is not None}
    return {"args": translated(node["args"]), "kwargs": options | kwargs}


def _index(index: Any) -> Any:
    """What stands between the brackets of ``x[...]``."""
    if isinstance(index, list):
        return {"class_name": "__tuple__", "items": [_index(part) for part in index]}
    if isinstance(index, dict) and index.get("class_name") == "__slice__":
        return index | {"config": [index["config"][end] for end in ("start", "stop", "step")]}
    return index


def place_vocabularies(config: Any, path: str, found: Mapping[str, list[str]]) -> None:
    """Give layers that look words up the vocabularies that the file keeps beside the configuration, by their paths."""
    inner = config["config"]
    if path in found and inner.get("vocabulary") is None:
        words: list[Any] = found[path]
        inner["vocabulary"] = [int(w) for w in words] if config["class_name"] == "IntegerLookup" else words
    counts: dict[str, int] = {}
    for layer in inner.get("layers", ()):
        name = snake_case(layer["class_name"])
        n = counts[name] = counts.get(name, -1) + 1
        place_vocabularies(layer, f"{path}/layers/{name}_{n}" if n else f"{path}/layers/{name}", found)
