"""Populations, collapsed states, and the agreement of runs."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga


def persistent(n_frames, weights, seed, stay=0.95):
    """One target that keeps its state with probability ``stay`` and else draws one by weight."""
    rng = np.random.default_rng(seed)
    states = np.zeros(n_frames, int)
    for t in range(1, n_frames):
        states[t] = states[t - 1] if rng.random() < stay else rng.choice(len(weights), p=weights)
    return states


@pytest.fixture(scope="module")
def states():
    return persistent(8000, [0.5, 0.3, 0.2], seed=0)


def test_populations_and_crispness():
    chi = np.array([[[0.95, 0.05], [0.4, 0.6]], [[0.85, 0.15], [0.0, 1.0]]])
    np.testing.assert_allclose(ga.populations(chi), [0.55, 0.45])
    np.testing.assert_allclose(ga.likeliest_populations(chi), [0.5, 0.5])
    assert ga.crispness(chi) == 0.5
    assert ga.crispness([chi[:1], chi[1:]], 0.8) == 0.75


def test_departure_from_equilibrium(chain):
    """Populations less stationary distribution; of targets that start in state 0 and relax in 50 frames to 0.5 each."""
    K = np.array([[0.99, 0.01], [0.01, 0.99]])
    chi = chain(K, 150, 100, seed=0, start=0)
    found = ga.departure_from_equilibrium(chi, 5)
    expected = ga.populations(chi) - ga.stationary_distribution(ga.koopman_matrix(chi, 5))
    np.testing.assert_allclose(found.value, expected, atol=1e-12)
    assert found.basis.kind == "groups of targets"
    assert found.lower[0] > 0
    assert found.upper[1] < 0
    # On average over t < 150: 0.5 exp(-t/50) = 0.5 (50/150) (1 - exp(-3)) = 0.16; K's error is about 0.03.
    assert found.value[0] == pytest.approx(0.16, abs=0.09)


def test_populations_out_of_equilibrium_have_no_interval(chain):
    K = np.array([[0.99, 0.01], [0.01, 0.99]])
    found = ga.estimated_populations(chain(K, 150, 100, seed=0, start=0), 5)
    assert np.isnan([found.lower, found.upper]).all()
    assert (found.basis.kind, found.basis.reason) == (None, "not in equilibrium")
    still = ga.estimated_populations(chain(K, 400, 100, seed=0), 5)
    assert still.basis.kind == "groups of targets"
    assert (still.lower < 0.5).all()
    assert (still.upper > 0.5).all()


def test_what_follows_from_rates_keeps_its_intervals_out_of_equilibrium(chain):
    chi = chain(np.array([[0.99, 0.01], [0.01, 0.99]]), 150, 100, seed=0, start=0)
    assert np.isfinite(ga.estimated_koopman_matrix(chi, 5).lower).all()


def test_without_a_stationary_distribution_nothing_departs():
    """States that never exchange."""
    found = ga.departure_from_equilibrium(np.eye(2)[np.arange(40) % 2][None].repeat(50, axis=0), 5)
    assert np.isnan(found.value).all()


def test_states_that_stand_are_not_reported(states):
    assert ga.collapsed_states(np.eye(3)[states][:, None], 1).messages == []


def test_a_state_that_is_never_the_likeliest(states):
    chi = np.eye(3)[np.minimum(states, 1)][:, None] @ np.array([[0.9, 0.0, 0.1], [0.0, 0.9, 0.1], [0, 0, 1]])
    result = ga.collapsed_states(chi, 1)
    assert result.never_likeliest == [2]
    assert result.messages[0].startswith("State 2 has collapsed: it is the likeliest in 0 % of the frames")


def test_identical_states(states):
    chi = np.eye(2)[np.minimum(states, 1)][:, None]
    chi = np.concatenate([chi[..., :1], chi[..., 1:] * 0.5, chi[..., 1:] * 0.5], axis=-1)
    result = ga.collapsed_states(chi, 1)
    assert result.identical == [(1, 2)]
    assert any(m.startswith("States 1 and 2 have collapsed into one: their chi are the same") for m in result.messages)


def test_states_that_change_alike(states):
    """Who is drawn from states 1 and 2 is thrown anew in every frame: nothing tells them apart but chance."""
    rng = np.random.default_rng(1)
    split = np.where(states > 0, rng.integers(1, 3, len(states)), 0)
    # Rows of K differ by sampling noise alone, 1/sqrt(2000) = 0.02, so the frames are many.
    long = np.tile(split, 20)
    result = ga.collapsed_states(np.eye(3)[rng.permutation(np.tile(split, 2))][:, None], 1)
    assert result.n_slow == 0
    assert any(m.startswith("Nothing slow was found: no relaxation outlasts the lag time") for m in result.messages)
    result = ga.collapsed_states(np.eye(3)[np.where(long > 0, rng.integers(1, 3, len(long)), 0)][:, None], 1)
    assert result.same_dynamics == [(1, 2)]
    assert any("States 1 and 2 are not told apart by their dynamics" in m for m in result.messages)
    assert any(
        "Only 1 of 2 relaxations outlasts the lag time: 2 states describe what is slow" in m for m in result.messages
    )


def test_canonical_correlations():
    rng = np.random.default_rng(2)
    a = rng.dirichlet(np.ones(3), (500, 2))
    mix = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])
    np.testing.assert_allclose(ga.canonical_correlations(a, a @ mix), [1, 1], atol=1e-9)
    # Independent data: of the order of 1/sqrt(1000).
    assert ga.canonical_correlations(a, rng.dirichlet(np.ones(3), (500, 2))).max() < 0.15
    lumped = np.stack([a[..., 0], a[..., 1] + a[..., 2]], axis=-1)
    lumped = np.concatenate([lumped[..., :1], lumped[..., 1:] / 2, lumped[..., 1:] / 2], axis=-1)
    np.testing.assert_allclose(ga.canonical_correlations(a, lumped), [1, 0], atol=1e-9)
    np.testing.assert_array_equal(ga.canonical_correlations(a, np.full_like(a, 1 / 3)), [0, 0])


def test_canonical_correlations_like_scikit_learn():
    from sklearn.cross_decomposition import CCA

    rng = np.random.default_rng(3)
    a = rng.dirichlet(np.ones(3), (400, 1))
    b = 0.6 * a + 0.4 * rng.dirichlet(np.ones(3), (400, 1))
    x, y = CCA(2, tol=1e-12, max_iter=5000).fit_transform(a[:, 0, :2], b[:, 0, :2])
    expected = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(2)]
    np.testing.assert_allclose(ga.canonical_correlations(a, b), expected, atol=1e-5)


def test_state_agreement(states):
    a = np.eye(3)[states][:, None]
    other = states.copy()
    other[:800] = (other[:800] + 1) % 3
    order = np.array([2, 0, 1])  # state i of a is state order[i] of b
    result = ga.state_agreement(a, np.eye(3)[order[other]][:, None])
    np.testing.assert_array_equal(result.permutation, order)
    assert result.overall == pytest.approx(0.9)
    for i in range(3):
        both = ((states == i) & (other == i)).sum()
        assert result.f1[i] == pytest.approx(2 * both / ((states == i).sum() + (other == i).sum()))


def test_agreement_of_restarts(states):
    """State 0 is found by all; one run divides the rest at random."""
    rng = np.random.default_rng(4)
    lost = np.where(states > 0, rng.integers(1, 3, len(states)), 0)
    runs = [np.eye(3)[s][:, None] for s in (states, (states + 1) % 3, lost)]
    result = ga.restart_agreement(runs)
    np.testing.assert_array_equal(result.found_again, [True, False, False])
    assert result.permutation.shape == (2, 3)
    assert result.f1[0] == pytest.approx(1.0)
    last = ga.restart_agreement([runs[1], runs[2], runs[0]], -1)
    np.testing.assert_array_equal(last.f1, result.f1)  # the last run by its negative index: the same reference
    with pytest.raises(ValueError, match="chi of different frames cannot be compared"):
        ga.canonical_correlations(runs[0], runs[0][:5])
    with pytest.raises(ValueError, match="agreement needs at least two runs"):
        ga.restart_agreement(runs[:1])
    with pytest.raises(ValueError, match="chi of different shape cannot be compared"):
        ga.state_agreement(runs[0], runs[0][:5])


def test_from_which_f1_score_on_a_state_is_found_again():
    """Of ten frames of state 0, the other run gives six, seven or eight to it, and none of another state's."""
    states = np.repeat([0, 1], 10)
    for shared, found in ((6, False), (7, True), (8, True)):  # F1 is 12/16, 14/17, 16/18
        other = np.where(np.arange(20) < shared, 0, 1)
        result = ga.restart_agreement([np.eye(2)[s][:, None] for s in (states, other)])
        assert result.f1[0] == pytest.approx(2 * shared / (10 + shared))
        assert result.found_again[0] == found


def test_a_state_that_neither_has():
    chi = np.eye(3)[[0, 1, 0, 1]][:, None]
    np.testing.assert_array_equal(ga.state_agreement(chi, chi).f1, [1, 1, 0])


def test_tables_of_results(chain):
    """Each number of a result stands in its table."""
    chi = ga.Chi([chain(np.array([[0.95, 0.05], [0.1, 0.9]]), 4000, 3, seed=0)], tau=2)
    times = ga.path_times(chi)
    table = times.to_dataframe()
    assert len(table) == 2 + 4
    np.testing.assert_array_equal(table["residence_time_frames"][:2], times.residence.value)
    np.testing.assert_array_equal(times.rates.to_dataframe()["rate"], times.rates.rates.ravel())
    model = ga.reversible_markov_model(chi)
    np.testing.assert_array_equal(model.to_dataframe()["timescale_frames"][:1], model.timescales.value)
    empty = np.concatenate([chi[0], np.zeros_like(chi[0][..., :1])], axis=-1)
    found = ga.collapsed_states(empty, 2)
    assert found.to_dataframe()["kind"].tolist() == [finding.kind for finding in found.findings]
