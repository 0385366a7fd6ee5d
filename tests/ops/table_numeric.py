"""Rows of contractions, matrices' parts and small functions that are made of other operations."""

import numpy as np

from dlbd import ops

from .row import Row
from .table_elementwise import exact


def contraction(name, run, reference, *shapes):
    return Row(
        name=name,
        run=run,
        reference=reference,
        inputs=lambda rng: tuple(exact(rng, *shape) for shape in shapes),
        differentiable=tuple(range(len(shapes))),
        multilinear=True,
    )


def smooth(name, run, reference, *shapes, **options):
    return Row(
        name=name,
        run=run,
        reference=reference,
        inputs=lambda rng: tuple(rng.uniform(0.5, 2, shape) for shape in shapes),
        differentiable=tuple(range(len(shapes))),
        **options,
    )


def _einsums():
    for text, *shapes in [
        ("ij,jk->ik", (3, 4), (4, 5)),
        ("ij,jk", (3, 4), (4, 5)),
        ("ij,jk->", (3, 4), (4, 5)),
        ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
        ("bhqd,bkhd->bhqk", (2, 3, 4, 5), (2, 6, 3, 5)),
        ("i,i->", (7,), (7,)),
        ("i,j->ji", (3,), (4,)),
        ("...ij,...jk->...ik", (2, 3, 4), (4, 5)),
        ("...i,i->...", (2, 3, 4), (4,)),
        ("abc,cd,de->abe", (2, 3, 4), (4, 5), (5, 6)),
        ("ijk->kj", (2, 3, 4)),
        ("ij,ij->ij", (3, 4), (3, 4)),
        ("bi,i->b", (1, 4), (4,)),
        ("bi,bi->b", (1, 4), (5, 4)),
    ]:
        yield contraction(
            f"einsum-{text}-{shapes[0]}",
            lambda *x, text=text: ops.einsum(text, *x),
            lambda *x, text=text: np.einsum(text, *x),
            *shapes,
        )


def _products():
    for axes, a, b in [
        (1, (2, 3, 4), (4, 5)),
        (2, (2, 3, 4), (3, 4, 5)),
        (0, (2, 3), (4,)),
        (([2, 0], [0, 1]), (2, 3, 4), (4, 2, 5)),
        ((-1, 1), (3, 4), (5, 4)),
    ]:
        yield contraction(
            f"tensordot-{axes}",
            lambda x, y, axes=axes: ops.tensordot(x, y, axes),
            lambda x, y, axes=axes: np.tensordot(x, y, axes),
            a,
            b,
        )
    yield contraction("dot-matrix-vector", ops.dot, np.dot, (3, 4), (4,))
    yield contraction("dot-cubes", ops.dot, np.dot, (2, 3, 4), (5, 4, 6))
    yield contraction("inner", ops.inner, np.inner, (3, 4), (5, 4))
    yield contraction("outer", ops.outer, np.outer, (2, 3), (4,))
    yield contraction("vdot", ops.vdot, np.vdot, (2, 3), (2, 3))


def _matrices():
    for k in (-3, -1, 0, 2, 5):
        yield contraction(f"tril-{k}", lambda x, k=k: ops.tril(x, k), lambda x, k=k: np.tril(x, k), (2, 4, 3))
        yield contraction(f"triu-{k}", lambda x, k=k: ops.triu(x, k), lambda x, k=k: np.triu(x, k), (2, 4, 3))
        yield contraction(f"diag-of-{k}", lambda x, k=k: ops.diag(x, k), lambda x, k=k: np.diag(x, k), (4, 5))
        yield contraction(f"diag-to-{k}", lambda x, k=k: ops.diag(x, k), lambda x, k=k: np.diag(x, k), (3,))
    yield contraction("diagonal-axes", lambda x: ops.diagonal(x, 1, 2, 0), lambda x: np.diagonal(x, 1, 2, 0), (4, 2, 3))
    yield contraction("trace", ops.trace, np.trace, (3, 4))
    yield contraction("vstack", lambda x, y: ops.vstack([x, y]), lambda x, y: np.vstack([x, y]), (3,), (2, 3))
    yield contraction("hstack", lambda x, y: ops.hstack([x, y]), lambda x, y: np.hstack([x, y]), (2, 1), (2, 3))
    yield contraction("append", ops.append, np.append, (2, 2), (3,))
    yield contraction("append-axis", lambda x, y: ops.append(x, y, 0), lambda x, y: np.append(x, y, 0), (2, 3), (1, 3))
    for indexing in ("xy", "ij"):
        yield contraction(
            f"meshgrid-{indexing}",
            lambda *x, i=indexing: tuple(ops.meshgrid(*x, indexing=i)),
            lambda *x, i=indexing: tuple(np.meshgrid(*x, indexing=i)),
            (2,),
            (3,),
            (4,),
        )


def _functions():
    yield smooth("sinh", ops.sinh, np.sinh, (3, 4), rtol=3e-6)
    yield smooth("cosh", ops.cosh, np.cosh, (3, 4), rtol=3e-6)
    yield smooth("logaddexp", ops.logaddexp, np.logaddexp, (3, 4), (4,), gradient_rtol=3e-6)
    for order in (None, 1, 3, np.inf, -np.inf):
        yield smooth(
            f"norm-{order}",
            lambda x, o=order: ops.norm(x, o, axis=1),
            lambda x, o=order: np.linalg.norm(x, o, axis=1),
            (3, 4),
            rtol=3e-6,
            gradient_rtol=1e-5,
        )
    yield smooth("norm-all", ops.norm, np.linalg.norm, (3, 4), rtol=3e-6, gradient_rtol=1e-5)
    yield smooth(
        "normalize",
        ops.normalize,
        lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
        (3, 4),
        rtol=3e-6,
        gradient_rtol=2e-5,
    )
    yield smooth(
        "average",
        lambda x, w: ops.average(x, 1, w),
        lambda x, w: np.average(x, 1, w),
        (3, 4, 2),
        (4,),
        rtol=3e-6,
        gradient_rtol=2e-5,
    )
    yield smooth("moments", lambda x: ops.moments(x, 0), lambda x: (x.mean(0), x.var(0)), (5, 3), gradient_rtol=1e-5)
    yield smooth("divide_no_nan", ops.divide_no_nan, np.divide, (3,), (2, 3), rtol=3e-6, gradient_rtol=1e-5)
    yield smooth("ptp", lambda x: ops.ptp(x, 1), lambda x: np.ptp(x, 1), (3, 4))
    yield smooth(
        "select",
        lambda x, y: ops.select([x > 1, y > 1], [x, y], 0.0),
        lambda x, y: np.select([x > 1, y > 1], [x, y], 0.0),
        (3, 4),
        (3, 4),
    )


ROWS = [*_einsums(), *_products(), *_matrices(), *_functions()]
