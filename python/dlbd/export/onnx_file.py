"""Writing a model as an ONNX file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlbd.export.graph import Value
from dlbd.export.tracing import NotInOnnx, Size, Spec, Trace, Traced
from dlbd.layers.base import Layer
from dlbd.saving.atomic import replacing
from dlbd.structure import flatten, map_structure
from dlbd.symbolic import KerasTensor, SymbolicArgument, infer

if TYPE_CHECKING:
    import onnx

# What stands for the batch size in the trials, and for the first other size that is not known: numbers with many
# divisors. The later pairs are for windows that do not fit into the first.
_BATCH = (2, 3)
_OTHERS = ((12, 36), (48, 120), (192, 480))
# How much larger each further size is: no two shall be alike.
_APART = (12, 24)
# Protocol buffers end there.
_MOST_BYTES = 2**31 - 1


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
    if proto.ByteSize() > _MOST_BYTES:
        raise ValueError(f"the model has {proto.ByteSize():,} bytes; an ONNX file holds at most {_MOST_BYTES:,}")
    with replacing(path) as file:
        file.write(proto.SerializeToString())
    if verbose:
        print(f"Saved artifact at '{path}'.")


def onnx_model(model: Any, input_signature: Any = None) -> onnx.ModelProto:
    """The model in ONNX's form; arguments and errors as in :func:`export_model`."""
    declared, names = _inputs(model, input_signature)
    trials = [(sizes, shared) for shared in (False, True) for sizes in _OTHERS]
    fault: Exception | None = None
    for sizes, shared in trials if any(None in x.shape[1:] for x in flatten(declared)) else trials[:1]:
        try:
            return _traced(model, declared, names, sizes, shared)
        except (NotInOnnx, SymbolicArgument) as error:
            raise ValueError(f"model {model.name!r} cannot be exported to ONNX: {error}") from error
        except (ValueError, TypeError) as error:  # sizes that do not fit together, perhaps
            fault = fault or error
    assert fault is not None
    raise fault


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
    return map_structure(lambda x: _in_dtype_of(model, x), given), names


def _of_shapes(shapes: Any, dtype: Any) -> Any:
    """KerasTensors of these shapes, for batches of any size."""
    if isinstance(shapes, dict):
        return {key: _of_shapes(value, dtype) for key, value in shapes.items()}
    if shapes and all(n is None or isinstance(n, int) for n in shapes):
        return KerasTensor((None, *shapes[1:]), dtype)
    return type(shapes)(_of_shapes(value, dtype) for value in shapes)


def _traced(model: Any, declared: Any, names: Sequence[str], others: tuple[int, int], shared: bool) -> onnx.ModelProto:
    """With these values in the trials; ``shared`` takes open sizes of several inputs for one where the axis is."""
    from dlbd.export.layers import LAYERS
    from dlbd.export.operations import OPERATIONS
    from dlbd.export.proto import as_outputs, model_proto

    trace = Trace(OPERATIONS, LAYERS)
    opened: dict[Any, Size] = {}

    def size(name: str, axis: int) -> Size:
        key = axis if shared or axis == 0 else (name, axis)
        if key not in opened:
            values = [first + step * len(opened) for first, step in zip(others, _APART, strict=True)]
            opened[key] = trace.known_size(values if axis else _BATCH, name=f"{name}_{axis}" if axis else "batch")
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
