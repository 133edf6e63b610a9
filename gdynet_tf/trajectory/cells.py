"""Periodic cells: lattice planes, incomplete lattices, and paths that cross the border."""

from collections.abc import Sequence

import numpy as np

from gdynet_tf.errors import InputError, real_numbers

__all__ = [
    "LONGEST",
    "cell_lattice",
    "completed_lattices",
    "farthest_coordinate",
    "plane_spacings",
    "toroidal_paths",
]

LONGEST = 1e5  # Å, of cells that atoms have; others would need more room than there is
_FARTHEST = 1e9  # Å, of atoms from the origin; where double precision keeps 1e-7 Å
_KEPT = 0.01  # Å, to which coordinates must be kept, as in XTC files


def cell_lattice(cell: Sequence[float]) -> np.ndarray:
    """Lattice vectors of a cell: the first along x, the second in the xy plane.

    Parameters
    ----------
    cell : (3,) or (6,) sequence of float
        Lengths a, b, c in Å, and the angles alpha (between b and c), beta and gamma in degrees, 90 by default.

    Returns
    -------
    (3, 3) float64
        Å, rows are lattice vectors.

    Raises
    ------
    InputError
        If these are no lengths and angles of a cell.
    """
    values = real_numbers(cell, "`cell`")
    cell = [float(x) for x in values.ravel()]
    shown = f"`cell={' '.join(f'{x:g}' for x in cell)}`"
    if values.ndim != 1 or len(cell) not in (3, 6):
        raise InputError(f"{shown}: three lengths, or three lengths and three angles, are needed")
    lengths, angles = np.array(cell[:3], np.float64), np.array(cell[3:] if len(cell) == 6 else (90.0,) * 3)
    if (
        not (np.isfinite(lengths) & (lengths > 0) & (lengths <= LONGEST)).all()
        or not ((angles > 0) & (angles < 180)).all()
    ):
        raise InputError(f"{shown}: lengths must be between 0 and {LONGEST:g} Å, angles between 0 and 180 degrees")
    cosines = np.where(angles == 90, 0.0, np.cos(np.radians(angles)))
    metric = np.eye(3)
    metric[[2, 2, 1], [1, 0, 0]] = cosines  # the lower triangle alone is read
    try:
        return np.linalg.cholesky(metric) * lengths[:, None]
    except np.linalg.LinAlgError:
        raise InputError(f"{shown}: no cell has these three angles") from None


def farthest_coordinate(dtype: np.dtype) -> float:
    """How far from the origin atoms may be for their coordinates to be known: 1e9 Å, or less in low precision.

    Parameters
    ----------
    dtype : dtype
        In which the coordinates were given.

    Returns
    -------
    float
        Å; where rounding takes less than 0.01 Å: 1.7e5 in single precision, 20 in half precision.
    """
    eps = float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    return min(_FARTHEST, 2 * _KEPT / eps) if eps else _FARTHEST


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
        Å, unwrapped: the image of an atom is known in every frame.
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
