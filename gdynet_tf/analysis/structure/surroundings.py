"""The atoms about one target in one frame: what a picture of a state shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.structure.shells import neighbors_within
from gdynet_tf.analysis.system import System

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Surroundings", "surroundings"]

_SEEN = 8.0  # Å beyond the target in which atoms are looked for
_LEAST, _MOST = 8, 120  # atoms besides the target's own
_BOND = 1.15  # of the sum of the covalent radii


@dataclass(frozen=True)
class Surroundings:
    """A target and the atoms about it, images of the cell included.

    Attributes
    ----------
    segment, frame, target : int
    atomic_numbers : (A,) int array
        The target's own atoms first, then by distance from them.
    positions : (A, 3) float
        Å, from the target's centre of mass.
    own : (A,) bool
        Whether an atom belongs to the target.
    bonds : (B, 2) int
        Pairs of atoms as near as a covalent bond, 1.15 of the sum of the radii (Cordero et al. 2008); between metals
        only where all atoms are.
    contacts : (C, 2) int
        Pairs of an atom of the target and another one within the first coordination shell of its element.
    """

    segment: int
    frame: int
    target: int
    atomic_numbers: np.ndarray
    positions: np.ndarray
    own: np.ndarray
    bonds: np.ndarray
    contacts: np.ndarray

    @property
    def symbols(self) -> list[str]:
        """(A,) element symbols."""
        from gdynet_tf.trajectory.elements import symbol

        return [symbol(int(z)) for z in self.atomic_numbers]

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each atom.

        Returns
        -------
        pandas.DataFrame
            ``element``, ``x_angstrom``, ``y_angstrom``, ``z_angstrom``, ``of_target``.
        """
        import pandas as pd

        places = {f"{name}_angstrom": self.positions[:, k].round(4) for k, name in enumerate("xyz")}
        return pd.DataFrame({"element": self.symbols, **places, "of_target": self.own})


def surroundings(
    system: System,
    segment: int,
    frame: int,
    target: int,
    reach: float = 4.0,
    shells: Mapping[str, float] | None = None,
) -> Surroundings:
    """Atoms within a distance of a target.

    Parameters
    ----------
    system : System
    segment, frame, target : int
    reach : float
        Å from the target's nearest atom; of sparse ones the nearest 8, and no more than 120.
    shells : mapping of str to float, optional
        Outer radius of the first coordination shell of each element, Å, for the contacts.

    Returns
    -------
    Surroundings
    """
    from ase.data import atomic_masses, covalent_radii
    from pymatgen.core.periodic_table import Element

    members, numbers = system.targets[target], system.atomic_numbers
    lattice = np.asarray(system.lattices[segment][frame], np.float64)
    positions = np.asarray(system.positions[segment][frame], np.float64)
    own = positions[members] - positions[members[0]]
    own -= np.where(system.periodic, np.round(own @ np.linalg.inv(lattice)), 0.0) @ lattice
    middle = np.average(own, axis=0, weights=atomic_masses[numbers[members]])
    center, own = positions[members[0]] + middle, own - middle
    extent = float(np.linalg.norm(own, axis=1).max())
    _, atom, vectors = neighbors_within(positions, lattice, center[None], extent + _SEEN, system.periodic)
    distances = np.linalg.norm(vectors[:, None] - own[None], axis=2)  # (P, k)
    other = distances.min(axis=1) > 1e-3
    atom, vectors, nearest = atom[other], vectors[other], distances.min(axis=1)[other]
    order = np.argsort(nearest, kind="stable")
    n = int(np.clip((nearest <= reach).sum(), min(_LEAST, len(order)), _MOST))
    atom, vectors = atom[order[:n]], vectors[order[:n]]
    z = np.concatenate([numbers[members], numbers[atom]])
    x = np.concatenate([own, vectors])
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    radii = covalent_radii[z]
    bonded = apart < _BOND * (radii[:, None] + radii[None])
    metal = np.array([Element.from_Z(int(one)).is_metal for one in z])
    if not metal.all():  # ions of the same charge
        bonded &= ~(metal[:, None] & metal[None])
    mine = np.arange(len(z)) < len(members)
    found = Surroundings(
        segment=segment,
        frame=frame,
        target=target,
        atomic_numbers=z,
        positions=x,
        own=mine,
        bonds=np.argwhere(np.triu(bonded, 1)),
        contacts=np.empty((0, 2), int),
    )
    if not shells:
        return found
    limit = np.array([shells.get(name, np.nan) for name in found.symbols])
    touching = mine[:, None] & ~mine[None] & (apart < np.nan_to_num(limit)[None]) & ~bonded
    return Surroundings(**{**vars(found), "contacts": np.argwhere(touching)})
