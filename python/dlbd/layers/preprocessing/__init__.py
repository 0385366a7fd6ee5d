"""Preprocessing layers: features, text and images made ready for a model, or inside of it."""

from dlbd.layers.preprocessing.discretization import Discretization
from dlbd.layers.preprocessing.encoding import CategoryEncoding
from dlbd.layers.preprocessing.hashing import Hashing
from dlbd.layers.preprocessing.host import HostLayer
from dlbd.layers.preprocessing.integer_lookup import IntegerLookup
from dlbd.layers.preprocessing.normalization import Normalization
from dlbd.layers.preprocessing.random_affine import RandomRotation, RandomTranslation, RandomZoom
from dlbd.layers.preprocessing.random_color import RandomBrightness, RandomContrast
from dlbd.layers.preprocessing.random_flip import RandomCrop, RandomFlip
from dlbd.layers.preprocessing.rescaling import Rescaling
from dlbd.layers.preprocessing.resizing import CenterCrop, Resizing
from dlbd.layers.preprocessing.string_lookup import StringLookup
from dlbd.layers.preprocessing.text_vectorization import TextVectorization

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "Hashing",
    "HostLayer",
    "IntegerLookup",
    "Normalization",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Rescaling",
    "Resizing",
    "StringLookup",
    "TextVectorization",
]
