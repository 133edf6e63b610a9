"""Nearest neighbours against brute force, the 2019 code and pymatgen, in every kind of cell."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from gdynet_tf.errors import InputError
from gdynet_tf.graphs import neighbors as module
from gdynet_tf.graphs.neighbors import nearest_neighbors, plane_spacings

CELLS = {
    "cubic": np.diag([5.0, 5.0, 5.0]),
    "orthorhombic": np.diag([4.0, 6.0, 9.0]),
    "triclinic": [[6.0, 0, 0], [2.0, 5.0, 0], [-1.0, 1.5, 4.5]],
    "needle": np.diag([2.0, 2.5, 30.0]),
    "plate": np.diag([12.0, 12.0, 1.5]),
    "skewed, not reduced": [[3.0, 0, 0], [2.9, 1.5, 0], [5.5, 1.1, 7.0]],
    "tiny": [[1.6, 0, 0], [0.5, 1.7, 0], [0.3, -0.6, 1.8]],
}


@pytest.fixture(params=["images", "tree"])
def path(request, monkeypatch):
    """Both ways of the function."""
    monkeypatch.setattr(module, "_MANY_ATOMS", 0 if request.param == "tree" else 10**9)


def brute_force(positions, lattice, m, periodic):
    """Sorted distances to all images in a box far larger than any of the test cells needs."""
    reach = np.where(periodic, np.ceil(16 / plane_spacings(lattice)).astype(int), 0)
    shifts = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), -1).reshape(-1, 3)
    fractional = positions @ np.linalg.inv(lattice)
    wrapped = (fractional - np.where(periodic, np.floor(fractional), 0)) @ lattice
    distances = np.linalg.norm(wrapped[:, None, None] - wrapped[:, None] - shifts @ lattice, axis=-1)  # (i, j, S)
    atoms = np.arange(len(positions))
    distances[atoms, atoms, len(shifts) // 2] = np.inf
    return np.sort(distances.reshape(len(positions), -1), axis=1)[:, :m]


@pytest.mark.parametrize("name", ["ortho", "triclinic", "smallcell", "tiny_triclinic"])
def test_2019_reference(path, data_path, name):
    reference = np.load(data_path / "neighbors.npz")
    expected = reference[f"{name}_distances"]
    neighbors, distances = nearest_neighbors(
        reference[f"{name}_positions"][None], reference[f"{name}_lattice"][None], expected.shape[1]
    )
    np.testing.assert_allclose(distances[0], expected, atol=1e-12)
    np.testing.assert_array_equal(neighbors[0], reference[f"{name}_neighbors"])


@pytest.mark.parametrize("periodic", [(True,) * 3, (True, True, False), (False, True, False)])
@pytest.mark.parametrize("cell", CELLS)
def test_brute_force(path, cell, periodic):
    """Positions are unwrapped by many cells, also where a direction is not periodic (there they count as they are)."""
    rng = np.random.default_rng(len(cell))
    lattice = np.array(CELLS[cell])
    fractional = rng.random((2, 6, 3)) + np.where(periodic, rng.integers(-50, 50, (2, 6, 3)), 0)
    positions = fractional @ lattice
    m = 9 if all(periodic) else 4
    _, distances = nearest_neighbors(positions, np.stack([lattice] * 2), m, periodic)
    for f in range(2):
        # 50 cells of 30 Å away, coordinates are exact to about 1e-12 Å.
        np.testing.assert_allclose(distances[f], brute_force(positions[f], lattice, m, periodic), atol=1e-10)


def test_distance_belongs_to_its_neighbor(path):
    rng = np.random.default_rng(0)
    lattice = np.array(CELLS["triclinic"])
    positions = rng.random((3, 7, 3)) @ lattice
    neighbors, distances = nearest_neighbors(positions, np.stack([lattice] * 3), 8)
    structure = Structure(Lattice(lattice), ["H"] * 7, positions[1], coords_are_cartesian=True)
    for i, found in enumerate(structure.get_all_neighbors(12.0)):
        nearest = sorted(found, key=lambda site: site.nn_distance)[:8]
        np.testing.assert_allclose(distances[1, i], [site.nn_distance for site in nearest], atol=1e-10)
        np.testing.assert_array_equal(neighbors[1, i], [site.index for site in nearest])


def test_frames_have_lattices_of_their_own(path):
    rng = np.random.default_rng(1)
    lattices = np.array([CELLS["cubic"], CELLS["triclinic"], CELLS["needle"], CELLS["tiny"]])
    positions = rng.random((4, 5, 3)) @ lattices
    together = nearest_neighbors(positions, lattices, 10)[1]
    for f in range(4):
        alone = nearest_neighbors(positions[f : f + 1], lattices[f : f + 1], 10)[1][0]
        np.testing.assert_allclose(together[f], alone, atol=1e-12)


def test_invariances(path):
    """Rotation, translation, wrapping and permutation of the atoms leave the distances as they are."""
    rng = np.random.default_rng(2)
    lattice = np.array(CELLS["triclinic"])
    positions = rng.random((1, 8, 3)) @ lattice
    neighbors, distances = nearest_neighbors(positions, lattice[None], 10)
    rotation = Rotation.random(random_state=3).as_matrix()
    moved = (positions + rng.integers(-3, 4, (1, 8, 3)) @ lattice + [0.3, -2.0, 7.0]) @ rotation
    again, same = nearest_neighbors(moved, lattice[None] @ rotation, 10)
    np.testing.assert_allclose(same, distances, atol=1e-11)
    np.testing.assert_array_equal(again, neighbors)
    order = rng.permutation(8)
    again, same = nearest_neighbors(positions[:, order], lattice[None], 10)
    np.testing.assert_allclose(same, distances[:, order], atol=1e-12)
    np.testing.assert_array_equal(order[again], neighbors[:, order])


def test_coincident_atoms_are_neighbors_of_each_other(path):
    positions = np.array([[[1.0, 1, 1], [1, 1, 1], [3, 1, 1]]])
    neighbors, distances = nearest_neighbors(positions, np.diag([5.0, 5, 5])[None], 1)
    np.testing.assert_array_equal(neighbors[0, :2, 0], [1, 0])
    np.testing.assert_array_equal(distances[0, :2, 0], [0, 0])


def test_ties_do_not_tell_equivalent_atoms_apart(path):
    """An atom amid six at the same distance, four of which fit: each is taken equally often."""
    ring = np.concatenate([np.eye(3), -np.eye(3)]) * 2.0
    rng = np.random.default_rng(4)
    far = rng.uniform(10, 14, (600, 1, 3))  # what makes the frames differ
    positions = np.concatenate([np.zeros((600, 1, 3)), np.repeat(ring[None], 600, axis=0), far], axis=1)
    neighbors, distances = nearest_neighbors(positions + 20, np.repeat(np.diag([60.0] * 3)[None], 600, axis=0), 4)
    np.testing.assert_allclose(distances[:, 0], 2.0, atol=1e-12)
    counts = np.bincount(neighbors[:, 0].ravel(), minlength=8)[1:7]
    # Binomial with p = 4/6: 400 +- 11.5; five standard deviations.
    assert np.abs(counts - 400).max() < 58


def test_no_frame_and_no_periodic_direction(path):
    line = np.array([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]])
    neighbors, distances = nearest_neighbors(line, np.eye(3)[None], 2, (False, False, False))
    np.testing.assert_array_equal(neighbors[0], [[1, 2], [0, 2], [1, 0]])
    np.testing.assert_array_equal(distances[0], [[1, 3], [1, 2], [2, 3]])
    assert nearest_neighbors(line[:0], np.empty((0, 3, 3)), 2)[0].shape == (0, 3, 2)
    message = "`n_neighbors=3`: only 2 neighbours can be reached, the system has 3 atoms and no periodic direction"
    with pytest.raises(InputError, match=message):
        nearest_neighbors(line, np.eye(3)[None], 3, (False, False, False))


def test_rounded_coordinates_have_ties():
    """As in XTC files: atoms whose M-th neighbour is one of several that are equally far are looked at once more."""
    edge = 20.0
    positions = np.round(np.random.default_rng(0).random((1, 400, 3)) * edge * 2) / 2
    lattices = np.eye(3)[None] * edge
    neighbors, distances = nearest_neighbors(positions, lattices, 12)
    steps = positions[0][None] - positions[0][:, None]
    every = np.linalg.norm(steps - edge * np.round(steps / edge), axis=-1)
    every[np.arange(400), np.arange(400)] = np.inf
    expected = np.sort(every, axis=1)
    assert (expected[:, 12] - expected[:, 11] < 1e-9).mean() > 0.02
    np.testing.assert_allclose(distances[0], expected[:, :12], atol=2e-9)
    np.testing.assert_allclose(np.take_along_axis(every, neighbors[0].astype(int), axis=1), distances[0], atol=2e-9)
    assert all(len(set(row)) == 12 for row in neighbors[0])
    # Which of the equal ones are taken does not depend on how many were looked at first.
    first, calls = module._nearest_points, []

    def more(tree, fractional, homes, atoms, m, kept):
        calls.append(len(atoms))
        return first(tree, fractional, homes, atoms, m, kept + 40)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_nearest_points", more)
        np.testing.assert_array_equal(nearest_neighbors(positions, lattices, 12)[0], neighbors)
    assert calls == [400]
