"""Layers on vectors, and those that only move or join numbers."""

from __future__ import annotations

import numpy as np

from . import Table, ids, normal, tokens, words

CASES = Table()
_add = CASES.layer
_matrix, _sequence, _image, _volume = normal(3, 5), normal(3, 5, 4), normal(2, 6, 7, 4), normal(2, 4, 5, 4, 3)

# Dense and what stands after it
_add("Dense(4)", _matrix)
_add('Dense(4, activation="relu", use_bias=False)', _matrix)
_add('Dense(4, activation="softmax")', _sequence)
_add('Dense(units=2, activation=activations.tanh, bias_initializer="ones")', normal(2, 3, 2, 3))
_add('Dense(3, kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.1), activity_regularizer="l1")', _matrix)
_add("Dense(4, kernel_regularizer=regularizers.L1L2(0.1, 0.2), kernel_constraint=constraints.MaxNorm(1.0))", _matrix)
for _name in words(
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid "
    "squareplus swish tanh tanh_shrink"
):
    _add(f'Activation("{_name}")', _matrix)
_add("Activation(activations.relu)", _sequence)
_add('Activation("glu")', normal(3, 6))
_add("ReLU()", _matrix)
_add("ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3)", _matrix)
_add("ReLU(6.0)", _image)
_add("LeakyReLU()", _matrix)
_add("LeakyReLU(negative_slope=0.1)", _matrix)
_add("ELU()", _matrix)
_add("ELU(alpha=0.5)", _sequence)
_add("PReLU()", _sequence)
_add('PReLU(alpha_initializer="ones", shared_axes=[1, 2])', _image)
_add("PReLU(shared_axes=[1])", _sequence)
_add("Softmax()", _sequence)
_add("Softmax(axis=1)", _sequence)
_add("Softmax(axis=(1, 2))", _sequence)
_add("Softmax()", _sequence, call="layer(x, mask=mask)", mask=np.tril(np.ones((3, 5, 4), bool)))
_add("Identity()", _sequence)
_add("Rescaling(1 / 127.5, offset=-1.0)", _image)
_add("Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 0.1, 0.2, 0.3])", _image)

# Noise is nothing outside training, or at a rate of 0
for _build in (
    "Dropout(0.5)",
    "Dropout(0.5, noise_shape=(None, 1, 4), seed=1)",
    "SpatialDropout1D(0.3)",
    "GaussianNoise(0.5)",
    "GaussianDropout(0.5)",
    "AlphaDropout(0.5)",
):
    _add(_build, _sequence)
_add("SpatialDropout2D(0.3)", _image)
_add("SpatialDropout3D(0.3)", _volume)
for _build in ("Dropout(0.0)", "SpatialDropout1D(0.0)", "GaussianNoise(0.0)", "GaussianDropout(0.0)"):
    _add(_build, _sequence, call="layer(x, training=True)")
_add("ActivityRegularization(l1=0.1, l2=0.2)", _matrix)

# Normalization
_add("BatchNormalization()", _image)
_add("BatchNormalization()", _image, call="layer(x, training=True)")
_add("BatchNormalization(momentum=0.9, epsilon=1e-5)", _matrix, call="layer(x, training=True)")
_add("BatchNormalization(axis=1)", _image, call="layer(x, training=True)")
_add("BatchNormalization(center=False, scale=False)", _image, call="layer(x, training=True)")
_add("BatchNormalization(trainable=False)", _matrix, call="layer(x, training=True)")
_add(
    'BatchNormalization(gamma_regularizer="l2", beta_constraint="non_neg", moving_variance_initializer="ones")', _matrix
)
_steps = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
_add("BatchNormalization(momentum=0.9)", _sequence, call="layer(x, training=True, mask=mask)", mask=_steps)
_add("LayerNormalization()", _sequence)
_add("LayerNormalization(axis=[1, 2], epsilon=1e-5)", _sequence)
_add("LayerNormalization(axis=1)", _sequence)
_add("LayerNormalization(center=False)", _sequence)
_add("LayerNormalization(scale=False)", _sequence)
_add("GroupNormalization(groups=2)", _image)
_add("GroupNormalization(-1, epsilon=1e-5)", _image)
_add("GroupNormalization(groups=1, center=False)", _sequence)
_add("GroupNormalization(groups=4, scale=False)", normal(3, 8))
_add("GroupNormalization(groups=3, axis=1)", normal(2, 6, 4))
_add("RMSNormalization()", _sequence)
_add("UnitNormalization()", _sequence)
_add("UnitNormalization(axis=(1, 2))", _sequence)

# Shapes
_add("Flatten()", _image)
_add("Flatten()", normal(3))
_add("Reshape((-1, 14))", _image)
_add("Reshape(target_shape=[20])", _sequence)
_add("Permute((2, 1))", _sequence)
_add("Permute((3, 1, 2))", _image)
_add("RepeatVector(3)", _matrix)
for _n, _x, _sizes in ((1, _sequence, "2"), (2, _image, "(2, 3)"), (3, _volume, "(2, 1, 2)")):
    _add(f"UpSampling{_n}D()", _x)
    _add(f"UpSampling{_n}D({_sizes})", _x)
    _add(f"ZeroPadding{_n}D()", _x)
    _add(f"ZeroPadding{_n}D(2)", _x)
    _add(f"Cropping{_n}D()", _x)
    _add(f"Cropping{_n}D(1)", _x)
for _method in ("bilinear", "nearest"):
    _add(f'UpSampling2D(3, interpolation="{_method}")', normal(2, 3, 2, 2))
_add("ZeroPadding1D((1, 2))", _sequence)
_add("ZeroPadding2D((1, 2))", _image)
_add("ZeroPadding2D(((1, 2), (0, 3)))", _image)
_add("ZeroPadding3D(((1, 2), (0, 3), (1, 0)))", _volume)
_add("Cropping1D((1, 2))", _sequence)
_add("Cropping2D(((1, 2), (0, 3)))", _image)
_add("Cropping2D((1, 2))", _image)
_add("Cropping3D(((1, 2), (0, 3), (1, 0)))", _volume)
_add("Cropping3D((1, 2, 0))", _volume)

# Several inputs
for _kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"):
    _add(f"{_kind}()", _matrix, _matrix)
    if _kind != "Subtract":
        _add(f"{_kind}()", _sequence, _sequence, normal(3, 5, 4), call="layer(x) * 2")
    if _kind != "Concatenate":
        _add(f"{_kind}()", _sequence, normal(3, 1, 4), call="layer([x[0], x[1]])")
_add("Concatenate(axis=1)", _sequence, normal(3, 2, 4))
_add("Concatenate(axis=-2)", _sequence, normal(3, 2, 4))
_add("Dot(axes=1)", _matrix, _matrix)
_add("Dot(axes=-1, normalize=True)", _matrix, _matrix)
_add("Dot(axes=(1, 2))", _sequence, normal(3, 2, 5))
_add("Dot(axes=2)", _sequence, normal(3, 2, 4))
_add("Dot(axes=(2, 1))", _sequence, normal(3, 4), call="layer([x[0], x[1]])")
for _function in ("add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate"):
    _add("Dense(2)", _matrix, call=f"layers.{_function}([layer(x), 2 * layer(x)])" + f"  # {_function}")
_add("Dense(2)", _matrix, call="layers.dot([layer(x), layer(x)], axes=1, normalize=True)")
_add("Dense(2)", _matrix, call="layers.concatenate([layer(x), x], axis=1)")

# Ids
_add("Embedding(6, 4)", tokens(3, 5))
_add('Embedding(6, 4, embeddings_initializer="normal", embeddings_regularizer="l2")', ids(3))
_add("Embedding(6, 2, mask_zero=True)", tokens(3, 5))
_add("Embedding(6, 2, embeddings_constraint=constraints.UnitNorm(axis=1))", ids(2, 3, 2))

# Masks that layers make and hand on
_add("Masking()", _sequence, call="layer(x * mask)", mask=_steps[..., None].astype(np.float32))
_add("Masking(mask_value=1.0)", _sequence, call="layer(x * mask + 1)", mask=_steps[..., None].astype(np.float32))
_masked = "Embedding(6, 4, mask_zero=True)"
for _after in (
    'Activation("tanh")',
    "Dense(2)",
    "Dropout(0.5)",
    "BatchNormalization()",
    "LayerNormalization()",
    "GlobalAveragePooling1D()",
    "GlobalMaxPooling1D()",
    "UnitNormalization()",
    "PReLU()",
    "LeakyReLU()",
    "Rescaling(2.0)",
    "GaussianNoise(0.1)",
    "SpatialDropout1D(0.5)",
    "Permute((2, 1))",
    "Flatten()",
    "Reshape((20,))",
    "Conv1D(2, 3)",
    "ZeroPadding1D(1)",
    "Cropping1D(1)",
    "UpSampling1D(2)",
    "MaxPooling1D(2)",
    "TimeDistributed(Dense(2))",
    "GroupNormalization(2)",
    "Identity()",
):
    _add(f"Sequential([{_masked}, {_after}])", tokens(3, 5))
for _kind in ("Add", "Multiply", "Average", "Maximum", "Concatenate", "Concatenate(axis=1)"):
    _merge = _kind if "(" in _kind else f"{_kind}()"
    if _kind != "Concatenate":  # where one input has no mask: docs/deviations.md
        _add(_masked, tokens(3, 5), call=f"layers.{_merge}([layer(x), 2 * layer(x)])")
    _add(_masked, tokens(3, 5), call=f"layers.{_merge}([layer(x), layer(5 - x)])")

# Layers in layers
_add("TimeDistributed(Dense(2))", _sequence)
_add("TimeDistributed(Conv2D(2, 3))", normal(2, 3, 5, 6, 2))
_add("TimeDistributed(Flatten())", _image)
_add('Sequential([Dense(4, activation="relu"), Dense(2)])', _matrix)
_add("Sequential([Input((5,)), Dense(3), Sequential([Dense(2), Dense(1)])])", _matrix)
