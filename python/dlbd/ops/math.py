"""The functions of :mod:`dlbd.ops`, under the name by which Keras offers some of them."""

from dlbd.ops import *  # noqa: F403
from dlbd.ops import __all__ as __all__
