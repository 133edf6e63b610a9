"""Tracer diffusivity by generalised least squares, its intervals, finite size, drift and the Haven ratio."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.transport.line import _overlap
from gdynet_tf.analysis.transport.paths import independent_motion, neighbor_factor


def brownian(n_frames, n_targets, seed, diffusivity=0.5):
    steps = np.random.default_rng(seed).normal(0, np.sqrt(2 * diffusivity), (n_frames, n_targets, 3))
    return steps.cumsum(axis=0)


def straight_line(x, lags):
    """Slope of a plain straight line, over 6."""
    msd = [np.square(x[lag:] - x[:-lag]).sum(-1).mean() for lag in lags]
    return np.polyfit(lags, msd, 1)[0] / 6


def tracer(x, max_lag, **fit):
    return ga.tracer_diffusivity(ga.mean_squared_displacement(x, max_lag), **fit)


def test_covariance_of_the_displacements():
    """Means of many Brownian paths against the sum over overlapping steps: 2 s^4 of it for each direction."""
    n_frames, lags = 30, (2, 5, 9)
    x = brownian(n_frames, 20000, 0)
    means = np.array([np.square(x[lag:] - x[:-lag]).mean(axis=0) for lag in lags])  # (lags, paths, 3)
    found = np.cov(means.reshape(3, -1))
    expected = np.array([[2 * _overlap(i, j, n_frames) for j in lags] for i in lags])
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_scatter_is_less_than_that_of_a_straight_line():
    fits = []
    for seed in range(60):
        x = brownian(400, 10, seed)
        fits.append((tracer(x, 40).diffusivity.value, straight_line(x, np.arange(8, 41))))
    mean, spread = np.mean(fits, axis=0), np.std(fits, axis=0)
    np.testing.assert_allclose(mean, 0.5, rtol=0.05)
    assert spread[0] < 0.8 * spread[1]


def test_intervals_hold_the_truth():
    """95 % intervals of 100 draws; 90 or more with a probability of 0.99."""
    inside = []
    for seed in range(100):
        D = tracer(brownian(300, 4, seed), 30).diffusivity
        if np.isfinite(D.lower):
            assert D.lower < D.value < D.upper
            inside.append(D.lower < 0.5 < D.upper)
    assert len(inside) > 85
    assert np.mean(inside) >= 0.9


def test_a_cage_before_diffusion_is_in_the_intercept():
    """Rattling by 1 Å that is forgotten within 3 frames adds 6 Å^2 to every displacement, nothing to the slope."""
    rng = np.random.default_rng(1)
    x, keep = brownian(2000, 40, 2, 0.05), np.exp(-1 / 3)
    rattle = np.zeros_like(x)
    noise = np.sqrt(1 - keep**2) * rng.normal(size=x.shape)
    for t in range(1, len(x)):
        rattle[t] = keep * rattle[t - 1] + noise[t]
    found = tracer(x + rattle, 200)
    assert found.diffusivity.value == pytest.approx(0.05, rel=0.1)
    assert found.finding.severity == "good"


def test_no_interval_without_diffusion():
    rng = np.random.default_rng(3)
    caged = tracer(rng.normal(size=(400, 10, 3)), 40)
    assert caged.finding.kind == "diffusion"
    assert "the targets do not diffuse yet" in caged.finding.text
    assert np.isnan(caged.diffusivity.lower)
    assert "the displacement is not that of diffusion in the fitted range" in str(caged.diffusivity.basis)
    flying = tracer(np.arange(400)[:, None, None] * rng.normal(size=(10, 3)), 40)
    assert "the targets drift or still fly freely" in flying.finding.text
    assert flying.exponent == pytest.approx(2)
    held = tracer(np.zeros((400, 10, 3)), 40)
    assert "The targets do not move" in held.finding.text
    assert held.diffusivity.value == 0


def test_kinisi_agrees():
    """Same paths, same range: within the spread of kinisi's posterior."""
    sc = pytest.importorskip("scipp")
    from kinisi.diffusion import Diffusion

    x = brownian(200, 20, 5)
    lags = np.arange(1, 41)
    steps = [np.square(x[lag:] - x[:-lag]).sum(-1) for lag in lags]
    number = 20 * 200 / lags
    data = sc.DataArray(
        data=sc.Variable(
            dims=["time interval"],
            values=[step.mean() for step in steps],
            variances=[step.var(ddof=1) / n for step, n in zip(steps, number, strict=True)],
            unit="angstrom^2",
        ),
        coords={
            "time interval": sc.array(dims=["time interval"], values=lags.astype(float), unit="ps"),
            "n_samples": sc.array(dims=["time interval"], values=number),
        },
    )
    kinisi = Diffusion(sc.DataGroup({"da": data, "dimensionality": 3 * sc.units.dimensionless}))
    kinisi.bayesian_regression(
        start_dt=4.0 * sc.Unit("ps"), n_samples=300, n_burn=200, progress=False, random_state=np.random.RandomState(0)
    )
    theirs = kinisi.gradient.values / 6
    mine = ga.tracer_diffusivity(ga.mean_squared_displacement(x, 40, 1.0, "ps"), 4.0, 40.0)
    assert abs(mine.diffusivity.value - theirs.mean()) < 2 * theirs.std()


def test_blocks_of_motion():
    x = [brownian(1000, 4, 6)]
    assert str(independent_motion(x, 50).basis) == "40 blocks of 25 frames"
    assert independent_motion([brownian(60, 30, 7)], 30).basis.kind == "groups of targets"
    together = np.repeat(brownian(60, 1, 8), 30, axis=1)
    assert not independent_motion([together], 30)
    assert np.isnan(ga.mean_squared_displacement(together, 30).msd.lower[1:]).all()
    leading = brownian(220, 15, 7)
    mobile = [x[:, :30] * (1 + 2 * (np.arange(30) < 3))[:, None] for x in [brownian(1000, 30, 7)]]
    assert independent_motion(mobile, 50).basis.kind == "groups of targets"  # three of them go further, all the time
    assert independent_motion([m[:, [0, 29]] for m in mobile], 50).basis.reason == "targets differ"
    assert independent_motion([brownian(200, 30, 7)], 40).basis.kind == "groups of targets"
    following = np.concatenate([leading[20:], leading[:200]], axis=1)  # 20 frames behind
    assert independent_motion([following], 40).basis.kind == "time blocks"
    short = [brownian(100, 1, seed) for seed in range(10)]
    blocks = independent_motion(short, 50)
    assert sum(p.frames.stop - p.frames.start for block in blocks.pieces for p in block) == 1000
    assert blocks.weights.sum() == pytest.approx(1)


def test_neighbouring_blocks_share_displacements():
    """The factor against the variance of means of many Brownian paths."""
    blocks = independent_motion([np.zeros((400, 1, 3))], 40)
    lag = 30
    step = np.square(brownian(400 + lag, 3000, 9)[lag:] - brownian(400 + lag, 3000, 9)[:-lag]).sum(-1)
    whole = step.mean(axis=0).var()
    apart = step.reshape(20, 20, -1).mean(axis=1).var(axis=1).mean() / 20
    assert neighbor_factor(lag, blocks) == pytest.approx(whole / apart, rel=0.1)
    assert neighbor_factor(1, blocks) == 1


def test_unequal_segments_weigh_by_their_frames():
    parts = [brownian(n, 3, n) for n in (50, 400, 900)]
    found = ga.mean_squared_displacement(parts, 20)
    for lag in (1, 7, 20):
        pooled = np.concatenate([np.square(x[lag:] - x[:-lag]).sum(-1).ravel() for x in parts])
        assert found.msd.value[lag] == pytest.approx(pooled.mean())
    assert (found.msd.lower[1:] < found.msd.value[1:]).all()
    assert (found.msd.value[1:] < found.msd.upper[1:]).all()


def test_finite_size_correction():
    """Water: 2.837297 kB T / (6 pi eta L) is 0.0432 Å^2/ps at 298 K, 0.896 mPa s and 16.05 Å."""
    result = ga.tracer_diffusivity(ga.mean_squared_displacement(brownian(300, 8, 10), 30, 1.0, "ps"))
    found = ga.finite_size_correction(result, np.eye(3) * 16.05, 298.15, 0.896e-3)
    added = 2.837297 * 1.380649e-23 * 298.15 / (6 * np.pi * 0.896e-3 * 16.05e-10) * 1e8
    assert added == pytest.approx(0.0431, rel=0.01)
    assert found.finite_size == pytest.approx(added)
    for name in ("value", "lower", "upper"):
        assert getattr(found.diffusivity, name) == pytest.approx(getattr(result.diffusivity, name) + added)
    with pytest.raises(ValueError, match="known for a cubic cell; this one is not"):
        ga.finite_size_correction(result, np.diag([10.0, 10, 12]), 300, 1e-3)
    with pytest.raises(ValueError, match="viscosity must be a positive number of Pa s, got 0"):
        ga.finite_size_correction(result, np.eye(3), 300, 0)
    with pytest.raises(ValueError, match="temperature must be a positive number of K, got -1"):
        ga.finite_size_correction(result, np.eye(3), -1, 1e-3)


def test_haven_ratio():
    """Independent targets: 1. Rigid pairs of targets: 1/2. Opposite charges in such pairs: nothing conducts."""
    x = brownian(20000, 4, 11)
    found = ga.haven_ratio(x, np.ones(4), 100)
    assert found.ratio.lower < 1 < found.ratio.upper
    assert found.ratio.value == pytest.approx(1, rel=0.25)
    pairs = ga.haven_ratio(np.repeat(x, 2, axis=1), 2 * np.ones(8), 100)
    assert pairs.ratio.value == pytest.approx(0.5, rel=0.25)
    neutral = ga.haven_ratio(np.repeat(x, 2, axis=1), [1, -1] * 4, 100)
    assert neutral.charge.diffusivity.value == pytest.approx(0, abs=1e-9)
    table = found.to_dataframe()
    assert table.loc[0, "haven_ratio"] == found.ratio.value
    assert table.loc[0, "tracer_diffusivity_angstrom2_per_frames"] == found.tracer.diffusivity.value


def system(positions, numbers, lattices=None, targets=((0,),)):
    if lattices is None:
        lattices = np.repeat(np.eye(3)[None] * 20, len(positions), axis=0)
    return ga.System(positions, lattices, np.asarray(numbers), np.asarray(targets))


def test_drift_is_taken_away():
    """All atoms drift alike: the targets' own motion is left, against the centre of mass."""
    own = brownian(1200, 6, 12, 0.01)
    drift = np.arange(1200)[:, None, None] * np.array([0.1, 0, -0.05])
    numbers = [3, 3, 16, 16, 16, 16]
    there = system(own + drift, numbers)
    masses = np.array([6.94, 6.94, 32.06, 32.06, 32.06, 32.06])
    center = np.einsum("fad,a->fd", own, masses / masses.sum())
    expected = own[:, 0] - center + center[0] + drift[0]
    np.testing.assert_allclose(there.target_paths()[0][:, 0], expected, atol=1e-3)
    np.testing.assert_allclose(there.target_paths(reference=[])[0][:, 0], (own + drift)[:, 0])
    against = there.target_paths(reference=[2, 3])[0][:, 0]
    frame = (own[:, 2] + own[:, 3]) / 2 + drift[:, 0]
    np.testing.assert_allclose(against, (own + drift)[:, 0] - frame + frame[0], atol=1e-9)


def test_held_atoms_fix_the_frame():
    """An atom that never moves: the centre of mass moves with the others, and that is no drift."""
    positions = brownian(700, 3, 13, 0.01)
    positions[:, 2] = 5.0
    np.testing.assert_array_equal(system(positions, [3, 3, 16]).target_paths()[0][:, 0], positions[:, 0])


def test_paths_of_a_variable_cell():
    """Two atoms that keep their fractional coordinates, several cells away: they move as in the first cell."""
    lattices = np.eye(3) * (10 + np.sin(np.arange(50)))[:, None, None]
    positions = np.array([[3.2, 0, 0], [-3.2, 0, 0]]) @ lattices
    found = system(positions, [3, 3], lattices, [[0], [1]]).target_paths(reference=[])[0]
    np.testing.assert_allclose(found[:, 0, 0] - found[0, 0, 0], 0.2 * (lattices[:, 0, 0] - 10), atol=1e-9)


@pytest.mark.parametrize(("name", "rows"), [("msd", 31), ("tracer", 1)])
def test_tables(name, rows):
    msd = ga.mean_squared_displacement(brownian(300, 8, 14), 30, 0.5, "ps")
    results = {"msd": msd, "tracer": ga.tracer_diffusivity(msd)}
    table = results[name].to_dataframe()
    assert len(table) == rows
    column = {"msd": "msd_angstrom2", "tracer": "diffusivity_angstrom2_per_ps"}[name]
    values = msd.msd.value if name == "msd" else results["tracer"].diffusivity.value
    np.testing.assert_array_equal(table[column], values)
    assert table["basis"].unique().tolist() == ["20 blocks of 15 frames"]
    if name == "msd":
        np.testing.assert_array_equal(table["lag_time_ps"], np.arange(31) * 0.5)


def test_tables_of_transitions():
    rng = np.random.default_rng(15)
    states = (rng.random((2000, 3)) < 0.02).cumsum(axis=0) % 2
    transport = ga.transition_transport(np.eye(2)[states], brownian(2000, 3, 16), 5, 0.5, "ps")
    table = transport.to_dataframe()
    assert list(table)[:5] == ["lag_frames", "lag_time_ps", "from", "to", "displacement_angstrom2"]
    assert len(table) == 4 * len(transport.lags)
    row = table[(table["lag_frames"] == 5) & (table["from"] == 0) & (table["to"] == 1)].iloc[0]
    at = np.flatnonzero(transport.lags == 5)[0]
    assert row["displacement_angstrom2"] == transport.displacement.value[at, 0, 1]
    assert row["displacement_lower_angstrom2"] == transport.displacement.lower[at, 0, 1]
    shares = transport.transitions_dataframe()
    np.testing.assert_array_equal(shares["exact_flux_angstrom2_per_ps"], transport.exact_flux.value.ravel())
    sigma = ga.cluster_nernst_einstein(transport, [1, 1], 1000, 300).to_dataframe()
    assert {"from", "to", "charge_e", "share_percent", "sigma_S_per_cm", "exact_sigma_upper_S_per_cm"} <= set(sigma)
    assert sigma["share_percent"].sum() == pytest.approx(100)


def caged(n_frames, n_targets, seed, width, memory, diffusivity=0.5):
    """Diffusion and an Ornstein-Uhlenbeck displacement that is forgotten within ``memory`` frames."""
    rng, keep = np.random.default_rng(seed + 1000), np.exp(-1 / memory)
    rattle = width * rng.normal(size=(n_frames, n_targets, 3))
    rattle[1:] *= np.sqrt(1 - keep**2)
    for t in range(1, n_frames):
        rattle[t] += keep * rattle[t - 1]
    return brownian(n_frames, n_targets, seed, diffusivity) + rattle


def test_slow_waves_are_the_diffusivity():
    """White steps: D in every wave, also beside a drift. A cage: less in the slowest."""
    x = brownian(2000, 60, 17)
    free = ga.mean_squared_displacement([x, x[:500]], 20)
    np.testing.assert_allclose(free.slow_waves, 0.5, rtol=0.5)
    assert free.slow_waves.mean() == pytest.approx(0.5, rel=0.05)
    drifting = ga.mean_squared_displacement(x + 3.0 * np.arange(2000)[:, None, None], 20)
    np.testing.assert_allclose(drifting.slow_waves, ga.mean_squared_displacement(x, 20).slow_waves, rtol=1e-6)
    slow = ga.mean_squared_displacement(caged(2000, 60, 18, 6.7, 150), 20).slow_waves
    assert slow[:3].mean() < 0.75 * slow[10:].mean()


def test_a_cage_that_outlasts_the_lags():
    """Its memory is 7.5 % of the data, the lags 10 %: D is 45 % too large. 200 targets: seen every time; free ones lose
    no interval."""
    for seed in range(4):
        kept = tracer(caged(300, 200, seed, 2.6, 22.5), 30)
        assert kept.diffusivity.value > 0.6
        assert np.isnan(kept.diffusivity.lower)
        assert kept.finding.numbers["bent"] is True  # as JSON takes it
        assert kept.finding.severity == "warning"
    given = [np.isfinite(tracer(brownian(300, 200, seed), 30).diffusivity.lower) for seed in range(8)]
    assert sum(given) >= 6  # 97 % of them have one
