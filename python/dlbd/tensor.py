"""Tensor: an array that operations return. Variable: a tensor that training changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlbd import backend, devices
from dlbd.backend import BOOL, FLOAT32, FLOAT64, INT32, INT64, UINT8, Array


class Tensor:
    """An immutable C-contiguous array of float32, float64, int32, int64, uint8 or bool.

    ``np.asarray(t)`` and :meth:`numpy` give a read-only view without a copy; of a GPU's tensor, a copy. Operators
    (``a + b``, ``a @ b``, ``a[i]``) are those of :mod:`dlbd.ops`, which installs them. Data becomes a tensor by
    :func:`dlbd.ops.convert_to_tensor`; operations, layers and models do so themselves.

    Args:
        array: a C-contiguous, aligned NumPy array of one of these dtypes, or such a CuPy array; taken as it is, not
            copied.

    Attributes:
        array: that array. Never write to it.
        mask: bool, (batch, time): which time steps count; None for all. ``Embedding(mask_zero=True)`` sets it.

    Example:
        >>> x = dlbd.ops.convert_to_tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x.shape, x.dtype.name, (x + 1)[0].numpy().tolist()
        ((2, 2), 'float32', [2.0, 3.0])
    """

    __slots__ = ("__weakref__", "array", "logits", "logits_over_classes", "mask")
    __array_priority__ = 100  # numpy_array + tensor is the tensor's operation

    def __init__(self, array: Array) -> None:
        self.array = array
        # For the output of softmax or sigmoid: its input, so that a cross-entropy can be computed exactly.
        self.logits: Tensor | None = None
        self.logits_over_classes = False  # they went through softmax, not sigmoid
        # Which time steps count (B, T): set by Embedding(mask_zero=True), carried from layer to layer.
        self.mask: Tensor | None = None

    if TYPE_CHECKING:  # dlbd.ops installs them
        T: Tensor

        def __getitem__(self, key: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __invert__(self) -> Tensor: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of its elements."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self.array.size

    @property
    def device(self) -> str:
        """Where it lies: "cpu" or "cuda:<number>"."""
        return "cpu" if isinstance(self.array, np.ndarray) else f"cuda:{self.array.device.id}"

    def numpy(self) -> Array:
        """A read-only NumPy array: a view without a copy; from a GPU a copy, once the launches before are done.

        Raises:
            ValueError: a launch on the GPU since the last read met a label or an index out of range.

        Example:
            >>> dlbd.ops.ones((2,)).numpy()
            array([1., 1.], dtype=float32)
        """
        backend.poison("a tensor was read on the host inside the step")
        view = backend.on_host(self.array).view()
        view.flags.writeable = False
        return view

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """How PyTorch, CuPy and Numba take a GPU's tensor without a copy; the CPU's has none."""
        return self.array.__cuda_array_interface__  # type: ignore[attr-defined, no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        view = self.numpy()
        if dtype is not None and view.dtype != dtype:
            if copy is False:
                raise ValueError(f"a {view.dtype} tensor cannot become {dtype} without a copy")
            return view.astype(dtype)
        return view.copy() if copy else view

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("a tensor without dimensions has no len()")
        return self.array.shape[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={self.shape} dtype={self.dtype}\n{backend.on_host(self.array)}>"

    def __reduce__(self) -> Any:
        return _tensor_restored, (type(self), backend.copied(self.array))


class Variable(Tensor):
    """A tensor with a name that an optimizer or :meth:`assign` changes in place.

    Args:
        value: initial value; copied.
        trainable: whether a tape watches it and ``fit`` updates it; True by default.
        dtype: by default floats become float32, int32, int64, uint8 and bool stay, and other integers become int64;
            float64 must be asked for.
        name: shown in errors and in the names of an optimizer's state.

    Attributes:
        regularizer: what adds to the loss of the model that trains it: a function of the variable; None for nothing.
        constraint: a function of the variable whose result replaces its value after each update; None for none.

    Raises:
        TypeError: ``value`` is not numeric, or ``dtype`` is none of a tensor's.

    Example:
        >>> v = dlbd.Variable([1.0, 2.0], name="v")
        >>> v.assign_add([0.5, 0.5]).numpy().tolist()
        [1.5, 2.5]
    """

    __slots__ = ("can_train", "constraint", "name", "path", "regularizer", "trainable")

    def __init__(self, value: Any, trainable: bool = True, dtype: Any = None, name: str = "variable") -> None:
        source = as_array(value, dtype)
        array = backend.empty(source.shape, source.dtype, source)
        backend.write(array, source)
        super().__init__(array)
        self.can_train = trainable  # as born: freezing and thawing a layer sets `trainable` of those alone
        self.trainable = trainable
        self.name = name
        self.path = name
        self.regularizer: Any = None
        self.constraint: Any = None
        backend.poison("a variable was created inside the step")

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in _READ_BY_STEPS:
            backend.structure_changed()

    def assign(self, value: Any) -> Variable:
        """Overwrite the value in place.

        Args:
            value: of exactly the variable's shape; converted to its dtype.

        Returns:
            The variable.

        Raises:
            ValueError: the shape differs.

        Example:
            >>> dlbd.Variable([1.0]).assign([3.0]).numpy().tolist()
            [3.0]
        """
        source = as_array(value, self.dtype, self.array)
        if source.shape != self.shape:
            raise ValueError(f"[assign] {self.path} has shape {self.shape}; received {source.shape}")
        backend.twin(self.array).assign(source, self.array)
        return self

    def assign_add(self, value: Any) -> Variable:
        """Add ``value``, broadcast to the variable's shape, in place; gives the variable."""
        return self.assign(self + as_tensor(value, self.dtype))

    def assign_sub(self, value: Any) -> Variable:
        """Subtract ``value``, broadcast to the variable's shape, in place; gives the variable."""
        return self.assign(self - as_tensor(value, self.dtype))

    @property
    def value(self) -> Variable:
        """Itself: a variable is a tensor, and goes where one goes."""
        return self

    def __reduce__(self) -> Any:
        own = {name: getattr(self, name) for name in Variable.__slots__}
        return _restored, (type(self), backend.copied(self.array), own)


_READ_BY_STEPS = frozenset(("array", "constraint", "regularizer", "trainable"))


def _tensor_restored(kind: type[Tensor], value: Array) -> Tensor:
    """On the current device, wherever it was pickled."""
    return kind(backend.place(value))


def _restored(kind: type[Variable], value: Array, own: dict[str, Any]) -> Variable:
    variable = kind(value, own["can_train"], value.dtype, own["name"])
    for name, given in own.items():
        setattr(variable, name, given)
    return variable


_KEPT = frozenset((FLOAT32, FLOAT64, INT32, INT64, UINT8, BOOL))


def as_array(x: Any, dtype: Any = None, like: Array | None = None) -> Array:
    """``x`` as a C-contiguous, aligned, native array of a dtype that the kernels take, on the device of ``like``.

    Without ``like``: tensors and arrays of a GPU stay where they are, everything else goes to the current device.

    The rule: an explicit ``dtype`` wins; float16, float64 and Python floats become float32; int32, int64, uint8 and
    bool stay; other integers become int64. Complex, object and text raise TypeError. ``x`` is never written to, and is
    copied only if it must be.
    """
    if isinstance(x, Tensor):
        a = x.array
        if dtype is not None and a.dtype != dtype:
            a = _cast(a, np.dtype(dtype))
        return a if like is None or isinstance(like, np.ndarray) == isinstance(a, np.ndarray) else _moved(a, like)
    if not isinstance(x, np.ndarray) and lies_on_gpu(x):
        a = _from_gpu(x, dtype)
        return a if like is None or not isinstance(like, np.ndarray) else backend.on_host(a)
    return backend.place(_host_array(x, dtype), like)


def lies_on_gpu(x: Any) -> bool:
    """Whether ``x`` is some library's array in the memory of a GPU."""
    if hasattr(x, "__cuda_array_interface__"):
        return True
    return hasattr(x, "__dlpack_device__") and x.__dlpack_device__()[0] == _DLPACK_CUDA


_DLPACK_CUDA = 2  # kDLCUDA of dlpack.h


def _from_gpu(x: Any, dtype: Any) -> Array:
    """Without a copy if that can be; CuPy waits for the stream that the other library names."""
    cupy = devices.cupy()
    if isinstance(x, cupy.ndarray):
        a = x
    elif hasattr(x, "__dlpack__"):
        a = cupy.from_dlpack(x)
    else:
        a = cupy.asarray(x)
    wanted = _wanted(a.dtype, dtype, type(x).__name__, lambda: int(a.max()) if a.size else 0)
    if not a.flags.c_contiguous or a.data.ptr % a.itemsize:
        a = a.copy()  # not ascontiguousarray, which gives a number a dimension
    if a.dtype == wanted:
        return a  # type: ignore[no-any-return]
    return _cast(a, wanted) if a.dtype in _KEPT else a.astype(wanted)  # CuPy compiles its casts when first used


def _cast(a: Array, dtype: np.dtype[Any]) -> Array:
    """A launch, since it may be part of a recorded step."""
    _require_kept(dtype)
    y = backend.empty(a.shape, dtype, a)
    backend.twin(a).cast(a, y)
    return y


def _moved(a: Array, like: Array) -> Array:
    """To the other kind of device."""
    return backend.place(a, like) if isinstance(a, np.ndarray) else backend.on_host(a)


def _require_kept(dtype: np.dtype[Any]) -> None:
    if dtype not in _KEPT:
        raise TypeError(f"dtype {dtype} is not supported; expected float32, float64, int32, int64, uint8 or bool")


def _wanted(given: np.dtype[Any], dtype: Any, what: str, largest: Any) -> np.dtype[Any]:
    """The dtype that data of dtype ``given`` gets; ``largest`` finds the greatest value, for unsigned integers."""
    if given.kind not in "fiub":
        raise TypeError(f"expected an array of numbers; received dtype {given} ({what})")
    if dtype is not None:
        asked: np.dtype[Any] = np.dtype(dtype)
        _require_kept(asked)
        return asked
    if given.kind == "f":
        return FLOAT32
    native: np.dtype[Any] = given.newbyteorder("=")
    if given.kind == "b" or native in _KEPT:
        return native
    if given.itemsize == 8 and largest() > np.iinfo(np.int64).max:
        raise TypeError("uint64 values above 2^63 - 1 are not supported")
    return INT64


def _host_array(x: Any, dtype: Any) -> Array:
    a = np.asarray(x) if not hasattr(x, "__dlpack__") or isinstance(x, np.ndarray) else np.from_dlpack(x)
    wanted = _wanted(a.dtype, dtype, type(x).__name__, lambda: int(a.max()) if a.size else 0)
    if a.dtype == wanted and a.flags.c_contiguous and a.flags.aligned:
        return a
    # require, not ascontiguousarray: the latter keeps a negative stride on an axis of length 1 (NumPy #23349)
    return np.require(a, dtype=wanted, requirements=["C", "A"])


def as_tensor(x: Any, dtype: Any = None, like: Array | None = None) -> Tensor:
    """``x`` itself if it is a tensor (of ``dtype``), otherwise a tensor on :func:`as_array` of it."""
    if isinstance(x, Tensor) and (dtype is None or x.array.dtype == dtype):
        return x
    return Tensor(as_array(x, dtype, like))


def as_float(x: Any) -> Tensor:
    """``x`` as a float tensor: integers and booleans become float32 (on the device, when ``x`` is a tensor)."""
    tensor = as_tensor(x)
    a = tensor.array
    if a.dtype.kind == "f":
        return tensor
    y = backend.empty(a.shape, FLOAT32, a)
    backend.twin(a).cast(a, y)
    return Tensor(y)
