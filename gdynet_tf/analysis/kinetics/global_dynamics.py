"""From the local to the global: the transition matrix between sites, reconstructed from that between kinds of site."""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import expm

from gdynet_tf.analysis.kinetics.rates import rate_matrix

__all__ = ["global_transition_matrix", "site_matrix"]


def global_transition_matrix(
    K: np.ndarray,
    kinds: np.ndarray,
    neighbors: np.ndarray,
    lag_time: float = 1.0,
    same_kind_rates: np.ndarray | None = None,
    tolerance: float = 0.01,
) -> np.ndarray:
    """Transition matrix between individual sites, from the local one between kinds of site.

    The local matrix gives rates, Q = ln K / lag_time. A target that leaves a site of kind i for kind j goes to each of
    its neighbouring sites of that kind with equal probability: the paper's reconstruction for known connectivity (Xie
    et al. 2019, "Local and global dynamics"), done on rates, so that any number of jumps within the lag time is right.

    Parameters
    ----------
    K : (n, n) array
        Local transition matrix, rows are probabilities.
    kinds : (S,) int array
        Kind of each site: the state of a target on it.
    neighbors : (S, S) array
        Number of ways from site a to site b in one jump; zero where there is none.
    lag_time : float
    same_kind_rates : (n,) array, optional
        Rate at which a target on a site of each kind jumps to another site of the same kind, per unit of time: the
        local model cannot see such jumps. Needed where ``neighbors`` has ways between sites of one kind.
    tolerance : float
        Uncertainty of the elements of K: what its rates may miss, and what goes within the lag time to kinds of which a
        site has no neighbour and is left out.

    Returns
    -------
    (S, S) float64
        At the same lag time.

    Raises
    ------
    ValueError
        If no matrix of rates gives K within its uncertainty: the lag time is then too long, or the states are not
        Markovian. If a site has no neighbour of a kind that its rates lead to by more than that, or neighbours of its
        own kind and no rate to them is given.
    """
    found = rate_matrix(K, lag_time)
    if not found.is_generator:
        raise ValueError(f"no rates lead to the local matrix: {found.reason}")
    if found.deviation > tolerance:
        raise ValueError(
            f"no rates lead to the local matrix: the nearest rates miss it by {found.deviation:.3g}, the "
            f"uncertainty is {tolerance:.3g}: the lag time is too long, or the states are not Markovian"
        )
    rates, kinds, neighbors = found.rates.copy(), np.asarray(kinds), np.asarray(neighbors, np.float64)
    n, n_sites = len(rates), len(kinds)
    if kinds.ndim != 1 or kinds.min() < 0 or kinds.max() >= n:
        raise ValueError(f"kinds must be states from 0 to {n - 1}, got {kinds.tolist()}")
    if neighbors.shape != (n_sites, n_sites) or (neighbors < 0).any():
        raise ValueError(f"neighbors must be a non-negative ({n_sites}, {n_sites}) array, got {neighbors.shape}")
    alike = np.argwhere((neighbors > 0) & (kinds[:, None] == kinds) & ~np.eye(n_sites, dtype=bool))
    if same_kind_rates is None and len(alike):
        a, b = alike[0]
        raise ValueError(
            f"sites {a} and {b} are neighbours of the same kind {kinds[a]}: the local model does not see jumps between "
            "them, same_kind_rates must tell their rate"
        )
    own = np.zeros(n) if same_kind_rates is None else np.asarray(same_kind_rates, np.float64)
    if own.shape != (n,) or not np.isfinite(own).all() or (own < 0).any():
        raise ValueError(f"same_kind_rates must be {n} rates that are not negative, got {own.tolist()}")
    np.fill_diagonal(rates, own)
    generator = np.zeros((n_sites, n_sites))
    for a in range(n_sites):
        for j in range(n):
            ways = np.where(kinds == j, neighbors[a], 0.0)
            ways[a] = 0.0
            if rates[kinds[a], j] == 0 or (j == kinds[a] and not ways.any()):
                continue
            if not ways.sum():
                if rates[kinds[a], j] * lag_time > tolerance:
                    raise ValueError(f"site {a} has no neighbour of kind {j}, to which its rate is not zero")
                continue  # a rate that is zero within the uncertainty: sampled data have such where no way is
            generator[a] += rates[kinds[a], j] * ways / ways.sum()
    np.fill_diagonal(generator, 0.0)
    np.fill_diagonal(generator, -generator.sum(axis=1))
    return expm(generator * lag_time)


def site_matrix(sites: Sequence[np.ndarray], n_sites: int, tau: int) -> np.ndarray:
    """Transition matrix between sites counted from site indices over time.

    Parameters
    ----------
    sites : list of (F,) or (F, n_targets) int arrays
        One per segment.
    n_sites : int
    tau : int
        Lag time in frames.

    Returns
    -------
    (n_sites, n_sites) float64
        Zero rows for sites that are never visited.
    """
    sites = [sites] if isinstance(sites, np.ndarray) else list(sites)
    if not any(len(s) > tau for s in sites) or tau < 1:
        raise ValueError(f"a lag time of {tau} frames needs longer segments")
    counts = np.zeros(n_sites**2)
    for s in sites:
        pairs = np.asarray(s[:-tau], np.int64) * n_sites + s[tau:]
        counts += np.bincount(pairs.ravel(), minlength=n_sites**2)
    counts = counts.reshape(n_sites, n_sites)
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
