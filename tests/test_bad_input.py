"""No input, however wrong, may crash, hang or silently give a wrong number: an operation raises or is right."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlbd import GradientTape, Tensor, Variable, ops


@dataclass(frozen=True)
class Call:
    """An operation on valid float inputs of these shapes; ``batch`` says which of them have the batch first."""

    run: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    batch: tuple[int, ...] = (0,)

    def inputs(self, batch: int | None = None) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        shapes = [(batch, *s[1:]) if batch is not None and i in self.batch else s for i, s in enumerate(self.shapes)]
        # small integers: exact in every dtype of the matrix, and never zero
        return [rng.integers(1, 4, s).astype(np.float32) for s in shapes]


CALLS = {
    "matmul": Call(ops.matmul, ((3, 4), (4, 5))),
    "dense": Call(lambda x, w, b: ops.dense(x, w, b, "relu"), ((3, 4), (4, 5), (5,))),
    "conv": Call(lambda x, w, b: ops.conv(x, w, padding="same", bias=b), ((2, 5, 6, 3), (3, 3, 3, 4), (4,))),
    "conv_transpose": Call(lambda x, w: ops.conv_transpose(x, w, 2), ((2, 3, 4, 3), (3, 3, 2, 3))),
    "max_pool": Call(lambda x: ops.max_pool(x, 2), ((2, 5, 6, 3),)),
    "average_pool": Call(lambda x: ops.average_pool(x, 2), ((2, 5, 6, 3),)),
    "rnn": Call(ops.rnn, ((2, 3, 4), (4, 5), (5, 5), (5,))),
    "lstm": Call(ops.lstm, ((2, 3, 4), (4, 20), (5, 20), (20,))),
    "gru": Call(ops.gru, ((2, 3, 4), (4, 15), (5, 15), (2, 15))),
    "attention": Call(
        lambda *qkv: ops.dot_product_attention(*qkv), ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4)), (0, 1, 2)
    ),
    "softmax": Call(ops.softmax, ((3, 4),)),
    "log_softmax": Call(ops.log_softmax, ((3, 4),)),
    "layer_normalization": Call(ops.layer_normalization, ((3, 4), (4,), (4,))),
    "relu": Call(ops.relu, ((3, 4),)),
    "sigmoid": Call(ops.sigmoid, ((3, 4),)),
    "gelu": Call(ops.gelu, ((3, 4),)),
    "exp": Call(ops.exp, ((3, 4),)),
    "add": Call(ops.add, ((3, 4), (3, 4)), (0, 1)),
    "multiply": Call(ops.multiply, ((3, 4), (4,))),
    "divide": Call(ops.divide, ((3, 4), (4,))),
    "sum": Call(lambda x: ops.sum(x, axis=-1), ((3, 4),)),
    "mean": Call(lambda x: ops.mean(x, axis=-1), ((3, 4),)),
    "transpose": Call(ops.transpose, ((3, 4),)),
    "concatenate": Call(lambda x, y: ops.concatenate([x, y], axis=1), ((3, 4), (3, 2)), (0, 1)),
    "softmax_cross_entropy": Call(
        lambda x: ops.softmax_cross_entropy(np.zeros(len(x), np.int32), x, sparse=True)[0], ((3, 4),)
    ),
    "squared_error": Call(lambda x, y: ops.squared_error(x, y)[0], ((3, 4), (3, 4)), (0, 1)),
}
# Names in messages, where they are others.
OPERATION = {"attention": "dot_product_attention"}
each_call = pytest.mark.parametrize("name", CALLS)
# The others keep integers as they are, or want parameters of their input's dtype (layer_normalization).
CASTING = sorted(set(CALLS) - {"add", "concatenate", "layer_normalization", "multiply", "relu", "sum", "transpose"})
ANY_DIMENSIONS = {"add", "multiply", "divide", "relu", "sigmoid", "gelu", "exp", "sum", "mean", "transpose"}


def results(y: Any) -> list[np.ndarray]:
    return [np.asarray(r) for r in (y if isinstance(y, (list, tuple)) else [y])]


NOT_NUMBERS = {
    "complex": lambda x: x.astype(np.complex64),
    "object": lambda x: x.astype(object),
    "text": lambda x: x.astype(str),
    "bytes": lambda x: x.astype(bytes),
    "date": lambda x: x.astype("datetime64[s]"),
    "structure": lambda x: np.zeros(x.shape, [("a", np.float32)]),
    "a string": lambda x: "1.0",
    "a dictionary": lambda x: {"x": x},
    "itself a function": lambda x: print,
}


@each_call
@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_what_is_not_a_number_is_a_type_error(name: str, kind: str):
    call = CALLS[name]
    for position in range(len(call.shapes)):
        inputs = call.inputs()
        inputs[position] = NOT_NUMBERS[kind](inputs[position])
        with pytest.raises(TypeError):
            call.run(*inputs)


@pytest.mark.parametrize("name", CASTING)
@pytest.mark.parametrize(
    "dtype", ["f2", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">f4", ">f8", ">i4", ">u2"]
)
def test_every_real_dtype_is_cast(name: str, dtype: str):
    call = CALLS[name]
    inputs = call.inputs()
    wanted = results(call.run(*inputs))
    found = results(call.run(*[x.astype(dtype) for x in inputs]))
    for y, reference in zip(found, wanted, strict=True):
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, reference)


@each_call
def test_an_empty_batch_gives_an_empty_result(name: str):
    call = CALLS[name]
    inputs = [Tensor(x) for x in call.inputs(batch=0)]
    with GradientTape() as tape:
        for x in inputs:
            tape.watch(x)
        y = call.run(*inputs)
    first = y[0] if isinstance(y, tuple) else y
    if name not in ("softmax_cross_entropy", "squared_error"):  # a sum
        assert 0 in first.shape
    for x, gradient in zip(inputs, tape.gradient(first, inputs), strict=True):
        assert gradient is None or gradient.shape == x.shape
        assert gradient is None or not np.any(np.asarray(gradient))


# What is left of the results when one axis of one input has length 0: {operation: {(input, axis): shapes}}. The value
# of what is not empty stands beside it. Everything else is a ValueError.
_STATES = {
    op: {(0, 0): [(0, 3, 5), *[(0, 5)] * n], (0, 1): [(2, 0, 5), *[((2, 5), 0.0)] * n]}
    for op, n in (("rnn", 1), ("lstm", 2), ("gru", 1))
}
_ANY = {(0, 0): [(0, 4)], (0, 1): [(3, 0)]}
_POOLED = {(0, 0): [(0, 2, 3, 3)], (0, 3): [(2, 2, 3, 0)]}
ZERO_SIZED: dict[str, dict[tuple[int, int], list[Any]]] = {
    **_STATES,
    **dict.fromkeys(("softmax", "log_softmax", "relu", "sigmoid", "gelu", "exp"), _ANY),
    **dict.fromkeys(("max_pool", "average_pool"), _POOLED),
    "matmul": {(0, 0): [(0, 5)], (1, 1): [(3, 0)]},
    "dense": {(0, 0): [(0, 5)]},
    "conv": {(0, 0): [(0, 5, 6, 4)], (0, 1): [(2, 0, 6, 4)], (0, 2): [(2, 5, 0, 4)]},
    "conv_transpose": {
        (0, 0): [(0, 7, 9, 2)],
        (0, 1): [(2, 0, 9, 2)],
        (0, 2): [(2, 7, 0, 2)],
        (1, 2): [(2, 7, 9, 0)],
    },
    "attention": {(0, 1): [(2, 0, 2, 4)], (2, 3): [(2, 3, 2, 0)]},
    "layer_normalization": {(0, 0): [(0, 4)]},
    "add": {},
    "multiply": {(0, 0): [(0, 4)]},
    "divide": {(0, 0): [(0, 4)]},
    "sum": {(0, 0): [(0,)], (0, 1): [((3,), 0.0)]},
    "mean": {(0, 0): [(0,)], (0, 1): [((3,), np.nan)]},
    "transpose": {(0, 0): [(4, 0)], (0, 1): [(0, 3)]},
    "concatenate": {(0, 1): [((3, 2), 2.0)], (1, 1): [((3, 4), 2.0)]},
    "softmax_cross_entropy": {(0, 0): [((), 0.0)]},
    "squared_error": {},
}


@each_call
def test_zero_size_dimensions_raise_or_give_a_result(name: str):
    call = CALLS[name]
    for position, shape in enumerate(call.shapes):
        for axis in range(len(shape)):
            inputs = [np.full(s, 2.0, np.float32) for s in call.shapes]
            inputs[position] = np.zeros((*shape[:axis], 0, *shape[axis + 1 :]), np.float32)
            wanted = ZERO_SIZED[name].get((position, axis))
            if wanted is None:
                with pytest.raises(ValueError, match=rf"^\[{OPERATION.get(name, name)}\] .*\b0\b"):
                    call.run(*inputs)
                continue
            found = results(call.run(*inputs))
            for y, expected in zip(found, wanted, strict=True):
                sizes, value = expected if len(expected) == 2 and isinstance(expected[0], tuple) else (expected, None)
                assert y.shape == sizes, (position, axis)
                assert y.dtype == np.float32
                assert y.size == 0 or value is not None
                np.testing.assert_array_equal(y, np.full(sizes, value or 0.0))


# What is elementwise takes any number of dimensions.
@pytest.mark.parametrize("name", sorted(set(CALLS) - ANY_DIMENSIONS))
def test_wrong_numbers_of_dimensions_are_value_errors(name: str):
    call = CALLS[name]
    for position, shape in enumerate(call.shapes):
        for wrong in ((), (1,) * 7 + shape):
            if name in ("softmax", "log_softmax", "layer_normalization", "matmul", "dense") and wrong:
                continue  # leading dimensions are a batch
            inputs = call.inputs()
            inputs[position] = np.ones(wrong, np.float32)
            with pytest.raises((ValueError, TypeError)):
                call.run(*inputs)


@each_call
def test_repeated_rows_of_stride_zero_are_read_right(name: str):
    call = CALLS[name]
    inputs = call.inputs()
    broadcast = [np.broadcast_to(x[:1], x.shape) for x in inputs]
    wanted = results(call.run(*[x.copy() for x in broadcast]))
    for y, reference in zip(results(call.run(*broadcast)), wanted, strict=True):
        np.testing.assert_array_equal(y, reference)


@each_call
def test_inputs_are_never_written(name: str):
    call = CALLS[name]
    inputs = call.inputs()
    before = [x.copy() for x in inputs]
    for x in inputs:
        x.flags.writeable = False
    tensors = [Tensor(x) for x in inputs]
    with GradientTape() as tape:
        for x in tensors:
            tape.watch(x)
        y = call.run(*tensors)
    tape.gradient(y[0] if isinstance(y, tuple) else y, tensors)
    for x, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, copy)


@pytest.mark.parametrize(
    "name", ["relu", "softmax", "max_pool", "average_pool", "matmul", "conv", "layer_normalization", "sum"]
)
def test_nan_propagates(name: str):
    call = CALLS[name]
    inputs = call.inputs()
    inputs[0][(0,) * inputs[0].ndim] = np.nan
    assert np.isnan(results(call.run(*inputs))[0]).any()


def test_infinities():
    x = np.array([[-np.inf, 0, np.inf], [-np.inf, -np.inf, 0]], np.float32)
    np.testing.assert_array_equal(np.asarray(ops.relu(x)), [[0, 0, np.inf], [0, 0, 0]])
    np.testing.assert_array_equal(np.asarray(ops.softmax(x[1:])), [[0, 0, 1]])
    image = x[None, :, :, None]
    np.testing.assert_array_equal(np.asarray(ops.max_pool(image, (2, 1)))[0, 0, :, 0], [-np.inf, 0, np.inf])


IMAGE, KERNEL = np.ones((1, 5, 6, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
HUGE = 2**62


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ops.conv(IMAGE, KERNEL, strides=0), "stride"),
        (lambda: ops.conv(IMAGE, KERNEL, strides=-1), "stride"),
        (lambda: ops.conv(IMAGE, KERNEL, strides=(1, 0)), "stride"),
        (lambda: ops.conv(IMAGE, KERNEL, dilation_rate=0), "dilation"),
        (lambda: ops.conv(IMAGE, KERNEL, dilation_rate=HUGE), "dilation|overflow|fit"),
        (lambda: ops.conv(IMAGE, KERNEL, groups=0), "groups"),
        (lambda: ops.conv(IMAGE, KERNEL, groups=3), "groups|channels"),
        (lambda: ops.conv(IMAGE, KERNEL, padding="full"), "padding"),
        (lambda: ops.conv(IMAGE, np.ones((7, 7, 2, 4), np.float32)), r"7x7.*5x6"),
        (lambda: ops.conv(IMAGE, np.ones((3, 3, 5, 4), np.float32)), "channels"),
        (lambda: ops.conv(IMAGE, KERNEL, data_format="channels_first"), "channels_first"),
        (lambda: ops.conv_transpose(IMAGE, np.ones((3, 3, 4, 2), np.float32), strides=0), "stride"),
        (lambda: ops.conv_transpose(IMAGE, np.ones((3, 3, 4, 2), np.float32), strides=HUGE), "."),
        (lambda: ops.max_pool(IMAGE, 0), "pool"),
        (lambda: ops.max_pool(IMAGE, 2, strides=0), "stride"),
        (lambda: ops.max_pool(IMAGE, 7), "7x7"),
        (lambda: ops.average_pool(IMAGE, -1), "pool"),
        (lambda: ops.max_pool(IMAGE, HUGE), "."),
        (lambda: ops.matmul(np.ones((2, 3), np.float32), np.ones((4, 5), np.float32)), r"\(2, 3\).*\(4, 5\)"),
        (lambda: ops.embedding(np.array([0, 7]), np.ones((7, 2), np.float32)), "7"),
        (lambda: ops.embedding(np.array([-1]), np.ones((7, 2), np.float32)), "-1"),
        (lambda: ops.softmax_cross_entropy([0, 4], np.ones((2, 4), np.float32), sparse=True), "4"),
        (lambda: ops.softmax_cross_entropy([-1, 0], np.ones((2, 4), np.float32), sparse=True), "-1"),
        (lambda: ops.softmax_cross_entropy([0, 1, 2], np.ones((2, 4), np.float32), sparse=True), "."),
        (lambda: ops.add(np.ones((2, 3)), np.ones((2, 4))), r"\(2, 3\).*\(2, 4\)"),
        (lambda: ops.sum(np.ones((2, 3)), axis=2), "axis"),
        (lambda: ops.softmax(np.ones((2, 3)), axis=5), "axis"),
        (lambda: ops.reshape(np.ones((2, 3)), (4, 2)), r"\(2, 3\)"),
        (lambda: ops.reshape(np.ones((2, 3)), (HUGE, HUGE)), "."),
        (lambda: ops.reshape(np.ones((2, 3)), (-1, -1)), "."),
        (lambda: ops.broadcast_to(np.ones(1, np.float32), (HUGE, HUGE)), "."),
        (lambda: ops.tile(np.ones(2, np.float32), HUGE), "."),
        (lambda: ops.zeros((HUGE, 8)), "."),
        (lambda: ops.zeros((-1,)), "."),
        (lambda: ops.transpose(np.ones((2, 3)), (0, 0)), "."),
        (lambda: ops.concatenate([]), "."),
        (lambda: ops.concatenate([np.ones((2, 3)), np.ones((3, 3))], axis=1), "."),
        (lambda: ops.take(np.ones((2, 3), np.float32), [5], axis=0), "5"),
        (lambda: Tensor(np.ones((2, 3), np.float32))[5], "."),
        (lambda: ops.dropout(np.ones(3, np.float32), 1.5, Variable(np.zeros(2, np.int64), dtype=np.int64)), "1.5"),
        (
            lambda: ops.lstm(
                np.ones((2, 3, 4), np.float32), *[np.ones(s, np.float32) for s in ((4, 20), (5, 16), (20,))]
            ),
            ".",
        ),
        (lambda: ops.layer_normalization(np.ones((2, 3), np.float32), np.ones(4, np.float32)), "."),
    ],
)
def test_wrong_values_are_value_errors_that_say_what_came(call: Callable[[], Any], says: str):
    with pytest.raises((ValueError, IndexError, MemoryError), match=says):
        call()


def test_a_window_far_larger_than_the_image_sees_all_of_it():
    image = np.random.default_rng(0).standard_normal((1, 5, 6, 2)).astype(np.float32)
    y = np.asarray(ops.max_pool(image, 2**40, strides=1, padding="same"))
    np.testing.assert_array_equal(y, np.broadcast_to(image.max((1, 2), keepdims=True), image.shape))
    y = np.asarray(ops.average_pool(image, 2**40, strides=1, padding="same"))
    np.testing.assert_allclose(y, np.broadcast_to(image.mean((1, 2), keepdims=True), image.shape), rtol=1e-5, atol=1e-6)


def test_a_row_whose_keys_are_all_masked_is_zero():
    q, k, v = (np.ones((1, 2, 1, 3), np.float32) for _ in range(3))
    mask = np.array([[[[True, True], [False, False]]]])
    tensors = [Tensor(a) for a in (q, k, v)]
    with GradientTape() as tape:
        for x in tensors:
            tape.watch(x)
        y = ops.dot_product_attention(*tensors, mask=mask)
    np.testing.assert_array_equal(np.asarray(y)[0, :, 0], [[1, 1, 1], [0, 0, 0]])
    for gradient in tape.gradient(y, tensors):
        assert np.isfinite(np.asarray(gradient)).all()
    assert not np.asarray(tape_gradient_of_query(q, k, v, mask))[0, 1].any()


def tape_gradient_of_query(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> Tensor:
    query = Tensor(q)
    with GradientTape() as tape:
        tape.watch(query)
        y = ops.dot_product_attention(query, k, v, mask=mask)
    return tape.gradient(y, query)


each_name = st.sampled_from(sorted(CALLS))


@st.composite
def laid_out(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """An array of any dtype and any memory layout: cut, flipped, transposed, off by a byte, big-endian, read-only."""
    dtype = draw(
        st.sampled_from(["f4", "f8", "f2", "i1", "i4", "i8", "u1", "u4", "?", ">f4", ">i8", "c8", "O", "U3", "S2"])
    )
    if shape is None:
        shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    size = int(np.prod(shape))
    x = (np.arange(size) % 7 - 3).reshape(shape).astype(dtype)
    how = draw(st.sampled_from(["plain", "cut", "flipped", "fortran", "offset", "read-only", "stride 0"]))
    if how == "cut" and x.ndim:
        wide = np.zeros((*shape[:-1], 2 * shape[-1]), dtype)
        wide[..., ::2] = x
        x = wide[..., ::2]
    elif how == "flipped" and x.ndim:
        x = np.flip(np.flip(x).copy())
    elif how == "fortran":
        x = np.asfortranarray(x)
    elif how == "offset" and x.dtype.kind not in "O":
        offset = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(shape)
        offset[...] = x
        x = offset
    elif how == "stride 0":
        x = np.broadcast_to(x.ravel()[:1].reshape(()) if size else x, shape)
    if how == "read-only":
        x.flags.writeable = False
    return x


@settings(deadline=None, derandomize=True, database=None, max_examples=400)
@given(name=each_name, data=st.data())
def test_anything_raises_or_gives_a_result_and_is_not_written(name: str, data: st.DataObject):
    call = CALLS[name]
    inputs = [data.draw(laid_out(data.draw(st.sampled_from([shape, None])))) for shape in call.shapes]
    before = [x.copy() for x in inputs]
    with suppress(TypeError, ValueError):
        for y in results(call.run(*inputs)):
            assert y.dtype.kind in "fiub"
    for x, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(x, copy)


@settings(deadline=None, derandomize=True, database=None, max_examples=300)
@given(name=each_name, data=st.data())
def test_layout_never_changes_the_numbers(name: str, data: st.DataObject):
    """Any mix of layouts and dtypes against the same values in plain arrays of those dtypes."""
    call = CALLS[name]
    inputs = [data.draw(laid_out(shape)) for shape in call.shapes]
    plain = [np.array(x, x.dtype.newbyteorder("="), order="C") for x in inputs]
    with np.errstate(all="ignore"):
        try:
            wanted = results(call.run(*plain))
        except (TypeError, ValueError) as error:
            with pytest.raises(type(error)):
                call.run(*inputs)
            return
        found = results(call.run(*inputs))
    for y, reference in zip(found, wanted, strict=True):
        assert y.dtype == reference.dtype
        np.testing.assert_array_equal(y, reference)


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(name=st.sampled_from(CASTING), data=st.data())
def test_dtype_never_changes_the_numbers_of_what_casts(name: str, data: st.DataObject):
    call = CALLS[name]
    inputs = [data.draw(laid_out(shape)) for shape in call.shapes]
    if any(x.dtype.kind not in "fiub" for x in inputs):
        with pytest.raises(TypeError):
            call.run(*inputs)
        return
    with np.errstate(all="ignore"):
        wanted = results(call.run(*[np.array(x, np.float32, order="C") for x in inputs]))
        found = results(call.run(*inputs))
    for y, reference in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(y, reference)
