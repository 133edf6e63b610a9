"""One frame as a universe of MDAnalysis, and what is a residue of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdynet_tf.trajectory.elements import symbol

__all__ = ["residue_numbers", "universe_of"]

_FAR = 1e4  # Å


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
