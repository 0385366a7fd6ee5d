"""Activations, regularizers, constraints, losses as functions, utilities; and what initializers draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import Array, Table, ids, normal, unit, words
from .operations import OperationTable

FUNCTIONS = OperationTable()
_op, _exact = FUNCTIONS.smooth, FUNCTIONS.exact
_x = normal(3, 4)
_weighted = normal(3, 4), Array("positive", (3,))

# Regularizers and constraints
for _build in (
    "L1()",
    "L1(0.3)",
    "L2()",
    "L2(l2=0.3)",
    "L1L2(0.1, 0.2)",
    "OrthogonalRegularizer(0.5)",
    "OrthogonalRegularizer(0.5, mode='columns')",
    "get('L1L2')",
    "get('l2')",
    "l2(0.2)",
):
    _op(f"regularizers.{_build}(x)", _x)
for _build in (
    "MaxNorm(0.8)",
    "MaxNorm(max_value=1.0, axis=1)",
    "MinMaxNorm(0.5, 0.9)",
    "MinMaxNorm(min_value=0.5, max_value=0.9, rate=0.3, axis=1)",
    "NonNeg()",
    "UnitNorm()",
    "UnitNorm(axis=1)",
    "get('max_norm')",
):
    _exact(f"constraints.{_build}(x)", _x)
_exact("constraints.MaxNorm(0.8, axis=[0, 1, 2])(x)", normal(3, 3, 2, 4))

# Activations, and functions of losses and metrics
for _name in words(
    "celu elu exponential gelu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid "
    "log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid "
    "squareplus swish tanh tanh_shrink"
):
    _op(f"activations.{_name}(x)", _x)
    _op(f"activations.get('{_name}')(x)", _x, gradient=False)
for _build in (
    "relu(x, negative_slope=0.1, max_value=1.0, threshold=0.2)",
    "gelu(x, approximate=True)",
    "elu(x, alpha=0.3)",
    "glu(x, axis=-1)",
    "threshold(x, 0.1, 5.0)",
    "leaky_relu(x, negative_slope=0.4)",
    "softmax(x, axis=0)",
):
    _op(f"activations.{_build}", _x)
_simplex, _one_hot = Array("simplex", (3, 4)), Array("one-hot", (3, 4))
for _name in words(
    "mean_squared_error mean_absolute_error mean_absolute_percentage_error mean_squared_logarithmic_error "
    "binary_crossentropy binary_focal_crossentropy categorical_crossentropy categorical_focal_crossentropy "
    "categorical_hinge cosine_similarity hinge squared_hinge huber kl_divergence log_cosh poisson dice tversky"
):
    _exact(f"losses.{_name}(x, y)", _one_hot, _simplex)
_exact("losses.sparse_categorical_crossentropy(x, y)", ids(3, limit=4), _simplex)
_exact("losses.categorical_crossentropy(x, y, from_logits=True, label_smoothing=0.1)", _one_hot, _x)
_exact("metrics.binary_accuracy(x, y)", _one_hot, unit(3, 4))
_exact("metrics.categorical_accuracy(x, y)", _one_hot, _simplex)
_exact("metrics.sparse_categorical_accuracy(x, y)", ids(3, limit=4), _simplex)
_exact("metrics.top_k_categorical_accuracy(x, y, k=2)", _one_hot, _simplex)
_exact("metrics.sparse_top_k_categorical_accuracy(x, y, k=2)", ids(3, limit=4), _simplex)
_exact("metrics.pearson_correlation(x, y)", _x, normal(3, 4))
_exact("metrics.concordance_correlation(x, y)", _x, normal(3, 4))
for _name in ("Mean", "Sum"):
    _exact(
        f"[m := metrics.{_name}(), m.update_state(x), m.update_state(y, z), m.result()][-1]",
        _x,
        *_weighted,
    )
_exact(
    "[m := metrics.MeanMetricWrapper(losses.mean_squared_error), m.update_state(x, y, z), m.result()][-1]",
    _x,
    *_weighted,
)

# Utilities
for _build in (
    "to_categorical([0, 2, 1])",
    "to_categorical([[0], [2]], num_classes=4)",
    "normalize(x, axis=-1)",
    "normalize(x, axis=0, order=1)",
    "pad_sequences([[1], [2, 3], [4, 5, 6]])",
    "pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2, padding='post', truncating='post', value=9)",
    "pad_sequences([[1.5], [2, 3]], dtype='float32')",
):
    _exact(f"utils.{_build}", *([_x] if "(x" in _build else []))


@dataclass(frozen=True)
class InitializerCase:
    """What an initializer draws. A random one is compared by its distribution."""

    build: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{self.build} of {'x'.join(map(str, self.shape))}"


INITIALIZERS = Table()
_LARGE: Sequence[tuple[int, ...]] = ((300, 200), (3, 3, 50, 60))
for _build in (
    "GlorotUniform()",
    "GlorotNormal()",
    "HeUniform()",
    "HeNormal()",
    "LecunUniform()",
    "LecunNormal()",
    "RandomNormal()",
    "RandomNormal(mean=1.0, stddev=0.5)",
    "RandomUniform()",
    "RandomUniform(-1.0, 2.0)",
    "TruncatedNormal(0.5, 0.2)",
    "VarianceScaling()",
    "VarianceScaling(2.0, mode='fan_out', distribution='untruncated_normal')",
    "VarianceScaling(scale=0.5, mode='fan_avg', distribution='uniform')",
    "Orthogonal()",
    "Orthogonal(gain=2.0)",
    "get('glorot_uniform')",
    "get('uniform')",
    "get('normal')",
):
    for _shape in _LARGE:
        INITIALIZERS.put(InitializerCase(f"initializers.{_build}", _shape))
for _build in (
    "Zeros()",
    "Ones()",
    "Constant(3.0)",
    "Identity()",
    "Identity(gain=2.0)",
    "IdentityInitializer()",
    "get('zeros')",
    "get('ones')",
    "get('identity')",
):
    INITIALIZERS.put(InitializerCase(f"initializers.{_build}", (3, 4)))


def distribution(value: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, quantiles and spectral norm of what was drawn; few numbers stand for themselves."""
    if value.size < 100:
        return value
    norm = np.linalg.norm(value.reshape(-1, value.shape[-1]), ord=2)
    return np.array([value.mean(), value.std(), *np.quantile(value, [0.01, 0.1, 0.5, 0.9, 0.99]), norm])
