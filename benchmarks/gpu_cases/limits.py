"""This GPU's own limits, measured: multiply-adds, copies, and the tensor cores through PyTorch's products."""

from __future__ import annotations

from typing import Any

from benchmarks.gpu_cases.case import DEVICE, F32, torch
from benchmarks.gpu_cases.timing import Clock, best

COPIED = 1 << 28  # floats: 1 GiB, far beyond L2
PRODUCT = 8192
THREADS = 2048  # resident on a multiprocessor at most: so many chunks each
STEPS = 1 << 12


def fma_peak(k: Any, clock: Clock) -> float | None:
    """FLOP/s of plain multiply-adds; None while the module does not count the work of a device."""
    processors = torch.cuda.get_device_properties(0).multi_processor_count
    sums = k.empty((processors * THREADS,), F32)
    work = k.measure_fma_peak(STEPS, sums)
    return work / best(lambda: k.measure_fma_peak(STEPS, sums), clock) if work else None


def copies(k: Any, clock: Clock) -> dict[str, float]:
    """Bytes/s read and written, by our kernel and by the driver's copy."""
    x, y = k.empty((COPIED,), F32), k.empty((COPIED,), F32)
    k.fill(1.5, x)
    moved = 8.0 * COPIED

    def driver() -> None:
        y.data.copy_from_device_async(x.data, y.nbytes)

    return {
        "copy, dlbd": moved / best(lambda: k.measure_copy(x, y), clock),
        "copy, CUDA": moved / best(driver, clock),
    }


def product(dtype: Any, allow_tf32: bool, clock: Clock) -> float:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    try:
        a, b = (torch.randn(PRODUCT, PRODUCT, device=DEVICE).to(dtype) for _ in range(2))
        c = torch.empty_like(a)
        return 2.0 * PRODUCT**3 / best(lambda: torch.mm(a, b, out=c), clock)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def measure(k: Any, clock: Clock) -> dict[str, float]:
    """FLOP/s and bytes/s by the names that cases use, and what they come from."""
    found: dict[str, float] = copies(k, clock)
    found["copy"] = max(found.values())
    measured = fma_peak(k, clock)
    properties = torch.cuda.get_device_properties(0)
    clock_rate = getattr(properties, "clock_rate", 0) * 1e3  # Hz
    computed = 2.0 * 128 * properties.multi_processor_count * clock_rate  # 128 fp32 lanes each since Ampere's 8.6
    if measured:
        found["fma"] = measured
    if computed:
        found["fma, computed from the clock"] = computed
        found.setdefault("fma", computed)
    found["tf32"] = product(torch.float32, True, clock)
    found["tf32x3"] = found["tf32"] / 3  # three products each
    found["bfloat16"] = product(torch.bfloat16, False, clock)
    found["float16"] = product(torch.float16, False, clock)
    return found
