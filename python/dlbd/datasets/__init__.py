"""Data to try things on; nothing is downloaded."""

from dlbd.datasets.digits import load_digits
from dlbd.datasets.idx import load_idx

__all__ = ["load_digits", "load_idx"]
