"""Koopman matrix, timescales and times of paths with their intervals, from one set of leave-one-block-out matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.covariances import covariances, covariances_without
from gdynet_tf.analysis.kinetics.koopman import constrained_of, koopman_of
from gdynet_tf.analysis.kinetics.paths import mean_first_passage_times, residence_times
from gdynet_tf.analysis.kinetics.rates import rate_matrix
from gdynet_tf.analysis.kinetics.spectral import eigenvalues
from gdynet_tf.analysis.kinetics.timescales import timescale
from gdynet_tf.analysis.uncertainty import POSITIVE, PROBABILITY, Estimate, estimate_from_copies
from gdynet_tf.findings import Finding

__all__ = ["PathTimes", "estimated_koopman_matrix", "estimated_timescales", "path_times"]

_NEVER = 1e-12  # second moment of a state that was not visited

Estimator = Literal["plain", "reversible", "constrained"]


def _copies(chi, tau: int | None, estimator: Estimator = "plain"):
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


def estimated_koopman_matrix(chi, tau: int | None = None) -> Estimate:
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
    chi, tau: int | None = None, estimator: Estimator = "plain", frame_interval: float | None = None
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


@dataclass(frozen=True)
class PathTimes:
    """Mean residence and first passage times.

    Attributes
    ----------
    residence : Estimate
        (n,), in ``time_unit``.
    first_passage : Estimate
        (n, n), from row to column.
    from_generator : bool
        Whether they follow from rates, so that they do not depend on the lag time.
    reason : str
        Why there is no generator; empty otherwise.
    time_unit : str
    """

    residence: Estimate
    first_passage: Estimate
    from_generator: bool
    reason: str
    time_unit: str

    @property
    def findings(self) -> list[Finding]:
        """What must be said of the way the times were found."""
        if self.from_generator:
            return []
        text = (
            "The Koopman matrix has no generator at this lag time: residence and first passage times are those of a "
            f"process that moves once in each lag time, and too long ({self.reason})."
        )
        return [Finding(kind="no generator", severity="warning", text=text)]


def path_times(
    chi, tau: int | None = None, frame_interval: float | None = None, time_unit: str | None = None
) -> PathTimes:
    """Mean residence and first passage times with intervals, from the generator where there is one.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    frame_interval : float, optional
    time_unit : str, optional

    Returns
    -------
    PathTimes
        NaN for a state that was not visited.
    """
    chi = as_chi(chi)
    frame_interval, time_unit = chi.units(frame_interval, time_unit)
    lag_time = chi.lag(tau) * frame_interval
    matrices, visited, blocks = _copies(chi, tau, "constrained")
    # What noise may have done to a rate: the scatter of the elements of the matrix.
    spread = estimate_from_copies(matrices, blocks, per_frame=False)
    tolerance = float(np.nanmax([0.01, *np.ravel(spread.upper - spread.value)]))
    found = rate_matrix(matrices[0], lag_time, tolerance)
    residence = np.array([residence_times(K, lag_time, tolerance) for K in matrices])
    passage = np.array(
        [
            np.stack([mean_first_passage_times(K, j, lag_time, tolerance) for j in range(chi.n_states)], axis=1)
            for K in matrices
        ]
    )
    residence[~visited] = np.nan
    passage[~(visited[:, :, None] & visited[:, None, :])] = np.nan
    return PathTimes(
        residence=estimate_from_copies(residence, blocks, POSITIVE, per_frame=False),
        first_passage=estimate_from_copies(passage, blocks, POSITIVE, per_frame=False),
        from_generator=found.is_generator,
        reason=found.reason,
        time_unit=time_unit,
    )
