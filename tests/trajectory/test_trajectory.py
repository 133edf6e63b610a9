"""The Trajectory type: what it accepts, selection, joining, unwrapping."""

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory import Trajectory, concatenate, unwrap

CELL = np.array([[6.0, 0, 0], [2.0, 5.0, 0], [-1.0, 1.5, 4.5]])


def make(n_frames=6, **changes):
    rng = np.random.default_rng(0)
    fields = {
        "name": "t.xyz",
        "positions": rng.random((n_frames, 3, 3)),
        "lattices": np.repeat(np.eye(3)[None] * 5, n_frames, axis=0),
        "atomic_numbers": [3, 8, 1],
    }
    return Trajectory(**{**fields, **changes})


def _with(array, index, value):
    array = np.array(array, float)
    array[index] = value
    return array


GOOD = make()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.zeros((6, 3))}, r"coordinates must have shape \(frames, atoms, 3\), got \(6, 3\)"),
        ({"positions": np.zeros((0, 3, 3)), "lattices": np.zeros((0, 3, 3))}, "holds no frame"),
        ({"positions": np.zeros((6, 0, 3)), "atomic_numbers": []}, "holds no atom"),
        ({"atomic_numbers": [3, 8]}, "2 atom types for 3 atoms"),
        ({"atomic_numbers": [3, 0, 1]}, "atomic number 0 is not between 1 and 99"),
        ({"lattices": np.repeat(np.eye(3)[None], 7, axis=0)}, r"lattices of shape \(7, 3, 3\) for 6 frames"),
        ({"positions": _with(GOOD.positions, (4, 1, 2), np.nan)}, "coordinate z of atom 1 in frame 4 is nan"),
        ({"lattices": _with(GOOD.lattices, (2, 0, 0), np.inf)}, "lattice of frame 2 holds inf"),
        (
            {"lattices": _with(GOOD.lattices, (3, 1), 0)},
            r"lattice of frame 3 has no volume \(5 0 0 0 0 0 0 0 5\)",
        ),
        ({"lattices": _with(GOOD.lattices, (3, 1), [5, 0, 0])}, "lattice of frame 3 has no volume"),
        (
            {"lattices": GOOD.lattices * 1e-6},
            r"lattice planes \d+e-06 Å apart; lengths must be in Å, from 0.5 to 100000",
        ),
        ({"lattices": GOOD.lattices * 1e6}, r"a lattice vector of \d+e\+06 Å; lengths must be in Å, from 0.5 to"),
        ({"frame_interval": 0.0}, "frame interval 0.0 is not a positive time"),
        ({"segments": (3, 4)}, r"segments \(3, 4\) do not add up to 6 frames"),
        ({"targets": [[3]]}, "target index 3 is not one of the 3 atoms"),
        ({"targets": [[-1]]}, "target index -1 is not one of the 3 atoms"),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(InputError, match=rf"t\.xyz: {message}"):
        make(**changes)


def test_zero_vector_of_a_direction_that_is_not_periodic():
    lattices = np.repeat(np.diag([5.0, 5, 0])[None], 6, axis=0)
    lattice = make(lattices=lattices, periodic=(True, True, False)).lattices[0]
    np.testing.assert_allclose(np.abs(lattice), np.diag([5, 5, 1]), atol=1e-12)
    lattice = make(lattices=np.zeros((6, 3, 3)), periodic=(False,) * 3).lattices[0]
    assert abs(np.linalg.det(lattice)) == pytest.approx(1.0)
    with pytest.raises(InputError, match="has no volume"):
        make(lattices=lattices)


def test_select():
    t = make(10, segments=(4, 6), frame_interval=0.5, time_unit="ps")
    part = t.select(1, None, 2)
    np.testing.assert_array_equal(part.positions, t.positions[1::2])
    assert part.segments == (2, 3)
    assert part.frame_interval == 1.0
    assert t.select(stop=-4).segments == (4, 2)
    assert t.select(start=5).segments == (5,)
    with pytest.raises(InputError, match="`start=10` `stop=None` `stride=None` selects none of 10 frames"):
        t.select(10)
    with pytest.raises(InputError, match="`stride=0`: must be at least 1"):
        t.select(stride=0)


def test_concatenate():
    a, b = make(4), make(3)
    joined = concatenate([a, b])
    assert joined.segments == (4, 3)
    np.testing.assert_array_equal(joined.positions[4:], b.positions)
    with pytest.raises(InputError, match=r"t\.xyz: atomic numbers differ from those of t\.xyz"):
        concatenate([a, make(3, atomic_numbers=[3, 8, 8])])
    with pytest.raises(InputError, match=r"t\.xyz: 2 atoms where t\.xyz has 3"):
        concatenate([a, make(3, positions=np.zeros((3, 2, 3)), atomic_numbers=[3, 8])])
    with pytest.raises(InputError, match="frame interval 1 frames differs from that of"):
        concatenate([a, make(3, frame_interval=1.0)])


def test_unwrap_recovers_a_walk():
    """A random walk with steps below half a cell, in a cell that breathes."""
    rng = np.random.default_rng(1)
    lattices = CELL * (1 + 0.02 * np.sin(np.arange(200)))[:, None, None]
    fractional = np.cumsum(rng.uniform(-0.2, 0.2, (200, 4, 3)), axis=0)
    wrapped = (fractional % 1) @ lattices
    expected = (fractional - np.floor(fractional[0])) @ lattices
    # A hundred cells away, rounding is about 1e-13 of the position.
    np.testing.assert_allclose(unwrap(wrapped, lattices), expected, atol=1e-9)
    np.testing.assert_allclose(unwrap(expected, lattices), expected, atol=1e-9)


def test_unwrap_leaves_other_directions_alone():
    positions = np.array([[[0.1, 0, 0.1]], [[4.9, 0, 4.9]]])
    moved = unwrap(positions, np.repeat(np.eye(3)[None] * 5, 2, axis=0), (True, True, False))
    np.testing.assert_allclose(moved[1, 0], [-0.1, 0, 4.9], atol=1e-12)
    assert unwrap(positions[:1], np.eye(3)[None] * 5).shape == (1, 1, 3)


def test_units_of_time():
    assert make(time_unit="1/THz", frame_interval=1.0).time_unit == "1/THz"
    with pytest.raises(InputError, match=r"t\.xyz: time unit '\$x\$': must be a word, as ps or frames are"):
        make(time_unit="$x$", frame_interval=1.0)
