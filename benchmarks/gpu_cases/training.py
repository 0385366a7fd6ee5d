"""A training step of the seed documents' models at batch 32: dlbd's fit against PyTorch's loop.

PyTorch: eager, torch.compile(mode="reduce-overhead"), and the whole step captured as one CUDA graph; its batches lie on
the GPU already, while fit is given NumPy arrays. The check: the first losses are those that real Keras committed to
tests/golden/steps.json. Time is the clock's on the wall, over an epoch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import training_step
from benchmarks.gpu_cases.case import DEVICE, TARGETS, Call, torch
from benchmarks.gpu_cases.measuring import Wrong, judged
from benchmarks.gpu_cases.timing import summary
from benchmarks.harness import wrong_by
from tests.golden import programs

REPEATED = 10  # the programs' 20 batches, so that an epoch is 200 steps
ROUNDS = 7
TOLERANCE = 1e-4
PEER_TOLERANCE = 2e-3  # PyTorch's Adam has its epsilon in another place


@dataclass(frozen=True)
class Training:
    """A case of this family: it has its own way of measuring."""

    name: str
    program: str
    family: str = "training"
    targets: tuple[str, ...] = ("eager", "graphs")
    quick: bool = False


CASES = [
    Training(case.name, case.sizes["program"], quick=case.sizes["program"] == "003-dense")
    for case in training_step.CASES
]


def _ours(case: Training, x: np.ndarray, y: np.ndarray, repeated: int) -> Call:
    import dlbd

    with dlbd.device("cuda:0"):
        model = programs.compiled(dlbd, programs.PROGRAMS[case.program])
    many_x, many_y = np.tile(x, (repeated,) + (1,) * (x.ndim - 1)), np.tile(y, (repeated,) + (1,) * (y.ndim - 1))

    def epoch() -> None:
        with dlbd.device("cuda:0"):
            model.fit(many_x, many_y, batch_size=programs.BATCH, epochs=1, shuffle=False, verbose=0)

    return epoch


def losses(case: Training, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the first steps, through dlbd's fit on the GPU."""
    import dlbd

    with dlbd.device("cuda:0"):
        model = programs.compiled(dlbd, programs.PROGRAMS[case.program])
        return np.array(programs.step_losses(model, x, y, training_step.CHECKED_STEPS))


def _shapes(case: Training) -> list[tuple[int, ...]]:
    import dlbd

    with dlbd.device("cpu"):
        return [w.shape for w in programs.PROGRAMS[case.program].build(dlbd).get_weights()]


class Peer:
    """PyTorch's loop: ``kind`` "eager", "compile" or "graph"."""

    def __init__(self, kind: str, case: Training, x: np.ndarray, y: np.ndarray) -> None:
        from benchmarks.peers.with_torch import from_keras

        regression = case.program == "000-lstm"
        self.kind = kind
        self.loss_of = torch.nn.functional.mse_loss if regression else torch.nn.functional.cross_entropy
        self.model = from_keras(case.program, programs.initial_weights(_shapes(case))).to(DEVICE)
        inputs, labels = torch.from_numpy(x).to(DEVICE), torch.from_numpy(y).to(DEVICE)
        if x.ndim == 4:
            inputs = inputs.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            self.model = self.model.to(memory_format=torch.channels_last)
        self.x = inputs.split(programs.BATCH)
        self.y = (labels if regression else labels.long()).split(programs.BATCH)
        self.forward = torch.compile(self.model, mode="reduce-overhead") if kind == "compile" else self.model
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, eps=1e-7, fused=True, capturable=kind == "graph")
        self.step: Callable[[Any, Any], Any] = self._step

    def _step(self, x: Any, y: Any) -> Any:
        loss = self.loss_of(self.forward(x), y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def check(self, wanted: np.ndarray) -> None:
        """The first losses, before anything else has trained the model."""
        found = np.array([float(self._step(self.x[i], self.y[i])) for i in range(len(wanted))])
        error = wrong_by(found, wanted)
        if not error <= PEER_TOLERANCE:
            raise Wrong(f"{self.kind}: losses {found}, expected {wanted}")
        if self.kind == "graph":
            self.step = self._captured()

    def _captured(self) -> Callable[[Any, Any], Any]:
        x, y = self.x[0].clone(memory_format=torch.preserve_format), self.y[0].clone()
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            loss = self._step(x, y)

        def step(batch: Any, labels: Any) -> Any:
            x.copy_(batch)
            y.copy_(labels)
            graph.replay()
            return loss

        return step

    def epoch(self, repeated: int) -> None:
        for _ in range(repeated):
            for x, y in zip(self.x, self.y, strict=True):
                if self.kind == "compile":
                    torch.compiler.cudagraph_mark_step_begin()
                self.step(x, y)


def measure(case: Training, kinds: tuple[str, ...]) -> dict[str, Any]:
    row: dict[str, Any] = {"peers": {}, "errors": {}, "failures": {}}
    spec = next(c for c in training_step.CASES if c.sizes["program"] == case.program)
    arrays = training_step.inputs(spec, np.random.default_rng(0))
    x, y = arrays["x"], arrays["y"]
    wanted = training_step.reference(spec, arrays)[0]
    row["errors"]["dlbd"] = wrong_by(losses(case, x, y), wanted)
    if not row["errors"]["dlbd"] <= TOLERANCE:
        row["failures"]["dlbd"] = f"Wrong: relative error of the losses {row['errors']['dlbd']:.1e}"
        return row
    epochs: dict[str, Call] = {"dlbd": _ours(case, x, y, REPEATED)}
    for kind in kinds:
        try:
            peer = Peer(kind, case, x, y)
            peer.check(wanted)
            epochs[kind] = lambda peer=peer: peer.epoch(REPEATED)
            epochs[kind]()
        except Exception as error:
            epochs.pop(kind, None)
            row["failures"][kind] = f"{type(error).__name__}: {str(error)[:300]}"
    steps = REPEATED * len(x) // programs.BATCH
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    epochs["dlbd"]()
    for _ in range(ROUNDS):
        for name, epoch in epochs.items():
            torch.cuda.synchronize()
            started = time.perf_counter()
            epoch()
            torch.cuda.synchronize()
            seconds[name].append((time.perf_counter() - started) / steps)
    row["peers"] = summary(seconds, {"dlbd": "fit"})
    row["per_second"] = 1 / statistics.median(seconds["dlbd"])
    row["targets"] = [judged(TARGETS[name], row) for name in case.targets]
    return row


def self_check(case: Training) -> str:
    spec = next(c for c in training_step.CASES if c.sizes["program"] == case.program)
    arrays = training_step.inputs(spec, np.random.default_rng(0))
    error = wrong_by(losses(case, arrays["x"], arrays["y"]), training_step.reference(spec, arrays)[0])
    return "" if error <= TOLERANCE else f"relative error of the losses {error:.1e}"
