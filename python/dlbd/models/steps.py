"""A step of a model, recorded once per signature and replayed from then on.

A step is a function of tensors that only launches kernels. Its first run under a recording is also a run; afterwards a
new batch is copied into the recording's buffers and the whole step is one call without the interpreter. A step that
reads a value on the host, or makes a variable, is not replayed but called each time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from dlbd import _cpu, backend
from dlbd.backend import Array
from dlbd.models.batches import Batch, Signature
from dlbd.models.staging import Staging
from dlbd.tensor import Tensor

# (tensors of the batch) -> whatever of it is to be read later
StepFunction = Callable[[Sequence[Tensor]], Any]

# A model's recordings beyond this many signatures push out the one unused longest: each holds the memory of a step.
KEPT_SIGNATURES = 12


class Step:
    """One signature's buffers, recording and outputs. Used by one thread at a time."""

    __slots__ = (
        "_host_work",
        "_replay",
        "_staging",
        "buffers",
        "function",
        "outputs",
        "recorded",
        "signature",
        "tensors",
        "version",
        "warm_ups",
    )

    def __init__(self, function: StepFunction, signature: Signature, warm_ups: int = 0) -> None:
        self.function = function
        self.warm_ups = warm_ups  # calls before it is recorded
        self.signature = signature
        self.buffers = [backend.empty(shape, dtype) for shape, dtype in signature]
        self._staging = None if all(isinstance(b, np.ndarray) for b in self.buffers) else Staging(self.buffers)
        self.tensors = [Tensor(b) for b in self.buffers]
        self.outputs: Any = None
        self.recorded = False
        self.version = -1
        self._replay: Callable[[], None] | None = None
        self._host_work: list[Callable[[], None]] = []  # what the optimizers in it do before each replay

    def run(self, batch: Batch) -> Any:
        """Outputs for this batch; they are overwritten by the next run."""
        if self._staging is None:
            batch.write(self.buffers)
        else:
            self._staging.write(batch)
        if self._replay is not None:
            for work in self._host_work:
                work()
            self._replay()
        elif self.recorded:  # and found to be more than a list of launches
            self._call()
        elif self.warm_ups > 0:
            self.warm_ups -= 1
            self._call()
        else:
            self._record()
        return self.outputs

    def run_array(self, x: Array) -> Any:
        """The same for a batch of one array that has this step's shape."""
        backend.write(self.buffers[0], x)
        if self._replay is None:
            self._call()
        else:
            self._replay()
        return self.outputs

    def _call(self) -> None:
        with backend.running_step() as self._host_work:
            self.outputs = self.function(self.tensors)

    def _record(self) -> None:
        recording = backend.current_twin().Recording()
        recording.begin()
        try:
            self._call()
        finally:
            recording.end()
        self.recorded = True
        if not recording.poisoned:
            self._replay = recording.replay


class Steps:
    """The recorded steps of one function of a model, by signature; several of one signature if threads run at once.

    Args:
        function: the step.
        fingerprint: changes when the recordings of the model are stale: asked whenever anything was moved or changed.
        eager: whether to call the function every time instead of recording it.
        warm_ups: calls before a step is recorded: those in which a function of the user's makes its variables.
    """

    def __init__(
        self, function: StepFunction, fingerprint: Callable[[], Any], eager: Callable[[], bool], warm_ups: int = 0
    ) -> None:
        self._warm_ups = warm_ups
        self._function = function
        self._eager = eager
        self._fingerprint = fingerprint
        self._free: OrderedDict[Signature, list[Step]] = OrderedDict()
        self._version = -1
        self._state: Any = None
        self._threads = 0

    def run(self, batch: Batch) -> Any:
        """One step. What it returns is overwritten by this thread's next one: for training and evaluation."""
        step = self.take(batch.signature)
        outputs = step.run(batch)
        self.give(step)
        return outputs

    def take_recorded(self, signature: Signature) -> Step | None:
        """A step that has run before, or None if there is no free one."""
        if self._version != backend.structure_version or signature not in self._free:
            return None
        return self.take(signature)

    def take(self, signature: Signature) -> Step:
        """A step that nobody else uses. Give it back afterwards (not after an error)."""
        version = backend.structure_version
        threads = _cpu.num_threads()
        if self._version != version or self._threads != threads:
            state = self._fingerprint()
            if self._state != state or self._threads != threads:
                self._free.clear()
            self._version, self._threads, self._state = version, threads, state
        free = self._free.get(signature)
        step = None
        if free:
            with suppress(IndexError):  # another thread was faster
                step = free.pop()
        if step is None:
            step = Step(self._function, signature, self._warm_ups)
            step.recorded = self._eager()
        step.version = version
        return step

    def give(self, step: Step) -> None:
        if step.version != backend.structure_version:
            return  # it may be stale: a new recording is cheap
        free = self._free.get(step.signature)
        if free is None:
            free = self._free[step.signature] = []
            if len(self._free) > KEPT_SIGNATURES:
                self._free.popitem(last=False)
        free.append(step)
