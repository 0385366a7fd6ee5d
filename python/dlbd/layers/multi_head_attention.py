"""MultiHeadAttention."""

from __future__ import annotations

import math
import operator
from typing import Any

from dlbd import initializers, ops, random
from dlbd.layers.arguments import fraction, positive
from dlbd.layers.attention import masked_softmax
from dlbd.layers.base import Layer, Shape
from dlbd.tensor import Tensor, Variable, as_tensor


class MultiHeadAttention(Layer):
    """Attention in several learned subspaces at once (Vaswani et al., 2017, "Attention is all you need").

    Each head computes ``softmax(q @ k^T / sqrt(key_dim)) @ v`` of its projections; the output projects them together.

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; ``key_dim`` by default.
        dropout: fraction of the attention weights dropped while training; 0 by default.
        use_bias: whether the projections have biases; True by default.
        output_shape: size of the output's last axis; that of the query by default.
        attention_axes: the axes along which to attend; by default all between batch and features. Along the others,
            each position attends by itself.
        flash_attention: accepted; changes nothing.
        kernel_initializer, bias_initializer: of the projections; "glorot_uniform" and "zeros" by default.
        seed: of the dropout.
        kwargs: see :class:`Layer`.

    Called with ``(query, value, key=None)``, each (batch, time, features), with more axes before the features if
    wanted; the key is the value by default. The output has the query's shape but for its last axis. Options of the
    call:

    - ``attention_mask``, bool, (batch, query time, value time), also without the batch: what each query may see.
    - ``use_causal_mask=True``: a query sees the values up to its own time step.
    - ``return_attention_scores=True``: the weights as well, (batch, other axes, heads, query's attention axes,
      value's attention axes).

    Weights: kernel and bias of query, key, value, each (features, heads, size) and (heads, size), then of the output,
    (heads, size, features) and (features,).

    Raises:
        ValueError: an argument or a shape is out of place.
        TypeError: it is called without a value.

    Example:
        >>> layer = dlbd.layers.MultiHeadAttention(num_heads=2, key_dim=4)
        >>> y, scores = layer(np.ones((3, 5, 6)), np.ones((3, 7, 6)), return_attention_scores=True)
        >>> y.shape, scores.shape
        ((3, 5, 6), (3, 2, 5, 7))
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
        self.attention_axes = None if attention_axes is None else [operator.index(a) for a in _as_list(attention_axes)]
        self.flash_attention = flash_attention  # accepted: the kernel never stores the scores anyway
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def __call__(  # type: ignore[override]
        self, query: Any, value: Any = None, key: Any = None, **kwargs: Any
    ) -> Any:
        if value is None:
            raise TypeError(f"layer {self.name!r} ({type(self).__name__}) is called with (query, value, key=None)")
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
        if any(len(s) < 3 or len(s) != len(shapes[0]) or s[-1] is None for s in shapes):
            raise ValueError(
                f"{type(self).__name__} takes query, value and key of shape (batch, time, features), or all three with "
                f"more axes before the features, which must be known; received {shapes}"
            )
        query, value, key = shapes
        self._attended, self._others = self._axes(len(query))
        if value[1:-1] != key[1:-1]:
            raise ValueError(f"value and key must have the same number of time steps; received {value} and {key}")
        if any(None not in (query[a], value[a]) and query[a] != value[a] for a in self._others):
            raise ValueError(
                f"query and value must agree along the axes {self._others}, along which nothing attends; "
                f"received {query} and {value}"
            )
        heads, width = self.num_heads, self.output_shape or query[-1]
        self.query_kernel, self.query_bias = self._projection("query", query[-1], self.key_dim)
        self.key_kernel, self.key_bias = self._projection("key", key[-1], self.key_dim)
        self.value_kernel, self.value_bias = self._projection("value", value[-1], self.value_dim)
        self.output_kernel, self.output_bias = self._pair("attention_output", (heads, self.value_dim, width), (width,))

    def _axes(self, rank: int) -> tuple[list[int], list[int]]:
        """The axes along which to attend, and the others between batch and features."""
        between = range(1, rank - 1)
        if self.attention_axes is None:
            return list(between), []
        attended = [a % rank if -rank <= a < rank else a for a in self.attention_axes]
        if not attended or len(set(attended)) != len(attended) or not set(attended) <= set(between):
            raise ValueError(
                f"attention_axes must name axes between batch and features, each once; received {self.attention_axes} "
                f"for inputs with {rank} axes"
            )
        return attended, [a for a in between if a not in attended]

    def _projection(self, name: str, features: int, size: int) -> tuple[Variable, Variable | None]:
        heads = self._heads_of(name)
        return self._pair(name, (features, heads, size), (heads, size))

    def _heads_of(self, name: str) -> int:
        """How many heads the query, the key or the value has."""
        return self.num_heads

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
        q_shape, k_shape = query.shape, key.shape
        if len(self._attended) > 1 and use_causal_mask:
            raise ValueError(f"use_causal_mask needs one axis to attend along; received {self._attended}")
        q, k, v = (self._folded(t) for t in (q, k, v))
        mask = self._mask((query_mask, query), (value_mask, value), (key_mask, key), attention_mask)
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
            self._unfolded(y, q_shape, joined),
            ops.reshape(self.output_kernel, (joined, self.output_kernel.shape[-1])),
            self.output_bias,
        )
        if not return_attention_scores:
            return y
        assert weights is not None
        if len(q_shape) > 3:
            inner = *(q_shape[a] for a in self._attended), *(k_shape[a] for a in self._attended)
            outer = *(q_shape[a] for a in (0, *self._others)), self.num_heads
            weights = ops.reshape(weights, (*outer, *inner))
        return y, weights

    def _project(self, x: Tensor, kernel: Variable, bias: Variable | None) -> Tensor:
        features, heads, size = kernel.shape
        flat = None if bias is None else ops.reshape(bias, (heads * size,))
        y = ops.dense(x, ops.reshape(kernel, (features, heads * size)), flat)
        y = ops.reshape(y, (*x.shape[:-1], heads, size))
        return y if heads == self.num_heads else ops.repeat(y, self.num_heads // heads, axis=-2)

    def _folded(self, x: Tensor) -> Tensor:
        """(batch, axes, ...) as (batch and others, attended, ...): what the kernel knows."""
        rank = 1 + len(self._attended) + len(self._others)
        if rank == 2:
            return x
        order = 0, *self._others, *self._attended
        sizes = [math.prod(x.shape[a] for a in axes) for axes in ((0, *self._others), self._attended)]
        moved = x if order == tuple(range(rank)) else ops.transpose(x, (*order, *range(rank, x.ndim)))
        return ops.reshape(moved, (*sizes, *x.shape[rank:]))

    def _unfolded(self, y: Tensor, query_shape: tuple[int, ...], features: int) -> Tensor:
        """What the kernel gives, (batch and others, attended, heads, size), with the query's axes."""
        order = 0, *self._others, *self._attended, len(query_shape) - 1
        y = ops.reshape(y, (*(query_shape[a] for a in order[:-1]), features))
        back = tuple(order.index(a) for a in range(len(order)))
        return y if order == tuple(range(len(order))) else ops.transpose(y, back)

    def _mask(self, query: Any, value: Any, key: Any, attention_mask: Any) -> Tensor | None:
        """All of them joined, broadcast to (batch and others, heads, query time, value time).

        Those of query, value and key come as pairs with the input that they belong to.
        """
        found = None if attention_mask is None else self._given_mask(attention_mask, query[1].shape, key[1].shape)
        for (mask, x), time in ((query, 2), (value, 3), (key, 3)):
            if mask is None:
                continue
            m = as_tensor(mask)
            wanted = x.shape[:-1]
            if m.ndim < len(wanted):
                m = ops.broadcast_to(ops.reshape(m, m.shape + (1,) * (len(wanted) - m.ndim)), wanted)
            wide = ops.expand_dims(self._folded(m), (1, 5 - time))
            found = wide if found is None else ops.logical_and(found, wide)
        return found

    def _given_mask(self, mask: Any, query: tuple[int, ...], key: tuple[int, ...]) -> Tensor:
        """``attention_mask``: its last axes are those to attend along, the first ones batch, others and heads."""
        given = as_tensor(mask)
        if given.dtype.kind != "b":
            given = ops.not_equal(given, 0)
        inner = *(query[a] for a in self._attended), *(key[a] for a in self._attended)
        rank = len(query) + len(self._attended)
        if given.ndim < len(inner) or given.ndim > rank:
            raise ValueError(f"attention_mask must end with the axes {inner}; received shape {given.shape}")
        lead = given.shape[: given.ndim - len(inner)]
        given = ops.reshape(given, (*lead, *(1,) * (rank - given.ndim), *given.shape[len(lead) :]))
        if rank == 4:
            return given
        outer = tuple(query[a] for a in (0, *self._others))
        wide = ops.broadcast_to(given, (*outer, given.shape[len(outer)], *inner))
        half = len(self._attended)
        times = math.prod(inner[:half]), math.prod(inner[half:])
        return ops.reshape(wide, (math.prod(outer), given.shape[len(outer)], *times))

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
