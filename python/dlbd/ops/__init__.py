"""One function per operation, with the names of ``keras.ops``."""

from dlbd.ops.conv import conv, conv_transpose
from dlbd.ops.dropout import dropout
from dlbd.ops.embedding import embedding
from dlbd.ops.losses import (
    absolute_error,
    binary_cross_entropy,
    categorical_cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    squared_error,
)
from dlbd.ops.matmul import matmul
from dlbd.ops.norm import batch_normalization, layer_normalization
from dlbd.ops.pool import average_pool, max_pool
from dlbd.ops.rnn import gru, lstm, rnn
from dlbd.ops.softmax import log_softmax, softmax

__all__ = [
    "absolute_error",
    "average_pool",
    "batch_normalization",
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "conv",
    "conv_transpose",
    "dropout",
    "embedding",
    "gru",
    "layer_normalization",
    "log_softmax",
    "lstm",
    "matmul",
    "max_pool",
    "rnn",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "squared_error",
]
