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


@pytest.fixture(scope="module")
def rounds(chain):
    """Three states, more often one way round than the other, in ps."""
    K = np.array([[0.94, 0.05, 0.01], [0.01, 0.94, 0.05], [0.05, 0.01, 0.94]])
    return ga.Chi([chain(K, 4000, 3, seed=3)], tau=2, frame_interval=0.5, time_unit="ps")


def test_estimated_matrix_is_that_of_all_data(rounds):
    found, K = ga.estimated_koopman_matrix(rounds), ga.koopman_matrix(rounds, 2)
    np.testing.assert_allclose(found.value, K)
    assert ((found.lower > 0) & (found.lower < K) & (found.upper > K) & (found.upper < 1)).all()
    # Without blocks there are values and no bounds.
    short = ga.Chi([rounds[0][:50, :1]], tau=2)
    found = ga.estimated_koopman_matrix(short)
    np.testing.assert_allclose(found.value, ga.koopman_matrix(short, 2))
    assert np.isnan([found.lower, found.upper]).all()


@pytest.mark.parametrize("estimator", ["plain", "reversible", "constrained"])
def test_estimated_timescales_are_those_of_the_matrix(rounds, estimator):
    found = ga.estimated_timescales(rounds, estimator=estimator)
    values = ga.eigenvalues(ga.koopman_matrix(rounds, 2, estimator))[1:]
    np.testing.assert_allclose(found.value, [ga.timescale(complex(v), 2 * 0.5)[0] for v in values])
    assert ((found.lower > 0) & (found.lower < found.value) & (found.value < found.upper)).all()
    # Times are on a logarithmic scale: the interval reaches as many times above as below.
    np.testing.assert_allclose(found.upper * found.lower, found.value**2, rtol=0.01)
    # Back and forth alike, the matrix has no oscillation.
    assert np.iscomplexobj(values) == (estimator != "reversible")
    assert ga.estimated_timescales(rounds, estimator=estimator, frame_interval=2.0).value == pytest.approx(
        4 * found.value
    )


def test_what_alternates_has_no_timescale():
    found = ga.estimated_timescales(np.eye(2)[np.arange(100) % 2][:, None], 1)
    assert np.isnan(found.value).all()


def test_table_of_a_model(two_states):
    chi = ga.Chi(np.concatenate([two_states(5, 500, 2), np.zeros((500, 2, 1))], axis=2), 2, time_unit="ps")
    model = ga.reversible_markov_model(chi)
    table = model.to_dataframe()
    assert table.index.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.relaxation.dropna().tolist() == [1]
    assert table.state.dropna().tolist() == [0, 1, 0, 1, 2]
    assert table.timescale_ps[0] == model.timescales.value[0]
    np.testing.assert_array_equal(table.stationary_probability[1:3], model.stationary_distribution.value)
    np.testing.assert_array_equal(table.population[3:], model.populations.value)
    np.testing.assert_array_equal(table.timescale_upper_ps[0], model.timescales.upper[0])


def test_the_basis_tells_how_much_targets_have_in_common(two_states):
    same = ga.reversible_markov_model(np.repeat(two_states(20, 4000, 1), 9, axis=1), 4)
    assert same.timescales.basis.design_effect == pytest.approx(9, rel=0.05)
