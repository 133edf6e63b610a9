"""Displacements, diffusivities and conductivities: exact results for Brownian particles, and MDAnalysis."""

import numpy as np
import pytest
from scipy.linalg import expm

from gdynet_tf import analysis as ga
from gdynet_tf.trajectory import unwrap


def brownian(n_frames, n_targets, diffusivity, seed=0, dt=1.0):
    """Positions (F, n_targets, 3) of free particles."""
    steps = np.random.default_rng(seed).normal(0, np.sqrt(2 * diffusivity * dt), (n_frames, n_targets, 3))
    return steps.cumsum(axis=0)


def switching(n_frames, n_targets, rates, diffusivities, dt, seed=1, substeps=6):
    """States (F, n_targets) of a two-state jump process and positions whose diffusivity follows them."""
    rng = np.random.default_rng(seed)
    P = expm(np.array([[-rates[0], rates[0]], [rates[1], -rates[1]]]) * dt / substeps)
    D = np.asarray(diffusivities)
    state = rng.integers(0, 2, n_targets)
    x, states, positions = np.zeros((n_targets, 3)), [], []
    for _ in range(n_frames):
        states.append(state)
        positions.append(x)
        for _ in range(substeps):
            after = np.where(rng.random(n_targets) < P[state, 1], 1, 0)
            mean = (D[state] + D[after]) / 2  # a jump within the step comes in its middle, on average
            x = x + np.sqrt(2 * mean * dt / substeps)[:, None] * rng.normal(size=x.shape)
            state = after
    return np.array(states), np.array(positions)


def direct_msd(x, max_lag):
    return np.array([np.square(x[lag:] - x[: len(x) - lag]).sum(-1).mean() for lag in range(max_lag + 1)])


def test_msd_equals_the_direct_sum():
    x = brownian(300, 4, 0.7) + 1e3  # far from the origin, where squares are large
    result = ga.mean_squared_displacement(x, 120, 0.5, "ps")
    np.testing.assert_allclose(result.msd.value, direct_msd(x, 120), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.lag_times, np.arange(121) * 0.5)
    parts = ga.mean_squared_displacement([x[:100], x[100:]], 50)
    pooled = [
        np.concatenate([np.square(p[lag:] - p[: len(p) - lag]).sum(-1).ravel() for p in (x[:100], x[100:])]).mean()
        for lag in range(51)
    ]
    np.testing.assert_allclose(parts.msd.value, pooled, rtol=1e-9, atol=1e-9)


def test_msd_against_mdanalysis():
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD

    x = brownian(80, 5, 0.3).astype(np.float32)
    universe = MDAnalysis.Universe.empty(5, trajectory=True).load_new(x)
    expected = EinsteinMSD(universe, fft=False).run().results.timeseries
    found = ga.mean_squared_displacement(x, 40).msd.value
    np.testing.assert_allclose(found, expected[:41], rtol=1e-5, atol=1e-5)


def test_constant_velocity():
    """MSD = v^2 t^2, the exponent is 2."""
    x = np.arange(200)[:, None, None] * np.array([0.3, 0.0, 0.4])
    result = ga.mean_squared_displacement(x, 50)
    np.testing.assert_allclose(result.msd.value, (0.5 * np.arange(51)) ** 2, rtol=1e-9, atol=1e-9)
    assert ga.tracer_diffusivity(result).exponent == pytest.approx(2)


def test_tracer_diffusivity_of_brownian_particles():
    """D = 0.25 Å^2/ps; 200 particles over 2,000 frames give it to about 2 %."""
    x = brownian(2000, 200, 0.25, dt=0.5)
    found = ga.tracer_diffusivity(ga.mean_squared_displacement(x, 100, 0.5, "ps"), 5, 50)
    assert found.diffusivity.value == pytest.approx(0.25, rel=0.03)
    assert found.diffusivity.lower < 0.25 < found.diffusivity.upper
    assert found.finding.severity == "good"
    assert found.exponent == pytest.approx(1, abs=0.05)
    assert found.fitted == (5.0, 50.0)
    assert found.cm2_per_s == pytest.approx(found.diffusivity.value * 1e-4)  # Å^2/ps = 1e-16 cm^2 / 1e-12 s


def test_displacement_of_fixed_states():
    """Two kinds of particle that never change: D_00 and D_11 are theirs, transitions between do not exist."""
    x = np.concatenate([brownian(1500, 40, 0.2, 1), brownian(1500, 40, 1.5, 2)], axis=1)
    x = x[:, np.random.default_rng(0).permutation(80)]
    fast = np.square(np.diff(x, axis=0)).mean(axis=(0, 2)) > 1.7
    chi = np.tile(np.eye(2)[fast.astype(int)], (1500, 1, 1))
    found = ga.transition_transport(chi, x, 8, 1.0, "ps")
    np.testing.assert_allclose(np.diag(found.diffusivity.value), [0.2, 1.5], rtol=0.05)
    assert np.isnan(found.diffusivity.value[[0, 1], [1, 0]]).all()
    assert str(found.diffusivity.basis) == "no interval: no lasting change of state was seen"
    assert np.isnan(found.diffusivity.lower).all()
    assert np.isnan(found.stationary).all()  # the two kinds never exchange: any share of them is stationary
    with pytest.raises(ValueError, match="the Koopman matrix has no stationary distribution"):
        ga.cluster_nernst_einstein(found, [1, 1], 1000.0, 300.0)


def exact_displacement(rates, diffusivities):
    """E[d^2(t) | i -> j] = 6 [int P(s) D P(t-s) ds]_ij / P_ij(t), by Van Loan's block exponential."""
    Q = np.array([[-rates[0], rates[0]], [rates[1], -rates[1]]])
    block = np.block([[Q, np.diag(diffusivities)], [np.zeros((2, 2)), Q]])

    def exact(t):
        whole = expm(block * t)
        return 6 * whole[:2, 2:] / whole[:2, :2]

    return exact


def test_displacement_of_switching_particles():
    rates, D, dt, tau = np.array([0.06, 0.1]), [0.05, 1.0], 1.0, 6
    states, x = switching(2000, 150, rates, D, dt)
    found = ga.transition_transport(np.eye(2)[states], x, tau, dt, "ps")
    exact = exact_displacement(rates, D)
    np.testing.assert_allclose(found.displacement.value, [exact(t) for t in found.lag_times], rtol=0.05)
    slope = (exact(tau + 1e-4) - exact(tau - 1e-4)) / 2e-4 / 6
    np.testing.assert_allclose(found.diffusivity.value, slope, rtol=0.1)
    inside = (found.diffusivity.lower <= slope) & (slope <= found.diffusivity.upper)
    assert inside.sum() >= 3  # 95 % intervals, four of them
    np.testing.assert_allclose(found.stationary, [0.625, 0.375], atol=0.02)
    share = found.stationary[:, None] * found.koopman
    np.testing.assert_allclose(found.flux.value, share * found.diffusivity.value)
    at = np.flatnonzero(found.lags == tau)[0]
    np.testing.assert_allclose(found.exact_flux.value, share * found.displacement.value[at] / (6 * tau * dt))
    assert found.total.value == pytest.approx(found.flux.value.sum())
    for estimate in (found.displacement, found.diffusivity, found.flux, found.exact_flux, found.exact_total):
        assert (estimate.lower <= estimate.value).all()
        assert (estimate.value <= estimate.upper).all()


def test_lag_interval_and_unit_come_from_chi():
    states, x = switching(600, 20, np.array([0.06, 0.1]), [0.05, 1.0], 1.0, substeps=2)
    chi = ga.Chi([np.eye(2)[states]], tau=4, frame_interval=0.5, time_unit="ps")
    found, plain = ga.transition_transport(chi, [x]), ga.transition_transport(list(chi), x, 4, 0.5, "ps")
    assert (found.tau, found.time_unit) == (4, "ps")
    np.testing.assert_array_equal(found.displacement.value, plain.displacement.value)
    np.testing.assert_array_equal(found.lag_times, found.lags * 0.5)


def hopping(n_frames, n_targets, rate, seed):
    """A walk on a lattice of unit cells whose sites alternate between two states: D = rate / 6, t2 = 1 / (2 rate)."""
    rng = np.random.default_rng(seed)
    axis, sign = rng.integers(0, 3, (n_frames, n_targets)), rng.choice([-1, 1], (n_frames, n_targets))
    hops = rng.random((n_frames, n_targets)) < rate
    steps = np.zeros((n_frames, n_targets, 3))
    np.put_along_axis(steps, axis[..., None], (hops * sign)[..., None], 2)
    steps[0] = 0
    x = steps.cumsum(axis=0)
    return np.abs(x.sum(axis=-1) % 2).astype(int), x


def test_shares_on_a_hopping_lattice():
    """The paper's shares add up only where tau is long beside t2; those by displacements always do.

    With u = tau / t2 the former are 1 - 2 u / (exp(2 u) - 1) of the diffusion coefficient: hops are Poisson events,
    and an even number of them leads back to the same state.
    """
    rate = 0.02
    states, x = hopping(4000, 60, rate, 3)
    D, t2 = rate / 6, -1 / np.log(1 - 2 * rate)
    sums = []
    for ratio in (0.12, 0.5, 1, 2, 4):
        tau = round(ratio * t2)
        found = ga.transition_transport(np.eye(2)[states], x, tau)
        sums.append(found.total.value / found.exact_total.value)
        assert found.exact_total.value == pytest.approx(D, rel=0.03)
        assert found.exponent.value == pytest.approx(1, abs=0.05)
        finding = ga.sum_of_shares(found, D)
        assert finding.severity == ("good" if ratio >= 2 else "warning")
        assert set(finding.numbers) == {"slopes", "displacements", "tracer", "exponent"}
    u = 2 * np.array([0.12, 0.5, 1, 2, 4])
    np.testing.assert_allclose(sums, 1 - u / np.expm1(u), atol=0.04)
    assert "They differ by more than a fifth" in ga.sum_of_shares(ga.transition_transport(np.eye(2)[states], x, 3)).text


def test_shares_in_a_cage_that_rattles_slowly():
    """Slopes see the rattling: the sum of the paper's shares is several times the displacement over the lag time."""
    rng = np.random.default_rng(4)
    states, x = hopping(4000, 60, 0.002, 5)
    keep = np.exp(-1 / 40)
    rattle = np.zeros_like(x)
    noise = 0.3 * np.sqrt(1 - keep**2) * rng.normal(size=x.shape)
    for t in range(1, len(x)):
        rattle[t] = keep * rattle[t - 1] + noise[t]
    found = ga.transition_transport(np.eye(2)[states], x + rattle, 20)
    step = (x + rattle)[20:] - (x + rattle)[:-20]
    assert found.exact_total.value == pytest.approx(np.square(step).sum(axis=-1).mean() / 120, rel=0.01)
    assert found.exponent.value < 0.9
    tracer = 0.002 / 6
    finding = ga.sum_of_shares(found, tracer)
    assert finding.severity == "warning"
    assert finding.numbers["slopes"] > 4 * tracer


def test_conductivity_of_one_kind_is_nernst_einstein():
    """When all carry their own charge z, sum sigma_ij = z^2 e^2 N D / (V kB T) with D of the whole."""
    states, x = switching(800, 60, np.array([0.05, 0.05]), [0.3, 0.3], 1.0, substeps=2)
    transport = ga.transition_transport(np.eye(2)[states], x, 5, 1.0, "ps")
    found = ga.cluster_nernst_einstein(transport, [1, 1], 8000.0, 300.0)
    # e^2 N D / (V kB T): 60 carriers, 0.3 Å^2/ps = 3e-9 m^2/s, 8e-27 m^3
    expected = 1.602176634e-19**2 * 60 / 8e-27 * 3e-9 / (1.380649e-23 * 300) / 100
    for total in (found.total, found.exact_total):
        assert total.value == pytest.approx(expected, rel=0.03)
        assert total.lower < expected < total.upper
    assert found.percent.value.sum() == pytest.approx(100)
    assert ((found.sigma.lower <= found.sigma.value) & (found.sigma.value <= found.sigma.upper)).all()
    for charge in (2, -1, -2):
        other = ga.cluster_nernst_einstein(transport, [charge] * 2, 8000.0, 300.0)
        np.testing.assert_allclose(other.sigma.value, charge**2 * found.sigma.value)
        assert other.total.value > 0
    half = ga.cluster_nernst_einstein(transport, [1, 0], 8000.0, 300.0, target_charge=1)
    np.testing.assert_allclose(half.charges, [[1, 0.5], [0.5, 0]])
    np.testing.assert_allclose(half.sigma.value, found.sigma.value * half.charges)
    pairs = ga.cluster_nernst_einstein(transport, [-1, -1], 8000.0, 300.0, target_charge=1)
    assert pairs.total.value == pytest.approx(-found.total.value)  # Li+ in an ion pair that carries a negative charge
    opposite = ga.cluster_nernst_einstein(transport, [0, 0], 8000.0, 300.0)
    assert np.isnan(opposite.percent.value).all()


def test_variable_triclinic_cell_is_unwrapped_first():
    """A path wrapped into a breathing triclinic cell comes back, and with it the displacement."""
    lattice = np.array([[9.0, 0, 0], [2.0, 8, 0], [-1.5, 1, 10]])
    scale = 1 + 0.02 * np.sin(np.arange(200) / 9)
    cells = lattice * scale[:, None, None]
    fractional = np.random.default_rng(2).normal(0, 0.03, (200, 3, 3)).cumsum(axis=0)
    wrapped = (fractional % 1) @ cells
    found = unwrap(wrapped, cells)
    moved = found - found[0] @ np.linalg.inv(cells[0]) @ cells
    expected = (fractional - fractional[0]) @ cells
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    assert ga.warn_of_jumps(found, [cells]) < 0.5


def test_jumps_are_warned_of():
    x = np.zeros((5, 1, 3))
    x[3:, 0, 1] = 6.0
    cells = np.tile(np.eye(3) * 10, (5, 1, 1))
    with pytest.warns(UserWarning, match="a target jumps 0.60 cells between two frames, more than half a cell"):
        assert ga.warn_of_jumps(x, [cells]) == pytest.approx(0.6)
    assert ga.warn_of_jumps(x, [cells], (True, False, True)) == 0.0


def test_rare_transitions_are_nan():
    chi = np.zeros((100, 2, 3))
    chi[:, :, 0] = 1
    chi[50:, 0] = [0, 1, 0]
    chi[75:, 0] = [1, 0, 0]
    chi[:, 1] = chi[::-1, 0]
    chi[90:95] = [0, 0, 1]
    chi[95:] = [0, 1, 0]
    found = ga.transition_transport(chi, np.zeros((100, 2, 3)), 2)
    assert np.isnan(found.displacement.value[0, 1, 2])
    assert np.isnan(found.diffusivity.value[1, 2])
    assert found.flux.value[1, 2] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c, x: ga.mean_squared_displacement(x[..., :2], 5),
            r"must have shape \(F, n_targets, 3\), got \(50, 2, 2\)",
        ),
        (lambda c, x: ga.mean_squared_displacement(x, 50), "max_lag must be from 1 to 49 frames, got 50"),
        (
            lambda c, x: ga.mean_squared_displacement(x * np.nan, 5),
            "positions of segment 0 hold values that are not finite",
        ),
        (lambda c, x: ga.mean_squared_displacement([], 5), "positions hold no segment"),
        (lambda c, x: ga.tracer_diffusivity(ga.mean_squared_displacement(x, 9), 7.5, 8), "a fit from 7.5 to 8 frames"),
        (
            lambda c, x: ga.tracer_diffusivity(ga.mean_squared_displacement(x, 9)).cm2_per_s,
            "'frames' is no unit of time that can be converted to seconds",
        ),
        (
            lambda c, x: ga.transition_transport(c[:9], x, 2),
            r"chi is of \(frames, targets\) \[\(9, 2\)\], positions of",
        ),
        (lambda c, x: ga.transition_transport(c, x, 48), "a lag time of 60 frames needs longer segments"),
        (lambda c, x: ga.cluster_nernst_einstein(ga.transition_transport(c, x, 2), [1], 1, 1), "2 finite charges are"),
        (
            lambda c, x: ga.cluster_nernst_einstein(ga.transition_transport(c, x, 2), [1, 1], -1, 1),
            r"volume must be a positive number of Å\^3, got -1",
        ),
        (
            lambda c, x: ga.cluster_nernst_einstein(ga.transition_transport(c, x, 2), [1, 1], 1, 0),
            "temperature must be a positive number of K, got 0",
        ),
        (
            lambda c, x: ga.cluster_nernst_einstein(ga.transition_transport(c, x, 2), [1, 1], 1, 1),
            "'frames' is no unit of time",
        ),
        (
            lambda c, x: ga.cluster_nernst_einstein(ga.transition_transport(c, x, 2), [1, 0], 1, 1),
            "the states carry different charges: target_charge, that of the target itself, is needed",
        ),
        (
            lambda c, x: ga.cluster_nernst_einstein(
                ga.transition_transport(c, x, 2), [1, 0], 1, 1, target_charge=np.nan
            ),
            "target_charge must be a finite number, got nan",
        ),
        (lambda c, x: ga.haven_ratio(x, [1], 5), "2 finite charges are needed, one for each target and not all zero"),
        (lambda c, x: ga.haven_ratio(x, [0, 0], 5), "one for each target and not all zero"),
    ],
)
def test_wrong_arguments(call, message):
    chi = np.eye(2)[np.random.default_rng(0).integers(0, 2, (50, 2))]
    with pytest.raises(ValueError, match=message):
        call(chi, np.zeros((50, 2, 3)))
