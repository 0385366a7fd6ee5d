import errno
import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from dlbd import Variable
from dlbd.saving.atomic import remove_leftovers, replacing
from dlbd.saving.tensor_file import TensorFile, write
from tests.saving.files import contents, fault, with_header

safetensors = pytest.importorskip("safetensors.numpy")

KINDS = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]


def arrays():
    rng = np.random.default_rng(0)
    made = {f"a/{kind}": (rng.standard_normal((3, 2)) * 40).astype(kind) for kind in KINDS}
    return made | {"scalar": np.array(2.5), "none": np.zeros((0, 4), np.float32), "名": np.arange(3)}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "arrays.safetensors"
    write(str(path), arrays(), {"about": 'text with "checksum":"00000000" and ünïcode'})
    return path


def small(path):
    """A file of which every byte can be tried."""
    write(str(path), {"w": np.arange(3, dtype=np.float32), "b": np.array([True, False])}, {"format": "dlbd"})
    return path


def read_all(path):
    return contents(path)[0]


def test_round_trip(path):
    found, metadata = contents(path)
    assert found.keys() == arrays().keys()
    for name, array in arrays().items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        found[name][...] = 0  # the reader's own memory
    assert metadata["about"] == 'text with "checksum":"00000000" and ünïcode'


def test_the_safetensors_package_reads_ours(path):
    found = safetensors.load_file(str(path))
    for name, array in arrays().items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_we_read_the_safetensors_package(tmp_path):
    path = tmp_path / "theirs.safetensors"
    safetensors.save_file(arrays(), str(path), {"about": "text"})
    found, metadata = contents(path)
    assert metadata == {"about": "text"}
    for name, array in arrays().items():
        np.testing.assert_array_equal(found[name], array)


def test_bfloat16(tmp_path):
    """1.5 is 0x3fc0 in the upper half of a float32."""
    entry = {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}
    path = with_header(tmp_path / "x.safetensors", {"w": entry}, bytes.fromhex("c03f c0bf"))
    assert read_all(path)["w"].tolist() == [1.5, -1.5]


def test_memory_layouts(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(4, 6)
    given = {"t": base.T, "reversed": base[::-1], "part": base[:, 1:3], "big": base.astype(">f4")}
    path = tmp_path / "x.safetensors"
    write(str(path), given, {})
    for name, array in read_all(path).items():
        np.testing.assert_array_equal(array, given[name])


def test_arrays_of_the_device(tmp_path):
    path = tmp_path / "x.safetensors"
    write(str(path), {"v": Variable([1.0, 2.0]).array}, {})
    assert read_all(path)["v"].tolist() == [1.0, 2.0]


def test_large_elements_are_aligned(path):
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + n])
    for name, entry in header.items():
        if name != "__metadata__":
            size = (entry["data_offsets"][1] - entry["data_offsets"][0]) // max(math.prod(entry["shape"]), 1)
            assert not size or (8 + n + entry["data_offsets"][0]) % size == 0


# Broken files


def test_every_changed_byte_is_found(tmp_path):
    path = small(tmp_path / "x")
    raw = path.read_bytes()
    for at in range(len(raw)):
        for flip in (0x01, 0x80):
            path.write_bytes(raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :])
            with fault(path):
                read_all(path)


def test_every_length_is_found(tmp_path):
    path = small(tmp_path / "x")
    raw = path.read_bytes()
    for n in range(len(raw)):
        path.write_bytes(raw[:n])
        with fault(path):
            read_all(path)
    path.write_bytes(raw + b"\0")
    with fault(path, "too many"):
        read_all(path)


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 2**40, 100_000_001, 60])
def test_header_lengths(tmp_path, length):
    path = tmp_path / "x"
    path.write_bytes(length.to_bytes(8, "little") + b"{}")
    with fault(path, "header"):
        TensorFile(str(path))


def entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


HEADERS = {
    "no JSON": b"{",
    "no UTF-8": b'{"\xff": 1}',
    "no object": [],
    "a number": 5,
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep in an entry": b'{"w":' + b'{"shape":' * 100_000 + b"1" + b"}" * 100_001,
    "the same name twice": b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
    b'"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
    "an entry that is no object": {"w": 1},
    "a key too few": {"w": {"dtype": "F32", "shape": [2]}},
    "a key too many": {"w": {**entry(), "more": 1}},
    "an unknown dtype": {"w": entry(dtype="F8_E4M3")},
    "a dtype that is none": {"w": entry(dtype=None)},
    "a dtype of lists": {"w": entry(dtype=[[]])},
    "a negative size": {"w": entry(shape=(-2,))},
    "two negative sizes": {"w": entry(shape=(-1, -2))},
    "a size that is no integer": {"w": entry(shape=(2.0,))},
    "a size that is true": {"w": entry(shape=(True, 2))},
    "sizes beyond int64": {"w": entry(shape=(2**64, 2))},
    "a product that overflows to 2": {"w": entry(shape=(2**63 + 1, 2))},
    "huge sizes beside a zero": {"w": entry(shape=(0, 2**62, 2**62), offsets=(0, 0))},
    "axes beyond measure": {"w": entry(shape=(1,) * 1000 + (2,))},
    "a digit string beyond measure": b'{"w":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,8]}}',
    "a shape for more bytes": {"w": entry(shape=(3,))},
    "a shape for fewer bytes": {"w": entry(shape=(1,))},
    "negative offsets": {"w": entry(offsets=(-8, 0))},
    "offsets that go back": {"w": entry(offsets=(8, 0))},
    "offsets beyond the file": {"w": entry(offsets=(8, 16))},
    "one offset": {"w": entry(offsets=(0,))},
    "offsets that are text": {"w": entry(offsets=("0", "8"))},
    "arrays that overlap": {"w": entry(), "v": entry(shape=(1,), offsets=(4, 8))},
    "the same bytes twice": {"w": entry(), "v": entry()},
    "a gap": {"w": entry(shape=(1,), offsets=(4, 8))},
    "bytes that belong to nothing": {"w": entry(shape=(1,), offsets=(0, 4))},
    "metadata that is no text": {"__metadata__": {"format": 1}, "w": entry()},
    "metadata that is a list": {"__metadata__": [], "w": entry()},
}


@pytest.mark.parametrize("name", HEADERS)
def test_broken_headers(tmp_path, name):
    path = with_header(tmp_path / "x", HEADERS[name], bytes(8))
    with fault(path):
        TensorFile(str(path))


def test_the_template_of_the_broken_headers_is_sound(tmp_path):
    assert read_all(with_header(tmp_path / "x", {"w": entry()}, bytes(8)))["w"].tolist() == [0, 0]


def test_other_kinds_of_files(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, "/dev/zero"):
        with fault(path, "regular"):
            TensorFile(str(path))
    with pytest.raises(OSError, match="irectory"):
        TensorFile(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        TensorFile(str(tmp_path / "missing"))


def test_a_file_that_shrinks_while_it_is_read(path):
    with TensorFile(str(path)) as file:
        os.truncate(path, path.stat().st_size - 1)
        with fault(path, "cut off"):
            file.verify()


# All or nothing


def test_an_error_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left.*nothing was saved.*arrays\.safetensors") as info:
        write(str(path), {"w": np.ones(9)}, {})
    assert info.value.errno == errno.ENOSPC
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_disk_that_fills_up_while_writing(path):
    """A limit on the size of files does what a full disk does, for a user who is root too."""
    before = path.read_bytes()
    code = (
        "import resource, signal, sys, numpy as np; from dlbd.saving.tensor_file import write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: write(sys.argv[1], {'w': np.ones(100_000)}, {})\n"
        "except OSError as error: print('nothing was saved' in str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_folders_that_cannot_be_written_to(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing was saved"):
        write(str(tmp_path / "missing" / "x"), {}, {})
    with pytest.raises(OSError, match="nothing was saved"):
        write("/proc/x.dlbd", {}, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="nothing was saved"):
        write(str(tmp_path / "folder"), {}, {})
    assert os.listdir(tmp_path) == ["folder"]


def test_an_interrupt_leaves_the_old_file(path):
    before = path.read_bytes()

    def interrupted():
        with replacing(str(path)) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_permissions_and_links_stay(path):
    path.chmod(0o640)
    link = path.parent / "link"
    link.symlink_to(path.name)
    write(str(link), {"w": np.ones(2)}, {})
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert read_all(path)["w"].tolist() == [1, 1]


def test_what_a_killed_process_leaves(path):
    code = (
        "import os, signal, sys; from dlbd.saving.atomic import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert len(os.listdir(path.parent)) == 2
    remove_leftovers(str(path))
    assert os.listdir(path.parent) == [path.name]
