"""Koopman matrix and VAMP scores of state probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gdynet_tf.analysis.chi import ChiLike
from gdynet_tf.analysis.kinetics.covariances import covariances, covariances_without

__all__ = [
    "constrained_of",
    "koopman_copies",
    "koopman_matrix",
    "koopman_of",
    "vamp1_score",
    "vamp2_score",
    "vamp_e_score",
]

# Variance of a combination of states below which it counts as zero. float32 probabilities carry an error of about
# 1e-7, hence a variance of 1e-14; a combination that really varies has more than 1e-8.
_RANK = 1e-10
_MANY_STATES = 12  # for which a general solver is still quick
_STEPS, _SETTLED = 5000, 1e-9  # of the one for more


def _inverse_sqrt(covariance: np.ndarray) -> np.ndarray:
    """C^-1/2 on the combinations of states that vary; empty and doubled states fall out."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _RANK
    return (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T


def koopman_matrix(chi: ChiLike, tau: int | None = None, estimator: str = "plain") -> np.ndarray:
    """Koopman matrix, row i to column j (Xie et al. 2019, Eq. 2).

    "plain" is K = C00^-1 C0t. Where chi has an empty state or identical ones, C00 is inverted on what varies: the row
    of an empty state is zero, identical states share their probability. "reversible" takes every pair of frames
    forward and backward, C00 -> (C00 + Ctt)/2 and C0t -> (C0t + Ct0)/2: its eigenvalues are real, and it is wrong for
    data that are driven or not in equilibrium. "constrained" is the least-squares solution among the matrices without
    negative entries and with row sums of one, which plain ones need not have.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int
    estimator : {"plain", "reversible", "constrained"}

    Returns
    -------
    (n_states, n_states) float64
    """
    if estimator not in ("plain", "reversible", "constrained"):
        raise ValueError(f"estimator must be plain, reversible or constrained, got {estimator!r}")
    c00, c0t, ctt = covariances(chi, tau)
    if estimator == "reversible":
        c00, c0t = (c00 + ctt) / 2, (c0t + c0t.T) / 2
    return constrained_of(c00, c0t) if estimator == "constrained" else koopman_of(c00, c0t)


def koopman_of(c00: np.ndarray, c0t: np.ndarray) -> np.ndarray:
    """C00^+ C0t, C00 inverted on the combinations of states that vary.

    Parameters
    ----------
    c00, c0t : (..., n, n) arrays

    Returns
    -------
    (..., n, n) float64
    """
    values, vectors = np.linalg.eigh(c00)
    kept = values > _RANK
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    return (vectors * inverse[..., None, :]) @ np.swapaxes(vectors, -1, -2) @ c0t


def koopman_copies(chi: ChiLike, lags: Sequence[int] | np.ndarray, blocks: Any) -> np.ndarray:
    """Koopman matrices of all data and of all data but one block.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    lags : sequence of int
        Frames.
    blocks : Blocks
        Without blocks, the matrices of all data alone.

    Returns
    -------
    (n_blocks + 1, n_lags, n_states, n_states) float64
        Of all data first. The row of a state that was not visited is zero, as in `koopman_matrix`.
    """
    if not blocks:
        return np.array([[koopman_of(*covariances(chi, int(lag))[:2]) for lag in lags]])
    moments = covariances_without(chi, lags, blocks)
    return koopman_of(np.nan_to_num(moments[:, :, 0]), np.nan_to_num(moments[:, :, 1]))


def constrained_of(c00: np.ndarray, c0t: np.ndarray) -> np.ndarray:
    """The transition matrix nearest to the data, see `koopman_matrix`; of one pair of (n, n) covariances."""
    K = koopman_of(c00, c0t)
    K[~K.any(axis=1)] = 1 / len(K)  # of a state that was not visited the data say nothing
    if K.min() >= 0 and np.abs(K.sum(axis=1) - 1).max() < 1e-9:  # crisp states: it is one already
        return K
    return _constrained(c00, c0t, K) if len(K) <= _MANY_STATES else _projected(c00, c0t)


def _constrained(c00: np.ndarray, c0t: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The K >= 0 with row sums of one for which <|chi(t+tau) - K^T chi(t)|^2> is smallest: a convex programme."""
    from scipy.optimize import LinearConstraint, minimize  # half a second to import

    n = len(c00)
    scale = np.trace(c00)

    def distance(k: np.ndarray) -> float:
        K = k.reshape(n, n)
        return (np.sum(K * (c00 @ K)) - 2 * np.sum(K * c0t)) / scale

    def gradient(k: np.ndarray) -> np.ndarray:
        K = k.reshape(n, n)
        return (2 * (c00 @ K - c0t)).ravel() / scale

    start = np.clip(start, 0, None) + 1e-12
    start = start / start.sum(axis=1, keepdims=True)
    rows = LinearConstraint(np.kron(np.eye(n), np.ones(n)), 1, 1)
    found = minimize(
        distance,
        start.ravel(),
        jac=gradient,
        method="SLSQP",
        bounds=[(0, 1)] * n**2,
        constraints=rows,
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    K = np.clip(found.x.reshape(n, n), 0, None)
    return K / K.sum(axis=1, keepdims=True)


def _projected(c00: np.ndarray, c0t: np.ndarray) -> np.ndarray:
    """The same for many states, where a general solver takes hours: accelerated projected gradients (Beck 2009)."""
    K = Y = np.full_like(c00, 1 / len(c00))
    step, t = 1 / np.linalg.eigvalsh(c00)[-1], 1.0
    for _ in range(_STEPS):
        new = _onto_simplex(Y - step * (c00 @ Y - c0t))
        if np.abs(new - K).max() < _SETTLED:
            break
        t, before = (1 + np.sqrt(1 + 4 * t**2)) / 2, t
        K, Y = new, new + (before - 1) / t * (new - K)
    return new


def _onto_simplex(rows: np.ndarray) -> np.ndarray:
    """The nearest rows that are >= 0 with a sum of one."""
    falling = -np.sort(-rows, axis=1)
    excess = (falling.cumsum(axis=1) - 1) / np.arange(1, rows.shape[1] + 1)
    last = (falling > excess).sum(axis=1) - 1
    return np.clip(rows - excess[np.arange(len(rows)), last][:, None], 0, None)


def _singular_values(chi: ChiLike, tau: int | None) -> np.ndarray:
    c00, c0t, ctt = covariances(chi, tau)
    return np.linalg.svd(_inverse_sqrt(c00) @ c0t @ _inverse_sqrt(ctt), compute_uv=False)


def vamp1_score(chi: ChiLike, tau: int | None = None) -> float:
    """Uncentred VAMP-1 score, the sum of the singular values of C00^-1/2 C0t Ctt^-1/2 (Wu and Noé 2020).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int

    Returns
    -------
    float
        In [1, n_states].
    """
    return float(_singular_values(chi, tau).sum())


def vamp2_score(chi: ChiLike, tau: int | None = None) -> float:
    """Uncentred VAMP-2 score, the sum of the squared singular values of C00^-1/2 C0t Ctt^-1/2 (Wu and Noé 2020).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int

    Returns
    -------
    float
        In [1, n_states]; one more than the mean-free score.
    """
    return float(np.square(_singular_values(chi, tau)).sum())


def vamp_e_score(chi: ChiLike, tau: int | None = None) -> float:
    """VAMP-E score of the data's own singular functions; on the same data it equals VAMP-2 (Wu and Noé 2020).

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int

    Returns
    -------
    float
    """
    c00, c0t, ctt = covariances(chi, tau)
    left, right = _inverse_sqrt(c00), _inverse_sqrt(ctt)
    u, s, vt = np.linalg.svd(left @ c0t @ right)
    u, v = left @ u * s, right @ vt.T
    return float(np.trace(2 * u.T @ c0t @ v) - np.trace(u.T @ c00 @ u @ v.T @ ctt @ v))
