"""Batches that a program makes, by number."""

import threading

import numpy as np
import pytest

import dlbd
from dlbd import layers

from .programs import blobs, mlp, same

X, Y = blobs(80)


class Blobs(dlbd.utils.PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.asked, self.epochs, self.threads = [], [0, 0], set()

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.asked.append(index)
        self.threads.add(threading.get_ident())
        rows = slice(16 * index, 16 * (index + 1))
        return X[rows], Y[rows]

    def on_epoch_begin(self):
        self.epochs[0] += 1

    def on_epoch_end(self):
        self.epochs[1] += 1


def trained(data, **options):
    dlbd.utils.set_random_seed(0)
    model = mlp()
    model.fit(data, epochs=3, verbose=0, **options)
    return model.get_weights()


def test_each_epoch_has_an_order_of_its_own():
    data = Blobs()
    trained(data)
    epochs = [data.asked[5 * i : 5 * (i + 1)] for i in range(3)]
    assert all(sorted(e) == list(range(5)) for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1
    assert data.epochs == [3, 3]


def test_without_shuffling_it_is_the_array():
    dlbd.utils.set_random_seed(0)
    model = mlp()
    model.fit(X, Y, batch_size=16, epochs=3, shuffle=False, verbose=0)
    assert same(model.get_weights(), trained(Blobs(), shuffle=False))


def test_workers_give_the_same_batches():
    data = Blobs(workers=3, max_queue_size=2)
    assert same(trained(Blobs()), trained(data))
    assert threading.get_ident() not in data.threads


def test_an_error_in_a_worker_ends_fit_and_leaves_no_thread():
    class Broken(Blobs):
        def __getitem__(self, index):
            if index == 3:
                raise OSError("the file is gone")
            return super().__getitem__(index)

    before = threading.active_count()
    with pytest.raises(OSError, match="the file is gone"):
        trained(Broken(workers=2))
    assert threading.active_count() == before


def test_no_end():
    class Endless(dlbd.utils.PyDataset):
        def __getitem__(self, index):
            return np.full((4, 1), index, np.float32), np.zeros((4, 1), np.float32)

    model = dlbd.Sequential([dlbd.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert Endless().num_batches is None
    assert len(model.fit(Endless(workers=2), steps_per_epoch=3, epochs=2, verbose=0).epoch) == 2


def test_options_that_mean_nothing():
    with pytest.raises(ValueError, match="at least 1; received 0 and 10"):
        Blobs(workers=0)
