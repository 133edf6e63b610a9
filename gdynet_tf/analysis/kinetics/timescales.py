"""Implied timescales as a function of the lag time, with intervals."""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.chi import as_chi, check_lags
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.spectral import eigenvalues
from gdynet_tf.analysis.uncertainty import confidence_interval, independent_samples

__all__ = ["ImpliedTimescales", "default_lags", "flat_within_interval", "implied_timescales", "timescale"]


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
        Slowest first, in ``time_unit``; NaN where an eigenvalue has no timescale or there is no interval. The
        interval is that of the rate 1/t, so that ``upper`` is inf where the data do not exclude a rate of zero.
    eigenvalues : (n_states - 1, n_lags) complex
    status : (n_states - 1, n_lags) str
        "real"; "complex": the decay time of an oscillation; "negative": no timescale (NaN), the process is faster
        than the lag or alternates; "unresolved": a modulus of 1 or more (inf), slower than the data can tell.
    time_unit : str
    interval : str
        What the interval was taken from, or why there is none.
    """

    lags: np.ndarray
    lag_times: np.ndarray
    timescales: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    eigenvalues: np.ndarray
    status: np.ndarray
    time_unit: str
    interval: str

    @property
    def columns(self):
        """The numbers by lag time, dict of (n_lags,) arrays, for `plots.save_figure`."""
        columns = {f"lag_time_{self.time_unit}": self.lag_times}
        for i in range(len(self.timescales)):
            columns |= {
                f"timescale_{i + 1}_{self.time_unit}": self.timescales[i],
                f"lower_{i + 1}": self.lower[i],
                f"upper_{i + 1}": self.upper[i],
                f"status_{i + 1}": self.status[i],
            }
        return columns


def timescale(eigenvalue, lag_time):
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
    if not oscillates and eigenvalue.real <= 0:
        return np.nan, "negative"
    if abs(eigenvalue) >= 1 - 1e-9:  # rounding aside
        return np.inf, "unresolved"
    if oscillates:
        return -lag_time / np.log(abs(eigenvalue)), "complex"
    return -lag_time / np.log(eigenvalue.real), "real"


def default_lags(tau, longest, n_lags=12):
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


def implied_timescales(chi, lags, frame_interval=1.0, time_unit="frames", by="auto", n_samples=5, level=0.95):
    """Implied timescales of the Koopman matrices at several lag times.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    lags : sequence of int
        Frames, increasing.
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    by, n_samples, level
        Of the intervals, see `independent_samples` and `confidence_interval`.

    Returns
    -------
    ImpliedTimescales
    """
    chi = as_chi(chi)
    lags = check_lags(chi, lags)
    samples = independent_samples(chi, int(lags[-1]), by, n_samples)
    values = _nontrivial(chi, lags)  # (n_states - 1, n_lags)
    times = lags * frame_interval
    kinds = [[timescale(v, t) for v, t in zip(row, times, strict=True)] for row in values]
    timescales = np.array([[kind[0] for kind in row] for row in kinds])
    if samples.by:
        rates = np.array([_rates(_nontrivial(part, lags), times) for part in samples.parts])
        slow, fast = confidence_interval(rates, level)
        lower, upper = _inverse(fast), _inverse(slow)
    else:
        lower = upper = np.full_like(timescales, np.nan)
    return ImpliedTimescales(
        lags,
        times,
        timescales,
        lower,
        upper,
        values,
        np.array([[kind[1] for kind in row] for row in kinds]),
        time_unit,
        samples.description if samples.by else samples.reason,
    )


def _nontrivial(chi, lags):
    """Eigenvalues without the stationary one, (n_states - 1, n_lags) complex."""
    return np.array([eigenvalues(koopman_matrix(chi, int(lag)))[1:] for lag in lags], complex).T


def _rates(values, times):
    """-ln|lambda| / tau. Rates of parts of the data scatter evenly about that of the whole, timescales do not."""
    modulus = np.abs(values)
    usable = (modulus > 0) & ((np.abs(values.imag) > 1e-12) | (values.real > 0))
    return -np.log(modulus, out=np.full(values.shape, np.nan), where=usable) / times


def _inverse(rate):
    """Timescale of a rate; inf where the rate may be zero."""
    return np.divide(1.0, rate, out=np.where(np.isnan(rate), np.nan, np.inf), where=rate > 0)


def flat_within_interval(result, first, last, process=0):
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
