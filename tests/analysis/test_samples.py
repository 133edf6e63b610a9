"""Parts of the data as structure and transport divide them."""

import numpy as np
import pytest
from scipy.stats import t as student

from gdynet_tf import analysis as ga


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
