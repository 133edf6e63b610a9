"""Chapman-Kolmogorov test: chains that are Markovian, that are not, and data that cannot tell."""

import numpy as np
import pytest
from scipy.stats import t as student

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.blocks import Basis, Blocks
from gdynet_tf.analysis.kinetics import chapman_kolmogorov
from gdynet_tf.analysis.uncertainty import jackknife

K2 = np.array([[0.95, 0.05], [0.15, 0.85]])


@pytest.fixture(scope="module")
def markov(chain):
    return chain(K2, 5000, 4, seed=0)


def test_of_a_markov_chain(markov):
    ck = ga.chapman_kolmogorov_test(markov, 2, 4, frame_interval=0.5, time_unit="ps")
    np.testing.assert_array_equal(ck.predicted[0], np.eye(2))
    np.testing.assert_array_equal(ck.estimated[0], np.eye(2))
    K = ga.koopman_matrix(markov, 2)
    np.testing.assert_allclose(ck.predicted[3], K @ K @ K, atol=1e-12)
    np.testing.assert_allclose(ck.estimated[3], ga.koopman_matrix(markov, 6), atol=1e-12)
    np.testing.assert_allclose(ck.lag_times, [0, 1, 2, 3, 4])
    assert ck.finding.kind == "not refuted"
    assert ck.passed is True
    assert ck.max_deviation < 0.05
    assert 0 < ck.noticeable < 0.05
    assert f"{ck.noticeable:.2g}" in ck.finding.text
    # The number of transitions per frame and target is 2 * 0.75 * 0.05; a tenth of them is undone within the lag.
    assert ck.n_transitions == pytest.approx(20_000 * 2 * 0.75 * 0.05, rel=0.2)


def test_hidden_memory_is_refuted(chain):
    """Two states of which one has two sites: the timescale of the lumped chain grows with the lag."""
    K = np.array([[0.90, 0.10, 0.0], [0.10, 0.89, 0.01], [0.0, 0.01, 0.99]])
    chi = chain(K, 20_000, 8, seed=1)
    lumped = np.stack([chi[..., 0] + chi[..., 2], chi[..., 1]], axis=-1)
    ck = ga.chapman_kolmogorov_test(lumped, 2, 10)
    assert ck.finding.kind == "refuted"
    assert ck.passed is False
    assert ck.growth > 1.5
    assert ck.p_value < 1e-3
    assert "Not Markovian" in ck.finding.text


def test_table(markov):
    ck = ga.chapman_kolmogorov_test(markov, 2, 3)
    table = ck.to_dataframe().set_index(["time_frames", "from", "to"])
    assert len(table) == 4 * 2 * 2
    for step in range(4):
        row = table.loc[2 * step, 0, 1]
        assert row["predicted"] == ck.predicted[step, 0, 1]
        assert row["estimated_upper"] == ck.estimated_interval[1, step, 0, 1]


def test_needs_long_segments(markov):
    with pytest.raises(ValueError, match="a lag time of 40 frames needs longer segments; the longest has 30 frames"):
        ga.chapman_kolmogorov_test(markov[:30], 10, 4)
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        ga.chapman_kolmogorov_test(markov, 10, 0)


def test_a_single_step_tests_nothing(markov):
    """K(tau)^1 is K(tau): agreement by construction is no verdict."""
    ck = ga.chapman_kolmogorov_test(markov, 2, 1)
    assert ck.passed is None
    assert ck.finding.kind == "untested"
    assert "a single step holds by construction" in ck.finding.text


def test_short_data_decide_nothing(markov):
    ck = ga.chapman_kolmogorov_test(markov[:30, :1], 1, 10)
    assert ck.passed is None
    assert ck.finding.kind == "untested"
    assert ck.basis.kind is None
    assert np.isnan(ck.noticeable)


def test_what_never_changes_is_no_markov_model():
    """33 ions that keep their state for 101 frames, with a little noise: no dynamics, no times."""
    rng = np.random.default_rng(0)
    state = rng.integers(0, 2, 33)
    chi = np.clip(np.eye(2)[state] + rng.normal(0, 0.02, (101, 33, 1)) * [1, -1], 0, 1)
    ck = ga.chapman_kolmogorov_test(chi, 5, 4)
    assert ck.finding.kind == "no dynamics"
    assert ck.n_transitions == 0


def test_nothing_slow_is_no_markov_model(chain):
    chi = chain(np.array([[0.6, 0.4], [0.5, 0.5]]), 2000, 4, seed=7)
    assert ga.chapman_kolmogorov_test(chi, 5, 3).finding.kind == "nothing slow"
    # lambda = -0.8 does not count as slow.
    often = chain(np.array([[0.1, 0.9], [0.9, 0.1]]), 2000, 4, seed=7)
    assert ga.chapman_kolmogorov_test(often, 1, 3).finding.kind == "nothing slow"


def test_the_difference_is_known_better_than_either_side(markov):
    ck = ga.chapman_kolmogorov_test(markov, 2, 4)
    assert (ck.estimated_interval[0] <= ck.estimated).all()
    assert (ck.estimated_interval[1] >= ck.estimated).all()
    np.testing.assert_array_equal(ck.estimated_interval[:, 0], [np.eye(2)] * 2)  # the identity has no error
    wide, narrow = np.diff(ck.estimated_interval, axis=0)[0], ck.difference.upper - ck.difference.lower
    assert (narrow[2:] < wide[2:]).all()
    assert ck.inside[:2].all()
    np.testing.assert_allclose(ck.difference.value, ck.predicted - ck.estimated)


def test_a_test_without_power_says_so(chain):
    """Three states, 1,200 frames: a deviation below 0.15 would go unseen, which is a warning."""
    chi = chain(np.array([[0.97, 0.02, 0.01], [0.03, 0.95, 0.02], [0.02, 0.04, 0.94]]), 1200, 1, seed=3)
    ck = ga.chapman_kolmogorov_test(chi, 5, 4)
    assert ck.finding.kind == "not refuted"
    assert ck.noticeable > 0.15
    assert ck.finding.severity == "warning"
    assert "only a deviation of" in ck.finding.text


def test_elements_that_were_hardly_ever_seen_are_told(chain):
    """A third state of 0.05 %: what was seen of the other two says nothing of its elements of K."""
    K = np.array([[0.9498, 0.05, 0.0002], [0.15, 0.8498, 0.0002], [0.2, 0.2, 0.6]])
    ck = ga.chapman_kolmogorov_test(chain(K, 20_000, 2, seed=3), 2, 4)
    assert ck.finding.kind == "not refuted"
    assert ck.finding.numbers["n_untested"] >= 3
    assert ck.finding.numbers["untested_deviation"] > ck.noticeable
    assert "rest on fewer than 10 transitions and say nothing by themselves; they deviate by up to" in ck.finding.text
    assert ck.finding.severity == "warning"


def test_transitions_that_nothing_follows_are_not_tested(two_states):
    """K(tau)^n and K(n tau) differ by targets that change twice: in 6,000 frames that remember 60, none do in a few.

    The scatter of what happened once or twice says little: 51 of 100 such data were refuted.
    """
    for seed in range(5):
        found = ga.chapman_kolmogorov_test(two_states(60, 6000, 1, seed=seed), 1, 5).finding
        assert found.kind == "untested"
        assert "too few transitions are followed by another one within 5 frames" in found.text
    tested = [ga.chapman_kolmogorov_test(two_states(60, 20_000, 1, seed=s), 10, 5).finding.kind for s in range(10)]
    assert tested.count("not refuted") >= 8  # two or fewer of ten by chance: 0.99


def test_probability_of_changing_twice():
    """By going through all paths."""
    K = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.3, 0.1, 0.6]])
    expected = np.zeros((2, 3, 3))
    for i, j, k in np.ndindex(3, 3, 3):
        expected[0, i, k] += K[i, j] * K[j, k] * (i != j and j != k)
        for m in range(3):
            expected[1, i, m] += K[i, j] * K[j, k] * K[k, m] * ((i != j) + (j != k) + (k != m) > 1)
    np.testing.assert_allclose(chapman_kolmogorov._changed_twice(K, 3), expected, atol=1e-15)


def test_trajectories_are_not_weighed_by_their_frames():
    """The jackknife of the test is the classical one, whatever shares of the pairs they hold at each lag."""
    basis = Basis("trajectories", n_blocks=3)
    found = chapman_kolmogorov._weighed_by_effect(Blocks(basis, [[], [], []], np.array([0.1, 0.3, 0.6])))
    copies = np.array([1.0, 0.9, 1.0, 1.4])
    expected = 2 / 3 * np.square(copies[1:] - copies[1:].mean()).sum()
    np.testing.assert_allclose(jackknife(copies, found, memory=False).standard_error ** 2, expected)


def test_of_plenty_of_data(markov):
    """Numbers of the result, by the eigenvalues: two states have one process, whose timescale grows or not."""
    ck = ga.chapman_kolmogorov_test(markov, 2, n_steps=3, frame_interval=0.5, time_unit="ps")
    assert ck.tau == 2
    slow = [ga.timescale(complex(ga.eigenvalues(K)[1]), n * 1.0)[0] for n, K in enumerate(ck.estimated)]
    # Two-state matrices with other stationary distributions: the same but for what these differ.
    assert ck.growth == pytest.approx(slow[3] / slow[1], rel=0.01)
    assert 0 <= ck.p_value <= 1


NUMBERS = {
    "p_value": 0.5,
    "noticeable": 0.05,
    "n_untested": 0,
    "untested_deviation": 0.0,
    "n_transitions": 100,
    "n_slow": 1,
    "growth": 1.0,
}
TRAJECTORIES = ga.Basis("trajectories", 5)


@pytest.mark.parametrize(
    ("changed", "basis", "n_steps", "kind", "severity", "text"),
    [
        (
            {},
            TRAJECTORIES,
            5,
            "not refuted",
            "good",
            "Markovian up to 10 ps: not refuted; a deviation of 0.05 would have been noticed (5 trajectories).",
        ),
        (
            {"noticeable": 0.2},
            TRAJECTORIES,
            5,
            "not refuted",
            "warning",
            "Markovian up to 10 ps: not refuted; only a deviation of 0.2 would have been noticed (5 trajectories).",
        ),
        (
            {"n_untested": 3, "untested_deviation": 0.3},
            TRAJECTORIES,
            5,
            "not refuted",
            "warning",
            "Markovian up to 10 ps: not refuted; a deviation of 0.05 would have been noticed (5 trajectories). That is "
            "of the slowest process. 3 elements of K rest on fewer than 10 transitions and say nothing by themselves; "
            "they deviate by up to 0.3.",
        ),
        (
            {"p_value": 0.01, "growth": 1.5},
            TRAJECTORIES,
            5,
            "refuted",
            "bad",
            "Not Markovian: the Chapman-Kolmogorov test fails up to 10 ps, by more than chance allows (p = 0.01). The "
            "slowest timescale grows by a factor of 1.5 until then. Try a longer lag time, then more states.",
        ),
        (
            {"p_value": 0.01, "growth": 0.8},
            TRAJECTORIES,
            5,
            "refuted",
            "bad",
            "Not Markovian: the Chapman-Kolmogorov test fails up to 10 ps, by more than chance allows (p = 0.01). The "
            "slowest timescale falls by a factor of 0.8 until then. Try a longer lag time, then more states.",
        ),
        (
            {"p_value": np.nan},
            TRAJECTORIES,
            1,
            "untested",
            "warning",
            "Not tested: a Chapman-Kolmogorov test of a single step holds by construction.",
        ),
        (
            {"p_value": np.nan},
            TRAJECTORIES,
            5,
            "untested",
            "warning",
            "Not tested: too few transitions are followed by another one within 10 ps: try a longer lag.",
        ),
        (
            {"p_value": np.nan},
            ga.Basis(None, reason="targets follow"),
            5,
            "untested",
            "warning",
            "Not tested: no interval: targets do what others did before.",
        ),
        (
            {"n_slow": 0},
            TRAJECTORIES,
            5,
            "nothing slow",
            "warning",
            "Nothing slow was found: no relaxation outlasts the lag time, there is nothing to test.",
        ),
        (
            {"n_transitions": 0},
            TRAJECTORIES,
            5,
            "no dynamics",
            "bad",
            "No dynamics was seen: no target changed its likeliest state for as long as the lag time. There are no "
            "relaxation times, and nothing to test.",
        ),
    ],
)
def test_verdict(changed, basis, n_steps, kind, severity, text):
    numbers = NUMBERS | changed
    found = chapman_kolmogorov._verdict(numbers, basis, n_steps, "10 ps")
    assert (found.kind, found.severity, found.text) == (kind, severity, text)
    assert found.numbers == numbers


def test_the_p_value_is_that_of_the_clearest_difference(chain):
    """Two-sided, of Student's t, times the number of differences over their share of the level; never above one."""
    for seed in range(3):
        ck = ga.chapman_kolmogorov_test(chain(K2, 2000, 4, seed=seed), 2, n_steps=2)
        spread = ck.by_process
        t = float(np.abs(spread.corrected / spread.standard_error).item())
        of_process = 2 * student.sf(t, spread.degrees.item()) / 0.8
        assert 0 < ck.p_value <= min(1.0, of_process) * (1 + 1e-9)
