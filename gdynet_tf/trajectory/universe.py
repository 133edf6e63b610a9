"""Universes of MDAnalysis: the atoms of one, and one frame of ours as one, for its selections."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.elements import elements_by_mass, elements_by_name, elements_of, symbol

__all__ = ["atoms_of_mdanalysis", "residue_numbers", "universe_of"]

_ATTRIBUTES = ("names", "types", "resids", "resnames", "masses", "charges")
_REMEDY = "; universe.add_TopologyAttr('elements', [...]) tells them"
_FAR = 1e4  # Å
_SHOWN = 12  # names in a message


def atoms_of_mdanalysis(
    atoms: Any, where: str, remedy: str = _REMEDY, species: Sequence[str] | None = None
) -> tuple[np.ndarray, dict[str, np.ndarray], tuple[Finding, ...]]:
    """What the topology of MDAnalysis says of the atoms.

    Parameters
    ----------
    atoms : MDAnalysis.AtomGroup
    where : str
        File or name, for the messages.
    remedy : str
        What messages end with: how elements can be given.
    species : list of str, optional
        Elements of the types 1, 2, ....

    Returns
    -------
    (N,) int32
        Atomic numbers: from the elements or species, else from the masses where the types are mere numbers, else
        guessed from the names.
    dict of str to array
        The attributes of a `FrameSource`.
    tuple of Finding
        How elements were told, when they are not named.

    Raises
    ------
    InputError
        If elements cannot be told.
    """
    attributes = {name: np.array(getattr(atoms, name)) for name in _ATTRIBUTES if _has(atoms, name)}
    if "masses" in attributes and not attributes["masses"].any():  # 0 stands for not known
        del attributes["masses"]
    bonds = _bonds(atoms)
    if bonds is not None:
        attributes["bonds"] = bonds
    if species:
        return _of_types(attributes.get("types"), species, where), attributes, ()
    numbers, findings = _atomic_numbers(atoms, where, remedy)
    return numbers, attributes, findings


def _of_types(types: np.ndarray | None, species: Sequence[str], where: str) -> np.ndarray:
    numbers = elements_of(species, "`species`")
    known = [str(n) for n in range(1, len(species) + 1)]
    if types is None or not np.isin(types.astype(str), known).all():
        seen = "no types" if types is None else "types " + " ".join(sorted(set(types.astype(str).tolist()))[:12])
        raise InputError(f"`species={' '.join(species)}`: {where} has {seen}")
    return numbers[types.astype(int) - 1]


def _has(atoms: Any, name: str) -> bool:
    try:
        return len(getattr(atoms, name)) == len(atoms)
    except AttributeError:  # MDAnalysis's NoDataError
        return False


def _bonds(atoms: Any) -> np.ndarray | None:
    """Pairs among the atoms, by their place in the group; None where the topology has none."""
    try:
        pairs = np.asarray(atoms.universe.bonds.indices)
    except AttributeError:
        return None
    place = np.full(len(atoms.universe.atoms), -1)
    place[atoms.indices] = np.arange(len(atoms))
    pairs = place[pairs.reshape(-1, 2)]
    pairs = pairs[(pairs >= 0).all(axis=1)].astype(np.int32)
    return pairs if len(pairs) else None


def _atomic_numbers(atoms: Any, where: str, remedy: str) -> tuple[np.ndarray, tuple[Finding, ...]]:
    try:
        given = [str(element).capitalize() for element in atoms.elements]
    except AttributeError:  # MDAnalysis's NoDataError
        given = [""]
    if all(given):
        return elements_of(given, where), ()
    from MDAnalysis.guesser.default_guesser import DefaultGuesser

    names = [str(name) for name in (atoms.names if hasattr(atoms, "names") else atoms.types)]
    if all(name.isdigit() for name in names) and hasattr(atoms, "masses") and np.all(atoms.masses > 0):
        return elements_by_mass(atoms.masses, where)
    residues = np.asarray(atoms.resindices) if hasattr(atoms, "resindices") else np.zeros(len(names), int)
    masses = np.asarray(atoms.masses) if hasattr(atoms, "masses") else np.zeros(len(names))
    guess = DefaultGuesser(atoms.universe).guess_atom_element
    numbers = elements_by_name(names, residues, masses, guess, where, remedy)
    told = {name: "" for name in names}
    for name, z in dict.fromkeys(zip(names, numbers.tolist(), strict=True)):  # a name may stand for two
        told[name] += f" and {symbol(z)}" if told[name] else symbol(z)
    # Those that stand for two first: they are the doubtful ones.
    said = sorted(told.items(), key=lambda item: " and " not in item[1])
    text = f"elements are guessed from the atom names: {', '.join(f'{n} {e}' for n, e in said[:_SHOWN])}"
    more = f" and {len(said) - _SHOWN} more names" if len(said) > _SHOWN else ""
    return numbers, (Finding("elements by name", "note", text + more + remedy, told),)


def residue_numbers(attributes: Mapping[str, np.ndarray], n_atoms: int) -> np.ndarray:
    """Number of the residue of each atom.

    Parameters
    ----------
    attributes : mapping
        As in `FrameSource`. Where residues have names a new one begins whenever number or name change, because files
        count up to 99999 or anew in every chain; where not, atoms of the same number are one. Without numbers each
        atom is one.
    n_atoms : int

    Returns
    -------
    (N,) int
    """
    if "resids" not in attributes:
        return np.arange(n_atoms)
    resids = np.asarray(attributes["resids"])
    if "resnames" not in attributes:
        return np.unique(resids, return_inverse=True)[1].ravel()
    names = np.asarray(attributes["resnames"]).astype(str)
    return np.concatenate([[0], np.cumsum((np.diff(resids) != 0) | (names[1:] != names[:-1]))])


def universe_of(
    atomic_numbers: np.ndarray,
    positions: np.ndarray,
    lattice: np.ndarray,
    periodic: Sequence[bool] = (True, True, True),
    attributes: Mapping[str, np.ndarray] | None = None,
) -> Any:
    """One frame as a universe of MDAnalysis, for its selections.

    Parameters
    ----------
    atomic_numbers : (N,) int array
    positions : (N, 3) array
        Å.
    lattice : (3, 3) array
        Å.
    periodic : tuple of bool
    attributes : mapping, optional
        As in `FrameSource`. Names and types are the elements where it has none.

    Returns
    -------
    MDAnalysis.Universe
        Turned so that its first lattice vector lies along x, as MDAnalysis needs it.
    """
    from MDAnalysis import Universe
    from MDAnalysis.lib.mdamath import triclinic_box, triclinic_vectors

    known, n_atoms = dict(attributes or {}), len(atomic_numbers)
    residue, first = np.unique(residue_numbers(known, n_atoms), return_index=True)
    universe = Universe.empty(
        n_atoms,
        n_residues=len(residue),
        atom_resindex=residue_numbers(known, n_atoms),
        residue_segindex=np.zeros(len(residue), int),
        trajectory=True,
    )
    names, which = np.unique(np.asarray(atomic_numbers), return_inverse=True)
    elements = np.array([symbol(int(z)) for z in names], object)[which]
    for name in ("elements", "names", "types", "masses", "charges"):
        values = known.get(name, elements if name in ("elements", "names", "types") else None)
        if values is not None:
            universe.add_TopologyAttr(
                name, values if name in ("masses", "charges") else np.asarray(values).astype(object)
            )
    for name in ("resids", "resnames"):
        if name in known:
            universe.add_TopologyAttr(name, np.asarray(known[name])[first])
    if "bonds" in known:
        universe.add_TopologyAttr("bonds", [tuple(pair) for pair in np.asarray(known["bonds"]).tolist()])
    rows, along = np.array(lattice, np.float64), np.asarray(periodic, bool)
    if along.any():
        # MDAnalysis repeats along all three: where the system does not, the images are put out of reach.
        rows[~along] *= (_FAR / np.linalg.norm(rows[~along], axis=-1))[:, None]
        box = triclinic_box(*rows)
        universe.dimensions = box
        positions = np.asarray(positions) @ np.linalg.inv(rows) @ triclinic_vectors(box, dtype=np.float64)
    universe.atoms.positions = positions
    return universe
