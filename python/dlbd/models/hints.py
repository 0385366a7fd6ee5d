"""What data of a shape that does not fit was probably meant to be: the mistakes that people make most."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

_Sizes = Sequence[int | None]


def fits(shape: _Sizes, wanted: _Sizes) -> bool:
    """Whether ``shape`` has the sizes ``wanted``; None: any."""
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape, wanted, strict=True))


def inputs_hint(shape: _Sizes, wanted: _Sizes) -> str:
    """Ends a message about inputs of ``shape`` for a model that takes ``wanted``, batch size first."""
    channels = wanted[-1]
    if fits(shape, wanted[1:]) or (channels == 1 and fits(shape, wanted[1:-1])):
        return ". Is it one sample, without the axis of the batch? Pass x[None]"
    if len(shape) == len(wanted) > 2 and shape[1] == channels and fits(shape[2:], wanted[1:-1]):
        return ". Do the channels come first? They come last here: pass np.moveaxis(x, 1, -1)"
    if fits(shape, wanted[:-1]):
        return f". The last axis, of size {channels}, is missing"
    sizes = [n for n in (*shape[1:], *wanted[1:]) if n is None]
    if not sizes and len(shape) != len(wanted) and prod(shape[1:]) == prod(wanted[1:]):  # type: ignore[arg-type]
        return f". A sample has as many numbers: pass x.reshape({', '.join(map(str, (-1, *wanted[1:])))})"
    return ""


def targets_hint(target: Any, prediction: Any) -> str:
    """Ends a message about targets that do not fit to the outputs."""
    given, made = tuple(target.shape), tuple(prediction.shape)
    if len(made) > 2 and len(given) <= 2:
        return (
            f". The output, {made}, has a value for each place of a sample, not one for the sample: is a Flatten, a "
            "global pooling layer or (in an RNN) return_sequences=False missing?"
        )
    if len(given) == len(made) - 1 and made[-1] > 1 and target.dtype.kind in "iu":
        return ". Targets that are class numbers belong to sparse_categorical_crossentropy"
    if len(given) == len(made) and given[:-1] == made[:-1] and given[-1:] != made[-1:]:
        return f". Has the last layer {made[-1]} units where the targets need {given[-1]}?"
    return ""
