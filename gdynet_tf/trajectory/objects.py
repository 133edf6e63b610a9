"""Frames from objects of other packages, as the fields of a `Trajectory`."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.elements import atomic_number, elements_by_mass, symbol

__all__ = [
    "atoms_of_mdanalysis",
    "elements_of",
    "fields_of_ase",
    "fields_of_mdanalysis",
    "residue_numbers",
    "time_step",
    "universe_of",
]

_ATTRIBUTES = ("names", "types", "resids", "resnames", "masses", "charges")
_REMEDY = "; universe.add_TopologyAttr('elements', [...]) tells them"

_FAR = 1e4  # Å
_SAME_TIME = 1e-3  # of a step, by which steps in time may differ: XTC keeps times in single precision
_SAME_MASS = 0.3  # by which the mass of a guessed element may differ from that in the topology, relative


def elements_of(species: Sequence[int] | Sequence[str] | np.ndarray, where: str) -> np.ndarray:
    """Atomic numbers from atomic numbers or element symbols.

    Parameters
    ----------
    species : (N,) sequence of int or str
    where : str
        For the message.

    Returns
    -------
    (N,) int32

    Raises
    ------
    InputError
        If a symbol is none.
    """
    given = np.asarray(species)
    if given.dtype.kind not in "UO":
        return given.astype(np.int32)
    return np.array([atomic_number(str(name), where) for name in given], np.int32)


def fields_of_ase(frames: Sequence[Any], where: str) -> dict[str, Any]:
    """Fields of a trajectory from ASE's frames.

    Parameters
    ----------
    frames : list of ase.Atoms
    where : str
        File or name, for the message.

    Returns
    -------
    dict
        positions, lattices, atomic_numbers and periodic.

    Raises
    ------
    InputError
        If there are none, or atoms or periodicity change.
    """
    if not len(frames):
        raise InputError(f"{where}: holds no frame")
    first = frames[0]
    for n, frame in enumerate(frames):
        if len(frame) != len(first):
            raise InputError(f"{where}: frame {n} has {len(frame)} atoms, frame 0 has {len(first)}")
        if not np.array_equal(frame.numbers, first.numbers) or (frame.pbc != first.pbc).any():
            raise InputError(f"{where}: elements or periodicity change in frame {n}")
    return {
        "positions": np.stack([frame.positions for frame in frames]),
        "lattices": np.stack([frame.cell.array for frame in frames]),
        "atomic_numbers": first.numbers,
        "periodic": tuple(first.pbc),
    }


def fields_of_mdanalysis(
    universe: Any, select: str | None, start: int | None, stop: int | None, where: str
) -> dict[str, Any]:
    """Fields of a trajectory from an MDAnalysis universe, which stays at the frame where it is.

    Parameters
    ----------
    universe : MDAnalysis.Universe or MDAnalysis.AtomGroup
    select : str, optional
        Atoms to take, in MDAnalysis's selection language.
    start, stop : int, optional
    where : str
        File or name, for the message.

    Returns
    -------
    dict
        positions, lattices, atomic_numbers, periodic and attributes, frame_interval and time_unit where the times are
        known.

    Raises
    ------
    InputError
        If no frame or atom is selected, elements cannot be told, some frames alone have a box, or they are not equally
        spaced in time.
    """
    from MDAnalysis.exceptions import SelectionError
    from MDAnalysis.lib.mdamath import triclinic_vectors

    try:
        atoms = universe.atoms if select is None else universe.select_atoms(select)
    except SelectionError as error:
        raise InputError(f"{where}: `select={select!r}`: {error}") from None
    if not len(atoms):
        raise InputError(f"{where}: no atom is selected")
    numbers, attributes, findings = atoms_of_mdanalysis(atoms, where)
    for finding in findings:
        warnings.warn(f"{where}: {finding}", stacklevel=3)
    frames = atoms.universe.trajectory
    before, positions, boxes, times = frames.frame, [], [], []
    for step in frames[start:stop]:
        positions.append(atoms.positions.astype(np.float64))
        box = np.zeros(6) if step.dimensions is None else step.dimensions
        boxes.append(triclinic_vectors(box, dtype=np.float64))
        times.append(step.time)
    interval = time_step(frames)
    frames[before]
    if not positions:
        raise InputError(f"{where}: `start={start}` `stop={stop}` selects none of {len(frames)} frames")
    lattices = np.stack(boxes)
    boxed = np.asarray(lattices.any(axis=(1, 2)))
    if boxed.any() and not boxed.all():
        raise InputError(f"{where}: frame {int(np.argmin(boxed))} has no box, others have one")
    fields = {
        "positions": np.stack(positions),
        "lattices": lattices,
        "atomic_numbers": numbers,
        "periodic": (bool(boxed[0]),) * 3,
        "attributes": attributes,
    }
    steps = np.diff(times)
    if interval is not None and len(steps):
        interval = float(np.median(steps))
        odd = np.abs(steps - interval) > _SAME_TIME * abs(interval)
        if odd.any() or not interval > 0:
            frame = int(np.argmax(odd))
            raise InputError(
                f"{where}: frames are not equally spaced in time: {times[frame]:g} and {times[frame + 1]:g} ps follow "
                f"each other where {interval:g} ps is usual"
            )
    return fields if interval is None else {**fields, "frame_interval": interval, "time_unit": "ps"}


def time_step(frames: Any) -> float | None:
    """Time between frames, ps; None when the reader does not know it, which MDAnalysis tells by a warning alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return float(frames[0].dt)
        except UserWarning:
            return None


def atoms_of_mdanalysis(
    atoms: Any, where: str, remedy: str = _REMEDY
) -> tuple[np.ndarray, dict[str, np.ndarray], tuple[Finding, ...]]:
    """What the topology of MDAnalysis says of the atoms.

    Parameters
    ----------
    atoms : MDAnalysis.AtomGroup
    where : str
        File or name, for the messages.
    remedy : str
        What messages end with: how elements can be given.

    Returns
    -------
    (N,) int32
        Atomic numbers: from the elements, else from the masses where the types are mere numbers, else guessed from the
        names.
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
    numbers, findings = _atomic_numbers(atoms, where, remedy)
    return numbers, attributes, findings


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
    guesser = DefaultGuesser(atoms.universe)
    guess = {name: str(guesser.guess_atom_element(name)).capitalize() for name in dict.fromkeys(names)}
    numbers = {}
    for name, element in guess.items():
        try:
            numbers[name] = atomic_number(element, where)
        except InputError:
            raise InputError(
                f"{where}: the topology has no elements and the atom name {name!r} tells none{remedy}"
            ) from None
    _check_masses(atoms, names, numbers, guess, where, remedy)
    said = ", ".join(f"{name} {element}" for name, element in list(guess.items())[:12])
    text = f"elements are guessed from the atom names: {said}{remedy}"
    return np.array([numbers[name] for name in names], np.int32), (
        Finding("elements by name", "note", text, dict(guess)),
    )


def _check_masses(
    atoms: Any, names: list[str], numbers: dict[str, int], guess: dict[str, str], where: str, remedy: str
) -> None:
    """InputError where a guessed element is far from the mass in the topology: CA may be calcium or a carbon."""
    from ase.data import atomic_masses

    masses = atoms.masses if hasattr(atoms, "masses") else np.zeros(len(names))
    for name, mass in zip(names, masses, strict=True):
        expected = atomic_masses[numbers[name]]
        # Hydrogen is repartitioned or deuterium often, and 0 stands for not known.
        if numbers[name] != 1 and mass > 0 and abs(mass - expected) > _SAME_MASS * expected:
            raise InputError(
                f"{where}: the atom name {name!r} reads as {guess[name]} ({expected:.1f} u), its mass is {mass:.1f} u"
                f"{remedy}"
            )


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
