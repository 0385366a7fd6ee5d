"""Attention layers."""

from __future__ import annotations

import numpy as np

from . import Table, normal

CASES = Table()
_add = CASES.layer
_two = (normal(2, 4, 3), normal(2, 5, 3))
_three = (*_two, normal(2, 5, 3))
_value_mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
_query_mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], bool)

for _layer in ("Attention", "AdditiveAttention"):
    _add(f"{_layer}()", *_two)
    _add(f"{_layer}()", *_three)
    _add(f"{_layer}()", normal(2, 4, 3), normal(2, 4, 3), call="layer(x, use_causal_mask=True)")
    _add(f"{_layer}()", *_two, call="layer(x, return_attention_scores=True)")
    _add(f"{_layer}()", *_two, call="layer(x, mask=[None, mask])", mask=_value_mask)
    _add(f"{_layer}()", *_two, call="layer(x, mask=[query_mask, mask])", mask=_value_mask, query_mask=_query_mask)
    _add(f"{_layer}(dropout=0.5)", *_two)
    _add(f"{_layer}(use_scale={_layer == 'Attention'})", *_three, call="layer(x, mask=[None, mask])", mask=_value_mask)
_add("Attention(use_scale=True)", *_two)
_add("Attention(score_mode='concat', use_scale=True)", *_two)
_add("Attention(score_mode='concat')", *_two, call="layer(x, return_attention_scores=True)")


def _multi(options: str, *inputs: object, call: str = "layer(x, x)", **given: np.ndarray) -> None:
    _add(f"MultiHeadAttention(2, 3{options})", *inputs, call=call, **given)


_x = normal(2, 4, 5)
_multi("", _x)
_multi("", _x, normal(2, 3, 6), call="layer(x[0], x[1])")
_multi("", _x, normal(2, 3, 6), normal(2, 3, 4), call="layer(x[0], x[1], key=x[2])")
_multi("", _x, normal(2, 3, 6), normal(2, 3, 4), call="layer(query=x[0], value=x[1], key=x[2])")
# Keras 3.15 on JAX fails here (value_dim is not key_dim) unless it is asked for the scores.
_multi(", value_dim=2, output_shape=7", _x, call="layer(x, x, return_attention_scores=True)")
_multi(", use_bias=False", _x)
_multi(", dropout=0.5", _x)
_multi(", kernel_regularizer='l2', bias_constraint='non_neg'", _x)
_multi("", _x, call="layer(x, x, use_causal_mask=True)")
_multi("", _x, call="layer(x, x, return_attention_scores=True)")
_mask = np.tril(np.ones((2, 4, 4), bool))
_mask[1, :, 2] = False
_multi("", _x, call="layer(x, x, attention_mask=mask)", mask=_mask)
_multi("", _x, call="layer(x, x, key_mask=mask)", mask=_query_mask)
_multi("", _x, normal(2, 5, 5), call="layer(x[0], x[1], value_mask=mask)", mask=_value_mask)
_multi(
    "",
    _x,
    normal(2, 5, 5),
    call="layer(x[0], x[1], query_mask=query, value_mask=mask)[:, :3]",  # the last query has no key
    mask=_value_mask,
    query=_query_mask,
)
_multi("", _x, call="layer(x, x, attention_mask=mask, use_causal_mask=True)", mask=_mask)
_volume = normal(2, 3, 4, 5)
_multi("", _volume)
for _axis in (1, 2):
    _n = _volume.shape[_axis]
    _along = np.random.default_rng(_axis).random((2, _volume.shape[3 - _axis], _n, _n)) < 0.7
    _multi(
        f", attention_axes=({_axis},)",
        _volume,
        call="layer(x, x, attention_mask=mask, return_attention_scores=True)",
        mask=_along | np.eye(_n, dtype=bool),
    )
_planes = np.random.default_rng(0).random((2, 3, 4, 2, 4)) < 0.7
_planes[..., 0, 0] = True
_multi(
    "",
    _volume,
    normal(2, 2, 4, 5),
    call="layer(x[0], x[1], attention_mask=mask, return_attention_scores=True)",
    mask=_planes,
)
_grouped = "GroupQueryAttention(3, num_query_heads=4, num_key_value_heads=2, name='attend')"
_add(_grouped, _x, call="layer(x, x)")
_add(_grouped, _x, normal(2, 3, 5), call="layer(x[0], x[1], return_attention_scores=True)")
