"""Callbacks, under Keras's names."""

from dlbd.callbacks.backup_and_restore import BackupAndRestore
from dlbd.callbacks.base import Callback, CallbackList
from dlbd.callbacks.csv_logger import CSVLogger
from dlbd.callbacks.early_stopping import EarlyStopping
from dlbd.callbacks.history import History
from dlbd.callbacks.lambda_callback import LambdaCallback
from dlbd.callbacks.learning_rate_scheduler import LearningRateScheduler
from dlbd.callbacks.model_checkpoint import ModelCheckpoint
from dlbd.callbacks.progbar_logger import ProgbarLogger
from dlbd.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from dlbd.callbacks.stop_at_threshold import StopAtThreshold
from dlbd.callbacks.swap_ema_weights import SwapEMAWeights
from dlbd.callbacks.tensorboard import TensorBoard
from dlbd.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "StopAtThreshold",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
