"""Rows of the softmax family."""

import numpy as np

from dlbd import ops

from .row import Row


def softmax_reference(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def log_softmax_reference(x, axis=-1):
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def _rows():
    kinds = [("softmax", ops.softmax, softmax_reference), ("log_softmax", ops.log_softmax, log_softmax_reference)]
    # around one vector of each instruction set, four of them, the run after which sums are added in double; on a GPU
    # rows in the registers of a few lanes, of a warp (4 and 8 packs each), of a block, in shared memory, and neither
    widths = [1, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 65, 130, 1000, 4099, 17001, 30002]
    for op, run, reference in kinds:
        for n in widths:
            yield Row(
                name=f"{op}-rows-3x{n}",
                run=run,
                reference=reference,
                inputs=lambda rng, n=n: (3 * rng.standard_normal((3, n)),),
                differentiable=(0,),
                path=("softmax", "rows"),
                rtol=3e-6,
            )
        for sizes, axis in [
            ((5, 7), 0),
            ((2, 5, 16), 1),
            ((2, 5, 17), -2),
            ((3, 9, 63), 1),
            ((3, 9, 64), 1),
            ((2, 9, 130), 1),
            ((40, 1), 0),
            ((300, 3, 70), 0),
        ]:
            yield Row(
                name=f"{op}-columns-{'x'.join(map(str, sizes))}-axis{axis}",
                run=lambda x, run=run, axis=axis: run(x, axis=axis),
                reference=lambda x, reference=reference, axis=axis: reference(x, axis),
                inputs=lambda rng, sizes=sizes: (3 * rng.standard_normal(sizes),),
                differentiable=(0,),
                path=("softmax", "columns"),
                rtol=3e-6,
            )
        yield Row(
            name=f"{op}-columns-forced-on-the-last-axis",
            run=run,
            reference=reference,
            inputs=lambda rng: (rng.standard_normal((19, 33)),),
            differentiable=(0,),
            path=("softmax", "columns"),
        )
        yield Row(
            name=f"{op}-large-magnitudes",
            run=run,
            reference=reference,
            inputs=lambda rng: (np.round(1e3 * rng.standard_normal((4, 50))) * 64,),
            differentiable=(0,),
        )
        for axes in [(1, 2), (0, -1), (2, 1, 0)]:
            yield Row(
                name=f"{op}-axes-{axes}",
                run=lambda x, run=run, axes=axes: run(x, axis=axes),
                reference=lambda x, reference=reference, axes=axes: reference(x, axes),
                inputs=lambda rng: (3 * rng.standard_normal((3, 4, 5)),),
                differentiable=(0,),
                rtol=3e-6,
            )
        for sizes in [(0, 5), (3, 0), (0,)]:
            yield Row(
                name=f"{op}-empty-{'x'.join(map(str, sizes))}",
                run=run,
                reference=lambda x: x,
                inputs=lambda rng, sizes=sizes: (np.zeros(sizes),),
                differentiable=(0,),
            )
        yield Row(
            name=f"{op}-many-rows",
            run=run,
            reference=reference,
            inputs=lambda rng: (rng.standard_normal((5000, 10)),),
            differentiable=(0,),
        )


ROWS = list(_rows())
