"""Functions of dlbd.ops that come from NumPy, sort, scan, scatter or call others."""

from __future__ import annotations

from . import ids, normal, positive, words
from .operations import OperationTable

ARRAY_FUNCTIONS = OperationTable()
_op, _exact = ARRAY_FUNCTIONS.smooth, ARRAY_FUNCTIONS.exact

_x, _three, _positive = normal(3, 4), normal(2, 3, 4), positive(3, 4)
_GAPS = "ops.where(x > 1, np.nan, x)"

# Element by element
for _name in words("arcsinh arctan cbrt deg2rad exp2 fabs rad2deg sinc trunc copy"):
    _op(f"ops.{_name}(x)", _x, gradient=_name not in ("fabs", "trunc"))
for _name in words("arccos arcsin arctanh erfinv"):
    _op(f"ops.{_name}(0.3 * ops.tanh(x))", _x)
_op("ops.arccosh(x + 1.5)", _positive)
for _name in words("signbit isneginf isposinf"):
    _exact(f"ops.{_name}(edges)")
_exact("ops.heaviside(edges, 0.5)")
_exact("ops.fmod(edges, 1.5)")
for _name in words("fmax fmin hypot logaddexp2"):
    _op(f"ops.{_name}(x, y)", _x, normal(4), gradient=_name in ("hypot", "logaddexp2"))
_exact("ops.ldexp(edges, [2])")
_exact("ops.allclose(x, x + 1e-9)", _x)
_exact("ops.allclose(x, x + 1e-3)", _x)
_exact("ops.saturate_cast(edges * 100, 'uint8')")
_exact("ops.get_item(x, (0, slice(1, 3)))", _three)
_exact("int(ops.is_tensor(ops.ones(2)))")

# In order
for _name in words("sort argsort"):
    _op(f"ops.{_name}(x)", _three, gradient=_name == "sort")
    _op(f"ops.{_name}(x, axis=1)", _three, gradient=_name == "sort")
    _exact(f"ops.{_name}(x)  # with equal ones", ids(3, 9, limit=4))
_exact("ops.sort(ops.take_along_axis(x, ops.argpartition(x, 3)[:, :3], axis=1))", normal(3, 9))
_op("ops.top_k(x, 2)", _x, gradient=False)
_exact("ops.in_top_k(x, y, k=2)", ids(3, limit=4), _x)
for _side in ("left", "right"):
    _exact(f"ops.searchsorted(ops.sort(x), y, side='{_side}')", normal(9), normal(2, 5))
_exact("ops.digitize(x, [-1.0, 0.0, 0.5])", _x)
_exact("ops.isin(x, [1, 3])", ids(3, 4, limit=5))
_exact("ops.isin(x, [1, 3], invert=True)", ids(3, 4, limit=5))
_exact("ops.bincount(x)", ids(20, limit=6))
_exact("ops.bincount(x, weights=y, minlength=8)", ids(20, limit=6), normal(20))
_exact("[ops.cast(a, 'float32') for a in ops.histogram(x, bins=5)]", normal(50))
_exact("[ops.cast(a, 'float32') for a in ops.histogram(x, bins=4, range=(-1.0, 1.0))]", normal(50))
_exact("ops.median(x)", _x)
_exact("ops.median(x, axis=1, keepdims=True)", _three)
for _method in words("linear lower higher midpoint nearest"):
    _exact(f"ops.quantile(x, [0.1, 0.5, 0.8], axis=1, method='{_method}')", normal(3, 7))
_exact("ops.percentile(x, 30, axis=0)", normal(7, 2))

# Along an axis
for _name in words("cumsum cumprod"):
    _op(f"ops.{_name}(x)", _x)
    _op(f"ops.{_name}(x, axis=1)", _three)
    _exact(f"ops.{_name}(integers, axis=0)")
_op("ops.diff(x)", _x)
_op("ops.diff(x, n=2, axis=0)", _x)
_op("ops.trapezoid(x, dx=0.5)", _x)
_exact("ops.trapezoid(x, y, axis=1)", _x, _positive)
_op("ops.cross(x, y)", normal(4, 3), normal(4, 3))
_exact("ops.corrcoef(x)", normal(3, 9))
_op("ops.rms_normalization(x, y)", _x, normal(4))
for _name in words("segment_sum segment_max segment_min segment_prod"):
    _op(f"ops.{_name}(x, np.array([0, 2, 2, 0, 1]), num_segments=3)", normal(5, 2), gradient=_name == "segment_sum")

# NaN left out
for _name in words("nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian"):
    _exact(f"ops.{_name}({_GAPS})", normal(3, 8))
    _exact(f"ops.{_name}({_GAPS}, axis=1)", normal(3, 8))
for _name in words("nanargmax nanargmin nancumsum nancumprod"):
    _exact(f"ops.{_name}({_GAPS}, axis=1)", normal(3, 8))
_exact(f"ops.nanquantile({_GAPS}, 0.4, axis=1)", normal(3, 8))
_exact(f"ops.nanpercentile({_GAPS}, 40, axis=1)", normal(3, 8))

# Shapes
for _build in (
    "array_split(x, 3, axis=2)",
    "hsplit(x, [1, 2])",
    "vsplit(x, 2)",
    "dsplit(x, 2)",
    "dstack([x, 2 * x])",
    "fliplr(x)",
    "flipud(x)",
    "rot90(x)",
    "rot90(x, k=3, axes=(1, 2))",
    "extract_sequences(x, 3, 1)",
):
    _op(f"ops.{_build}", _three, gradient="extract" not in _build)
_op("ops.diagflat(x, k=1)", _x)
_op("ops.kron(x, y)", normal(2, 3), normal(3, 2))
_op("ops.vander(x, N=3, increasing=True)", normal(4), gradient=False)
_op("ops.depth_to_space(x, 2)", normal(2, 2, 3, 8))
_op("ops.space_to_depth(x, 2)", normal(2, 4, 6, 2))
_exact("ops.unravel_index([0, 5, 11], (3, 4))")

# Written into
_op("ops.scatter(np.array([[0, 1], [2, 0], [0, 1]]), x, (3, 2))", normal(3))
_op("ops.scatter_update(x, [[0, 1], [2, 0]], y)", _x, normal(2))
_op("ops.slice_update(x, (1, 0), y)", _x, normal(2, 3))

# Made
for _build in (
    "bartlett(7)",
    "blackman(7)",
    "hamming(7)",
    "hanning(7)",
    "kaiser(7, 4.0)",
    "geomspace(1, 8, 4)",
    "logspace(0, 2, 5)",
    "logspace(0, 2, 4, endpoint=False, base=2)",
    "shape(ops.empty((2, 3)))",
    "shape(ops.empty_like(edges))",
):
    _exact(f"ops.{_build}")

# Functions of functions
_op("ops.cond(ops.sum(y) > 0, lambda: 2 * x, lambda: -x)", _x, _positive, gradient=False)
_op("ops.switch(1, [lambda a: a, lambda a: 3 * a], x)", _x)
_op("ops.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 2.0), (0, x))[1]", _x, gradient=False)
_op("ops.fori_loop(0, 3, lambda i, a: a * 1.5, x)", _x, gradient=False)
_op("ops.map(lambda a: ops.sum(a * a), x)", _x, gradient=False)
_op("ops.vectorized_map(lambda a: a * 2.0 + 1.0, x)", _x, gradient=False)
_op("ops.scan(lambda carry, a: (carry + a, carry * a), ops.zeros(4), x)", _x, gradient=False)
_op("ops.associative_scan(lambda a, b: a * b, x, axis=1)", _x, gradient=False)
_exact("ops.custom_gradient(lambda a: (a * a, lambda *args, upstream=None: upstream))(x)", _x)
