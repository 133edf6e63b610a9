"""Koopman matrix and timescales at one lag time with their intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.independence import Blocks, independent_blocks
from gdynet_tf.analysis.kinetics.covariances import covariances, covariances_without
from gdynet_tf.analysis.kinetics.koopman import constrained_of, koopman_of
from gdynet_tf.analysis.kinetics.spectral import eigenvalues
from gdynet_tf.analysis.kinetics.timescales import timescale
from gdynet_tf.analysis.uncertainty import POSITIVE, PROBABILITY, Estimate, estimate_from_copies

__all__ = ["estimated_koopman_matrix", "estimated_timescales"]

_NEVER = 1e-12  # second moment of a state that was not visited

Estimator = Literal["plain", "reversible", "constrained"]


def _copies(chi: ChiLike, tau: int | None, estimator: Estimator = "plain") -> tuple[np.ndarray, np.ndarray, Blocks]:
    """Matrices of all data and of all but one block (n_blocks + 1, n, n), which rows were visited, and the blocks."""
    chi = as_chi(chi)
    tau = chi.lag(tau)
    blocks = independent_blocks(chi, tau)
    moments = covariances_without(chi, [tau], blocks)[:, 0] if blocks else np.array([covariances(chi, tau)])
    c00, c0t, ctt = np.moveaxis(np.nan_to_num(moments), 1, 0)
    if estimator == "reversible":
        c00, c0t = (c00 + ctt) / 2, (c0t + np.swapaxes(c0t, -1, -2)) / 2
    if estimator == "constrained":
        matrices = np.array([constrained_of(*pair) for pair in zip(c00, c0t, strict=True)])
    else:
        matrices = koopman_of(c00, c0t)
    return matrices, np.diagonal(c00, axis1=-2, axis2=-1) > _NEVER, blocks


def estimated_koopman_matrix(chi: ChiLike, tau: int | None = None) -> Estimate:
    """Koopman matrix with the intervals of its elements.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.

    Returns
    -------
    Estimate
        (n, n); no interval in the row of a state that one block alone visited.
    """
    matrices, visited, blocks = _copies(chi, tau)
    matrices[1:][~visited[1:]] = np.nan
    return estimate_from_copies(matrices, blocks, PROBABILITY, per_frame=False)


def estimated_timescales(
    chi: ChiLike, tau: int | None = None, estimator: Estimator = "plain", frame_interval: float | None = None
) -> Estimate:
    """Timescales at one lag time by one estimator of the Koopman matrix; `implied_timescales` has them over the lag.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    estimator : {"plain", "reversible", "constrained"}
        See `koopman_matrix`.
    frame_interval : float, optional

    Returns
    -------
    Estimate
        (n - 1,), slowest first; NaN where there is none.
    """
    chi = as_chi(chi)
    lag_time = chi.lag(tau) * chi.units(frame_interval, None)[0]
    matrices, _, blocks = _copies(chi, tau, estimator)
    times = np.array([[timescale(complex(v), lag_time)[0] for v in eigenvalues(K)[1:]] for K in matrices])
    return estimate_from_copies(np.where(np.isfinite(times), times, np.nan), blocks, POSITIVE, per_frame=False)
