"""Do targets depend on one another? What happens to them at the same time, with a delay, and what they all feel."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from scipy.special import fdtrc, ndtr

from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.spectral import Eigenvectors, eigenvectors

__all__ = [
    "follow_one_another",
    "independent_design",
    "shared_time",
    "target_correlation",
    "target_following",
    "targets_differ",
]

_ROWS = 1 << 18  # frames x targets looked at together
_BIN = 8  # neighbouring frequencies among which periodograms are compared
_DESIGN, _ONE_SIDED = 1.5, 1.64  # design effect up to which targets count as independent; standard errors, 95 %
_FOLLOWS = 0.01  # false alarms of each of the two tests of delays
_WAVES, _SLOW, _SHARED = 60, 10, 0.05  # waves in which targets are compared, and slow ones; false alarms of that test


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


def target_following(chi: ChiLike, tau: int | None = None) -> bool:
    """Does a target do what others did before it? Asked of what happens from frame to frame, by `follow_one_another`.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time at which the processes are told apart.

    Returns
    -------
    bool
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    if chi.n_targets < 2:
        return False
    vectors = eigenvectors(koopman_matrix(chi, tau))
    n = chi.n_states - 1
    return any(follow_one_another(_innovations(chi, vectors, k), tau, _FOLLOWS / n) for k in range(1, n + 1))


def independent_design(chi: Chi, tau: int) -> tuple[float, Literal["", "short", "targets follow"]]:
    """Design effect, at least 1, of targets that are shown to be independent, and why they are not.

    Parameters
    ----------
    chi : Chi
    tau : int
        Frames.

    Returns
    -------
    design : float
        NaN where they are not.
    reason : {"", "short", "targets follow"}
        "short": there are too few data to show it, or targets change together.
    """
    return chi.known(("design effect", tau), lambda: _independent_design(chi, tau))


def _independent_design(chi: Chi, tau: int) -> tuple[float, Literal["", "short", "targets follow"]]:
    if chi.n_targets < 2:
        return np.nan, "short"
    design, noise = target_correlation(chi, tau)
    mean, mean_noise = design.mean(), 1 / np.sqrt((noise**-2).sum()) if np.isfinite(noise).any() else np.inf
    if mean + _ONE_SIDED * mean_noise >= _DESIGN or (np.abs(design - 1) - noise >= _DESIGN - 1).any():
        return np.nan, "short"
    if target_following(chi, tau):
        return np.nan, "targets follow"
    return max(1.0, float(design.max())), ""


def _innovations(chi: Chi, vectors: Eigenvectors, k: int) -> Iterator[np.ndarray]:
    """What happens to process k from frame to frame beyond what the frame before foretold, (F, some targets) each.

    Segments one after the other: innovations have no memory that a joint could break. Of a conjugate pair, one gives
    the real and one the imaginary part.
    """
    right = vectors.right[:, k].imag if np.imag(vectors.eigenvalues[k]) < 0 else vectors.right[:, k].real
    step = max(1, _ROWS // chi.n_frames)
    for start in range(0, chi.n_targets, step):
        paths = [np.asarray(segment[:, start : start + step], np.float64) @ right for segment in chi]
        before, after = (np.concatenate([path[part] for path in paths]) for part in (slice(-1), slice(1, None)))
        keep = (before * after).sum() / max((before**2).sum(), 1e-300)
        yield after - keep * before


def follow_one_another(parts: Iterable[np.ndarray], width: int, level: float = _FOLLOWS) -> bool:
    """Test whether series without memory of their own depend on one another, at whatever delay.

    A delay turns the phases of a Fourier transform and leaves its size. So series that repeat one another, whoever
    follows whom and how much later, have periodograms that scatter alike from frequency to frequency, where those of
    independent ones scatter independently: the variance of their sum over the sum of their variances is 1 for these
    and m for groups of m that follow. It is taken among eight neighbouring frequencies, in which spectra are flat, over
    all frequencies and over low ones. A delay that many have in common shows more clearly as a maximum of the mean
    cross-correlation; both are compared with their errors for independent series.

    Parameters
    ----------
    parts : iterable of (F, n) arrays
        Some series each, all of the same F.
    width : int
        Frames within which what happens counts as simultaneous; that is not looked at here.
    level : float
        False alarms of each of the two tests.

    Returns
    -------
    bool
        False also where nothing happens, and where there are too few frames to tell.
    """
    n_frames = 0
    total: Any = 0.0
    power: Any = 0.0
    fourth: Any = 0.0
    apart: Any = 0.0
    alike: Any = 0.0
    for part in parts:
        n_frames = len(part)
        wave = np.fft.rfft(part, axis=0)[1 : (n_frames + 1) // 2]
        size = np.abs(wave) ** 2
        binned = size[: len(size) // _BIN * _BIN].reshape(-1, _BIN, size.shape[1])
        scatter = binned - binned.mean(axis=1, keepdims=True)
        total, power, fourth = total + wave.sum(axis=1), power + size.sum(axis=1), fourth + (size**2).sum(axis=1)
        alike, apart = alike + scatter.sum(axis=2), apart + (scatter**2).sum(axis=2)
    if n_frames < 4 * _BIN or not np.min(power) > 0:
        return False
    frequency = np.arange(1, len(power) + 1) / n_frames
    return _common_delay(np.abs(total) ** 2 / power - 1, 1 - fourth / power**2, frequency, width, level) or (
        _similar_periodograms(alike, apart, power, frequency, width, level)
    )


def _low_pass(frequency: np.ndarray, width: int) -> np.ndarray:
    """Response of a running mean over a number of frames, in power, up to its first zero; all of it for one frame."""
    return np.sinc(frequency * width) ** 2 * (frequency * width < 1) if width > 1 else np.ones(len(frequency))


def _similar_periodograms(
    alike: np.ndarray, apart: np.ndarray, power: np.ndarray, frequency: np.ndarray, width: int, level: float
) -> bool:
    """From the sums of the periodograms' scatter (n_bins, _BIN), and of its square."""
    scale = power[: alike.size].reshape(alike.shape).mean(axis=1, keepdims=True) ** 2
    shared = (alike**2 - apart) / scale
    widths = {1, round(np.sqrt(width)), width}
    for one in widths:
        seen = _low_pass(frequency, one)[: alike.size].reshape(alike.shape) ** 2 * shared
        noise = np.sqrt((seen**2).sum())
        if noise > 0 and ndtr(-seen.sum() / noise) < level / len(widths):
            return True
    return False


def _common_delay(excess: np.ndarray, variance: np.ndarray, frequency: np.ndarray, width: int, level: float) -> bool:
    """From the power of the sum of the series over the sum of their powers, less one, and its variance."""
    low, n_frames = _low_pass(frequency, width), round(1 / frequency[0])
    simultaneous = (low * excess).sum() / low.sum()
    spectrum = np.concatenate([[0.0], low * (excess - simultaneous) / max(1.0, 1 + simultaneous)])
    delays = np.fft.irfft(spectrum, n_frames)[width : n_frames // 2 + 1] * n_frames / 2
    noise = np.sqrt((low**2 * variance).sum() / 2)
    n_delays = 2 * len(delays) / width
    return bool(len(delays) and noise > 0 and ndtr(-delays.max() / noise) < level / max(1.0, n_delays))


def targets_differ(means: np.ndarray, n_free: int, level: float = 0.05) -> bool:
    """Two-way analysis of variance of means by block of time and target: do targets differ beyond what time gives?

    Parameters
    ----------
    means : (n_blocks, n_targets, n) array
        Probabilities, or other quantities without unit.
    n_free : int
        How many of the n are free, for Bonferroni's correction.
    level : float
        False alarms.

    Returns
    -------
    bool
    """
    n_blocks, n_targets, _ = means.shape
    if n_targets < 2:
        return False
    mean = means.mean(axis=(0, 1))
    by_target, by_block = means.mean(axis=0) - mean, means.mean(axis=1) - mean
    free = (n_targets - 1) * (n_blocks - 1)
    between = n_blocks * (by_target**2).sum(axis=0) / (n_targets - 1)
    within = ((means - mean - by_target - by_block[:, None]) ** 2).sum(axis=(0, 1)) / free
    varies = within > 1e-9 * np.abs(mean * (1 - mean))
    ratio = np.divide(between, within, out=np.ones_like(mean), where=varies)
    return bool((fdtrc(n_targets - 1, free, ratio) < level / n_free).any())


def shared_time(chi: ChiLike, tau: int | None = None) -> float:
    """How long something lasts that all targets feel, though each takes its part independently.

    Such as a field that favours a state for a while, or bursts in which all move. y_ij = chi_i(t) (chi_j(t + tau) -
    K_ij) is how the rates of a target at time t differ from those of all data. In slow waves through time, the power of
    its sum over targets is the sum of the targets' powers if they share nothing (F test, for each element of K). Where
    they do, their ratio falls with the frequency as 1 + A / (1 + (2 pi f T)^2); T is the likeliest.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional

    Returns
    -------
    float
        T in frames; 0 where nothing is shared that shows.
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    return chi.known(("shared time", tau), lambda: _shared_time(chi, tau))


def _shared_time(chi: Chi, tau: int) -> float:
    n_pairs = sum(max(len(segment) - tau, 0) for segment in chi)
    n_waves = min(_WAVES, n_pairs // (2 * tau))
    if chi.n_targets < 2 or n_waves < _SLOW:
        return 0.0
    together, alone = _power_of_waves(chi, tau, n_pairs, n_waves)  # (n_waves, n, n)
    slow = alone[:_SLOW].sum(axis=0)
    ratio = np.divide(together[:_SLOW].sum(axis=0), slow, out=np.zeros_like(slow), where=slow > 1e-12)
    chance = fdtrc(_SLOW, _SLOW * (chi.n_targets - 1), ratio)
    if chance.min() >= _SHARED / (chi.n_states * (chi.n_states - 1)):
        return 0.0
    i, j = np.unravel_index(chance.argmin(), chance.shape)
    seen = together[:, i, j] / alone[:, i, j]
    times = np.geomspace(0.25, n_waves / 2, 20) * n_pairs / (np.pi * n_waves)
    strengths = np.geomspace(0.25, 256, 21)[:, None, None]
    phase = np.pi * np.arange(1, n_waves + 1) / n_pairs
    expected = 1 + strengths / (1 + (phase * times[:, None]) ** 2)  # (strengths, times, n_waves)
    likelihood = -(np.log(expected) + seen / expected).sum(axis=-1)
    return float(times[likelihood.max(axis=0).argmax()])


def _power_of_waves(chi: Chi, tau: int, n_pairs: int, n_waves: int) -> tuple[np.ndarray, np.ndarray]:
    """Power of waves of y through all pairs of frames, of its sum over targets and summed over those of each."""
    K, n = koopman_matrix(chi, tau), chi.n_states
    bins = np.linspace(0, n_pairs, min(n_pairs, 8 * n_waves) + 1).round().astype(int)
    middle = (bins[1:] + bins[:-1]) / 2 / n_pairs
    waves = np.cos(np.pi * np.arange(1, n_waves + 1)[:, None] * middle)
    total, alone = np.zeros((n_waves, n, n)), np.zeros((n_waves, n, n))
    step = max(1, _ROWS // n_pairs)
    for first in range(0, chi.n_targets, step):
        parts = [np.asarray(s[:, first : first + step], np.float64) for s in chi if len(s) > tau]
        now, then = (np.concatenate([p[cut] for p in parts]) for cut in (slice(-tau), slice(tau, None)))
        for i in range(n):
            y = np.add.reduceat(now[..., [i]] * (then - K[i]), bins[:-1], axis=0)  # (n_bins, some targets, n)
            amplitudes = np.tensordot(waves, y, axes=1)
            total[:, i] += amplitudes.sum(axis=1)
            alone[:, i] += (amplitudes**2).sum(axis=1)
    return total**2, alone
