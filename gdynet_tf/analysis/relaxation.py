"""How long chi remembers: relaxation, correlation across joints and between targets, changes that happened."""

from collections.abc import Sequence

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.kinetics.covariances import covariances
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.spectral import eigenvectors

__all__ = ["joint_correlation", "observed_transitions", "relaxation_time", "target_correlation"]

_ROWS = 1 << 18  # frames x targets looked at together
_LAGS = 24  # of the autocorrelation, evenly spaced on a logarithmic scale
_WINDOW = 4.0  # an autocorrelation is summed over this many of its own correlation times (Sokal 1997)


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


def target_correlation(chi: ChiLike, tau: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Do targets change together? The design effect of each process.

    e(t) = psi(t + tau) - lambda psi(t) is what happens to a target within the lag time beyond what its state foretold.
    The design effect is Var(sum of e over targets) / sum of Var(e): 1 for independent targets, n_targets for targets
    that do the same (L. Kish, Survey Sampling (1965)).

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional

    Returns
    -------
    design : (n_states - 1,) float
    noise : (n_states - 1,) float
        Standard error of it for independent targets; inf where nothing happened.
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    vectors = eigenvectors(koopman_matrix(chi, tau))
    values, right = vectors.eigenvalues[1:], vectors.right[:, 1:]
    together, alone, squares = 0.0, 0.0, 0.0
    step = max(1, _ROWS // chi.n_targets)
    for segment in chi:
        for start in range(0, len(segment) - tau, step):
            psi = np.asarray(segment[start : start + step + tau], np.float64) @ right
            change = psi[tau:] - values * psi[:-tau]
            energy = (np.abs(change) ** 2).sum(axis=1)
            together = together + (np.abs(change.sum(axis=1)) ** 2).sum(axis=0)
            alone, squares = alone + energy.sum(axis=0), squares + (energy**2).sum(axis=0)
    happened = alone > 1e-12
    # Frames in which something happened; overlapping changes are worth 1.5 / tau of their number.
    samples = np.divide(alone**2, squares, out=np.zeros_like(alone), where=happened) * min(1.0, 1.5 / tau)
    design = np.divide(together, alone, out=np.full_like(alone, chi.n_targets), where=happened)
    return design, np.sqrt(np.divide(2.0, samples, out=np.full_like(samples, np.inf), where=samples > 0))


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
