"""Bond-order parameters of the targets, and how any such quantity is distributed in each state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import eval_legendre

from gdynet_tf.analysis.blocks import Basis, pieces_of
from gdynet_tf.analysis.chi import Chi, as_chi
from gdynet_tf.analysis.structure.sampling import blocks_of_quantity, divided_by
from gdynet_tf.analysis.structure.shells import neighbors_within
from gdynet_tf.analysis.system import System
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_sums, estimate_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StateDistribution", "bond_order", "bond_order_of_targets", "state_distribution"]


def bond_order(vectors: np.ndarray, l: int) -> np.ndarray:  # noqa: E741
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


def bond_order_of_targets(
    system: System,
    l: int,  # noqa: E741
    n_neighbors: int,
    max_frames: int = 200,
) -> tuple[np.ndarray, list[tuple[int, int]]]:
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


def _nearest(positions: np.ndarray, lattice: np.ndarray, system: System, n_neighbors: int) -> np.ndarray:
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
    mean, mean_lower, mean_upper : (n_states,) float
    basis : Basis
        What the intervals rest on.
    """

    edges: np.ndarray
    density: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    mean: np.ndarray
    mean_lower: np.ndarray
    mean_upper: np.ndarray
    basis: Basis

    @property
    def interval(self) -> str:
        """The basis in words, for captions."""
        return str(self.basis)

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state and bin.

        Returns
        -------
        pandas.DataFrame
            ``state``, ``from``, ``to``, ``density``, ``density_lower``, ``density_upper``, ``basis``.
        """
        density = Estimate(value=self.density, lower=self.lower, upper=self.upper, basis=self.basis)
        axes: list[dict[str, Any]] = [
            {"state": range(len(self.density))},
            {"from": self.edges[:-1], "to": self.edges[1:]},
        ]
        return estimate_table(axes, {"density": density})


def state_distribution(
    values: np.ndarray, p: Chi | np.ndarray, edges: Sequence[float] | np.ndarray
) -> StateDistribution:
    """Distribution of a quantity weighted with the probability of each state.

    Parameters
    ----------
    values : (f, n_targets) array
    p : (f, n_targets, n_states) array
        chi of the same frames.
    edges : (B + 1,) array
        Of the bins.

    Returns
    -------
    StateDistribution
        With intervals from blocks in which both the states and the quantity have relaxed.
    """
    values, chi, edges = np.asarray(values, np.float64), as_chi(p), np.asarray(edges, np.float64)
    p = np.asarray(chi[0], np.float64)
    if values.shape != p.shape[:2]:
        raise ValueError(f"values of shape {values.shape} do not fit chi of {p.shape[:2]} (frames, targets)")
    blocks = blocks_of_quantity(Chi((p,), tau=chi.tau), divided_by([values]))
    n_states, n_bins = p.shape[2], len(edges) - 1
    sums = []
    for pieces in pieces_of(blocks, [values]):
        counts, moments = np.zeros((n_states, n_bins)), np.zeros((2, n_states))
        for piece in pieces:
            v, w = values[piece.frames, piece.targets], p[piece.frames, piece.targets]
            counts += [np.histogram(v, edges, weights=w[..., i])[0] for i in range(n_states)]
            moments += w.sum(axis=(0, 1)), np.tensordot(v, w, axes=([0, 1], [0, 1]))
        sums.append((counts, moments))
    counts, moments = (np.array(part) for part in zip(*sums, strict=True))

    def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0)

    def densities(counts: np.ndarray, moments: np.ndarray) -> np.ndarray:
        return ratio(counts, np.broadcast_to(moments[0][:, None] * np.diff(edges), counts.shape))

    density = estimate_from_sums(densities, (counts, moments), blocks, (0, np.inf))
    mean = estimate_from_sums(lambda moments: ratio(moments[1], moments[0]), (moments,), blocks)
    return StateDistribution(
        edges=edges,
        density=density.value,
        lower=density.lower,
        upper=density.upper,
        mean=mean.value,
        mean_lower=mean.lower,
        mean_upper=mean.upper,
        basis=blocks.basis,
    )
