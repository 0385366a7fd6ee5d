import numpy as np
import pytest

import dlbd
from dlbd import GradientTape, layers, ops

from ..arrays import tensor


def inputs(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes]


REFERENCES = {
    "Add": lambda x: sum(x),
    "Multiply": lambda x: np.prod(np.broadcast_arrays(*x), axis=0),
    "Average": lambda x: sum(x) / len(x),
    "Maximum": lambda x: np.max(np.broadcast_arrays(*x), axis=0),
    "Minimum": lambda x: np.min(np.broadcast_arrays(*x), axis=0),
}
each_kind = pytest.mark.parametrize("name", REFERENCES)


@each_kind
@pytest.mark.parametrize(
    "shapes", [[(2, 3, 4)], [(2, 3, 4)] * 3, [(2, 3, 4), (2, 1, 4)], [(2, 1, 1), (2, 3, 1), (2, 1, 4)]]
)
def test_elementwise(name, shapes):
    x = inputs(*shapes)
    layer = getattr(layers, name)()
    y = layer(x)
    wanted = REFERENCES[name](x)
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-6)
    assert layer.compute_output_shape([(None, *s[1:]) for s in shapes]) == (None, *wanted.shape[1:])
    np.testing.assert_array_equal(getattr(layers, name.lower())(x, name="m"), y)
    np.testing.assert_array_equal(type(layer).from_config(layer.get_config())(x), y)


@each_kind
def test_inputs_with_fewer_axes_get_them_after_the_batch(name):
    x, row = inputs((2, 3, 4), (2, 4))
    y = getattr(layers, name)()([row, x])
    np.testing.assert_allclose(y, REFERENCES[name]([x, row[:, None]]), rtol=1e-6, atol=1e-6)


def test_subtract():
    x, y = inputs((2, 3), (2, 3))
    np.testing.assert_array_equal(layers.Subtract()([x, y]), x - y)
    np.testing.assert_array_equal(layers.subtract([x, y]), x - y)
    with pytest.raises(ValueError, match="Subtract takes a list of 2 inputs; received 3"):
        layers.Subtract()([x, y, y])


@pytest.mark.parametrize("name", [*REFERENCES, "Concatenate"])
def test_gradients_reach_every_input(name):
    x, y = (tensor(t) for t in inputs((2, 3), (2, 3)))
    with GradientTape(persistent=True) as tape:
        tape.watch(x)
        tape.watch(y)
        z = getattr(layers, name)()([x, y])
    for g in tape.gradient(z, [x, y]):
        assert g.shape == (2, 3)
        assert np.array(g).any()


@pytest.mark.parametrize("axis", [-1, 2, 1, -2, 0])
def test_concatenate(axis):
    shapes = [[3, 4, 5], [3, 4, 5], [3, 4, 5]]
    shapes[1][axis] = 2
    x = inputs(*map(tuple, shapes))
    layer = layers.Concatenate(axis)
    np.testing.assert_array_equal(layer(x), np.concatenate(x, axis))
    np.testing.assert_array_equal(layers.concatenate(x, axis), np.concatenate(x, axis))
    unknown = [(*s[:1], None, *s[2:]) for s in map(tuple, shapes)]
    sizes = [sum(s[axis] for s in shapes) if i == axis % 3 else n for i, n in enumerate(shapes[0])]
    sizes[1] = None
    assert layer.compute_output_shape(unknown) == tuple(sizes)


DOTS = [
    (1, (2, 3), (2, 3), "bi,bi->b"),
    (-1, (2, 4, 3), (2, 5, 3), "bij,bkj->bik"),
    (1, (2, 3, 4), (2, 3, 5), "bij,bik->bjk"),
    ((1, 2), (2, 3, 4), (2, 5, 3), "bij,bki->bjk"),
    ((2, 1), (2, 4, 3), (2, 3), "bij,bj->bi"),
    ((3, 1), (2, 4, 5, 3), (2, 3, 6, 2), "bijk,bklm->bijlm"),
]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("axes", "first", "second", "formula"), DOTS)
def test_dot(axes, first, second, formula, normalize):
    x, y = inputs(first, second)
    layer = layers.Dot(axes, normalize=normalize)
    found = layer([x, y])
    pair = (axes, axes) if isinstance(axes, int) else axes
    if normalize:
        x, y = (t / np.linalg.norm(t, axis=a, keepdims=True) for t, a in zip((x, y), pair, strict=True))
    wanted = np.einsum(formula, x, y)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape([(None, *first[1:]), (None, *second[1:])]) == (None, *wanted.shape[1:])
    again = layers.Dot.from_config(layer.get_config())
    assert (again.axes, again.normalize) == (layer.axes, normalize)


def test_a_vector_of_zeros_has_no_angle_and_no_gradient():
    x, y = tensor(np.zeros((1, 3), np.float32)), tensor(np.ones((1, 3), np.float32))
    with GradientTape() as tape:
        tape.watch(x)
        z = layers.Dot(1, normalize=True)([x, y])
    assert not np.array(z).any()
    assert not np.array(tape.gradient(z, x)).any()


def masked(x, mask):
    t = tensor(x)
    t.mask = tensor(np.array(mask, bool))
    return t


FIRST, SECOND = [[1, 1, 0, 0]], [[1, 0, 1, 0]]


@pytest.mark.parametrize("name", [*REFERENCES, "Subtract", "Concatenate"])
def test_the_output_is_masked_where_all_inputs_are(name):
    x, y = inputs((1, 4, 2), (1, 4, 2))
    z = getattr(layers, name)()([masked(x, FIRST), masked(y, SECOND)])
    np.testing.assert_array_equal(z.mask, np.array([[1, 1, 1, 0]], bool))
    assert getattr(layers, name)()([masked(x, FIRST), tensor(y)]).mask is None


def test_masks_of_sequences_one_after_the_other():
    x, y, z = inputs((1, 4, 2), (1, 2, 2), (1, 4, 2))
    found = layers.Concatenate(1)([masked(x, FIRST), tensor(y), masked(z, SECOND)])
    np.testing.assert_array_equal(found.mask, np.array([[1, 1, 0, 0, 1, 1, 1, 0, 1, 0]], bool))


@pytest.mark.parametrize("name", ["Maximum", "Minimum", "Multiply"])
def test_masked_positions_do_not_take_part(name):
    x, y = inputs((1, 4, 2), (1, 4, 2))
    z = np.array(getattr(layers, name)()([masked(x, FIRST), masked(y, SECOND)]))
    np.testing.assert_allclose(z[0, 0], REFERENCES[name]([x, y])[0, 0], rtol=1e-6)
    np.testing.assert_array_equal(z[0, 1], x[0, 1])
    np.testing.assert_array_equal(z[0, 2], y[0, 2])
    if name == "Multiply":
        assert not z[0, 3].any()
    half = np.array(getattr(layers, name)()([masked(x, FIRST), tensor(y)]))
    np.testing.assert_array_equal(half[0, 2], y[0, 2])


def test_dot_drops_masks():
    x, y = inputs((1, 4, 2), (1, 4, 2))
    assert layers.Dot(2)([masked(x, FIRST), masked(y, SECOND)]).mask is None


def test_what_does_not_fit_names_the_layer():
    x, y, z = inputs((2, 3), (2, 4), (3, 3))
    with pytest.raises(ValueError, match=r"layer 'm' \(Add.*takes a list of several inputs; received one"):
        layers.Add(name="m")(x)
    for name in ("Add", "Maximum"):
        with pytest.raises(ValueError, match=rf"{name} takes inputs whose shapes broadcast.*\(2, 3\), \(2, 4\)"):
            getattr(layers, name)()([x, y])
        with pytest.raises(ValueError, match="broadcast"):
            getattr(layers, name)()([x, z])
    with pytest.raises(ValueError, match=r"agree except along axis -1; received \[\(2, 3\), \(3, 3\)\]"):
        layers.Concatenate()([x, z])
    with pytest.raises(ValueError, match="axis 2 does not exist"):
        layers.Concatenate(2)([x, x])
    with pytest.raises(ValueError, match=r"Dot along axes \(1, 1\).*same size"):
        layers.Dot(1)([x, y])
    with pytest.raises(ValueError, match="axis 0 of shape"):
        layers.Dot((0, 1))([x, y])
    with pytest.raises(TypeError, match="an integer or two of them"):
        layers.Dot((1, 2, 3))


def test_models_of_two_inputs_train_as_they_do_step_by_step():
    rng = np.random.default_rng(0)
    data = {name: rng.standard_normal((16, 4)).astype(np.float32) for name in "ab"}
    target = rng.standard_normal((16, 1)).astype(np.float32)
    losses = []
    for eagerly in (False, True):
        dlbd.utils.set_random_seed(1)
        a, b = dlbd.Input((4,), name="a"), dlbd.Input((4,), name="b")
        parts = [layers.Dense(3)(a), layers.Dense(3)(b)]
        together = layers.concatenate(
            [layers.add(parts), layers.multiply(parts), layers.average(parts), layers.maximum(parts),
             layers.minimum(parts), layers.subtract(parts), layers.dot(parts, normalize=True)]
        )  # fmt: skip
        model = dlbd.Model([a, b], layers.Dense(1)(together))
        assert together.shape == (None, 19)
        model.compile("sgd", "mse", run_eagerly=eagerly)
        losses.append(model.fit(data, target, batch_size=8, epochs=3, shuffle=False, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_integers_stay_integers():
    y = layers.Add()([np.array([[1]]), np.array([[2]])])
    assert y.dtype.kind == "i"
    assert ops.shape(y) == (1, 1)
