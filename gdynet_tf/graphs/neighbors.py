"""The M nearest neighbours of every atom, periodic images included, in any cell.

Two exact ways behind one function. Systems of a few atoms are done for many frames at once: every pair with a box of
images around the nearest one. Larger systems are done frame by frame with a KD-tree of the atoms and their images
within a padding. Both enlarge their box or padding until the M-th distance provably lies inside.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.cells import plane_spacings

__all__ = ["check_reachable", "nearest_neighbors"]

_MANY_ATOMS = 100  # from here on the KD-tree is faster (benchmarks/graphs.py)
_WORK = 1 << 21  # distances in memory at a time
_TIE = 1e-9  # Å; distances that differ by less are equal


def check_reachable(n_neighbors: int, n_atoms: int, periodic: Sequence[bool] | np.ndarray) -> None:
    """InputError where an atom has fewer neighbours: in a system without images."""
    if not any(periodic) and n_neighbors > n_atoms - 1:
        raise InputError(
            f"`n_neighbors={n_neighbors}`: only {n_atoms - 1} neighbours can be reached, "
            f"the system has {n_atoms} atoms and no periodic direction"
        )


def nearest_neighbors(
    positions: np.ndarray,
    lattices: np.ndarray,
    n_neighbors: int,
    periodic: Sequence[bool] | np.ndarray = (True, True, True),
) -> tuple[np.ndarray, np.ndarray]:
    """M nearest neighbours of every atom in every frame.

    An atom's own images count as neighbours, the atom itself does not. Neighbours at the same distance (to 1e-9 Å), as
    in a frozen lattice, come in an order that is drawn anew from the coordinates of each frame. An order by atom
    index would decide which of them are cut off at M, and so tell a network which of the equivalent atoms is which.

    Parameters
    ----------
    positions : (F, N, 3) array
        Å, wrapped or not.
    lattices : (F, 3, 3) array
        Å, rows are lattice vectors.
    n_neighbors : int
        M.
    periodic : tuple of bool
        Along each lattice vector.

    Returns
    -------
    neighbors : (F, N, M) int32
        Atom indices, nearest first.
    distances : (F, N, M) float64
        Å.

    Raises
    ------
    InputError
        If a system without periodic directions has fewer than M + 1 atoms.
    """
    positions, lattices = np.asarray(positions, np.float64), np.asarray(lattices, np.float64)
    periodic = np.asarray(periodic, bool)
    n_frames, n_atoms = positions.shape[:2]
    check_reachable(n_neighbors, n_atoms, periodic)
    neighbors = np.empty((n_frames, n_atoms, n_neighbors), np.int32)
    distances = np.empty((n_frames, n_atoms, n_neighbors))
    if n_atoms >= _MANY_ATOMS:
        for f in range(n_frames):
            neighbors[f], distances[f] = _by_tree(positions[f], lattices[f], n_neighbors, periodic)
    elif n_frames:
        _by_images(positions, lattices, periodic, neighbors, distances)
    return neighbors, distances


def _tie_order(fractional: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Pseudo-random numbers in [0, 1) that order ties, (..., n_candidates), from frames (..., N, 3)."""
    # Digits of a sine far beyond its period: as good as drawn, yet the same for the same frame.
    phase = np.sin(fractional.sum(axis=(-2, -1)) * 12345.678)[..., None]
    return np.sin((phase + 2.0) * (candidates + 1.0) * 78.233) * 43758.5453 % 1.0


def _mean_radius(density: float, m: int) -> float:
    """Radius in which there are an atom and M others on average; density in atoms per Å^3."""
    return np.cbrt(3 * (m + 1) / (4 * np.pi * density))


def _shifts(box: np.ndarray) -> np.ndarray:
    """All integer translations within +-box, (S, 3)."""
    axes = [np.arange(-n, n + 1) for n in box]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _by_images(
    positions: np.ndarray, lattices: np.ndarray, periodic: np.ndarray, neighbors: np.ndarray, distances: np.ndarray
) -> None:
    """All pairs of all frames with a box of images; fills ``neighbors`` and ``distances``."""
    n_frames, n_atoms, m = neighbors.shape
    spacing = plane_spacings(lattices)  # (F, 3)
    todo, box = np.arange(n_frames), np.zeros(3, int)
    # The radius that holds M atoms on average; widened evenly in length, not in number of cells.
    reach = _mean_radius(n_atoms / np.abs(np.linalg.det(lattices)).mean(), m)
    while len(todo):
        box[periodic] = np.maximum(box, np.ceil(reach / spacing[todo].min(axis=0) - 0.5))[periodic]
        shifts = _shifts(box)
        if n_atoms * len(shifts) > m:
            step = max(1, _WORK // (n_atoms**2 * len(shifts)))
            for start in range(0, len(todo), step):
                f = todo[start : start + step]
                neighbors[f], distances[f] = _nearest_images(positions[f], lattices[f], periodic, shifts, m)
            # An image left out is at least (box + 1/2) plane spacings away.
            certain = np.where(periodic, (box + 0.5) * spacing[todo], np.inf).min(axis=1)  # (todo,)
            todo = todo[distances[todo, :, -1].max(axis=1) > certain]
        reach = max(reach * 1.3, distances[todo, :, -1].max() if len(todo) and n_atoms * len(shifts) > m else 0.0)


def _nearest_images(
    positions: np.ndarray, lattices: np.ndarray, periodic: np.ndarray, shifts: np.ndarray, m: int
) -> tuple[np.ndarray, np.ndarray]:
    """M smallest of the distances to all images in the box, for f frames."""
    n_frames, n_atoms, _ = positions.shape
    fractional = positions @ np.linalg.inv(lattices)  # (f, N, 3)
    difference = fractional[:, None, :, :] - fractional[:, :, None, :]  # (f, i, j, 3)
    difference -= np.where(periodic, np.round(difference), 0.0)
    base = difference @ lattices[:, None]  # (f, i, j, 3) Å
    moves = shifts @ lattices  # (f, S, 3) Å
    # Per component, so that the large array (f, i, j, S) is gone through few times.
    squared = np.zeros((n_frames, n_atoms, n_atoms, len(shifts)))
    for axis in range(3):
        part = base[..., axis, None] + moves[:, None, None, :, axis]
        squared += np.square(part, out=part)
    atoms = np.arange(n_atoms)
    squared[:, atoms, atoms, len(shifts) // 2] = np.inf  # the atom itself
    distance = np.sqrt(squared, out=squared).reshape(n_frames, n_atoms, -1)
    order = _tie_order(fractional, np.arange(distance.shape[-1]))[:, None]  # (f, 1, N S)
    # In units of the tolerance distances are integers, and the drawn order decides among equal ones.
    ranked = np.round(distance / _TIE) + order
    place = np.argpartition(ranked, m - 1, axis=-1)[..., :m]
    place = np.take_along_axis(place, np.argsort(np.take_along_axis(ranked, place, axis=-1), axis=-1), axis=-1)
    return (place // len(shifts)).astype(np.int32), np.take_along_axis(distance, place, axis=-1)


def _by_tree(positions: np.ndarray, lattice: np.ndarray, m: int, periodic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KD-tree over the atoms and their images inside a padding, one frame."""
    n_atoms = len(positions)
    spacing = plane_spacings(lattice)
    fractional = positions @ np.linalg.inv(lattice)
    fractional = fractional - np.where(periodic, np.floor(fractional), 0.0)
    # With a margin for fluctuations.
    padding = _mean_radius(n_atoms / abs(np.linalg.det(lattice)), m) * 1.4
    while True:
        atom, image = _padded(fractional, padding / spacing, periodic)
        points = image @ lattice  # (P, 3)
        if len(points) <= m:
            padding *= 1.3
            continue
        tree = cKDTree(points, balanced_tree=False)
        place, distance = _nearest_points(tree, fractional, fractional @ lattice, np.arange(n_atoms), m, m + 2)
        farthest = distance[:, m - 1].max()
        if farthest > padding and periodic.any():
            padding = max(farthest if np.isfinite(farthest) else 0.0, 1.3 * padding)
        else:
            return atom[place], distance


def _nearest_points(
    tree: cKDTree, fractional: np.ndarray, homes: np.ndarray, atoms: np.ndarray, m: int, kept: int
) -> tuple[np.ndarray, np.ndarray]:
    """M nearest points of some atoms, and their distances; ``kept`` are looked at, m + 2 or more.

    They are the atom itself, its neighbours, and one that shows whether the M-th is the first of a tie. Where it is,
    all that are equal to it must be there to draw from; coordinates that were rounded for a file have many ties.
    """
    distance, place = tree.query(homes[atoms], min(kept, tree.n))
    # The first N points are the atoms themselves: each is its own nearest but for coincident atoms.
    distance[place == atoms[:, None]] = np.inf
    ranked = np.round(distance / _TIE)
    tied = (ranked[:, 2:] - ranked[:, 1:-1] < 2).any()
    order = np.argsort(ranked + _tie_order(fractional, place) if tied else ranked, axis=1)
    place, distance = (np.take_along_axis(x, order, axis=1) for x in (place, distance))
    more = np.flatnonzero(distance[:, -2] - distance[:, m - 1] < 2 * _TIE) if tied and kept < tree.n else atoms[:0]
    place, distance = place[:, :m], distance[:, :m]
    if len(more):
        place[more], distance[more] = _nearest_points(tree, fractional, homes, atoms[more], m, kept + 24)
    return place, distance


def _padded(fractional: np.ndarray, padding: np.ndarray, periodic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms and their images within ``padding`` (in units of the cell) of it: atom (P,), fractional (P, 3)."""
    atom, image = np.arange(len(fractional), dtype=np.int32), fractional
    for axis in np.flatnonzero(periodic):
        reach = padding[axis]
        atoms, images = [atom], [image]
        for shift in range(-int(np.ceil(reach)), int(np.ceil(reach)) + 1):
            if shift:
                moved = image[:, axis] + shift
                inside = (moved >= -reach) & (moved < 1 + reach)
                copies = image[inside].copy()
                copies[:, axis] += shift
                atoms.append(atom[inside])
                images.append(copies)
        atom, image = np.concatenate(atoms), np.concatenate(images)
    return atom, image
