"""Bond-order parameters of the targets, and how any such quantity is distributed in each state."""

from dataclasses import dataclass

import numpy as np
from scipy.special import eval_legendre

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.structure.shells import neighbors_within
from gdynet_tf.analysis.uncertainty import confidence_interval

__all__ = ["StateDistribution", "bond_order", "bond_order_of_targets", "state_distribution"]


def bond_order(vectors, l):  # noqa: E741
    """Steinhardt's bond-order parameter q_l of some bonds (Phys. Rev. B 28, 784 (1983)).

    q_l^2 = 4 pi / (2 l + 1) sum_m |<Y_lm>|^2, which the addition theorem turns into the mean of the Legendre polynomial
    P_l over the cosines between all pairs of bonds.

    Parameters
    ----------
    vectors : (..., n, 3) array
        Bonds of each atom.
    l : int

    Returns
    -------
    (...) float64
        In [0, 1].
    """
    if l < 1:
        raise ValueError(f"l must be at least 1, got {l}")
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if vectors.shape[-1] != 3 or not vectors.shape[-2] or not (length > 0).all():
        raise ValueError(f"bonds must have shape (..., n, 3) and a length, got shape {vectors.shape}")
    unit = vectors / length
    cosines = np.clip(unit @ np.swapaxes(unit, -1, -2), -1, 1)  # (..., n, n)
    return np.sqrt(np.clip(eval_legendre(l, cosines).mean(axis=(-2, -1)), 0, None))


def bond_order_of_targets(system, l, n_neighbors, max_frames=200):  # noqa: E741
    """q_l of the targets from their nearest atoms, in evenly spaced frames.

    Parameters
    ----------
    system : System
        Of targets of one atom each.
    l : int
    n_neighbors : int
        Bonds of an atom: its nearest neighbours of any element; 4 for diamond.
    max_frames : int

    Returns
    -------
    values : (f, n_targets) float64
    frames : list of (segment, frame)
        Those f frames.
    """
    if system.targets.shape[1] > 1:
        raise ValueError("bond-order parameters are of single atoms; these targets are groups")
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1, got {n_neighbors}")
    frames = system.frames(max_frames)
    values = [
        bond_order(_nearest(system.positions[n][t], system.lattices[n][t], system, n_neighbors), l) for n, t in frames
    ]
    return np.array(values), frames


def _nearest(positions, lattice, system, n_neighbors):
    """Vectors to the nearest neighbours of the targets, (n_targets, n_neighbors, 3)."""
    targets = system.targets[:, 0]
    density = len(positions) / abs(np.linalg.det(lattice))
    radius = 1.3 * np.cbrt(3 * (n_neighbors + 1) / (4 * np.pi * density))
    for _ in range(30):
        center, _, vectors = neighbors_within(positions, lattice, positions[targets], radius, system.periodic)
        length = np.linalg.norm(vectors, axis=1)
        kept = length > 1e-8  # the atom itself
        center, vectors, length = center[kept], vectors[kept], length[kept]
        counts = np.bincount(center, minlength=len(targets))
        if counts.min() >= n_neighbors:
            order = np.lexsort((length, center))
            starts = np.concatenate([[0], counts.cumsum()[:-1]])
            return vectors[order[starts[:, None] + np.arange(n_neighbors)]]
        radius *= 1.3
    raise ValueError(f"a target has only {counts.min()} neighbours within {radius:.0f} Å, {n_neighbors} are asked for")


@dataclass(frozen=True)
class StateDistribution:
    """Distribution of a quantity in each state.

    Attributes
    ----------
    edges : (B + 1,) float
    density, lower, upper : (n_states, B) float
        Probability density; NaN for a state that never occurs.
    mean : (n_states,) float
    interval : str
    """

    edges: np.ndarray
    density: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    mean: np.ndarray
    interval: str


def state_distribution(values, p, edges, n_chunks=5):
    """Distribution of a quantity weighted with the probability of each state.

    Parameters
    ----------
    values : (f, n_targets) array
    p : (f, n_targets, n_states) array
        chi of the same frames.
    edges : (B + 1,) array
        Of the bins.
    n_chunks : int
        Consecutive parts of time for the 95 % intervals.

    Returns
    -------
    StateDistribution
    """
    values, p, edges = np.asarray(values, np.float64), as_chi(p)[0], np.asarray(edges, np.float64)
    if values.shape != p.shape[:2]:
        raise ValueError(f"values of shape {values.shape} do not fit chi of {p.shape[:2]} (frames, targets)")

    def histogram(part):
        counts = [np.histogram(values[part], edges, weights=p[part, :, i])[0] for i in range(p.shape[2])]
        weights = p[part].sum(axis=(0, 1), dtype=np.float64)[:, None] * np.diff(edges)
        return np.divide(counts, weights, out=np.full(np.shape(counts), np.nan), where=weights > 0)

    parts = [part for part in np.array_split(np.arange(len(values)), n_chunks) if len(part)]
    total = p.sum(axis=(0, 1), dtype=np.float64)
    weighted = np.tensordot(values, p, axes=([0, 1], [0, 1]))
    return StateDistribution(
        edges,
        histogram(np.arange(len(values))),
        *confidence_interval([histogram(part) for part in parts]),
        np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0),
        f"{len(parts)} time chunks",
    )
