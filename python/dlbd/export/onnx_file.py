"""Writing a model as an ONNX file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from dlbd import devices
from dlbd.export.graph import Value
from dlbd.export.sizes import Size
from dlbd.export.tracing import NotInOnnx, Spec, Trace, Traced
from dlbd.layers.base import Layer
from dlbd.saving.atomic import replacing
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor, SymbolicArgument, infer

if TYPE_CHECKING:
    import onnx


def export_model(
    model: Any, filepath: Any, format: str = "onnx", verbose: bool | None = None, input_signature: Any = None
) -> None:
    """Write a model, as it predicts, for ONNX Runtime and whatever else reads ONNX (operator set 18).

    The file takes what the model's Inputs declare, under their names, and gives the outputs under the names of the
    layers that give them, or the keys of a dict. A size that is None stays open: the batch is called "batch". Weights
    have their paths as names. The same numbers come out, up to rounding: whatever dlbd.ops computes becomes nodes,
    also in layers and models of one's own.

    What differs: no error is raised for numbers that are out of place, such as an index beyond a table. float64 models
    are written in double, for which ONNX Runtime has no convolution, nor every activation.

    Args:
        model: a model that is built.
        filepath: where to; the file is there whole or not at all.
        format: "onnx".
        verbose: True prints where the file is.
        input_signature: what the model takes: a KerasTensor as :func:`dlbd.Input` gives it, or a nest of them. For a
            subclass of Model, whose inputs are otherwise those it was built for, floats in any batch size; for others
            to declare sizes that the Inputs leave open, or to let them be open.

    Raises:
        ModuleNotFoundError: the package onnx is missing: ``pip install "dlbd[onnx]"``.
        ValueError: another format, or a layer does what ONNX cannot say: the message names the layer and the reason.
            Nothing is written then.

    Example:
        >>> import os, tempfile, onnxruntime
        >>> model = dlbd.Sequential([dlbd.Input((3,), name="x"), dlbd.layers.Dense(2, name="y")])
        >>> path = os.path.join(tempfile.mkdtemp(), "m.onnx")
        >>> model.export(path)
        >>> session = onnxruntime.InferenceSession(path)
        >>> x = np.ones((5, 3), np.float32)
        >>> bool(np.allclose(session.run(["y"], {"x": x})[0], model.predict(x, verbose=0), atol=1e-5))
        True
    """
    if format != "onnx":
        raise ValueError(f'format must be "onnx"; received {format!r}')
    try:
        proto = onnx_model(model, input_signature)
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ModuleNotFoundError('export needs the package onnx: pip install "dlbd[onnx]"', name="onnx") from None
    path = os.fspath(filepath)
    with replacing(path) as file:
        file.write(proto.SerializeToString())
    if verbose:
        print(f"Saved artifact at '{path}'.")


def onnx_model(model: Any, input_signature: Any = None) -> onnx.ModelProto:
    """The model in ONNX's form; arguments and errors as in :func:`export_model`."""
    declared, names = _inputs(model, input_signature)
    opened = any(None in x.shape[1:] for x in flatten(declared))
    faults: list[Exception] = []
    with devices.device(model.weights[0].device) if model.weights else nullcontext():
        for shared, numbers in itertools.product((False, True), _TRIES if opened else _TRIES[:1]):
            try:
                return _traced(model, declared, names, numbers, shared)
            except (NotInOnnx, SymbolicArgument) as error:
                faults = [error]
                break
            except (ValueError, TypeError) as error:  # sizes that do not fit together, perhaps
                faults.append(error)
    raise ValueError(f"model {model.name!r} cannot be exported to ONNX: {faults[0]}") from faults[0]


def _inputs(model: Any, signature: Any) -> tuple[Any, list[str]]:
    """KerasTensors for what the model takes, and their names."""
    if signature is not None and not all(isinstance(x, KerasTensor) for x in flatten(signature)):
        raise TypeError(f"input_signature is made of what dlbd.Input() gives; received {signature!r}")
    if not model.built:
        if signature is None:
            raise ValueError(
                f"model {model.name!r} is not built: call it with data before export, or pass input_signature=, "
                "what dlbd.Input() gives"
            )
        infer(model, (signature,), {})
    try:
        given = model.input
    except AttributeError:  # a subclass with a call of its own
        given = _of_shapes(model.built_shape, model.dtype) if signature is None else signature
        names = _numbered("input", len(flatten(given)))
    else:
        names = [x.name for x in flatten(given)]
        given = given if signature is None else signature
    if len(flatten(given)) != len(names):
        raise ValueError(
            f"model {model.name!r} has {len(names)} inputs, {names}; input_signature has {len(flatten(given))}"
        )
    return map_structure(lambda x: _in_dtype_of(model, x), given), names


def _of_shapes(shapes: Any, dtype: Any) -> Any:
    """KerasTensors of these shapes, for batches of any size."""
    if isinstance(shapes, dict):
        return {key: _of_shapes(value, dtype) for key, value in shapes.items()}
    if shapes and all(n is None or isinstance(n, int) for n in shapes):
        return KerasTensor((None, *shapes[1:]), dtype)
    return type(shapes)(_of_shapes(value, dtype) for value in shapes)


# What stands for open sizes in the trials: numbers of this scale, to which these are added. At first such that no
# rounded part of one is another; where they do not fit, larger ones, for large windows, and ones with many divisors.
_ODD, _EVEN = (3, 5, 6), (0, 0, 0)
_TRIES = ((8, _ODD), (32, _ODD), (8, _EVEN), (32, _EVEN), (96, _EVEN))
_BATCH = (2, 3, 5)


def _in_trials(number: int, scale: int, added: tuple[int, ...]) -> list[int]:
    """For open size number 0, 1, 2, ...: none is a simple function of another."""
    places = ((number * step + start) % 7 + number // 7 * 7 for step, start in ((1, 0), (2, 1), (3, 4)))
    return [scale * (1 + place) + more for place, more in zip(places, added, strict=True)]


def _traced(model: Any, declared: Any, names: Sequence[str], numbers: tuple[Any, ...], shared: bool) -> onnx.ModelProto:
    """With such ``numbers`` in the trials. ``shared``: inputs have the same open size along the same axis."""
    from dlbd.export.layers import LAYERS
    from dlbd.export.operations import OPERATIONS
    from dlbd.export.proto import as_outputs, model_proto

    trace = Trace(OPERATIONS, LAYERS, model.weights)
    opened: dict[Any, Size] = {}

    def size(name: str, axis: int) -> Size:
        key = axis if shared or axis == 0 else (name, axis)
        if key not in opened:
            values = _in_trials(len(opened), *numbers) if axis else _BATCH
            opened[key] = trace.known_size(values, name=f"{name}_{axis}" if axis else "batch")
        return opened[key]

    waiting = iter(names)

    def entered(x: KerasTensor) -> Traced:
        name = next(waiting)
        shape = tuple(size(name, axis) if n is None else n for axis, n in enumerate(x.shape))
        trace.graph.inputs.append((Value(name), shape, x.dtype))
        return trace.tensor(trace.graph.inputs[-1][0], Spec(shape, x.dtype))

    inputs = map_structure(entered, declared)
    try:
        with trace.running():
            outputs = Layer.__call__(model, inputs, training=False)
    finally:
        model._forget_losses()
    found = flatten(outputs)
    ends = list(outputs) if isinstance(outputs, dict) else model.output_names or _numbered("output", len(found))
    as_outputs(trace.graph, trace.graph, [(trace.value(y), y.shape, y.dtype) for y in found])
    for (value, _, _), name in zip(trace.graph.outputs, ends, strict=True):
        value.name = name
    return model_proto(trace.graph, model.name)


def _numbered(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{i}" for i in range(count)]


def _in_dtype_of(model: Any, x: KerasTensor) -> KerasTensor:
    """Floats are declared as what the model computes in."""
    return KerasTensor(x.shape, model.dtype if x.dtype.kind == "f" else x.dtype, x.name)
