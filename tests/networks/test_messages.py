"""Messages from the table: the paper's equations and their derivatives, which products with the Gaussians give."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from gdynet_tf.graphs.expansion import expand_distances
from gdynet_tf.networks import gdynet as module
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.layers import AttentionConv, GaussianExpansion
from gdynet_tf.networks.messages import GaussianTable


def read(table, distances):
    """The Gaussians as their series give them, and their slopes in 1/Å."""
    point, offset = (np.asarray(x) for x in table.place(np.asarray(distances, np.float32)))
    powers = offset[:, None, None] ** np.arange(5)[:, None]
    return (table.orders[:, point].transpose(1, 0, 2) * powers).sum(axis=1)


@pytest.mark.parametrize("expansion", [{}, {"dmin": 1.5, "dmax": 4.0, "step": 0.25, "sigma": 0.4}, {"sigma": 0.1}])
def test_series_are_the_gaussians(expansion):
    """Everywhere: at no distance, between points, on them, beyond the last Gaussian, and beyond the table."""
    table = GaussianTable(**expansion)
    ends = [0.0, table.start, table.centers[-1], 9.0, 1e6, np.inf]
    distances = np.concatenate([ends, np.linspace(0, 9, 5001)]).astype(np.float32)
    # Distances are rounded to 5e-7 Å, and the steepest slope of a Gaussian is 0.86 / sigma.
    np.testing.assert_allclose(read(table, distances), expand_distances(distances, **expansion), atol=5e-6)


def test_slopes_are_the_derivatives():
    table, d = GaussianTable(), np.linspace(0.5, 7, 40).astype(np.float32)
    step = np.float32(1e-3)
    expected = (expand_distances(d + step).astype(float) - expand_distances(d - step)) / (2 * step)
    np.testing.assert_allclose(table.slopes(d), expected, atol=2e-3)  # single precision over 1e-3 Å


def two_ways(distances, neighbors, n_nodes, centers=None, n_features=4, shared=False, seed=0):
    """Output of a convolution and derivatives of a sum of it, from products with the Gaussians and from the table."""
    rng = np.random.default_rng(seed)
    conv = AttentionConv(n_features, 36)
    conv.build()
    conv.kernel.assign(rng.normal(0, 0.4, conv.kernel.shape))
    conv.bias.assign(rng.normal(0, 0.4, conv.bias.shape))
    n_frames = 1 if shared else len(distances)
    nodes = tf.constant(rng.normal(size=(n_frames, n_nodes, n_features)).astype(np.float32))
    distances = tf.constant(distances, tf.float32)
    weights = rng.normal(size=(*distances.shape[:2], n_features))
    found = []
    for table in (None, GaussianTable()):
        with tf.GradientTape() as tape:
            tape.watch([nodes, distances])
            edges = GaussianExpansion()(distances) if table is None else distances
            out = conv(nodes, neighbors, edges, centers=centers, table=table)
            total = tf.reduce_sum(out * weights)
        derivatives = tape.gradient(total, [nodes, conv.kernel.value, conv.bias.value, distances])
        found.append((out.numpy(), [np.asarray(tf.convert_to_tensor(d)) for d in derivatives]))
    return found


def assert_the_same(found):
    (out, derivatives), (other, others) = found
    np.testing.assert_allclose(other, out, atol=5e-6)
    for expected, derivative in zip(derivatives, others, strict=True):
        assert np.linalg.norm(derivative - expected) < 1e-4 * np.linalg.norm(expected) + 1e-5


@settings(max_examples=8)
@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(2, 6), st.integers(1, 20), st.booleans(), st.integers(0, 2**31)
)
def test_the_table_gives_what_products_give(n_frames, n_nodes, n_neighbors, n_features, shared, seed):
    rng = np.random.default_rng(seed)
    shape = (n_frames, n_nodes, n_neighbors)
    distances, neighbors = rng.uniform(0.5, 8, shape), rng.integers(0, n_nodes, shape)
    assert_the_same(two_ways(distances, neighbors, n_nodes, None, n_features, shared, seed))


def test_of_some_centers():
    rng = np.random.default_rng(1)
    distances, neighbors = rng.uniform(1, 7, (2, 3, 5)), rng.integers(0, 8, (2, 3, 5)).astype(np.int16)
    assert_the_same(two_ways(distances, neighbors, 8, centers=np.array([[0, 7, 3], [2, 2, 1]])))


@pytest.mark.parametrize("distance", [0.0, 0.1, 7.0, 7.5, 8.0, 50.0])
def test_at_the_ends(distance):
    neighbors = np.random.default_rng(2).integers(0, 4, (1, 4, 3))
    assert_the_same(two_ways(np.full((1, 4, 3), distance), neighbors, 4))


def test_no_number_stays_none():
    """As with products: a damaged distance is not taken for another one."""
    distances = np.full((1, 2, 2), 3.0)
    distances[0, 0, 0] = np.nan
    (product, _), (table, _) = two_ways(distances, np.array([[[1, 0], [0, 1]]]), 2)
    np.testing.assert_array_equal(np.isnan(table), np.isnan(product))
    assert np.isnan(table[0, 0]).all()


@pytest.mark.parametrize(
    ("n_atoms", "n_neighbors", "n_targets", "k", "n_conv"), [(5, 4, 5, 1, 2), (40, 6, 3, 1, 3), (12, 5, 2, 3, 3)]
)
def test_networks_have_the_same_chi_and_gradient(graph, n_atoms, n_neighbors, n_targets, k, n_conv):
    inputs = graph(20, n_atoms, n_neighbors, n_targets, k)
    keras.utils.set_random_seed(3)
    model = GDyNet(3, n_conv=n_conv)
    assert model.table is not None
    weights = np.random.default_rng(4).normal(size=(20, n_targets, 3))
    found = []
    for table in (None, model.table):
        model.table = table
        with tf.GradientTape() as tape:
            chi = model(inputs)
            total = tf.reduce_sum(chi * weights)
        gradients = tape.gradient(total, [w.value for w in model.trainable_weights])
        found.append((chi.numpy(), [np.asarray(tf.convert_to_tensor(g)) for g in gradients]))
    assert_the_same(found)


def test_compiled_steps_are_the_same_every_time(graph):
    inputs = graph(50, 12, 5, 4)
    model = GDyNet(3, n_conv=2)

    @tf.function(jit_compile=True)
    def gradients():
        with tf.GradientTape() as tape:
            chi = model(inputs)
            total = tf.reduce_sum(chi**2)
        return tape.gradient(total, [w.value for w in model.trainable_weights])

    first, second = gradients(), gradients()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(tf.convert_to_tensor(a), tf.convert_to_tensor(b))


@pytest.mark.parametrize(
    "settings", [{"variant": "gdynet2019"}, {"precision": "mixed_float16"}, {"expansion": {"sigma": 1e-4}}]
)
def test_where_the_table_would_not_do(settings):
    """Batch normalization of every edge's core, half precision, and a table larger than the edges of a batch."""
    assert GDyNet(2, **settings).table is None


def test_accelerators_take_products(monkeypatch):
    monkeypatch.setattr(module, "on_cpu", lambda: False)
    assert GDyNet(2).table is None
