"""Trajectories from objects of ASE and MDAnalysis and from arrays: what they hold, in Å and ps."""

import ase
import MDAnalysis
import numpy as np
import pytest
from MDAnalysis.coordinates.memory import MemoryReader

import gdynet_tf
from gdynet_tf.errors import InputError
from gdynet_tf.trajectory import Trajectory, read

CELL = np.array([[6.0, 0, 0], [1, 7, 0], [0.5, 1, 8]])
BOX = np.array([6.0, 7, 8, 80, 95, 100])


def positions(n_frames=5, n_atoms=3):
    return np.random.default_rng(0).random((n_frames, n_atoms, 3)) * 6


def atoms(x=None, symbols="LiO2", cell=CELL, pbc=True):
    return [ase.Atoms(symbols, positions=p, cell=cell, pbc=pbc) for p in (positions() if x is None else x)]


def universe(dt=0.5, box=BOX, **attributes):
    """Five frames of three atoms; attributes: those of the topology."""
    made = MDAnalysis.Universe.empty(3, atom_resindex=[0, 0, 0], trajectory=True)
    for name, values in attributes.items():
        made.add_TopologyAttr(name, values)
    made.load_new(positions().astype(np.float32), format=MemoryReader, dimensions=box, dt=dt)
    return made


class TestASE:
    def test_fields(self):
        frames = atoms(pbc=(True, True, False))
        found = Trajectory.from_ase(frames, frame_interval=0.5)
        np.testing.assert_array_equal(found.positions, positions())
        np.testing.assert_array_equal(found.lattices, np.repeat(CELL[None], 5, axis=0))
        np.testing.assert_array_equal(found.atomic_numbers, [3, 8, 8])
        assert found.periodic == (True, True, False)
        assert (found.frame_interval, found.time_unit) == (0.5, "ps")
        assert found.sources == ()
        frames[0].positions[:] = 0  # the trajectory is a copy
        np.testing.assert_array_equal(found.positions, positions())
        assert Trajectory.from_ase(atoms(), frame_interval=2, time_unit="fs").time_unit == "fs"
        assert Trajectory.from_ase(atoms()).frame_interval is None
        np.testing.assert_array_equal(Trajectory.from_ase(iter(atoms())).positions, positions())

    @pytest.mark.parametrize(
        ("frames", "message"),
        [
            ([], "^trajectory: holds no frame"),
            ([*atoms(), *atoms(positions(1, 2), "LiO")], "trajectory: frame 5 has 2 atoms, frame 0 has 3"),
            ([*atoms(), *atoms(symbols="O2Li")], "trajectory: elements or periodicity change in frame 5"),
            ([*atoms(), *atoms(pbc=False)], "trajectory: elements or periodicity change in frame 5"),
            (atoms()[0], "trajectory: a list of ase.Atoms is needed, not Atoms"),
            (None, "trajectory: a list of ase.Atoms is needed, not NoneType"),
            ("a.traj", "trajectory: frame 0 is of type str, ase.Atoms are needed"),
            (atoms(positions() + 1e300), "trajectory: coordinate x of atom 0 in frame 0 is 1e\\+300 Å"),
        ],
    )
    def test_what_is_no_trajectory(self, frames, message):
        with pytest.raises(InputError, match=message):
            Trajectory.from_ase(frames)

    def test_unit_without_interval(self):
        with pytest.raises(InputError, match="`time_unit=ps`: needs `frame_interval`"):
            Trajectory.from_ase(atoms(), time_unit="ps")


class TestArrays:
    @pytest.mark.parametrize("species", [[3, 8, 8], np.array([3, 8, 8]), ["Li", "O", "O"], np.array(["Li", "O", "O"])])
    def test_fields(self, species):
        found = Trajectory.from_arrays(positions(), CELL, species, frame_interval=1.0, segments=(2, 3))
        np.testing.assert_array_equal(found.lattices, np.repeat(CELL[None], 5, axis=0))
        np.testing.assert_array_equal(found.atomic_numbers, [3, 8, 8])
        assert (found.segments, found.time_unit) == ((2, 3), "ps")

    def test_varying_cell(self):
        lattices = CELL * np.linspace(1, 1.1, 5)[:, None, None]
        np.testing.assert_array_equal(Trajectory.from_arrays(positions(), lattices, [3, 8, 8]).lattices, lattices)

    def test_errors(self):
        with pytest.raises(InputError, match="trajectory: species: 'Xx' is not an element symbol"):
            Trajectory.from_arrays(positions(), CELL, ["Li", "O", "Xx"])
        with pytest.raises(InputError, match=r"trajectory: lattices of shape \(4, 3, 3\) for 5 frames"):
            Trajectory.from_arrays(positions(), np.repeat(CELL[None], 4, axis=0), [3, 8, 8])
        with pytest.raises(InputError, match="liquid: 2 atom types for 3 atoms"):
            Trajectory.from_arrays(positions(), CELL, [3, 8], name="liquid")


class TestMDAnalysis:
    def test_fields(self):
        found = Trajectory.from_mdanalysis(universe(elements=["Li", "O", "O"]))
        np.testing.assert_allclose(found.positions, positions(), atol=1e-6)
        assert found.lattices.dtype == np.float64
        lengths = np.linalg.norm(found.lattices, axis=-1)
        np.testing.assert_allclose(lengths, np.repeat(BOX[None, :3], 5, axis=0), rtol=1e-6)
        a, b, c = found.lattices[0] / lengths[0][:, None]
        np.testing.assert_allclose([b @ c, c @ a, a @ b], np.cos(np.radians(BOX[3:])), atol=1e-6)
        np.testing.assert_array_equal(found.atomic_numbers, [3, 8, 8])
        assert found.periodic == (True,) * 3
        assert (found.frame_interval, found.time_unit) == (0.5, "ps")

    def test_frames_and_atoms_are_selected(self):
        source = universe(elements=["Li", "O", "O"], names=["LI", "O1", "O2"])
        source.trajectory[3]
        found = Trajectory.from_mdanalysis(source, "name O*", start=1, stride=2)
        whole = Trajectory.from_mdanalysis(source)
        followed = whole.select(start=1).unwrap().positions[::2, 1:]  # through the frames that are left out
        np.testing.assert_allclose(found.positions, followed, atol=1e-6)
        assert found.frame_interval == 1.0
        assert source.trajectory.frame == 3
        group = source.select_atoms("name O2")
        assert Trajectory.from_mdanalysis(group).positions.shape == (5, 1, 3)

    def test_no_box_is_not_periodic(self):
        found = Trajectory.from_mdanalysis(universe(elements=["Li", "O", "O"], box=None))
        assert found.periodic == (False,) * 3

    def test_boxes_and_times_of_some_frames_alone(self, tmp_path):
        source = universe(elements=["Li", "O", "O"])
        with (
            MDAnalysis.Writer(str(tmp_path / "t.trr"), 3) as boxes,
            MDAnalysis.Writer(str(tmp_path / "g.xtc"), 3) as gap,
        ):
            for step in source.trajectory:
                if step.frame != 3:
                    gap.write(source.atoms)
                if step.frame == 2:
                    step.dimensions = None
                boxes.write(source.atoms)
        for name, message in (
            ("t.trr", "trajectory: frame 2 has no box, others have one"),
            (
                "g.xtc",
                "trajectory: frames are not equally spaced in time: 1 and 2 ps follow each other where 0.5 ps is",
            ),
        ):
            source.load_new(str(tmp_path / name))
            with pytest.raises(InputError, match=message):
                Trajectory.from_mdanalysis(source)
            source.trajectory.close()

    def test_elements_are_guessed_from_names(self):
        with pytest.warns(UserWarning, match="elements are guessed from the atom names: LI Li, OW O, HW1 H; universe"):
            found = Trajectory.from_mdanalysis(universe(names=["LI", "OW", "HW1"]))
        np.testing.assert_array_equal(found.atomic_numbers, [3, 8, 1])

    def test_names_that_tell_nothing(self):
        message = "the topology has no elements and the atom name '%' tells none; universe.add_TopologyAttr"
        with pytest.raises(InputError, match=message):
            Trajectory.from_mdanalysis(universe(names=["LI", "OW", "%"]))

    def test_mass_against_the_guess(self):
        source = universe(names=["NA", "O", "O"], masses=[14.007, 15.999, 15.999])
        with pytest.raises(InputError, match=r"atom name 'NA' reads as Na \(23.0 u\), its mass is 14.0 u; universe"):
            Trajectory.from_mdanalysis(source)

    def test_other_objects(self):
        for what, kind in ((None, "NoneType"), ("t.xtc", "str"), (atoms()[0], "Atoms")):
            with pytest.raises(InputError, match=f"trajectory: an MDAnalysis universe or .* is needed, not {kind}"):
                Trajectory.from_mdanalysis(what)

    def test_errors(self):
        source = universe(elements=["Li", "O", "O"], names=["LI", "O1", "O2"])
        with pytest.raises(InputError, match="`select=3`: must be text"):
            Trajectory.from_mdanalysis(source, 3)
        with pytest.raises(InputError, match="`stride=0`: must be at least 1"):
            Trajectory.from_mdanalysis(source, stride=0)
        with pytest.raises(InputError, match="`start=0.5`: must be a whole number"):
            Trajectory.from_mdanalysis(source, start=0.5)
        with pytest.raises(InputError, match="trajectory: no atom is selected"):
            Trajectory.from_mdanalysis(source, "name X")
        with pytest.raises(InputError, match="trajectory: `select='nmae X'`: "):
            Trajectory.from_mdanalysis(source, "nmae X")
        with pytest.raises(InputError, match="trajectory: `start=9` `stop=None` selects none of 5 frames"):
            Trajectory.from_mdanalysis(source, start=9)


@pytest.fixture
def files(tmp_path):
    """A GRO file and an XTC file of five frames, 2 ps apart, in a box."""
    source = universe(
        dt=2.0, names=["LI", "O1", "O2"], resnames=["X"], elements=["Li", "O", "O"], resids=[1], types=["Li", "O", "O"]
    )
    source.atoms.write(tmp_path / "t.gro", reindex=True)
    with MDAnalysis.Writer(str(tmp_path / "t.xtc"), 3) as writer:
        for _ in source.trajectory:
            writer.write(source.atoms)
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*elements are guessed:UserWarning")
class TestRead:
    def test_with_topology(self, files):
        found = read(files / "t.xtc", topology=files / "t.gro", stride=2)
        followed = Trajectory.from_arrays(positions(), found.lattices[0], [3, 8, 8]).unwrap().positions[::2]
        np.testing.assert_allclose(found.positions, followed, atol=0.006)  # XTC keeps 0.01 Å
        np.testing.assert_array_equal(found.atomic_numbers, [3, 8, 8])
        assert (found.frame_interval, found.time_unit, found.name) == (4.0, "ps", "t")
        assert [source.path.rsplit(".", 1)[1] for source in found.sources] == ["xtc", "gro"]

    def test_errors(self, files):
        with pytest.raises(InputError, match=r"none\.gro: no such file"):
            read(files / "t.xtc", topology=files / "none.gro")
        (files / "bad.gro").write_text("no topology")
        with pytest.raises(InputError, match=r"bad\.gro: cannot be read by MDAnalysis as a topology: "):
            read(files / "t.xtc", topology=files / "bad.gro")

    def test_one_or_several(self, tmp_path):
        import ase.io

        for name in ("a.xyz", "b.xyz"):
            ase.io.write(tmp_path / name, atoms(), format="extxyz")
        one = gdynet_tf.read(tmp_path / "a.xyz", frame_interval=0.5, stop=4, stride=2)
        assert (one.frame_interval, one.time_unit, len(one.positions)) == (1.0, "ps", 2)
        both = gdynet_tf.read([tmp_path / "a.xyz", str(tmp_path / "b.xyz")])
        assert [t.name for t in both] == ["a", "b"]
        assert gdynet_tf.concatenate(both).segments == (5, 5)
        with pytest.raises(InputError, match="`frame_interval=-1`: must be a positive time"):
            read(tmp_path / "a.xyz", frame_interval=-1)
        with pytest.raises(InputError, match="`time_unit=fs`: needs `frame_interval`"):
            read(tmp_path / "a.xyz", time_unit="fs")
        found = read(iter([tmp_path / "a.xyz"]), start=np.int64(1), stride=np.float64(2), frame_interval=np.float32(2))
        assert (len(found[0].positions), found[0].frame_interval) == (2, 4.0)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"paths": None}, "`paths=None`: must be a path"),
            ({"paths": b"a.xyz"}, "`paths=b'a.xyz'`: must be a path"),
            ({"paths": [3]}, "`paths=3`: must be a path"),
            ({"paths": "a\0"}, r"`paths='a\\x00'`: holds the character 0, no path does"),
            ({"paths": "x" * 5000}, r"`paths='x+\.\.\.x+'`: is too long for the name of a file$"),
            ({"paths": "a\udcff"}, r"`paths='a\\udcff'`: is not UTF-8"),
            ({"topology": 3}, "`topology=3`: must be a path"),
            ({"scratch": 3}, "`scratch=3`: must be a path"),
            ({"format": 3}, "`format=3`: must be text"),
            ({"species": "LiO"}, "`species=LiO`: a list of element symbols is needed"),
            ({"species": [3, 8]}, r"`species=\[3, 8\]`: a list of element symbols is needed"),
            ({"cell": "8 8 8"}, "`cell` are <U5, real numbers are needed"),
            ({"cell": 8}, "`cell=8`: three lengths, or three lengths and three angles, are needed"),
            ({"frame_interval": "1"}, "`frame_interval='1'`: must be a number"),
            ({"timestep": True}, "`timestep=True`: must be a number"),
            ({"frame_interval": 1, "time_unit": 5}, "`time_unit=5`: must be a word"),
            ({"start": 1.5}, "`start=1.5`: must be a whole number"),
            ({"stride": True}, "`stride=True`: must be a whole number"),
            ({"stop": 10**30}, "`stop=10+`: no trajectory has so many frames"),
        ],
    )
    def test_arguments_that_cannot_be(self, options, message):
        with pytest.raises(InputError, match=f"^{message}"):
            read(**{"paths": "a.xyz", **options})
