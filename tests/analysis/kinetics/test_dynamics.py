"""Timescales, Chapman-Kolmogorov test, intervals, trust: chains whose answers are known."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga

K2 = np.array([[0.95, 0.05], [0.15, 0.85]])  # eigenvalue 0.8, timescale -1/ln 0.8 = 4.48
TIMESCALE = -1 / np.log(0.8)


def chain(K, n_frames, n_targets, seed):
    """chi (F, n_targets, n) of independent Markov chains."""
    rng = np.random.default_rng(seed)
    n, cumulative = len(K), np.cumsum(K, axis=1)
    state, path = rng.integers(0, n, n_targets), np.empty((n_frames, n_targets), int)
    for t in range(n_frames):
        path[t] = state
        state = np.minimum((rng.random((n_targets, 1)) > cumulative[state]).sum(axis=1), n - 1)
    return np.eye(n, dtype=np.float32)[path]


@pytest.fixture(scope="module")
def markov():
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
    assert result.interval == "40 blocks of 125 frames"
    modulus = np.abs(result.eigenvalues)
    assert ((result.eigenvalue_bounds[0] < modulus) & (modulus < result.eigenvalue_bounds[1])).all()
    np.testing.assert_allclose(result.lag_times, [0.5, 1, 2])
    assert ga.flat_within_interval(result, 0.5, 2.0) is True


def test_numbers_of_a_figure_are_those_of_the_result(markov):
    result = ga.implied_timescales(markov, [1, 2, 4], frame_interval=0.5, time_unit="ps")
    columns = result.columns
    assert list(columns) == ["lag_time_ps", "timescale_1_ps", "lower_1", "upper_1", "status_1"]
    np.testing.assert_array_equal(columns["timescale_1_ps"], result.timescales[0])
    ck = ga.chapman_kolmogorov_test(markov, 2, 3)
    keys = zip(*(ck.columns[name] for name in ("time_frames", "from", "to")), strict=True)
    rows = {key: row for row, key in enumerate(keys)}
    assert len(rows) == 4 * 2 * 2
    for step in range(4):
        at = rows[2 * step, 0, 1]
        assert ck.columns["predicted"][at] == ck.predicted[step, 0, 1]
        assert ck.columns["estimated_upper"][at] == ck.estimated_interval[1, step, 0, 1]


def test_hidden_memory_is_not_flat():
    """Two states of which one has two sites: the timescale of the lumped chain grows with the lag."""
    K = np.array([[0.90, 0.10, 0.0], [0.10, 0.89, 0.01], [0.0, 0.01, 0.99]])
    chi = chain(K, 20_000, 8, seed=1)
    lumped = np.stack([chi[..., 0] + chi[..., 2], chi[..., 1]], axis=-1)
    result = ga.implied_timescales(lumped, [1, 4, 16, 64])
    assert (np.diff(result.timescales[0]) > 0).all()
    assert ga.flat_within_interval(result, 1, 64) is False
    ck = ga.chapman_kolmogorov_test(lumped, 2, 10)
    assert ck.passed is False
    verdict, caveats = ga.assess([lumped], ga.implied_timescales(lumped, [2, 8, 32]), ck, 1.0, 2)
    assert "Relaxation 1 is not constant in the lag time beyond 2 frames." in caveats
    assert verdict == ck.finding.text
    assert verdict.startswith("Not Markovian: the Chapman-Kolmogorov test fails up to 20 frames, by more than chance")
    assert "The slowest timescale grows by a factor of 1.9 until then." in verdict
    assert ck.finding.kind == "refuted"
    assert ck.finding.numbers["p_value"] < 1e-6
    assert ck.growth > 1.5


def test_oscillation_alternation_and_drift():
    cycle = chain(0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3, 3000, 3, seed=2)
    result = ga.implied_timescales(cycle, [1])
    assert set(result.status.ravel()) == {"complex"}
    np.testing.assert_allclose(result.timescales[:, 0], -1 / np.log(0.9), rtol=0.1)
    alternating = np.eye(2)[np.arange(100) % 2][:, None]
    result = ga.implied_timescales(alternating, [1, 2])
    # Eigenvalue -1 at lag 1: no relaxation has it. At lag 2 every frame is where it was: eigenvalue 1.
    assert result.status.tolist() == [["negative", "unresolved"]]
    _, caveats = ga.assess(alternating, result, None, 1.0, 1)
    assert any("alternates with it: its eigenvalue is not positive" in c for c in caveats)
    often = chain(np.array([[0.2, 0.8], [0.8, 0.2]]), 2000, 2, seed=3)
    result = ga.implied_timescales(often, [1])
    assert result.status[0, 0] == "negative"
    assert np.isnan(result.timescales[0, 0])
    drift = np.geomspace(0.2, 0.8, 200)  # an eigenvalue above one
    chi = np.stack([drift, 1 - drift], axis=-1)[:, None]
    assert ga.implied_timescales(chi, [10]).status[0, 0] == "unresolved"


def test_chapman_kolmogorov_of_a_markov_chain(markov):
    ck = ga.chapman_kolmogorov_test(markov, 2, 4, frame_interval=0.5, time_unit="ps")
    np.testing.assert_array_equal(ck.predicted[0], np.eye(2))
    np.testing.assert_array_equal(ck.estimated[0], np.eye(2))
    K = ga.koopman_matrix(markov, 2)
    np.testing.assert_allclose(ck.predicted[3], K @ K @ K, atol=1e-12)
    np.testing.assert_allclose(ck.estimated[3], ga.koopman_matrix(markov, 6), atol=1e-12)
    np.testing.assert_allclose(ck.lag_times, [0, 1, 2, 3, 4])
    assert ck.passed is True
    assert ck.max_deviation < 0.05
    assert (ck.estimated_interval[0] <= ck.estimated).all()
    assert (ck.estimated_interval[1] >= ck.estimated).all()
    np.testing.assert_array_equal(ck.estimated_interval[:, 0], [np.eye(2)] * 2)  # the identity has no error
    # The difference is known better than either side.
    width, narrow = np.diff(ck.estimated_interval, axis=0)[0], ck.difference.upper - ck.difference.lower
    assert (narrow[2:] < width[2:]).all()
    assert ck.finding.kind == "not refuted"
    assert f"not refuted; a deviation of {ck.noticeable:.2g} would have been noticed" in ck.finding.text
    assert 0.005 < ck.noticeable < 0.1


def test_chapman_kolmogorov_needs_long_segments(markov):
    with pytest.raises(ValueError, match="a lag time of 40 frames needs longer segments; the longest has 30 frames"):
        ga.chapman_kolmogorov_test(markov[:30], 10, 4)
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        ga.chapman_kolmogorov_test(markov, 10, 0)


def test_a_single_step_tests_nothing(markov):
    """K(tau)^1 is K(tau): agreement by construction is no verdict."""
    ck = ga.chapman_kolmogorov_test(markov, 2, 1)
    assert ck.inside.all()
    assert ck.passed is None
    verdict, _ = ga.assess(markov, ga.implied_timescales(markov, [2]), ck, 1.0, 2)
    assert verdict.startswith("Not tested: a Chapman-Kolmogorov test of a single step")


def test_without_intervals_nothing_is_decided():
    chi = chain(K2, 60, 1, seed=0)
    ck = ga.chapman_kolmogorov_test(chi, 1, 10)
    assert ck.passed is None
    assert ck.finding.kind == "untested"
    assert "relaxation times of the 30 needed" in ck.finding.text
    assert np.isnan([ck.p_value, ck.noticeable]).all()
    timescales = ga.implied_timescales(chi, [1, 10])
    assert np.isnan(timescales.lower).all()
    assert ga.flat_within_interval(timescales, 1, 10) is None
    verdict, caveats = ga.assess([chi], timescales, ck, 1.0, 1)
    assert verdict.startswith("Not tested: no interval")
    assert any("No interval: the data hold" in c for c in caveats)


def test_no_dynamics_is_no_model():
    """33 targets that never change state, their chi drifting: a relaxation can be computed, and means nothing."""
    rng = np.random.default_rng(0)
    level = np.where(np.arange(33) % 3 == 0, 0.8, 0.2) + np.cumsum(rng.normal(0, 2e-3, (101, 33)), axis=0)
    chi = np.stack([level, 1 - level], axis=-1)
    ck = ga.chapman_kolmogorov_test(chi, 5, 4)
    assert ck.passed is None
    assert ck.n_transitions == 0
    assert ck.finding.kind == "no dynamics"
    assert ck.finding.severity == "bad"
    assert ck.finding.text.startswith("No dynamics was seen")
    times = ga.implied_timescales(chi, [5])
    assert times.basis.reason == "no dynamics"
    assert np.isnan(times.upper).all()


def test_a_test_without_power_says_so():
    """Three states, 1,200 frames: a deviation below 0.15 would go unseen, which is a warning."""
    chi = chain(np.array([[0.97, 0.02, 0.01], [0.03, 0.95, 0.02], [0.02, 0.04, 0.94]]), 1200, 1, seed=3)
    ck = ga.chapman_kolmogorov_test(chi, 5, 4)
    assert ck.finding.kind == "not refuted"
    assert ck.noticeable > 0.15
    assert ck.finding.severity == "warning"
    assert "only a deviation of" in ck.finding.text


def test_degenerate_processes_share_an_interval():
    """Three relaxations of 20 frames: sorted estimates repel each other, the intervals of all hold the truth."""
    K = np.exp(-1 / 20) * np.eye(4) + (1 - np.exp(-1 / 20)) / 4
    result = ga.implied_timescales(chain(K, 4000, 4, seed=4), [2, 5])
    assert (np.diff(result.timescales, axis=0) <= 1e-9).all()
    assert (result.lower < 20).all()
    assert (result.upper > 20).all()


def test_processes_are_followed_over_lags():
    """A fast process that looks slow at a long lag, by noise, does not change places with the slow one."""
    K = np.kron(np.array([[0.99, 0.01], [0.01, 0.99]]), np.array([[0.7, 0.3], [0.3, 0.7]]))
    result = ga.implied_timescales(chain(K, 5000, 2, seed=5), [1, 2, 4, 8, 16])
    np.testing.assert_allclose(result.timescales[0], -1 / np.log(0.98), rtol=0.3)


def test_default_lags():
    lags = ga.default_lags(20, 60_000)
    assert lags[0] == 2
    assert lags[-1] == 200
    assert 20 in lags
    assert (np.diff(lags) > 0).all()
    assert ga.default_lags(10, 95).max() == 23
    assert ga.default_lags(10, 12).max() == 10


def test_short_data_are_called_short():
    """A relaxation of 125 frames in segments of 80, and one of 30 in segments of 80."""
    for leave, n_frames, words in (
        (0.004, 80, "extrapolation"),
        (0.0165, 80, "more than a third of the longest"),
    ):
        K = np.array([[1 - leave, leave], [leave, 1 - leave]])
        chi = chain(K, n_frames, 400, seed=6)
        result = ga.implied_timescales(chi, [2])
        _, caveats = ga.assess(chi, result, None, 1.0, 2)
        assert any(words in c for c in caveats)
        assert any("do not see how another stretch of time" in c for c in caveats)
    rare = chain(np.array([[0.99, 0.01], [0.01, 0.99]]), 300, 2, seed=6)
    verdict, caveats = ga.assess(rare, ga.implied_timescales(rare, [2]), None, 1.0, 2)
    assert verdict.startswith("Not tested")
    assert any("changes of state lasted for the lag time: too few for reliable rates" in c for c in caveats)


def test_caveats_of_strange_eigenvalues():
    drift = np.geomspace(0.2, 0.8, 200)  # an eigenvalue above one
    chi = np.stack([drift, 1 - drift], axis=-1)[:, None]
    assert any(
        "does not decay within the data" in c
        for c in ga.assess(chi, ga.implied_timescales(chi, [10]), None, 1.0, 10)[1]
    )
    often = chain(np.array([[0.2, 0.8], [0.8, 0.2]]), 2000, 2, seed=3)
    assert any(
        "its eigenvalue is not positive" in c
        for c in ga.assess(often, ga.implied_timescales(often, [1]), None, 1.0, 1)[1]
    )
    cycle = chain(0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3, 3000, 3, seed=2)
    assert any("oscillates" in c for c in ga.assess(cycle, ga.implied_timescales(cycle, [1]), None, 1.0, 1)[1])


def test_nothing_slow_is_no_markov_model():
    chi = chain(np.array([[0.6, 0.4], [0.5, 0.5]]), 2000, 4, seed=7)
    ck = ga.chapman_kolmogorov_test(chi, 5, 3)
    verdict, _ = ga.assess(chi, ga.implied_timescales(chi, [5]), ck, 1.0, 5)
    assert verdict.startswith("Nothing slow was found")
