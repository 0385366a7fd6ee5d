"""Models: compile, fit, evaluate, predict."""

from dlbd.models.model import Model
from dlbd.models.sequential import Sequential

__all__ = ["Model", "Sequential"]
