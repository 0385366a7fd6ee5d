"""Features: rows of a table as numbers for a model; learned in one pass, saved inside the model."""

from dlbd.data.features.block import Block
from dlbd.data.features.category import Category
from dlbd.data.features.date import Date
from dlbd.data.features.features import Features
from dlbd.data.features.image import Image
from dlbd.data.features.number import Number
from dlbd.data.features.rows import DropDuplicates, DropMissing
from dlbd.data.features.selection import Ranking, rank_features
from dlbd.data.features.target import Target
from dlbd.data.features.text import Text
from dlbd.data.features.vector import Vector
from dlbd.data.features.window import Window

__all__ = [
    "Block",
    "Category",
    "Date",
    "DropDuplicates",
    "DropMissing",
    "Features",
    "Image",
    "Number",
    "Ranking",
    "Target",
    "Text",
    "Vector",
    "Window",
    "rank_features",
]
