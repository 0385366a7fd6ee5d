"""Convolution in float32 on ResNet-50's shapes, N = 32: forward, gradients of the input and of the kernel.

A strided "same" is given as "valid" on the padded input: libraries disagree on which side an odd pad goes to.
"""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_cases.case import Arrays, Call, Case, Draw, Operation, Sizes, empty, torch


def _out(s: Sizes) -> int:
    return int(s["h"] if s["padding"] == "same" else (s["h"] - s["k"]) // s["stride"] + 1)


class Conv(Operation):
    """``part``: "forward", "data" or "weights"."""

    def __init__(self, part: str) -> None:
        self.part = part

    def inputs(self, s: Sizes) -> dict[str, Draw]:
        p = _out(s)
        return {
            "x": Draw((s["n"], s["h"], s["h"], s["c"])),
            "w": Draw((s["k"], s["k"], s["c"], s["f"])),
            "dy": Draw((s["n"], p, p, s["f"])),
        }

    def ours(self, k: Any, s: Sizes, a: Arrays) -> tuple[Call, list[Any]]:
        x, w, dy = a["x"], a["w"], a["dy"]
        strides = (s["stride"],) * 2
        shape = k.ConvShape(x.shape, w.shape, strides, s["padding"], (1, 1), 1, k.DType.float32)
        out = empty(k, *{"forward": dy, "data": x, "weights": w}[self.part].shape)
        linear = k.Activation("linear")
        calls: dict[str, Call] = {
            "forward": lambda: k.conv_forward(shape, x, w, None, out, linear),
            "data": lambda: k.conv_backward_data(shape, dy, w, None, out, linear),
            "weights": lambda: k.conv_backward_weights(shape, x, dy, None, linear, None, out, None),
        }
        return calls[self.part], [out]

    def _call(self, s: Sizes, x: Any, w: Any, dy: Any) -> Call:
        """By cuDNN; arrays and results in our order of axes, whatever their strides."""
        stride, pad = [s["stride"]] * 2, [s["k"] // 2 if s["padding"] == "same" else 0] * 2

        def forward() -> list[Any]:
            return [torch.nn.functional.conv2d(x, w, None, stride, pad).permute(0, 2, 3, 1)]

        def backward() -> list[Any]:
            wanted = [self.part == "data", self.part == "weights", False]
            dx, dw, _ = torch.ops.aten.convolution_backward(
                dy, x, w, None, stride, pad, [1, 1], False, [0, 0], 1, wanted
            )
            return [dx.permute(0, 2, 3, 1) if self.part == "data" else dw.permute(2, 3, 1, 0)]

        return forward if self.part == "forward" else backward

    def peers(self, s: Sizes, t: Arrays) -> dict[str, Call]:
        found = {}
        for name, layout in (("cudnn", torch.channels_last), ("cudnn nchw", torch.contiguous_format)):
            x, dy = (t[n].permute(0, 3, 1, 2).contiguous(memory_format=layout) for n in ("x", "dy"))
            w = t["w"].permute(3, 2, 0, 1).contiguous(memory_format=layout)
            found[name] = self._call(s, x, w, dy)
        return found

    def reference(self, s: Sizes, t: Arrays) -> list[Any]:
        x, dy = (t[n].double().permute(0, 3, 1, 2).contiguous() for n in ("x", "dy"))
        w = t["w"].double().permute(3, 2, 0, 1).contiguous()
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False):
            return list(self._call(s, x, w, dy)())


_SHAPES = [  # name, H (= W), C, kernel, F, stride, padding, quick
    ("7x7/2 224 3 -> 64", 229, 3, 7, 64, 2, "valid", False),
    ("1x1 56 64 -> 64", 56, 64, 1, 64, 1, "valid", False),
    ("3x3 56 64 -> 64", 56, 64, 3, 64, 1, "same", True),
    ("1x1 56 64 -> 256", 56, 64, 1, 256, 1, "valid", False),
    ("1x1 56 256 -> 64", 56, 256, 1, 64, 1, "valid", False),
    ("3x3/2 56 128 -> 128", 57, 128, 3, 128, 2, "valid", False),
    ("1x1/2 56 256 -> 512", 56, 256, 1, 512, 2, "valid", False),
    ("3x3 28 128 -> 128", 28, 128, 3, 128, 1, "same", False),
    ("1x1 28 512 -> 128", 28, 512, 1, 128, 1, "valid", False),
    ("3x3 14 256 -> 256", 14, 256, 3, 256, 1, "same", False),
    ("1x1 14 256 -> 1024", 14, 256, 1, 1024, 1, "valid", False),
    ("3x3/2 14 512 -> 512", 15, 512, 3, 512, 2, "valid", False),
    ("3x3 7 512 -> 512", 7, 512, 3, 512, 1, "same", True),
    ("1x1 7 2048 -> 512", 7, 2048, 1, 512, 1, "valid", True),
]
_SEED = [  # of the seed document's network: no target, it is bound by launches
    ("3x3 28 1 -> 32", 28, 1, 3, 32, 1, "valid", False),
    ("3x3 13 32 -> 64", 13, 32, 3, 64, 1, "valid", False),
    ("3x3 5 64 -> 64", 5, 64, 3, 64, 1, "valid", False),
]


def _cases() -> list[Case]:
    cases = []
    for name, h, c, k, f, stride, padding, quick in _SHAPES + _SEED:
        sizes = {"n": 32, "h": h, "c": c, "k": k, "f": f, "stride": stride, "padding": padding}
        tiny = sizes | {"n": 2, "h": max(k, 5) + stride, "c": min(c, 5), "f": 6}
        resnet = h not in (13, 5) and c > 1
        for part in ("forward", "data", "weights"):
            if part == "data" and c <= 3:
                continue  # the first layer's: nobody wants it
            cases.append(
                Case(
                    "conv",
                    f"{part} {name}",
                    Conv(part),
                    sizes,
                    tiny,
                    work=2.0 * 32 * _out(sizes) ** 2 * k * k * c * f,
                    targets=("conv",) if resnet else (),
                    quick=quick,
                )
            )
    return cases


CASES = _cases()
