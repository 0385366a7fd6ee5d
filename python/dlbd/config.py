"""Settings of the process: threads and the default dtype."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from dlbd import _cpu, backend, devices
from dlbd.devices import current_device, gpu_count, set_device

_floatx = "float32"
_epsilon = 1e-7


def num_threads() -> int:
    """How many threads the kernels use: at first the number of cores that this process may use.

    Example:
        >>> dlbd.config.num_threads() >= 1
        True
    """
    return int(_cpu.num_threads())


def set_num_threads(n: int | None) -> None:
    """Set how many threads the kernels use. No result depends on it, to the last bit.

    Args:
        n: at least 1; None for the default, the number of cores that this process may use.

    Raises:
        ValueError: ``n`` is less than 1.
        TypeError: ``n`` is no integer.

    Example:
        >>> dlbd.config.set_num_threads(2)
        >>> dlbd.config.num_threads()
        2
        >>> dlbd.config.set_num_threads(None)
    """
    count = int(_cpu.default_num_threads()) if n is None else operator.index(n)
    if count < 1:
        raise ValueError(f"[set_num_threads] expected at least 1 thread; received {n}")
    _cpu.set_num_threads(count)
    backend.structure_changed()


def floatx() -> str:
    """The dtype of new layers, as a string: "float32" unless :func:`set_floatx` changed it.

    Example:
        >>> dlbd.config.floatx()
        'float32'
    """
    return _floatx


def set_floatx(value: Any) -> None:
    """Set the dtype of layers made from now on; those that exist keep theirs.

    Args:
        value: "float32" or "float64", which runs on slower, generic kernels: it is meant for checks.

    Raises:
        ValueError: any other dtype.

    Example:
        >>> dlbd.config.set_floatx("float64")
        >>> dlbd.layers.Dense(1).dtype.name
        'float64'
        >>> dlbd.config.set_floatx("float32")
    """
    global _floatx
    name = np.dtype(value).name
    if name not in ("float32", "float64"):
        raise ValueError(f"[set_floatx] expected float32 or float64; received {value!r}")
    _floatx = name


def epsilon() -> float:
    """The small number that numerical code adds to or clips with: 1e-7 unless :func:`set_epsilon` changed it.

    The kernels of the losses have Keras's default, 1e-7, built in and do not read it.

    Example:
        >>> dlbd.config.epsilon()
        1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set what :func:`epsilon` gives, for code of your own that asks for it; losses keep 1e-7.

    Args:
        value: a number.

    Example:
        >>> dlbd.config.set_epsilon(1e-5)
        >>> dlbd.config.epsilon()
        1e-05
        >>> dlbd.config.set_epsilon(1e-7)
    """
    global _epsilon
    _epsilon = float(value)


def image_data_format() -> str:
    """The layout of images: always "channels_last", (batch, height, width, channels).

    Example:
        >>> dlbd.config.image_data_format()
        'channels_last'
    """
    return "channels_last"


# MatmulPrecision of csrc/shapes/common.h
_PRECISIONS = ("float32", "tf32x3", "tf32", "bfloat16", "float16")
_matmul_precision = "float32"


def matmul_precision() -> str:
    """How a GPU multiplies float32 matrices: "float32" unless :func:`set_matmul_precision` changed it.

    Example:
        >>> dlbd.config.matmul_precision()
        'float32'
    """
    return _matmul_precision


def set_matmul_precision(value: str) -> None:
    """Choose how a GPU multiplies float32 matrices, in products, convolutions and attention; the CPU is always exact.

    Arrays, sums and results stay float32. What the device's tensor cores do not offer is computed in float32.

    Args:
        value: "float32": exact products; "tf32x3": tensor cores with each factor as the sum of two numbers, almost
            exact; "tf32" (10 bits of mantissa), "bfloat16" (7 bits) or "float16" (10 bits, up to 65504): factors are
            rounded to that.

    Raises:
        ValueError: any other value.

    Example:
        >>> dlbd.config.set_matmul_precision("tf32")
        >>> dlbd.config.matmul_precision()
        'tf32'
        >>> dlbd.config.set_matmul_precision("float32")
    """
    global _matmul_precision
    if value not in _PRECISIONS:
        raise ValueError(f"[set_matmul_precision] expected one of {', '.join(_PRECISIONS)}; received {value!r}")
    _matmul_precision = value
    if devices.EXTENSION is not None:
        devices.EXTENSION.set_matmul_precision(_PRECISIONS.index(value))
    backend.structure_changed()


__all__ = [
    "current_device",
    "epsilon",
    "floatx",
    "gpu_count",
    "image_data_format",
    "matmul_precision",
    "num_threads",
    "set_device",
    "set_epsilon",
    "set_floatx",
    "set_matmul_precision",
    "set_num_threads",
]
