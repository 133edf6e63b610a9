"""Implied timescales: chains whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest

from gdynet_tf import analysis as ga

K2 = np.array([[0.95, 0.05], [0.15, 0.85]])  # eigenvalue 0.8, timescale -1/ln 0.8 = 4.48
TIMESCALE = -1 / np.log(0.8)


@pytest.fixture(scope="module")
def markov(chain):
    return chain(K2, 5000, 4, seed=0)


def test_timescale_of_an_eigenvalue():
    assert ga.timescale(0.5, 2.0) == (pytest.approx(2 / np.log(2)), "real")
    assert ga.timescale(0.5j, 2.0) == (pytest.approx(2 / np.log(2)), "complex")
    assert np.isnan(ga.timescale(-0.5, 2.0)[0])
    assert ga.timescale(-0.5, 2.0)[1] == "negative"
    assert ga.timescale(0.0, 2.0)[1] == "negative"
    assert ga.timescale(1.0 + 0j, 2.0) == (np.inf, "unresolved")
    assert ga.timescale(1.1j, 2.0) == (np.inf, "unresolved")
    assert ga.timescale(-1.1, 2.0)[1] == "negative"
    assert np.isnan(ga.timescale(-1.0 + 0j, 2.0)[0])


def test_timescales_of_a_markov_chain(markov):
    """Constant in the lag, and inside the interval; 20,000 steps give them to about 3 %."""
    result = ga.implied_timescales(markov, [1, 2, 4], frame_interval=0.5, time_unit="ps")
    np.testing.assert_allclose(result.timescales[0], 0.5 * TIMESCALE, rtol=0.06)
    assert (result.lower[0] < 0.5 * TIMESCALE).all()
    assert (result.upper[0] > 0.5 * TIMESCALE).all()
    assert result.basis.kind == "time blocks"
    np.testing.assert_allclose(result.lag_times, [0.5, 1, 2])


def test_chi_carries_the_units(markov):
    chi = ga.Chi([markov], tau=2, frame_interval=0.5, time_unit="ps")
    result = ga.implied_timescales(chi, [2])
    assert result.time_unit == "ps"
    np.testing.assert_allclose(result.timescales[0], 0.5 * TIMESCALE, rtol=0.06)


def test_table(markov):
    result = ga.implied_timescales(markov, [1, 2, 4], frame_interval=0.5, time_unit="ps")
    table = result.to_dataframe()
    assert list(table) == ["lag_time_ps", "timescale_1_ps", "lower_1", "upper_1", "status_1"]
    np.testing.assert_array_equal(table["timescale_1_ps"], result.timescales[0])


def test_oscillation_alternation_and_drift(chain):
    cycle = chain(0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3, 3000, 3, seed=2)
    result = ga.implied_timescales(cycle, [1])
    assert set(result.status.ravel()) == {"complex"}
    np.testing.assert_allclose(result.timescales[:, 0], -1 / np.log(0.9), rtol=0.1)
    alternating = np.eye(2)[np.arange(100) % 2][:, None]
    result = ga.implied_timescales(alternating, [1, 2])
    # Eigenvalue -1 at lag 1: no relaxation has it. At lag 2 every frame is where it was: eigenvalue 1.
    assert result.status.tolist() == [["negative", "unresolved"]]
    often = chain(np.array([[0.2, 0.8], [0.8, 0.2]]), 2000, 2, seed=3)
    result = ga.implied_timescales(often, [1])
    assert result.status[0, 0] == "negative"
    assert np.isnan(result.timescales[0, 0])
    drift = np.geomspace(0.2, 0.8, 200)  # an eigenvalue above one
    chi = np.stack([drift, 1 - drift], axis=-1)[:, None]
    assert ga.implied_timescales(chi, [10]).status[0, 0] == "unresolved"


def test_processes_are_followed_over_the_lag(chain):
    """Two processes whose timescales are alike keep their rows although sampling swaps their order."""
    slow = chain(np.array([[0.98, 0.02], [0.02, 0.98]]), 20_000, 2, seed=1)  # 24.5 frames
    other = chain(np.array([[0.979, 0.021], [0.021, 0.979]]), 20_000, 2, seed=2)  # 23.3 frames
    both = np.einsum("fti,ftj->ftij", slow, other).reshape(20_000, 2, 4)
    result = ga.implied_timescales(both, [1, 3, 9, 27])
    for lag in range(4):
        right = ga.eigenvectors(ga.koopman_matrix(both, int(result.lags[lag]))).right
        assert right.shape == (4, 4)
    assert (np.abs(np.diff(np.log(result.timescales[:2]), axis=1)) < 0.15).all()


def test_default_lags():
    lags = ga.default_lags(20, 60_000)
    assert lags[0] == 2
    assert lags[-1] == 200
    assert 20 in lags
    assert (np.diff(lags) > 0).all()
    assert ga.default_lags(10, 95).max() == 23
    assert ga.default_lags(10, 12).max() == 10


def test_degenerate_processes_share_an_interval(chain):
    """Three relaxations of 20 frames: sorted estimates repel each other, the intervals of all hold the truth."""
    K = np.exp(-1 / 20) * np.eye(4) + (1 - np.exp(-1 / 20)) / 4
    result = ga.implied_timescales(chain(K, 4000, 4, seed=4), [2, 5])
    assert (np.diff(result.timescales, axis=0) <= 1e-9).all()
    assert (result.lower < 20).all()
    assert (result.upper > 20).all()


def test_processes_are_followed_over_lags(chain):
    """A fast process that looks slow at a long lag, by noise, does not change places with the slow one."""
    K = np.kron(np.array([[0.99, 0.01], [0.01, 0.99]]), np.array([[0.7, 0.3], [0.3, 0.7]]))
    result = ga.implied_timescales(chain(K, 5000, 2, seed=5), [1, 2, 4, 8, 16])
    np.testing.assert_allclose(result.timescales[0], -1 / np.log(0.98), rtol=0.3)


def test_an_estimate_lies_inside_its_interval(markov):
    result = ga.implied_timescales(markov, [1, 2, 4])
    modulus = np.abs(result.eigenvalues)
    assert ((result.eigenvalue_bounds[0] < modulus) & (modulus < result.eigenvalue_bounds[1])).all()
    assert ((result.lower < result.timescales) & (result.timescales < result.upper)).all()


def test_the_interval_of_an_oscillation_is_that_of_its_modulus(chain):
    """The real part of 0.9 exp(2 pi i / 3) is negative; its modulus has an interval all the same, one for both."""
    cycle = chain(0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3, 3000, 3, seed=2)
    result = ga.implied_timescales(cycle, [1])
    bounds = result.eigenvalue_bounds[:, :, 0]
    assert ((bounds[0] < 0.9) & (bounds[1] > 0.9)).all()
    assert (bounds[0] > 0.8).all()
    np.testing.assert_allclose(bounds[:, 0], bounds[:, 1])


def test_processes_that_differ_have_intervals_of_their_own(chain):
    K = np.kron(np.array([[0.98, 0.02], [0.02, 0.98]]), np.array([[0.75, 0.25], [0.25, 0.75]]))  # 0.96, 0.5, 0.48
    bounds = ga.implied_timescales(chain(K, 5000, 4, seed=6), [1]).eigenvalue_bounds[:, :, 0]
    assert bounds[0, 0] > 0.9
    assert bounds[1, 1] < 0.6


def test_two_equal_processes_share_an_interval(chain):
    """Sorted, one is too high and one too low: the interval of each holds that of their mean, from the trace."""
    K = np.exp(-1 / 20) * np.eye(3) + (1 - np.exp(-1 / 20)) / 3
    for seed in (4, 5, 6):
        chi = chain(K, 4000, 4, seed=seed)
        bounds = ga.implied_timescales(chi, [2]).eigenvalue_bounds[:, :, 0]
        mean = ga.with_interval(lambda c: (np.trace(ga.koopman_matrix(c, 2)) - 1) / 2, chi, 2, within=(0, 1))
        # Pairs that cross the border of a block are shared there, and left out here.
        assert (bounds[0] < mean.lower + 5e-4).all()
        assert (bounds[1] > mean.upper - 5e-4).all()
        assert ((bounds[0] < np.exp(-2 / 20)) & (bounds[1] > np.exp(-2 / 20))).all()


def test_flat_within_interval(markov):
    """By hand: intervals 1-3 and 2-4 have 2.5 in common, 5-6 has nothing in common with them."""
    result = replace(
        ga.implied_timescales(markov, [1, 2, 4], frame_interval=0.5, time_unit="ps"),
        lower=np.array([[1.0, 2, 5], [1.0, np.nan, 1]]),
        upper=np.array([[3.0, 4, 6], [2.0, np.nan, 2]]),
    )
    assert ga.flat_within_interval(result, 0.5, 1) is True
    assert ga.flat_within_interval(result, 0.5, 2) is False
    assert ga.flat_within_interval(result, 1, 2) is False
    assert ga.flat_within_interval(result, 2, 2) is True
    assert ga.flat_within_interval(result, 0.5, 2, process=1) is None  # one is missing
    assert ga.flat_within_interval(result, 0.6, 0.9) is None  # no lag is there
    assert ga.flat_within_interval(replace(result, lower=result.lower - 1, upper=result.lower[:, [1, 0, 0]]), 0.5, 1)
