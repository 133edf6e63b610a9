"""Implied timescales as a function of the lag time, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.blocks import Basis, Blocks
from gdynet_tf.analysis.chi import ChiLike, as_chi, check_lags
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.koopman import koopman_copies
from gdynet_tf.analysis.kinetics.spectral import Eigenvectors, eigenvectors
from gdynet_tf.analysis.uncertainty import BELOW_ONE, PROBABILITY, estimate_from_copies, jackknife

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImpliedTimescales", "default_lags", "flat_within_interval", "implied_timescales", "timescale"]

_APART = 3.0  # standard errors of their difference from which two relaxation rates are different
_CLEAR = 0.8  # share of an eigenvector's overlap from which it is the one followed


@dataclass(frozen=True)
class ImpliedTimescales:
    """Timescales t_i(tau) = -tau / ln|lambda_i(tau)|.

    Attributes
    ----------
    lags : (n_lags,) int
        Frames.
    lag_times : (n_lags,) float
        In ``time_unit``.
    timescales, lower, upper : (n_states - 1, n_lags) float
        Slowest first at the shortest lag, in ``time_unit``; NaN where an eigenvalue has no timescale or there is no
        interval.
    eigenvalues : (n_states - 1, n_lags) complex
    eigenvalue_bounds : (2, n_states - 1, n_lags) float
        Intervals of their moduli.
    status : (n_states - 1, n_lags) str
        "real"; "complex": the decay time of an oscillation; "negative": no timescale (NaN), the process is faster
        than the lag or alternates; "unresolved": a modulus of 1 or more (inf), slower than the data can tell.
    time_unit : str
    basis : Basis
        What the intervals rest on, or why there are none.
    """

    lags: np.ndarray
    lag_times: np.ndarray
    timescales: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    eigenvalues: np.ndarray
    eigenvalue_bounds: np.ndarray
    status: np.ndarray
    time_unit: str
    basis: Basis

    @property
    def interval(self) -> str:
        """The basis in words, for captions."""
        return str(self.basis)

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each lag time."""
        import pandas as pd

        columns = {f"lag_time_{self.time_unit}": self.lag_times}
        for i in range(len(self.timescales)):
            columns |= {
                f"timescale_{i + 1}_{self.time_unit}": self.timescales[i],
                f"lower_{i + 1}": self.lower[i],
                f"upper_{i + 1}": self.upper[i],
                f"status_{i + 1}": self.status[i],
            }
        return pd.DataFrame(columns)


def timescale(eigenvalue: complex, lag_time: float) -> tuple[float, str]:
    """Relaxation time of an eigenvalue, and what kind it is.

    Parameters
    ----------
    eigenvalue : complex
    lag_time : float

    Returns
    -------
    float
        -lag_time / ln|eigenvalue| (Xie et al. 2019, Methods). NaN for a negative or zero eigenvalue, which no
        relaxation has, whatever its modulus; inf for another of modulus one or more, which statistical noise can give.
    str
        "real", "complex", "negative" or "unresolved".
    """
    oscillates = abs(eigenvalue.imag) > 1e-12
    if not oscillates and eigenvalue.real <= 1e-10:  # rounding of zero
        return np.nan, "negative"
    if abs(eigenvalue) >= 1 - 1e-9:  # rounding aside
        return np.inf, "unresolved"
    if oscillates:
        return -lag_time / np.log(abs(eigenvalue)), "complex"
    return -lag_time / np.log(eigenvalue.real), "real"


def default_lags(tau: int, longest: int, n_lags: int = 12) -> np.ndarray:
    """Lag times around tau, evenly spaced on a logarithmic scale, up to a quarter of the longest segment.

    Parameters
    ----------
    tau : int
        Lag time of the training, always among them.
    longest : int
        Frames of the longest segment.
    n_lags : int

    Returns
    -------
    (n,) int array
    """
    top = max(tau, min(10 * tau, longest // 4))
    return np.unique([*np.geomspace(max(1, tau / 10), top, n_lags).round().astype(int), tau])


def implied_timescales(
    chi: ChiLike, lags: Sequence[int] | np.ndarray, frame_interval: float | None = None, time_unit: str | None = None
) -> ImpliedTimescales:
    """Implied timescales of the Koopman matrices at several lag times.

    Processes are ordered by their timescale and followed over the lags where their eigenvectors tell them apart. The
    intervals are those of the eigenvalues of the leave-one-block-out matrices, each followed by the eigenvectors of
    all data (lambda = l K r) and not by its rank. Eigenvalues that the data do not tell apart repel each other; the
    interval of each then holds that of their mean as well.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    lags : sequence of int
        Frames, increasing.
    frame_interval : float, optional
        In ``time_unit``; both are those of chi when not given.
    time_unit : str, optional

    Returns
    -------
    ImpliedTimescales
    """
    chi = as_chi(chi)
    frame_interval, time_unit = chi.units(frame_interval, time_unit)
    lags = check_lags(chi, lags)
    blocks = independent_blocks(chi, chi.tau if chi.tau in lags else int(lags[0]))
    copies = koopman_copies(chi, lags, blocks)
    times = lags * frame_interval
    values, bounds, previous = [], [], None
    for k in range(len(lags)):
        previous = _followed(eigenvectors(copies[0, k]), previous)
        values.append(previous.eigenvalues[1:])
        bounds.append(_eigenvalue_bounds(copies[:, k], previous, blocks))
    values = np.array(values, complex).T  # (n_states - 1, n_lags)
    bounds = np.moveaxis(np.array(bounds), 0, -1)  # (2, n_states - 1, n_lags)
    kinds = [[timescale(v, t) for v, t in zip(row, times, strict=True)] for row in values]
    timescales = np.array([[kind[0] for kind in row] for row in kinds])
    bounds = np.where(np.isfinite(timescales), bounds, np.nan)
    lower, upper = _time(bounds, times)
    return ImpliedTimescales(
        lags=lags,
        lag_times=times,
        timescales=timescales,
        lower=lower,
        upper=upper,
        eigenvalues=values,
        eigenvalue_bounds=bounds,
        status=np.array([[kind[1] for kind in row] for row in kinds]),
        time_unit=time_unit,
        basis=blocks.basis,
    )


def _time(eigenvalue: np.ndarray, lag_times: np.ndarray) -> np.ndarray:
    """Timescale of a bound: 0 where the eigenvalue may be 0, inf where it may be 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(eigenvalue <= 0, 0.0, np.where(eigenvalue >= 1, np.inf, -lag_times / np.log(eigenvalue)))


def _followed(vectors: Eigenvectors, previous: Eigenvectors | None) -> Eigenvectors:
    """The same decomposition, its processes in the order of those at the lag before where the eigenvectors agree."""
    if previous is None:
        return vectors
    overlap = np.abs(previous.left[1:] @ vectors.right[:, 1:])
    norm = np.linalg.norm(previous.left[1:], axis=1)[:, None] * np.linalg.norm(vectors.right[:, 1:], axis=0)
    order = np.argmax(overlap / norm, axis=1)
    clear = np.take_along_axis(overlap, order[:, None], axis=1)[:, 0] > _CLEAR * overlap.sum(axis=1)
    if len(set(order.tolist())) < len(order) or not clear.all():
        return vectors
    order = np.concatenate([[0], order + 1])
    return Eigenvectors(vectors.eigenvalues[order], vectors.right[:, order], vectors.left[order])


def _eigenvalue_bounds(copies: np.ndarray, vectors: Eigenvectors, blocks: Blocks) -> np.ndarray:
    """Intervals of the moduli of the eigenvalues, (2, n - 1)."""
    seen = vectors.left[1:] @ copies @ vectors.right[:, 1:]
    values = np.diagonal(seen, axis1=1, axis2=2).real.copy()
    for k in np.flatnonzero(np.imag(vectors.eigenvalues[1:]) > 1e-12):  # a conjugate pair: |lambda|² is its determinant
        pair = [int(k), int(np.argmin(np.abs(vectors.eigenvalues[1:] - vectors.eigenvalues[1 + k].conj())))]
        values[:, pair] = np.sqrt(np.abs(np.linalg.det(seen[:, pair][:, :, pair])))[:, None]
    bounds = _modulus_bounds(values, blocks)
    if not blocks:
        return bounds
    # On the logarithmic scale of rates, is a neighbour a different process?
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.log1p(-values)
    gaps = jackknife(np.diff(rates, axis=1), blocks, memory=False)
    apart = ~(np.abs(gaps.value) < _APART * gaps.standard_error)
    for group in np.split(np.arange(values.shape[1]), np.flatnonzero(apart) + 1):
        if len(group) > 1:
            low, high = _modulus_bounds(values[:, group].mean(axis=1, keepdims=True), blocks)
            bounds[0, group] = np.minimum(bounds[0, group], low)
            bounds[1, group] = np.maximum(bounds[1, group], high)
    return bounds


def _modulus_bounds(values: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Intervals between 0 and 1, or only below 1 where a copy is not positive; both where zero is within the scatter.

    Of what is as near to zero as that, the scale of (0, 1) says that it is above zero, which nobody knows.
    """
    between, below = (estimate_from_copies(values, blocks, scale) for scale in (PROBABILITY, BELOW_ONE))
    positive, near = (values > 0).all(axis=0), below.lower < 0
    lower, upper = np.minimum(between.lower, below.lower), np.maximum(between.upper, below.upper)
    return np.stack(
        [
            np.where(~positive, below.lower, np.where(near, lower, between.lower)),
            np.where(~positive, below.upper, np.where(near, upper, between.upper)),
        ]
    )


def flat_within_interval(result: ImpliedTimescales, first: float, last: float, process: int = 0) -> bool | None:
    """Whether a timescale is constant within its interval between two lag times.

    It is when a single value lies inside the intervals of all lags from ``first`` to ``last``.

    Parameters
    ----------
    result : ImpliedTimescales
    first, last : float
        Lag times in ``result.time_unit``.
    process : int
        0 is the slowest.

    Returns
    -------
    bool or None
        None where an interval is missing.
    """
    tolerance = 1e-9 * last
    chosen = (result.lag_times >= first - tolerance) & (result.lag_times <= last + tolerance)
    lower, upper = result.lower[process, chosen], result.upper[process, chosen]
    if not chosen.any() or np.isnan([lower, upper]).any():
        return None
    return bool(lower.max() <= upper.min())
