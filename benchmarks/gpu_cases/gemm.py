"""Matrix products: large ones in each precision against cuBLAS, and those of a training step."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_cases.case import Arrays, Call, Case, Draw, Operation, Sizes, empty, torch

LARGE = 1e11  # FLOP: beyond, CuPy's Python does not show either


class Gemm(Operation):
    """C = op(A) op(B); ``layout`` "NN", "NT" (B stored N x K) or "TN" (A stored K x M)."""

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        m, n, k = s["m"], s["n"], s["k"]
        return {
            "a": Draw((k, m) if s["layout"][0] == "T" else (m, k)),
            "b": Draw((n, k) if s["layout"][1] == "T" else (k, n)),
        }

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        transposed = [letter == "T" for letter in s["layout"]]
        shape = k.GemmShape(1, s["m"], s["n"], s["k"], *transposed, False, False, k.DType.float32)
        c, linear = empty(k, s["m"], s["n"]), k.Activation("linear")
        return lambda: k.gemm(shape, a["a"], a["b"], None, c, linear, False), [c]

    @staticmethod
    def _operands(s: Sizes, t: Arrays) -> tuple[Any, Any]:
        return tuple(x.T if letter == "T" else x for x, letter in zip((t["a"], t["b"]), s["layout"], strict=True))

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        half = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(self.precision)
        if half:
            a, b = self._operands(s, {name: x.to(half) for name, x in t.items()})
            return {"cublas": lambda: [torch.mm(a, b)]}
        a, b = self._operands(s, t)
        found: dict[str, Call] = {"cublas": lambda: [torch.mm(a, b)]}
        if self.precision == "float32" and 2.0 * s["m"] * s["n"] * s["k"] > LARGE:
            import cupy

            left, right = (cupy.asarray(x) for x in (a, b))
            c = cupy.empty((s["m"], s["n"]), "float32")
            found["cupy"] = lambda: [cupy.matmul(left, right, out=c)]
        return found

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        a, b = self._operands(s, t)
        return [a.double() @ b.double()]


def _case(precision: str, m: int, n: int, k: int, layout: str = "NN", **more: Any) -> Case:
    return Case(
        "gemm",
        f"{precision} {m}x{n}x{k} {layout}",
        Gemm(precision),
        {"m": m, "n": n, "k": k, "layout": layout},
        {"m": 33, "n": 18, "k": 20, "layout": layout},
        precision=precision,
        limit={"float32": "fma"}.get(precision, precision),
        work=2.0 * m * n * k,
        **more,
    )


def _cases() -> list[Case]:
    cases = [
        _case("float32", 8192, 8192, 8192, targets=("gemm",), quick=True),
        _case("bfloat16", 8192, 8192, 8192, targets=("gemm bf16",), quick=True),
    ]
    cases += [_case(p, 8192, 8192, 8192) for p in ("tf32x3", "tf32", "float16")]
    for n in (4096, 1024):
        cases += [_case(p, n, n, n, quick=p == "float32") for p in ("float32", "tf32x3", "tf32", "bfloat16")]
    cases += [_case("float32", 4096, 4096, 4096, layout) for layout in ("NT", "TN")]
    for m, n, k in [(32, 128, 784), (32, 10, 128), (128, 512, 512), (256, 1024, 1024)]:
        cases.append(_case("float32", m, n, k, quick=k == 784))
        cases.append(_case("float32", m, k, n, "NT"))  # gradient of the layer's input
        cases.append(_case("float32", k, n, m, "TN"))  # of its kernel
    return [*cases, _case("float32", 8, 4096, 4096), _case("float32", 1, 4096, 4096)]


CASES = _cases()
