"""Models: compile, fit, evaluate, predict, save."""

from dlbd.models.cloning import clone_model, model_from_json
from dlbd.models.model import Model
from dlbd.models.sequential import Sequential
from dlbd.saving.model_file import load_model, save_model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
