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
        ({"atomic_numbers": [3, 0, 1]}, "atomic numbers: 0 is not between 1 and 99"),
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
        ({"targets": [[3]]}, r"targets: 3 is not one of the 3 atoms \(0 to 2\)"),
        ({"targets": [[-1]]}, "targets: -1 is not one of the 3 atoms"),
        ({"targets": [0, 0]}, "targets: 0 stands in them twice"),
        ({"targets": [0.5, 1.2]}, "targets hold 0.5, whole numbers are needed"),
        ({"targets": [[[0], [1]]]}, r"targets: of shape \(n_targets,\) or .* are needed, got \(1, 2, 1\)"),
        ({"targets": [[0], [1, 2]]}, "targets are rows of unequal length, or no numbers"),
        ({"atomic_numbers": [3.7, 8, 1]}, "atomic numbers hold 3.7, whole numbers are needed"),
        ({"atomic_numbers": [2**32 + 3, 8, 1]}, "atomic numbers: 4294967299 is not between 1 and 99"),
        ({"atomic_numbers": [[3, 8, 1]]}, r"atomic numbers: shape \(1, 3\): one for each, \(n,\), are needed"),
        ({"atomic_numbers": "LiO"}, "atomic numbers: 'LiO': a list is needed, with a symbol or number for each"),
        ({"atomic_numbers": [True, 8, 1]}, "atomic numbers are bool, whole numbers are needed"),
        ({"atomic_numbers": None}, "atomic numbers are object, whole numbers are needed"),
        ({"positions": GOOD.positions.astype(str)}, "positions are <U32, real numbers are needed"),
        ({"positions": np.ma.masked_less(GOOD.positions, 0.5)}, "positions hold masked values, real numbers are"),
        (
            {"positions": _with(GOOD.positions, (5, 2, 0), 1e18)},
            "coordinate x of atom 2 in frame 5 is 1e\\+18 Å, in fl",
        ),
        ({"lattices": GOOD.lattices * 1j}, "lattices are complex128, real numbers are needed"),
        ({"periodic": (True, True)}, r"periodic \(True, True\): three of True and False are needed"),
        ({"periodic": True}, "periodic True: three of True and False are needed"),
        ({"periodic": "FFF"}, "periodic 'FFF': three of True and False are needed"),
        ({"periodic": ["F", "F", "F"]}, "periodic .*: three of True and False are needed"),
        ({"periodic": [[True], [True, False]]}, "periodic .*: three of True and False are needed"),
        ({"segments": (3.5, 2.5)}, "segments hold 3.5, whole numbers are needed"),
        ({"segments": 6}, r"segments of shape \(\), a list of numbers of frames is needed"),
        ({"segments": ("3", "3")}, "segments are <U1, whole numbers are needed"),
        ({"frame_interval": True}, "`frame_interval=True`: must be a number"),
        ({"frame_interval": "0.1"}, "`frame_interval='0.1'`: must be a number"),
        ({"frame_steps": "10"}, "`frame_steps='10'`: must be a number"),
        ({"time_unit": 5}, "time unit 5: must be a word, as ps or frames are"),
    ],
)
def test_impossible_values(changes, message):
    with pytest.raises(InputError, match=rf"t\.xyz: {message}"):
        make(**changes)


def test_name_that_is_no_text():
    for name, why in ((3, "`name=3`: must be text"), ("\udcff", "`name=.*`: is not UTF-8")):
        with pytest.raises(InputError, match=why):
            make(name=name)


def test_numbers_of_numpy_become_plain_ones():
    t = make(
        frame_interval=np.float32(0.5),
        frame_steps=np.int64(10),
        segments=np.array([2.0, 4.0]),
        periodic=np.array([1, 1, 0]),
        targets=np.array([0, 2], np.uint64),
    )
    assert [type(x) for x in (t.frame_interval, t.frame_steps, *t.segments, *t.periodic)] == [float] * 2 + [int] * 2 + [
        bool
    ] * 3
    assert (t.frame_interval, t.frame_steps, t.segments, t.periodic) == (0.5, 10, (2, 4), (True, True, False))
    np.testing.assert_array_equal(t.targets, [[0], [2]])


def test_one_cell_for_all_frames():
    np.testing.assert_array_equal(make(lattices=np.eye(3) * 5).lattices, GOOD.lattices)


class TestWhoseArraysTheyAre:
    def test_what_becomes_of_an_array_does_not_matter(self):
        given = {name: np.array(getattr(GOOD, name)) for name in ("positions", "lattices", "atomic_numbers")}
        given["targets"] = np.array([[0]], np.int32)
        kept = {name: array.copy() for name, array in given.items()}
        t = make(**given)
        for name, array in given.items():
            np.testing.assert_array_equal(array, kept[name])  # inputs are not altered
            assert array.flags.writeable
            array[:] = 1
            np.testing.assert_array_equal(getattr(t, name), kept[name])
            with pytest.raises(ValueError, match="read-only"):
                getattr(t, name)[:] = 1

    def test_views_are_copied_where_somebody_can_write_to_what_they_show(self):
        cell = np.eye(3) * 5
        t = make(lattices=np.broadcast_to(cell, (6, 3, 3)))
        cell[:] = 0
        assert t.lattices[0, 0, 0] == 5

    def test_an_array_that_nobody_can_write_to_is_not_copied(self, tmp_path):
        given = np.array(GOOD.positions)
        given.setflags(write=False)
        assert np.shares_memory(make(positions=given[::-1]).positions, given)
        np.save(tmp_path / "x.npy", given)
        mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
        t = make(positions=mapped)
        assert np.shares_memory(t.positions, mapped)
        assert np.shares_memory(t.select(start=1).positions, mapped)


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
