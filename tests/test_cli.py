"""The ``dlbd`` command and what the demo is made of."""

import subprocess
import sys

import numpy as np
import pytest

from dlbd import _cpu, cli, demo


def dlbd_command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "dlbd.cli", *arguments], capture_output=True, text=True, check=False, **options
    )


def test_info_says_what_a_bug_report_needs():
    out = dlbd_command("info")
    assert out.returncode == 0
    assert not out.stderr
    said = {name: value.strip() for name, value in (line.split(":", 1) for line in out.stdout.splitlines())}
    assert said["instruction set"].startswith(_cpu.isa)
    assert said["threads"].startswith(f"{_cpu.num_threads()} of ")
    assert said["build"] == _cpu.build
    assert said["device"] == "cpu"
    assert said["numpy"] == np.__version__
    for what in ("dlbd", "processor", "system", "python"):
        assert said[what]


@pytest.mark.parametrize("arguments", [[], ["tarin"], ["demo", "--epochs", "many"]])
def test_misuse_is_status_2_with_a_usage_line(arguments):
    out = dlbd_command(*arguments)
    assert out.returncode == 2
    assert out.stderr.startswith("usage: dlbd")


def test_a_failure_is_one_line_and_status_1(capsys):
    assert cli.main(["demo", "--epochs", "0"]) == 1
    assert capsys.readouterr().err.startswith("dlbd demo: ")


def test_demo(tmp_path):
    out = dlbd_command("demo", "--epochs", "1", "--out", str(tmp_path / "new"))
    assert out.returncode == 0, out.stderr
    assert not out.stderr
    assert "Total params: 93,322" in out.stdout
    accuracy = float(out.stdout.split("test accuracy: ")[1].split()[0])
    assert accuracy > 0.8
    rows = out.stdout.split("true\\predicted")[1].splitlines()[1:11]
    matrix = np.array([[0 if n == "." else int(n) for n in row.split()[1:]] for row in rows])
    assert matrix.shape == (10, 10)
    assert accuracy == pytest.approx(matrix.trace() / matrix.sum(), abs=1e-4)
    assert "images per second" in out.stdout
    picture = tmp_path / "new" / "learning-curves.png"
    assert str(picture) in out.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_stratified_split_is_disjoint_seeded_and_proportional():
    labels = np.repeat(np.arange(4), [10, 20, 30, 40])
    parts = demo.stratified_split(labels, (0.7, 0.1, 0.2), seed=3)
    assert sorted(np.concatenate(parts)) == list(range(100))
    for part, fraction in zip(parts, (0.7, 0.1, 0.2), strict=True):
        np.testing.assert_array_equal(np.bincount(labels[part]), fraction * np.array([10, 20, 30, 40]))
    again, other = (demo.stratified_split(labels, (0.7, 0.1, 0.2), seed) for seed in (3, 4))
    np.testing.assert_array_equal(parts[0], again[0])
    assert not np.array_equal(parts[0], other[0])


def test_shifted_copies_bring_zeros_in():
    image = np.arange(1, 17, dtype=np.float32).reshape(1, 4, 4, 1)
    images, labels = demo.with_shifted_copies(image, np.array([7]), pixels=1)
    assert images.shape == (5, 4, 4, 1)
    assert labels.tolist() == [7] * 5
    np.testing.assert_array_equal(images[0], image[0])
    for moved, shift, axis in zip(images[1:, ..., 0], (1, -1, 1, -1), (0, 0, 1, 1), strict=True):
        expected = np.roll(image[0, ..., 0], shift, axis)
        np.moveaxis(expected, axis, 0)[0 if shift > 0 else -1] = 0
        np.testing.assert_array_equal(moved, expected)
