"""Which atoms, or groups of atoms, are asked for their states."""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.trajectory import Trajectory
from gdynet_tf.trajectory.elements import atomic_number, symbol
from gdynet_tf.trajectory.objects import target_rows
from gdynet_tf.trajectory.readers.library import needed
from gdynet_tf.trajectory.universe import residue_numbers, universe_of

if TYPE_CHECKING:
    from pymatgen.core import Composition

__all__ = ["find_targets", "select_targets"]

logger = logging.getLogger(__name__)

_BOND_FACTOR = 1.25  # two atoms are bonded when closer than this times the sum of their covalent radii
_MAX_BONDS = 12
_IONS = frozenset((3, 11, 19, 37, 55, 87, 4, 12, 20, 38, 56, 88))  # alkali and alkaline earth metals


def find_targets(targets: str | Path | np.ndarray | Sequence | None, trajectory: Trajectory) -> np.ndarray:
    """Targets however they are given.

    Parameters
    ----------
    targets : str, path, (n_targets,) or (n_targets, k) int array, or None
        A selection for `select_targets`, whose bonds are looked for in the first frame; a file of indices; indices,
        the k atoms of a row being one target; or None: those that the trajectory names.
    trajectory : Trajectory

    Returns
    -------
    (n_targets, k) int32

    Raises
    ------
    InputError
        If there are none, or an index is not one of the atoms or stands there twice.
    """
    if targets is None:
        if trajectory.targets is None:
            raise InputError(f"{trajectory.origin}: names no targets; `targets` does, e.g. `targets='Li'`")
        return trajectory.targets
    if isinstance(targets, str | Path):
        first = (trajectory.positions[0], trajectory.lattices[0])
        return select_targets(
            str(targets), trajectory.atomic_numbers, *first, trajectory.periodic, trajectory.attributes
        )
    return target_rows(targets, len(trajectory.atomic_numbers), "`targets`")


def select_targets(
    selection: str,
    atomic_numbers: np.ndarray,
    positions: np.ndarray,
    lattice: np.ndarray,
    periodic: Sequence[bool] = (True, True, True),
    attributes: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """Targets from a selection.

    Parameters
    ----------
    selection : str
        Elements ("Li" or "Li,Na": every such atom), "all", "molecules H2O" (the atoms of each molecule of this
        composition, by the bonds of the topology where it has some, else by distances, alkali and alkaline earth atoms
        being ions, bonded to nothing), "residues TFSI" (the atoms of each residue of this name), the path of a file
        with the atom indices, counted from 0, of one target per line, or every atom that MDAnalysis selects
        ("element Li and around 3 name O").
    atomic_numbers : (N,) int array
    positions : (N, 3) array
        Å; bonds, and what is around what, are looked for in this frame.
    lattice : (3, 3) array
        Å.
    periodic : tuple of bool
    attributes : mapping, optional
        What else is known of the atoms, as in a `Trajectory`: names, residues, charges, bonds.

    Returns
    -------
    (n_targets, k) int32

    Raises
    ------
    InputError
        If nothing fits the selection, or a file is not as it should be.
    """
    atomic_numbers, known = np.asarray(atomic_numbers), attributes or {}
    if selection == "all":
        return np.arange(len(atomic_numbers), dtype=np.int32)[:, None]
    if selection.startswith("molecules "):
        bonds = known.get("bonds")
        label = (
            _bonded_components(atomic_numbers, positions, lattice, periodic)
            if bonds is None
            else _components(np.asarray(bonds)[:, 0], np.asarray(bonds)[:, 1], len(atomic_numbers))
        )
        return _molecules(selection.removeprefix("molecules ").strip(), atomic_numbers, label, bonds is None)
    if selection.startswith("residues "):
        return _residues(selection.removeprefix("residues ").strip(), atomic_numbers, known)
    names = np.array([symbol(z) for z in atomic_numbers])
    wanted = [name.strip() for name in selection.split(",")]
    missing = [name for name in wanted if name not in names]
    if not missing:
        return np.flatnonzero(np.isin(names, wanted)).astype(np.int32)[:, None]
    if os.path.isfile(selection):  # which is False for what no file can be called
        return _from_file(selection, len(atomic_numbers))
    there = _counted(names)
    if all(_is_element(name) or name in names for name in wanted):
        raise InputError(f"`targets='{selection}'`: no {missing[0]} in the system; there are {there}")
    if len(selection.split()) > 1 and "," not in selection:  # no list of names
        needed("MDAnalysis", f"`targets='{selection}'`")
        universe = universe_of(atomic_numbers, positions, lattice, periodic, known)
        return _selected(selection, universe, there, known)
    raise InputError(
        f"`targets='{selection}'`: {missing[0]!r} is neither an element, a file nor a selection; there are {there}"
    )


def _counted(names: Iterable[str]) -> str:
    """ "Li (5), S (20)"."""
    return ", ".join(f"{name} ({n})" for name, n in Counter(map(str, names)).most_common(8))


def _selected(selection: str, universe: Any, there: str, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Every atom that MDAnalysis selects."""
    from MDAnalysis.exceptions import NoDataError, SelectionError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = universe.select_atoms(selection)
    except (SelectionError, NoDataError, ValueError, TypeError, AttributeError, ImportError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"`targets='{selection}'`: MDAnalysis cannot select that: {said}") from None
    if not len(atoms):
        named = f"; names are {_counted(known['names'])}" if "names" in known else ""
        raise InputError(f"`targets='{selection}'`: selects no atom in the first frame; there are {there}{named}")
    return atoms.indices.astype(np.int32)[:, None]


def _residues(name: str, atomic_numbers: np.ndarray, known: Mapping[str, np.ndarray]) -> np.ndarray:
    """Atoms of each residue of a name, as the file has them."""
    if "resnames" not in known or "resids" not in known:
        raise InputError(f"`targets='residues {name}'`: the trajectory names no residues; a `topology` does")
    number, names = residue_numbers(known, len(atomic_numbers)), np.asarray(known["resnames"]).astype(str)
    starts = np.unique(number, return_index=True)[1]
    if name not in names:
        raise InputError(f"`targets='residues {name}'`: there is none; residues are {_counted(names[starts])}")
    members = [np.flatnonzero(number == i) for i in np.unique(number[names == name])]
    sizes = {len(atoms) for atoms in members}
    if len(sizes) > 1:
        raise InputError(
            f"`targets='residues {name}'`: they have {min(sizes)} to {max(sizes)} atoms, targets must be alike"
        )
    groups = np.array(members, np.int32)
    if (atomic_numbers[groups] != atomic_numbers[groups[0]]).any():
        raise InputError(f"`targets='residues {name}'`: their atoms do not stand in the same order")
    return groups


def _is_element(name: str) -> bool:
    try:
        return bool(atomic_number(name, "`targets`"))
    except InputError:
        return False


def _from_file(path: str, n_atoms: int) -> np.ndarray:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is no text file of atom indices") from None
    groups: list[list[int]] = []
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            group = [int(word) for word in words]
        except ValueError:
            raise InputError(f"{path}: line {number}: {line.strip()!r} are not atom indices") from None
        outside = [i for i in group if not 0 <= i < n_atoms]
        if outside:
            raise InputError(
                f"{path}: line {number}: {outside[0]} is not one of the {n_atoms} atoms (0 to {n_atoms - 1})"
            )
        if groups and len(group) != len(groups[0]):
            raise InputError(f"{path}: line {number}: {len(group)} atoms where the first line has {len(groups[0])}")
        groups.append(group)
    if not groups:
        raise InputError(f"{path}: holds no target")
    twice = [i for i, n in Counter(i for group in groups for i in group).items() if n > 1]
    if twice:
        raise InputError(f"{path}: atom {twice[0]} stands in it twice")
    return np.array(groups, np.int32)


def _molecules(formula: str, atomic_numbers: np.ndarray, label: np.ndarray, by_distance: bool) -> np.ndarray:
    """Molecules of the wanted composition, atoms ordered by element and index; ``label`` numbers those of all atoms."""
    from pymatgen.core import Composition

    try:
        wanted = Composition(formula)
    except ValueError:
        raise InputError(f"`targets='molecules {formula}'`: {formula!r} is not a chemical formula") from None
    names = np.array([symbol(z) for z in atomic_numbers])
    members = [np.flatnonzero(label == i) for i in range(label.max() + 1)]
    found = [Composition(Counter(names[atoms].tolist())) for atoms in members]
    chosen = [atoms for atoms, composition in zip(members, found, strict=True) if composition == wanted]
    several = [c for c in found if by_distance and c != wanted and _is_multiple(c, wanted)]
    if chosen and several:
        left_out = round(sum(c.num_atoms for c in several) / wanted.num_atoms)
        logger.warning(
            f"molecules {formula}: {left_out} more are too close to others to be told apart, and left out; a topology "
            "with bonds tells them"
        )
    if not chosen:
        counts = Counter(composition.hill_formula.replace(" ", "") for composition in found).most_common(8)
        there = ", ".join(f"{name} ({n})" for name, n in counts)
        raise InputError(f"`targets='molecules {formula}'`: there is none; bonds give {there}")
    return np.array([atoms[np.lexsort((atoms, atomic_numbers[atoms]))] for atoms in chosen], np.int32)


def _is_multiple(composition: Composition, wanted: Composition) -> bool:
    """Whether it is that of some whole molecules together."""
    k = composition.num_atoms / wanted.num_atoms
    return k == int(k) and composition == wanted * int(k)


def _bonded_components(
    atomic_numbers: np.ndarray, positions: np.ndarray, lattice: np.ndarray, periodic: Sequence[bool]
) -> np.ndarray:
    """Number of the molecule of each atom, (N,)."""
    from pymatgen.analysis.local_env import CovalentRadius

    n_atoms = len(atomic_numbers)
    m = _MAX_BONDS if any(periodic) else min(_MAX_BONDS, n_atoms - 1)
    if not m:
        return np.zeros(n_atoms, int)
    neighbors, distances = nearest_neighbors(np.asarray(positions)[None], np.asarray(lattice)[None], m, periodic)
    # Ions lie within bond distance of their solvation shell, which would make one molecule of it.
    radii = np.array([-np.inf if z in _IONS else CovalentRadius.radius[symbol(z)] for z in atomic_numbers])
    i, bond = np.repeat(np.arange(n_atoms), m), neighbors[0].ravel()
    bonded = distances[0].ravel() < _BOND_FACTOR * (radii[i] + radii[bond])
    return _components(i[bonded], bond[bonded], n_atoms)


def _components(i: np.ndarray, j: np.ndarray, n_atoms: int) -> np.ndarray:
    """Number of the molecule of each atom, (N,), from pairs of bonded ones."""
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(n_atoms, n_atoms))
    return connected_components(graph, directed=False)[1]
