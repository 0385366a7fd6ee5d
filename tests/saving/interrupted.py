"""A program that trains: run by the tests as a process of its own, killed, and started again.

    python -m tests.saving.interrupted FOLDER [STAGE COUNT]

With STAGE it kills itself inside of a save: at the COUNT-th call of "write", "fsync" or "replace", or right after the
last of these.
"""

import json
import os
import signal
import sys

import numpy as np

import dlbd
from dlbd import callbacks, layers

BATCHES = 9


class Noise(layers.Layer):
    """From the process's own random numbers, which no layer owns."""

    def call(self, inputs, training=False):
        return inputs + 0.1 * dlbd.random.normal(inputs.shape) if training else inputs


def program(folder, tell=lambda: None):
    dlbd.utils.set_random_seed(5)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16 * BATCHES, 10))
    y = (x[:, 0] + 0.7 * rng.standard_normal(len(x)) > 0).astype(np.int64)
    model = dlbd.Sequential(
        [
            Noise(),
            layers.Dense(32, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(dlbd.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = rng.standard_normal((40, 10))
    told = [
        callbacks.EarlyStopping(patience=6, restore_best_weights=True),
        callbacks.ReduceLROnPlateau(patience=2, factor=0.5),
        callbacks.BackupAndRestore(os.path.join(folder, "backup"), save_freq=2),
        callbacks.CSVLogger(os.path.join(folder, "log.csv")),
    ]
    tell()
    history = model.fit(
        x,
        y,
        batch_size=17,  # the last batch is smaller
        epochs=30,
        verbose=0,
        callbacks=told,
        validation_data=(validation, (validation[:, 0] > 0).astype(np.int64)),
    )
    with open(os.path.join(folder, "history.json"), "w") as file:
        json.dump([history.history, history.epoch, told[0].stopped_epoch], file)
    np.savez(os.path.join(folder, "weights.npz"), *model.get_weights())


def kill_inside_a_save(stage, count):
    from dlbd.saving import atomic

    class Killing:
        """``os``, whose functions kill the process."""

        calls = 0

        def __getattr__(self, name):
            function = getattr(os, name)
            if name != stage.removeprefix("after "):
                return function

            def killing(*args):
                Killing.calls += 1
                if Killing.calls < count:
                    return function(*args)
                if stage.startswith("after "):
                    function(*args)
                os.kill(os.getpid(), signal.SIGKILL)

            return killing

    atomic.os = Killing()
    if stage == "write":

        def half(path, *args, write=atomic.replacing):
            with write(path) as file:
                Killing.calls += 1
                if Killing.calls == count:
                    file.write(b"half of it")
                    file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                yield file

        from contextlib import contextmanager

        from dlbd.saving import tensor_file

        tensor_file.replacing = contextmanager(half)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        kill_inside_a_save(sys.argv[2], int(sys.argv[3]))
    program(sys.argv[1], lambda: print("begins", flush=True))
