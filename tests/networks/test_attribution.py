"""Derivatives and attention against finite differences and a network whose answer is known."""

import json

import keras
import numpy as np
import pytest

from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.networks.attribution import attribute_states, distance_gradients, target_attention
from gdynet_tf.networks.explanation import explain_states
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.trajectory import Trajectory

STEEPNESS, MIDDLE = 12.0, 0.5


def second_sulfur(seed, n_frames=600, together=False, gap=False):
    """A Li in the middle of four S and two O; the second S is 2.3 to 3 Å away, or with ``together`` all move alike.

    With ``gap`` the second S is at 2.27 or 2.9 Å, never in between.
    """
    rng = np.random.default_rng(seed)
    r = np.array([2.0, 2.65, 3.4, 4.1, 2.1, 2.7]) + rng.normal(0, 0.06, (n_frames, 6))
    move = rng.uniform(-0.35, 0.35, n_frames)
    if gap:
        move = np.where(move < 0, -0.38, 0.25) + rng.normal(0, 0.02, n_frames)
    if together:
        r += move[:, None]
    else:
        r[:, 1] = 2.65 + move
    directions = rng.normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    positions = np.concatenate([np.zeros((n_frames, 1, 3)), r[..., None] * directions], axis=1)
    cells = np.repeat(np.eye(3)[None] * 30, n_frames, axis=0)
    return Trajectory("md", positions, cells, [3, 16, 16, 16, 16, 8, 8], (False,) * 3)


def window_network():
    """State 1 is a sigmoid of sum_j exp(-(d_j - 2.4)^2 / 0.04) over the S: the weights are written by hand."""
    model = GDyNet(2, n_conv=1, n_features=1)
    conv, n_neighbors = model.convs[0], 5
    table = np.zeros((100, 1), np.float32)
    table[8] = -1e3  # an O never passes the ReLU
    model.embedding.set_weights([table])
    kernel = np.zeros(conv.kernel.shape, np.float32)
    kernel[1, 0] = 1.0  # the neighbour's embedding
    kernel[2 + round(2.4 / 0.2), 0] = n_neighbors  # attention is uniform: 1 / M
    conv.set_weights([kernel, np.zeros(2, np.float32)])
    model.hidden.set_weights([np.ones((1, 1), np.float32), np.zeros(1, np.float32)])
    weights = np.array([[0.0, STEEPNESS]], np.float32)
    model.states.set_weights([weights, np.array([0.0, -STEEPNESS * MIDDLE], np.float32)])
    return model


def open_second_sulfur(folder, edges="distance", **how):
    trajectory = second_sulfur(0, **how)
    build_graphs([trajectory], [[0]], out=folder, n_neighbors=5, edges=edges, progress=False)
    return open_graphs(folder)


@pytest.mark.parametrize("variant", ["paper", "gdynet2019"])
def test_gradients_are_those_of_finite_differences(graph, variant):
    keras.utils.set_random_seed(0)
    model = GDyNet(3, n_conv=2, n_features=5, variant=variant)
    inputs = graph(2, 6, 4, 1, k=2)
    chi, gradients = distance_gradients(model, inputs)
    assert gradients.shape == (2, 3, 6, 4)
    np.testing.assert_allclose(gradients.sum(axis=1), 0, atol=1e-6)  # probabilities add up to 1
    h, checked = 1e-3, 0
    for i in range(6):
        for m in range(4):
            errors = []
            for step in (h, -h):
                distances = inputs["distances"].copy()
                distances[:, i, m] += step
                moved = np.asarray(model({**inputs, "distances": distances}))[:, 0]
                errors.append(np.abs((moved - chi) / step - gradients[:, :, i, m]).max(axis=1))
                checked += np.abs(moved - chi).max() > h * 1e-3
            # A ReLU may have its kink on one side. h / 2 times the second derivative (a Gaussian of 0.2 Å changes its
            # slope by 1 % in 0.001 Å), and 6e-8 / h of float32.
            assert np.min(errors, axis=0).max() < 0.02 * np.abs(gradients).max() + 2e-4
    assert checked > 10


def test_gradient_of_a_network_written_by_hand(tmp_path):
    """d chi / d d = chi (1 - chi) s u'(d), u the Gaussian at 2.4 Å, for S; nothing for O."""
    graphs = open_second_sulfur(tmp_path / "g")
    found = attribute_states(window_network(), graphs, [(0, 0, 600)])
    assert len(found.chi) == 600
    d = found.distances[:, 0].astype(np.float64)
    u = np.where(found.neighbors[:, 0] == 16, np.exp(-((d - 2.4) ** 2) / 0.04), 0.0)
    chi = 1 / (1 + np.exp(-STEEPNESS * (u.sum(axis=1) - MIDDLE)))
    np.testing.assert_allclose(found.chi[:, 1], chi, atol=1e-5)
    expected = (chi * (1 - chi) * STEEPNESS)[:, None] * u * -2 * (d - 2.4) / 0.04
    np.testing.assert_allclose(found.gradients[:, 1, 0], expected, atol=1e-4)
    np.testing.assert_allclose(found.gradients[:, 0, 0], -expected, atol=1e-4)
    np.testing.assert_allclose(found.attention, 1 / 5, atol=1e-6)
    assert found.own_share == pytest.approx(1.0)  # one convolution sees no other distance


def test_the_second_sulfur_is_named(tmp_path):
    graphs = open_second_sulfur(tmp_path / "g")
    result = explain_states(attribute_states(window_network(), graphs, [(0, 0, 600)]))
    for told in result.told_by:
        assert (told["center"], told["neighbor"], told["first_rank"], told["last_rank"]) == ("Li", "S", 2, 2)
        assert 2.3 <= told["from"] < told["to"] <= 2.9
        assert told["sensitivity"] > 0.9
        assert told["accounted"] > 0.9
    # The network's state 1 is "an S within 0.17 Å of 2.4 Å": here from 2.3 to 2.57 Å.
    assert result.told_by[1]["in_state"] == pytest.approx((2.3 + 2.57) / 2, abs=0.03)
    assert result.told_by[1]["elsewhere"] == pytest.approx((2.57 + 3.0) / 2, abs=0.03)
    table = result.to_dataframe()
    assert table[table["state"] == 0]["sensitivity"].sum() == pytest.approx(1.0)
    assert set(table["neighbor"]) == {"S", "O"}
    shells = result.to_dataframe("gradients")
    near = shells[(shells["state"] == 1) & (shells["neighbor"] == "S") & (shells["rank"] == 2)]
    assert near["n_pairs"].sum() == 600
    assert (near[near["shell_from"].between(2.45, 2.65)]["gradient"] < 0).all()  # farther: less of state 1
    attention = result.to_dataframe("attention")
    np.testing.assert_allclose(attention["attention"], 0.2, atol=1e-6)
    json.dumps(result.to_dict(), allow_nan=False)


def test_no_interval_where_the_border_was_not_seen(tmp_path):
    """Without frames between the states the gradient lies on their outer flanks, which is no place to name."""
    graphs = open_second_sulfur(tmp_path / "g", gap=True)
    told = explain_states(attribute_states(window_network(), graphs, [(0, 0, 600)])).told_by[1]
    assert (told["neighbor"], told["first_rank"], told["last_rank"]) == ("S", 2, 2)
    assert told["from"] is None
    assert told["to"] is None
    assert told["in_state"] == pytest.approx(2.27, abs=0.02)


def test_silent_where_nothing_stands_out(tmp_path, graph):
    """A network that heeds all distances alike, and frames too few to say anything."""
    graphs = open_second_sulfur(tmp_path / "g", together=True)
    model = window_network()
    model.embedding.set_weights([np.zeros((100, 1), np.float32)])
    kernel, bias = model.convs[0].get_weights()
    kernel[2:, 0] = np.arange(len(kernel) - 2)  # grows with every distance
    model.convs[0].set_weights([kernel, bias])
    inputs = {**graphs.read(np.zeros(600, int), np.arange(600)), **graphs.constants}
    value = np.asarray(model.hidden(model._embed(inputs, 1, None, False)))[:, 0]
    model.states.set_weights([np.array([[0.0, 0.5]]), np.array([0.0, -0.5 * value.mean()])])
    result = explain_states(attribute_states(model, graphs, [(0, 0, 600)]))
    assert result.told_by == [None, None]
    few = explain_states(attribute_states(window_network(), graphs, [(0, 0, 50)]))
    assert few.told_by == [None, None]
    assert few.n_samples == 50


def test_expanded_edges_give_the_same(tmp_path):
    """From the positions, whatever form of edges the graphs have."""
    found = [
        attribute_states(window_network(), open_second_sulfur(tmp_path / edges, edges), [(0, 0, 300)])
        for edges in ("distance", "gaussian")
    ]
    for name in ("chi", "distances", "gradients", "attention"):
        np.testing.assert_allclose(getattr(found[0], name), getattr(found[1], name), atol=1e-5)


def test_a_pair_of_atoms_has_one_distance(tmp_path):
    """Moving an atom away along the bond changes i -> j and j -> i; several targets, an orthogonal second bond."""
    rng = np.random.default_rng(1)
    n_frames = 120
    positions = np.zeros((n_frames, 3, 3))
    positions[:, 1, 0] = rng.uniform(2.0, 3.0, n_frames)
    positions[:, 2, 0] = -rng.uniform(2.0, 3.0, n_frames)
    cells = np.repeat(np.eye(3)[None] * 30, n_frames, axis=0)
    build = {"n_neighbors": 2, "edges": "distance", "n_workers": 1, "progress": False}
    keras.utils.set_random_seed(0)
    model = GDyNet(2, n_conv=2, n_features=4)
    found, h = [], 1e-3
    for name, move in (("a", 0.0), ("b", h), ("c", -h)):
        moved = positions.copy()
        moved[:, 1, 0] += move
        trajectory = Trajectory(name, moved, cells, [3, 16, 8], (False,) * 3)
        build_graphs([trajectory], [[0], [1]], out=tmp_path / name, **build)
        found.append(attribute_states(model, open_graphs(tmp_path / name), [(0, 0, n_frames)], 2 * n_frames))
    assert len(found[0].chi) == 2 * n_frames
    of_lithium = [a.chi[:n_frames] for a in found]
    graphs = open_graphs(tmp_path / "a")
    inputs = {**graphs.read(np.zeros(n_frames, int), np.arange(n_frames)), **graphs.constants}
    _, every = distance_gradients(model, {**inputs, "targets": np.array([[0]])})  # (F, S, N, M)

    def entry(i, j):
        place = (inputs["neighbors"][:, i] == j).argmax(axis=1)
        return every[np.arange(n_frames), :, i, place]

    bond = entry(0, 1) + entry(1, 0)
    sulfur = found[0].neighbors[:n_frames, 0] == 16
    own = np.where(sulfur[:, None], found[0].gradients[:n_frames, :, 0], 0).sum(axis=-1)
    np.testing.assert_allclose(own, bond, atol=1e-6)
    # On a line the S moves away from the O as well.
    total = bond + entry(1, 2) + entry(2, 1)
    difference = (of_lithium[1] - of_lithium[2]) / (2 * h)
    close = np.abs(total - difference) < 2e-3 + 0.01 * np.abs(total)
    assert close.mean() > 0.95  # a ReLU has its kink within 0.001 Å of the others
    assert 0 < found[0].own_share < 1


def test_attention_is_that_of_the_convolutions(graph):
    model = GDyNet(2, n_conv=3, n_features=4)
    inputs = graph(3, 8, 4, 1, k=2)
    attention = target_attention(model, inputs)
    assert attention.shape == (3, 3, 2, 4)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, atol=1e-6)
    # The last convolution: softmax of z W_a + b_a over the neighbours, from what the others give.
    nodes = np.asarray(model._embed(inputs, 2, None, False))
    kernel, bias = model.convs[2].get_weights()
    for b in range(3):
        for a, atom in enumerate(inputs["targets"][0]):
            u = np.asarray(model.expansion(inputs["distances"][b, atom]))
            other = nodes[b, inputs["neighbors"][b, atom]]
            z = np.concatenate([np.broadcast_to(nodes[b, atom], other.shape), other, u], axis=1)
            score = np.exp(z @ kernel[:, 4:] + bias[4:])[:, 0]
            np.testing.assert_allclose(attention[b, 2, a], score / score.sum(), rtol=1e-4)


def test_bad_arguments(graph):
    model = GDyNet(2, n_conv=1, n_features=4)
    inputs = graph(2, 6, 4, 2)
    with pytest.raises(ValueError, match="one target is needed, got 2"):
        distance_gradients(model, inputs)
    del inputs["distances"]
    with pytest.raises(ValueError, match="distances are needed"):
        distance_gradients(model, inputs)
