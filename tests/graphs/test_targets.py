"""Selections of targets, and every message about a wrong one."""

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.targets import select_targets

CELL = np.diag([10.0, 10.0, 10.0])
WATER = np.array([[0.0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])  # O, H, H; O-H 0.96 Å


def water_and_lithium():
    """Three waters, one of them split by the cell's border, in the order H O H, and a lithium."""
    centers = np.array([[3.0, 3, 3], [0.1, 6, 5], [7, 7, 9.5]])
    positions = np.concatenate([(center + WATER)[[1, 0, 2]] for center in centers] + [[[3.0, 8, 3]]]) % 10
    return np.array([1, 8, 1] * 3 + [3]), positions


@pytest.fixture
def select():
    numbers, positions = water_and_lithium()
    return lambda selection: select_targets(selection, numbers, positions, CELL)


def test_elements(select):
    np.testing.assert_array_equal(select("O"), [[1], [4], [7]])
    np.testing.assert_array_equal(select("Li, O"), [[1], [4], [7], [9]])
    assert select("all").shape == (10, 1)


def test_molecules_across_the_border(select):
    np.testing.assert_array_equal(select("molecules H2O"), [[0, 2, 1], [3, 5, 4], [6, 8, 7]])
    np.testing.assert_array_equal(select("molecules Li"), [[9]])


def test_molecules_that_touch_are_told(caplog):
    """Two waters whose hydrogens are 0.5 Å apart count as one molecule by distances; bonds of a topology tell them."""
    numbers, positions = water_and_lithium()
    positions[3:6] += positions[0] + [0.5, 0, 0] - positions[5]
    assert len(select_targets("molecules H2O", numbers, positions % 10, CELL)) == 1
    assert "molecules H2O: 2 more are too close to others to be told apart, and left out;" in caplog.text
    caplog.clear()
    bonds = {"bonds": np.array([[0, 1], [1, 2], [3, 4], [4, 5], [6, 7], [7, 8]])}
    assert len(select_targets("molecules H2O", numbers, positions % 10, CELL, attributes=bonds)) == 3
    assert not caplog.text


def test_ion_in_its_solvation_shell_is_no_part_of_the_molecule():
    """Li-O 1.95 Å: closer than 1.25 times the covalent radii (2.4 Å), yet no bond."""
    numbers, positions = water_and_lithium()
    positions[9] = positions[1] - [0, 1.95, 0]
    np.testing.assert_array_equal(
        select_targets("molecules H2O", numbers, positions, CELL), [[0, 2, 1], [3, 5, 4], [6, 8, 7]]
    )


def test_element_goes_before_a_file_of_its_name(select, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "O").write_text("0\n")
    assert select("O").shape == (3, 1)


def test_molecules_of_a_system_without_neighbors():
    found = select_targets("molecules Ar", [18], np.zeros((1, 3)), CELL, (False, False, False))
    np.testing.assert_array_equal(found, [[0]])


def test_file(select, tmp_path):
    file = tmp_path / "groups.txt"
    file.write_text("# pairs\n0 1\n\n4, 5  # the second\n")
    np.testing.assert_array_equal(select(str(file)), [[0, 1], [4, 5]])


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("Na", r"`targets='Na'`: no Na in the system; there are H \(6\), O \(3\), Li \(1\)"),
        ("O,Xx", r"`targets='O,Xx'`: 'Xx' is neither an element, a file nor a selection; there are H \(6\)"),
        ("molecules CO2", r"`targets='molecules CO2'`: there is none; bonds give H2O \(3\), Li \(1\)"),
        ("molecules water", r"`targets='molecules water'`: 'water' is not a chemical formula"),
    ],
)
def test_bad_selection(select, selection, message):
    with pytest.raises(InputError, match=message):
        select(selection)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no target"),
        ("# nothing\n", "holds no target"),
        ("0 1\n2 x\n", "line 2: '2 x' are not atom indices"),
        ("0\n10\n", r"line 2: 10 is not one of the 10 atoms \(0 to 9\)"),
        ("0 1\n2\n", "line 2: 1 atoms where the first line has 2"),
        ("0 1\n1 2\n", "atom 1 stands in it twice"),
    ],
)
def test_bad_file(select, tmp_path, text, message):
    file = tmp_path / "groups.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=f"groups.txt: {message}"):
        select(str(file))


def test_binary_file(select, tmp_path):
    (tmp_path / "groups.npy").write_bytes(b"\x93NUMPY\xff")
    with pytest.raises(InputError, match="groups.npy: is no text file of atom indices"):
        select(str(tmp_path / "groups.npy"))


# --- selections of MDAnalysis, residues and bonds of a topology --------------------------------

KNOWN = {
    "names": np.array(["H1", "O", "H2"] * 3 + ["LI"]),
    "resids": np.array([1] * 3 + [2] * 3 + [3] * 3 + [1]),
    "resnames": np.array(["SOL"] * 9 + ["ION"]),
    "masses": np.array([1.008, 15.999, 1.008] * 3 + [6.94]),
    "charges": np.array([0.4, -0.8, 0.4] * 3 + [1.0]),
}


@pytest.fixture
def pick():
    numbers, positions = water_and_lithium()
    return lambda selection, **more: select_targets(selection, numbers, positions, CELL, attributes={**KNOWN, **more})


def test_selections(pick, select):
    np.testing.assert_array_equal(select("element Li and around 6 element O"), [[9]])
    np.testing.assert_array_equal(pick("name O and resid 2:3"), [[4], [7]])
    np.testing.assert_array_equal(pick("prop mass > 2 and prop charge < 0"), [[1], [4], [7]])


def brute_force(numbers, positions, lattice, cutoff, periodic):
    """Oxygens with a lithium closer than the cutoff, over all images next to the cell."""
    reach = [(-1, 0, 1) if p else (0,) for p in periodic]
    shifts = np.array(np.meshgrid(*reach)).reshape(3, -1).T @ lattice
    lithium = positions[numbers == 3][:, None] + shifts
    distance = np.linalg.norm(positions[:, None, None] - lithium[None], axis=-1).min(axis=(1, 2))
    return np.flatnonzero((numbers == 8) & (distance < cutoff))


@pytest.mark.parametrize("periodic", [(True, True, True), (True, False, True), (False, False, False)])
def test_around_in_a_turned_triclinic_cell_like_brute_force(periodic):
    """MDAnalysis knows lengths and angles of a cell alone; ours lies anyhow, and may not repeat along some vectors."""
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    lattice = np.array([[12.0, 0, 0], [3.0, 11.0, 0], [-2.0, 2.5, 10.0]]) @ turn
    numbers = np.where(np.arange(120) < 20, 3, 8)
    positions = rng.random((120, 3)) @ lattice
    found = select_targets("element O and around 2.5 element Li", numbers, positions, lattice, periodic)
    expected = brute_force(numbers, positions, lattice, 2.5, periodic)
    assert 20 < len(expected) < 100
    np.testing.assert_array_equal(found[:, 0], expected)


def test_residues(pick):
    np.testing.assert_array_equal(pick("residues SOL"), np.arange(9).reshape(3, 3))
    np.testing.assert_array_equal(pick("residues ION"), [[9]])


def test_molecules_by_the_bonds_of_the_topology(pick):
    """A bond to the lithium, which distances would not give."""
    bonds = np.array([[1, 0], [1, 2], [4, 3], [4, 5], [7, 6], [7, 8], [1, 9]])
    np.testing.assert_array_equal(pick("molecules LiH2O", bonds=bonds), [[0, 2, 9, 1]])
    np.testing.assert_array_equal(pick("molecules H2O", bonds=bonds), [[3, 5, 4], [6, 8, 7]])


@pytest.mark.parametrize(
    ("selection", "known", "message"),
    [
        ("residues TFSI", {}, "`targets='residues TFSI'`: there is none; residues are SOL \\(3\\), ION \\(1\\)"),
        (
            "residues SOL",
            {"resids": np.array([1, 1, 2, 2, 2, 2, 2, 3, 3, 1])},
            "`targets='residues SOL'`: they have 2 to 5 atoms, targets must be alike",
        ),
        (
            "residues SOL",
            {
                "resids": np.array([1, 2, 2, 3, 3, 4, 5, 5, 6, 1]),
                "resnames": np.array(["A"] + ["SOL"] * 4 + ["A", "B"] * 2 + ["A"]),
            },
            "`targets='residues SOL'`: their atoms do not stand in the same order",
        ),
        ("name X and around 3 name O", {}, "selects no atom in the first frame; there are H.*names are H1 \\(3\\), O"),
        ("elemnt Li and all", {}, "`targets='elemnt Li and all'`: MDAnalysis cannot select that: "),
        ("prop weight > 3", {}, "`targets='prop weight > 3'`: MDAnalysis cannot select that: "),
    ],
)
def test_bad_selections(pick, selection, known, message):
    with pytest.raises(InputError, match=message):
        pick(selection, **known)


def test_residues_need_a_topology(select):
    with pytest.raises(
        InputError, match="`targets='residues SOL'`: the trajectory names no residues; a `topology` does"
    ):
        select("residues SOL")
    with pytest.raises(InputError, match="`targets='segid A and all'`: "):
        select("segid A and all")


def test_selections_need_mdanalysis(select, monkeypatch):
    monkeypatch.setattr("gdynet_tf.trajectory.readers.library.find_spec", lambda name: None)
    with pytest.raises(
        InputError, match=r"`targets='element Li and all'`: needs MDAnalysis: pip install 'gdynet_tf\[io\]'"
    ):
        select("element Li and all")
