"""Each format, from a file that its program or its reference library has written."""

import contextlib
import os
import re
import shutil
from io import StringIO
from pathlib import Path

import ase
import ase.io
import ase.io.dlp4
import ase.test
import ase.units
import MDAnalysis
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.trajectory.readers import open_source
from gdynet_tf.trajectory.readers.library import records

DATA = Path(__file__).parents[2] / "data" / "formats"
ASE_DATA = Path(ase.test.__file__).parent
LATTICE = np.array([[11.0, 0, 0], [2.0, 10.0, 0], [-1.5, 1.0, 9.0]])  # as GROMACS and MDAnalysis turn it
NUMBERS = np.repeat([3, 8, 16], [4, 6, 8])
N_FRAMES, INTERVAL = 5, 0.5  # ps

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of the writers


def path_of(n_frames=N_FRAMES, seed=0):
    """Positions (F, N, 3) that drift in the cell."""
    rng = np.random.default_rng(seed)
    start, drift = rng.random((len(NUMBERS), 3)), rng.uniform(-0.01, 0.01, (len(NUMBERS), 3))
    return (start + np.arange(n_frames)[:, None, None] * drift) @ LATTICE


def atoms(n_frames=N_FRAMES, lattice=LATTICE, pbc=True):
    return [ase.Atoms(NUMBERS, positions=x, cell=lattice, pbc=pbc) for x in path_of(n_frames)]


def moving_atoms():
    """Frames that have velocities and a calculator, without which ASE writes no CASTEP file."""
    frames = atoms()
    for frame in frames:
        frame.set_velocities(np.zeros((len(NUMBERS), 3)))
        results = {"energy": 0.0, "free_energy": 0.0, "forces": np.zeros((len(NUMBERS), 3))}
        frame.calc = SinglePointCalculator(frame, **results)
    return frames


def universe(dt=INTERVAL, box=True):
    """The same in MDAnalysis, with names, residues, masses and charges."""
    made = MDAnalysis.Universe.empty(
        len(NUMBERS), n_residues=3, atom_resindex=np.repeat([0, 1, 2], [4, 6, 8]), trajectory=True
    )
    symbols = [ase.data.chemical_symbols[z] for z in NUMBERS]
    for name, values in {
        "names": [f"{s}{n}" for n, s in enumerate(symbols)],
        "elements": symbols,
        "types": [str(t) for t in np.repeat([1, 2, 3], [4, 6, 8])],
        "masses": ase.data.atomic_masses[NUMBERS],
        "charges": np.repeat([1.0, -0.5, -0.125], [4, 6, 8]),
        "resids": [1, 2, 3],
        "resnames": ["LI", "OX", "SU"],
        "segids": ["S"],
        "ids": np.arange(1, len(NUMBERS) + 1),
        **dict.fromkeys(["bonds", "angles", "dihedrals", "impropers"], ()),
    }.items():
        made.add_TopologyAttr(name, values)
    dimensions = MDAnalysis.lib.mdamath.triclinic_box(*LATTICE)
    made.load_new(path_of().astype(np.float32), dimensions=dimensions if box else None, dt=dt)
    return made


def write(path, kind, box=True, **options):
    """All frames by MDAnalysis' writer."""
    made = universe(box=box)
    if kind == "H5MD":
        options |= {"lengthunit": "Angstrom", "timeunit": "ps"}
    with MDAnalysis.Writer(str(path), n_atoms=len(NUMBERS), multiframe=True, format=kind, **options) as writer:
        for _ in made.trajectory:
            writer.write(made.atoms)
    return path


@pytest.fixture
def topology(tmp_path):
    universe().atoms.write(str(tmp_path / "top.pdb"))
    return tmp_path / "top.pdb"


def same(found, precision, expected=None, cell=1e-4, lattice=LATTICE):
    """Positions, cells and elements, to what the format keeps."""
    expected = path_of() if expected is None else expected
    np.testing.assert_allclose(found.positions, expected, atol=precision)
    np.testing.assert_allclose(found.lattices, np.repeat(lattice[None], len(expected), axis=0), atol=cell)
    np.testing.assert_array_equal(found.source.atomic_numbers, NUMBERS)


# --- MDAnalysis' formats, written by MDAnalysis ------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "precision", "steps"),
    [
        ("t.xtc", "XTC", 0.0051, True),  # 0.01 Å
        ("t.trr", "TRR", 2e-6, True),  # single precision
        ("t.dcd", "DCD", 2e-6, True),
        ("t.ncdf", "NCDF", 2e-6, False),
        ("t.h5md", "H5MD", 2e-6, True),
    ],
)
def test_coordinates_and_a_topology(tmp_path, topology, opened, name, kind, precision, steps):
    write(tmp_path / name, kind, **({"dt": INTERVAL} if kind == "DCD" else {}))
    before = sorted(os.listdir(tmp_path))
    found = opened(tmp_path / name, topology=topology)
    assert sorted(os.listdir(tmp_path)) == before  # nothing is written beside the data
    same(found, precision, cell=2e-5)
    assert (found.source.time_unit, found.source.unwrapped) == ("ps", False)
    np.testing.assert_allclose(found.times, INTERVAL * np.arange(N_FRAMES), rtol=1e-5)
    assert (found.steps is not None) == steps
    np.testing.assert_array_equal(found.source.attributes["resnames"], np.repeat(["LI", "OX", "SU"], [4, 6, 8]))
    assert found.source.sources == (str(tmp_path / name), str(topology))
    with pytest.raises(
        InputError, match=rf"{name}: holds coordinates alone; `topology` names a file that has the atoms"
    ):
        open_source(tmp_path / name)


def test_pdb(tmp_path, opened):
    found = opened(write(tmp_path / "t.pdb", "PDB"))
    same(found, 0.00051, cell=0.002)
    assert found.times is None
    assert found.source.attributes["names"][0] == "Li0"


def test_gro(tmp_path, opened):
    """One frame by MDAnalysis; GROMACS writes several."""
    universe().atoms.write(str(tmp_path / "t.gro"))
    found = opened(tmp_path / "t.gro")
    same(found, 0.0051, path_of()[:1], cell=1e-3)
    assert "guessed from the atom names: Li0 Li" in found.source.findings[0].text


def test_names_that_stand_for_two(tmp_path, opened):
    """A protein's CA beside a calcium ion: both are told, before the names that are clear."""
    rows = [("ALA", "N", 1), ("ALA", "CA", 1), ("ALA", "CB", 1), ("CA", "CA", 2)]
    lines = [f"{r:5d}{res:<5s}{name:>5s}{n:5d}{n:8.3f}{0:8.3f}{0:8.3f}\n" for n, (res, name, r) in enumerate(rows, 1)]
    (tmp_path / "t.gro").write_text(f"protein\n{len(rows)}\n{''.join(lines)}   5.0 5.0 5.0\n")
    found = opened(tmp_path / "t.gro")
    np.testing.assert_array_equal(found.source.atomic_numbers, [7, 6, 6, 20])
    assert "guessed from the atom names: CA C and Ca, N N, CB C;" in found.source.findings[0].text


def test_lammps_data(tmp_path, opened):
    made = universe()
    made.atoms.write(str(tmp_path / "t.data"))
    found = opened(tmp_path / "t.data")
    same(found, 1e-5, path_of()[:1])
    assert found.source.findings[0].kind == "elements by mass"
    np.testing.assert_allclose(found.source.attributes["charges"], made.atoms.charges)


LAMMPS_ROWS = {
    "full": "{i} {mol} {kind} {q} {x} {y} {z}",
    "charge": "{i} {kind} {q} {x} {y} {z}",
    "molecular": "{i} {mol} {kind} {x} {y} {z}",
    "atomic": "{i} {kind} {x} {y} {z}",
}


@pytest.mark.parametrize("images", ["", " 0 0 0", " 1 -1 0  # a"])
@pytest.mark.parametrize("hint", [True, False])
@pytest.mark.parametrize("style", LAMMPS_ROWS)
def test_styles_of_lammps_data(tmp_path, opened, style, hint, images):
    """With the name of the style or without, atoms in any order, and other numbers than from 1 on."""
    numbers, rng = np.array([8, 1, 1, 3]), np.random.default_rng(0)
    x, charges = rng.random((4, 3)) * 10, np.array([-0.8, 0.4, 0.4, 1.0])
    rows = [
        LAMMPS_ROWS[style].format(i=i + 11, mol=1 + i // 3, kind=[1, 2, 2, 3][i], q=charges[i], x=a, y=b, z=c) + images
        for i, (a, b, c) in enumerate(x)
    ]
    head = "data\n\n4 atoms\n3 atom types\n\n0 10 xlo xhi\n0 10 ylo yhi\n0 10 zlo zhi\n\n"
    text = f"{head}Masses\n\n1 15.9994\n2 1.008\n3 6.94\n\nAtoms{'  # ' + style if hint else ''}\n\n"
    (tmp_path / "t.data").write_text(text + "".join(f"{rows[i]}\n" for i in (2, 0, 3, 1)))
    found = opened(tmp_path / "t.data")
    np.testing.assert_array_equal(found.source.atomic_numbers, numbers)
    np.testing.assert_allclose(found.positions[0], x, atol=1e-6)
    if "{q}" in LAMMPS_ROWS[style]:
        np.testing.assert_allclose(found.source.attributes["charges"], charges)
    if "{mol}" in LAMMPS_ROWS[style]:
        np.testing.assert_array_equal(found.source.attributes["resids"], [1, 1, 1, 2])


def test_a_style_that_is_not_known(tmp_path):
    """Its columns would be taken for others: 7 of spheres for those of full."""
    head = "data\n\n1 atoms\n1 atom types\n\n0 10 xlo xhi\n0 10 ylo yhi\n0 10 zlo zhi\n\n"
    (tmp_path / "t.data").write_text(f"{head}Masses\n\n1 15.9994\n\nAtoms  # sphere\n\n1 1 1 1 2 2 2\n")
    with pytest.raises(InputError, match=r"t\.data: atoms of style sphere: is not known; known are atomic, charge"):
        open_source(tmp_path / "t.data")


@pytest.mark.parametrize("kind", ["XTC", "TRR", "DCD", "NCDF", "H5MD", "PDB"])
def test_no_box_is_no_cell(tmp_path, topology, opened, kind):
    write(tmp_path / f"t.{kind.lower()}", kind, box=False)
    given = {} if kind == "PDB" else {"topology": topology}
    assert opened(tmp_path / f"t.{kind.lower()}", **given).lattices is None


@pytest.mark.parametrize("remarks", ["Written by LAMMPS", "VMD"])
def test_dcd_of_unknown_time_step(tmp_path, topology, opened, remarks):
    """LAMMPS writes its own units, plug-ins a 1 that means nothing."""
    delta = INTERVAL if "LAMMPS" in remarks else MDAnalysis.units.convert(1.0, "AKMA", "ps")
    write(tmp_path / "t.dcd", "DCD", dt=delta, remarks=remarks)
    assert opened(tmp_path / "t.dcd", topology=topology).times is None


HISTORY = """\
Li2O
         {level}         3         3
{frames}"""


def history(level=0, n_frames=3, turn=1.0):
    """As DL_POLY 4 writes it, the atoms in changing order."""
    cell = "".join(f"{a:20.10f}{b:20.10f}{c:20.10f}\n" for a, b, c in [(0, 8, 0), (7, 1, 0), (0, 0, 6)])
    frames = ""
    for n in range(n_frames):
        frames += (
            f"timestep {1000 + 50 * n:10d}{3:10d}{level:10d}{3:10d}{0.001:20.6f}{(1000 + 50 * n) / 1000:20.6f}\n{cell}"
        )
        for i in [2, 1, 3] if n else [1, 2, 3]:
            name = "Li" if i < 3 else "O"
            frames += f"{name:8s}{i:10d}{1.0:12.6f}{0.0:12.6f}{0.0:12.6f}\n"
            frames += "".join(f"{i + axis + 0.1 * n:20.10f}" for axis in range(3)) + "\n"
            frames += ("0 0 0\n") * level
    return HISTORY.format(level=level, frames=frames)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_dlpoly(tmp_path, opened, level):
    (tmp_path / "HISTORY").write_text(history(level))
    found = opened(tmp_path / "HISTORY")
    expected = np.arange(1, 4)[:, None] + np.arange(3)
    np.testing.assert_allclose(found.positions, [expected + 0.1 * n for n in range(3)], atol=1e-6)
    np.testing.assert_array_equal(found.lattices[1], [[0, 8, 0], [7, 1, 0], [0, 0, 6]])  # not turned
    np.testing.assert_array_equal(found.steps, [1000, 1050, 1100])
    np.testing.assert_allclose(found.times, [1, 1.05, 1.1])
    np.testing.assert_array_equal(found.source.atomic_numbers, [3, 3, 8])
    theirs = ase.io.dlp4.read_dlp_history(StringIO(history(level)), index=0)[0]
    np.testing.assert_allclose(found.positions[0], theirs.positions, atol=1e-6)
    np.testing.assert_allclose(found.lattices[0], theirs.cell.array)


def test_dlpoly_cells_of_other_shapes(tmp_path, opened):
    """A slab is not periodic along z; a truncated octahedron is no parallelepiped."""
    head, _, rest = history().partition("         3         3\n")
    (tmp_path / "HISTORY").write_text(f"{head}         6         3\n{rest}")
    assert opened(tmp_path / "HISTORY").source.periodic == (True, True, False)
    (tmp_path / "HISTORY").write_text(f"{head}         4         3\n{rest}")
    with pytest.raises(
        InputError, match="HISTORY: periodic boundary key 4: only cells that are parallelepipeds or slabs"
    ):
        open_source(tmp_path / "HISTORY")


# --- GROMACS -----------------------------------------------------------------------------------


def test_gromacs(opened):
    """XTC, GRO and PDB against TRR, which has most digits; the charges of SPC/E from the TPR."""
    reference = opened(DATA / "water.trr", topology=DATA / "water.tpr")
    assert reference.positions.shape == (6, 96, 3)
    np.testing.assert_array_equal(reference.source.atomic_numbers, [8, 1, 1] * 32)
    np.testing.assert_allclose(reference.source.attributes["charges"][:3], [-0.8476, 0.4238, 0.4238], rtol=1e-6)
    assert len(reference.source.attributes["bonds"]) == 64
    bonds = np.linalg.norm(reference.positions[:, ::3] - reference.positions[:, 1::3], axis=-1)
    assert np.median(np.abs(bonds - 1.0)) < 1e-4  # rigid, unless the border lies between
    for name, precision in (("water.xtc", 0.0101), ("water.gro", 0.0101), ("water.pdb", 0.0011)):
        given = {"topology": DATA / "water.tpr"} if name.endswith("xtc") else {}
        found = opened(DATA / name, **given)
        fractional = (found.positions - reference.positions) @ np.linalg.inv(reference.lattices)
        apart = (fractional - np.round(fractional)) @ reference.lattices  # GROMACS keeps molecules whole in XTC
        assert np.abs(apart).max() < precision
        np.testing.assert_allclose(found.lattices, reference.lattices, atol=0.0006)
        np.testing.assert_array_equal(found.source.atomic_numbers, reference.source.atomic_numbers)
        if name != "water.pdb":
            np.testing.assert_allclose(found.times, reference.times, atol=1e-6)
            np.testing.assert_array_equal(found.steps, [0, 20, 40, 60, 80, 100])


# --- LAMMPS ------------------------------------------------------------------------------------


def test_lammps(opened):
    """Dump, DCD, extended XYZ and data of one run in a cell that varies."""
    dump = opened(DATA / "nacl.lammpstrj")
    assert (dump.source.time_unit, dump.source.unwrapped) == ("ps", True)
    np.testing.assert_allclose(dump.times, 0.04 * np.arange(5), atol=1e-12)
    np.testing.assert_array_equal(dump.steps, 20 * np.arange(5))
    assert dump.source.findings[0].text.endswith("elements are told by the masses: 22.9898 u Na, 35.453 u Cl")
    charges = dump.source.attributes["charges"]
    np.testing.assert_array_equal(charges, np.where(dump.source.atomic_numbers == 11, 1, -1))
    assert np.ptp(dump.lattices[:, 0, 0]) > 0.01
    for name, precision in (("nacl.dcd", 2e-6), ("nacl.extxyz", 1e-4), ("nacl.data", 2e-6)):
        given = {"topology": DATA / "nacl.data"} if name.endswith("dcd") else {}
        found = opened(DATA / name, **given)
        n = len(found.positions)
        # LAMMPS has moved the origin of the box, which is taken off in dumps.
        apart = np.diff(found.positions, axis=1) - np.diff(dump.positions[:n], axis=1)
        fractional = apart @ np.linalg.inv(dump.lattices[:n])
        assert np.abs((fractional - np.round(fractional)) @ dump.lattices[:n]).max() < precision
        np.testing.assert_allclose(found.lattices, dump.lattices[:n], atol=1e-4)
        np.testing.assert_array_equal(found.source.atomic_numbers, dump.source.atomic_numbers)
        assert found.times is None
        if name != "nacl.data":
            np.testing.assert_array_equal(found.steps, dump.steps)


def test_lammps_dump_with_its_data_file(opened, tmp_path):
    """The topology names the elements where the dump has types alone."""
    text = re.sub(r"mass q ", "", (DATA / "nacl.lammpstrj").read_text())
    text = re.sub(r"^(\d+ \d) \S+ \S+", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "t.lammpstrj").write_text(text)
    found = opened(tmp_path / "t.lammpstrj", topology=DATA / "nacl.data")
    np.testing.assert_array_equal(found.source.atomic_numbers, opened(DATA / "nacl.lammpstrj").source.atomic_numbers)
    assert set(found.source.attributes) >= {"charges", "masses", "resids", "types"}
    named = opened(tmp_path / "t.lammpstrj", species=["Na", "Cl"])
    np.testing.assert_array_equal(named.source.atomic_numbers, found.source.atomic_numbers)
    with pytest.raises(InputError, match=r"t\.lammpstrj: atom 0 is Cl, in .*nacl\.data it is Na"):
        open_source(tmp_path / "t.lammpstrj", topology=DATA / "nacl.data", species=["Cl", "Na"])
    with pytest.raises(InputError, match=r"t\.lammpstrj: has 100 atoms, .*water\.gro has 96"):
        open_source(tmp_path / "t.lammpstrj", topology=DATA / "water.gro")


def test_species_of_the_types_of_a_topology(opened):
    """Where the masses are not those of elements, or not to be trusted."""
    given = {"topology": DATA / "nacl.data"}
    found = opened(DATA / "nacl.dcd", species=["K", "Br"], **given)
    known = opened(DATA / "nacl.dcd", **given).source.atomic_numbers
    np.testing.assert_array_equal(found.source.atomic_numbers, np.where(known == 11, 19, 35))
    with pytest.raises(InputError, match=r"`species=K`: .*nacl\.data has types 1 2"):
        open_source(DATA / "nacl.dcd", species=["K"], **given)
    with pytest.raises(InputError, match=r"`species=H O`: .*water\.gro has no types"):
        open_source(DATA / "water.xtc", species=["H", "O"], topology=DATA / "water.gro")


# --- ASE's formats, written by ASE -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "precision"),
    [
        ("t.traj", "traj", 1e-12),
        ("t.extxyz", "extxyz", 1e-8),
        ("XDATCAR", "vasp-xdatcar", 1e-7),
        ("t.geom", "castep-geom", 1e-6),
    ],
)
def test_ase(tmp_path, opened, name, kind, precision):
    ase.io.write(tmp_path / name, [a[np.argsort(a.numbers)] for a in atoms()], format=kind)
    found = opened(tmp_path / name)
    expected = path_of()
    if name == "XDATCAR":  # fractional, and wrapped
        fractional = (found.positions - expected) @ np.linalg.inv(LATTICE)
        expected = expected + np.round(fractional) @ LATTICE
    same(found, precision, expected)
    assert found.times is None


def test_castep_md(tmp_path, opened):
    """ASE numbers the frames instead of telling times, which CASTEP does in atomic units: 0.0242 fs."""
    ase.io.write(tmp_path / "t.md", moving_atoms(), format="castep-md")
    found = opened(tmp_path / "t.md")
    same(found, 1e-6)
    assert found.source.time_unit == "fs"
    np.testing.assert_allclose(found.times, 0.02418884 * np.arange(N_FRAMES), rtol=1e-6)


def test_traj_keeps_what_is_not_periodic(tmp_path, opened):
    ase.io.write(tmp_path / "t.traj", atoms(lattice=None, pbc=False))
    found = opened(tmp_path / "t.traj")
    assert found.source.periodic == (False,) * 3
    assert not found.lattices.any()


# --- files of programs that ASE ships ----------------------------------------------------------


def quantum_espresso():
    """What pw.x has printed, from the tests of ASE."""
    text = (ASE_DATA / "fio" / "test_espresso.py").read_text(encoding="utf-8")
    return re.search(r'pw_output_text = """\n(.*?)"""', text, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("OUTCAR", "testdata/vasp/OUTCAR_example_1", "vasp-out"),
        ("vasprun.xml", "testdata/vasp/vasprun_pstress.xml", "vasp-xml"),
        ("t.castep", "testdata/castep/md.castep", "castep-castep"),
        ("t.pwo", None, "espresso-out"),
    ],
)
def test_like_ase(tmp_path, opened, name, file, kind):
    path = tmp_path / "anything"  # known by its content
    path.write_bytes((ASE_DATA / file).read_bytes() if file else quantum_espresso().encode())
    theirs = ase.io.read(path, index=":", format=kind)
    found = opened(path)
    np.testing.assert_array_equal(found.positions, [a.positions for a in theirs])
    np.testing.assert_array_equal(found.lattices, [a.cell.array for a in theirs])
    np.testing.assert_array_equal(found.source.atomic_numbers, theirs[0].numbers)
    assert found.times is None


@pytest.mark.parametrize(
    ("file", "kind", "change", "interval"),
    [
        ("testdata/vasp/OUTCAR_example_1", "vasp-out", (r"IBRION =     -1", "IBRION =      0"), 0.5),
        ("testdata/vasp/vasprun_pstress.xml", "vasp-xml", (r'name="IBRION">    -1', 'name="IBRION">     0'), 0.5),
        (
            None,
            "espresso-out",
            (r"(     Program PWSCF.*\n)", r"\1     Time step = 20.00 a.u.,    0.9676 femto-seconds\n"),
            0.9676,
        ),
    ],
)
def test_time_steps_of_molecular_dynamics(tmp_path, opened, file, kind, change, interval):
    text = (ASE_DATA / file).read_text() if file else quantum_espresso()
    (tmp_path / "run").write_text(re.sub(*change, text, count=1))
    found = opened(tmp_path / "run")
    assert found.source.time_unit == "fs"
    np.testing.assert_allclose(found.times, interval * np.arange(len(found.positions)))


def test_outcar_of_several_steps(tmp_path, opened):
    """The steps of the file once more each."""
    text = (ASE_DATA / "testdata/vasp/OUTCAR_example_1").read_text()
    start, end = text.index("----- Iteration    1(   1)"), text.index("General timing")
    start = text.rindex("\n", 0, start) + 1
    (tmp_path / "OUTCAR").write_text(text[:start] + text[start:end] * 3 + text[end:])
    found = opened(tmp_path / "OUTCAR")
    assert found.positions.shape == (3, 18, 3)
    np.testing.assert_array_equal(found.positions[2], ase.io.read(tmp_path / "OUTCAR", format="vasp-out").positions)


# --- CP2K --------------------------------------------------------------------------------------


def cp2k(folder, n_frames=3, cells=True, every=1):
    """As CP2K 2023 writes a run called water."""
    text = table = ""
    for n, x in enumerate(path_of(n_frames)):
        text += f"{len(x):8d}\n i = {5 * n:8d}, time = {2.5 * n:12.3f}, E = {-17.2:19.10f}\n"
        text += "".join(
            f"{ase.data.chemical_symbols[z]:>3s}" + "".join(f"{v:20.10f}" for v in r) + "\n"
            for z, r in zip(NUMBERS, x, strict=True)
        )
        if n % every == 0:
            cell = "".join(f"{v:20.10f}" for v in LATTICE.ravel())
            table += f"{5 * n:10d}{2.5 * n:20.6f}{cell}{990:20.6f}\n"
    (folder / "water-pos-1.xyz").write_text(text)
    header = "#   Step   Time [fs]       Ax [Angstrom]       Ay [Angstrom]       Az [Angstrom]   Volume [Angstrom^3]\n"
    if cells:
        (folder / "water-1.cell").write_text(header + table)
    return folder / "water-pos-1.xyz"


@pytest.mark.parametrize("every", [1, 2])
def test_cp2k(tmp_path, opened, every):
    found = opened(cp2k(tmp_path, every=every))  # a constant cell may be written less often
    same(found, 1e-9, path_of(3), cell=1e-9)
    assert found.source.time_unit == "fs"
    np.testing.assert_allclose(found.times, [0, 2.5, 5])
    np.testing.assert_array_equal(found.steps, [0, 5, 10])
    assert [Path(file).name for file in found.source.sources] == ["water-pos-1.xyz", "water-1.cell"]


def test_cp2k_that_went_back(tmp_path, opened):
    """A run that was restarted from an earlier step, in a cell that varies: both files repeat it."""
    positions = cp2k(tmp_path, n_frames=4)
    lines = positions.read_text().splitlines(keepends=True)
    frame = len(lines) // 4
    positions.write_text("".join(lines + lines[2 * frame :]))
    header, *rows = (tmp_path / "water-1.cell").read_text().splitlines(keepends=True)
    a = f"{LATTICE[0, 0]:20.10f}"
    rows = [row.replace(a, f"{LATTICE[0, 0] + 0.1 * n:20.10f}", 1) for n, row in enumerate(rows)]
    (tmp_path / "water-1.cell").write_text("".join([header, *rows, *rows[2:]]))
    found = opened(positions)
    np.testing.assert_array_equal(found.steps, [0, 5, 10, 15, 10, 15])
    np.testing.assert_allclose(found.lattices[:, 0, 0] - LATTICE[0, 0], [0, 0.1, 0.2, 0.3, 0.2, 0.3], atol=1e-9)


def test_notes_of_users_are_no_times(tmp_path, opened):
    """What stands in the info of an ASE trajectory has no unit that is known."""
    frames = atoms()
    for n, frame in enumerate(frames):
        frame.info["time"] = f"{2 * n} fs" if n % 2 else 2.0 * n
    ase.io.write(tmp_path / "t.traj", frames)
    found = opened(tmp_path / "t.traj")
    assert (found.times, found.source.time_unit) == (None, None)


def test_cp2k_without_cells(tmp_path, opened):
    """None, not a cell of 1 Å nor a system that is not periodic: the file does not say."""
    found = opened(cp2k(tmp_path, cells=False))
    assert found.lattices is None
    assert found.source.periodic == (True,) * 3


def test_cells_of_cp2k_as_the_topology(tmp_path, opened):
    path = cp2k(tmp_path)
    (tmp_path / "water-1.cell").rename(tmp_path / "other.cell")
    same(opened(path, topology=tmp_path / "other.cell"), 1e-9, path_of(3))


def test_cells_of_cp2k_that_vary_and_are_too_few(tmp_path, opened):
    path = cp2k(tmp_path, every=2)
    cells = (tmp_path / "water-1.cell").read_text().splitlines(keepends=True)
    cells[2] = cells[2].replace("11.0000000000", "12.0000000000")
    (tmp_path / "water-1.cell").write_text("".join(cells))
    with pytest.raises(InputError, match=r"water-1\.cell: has no cell of step 5, which .*water-pos-1\.xyz has"):
        opened(path)


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "whole"),
    [("XTC", 4), ("TRR", 4), ("DCD", 4), ("GRO", 5), ("PDB", None), ("traj", None), ("castep-md", 4)],
)
def test_cut_within_the_last_frame(tmp_path, topology, opened, kind, whole):
    """The whole frames before it, then an error that says so; PDB and .traj are not readable at all then."""
    path, given = tmp_path / f"t.{kind.lower()}", {}
    if kind in ("traj", "castep-md"):
        ase.io.write(path, moving_atoms(), format=kind)
    elif kind == "GRO":
        shutil.copy(DATA / "water.gro", path)
    else:
        write(path, kind)
        given = {} if kind == "PDB" else {"topology": topology}
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - (5000 if kind == "castep-md" else 100)])
    if whole is None:
        try:
            found = opened(path, **given)
        except InputError:
            return
        assert found.cut is not None or len(found.positions) == N_FRAMES
        return
    found = opened(path, **given)
    assert len(found.positions) == whole
    assert re.search(r"truncated", str(found.cut))


@pytest.mark.parametrize("kind", ["XTC", "TRR"])
def test_nothing_but_a_piece_of_a_frame(tmp_path, topology, kind):
    path = write(tmp_path / f"t.{kind.lower()}", kind)
    path.write_bytes(path.read_bytes()[:120])
    with pytest.raises(InputError, match=r"frame 0 is cut at byte 0 of 120; the file is truncated or damaged"):
        open_source(path, topology=topology)


@pytest.mark.parametrize("kind", ["XTC", "TRR"])
def test_damaged_header_does_not_reach_the_library(tmp_path, topology, opened, kind):
    """MDAnalysis would end the process."""
    path = write(tmp_path / f"t.{kind.lower()}", kind)
    content = path.read_bytes()
    where = 4 if kind == "XTC" else 64  # the number of atoms
    for number, message in ((0, "frame 0 is damaged at byte 0"), (7, "has 7 atoms, its topology has 18")):
        path.write_bytes(content[:where] + number.to_bytes(4, "big") + content[where + 4 :])
        with pytest.raises(InputError, match=message):
            open_source(path, topology=topology)
    second = content.index(content[:4], 4)
    path.write_bytes(content[:second] + b"\xff" * 8 + content[second + 8 :])
    found = opened(path, topology=topology)
    assert len(found.positions) == 1
    assert f"frame 1 is damaged at byte {second} of {len(content)}" in str(found.cut)


@pytest.mark.parametrize("seed", range(4))
def test_damage_within_a_compressed_frame(opened, tmp_path, seed):
    """GROMACS' library may write where it must not; this process goes on, and damaged coordinates or an error come."""
    content = bytearray((DATA / "water.xtc").read_bytes())
    second = content.index(content[:4], 4)
    content[92:second] = np.random.default_rng(seed).integers(0, 256, second - 92, dtype=np.uint8).tobytes()
    (tmp_path / "t.xtc").write_bytes(content)
    with contextlib.suppress(InputError):
        opened(tmp_path / "t.xtc", topology=DATA / "water.tpr")


def test_a_folder_with_modules_of_the_same_name(opened, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit(5)")
    monkeypatch.chdir(tmp_path)
    assert len(opened(DATA / "water.xtc", topology=DATA / "water.tpr").positions) == 6


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        ("", None, ""),
        ("raise OSError('no')", TruncatedFile, r"t: cannot be read to its end, .* damaged \(OSError: no\)"),
        ("os.abort()", InputError, "t: is damaged: the library that reads it crashes"),
    ],
)
def test_a_library_that_crashes(end, error, message):
    """Its records come first."""
    program = f"import os, sys; os.write(1, sys.argv[1][-4:].encode()); {end}"
    found = records(program, Path("abcd"), np.dtype([("letters", "S2")]), "t")
    assert [next(found)["letters"], next(found)["letters"]] == [b"ab", b"cd"]
    with pytest.raises(error, match=message) if error else contextlib.nullcontext():
        assert next(found, None) is None


def test_vasprun_that_ends_early(tmp_path, opened):
    text = (ASE_DATA / "testdata/vasp/vasprun_pstress.xml").read_text()
    (tmp_path / "vasprun.xml").write_text(text.replace("</modeling>", ""))
    found = opened(tmp_path / "vasprun.xml")
    assert len(found.positions) == 1
    assert "ends before </modeling>; the file is truncated" in str(found.cut)


def test_dcd_of_other_atoms(tmp_path, topology):
    path = write(tmp_path / "t.dcd", "DCD")
    with pytest.raises(InputError, match=r"t\.dcd: has 18 atoms, .*water\.gro has 96"):
        open_source(path, topology=DATA / "water.gro")


@pytest.mark.parametrize("n_atoms", [5, 12])
def test_xtc_of_few_atoms(tmp_path, opened, n_atoms):
    """Up to nine are not compressed."""
    few = universe().atoms[:n_atoms]
    few.write(str(tmp_path / "few.pdb"))
    few.write(str(tmp_path / "few.xtc"), frames="all")
    found = opened(tmp_path / "few.xtc", topology=tmp_path / "few.pdb")
    np.testing.assert_allclose(found.positions, path_of()[:, :n_atoms], atol=0.0051)


def test_impossible_headers(tmp_path, topology):
    """The size of the packed coordinates of an XTC frame, that of the positions of a TRR frame."""
    for kind, where in (("XTC", 88), ("TRR", 52)):
        path = write(tmp_path / f"t.{kind.lower()}", kind)
        content = path.read_bytes()
        path.write_bytes(content[:where] + b"\xff\xff\xff\xf0" + content[where + 4 :])
        with pytest.raises(InputError, match="frame 0 is damaged at byte 0"):
            open_source(path, topology=topology)
    content = write(tmp_path / "t.trr", "TRR").read_bytes()
    (tmp_path / "t.trr").write_bytes(content[:60] + (17).to_bytes(4, "big") + content[64:])
    with pytest.raises(InputError, match="frame 0 is damaged at byte 0"):
        open_source(tmp_path / "t.trr", topology=topology)


def test_traj_that_is_damaged(tmp_path):
    ase.io.write(tmp_path / "t.traj", atoms())
    content = (tmp_path / "t.traj").read_bytes()
    (tmp_path / "t.traj").write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(InputError, match=r"t\.traj: cannot be read by ASE: "):
        open_source(tmp_path / "t.traj")


def test_files_without_a_frame(tmp_path):
    for name, text in (("t.dump", "\n\n"), ("t.xyz", "\n \n"), ("HISTORY", history(n_frames=0))):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=r"holds no frame|cannot be read by MDAnalysis as a topology"):
            open_source(tmp_path / name)


def test_history_that_goes_astray(tmp_path):
    text = history()
    third = text.rindex("timestep")
    (tmp_path / "HISTORY").write_text(text[:third] + "nonsense" + text[third + 8 :])
    with pytest.raises(InputError, match=r"HISTORY: line 23: 'nonsense .* where a timestep is expected"):
        list(open_source(tmp_path / "HISTORY").chunks)


def test_history_that_ends_early(tmp_path, opened):
    (tmp_path / "HISTORY").write_text(history()[:-30])
    found = opened(tmp_path / "HISTORY")
    assert len(found.positions) == 2
    assert isinstance(found.cut, TruncatedFile)


def test_topologies_that_do_not_fit(tmp_path, topology):
    path = write(tmp_path / "t.xtc", "XTC")
    with pytest.raises(InputError, match=r"t\.xtc: has 18 atoms, its topology has 96"):
        open_source(path, topology=DATA / "water.gro")
    (tmp_path / "bad.psf").write_text("nothing\n")
    with pytest.raises(InputError, match=r"bad\.psf: cannot be read by MDAnalysis as a topology: "):
        open_source(path, topology=tmp_path / "bad.psf")
    with pytest.raises(InputError, match=r"none\.psf: no such file"):
        open_source(path, topology=tmp_path / "none.psf")
    with pytest.raises(InputError, match="is a directory, a topology file is needed"):
        open_source(path, topology=tmp_path)


def test_some_frames_without_a_box(tmp_path, topology):
    made = universe()
    with MDAnalysis.Writer(str(tmp_path / "t.trr"), n_atoms=len(NUMBERS)) as writer:
        for step in made.trajectory:
            if step.frame == 2:
                step.dimensions = None
            writer.write(made.atoms)
    with pytest.raises(InputError, match=r"t\.trr: frame 2 has no cell, frame 0 has one"):
        list(open_source(tmp_path / "t.trr", topology=topology).chunks)


@pytest.mark.parametrize("change", ["elements", "pbc", "number"])
def test_traj_that_changes(tmp_path, change):
    frames = atoms(3)
    if change == "elements":
        frames[2].numbers[0] = 11
    elif change == "pbc":
        frames[2].pbc = (True, True, False)
    else:
        frames[2] = frames[2][:-1]
    ase.io.write(tmp_path / "t.traj", frames)
    message = {"elements": "the elements change in frame 2", "pbc": "the periodicity changes in frame 2"}
    with pytest.raises(InputError, match=message.get(change, "frame 2 has 17 atoms, frame 0 has 18")):
        list(open_source(tmp_path / "t.traj").chunks)


def test_without_mdanalysis(tmp_path, topology, monkeypatch):
    path = write(tmp_path / "t.xtc", "XTC")
    monkeypatch.setattr("gdynet_tf.trajectory.readers.library.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"top\.pdb: needs MDAnalysis: pip install 'gdynet_tf\[io\]'"):
        open_source(path, topology=topology)


def test_half_made_readers_end_in_silence(tmp_path, topology, monkeypatch):
    """MDAnalysis' readers have destructors that fail where the constructor did."""
    said = []
    monkeypatch.setattr("sys.unraisablehook", said.append)
    for name, kind in (("t.dcd", "DCD"), ("t.h5md", "H5MD"), ("t.ncdf", "NCDF")):
        write(tmp_path / name, kind, **({"dt": INTERVAL} if kind == "DCD" else {}))
        content = bytearray((tmp_path / name).read_bytes())
        content[8:60] = bytes(52)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            list(open_source(tmp_path / name, topology=topology, format=kind.lower()).chunks)
    assert not said


def test_a_step_of_twenty_places(tmp_path):
    _, rest = (DATA / "water.gro").read_text().split("\n", 1)
    (tmp_path / "t.gro").write_text(f"water t= 0.0 step= {'9' * 20}\n{rest}")
    with pytest.raises(InputError, match=r"t\.gro: frame 0: 9{20} is no number of a time step"):
        list(open_source(tmp_path / "t.gro").chunks)
