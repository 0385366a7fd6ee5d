"""predict: forward passes, recorded per batch size."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from dlbd.backend import Array, copied, on_host, place
from dlbd.callbacks.base import CallbackList, as_list
from dlbd.callbacks.progress import predicting, verbosity
from dlbd.layers.preprocessing.host import resolved
from dlbd.models.adapt import adapt_inputs, is_stream
from dlbd.models.batches import ArrayBatches, Source, StreamBatches, one_epoch, restore
from dlbd.models.raw_rows import RowOptions, raw_rows, row_batches
from dlbd.models.step_functions import packed
from dlbd.models.steps import Steps
from dlbd.structure import flatten, map_structure
from dlbd.tensor import Tensor

_NONE: dict[str, Any] = {}
_SINGLE_INPUT = repr((0, None, None))


def predict(
    model: Any,
    x: Any,
    batch_size: int | None,
    verbose: Any,
    steps: int | None,
    callbacks: Any,
    memory_limit: int | str | None = None,
) -> Any:
    if type(x) is np.ndarray and verbose in ("auto", 0) and callbacks is None and steps is None:
        size = 32 if batch_size is None else batch_size
        if x.ndim and 0 < len(x) <= size:
            found = _predict_one_batch(model, x)
            if found is not None:
                return found
    source: Source
    rows, x = raw_rows(model, x)
    options = RowOptions(memory_limit=memory_limit)
    if rows is not None:

        def adapt(x: Any, y: Any, w: Any) -> tuple[Any, Any, Any]:
            return adapt_inputs(model, x), None, None

        source = row_batches(model, rows, adapt, targets=False, batch_size=batch_size, steps=steps, options=options)
        found = _predict_batches(model, source, steps, verbose, callbacks)
        kept = source.kept  # type: ignore[attr-defined]
        return map_structure(lambda a: _with_gaps(a, kept, whole=steps is None), found)
    options.refuse()
    if is_stream(x):
        source = StreamBatches(x, steps, lambda x, y, w: (adapt_inputs(model, x), None, None), model.dtype)
    else:
        source = ArrayBatches(
            adapt_inputs(model, x), batch_size=32 if batch_size is None else batch_size, floating=model.dtype
        )
    return _predict_batches(model, source, steps, verbose, callbacks)


def _with_gaps(outputs: Array, kept: Array | None, whole: bool) -> Array:
    """A row for each raw row, NaN for those that are not kept; if not the whole, up to the last output."""
    if kept is None:
        return outputs
    places = np.flatnonzero(kept)[: len(outputs)]
    rows = len(kept) if whole else int(places.max(initial=-1)) + 1
    if rows == len(outputs):
        return outputs
    y = np.full((rows, *outputs.shape[1:]), np.nan, np.result_type(outputs.dtype, np.float32))
    y[places] = outputs
    return y


def _forward(model: Any) -> Any:
    own = model.has_own("predict_step")

    def forward(structure: Any, tensors: Any) -> Any:
        x = restore(structure[0], tensors)
        return model.predict_step(packed(x, None, None)) if own else model(x, training=False)

    return forward


def _predict_one_batch(model: Any, x: Array) -> Any:
    """The short way for one batch of a shape seen before: no source, no progress, one replay, one copy."""
    steps = model.__dict__.get("_predict_steps", _NONE).get(_SINGLE_INPUT)
    if steps is None:
        return None
    dtype = model.dtype if x.dtype.kind == "f" else x.dtype
    step = steps.take_recorded(((x.shape, dtype),))
    if step is None:
        return None
    outputs = step.run_array(x)
    result = copied(outputs.array) if isinstance(outputs, Tensor) else map_structure(lambda t: copied(t.array), outputs)
    steps.give(step)
    return result


def _predict_batches(model: Any, source: Source, limit: int | None, verbose: Any, callbacks: Any) -> Any:
    made: list[list[Array]] = []
    structure: Any = None
    whole: list[Array] | None = None  # results of known length are written in place
    at = 0
    runs: Steps | None = None
    shown = 0 if verbose == "auto" else verbosity(verbose)
    total = source.steps if limit is None else limit
    told = CallbackList(as_list(callbacks), model, {"verbose": shown, "steps": total})
    before, after = (told.listeners(f"on_predict_batch_{end}") for end in ("begin", "end"))
    told.tell("on_predict_begin", {})
    with one_epoch(source) as batches, predicting(shown, total) as progress:
        for n, batch in enumerate(islice(batches, limit)):
            for listener in before:
                listener(n, {})
            if runs is None:
                model._ensure_built(batch, source.structure)
                runs = model._steps("_predict_steps", _forward(model), source.structure)
            step = runs.take(batch.signature)
            outputs = step.run(batch)
            structure = outputs
            arrays = [t.array for t in flatten(outputs)]
            if isinstance(source, ArrayBatches) and limit is None:
                if whole is None:
                    whole = [np.empty((source.size, *a.shape[1:]), a.dtype) for a in arrays]
                for target, a in zip(whole, arrays, strict=True):
                    target[at : at + batch.size] = on_host(a)
                at += batch.size
            else:
                made.append([copied(a) for a in arrays])
            now = {"outputs": map_structure(lambda t: copied(t.array), outputs)} if after else {}
            runs.give(step)
            for listener in after:
                listener(n, now)
            progress(n + 1)
    told.tell("on_predict_end", {})
    if structure is None:
        return _empty(model, source)
    results = whole if whole is not None else [np.concatenate(parts) for parts in zip(*made, strict=True)]
    ordered = iter(results)
    return map_structure(lambda _: next(ordered), structure)


def _empty(model: Any, source: Source) -> Any:
    """No rows: outputs without rows, of the shape that a call gives."""
    if isinstance(source, ArrayBatches):
        arrays = resolved(source.arrays, slice(0, 0))
    elif getattr(source, "nothing", None) is not None:
        arrays = source.nothing  # type: ignore[attr-defined]
    else:
        raise ValueError(f"[{model.name}] predict() received no batches")
    tensors = [
        Tensor(place(np.zeros((0, *a.shape[1:]), model.dtype if a.dtype.kind == "f" else a.dtype))) for a in arrays
    ]
    return map_structure(lambda t: copied(t.array), _forward(model)(source.structure, tensors))
