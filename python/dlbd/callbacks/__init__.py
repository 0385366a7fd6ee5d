"""Callbacks, under Keras's names."""

from dlbd.callbacks.base import Callback, CallbackList
from dlbd.callbacks.early_stopping import EarlyStopping
from dlbd.callbacks.history import History
from dlbd.callbacks.lambda_callback import LambdaCallback
from dlbd.callbacks.progbar_logger import ProgbarLogger

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "ProgbarLogger"]
