"""Whether a session's JVM and its executors live."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from dlbd.data.errors import missing

try:
    from py4j.protocol import Py4JError
except ImportError as error:
    raise missing("spark", error) from error

_PATIENCE = 3.0  # seconds to wait for an answer of executors
_PATIENCE_JVM = 5.0  # and for all that the JVM is asked at once
_ASKED = 4  # executors: of a large cluster some tell enough


def asked(question: Callable[[], Any]) -> Any:
    """What a question to the JVM gives; None if there is no JVM any more, its context was stopped, or it is frozen."""
    return _first_answer([question], _PATIENCE_JVM)


def any_answers(context: Any) -> bool:
    """Whether one executor answers: what is frozen, or gone, does not, long before Spark itself counts it as lost.

    Some are asked for their threads, as Spark's own pages do. Where tasks run in the driver, that has answered already.
    """
    spark = context._jsc.sc()
    if spark.isLocal():
        return True

    def answers(executor: str) -> Callable[[], Any]:
        return lambda: spark.getExecutorThreadDump(executor).isDefined() or None

    found = spark.getExecutorIds()
    executors = [found.apply(i) for i in range(found.size())]
    some = random.sample(executors, min(_ASKED, len(executors)))
    return _first_answer([answers(executor) for executor in some], _PATIENCE) is not None


def _first_answer(questions: Sequence[Callable[[], Any]], seconds: float) -> Any:
    """The first that is not None and comes in time. Whoever waits longer gives up when Spark does."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask(question: Callable[[], Any]) -> None:
        answer = None
        with suppress(Py4JError, OSError, AttributeError):
            answer = question()
        answers.put(answer)

    for question in questions:
        threading.Thread(target=ask, args=(question,), name="dlbd.data Spark", daemon=True).start()
    until = time.monotonic() + seconds
    with suppress(queue.Empty):
        for _ in questions:
            answer = answers.get(timeout=max(until - time.monotonic(), 0))
            if answer is not None:
                return answer
    return None
