"""Functions of dlbd.ops: ``x``, ``y`` and ``z`` are arrays to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import Array, Table, drawn, evaluate, ids, leaves, normal, positive, words

# Where rounding, signs, comparison and saturation are tried.
EDGES = np.array([-30.0, -3.5, -2.5, -1.5, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1.5, 2.5, 3.5, 30.0], np.float32)
INTEGERS = np.array([[-7, -3, -1, 0], [1, 2, 5, 9]], np.int32)
FLAGS = np.array([[True, False, True], [False, False, True]])
GIVEN = {"edges": EDGES, "integers": INTEGERS, "flags": FLAGS}


@dataclass(frozen=True)
class OperationCase:
    """A function of ``x``, and ``y`` and ``z`` where there are as many inputs.

    Attributes:
        gradient: whether that with respect to the inputs is compared, too.
    """

    build: str
    inputs: tuple[Array, ...]
    gradient: bool = True

    @property
    def name(self) -> str:
        return self.build

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(zip("xyz", drawn(self.inputs, self.name), strict=False))

    def apply(self, k: Any, arrays: dict[str, Any]) -> list[Any]:
        return leaves(evaluate(self.build, k, **GIVEN, **arrays))


class OperationTable(Table):
    def smooth(self, build: str, *inputs: Array, gradient: bool = True) -> None:
        self.put(OperationCase(build, inputs, gradient and bool(inputs) and all(a.is_float for a in inputs)))

    def exact(self, build: str, *inputs: Array) -> None:
        """Without a gradient."""
        self.smooth(build, *inputs, gradient=False)


OPERATIONS = OperationTable()
_op, _exact = OPERATIONS.smooth, OPERATIONS.exact

_x, _three, _positive = normal(3, 4), normal(2, 3, 4), positive(3, 4)

# Element by element
for _name in words(
    "abs absolute celu cos elu erf exp expm1 gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu "
    "log_sigmoid negative relu relu6 selu sigmoid silu sin sinh soft_shrink softplus softsign sparse_plus "
    "sparse_sigmoid square squareplus swish tan tanh tanh_shrink cosh"
):
    _op(f"ops.{_name}(x)", _x)
for _name in words("log log10 log1p log2 reciprocal rsqrt sqrt"):
    _op(f"ops.{_name}(x)", _positive)
for _name in words(
    "abs ceil floor round sign relu relu6 hard_sigmoid hard_tanh hard_shrink soft_shrink sigmoid tanh softplus "
    "log_sigmoid gelu elu selu silu softsign erf isfinite isnan isinf logical_not expm1 square"
):
    _exact(f"ops.{_name}(edges)")
for _build in (
    "celu(x, alpha=0.5)",
    "elu(x, alpha=0.5)",
    "gelu(x, approximate=False)",
    "gelu(x, approximate=True)",
    "hard_shrink(x, threshold=0.3)",
    "soft_shrink(x, threshold=0.3)",
    "leaky_relu(x, negative_slope=0.1)",
    "squareplus(x, b=2)",
    "threshold(x, 0.2, -1.0)",
    "glu(x)",
    "glu(x, axis=-1)",
    "softmax(x)",
    "softmax(x, axis=0)",
    "log_softmax(x)",
    "log_softmax(x, axis=0)",
    "clip(x, -0.5, 0.7)",
    "nan_to_num(x)",
):
    _op(f"ops.{_build}", _x)
_op("ops.softmax(x, axis=(1, 2))", _three)
_op("ops.log_softmax(x, axis=(0, 2))", _three)
_op("ops.glu(x, axis=0)", normal(4, 3))

# Two operands
for _name in words("add arctan2 divide maximum minimum multiply subtract true_divide logaddexp"):
    _op(f"ops.{_name}(x, y)", _x, normal(3, 4))
    _op(f"ops.{_name}(x, y)  # broadcast", normal(3, 1), normal(2, 1, 4))
for _name in words("add subtract multiply divide maximum power"):
    _op(f"ops.{_name}(x, 2.0)", _positive)
    _op(f"ops.{_name}(3, x)", _positive)
    _exact(f"ops.{_name}(integers, 2)" if _name != "power" else "ops.power(ops.abs(integers), 2)")
_op("ops.power(x, y)", _positive, normal(3, 4))
_op("ops.mod(x, y)", _positive, positive(3, 4), gradient=False)
_op("ops.floor_divide(x, y)", normal(3, 4), positive(3, 4), gradient=False)
for _name in ["mod", "floor_divide"]:
    _exact(f"ops.{_name}(integers, 3)")
    _exact(f"ops.{_name}(integers, -2)")
    _exact(f"ops.{_name}(edges, 1.5)")
for _name in words("equal not_equal greater greater_equal less less_equal"):
    _exact(f"ops.{_name}(integers, 1)")
    _exact(f"ops.{_name}(x, y)", ids(3, 4, limit=3), ids(4, limit=3))
for _name in words("logical_and logical_or logical_xor"):
    _exact(f"ops.{_name}(flags, [True, False, False])")
_op("ops.where(x > 0, x, y)", _x, normal(3, 4))
_op("ops.where(flags, x, 0.0)", normal(2, 3))
_exact("ops.where(flags, 1, 2)")

# Reductions
for _name in words("sum mean max min prod std var amax amin logsumexp"):
    _op(f"ops.{_name}(x)", _x)
    _op(f"ops.{_name}(x, axis=0)", _x)
    _op(f"ops.{_name}(x, axis=-1, keepdims=True)", _three)
    if _name not in ("std",):
        _op(f"ops.{_name}(x, axis=(0, 2))", _three)
for _name in words("sum mean max min prod"):
    _exact(f"ops.{_name}(integers)")
    _exact(f"ops.{_name}(integers, axis=1)")
for _name in ["argmax", "argmin"]:
    _exact(f"ops.{_name}(x)", _x)
    _exact(f"ops.{_name}(x, axis=0)", _x)
    _exact(f"ops.{_name}(x, axis=-1, keepdims=True)", _three)
for _name in ["all", "any"]:
    _exact(f"ops.{_name}(flags)")
    _exact(f"ops.{_name}(flags, axis=0)")
    _exact(f"ops.{_name}(flags, axis=1, keepdims=True)")
for _build in (
    "average(x, axis=0, weights=y)",
    "moments(x, axes=[0])",
    "norm(x)",
    "norm(x, axis=1)",
    "normalize(x, axis=1)",
    "count_nonzero(x, axis=0)",
):
    _op(f"ops.{_build}", _x, positive(3, 4), gradient=not _build.startswith("count"))

# Shapes
for _build in (
    "reshape(x, (4, -1))",
    "ravel(x)",
    "transpose(x)",
    "transpose(x, axes=(1, 0, 2))",
    "swapaxes(x, 0, 2)",
    "moveaxis(x, 0, -1)",
    "moveaxis(x, [0, 1], [1, 0])",
    "expand_dims(x, 1)",
    "expand_dims(x, [0, -1])",
    "squeeze(ops.expand_dims(x, 1))",
    "squeeze(ops.expand_dims(x, 1), axis=1)",
    "flip(x)",
    "flip(x, axis=1)",
    "roll(x, 1, axis=1)",
    "roll(x, 2)",
    "pad(x, [[0, 1], [1, 1], [2, 0]])",
    "pad(x, 1, mode='constant', constant_values=3.0)",
    "pad(x, [[0, 0], [1, 2], [0, 0]], mode='reflect')",
    "pad(x, [[0, 0], [1, 2], [0, 0]], mode='symmetric')",
    "tile(x, (2, 1, 3))",
    "tile(x, 2)",
    "repeat(x, 2)",
    "repeat(x, 2, axis=1)",
    "repeat(x, np.array([1, 3]), axis=0)",
    "broadcast_to(x, (2, 2, 3, 4))",
    "split(x, 2)",
    "split(x, [1, 3], axis=-1)",
    "unstack(x)",
    "unstack(x, axis=1)",
    "stack([x, x])",
    "stack([x, 2 * x], axis=-1)",
    "concatenate([x, x])",
    "concatenate([x, 2 * x], axis=1)",
    "take(x, [0, 2, 2], axis=1)",
    "take(x, 3)",
    "take(x, [[0, -1], [1, 0]], axis=0)",
    "take_along_axis(x, ops.argmax(x, axis=2, keepdims=True), axis=2)",
    "slice(x, (0, 1, 1), (2, 2, 3))",
    "x[0]",
    "x[:, 1]",
    "x[..., ::2]",
    "x[:, None, -1]",
    "tril(x)",
    "triu(x, k=1)",
    "diagonal(x, axis1=1, axis2=2)",
):
    _op(f"ops.{_build}" if _build[1] != "[" else f"ops.square(x){_build[1:]}", _three)
_op("ops.meshgrid(x, y)", normal(3), normal(2))
_op("ops.hstack([x, y])", _x, normal(3, 2))
_op("ops.vstack([x, y])", _x, normal(1, 4))
_op("ops.diag(x)", normal(3))
_op("ops.outer(x, y)", normal(3), normal(2))
_op("ops.append(x, y, axis=1)", _x, normal(3, 2))
_op("ops.trace(x)", normal(3, 3))
_op("ops.ptp(x, axis=1)", _x)
_op("ops.divide_no_nan(x, y)", _x, positive(3, 4))
_exact("ops.divide_no_nan(edges, ops.relu(edges))")
_op("ops.select([x > 1, x > 0], [x, y], default=2.0)", _x, normal(3, 4))

# Products
_op("ops.matmul(x, y)", _x, normal(4, 2))
_op("ops.matmul(x, y)  # batch", _three, normal(2, 4, 5))
_op("ops.matmul(x, y)  # broadcast", _three, normal(4, 5))
_op("ops.matmul(x, y)  # vectors", normal(4), normal(4))
_op("ops.matmul(x, y)  # matrix and vector", _x, normal(4))
_op("ops.dot(x, y)", _x, normal(4, 2))
_op("ops.tensordot(x, y, axes=1)", _three, normal(4, 2))
_op("ops.tensordot(x, y, axes=[[1], [0]])", _three, normal(3, 2))
_op("ops.vdot(x, y)", normal(4), normal(4))
_op("ops.inner(x, y)", _x, normal(2, 4))
for _equation, _shapes in (
    ("ij,jk->ik", ((3, 4), (4, 2))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 2))),
    ("bij,kj->bki", ((2, 3, 4), (2, 4))),
    ("ij->", ((3, 4),)),
    ("bhqd,bhkd->bhqk", ((2, 2, 3, 4), (2, 2, 5, 4))),
    ("...ij,jk->...ik", ((2, 3, 4), (4, 2))),
):
    _op(f"ops.einsum('{_equation}', {', '.join('xy'[: len(_shapes)])})", *[normal(*s) for s in _shapes])

# Making, counting, converting
for _build in (
    "arange(5)",
    "arange(2, 9, 3)",
    "arange(1.0, 0.0, -0.25)",
    "eye(3)",
    "eye(2, 4, k=1)",
    "identity(3)",
    "full((2, 2), 3.0)",
    "full_like(flags, 2, dtype='float32')",
    "linspace(0, 1, 5)",
    "linspace(0.0, 1.0, 4, endpoint=False)",
    "ones((2, 3))",
    "ones_like(edges)",
    "zeros((2,), dtype='int32')",
    "zeros_like(integers)",
    "cast(edges, 'int32')",
    "cast(integers, 'float32')",
    "cast(integers, 'bool')",
    "one_hot([0, 2, -1], 3)",
    "one_hot([[0, 1], [2, 1]], 3, axis=1)",
    "one_hot([0, 2], 3, dtype='int32')",
    "multi_hot([[0, 2], [1, 1]], 3)",
    "size(edges)",
    "convert_to_tensor([1, 2, 3])",
    "convert_to_tensor([1.5, 2], dtype='float32')",
    "isclose(edges, edges + 1e-9)",
    "tri(3)",
):
    _exact(f"ops.{_build}")

# Of networks
_image = normal(2, 5, 6, 3)
for _build, *_inputs in (
    ("conv(x, y)", _image, normal(3, 2, 3, 4)),
    ("conv(x, y, strides=2, padding='same')", _image, normal(3, 3, 3, 4)),
    ("conv(x, y, dilation_rate=2)", _image, normal(2, 2, 3, 4)),
    ("conv(x, y)  # 1-D", normal(2, 7, 3), normal(3, 3, 2)),
    ("conv(x, y, padding='same')  # 3-D", normal(1, 3, 4, 3, 2), normal(2, 2, 2, 2, 2)),
    ("conv_transpose(x, y, strides=2, padding='same')", normal(2, 3, 3, 3), normal(3, 3, 2, 3)),
    ("conv_transpose(x, y, strides=2)", normal(2, 3, 3, 3), normal(3, 3, 2, 3)),
    ("depthwise_conv(x, y)", _image, normal(3, 3, 3, 2)),
    ("depthwise_conv(x, y, strides=2, padding='same')", _image, normal(3, 3, 3, 1)),
    ("separable_conv(x, y, z)", _image, normal(3, 3, 3, 2), normal(1, 1, 6, 4)),
    ("max_pool(x, 2, strides=2)", _image),
    ("max_pool(x, (2, 3), strides=1, padding='same')", _image),
    ("average_pool(x, 2, strides=2)", _image),
    ("average_pool(x, 3, strides=2, padding='same')", _image),
    ("layer_normalization(x)", _x),
    ("layer_normalization(x, gamma=y, beta=z, axis=-1)", _x, normal(4), normal(4)),
    ("dot_product_attention(x, y, z)", normal(2, 3, 2, 4), normal(2, 5, 2, 4), normal(2, 5, 2, 4)),
    ("dot_product_attention(x, y, y, scale=0.3, is_causal=True)", normal(2, 3, 2, 4), normal(2, 3, 2, 4)),
):
    _op(f"ops.{_build}", *_inputs)

# Images
for _build in (
    "resize(x, (3, 4))",
    "resize(x, (8, 9), interpolation='nearest')",
    "resize(x, (8, 9), interpolation='bicubic')",
    "affine_transform(x, np.array([[1.0, 0.1, 0.5, -0.1, 1.0, 0.3, 0.0, 0.0]] * 2, np.float32))",
):
    _op(f"ops.image.{_build}", _image, gradient=False)
