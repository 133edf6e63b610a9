"""Paths across the border of the cell: constant, variable and triclinic ones, and frames that are too far apart."""

import numpy as np
import pytest

from gdynet_tf.commands.build_graphs import main
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.trajectory import Trajectory, concatenate, unwrap
from gdynet_tf.trajectory.cells import cell_lattice, completed_lattices, plane_spacings, toroidal_paths

CELL = np.array([[9.0, 0, 0], [2.0, 8, 0], [-1.5, 1, 10]])


def fluctuating(n_frames, width, rng, correlation=20):
    """Lattices (F, 3, 3) whose vectors breathe, each on its own."""
    keep = np.exp(-1 / correlation)
    noise = width * np.sqrt(1 - keep**2) * rng.normal(size=(n_frames, 3))
    strain = np.zeros((n_frames, 3))
    for k in range(1, n_frames):
        strain[k] = keep * strain[k - 1] + noise[k]
    return CELL * (1 + strain)[..., None]


def brownian_in(lattices, n_atoms, diffusivity, rng):
    """Brownian particles that a barostat carries along with the cell: wrapped (F, N, 3), and the walk alone."""
    steps = rng.normal(0, np.sqrt(2 * diffusivity), (len(lattices), n_atoms, 3))
    fractional = rng.random((n_atoms, 3)) + (steps @ np.linalg.inv(lattices)).cumsum(axis=0)
    return (fractional % 1) @ lattices, steps.cumsum(axis=0)


def diffusivity(paths, lag):
    return np.square(paths[lag:] - paths[:-lag]).sum(axis=-1).mean() / (6 * lag)


def straight(n_frames, cell=10.0):
    """1 Å a frame along x, wrapped."""
    positions = np.zeros((n_frames, 2, 3))
    positions[:, 0, 0] = np.arange(n_frames) % cell
    lattices = np.repeat(np.eye(3)[None] * cell, n_frames, axis=0)
    return Trajectory("straight", positions, lattices, [3, 16], frame_interval=0.5, time_unit="ps")


def test_lattice_of_lengths_and_angles():
    """Each length and each angle is the one that was given; the first vector along x, the second in the xy plane."""
    lattice = cell_lattice([4, 5, 6, 70, 80, 100])
    lengths = np.linalg.norm(lattice, axis=1)
    np.testing.assert_allclose(lengths, [4, 5, 6])
    cosines = lattice @ lattice.T / np.outer(lengths, lengths)
    np.testing.assert_allclose(cosines[[1, 0, 0], [2, 2, 1]], np.cos(np.radians([70, 80, 100])))
    assert np.linalg.det(lattice) > 0
    np.testing.assert_array_equal(np.triu(lattice, 1), 0)
    np.testing.assert_array_equal(cell_lattice([4, 5, 6]), np.diag([4.0, 5, 6]))
    np.testing.assert_array_equal(cell_lattice([4, 5, 6, 90, 90, 90]), np.diag([4.0, 5, 6]))
    assert cell_lattice([4, 5, 6, 0.5, 90, 90])[2, 2] == pytest.approx(6 * np.sin(np.radians(0.5)))


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ([4, 5], "three lengths, or three lengths and three angles, are needed"),
        ([4, 5, 6, 90], "three lengths, or three lengths and three angles, are needed"),
        ([4, 0, 6], "lengths must be between 0 and 100000 Å"),
        ([4, -5, 6], "lengths must be between 0 and 100000 Å"),
        ([4, np.inf, 6], "lengths must be between 0 and 100000 Å"),
        ([4, 5, 6, 0, 90, 90], "angles between 0 and 180 degrees"),
        ([4, 5, 6, 90, 180, 90], "angles between 0 and 180 degrees"),
        ([4, 5, 6, 30, 30, 90], "no cell has these three angles"),
    ],
)
def test_what_is_no_cell(cell, why):
    with pytest.raises(InputError, match=f"^`cell={' '.join(f'{x:g}' for x in cell)}`: .*{why}"):
        cell_lattice(cell)


def test_plane_spacings_are_volume_over_area():
    a, b, c = CELL
    volume = abs(np.linalg.det(CELL))
    areas = [np.linalg.norm(np.cross(x, y)) for x, y in ((b, c), (c, a), (a, b))]
    np.testing.assert_allclose(plane_spacings(np.stack([CELL, 2 * CELL])), np.outer([1, 2], volume / np.array(areas)))


def test_zero_vectors_along_open_directions_become_unit_vectors():
    """Each frame on its own: those that are given stay, the others are normal to them and to each other."""
    lattices = np.zeros((4, 3, 3))
    lattices[0] = CELL
    lattices[1, :2] = [[3, 4, 0], [0, 2, 1]]
    lattices[2, 1] = [0, 3, 4]
    given = lattices.copy()
    completed = completed_lattices(lattices, (False, False, False))
    np.testing.assert_array_equal(lattices, given)  # not changed in place
    np.testing.assert_array_equal(completed[0], CELL)
    np.testing.assert_array_equal(completed[1, :2], given[1, :2])
    np.testing.assert_allclose(np.abs(completed[1, 2]), np.array([4, 3, 6]) / np.sqrt(61))
    np.testing.assert_array_equal(completed[2, 1], [0, 3, 4])
    others = completed[2, [0, 2]]
    np.testing.assert_allclose(others @ np.array([others[0], others[1], [0, 3, 4]]).T, np.eye(2, 3), atol=1e-12)
    np.testing.assert_allclose(completed[3] @ completed[3].T, np.eye(3), atol=1e-12)


def test_zero_vectors_along_periodic_directions_are_left():
    """They are a fault of the file, which is told elsewhere."""
    lattices = np.zeros((1, 3, 3))
    lattices[0, 0, 0] = 5
    completed = completed_lattices(lattices, (True, True, False))
    np.testing.assert_array_equal(completed[0, :2], [[5, 0, 0], [0, 0, 0]])
    assert completed_lattices(CELL[None], (True, True, False))[0] == pytest.approx(CELL)


def test_toroidal_paths_in_a_fluctuating_cell():
    """Known D = 0.5: the walk's steps come back, lattice vectors alone add those of the cell."""
    rng = np.random.default_rng(0)
    lattices = fluctuating(6000, 0.05, rng)
    wrapped, walk = brownian_in(lattices, 30, 0.5, rng)
    images = unwrap(wrapped, lattices)
    paths = toroidal_paths(images, lattices)
    for lag in (30, 100, 1000):
        truth = diffusivity(walk, lag)
        # The cell moves a wrapped atom by some 5 % of 10 Å at most, an error that does not grow with time.
        bound = 2 * 3 * (0.05 * 10) ** 2 / (6 * lag)
        assert diffusivity(paths, lag) == pytest.approx(truth, abs=bound + 0.02 * truth)
        assert diffusivity(images, lag) - truth > 3 * abs(diffusivity(paths, lag) - truth)
    assert diffusivity(images, 30) > 1.3 * diffusivity(walk, 30)


def test_toroidal_paths_by_hand():
    """One crossing of a cell that has grown from 10 to 11 Å: 9 -> 1 is a step of 1 - 9 + 11."""
    lattices = np.eye(3) * np.array([10.0, 11.0, 10.0])[:, None, None]
    images = np.array([9.0, 12.0, 11.0])[:, None, None] * [1.0, 0, 0]
    found = toroidal_paths(images, lattices)[:, 0, 0]
    np.testing.assert_allclose(found, [9, 12, 12])  # the atom stayed at 1 Å while the cell shrank


def test_toroidal_paths_of_a_constant_cell_are_the_positions():
    rng = np.random.default_rng(1)
    lattices = np.repeat(CELL[None], 50, axis=0)
    images = unwrap(brownian_in(lattices, 3, 0.5, rng)[0], lattices)
    np.testing.assert_array_equal(toroidal_paths(images, lattices), images)
    almost = lattices * (1 + 1e-12 * rng.normal(size=(50, 1, 1)))
    np.testing.assert_allclose(toroidal_paths(images, almost), images, atol=1e-8)


def test_toroidal_paths_leave_other_directions_alone():
    """Where there is no border, the position is its own path, however the cell varies."""
    rng = np.random.default_rng(2)
    lattices = np.eye(3) * 10 * (1 + 0.05 * rng.normal(size=(40, 1, 3)))
    positions = np.cumsum(rng.normal(size=(40, 2, 3)), axis=0)
    found = toroidal_paths(positions, lattices, (True, False, False))
    np.testing.assert_allclose(found[..., 1:], positions[..., 1:], atol=1e-12)


def test_frames_left_out_change_little():
    """Paths from every seventh frame are those from all frames, but for the cell's change within seven frames."""
    rng = np.random.default_rng(3)
    lattices = fluctuating(3000, 0.01, rng, correlation=200)
    wrapped, _ = brownian_in(lattices, 20, 0.1, rng)
    images = unwrap(wrapped, lattices)
    every, seventh = toroidal_paths(images, lattices)[::7], toroidal_paths(images[::7], lattices[::7])
    for lag in (10, 100):
        assert diffusivity(seventh, lag) == pytest.approx(diffusivity(every, lag), rel=0.01)


def test_unwrap_against_mdanalysis():
    """NoJump in a triclinic cell that varies: the same images."""
    import MDAnalysis
    from MDAnalysis.lib.mdamath import triclinic_box
    from MDAnalysis.transformations import NoJump

    rng = np.random.default_rng(4)
    lattices = fluctuating(60, 0.02, rng)
    wrapped, _ = brownian_in(lattices, 5, 0.3, rng)
    universe = MDAnalysis.Universe.empty(5, trajectory=True)
    universe.load_new(wrapped.astype(np.float32), dimensions=np.array([triclinic_box(*cell) for cell in lattices]))
    universe.trajectory.add_transformations(NoJump())
    expected = np.array([step.positions.copy() for step in universe.trajectory])
    np.testing.assert_allclose(unwrap(wrapped, lattices), expected, atol=1e-3)  # single precision


@pytest.mark.parametrize(("width", "coarse"), [(0.12, False), (0.2, True)])
def test_frames_that_are_too_far_apart(width, coarse):
    """Random walks by steps of 0.12 cells are followed, of 0.2 (1.2 % of the steps beyond half a cell) not."""
    walk = np.random.default_rng(5).normal(0, width, (300, 10, 3)).cumsum(axis=0)
    lattices = np.repeat(CELL[None], 300, axis=0)
    still = np.ones((300, 4, 3))
    positions = np.concatenate([still, (walk % 1) @ CELL], axis=1)
    trajectory = Trajectory("walk", positions, lattices, [16] * 4 + [3] * 10, segments=(100, 200))
    found = trajectory.unwrap().findings
    assert [finding.kind for finding in found] == ["coarse frames"] * coarse
    if coarse:
        assert found[0].severity == "warning"
        assert found[0].numbers["atomic_number"] == 3
        assert found[0].numbers["beyond_0.4"] == pytest.approx(0.043, rel=0.2)  # of a wrapped normal distribution
        assert "too far apart to follow Li across the border of the cell: 21 % of the steps" in found[0].text
        assert trajectory.select(stride=2).findings == found
        assert concatenate([trajectory.unwrap(), trajectory]).findings == found


def test_rare_jumps_of_half_a_cell_are_seen():
    """One atom in ten jumps by 0.45 cells now and then, the others rattle."""
    rng = np.random.default_rng(6)
    positions = rng.normal(0, 0.02, (2000, 10, 3))
    positions[:, 0, 0] += 0.45 * (rng.random(2000) < 0.01).cumsum()
    lattices = np.repeat(np.eye(3)[None], 2000, axis=0)
    (finding,) = Trajectory("jumps", positions % 1, lattices, np.full(10, 3)).unwrap().findings
    assert finding.numbers["beyond_quarter"] < 1e-3
    assert Trajectory("still", positions[:, 1:] % 1, lattices, np.full(9, 3)).unwrap().findings == ()


def test_all_frames_are_unwrapped_before_some_are_chosen():
    """40 Å straight on in a cell of 10 Å, every sixth frame."""
    trajectory = straight(41)
    found = trajectory.select(stride=6)
    np.testing.assert_allclose(found.positions[:, 0, 0], np.arange(0, 41, 6))
    assert found.frame_interval == 3.0
    assert not found.findings
    part = trajectory.select(5, 30, 6)
    np.testing.assert_allclose(part.positions[:, 0, 0], np.arange(5, 30, 6))
    two = concatenate([trajectory, straight(25)]).select(stride=6)
    np.testing.assert_allclose(two.positions[:, 0, 0], [*np.arange(0, 41, 6), *np.arange(1, 25, 6)])


def test_steps_of_a_file_that_is_unwrapped_stand():
    """Steps of 6 Å in a cell of 10 Å, which the file holds."""
    positions = np.zeros((10, 1, 3))
    positions[:, 0, 0] = 6.0 * np.arange(10)
    lattices = np.repeat(np.eye(3)[None] * 10, 10, axis=0)
    trajectory = Trajectory("far", positions, lattices, [3], unwrapped=True)
    np.testing.assert_array_equal(trajectory.select(stride=2).positions, positions[::2])
    assert not trajectory.unwrap().findings


def test_straight_motion_with_a_stride_in_the_graph_directory(tmp_path):
    from ase import Atoms
    from ase.io import write

    trajectory = straight(41)
    frames = [
        Atoms(["Li", "S"], x, cell=cell, pbc=True)
        for x, cell in zip(trajectory.positions, trajectory.lattices, strict=True)
    ]
    write(tmp_path / "straight.xyz", frames, format="extxyz")
    arguments = [str(tmp_path / "straight.xyz"), "--targets", "Li", "--stride", "6", "--n-neighbors", "2"]
    assert main([*arguments, "--out", str(tmp_path / "graphs"), "--n-workers", "1"]) == 0
    graphs = open_graphs(tmp_path / "graphs")
    np.testing.assert_allclose(graphs.array(0, "positions")[:, 0, 0], np.arange(0, 41, 6))


def test_coarse_frames_are_said_and_kept(tmp_path, capsys):
    """The finding is printed by the command and stands in meta.json."""
    walk = np.random.default_rng(7).normal(0, 0.25, (100, 4, 3)).cumsum(axis=0)
    np.savez(
        tmp_path / "walk.npz",
        traj_coords=(walk % 1) * 8,
        lattices=np.repeat(np.eye(3)[None] * 8, 100, axis=0),
        atom_types=[3] * 4,
    )
    arguments = [str(tmp_path / "walk.npz"), "--targets", "Li", "--n-neighbors", "2", "--n-workers", "1"]
    assert main([*arguments, "--out", str(tmp_path / "graphs")]) == 0
    assert "walk.npz: Frames are too far apart to follow Li" in capsys.readouterr().err
    (finding,) = open_graphs(tmp_path / "graphs").meta["trajectories"][0]["findings"]
    assert (finding["kind"], finding["severity"]) == ("coarse frames", "warning")
    assert 0.2 < finding["numbers"]["beyond_quarter"] < 0.4
