"""Batches in pieces: the same batches, the same gradient, the same training."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from gdynet_tf.errors import TrainingError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.learning.epochs import pieces as module
from gdynet_tf.learning.epochs.pieces import plan_batches
from gdynet_tf.learning.pairs import LaggedChains, chain_batches, piece_batches
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.splits import split_by_time
from gdynet_tf.learning.training import starting_model, train_network
from gdynet_tf.learning.vamp import chain_pairs, covariances, vamp2, vamp2_slopes
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.vampnet import VAMPnet
from gdynet_tf.trajectory import Trajectory

SETTINGS = TrainingSettings(n_states=2, tau=2, n_conv=1, n_features=4, batch_size=20, epochs=2, learning_rate=0.1)
BLOCKS = [(0, 0, 120)]
A_FRAME = 16_640  # one layer of 16 edges with 4 x 5 values and 36 Gaussians, 8 x 480 inputs, four bytes each


@pytest.fixture(scope="module")
def graphs():
    """Sixty atoms that rattle, four of which jump between two distances from a neighbour."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 9, (60, 3)) + rng.normal(0, 0.05, (120, 60, 3))
    positions[:, :4, 0] += np.cumsum(rng.random((120, 4)) < 0.1, axis=0) % 2
    trajectory = Trajectory("liquid", positions, np.tile(np.eye(3) * 9, (120, 1, 1)), np.repeat([3, 8], [4, 56]))
    return build_graphs(trajectory, "Li", n_neighbors=4, progress=False)


def weights_of(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def steepest_descent(rate, gradient_accumulation_steps):
    return keras.optimizers.SGD(rate, gradient_accumulation_steps=gradient_accumulation_steps)


def test_slopes_are_those_of_the_score():
    """Against central differences of the score that trains."""
    chi = np.random.default_rng(1).dirichlet(np.ones(3), (7, 4, 2))  # chains of three pairs of two targets

    def score(values):
        return float(vamp2(*covariances(*chain_pairs(ops.convert_to_tensor(values)))))

    found, slopes = vamp2_slopes(chi, *covariances(*chain_pairs(chi)), 7 * 3 * 2)
    assert float(found) == pytest.approx(score(chi), abs=1e-12)
    step = 1e-5
    for index in [(0, 0, 0, 0), (3, 0, 1, 2), (3, 1, 1, 2), (6, 2, 0, 1), (6, 3, 1, 0)]:
        higher, lower = chi.copy(), chi.copy()
        higher[index] += step
        lower[index] -= step
        assert float(slopes[index]) == pytest.approx((score(higher) - score(lower)) / (2 * step), rel=1e-6, abs=1e-8)


def test_pieces_are_the_batches_twice(graphs):
    chains = LaggedChains([(0, 0, 50)], 2, 20, 2)
    whole = list(chain_batches(graphs, chains, 1, 3).as_numpy_iterator())
    pieces = list(piece_batches(graphs, chains, 4, [0, 1, 2, 3, 0, 1, 2, 3], 1, 3))
    assert len(whole) == chains.n_batches == 8
    assert len(pieces) == 8 * 2 * 4
    for k, (inputs, _) in enumerate(whole):
        for turn in range(2):
            four = pieces[8 * k + 4 * turn : 8 * k + 4 * turn + 4]
            joined = np.concatenate([piece["distances"] for piece in four])
            np.testing.assert_array_equal(joined[:10], inputs["distances"])
            np.testing.assert_array_equal(joined[10:], np.repeat(inputs["distances"][-1:], 2, axis=0))


def test_training_in_pieces_is_the_same(graphs, monkeypatch, tmp_path):
    """Two epochs of steepest descent, whose steps are the gradient; an interrupted training goes on to the same end."""
    monkeypatch.setattr(keras.optimizers, "Adam", steepest_descent)
    split = split_by_time(graphs.segments, SETTINGS.tau)
    start = weights_of(starting_model(SETTINGS, graphs))
    (whole, history), (found, same) = (
        (monkeypatch.setattr(module, "MEMORY", memory), train_network(graphs, split, SETTINGS, 3, progress=False))[1]
        for memory in (1 << 29, A_FRAME * 10)  # 2, 2 and 1 chains of five frames, filled up to 2
    )
    assert np.abs(weights_of(whole) - start).max() > 0.01
    np.testing.assert_allclose(weights_of(found), weights_of(whole), atol=2e-6)
    for name in ("train_vamp2", "validation_vamp2"):
        assert [row[name] for row in same] == pytest.approx([row[name] for row in history], abs=2e-6)
    train_network(graphs, split, replace(SETTINGS, epochs=1), 3, tmp_path, progress=False)
    resumed, _ = train_network(graphs, split, SETTINGS, 3, tmp_path, resume=True, progress=False)
    np.testing.assert_array_equal(weights_of(resumed), weights_of(found))


def test_no_number_ends_the_epoch(graphs, monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 1)
    monkeypatch.setattr(module, "vamp2_slopes", lambda chi, *given: (np.nan, np.full(chi.shape, np.nan)))
    split = split_by_time(graphs.segments, SETTINGS.tau)
    with pytest.raises(TrainingError, match="the loss is not a number in epoch 1"):
        train_network(graphs, split, SETTINGS, 3, progress=False)


def test_pieces_follow_from_the_memory(graphs, monkeypatch):
    model = GDyNet(2, n_conv=3, n_features=4)
    assert model.edges_per_frame(200, 4, 4) == 4 * 4 + 20 * 4 + 100 * 4
    assert model.edges_per_frame(60, 4, 4) == 4 * 4 + 20 * 4 + 60 * 4
    model = GDyNet(2, n_conv=1, n_features=4)
    for memory, length, n_pieces in (
        (A_FRAME * 25, 4, 1),
        (A_FRAME * 25 - 1, 4, 2),
        (A_FRAME * 10, 4, 3),
        (A_FRAME * 5, 4, 5),
        (A_FRAME * 5 - 1, 2, 10),  # chains of three make up no batch of twenty
        (1, 1, 20),
    ):
        monkeypatch.setattr(module, "MEMORY", memory)
        chains, found = plan_batches(model, graphs, SETTINGS, BLOCKS)
        assert (chains.length, found) == (length, n_pieces)
    assert plan_batches(model, graphs, SETTINGS, BLOCKS, n_replicas=3)[1] == 7


def test_pieces_are_logged(graphs, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(module, "MEMORY", A_FRAME * 10)
    split = split_by_time(graphs.segments, SETTINGS.tau)
    train_network(graphs, split, replace(SETTINGS, epochs=1), 3, progress=False)
    assert caplog.messages[0] == "20 pairs of frames go in 3 pieces of at most 512 MB each"


def test_what_cannot_go_in_pieces_goes_whole(graphs, monkeypatch):
    monkeypatch.setattr(module, "MEMORY", 1)
    model = GDyNet(2, n_conv=1, n_features=4)
    for changed in ({"variant": "gdynet2019"}, {"precision": "mixed_float16"}):
        assert plan_batches(model, graphs, replace(SETTINGS, **changed), BLOCKS)[1] == 1
    assert plan_batches(VAMPnet(2, 24), graphs, SETTINGS, BLOCKS)[1] == 1


@pytest.mark.parametrize(("before", "after"), [(3, 1), (1, 3), (3, 2)])
def test_an_optimizer_goes_on_with_other_pieces(before, after):
    """Steps depend on how many there were, and on their averages: the same next step as if nothing had changed."""
    gradient = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in ((4, 2), (3,))]

    def steps(optimizer, n):
        for _ in range(n * (optimizer.gradient_accumulation_steps or 1)):
            optimizer.apply([ops.convert_to_tensor(g) for g in gradient], weights)
        return [ops.convert_to_numpy(weight) for weight in weights]

    def adam(n_pieces):
        optimizer = keras.optimizers.Adam(0.1, gradient_accumulation_steps=n_pieces if n_pieces > 1 else None)
        optimizer.build(weights)
        return optimizer

    weights = [keras.Variable(np.zeros_like(g)) for g in gradient]
    expected = steps(adam(1), 5)
    weights = [keras.Variable(np.zeros_like(g)) for g in gradient]
    first = adam(before)
    steps(first, 2)
    second = adam(after)
    module.copy_optimizer(first, second)
    for found, same in zip(steps(second, 3), expected, strict=True):
        np.testing.assert_allclose(found, same, rtol=1e-5)
