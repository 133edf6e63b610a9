"""Periodic cells: lattice planes, incomplete lattices, and paths that cross the border."""

from collections.abc import Sequence

import numpy as np

__all__ = ["completed_lattices", "plane_spacings", "unwrap"]


def plane_spacings(lattices: np.ndarray) -> np.ndarray:
    """Distances between the lattice planes, 1 / |b_a| with the reciprocal vectors b_a.

    Parameters
    ----------
    lattices : (..., 3, 3) array
        Å, rows are lattice vectors.

    Returns
    -------
    (..., 3) float64
        Å.
    """
    return 1.0 / np.linalg.norm(np.linalg.inv(lattices), axis=-2)


def completed_lattices(lattices: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
    """Zero vectors along non-periodic directions replaced by unit vectors, so that the cell can be inverted."""
    zero = ~np.linalg.norm(lattices, axis=-1).astype(bool)  # (F, 3)
    zero &= ~np.asarray(periodic)
    if not zero.any():
        return lattices
    lattices = lattices.copy()
    for frame in np.flatnonzero(zero.any(axis=1)):
        given = lattices[frame][~zero[frame]]  # (g, 3)
        # The right singular vectors beyond the rank span what the given vectors leave free.
        lattices[frame, zero[frame]] = np.linalg.svd(given.reshape(-1, 3))[2][len(given) :]
    return lattices


def unwrap(positions: np.ndarray, lattices: np.ndarray, periodic: tuple[bool, ...] = (True, True, True)) -> np.ndarray:
    """Follow every atom by its nearest image from frame to frame.

    Right as long as no atom moves half a cell between two frames.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, wrapped or not.
    lattices : (F, 3, 3) array
        Å; may vary.
    periodic : tuple of bool

    Returns
    -------
    (F, N, 3) float64
        The first frame as it is; the others moved by lattice vectors of their own frame.
    """
    fractional = np.asarray(positions, np.float64) @ np.linalg.inv(lattices)
    jumps = np.where(periodic, -np.round(np.diff(fractional, axis=0)), 0.0)
    images = np.concatenate([np.zeros_like(jumps[:1] if len(jumps) else fractional), np.cumsum(jumps, axis=0)])
    return np.asarray(positions, np.float64) + images @ np.asarray(lattices, np.float64)
