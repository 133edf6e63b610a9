"""The package's own readers: what they hand over, in which pieces, and what they refuse."""

import gzip
import tracemalloc
import zipfile

import ase.io
import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers import open_source

# --- LAMMPS ------------------------------------------------------------------------------------


def timestep(n, rows, header="id type x y z", bounds="0 4\n0 4\n0 4\n", extra=""):
    count = len(rows.strip().splitlines())
    return (
        f"{extra}ITEM: TIMESTEP\n{n}\nITEM: NUMBER OF ATOMS\n{count}\nITEM: BOX BOUNDS pp pp pp\n{bounds}"
        f"ITEM: ATOMS {header}\n{rows}"
    )


TWO = "2 2 1 1 1\n1 1 0 0 0\n"


def write(tmp_path, *frames):
    (tmp_path / "t.dump").write_text("".join(frames))
    return tmp_path / "t.dump"


@pytest.mark.parametrize(
    ("units", "length", "time", "unit"),
    [
        ("metal", 1, 1, "ps"),
        ("real", 1, 1, "fs"),
        ("electron", 0.529177210903, 1, "fs"),
        ("si", 1e10, 1e12, "ps"),
        ("cgs", 1e8, 1e12, "ps"),
        ("micro", 1e4, 1e6, "ps"),
        ("nano", 10, 1e3, "ps"),
    ],
)
def test_units(tmp_path, opened, units, length, time, unit):
    """Times, told before the time step as LAMMPS does, lengths, and what is said of the conversion."""
    frames = [timestep(n, TWO, extra=f"ITEM: UNITS\n{units}\n" * (not n) + f"ITEM: TIME\n{0.5 * n}\n") for n in (0, 7)]
    found = opened(write(tmp_path, *frames), species=["Li", "O"])
    np.testing.assert_allclose(found.positions[1], [[0, 0, 0], [length] * 3])
    np.testing.assert_allclose(found.lattices[1], 4 * length * np.eye(3))
    np.testing.assert_allclose(found.times, [0, 3.5 * time])
    np.testing.assert_array_equal(found.steps, [0, 7])
    assert found.source.time_unit == unit
    assert bool(found.source.findings) == (length != 1)
    if length != 1:
        assert f"units {units}: lengths are multiplied by" in found.source.findings[0].text


def test_atoms_without_ids(tmp_path, opened):
    """LAMMPS writes atoms in an order that changes."""
    rows = "1 1 1 1\n1 0 0 0\n"
    (finding,) = opened(write(tmp_path, timestep(0, rows, "type x y z")), species=["Li"]).source.findings
    assert (finding.kind, finding.severity) == ("no atom ids", "warning")
    assert "no id column: atoms are taken to stand in the same order in every frame" in finding.text


def test_reduced_units_are_refused(tmp_path):
    path = write(tmp_path, timestep(0, TWO, extra="ITEM: UNITS\nlj\n"))
    with pytest.raises(InputError, match=r"t\.dump: units lj: has no lengths in Å; known are metal, real, electron"):
        open_source(path, species=["Li", "O"])
    path = write(tmp_path, timestep(0, TWO, extra="ITEM: UNITS\nfurlong\n"))
    with pytest.raises(InputError, match=r"t\.dump: units furlong: is not known"):
        open_source(path, species=["Li", "O"])


def test_times_without_units_are_none(tmp_path, opened):
    """A time of which nobody knows the unit."""
    found = opened(write(tmp_path, timestep(0, TWO, extra="ITEM: TIME\n0.5\n")), species=["Li", "O"])
    assert found.times is None
    assert found.source.time_unit is None


@pytest.mark.parametrize(
    ("masses", "symbols"),
    [
        ("6.941 15.9994", ["Li", "O"]),
        ("6.94 16", ["Li", "O"]),
        ("1 12.01", ["H", "C"]),
        ("35.45 32.065", ["Cl", "S"]),
        ("28 55.8", ["Si", "Fe"]),
    ],
)
def test_elements_by_mass(tmp_path, opened, masses, symbols):
    a, b = masses.split()
    path = write(tmp_path, timestep(0, f"1 1 {a} 0 0 0\n2 2 {b} 1 1 1\n", "id type mass x y z"))
    found = opened(path)
    np.testing.assert_array_equal(found.source.atomic_numbers, [ase.data.atomic_numbers[s] for s in symbols])
    assert found.source.findings[0].kind == "elements by mass"
    assert f"elements are told by the masses: {min(float(a), float(b)):g} u" in found.source.findings[0].text
    np.testing.assert_array_equal(found.source.attributes["masses"], [float(a), float(b)])
    np.testing.assert_array_equal(found.source.attributes["types"], ["1", "2"])


@pytest.mark.parametrize(("mass", "said"), [("14.027", "no element"), ("59", "Co and Ni"), ("72", "no element")])
def test_masses_that_tell_no_element(tmp_path, mass, said):
    """A united atom CH2, a mass that two elements round to, a coarse grain."""
    path = write(tmp_path, timestep(0, f"1 1 {mass} 0 0 0\n", "id type mass x y z"))
    with pytest.raises(InputError, match=rf"t\.dump: no elements, and the mass {mass} u is that of {said}; `species`"):
        open_source(path)


def test_charges_and_molecules_in_the_order_of_ids(tmp_path, opened):
    rows = "2 7 O -0.5 1 1 1\n1 3 Li 1 0 0 0\n"
    found = opened(write(tmp_path, timestep(0, rows, "id mol element q x y z")))
    np.testing.assert_array_equal(found.source.attributes["charges"], [1, -0.5])
    np.testing.assert_array_equal(found.source.attributes["resids"], [3, 7])
    np.testing.assert_array_equal(found.source.atomic_numbers, [3, 8])


def test_rewound_steps_are_handed_over(tmp_path, opened):
    path = write(tmp_path, *(timestep(n, TWO) for n in (0, 10, 20, 10)))
    np.testing.assert_array_equal(opened(path, species=["Li", "O"]).steps, [0, 10, 20, 10])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (timestep(10, "1 2 0 0 0\n2 1 1 1 1\n"), "the types of timestep 10 are not those of the first"),
        (timestep(10, "nan 1 0 0 0\n2 2 1 1 1\n"), "atom id nan in timestep 10 is not an integer"),
        (timestep(10, "1.5 1 0 0 0\n2 2 1 1 1\n"), "atom id 1.5 in timestep 10 is not an integer"),
        (timestep(10, TWO, bounds="0 4\n5 4\n0 4\n"), "box of timestep 10: y begins at 5 and ends at 4"),
        (timestep(10, TWO).replace("2 2 1 1 1\n", ""), "timestep 10 has 1 of 2 atoms, then another one begins"),
        (timestep(10, TWO).replace("ATOMS\n2", "ATOMS\n0"), "number of atoms 0 is less than 1"),
        (timestep(10, TWO, extra="ITEM: UNITS\nreal\n"), "units change from None to real at timestep 10"),
    ],
)
def test_bad_timestep(tmp_path, second, message):
    path = write(tmp_path, timestep(0, TWO), second, timestep(20, TWO))
    with pytest.raises(InputError, match=rf"t\.dump: .*{message}"):
        list(open_source(path, species=["Li", "O"]).chunks)


def test_coordinates_that_are_no_numbers(tmp_path):
    """In the first row, which tells the columns of text."""
    path = write(tmp_path, timestep(0, "1 1 0 zero 0\n"))
    with pytest.raises(InputError, match=r"t\.dump: timestep 0: 'zero' is not a number"):
        open_source(path, species=["Li"])
    (tmp_path / "t.xyz").write_text("1\n\nLi 0 zero 0\n")
    with pytest.raises(InputError, match=r"t\.xyz: frame 0: 'zero' is not a number"):
        open_source(tmp_path / "t.xyz")


def test_elements_that_change(tmp_path):
    header = "id element x y z"
    path = write(
        tmp_path, timestep(0, "1 Li 0 0 0\n2 O 1 1 1\n", header), timestep(9, "1 O 0 0 0\n2 Li 1 1 1\n", header)
    )
    with pytest.raises(InputError, match=r"t\.dump: the elements of timestep 9 are not those of the first"):
        list(open_source(path).chunks)


# --- whole frames, then an error ---------------------------------------------------------------

TEXTS = {
    "t.dump": "".join(timestep(n, TWO) for n in (0, 10, 20)),
    "XDATCAR": "LiO\n1.0\n4 0 0\n0 4 0\n0 0 4\nLi O\n1 1\n"
    + "".join(f"Direct configuration= {n}\n0 0 0\n.25 .25 .25\n" for n in (1, 2, 3)),
    "t.xyz": "2\npbc='F F F'\nLi 0 0 0\nO 1 1 1\n" * 3,
}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_cut_at_any_byte(tmp_path, opened, name):
    """Wherever the last frame is cut: two whole frames and the error; never a number that is shorter than it was."""
    text, species = TEXTS[name], {"species": ["Li", "O"]} if name == "t.dump" else {}
    (tmp_path / name).write_text(text)
    whole = opened(tmp_path / name, **species)
    assert whole.cut is None
    starts = {"t.dump": "ITEM: TIMESTEP\n20", "XDATCAR": "Direct configuration= 3", "t.xyz": "2\npbc"}
    for end in range(text.rindex(starts[name]) + 1, len(text)):
        (tmp_path / name).write_text(text[:end])
        found = opened(tmp_path / name, **species)
        np.testing.assert_array_equal(found.positions, whole.positions[:2])
        assert "truncated" in str(found.cut), text[:end][-20:]


def test_piece_of_a_frame_alone(tmp_path):
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text[: text.index("\n0 0 0") + 3] if name == "XDATCAR" else text[:75])
        with pytest.raises(InputError, match=r"truncated|atoms"):
            list(open_source(tmp_path / name, species=["Li", "O"] if name == "t.dump" else None).chunks)


@pytest.mark.parametrize("count", [10**8, 10**12])
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_counts_are_checked_before_anything_is_made_of_that_size(tmp_path, name, count):
    head = {"t.dump": ("ATOMS\n2", f"ATOMS\n{count}"), "XDATCAR": ("1 1\nDirect", f"{count} 1\nDirect")}
    (tmp_path / name).write_text(TEXTS[name].replace(*head.get(name, ("2\n", f"{count}\n"))))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"has \d+ atoms, \d+ bytes follow; the file is truncated"):
            open_source(tmp_path / name, species=["Li", "O"] if name == "t.dump" else None)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("n_atoms", [1, 300])
def test_memory_does_not_grow_with_the_file(tmp_path, n_atoms):
    """Large frames and small ones: pieces of a megabyte of text, 4,096 frames at most."""
    rows = "Li 0.25 0.5 0.75\n" * n_atoms
    (tmp_path / "t.xyz").write_text(f"{n_atoms}\npbc='F F F'\n{rows}" * (20_000 if n_atoms == 1 else 1000))
    sizes = [len(chunk.positions) for chunk in open_source(tmp_path / "t.xyz").chunks]
    assert sum(sizes) == (20_000 if n_atoms == 1 else 1000)
    assert max(sizes) <= (4096 if n_atoms == 1 else 250)


def test_lines_and_frames_that_are_too_long(tmp_path, monkeypatch):
    (tmp_path / "t.xyz").write_text("1\n" + "x" * 2**20 + "\nLi 0 0 0\n")
    with pytest.raises(InputError, match=r"t\.xyz: line 2 is longer than 1048576 bytes"):
        open_source(tmp_path / "t.xyz")
    monkeypatch.setattr("gdynet_tf.trajectory.readers.text._LARGEST_FRAME", 10)
    (tmp_path / "t.xyz").write_text("2\n\nLi 0 0 0\nO 1 1 1\n")
    with pytest.raises(InputError, match=r"t\.xyz: frame 0 is longer than 10 bytes"):
        open_source(tmp_path / "t.xyz")
    monkeypatch.setattr("gdynet_tf.trajectory.readers.npz._LARGEST", 10)
    np.savez(tmp_path / "t.npz", **content())
    with pytest.raises(InputError, match=r"t\.npz: atom_types of shape \(3,\) are more than 10 bytes"):
        open_source(tmp_path / "t.npz")


def test_periodicity_of_xyz_that_changes(tmp_path):
    (tmp_path / "t.xyz").write_text("1\npbc='F F F'\nLi 0 0 0\n1\npbc='F F T'\nLi 0 0 0\n")
    with pytest.raises(InputError, match=r"t\.xyz: elements or periodicity change in frame 1"):
        list(open_source(tmp_path / "t.xyz").chunks)


# --- XDATCAR -----------------------------------------------------------------------------------


def test_configuration_numbers_that_are_rewound_or_full(tmp_path, opened):
    text = TEXTS["XDATCAR"].replace("n= 3", "n= 2").replace("n= 1", "n=999999")
    (tmp_path / "XDATCAR").write_text(text)
    np.testing.assert_array_equal(opened(tmp_path / "XDATCAR").steps, [999999, 2, 2])
    (tmp_path / "XDATCAR").write_text(text.replace("n= 2", "n=******"))
    np.testing.assert_array_equal(opened(tmp_path / "XDATCAR").steps, [999999, 1000000, 1000001])
    (tmp_path / "XDATCAR").write_text(text.replace("n= 2", "n=" + "9" * 20))
    with pytest.raises(InputError, match="XDATCAR: configuration 99999999999999999999 is larger than"):
        opened(tmp_path / "XDATCAR")


# --- XYZ ---------------------------------------------------------------------------------------


def test_blank_lines_between_frames(tmp_path, opened):
    (tmp_path / "t.xyz").write_text("\n" + "2\n\nLi 0 0 0\nO 1 1 1\n\n \n" * 3)
    assert len(opened(tmp_path / "t.xyz").positions) == 3


def test_comments_before_utf8(tmp_path, opened):
    """A title in Latin-1; bytes that are in no text are refused."""
    (tmp_path / "t.xyz").write_bytes("1\nenergie (\xe9V) à 300 K\nLi 0 0 0\n".encode("latin-1") * 2)
    assert len(opened(tmp_path / "t.xyz").positions) == 2
    (tmp_path / "t.xyz").write_bytes(b"1\n\x00\xff\nLi 0 0 0\n")
    with pytest.raises(InputError, match=r"t\.xyz: not a text file: line 2 holds control characters"):
        open_source(tmp_path / "t.xyz")


BOHR = 0.529177210903
IPI = "# CELL(abcABC):   20.00000    10.00000    10.00000    90.00000    90.00000    60.00000  "


@pytest.mark.parametrize(
    ("rest", "length", "cell"),
    [
        (
            "Step:          {}  Bead:       0 positions{{atomic_unit}}  cell{{atomic_unit}}",
            BOHR,
            BOHR,
        ),
        ("Traj: positions{{angstrom}} Step:          {}  Bead:       0 cell{{atomic_unit}}", 1, BOHR),
        ("Traj: x_centroid{{angstrom}} Step:  {}  Bead:       0 cell{{angstrom}}", 1, 1),
        ("Step:  {}  Bead: 0", BOHR, BOHR),
    ],
)
def test_ipi(tmp_path, opened, rest, length, cell):
    """Units in braces, atomic ones where there are none, as i-PI does."""
    (tmp_path / "t.xyz").write_text("".join(f"1\n{IPI}{rest.format(10 * n)}\nLi 1 2 3\n" for n in range(3)))
    found = opened(tmp_path / "t.xyz")
    np.testing.assert_allclose(found.positions[2], [np.array([1, 2, 3]) * length])
    np.testing.assert_allclose(found.lattices[0], [[20 * cell, 0, 0], [5 * cell, 75**0.5 * cell, 0], [0, 0, 10 * cell]])
    np.testing.assert_array_equal(found.steps, [0, 10, 20])
    assert [finding.kind for finding in found.source.findings] == ["converted units"] * (length != 1)


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        (IPI + "Traj: velocities{atomic_unit} Step: 0", "frame 0: holds velocities, not positions"),
        (IPI + "positions{furlong}", "frame 0: unit furlong: is not known; known are atomic_unit, angstrom, nano"),
        (IPI.replace("abcABC", "H"), r"frame 0: CELL\(H\): only cells by abcABC are read"),
        (IPI.replace("20.00000    ", ""), "frame 0: CELL: 5 values where 6 are needed"),
        (
            "positions{atomic_unit}",
            r"frame 0: positions\{atomic_unit\} without the `# CELL\(abcABC\):` that",
        ),
    ],
)
def test_other_comments_of_ipi(tmp_path, comment, message):
    (tmp_path / "t.xyz").write_text(f"1\n{comment}\nLi 1 2 3\n")
    with pytest.raises(InputError, match=rf"t\.xyz: {message}"):
        open_source(tmp_path / "t.xyz")


def test_units_of_ipi_that_change(tmp_path):
    text = "".join(f"1\n{IPI}positions{{{unit}}}\nLi 1 2 3\n" for unit in ("angstrom", "atomic_unit"))
    (tmp_path / "t.xyz").write_text(text)
    with pytest.raises(InputError, match=r"t\.xyz: the unit changes in frame 1"):
        list(open_source(tmp_path / "t.xyz").chunks)


@pytest.mark.parametrize(
    ("comment", "cell", "periodic"),
    [
        ("", None, (True,) * 3),
        ('pbc="F F F"', np.zeros((3, 3)), (False,) * 3),
        ('pbc="T T T"', None, (True,) * 3),
        ('Lattice="4 0 0 1 5 0 0 0 6"', [[4, 0, 0], [1, 5, 0], [0, 0, 6]], (True,) * 3),
        ('Lattice="4 0 0 1 5 0 0 0 6" pbc="T F 1"', [[4, 0, 0], [1, 5, 0], [0, 0, 6]], (True, False, True)),
        ("lattice=[4,0,0,1,5,0,0,0,6]", [[4, 0, 0], [1, 5, 0], [0, 0, 6]], (True,) * 3),
        ("Lattice={4 0 0 1 5 0 0 0 6} energy=-1", [[4, 0, 0], [1, 5, 0], [0, 0, 6]], (True,) * 3),
    ],
)
def test_cells_of_xyz(tmp_path, opened, comment, cell, periodic):
    """No cell is none; a file that says that nothing is periodic has its word."""
    (tmp_path / "t.xyz").write_text(f"1\n{comment}\nLi 1 2 3\n" * 2)
    found = opened(tmp_path / "t.xyz")
    assert found.source.periodic == periodic
    if cell is None:
        assert found.lattices is None
    else:
        np.testing.assert_array_equal(found.lattices, [cell, cell])


def test_columns_of_xyz(tmp_path, opened):
    text = "2\nProperties=id:I:1:pos:R:3:fixed:L:1:symbols:S:1:initial_charges:R:1\n1 0 1 2 T Li 0.5\n2 3 4 5 F O -1\n"
    (tmp_path / "t.xyz").write_text(text * 2)
    found = opened(tmp_path / "t.xyz")
    np.testing.assert_array_equal(found.positions[1], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found.source.atomic_numbers, [3, 8])
    np.testing.assert_array_equal(found.source.attributes["charges"], [0.5, -1])


def test_labels_of_xyz(tmp_path, opened):
    (tmp_path / "t.xyz").write_text("3\n\nLi1 0 0 0\nO_w 1 1 1 0.5 0.5 0.5\n8 1 1 1\n".replace(" 0.5 0.5 0.5", ""))
    with pytest.raises(InputError, match=r"t\.xyz: '' is not an element symbol"):
        open_source(tmp_path / "t.xyz")
    (tmp_path / "t.xyz").write_text("2\n\nLi1 0 0 0 9 9\nO_w 1 1 1 9 9\n")
    found = opened(tmp_path / "t.xyz")
    np.testing.assert_array_equal(found.source.atomic_numbers, [3, 8])
    assert found.source.findings[0].text.endswith("elements are told by the labels: Li1 Li, O_w O")
    (tmp_path / "t.xyz").write_text("2\n\n3 0 0 0\n8 1 1 1\n")
    np.testing.assert_array_equal(opened(tmp_path / "t.xyz", format="extxyz").source.atomic_numbers, [3, 8])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\npbc='T T'\nLi 0 0 0\n", "frame 0: pbc 'T T' has 2 values where 3 are needed"),
        ("1\nLattice='1 2'\nLi 0 0 0\n", "frame 0: Lattice: 2 values where 9 are needed"),
        ("1\nProperties=pos:R\nLi 0 0 0\n", "frame 0: Properties 'pos:R' are not names, types and numbers of columns"),
        ("1\nProperties=species:S:1:pos:R:2\nLi 0 0\n", "frame 0: pos has not three columns in 'species:S:1:pos:R:2'"),
        ("1\nProperties=pos:R:3\n0 0 0\n", "frame 0: no species among the columns pos pos1 pos2"),
        ("1\nProperties=species:S:1:q:R:3\nLi 0 0 0\n", "frame 0: no pos among the columns species q q1 q2"),
        ("1\n\nLi 0 0 0\n1\nProperties=species:S:1:x:R:1:pos:R:3\nLi 0 0 0 0\n", "the columns change in frame 1"),
        ("1\n\nLi 0 0 0\n1\nLattice='1 0 0 0 1 0 0 0 1'\nLi 0 0 0\n", "frame 0 has no cell, frame 1 has one"),
        ("1\n\nLi 0 0 0\n1\n\nLi 0 0 0 0\n", "frame 1: 'Li 0 0 0 0' does not have the columns species pos pos1 pos2"),
        ("1\n\nLi 0 0 0\nhello\n\n", "line 4: number of atoms 'hello' is not an integer"),
        ("1\nProperties=Z:I:1:pos:R:3\n1.5 0 0 0\n", "frame 0: atomic number 1.5"),
    ],
)
def test_bad_xyz(tmp_path, text, message):
    (tmp_path / "t.xyz").write_text(text)
    with pytest.raises(InputError, match=rf"t\.xyz: {message}"):
        list(open_source(tmp_path / "t.xyz").chunks)


# --- npz ---------------------------------------------------------------------------------------


def content(**changes):
    rng = np.random.default_rng(0)
    return {
        "traj_coords": rng.random((5, 3, 3)),
        "lattices": np.repeat(np.eye(3)[None] * 4, 5, axis=0),
        "atom_types": np.array([3, 8, 8]),
        "target_index": np.array([0]),
    } | changes


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, ">f8", int])
def test_npz_of_any_order(tmp_path, opened, order, dtype):
    given = content()
    given["traj_coords"] = np.asarray(given["traj_coords"] * 10, dtype, order=order)
    np.savez(tmp_path / "t.npz", **given)
    found = opened(tmp_path / "t.npz")
    np.testing.assert_array_equal(found.positions, given["traj_coords"])
    np.testing.assert_array_equal(found.lattices, given["lattices"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"atom_types": np.array([3.7, 8, 8])}, "atom_types hold 3.7, whole numbers are needed"),
        ({"atom_types": np.array([2**32 + 3, 8, 8])}, "atom_types: 4294967299 is not between 1 and 99"),
        ({"atom_types": np.array([3, 8])}, "2 atom types for 3 atoms"),
        ({"atom_types": np.array(["Li", "O", "O"])}, "atom_types are <U2, real numbers are needed"),
        ({"target_index": np.array([0.5])}, "target_index hold 0.5, whole numbers are needed"),
        ({"target_index": np.array([1, 1])}, "target_index: 1 stands in them twice"),
        ({"target_index": np.array(1)}, r"target_index: of shape .* are needed, got \(\)"),
        ({"traj_coords": np.zeros((5, 3, 3), complex)}, "traj_coords are complex128, real numbers are needed"),
        ({"traj_coords": np.zeros((5, 3))}, r"coordinates must have shape \(frames, atoms, 3\), got \(5, 3\)"),
        ({"traj_coords": np.zeros((0, 3, 3)), "lattices": np.zeros((0, 3, 3))}, "holds no frame"),
        ({"lattices": np.eye(3)}, r"lattices of shape \(3, 3\) for 5 frames, \(5, 3, 3\) is needed"),
    ],
)
def test_bad_npz(tmp_path, changes, message):
    np.savez(tmp_path / "t.npz", **content(**changes))
    with pytest.raises(InputError, match=rf"t\.npz: {message}"):
        open_source(tmp_path / "t.npz")


def test_whole_numbers_written_as_real_ones(tmp_path, opened):
    np.savez(tmp_path / "t.npz", **content(atom_types=np.array([3.0, 8, 8])))
    np.testing.assert_array_equal(opened(tmp_path / "t.npz").source.atomic_numbers, [3, 8, 8])


def test_members_that_are_not_needed_are_not_read(tmp_path, opened):
    np.savez(tmp_path / "t.npz", **content(), notes=np.array([{"a": 1}], dtype=object))
    with zipfile.ZipFile(tmp_path / "t.npz", "a") as archive:
        archive.writestr("readme.txt", "no array")
    assert len(opened(tmp_path / "t.npz").positions) == 5


def test_shape_that_the_file_does_not_hold(tmp_path):
    np.savez(tmp_path / "t.npz", **content())
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["traj_coords.npy"] = members["traj_coords.npy"].replace(b"(5, 3, 3), }      ", b"(500000000, 3, 3)}")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=r"t\.npz: traj_coords of shape \(5\d*, 3, 3\) need \d+ bytes, 360 are in the"):
        open_source(tmp_path / "t.npz")


def test_npz_in_pieces(tmp_path):
    """Several megabytes at a time, not all frames at once."""
    np.savez(
        tmp_path / "t.npz",
        **content(traj_coords=np.zeros((200_000, 3, 3)), lattices=np.tile(np.eye(3), (200_000, 1, 1))),
    )
    sizes = [chunk.positions.nbytes for chunk in open_source(tmp_path / "t.npz").chunks]
    assert len(sizes) > 2
    assert max(sizes) <= 2**22
    assert sum(sizes) == 200_000 * 72


# --- what unpacks to more than there is room for ------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"fractional": np.zeros((2, 1_000_000, 3), np.uint16)},
            r"fractional of shape \(2, 1000000, 3\), \(2, 1, 3\) is",
        ),
        ({"fractional": np.zeros(2, np.uint16)}, r"fractional of shape \(2,\), \(2, 1, 3\) is needed"),
        ({"positions": np.zeros((0, 3))}, r"positions of shape \(0, 3\), \(2, 3\) is needed"),
        ({"positions": np.zeros((0, 3)), "atomic_numbers": np.zeros(0, int)}, "positions of shape"),
        ({"lattice": np.eye(2)}, r"lattice of shape \(2, 2\), \(3, 3\) is needed"),
        ({"frame_interval": np.ones(2)}, r"frame_interval of shape \(2,\), \(\) is needed"),
        ({"mobile": np.array([7])}, "mobile names atoms 7 to 7 of 2"),
        ({"mobile": np.array([-1])}, "mobile names atoms -1 to -1 of 2"),
    ],
)
def test_compact_npz_whose_arrays_do_not_fit_together(tmp_path, changes, message):
    given = {
        "positions": np.zeros((2, 3)),
        "lattice": np.eye(3) * 4,
        "atomic_numbers": np.array([3, 16]),
        "mobile": np.array([0]),
        "fractional": np.zeros((2, 1, 3), np.uint16),
        "frame_interval": 0.1,
        "time_unit": "ps",
    }
    np.savez_compressed(tmp_path / "t.npz", **given)
    assert len(next(open_source(tmp_path / "t.npz").chunks).positions) == 2
    np.savez_compressed(tmp_path / "t.npz", **(given | changes))
    with pytest.raises(InputError, match=rf"t\.npz: {message}"):
        list(open_source(tmp_path / "t.npz").chunks)


@pytest.mark.parametrize("name", ["t.xyz.gz", "XDATCAR.gz"])
@pytest.mark.parametrize("count", [10**9, 4_000_000])
def test_gz_bombs(tmp_path, name, count):
    """Some kilobytes that unpack to millions of empty rows take no more memory than their text."""
    cell = TEXTS["XDATCAR"].partition("1 1\n")[0]
    head = f"{count}\n\n" if name == "t.xyz.gz" else f"{cell}{count} 1\nDirect configuration= 1\n"
    with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
        file.write(head.encode() + b"\n" * 3_999_999)
    assert (tmp_path / name).stat().st_size < 50_000
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=r"the file is truncated"):
            open_source(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 5e7
    finally:
        tracemalloc.stop()
