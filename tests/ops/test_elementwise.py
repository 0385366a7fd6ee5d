"""What the table cannot say of elementwise operations, reductions and copies: dtypes, special values, errors, ties."""

import numpy as np
import pytest

import dlbd
from dlbd import GradientTape, Tensor, Variable, _cpu, ops

from ..arrays import tensor as on_device

INF, NAN = np.inf, np.nan


def tensor(values, dtype=np.float32):
    return on_device(np.array(values, dtype))


# --- dtypes


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("int32", "float32", "float32"),
        ("int64", "float64", "float64"),
        ("int32", "int64", "int64"),
        ("uint8", "int32", "int32"),
        ("uint8", "uint8", "uint8"),
        ("bool", "bool", "int32"),
        ("bool", "float32", "float32"),
    ],
)
def test_tensors_meet_in_the_wider_dtype(first, second, result):
    a, b = tensor([1, 0, 1], first), tensor([1, 1, 0], second)
    for x, y in ((a, b), (b, a)):
        z = x + y
        assert z.dtype == result
        np.testing.assert_array_equal(z, [2, 1, 1])


@pytest.mark.parametrize(
    ("dtype", "number", "result"),
    [
        ("float32", 2, "float32"),
        ("float64", 2.5, "float64"),
        ("int32", 2, "int32"),
        ("int32", 2.5, "float32"),
        ("uint8", 300, "int64"),
        ("bool", 2, "int32"),
        ("bool", 0.5, "float32"),
    ],
)
def test_a_python_number_takes_the_other_dtype(dtype, number, result):
    x = tensor([1, 0], dtype)
    assert (x * number).dtype == (number * x).dtype == result
    np.testing.assert_array_equal(number * x, [number, 0])


def test_numpy_beside_a_tensor():
    x32, x64 = tensor([1.0, 2.0]), tensor([1.0, 2.0], np.float64)
    host = np.array([0.1, 0.2])
    assert isinstance(host + x32, Tensor)
    assert (host * x32).dtype == np.float32
    np.testing.assert_array_equal((x64 + host).numpy(), [1.1, 2.2])
    np.testing.assert_array_equal((np.float32(2) - x32).numpy(), [1, 0])
    np.testing.assert_array_equal((np.int64(2) * x32).numpy(), [2, 4])


def test_division_of_integers_is_in_floats():
    assert (tensor([1, 2], np.int64) / 2).dtype == np.float32
    np.testing.assert_array_equal(tensor([7, -7], np.int32) // 2, [3, -4])
    np.testing.assert_array_equal(tensor([7, -7], np.int32) % 3, [1, 2])
    lowest = np.iinfo(np.int32).min
    np.testing.assert_array_equal(tensor([7, lowest], np.int32) // tensor([0, -1], np.int32), [0, lowest])
    np.testing.assert_array_equal(tensor([7, lowest], np.int32) % tensor([0, -1], np.int32), [0, 0])
    np.testing.assert_array_equal(tensor([2, -3, 5], np.int32) ** tensor([10, 3, -1], np.int32), [1024, -27, 0])


def test_an_unsigned_255_divides_as_255_not_as_minus_one():
    x, y = tensor([6, 254, 255], np.uint8), tensor([255] * 3, np.uint8)
    np.testing.assert_array_equal(x // y, np.array([0, 0, 1], np.uint8), strict=True)
    np.testing.assert_array_equal(x % y, np.array([6, 254, 0], np.uint8), strict=True)


def test_integers_round_to_powers_of_ten():
    np.testing.assert_array_equal(ops.round(tensor([125, 135, -7], np.int32), -1), np.array([120, 140, -10], np.int32))
    np.testing.assert_array_equal(ops.round(tensor([125], np.int64), 2), [125])


def test_the_variance_of_nothing_is_nan():
    np.testing.assert_array_equal(ops.var(np.zeros((0, 3)), axis=0), [NAN] * 3)
    assert np.isnan(ops.std(np.zeros(0)))


def test_integers_wrap_around():
    top = np.iinfo(np.int32).max
    np.testing.assert_array_equal(tensor([top], np.int32) + 1, [np.iinfo(np.int32).min])
    np.testing.assert_array_equal(-tensor([3, 250], np.uint8), [253, 6])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_clip_of_integers_reaches_their_limits(dtype):
    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    x = np.array([least, least + 1, 3, most - 1, most], dtype)
    for low, high in [(least, most), (least - 5, most + 5), (least + 1, most - 1), (2, most - 5)]:
        wanted = [min(max(int(v), low), high) for v in x]
        np.testing.assert_array_equal(ops.clip(x, low, high), np.array(wanted, dtype))


def test_full_holds_every_integer_and_refuses_what_does_not_fit():
    for value in (2**53 + 1, -(2**63), 2**63 - 1):
        assert int(ops.full((2,), value, np.int64)[1]) == value
    for value, dtype in ((300, np.uint8), (-1, np.uint8), (2**31, np.int32), (float("nan"), np.int32)):
        with pytest.raises(ValueError, match=rf"\[full\] {np.dtype(dtype)} holds"):
            ops.full((2,), value, dtype)


@pytest.mark.parametrize("shapes", [((16, 0), (16, 1)), ((16, 1), (16, 0)), ((20, 0), (1, 1)), ((0, 3), (3,))])
def test_empty_rows_beside_a_value_per_row(shapes):
    x, y = (Variable(np.ones(shape, np.float32)) for shape in shapes)
    with GradientTape() as tape:
        z = ops.multiply(x, y)
    assert z.shape == np.broadcast_shapes(*shapes)
    for gradient, shape in zip(tape.gradient(z, [x, y]), shapes, strict=True):
        np.testing.assert_array_equal(gradient, np.zeros(shape))


def test_floor_divide_is_numpys_at_the_edges():
    edges = np.array([0, -0.0, 1, -1, 0.5, -7.5, 1e-45, -1e-45, 3.4e38, np.inf, -np.inf, np.nan], np.float32)
    a, b = (m.ravel() for m in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        wanted = np.floor_divide(a, b)
    y = ops.floor_divide(a, b).numpy()
    np.testing.assert_array_equal(y, wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(wanted[numbers]))


def test_cast_between_all_dtypes():
    values = [0.0, 1.0, 2.5, -2.5, 300.0, -300.0, 1e10, NAN, INF, -INF]
    i32, i64 = np.iinfo(np.int32), np.iinfo(np.int64)
    for dtype in (np.float32, np.float64):
        x = tensor(values, dtype)
        np.testing.assert_array_equal(ops.cast(x, "int32"), [0, 1, 2, -2, 300, -300, i32.max, 0, i32.max, i32.min])
        np.testing.assert_array_equal(ops.cast(x, "int64"), [0, 1, 2, -2, 300, -300, 10**10, 0, i64.max, i64.min])
        np.testing.assert_array_equal(ops.cast(x, "uint8"), [0, 1, 2, 0, 255, 0, 255, 0, 255, 0])
        np.testing.assert_array_equal(ops.cast(x, "bool"), [v != 0 for v in values])
    for source in ("int32", "int64", "uint8", "bool"):
        for target in ("float32", "float64", "int32", "int64", "uint8", "bool"):
            values = np.array([0, 1, 7], source)
            np.testing.assert_array_equal(ops.cast(on_device(values), target), values.astype(target))


def test_sum_of_small_integers_counts():
    assert ops.sum(np.ones(1000, bool)).dtype == np.int32
    assert int(ops.sum(np.full(1000, 255, np.uint8))) == 255000
    assert ops.mean(np.array([1, 2], np.int64)).dtype == np.float32


# --- special values


def test_nan_and_infinity_propagate():
    x = tensor([NAN, -INF, INF, -1.0])
    np.testing.assert_array_equal(ops.relu(x), [NAN, 0, INF, 0])
    np.testing.assert_array_equal(ops.maximum(x, 0.0), [NAN, 0, INF, 0])
    np.testing.assert_array_equal(ops.minimum(0.0, x), [NAN, -INF, 0, -1])
    np.testing.assert_array_equal(ops.clip(x, -2.0, 2.0), [NAN, -2, 2, -1])
    np.testing.assert_array_equal(ops.sigmoid(x)[:3], [NAN, 0, 1])
    np.testing.assert_array_equal(ops.tanh(x)[:3], [NAN, -1, 1])
    np.testing.assert_array_equal(ops.softplus(x)[:3], [NAN, 0, INF])
    np.testing.assert_array_equal(ops.elu(x)[:3], [NAN, -1, INF])
    np.testing.assert_array_equal(ops.sign(x), [NAN, -1, 1, -1])
    for shape in [(1, 4), (4, 1), (2, 2)]:
        for op in (ops.max, ops.min, ops.sum, ops.mean, ops.prod, ops.logsumexp, ops.var):
            assert np.isnan(op(ops.reshape(x, shape)))
    long = np.zeros(100_000, np.float32)
    long[77_777] = NAN
    assert np.isnan(ops.max(long))
    assert int(ops.argmax(long)) == 77_777
    column = np.zeros((3, 50), np.float32)
    column[1, 40] = NAN
    assert np.isnan(np.asarray(ops.max(column, 0))[40])
    assert np.isnan(np.asarray(ops.min(column, 0))).sum() == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_at_the_edges(dtype):
    x = tensor([NAN, INF, -INF, 0.0, -0.0, -1.0], dtype)
    for op, wanted in [
        (ops.exp, [NAN, INF, 0, 1, 1, np.exp(-1)]),
        (ops.expm1, [NAN, INF, -1, 0.0, -0.0, np.expm1(-1)]),
        (ops.log, [NAN, INF, NAN, -INF, -INF, NAN]),
        (ops.log1p, [NAN, INF, NAN, 0.0, -0.0, -INF]),
        (ops.sqrt, [NAN, INF, NAN, 0.0, -0.0, NAN]),
        (ops.sin, [NAN, NAN, NAN, 0.0, -0.0, np.sin(-1)]),
        (ops.cos, [NAN, NAN, NAN, 1, 1, np.cos(-1)]),
        (ops.erf, [NAN, 1, -1, 0.0, -0.0, -0.8427007929497149]),
        (ops.tanh, [NAN, 1, -1, 0.0, -0.0, np.tanh(-1)]),
        (ops.round, [NAN, INF, -INF, 0.0, -0.0, -1]),
        (ops.floor, [NAN, INF, -INF, 0.0, -0.0, -1]),
    ]:
        found = op(x).numpy()
        np.testing.assert_allclose(found, wanted, rtol=3e-7)
        np.testing.assert_array_equal(np.signbit(found[3:5]), np.signbit(wanted[3:5]), str(op))


def test_large_values_do_not_overflow_in_between():
    x = tensor([1000.0, -1000.0])
    np.testing.assert_array_equal(ops.softplus(x), [1000, 0])
    np.testing.assert_array_equal(ops.log_sigmoid(x), [0, -1000])
    np.testing.assert_array_equal(ops.logsumexp(x), 1000)
    np.testing.assert_array_equal(ops.logsumexp(tensor([-INF, -INF])), -INF)
    np.testing.assert_array_equal(ops.logsumexp(tensor([INF, 1.0])), INF)
    np.testing.assert_allclose(ops.exp(tensor([88.7, 89.0])), [np.exp(float(np.float32(88.7))), INF], rtol=3e-7)
    np.testing.assert_allclose(ops.exp(tensor([-103.0, -104.0])), [np.float32(np.exp(-103.0)), 0])


def test_long_sums_stay_accurate():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 1_000_003).astype(np.float32)
    exact = float(np.sum(x, dtype=np.float64))
    assert abs(float(ops.sum(x)) - exact) <= 4 * np.finfo(np.float32).eps * exact
    columns = x[:1_000_000].reshape(-1, 10)
    exact = np.sum(columns, 0, dtype=np.float64)
    assert np.all(np.abs(ops.sum(columns, 0).numpy() - exact) <= 4 * np.finfo(np.float32).eps * exact)


# --- gradients that the table's random values never meet


def test_ties_share_the_gradient():
    x = Variable([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    with dlbd.GradientTape(persistent=True) as tape:
        best, least = ops.max(x, 1), ops.min(x)
        both = ops.maximum(x, 3.0)
    np.testing.assert_allclose(tape.gradient(best, x), [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(least, x), [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(tape.gradient(both, x), [[0, 0.5, 0.5], [0, 0, 0]])


def test_gradient_of_a_product_with_zeros():
    for values, wanted in [([2.0, 0.0, 3.0], [0, 6, 0]), ([0.0, 0.0, 3.0], [0, 0, 0]), ([2.0, 4.0], [4, 2])]:
        x = Variable(values)
        with dlbd.GradientTape() as tape:
            y = ops.prod(x)
        np.testing.assert_array_equal(tape.gradient(y, x), wanted)


def test_power_of_zero_has_a_gradient():
    x, p = Variable([0.0, 2.0]), Variable([3.0, 0.0])
    with dlbd.GradientTape() as tape:
        y = x**p
    dx, dp = tape.gradient(y, [x, p])
    np.testing.assert_array_equal(dx, [0, 0])
    np.testing.assert_allclose(dp, [0, np.log(2)], rtol=1e-6)


def test_cast_passes_the_gradient_between_floats():
    x = Variable([1.0, 2.0])
    with dlbd.GradientTape() as tape:
        y = ops.cast(x, "float64") * np.array([3.0, 4.0])
        assert y.dtype == np.float64
    gradient = tape.gradient(y, x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, [3, 4])


def test_a_gradient_met_twice_adds_up():
    x = Variable(np.arange(6.0).reshape(2, 3))
    with dlbd.GradientTape() as tape:
        y = x + x[:, ::-1] + ops.reshape(x, (2, 3)) + ops.take(x, [1, 0], 0) + ops.broadcast_to(x[:1], (2, 3))
    np.testing.assert_array_equal(tape.gradient(y, x), [[6] * 3, [4] * 3])


# --- identity


def test_tensors_compare_by_element_and_hash_by_identity():
    x = tensor([1.0, 2.0])
    assert isinstance(x == x, Tensor)
    assert (x == x).dtype == bool
    assert len({x, x, tensor([1.0, 2.0])}) == 2
    assert (x == None) is False  # noqa: E711
    assert (x != "text") is True
    assert [float(v) for v in x] == [1.0, 2.0]


def test_sigmoid_remembers_its_logits():
    x = tensor([1.0])
    assert ops.sigmoid(x).logits is x


def test_a_slice_of_a_variable_keeps_its_value():
    v = Variable([1.0, 2.0, 3.0])
    part = v[1:]
    v.assign([7.0, 8.0, 9.0])
    np.testing.assert_array_equal(part, [2, 3])


def test_every_copy_path_is_reached():
    def path(size, source, target):
        elements = int(np.prod(size))
        return _cpu.CopyShape(size, source, target, 0, 0, elements, elements).path

    assert path((4, 5), (5, 1), (5, 1)) == "rows"
    assert path((40, 50), (1, 40), (50, 1)) == "transpose"
    assert path((2, 50), (1, 2), (50, 1)) == "strided"


def test_operators_of_booleans():
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    x, y = tensor(a, np.bool_), tensor(b, np.bool_)
    for found, wanted in (
        (x & y, a & b),
        (x | b, a | b),
        (a ^ y, a ^ b),
        (~x, ~a),
        (True & x, a),
        (x | True, a | True),
    ):
        assert found.dtype == np.bool_
        np.testing.assert_array_equal(found, wanted)
    whole = tensor([1, 2], np.int32)  # there `&` would be bitwise
    for wrong in (lambda: whole & whole, lambda: x & 1, lambda: ~whole, lambda: tensor([1.0]) | x[:1]):
        with pytest.raises(TypeError):
            wrong()


# --- errors


@pytest.mark.parametrize("value", [1j, np.array([1j]), "text", np.array(["a"]), None, np.array([None]), object()])
def test_what_is_not_a_number_is_a_type_error(value):
    x = tensor([1.0])
    for call in (
        lambda: ops.add(x, value),
        lambda: ops.add(value, x),
        lambda: ops.exp(value),
        lambda: ops.sum(value),
        lambda: ops.reshape(value, (-1,)),
        lambda: ops.concatenate([x, value]),
        lambda: x + value,
        lambda: value * x,
        lambda: ops.where(value, x, x),
    ):
        with pytest.raises(TypeError):
            call()


x34 = np.ones((3, 4), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.add(x34, np.ones(3)), r"\[add\] shapes \(3, 4\) and \(3,\) do not broadcast together"),
        (lambda: ops.where(np.ones(2), x34, x34), r"\[where\] shapes"),
        (lambda: ops.equal(x34, np.ones((4, 3))), r"\[equal\] shapes"),
        (lambda: ops.sum(x34, 2), r"\[sum\] axis 2 does not exist in x of shape \(3, 4\)"),
        (lambda: ops.mean(x34, (0, -2)), r"\[mean\] axis -2 is given twice"),
        (lambda: ops.argmax(x34, -3), r"\[argmax\] axis -3"),
        (lambda: ops.max(np.ones((0, 3)), 0), r"\[max\] no elements"),
        (lambda: ops.argmin(np.ones(0)), r"\[argmin\] no elements"),
        (lambda: ops.reshape(x34, (5, -1)), r"\[reshape\] \(3, 4\) \(12 elements\) cannot become \(5, -1\)"),
        (lambda: ops.transpose(x34, (0, 0)), r"\[transpose\] axes"),
        (lambda: ops.squeeze(x34, 0), r"\[squeeze\] axis 0 has size 3"),
        (lambda: ops.concatenate([x34, np.ones((3, 5))]), r"\[concatenate\] sizes must agree except along axis 0"),
        (lambda: ops.concatenate([]), r"\[concatenate\] needs at least one array"),
        (lambda: ops.stack([x34, x34.T]), r"\[stack\] all shapes must be the same"),
        (lambda: ops.split(x34, 5, 1), r"\[split\] axis 1 of size 4 does not divide into 5"),
        (lambda: ops.broadcast_to(x34, (4, 3)), r"\[broadcast_to\]"),
        (lambda: ops.pad(x34, -1), r"\[pad\] widths must not be negative"),
        (lambda: ops.pad(x34, 1, "wild"), r"\[pad\] mode"),
        (lambda: ops.tile(x34, -1), r"\[tile\]"),
        (lambda: ops.repeat(x34, -1, 0), r"\[repeat\]"),
        (lambda: ops.take(x34, [0, 3], 0), "index 3 at position 1 is out of range"),
        (lambda: ops.take(x34, [-4], 0), "index -4 at position 0 is out of range"),
        (lambda: ops.take_along_axis(x34, np.zeros((2, 2), int), 1), r"\[take_along_axis\]"),
        (lambda: ops.slice(x34, (0, 2), (3, 3)), r"\[slice\] 2:5 does not lie inside axis 1 of size 4"),
        (lambda: ops.ones((2**40, 2**40)), "overflows"),
    ],
)
def test_wrong_values_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        np.asarray(call())  # a GPU tells at the next read what only the data shows


def test_wrong_indices():
    x = tensor(np.ones((3, 4)))
    for index in (3, -4, (0, 4)):
        with pytest.raises(IndexError):
            x[index]
    for index in (1.5, "a", True, np.array([True, False, True]), np.array([0.5])):
        with pytest.raises((TypeError, IndexError)):
            x[index]
    with pytest.raises(TypeError, match="integers"):
        ops.take(x, [0.5], 0)
    with pytest.raises(TypeError, match="dtype"):
        ops.cast(x, "complex64")
