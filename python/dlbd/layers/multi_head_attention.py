"""MultiHeadAttention."""

from __future__ import annotations

import math
from typing import Any

from dlbd import initializers, ops, random
from dlbd.layers.arguments import fraction, positive
from dlbd.layers.attention import masked_softmax
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor, Variable, as_tensor


class MultiHeadAttention(Layer):
    """Attention in several learned subspaces at once ("Attention is all you need", 2017).

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys; scores are divided by its square root.
        value_dim: size of a head's values; ``key_dim`` by default.
        dropout: fraction of the attention weights dropped while training.
        use_bias: whether the projections have biases.
        output_shape: size of the output's last axis; that of the query by default.
        kernel_initializer, bias_initializer: of the projections.
        seed: of the dropout.

    Called with ``(query, value, key=None)``, each (batch, time, features); ``attention_mask`` (batch, query time,
    value time), ``use_causal_mask``, ``return_attention_scores`` as in Keras.
    Weights: kernel and bias of query, key, value, each (features, heads, size) and (heads, size), then of the output,
    (heads, size, features) and (features,).
    """

    supports_masking = True
    regularizable = ("kernel", "bias")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_heads = positive(num_heads, "num_heads", self.name)
        self.key_dim = positive(key_dim, "key_dim", self.name)
        self.value_dim = positive(value_dim, "value_dim", self.name) if value_dim else self.key_dim
        self.dropout = fraction(dropout, "dropout", self.name)
        self.use_bias = use_bias
        if isinstance(output_shape, (tuple, list)):
            if len(output_shape) != 1:
                raise ValueError(f"[{self.name}] output_shape must be one size; received {output_shape}")
            output_shape = output_shape[0]
        self.output_shape = None if output_shape is None else positive(output_shape, "output_shape", self.name)
        if attention_axes is not None and tuple(_as_list(attention_axes)) not in ((1,), (-2,)):
            raise NotImplementedError(
                f"[{self.name}] attention runs along axis 1, the time; received attention_axes={attention_axes}"
            )
        self.attention_axes = attention_axes
        self.flash_attention = flash_attention  # accepted: the kernel never stores the scores anyway
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def __call__(  # type: ignore[override]
        self, query: Any, value: Any = None, key: Any = None, **kwargs: Any
    ) -> Any:
        if value is None:
            raise TypeError(f"layer {self.name!r} (MultiHeadAttention) is called with (query, value, key=None)")
        tensors = [self._tensor(t) for t in (query, value, value if key is None else key)]
        for name, t in zip(("query_mask", "value_mask", "key_mask"), tensors, strict=True):
            if kwargs.get(name) is None and (name != "key_mask" or key is not None):
                kwargs[name] = t.mask
        if not self.built:
            self._build_for([t.shape for t in tensors])
        return super().__call__(tensors[0], *tensors[1:], **kwargs)

    def build(self, input_shape: Any, value_shape: Shape | None = None, key_shape: Shape | None = None) -> None:
        if value_shape is not None:
            shapes = [input_shape, value_shape, key_shape or value_shape]
        elif input_shape and isinstance(input_shape[0], (tuple, list)):
            shapes = list(input_shape)
        else:
            shapes = [input_shape] * 3
        if any(len(s) != 3 or s[-1] is None for s in shapes):
            raise ValueError(
                "MultiHeadAttention takes query, value and key of shape (batch, time, features) with known features; "
                f"received {shapes}"
            )
        query, value, key = shapes
        if value[1] != key[1]:
            raise ValueError(f"value and key must have the same number of time steps; received {value} and {key}")
        heads, width = self.num_heads, self.output_shape or query[-1]
        self.query_kernel, self.query_bias = self._projection("query", query[-1], self.key_dim)
        self.key_kernel, self.key_bias = self._projection("key", key[-1], self.key_dim)
        self.value_kernel, self.value_bias = self._projection("value", value[-1], self.value_dim)
        self.output_kernel, self.output_bias = self._pair("attention_output", (heads, self.value_dim, width), (width,))

    def _projection(self, name: str, features: int, size: int) -> tuple[Variable, Variable | None]:
        return self._pair(name, (features, self.num_heads, size), (self.num_heads, size))

    def _pair(self, name: str, shape: Shape, bias_shape: Shape) -> tuple[Variable, Variable | None]:
        kernel = self.add_weight(shape, self.kernel_initializer, name="kernel")
        bias = self.add_weight(bias_shape, self.bias_initializer, name="bias") if self.use_bias else None
        for variable in (kernel, bias):
            if variable is not None:
                variable.path = f"{self.name}/{name}/{variable.name}"
        return kernel, bias

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        q = self._project(query, self.query_kernel, self.query_bias)
        k = self._project(key, self.key_kernel, self.key_bias)
        v = self._project(value, self.value_kernel, self.value_bias)
        mask = self._mask(query_mask, value_mask, key_mask, attention_mask)
        drops = training and self.dropout > 0
        weights = None
        if drops or return_attention_scores:
            weights = self._attention_weights(q, k, mask, use_causal_mask)
            used = ops.dropout(weights, self.dropout, self.seed_generator.state) if drops else weights
            y = ops.transpose(ops.matmul(used, ops.transpose(v, (0, 2, 1, 3))), (0, 2, 1, 3))
        else:
            y = ops.dot_product_attention(q, k, v, mask=mask, is_causal=use_causal_mask)
        joined = self.num_heads * self.value_dim
        y = ops.dense(
            ops.reshape(y, (*y.shape[:2], joined)),
            ops.reshape(self.output_kernel, (joined, self.output_kernel.shape[-1])),
            self.output_bias,
        )
        return (y, weights) if return_attention_scores else y

    def _project(self, x: Tensor, kernel: Variable, bias: Variable | None) -> Tensor:
        features, heads, size = kernel.shape
        flat = None if bias is None else ops.reshape(bias, (heads * size,))
        y = ops.dense(x, ops.reshape(kernel, (features, heads * size)), flat)
        return ops.reshape(y, (*x.shape[:2], heads, size))

    @staticmethod
    def _mask(query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any) -> Tensor | None:
        """All of them joined, broadcast to (batch, heads, query time, value time)."""
        found = None
        parts = [(query_mask, (1, 3)), (value_mask, (1, 2)), (key_mask, (1, 2))]
        if attention_mask is not None:
            given = as_tensor(attention_mask)
            if given.dtype.kind != "b":
                given = ops.not_equal(given, 0)
            found = ops.expand_dims(given, 1) if given.ndim == 3 else given
        for mask, axes in parts:
            if mask is None:
                continue
            m = as_tensor(mask)
            wide = ops.reshape(m, (m.shape[0], *((1, m.shape[1], 1) if axes == (1, 3) else (1, 1, m.shape[1]))))
            found = wide if found is None else ops.logical_and(found, wide)
        return found

    def _attention_weights(self, q: Tensor, k: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        q = ops.multiply(ops.transpose(q, (0, 2, 1, 3)), 1.0 / math.sqrt(self.key_dim))
        return masked_softmax(ops.matmul(q, ops.transpose(k, (0, 2, 3, 1))), mask, causal)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        query = input_shape[0] if isinstance(input_shape[0], (tuple, list)) else input_shape
        return (*query[:-1], self.output_shape or query[-1])


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value]
