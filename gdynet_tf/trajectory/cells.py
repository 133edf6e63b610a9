"""Periodic cells: lattice planes, incomplete lattices, and paths that cross the border."""

from collections.abc import Sequence

import numpy as np

from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.elements import symbol

__all__ = ["coarse_steps", "completed_lattices", "plane_spacings", "toroidal_paths", "unwrap"]

_STEP_LIMITS = (0.25, 0.4)  # of the cell
_COARSE = 0.1  # share of the steps beyond the first limit that may lie beyond the second
_FEWEST_STEPS = 3  # beyond the second limit, below which it is chance


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


def _images(positions: np.ndarray, lattices: np.ndarray, periodic: Sequence[bool]) -> np.ndarray:
    """Cell that each position lies in, (F, N, 3) whole numbers, zero along directions that are not periodic."""
    fractional = np.asarray(positions, np.float64) @ np.linalg.inv(lattices)
    # A path that has been summed up lies a rounding error off the border that it was on.
    return np.where(periodic, np.floor(fractional + 1e-12), 0.0)


def unwrap(positions: np.ndarray, lattices: np.ndarray, periodic: Sequence[bool] = (True, True, True)) -> np.ndarray:
    """Follow every atom by its nearest image from frame to frame.

    Every frame keeps its images: neighbours, densities and fractional coordinates can be had from it. Where the cell
    varies, `toroidal_paths` makes displacements of the result. Right as long as no atom moves half a cell between two
    frames; `coarse_steps` tells whether that may be.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, wrapped or not.
    lattices : (F, 3, 3) array
        Å, rows are lattice vectors; may vary.
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


def toroidal_paths(
    positions: np.ndarray, lattices: np.ndarray, periodic: tuple[bool, ...] = (True, True, True)
) -> np.ndarray:
    """Paths whose displacements are those of the atoms, not of the cell.

    In a cell that varies, an atom that has crossed n cells moves by n times every change of the cell, so that
    displacements of positions moved by whole lattice vectors grow with the distance already gone. Here each step is
    that of the wrapped position, with the lattice vectors that were crossed in it (the toroidal-view-preserving scheme
    of von Bülow, Bullerjahn and Hummer, J. Chem. Phys. 153, 021101 (2020)). In a constant cell nothing changes.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, unwrapped: the image of an atom is known in every frame (`unwrap`, or a file that holds it).
    lattices : (F, 3, 3) array
        Å, rows are lattice vectors.
    periodic : tuple of bool

    Returns
    -------
    (F, N, 3) float64
        Å; the first frame as it is. No longer images of each other: for displacements alone.
    """
    positions, lattices = np.asarray(positions, np.float64), np.asarray(lattices, np.float64)
    if not len(positions) or (lattices == lattices[0]).all():
        return positions
    images = _images(positions, lattices, periodic)  # (F, N, 3)
    steps = np.diff(positions - images @ lattices, axis=0) + np.diff(images, axis=0) @ lattices[1:]
    return np.concatenate([positions[:1], positions[0] + np.cumsum(steps, axis=0)])


def coarse_steps(
    positions: np.ndarray,
    lattices: np.ndarray,
    segments: Sequence[int],
    kinds: np.ndarray,
    periodic: tuple[bool, ...] = (True, True, True),
) -> Finding | None:
    """Whether frames are too far apart to follow the atoms across the border of the cell.

    A step of more than half a cell is taken for a shorter one, so it cannot be seen; but steps become rarer with their
    length, and where many come close to half a cell some were longer. Of the steps beyond a quarter of the cell along
    one of its vectors a tenth or more beyond 0.4 is too many: random walks reach that when 0.2 % of the steps are lost.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, unwrapped by `unwrap`.
    lattices : (F, 3, 3) array
        Å.
    segments : sequence of int
        Frames of each contiguous piece.
    kinds : (N,) int array
        Atomic numbers: the element that moves most decides.
    periodic : tuple of bool

    Returns
    -------
    Finding or None
        None when the steps are short enough.
    """
    elements, kind = np.unique(kinds, return_inverse=True)
    counts, n_steps, start = np.zeros((2, len(elements))), 0, 0
    for length in segments:
        part = slice(start, start + length)
        fractional = np.asarray(positions[part], np.float64) @ np.linalg.inv(lattices[part])
        steps = np.abs(np.diff(fractional, axis=0))[..., np.asarray(periodic, bool)]  # (f, N, d)
        for row, limit in zip(counts, _STEP_LIMITS, strict=True):
            row += np.bincount(kind, (steps > limit).sum(axis=(0, 2)), len(elements))
        n_steps += steps.shape[0] * steps.shape[2]
        start += length
    quarter, half = counts
    coarse = (half >= _FEWEST_STEPS) & (half > _COARSE * quarter)
    if not coarse.any():
        return None
    worst = int(np.argmax(np.where(coarse, half / np.bincount(kind), -1)))
    shares = counts[:, worst] / (n_steps * (kind == worst).sum())
    return Finding(
        kind="coarse frames",
        severity="warning",
        text=(
            f"Frames are too far apart to follow {symbol(elements[worst])} across the border of the cell: "
            f"{100 * shares[0]:.2g} % of the steps along its vectors are longer than a quarter, "
            f"{100 * shares[1]:.2g} % longer than 0.4 of the cell, and a step beyond half a cell cannot be told from a "
            "shorter one. "
            "Displacements and diffusion coefficients may be too small; save frames more often, or unwrapped."
        ),
        numbers={
            "atomic_number": int(elements[worst]),
            "beyond_quarter": float(shares[0]),
            "beyond_0.4": float(shares[1]),
        },
    )
