"""Every layer in all its ways, for the tests of ONNX files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlbd import layers, ops


@dataclass
class Case:
    """A layer, what it takes, and how: ``open`` holds the same shapes with None for sizes that vary."""

    make: Any
    shapes: tuple[Any, ...]
    open: tuple[Any, ...] = ()
    dtype: Any = "float32"
    call: Any = None  # (layer, *inputs) -> outputs


def case(make, *shapes, open=None, dtype="float32", call=None):
    return Case(make, shapes, () if open is None else (open,) if isinstance(open, tuple) else tuple(open), dtype, call)


class Length(layers.HostLayer):
    """A layer of a user's own that works on the host."""

    def host_call(self, array):
        return np.char.str_len(array)


class Decay(layers.Layer):
    """A cell of a user's own."""

    state_size = 3

    def call(self, inputs, states):
        h = states[0] * 0.5 + inputs
        return ops.tanh(h), [h]


SEQUENCE, OPEN_SEQUENCE = (7, 3), (None, 3)
IMAGE, OPEN_IMAGE = (9, 8, 3), (None, None, 3)
VOLUME, OPEN_VOLUME = (5, 6, 4, 2), (None, None, None, 2)


def recurrent(kind, *others):
    """SimpleRNN, LSTM or GRU in all their ways."""
    return [
        case(lambda: kind(4), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: kind(4, return_sequences=True), SEQUENCE, open=OPEN_SEQUENCE),
        case(
            lambda: kind(4, return_sequences=True, return_state=True, go_backwards=True), SEQUENCE, open=OPEN_SEQUENCE
        ),
        case(lambda: kind(4, use_bias=False), SEQUENCE),
        case(lambda: kind(4, "elu", return_state=True), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: kind(4, "elu", return_sequences=True, go_backwards=True), SEQUENCE, open=OPEN_SEQUENCE),
        case(
            lambda: kind(4, return_sequences=True, return_state=True),
            *(SEQUENCE, *((4,),) * (2 if kind is layers.LSTM else 1)),
            call=lambda layer, x, *states: layer(x, initial_state=list(states)),
        ),
        *(
            case(
                lambda options=options: kind(4, **options),
                SEQUENCE,
                (7,),
                open=[OPEN_SEQUENCE, (None,)],
                call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, 0.0)),
            )
            for options in (
                {"return_sequences": True, "return_state": True},
                {"go_backwards": True},
                {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": True},
                {"zero_output_for_mask": True},
            )
        ),
        *others,
    ]


def conv(kind, shape, open, **more):
    """A convolution with all that it takes."""
    return [
        case(lambda: kind(4, 3), shape, open=open),
        case(lambda: kind(4, 2, strides=2, padding="same", activation="relu"), shape, open=open),
        case(lambda: kind(4, 3, padding="same", dilation_rate=2, activation="gelu"), shape, open=open),
        case(lambda: kind(4, 1, use_bias=False, **more), shape),
    ]


def transposed(kind, shape, open):
    return [
        case(lambda: kind(4, 3), shape, open=open),
        case(lambda: kind(4, 4, strides=2, padding="same", activation="tanh"), shape, open=open),
        case(lambda: kind(4, 2, strides=3), shape),
        case(lambda: kind(4, 2, strides=3, padding="same", use_bias=False), shape, open=open),
        case(lambda: kind(4, 3, strides=2, padding="same", output_padding=1), shape),
        case(lambda: kind(4, 3, strides=2, output_padding=1, activation="sigmoid"), shape),
        case(lambda: kind(4, 3, dilation_rate=2, padding="same"), shape),
    ]


def pooling(kind, shape, open):
    return [
        case(lambda: kind(), shape, open=open),
        case(lambda: kind(3, strides=2, padding="same"), shape, open=open),
        case(lambda: kind(2, strides=1, padding="same"), shape, open=open),
    ]


def global_pooling(kind, shape, open):
    return [case(lambda: kind(), shape, open=open), case(lambda: kind(keepdims=True), shape, open=open)]


def merging(kind, *more):
    return [
        case(lambda: kind(), (4, 3), (4, 3), open=[(None, 3), (None, 3)], call=lambda layer, *x: layer(list(x))),
        case(lambda: kind(), (3,), (4, 3), call=lambda layer, *x: layer(list(x))),
        *more,
    ]


def at_rest(*makers):
    """What only acts while training."""
    return [case(make, (4, 4, 3), open=(None, None, 3)) for make in makers]


def bidirectional(**options):
    return lambda: layers.Bidirectional(layers.LSTM(4, **options.pop("inner", {})), **options)


WORDS = ["big", "data", "learn"]

CASES: dict[type, list[Case]] = {
    layers.Activation: [
        case(lambda name=name: layers.Activation(name), (4, 6))
        for name in (
            *("elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "log_sigmoid"),
            *("log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign"),
            *("swish", "tanh"),
        )
    ],
    layers.ActivityRegularization: at_rest(lambda: layers.ActivityRegularization(l1=0.1)),
    layers.Add: merging(layers.Add),
    layers.AdditiveAttention: [
        case(layers.AdditiveAttention, (4, 3), (5, 3), call=lambda layer, *x: layer(list(x))),
        case(lambda: layers.AdditiveAttention(use_scale=False), (4, 3), open=OPEN_SEQUENCE),
    ],
    layers.AlphaDropout: at_rest(lambda: layers.AlphaDropout(0.5)),
    layers.Attention: [
        case(layers.Attention, (4, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.Attention(use_scale=True), (4, 3), (5, 3), call=lambda layer, *x: layer(list(x))),
        case(
            lambda: layers.Attention(score_mode="concat"),
            *((4, 3), (5, 2), (5, 3)),
            call=lambda layer, *x: layer(list(x), return_attention_scores=True),
        ),
        case(layers.Attention, (4, 3), open=OPEN_SEQUENCE, call=lambda layer, x: layer([x, x], use_causal_mask=True)),
        case(
            layers.Attention,
            *((4, 3), (4,)),
            call=lambda layer, x, seen: layer([x, x], mask=[ops.greater(seen, 0.0), ops.less(seen, 0.5)]),
        ),
    ],
    layers.Average: merging(layers.Average),
    layers.AveragePooling1D: pooling(layers.AveragePooling1D, SEQUENCE, OPEN_SEQUENCE),
    layers.AveragePooling2D: pooling(layers.AveragePooling2D, IMAGE, OPEN_IMAGE),
    layers.AveragePooling3D: pooling(layers.AveragePooling3D, VOLUME, OPEN_VOLUME),
    layers.BatchNormalization: [
        case(layers.BatchNormalization, (3,)),
        case(layers.BatchNormalization, (7, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.BatchNormalization(axis=1), IMAGE),
        case(lambda: layers.BatchNormalization(center=False, scale=False), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.BatchNormalization(axis=1, center=False), IMAGE),
    ],
    layers.Bidirectional: [
        case(bidirectional(), SEQUENCE, open=OPEN_SEQUENCE),
        case(bidirectional(inner={"return_sequences": True}), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True), "sum"), SEQUENCE),
        case(lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True), "mul"), SEQUENCE),
        case(lambda: layers.Bidirectional(layers.SimpleRNN(4, return_state=True), "ave"), SEQUENCE),
        case(lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True), None), SEQUENCE),
        case(
            lambda: layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True)),
            *(SEQUENCE, (7,)),
            call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, 0.0)),
        ),
    ],
    layers.CategoryEncoding: [
        case(lambda: layers.CategoryEncoding(5), (4,), open=(None,), dtype="int32"),
        case(lambda: layers.CategoryEncoding(5, "count"), (4,), dtype="int64"),
        case(lambda: layers.CategoryEncoding(5, "one_hot"), (1,), dtype="int32"),
        case(lambda: layers.CategoryEncoding(5, "one_hot"), (4,), open=(None,), dtype="uint8"),
    ],
    layers.CenterCrop: [
        case(lambda: layers.CenterCrop(3, 4), IMAGE),
        case(lambda: layers.CenterCrop(12, 16), IMAGE),
    ],
    layers.Concatenate: merging(
        lambda: layers.Concatenate(),
        case(
            lambda: layers.Concatenate(1), (4, 3), (2, 3), open=[(None, 3)] * 2, call=lambda layer, *x: layer(list(x))
        ),
    )[::2],
    layers.Conv1D: [
        *conv(layers.Conv1D, SEQUENCE, OPEN_SEQUENCE),
        case(lambda: layers.Conv1D(4, 3, padding="causal", dilation_rate=2), SEQUENCE, open=OPEN_SEQUENCE),
    ],
    layers.Conv1DTranspose: transposed(layers.Conv1DTranspose, SEQUENCE, OPEN_SEQUENCE),
    layers.Conv2D: conv(layers.Conv2D, (9, 8, 4), (None, None, 4), groups=2),
    layers.Conv2DTranspose: transposed(layers.Conv2DTranspose, IMAGE, OPEN_IMAGE),
    layers.Conv3D: conv(layers.Conv3D, VOLUME, OPEN_VOLUME)[:2],
    layers.Conv3DTranspose: transposed(layers.Conv3DTranspose, VOLUME, OPEN_VOLUME)[:2],
    layers.Cropping1D: [case(lambda: layers.Cropping1D((1, 0)), SEQUENCE, open=OPEN_SEQUENCE)],
    layers.Cropping2D: [case(lambda: layers.Cropping2D(((1, 2), (0, 3))), IMAGE, open=OPEN_IMAGE)],
    layers.Cropping3D: [case(layers.Cropping3D, VOLUME, open=OPEN_VOLUME)],
    layers.Dense: [
        case(lambda: layers.Dense(4), (3,)),
        case(lambda: layers.Dense(4, "relu", use_bias=False), (3,)),
        case(lambda: layers.Dense(4, "sigmoid"), (5, 3), open=OPEN_SEQUENCE),
    ],
    layers.DepthwiseConv1D: [
        case(lambda: layers.DepthwiseConv1D(3, depth_multiplier=2), SEQUENCE, open=OPEN_SEQUENCE),
    ],
    layers.DepthwiseConv2D: [
        case(lambda: layers.DepthwiseConv2D(3), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.DepthwiseConv2D(3, 2, "same", 2, activation="relu"), IMAGE, open=OPEN_IMAGE),
    ],
    layers.Discretization: [
        case(lambda mode=mode: layers.Discretization([-0.5, 0.0, 1.0], output_mode=mode), (4,), open=(None,))
        for mode in ("int", "one_hot", "multi_hot", "count")
    ],
    layers.Dot: [
        case(lambda: layers.Dot(1), (3,), (3,), call=lambda layer, *x: layer(list(x))),
        case(lambda: layers.Dot((2, 1), normalize=True), (4, 3), (3, 5), call=lambda layer, *x: layer(list(x))),
        case(lambda: layers.Dot(2), (4, 3), (5, 3), open=[(None, 3)] * 2, call=lambda layer, *x: layer(list(x))),
    ],
    layers.Dropout: at_rest(lambda: layers.Dropout(0.5)),
    layers.ELU: [case(lambda: layers.ELU(0.5), (4,))],
    layers.Embedding: [
        case(lambda: layers.Embedding(5, 3), (4,), open=(None,), dtype="int32"),
        case(lambda: layers.Embedding(5, 3), (4,), dtype="uint8"),
        case(lambda: layers.Embedding(5, 3, mask_zero=True), (4,), open=(None,), dtype="int64"),
        *(
            case(
                lambda: layers.Embedding(5, 3, mask_zero=True),
                (6,),
                open=(None,),
                dtype="int32",
                call=lambda layer, x, after=after: after()(layer(x)),
            )
            for after in (
                lambda: layers.LSTM(4),
                lambda: layers.Bidirectional(layers.GRU(4, return_sequences=True)),
                layers.GlobalAveragePooling1D,
            )
        ),
    ],
    layers.Flatten: [case(layers.Flatten, IMAGE, open=OPEN_IMAGE), case(layers.Flatten, ())],
    layers.GRU: recurrent(
        layers.GRU,
        case(lambda: layers.GRU(4, reset_after=False, return_sequences=True), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: layers.GRU(4, "relu", reset_after=False), SEQUENCE),
        case(lambda: layers.GRU(4, recurrent_activation="hard_sigmoid"), SEQUENCE, open=OPEN_SEQUENCE),
    ),
    layers.GRUCell: [case(lambda: layers.RNN(layers.GRUCell(4, "elu")), SEQUENCE)],
    layers.GaussianDropout: at_rest(lambda: layers.GaussianDropout(0.5)),
    layers.GaussianNoise: at_rest(lambda: layers.GaussianNoise(0.5)),
    layers.GlobalAveragePooling1D: [
        *global_pooling(layers.GlobalAveragePooling1D, SEQUENCE, OPEN_SEQUENCE),
        case(
            layers.GlobalAveragePooling1D,
            *(SEQUENCE, (7,)),
            call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, 0.0)),
        ),
    ],
    layers.GlobalAveragePooling2D: global_pooling(layers.GlobalAveragePooling2D, IMAGE, OPEN_IMAGE),
    layers.GlobalAveragePooling3D: global_pooling(layers.GlobalAveragePooling3D, VOLUME, OPEN_VOLUME),
    layers.GlobalMaxPooling1D: global_pooling(layers.GlobalMaxPooling1D, SEQUENCE, OPEN_SEQUENCE),
    layers.GlobalMaxPooling2D: global_pooling(layers.GlobalMaxPooling2D, IMAGE, OPEN_IMAGE),
    layers.GlobalMaxPooling3D: global_pooling(layers.GlobalMaxPooling3D, VOLUME, OPEN_VOLUME),
    layers.GroupNormalization: [
        case(lambda: layers.GroupNormalization(2), (5, 6, 4), open=(None, None, 4)),
        case(lambda: layers.GroupNormalization(-1, axis=1), (4, 6), open=(4, None)),
    ],
    layers.GroupQueryAttention: [
        case(
            lambda: layers.GroupQueryAttention(4, 4, 2),
            *((5, 3), (6, 3)),
            open=[(None, 3), (None, 3)],
            call=lambda layer, *x: layer(*x),
        ),
    ],
    layers.Identity: [case(layers.Identity, (4,))],
    layers.IntegerLookup: [
        case(lambda mode=mode: layers.IntegerLookup(vocabulary=[3, 1, 4], output_mode=mode), (4,), dtype="int32")
        for mode in ("int", "one_hot", "multi_hot", "count")
    ]
    + [
        case(lambda: layers.IntegerLookup(vocabulary=[3, 1], mask_token=0), (4,), open=(None,), dtype="int64"),
        case(lambda: layers.IntegerLookup(vocabulary=[3, 1], invert=True), (4,), dtype="int64"),
    ],
    layers.LSTM: recurrent(
        layers.LSTM, case(lambda: layers.LSTM(4, recurrent_activation="hard_sigmoid"), SEQUENCE, open=OPEN_SEQUENCE)
    ),
    layers.LSTMCell: [case(lambda: layers.RNN(layers.LSTMCell(4), return_state=True), SEQUENCE)],
    layers.Lambda: [case(lambda: layers.Lambda("relu"), (4,)), case(lambda: layers.Lambda(ops.square), (4,))],
    layers.LayerNormalization: [
        case(layers.LayerNormalization, (5, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.LayerNormalization((1, 2), center=False), (5, 3)),
        case(lambda: layers.LayerNormalization(1), (5, 3)),
        case(lambda: layers.LayerNormalization(scale=False), (5, 3)),
    ],
    layers.LeakyReLU: [case(lambda: layers.LeakyReLU(0.4), (4,))],
    layers.Masking: [
        case(
            lambda: layers.Masking(2.0),
            (5, 1),
            open=(None, 1),
            dtype="int32",
            call=lambda layer, x: layers.LSTM(4, return_sequences=True)(layer(ops.cast(x, "float32"))),
        )
    ],
    layers.MaxPooling1D: pooling(layers.MaxPooling1D, SEQUENCE, OPEN_SEQUENCE),
    layers.MaxPooling2D: pooling(layers.MaxPooling2D, IMAGE, OPEN_IMAGE),
    layers.MaxPooling3D: pooling(layers.MaxPooling3D, VOLUME, OPEN_VOLUME),
    layers.Maximum: merging(layers.Maximum),
    layers.Minimum: merging(layers.Minimum),
    layers.MultiHeadAttention: [
        case(lambda: layers.MultiHeadAttention(2, 4), (5, 3), open=OPEN_SEQUENCE, call=lambda layer, x: layer(x, x)),
        case(
            lambda: layers.MultiHeadAttention(2, 4, 3, use_bias=False, output_shape=6),
            *((5, 3), (6, 2)),
            open=[(None, 3), (None, 2)],
            call=lambda layer, x, y: layer(x, y, return_attention_scores=True),
        ),
        case(
            lambda: layers.MultiHeadAttention(2, 4),
            (5, 3),
            open=OPEN_SEQUENCE,
            call=lambda layer, x: layer(x, x, use_causal_mask=True),
        ),
        case(
            lambda: layers.MultiHeadAttention(2, 4),
            *((5, 3), (5,)),
            call=lambda layer, x, seen: layer(x, x, attention_mask=ops.greater(ops.expand_dims(seen, 1), 0.0)),
        ),
        case(
            lambda: layers.MultiHeadAttention(2, 4, attention_axes=2),
            (5, 6, 3),
            open=(None, None, 3),
            call=lambda layer, x: layer(x, x),
        ),
    ],
    layers.Multiply: merging(layers.Multiply),
    layers.Normalization: [
        case(layers.Normalization, (5, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.Normalization(mean=1.0, variance=4.0, invert=True), (5, 3)),
        case(lambda: layers.Normalization(axis=None, mean=1.0, variance=4.0), (5, 3), dtype="uint8"),
    ],
    layers.Operation: [case(lambda: layers.Operation("tanh"), (4,))],
    layers.PReLU: [
        case(layers.PReLU, (4, 3)),
        case(lambda: layers.PReLU(shared_axes=(1, 2)), IMAGE, open=OPEN_IMAGE),
    ],
    layers.Permute: [case(lambda: layers.Permute((2, 1)), (5, 3), open=OPEN_SEQUENCE)],
    layers.PositionEmbedding: [case(lambda: layers.PositionEmbedding(9), (5, 3), open=OPEN_SEQUENCE)],
    layers.RMSNormalization: [
        case(layers.RMSNormalization, (5, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.RMSNormalization((1, 2)), (5, 3)),
    ],
    layers.RNN: [
        case(lambda: layers.RNN(Decay(), return_sequences=True), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(5)], go_backwards=True), SEQUENCE),
        case(
            lambda: layers.RNN([Decay(), layers.GRUCell(5)], return_sequences=True, return_state=True),
            *(SEQUENCE, (7,)),
            open=[OPEN_SEQUENCE, (None,)],
            call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, 0.0)),
        ),
    ],
    layers.RandomBrightness: at_rest(lambda: layers.RandomBrightness(0.5)),
    layers.RandomContrast: at_rest(lambda: layers.RandomContrast(0.5)),
    layers.RandomCrop: [case(lambda: layers.RandomCrop(3, 4), IMAGE)],
    layers.RandomFlip: at_rest(layers.RandomFlip),
    layers.RandomRotation: at_rest(lambda: layers.RandomRotation(0.5)),
    layers.RandomTranslation: at_rest(lambda: layers.RandomTranslation(0.5, 0.5)),
    layers.RandomZoom: at_rest(lambda: layers.RandomZoom(0.5)),
    layers.ReLU: [
        case(layers.ReLU, (4,)),
        case(lambda: layers.ReLU(1.0, 0.25, 0.5), (4,)),
        case(lambda: layers.ReLU(negative_slope=0.25), (4,)),
    ],
    layers.RepeatVector: [case(lambda: layers.RepeatVector(3), (4,))],
    layers.Rescaling: [
        case(lambda: layers.Rescaling(1 / 255, -0.5), IMAGE, open=OPEN_IMAGE, dtype="uint8"),
        case(lambda: layers.Rescaling([0.5, 1.0, 2.0]), IMAGE),
    ],
    layers.Reshape: [
        case(lambda: layers.Reshape((4, 3)), (12,)),
        case(lambda: layers.Reshape((-1, 6)), (4, 3), open=OPEN_SEQUENCE),
    ],
    layers.Resizing: [
        case(lambda: layers.Resizing(5, 12, "nearest"), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.Resizing(5, 12), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.Resizing(24, 12, "bicubic"), IMAGE, open=OPEN_IMAGE),
        *(case(lambda way=way: layers.Resizing(5, 12, way), IMAGE) for way in ("bicubic", "lanczos3", "lanczos5")),
        *(
            case(lambda way=way: layers.Resizing(5, 3, way, antialias=True), IMAGE)
            for way in ("bilinear", "bicubic", "lanczos3")
        ),
        case(lambda: layers.Resizing(5, 12, crop_to_aspect_ratio=True), IMAGE, dtype="uint8"),
        case(lambda: layers.Resizing(5, 12, pad_to_aspect_ratio=True, fill_value=0.5), IMAGE),
    ],
    layers.SeparableConv1D: [case(lambda: layers.SeparableConv1D(4, 3, padding="same"), SEQUENCE, open=OPEN_SEQUENCE)],
    layers.SeparableConv2D: [
        case(lambda: layers.SeparableConv2D(4, 3, 2, depth_multiplier=2, activation="relu"), IMAGE, open=OPEN_IMAGE)
    ],
    layers.SimpleRNN: recurrent(
        layers.SimpleRNN, case(lambda: layers.SimpleRNN(4, "relu"), SEQUENCE, open=OPEN_SEQUENCE)
    ),
    layers.SimpleRNNCell: [case(lambda: layers.RNN(layers.SimpleRNNCell(4)), SEQUENCE)],
    layers.SinePositionEncoding: [case(layers.SinePositionEncoding, (60, 6), open=(None, 6))],
    layers.Softmax: [
        case(layers.Softmax, (5, 3)),
        case(lambda: layers.Softmax((1, 2)), (5, 3), open=OPEN_SEQUENCE),
        case(layers.Softmax, (5,), (5,), call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, -1.0))),
    ],
    layers.SpatialDropout1D: [case(lambda: layers.SpatialDropout1D(0.5), SEQUENCE)],
    layers.SpatialDropout2D: [case(lambda: layers.SpatialDropout2D(0.5), IMAGE)],
    layers.SpatialDropout3D: [case(lambda: layers.SpatialDropout3D(0.5), VOLUME)],
    layers.StackedRNNCells: [
        case(
            lambda: layers.RNN(layers.StackedRNNCells([layers.LSTMCell(4), layers.GRUCell(5)]), return_state=True),
            *(SEQUENCE, (7,)),
            open=[OPEN_SEQUENCE, (None,)],
            call=lambda layer, x, seen: layer(x, mask=ops.greater(seen, 0.0)),
        )
    ],
    layers.StringLookup: [
        case(lambda mode=mode: layers.StringLookup(vocabulary=WORDS, output_mode=mode), (4,), dtype="string")
        for mode in ("int", "one_hot", "multi_hot", "count")
    ]
    + [
        case(lambda: layers.StringLookup(vocabulary=WORDS, mask_token=""), (4,), open=(None,), dtype="string"),
        case(
            lambda: layers.StringLookup(vocabulary=WORDS, output_mode="tf_idf", idf_weights=[0.5, 1.0, 2.0]),
            (4,),
            dtype="string",
        ),
    ],
    layers.Subtract: merging(layers.Subtract),
    layers.TimeDistributed: [
        case(lambda: layers.TimeDistributed(layers.Dense(4)), SEQUENCE, open=OPEN_SEQUENCE),
        case(lambda: layers.TimeDistributed(layers.Conv2D(4, 3)), (4, *IMAGE), open=(None, *IMAGE)),
    ],
    layers.UnitNormalization: [
        case(layers.UnitNormalization, (5, 3), open=OPEN_SEQUENCE),
        case(lambda: layers.UnitNormalization((1, 2)), (5, 3)),
    ],
    layers.UpSampling1D: [case(lambda: layers.UpSampling1D(3), SEQUENCE, open=OPEN_SEQUENCE)],
    layers.UpSampling2D: [
        case(lambda: layers.UpSampling2D((2, 3)), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.UpSampling2D(2, interpolation="bilinear"), IMAGE, open=OPEN_IMAGE),
        case(lambda: layers.UpSampling2D(2, interpolation="bicubic"), IMAGE, open=OPEN_IMAGE),
    ],
    layers.UpSampling3D: [case(layers.UpSampling3D, VOLUME, open=OPEN_VOLUME)],
    layers.ZeroPadding1D: [case(lambda: layers.ZeroPadding1D((1, 2)), SEQUENCE, open=OPEN_SEQUENCE)],
    layers.ZeroPadding2D: [case(lambda: layers.ZeroPadding2D(((1, 0), (2, 3))), IMAGE, open=OPEN_IMAGE)],
    layers.ZeroPadding3D: [case(layers.ZeroPadding3D, VOLUME, open=OPEN_VOLUME)],
}

# No layers to stand in a model by themselves.
BASES = {layers.Layer, layers.InputLayer}

# What ONNX cannot say: a model with it, and why not.
REFUSED: dict[type, list[tuple[Any, Any, str]]] = {
    layers.Hashing: [(lambda: layers.Hashing(4), ((4,), "string"), "no hash")],
    layers.HostLayer: [(Length, ((1,), "string"), "works on the host, in Python")],
    layers.TextVectorization: [
        (lambda: layers.TextVectorization(vocabulary=WORDS), ((1,), "string"), "standardizes and splits text")
    ],
}
