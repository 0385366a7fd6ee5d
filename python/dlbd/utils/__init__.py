"""Keras's utilities, under its names."""

from dlbd.pictures.model import plot_model
from dlbd.utils.categorical import to_categorical
from dlbd.utils.seed import clear_session, set_random_seed
from dlbd.utils.sequences import pad_sequences

__all__ = ["clear_session", "pad_sequences", "plot_model", "set_random_seed", "to_categorical"]
