"""What graphs hold that a training never saw, on systems whose answer is known."""

import numpy as np
import pytest

from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.coverage import compare_with_training, distance_histogram, unseen_shares
from gdynet_tf.trajectory import Trajectory


def graphs_of(distance, elements=(3, 8), targets=((0,),), edges="distance", seed=0, n_frames=400):
    """Two atoms, alone in a large cell: one bond each."""
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 1, 0] = distance + np.random.default_rng(seed).normal(0, 0.05, n_frames)
    trajectory = Trajectory(
        "bond", positions, np.repeat(np.eye(3)[None] * 30, n_frames, axis=0), elements, (False,) * 3
    )
    return build_graphs(trajectory, np.array(targets), n_neighbors=1, edges=edges, progress=False), [(0, 0, n_frames)]


@pytest.mark.parametrize("edges", ["distance", "gaussian"])
def test_histogram_is_that_of_the_distances(edges):
    graphs, blocks = graphs_of(2.0, edges=edges)
    found = distance_histogram(graphs, blocks)
    distances = graphs.array(0, "positions")[:, 1, 0]
    expected = np.bincount(np.floor(distances.astype(np.float32) / 0.1).astype(int))
    assert set(found.counts) == {(3, 8), (8, 3)}
    assert found.n_frames == 400
    for counts in found.counts.values():
        np.testing.assert_array_equal(counts, expected)
    assert distance_histogram(graphs, [(0, 10, 20)]).counts[3, 8].sum() == 10


def test_shares_of_unseen_distances():
    """A quarter of the new frames at a distance that is 0.5 Å from all others."""
    training, blocks = graphs_of(2.0)
    new, _ = graphs_of(np.where(np.arange(400) % 4, 2.0, 2.7), seed=1)
    shares = unseen_shares(distance_histogram(training, blocks), distance_histogram(new, blocks))
    assert shares == {(3, 8): 0.25, (8, 3): 0.25}
    (finding,) = compare_with_training(training, blocks, new, blocks)
    assert (finding.kind, finding.severity) == ("unseen distances", "warning")
    assert finding.numbers["share"] == 0.25
    assert "25 % of the edges have distances that the training never saw (none within 0.1 Å)" in finding.text
    assert "25 % of Li–O, 25 % of O–Li" in finding.text


def test_unknown_elements_and_other_targets():
    training, blocks = graphs_of(2.0)
    new, _ = graphs_of(2.0, elements=(3, 16))
    bad, unseen = compare_with_training(training, blocks, new, blocks)
    assert (bad.kind, bad.severity, bad.numbers["atomic_numbers"]) == ("unknown elements", "bad", [16])
    assert bad.text.startswith("S: the training never saw such atoms (50 % of all here).")
    assert unseen.numbers["share"] == 1.0  # no Li–S before
    other, _ = graphs_of(2.0, targets=((1,),))
    (finding,) = compare_with_training(training, blocks, other, blocks)
    assert (finding.kind, finding.severity) == ("other targets", "warning")
    assert finding.text.startswith("Targets of O: ")


def test_no_false_alarm():
    """Other frames of the same simulation: forty pairs of short stretches, never a warning."""
    for seed in range(0, 40, 2):
        pair = [graphs_of(2.0, seed=seed + k, n_frames=100) for k in range(2)]
        for (a, blocks), (b, _) in (pair, pair[::-1]):
            (finding,) = compare_with_training(a, blocks, b, blocks)
            assert (finding.kind, finding.severity) == ("like the training", "good")
