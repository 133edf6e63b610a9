"""What surrounds the targets, shell by shell, weighted with the probabilities of their states.

The one search and the one sum behind radial distribution functions, coordination numbers and charge integrals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gdynet_tf.analysis.blocks import Blocks
from gdynet_tf.analysis.chi import Chi
from gdynet_tf.analysis.structure.first_shell import first_minimum
from gdynet_tf.analysis.structure.sampling import block_labels, blocks_of_quantity, divided_by
from gdynet_tf.analysis.system import System

__all__ = ["independent_surroundings", "neighbors_within", "shell_sums"]

_FOLLOWED = 6.0  # Å about a target that are followed in time
_RADII = np.arange(1.5, _FOLLOWED + 0.1, 0.5)  # Å
_SHELL = 3.5  # Å, where no shell is known


def neighbors_within(
    positions: np.ndarray,
    lattice: np.ndarray,
    centers: np.ndarray,
    radius: float,
    periodic: tuple[bool, ...] = (True, True, True),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All atoms within a radius of some points, periodic images included.

    Parameters
    ----------
    positions : (N, 3) array
        Å.
    lattice : (3, 3) array
        Å.
    centers : (C, 3) array
        Å.
    radius : float
        Å.
    periodic : tuple of bool

    Returns
    -------
    center : (P,) int
        Index into ``centers``.
    atom : (P,) int
        Index into ``positions``.
    vectors : (P, 3) float64
        From the centre to the atom's image, Å.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres  # slow to import

    lattice, inverse = np.asarray(lattice, np.float64), np.linalg.inv(lattice)

    def wrapped(points: np.ndarray) -> np.ndarray:
        fractional = np.asarray(points, np.float64) @ inverse
        return np.ascontiguousarray((fractional - np.where(periodic, np.floor(fractional), 0.0)) @ lattice)

    atoms, points = wrapped(positions), wrapped(centers)
    center, atom, image, _ = find_points_in_spheres(
        atoms, points, float(radius), np.asarray(periodic, np.int64), np.ascontiguousarray(lattice)
    )
    return center, atom, atoms[atom] + image @ lattice - points[center]


def _tables(
    system: System,
    centers: Sequence[np.ndarray],
    values: np.ndarray,
    edges: np.ndarray,
    frames: Sequence[tuple[int, int]],
) -> Iterator[np.ndarray]:
    """For each frame, values of the atoms in each shell about each target, (n_targets, S, B), own atoms left out."""
    n_targets, n_bins = len(system.targets), len(edges) - 1
    own = np.zeros((n_targets, len(values)), bool)
    own[np.arange(n_targets)[:, None], system.targets] = True
    for segment, frame in frames:
        center, atom, vectors = neighbors_within(
            system.positions[segment][frame],
            system.lattices[segment][frame],
            centers[segment][frame],
            edges[-1],
            system.periodic,
        )
        shell = np.searchsorted(edges, np.linalg.norm(vectors, axis=1), side="right") - 1
        kept = ~own[center, atom] & (shell >= 0) & (shell < n_bins)
        place = center[kept] * n_bins + shell[kept]
        tables = [np.bincount(place, column[atom[kept]], n_targets * n_bins) for column in values.T]
        yield np.stack(tables).reshape(-1, n_targets, n_bins).swapaxes(0, 1)


def independent_surroundings(
    chi: Chi,
    system: System,
    centers: Sequence[np.ndarray],
    values: np.ndarray,
    edges: np.ndarray,
    frames: Sequence[tuple[int, int]],
) -> list[Blocks]:
    """What is independent in averages of what surrounds the targets, for each quantity by itself.

    The sum of the quantity over the first shell of each target is followed in time, together with the states.

    Parameters
    ----------
    chi : Chi
        Of the sampled frames, see `sampled_chi`.
    system : System
    centers : list of (F, n_targets, 3) arrays
        Å.
    values : (N, S) array
        What each atom counts for.
    edges : (B + 1,) array
        Of the shells, Å.
    frames : list of (segment, frame)

    Returns
    -------
    list of S Blocks
    """
    edges = edges[: max(2, np.searchsorted(edges, _FOLLOWED + 1e-9))]
    until = np.clip(np.searchsorted(edges, _RADII - 1e-9) - 1, 0, len(edges) - 2)
    inner = np.zeros((len(frames), chi.n_targets, values.shape[1], len(until)), np.float32)
    seen = np.zeros((values.shape[1], len(edges) - 1))
    for index, table in enumerate(_tables(system, centers, values, edges, frames)):
        seen += table.sum(axis=0)
        inner[index] = table.cumsum(axis=2)[:, :, until]
    volume = np.mean([abs(np.linalg.det(np.asarray(system.lattices[n][t]))) for n, t in frames])
    ideal = len(frames) * chi.n_targets * np.abs(values.sum(axis=0))[:, None] / volume * 4 / 3 * np.pi
    ideal = ideal * np.diff(edges**3)
    found = []
    for s in range(values.shape[1]):
        shell = first_minimum(edges, np.divide(seen[s], ideal[s], out=np.zeros(len(seen[s])), where=ideal[s] > 0))
        k = int(np.abs(edges[until + 1] - (shell if np.isfinite(shell) else _SHELL)).argmin())
        parts = np.split(inner[:, :, s, k], np.cumsum([len(p) for p in chi])[:-1])
        found.append(blocks_of_quantity(chi, divided_by(parts)))
    return found


def shell_sums(
    chi: Chi,
    system: System,
    centers: Sequence[np.ndarray],
    values: np.ndarray,
    edges: np.ndarray,
    frames: Sequence[tuple[int, int]],
    blocks: Sequence[Blocks],
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Sums of atoms' values in shells about the targets, by block and state.

    Parameters
    ----------
    chi, system, centers, values, edges, frames
        As in `independent_surroundings`.
    blocks : sequence of S Blocks
        For each quantity; everything is one block where there are none.

    Returns
    -------
    list of S (shells, weights, density)
        shells (n_blocks, n_states, B) are sums of chi times value over frames, targets and the atoms of each shell, a
        target's own atoms and their images left out; weights (n_blocks, n_states) are sums of chi; density
        (n_blocks, n_states) are sums of chi times the values in the cell, less the target's own, per Å^3.
    """
    n = [max(1, len(one)) for one in blocks]
    sums = [
        (np.zeros((k, chi.n_states, len(edges) - 1)), np.zeros((k, chi.n_states)), np.zeros((k, chi.n_states)))
        for k in n
    ]
    labels = [np.concatenate(block_labels(one, chi)) for one in blocks]  # each (n_frames, n_targets, n_partitions)
    others = values.sum(axis=0) - values[system.targets].sum(axis=1)  # (n_targets, S)
    probabilities = (p for segment in chi for p in segment)
    tables = _tables(system, centers, values, edges, frames)
    for index, ((segment, frame), p, table) in enumerate(zip(frames, probabilities, tables, strict=True)):
        volume = abs(np.linalg.det(np.asarray(system.lattices[segment][frame])))
        for s, (shells, weights, density) in enumerate(sums):
            for block in np.unique(labels[s][index]):
                inside = (labels[s][index] == block).any(axis=1)
                some = p[inside]
                shells[block] += some.T @ table[inside, s]
                weights[block] += some.sum(axis=0)
                density[block] += some.T @ others[inside, s] / volume
    return sums
