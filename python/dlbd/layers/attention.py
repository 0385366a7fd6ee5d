"""Attention by dot products (Luong) and by sums (Bahdanau)."""

from __future__ import annotations

from typing import Any

from dlbd import ops, random
from dlbd.layers.arguments import fraction, one_of
from dlbd.layers.base import Layer, Shape, is_shape
from dlbd.tensor import Tensor, as_tensor


class Attention(Layer):
    """``softmax(query @ key^T) @ value`` (Luong et al., 2015), not scaled by the square root of the dimension.

    Args:
        use_scale: multiply the scores by a trained scalar; False by default.
        score_mode: "dot" (the default), or "concat" for ``sum(tanh(query + key))`` with a trained factor, after
            Bahdanau et al. (2015).
        dropout: fraction of the attention weights dropped while training; 0 by default.
        seed: of the dropout.
        kwargs: see :class:`Layer`.

    Called with ``[query, value]`` or ``[query, value, key]``: (batch, Tq, d), (batch, Tv, dv) and (batch, Tv, d); the
    key is the value by default. A bare tensor or a list of one is self-attention: all three are the same. The output
    is (batch, Tq, dv). Options of the call:

    - ``mask=[query_mask, value_mask]``, bool, (batch, Tq) and (batch, Tv); a query that may see nothing gives zeros.
    - ``use_causal_mask=True``: a query sees the values up to its own time step.
    - ``return_attention_scores=True``: the weights (batch, Tq, Tv) as well.

    Weights: scale (), with ``use_scale``; concat_score_weight (), with "concat".

    Raises:
        ValueError: ``score_mode`` or ``dropout`` is out of place, or (at the call) the inputs' shapes do not fit.

    Example:
        >>> query, value = [[[0.0, 0.0]]], [[[1.0, 2.0], [3.0, 4.0]]]
        >>> dlbd.layers.Attention()([np.array(query), np.array(value)]).numpy().tolist()  # all scores are 0: the mean
        [[[2.0, 3.0]]]
    """

    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.score_mode = one_of(score_mode, ("dot", "concat"), "score_mode", self.name)
        self.dropout = fraction(dropout, "dropout", self.name)
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        self._checked(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = (
            self.add_weight((), "ones", name="concat_score_weight") if self.score_mode == "concat" else None
        )

    def _checked(self, input_shape: Any) -> list[Shape]:
        shapes = [tuple(input_shape)] if is_shape(input_shape) else list(input_shape)
        if not 1 <= len(shapes) <= 3 or any(len(s) != 3 for s in shapes):
            raise ValueError(
                f"{type(self).__name__} takes [query, value] or [query, value, key], each (batch, time, dimension), or "
                f"one tensor for self-attention; received shapes {input_shape}"
            )
        query, key = shapes[0], shapes[-1]
        if query[-1] != key[-1]:
            raise ValueError(f"query and key must share their last size; received {query} and {key}")
        return shapes

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        query = tensors[0]
        value = tensors[1] if len(tensors) > 1 else query
        key = tensors[2] if len(tensors) > 2 else value
        query_mask, value_mask = self._masks(mask)
        drops = training and self.dropout > 0
        if self._fuses() and not drops and not return_attention_scores:
            y = self._fused(query, key, value, value_mask, use_causal_mask)
            weights = None
        else:
            seen = None if value_mask is None else ops.expand_dims(value_mask, 1)
            weights = masked_softmax(self._scores(query, key), seen, use_causal_mask)
            used = ops.dropout(weights, self.dropout, self.seed_generator.state) if drops else weights
            y = ops.matmul(used, value)
        if query_mask is not None:
            y = ops.where(ops.expand_dims(query_mask, -1), y, 0.0)
        return (y, weights) if return_attention_scores else y

    @staticmethod
    def _masks(mask: Any) -> tuple[Tensor | None, Tensor | None]:
        if mask is None:
            return None, None
        given = list(mask) if isinstance(mask, (list, tuple)) else [mask]
        found = [None if m is None else as_tensor(m) for m in given]
        return found[0], found[1] if len(found) > 1 else found[0]

    def _fused(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        if self.scale is not None:
            query = ops.multiply(query, self.scale)
        q, k, v = (ops.expand_dims(t, 2) for t in (query, key, value))
        seen = None if mask is None else ops.reshape(mask, (mask.shape[0], 1, 1, mask.shape[1]))
        y = ops.dot_product_attention(q, k, v, mask=seen, scale=1.0, is_causal=causal)
        return ops.squeeze(y, 2)

    def _fuses(self) -> bool:
        """Whether the kernel that never stores the scores can be used."""
        return self.score_mode == "dot"

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        """(batch, query time, key time)."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.swapaxes(key, -2, -1))
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        both = _sums(query, key)
        if self.scale is not None:
            both = ops.multiply(both, self.scale)
        return ops.multiply(ops.sum(ops.tanh(both), axis=-1), self.concat_score_weight)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if isinstance(previous_mask, (list, tuple)):
            return previous_mask[0]
        return previous_mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._checked(input_shape)
        value = shapes[1] if len(shapes) > 1 else shapes[0]
        return (*shapes[0][:-1], value[-1])


class AdditiveAttention(Attention):
    """``softmax(sum(scale tanh(query + key))) @ value`` (Bahdanau et al., 2015).

    Args:
        use_scale: a trained factor for each of the d features; True by default.
        dropout: fraction of the attention weights dropped while training; 0 by default.
        seed: of the dropout.
        kwargs: see :class:`Layer`.

    Called as :class:`Attention`, with the same options. Weights: scale (d,), with ``use_scale``.

    Raises:
        ValueError: ``dropout`` is out of place, or (at the call) the inputs' shapes do not fit.

    Example:
        >>> layer = dlbd.layers.AdditiveAttention()
        >>> y, weights = layer([np.ones((2, 5, 3)), np.ones((2, 7, 3))], return_attention_scores=True)
        >>> y.shape, weights.shape
        ((2, 5, 3), (2, 5, 7))
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(use_scale, dropout=dropout, seed=seed, **kwargs)

    def build(self, input_shape: Any) -> None:
        features = self._checked(input_shape)[0][-1]
        self.scale = self.add_weight((features,), "glorot_uniform", name="scale") if self.use_scale else None

    def _fuses(self) -> bool:
        return False

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        scores = ops.tanh(_sums(query, key))
        if self.scale is None:
            return ops.sum(scores, axis=-1)
        return ops.squeeze(ops.matmul(scores, ops.expand_dims(self.scale, 1)), -1)


def _sums(query: Tensor, key: Tensor) -> Tensor:
    """Each query's with each key: (batch, query time, key time, features)."""
    return ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))


def masked_softmax(scores: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Softmax over the last axis of what the mask (broadcast to the scores) lets see; zeros if that is nothing."""
    if causal:
        rows, columns = scores.shape[-2:]
        lower = ops.greater_equal(ops.expand_dims(ops.arange(rows), 1), ops.expand_dims(ops.arange(columns), 0))
        mask = lower if mask is None else ops.logical_and(mask, lower)
    if mask is None:
        return ops.softmax(scores, -1)
    weights = ops.softmax(ops.where(mask, scores, -1e9), -1)
    return ops.where(mask, weights, 0.0)
