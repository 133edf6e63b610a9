"""How long chi remembers: relaxation, correlation across joints, changes that happened."""

from collections.abc import Sequence

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.kinetics.covariances import covariances
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.spectral import eigenvectors

__all__ = [
    "correlation_time_of_means",
    "joint_correlation",
    "observed_transitions",
    "relaxation_time",
    "slower_relaxation",
]

_LAGS = 24  # of the autocorrelation, evenly spaced on a logarithmic scale
_WINDOW = 4.0  # an autocorrelation is summed over this many of its own correlation times (Sokal 1997)
_FREQUENCIES = 6, 2000  # fewest and most that tell of something slower
_TIMES, _STRENGTHS = 20, 13  # of something slower that are tried
_LIKELIER = 8.0  # twice the logarithm of the likelihood ratio from which it is believed


def relaxation_time(chi: ChiLike, tau: int | None = None) -> float:
    """Relaxation of the slowest thing that chi shows.

    The largest of the slowest implied timescale at tau and the correlation times, int s C(s) ds / int C(s) ds, of the
    mean autocorrelation of the eigenfunctions and of that of the states; the integrals end where C is lost in its noise
    or after four correlation times (after A. Sokal, Monte Carlo Methods in Statistical Mechanics (1997)).

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional

    Returns
    -------
    float
        Frames. inf where something has not decayed within half of the longest segment or within the data; 0 where
        nothing changes.
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    vectors = eigenvectors(koopman_matrix(chi, tau))
    modulus = float(np.abs(vectors.eigenvalues[1]))
    implied = np.inf if modulus >= 1 - 1e-9 else -tau / np.log(modulus) if modulus > 0 else 0.0
    right = vectors.right[:, 1:]
    waves = right.imag[:, np.abs(right.imag).max(axis=0) > 1e-9]
    lags = np.unique(np.geomspace(1, max(2, chi.longest // 2), _LAGS).astype(int))
    lags = lags[lags < chi.longest]
    moments = [covariances(chi, int(lag)) for lag in lags]
    times = [
        _correlation_time(lags, [_autocorrelation(*m, functions) for m in moments], chi.n_frames * chi.n_targets)
        for functions in (np.concatenate([right.real, waves], axis=1), np.eye(chi.n_states))
    ]
    return max(implied, *times)


def correlation_time_of_means(chi: ChiLike) -> float:
    """Correlation time of the mean of chi over all targets.

    That of a single one where targets have nothing to do with each other; longer where they do what others did before.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays

    Returns
    -------
    float
        Frames; as in `relaxation_time`.
    """
    chi = as_chi(chi)
    means = as_chi([segment.mean(axis=1, keepdims=True) for segment in chi])
    lags = np.unique(np.geomspace(1, max(2, chi.longest // 2), _LAGS).astype(int))
    lags = lags[lags < chi.longest]
    rho = [_autocorrelation(*covariances(means, int(lag)), np.eye(chi.n_states)) for lag in lags]
    return _correlation_time(lags, rho, chi.n_frames)


def _autocorrelation(c00: np.ndarray, c0t: np.ndarray, ctt: np.ndarray, functions: np.ndarray) -> float:
    """Mean of the autocorrelations of linear functions of chi, (n_states, n), that vary: one alone is noisier."""
    m0, mt = c00.sum(axis=1), ctt.sum(axis=1)  # the states' chi sum to one
    scale = np.sqrt(np.clip(_variance(c00, m0, functions) * _variance(ctt, mt, functions), 0, None))
    varies = scale > 1e-12
    if not varies.any():
        return 0.0
    shared = np.einsum("ik,ij,jk->k", functions, c0t, functions) - (m0 @ functions) * (mt @ functions)
    return float((shared[varies] / scale[varies]).mean())


def _variance(second: np.ndarray, mean: np.ndarray, functions: np.ndarray) -> np.ndarray:
    return np.einsum("ik,ij,jk->k", functions, second, functions) - (mean @ functions) ** 2


def _correlation_time(lags: np.ndarray, rho: Sequence[float], n_samples: int) -> float:
    """First moment over the zeroth of an autocorrelation at some lags, by trapezoids.

    The sum ends where the autocorrelation is lost in its noise, sqrt(2 area / n_samples), and goes on from there as
    exp(-s / t) with the t that results: t = moment / (area - s rho(s)).
    """
    if not np.any(rho):
        return 0.0  # nothing varies
    lags, positive = np.concatenate([[0], lags]), np.clip([1.0, *rho], 0, None)
    area = moment = 0.0
    for k in range(1, len(lags)):
        width = (lags[k] - lags[k - 1]) / 2
        area += width * (positive[k - 1] + positive[k])
        moment += width * (lags[k - 1] * positive[k - 1] + lags[k] * positive[k])
        left = area - lags[k] * positive[k]
        if left > 0 and (positive[k] <= np.sqrt(2 * area / n_samples) or lags[k] * left > _WINDOW * moment):
            return moment / left
    return np.inf


def slower_relaxation(means: np.ndarray, relaxation: float) -> float:
    """Relaxation of what is too weak to be seen in the autocorrelation, but not in an average over time.

    Averages over blocks forget what they hold of a relaxation t0 from block to block; a slower process of small
    amplitude, which the autocorrelation hardly shows, stays in them and can rule their scatter. Its place is the
    spectrum below 1 / (4 pi t0), which is flat without it: compared are the likelihoods (P. Whittle, J. R. Stat. Soc. B
    15, 125 (1953)) of the spectrum with one and with two relaxations, S / (1 + (2 pi f t)^2) each.

    Parameters
    ----------
    means : (F, n) array
        Series whose averages over time are asked for, such as means of chi over targets.
    relaxation : float
        That is seen, frames.

    Returns
    -------
    float
        Frames: of the slower process, at most F / 4; NaN where the likelihood does not speak for one.
    """
    n_frames, t0 = len(means), max(relaxation, 0.5)
    fewest, most = _FREQUENCIES
    number = min(most, int(n_frames / (4 * np.pi * t0)))
    if not np.isfinite(relaxation) or number < fewest:
        return np.nan
    means = np.asarray(means, np.float64)
    power = np.abs(np.fft.rfft(means - means.mean(axis=0), axis=0)[1 : number + 1]) ** 2
    power = power[:, power.min(axis=0) > 1e-16 * n_frames]  # what varies
    if not power.shape[1]:
        return np.nan
    phase = 2 * np.pi * np.arange(1, number + 1) / n_frames
    times, strengths = np.geomspace(2 * t0, n_frames / 4, _TIMES), np.geomspace(0.25, 64, _STRENGTHS)
    one = 1 / (1 + (phase * t0) ** 2)
    alone = _log_likelihood(one, power)
    best, slower = _LIKELIER, np.nan
    for time in times:
        two = one + strengths[:, None] / (1 + (phase * time) ** 2)
        gain = 2 * float((_log_likelihood(two, power) - alone).max())
        if gain > best:
            best, slower = gain, float(time)
    return slower


def _log_likelihood(shape: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Of periodograms (m, n), exponentially distributed about spectra (..., m) of the likeliest height: (..., n)."""
    height = (1 / shape) @ power / len(power)
    return -np.log(shape).sum(axis=-1)[..., None] - len(power) * np.log(height)


def joint_correlation(chi: ChiLike, tau: int | None = None) -> tuple[float, int]:
    """Correlation of the slowest coordinate between the last frame of a segment and the first of the next.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional

    Returns
    -------
    correlation : float
        1 where the coordinate does not vary.
    n : int
        Number of joints times targets.
    """
    chi = as_chi(chi)
    slowest = eigenvectors(koopman_matrix(chi, chi.lag(tau))).right[:, 1].real
    last = np.array([segment[-1] @ slowest for segment in chi.segments[:-1]]).ravel()
    first = np.array([segment[0] @ slowest for segment in chi.segments[1:]]).ravel()
    scale = np.sqrt(np.mean(last**2) * np.mean(first**2))
    return (float(np.mean(last * first) / scale) if scale > 0 else 1.0), len(last)


def observed_transitions(chi: ChiLike, persistence: int) -> np.ndarray:
    """Changes of the likeliest state that lasted.

    Stays shorter than ``persistence`` frames are passed over: a flicker is not a transition.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    persistence : int
        Frames.

    Returns
    -------
    (n_states, n_states) int
        From row to column, of all targets; the diagonal is zero.
    """
    chi = as_chi(chi)
    counts = np.zeros((chi.n_states, chi.n_states), int)
    for segment in chi:
        states = segment.argmax(axis=2).T  # (n_targets, F)
        target = np.repeat(np.arange(len(states)), states.shape[1])
        flat = states.ravel()
        starts = np.flatnonzero(np.r_[True, (np.diff(flat) != 0) | (np.diff(target) != 0)])
        lasting = starts[np.diff(np.r_[starts, flat.size]) >= persistence]
        same = target[lasting[1:]] == target[lasting[:-1]]
        np.add.at(counts, (flat[lasting[:-1][same]], flat[lasting[1:][same]]), 1)
    np.fill_diagonal(counts, 0)
    return counts
