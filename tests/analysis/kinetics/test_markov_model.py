"""The reversible Markov model of crisp states."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga


def test_a_chain_in_equilibrium(two_states):
    """A relaxation of 20 frames, populations 0.3 and 0.7; 600 relaxation times."""
    chi = ga.Chi(two_states(20, 4000, 3, p=0.7), 4, frame_interval=0.5, time_unit="ps")
    model = ga.reversible_markov_model(chi)
    assert model.states.tolist() == [0, 1]
    assert model.timescales.lower[0] < 10 < model.timescales.upper[0]
    assert model.time_unit == "ps"
    pi = model.stationary_distribution
    assert (pi.lower < [0.3, 0.7]).all()
    assert (pi.upper > [0.3, 0.7]).all()
    np.testing.assert_allclose(pi.value @ model.transition_matrix, pi.value, atol=1e-8)
    flux = pi.value[:, None] * model.transition_matrix
    np.testing.assert_allclose(flux, flux.T, atol=1e-8)
    assert str(pi.basis) == "the posterior of the model"
    # Copies of one target hold no more than it does.
    same = ga.reversible_markov_model(np.repeat(two_states(20, 4000, 1), 9, axis=1), 4)
    one = ga.reversible_markov_model(two_states(20, 4000, 1), 4)
    width = [m.timescales.upper[0] - m.timescales.lower[0] for m in (same, one)]
    assert width[0] == pytest.approx(width[1], rel=0.3)


def test_the_same_call_gives_the_same_intervals(chain):
    """Three states, against deeptime's own sampling, whose quantiles move by a few percent of the width."""
    from deeptime.markov import TransitionCountEstimator
    from deeptime.markov.msm import BayesianMSM

    chi = chain(np.array([[0.97, 0.02, 0.01], [0.03, 0.95, 0.02], [0.02, 0.03, 0.95]]), 3000, 2, seed=2)
    first, second = ga.reversible_markov_model(chi, 4), ga.reversible_markov_model(chi, 4)
    for name in ("timescales", "stationary_distribution"):
        for bound in ("value", "lower", "upper"):
            np.testing.assert_array_equal(getattr(getattr(first, name), bound), getattr(getattr(second, name), bound))
    paths = list(chi.argmax(axis=2).T)
    counts = TransitionCountEstimator(4, "sliding-effective").fit_fetch(paths)
    theirs = BayesianMSM(n_samples=500, reversible=True).fit_fetch(counts)
    pi = np.array([model.stationary_distribution for model in theirs.samples])
    width = first.stationary_distribution.upper - first.stationary_distribution.lower
    np.testing.assert_allclose(first.stationary_distribution.value, theirs.prior.stationary_distribution, atol=1e-6)
    assert (np.abs(np.percentile(pi, 97.5, axis=0) - first.stationary_distribution.upper) < 0.2 * width).all()


def test_targets_that_follow_have_no_posterior(two_states):
    run = two_states(20, 1060, 6, seed=5)
    model = ga.reversible_markov_model(np.concatenate([run[60:], run[:1000]], axis=1), 4)
    assert np.isnan(model.timescales.lower).all()
    assert str(model.timescales.basis) == "no interval: targets do what others did before"


def test_states_that_nothing_connects_are_left_out(two_states):
    chi = np.concatenate([two_states(5, 500, 2), np.zeros((500, 2, 1))], axis=2)
    assert ga.reversible_markov_model(chi, 2).states.tolist() == [0, 1]
    stuck = np.tile(np.eye(2)[[0, 1]], (50, 1, 1))
    with pytest.raises(ValueError, match="no two states are connected by transitions both ways"):
        ga.reversible_markov_model(stuck, 2)


def test_fuzzy_states_are_refused(two_states):
    with pytest.raises(ValueError, match="states are not crisp: 0 % of the frames"):
        ga.reversible_markov_model(0.5 * two_states(5, 500, 2) + 0.25, 2)
