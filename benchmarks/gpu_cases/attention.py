"""Attention, 16384 tokens of width 2048: float32, and bfloat16 products against FlashAttention-2. Causal counts half.

dlbd keeps float32 arrays and rounds them to bfloat16 on the way into the tensor cores; PyTorch gets bfloat16 arrays.
"""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_cases.case import Arrays, Call, Case, Draw, Operation, Sizes, empty, torch

TOKENS, WIDTH = 16384, 2048
MOST_SCORES = 1 << 30  # elements of B x H x T x T that PyTorch's plain way may hold


class Attention(Operation):
    def __init__(self, precision: str, training: bool) -> None:
        self.precision, self.training = precision, training

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        shape = (s["b"], s["t"], s["h"], s["d"])
        return {name: Draw(shape) for name in ("q", "k", "v", "dy")}

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        b, t, h, d = (s[n] for n in "bthd")
        shape = k.AttentionShape(b, h, t, t, d, d, s["causal"], k.DType.float32)
        operands, scale = (a["q"], a["k"], a["v"], None, None), d**-0.5
        y, lse = empty(k, b, t, h, d), empty(k, b, h, t)
        if not self.training:
            return lambda: k.attention_forward(shape, *operands, scale, y, None), [y]
        dq, dk, dv = (empty(k, b, t, h, d) for _ in range(3))

        def call() -> None:
            k.attention_forward(shape, *operands, scale, y, lse)
            k.attention_backward(shape, *operands, scale, y, lse, a["dy"], dq, False, dk, False, dv, False, None)

        return call, [y, dq, dk, dv]

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        half = self.precision == "bfloat16"
        q, k, v, dy = ((t[n].bfloat16() if half else t[n]).transpose(1, 2) for n in ("q", "k", "v", "dy"))
        backends = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
        if not half:
            backends = {"efficient": SDPBackend.EFFICIENT_ATTENTION}
            if s["b"] * s["h"] * s["t"] ** 2 <= MOST_SCORES:
                backends["math"] = SDPBackend.MATH
        return {name: self._peer(s, backend, sdpa_kernel, q, k, v, dy) for name, backend in backends.items()}

    def _peer(self, s: Sizes, backend: Any, sdpa_kernel: Any, q: Any, k: Any, v: Any, dy: Any) -> Call:
        leaves = [x.detach().requires_grad_(self.training) for x in (q, k, v)]

        def call() -> list[Any]:
            with sdpa_kernel([backend]):
                y = torch.nn.functional.scaled_dot_product_attention(*leaves, is_causal=s["causal"])
                found = [y.detach()]
                if self.training:
                    found += torch.autograd.grad(y, leaves, dy)
            return [x.transpose(1, 2) for x in found]

        return call

    def compared(self, s: Sizes, t: Arrays, results: list[Any]) -> list[Any]:
        return [torch.stack([x[0, :, 0], x[-1, :, -1]]) for x in results]

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        """Of the first and the last head: they do not know of each other."""
        q, k, v, dy = ([t[n][0, :, 0].double(), t[n][-1, :, -1].double()] for n in ("q", "k", "v", "dy"))
        heads = [self._head(*x, s["causal"]) for x in zip(q, k, v, dy, strict=True)]
        return [torch.stack(list(x)) for x in zip(*heads, strict=True)]

    def _head(self, q: Any, k: Any, v: Any, dy: Any, causal: bool) -> list[Any]:
        scale = q.shape[-1] ** -0.5
        scores = q @ k.T * scale
        if causal:
            scores.masked_fill_(torch.ones_like(scores, dtype=torch.bool).triu(1), float("-inf"))
        p = torch.softmax(scores, -1)
        y = p @ v
        if not self.training:
            return [y]
        ds = p * (dy @ v.T - (dy * y).sum(-1, keepdim=True)) * scale
        return [y, ds @ k, ds.T @ q, p.T @ dy]


def _case(precision: str, d: int, t: int, causal: bool, training: bool) -> Case:
    # seven products instead of two: the scores are made again in the backward
    flop = 4.0 * TOKENS * t * WIDTH * (0.5 if causal else 1.0) * (3.5 if training else 1.0)
    return Case(
        "attention",
        f"{precision} D{d} T{t}{' causal' if causal else ''}, forward{' + backward' if training else ''}",
        Attention(precision, training),
        {"b": TOKENS // t, "t": t, "h": WIDTH // d, "d": d, "causal": causal},
        {"b": 1, "t": 70, "h": 2, "d": d, "causal": causal},
        precision=precision,
        limit="fma" if precision == "float32" else precision,
        work=flop,
        targets=("attention",) if precision == "bfloat16" else (),
        quick=(d, t, causal) == (128, 2048, True),
    )


CASES = [
    _case(precision, d, t, causal, training)
    for precision in ("bfloat16", "float32")
    for d in (64, 128)
    for t in (512, 2048, 8192)
    for causal in (False, True)
    for training in (False, True)
]
