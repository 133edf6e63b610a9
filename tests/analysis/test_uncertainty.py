"""The jackknife and what is made of it: textbook answers first."""

import numpy as np
import pytest
from scipy.stats import t as student

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.blocks import groups_of_targets
from gdynet_tf.analysis.uncertainty import BELOW_ONE, POSITIVE, PROBABILITY, estimate_table, jackknife


def blocks_of(weights, kind="trajectories", **basis):
    weights = np.asarray(weights, float)
    return ga.Blocks(ga.Basis(kind, len(weights), **basis), [[]] * len(weights), weights / weights.sum())


def copies_of_mean(values, weights):
    """Of all data first, then without each block."""
    total, amount = np.sum(values * weights), np.sum(weights)
    return np.array([total / amount, *((total - values * weights) / (amount - weights))])


def test_equal_blocks_are_a_students_interval():
    values = np.random.default_rng(0).normal(size=12)
    found = ga.estimate_from_copies(copies_of_mean(values, np.ones(12)), blocks_of(np.ones(12)))
    half = student.ppf(0.975, 11) * values.std(ddof=1) / np.sqrt(12)
    np.testing.assert_allclose([found.lower, found.upper], values.mean() + half * np.array([-1, 1]), rtol=1e-6)
    assert found.value == pytest.approx(values.mean())


def test_unequal_blocks_are_weighted():
    """A mean with amounts m_j, variance 1/m_j each: standard error 1/sqrt(sum m) on average."""
    rng, weights = np.random.default_rng(1), np.array([1.0, 2, 4, 8, 2, 1, 4, 6])
    errors = []
    for _ in range(2000):
        values = rng.normal(size=8) / np.sqrt(weights)
        errors.append(jackknife(copies_of_mean(values, weights), blocks_of(weights)).standard_error ** 2)
    assert np.mean(errors) == pytest.approx(1 / weights.sum(), rel=0.05)


def test_bias_of_first_order_is_taken_off():
    """The square of a mean is biased by the variance of the mean; the jackknife takes off its unbiased estimate."""
    values = np.random.default_rng(2).normal(2, 1, 10)
    spread = jackknife(copies_of_mean(values, np.ones(10)) ** 2, blocks_of(np.ones(10)))
    assert spread.corrected == pytest.approx(values.mean() ** 2 - values.var(ddof=1) / 10)


def test_few_blocks_that_matter_have_few_degrees_of_freedom():
    copies = copies_of_mean(np.eye(20)[0], np.ones(20))
    assert jackknife(copies, blocks_of(np.ones(20))).degrees == pytest.approx(2, abs=0.5)
    assert jackknife(copies_of_mean(np.arange(20.0), np.ones(20)), blocks_of(np.ones(20))).degrees == pytest.approx(19)


def test_correlated_targets_widen():
    copies, weights = copies_of_mean(np.arange(10.0), np.ones(10)), np.ones(10)
    plain = jackknife(copies, blocks_of(weights)).standard_error
    together = jackknife(copies, blocks_of(weights, "groups of targets", design_effect=1.44)).standard_error
    assert together / plain == pytest.approx(1.2)


def test_slow_waves_rule_blocks_of_time():
    """Of few blocks all waves, which are their spread but for what neighbours share; of many the ten slowest."""
    time = {"relaxation": 10.0, "block_length": 50.0}
    copies, few = copies_of_mean(np.arange(8.0) ** 2, np.ones(8)), blocks_of(np.ones(8), "time blocks", **time)
    plain = jackknife(copies, few, memory=False)
    assert jackknife(copies, few).standard_error / plain.standard_error == pytest.approx(1 / np.sqrt(0.8))
    many, blocks = np.ones(40), blocks_of(np.ones(40), "time blocks", **time)
    slow, fast = (np.cos(np.pi * k * (np.arange(40) + 0.5) / 40) for k in (2, 20))
    found = jackknife(copies_of_mean(fast, many), blocks)
    assert found.standard_error == pytest.approx(0, abs=1e-12)
    assert found.degrees == 10
    found = jackknife(copies_of_mean(slow, many), blocks).standard_error
    assert found / jackknife(copies_of_mean(slow, many), blocks, memory=False).standard_error == pytest.approx(
        np.sqrt(39 / 10 / (1 - 0.2 * (1 - np.sinc(10 / 39))))
    )


def test_averages_of_what_remembers():
    """An autoregression forgotten within a block and a half: slow waves hold its variance, the spread does not."""
    rng, keep, n = np.random.default_rng(3), np.exp(-1 / 1.5), 40
    blocks = blocks_of(np.ones(n), "time blocks", relaxation=1.0, block_length=5.0)
    inside = np.zeros((2, 400))
    for draw in range(400):
        values = np.zeros(n + 20)
        for t, noise in enumerate(rng.normal(size=n + 20)[1:]):
            values[t + 1] = keep * values[t] + noise
        copies = copies_of_mean(values[20:], np.ones(n))
        for k in range(2):
            found = ga.estimate_from_copies(copies, blocks, memory=not k)
            inside[k, draw] = found.lower < 0 < found.upper
    held = inside.mean(axis=1)
    assert held[0] > 0.87
    assert held[1] < 0.78


@pytest.mark.parametrize(
    ("within", "value"), [(POSITIVE, 0.1), (PROBABILITY, 0.02), (PROBABILITY, 0.99), (BELOW_ONE, 0.98)]
)
def test_bounds_stay_where_values_can_be(within, value):
    copies = np.array([value, *(value + 0.02 * (1 - value) * np.linspace(-0.9, 0.9, 8))])
    copies = np.concatenate([copies[:1], np.clip(copies[1:], value / 3, 1 - (1 - value) / 3)])
    found = ga.estimate_from_copies(copies, blocks_of(np.ones(8)), within)
    assert within[0] < found.lower < value < found.upper < within[1]


def test_what_leaves_the_scale_is_linear():
    """Entries of a Koopman matrix of fuzzy states may be negative."""
    copies = np.array([-0.01, -0.02, 0.0, -0.015, -0.005, -0.01, -0.01])
    found = ga.estimate_from_copies(copies, blocks_of(np.ones(6)), PROBABILITY)
    assert found.lower < -0.01 < found.upper


def test_what_was_seen_in_one_block_alone_has_no_interval():
    copies = np.array([0.01, 0.0, 0.011, 0.011, 0.011, 0.011, 0.011])
    found = ga.estimate_from_copies(copies, blocks_of(np.ones(6)), PROBABILITY)
    assert np.isnan([found.lower, found.upper]).all()
    constant = ga.estimate_from_copies(np.ones(7), blocks_of(np.ones(6)))
    assert np.isnan(constant.lower)


def test_sums_and_chi_lists_agree(two_states):
    chi = ga.Chi(two_states(10, 3000, 2), tau=2)
    blocks = ga.independent_blocks(chi)
    by_list = ga.with_interval(ga.populations, chi, within=(0, 1))
    by_sums = ga.estimated_populations(chi)
    for name in ("value", "lower", "upper"):
        np.testing.assert_allclose(getattr(by_list, name), getattr(by_sums, name), rtol=1e-9)
    counts = [np.ones(segment.shape[:2]) for segment in chi]
    ratio = ga.estimate_from_sums(lambda x, n: x / n, [blocks.sums(chi), blocks.sums(counts)], blocks, (0, 1))
    np.testing.assert_allclose(ratio.lower, by_sums.lower, rtol=1e-9)
    frame = by_list.to_dataframe()
    assert list(frame.columns) == ["index_0", "value", "lower", "upper", "basis"]
    assert frame["basis"][0] == str(blocks.basis)


def test_any_function_of_chi(two_states):
    """A score, and one that does not exist without a certain block."""
    chi = [two_states(10, n, 1, seed=n) for n in (1500, 900, 700)]
    score = ga.with_interval(lambda parts: ga.vamp2_score(parts, 2), chi, 2)
    assert score.lower < score.value < score.upper
    assert score.basis.kind == "time blocks"

    def picky(parts):
        if max(map(len, parts)) < 1500:
            raise ValueError("needs the long one")
        return 1.0

    assert np.isnan(ga.with_interval(picky, chi, 2).lower)
    with pytest.raises(ValueError, match="needs the long one"):
        ga.with_interval(picky, chi[1:], 2)


def test_without_independence_there_is_no_interval(two_states):
    chi = two_states(50, 200, 1)
    found = ga.with_interval(ga.populations, chi, 5)
    assert found.basis.kind is None
    np.testing.assert_allclose(found.value, ga.populations(chi))
    assert np.isnan([found.lower, found.upper]).all()
    assert np.isnan(ga.estimated_populations(chi, 5).upper).all()


def test_unknown_range(two_states):
    with pytest.raises(ValueError, match=r"within must be one of .*, got \(0\.0, 2\.0\)"):
        ga.with_interval(ga.populations, two_states(5, 500, 1), 1, within=(0, 2))


def test_covariances_without_a_block_by_brute_force(two_states):
    """Of a crisp chain in blocks: total less the pairs whose midpoint lies in the block."""
    from gdynet_tf.analysis.kinetics.covariances import covariances_without

    chi = ga.as_chi([two_states(5, n, 2, seed=n) for n in (301, 400)])
    blocks = ga.independent_blocks(chi, 2)
    lags = [1, 4, 7, 100]  # the last is longer than blocks
    found = covariances_without(chi, lags, blocks)
    for k, lag in enumerate(lags):
        for b in (0, 3, len(blocks) - 1):
            kept = []
            for s, segment in enumerate(chi):
                cut = [p.frames for p in blocks.pieces[b] if p.segment == s]
                for t in range(len(segment) - lag):
                    middle = t + lag // 2
                    last = len(segment) - 1 - (lag - lag // 2)  # midpoints stop before the end of a segment
                    inside = any(f.start <= middle < f.stop or (middle > last and f.stop == len(segment)) for f in cut)
                    if not inside:
                        kept += [(segment[t, a], segment[t + lag, a]) for a in range(2)]
            x, y = np.array(kept).transpose(1, 0, 2)
            np.testing.assert_allclose(found[b + 1, k, 1], x.T @ y / len(x), atol=1e-12)
        np.testing.assert_allclose(found[0, k], ga.covariances(chi, lag), atol=1e-12)


def test_what_targets_share_at_a_time_is_in_the_spread_of_groups():
    """x = target + time + rest: the variance of the mean is v_target / N + v_time / T + v_rest / (N T)."""
    rng, n, times = np.random.default_rng(6), 10, 40
    zeros = [np.zeros((times, n, 1))]
    blocks = groups_of_targets(zeros, ga.Basis(None), 2)
    assert [p.stop - p.start for p in blocks.partitions] == [10, 20, 20]
    variances = {}
    for shared in (0.0, 1.0):
        found = []
        for _ in range(400):
            x = rng.normal(size=(1, n)) + shared * rng.normal(size=(times, 1)) + rng.normal(size=(times, n))
            sums = [blocks.sums([x[..., None]])[:, 0], blocks.weights * x.size]
            copies = np.array([a / b for a, b in zip(*map(blocks.left_out, sums), strict=True)])
            assert copies[0] == pytest.approx(x.mean())
            found.append(jackknife(copies, blocks).standard_error ** 2)
        variances[shared] = np.mean(found)
    # Cutting at zero adds what noise there is in nothing: 2/10 + 2/10 of v_rest / (N T), relative variance, at most.
    assert variances[0.0] == pytest.approx(1 / n + 1 / (n * times), rel=0.06)
    assert variances[1.0] == pytest.approx(1 / n + 1 / times + 1 / (n * times), rel=0.06)


def test_a_trend_that_all_targets_share_gives_no_interval():
    rng, n, times = np.random.default_rng(7), 30, 400
    blocks = groups_of_targets([np.zeros((times, n, 1))], ga.Basis(None), 2)
    x = np.exp(-np.arange(times) / 120)[:, None] + 0.1 * rng.normal(size=(times, n))
    sums = [blocks.sums([x[..., None]])[:, 0], blocks.weights * x.size]
    found = ga.estimate_from_sums(lambda total, amount: total / amount, sums, blocks)
    assert found.value == pytest.approx(x.mean())
    assert np.isnan([found.lower, found.upper]).all()


def test_each_number_of_an_array_is_on_its_own():
    """Two statistics at once have the spread of each alone, its correction too."""
    rng, weights = np.random.default_rng(8), np.array([1.0, 2, 4, 8, 2, 1, 4, 6])
    one, other = (copies_of_mean(rng.normal(size=8), weights) ** 2 for _ in range(2))
    both = jackknife(np.stack([one, other], axis=1), blocks_of(weights))
    for k, alone in enumerate((one, other)):
        expected = jackknife(alone, blocks_of(weights))
        for name in ("value", "corrected", "standard_error", "degrees"):
            np.testing.assert_allclose(getattr(both, name)[k], getattr(expected, name))


def test_blocks_of_single_targets_miss_what_neighbours_share():
    """A tenth of a relaxation time in a block: a tenth of the variance, from all blocks; not where nothing goes on."""
    copies, weights = copies_of_mean(np.arange(10.0), np.ones(10)), np.ones(10)
    blocks = blocks_of(weights, "blocks of single targets", relaxation=1.0, block_length=10.0)
    plain = jackknife(copies, blocks_of(weights)).standard_error
    assert jackknife(copies, blocks).standard_error / plain == pytest.approx(np.sqrt(1 / 0.9))
    assert jackknife(copies, blocks, memory=False).standard_error == pytest.approx(plain)


def test_no_bounds_have_the_shape_of_the_value(two_states):
    """Without blocks, and where the statistic does not exist without some block."""
    found = ga.with_interval(lambda chi: np.ones((3, 2)), two_states(50, 60, 1), 1)
    assert found.value.shape == found.lower.shape == found.upper.shape == (3, 2)
    chi = two_states(5, 2000, 1)

    def all_or_nothing(chi):
        if sum(map(len, chi)) < 2000:
            raise ValueError("too little")
        return np.array([1.0, 2.0])

    found = ga.with_interval(all_or_nothing, chi, 1)
    assert found.basis.kind == "time blocks"
    np.testing.assert_array_equal(found.value, [1, 2])
    assert np.isnan([found.lower, found.upper]).all()


def test_table_of_estimates():
    """Rows run over the last axis first; an array without bounds has one column."""
    value = np.array([[1.0, 2, 3], [4, 5, 6]])
    estimate = ga.Estimate(value=value, lower=value - 1, upper=value + 2, basis=ga.Basis("posterior"))
    axes = [{"from": np.array([7, 8])}, {"to": np.array([1, 2, 3]), "name": np.array(["a", "b", "c"])}]
    table = estimate_table(axes, {"time": estimate, "share": value / 10}, "ps")
    columns = ["from", "to", "name", "time_ps", "time_lower_ps", "time_upper_ps", "share_ps", "basis"]
    assert table.columns.tolist() == columns
    assert table["from"].tolist() == [7, 7, 7, 8, 8, 8]
    assert table["to"].tolist() == [1, 2, 3, 1, 2, 3]
    assert table["name"].tolist() == ["a", "b", "c"] * 2
    assert table.time_ps.tolist() == [1, 2, 3, 4, 5, 6]
    assert table.time_lower_ps.tolist() == [0, 1, 2, 3, 4, 5]
    assert table.time_upper_ps.tolist() == [3, 4, 5, 6, 7, 8]
    np.testing.assert_allclose(table.share_ps, np.arange(1, 7) / 10)
    assert set(table.basis) == {"the posterior of the model"}
    assert estimate_table(axes, {"share": value}).columns.tolist() == ["from", "to", "name", "share", "basis"]
    with pytest.raises(ValueError, match="zip"):  # an axis without a name
        estimate_table(axes[:1], {"time": estimate})


def test_table_of_an_estimate():
    estimate = ga.Estimate(value=np.array([[1.0, 2]]), lower=np.zeros((1, 2)), upper=np.full((1, 2), 3), basis="any")
    table = estimate.to_dataframe()
    assert table.columns.tolist() == ["index_0", "index_1", "value", "lower", "upper", "basis"]
    assert table.to_numpy().tolist() == [[0, 0, 1, 0, 3, "any"], [0, 1, 2, 0, 3, "any"]]
