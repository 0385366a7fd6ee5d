"""Where arrays lie, how they get there and back, and what is said when they do not meet."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import dlbd
from dlbd import config, layers, ops

cupy = pytest.importorskip("cupy", reason="no GPU")
_cuda = pytest.importorskip("dlbd._cuda", reason="built without CUDA")


@pytest.fixture(autouse=True)
def on_gpu():
    config.set_device("cuda:0")
    yield
    config.set_device("cpu")


def test_data_goes_to_the_current_device():
    assert ops.add([1.0, 2.0], 3).device == "cuda:0"
    assert isinstance(ops.ones(3).array, cupy.ndarray)
    with dlbd.device("cpu"):
        assert ops.add([1.0, 2.0], 3).device == "cpu"
    assert config.current_device() == "cuda:0"


def test_a_thread_keeps_its_own_device():
    seen = []
    with dlbd.device("cpu"):
        thread = threading.Thread(target=lambda: seen.append(config.current_device()))
        thread.start()
        thread.join()
    assert seen == ["cuda:0"]


def test_a_tensor_stays_where_it_is_and_draws_numbers_and_arrays_to_it():
    x = ops.ones((2, 3))
    with dlbd.device("cpu"):
        y = (x + 1) * np.array([1.0, 2.0, 3.0])
    assert y.device == "cuda:0"
    np.testing.assert_array_equal(y.numpy(), np.full((2, 3), 2.0) * [1, 2, 3])


def test_tensors_of_two_devices_do_not_meet():
    x = ops.ones(3)
    with dlbd.device("cpu"):
        y = ops.ones(3)
    with pytest.raises(TypeError, match="must lie on one device"):
        ops.add(x, y)
    with pytest.raises(TypeError, match="must lie on one device"):
        ops.add(y, x)


@pytest.mark.parametrize("name", ["cuda:x", "tpu", "cpu:1", "", None, 3])
def test_names_that_are_no_device(name):
    with pytest.raises(ValueError, match="expected"):
        config.set_device(name)


def test_a_gpu_that_is_not_there():
    with pytest.raises(RuntimeError, match="GPUs are present"):
        config.set_device("cuda:99")


def test_cupy_arrays_enter_without_a_copy():
    x = cupy.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert ops.convert_to_tensor(x).array is x
    np.testing.assert_array_equal(ops.add(x, x).numpy(), 2 * x.get())


@pytest.mark.parametrize("dtype", ["float16", "float64", "int16", "uint8", "bool", "int64"])
def test_cupy_arrays_follow_the_dtype_rule(dtype):
    host = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    with dlbd.device("cpu"):
        wanted = ops.convert_to_tensor(host)
    found = ops.convert_to_tensor(cupy.asarray(host))
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def test_a_cupy_number_keeps_its_shape():
    assert ops.convert_to_tensor(cupy.asarray(np.float32(3))).shape == ()


def test_strided_cupy_arrays():
    x = cupy.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))
    np.testing.assert_array_equal(ops.add(x.T, 0).numpy(), x.get().T)
    np.testing.assert_array_equal(ops.add(x[:, ::2], 0).numpy(), x.get()[:, ::2])


def test_complex_arrays_are_refused():
    with pytest.raises(TypeError, match="complex"):
        ops.add(cupy.asarray(np.ones(3, np.complex64)), 1)


def test_values_come_back_as_a_copy():
    x = ops.ones(3)
    view = x.numpy()
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 2
    copy = np.array(x)
    copy[0] = 5
    np.testing.assert_array_equal(x.numpy(), np.ones(3))
    assert float(ops.sum(x)) == 3.0
    assert "1. 1. 1." in repr(x)


def test_variables():
    v = dlbd.Variable(np.arange(3.0), name="v")
    assert v.device == "cuda:0"
    v.assign(np.ones(3))
    v.assign_add([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(v.numpy(), [2, 3, 4])
    restored = pickle.loads(pickle.dumps(v))
    assert restored.device == "cuda:0"
    np.testing.assert_array_equal(restored.numpy(), v.numpy())
    blob = pickle.dumps(v)
    with dlbd.device("cpu"):
        assert pickle.loads(blob).device == "cpu"


def test_out_of_memory_says_how_much_was_asked_for_and_is_free():
    with pytest.raises(
        MemoryError, match=r"\[cuda:0\] out of memory: \d+ MiB were asked for, \d+ MiB of \d+ MiB are free"
    ):
        ops.zeros((1 << 46,))
    np.testing.assert_array_equal(ops.zeros(2).numpy(), np.zeros(2))


def test_a_label_out_of_range_is_raised_at_the_next_read():
    logits = ops.convert_to_tensor(np.zeros((2, 3), np.float32))
    total, _ = ops.softmax_cross_entropy(np.array([1, 7]), logits, sparse=True)
    with pytest.raises(ValueError, match="label 7 at position 1 is out of range: expected 0 <= value < 3"):
        total.numpy()
    good, _ = ops.softmax_cross_entropy(np.array([1, 2]), logits, sparse=True)
    assert float(good) == pytest.approx(2 * np.log(3), rel=1e-6)


def test_launches_go_to_the_current_stream():
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x = ops.add(np.ones(1000, np.float32), 1)
        np.testing.assert_array_equal(x.numpy(), np.full(1000, 2.0))


def test_an_array_outlives_the_recording_that_made_it():
    recording = _cuda.Recording()
    recording.begin()
    try:
        x = ops.add(np.ones(1000, np.float32), 1)
    finally:
        recording.end()
    del recording
    others = [ops.zeros(1000) for _ in range(4)]
    np.testing.assert_array_equal(x.numpy(), np.full(1000, 2.0))
    del others


def test_threads_follow_the_device_of_the_process():
    if config.gpu_count() < 2:
        pytest.skip("fewer GPUs than two")
    config.set_device("cuda:1")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(ops.ones(3).device))
    thread.start()
    thread.join()
    assert seen == ["cuda:1"]


def test_a_second_gpu():
    if config.gpu_count() < 2:
        pytest.skip("fewer GPUs than two")
    with dlbd.device("cuda:1"):
        x = ops.ones(3)
        assert x.device == "cuda:1"
        layer = layers.Dense(2, kernel_initializer="ones")
        np.testing.assert_array_equal(layer(np.ones((1, 3))).numpy(), [[3, 3]])
        np.testing.assert_array_equal((x + 1).numpy(), [2, 2, 2])
    np.testing.assert_array_equal(x.numpy(), [1, 1, 1])
    with pytest.raises(ValueError, match="cuda:0 and cuda:1"):
        ops.add(ops.ones(3), x)


def test_what_stands_beside_an_array_goes_to_its_gpu():
    """Whatever the current device is."""
    if config.gpu_count() < 2:
        pytest.skip("fewer GPUs than two")
    with dlbd.device("cuda:1"):
        x, w = ops.ones((2, 3)), dlbd.Variable(np.ones((3, 4), np.float32))
        optimizer = dlbd.optimizers.Adam(0.5)
        optimizer.build([w])
    for device in ("cuda:0", "cpu"):
        with dlbd.device(device):
            y = ops.softmax(x * 2 + np.array([1.0, 2.0, 3.0]))
            with dlbd.GradientTape() as tape:
                loss = ops.sum(ops.matmul(y, w))
            optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        assert y.device == w.device == loss.device == "cuda:1"
    np.testing.assert_allclose(y.numpy().sum(-1), [1, 1], rtol=1e-6)
    assert config.current_device() == "cuda:0"


def test_threads_do_not_wait_for_each_other_for_ever():
    """In a process of its own: a thread that waits with the GIL stops all others, a time limit's too."""
    program = (
        "import sys, threading; from dlbd import ops\n"
        "sys.setswitchinterval(1e-6)\n"
        "x = ops.ones(4)\n"
        "def work():\n"
        "    for _ in range(2000): ops.negative(x)\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()"
    )
    environment = os.environ | {"DLBD_DEVICE": "cuda:0"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)


@pytest.mark.parametrize("capability", [70, 75, 120])
def test_only_gpus_that_the_build_has_code_for_are_used(capability):
    if "emulation" not in _cuda.build:
        pytest.skip("only the emulation is any chip")
    program = (
        "import warnings; warnings.simplefilter('ignore'); import dlbd; from dlbd import _cuda, config, info\n"
        "print(config.gpu_count(), config.current_device(), _cuda.device_count())\n"
        "try: config.set_device('cuda:1')\n"
        "except RuntimeError as error: print(error)\n"
        "print(info.describe())"
    )
    environment = os.environ | {"DLBD_EMULATION_CAPABILITY": str(capability)}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    if capability >= 75:
        assert told.stdout.startswith("2 cuda:0 2")
        return
    assert told.stdout.startswith("0 cpu 2")
    assert "'cuda:1' cannot be used: this build has no code for it (host emulation)" in told.stdout
    assert "cpu (no code for the 2 GPUs present)" in told.stdout


def test_the_twins_have_the_same_names():
    from dlbd import _cpu, _cuda

    def names(module):
        return {name for name in dir(module) if not name.startswith("__")}

    only_cpu = {"default_num_threads", "isa", "num_threads", "set_num_threads"}
    stub = Path(dlbd.__file__).with_name("_cuda.pyi").read_text(encoding="utf-8")
    only_gpu = set(re.findall(r"^def (\w+)", stub, re.MULTILINE))
    assert names(_cpu) - {"plant"} - only_cpu == names(_cuda) - only_gpu
    assert only_gpu <= names(_cuda)
