"""Layers: contract, bad arguments, and the equations they stand for."""

import keras
import numpy as np
import pytest
from scipy.special import softmax

from gdynet_tf.graphs.expansion import expand_distances, gaussian_centers
from gdynet_tf.networks.layers import N_MICROSTATES, AttentionConv, GaussianExpansion, StateMap, gather_nodes


def test_centers_reach_dmax():
    centers = gaussian_centers(0.0, 7.0, 0.2)
    assert len(centers) == 36
    assert np.allclose(centers[[0, 1, -1]], [0, 0.2, 7.0])


@pytest.mark.parametrize(("dmin", "dmax", "step"), [(0, 0, 0.2), (3, 1, 0.2), (0, 7, 0), (0, 7, -1)])
def test_centers_bad_range(dmin, dmax, step):
    with pytest.raises(ValueError, match="need dmin < dmax and step > 0"):
        gaussian_centers(dmin, dmax, step)


def test_expansion_is_one_at_its_center_and_has_no_factor_two():
    u = expand_distances(np.array([2.0, 2.2]), 0, 7, 0.2, 0.2)
    assert u.dtype == np.float32
    assert np.isclose(u[0, 10], 1.0)
    assert np.isclose(u[1, 10], np.exp(-1.0), rtol=1e-5)  # one sigma away


def test_expansion_layer_equals_numpy():
    distances = np.random.default_rng(0).uniform(0, 9, (2, 3, 4)).astype(np.float32)
    layer = GaussianExpansion(0.5, 6.0, 0.25, 0.3)
    u = keras.ops.convert_to_numpy(layer(distances))
    assert u.shape == layer.compute_output_shape(distances.shape) == (2, 3, 4, 23)
    # float32 exponentials of numbers of order 1: a few units in the last place.
    np.testing.assert_allclose(u, expand_distances(distances, 0.5, 6.0, 0.25, 0.3), atol=1e-6)
    assert GaussianExpansion.from_config(layer.get_config()).get_config() == layer.get_config()


def test_expansion_bad_sigma():
    with pytest.raises(ValueError, match="sigma must be positive, got 0"):
        GaussianExpansion(sigma=0)


@pytest.mark.parametrize("shared", [False, True])
def test_gather_is_row_by_row(shared):
    rng = np.random.default_rng(1)
    nodes = rng.normal(size=(1 if shared else 3, 6, 4)).astype(np.float32)
    index = rng.integers(0, 6, (3, 2, 5))
    out = keras.ops.convert_to_numpy(gather_nodes(keras.ops.convert_to_tensor(nodes), index))
    for b in range(3):
        np.testing.assert_array_equal(out[b], nodes[0 if shared else b][index[b]])


def _conv_by_loops(layer, v, neighbors, u):
    """v_i' of one frame from the concatenated z, as the paper writes it."""
    kernel, bias = (np.asarray(w, np.float64) for w in layer.get_weights()[:2])
    out = np.empty_like(v)
    for i in range(len(v)):
        z = np.array([np.concatenate([v[i], v[j], u[i, m]]) for m, j in enumerate(neighbors[i])])
        scores = z @ kernel + bias
        alpha = softmax(scores[:, -1])
        out[i] = v[i] + (alpha[:, None] * np.maximum(scores[:, :-1], 0)).sum(axis=0)
    return out


def test_conv_is_the_papers_equation():
    rng = np.random.default_rng(2)
    layer = AttentionConv(4, 6)
    layer.build()
    layer.bias.assign(rng.normal(size=5))
    v, u = rng.normal(size=(2, 7, 4)), rng.random((2, 7, 3, 6))
    neighbors = rng.integers(0, 7, (2, 7, 3))
    out = keras.ops.convert_to_numpy(layer(v.astype("float32"), neighbors, u.astype("float32")))
    assert out.shape == layer.compute_output_shape(v.shape, neighbors.shape, u.shape)
    for b in range(2):
        np.testing.assert_allclose(out[b], _conv_by_loops(layer, v[b], neighbors[b], u[b]), atol=2e-6)


def test_conv_of_some_centers_is_the_conv_of_all_at_them():
    rng = np.random.default_rng(3)
    layer = AttentionConv(4, 6)
    v, u = rng.normal(size=(2, 7, 4)).astype("float32"), rng.random((2, 7, 3, 6)).astype("float32")
    neighbors, centers = rng.integers(0, 7, (2, 7, 3)), np.array([[5, 0], [1, 1]])
    every = keras.ops.convert_to_numpy(layer(v, neighbors, u))
    rows = np.arange(2)[:, None]
    some = layer(v, neighbors[rows, centers], u[rows, centers], centers=centers)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(some), every[rows, centers], atol=1e-6)


def test_conv_does_not_see_the_order_of_neighbors():
    rng = np.random.default_rng(4)
    layer = AttentionConv(4, 6)
    v, u = rng.normal(size=(1, 7, 4)).astype("float32"), rng.random((1, 7, 5, 6)).astype("float32")
    neighbors, order = rng.integers(0, 7, (1, 7, 5)), rng.permutation(5)
    a = keras.ops.convert_to_numpy(layer(v, neighbors, u))
    b = keras.ops.convert_to_numpy(layer(v, neighbors[:, :, order], u[:, :, order]))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_conv_config_and_bad_variant():
    layer = AttentionConv(4, 6, "gdynet2019")
    assert AttentionConv.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match="variant must be 'paper' or 'gdynet2019', got 'new'"):
        AttentionConv(4, 6, "new")


def test_state_map_is_linear_until_memberships_are_set():
    """The linear map is what models of version 0.2 hold; it cuts off what leaves the simplex."""
    layer = StateMap(2)
    layer.build()
    chi = np.array([[0.5, 0.5], [0.6, 0.4], [0.9, 0.1]], np.float32)
    np.testing.assert_array_equal(layer(chi), chi)
    layer.kernel.assign([[2.0, -1.0], [-1.0, 2.0]])  # stretches threefold about the middle
    np.testing.assert_allclose(layer(chi), [[0.5, 0.5], [0.8, 0.2], [1.0, 0.0]], atol=1e-6)
    np.testing.assert_array_equal(layer(chi, training=True), chi)
    assert StateMap.from_config(layer.get_config()).n_states == 2
    assert layer.compute_output_shape((4, 2)) == (4, 2)


def test_state_map_interpolates_between_microstates():
    layer = StateMap(2)
    layer.build()
    centers = np.full((N_MICROSTATES, 1), 1e6)
    centers[:2] = [[0.0], [2.0]]
    memberships = np.tile([1.0, 0.0], (N_MICROSTATES, 1))
    memberships[:2] = [[0.9, 0.1], [0.2, 0.8]]
    for weight, value in ((layer.projection, [[0.0], [2.0]]), (layer.centers, centers)):
        weight.assign(value)
    layer.memberships.assign(memberships)
    share = 1 / (1 + np.exp(1.0**2 - 1.0**2)), 1 / (1 + np.exp(0.5**2 - 1.5**2))
    expected = [[0.9 * s + 0.2 * (1 - s), 0.1 * s + 0.8 * (1 - s)] for s in share]
    np.testing.assert_allclose(layer(np.array([[0.5, 0.5], [0.75, 0.25]], np.float32)), expected, atol=1e-6)


def test_state_map_loads_the_linear_map_of_older_models():
    layer = StateMap(2)
    layer.build()
    layer.load_own_variables({"0": np.array([[2.0, -1.0], [-1.0, 2.0]])})
    np.testing.assert_allclose(layer(np.array([[0.6, 0.4]], np.float32)), [[0.8, 0.2]], atol=1e-6)
    store = {}
    layer.save_own_variables(store)
    other = StateMap(2)
    other.build()
    other.load_own_variables(store)
    np.testing.assert_array_equal(other.kernel, layer.kernel)
