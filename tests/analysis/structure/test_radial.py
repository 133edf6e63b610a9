"""Radial distributions, coordination numbers, charges: an ideal gas, crystals, and MDAnalysis."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga

TRICLINIC = np.array([[12.0, 0, 0], [3.0, 11, 0], [-2.0, 1.5, 13]])


def system(positions, lattice, numbers, targets, **more):
    positions = np.asarray(positions, np.float64)
    return ga.System([positions], [np.repeat([lattice], len(positions), axis=0)], numbers, targets, **more)


def halves(n_frames, n_targets):
    """Two states of equal share, at random."""
    first = np.random.default_rng(5).random((n_frames, n_targets, 1)).astype(np.float32)
    return np.concatenate([first, 1 - first], axis=2)


@pytest.fixture
def gas():
    """60 lithium and 90 sulfur atoms anywhere in a triclinic cell, 60 frames."""
    rng = np.random.default_rng(3)
    positions = rng.random((60, 150, 3)) @ TRICLINIC
    return system(positions, TRICLINIC, np.repeat([3, 16], [60, 90]), np.arange(60)[:, None])


def test_ideal_gas_has_g_of_one(gas):
    """Beyond half the cell as well; each wide shell holds 60 x 60 x >100 pairs, so g is one to 2 %."""
    result = ga.radial_distribution(halves(60, 60), gas, r_max=9.0, bin_width=1.0)
    assert result.pairs == (("Li", "Li"), ("Li", "S"))
    assert result.g.shape == (2, 2, 9)
    np.testing.assert_allclose(result.g[:, :, 2:], 1, atol=0.02)
    assert ((result.lower <= result.g) & (result.g <= result.upper)).all()
    volume = np.linalg.det(TRICLINIC)
    ideal = 4 / 3 * np.pi * 9.0**3 * np.array([59, 90]) / volume
    np.testing.assert_allclose(result.coordination[:, :, -1], [ideal, ideal], rtol=0.01)


def test_fcc_shells():
    """12 neighbours at a/sqrt 2, 6 at a, 24 at a sqrt 1.5, in a 2 x 2 x 2 cell and beyond half of it."""
    a = 4.0
    cell = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    shifts = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    positions = (cell + shifts[:, None]).reshape(1, 32, 3) * a
    crystal = system(positions, np.eye(3) * 2 * a, np.full(32, 29), np.arange(32)[:, None])
    result = ga.radial_distribution(halves(1, 32), crystal, r_max=5.5, bin_width=0.1)
    count = result.coordination[0, 0]
    for r, n in ((2.7, 0), (3.0, 12), (4.2, 18), (5.2, 42)):
        assert count[np.searchsorted(result.edges, r) - 1] == pytest.approx(n, abs=1e-9)
    shell = 4 / 3 * np.pi * (2.9**3 - 2.8**3)
    assert result.g[1, 0, 28] == pytest.approx(12 / (31 / (2 * a) ** 3 * shell), rel=1e-6)
    assert np.isnan(result.lower).all()  # a single frame has no interval
    assert result.interval == "no interval: no lasting change of state was seen"


def test_states_are_told_apart():
    """Targets in state 0 have one sulfur at 2.1 Å, those in state 1 two at 3.1 Å."""
    numbers = np.array([3, 16, 3, 16, 16])
    positions = np.array([[[1, 1, 1], [3.1, 1, 1], [15, 15, 15], [18.1, 15, 15], [11.9, 15, 15]]], float)
    two = system(np.repeat(positions, 10, axis=0), np.eye(3) * 40, numbers, [[0], [2]])
    chi = np.repeat(np.eye(2)[None], 10, axis=0)
    result = ga.radial_distribution(chi, two, r_max=4.0, bin_width=0.5)
    np.testing.assert_allclose(result.coordination[0, 1, [3, 4, 7]], [0, 1, 1])
    np.testing.assert_allclose(result.coordination[1, 1, [5, 6, 7]], [0, 2, 2])
    charge = ga.charge_integral(chi, two, np.array([1, -2, 0.5, -1, -1]), r_max=4.0, bin_width=0.5)
    np.testing.assert_allclose(charge.charge[:, [0, 4, 5, 8]], [[1, 1, -1, -1], [0.5, 0.5, 0.5, -1.5]])
    np.testing.assert_allclose(charge.at(3.25), [-1, -0.5])
    with pytest.raises(ValueError, match="radius 5 Å is outside 0 to 4 Å"):
        charge.at(5)
    assert np.isnan(charge.lower).all()
    assert charge.interval == "no interval: no lasting change of state was seen"


def test_against_mdanalysis(gas):
    """The same orthogonal gas, all in one state, counted by MDAnalysis."""
    import MDAnalysis
    from MDAnalysis.analysis.rdf import InterRDF

    rng = np.random.default_rng(11)
    positions = rng.random((20, 80, 3)) * [14.0, 15.0, 16.0]
    box = np.diag([14.0, 15.0, 16.0])
    one = system(positions, box, np.repeat([3, 16], [30, 50]), np.arange(30)[:, None])
    certain = np.zeros((20, 30, 2))
    certain[..., 0] = 1
    result = ga.radial_distribution(certain, one, r_max=6.0, bin_width=0.25)
    universe = MDAnalysis.Universe.empty(80, trajectory=True)
    universe.load_new(positions, dimensions=np.tile([14, 15, 16, 90, 90, 90], (20, 1)))
    for s, (others, exclusion) in enumerate(((universe.atoms[:30], (1, 1)), (universe.atoms[30:], None))):
        rdf = InterRDF(
            universe.atoms[:30], others, nbins=24, range=(0, 6.0), exclusion_block=exclusion, backend="serial"
        ).run()
        # MDAnalysis keeps float32, so a pair may fall on the other side of an edge.
        shell = 4 / 3 * np.pi * np.diff(result.edges**3)
        one_pair = 1 / (20 * 30 * (29 if s == 0 else 50) / (14 * 15 * 16) * shell)
        assert (np.abs(result.g[0, s] - rdf.results.rdf) <= 2.01 * one_pair).all()
    assert np.isnan(result.g[1]).all()
    assert np.isnan(result.coordination[1]).all()


def test_properties(gas):
    """Rotation, translation, wrapping and permutation change nothing."""
    chi = halves(60, 60)
    expected = ga.radial_distribution(chi, gas, r_max=5.0, bin_width=0.5, max_frames=10)
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    order = rng.permutation(150)
    moved = (gas.positions[0] + [1.3, -7.0, 2.2] + rng.integers(-3, 4, (60, 150, 3)) @ TRICLINIC) @ rotation
    other = system(moved[:, order], TRICLINIC @ rotation, gas.atomic_numbers[order], np.argsort(order)[:60, None])
    found = ga.radial_distribution(chi, other, r_max=5.0, bin_width=0.5, max_frames=10)
    np.testing.assert_allclose(found.g, expected.g, rtol=1e-9)
    assert expected.n_frames == 10


def test_molecules_are_seen_from_their_centre_of_mass():
    """Water across the border of the cell: the centre of mass is that of the whole molecule, at every time."""
    x = np.array([[[0.1, 5, 5], [9.6, 5.6, 5], [0.9, 5.6, 5], [0.1, 5.066, 8.0]]])
    x = np.concatenate([x, x + [0.3, 0, 0], x + [12.0, 0, 0]])
    water = system(x, np.eye(3) * 10, [8, 1, 1, 3], [[0, 1, 2]])
    centers = water.target_positions()[0]
    mass = np.array([15.999, 1.008, 1.008])
    expected = (mass @ np.array([0.1, -0.4, 0.9])) / mass.sum()
    np.testing.assert_allclose(centers[:, 0, 0], expected + np.array([0, 0.3, 12.0]), atol=1e-4)
    chi = np.tile([[[1.0, 0.0]]], (3, 1, 1))
    result = ga.radial_distribution(chi, water, r_max=4.0, bin_width=0.5)
    assert result.coordination[0, 1, -1] == 1  # Li, at 3 Å
    assert result.coordination[0, 0, -1] == 0  # no hydrogen: they are the target's own
    assert np.isnan(result.g[0, 0]).all()  # there is no other hydrogen either
    assert ga.charge_integral(chi, water, np.array([-0.8, 0.4, 0.4, 1])).at(0)[0] == pytest.approx(0)


def test_targets_of_two_elements_are_kept_apart():
    """Li with one sulfur at 2.1 Å, Na with one at 3.1 Å."""
    x = np.array([[[0, 0, 0], [2.1, 0, 0], [10, 10, 10], [13.1, 10, 10]]], float)
    two = system(x, np.eye(3) * 30, [3, 16, 11, 16], [[2], [0]])
    result = ga.radial_distribution(np.ones((1, 2, 2)) / 2, two, r_max=4, bin_width=0.5)
    at = {pair: result.coordination[0, s, [3, 4, 5, 6]] for s, pair in enumerate(result.pairs)}
    assert set(at) == {(a, b) for a in ("Li", "Na") for b in ("Li", "Na", "S")}
    np.testing.assert_allclose(at["Li", "S"], [0, 1, 1, 1])
    np.testing.assert_allclose(at["Na", "S"], [0, 0, 0, 1])
    np.testing.assert_allclose(at["Na", "Li"], 0)


EDGES = np.arange(0, 8.01, 0.05)
R = (EDGES[1:] + EDGES[:-1]) / 2
SHELLS = {  # g, and where it has its first minimum
    "liquid": (
        np.where(R < 2, 0, 1 + 4 * np.exp(-(((R - 2.5) / 0.2) ** 2)) - 0.9 * np.exp(-(((R - 3.4) / 0.3) ** 2))),
        3.4,
    ),
    "two shells": (
        4 * np.exp(-(((R - 2.1) / 0.15) ** 2))
        + 1.5 * np.exp(-(((R - 3.4) / 0.3) ** 2))
        + 1 / (1 + np.exp((3.4 - R) / 0.4)),
        2.475,
    ),
    "shallow": (
        np.where(R < 2.4, 0, 1)
        * (
            1
            + 1.8 * np.exp(-(((R - 2.75) / 0.18) ** 2))
            - 0.2 * np.exp(-(((R - 3.4) / 0.35) ** 2))
            + 0.12 * np.exp(-(((R - 4.5) / 0.4) ** 2))
        ),
        3.39,
    ),
}


def distribution(*rows):
    g = np.array(rows)[None]
    bases = (ga.Basis(None, reason="short"),) * len(rows)
    return ga.RadialDistribution(
        r=R,
        edges=EDGES,
        pairs=tuple(("Li", f"X{k}") for k in range(len(rows))),
        g=g,
        lower=g,
        upper=g,
        coordination=g,
        coordination_lower=g,
        coordination_upper=g,
        n_frames=1,
        bases=bases,
    )


def test_first_shell():
    result = distribution(*(g for g, _ in SHELLS.values()), np.zeros_like(R), np.ones_like(R))
    found = ga.first_shell(result, [1.0])
    np.testing.assert_allclose(found[:3], [minimum for _, minimum in SHELLS.values()], atol=0.05)
    assert np.isnan(found[3:]).all()


@pytest.mark.parametrize(("name", "noise"), [("liquid", 0.05), ("liquid", 0.1), ("two shells", 0.1), ("shallow", 0.05)])
def test_first_shell_in_spite_of_noise(name, noise):
    """Within 0.1 Å for 98 of 100 draws of noise."""
    g, minimum = SHELLS[name]
    rng = np.random.default_rng(1)
    noisy = distribution(*(g * (1 + noise * rng.normal(size=g.shape)) for _ in range(100)))
    found = ga.first_shell(noisy, [1.0])
    assert (np.abs(found - minimum) <= 0.1).sum() >= 98


def step(r):
    """Excluded volume: 0 below r, 1 above."""
    return 1 / (1 + np.exp((r - R) / 0.25))


def bump(center, width, height):
    return height * np.exp(-(((R - center) / width) ** 2))


NO_SHELLS = {
    "ideal gas": np.ones_like(R),
    "dilute gas": np.exp(-4 * ((3.4 / R) ** 12 - (3.4 / R) ** 6) / 1.5),  # exp(-u / kT)
    "far atoms of a large molecule": step(3.2) * (1 + bump(5.3, 0.9, 0.2) - bump(7.2, 0.6, 0.05)),
}


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("name", NO_SHELLS)
def test_no_shell_where_none_is(name, noise):
    """Not even in 1 of 20 draws of noise."""
    rng = np.random.default_rng(1)
    noisy = distribution(*(NO_SHELLS[name] * (1 + noise * rng.normal(size=R.shape)) for _ in range(20)))
    assert np.isnan(ga.first_shell(noisy, [1.0])).all()


def test_of_several_minima_the_first_that_deserves_it():
    """A ripple before the shell, and a peak that is split above the mean density, end no shell."""
    ripple = step(3.0) * (1 + bump(3.6, 0.4, 0.12) - bump(4.3, 0.4, 0.15) + bump(5.5, 0.5, 1.2) - bump(6.6, 0.5, 0.45))
    split = step(2.6) * (1 + bump(3.0, 0.2, 0.9) + bump(3.6, 0.3, 2.2) - bump(4.7, 0.6, 0.65) + bump(6.2, 0.8, 0.3))
    found = ga.first_shell(distribution(ripple, split), [1.0])
    expected = [R[k][np.argmin(g[k])] for g, k in ((ripple, R > 5.5), (split, (R > 4) & (R < 6)))]
    np.testing.assert_allclose(found, expected, atol=0.1)


def wandering_coordination(n_frames, n_targets, rate, rng):
    """Pairs of a target and an atom that is 2 Å or 5 Å away, changing at a rate."""
    near = rng.random(n_targets) < 0.5
    distance = np.empty((n_frames, n_targets))
    for t in range(n_frames):
        near ^= rng.random(n_targets) < rate
        distance[t] = np.where(near, 2.0, 5.0)
    place = np.stack(np.meshgrid(*[np.arange(8) * 12.0] * 3), axis=-1).reshape(-1, 3)[:n_targets]
    positions = np.concatenate([np.tile(place, (n_frames, 1, 1))] * 2, axis=1)
    positions[:, n_targets:, 0] += distance
    numbers = np.repeat([3, 16], n_targets)
    return system(positions, np.eye(3) * 96.0, numbers, np.arange(n_targets)[:, None])


def test_interval_of_a_coordination_number_that_changes_slowly():
    """States forget at once, the coordination within 25 frames: 95 % intervals of 20 draws hold one half."""
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(20):
        there = wandering_coordination(1000, 2, 0.02, rng)
        p = rng.random((1000, 2, 1))
        found = ga.radial_distribution(
            np.concatenate([p, 1 - p], axis=2), there, r_max=6.0, bin_width=0.5, max_frames=1000
        )
        k = found.pairs.index(("Li", "S"))
        at = 0, k, 5  # within 3 Å
        assert found.coordination_lower[at] < found.coordination[at] < found.coordination_upper[at]
        inside.append(found.coordination_lower[at] < 0.5 < found.coordination_upper[at])
        assert found.bases[k].block_length > 50
    assert np.sum(inside) >= 17


def test_interval_of_frozen_surroundings():
    """Targets whose coordination never changes: time tells nothing more, the targets are what is averaged over."""
    there = wandering_coordination(300, 60, 0.0, np.random.default_rng(3))
    found = ga.radial_distribution(halves(300, 60), there, r_max=6.0, bin_width=0.5, max_frames=300)
    k = found.pairs.index(("Li", "S"))
    width = found.coordination_upper[0, k, 5] - found.coordination_lower[0, k, 5]
    assert np.isnan(width) or width == pytest.approx(2 * 2.02 * 0.5 / np.sqrt(60), rel=0.3)
    assert found.bases[k].kind in (None, "groups of targets")


def test_tables_of_surroundings(gas):
    chi = halves(60, 60)
    result = ga.radial_distribution(chi, gas, r_max=5.0, bin_width=0.5)
    table = result.to_dataframe()
    assert len(table) == 2 * 2 * 10
    row = table[(table["state"] == 1) & (table["element"] == "S")].iloc[-1]
    assert (row["target"], row["r_angstrom"], row["shell_ends_angstrom"]) == ("Li", 4.75, 5.0)
    assert row["coordination_upper"] == result.coordination_upper[1, 1, -1]
    charge = ga.charge_integral(chi, gas, np.ones(150), r_max=5.0, bin_width=0.5)
    table = charge.to_dataframe()
    np.testing.assert_array_equal(table["charge_e"], charge.charge.ravel())
    np.testing.assert_array_equal(table["radius_angstrom"][:11], charge.radii)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": [3]}, r"targets must have shape \(n_targets, k\), got \(1,\)"),
        ({"targets": [[4]]}, "target atom 4 is not one of the 4 atoms"),
        ({"positions": [np.zeros((2, 3, 3))]}, r"positions of segment 0 must have shape \(F, 4, 3\), got \(2, 3, 3\)"),
        ({"lattices": [np.zeros((1, 3, 3))]}, r"lattices of segment 0 must have shape \(2, 3, 3\), got \(1, 3, 3\)"),
        ({"lattices": []}, "1 segments of positions, 0 of lattices"),
    ],
)
def test_bad_system(change, message):
    good = {
        "positions": [np.zeros((2, 4, 3))],
        "lattices": [np.tile(np.eye(3), (2, 1, 1))],
        "atomic_numbers": [3, 3, 16, 16],
        "targets": [[0]],
    }
    with pytest.raises(ValueError, match=message):
        ga.System(**{**good, **change})


def test_wrong_arguments(gas):
    chi = halves(60, 60)
    with pytest.raises(ValueError, match=r"chi is of \(frames, targets\) \[\(59, 60\)\], the system of \[\(60, 60\)\]"):
        ga.radial_distribution(chi[:59], gas)
    with pytest.raises(ValueError, match="r_max 0 Å must hold at least one shell of width 0.05 Å"):
        ga.radial_distribution(chi, gas, r_max=0)
    with pytest.raises(ValueError, match=r"150 finite charges are needed, got shape \(3,\)"):
        ga.charge_integral(chi, gas, np.ones(3))
    slab = system(gas.positions[0], TRICLINIC, gas.atomic_numbers, gas.targets, periodic=(True, True, False))
    with pytest.raises(ValueError, match="periodic in all directions: it has no density"):
        ga.radial_distribution(chi, slab)


def test_read_charges(tmp_path):
    numbers = np.array([3, 16, 16])
    np.testing.assert_array_equal(ga.read_charges("Li=1, S=-0.5", numbers), [1, -0.5, -0.5])
    (tmp_path / "q.txt").write_text("1\n-0.4\n-0.6\n")
    np.testing.assert_array_equal(ga.read_charges(str(tmp_path / "q.txt"), numbers), [1, -0.4, -0.6])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Li=1", "`charges=Li=1`: no charge of S"),
        ("Li=x,S=1", "`charges=Li=x`: 'x' is no charge"),
        ("Li=inf,S=1", "`charges=Li=inf`: 'inf' is no charge"),
        ("Xx=1", "`charges`: 'Xx' is not an element symbol"),
        ("nothing.txt", "`charges=nothing.txt`: neither a file nor a list such as Li=1,S=-2"),
    ],
)
def test_bad_charges(given, message):
    with pytest.raises(ValueError, match=message):
        ga.read_charges(given, np.array([3, 16, 16]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2\n", "q.txt: 2 charges for 3 atoms"),
        (b"1 2 y\n", "q.txt: atom 2: 'y' is no charge"),
        (b"\x93\xff", "q.txt: is no text file of charges"),
    ],
)
def test_bad_charge_file(tmp_path, content, message):
    (tmp_path / "q.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ga.read_charges(str(tmp_path / "q.txt"), np.array([3, 16, 16]))
