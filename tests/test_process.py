"""What the package does to the process that it lives in: forks, threads, environment, other libraries."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from dlbd import ops

# Large enough that the kernels use their threads.
WORK = """
import numpy as np
from dlbd import _cpu, ops
_cpu.set_num_threads(4)
x = np.random.default_rng(0).standard_normal((300, 300), np.float32)
def work():
    return np.array(ops.softmax(ops.matmul(x, x)))
"""


def run(program: str, **environment: str) -> str:
    """The output of a fresh process; one that hangs or crashes fails the test."""
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_forked_child_works_and_does_not_hang():
    program = WORK + textwrap.dedent(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads
        before = work()
        child = os.fork()
        if child == 0:
            os._exit(0 if np.array_equal(work(), before) else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert np.array_equal(work(), before)
        print("both")
        """
    )
    assert run(program) == "both"


def test_multiprocessing_by_fork_after_use():
    program = WORK + textwrap.dedent(
        """
        import multiprocessing, warnings
        warnings.simplefilter("ignore")
        before = work()
        def same(_):
            return bool(np.array_equal(work(), before))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(all(pool.map(same, range(4))))
        """
    )
    assert run(program) == "True"


def test_threads_at_once_get_their_own_results():
    inputs = [np.random.default_rng(i).standard_normal((64, 200)).astype(np.float32) for i in range(8)]
    weights = np.random.default_rng(9).standard_normal((200, 200)).astype(np.float32)

    def work(x: np.ndarray) -> np.ndarray:
        for _ in range(5):
            y = ops.softmax(ops.matmul(ops.relu(ops.matmul(x, weights)), weights))
        return np.array(y)

    wanted = [work(x) for x in inputs]
    found: list[list[np.ndarray]] = [[] for _ in inputs]

    def many(i: int) -> None:
        found[i] = [work(inputs[i]) for _ in range(10)]

    threads = [threading.Thread(target=many, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for results, reference in zip(found, wanted, strict=True):
        assert len(results) == 10
        assert all(np.array_equal(y, reference) for y in results)


def test_subnormal_numbers_survive():
    program = WORK + textwrap.dedent(
        """
        work()
        tiny = np.float32(1e-40)
        assert tiny != 0 and tiny * np.float32(0.5) != 0
        assert np.array(ops.multiply(np.full(100, tiny), np.full(100, np.float32(0.5))))[0] == tiny * np.float32(0.5)
        print(float(np.float64(5e-324)) != 0)
        """
    )
    assert run(program) == "True"


@pytest.mark.parametrize("order", ["dlbd, sklearn.ensemble", "sklearn.ensemble, dlbd"])
def test_beside_scikit_learn_in_either_order(order: str):
    program = (
        f"import {order}\n"
        + WORK
        + textwrap.dedent(
            """
        from sklearn.ensemble import HistGradientBoostingClassifier
        before = work()
        HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 0)
        assert np.array_equal(work(), before)
        print(_cpu.num_threads())
        """
        )
    )
    assert run(program) == "4"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_omp_num_threads_is_respected(threads: str):
    if int(threads) > len(os.sched_getaffinity(0)):
        pytest.skip("fewer cores than threads")
    assert run("from dlbd import _cpu; print(_cpu.num_threads())", OMP_NUM_THREADS=threads) == threads


def test_the_cores_that_a_process_may_use_are_respected():
    core = min(os.sched_getaffinity(0))
    program = f"import os; os.sched_setaffinity(0, [{core}]); from dlbd import _cpu; print(_cpu.num_threads())"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    out = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "1"


@pytest.mark.parametrize("value", ["0", "-3", "many", "999999999999999999999"])
def test_a_senseless_omp_num_threads_does_no_harm(value: str):
    assert int(run("from dlbd import _cpu; print(_cpu.num_threads())", OMP_NUM_THREADS=value)) >= 1


def test_the_interpreter_may_end_while_a_thread_is_inside_a_kernel():
    program = WORK + textwrap.dedent(
        """
        import threading, time
        def forever():
            while True:
                work()
        for _ in range(3):
            threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.1)
        print("ended")
        """
    )
    assert run(program) == "ended"


def test_threads_that_the_system_refuses_are_done_without():
    program = WORK + textwrap.dedent(
        """
        import resource
        _cpu.set_num_threads(1)
        before = work()
        _cpu.set_num_threads(4)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 4_000_000,) * 2)  # less than a stack
        print(all(np.array_equal(work(), before) for _ in range(3)), len(os.listdir("/proc/self/task")))
        """
    )
    assert run("import os\n" + program, OPENBLAS_NUM_THREADS="1") == "True 1"


@pytest.mark.parametrize(("name", "message"), [("cuda:77", "'cuda:77' is not there"), ("tpu", "received 'tpu'")])
def test_a_device_that_is_not_there_is_an_error(name, message):
    program = "import dlbd; dlbd.ops.ones(2)"
    environment = {**os.environ, "DLBD_DEVICE": name}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment
    )
    assert result.returncode != 0
    assert "[DLBD_DEVICE]" in result.stderr.splitlines()[-1]
    assert message in result.stderr.splitlines()[-1]
