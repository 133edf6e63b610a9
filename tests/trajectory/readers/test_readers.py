"""Readers: against ASE, MDAnalysis and pymatgen, and every message about a damaged file."""

import gzip
import itertools
from dataclasses import replace

import ase
import ase.io
import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory import Trajectory, open_source, read, write_compact

TRICLINIC = np.array([[8.0, 0, 0], [2.0, 7.0, 0], [-1.5, 1.0, 6.0]])


def frames(n=4, lattice=TRICLINIC, seed=0):
    """ASE atoms that drift through the cell."""
    rng = np.random.default_rng(seed)
    start, drift = rng.random((5, 3)), rng.uniform(-0.3, 0.3, (5, 3))
    return [ase.Atoms("Li2OS2", scaled_positions=start + t * drift, cell=lattice, pbc=True) for t in range(n)]


def dump(path, rows, bounds, header="id type x y z", flags="pp pp pp", steps=None, tilt=""):
    """Write a LAMMPS dump: rows (F, N, columns)."""
    text = ""
    for t, table in enumerate(rows):
        step = t * 10 if steps is None else steps[t]
        text += f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{len(table)}\nITEM: BOX BOUNDS {tilt}{flags}\n"
        text += "".join(" ".join(map(repr, map(float, row))) + "\n" for row in bounds)
        text += f"ITEM: ATOMS {header}\n" + "".join(" ".join(f"{v:.10g}" for v in row) + "\n" for row in table)
    path.write_text(text)
    return path


# --- npz ---------------------------------------------------------------------------------------


def test_npz_2019(tmp_path):
    rng = np.random.default_rng(0)
    content = {
        "traj_coords": rng.random((4, 3, 3)),
        "lattices": np.repeat(np.eye(3)[None] * 4, 4, axis=0),
        "atom_types": np.array([3, 16, 16]),
        "target_index": np.array([0, 2]),
    }
    np.savez(tmp_path / "traj.npz", **content)
    t = read(tmp_path / "traj.npz")
    assert t.name == "traj"
    np.testing.assert_array_equal(t.positions, content["traj_coords"])
    np.testing.assert_array_equal(t.targets, [[0], [2]])
    assert t.frame_interval is None
    del content["atom_types"]
    np.savez(tmp_path / "traj.npz", **content)
    with pytest.raises(InputError, match=r"traj\.npz: no atom_types in it; the keys are traj_coords, lattices, target"):
        read(tmp_path / "traj.npz")


def test_compact_keeps_positions_to_its_resolution(tmp_path):
    rng = np.random.default_rng(1)
    positions = np.repeat(rng.uniform(0, 6, (1, 3, 3)), 50, axis=0)
    positions[:, 1] += np.cumsum(rng.normal(0, 0.5, (50, 3)), axis=0)
    t = Trajectory(
        "t",
        positions,
        np.repeat(TRICLINIC[None], 50, axis=0),
        [16, 3, 16],
        frame_interval=0.1,
        time_unit="ps",
        targets=[[1]],
    )
    with pytest.raises(ValueError, match=r"c\.npz: the compact form needs frame_interval, time_unit and targets"):
        write_compact(tmp_path / "c.npz", replace(t, targets=None), [1])
    write_compact(tmp_path / "c.npz", t, [1])
    back = read(tmp_path / "c.npz")
    assert (back.frame_interval, back.time_unit) == (0.1, "ps")
    np.testing.assert_array_equal(back.targets, [[1]])
    np.testing.assert_array_equal(back.positions[:, [0, 2]], positions[:, [0, 2]])
    difference = (back.positions - positions) @ np.linalg.inv(TRICLINIC)
    difference -= np.round(difference)
    assert np.abs(difference).max() <= 0.5 / 65536 + 1e-12


def test_damaged_npz(tmp_path):
    file = tmp_path / "t.npz"
    file.write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"t\.npz: cannot be read as \.npz"):
        read(file)
    np.savez(file, traj_coords=np.zeros((1, 1, 3)), lattices=np.eye(3)[None], atom_types=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"t\.npz: atom_types are object, real numbers are needed"):
        read(file)
    np.savez(file, traj_coords=np.zeros((9, 9, 3)))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"t\.npz: cannot be read as \.npz"):
        read(file)
    with pytest.raises(InputError, match=r"`species=Li`: .*t\.npz has the elements itself"):
        read(file, species=["Li"])


# --- LAMMPS ------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["x y z", "xs ys zs", "xu yu zu", "xsu ysu zsu"])
@pytest.mark.parametrize("zipped", [False, True])
def test_lammps_columns_and_order(tmp_path, columns, zipped):
    """Orthogonal box with an origin, ids in any order."""
    atoms, low = frames(lattice=np.diag([8.0, 7.0, 6.0])), np.array([1.0, -2.0, 0.5])
    rng, types = np.random.default_rng(2), [1, 1, 2, 3, 3]
    rows = []
    for frame in atoms:
        x = frame.positions if "u" in columns else frame.get_positions(wrap=True)
        x = x @ np.linalg.inv(frame.cell.array) if "s" in columns else x + low
        table = np.column_stack([np.arange(1, 6), types, x])
        rows.append(table[rng.permutation(5)])
    file = dump(tmp_path / "t.lammpstrj", rows, np.column_stack([low, low + [8, 7, 6]]), f"id type {columns}")
    if zipped:
        file = tmp_path / "t.lammpstrj.gz"
        file.write_bytes(gzip.compress((tmp_path / "t.lammpstrj").read_bytes()))
    source = open_source(file, species=["Li", "O", "S"])
    assert source.unwrapped == ("u" in columns)
    (chunk,) = source.chunks
    t = read(file, species=["Li", "O", "S"])
    assert t.name == "t"
    np.testing.assert_array_equal(t.atomic_numbers, [3, 3, 8, 16, 16])
    for x, frame in zip(chunk.positions, atoms, strict=True):
        expected = frame.positions if source.unwrapped else frame.get_positions(wrap=True)
        np.testing.assert_allclose(x, expected, atol=1e-8)  # ten digits are written
        np.testing.assert_allclose(t.lattices[0], frame.cell.array)


@pytest.mark.filterwarnings("ignore:Guessed all Masses:UserWarning", "ignore:Reader has no dt:UserWarning")
def test_lammps_triclinic_like_mdanalysis(tmp_path):
    import MDAnalysis

    (xy, xz, yz), low = (2.0, -1.5, 1.0), np.array([0.0, 0.0, 0.0])
    bounds = [
        [low[0] + min(0, xy, xz, xy + xz), low[0] + 8 + max(0, xy, xz, xy + xz), xy],
        [low[1] + min(0, yz), low[1] + 7 + max(0, yz), xz],
        [low[2], low[2] + 6, yz],
    ]
    rows = [np.column_stack([np.arange(1, 6), np.ones(5), f.get_positions(wrap=True)]) for f in frames()]
    file = dump(tmp_path / "t.lammpstrj", rows, bounds, tilt="xy xz yz ")
    (t,) = open_source(file, species=["Li"]).chunks
    np.testing.assert_allclose(t.lattices, np.repeat(TRICLINIC[None], 4, axis=0), atol=1e-12)
    universe = MDAnalysis.Universe(str(file), format="LAMMPSDUMP", topology_format="LAMMPSDUMP")
    for x, lattice, step in zip(t.positions, t.lattices, universe.trajectory, strict=True):
        np.testing.assert_allclose(x, step.positions, atol=1e-5)  # MDAnalysis keeps float32
        np.testing.assert_allclose(np.abs(np.linalg.det(lattice)), step.volume, rtol=1e-5)


@pytest.mark.parametrize("signs", list(itertools.product((-1, 0, 1), repeat=3)))
def test_bounds_of_a_triclinic_box_are_those_of_its_corners(tmp_path, signs):
    lattice, origin = np.array([[5.0, 0, 0], [0, 6, 0], [0, 0, 7]]), np.array([1.0, -2, 3])
    lattice[1, 0], lattice[2, 0], lattice[2, 1] = np.array(signs) * [1.1, 0.8, 1.4]
    corners = origin + np.array(list(itertools.product((0, 1), repeat=3))) @ lattice
    bounds = [
        (corners[:, axis].min(), corners[:, axis].max(), tilt)
        for axis, tilt in enumerate((lattice[1, 0], lattice[2, 0], lattice[2, 1]))
    ]
    at = origin + [0.5, 0.25, 0.125] @ lattice
    t = read(dump(tmp_path / "t.dump", [[(1, 1, *at)]], bounds, tilt="xy xz yz "), species=["Li"])
    np.testing.assert_allclose(t.lattices[0], lattice, atol=1e-12)
    np.testing.assert_allclose(t.positions[0, 0] @ np.linalg.inv(lattice), [0.5, 0.25, 0.125], atol=1e-12)


def test_lammps_general_triclinic_box(tmp_path):
    lattice = np.array([[3.0, 0.1, 0], [0.2, 4.0, 0.3], [0, -0.4, 5.0]])
    bounds = np.column_stack([lattice, [1.0, 2.0, 3.0]])
    rows = [np.column_stack([[1], [1], [[1.5, 2.5, 3.5]]])]
    t = read(dump(tmp_path / "t.dump", rows, bounds, tilt="abc origin "), species=["Li"])
    np.testing.assert_allclose(t.lattices[0], lattice)
    np.testing.assert_allclose(t.positions[0], [[0.5, 0.5, 0.5]])


def test_lammps_images_elements_time_and_boundaries(tmp_path):
    text = "ITEM: UNITS\nmetal\n"
    for t in range(3):
        text += f"ITEM: TIMESTEP\n{100 * t}\nITEM: TIME\n{0.1 * t}\nITEM: NUMBER OF ATOMS\n2\n"
        text += "ITEM: BOX BOUNDS pp ff ps\n0 4\n0 4\n0 4\n"
        text += f"ITEM: ATOMS element x y z ix iy iz\nLi 1 2 3 {t} 0 -1\nO 0 0 0 0 0 0\n"
    file = tmp_path / "t.dump"
    file.write_text(text)
    t = read(file)
    assert t.periodic == (True, False, True)
    assert t.unwrapped
    assert (t.frame_interval, t.time_unit) == (0.1, "ps")
    np.testing.assert_array_equal(t.atomic_numbers, [3, 8])
    np.testing.assert_allclose(t.positions[2, 0], [9, 2, -1])
    with pytest.raises(InputError, match=r"`species=Li`: .*t\.dump has the elements itself"):
        read(file, species=["Li"])


ONE = [np.array([[1, 1, 0, 0, 0], [2, 2, 1, 1, 1]])]
BOUNDS = np.array([[0, 4]] * 3)


@pytest.mark.parametrize(
    ("keywords", "species", "message"),
    [
        ({"rows": ONE}, None, "types 1 2 and no elements; `species` names the element of each type"),
        ({"rows": ONE}, ["Li"], r"`species=Li`: .*t\.dump has types 1 2"),
        (
            {"rows": [np.delete(row, 1, axis=1) for row in ONE], "header": "id x y z"},
            ["Li", "O"],
            r"`species=Li O`: .*t\.dump has no type column to tell 2 elements apart",
        ),
        ({"rows": ONE}, ["Li", "Qq"], "`species`: 'Qq' is not an element symbol"),
        (
            {"rows": ONE, "header": "id type fx fy fz"},
            ["Li", "O"],
            "no coordinates among the columns id type fx fy fz",
        ),
        ({"rows": [ONE[0], ONE[0][:1]]}, ["Li", "O"], "timestep 10 has 1 atoms, timestep 0 has 2"),
        ({"rows": [ONE[0][[0, 0]]]}, ["Li", "O"], "atom id 1 stands twice in timestep 0"),
        (
            {"rows": [ONE[0], ONE[0] + [5, 0, 0, 0, 0]]},
            ["Li", "O"],
            "the atom ids of timestep 10 are not those",
        ),
        ({"rows": ONE, "bounds": BOUNDS * 0}, ["Li", "O"], "lattice of frame 0 has no volume"),
        ({"rows": ONE, "header": "id type x y z q"}, ["Li", "O"], "'1 1 0 0 0' does not have the columns"),
        (
            {"rows": ONE, "bounds": np.zeros((3, 3))},
            ["Li", "O"],
            "box of timestep 0: 3 values where 2 are needed",
        ),
    ],
)
def test_bad_lammps(tmp_path, keywords, species, message):
    file = dump(tmp_path / "t.dump", **{"bounds": BOUNDS, **keywords})
    with pytest.raises(InputError, match=message):
        read(file, species=species)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[: s.rindex("2 2 1")], "timestep 10 has 1 of 2 atoms; the file is truncated"),
        (lambda s: s[: s.rindex("ITEM: ATOMS")], "ends within timestep 10, before its atoms"),
        (lambda s: s[: s.rindex("ITEM: TIMESTEP") + 15], "ends before the timestep; the file is truncated"),
        (lambda s: s.replace("1 1 1\n", "1 nan 1\n"), "coordinate y of atom 1 in frame 0 is nan"),
        (lambda s: s.replace("1 1 1\n", "1 one 1\n"), "timestep 0: 'one' is not a number"),
        (lambda s: "hello\n" + s, "'hello' where a line that begins with ITEM: is expected"),
        (lambda s: s.replace("ITEM: TIMESTEP", "ITEM: WEATHER"), "unknown section ITEM: WEATHER"),
        (lambda s: s.replace("ATOMS\n2\n", "ATOMS\ntwo\n"), "number of atoms 'two' is not an integer"),
        (lambda s: s[s.index("ITEM: BOX") :], "ITEM: ATOMS before n_atoms, timestep"),
        (
            lambda s: s.replace("id type x y z", "id type x y z", 1).replace("pp pp pp", "pp pp ff", 1),
            "boundaries change",
        ),
        (lambda s: "", "is empty"),
    ],
)
def test_damaged_lammps(tmp_path, change, message):
    file = dump(tmp_path / "t.dump", ONE * 2, BOUNDS)
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError, match=rf"t\.dump: .*{message}"):
        read(file, species=["Li", "O"])


# --- XDATCAR -----------------------------------------------------------------------------------


def test_xdatcar_constant_cell_like_ase(tmp_path):
    ase.io.write(tmp_path / "XDATCAR", frames(), format="vasp-xdatcar")
    t = read(tmp_path / "XDATCAR")
    np.testing.assert_array_equal(t.atomic_numbers, [3, 3, 8, 16, 16])
    expected = ase.io.read(tmp_path / "XDATCAR", index=":", format="vasp-xdatcar")
    np.testing.assert_allclose(t.positions, [f.positions for f in expected], atol=1e-7)
    np.testing.assert_allclose(t.lattices, [f.cell.array for f in expected], atol=1e-7)


def xdatcar(n=2, scale="1.0", counts="1 2", direct="Direct"):
    head = f"LiO2\n{scale}\n4 0 0\n0 4 0\n0 0 4\nLi O\n{counts}\n"
    return head + "".join(f"{direct} configuration= {i}\n0 0 0\n.5 .5 .5\n.25 .25 .{i}\n" for i in range(1, n + 1))


def test_xdatcar_varying_cell_scale_and_gzip(tmp_path):
    text = xdatcar(1) + xdatcar(1, scale="2.0") + xdatcar(1, scale="-8.0")
    file = tmp_path / "run1.XDATCAR.gz"
    file.write_bytes(gzip.compress(text.encode()))
    t = read(file, frame_interval=1.0)
    assert t.name == "run1"
    np.testing.assert_allclose(t.lattices[:, 0, 0], [4, 8, 2])
    np.testing.assert_allclose(t.positions[:, 1, 0], [2, 4, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xdatcar()[:-11], "configuration 2 has 2 of 3 atoms; the file is truncated"),
        (xdatcar(0), "holds no configuration"),
        ("LiO2\n1.0\n", "line 1: the header has 2 of 7 lines"),
        (xdatcar(counts="1"), "lines 6 and 7: element symbols and their counts are needed"),
        (xdatcar().replace(".5 .5 .5", ".5 .5 a.5"), "configuration 1: 'a.5' is not a number"),
        (xdatcar().replace(".5 .5 .5", ".5 .5"), "configuration 1: '.5 .5' does not have the columns x y z"),
        (xdatcar(direct="Cartesian"), "line 8: Cartesian configurations are not written by VASP"),
        (xdatcar(1) + xdatcar(1, counts="2 1"), "line 17: the atoms change after configuration 1"),
        (xdatcar().replace("Li O", "Li Ox"), "'Ox' is not an element symbol"),
        ("Direct configuration= 1\n", "line 1: a configuration before the lattice"),
        (xdatcar().replace("4 0 0", "0 0 0"), "lattice of frame 0 has no volume"),
    ],
)
def test_bad_xdatcar(tmp_path, text, message):
    (tmp_path / "XDATCAR").write_text(text)
    with pytest.raises(InputError, match=f"XDATCAR: {message}"):
        read(tmp_path / "XDATCAR")
    with pytest.raises(InputError, match="`species=Li`: .*XDATCAR has the elements itself"):
        read(tmp_path / "XDATCAR", species=["Li"])


# --- extended XYZ ------------------------------------------------------------------------------


def test_extxyz(tmp_path):
    written = frames()
    for frame in written:
        frame.pbc = (True, False, True)
    ase.io.write(tmp_path / "t.xyz", written, format="extxyz")
    t = read(tmp_path / "t.xyz")
    assert t.periodic == (True, False, True)
    np.testing.assert_allclose(t.positions, [f.positions for f in written], atol=1e-7)
    np.testing.assert_allclose(t.lattices[0], TRICLINIC, atol=1e-7)


def test_plain_xyz_is_not_periodic(tmp_path):
    (tmp_path / "t.xyz").write_text("2\n\nLi 0 0 0\nO 1 2 3\n" * 2)
    t = read(tmp_path / "t.xyz", no_cell=True)
    assert t.periodic == (False, False, False)
    np.testing.assert_allclose(t.positions[1, 1], [1, 2, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2\n\nLi 0 0 0\n", "frame 0 has 1 of 2 atoms; the file is truncated"),
        ("1\n\nLi 0 0 0\n2\n\nLi 0 0 0\nO 1 1 1\n", "frame 1 has 2 atoms, frame 0 has 1"),
        ("1\n\nLi 0 0 0\n1\n\nO 0 0 0\n", "elements or periodicity change in frame 1"),
        ("", "is empty"),
    ],
)
def test_bad_extxyz(tmp_path, text, message):
    (tmp_path / "t.xyz").write_text(text)
    with pytest.raises(InputError, match=rf"t\.xyz: {message}"):
        read(tmp_path / "t.xyz")
    if text:
        with pytest.raises(InputError, match=r"`species=Li`: .*t\.xyz has the elements itself"):
            read(tmp_path / "t.xyz", species=["Li"])


# --- any file ----------------------------------------------------------------------------------


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputError, match="is a directory, a trajectory file is needed"):
        read(tmp_path)
    with pytest.raises(InputError, match=r"none\.xyz: no such file"):
        read(tmp_path / "none.xyz")
    (tmp_path / "t.foo").write_text("x")
    with pytest.raises(InputError, match=r"t\.foo: neither its content nor its name .*LAMMPS.*XDATCAR"):
        read(tmp_path / "t.foo")


def test_damaged_gzip(tmp_path):
    whole = gzip.compress(xdatcar(50).encode())
    for content, message in (
        (whole[:-20], "ends within its gzip data; the file is truncated"),
        (whole[:30] + b"x" * 30 + whole[60:], "damaged gzip data"),
    ):
        (tmp_path / "XDATCAR.gz").write_bytes(content)
        with pytest.raises(InputError, match=rf"XDATCAR\.gz: {message}"):
            read(tmp_path / "XDATCAR.gz")


def test_binary_file(tmp_path):
    (tmp_path / "XDATCAR").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="XDATCAR: not a text file"):
        read(tmp_path / "XDATCAR")


def test_selection_of_frames(tmp_path):
    ase.io.write(tmp_path / "t.xyz", frames(6), format="extxyz")
    t = read(tmp_path / "t.xyz", start=1, stride=2)
    assert len(t.positions) == 3
