"""Mean squared displacement and tracer diffusivity of the targets."""

import warnings
from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.uncertainty import confidence_interval, independent_samples

__all__ = [
    "MeanSquaredDisplacement",
    "TracerDiffusivity",
    "check_positions",
    "mean_squared_displacement",
    "tracer_diffusivity",
    "warn_of_jumps",
]

_SECONDS = {"fs": 1e-15, "ps": 1e-12, "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


def seconds(time_unit):
    """Seconds in a unit of time; ValueError for a unit that has none, such as frames."""
    if time_unit not in _SECONDS:
        raise ValueError(
            f"{time_unit!r} is no unit of time that can be converted to seconds; {', '.join(_SECONDS)} are"
        )
    return _SECONDS[time_unit]


def check_positions(positions):
    """List of (F, n_targets, 3) arrays from one such array or a list of them; ValueError if they are not."""
    positions = [positions] if isinstance(positions, np.ndarray) else list(positions)
    if not positions:
        raise ValueError("positions hold no segment")
    for n, x in enumerate(positions):
        if x.ndim != 3 or x.shape[2] != 3 or not x.size or x.shape[1] != positions[0].shape[1]:
            raise ValueError(f"positions of segment {n} must have shape (F, n_targets, 3), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"positions of segment {n} hold values that are not finite")
    return positions


def warn_of_jumps(positions, lattices, periodic=(True, True, True)):
    """Warn when a target moves more than half a cell between two frames: its path was then lost.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Å, unwrapped.
    lattices : list of (F, 3, 3) arrays
        Å.
    periodic : tuple of bool

    Returns
    -------
    float
        Largest step in cells along a periodic direction.

    Warns
    -----
    UserWarning
    """
    largest = 0.0
    for x, cell in zip(check_positions(positions), lattices, strict=True):
        fractional = np.asarray(x, np.float64) @ np.linalg.inv(cell)
        steps = np.abs(np.diff(fractional, axis=0))[..., np.asarray(periodic, bool)]
        largest = max(largest, float(steps.max(initial=0.0)))
    if largest > 0.5:
        warnings.warn(
            f"a target jumps {largest:.2f} cells between two frames, more than half a cell: its path is unknown. "
            "Positions must be unwrapped, and frames close enough in time",
            UserWarning,
            stacklevel=2,
        )
    return largest


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """<|x(t + lag) - x(t)|^2> over all times and targets.

    Attributes
    ----------
    lags : (n_lags,) int
        0, 1, ... in frames.
    lag_times : (n_lags,) float
        In ``time_unit``.
    msd, lower, upper : (n_lags,) float
        Å^2.
    samples : (n_samples, n_lags) float
        Of each independent part; empty when there is none.
    time_unit, interval : str
    """

    lags: np.ndarray
    lag_times: np.ndarray
    msd: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    samples: np.ndarray
    time_unit: str
    interval: str


@dataclass(frozen=True)
class TracerDiffusivity:
    """Slope of the mean squared displacement, divided by 6.

    Attributes
    ----------
    diffusivity, lower, upper : float
        Å^2 per ``time_unit``.
    exponent : float
        Slope of log MSD over log time in the fitted range: 1 for diffusion, 0 for a cage, 2 for free flight.
    fitted : (float, float)
        Range of lag times.
    time_unit, interval : str
    """

    diffusivity: float
    lower: float
    upper: float
    exponent: float
    fitted: tuple
    time_unit: str
    interval: str

    @property
    def cm2_per_s(self):
        """Diffusivity in cm^2/s; ValueError where the time unit is not known."""
        return self.diffusivity * 1e-16 / seconds(self.time_unit)


def _msd_sums(x, max_lag):
    """Sum of squared displacements at lags 0 to max_lag over times and targets, and their numbers.

    With S(m) = sum x(t)^2 + x(t+m)^2 from cumulative sums, and the correlation sum x(t) x(t+m) by fast Fourier
    transform (Calandrini et al., Collection SFN 12, 201 (2011)).
    """
    x = np.asarray(x, np.float64)
    x = x - x.mean(axis=0)  # keeps the difference of large numbers small
    n_frames, n_targets = x.shape[:2]
    n_lags = min(max_lag + 1, n_frames)
    size = 1 << (2 * n_frames - 1).bit_length()
    correlation = np.zeros(n_lags)
    for target in range(n_targets):  # one at a time: the transform is twice as long as the trajectory
        spectrum = np.fft.rfft(x[:, target], size, axis=0)
        power = (spectrum.real**2 + spectrum.imag**2).sum(axis=1)
        correlation += np.fft.irfft(power, size)[:n_lags]
    squares = np.concatenate([[0.0], np.square(x).sum(axis=(1, 2)).cumsum()])  # squares[t]: of frames before t
    lags = np.arange(n_lags)
    both = squares[n_frames - lags] + squares[-1] - squares[lags]
    sums = np.zeros(max_lag + 1)
    counts = np.zeros(max_lag + 1)
    sums[:n_lags] = np.clip(both - 2 * correlation, 0, None)
    sums[0] = 0.0
    counts[:n_lags] = (n_frames - lags) * n_targets
    return sums, counts


def _msd(positions, max_lag):
    sums, counts = np.sum([_msd_sums(x, max_lag) for x in positions], axis=0)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def mean_squared_displacement(
    positions, max_lag, frame_interval=1.0, time_unit="frames", by="auto", n_samples=5, level=0.95
):
    """Mean squared displacement by fast Fourier transform, equal to the direct sum.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Å, unwrapped.
    max_lag : int
        Frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    by, n_samples, level
        Of the intervals, see `independent_samples` and `confidence_interval`.

    Returns
    -------
    MeanSquaredDisplacement
    """
    positions = check_positions(positions)
    longest = max(len(x) for x in positions)
    if not 1 <= max_lag < longest:
        raise ValueError(f"max_lag must be from 1 to {longest - 1} frames, got {max_lag}")
    samples = independent_samples(positions, max_lag, by, n_samples)
    parts = np.array([_msd(part, max_lag) for part in samples.parts]).reshape(-1, max_lag + 1)
    nothing = np.full(max_lag + 1, np.nan)
    lower, upper = confidence_interval(parts, level) if samples.by else (nothing, nothing)
    lags = np.arange(max_lag + 1)
    return MeanSquaredDisplacement(
        lags,
        lags * frame_interval,
        _msd(positions, max_lag),
        lower,
        upper,
        parts,
        time_unit,
        samples.description if samples.by else samples.reason,
    )


def tracer_diffusivity(result, start=None, stop=None, level=0.95):
    """Einstein relation: a straight line fitted to the mean squared displacement.

    Parameters
    ----------
    result : MeanSquaredDisplacement
    start, stop : float, optional
        Range of lag times of the fit; from a fifth of the longest one to its end when not given.
    level : float

    Returns
    -------
    TracerDiffusivity
        Look at ``exponent`` before believing it.
    """
    times = result.lag_times
    start = times[-1] / 5 if start is None else start
    stop = times[-1] if stop is None else stop
    chosen = (times >= start) & (times <= stop) & (times > 0)
    if chosen.sum() < 2:
        raise ValueError(f"a fit from {start:g} to {stop:g} {result.time_unit} needs two lag times or more")

    def slope(msd):
        return np.polyfit(times[chosen], msd[chosen], 1)[0] / 6

    with np.errstate(divide="ignore"):
        logarithm = np.log(result.msd[chosen])
    exponent = np.polyfit(np.log(times[chosen]), logarithm, 1)[0] if np.isfinite(logarithm).all() else np.nan
    lower, upper = np.nan, np.nan
    if len(result.samples):
        lower, upper = confidence_interval([slope(msd) for msd in result.samples], level)
    return TracerDiffusivity(
        float(slope(result.msd)),
        float(lower),
        float(upper),
        float(exponent),
        (float(times[chosen][0]), float(times[chosen][-1])),
        result.time_unit,
        result.interval,
    )
