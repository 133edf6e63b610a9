"""How long chi remembers: processes whose answers are known."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.relaxation import joint_correlation


@pytest.mark.parametrize("relaxation", [5, 40])
def test_relaxation_of_a_chain(relaxation, two_states):
    """2,500 or 20,000 relaxation times: a few percent of noise."""
    assert ga.relaxation_time(two_states(relaxation, 5000, 20), 2) == pytest.approx(relaxation, rel=0.15)


def test_relaxation_behind_a_fast_one(two_states):
    """Half of the variance decays in 2 frames: the implied timescale at a lag of 1 sees it, the moments do not."""
    slow, rng = two_states(50, 20_000, 5), np.random.default_rng(1)
    chi = 0.5 * slow + 0.5 * np.eye(2)[rng.integers(0, 2, slow.shape[:2])]
    assert ga.relaxation_time(chi, 1) == pytest.approx(50, rel=0.2)


def test_what_does_not_decay():
    frozen = np.tile(np.eye(2)[[0, 1, 1]], (100, 1, 1)) + 0.0
    assert ga.relaxation_time(frozen, 1) == np.inf
    assert ga.relaxation_time(np.full((50, 2, 2), 0.5), 1) == 0


def test_what_is_weak_and_slow(two_states):
    """A bias of 0.1 that lasts 500 frames beside flips of 5: little of the variance, most of an average's."""
    flips, bias = two_states(5, 40_000, 1, seed=1)[:, 0], two_states(500, 40_000, 1, seed=2)[:, 0]
    swaps = np.random.default_rng(3).random(40_000) < 0.2
    chi = np.where(swaps[:, None], bias, flips)
    assert 150 < ga.slower_relaxation(chi, 5) < 1500
    found = [ga.slower_relaxation(two_states(5, 10_000, 1, seed=k)[:, 0], 5) for k in range(60)]
    assert np.isfinite(found).sum() <= 2  # false alarms; none in 60 with a probability of 0.5
    for nothing in (np.full((1000, 2), 0.5), chi[:100]):
        assert np.isnan(ga.slower_relaxation(nothing, 5))
    assert np.isnan(ga.slower_relaxation(chi, np.inf))


def test_correlation_across_joints(two_states):
    run = two_states(50, 4000, 4, seed=2)
    follow, n = joint_correlation(np.split(run, 40), 2)
    assert n == 39 * 4
    assert follow > 0.8
    apart, _ = joint_correlation([two_states(50, 100, 4, seed=k) for k in range(40)], 2)
    assert abs(apart) < 0.3
    assert joint_correlation([np.full((5, 1, 2), 0.5)] * 2, 1) == (1.0, 1)


def test_transitions_that_lasted():
    path = np.array([0] * 5 + [1] + [0] * 3 + [1] * 4 + [0, 1] + [2] * 5)
    chi = np.eye(3)[path][:, None]
    assert ga.observed_transitions(chi, 3).tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert ga.observed_transitions(chi, 1).sum() == np.count_nonzero(np.diff(path))
    assert ga.observed_transitions(chi, 6).sum() == 0
    # Neither across segments nor across targets.
    ends = [np.eye(2)[np.zeros((5, 1), int)], np.eye(2)[np.ones((5, 1), int)]]
    assert ga.observed_transitions(ends, 1).sum() == 0
    assert ga.observed_transitions(np.concatenate(ends, axis=1), 1).sum() == 0
