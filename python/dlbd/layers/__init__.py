"""Layers, under Keras's names."""

from dlbd.layers.activation import Activation, LeakyReLU, ReLU, Softmax
from dlbd.layers.attention import Attention
from dlbd.layers.base import Layer
from dlbd.layers.bidirectional import Bidirectional
from dlbd.layers.conv import Conv2D, Conv2DTranspose
from dlbd.layers.dense import Dense
from dlbd.layers.dropout import Dropout
from dlbd.layers.embedding import Embedding
from dlbd.layers.input import Input, InputLayer
from dlbd.layers.input_spec import InputSpec
from dlbd.layers.multi_head_attention import MultiHeadAttention
from dlbd.layers.normalization import BatchNormalization, LayerNormalization
from dlbd.layers.pooling import (
    AveragePooling2D,
    AvgPool2D,
    GlobalAveragePooling2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    GlobalMaxPooling2D,
    MaxPool2D,
    MaxPooling2D,
)
from dlbd.layers.recurrent import GRU, LSTM, SimpleRNN
from dlbd.layers.reshaping import Flatten, Reshape

Convolution2D, Convolution2DTranspose = Conv2D, Conv2DTranspose

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Attention",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Bidirectional",
    "Conv2D",
    "Conv2DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MaxPool2D",
    "MaxPooling2D",
    "MultiHeadAttention",
    "ReLU",
    "Reshape",
    "SimpleRNN",
    "Softmax",
]
