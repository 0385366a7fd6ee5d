"""Rows of the copies: transposes, joins, parts, margins, repetitions, indexing."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact


def row(name, run, reference, *shapes):
    return Row(
        name=name,
        run=run,
        reference=reference,
        inputs=lambda rng: tuple(exact(rng, *shape) for shape in shapes),
        differentiable=tuple(range(len(shapes))),
        multilinear=True,
    )


def indexed(name, index, shape):
    reference_index = np.asarray(index) if isinstance(index, list) else index
    return row(f"getitem-{name}", lambda x: ops.convert_to_tensor(x)[index], lambda x: x[reference_index], shape)


def _transposes():
    for axes, shape in [
        ((1, 0), (35, 70)),
        ((1, 0), (3, 5)),
        ((1, 0), (130, 16)),
        ((0, 2, 1), (3, 33, 17)),
        ((2, 0, 1), (4, 5, 36)),
        ((0, 3, 1, 2), (2, 5, 6, 20)),
        ((0, 2, 3, 1), (2, 20, 5, 6)),
        ((2, 1, 0), (18, 7, 40)),
        ((0, 2, 1, 3), (3, 6, 4, 8)),
        ((1, 0, 2), (5, 1, 3)),
        ((0, 2, 1), (0, 3, 4)),
        (None, (2, 3, 4, 5)),
    ]:
        yield row(
            f"transpose-{axes}-{shape}",
            lambda x, axes=axes: ops.transpose(x, axes),
            lambda x, axes=axes: np.transpose(x, axes),
            shape,
        )
    yield row("transpose-T", lambda x: ops.convert_to_tensor(x).T, lambda x: x.T, (4, 6))
    yield row("moveaxis", lambda x: ops.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), (3, 4, 5))
    yield row(
        "moveaxis-two", lambda x: ops.moveaxis(x, (0, 2), (2, 1)), lambda x: np.moveaxis(x, (0, 2), (2, 1)), (3, 4, 5)
    )
    yield row("swapaxes", lambda x: ops.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1), (3, 4, 5))
    yield row("flip", ops.flip, np.flip, (3, 4))
    yield row("flip-axis", lambda x: ops.flip(x, (1, -1)), lambda x: np.flip(x, (1, -1)), (3, 4, 5))


def _views():
    yield row("reshape", lambda x: ops.reshape(x, (4, -1)), lambda x: x.reshape(4, -1), (2, 6, 3))
    yield row(
        "reshape-then-use", lambda x: ops.reshape(x, 12) * 2.0 + x[0, 0], lambda x: x.reshape(12) * 2 + x[0, 0], (3, 4)
    )
    yield row("ravel", ops.ravel, np.ravel, (3, 4))
    yield row("squeeze", ops.squeeze, np.squeeze, (1, 3, 1))
    yield row("squeeze-axis", lambda x: ops.squeeze(x, -1), lambda x: np.squeeze(x, -1), (1, 3, 1))
    yield row("expand_dims", lambda x: ops.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1)), (3, 2))


def _joins():
    for axis in (0, 1, -1):
        yield row(
            f"stack-{axis}",
            lambda *xs, axis=axis: ops.stack(xs, axis),
            lambda *xs, axis=axis: np.stack(xs, axis),
            *[(3, 4)] * 3,
        )
    for axis, shapes in [(0, [(2, 3), (4, 3)]), (1, [(3, 2), (3, 0), (3, 5)]), (-1, [(2, 2, 40), (2, 2, 33)])]:
        yield row(
            f"concatenate-{axis}",
            lambda *xs, axis=axis: ops.concatenate(xs, axis),
            lambda *xs, axis=axis: np.concatenate(xs, axis),
            *shapes,
        )
    yield row("concatenate-itself", lambda x: ops.concatenate([x, x], 1), lambda x: np.concatenate([x, x], 1), (3, 4))
    yield row("split", lambda x: tuple(ops.split(x, 3, 1)), lambda x: tuple(np.split(x, 3, 1)), (4, 6))
    yield row("split-at", lambda x: tuple(ops.split(x, [1, 4])), lambda x: tuple(np.split(x, [1, 4])), (6, 5))
    yield row("unstack", lambda x: tuple(ops.unstack(x, axis=1)), lambda x: tuple(x[:, i] for i in range(3)), (4, 3))


def _repetitions():
    for wanted, shape in [((3, 4), (4,)), ((3, 4), (3, 1)), ((2, 3, 4), (3, 1)), ((5, 2), ()), ((0, 4), (1, 4))]:
        yield row(
            f"broadcast_to-{wanted}-{shape}",
            lambda x, wanted=wanted: ops.broadcast_to(x, wanted),
            lambda x, wanted=wanted: np.broadcast_to(x, wanted),
            shape,
        )
    for counts, shape in [(2, (3,)), ((2, 3), (4, 5)), ((2, 1, 3), (4, 5)), (3, (2, 2)), (0, (3,))]:
        yield row(
            f"tile-{counts}-{shape}",
            lambda x, counts=counts: ops.tile(x, counts),
            lambda x, counts=counts: np.tile(x, counts),
            shape,
        )
    for counts, axis in [(2, None), (3, 0), (3, 1), ([1, 0, 2], 0)]:
        yield row(
            f"repeat-{counts}-{axis}",
            lambda x, counts=counts, axis=axis: ops.repeat(x, counts, axis),
            lambda x, counts=counts, axis=axis: np.repeat(x, counts, axis),
            (3, 4),
        )
    for width in (1, (1, 2), ((0, 3), (2, 0))):
        for mode in ("constant", "edge", "reflect", "symmetric"):
            yield row(
                f"pad-{width}-{mode}",
                lambda x, width=width, mode=mode: ops.pad(x, width, mode),
                lambda x, width=width, mode=mode: np.pad(x, width, mode),
                (5, 6),
            )
    for shift, axis in [(2, None), (-1, 0), ((1, 5), (0, 1))]:
        yield row(
            f"roll-{shift}-{axis}",
            lambda x, shift=shift, axis=axis: ops.roll(x, shift, axis),
            lambda x, shift=shift, axis=axis: np.roll(x, shift, axis),
            (3, 4),
        )


def _indexing():
    for name, index in [
        ("integer", 1),
        ("negative", -1),
        ("slice", slice(1, 3)),
        ("step", slice(None, None, 2)),
        ("backwards", slice(None, None, -1)),
        ("backwards-step", (slice(None), slice(3, 0, -2))),
        ("columns", (slice(None), slice(1, 3))),
        ("ellipsis", (..., 0)),
        ("none", (None, slice(None), None, 2)),
        ("element", (1, 2, 3)),
        ("everything", ...),
        ("nothing", slice(2, 2)),
        ("empty-tuple", ()),
        ("list", [2, 0, 2]),
        ("array", np.array([[0, -1], [1, 1]])),
    ]:
        yield indexed(name, index, (3, 4, 5))
    yield indexed("array-after-slice", (slice(1, None), np.array([3, 0, 0])), (3, 4, 5))
    yield indexed("array-after-ellipsis", (..., np.array([4, 0, 4])), (3, 4, 5))
    yield row("slice", lambda x: ops.slice(x, (1, 0), (2, 3)), lambda x: x[1:3, 0:3], (4, 5))
    for axis in (None, 0, 1, -1):
        index = np.array([[2, 0, -1], [1, 1, 2]], np.int32)
        yield row(
            f"take-{axis}",
            lambda x, axis=axis, index=index: ops.take(x, index, axis),
            lambda x, axis=axis, index=index: np.take(x, index, axis),
            (3, 4, 5),
        )
    for name, shape, m in [("", (3, 4, 300), 2), ("-many", (2, 5, 3), 300)]:
        along = np.random.default_rng(0).integers(-4, 4, (shape[0], m, shape[2]))
        yield row(
            f"take_along_axis{name}",
            lambda x, along=along: ops.take_along_axis(x, along, 1),
            lambda x, along=along: np.take_along_axis(x, along, 1),
            shape,
        )


def _one_hot():
    for axis in (-1, 0, 1):
        yield Row(
            name=f"one_hot-{axis}",
            run=lambda x, axis=axis: ops.one_hot(x, 5, axis),
            reference=lambda x, axis=axis: np.moveaxis((x[..., None] == np.arange(5)).astype(np.float32), -1, axis),
            inputs=lambda rng: (rng.integers(-1, 7, (4, 3)),),
        )


ROWS = [*_transposes(), *_views(), *_joins(), *_repetitions(), *_indexing(), *_one_hot()]
