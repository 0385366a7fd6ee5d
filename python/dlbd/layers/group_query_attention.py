"""GroupQueryAttention: several query heads for each head of keys and values."""

from __future__ import annotations

from typing import Any

from dlbd.layers.arguments import positive
from dlbd.layers.multi_head_attention import MultiHeadAttention


class GroupQueryAttention(MultiHeadAttention):
    """MultiHeadAttention in which groups of query heads share a head of keys and values (Ainslie et al., 2023).

    Args:
        head_dim: size of a head.
        num_query_heads: number of query heads.
        num_key_value_heads: number of heads of keys and values; it divides ``num_query_heads``.
        dropout, use_bias, flash_attention, kernel_initializer, bias_initializer, seed, kwargs: as of
            :class:`MultiHeadAttention`.

    Called as :class:`MultiHeadAttention`, with the same options. Weights: likewise, with as many heads as there are.

    Raises:
        ValueError: an argument or a shape is out of place.

    Example:
        >>> layer = dlbd.layers.GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
        >>> layer(np.ones((3, 5, 8)), np.ones((3, 7, 8))).shape
        (3, 5, 8)
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_query_heads,
            head_dim,
            dropout=dropout,
            use_bias=use_bias,
            flash_attention=flash_attention,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            seed=seed,
            **kwargs,
        )
        self.head_dim, self.num_query_heads = self.key_dim, self.num_heads
        self.num_key_value_heads = positive(num_key_value_heads, "num_key_value_heads", self.name)
        if self.num_heads % self.num_key_value_heads:
            raise ValueError(
                f"[{self.name}] num_key_value_heads must divide num_query_heads; received {num_key_value_heads} and "
                f"{num_query_heads}"
            )

    def _heads_of(self, name: str) -> int:
        return self.num_query_heads if name == "query" else self.num_key_value_heads
