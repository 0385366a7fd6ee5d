"""Keras's utilities, under its names."""

from dlbd.models.py_dataset import PyDataset
from dlbd.pictures.model import plot_model
from dlbd.saving import CustomObjectScope, custom_object_scope, get_custom_objects, register_keras_serializable
from dlbd.utils.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
from dlbd.utils.categorical import to_categorical
from dlbd.utils.normalization import normalize
from dlbd.utils.seed import clear_session, set_random_seed
from dlbd.utils.sequences import pad_sequences

Sequence = PyDataset  # what older programs derive from

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
