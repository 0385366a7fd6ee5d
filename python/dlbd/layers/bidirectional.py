"""Bidirectional: a recurrent layer and its mirror image."""

from __future__ import annotations

import inspect
from typing import Any

from dlbd import ops
from dlbd.layers.base import Layer, Shape
from dlbd.layers.configuration import plain
from dlbd.saving.registration import CustomObjectScope
from dlbd.tensor import Tensor


class Bidirectional(Layer):
    """Runs a recurrent layer forwards and a copy of it backwards, and joins their outputs.

    Args:
        layer: a recurrent layer; both directions are made anew from its configuration.
        merge_mode: "concat" (features side by side, the default), "sum", "mul", "ave", or None for the pair.
        weights: of both directions, in the order of ``get_weights``.
        backward_layer: the layer for the way back, in place of a copy: it reads the other way round.
        kwargs: see :class:`Layer`.

    Input (batch, time, features); output as that of ``layer``, with twice the units for "concat". Outputs of the way
    back are turned around, so that both belong to the same time step (Schuster and Paliwal, 1997). With
    ``return_state`` the states of the way forth, then those of the way back, follow the output; ``initial_state`` is
    a list in that order. Weights: those of the way forth, then those of the way back.

    Raises:
        TypeError: ``layer`` is not recurrent.
        ValueError: ``merge_mode`` is unknown, or the two layers do not match.

    Example:
        >>> layer = dlbd.layers.Bidirectional(dlbd.layers.LSTM(4, return_sequences=True))
        >>> layer(np.ones((2, 5, 3))).shape
        (2, 5, 8)
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
            raise TypeError(f"Bidirectional takes a recurrent layer; received {layer!r}")
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError(f'merge_mode must be "concat", "sum", "mul", "ave" or None; received {merge_mode!r}')
        if "batch_shape" not in kwargs and layer.batch_shape is not None:
            kwargs["batch_shape"] = layer.batch_shape
        super().__init__(**({"dtype": layer.dtype} | kwargs))
        self.merge_mode = merge_mode
        self.forward_layer = _copy(layer, "forward_", layer.go_backwards)
        self.backward_layer = backward_layer or _copy(layer, "backward_", not layer.go_backwards)
        for attribute in ("stateful", "return_sequences", "return_state"):
            ways = getattr(self.forward_layer, attribute), getattr(self.backward_layer, attribute)
            if ways[0] != ways[1]:
                raise ValueError(f"[{self.name}] {attribute} differs between the two directions: {ways}")
        if self.forward_layer.go_backwards == self.backward_layer.go_backwards:
            raise ValueError(f"[{self.name}] one of the two layers must have go_backwards=True, the other not")
        self.return_sequences = self.forward_layer.return_sequences
        self.return_state = self.forward_layer.return_state
        self.stateful = self.forward_layer.stateful
        for way in (self.forward_layer, self.backward_layer):
            way.zero_output_for_mask = way.return_sequences
        self._initial_weights = weights

    def build(self, input_shape: Shape) -> None:
        for way in (self.forward_layer, self.backward_layer):
            if not way.built:
                way.build(input_shape)
        self.input_spec = self.forward_layer.input_spec
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
            self._initial_weights = None

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        starts = self._starts(initial_state)
        found = [
            way(sequences, initial_state=start, mask=mask, training=training)
            for way, start in zip((self.forward_layer, self.backward_layer), starts, strict=True)
        ]
        (y, *states), (y_back, *states_back) = (f if self.return_state else (f,) for f in found)
        if self.return_sequences:
            y_back = ops.flip(y_back, axis=1)
        output = self._merge(y, y_back)
        if not self.return_state:
            return output
        first = output if isinstance(output, tuple) else (output,)
        return (*first, *states, *states_back)

    @staticmethod
    def _starts(initial_state: Any) -> tuple[Any, Any]:
        if initial_state is None:
            return None, None
        count = len(initial_state) if isinstance(initial_state, (list, tuple)) else 1
        if count % 2:
            raise ValueError(
                "initial_state must be a list: the states of the way forth, then as many of the way back; "
                f"received {count} arrays"
            )
        return initial_state[: count // 2], initial_state[count // 2 :]

    def _merge(self, y: Tensor, y_back: Tensor) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([y, y_back], axis=-1)
        if self.merge_mode == "sum":
            return ops.add(y, y_back)
        if self.merge_mode == "ave":
            return ops.multiply(ops.add(y, y_back), 0.5)
        if self.merge_mode == "mul":
            return ops.multiply(y, y_back)
        return y, y_back

    def reset_state(self) -> None:
        """Forget what a stateful layer kept, in both directions."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        found = self.forward_layer.compute_mask(inputs, previous_mask)
        y, *states = found if self.return_state else (found,)
        everything = [y, *([y] if self.merge_mode is None else []), *states, *states]
        return everything if len(everything) > 1 else y

    def compute_output_shape(self, input_shape: Shape) -> Any:
        ways = [way.compute_output_shape(input_shape) for way in (self.forward_layer, self.backward_layer)]
        (y, *states), (y_back, *states_back) = (way if self.return_state else (way,) for way in ways)
        if self.merge_mode is None:
            return (y, y_back, *states, *states_back)
        if self.merge_mode == "concat":
            y = (*y[:-1], y[-1] + y_back[-1])
        return (y, *states, *states_back) if self.return_state else y

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": self.dtype.name}
        if self.batch_shape is not None:
            config["batch_shape"] = self.batch_shape
        ways = {"layer": plain(self.forward_layer), "backward_layer": plain(self.backward_layer)}
        return config | ways | {"merge_mode": self.merge_mode}


def _copy(layer: Any, prefix: str, go_backwards: bool) -> Any:
    """Made anew from the configuration, where classes and functions of the program need not be registered."""
    parts = [part for own in layer.walk() for part in (type(own), *vars(own).values())]
    own_names = {part.__name__: part for part in parts if inspect.isclass(part) or inspect.isfunction(part)}
    config = layer.get_config() | {"go_backwards": go_backwards}
    config["name"] = prefix + layer.name.removeprefix(prefix)
    config.pop("batch_shape", None)
    with CustomObjectScope(own_names):
        return type(layer).from_config(config)
