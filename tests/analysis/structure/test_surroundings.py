"""The atoms that a picture of a state shows."""

import numpy as np
import pytest

from gdynet_tf import analysis as ga

A = 6.5  # Å, of the FCC sulfur cell


def system(numbers, positions, lattice, targets, periodic=(True, True, True)):
    return ga.System(
        positions=[np.array(positions, float)[None]],
        lattices=[np.array(lattice, float)[None]],
        atomic_numbers=np.array(numbers),
        targets=np.array(targets),
        periodic=periodic,
    )


def interstitial(place):
    sulfur = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    return system([3, 16, 16, 16, 16], np.vstack([[place], sulfur]) * A, np.eye(3) * A, [[0]])


@pytest.mark.parametrize(
    ("place", "n_neighbors", "distance"),
    [((0.5, 0.5, 0.5), 6, A / 2), ((0.25, 0.25, 0.25), 4, A * 3**0.5 / 4)],  # octahedral, tetrahedral
)
def test_sites_of_fcc(place, n_neighbors, distance):
    found = ga.surroundings(interstitial(place), 0, 0, 0, reach=3.5, shells={"S": 3.5})
    assert found.symbols[0] == "Li"
    np.testing.assert_array_equal(found.own, np.arange(len(found.own)) == 0)
    np.testing.assert_allclose(found.positions[0], 0, atol=1e-12)
    assert len(found.contacts) == n_neighbors
    np.testing.assert_allclose(np.linalg.norm(found.positions[found.contacts[:, 1]], axis=1), distance)
    assert len(found.symbols) >= 9  # of sparse surroundings the nearest 8 besides the target
    assert not len(found.bonds)
    distances = np.linalg.norm(found.positions[1:], axis=1)
    assert (np.diff(distances) > -1e-9).all()
    table = found.to_dataframe()
    assert list(table.columns) == ["element", "x_angstrom", "y_angstrom", "z_angstrom", "of_target"]
    np.testing.assert_allclose(table[["x_angstrom", "y_angstrom", "z_angstrom"]], found.positions, atol=1e-4)


def test_a_molecule_across_the_boundary_is_whole():
    water = np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]])
    across, other = water % 10.0, water + [5.0, 5.0, 5.0]
    found = ga.surroundings(
        system([8, 1, 1] * 2, np.vstack([across, other]), np.eye(3) * 10, [[0, 1, 2], [3, 4, 5]]), 0, 0, 0
    )
    assert found.own.sum() == 3
    np.testing.assert_allclose(found.positions[:3] - found.positions[0], water, atol=1e-12)
    mass = np.array([15.999, 1.008, 1.008])
    np.testing.assert_allclose(mass @ found.positions[:3], 0, atol=1e-9)
    ours = found.bonds[(found.bonds < 3).all(axis=1)]
    assert ours.tolist() == [[0, 1], [0, 2]]


def test_ions_of_the_same_charge_are_not_bonded_but_metals_are():
    x = [[0, 0, 0], [2.7, 0, 0], [0, 2.4, 0]]
    salt = ga.surroundings(system([3, 3, 16], x, np.eye(3) * 20, [[0]]), 0, 0, 0)
    symbols = salt.symbols
    assert {frozenset((symbols[a], symbols[b])) for a, b in salt.bonds} == {frozenset(("Li", "S"))}
    metal = ga.surroundings(system([3, 3], x[:2], np.eye(3) * 20, [[0]]), 0, 0, 0)
    assert len(metal.bonds) == 1


def test_without_a_cell():
    x = [[0, 0, 0], [1.0, 0, 0], [9.9, 0, 0]]
    found = ga.surroundings(system([8, 1, 1], x, np.eye(3) * 10, [[0]], (False,) * 3), 0, 0, 0)
    assert found.symbols == ["O", "H"]
    np.testing.assert_allclose(found.positions, x[:2])
