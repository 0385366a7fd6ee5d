"""One function per operation, with the names of ``keras.ops``."""

from dlbd.ops.matmul import matmul
from dlbd.ops.norm import batch_normalization, layer_normalization
from dlbd.ops.rnn import gru, lstm, rnn
from dlbd.ops.softmax import log_softmax, softmax

__all__ = ["batch_normalization", "gru", "layer_normalization", "log_softmax", "lstm", "matmul", "rnn", "softmax"]
