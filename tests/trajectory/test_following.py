"""Frames that are checked, atoms that are followed and charges that are averaged, by hand."""

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.following import (
    Follower,
    MeanCharges,
    check_frames,
    check_lattices,
    pooled_charges,
    unwrap,
)

CELL = np.eye(3)[None] * 10


def test_only_periodic_directions_are_unwrapped():
    """A jump of 9 Å in a cell of 10 Å is a step back across the border, or one of 9 Å where there is no border."""
    positions = np.array([[[1.0, 1, 1]], [[10.0, 10, 10]], [[1.0, 1, 1]]])
    unwrapped = unwrap(positions, np.repeat(CELL, 3, axis=0), (True, False, True))
    np.testing.assert_allclose(unwrapped[:, 0], [[1, 1, 1], [0, 10, 0], [1, 1, 1]])


def test_numbers_that_are_not_finite_are_named():
    positions, lattices = np.zeros((2, 2, 3)), np.repeat(CELL, 2, axis=0)
    check_frames("a.xyz", positions, lattices)
    positions[1, 0, 2] = np.inf
    with pytest.raises(InputError, match="a.xyz: coordinate z of atom 0 in frame 1 is inf"):
        check_frames("a.xyz", positions, lattices)
    with pytest.raises(InputError, match="in frame 8 is inf"):
        check_frames("a.xyz", positions, lattices, first=7)
    lattices[1, 2, 0] = np.nan
    with pytest.raises(InputError, match="a.xyz: lattice of frame 1 holds nan"):
        check_frames("a.xyz", positions[:1].repeat(2, axis=0), lattices)


@pytest.mark.parametrize(
    ("dtype", "farthest"), [(float, 1e9), (np.float32, 1.67e5), (np.float16, 20.4), (int, 10**9), (np.longdouble, 1e9)]
)
def test_coordinates_too_large_for_their_precision(dtype, farthest):
    """Known to 0.01 Å, and to 1e-7 Å in double precision."""
    positions = np.zeros((2, 2, 3), dtype)
    positions[1, 0, 1] = -farthest
    check_frames("a.xyz", positions, np.repeat(CELL, 2, axis=0))
    if positions.dtype.kind == "f" and positions.itemsize < 8:
        assert np.spacing(np.abs(positions)).max() / 2 <= 0.01
    positions[1, 0, 1] *= dtype(2)
    with pytest.raises(
        InputError, match=r"a.xyz: coordinate y of atom 0 in frame 1 is -\S+ Å, in \w+ they are known up"
    ):
        check_frames("a.xyz", positions, np.repeat(CELL, 2, axis=0))


def test_cells_that_are_none_are_named():
    lattices = np.repeat(CELL, 3, axis=0)
    check_lattices("a.xyz", lattices)
    for scale, what in ((0.04, "lattice planes 0.4 Å apart"), (2e4, "a lattice vector of 200000 Å")):
        with pytest.raises(InputError, match=f"a.xyz: {what}; lengths must be in Å, from 0.5 to 100000"):
            check_lattices("a.xyz", lattices * scale)
    for scale in (0.05, 1e4):  # the limits themselves
        check_lattices("a.xyz", lattices * scale)
    lattices[2, 1] = lattices[2, 0]
    with pytest.raises(InputError, match=r"lattice of frame 7 has no volume \(10 0 0 10 0 0 0 0 10\)"):
        check_lattices("a.xyz", lattices, first=5)


def steps_of(lengths):
    """One atom of lithium in a cell of 10 Å whose steps along x have these lengths (Å)."""
    positions = np.zeros((len(lengths) + 1, 1, 3))
    positions[1:, 0, 0] = np.cumsum(lengths)
    return positions, np.repeat(CELL, len(positions), axis=0)


def test_shares_of_steps_that_are_too_long():
    """Ten steps along three vectors: six beyond a quarter of the cell, of which four beyond 0.4."""
    follower = Follower(np.array([3]), (True, True, True))
    follower.follow(*steps_of([1, 1, 1, 1, 3, 3, 4.5, 4.5, 4.5, 4.5]))
    found = follower.coarse_steps()
    assert found.kind == "coarse frames"
    assert found.severity == "warning"
    assert found.numbers == {
        "atomic_number": 3,
        "beyond_quarter": pytest.approx(6 / 30),
        "beyond_0.4": pytest.approx(4 / 30),
    }
    assert found.text == (
        "Frames are too far apart to follow Li across the border of the cell: 20 % of the steps along its vectors are "
        "longer than a quarter, 13 % longer than 0.4 of the cell, and a step beyond half a cell cannot be told from a "
        "shorter one. Displacements and diffusion coefficients may be too small; save frames more often, or unwrapped."
    )


def test_what_leads_to_a_segment_is_no_step():
    follower = Follower(np.array([3]), (True, True, True))
    follower.follow(*steps_of([1, 1, 1, 1, 3, 3, 4.5, 4.5, 4.5, 4.5]))
    assert follower.coarse_steps([0, 9, 10]) is None  # two beyond 0.4 are chance
    assert follower.coarse_steps([0, 10]).numbers["beyond_0.4"] == pytest.approx(3 / 27)


def test_charges_that_change_with_time():
    charges = MeanCharges()
    assert charges.mean(np.array([3, 16])) == (None, ())
    charges.add(np.array([[1.0, -2.0], [1.0, -1.0]]))
    charges.add(np.array([[1.5, -2.4]]))
    mean, (finding,) = charges.mean(np.array([3, 16]))
    np.testing.assert_allclose(mean, [3.5 / 3, -1.8])
    assert (finding.kind, finding.severity) == ("varying charges", "warning")
    assert finding.numbers == {"largest_change": pytest.approx(1.4), "atom": 1}
    assert finding.text == (
        "Charges change with time, that of atom 1 (S) from -2.4 to -1 e: the mean of each atom over the frames is used."
    )
    constant = MeanCharges()
    constant.add(np.array([[1.0, -2.0]] * 2))
    mean, findings = constant.mean(np.array([3, 16]))
    np.testing.assert_array_equal(mean, [1, -2])
    assert findings == ()


def test_charges_of_several_trajectories():
    one, other = np.array([1.0, -1.0]), np.array([2.0, -1.0])
    charges, (finding,) = pooled_charges([(one, 30), (other, 10)])
    np.testing.assert_allclose(charges, [1.25, -1])
    assert (finding.kind, finding.severity) == ("differing charges", "warning")
    assert finding.numbers == {"largest_change": 1.0}
    assert finding.text == "The trajectories tell charges that differ by up to 1 e: their mean over all frames is used."
    charges, findings = pooled_charges([(one, 30), (one, 10)])
    np.testing.assert_array_equal(charges, one)
    assert findings == ()
    charges, (finding,) = pooled_charges([(one, 30), (None, 10)])
    assert charges is None
    assert (finding.kind, finding.severity) == ("charges of some", "warning")
    assert finding.numbers == {"n_telling": 1}
    assert finding.text == "Some of the trajectories tell charges, others do not: none are kept."
    assert pooled_charges([(None, 30), (None, 10)]) == (None, ())


def test_the_element_that_moves_most_is_named():
    """Hydrogen stands still, six of ten lithium steps along the one periodic vector are too long."""
    positions, lattices = steps_of([1] * 4 + [4.5] * 6)
    positions = np.concatenate([np.zeros_like(positions), positions], axis=1)
    follower = Follower(np.array([1, 3]), (True, False, False))
    follower.follow(positions, lattices)
    found = follower.coarse_steps()
    assert found.numbers["atomic_number"] == 3
    assert "60 % of the steps along its vectors are longer than a quarter, 60 % longer than 0.4" in found.text


def test_the_length_of_a_lattice_vector_is_that_of_its_row():
    """Of three vectors of 8e4 Å that lean over, none is too long, though the x components together are."""
    check_lattices("a.xyz", 8e4 * np.array([[[1.0, 0, 0], [0.8, 0.6, 0], [0.6, 0, 0.8]]]))
