"""Bond order against pymatgen and exact values; profiles and densities; exported files read back."""

import itertools

import numpy as np
import pytest

from gdynet_tf import analysis as ga

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])


def test_exact_bond_orders():
    """Tetrahedron: q3 = sqrt(5)/3; octahedron: q4 = sqrt(7/12), no odd part; q of one bond is 1."""
    assert ga.bond_order(TETRAHEDRON, 3) == pytest.approx(np.sqrt(5) / 3)
    assert ga.bond_order(OCTAHEDRON, 4) == pytest.approx(np.sqrt(7 / 12))
    assert ga.bond_order(OCTAHEDRON, 3) == pytest.approx(0, abs=1e-7)
    np.testing.assert_allclose(ga.bond_order(np.array([[[0, 0, 2.0]], [[1.0, 2, 3]]]), 6), 1)


def test_bond_order_against_pymatgen():
    from pymatgen.analysis.local_env import LocalStructOrderParams
    from pymatgen.core import Lattice, Structure

    vectors = np.random.default_rng(4).normal(size=(5, 7, 3))
    parameters = LocalStructOrderParams(["q2", "q4", "q6"])
    for bonds in vectors:
        around = Structure(
            Lattice.cubic(50), ["Li"] * 8, np.concatenate([[[25, 25, 25]], 25 + bonds]), coords_are_cartesian=True
        )
        expected = parameters.get_order_parameters(around, 0, indices_neighs=list(range(1, 8)))
        np.testing.assert_allclose([ga.bond_order(bonds, order) for order in (2, 4, 6)], expected, rtol=1e-9)


def test_bond_order_is_invariant():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(3, 6, 3))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = vectors[:, rng.permutation(6)] @ rotation * 1.7
    np.testing.assert_allclose(ga.bond_order(turned, 3), ga.bond_order(vectors, 3), rtol=1e-12)


def diamond(n_frames=3):
    """2 x 2 x 2 cells of diamond, shaken by up to 0.01 Å."""
    a = 5.43
    fcc = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    basis = np.concatenate([fcc, fcc + 0.25])
    shifts = np.array(list(itertools.product((0, 1), repeat=3)))
    positions = (basis + shifts[:, None]).reshape(-1, 3) * a
    positions = positions + np.random.default_rng(0).uniform(-0.01, 0.01, (n_frames, 64, 3))
    cells = np.tile(np.eye(3) * 2 * a, (n_frames, 1, 1))
    return ga.System(positions, cells, np.full(64, 14), np.arange(64)[:, None])


def test_bond_order_of_a_crystal():
    values, frames = ga.bond_order_of_targets(diamond(), 3, 4)
    assert values.shape == (3, 64)
    assert frames == [(0, 0), (0, 1), (0, 2)]
    np.testing.assert_allclose(values, np.sqrt(5) / 3, atol=0.01)


def test_state_distribution():
    """Values 0.1 in state 0 and 0.9 in state 1; a third state never occurs."""
    values = np.array([[0.1, 0.9], [0.1, 0.9]])
    chi = np.array([[[1, 0, 0], [0, 1, 0]]] * 2, float)
    found = ga.state_distribution(values, chi, [0, 0.5, 1])
    np.testing.assert_allclose(found.density[:2], [[2, 0], [0, 2]])
    np.testing.assert_allclose(found.mean[:2], [0.1, 0.9])
    assert np.isnan(found.density[2]).all()
    assert np.isnan(found.mean[2])
    assert np.isnan(found.lower).all()
    assert found.interval == "no interval: no lasting change of state was seen"


@pytest.fixture
def slab():
    """Targets at z = 2 in state 0, at z = 7 in state 1, in a cell of 10 Å; wrapped and not; and a sulfur."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 8, (20, 5, 3))
    positions[:, :4, 2] = np.array([2.2, 2.2, 7.2, 7.2]) + rng.integers(-2, 3, (20, 4)) * 10
    cells = np.tile(np.diag([8.0, 8, 10]), (20, 1, 1))
    chi = np.tile(np.eye(2)[[0, 0, 1, 1]], (20, 1, 1))
    return chi, ga.System(positions, cells, [3, 3, 3, 3, 16], np.arange(4)[:, None])


def test_profile(slab):
    found = ga.population_profile(*slab, axis=2, bin_width=1.0)
    expected = np.zeros((2, 10))
    expected[0, 2] = expected[1, 7] = 2  # targets per Å
    np.testing.assert_allclose(found.density, expected)
    assert np.isnan(found.lower).all()  # nothing ever moves
    np.testing.assert_allclose(found.position, np.arange(10) + 0.5)
    np.testing.assert_allclose(found.fraction[:, [2, 7]], np.eye(2))
    assert np.isnan(found.fraction[:, 0]).all()


def test_profile_of_a_triclinic_cell_is_along_the_normal():
    lattice = np.array([[5.0, 0, 0], [0, 5, 0], [3, 0, 8]])
    x = np.array([[[0.3, 0.1, 0.55]]]) @ lattice
    system = ga.System(x, lattice[None], [3], [[0]])
    found = ga.population_profile(np.array([[[1.0, 0.0]]]), system, bin_width=1.0)
    assert found.position[-1] == pytest.approx(7.5)  # 8 Å high
    assert found.density[0].argmax() == 4


def test_interval_of_a_profile():
    """A target that wanders through the cell slowly: the interval of a quarter's density holds one quarter."""
    rng = np.random.default_rng(1)
    inside, lengths = [], []
    for _ in range(20):
        z = rng.uniform(0, 8) + rng.normal(0, 0.4, (4000, 1, 1)).cumsum(axis=0)
        positions = np.concatenate([np.full((4000, 1, 2), 1.0), z], axis=2)
        p = rng.random((4000, 1, 1))
        system = ga.System(positions, np.tile(np.eye(3) * 8, (4000, 1, 1)), [3], [[0]])
        found = ga.population_profile(np.concatenate([p, 1 - p], axis=2), system, bin_width=2.0)
        total = 0.25 * 0.5 / 2  # of four bins of 2 Å, for each of the two states
        inside += ((found.lower[0] < total) & (total < found.upper[0])).tolist()
        lengths.append(found.basis.block_length)
        assert ((found.fraction_lower <= found.fraction) & (found.fraction <= found.fraction_upper)).all()
    assert min(lengths) > 20
    assert np.mean(inside) > 0.88


def test_tables(slab):
    profile = ga.population_profile(*slab, axis=2, bin_width=1.0)
    table = profile.to_dataframe()
    assert len(table) == 20
    assert set(table["axis"]) == {"z"}
    np.testing.assert_array_equal(table["density_per_angstrom"], profile.density.ravel())
    np.testing.assert_array_equal(table["fraction"], profile.fraction.ravel())
    density = ga.state_density(*slab, spacing=2.0)
    voxels = density.to_dataframe()
    assert len(voxels) == density.density.size
    row = voxels[(voxels["state"] == 1) & (voxels["targets_per_angstrom3"] > 0)].iloc[0]
    assert row["c"] == 0.6  # 7.2 Å of 10 in five voxels
    values = np.array([[0.1, 0.9], [0.1, 0.9]])
    chi = np.array([[[1, 0], [0, 1]]] * 2, float)
    table = ga.state_distribution(values, chi, [0, 0.5, 1]).to_dataframe()
    assert table[["state", "from", "to", "density"]].values.tolist() == [
        [0, 0, 0.5, 2],
        [0, 0.5, 1, 0],
        [1, 0, 0.5, 0],
        [1, 0.5, 1, 2],
    ]


def test_density(slab):
    chi, system = slab
    found = ga.state_density(chi, system, spacing=2.0)
    assert found.density.shape == (2, 4, 4, 5)
    voxel = 640 / 80
    np.testing.assert_allclose(found.density.sum(axis=(1, 2, 3)) * voxel, [2, 2])
    assert found.density[0][:, :, [0, 2, 3, 4]].max() == 0
    np.testing.assert_allclose(found.lattice, np.diag([8, 8, 10]))


@pytest.mark.parametrize("kind", ["sites", "liquid"])
def test_densities_of_two_halves(kind):
    """Many targets that hop between sites, and many that wander; in segments, of which one ends within the halves."""
    rng = np.random.default_rng(2)
    if kind == "sites":
        sites = np.stack(np.meshgrid(*[np.arange(3) * 3.0] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        place = sites[rng.integers(0, 27, (40, 20)).repeat(10, axis=0)]
        x = place + rng.normal(0, 0.3, (400, 20, 3)) + 9 * rng.integers(-2, 3, (1, 20, 3))
    else:
        x = rng.random((20, 3)) * 9 + rng.normal(0, 0.5, (400, 20, 3)).cumsum(axis=0)
    parts = np.split(x, [150])
    cells = [np.tile(np.eye(3) * 9, (len(part), 1, 1)) for part in parts]
    found = ga.density_correlation(ga.System(parts, cells, np.full(20, 3), np.arange(20)[:, None]))
    assert found > 0.7 if kind == "sites" else abs(found) < 0.3


def test_state_trajectory_is_read_back(slab, tmp_path):
    from ase.io import read

    chi, system = slab
    assert ga.write_state_trajectory(tmp_path / "t.extxyz", chi, system, max_frames=10) == 10
    frames = read(tmp_path / "t.extxyz", index=":")
    assert [frame.info["frame"] for frame in frames] == list(range(0, 20, 2))
    np.testing.assert_array_equal(frames[0].arrays["state"], [0, 0, 1, 1, -1])
    np.testing.assert_array_equal(frames[0].arrays["chi"][:4], chi[0])
    np.testing.assert_array_equal(frames[0].arrays["target"], [0, 1, 2, 3, -1])
    difference = (frames[3].positions - system.positions[0][6]) / [8, 8, 10]
    np.testing.assert_allclose(difference, np.round(difference), atol=1e-7)
    assert frames[0].get_chemical_symbols() == ["Li"] * 4 + ["S"]


def test_representatives(tmp_path):
    """The most typical of the certain samples: 2.0 Å among 1.8 ... 2.2 Å, although chi is as high for all."""
    from ase.io import read
    from pymatgen.core import Structure

    distance = np.linspace(1.8, 2.2, 41)
    positions = np.zeros((41, 3, 3))
    positions[:, 0] = [9.9, 1, 1]
    positions[:, 1] = positions[:, 0]
    positions[:, 1, 0] += distance
    positions[:, 2] = [5, 8, 8]
    system = ga.System(positions, np.tile(np.eye(3) * 20, (41, 1, 1)), [3, 16, 3], [[0], [2]])
    chi = np.zeros((41, 2, 3))
    chi[:, 0, 0] = chi[:, 1, 1] = 1
    found = ga.representative_frames(chi, system)
    assert abs(found[0][1] - 20) <= 1  # the mean of smeared neighbours is that of 2.0 Å up to their curvature
    assert found[0][2] == 0
    assert found[1][2] == 1
    assert found[2] is None  # never occurs
    files = ga.write_representatives(tmp_path, chi, system, found)
    assert sorted(f.name for f in files) == ["state_0.cif", "state_0.extxyz", "state_1.cif", "state_1.extxyz"]
    atoms = read(tmp_path / "state_0.extxyz")
    assert atoms.info == {"segment": 0, "frame": found[0][1], "target": 0, "state": 0}
    np.testing.assert_allclose(atoms.positions[0], [10, 10, 10])
    assert atoms.get_distance(0, 1) == pytest.approx(2.0, abs=0.011)
    structure = Structure.from_file(tmp_path / "state_0.cif")
    assert structure.composition.formula == "Li2 S1"
    assert structure.get_distance(0, 2) == pytest.approx(2.0, abs=0.011)  # CIF lists by element


def test_cube_is_read_back(slab, tmp_path):
    from ase.io.cube import read_cube_data

    density = ga.state_density(*slab, spacing=2.0)
    files = ga.write_density(tmp_path, density, slab[1])
    assert [f.name for f in files] == ["density_0.cube", "density_1.cube"]
    values, atoms = read_cube_data(str(files[1]))
    np.testing.assert_allclose(values, density.density[1], rtol=1e-4, atol=1e-10)
    assert len(atoms) == 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, s: ga.bond_order(np.ones((2, 3)), 0), "l must be at least 1, got 0"),
        (lambda c, s: ga.bond_order(np.zeros((2, 3)), 2), r"bonds must have shape \(..., n, 3\) and a length"),
        (lambda c, s: ga.bond_order_of_targets(s, 3, 0), "n_neighbors must be at least 1, got 0"),
        (
            lambda c, s: ga.bond_order_of_targets(ga.System(s.positions, s.lattices, s.atomic_numbers, [[0, 1]]), 3, 4),
            "bond-order parameters are of single atoms; these targets are groups",
        ),
        (
            lambda c, s: ga.bond_order_of_targets(
                ga.System(s.positions, s.lattices, s.atomic_numbers, s.targets, (False,) * 3), 3, 9
            ),
            "a target has only 4 neighbours within .* Å, 9 are asked for",
        ),
        (lambda c, s: ga.state_distribution(np.zeros((3, 4)), c, [0, 1]), r"values of shape \(3, 4\) do not fit chi"),
        (lambda c, s: ga.population_profile(c, s, axis=3), "axis must be 0, 1 or 2, got 3"),
        (
            lambda c, s: ga.population_profile(c, s, bin_width=50),
            "bin_width must be positive and at most the cell's 10 Å",
        ),
        (
            lambda c, s: ga.population_profile(
                c, ga.System(s.positions, s.lattices, s.atomic_numbers, s.targets, (True, True, False))
            ),
            "the system is not periodic along z",
        ),
        (
            lambda c, s: ga.state_density(
                c, ga.System(s.positions, s.lattices, s.atomic_numbers, s.targets, (True, True, False))
            ),
            "a density in the cell needs a system that is periodic in all directions",
        ),
        (lambda c, s: ga.state_density(c, s, spacing=0), "spacing must be positive"),
    ],
)
def test_wrong_arguments(slab, call, message):
    with pytest.raises(ValueError, match=message):
        call(*slab)
