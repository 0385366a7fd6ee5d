"""What a person sees while a model trains, wherever stdout leads to."""

import io
import math
import re
import sys
import types

import numpy as np
import pytest

from dlbd import callbacks
from dlbd.callbacks import progress, screen
from tests.models.programs import blobs, mlp


class Terminal(io.StringIO):
    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return True

    def write(self, text):
        text.encode(self._encoding)  # as a real one would
        return super().write(text)

    def lines(self):
        """What stands there in the end."""
        found = []
        for line in self.getvalue().split("\n"):
            kept = ""
            for text in line.split("\r"):
                kept = text + kept[len(text) :]
            found.append(kept.rstrip())
        return found


@pytest.fixture
def terminal(monkeypatch):
    """Opens a terminal of this width."""

    def open_terminal(columns=80, encoding="utf-8"):
        made = Terminal(encoding)
        monkeypatch.setattr(sys, "stdout", made)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(progress, "REFRESH", 0.0)
        return made

    return open_terminal


def test_a_log_gets_one_whole_line_per_epoch(capsys):
    x, y = blobs()
    model = mlp()
    for verbose in (1, 2, "auto"):
        model.fit(x, y, epochs=2, verbose=verbose)
        text = capsys.readouterr().out
        assert text.isascii()
        assert text.isprintable() or set(text) - {c for c in text if c.isprintable()} == {"\n"}
        for n, line in enumerate(text.splitlines(), 1):
            pattern = rf"Epoch {n}/2 - 7/7 - \d+s - \d+[mu]s/step - accuracy: \d\.\d{{4}} - loss: \d\.\d{{4}}"
            assert re.fullmatch(pattern, line)
        assert n == 2
    model.evaluate(x, y)
    assert re.fullmatch(r"7/7 - \d+s - \d+[mu]s/step - accuracy: .* - loss: .*\n", capsys.readouterr().out)
    model.predict(x, verbose=1)
    assert re.fullmatch(r"7/7 - \d+s - \d+[mu]s/step\n", capsys.readouterr().out)


def test_silence(capsys):
    x, y = blobs()
    model = mlp()
    model.fit(x, y, verbose=0)
    model.evaluate(x, y, verbose=0)
    model.predict(x)
    assert capsys.readouterr().out == ""


def test_each_line_of_a_log_is_one_write(monkeypatch):
    """So that the lines of several processes that write to one file do not mix."""
    writes = []
    monkeypatch.setattr(sys.stdout, "write", writes.append)
    mlp().fit(*blobs(), epochs=3)
    assert [text[-1] for text in writes] == ["\n"] * 3


def test_a_bar_in_a_terminal(terminal):
    out = terminal()
    x, y = blobs()
    mlp().fit(x, y, validation_split=0.2, epochs=2)
    text = out.getvalue()
    assert text.count("\r") == 2 * (5 + 1)
    assert "1/5 ━━━━────────────────" in text
    lines = out.lines()
    assert [lines[0], lines[3]] == ["Epoch 1/2", "Epoch 2/2"]
    assert re.match(r"5/5 ━{20} 0s \d+[mu]s/step - accuracy: \d\.\d{4}", lines[1])
    assert lines[2].startswith("    val_")  # the line would be longer than 80


def test_a_bar_is_drawn_ten_times_a_second_at_most(terminal, monkeypatch):
    out = terminal()
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(progress, "REFRESH", 0.1)
    bar = progress.Bar(1000, screen.screen(1))
    for step in range(1000):
        now[0] += 0.004
        if bar.due():
            bar.show(step + 1, {"loss": 1.0})
    assert 30 <= out.getvalue().count("\r") <= 40


def test_time_that_is_left(terminal, monkeypatch):
    out = terminal()
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    bar = progress.Bar(100, screen.screen(1))
    now[0] = 60.0
    bar.show(25, {})
    bar.finish(100, {})
    assert re.findall("─ (.*)", out.getvalue().split("\r")[1]) == ["3:00 2s/step"]
    assert out.lines()[0].endswith("━ 1:00 600ms/step")


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_lines_fit_into_the_terminal(terminal, columns):
    out = terminal(columns)
    logs = {f"output_{i}_accuracy": 1 / (i + 1) for i in range(8)}
    bar = progress.Bar(7, screen.screen(1), "Epoch 1/1")
    for step in range(1, 8):
        bar.show(step, logs)
    assert max(map(len, re.split(r"[\r\n]", out.getvalue()))) < columns
    bar.finish(7, logs)
    longest = max(len(out.lines()[1].split(" - ")[0]), columns - 1)
    assert max(map(len, out.lines())) <= longest
    assert " ".join(out.lines()).count("accuracy: ") == 8


def test_no_number_is_cut(terminal):
    out = terminal(60)
    progress.Bar(7, screen.screen(1)).show(1, {"accuracy": 0.25, "loss": 1.5})
    assert re.fullmatch(r"\r1/7 ━━─{18} \d+s \d+[mu]s/step - accuracy: 0.2500 - …", out.getvalue())


def test_a_shorter_line_leaves_nothing_of_a_longer_one(terminal):
    out = terminal()
    bar = progress.Bar(2, screen.screen(1))
    bar.show(1, {"a_long_name": 1.0})
    bar.finish(2, {})
    assert re.fullmatch(r"2/2 ━{20} 0s \d+us/step", out.lines()[0])


def test_steps_of_unknown_number(terminal):
    x, y = blobs(64)

    def batches():
        for i in range(8):
            yield x[i * 8 : i * 8 + 8], y[i * 8 : i * 8 + 8]

    class Stream:
        def __iter__(self):
            return batches()

    out = terminal()
    mlp().fit(Stream(), epochs=2)
    first, second = out.getvalue().split("Epoch 2/2")
    assert "3/? " in first
    assert "3/8 ━" in second
    assert first.splitlines()[-1].startswith("8/8 ━")


def test_a_terminal_without_unicode(terminal):
    out = terminal(encoding="ascii")
    mlp().fit(*blobs())
    assert "3/7 ========............" in out.getvalue()
    assert out.getvalue().isascii()
    screen.write("größe\n")
    assert out.lines()[-2] == "gr??e"


def test_a_terminal_that_cannot_rewrite_lines(terminal, monkeypatch):
    out = terminal()
    monkeypatch.setenv("TERM", "dumb")
    mlp().fit(*blobs())
    assert "\r" not in out.getvalue()


def test_no_stdout_at_all(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert mlp().fit(*blobs(), verbose=1).epoch == [0]


class Notebook(io.StringIO):
    """What ipykernel puts in place of stdout; ``outputs`` are those of the cell."""

    def __init__(self):
        super().__init__()
        self.outputs = []

    def write(self, text):
        self.outputs.append(text)

    def display(self, content, raw, display_id):
        assert raw
        assert display_id
        self.outputs.append(content)
        return types.SimpleNamespace(update=lambda new, raw: content.update(new))


def open_notebook(monkeypatch, refresh):
    made = Notebook()
    monkeypatch.setattr(Notebook, "__module__", "ipykernel.iostream")
    monkeypatch.setattr(sys, "stdout", made)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=made.display))
    monkeypatch.setattr(progress, "REFRESH", refresh)
    return made


def test_a_notebook_keeps_one_output_per_epoch(monkeypatch):
    notebook = open_notebook(monkeypatch, refresh=0.0)
    mlp().fit(*blobs(), epochs=2)
    assert [list(output) for output in notebook.outputs] == [["text/plain"]] * 2
    assert re.match(r"Epoch 2/2 7/7 ━{20} 0s .* - loss: \d\.\d+$", notebook.outputs[1]["text/plain"])


def test_quick_epochs_are_plain_lines_in_a_notebook(monkeypatch):
    notebook = open_notebook(monkeypatch, refresh=60.0)
    mlp().fit(*blobs(), epochs=3)
    assert [re.match(r"Epoch \d/3 7/7 .*\n$", text) is not None for text in notebook.outputs] == [True] * 3


def test_training_that_is_cut_short_ends_its_line(terminal):
    out = terminal()
    model = mlp()

    def stop(batch, logs):
        if batch == 3:
            raise KeyboardInterrupt

    stopper = callbacks.LambdaCallback(on_train_batch_begin=stop, on_test_batch_begin=stop)
    for run in (model.fit, model.evaluate):
        with pytest.raises(KeyboardInterrupt):
            run(*blobs(), callbacks=stopper)
        assert re.search(r"3/7 .*\n$", out.getvalue())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5000"),
        (0.0, "0.0000"),
        (-2.5e-5, "-2.5000e-05"),
        (3.25e7, "3.2500e+07"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (np.float32(2), "2.0000"),
        (3, "3.0000"),
        (np.array([0.25, 1.0]), "[0.2500 1.0000]"),
        (np.arange(10.0), "mean 4.5000 of 10"),
        (np.zeros((3, 3), int), "(3x3)"),
        ("text", "text"),
    ],
)
def test_values(value, text):
    assert progress.value_text(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (61, "1:01"), (7325, "2:02:05")])
def test_durations(seconds, text):
    assert progress.duration(seconds) == text


def test_wrong_verbosity():
    with pytest.raises(ValueError, match='verbose must be 0, 1, 2 or "auto"; received 3'):
        mlp().fit(*blobs(), verbose=3)
