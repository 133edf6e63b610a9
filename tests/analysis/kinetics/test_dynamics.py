"""Timescales, Chapman-Kolmogorov test, intervals, trust: chains whose answers are known."""

import numpy as np
import pytest
from scipy.stats import t as student

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
    assert result.interval == "5 time chunks"
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
    assert verdict.startswith("Not Markovian: the Chapman-Kolmogorov test fails up to 20 frames, first for")


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
    assert (ck.estimated_interval[0] <= ck.estimated + 1e-9).mean() > 0.9


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


def test_without_intervals_nothing_is_decided(markov):
    ck = ga.chapman_kolmogorov_test(markov[:30, :1], 1, 20)
    assert ck.passed is None
    assert "too few to divide" in ck.interval
    timescales = ga.implied_timescales(markov[:30, :1], [1, 20])
    assert np.isnan(timescales.lower).all()
    assert ga.flat_within_interval(timescales, 1, 20) is None
    verdict, caveats = ga.assess([markov[:30, :1]], timescales, ck, 1.0, 1)
    assert verdict.startswith("Undecided")
    assert any("There are no confidence intervals" in c for c in caveats)


def test_interval_is_students():
    values = np.array([[1.0, 2], [3, 2], [2, 2], [6, 2]])
    lower, upper = ga.confidence_interval(values)
    half = student.ppf(0.975, 3) * values[:, 0].std(ddof=1) / 2
    np.testing.assert_allclose([lower, upper], [[3 - half, 2], [3 + half, 2]], atol=1e-9)
    lower, upper = ga.confidence_interval([[1.0, np.nan], [3.0, np.nan], [np.nan, 4.0]])
    assert lower[0] < 2 < upper[0]
    assert np.isnan([lower[1], upper[1]]).all()  # a single value has no spread
    with pytest.raises(ValueError, match="no sample to take an interval of"):
        ga.confidence_interval([])


def test_interval_covers_the_truth():
    """In about 95 % of repetitions: 200 of them, binomial spread 1.5 %."""
    rng = np.random.default_rng(4)
    lower, upper = ga.confidence_interval(rng.normal(3.0, 1.0, (5, 200)))
    assert 0.90 < ((lower < 3) & (upper > 3)).mean() <= 0.995


def test_chunks_cover_all_frames_once():
    chi = [np.arange(n * 4).reshape(n, 2, 2).astype(float) for n in (10, 7)]
    parts = ga.split_chunks(chi, 4)
    assert [sum(map(len, part)) for part in parts] == [4, 4, 5, 4]
    np.testing.assert_array_equal(np.concatenate([p for part in parts for p in part]), np.concatenate(chi))
    assert all(np.shares_memory(p, chi[0]) or np.shares_memory(p, chi[1]) for part in parts for p in part)


def test_target_groups_hold_each_target_once():
    chi = [np.tile(np.arange(10.0)[None, :, None], (3, 1, 2))]
    parts = ga.split_targets(chi, 3)
    found = np.concatenate([part[0][0, :, 0] for part in parts])
    np.testing.assert_array_equal(np.sort(found), np.arange(10))


@pytest.mark.parametrize(
    ("lengths", "n_targets", "by", "found"),
    [
        ([100, 100, 100], 1, "auto", "trajectories"),
        ([500], 1, "auto", "chunks"),
        ([500], 50, "auto", "chunks"),
        ([50], 20, "auto", "targets"),
        ([50], 9, "auto", None),
        ([500], 20, "targets", "targets"),
        ([500], 3, "targets", None),
        ([100, 100], 1, "trajectories", "trajectories"),
        ([500], 1, "trajectories", None),
        ([30], 1, "chunks", None),
    ],
)
def test_choice_of_samples(lengths, n_targets, by, found):
    samples = ga.independent_samples([np.ones((n, n_targets, 2)) for n in lengths], 20, by)
    assert samples.by == found
    assert bool(samples.reason) == (found is None)
    assert samples.description


def test_unknown_way_of_dividing():
    with pytest.raises(ValueError, match="by must be auto, trajectories, chunks or targets, got 'frames'"):
        ga.independent_samples(np.ones((5, 1, 2)), 1, "frames")


def test_default_lags():
    lags = ga.default_lags(20, 60_000)
    assert lags[0] == 2
    assert lags[-1] == 200
    assert 20 in lags
    assert (np.diff(lags) > 0).all()
    assert ga.default_lags(10, 95).max() == 23
    assert ga.default_lags(10, 12).max() == 10


def test_short_data_are_called_short():
    """A relaxation of 50 frames in segments of 30, and one of 15 in segments of 40."""
    for leave, n_frames, words in (
        (0.01, 30, "extrapolation"),
        (0.033, 40, "more than a third of the longest"),
    ):
        K = np.array([[1 - leave, leave], [leave, 1 - leave]])
        chi = chain(K, n_frames, 400, seed=5)
        result = ga.implied_timescales(chi, [2], by="targets")
        _, caveats = ga.assess(chi, result, None, 1.0, 2)
        assert any(words in c for c in caveats)
        assert any("do not see how another stretch of time" in c for c in caveats)
    rare = chain(np.array([[0.99, 0.01], [0.01, 0.99]]), 300, 2, seed=6)
    verdict, caveats = ga.assess(rare, ga.implied_timescales(rare, [2]), None, 1.0, 2)
    assert verdict.startswith("Not tested")
    assert any("too few for a reliable rate" in c for c in caveats)


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
