"""The compiled CPU kernels. Array arguments are C-contiguous, aligned, native; outputs are written in place."""

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

class DType(enum.IntEnum):
    float32 = 0
    float64 = 1
    int32 = 2
    int64 = 3
    uint8 = 4
    bool = 5

class Activation:
    def __init__(self, name: str, alpha: float = 0.0) -> None: ...

class Recording:
    def __init__(self) -> None: ...
    def begin(self) -> None: ...
    def end(self) -> None: ...
    def poison(self, reason: str) -> None: ...
    def replay(self) -> None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def launches(self) -> int: ...
    @property
    def poisoned(self) -> str: ...

class AttentionShape:
    def __init__(
        self, batch: int, heads: int, tq: int, tk: int, d: int, dv: int, causal: bool, dtype: DType
    ) -> None: ...

class ConvShape:
    @staticmethod
    def transposed(
        x: Sequence[int],
        kernel: Sequence[int],
        strides: Sequence[int],
        padding: str,
        output_padding: Sequence[int],
        dilation: Sequence[int],
        dtype: DType,
        path: str = "auto",
    ) -> ConvShape: ...
    def __init__(
        self,
        x: Sequence[int],
        kernel: Sequence[int],
        strides: Sequence[int],
        padding: str,
        dilation: Sequence[int],
        groups: int,
        dtype: DType,
        path: str = "auto",
    ) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def x_shape(self) -> tuple[Any, ...]: ...
    @property
    def y_shape(self) -> tuple[Any, ...]: ...

class CopyShape:
    def __init__(
        self,
        size: Sequence[int],
        src_stride: Sequence[int],
        dst_stride: Sequence[int],
        src_offset: int,
        dst_offset: int,
        src_size: int,
        dst_size: int,
    ) -> None: ...
    @property
    def path(self) -> str: ...

class DropoutShape:
    def __init__(self, sizes: Sequence[int], noise: Sequence[int], dtype: DType) -> None: ...

class BroadcastShape:
    def __init__(self, shapes: Sequence[Sequence[int]]) -> None: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...

class EmbeddingShape:
    def __init__(self, count: int, rows: int, columns: int, dtype: DType, index_dtype: DType) -> None: ...

class GemmShape:
    def __init__(
        self,
        batch: int,
        m: int,
        n: int,
        k: int,
        trans_a: bool,
        trans_b: bool,
        broadcast_a: bool,
        broadcast_b: bool,
        dtype: DType,
        path: str = "auto",
    ) -> None: ...
    @property
    def path(self) -> str: ...

class ImageShape:
    def __init__(self, batch: int, height: int, width: int, channels: int, dtype: DType) -> None: ...

class LossShape:
    def __init__(
        self,
        kind: str,
        counting: str,
        rows: int,
        columns: int,
        dtype: DType,
        label_dtype: DType,
        weight_dtype: DType,
        sparse: bool,
        weights: int,
        masks: int,
        smoothing: float,
        delta: float,
        has_ignored: bool,
        ignored: int,
    ) -> None: ...

class MetricShape:
    def __init__(
        self,
        kind: str,
        rows: int,
        columns: int,
        dtype: DType,
        label_dtype: DType,
        weight_dtype: DType,
        weights: int,
        masks: int,
        threshold: float,
        k: int,
    ) -> None: ...

class BatchNormShape:
    def __init__(self, outer: int, channels: int, inner: int, dtype: DType, path: str = "auto") -> None: ...
    @property
    def path(self) -> str: ...

class LayerNormShape:
    def __init__(self, rows: int, n: int, dtype: DType) -> None: ...

class OptimizerRule:
    def __init__(
        self,
        kind: str,
        clipping: str,
        clip: float,
        weight_decay: float,
        beta_1: float,
        beta_2: float,
        rho: float,
        momentum: float,
        epsilon: float,
        nesterov: bool,
        amsgrad: bool,
        centered: bool,
        accumulation: int = 1,
    ) -> None: ...

class PoolShape:
    def __init__(
        self,
        x: Sequence[int],
        window: Sequence[int],
        strides: Sequence[int],
        padding: str,
        average: bool,
        dtype: DType,
        path: str = "auto",
    ) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def y_shape(self) -> tuple[Any, ...]: ...

class RnnShape:
    def __init__(
        self, cell: str, batch: int, steps: int, inputs: int, units: int, dtype: DType, path: str = "auto"
    ) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def reserve(self) -> int: ...

class SoftmaxShape:
    def __init__(self, outer: int, n: int, inner: int, dtype: DType, path: str = "auto") -> None: ...
    @property
    def path(self) -> str: ...

def affine_sample(
    shape: ImageShape, interpolation: str, outside: str, fill_value: float, x: Array, transform: Array, y: Array
) -> None: ...
def assign(x: Array, y: Array, accumulate: bool = False) -> None: ...
def attention_backward(
    shape: AttentionShape,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    bias: Array | None,
    scale: float,
    y: Array,
    lse: Array,
    dy: Array,
    dq: Array | None,
    accumulate_dq: bool,
    dk: Array | None,
    accumulate_dk: bool,
    dv: Array | None,
    accumulate_dv: bool,
    ds: Array | None,
) -> None: ...
def attention_forward(
    shape: AttentionShape,
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    bias: Array | None,
    scale: float,
    y: Array,
    lse: Array | None,
) -> None: ...
def batch_norm_backward(
    shape: BatchNormShape,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    dy: Array,
    dx: Array | None,
    accumulate_dx: bool,
    dgamma: Array | None,
    accumulate_dgamma: bool,
    dbeta: Array | None,
    accumulate_dbeta: bool,
    training: bool,
) -> None: ...
def batch_norm_forward(
    shape: BatchNormShape,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    moving_mean: Array,
    moving_variance: Array,
    y: Array,
    mean: Array | None,
    rstd: Array | None,
    momentum: float,
    epsilon: float,
    training: bool,
) -> None: ...
def binary_backward(
    shape: BroadcastShape, op: int, side: int, a: Array, b: Array, dy: Array, gradient: Array, accumulate: bool
) -> None: ...
def binary_forward(shape: BroadcastShape, op: int, a: Array, b: Array, y: Array) -> None: ...
def cast(x: Array, y: Array) -> None: ...
def compare_forward(shape: BroadcastShape, op: int, a: Array, b: Array, y: Array) -> None: ...
def conv_backward_data(
    shape: ConvShape, dy: Array, w: Array, b: Array | None, dx: Array, activation: Activation, accumulate: bool = False
) -> None: ...
def conv_backward_weights(
    shape: ConvShape,
    x: Array,
    dy: Array,
    y: Array | None,
    activation: Activation,
    dz: Array | None,
    dw: Array | None,
    db: Array | None,
    accumulate: bool = False,
    accumulate_bias: bool = False,
) -> None: ...
def conv_forward(
    shape: ConvShape, x: Array, w: Array, b: Array | None, y: Array, activation: Activation, accumulate: bool = False
) -> None: ...
def copy(shape: CopyShape, x: Array, y: Array, accumulate: bool = False) -> None: ...
def default_num_threads() -> int: ...
def dropout_backward(shape: DropoutShape, rate: float, used: Array, dy: Array, dx: Array, accumulate: bool) -> None: ...
def dropout_forward(shape: DropoutShape, rate: float, counter: Array, used: Array, x: Array, y: Array) -> None: ...
def embedding_backward(shape: EmbeddingShape, indices: Array, dy: Array, dtable: Array, accumulate: bool) -> None: ...
def embedding_forward(shape: EmbeddingShape, indices: Array, table: Array, y: Array) -> None: ...
def empty(shape: tuple[Any, ...], dtype: np.dtype[Any], like: Array | None = None) -> Array: ...
def epilogue_backward(
    dy: Array, y: Array | None, activation: Activation, dz: Array | None, db: Array | None, accumulate: bool = False
) -> None: ...
def fill(value: float, y: Array) -> None: ...
def gather_backward(
    outer: int, n: int, inner: int, along: bool, dy: Array, indices: Array, dx: Array, accumulate: bool
) -> None: ...
def gather_forward(outer: int, n: int, inner: int, along: bool, x: Array, indices: Array, y: Array) -> None: ...
def gemm(
    shape: GemmShape, a: Array, b: Array, bias: Array | None, c: Array, activation: Activation, accumulate: bool = False
) -> None: ...
def gradient_accumulate(
    table: Array,
    gradients: Array,
    count: Array | None,
    iterations: Array,
    accumulation: int,
    sums: Array,
) -> None: ...
def gradient_norms(table: Array, gradients: Array, blocks: int, squares: Array) -> None: ...
def is_recording() -> bool: ...
def layer_norm_backward(
    shape: LayerNormShape,
    x: Array,
    gamma: Array | None,
    mean: Array,
    rstd: Array,
    dy: Array,
    dx: Array | None,
    accumulate_dx: bool,
    dgamma: Array | None,
    accumulate_dgamma: bool,
    dbeta: Array | None,
    accumulate_dbeta: bool,
) -> None: ...
def layer_norm_forward(
    shape: LayerNormShape,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    y: Array,
    mean: Array | None,
    rstd: Array | None,
    epsilon: float,
) -> None: ...
def loss_backward(
    shape: LossShape,
    labels: Array | None,
    predictions: Array,
    weights: Array | None,
    mask: Array | None,
    statistics: Array,
    dy: Array,
    dy_per_row: bool,
    count: Array | None,
    dpredictions: Array,
    accumulate: bool,
) -> None: ...
def loss_forward(
    shape: LossShape,
    labels: Array | None,
    predictions: Array,
    weights: Array | None,
    mask: Array | None,
    statistics: Array,
    losses: Array | None,
    total: Array | None,
    mean: Array | None,
    count: Array,
) -> None: ...
def measure_copy(x: Array, y: Array) -> int: ...
def measure_fma_peak(steps: int, sums: Array) -> int: ...
def metric_add_loss(sum: Array, count: Array, batch: float, state: Array) -> None: ...
def metric_update(
    shape: MetricShape,
    labels: Array | None,
    predictions: Array,
    weights: Array | None,
    mask: Array | None,
    state: Array,
) -> None: ...
def moving_average(
    parameters: Array,
    averages: Array,
    iterations: Array,
    momentum: float,
    overwrite_every: int,
    accumulation: int,
) -> None: ...
def num_threads() -> int: ...
def optimizer_update(
    rule: OptimizerRule,
    table: Array,
    parameters: Array,
    gradients: Array,
    state0: Array | None,
    state1: Array | None,
    state2: Array | None,
    count: Array | None,
    learning_rate: Array,
    iterations: Array,
    ticket: Array,
    norms: Array | None,
) -> None: ...
def poison(value: str) -> None: ...
def pool_backward(
    shape: PoolShape, x: Array | None, y: Array | None, dy: Array, dx: Array, accumulate: bool = False
) -> None: ...
def pool_forward(shape: PoolShape, x: Array, y: Array) -> None: ...
def predicate_forward(op: int, x: Array, y: Array) -> None: ...
def random_uniform(counter: Array, y: Array) -> None: ...
def reduce_backward(
    op: int,
    outer: int,
    n: int,
    inner: int,
    x: Array | None,
    y: Array | None,
    dy: Array,
    dx: Array,
    scale: float,
    accumulate: bool,
) -> None: ...
def reduce_forward(
    op: int,
    outer: int,
    n: int,
    inner: int,
    x: Array,
    y: Array,
    shift: Array | None = None,
    scale: float = 1.0,
    accumulate: bool = False,
) -> None: ...
def rnn_backward(
    shape: RnnShape,
    activation: Activation,
    reverse: bool,
    x: Array,
    w: Array,
    u: Array,
    mask: Array | None,
    reserve: Array,
    dy: Array | None,
    dh_last: Array | None,
    dc_last: Array | None,
    dx: Array | None,
    dw: Array | None,
    du: Array | None,
    db: Array | None,
    dh0: Array | None,
    dc0: Array | None,
    accumulate: Sequence[bool],
) -> None: ...
def rnn_forward(
    shape: RnnShape,
    activation: Activation,
    reverse: bool,
    x: Array,
    w: Array,
    u: Array,
    bias: Array | None,
    h0: Array | None,
    c0: Array | None,
    mask: Array | None,
    y: Array | None,
    h_last: Array,
    c_last: Array | None,
    reserve: Array | None,
) -> None: ...
def scan_forward(
    op: int,
    outer: int,
    n: int,
    inner: int,
    x: Array,
    y: Array,
    reverse: bool = False,
    exclusive: bool = False,
    accumulate: bool = False,
) -> None: ...
def scan_prod_backward(
    outer: int, n: int, inner: int, x: Array, before: Array, dy: Array, dx: Array, accumulate: bool
) -> None: ...
def search_sorted(sorted: Array, values: Array, places: Array, right: bool) -> None: ...
def select_forward(
    shape: BroadcastShape, condition: Array, a: Array, b: Array, y: Array, accumulate: bool = False
) -> None: ...
def set_num_threads(value: int) -> None: ...
def softmax_backward(shape: SoftmaxShape, y: Array, dy: Array, dx: Array, log: bool, accumulate: bool) -> None: ...
def softmax_forward(shape: SoftmaxShape, x: Array, y: Array, log: bool = False) -> None: ...
def sort_order(rows: int, n: int, x: Array, order: Array, descending: bool) -> None: ...
def swap_recording(recording: Recording | None) -> Recording | None: ...
def unary_backward(
    op: int, saved: Array, dy: Array, dx: Array, accumulate: bool, alpha: float = 0.0, beta: float = 0.0
) -> None: ...
def unary_forward(op: int, x: Array, y: Array, alpha: float = 0.0, beta: float = 0.0) -> None: ...

BINARY: dict[str, int]
COMPARE: dict[str, int]
OPTIMIZER_BLOCK: int
PREDICATE: dict[str, int]
REDUCE: dict[str, int]
SCAN: dict[str, int]
UNARY: dict[str, int]
UNARY_FROM_OUTPUT: set[int]
build: str
isa: str
