"""Weighted: what owns weights: its own and those of what is inside, trained or frozen, regularized, read and set."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dlbd import backend, initializers
from dlbd.structure import flatten
from dlbd.tensor import Tensor, Variable, as_array, as_tensor

if TYPE_CHECKING:
    from dlbd.layers.base import Layer

# Attributes that hold what belongs to others.
_NO_WEIGHTS_INSIDE = frozenset(("_weights", "_nodes", "_added_losses", "_trained"))

_losses_added = False

# (name, shape, dtype) -> a new weight's values; None for those of its initializer.
MakeWeight = Callable[[str, tuple[int, ...], np.dtype[Any]], "backend.Array | None"]


class _Making(threading.local):
    make_weight: MakeWeight | None = None


_making = _Making()


@contextmanager
def weights_made_by(make: MakeWeight) -> Iterator[None]:
    """While this runs, new weights on this thread begin with what ``make`` gives."""
    before, _making.make_weight = _making.make_weight, make
    try:
        yield
    finally:
        _making.make_weight = before


def any_losses_added() -> bool:
    """Whether any layer has ever called add_loss: until then there is nothing to forget before a call."""
    return _losses_added


def _layers_and_variables(value: Any) -> Iterator[Any]:
    if isinstance(value, (Weighted, Variable)):
        yield value
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _layers_and_variables(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from _layers_and_variables(v)


def _unique(items: Sequence[Any]) -> list[Any]:
    return list({id(v): v for v in items}.values())


class Weighted(backend.Versioned):
    """The half of :class:`dlbd.layers.Layer` that knows its weights and the layers inside."""

    # Names of the weights that take `<name>_regularizer` and `<name>_constraint`.
    regularizable: ClassVar[tuple[str, ...]] = ()
    name: str
    dtype: np.dtype[Any]
    built: bool
    _trainable: bool
    _weights: list[Variable]

    def _take_weight_options(self, kwargs: dict[str, Any]) -> None:
        """``kernel_regularizer`` and the like become attributes; anything else unknown is an error."""
        known = self._weight_options()
        for key in known:
            self.__dict__[key] = None
        for key, value in kwargs.items():
            if key not in known:
                raise TypeError(f"{type(self).__name__} takes no argument {key!r}")
            self.__dict__[key] = _option(key, value)

    def _weight_options(self) -> list[str]:
        kinds = [f"{w}_{kind}" for w in self.regularizable for kind in ("regularizer", "constraint")]
        return [*kinds, "activity_regularizer"]

    # Losses beside that of compile

    def add_loss(self, loss: Any) -> None:
        """Add to the loss of the step that this call belongs to; for ``call``.

        Args:
            loss: a scalar tensor, or a list of them.

        Raises:
            ValueError: it is no scalar.

        Example:
            >>> class Small(dlbd.layers.Layer):
            ...     def call(self, inputs):
            ...         self.add_loss(dlbd.ops.mean(inputs * inputs))
            ...         return inputs
            >>> layer = Small()
            >>> y = layer(np.full((1, 2), 3.0))
            >>> [float(loss) for loss in layer.losses]
            [9.0]
        """
        global _losses_added
        _losses_added = True
        for term in flatten(loss):
            value = as_tensor(term)
            if value.size != 1:
                raise ValueError(f"[{self.name}] add_loss() takes scalars; received shape {value.shape}")
            self.__dict__.setdefault("_added_losses", []).append(value)

    def _forget_losses(self) -> None:
        for layer in self.walk():
            layer.__dict__.pop("_added_losses", None)

    @property
    def losses(self) -> list[Tensor]:
        """What the last call added by :meth:`add_loss`, and the regularizers' terms of all trainable weights as of now.

        ``fit`` adds them to the loss; in a loop of one's own, read them inside the tape.

        Example:
            >>> layer = dlbd.layers.Dense(1, kernel_initializer="ones", kernel_regularizer=dlbd.regularizers.L2(0.1))
            >>> y = layer(np.ones((1, 2)))
            >>> [round(float(loss), 4) for loss in layer.losses]
            [0.2]
        """
        added = [loss for layer in self.walk() for loss in layer.__dict__.get("_added_losses", ())]
        of_weights = [v.regularizer(v) for v in self.trainable_variables if v.regularizer is not None]
        return added + of_weights

    # Weights

    def add_weight(
        self,
        shape: Sequence[int | None] | int | None = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Variable:
        """Create a weight of this layer, in ``build`` or ``__init__``.

        Args:
            shape: of the weight; a scalar by default.
            initializer: name, initializer or array; "glorot_uniform" by default.
            dtype: the layer's by default.
            trainable: False for what is updated otherwise than by gradients.
            name: shown in errors; "variable" by default.
            regularizer: name, :class:`dlbd.regularizers.Regularizer` or function of the weight: adds to the loss.
            constraint: name, :class:`dlbd.constraints.Constraint` or function: gives the value after an update. Of
                both, the layer's own option for a weight of this name is the default.

        Returns:
            The variable, one of :attr:`weights` from now on; its path is "<layer>/<name>".

        Raises:
            ValueError: a size is not known, or the initializer gives another shape.

        Example:
            >>> layer = dlbd.layers.Layer(name="own")
            >>> w = layer.add_weight((2,), "ones", name="w")
            >>> w.numpy().tolist(), w.path
            ([1.0, 1.0], 'own/w')
        """
        sizes = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        for n in sizes:
            if n is None or n < 0:
                raise ValueError(f"weight {name!r} cannot have shape {sizes}: every size must be known")
        kind = np.dtype(dtype) if dtype is not None else self.dtype
        make = initializers.get("glorot_uniform" if initializer is None else initializer)
        assert make is not None
        value: Any = None
        if _making.make_weight is not None:
            value = _making.make_weight(name or "variable", sizes, kind)  # type: ignore[arg-type]
        if value is None:
            value = make(sizes, dtype=kind)
        variable = Variable(value, trainable=trainable, dtype=kind, name=name or "variable")
        if variable.shape != sizes:
            raise ValueError(f"the initializer of weight {name!r} gave shape {variable.shape}; expected {sizes}")
        variable.path = f"{self.name}/{variable.name}"
        option = variable.name.rpartition("/")[2].removesuffix("_kernel")  # recurrent_kernel: recurrent_regularizer
        for kind, given in (("regularizer", regularizer), ("constraint", constraint)):
            found = _option(kind, given) or self.__dict__.get(f"{option}_{kind}")
            if found is not None:
                setattr(variable, kind, found)
        self._weights.append(variable)
        return variable

    def _own(self) -> Iterator[Any]:
        for key, value in vars(self).items():
            if key not in _NO_WEIGHTS_INSIDE:
                yield from _layers_and_variables(value)

    @property
    def _own_variables(self) -> list[Variable]:
        """Trainable ones first, as in Keras."""
        found = _unique([*self._weights, *(v for v in self._own() if isinstance(v, Variable))])
        return [v for v in found if v.can_train] + [v for v in found if not v.can_train]

    @property
    def sublayers(self) -> list[Layer]:
        """The layers that this one owns directly."""
        return _unique([v for v in self._own() if isinstance(v, Weighted)])

    def walk(self) -> list[Layer]:
        """This layer and all inside it, each once."""
        found: dict[int, Any] = {}
        pending: list[Any] = [self]
        while pending:
            layer = pending.pop(0)
            if id(layer) not in found:
                found[id(layer)] = layer
                pending += layer.sublayers
        return list(found.values())

    @property
    def weights(self) -> list[Variable]:
        """All weights in Keras's order: own ones first (trainable before others), then those of each inner layer."""
        found = self._own_variables
        for layer in self.sublayers:
            found += layer.weights
        return _unique(found)

    @property
    def variables(self) -> list[Variable]:
        """The same as :attr:`weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Variable]:
        """What a training step changes, as of now."""
        if not self._trainable:
            return []
        found = [v for v in self._own_variables if v.trainable]
        for layer in self.sublayers:
            found += layer.trainable_variables
        return _unique(found)

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """Those of :attr:`weights` that a training step does not change, as of now."""
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in self.weights if id(v) not in trained]

    non_trainable_weights = non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it for all layers inside, too.

        Weights that were made with ``trainable=False`` are never trained.

        Example:
            >>> layer = dlbd.layers.Dense(3)
            >>> layer.build((None, 5))
            >>> layer.trainable = False
            >>> len(layer.trainable_variables), len(layer.non_trainable_variables)
            (0, 2)
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for v in self._own_variables:
            if v.can_train:
                v.trainable = self._trainable
        for layer in self.sublayers:
            layer.trainable = self._trainable
        backend.structure_changed()

    def get_weights(self) -> list[backend.Array]:
        """Copies of all weights as NumPy arrays, in the order of :attr:`weights`.

        Example:
            >>> layer = dlbd.layers.Dense(1, kernel_initializer="ones")
            >>> layer.build((None, 2))
            >>> [w.tolist() for w in layer.get_weights()]
            [[[1.0], [1.0]], [0.0]]
        """
        return [backend.copied(v.array) for v in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrite all weights; takes what ``get_weights`` of the same layer in Keras gives.

        Args:
            weights: arrays, one per weight, in the order of :attr:`weights`.

        Raises:
            ValueError: their number or a shape differs; nothing is changed then.

        Example:
            >>> layer = dlbd.layers.Dense(1)
            >>> layer.build((None, 2))
            >>> layer.set_weights([[[2.0], [3.0]], [1.0]])
            >>> layer([[1.0, 1.0]]).numpy().tolist()
            [[6.0]]
        """
        variables = self.weights
        if len(weights) != len(variables):
            raise ValueError(
                f"layer {self.name!r} has {len(variables)} weights; set_weights received {len(weights)} arrays"
                + ("" if self.built else " (the layer is not built yet: call it, or build() with an input shape)")
            )
        values = [as_array(w, v.dtype) for v, w in zip(variables, weights, strict=True)]
        for v, value in zip(variables, values, strict=True):  # all are checked before any is changed
            if v.shape != value.shape:
                raise ValueError(f"weight {v.path!r} has shape {v.shape}; set_weights received {value.shape}")
        for v, value in zip(variables, values, strict=True):
            v.assign(value)

    def count_params(self) -> int:
        """How many numbers the weights hold. ValueError before the layer is built.

        Example:
            >>> layer = dlbd.layers.Dense(3)
            >>> layer.build((None, 5))
            >>> layer.count_params()
            18
        """
        if not self.built:
            raise ValueError(f"layer {self.name!r} has no weights yet: call it, or build() with an input shape")
        return sum(v.size for v in self.weights)


def _option(kind: str, value: Any) -> Any:
    """A regularizer or a constraint from what a user gave; their modules are loaded when first used."""
    if value is None:
        return None
    if kind.endswith("constraint"):
        from dlbd import constraints

        return constraints.get(value)
    from dlbd import regularizers

    return regularizers.get(value)
