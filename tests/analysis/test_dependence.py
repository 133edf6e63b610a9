"""Whether targets depend on one another, at the same time or with a delay."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.dependence import follow_one_another


def test_targets_that_do_the_same(two_states):
    """Design effect: 1 for independent targets, their number for copies, and n (1 + (n - 1) rho) / n in between."""
    free = two_states(10, 4000, 6)
    design, noise = ga.target_correlation(free, 2)
    assert abs(design[0] - 1) < 3 * noise[0]
    assert noise[0] < 0.2
    same = np.repeat(free[:, :1], 6, axis=1)
    assert ga.target_correlation(same, 2)[0][0] == pytest.approx(6)
    pairs = np.repeat(free[:, :3], 2, axis=1)
    assert ga.target_correlation(pairs, 2)[0][0] == pytest.approx(2, abs=0.4)
    assert ga.target_correlation(np.tile(np.eye(2)[[0, 1]], (50, 1, 1)), 1)[1][0] == np.inf  # nothing happened


def behind(chi, delay, n_frames, n_times):
    """Each target n_times, each time so many frames behind; beginning and end fall away."""
    return np.concatenate([chi[delay * k : delay * k + n_frames] for k in range(n_times)], axis=1)


@pytest.mark.parametrize(
    ("delay", "n_targets", "n_times"), [(25, 1, 20), (1, 1, 20), (60, 10, 2), (200, 10, 2), (3, 3, 2), (150, 2, 3)]
)
def test_targets_that_follow_one_another(delay, n_targets, n_times, two_states):
    """In a row and in pairs, at whatever delay: seen in every one of 20 draws."""
    for seed in range(20):
        run = two_states(20, 1000 + delay * (n_times - 1), n_targets, seed=seed)
        assert ga.target_following(behind(run, delay, 1000, n_times), 5)


def test_delays_that_differ(two_states):
    """Ten pairs, each with a delay of its own of up to 200 frames, in two segments; three states."""
    rng, pairs = np.random.default_rng(1), two_states(20, 1200, 10, seed=1)
    late = np.stack([pairs[200 - d : 1200 - d, k] for k, d in enumerate(rng.integers(1, 200, 10))], axis=1)
    run = np.concatenate([pairs[200:], late], axis=1)
    assert ga.target_following(run, 5)
    assert ga.target_following(np.split(run, [500]), 5)
    third = np.repeat(run[..., :1], 3, axis=2) * [0.5, 0.5, 0] + np.array([0, 0, 1]) * run[..., 1:]
    assert ga.target_following(third, 5)


def test_independent_targets_do_not_follow(two_states):
    """2 % of false alarms at most: two or fewer of 60 with a probability of 0.88, five of 60 with 0.998."""
    alarms = [
        ga.target_following(two_states(20, n_frames, n_targets, seed=seed), 5)
        for seed in range(20)
        for n_frames, n_targets in ((1000, 20), (300, 40), (2000, 2))
    ]
    assert sum(alarms) <= 4
    assert not ga.target_following(two_states(20, 1000, 1), 5)
    assert not ga.target_following(np.tile(np.eye(2)[[0, 1]], (50, 1, 1)), 1)  # nothing happened
    assert not ga.target_following(two_states(20, 20, 5), 5)  # too short to tell


def test_they_are_not_called_independent(two_states):
    run = two_states(50, 400 + 19 * 25, 1, seed=3)
    basis = ga.independent_blocks(behind(run, 25, 400, 20), 5).basis
    assert basis.kind is None
    assert basis.reason == "targets follow"
    assert str(basis).endswith("of the 30 needed, and targets do what others did before")
    few = ga.independent_blocks(behind(two_states(30, 960, 1, seed=1), 80, 800, 3), 3).basis
    assert few.reason == "targets follow"


def test_series_that_follow():
    """White noise, and steps of particles that drag one another along."""
    noise = np.random.default_rng(0).normal(size=(500, 12))
    assert not follow_one_another([noise[:, :5], noise[:, 5:]], 4)
    late = np.roll(noise[:, :6], 30, axis=0) + noise[:, 6:]
    assert follow_one_another([noise[:, :6], late], 4)


def in_a_world(world_stays, keeps, populations, n_frames, n_targets, seed):
    """Crisp two-state chi; a world of two kinds, which all share, says how likely a target stays and where it goes."""
    rng, world = np.random.default_rng(seed), 0
    state = rng.random(n_targets) < populations[0]
    path = np.empty((n_frames, n_targets), int)
    for t in range(n_frames):
        path[t] = state
        drawn = rng.random(n_targets) < populations[world]
        state = np.where(rng.random(n_targets) < keeps[world], state, drawn)
        if rng.random() > world_stays[world]:
            world = 1 - world
    return np.eye(2)[path]


BURSTS = {"world_stays": (1 - 1 / 300, 1 - 1 / 60), "keeps": np.exp([-1 / 600, -1 / 15]), "populations": (0.5, 0.5)}
FIELD = {"world_stays": (1 - 1 / 600,) * 2, "keeps": np.exp([-1 / 20, -1 / 20]), "populations": (0.4, 0.6)}


def test_what_all_targets_feel(two_states):
    """Bursts that decay in 50 frames and a field that does in 300, between targets that do not move together."""
    bursts = [ga.shared_time(in_a_world(**BURSTS, n_frames=3000, n_targets=50, seed=k), 10) for k in range(5)]
    assert all(10 < time < 100 for time in bursts)
    field = [ga.shared_time(in_a_world(**FIELD, n_frames=3000, n_targets=50, seed=k), 10) for k in range(5)]
    assert np.median(field) == pytest.approx(300, rel=0.6)
    # One false alarm in twenty is expected of the test: 4 or fewer of 40 with a probability of 0.95.
    assert sum(ga.shared_time(two_states(30, 400, 40, seed=k), 5) > 0 for k in range(40)) <= 4
    assert ga.shared_time(two_states(30, 400, 1), 5) == ga.shared_time(two_states(30, 60, 40), 5) == 0


def test_what_lasts_too_long_leaves_no_interval():
    chi = in_a_world(**FIELD, n_frames=1500, n_targets=50, seed=3)
    found = ga.estimated_populations(chi, 10)
    assert found.basis.reason == "shared"
    assert np.isnan(found.lower).all()
    assert "all targets feel something that lasts about" in str(found.basis)
