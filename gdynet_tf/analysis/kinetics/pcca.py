"""PCCA+: states of a Markov state model as fuzzy sets of its microstates.

Barycentric coordinates of the leading eigenvectors with respect to the corners of a simplex (Deuflhard and Weber,
Linear Algebra Appl. 398, 161 (2005)), which the inner-simplex algorithm finds (Weber and Galliat, ZIB report 02-12
(2002)).
"""

from collections.abc import Iterator

import numpy as np

__all__ = ["outermost_points", "pcca_memberships"]

_CORE = 0.8  # membership from which a microstate belongs to the core of a state
_CORE_STEPS = 20  # for the corners to settle; they do in three or four
_OFFSET_STEPS = 200  # for the offsets of the cut to settle
_LARGEST_OFFSET = 0.05
_LEAST_SHARE = 0.01  # of the data that an offset moves, so that its steps stay small
_APART = 0.5  # least distance of a corner from the plane of those before, in standard deviations of the eigenvectors


def pcca_memberships(counts: np.ndarray, n_states: int) -> Iterator[np.ndarray]:
    """Memberships of the microstates of a reversible Markov state model, the wanted ones first.

    First with the corners of the simplex at the means of the eigenvectors over the cores of the states, which scatter
    least; then at the outermost microstates, where less is cut off; then with the simplex enlarged until it holds all
    microstates, where nothing is.

    Parameters
    ----------
    counts : (k, k) array
        Symmetric counts of transitions; every microstate has some.
    n_states : int

    Yields
    ------
    (k, n) float64
        Rows sum to one; n <= n_states, fewer where the eigenvectors have no more corners.
    """
    total = counts.sum(axis=1)
    weight = total / total.sum()
    root = np.sqrt(weight)
    # The constant is taken out, so that it cannot mix with other eigenvalues of one.
    _, vectors = np.linalg.eigh(counts / total.sum() / np.outer(root, root) - np.outer(root, root))
    psi = np.column_stack([np.ones(len(root)), vectors[:, ::-1][:, : n_states - 1] / root[:, None]])
    rows = outermost_points(psi[:, 1:])
    psi = psi[:, : len(rows)]
    outermost, corners = psi @ np.linalg.inv(psi[rows]), psi[rows]
    for _ in range(_CORE_STEPS):
        memberships = _cut(psi @ np.linalg.inv(corners))
        core = weight[:, None] * np.where(memberships > _CORE, memberships, 0)
        kept = core.sum(axis=0) > 0
        corners[kept] = (core.T @ psi)[kept] / core.sum(axis=0)[kept, None]
    yield _cut(psi @ np.linalg.inv(corners), weight)
    yield _cut(outermost, weight)
    yield _cut(outermost - np.minimum(outermost.min(axis=0), 0))


def outermost_points(points: np.ndarray) -> list[int]:
    """Rows of the corners of a large simplex by the inner-simplex algorithm (Weber and Galliat 2002).

    One more corner than points have coordinates, of variance one. Where a corner would lie less than _APART from the
    plane of those before it, the last coordinate is left out, and so on: this bounds the inverse of the corners.
    """
    for n in range(points.shape[1], 0, -1):
        left = points[:, :n]
        rows = [int(np.argmax(np.square(left).sum(axis=1)))]
        left = left - left[rows[0]]
        while len(rows) <= n:
            distances = np.linalg.norm(left, axis=1)
            farthest = int(np.argmax(distances))
            if distances[farthest] < _APART:
                break
            rows.append(farthest)
            direction = left[farthest] / distances[farthest]
            left = left - np.outer(left @ direction, direction)
        if len(rows) == n + 1:
            return rows
    return rows[:1]


def _cut(p: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Rows that sum to one, cut at zero; with weights, at small offsets that keep the weighted means.

    A microstate's eigenvector scatters about that of its state. Cut at zero, half of the scatter would be left, and
    populations of rare states too large.
    """
    offset, cut = np.zeros(p.shape[1]), _normalised(p)
    if weight is None:
        return cut
    wanted = np.maximum(weight @ p, 0)
    for _ in range(_OFFSET_STEPS):
        change = (weight @ cut - wanted) / np.maximum(weight @ (cut > 0), _LEAST_SHARE)
        offset = np.clip(offset + change / 2, -_LARGEST_OFFSET, _LARGEST_OFFSET)
        cut = _normalised(p - offset)
    return cut


def _normalised(p: np.ndarray) -> np.ndarray:
    p = np.maximum(p, 0)
    return p / p.sum(axis=1, keepdims=True)
