"""Lambda: a function as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from dlbd import activations, ops
from dlbd.layers.base import Layer, is_shape
from dlbd.layers.configuration import plain
from dlbd.saving.registration import get_registered_object


class Lambda(Layer):
    """A function of tensors as a layer.

    Any function serves in a running program. What is saved is only a name, so a layer that is to be saved takes a
    function of :mod:`dlbd.ops` or :mod:`dlbd.activations`, or one that the program registers.

    Args:
        function: the function, or its name ("relu6"); called with the input, with ``arguments``, and with ``mask`` and
            ``training`` if it takes such.
        output_shape: the output's shape without the batch, or a function of the input's shape. By default it is found
            by a trial.
        mask: the output's mask, or a function of the input and its mask; None (the default) for no mask.
        arguments: a dict of more arguments for ``function``.
        kwargs: see :class:`Layer`.

    Raises:
        ValueError: there is no function of that name; or (in ``get_config``) the function has no name to be saved by.

    Example:
        >>> dlbd.layers.Lambda(dlbd.ops.abs)([[-1.0, 2.0]]).numpy().tolist()
        [[1.0, 2.0]]
        >>> dlbd.layers.Lambda("clip", arguments={"x_min": 0, "x_max": 1})([[-1.0, 2.0]]).numpy().tolist()
        [[0.0, 1.0]]
    """

    def __init__(
        self,
        function: Callable[..., Any] | str,
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function = _function(function)
        self.output_shape = output_shape if output_shape is None or callable(output_shape) else tuple(output_shape)
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        try:
            parameters = set(inspect.signature(self.function).parameters)
        except ValueError:  # of some functions in C
            parameters = set()
        self._told = parameters & {"mask", "training"}

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        told = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: told[name] for name in self._told})

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_shape is None:
            raise NotImplementedError("found by a trial")
        if callable(self.output_shape):
            return tuple(self.output_shape(input_shape))
        first = input_shape if is_shape(input_shape) else input_shape[0]
        return (first[0], *self.output_shape)

    def get_config(self) -> dict[str, Any]:
        kept = {"output_shape": self.output_shape, "mask": self.mask}
        functions = {name: self._saved(value) if callable(value) else plain(value) for name, value in kept.items()}
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype.name}
        return config | {"function": self._saved(self.function), "arguments": plain(self.arguments)} | functions

    def _saved(self, function: Callable[..., Any]) -> Any:
        for name, ours in _OURS.items():
            if ours is function:
                return name
        own = getattr(function, "__name__", "<lambda>")
        if own != "<lambda>":
            written = plain(function)
            if isinstance(written, dict) and get_registered_object(written["registered_name"]) is function:
                return written
        raise ValueError(
            f"[{self.name}] the function {own!r} cannot be saved, as code in files is never run. Use a function of "
            "dlbd.ops or dlbd.activations; or define one and put @dlbd.saving.register_keras_serializable() above it"
        )


# By the names that files hold; "ops.gelu" where an activation of the same name differs.
_OURS: dict[str, Any] = dict(activations._NAMED)
for _name in ops.__all__:
    _OURS.setdefault(_name, getattr(ops, _name))
    _OURS[f"ops.{_name}"] = getattr(ops, _name)


def _function(given: Any) -> Callable[..., Any]:
    found = get_registered_object(given) or _OURS.get(given) if isinstance(given, str) else given
    if not callable(found):
        raise ValueError(
            f"Lambda takes a function, or the name of one in dlbd.ops or dlbd.activations; received {given!r}"
        )
    return found  # type: ignore[no-any-return]
