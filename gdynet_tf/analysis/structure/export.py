"""Files for other programs: coloured trajectories (OVITO), representative frames (any viewer), densities (VESTA)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.structure.shells import neighbors_within
from gdynet_tf.analysis.system import System

if TYPE_CHECKING:
    from ase import Atoms

    from gdynet_tf.analysis.structure.space import StateDensity

__all__ = [
    "representative_frames",
    "write_density",
    "write_representatives",
    "write_state_trajectory",
]

_CANDIDATES = 300
_REACH = 6.0  # Å about a target that make its surroundings
_SMEARING = 0.4  # Å
_EMPTY = 1e-6


def _atoms(
    system: System,
    segment: int,
    frame: int,
    chi: Chi,
    first: Sequence[int] | np.ndarray = (),
    center: np.ndarray | None = None,
) -> Atoms:
    """ASE atoms of a frame, ``first`` ones leading, a periodic cell centred on ``center``."""
    from ase import Atoms

    positions = np.array(system.positions[segment][frame], np.float64)
    lattice = np.array(system.lattices[segment][frame])
    if center is not None and all(system.periodic):
        positions += lattice.sum(axis=0) / 2 - center
    p = np.asarray(chi[segment][frame], np.float64)  # (n_targets, n_states)
    n_atoms, (n_targets, k) = len(positions), system.targets.shape
    columns = {"chi": np.zeros((n_atoms, p.shape[1])), "state": np.full(n_atoms, -1), "target": np.full(n_atoms, -1)}
    owner = np.repeat(np.arange(n_targets), k)
    columns["chi"][system.targets.ravel()] = p[owner]
    columns["state"][system.targets.ravel()] = p.argmax(axis=1)[owner]
    columns["target"][system.targets.ravel()] = owner
    order = np.concatenate([np.asarray(first, int), np.setdiff1d(np.arange(n_atoms), first)])
    atoms = Atoms(system.atomic_numbers[order], positions[order], cell=lattice, pbc=system.periodic)
    atoms.wrap()
    for name, column in columns.items():
        atoms.set_array(name, column[order])
    return atoms


def write_state_trajectory(path: str | Path, chi: ChiLike, system: System, max_frames: int = 200) -> int:
    """Write frames as extended XYZ, each atom with the probabilities of its states; OVITO colours by them.

    Columns besides element and position: ``chi`` (n_states values, zero for atoms that are no target), ``state`` (the
    likeliest one, -1 for atoms that are no target), ``target`` (which one, -1 for none).

    Parameters
    ----------
    path : path-like
    chi : list of (F, n_targets, n_states) arrays
    system : System
    max_frames : int
        Evenly spaced frames, at most.

    Returns
    -------
    int
        Frames written.
    """
    from ase.io import write

    chi = as_chi(chi)
    system.check(chi)
    frames = system.frames(max_frames)
    atoms = [_atoms(system, segment, frame, chi) for segment, frame in frames]
    for (segment, frame), one in zip(frames, atoms, strict=True):
        one.info.update(segment=segment, frame=frame)
    write(path, atoms, format="extxyz")
    return len(atoms)


def _surroundings(system: System, segment: int, frame: int, centers: np.ndarray) -> np.ndarray:
    """Smeared number of atoms of each element over distance, (C, n_elements * n_radii)."""
    radii = np.arange(0.5, _REACH, _SMEARING)
    elements, kind = np.unique(system.atomic_numbers, return_inverse=True)
    center, atom, vectors = neighbors_within(
        system.positions[segment][frame],
        system.lattices[segment][frame],
        centers,
        _REACH + 2 * _SMEARING,
        system.periodic,
    )
    distance = np.linalg.norm(vectors, axis=1)
    weight = np.exp(-(((distance[:, None] - radii) / _SMEARING) ** 2)) / np.maximum(radii, 1.0)  # (P, R)
    described = np.zeros((len(centers), len(elements), len(radii)))
    np.add.at(described, (center, kind[atom]), weight)
    return described.reshape(len(centers), -1)


def representative_frames(chi: ChiLike, system: System, max_frames: int = 200) -> list[tuple[int, int, int] | None]:
    """For each state, the target and frame whose surroundings are the most typical.

    Of the samples in which the state is most certain, the one is taken whose neighbours, by element and distance, are
    nearest to their mean: not the extreme that the largest chi would pick.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    system : System
    max_frames : int
        Evenly spaced frames that are looked at, at most.

    Returns
    -------
    list of (segment, frame, target) or None
        None for a state that never occurs.
    """
    chi = as_chi(chi)
    system.check(chi)
    frames = system.frames(max_frames)
    p = np.array([chi[segment][frame] for segment, frame in frames], np.float64)  # (f, n_targets, n_states)
    centers = system.target_positions()
    chosen: list[tuple[int, int, int] | None] = []
    for i in range(p.shape[2]):
        if p[..., i].mean() < _EMPTY:
            chosen.append(None)
            continue
        certain = np.argsort(-p[..., i].ravel(), kind="stable")[:_CANDIDATES]
        certain = certain[p[..., i].ravel()[certain] >= min(0.9, p[..., i].max())]
        rows, targets = np.divmod(certain, p.shape[1])
        described = np.empty((len(certain), 0))
        for row in np.unique(rows):
            here = rows == row
            segment, frame = frames[row]
            found = _surroundings(system, segment, frame, centers[segment][frame][targets[here]])
            if not described.size:
                described = np.empty((len(certain), found.shape[1]))
            described[here] = found
        best = int(np.argmin(np.square(described - described.mean(axis=0)).sum(axis=1)))
        chosen.append((*frames[rows[best]], int(targets[best])))
    return chosen


def write_representatives(
    folder: str | Path, chi: ChiLike, system: System, representatives: Sequence[tuple[int, int, int] | None]
) -> list[Path]:
    """Write each representative frame as ``state_I.extxyz`` and ``state_I.cif``.

    The target's atoms come first, in the middle of the cell when it is periodic.

    Parameters
    ----------
    folder : path-like
        Must exist.
    chi : list of (F, n_targets, n_states) arrays
    system : System
    representatives : list of (segment, frame, target) or None
        From `representative_frames`.

    Returns
    -------
    list of Path
    """
    from ase.io import write

    chi, written, centers = as_chi(chi), [], system.target_positions()
    system.check(chi)
    for state, found in enumerate(representatives):
        if found is None:
            continue
        segment, frame, target = found
        atoms = _atoms(system, segment, frame, chi, system.targets[target], centers[segment][frame, target])
        atoms.info.update(segment=segment, frame=frame, target=target, state=state)
        files = [Path(folder) / f"state_{state}.{suffix}" for suffix in ("extxyz", "cif")]
        write(files[0], atoms, format="extxyz")
        write(files[1], atoms, format="cif")
        written += files
    return written


def write_density(folder: str | Path, density: StateDensity, system: System) -> list[Path]:
    """Write the density of each state as ``density_I.cube`` (Å^-3), with the atoms of the first frame.

    Parameters
    ----------
    folder : path-like
        Must exist.
    density : StateDensity
    system : System

    Returns
    -------
    list of Path
    """
    from ase import Atoms
    from ase.io.cube import write_cube

    positions = np.asarray(system.positions[0][0], np.float64)
    atoms = Atoms(system.atomic_numbers, positions, cell=density.lattice, pbc=True)
    atoms.wrap()
    written = []
    for state, values in enumerate(density.density):
        file = Path(folder) / f"density_{state}.cube"
        with open(file, "w", encoding="utf-8") as handle:
            write_cube(handle, atoms, values, comment=f"density of state {state}, targets per cubic angstrom")
        written.append(file)
    return written
