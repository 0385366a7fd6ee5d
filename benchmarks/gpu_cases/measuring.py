"""Checks, then times the operations' cases on this GPU; and the self-check on the host emulation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.gpu_cases.case import DEVICE, F32, TARGETS, TOLERANCE, Case, Draw, torch
from benchmarks.gpu_cases.timing import Clock, Timed, captured, recorded, summary, warm
from benchmarks.harness import wrong_by

SEED = 0
MOST_COPIED = 1 << 28  # floats of a copy that stands for more bytes


class Wrong(Exception):
    """A result that does not match its reference."""


def drawn(draws: dict[str, Draw], seed: int = SEED) -> dict[str, np.ndarray]:
    """The inputs on the host, for the self-check."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, d in draws.items():
        if d.given is not None:
            found[name] = np.array(d.given, d.dtype).reshape(d.shape)
        elif d.below:
            found[name] = rng.integers(0, d.below, d.shape).astype(d.dtype)
        else:
            found[name] = rng.standard_normal(d.shape, np.float32) * np.float32(d.scale)
    return found


def drawn_there(draws: dict[str, Draw], seed: int = SEED) -> dict[str, Any]:
    """The inputs on the GPU, as torch tensors."""
    rng = torch.Generator(DEVICE).manual_seed(seed)
    found = {}
    for name, d in draws.items():
        kind = getattr(torch, d.dtype)
        if d.given is not None:
            found[name] = torch.tensor(d.given, dtype=kind, device=DEVICE).reshape(d.shape)
        elif d.below:
            found[name] = torch.randint(d.below, d.shape, generator=rng, dtype=kind, device=DEVICE)
        else:
            found[name] = torch.randn(d.shape, generator=rng, device=DEVICE).mul_(d.scale)
    return found


def error_of(found: Any, reference: Any) -> float:
    """As harness.wrong_by, on the GPU."""
    if tuple(found.shape) != tuple(reference.shape):
        return math.inf
    error = (found.double() - reference).abs().max().item()
    scale = reference.abs().max().item()
    return error / scale if scale else error if math.isfinite(error) else math.inf


def check(case: Case, name: str, tensors: dict[str, Any], results: list[Any], reference: list[Any]) -> float:
    """The largest error; raises Wrong beyond the tolerance."""
    found = case.op.compared(case.sizes, tensors, [torch.as_tensor(x, device=DEVICE) for x in results])
    errors = [error_of(y, r) for y, r in zip(found, reference, strict=False)]
    worst = max(errors)
    if not worst <= (case.op.tolerance or TOLERANCE[case.precision]):
        raise Wrong(f"{name}: relative errors {', '.join(f'{e:.1e}' for e in errors)}")
    return worst


def set_precision(name: str) -> None:
    import dlbd

    dlbd.config.set_matmul_precision(name)
    if torch is not None:
        tf32 = name == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32


def raise_faults(k: Any) -> None:
    """Wait for the GPU, and raise what a kernel found in its data (a label out of range)."""
    flag = k.empty((1,), F32)
    k.fill(0.0, flag)
    k.download(flag, np.empty(1, np.float32))


def measure(case: Case, k: Any, clock: Clock, limits: dict[str, float], budget: float) -> dict[str, Any]:
    """One row: errors of every side, medians, ratios, the fraction of the limit."""
    import cupy

    row: dict[str, Any] = {"peers": {}, "errors": {}, "failures": {}}
    set_precision(case.precision)
    try:
        tensors = drawn_there(case.op.inputs(case.sizes))
        reference = case.op.reference(case.sizes, tensors)
        timed = {}
        try:
            timed["dlbd"] = _ours(case, k, tensors, reference, row)
        except Exception as error:  # the row says so; a broken device breaks the next case too, and the parent restarts
            row["failures"]["dlbd"] = f"{type(error).__name__}: {error}"
            return row
        for name, call in case.op.peers(case.sizes, tensors).items():
            try:
                one, results = (warm if name == "cupy" else captured)(call)
                if not case.op.stateful:
                    row["errors"][name] = check(case, name, tensors, results, reference)
                timed[name] = one
            except Exception as error:
                row["failures"][name] = f"{type(error).__name__}: {str(error)[:300]}"
        del reference
        cold = case.limit == "copy"
        copied = _copies(case, k) if cold else {}
        seconds = clock.alternate(timed | copied, cold, budget)
        _note(case, row, seconds, {name: one.way for name, one in timed.items()}, limits, list(copied))
        return row
    finally:
        set_precision("float32")
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        cupy.get_default_memory_pool().free_all_blocks()


def _ours(case: Case, k: Any, tensors: dict[str, Any], reference: list[Any], row: dict[str, Any]) -> Timed:
    import cupy

    arrays = {name: cupy.asarray(t) for name, t in tensors.items()}
    call, outputs = case.op.ours(k, case.sizes, arrays)
    timed = None
    for replayed in (False, True):
        if replayed and case.op.stateful:
            break
        if not case.op.stateful:
            for array in outputs:
                array.fill(math.nan)
        if timed is None:
            timed = recorded(k, call)
        else:
            timed.call()
        raise_faults(k)
        row["errors"]["dlbd"] = check(case, "dlbd", tensors, outputs, reference)
    assert timed is not None
    return timed


def _copies(case: Case, k: Any) -> dict[str, Timed]:
    """A copy that moves as many bytes as the case (or a part of them), by our kernel and by the driver."""
    n = min(int(case.work) // 8, MOST_COPIED)
    x, y = k.empty((n,), F32), k.empty((n,), F32)
    k.fill(1.5, x)
    return {
        "copy, dlbd": recorded(k, lambda: k.measure_copy(x, y)),
        "copy, CUDA": Timed(lambda: y.data.copy_from_device_async(x.data, y.nbytes), "eager"),
    }


def _note(
    case: Case,
    row: dict[str, Any],
    seconds: dict[str, list[float]],
    ways: dict[str, str],
    limits: dict[str, float],
    copies: list[str],
) -> None:
    row["peers"] = summary(seconds, ways)
    ours = row["peers"]["dlbd"]["median_seconds"]
    row["per_second"] = case.work / ours
    if copies:
        moved = 8.0 * min(int(case.work) // 8, MOST_COPIED)
        best = min(row["peers"].pop(name)["median_seconds"] for name in copies) * case.work / moved
        row["copy_seconds"] = best
        row["fraction"] = best / ours
        row["fraction_of_the_large_copy"] = row["per_second"] / limits["copy"]
    elif case.limit in limits:
        row["fraction"] = row["per_second"] / limits[case.limit]
    row["targets"] = [judged(TARGETS[name], row) for name in case.targets]


def judged(target: Any, row: dict[str, Any]) -> dict[str, Any]:
    value = target.value(row)
    return {"text": target.text, "value": value, "met": None if value is None else target.met(value)}


def self_check(case: Case) -> str:
    """The case at its tiny size, on the device and on the CPU twin: what is wrong with it, or nothing."""
    import cupy

    from dlbd import _cpu, _cuda

    host = drawn(case.op.inputs(case.tiny))
    set_precision(case.precision)
    try:
        there, results = case.op.ours(_cuda, case.tiny, {name: cupy.asarray(x) for name, x in host.items()})
        here, wanted = case.op.ours(_cpu, case.tiny, host)
        timed = recorded(_cuda, there)
        if not case.op.stateful:
            timed.call()
        raise_faults(_cuda)
        here()
    finally:
        set_precision("float32")
    errors = [wrong_by(y.get(), r) for y, r in zip(results, wanted, strict=True)]
    return "" if max(errors) <= TOLERANCE[case.precision] else f"relative errors {errors}"
