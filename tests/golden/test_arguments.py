"""What has a name in Keras takes Keras's arguments, in their order and with their defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import dlbd

from . import answers
from .cases import arguments

KERAS = answers.of("arguments")

# Arguments that only Keras has, wherever they stand.
_WORDS = """
of other computers, backends and number formats:
    autocast aggregation overwrite_with_gradient flash_attention use_cudnn synchronized lora_rank lora_alpha
    quantization_config
of sparse and ragged tensors, and of tensors that exist already:
    sparse ragged tensor input_tensor optional
of files:
    zipped max_shard_size custom_objects
of what few use:
    renorm renorm_clipping renorm_momentum sliding_window use_gate attn_logits_soft_cap free_memory splines retstep
    initial
"""
ONLY_KERAS = frozenset(word for line in _WORDS.splitlines() if line.startswith(" ") for word in line.split())
# What differs by name: arguments that are missing, or have another default, or stand elsewhere.
OTHERWISE = {
    "CallbackList": {"callbacks", "add_history", "add_progbar", "model"},  # fit makes it
    "Conv3DTranspose": {"data_format", "output_padding"},  # output_padding comes first, as in 1-D and 2-D
    "InputSpec": {"dtype", "max_ndim", "axes", "allow_last_axis_squeeze", "name"},
    "Layer.add_weight": {"constraint", "name", "regularizer"},  # name comes first
    "Metric.add_weight": {"initializer"},  # "zeros"
    "PReLU": {"alpha_initializer"},  # "zeros", which Keras writes "Zeros" here
    "Model.export": {"format"},  # "onnx"
    "batch_normalization": {"mean", "variance", "axis", "offset", "scale"},  # docs/deviations.md
    "deserialize": {"config", "name"},  # identifier
    "identity": {"n"},  # eye by another name
    "layer_normalization": {"epsilon"},  # written out: 1e-7
    "linspace": {"axis"},
    "multi_hot": {"num_classes"},  # required
    "plot_model": {"show_shapes", "show_layer_names"},  # True
    "prod": {"dtype"},
    "SeedGenerator": {"name"},
    "where": {"x1", "x2"},  # required
}
OTHERWISE["Convolution3DTranspose"] = OTHERWISE["Conv3DTranspose"]


def accepted(thing: Any) -> dict[str, str | None]:
    """Arguments and their defaults, with those that go on to a base class or belong to a layer's weights."""
    if not inspect.isclass(thing):
        return dict(map(tuple, arguments.arguments(thing)))
    found: dict[str, str | None] = {}
    for base in reversed(thing.__mro__[:-1]):
        if "__init__" in vars(base):
            own = dict(map(tuple, arguments.arguments(base.__init__)[1:]))
            found = found | own if "**" in own else own
    if issubclass(thing, dlbd.layers.Layer):
        found |= {f"{w}_{kind}": "None" for w in thing.regularizable for kind in ("regularizer", "constraint")}
        found |= {"activity_regularizer": "None"}
    if thing is dlbd.layers.Embedding:
        found["weights"] = "None"
    return found


def differences(name: str, thing: Any, keras: list[list[Any]]) -> set[str]:
    """Names of arguments that are not as in Keras."""
    taken = accepted(thing)
    wanted = {argument: default for argument, default in keras if argument not in ("*", "**")}
    wrong = {argument for argument in wanted if argument not in taken} - ONLY_KERAS
    for argument, default in wanted.items():
        if argument in taken and default is not None and argument != "name" and taken[argument] != default:
            wrong.add(argument)
    own = [argument for argument, _ in arguments.arguments(thing)]
    here = [argument for argument in own if argument in wanted]
    there = [argument for argument in wanted if argument in own]
    wrong |= {a for a, b in zip(here, there, strict=True) if a != b} if here != there else set()
    return wrong


@pytest.mark.parametrize("module", arguments.MODULES)
def test_arguments(module: str):
    namespace = arguments.module(dlbd, module)
    found = {}
    for name, keras in KERAS.words[module].items():
        thing = namespace
        for part in name.split("."):
            thing = getattr(thing, part, None)
        if thing is not None:
            wrong = differences(name, thing, keras) - OTHERWISE.get(name, set())
            found |= {name: wrong} if wrong else {}
    assert not found
