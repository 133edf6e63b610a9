"""The straight line of a mean squared displacement: its weights, and whether what it is drawn through is diffusion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from gdynet_tf.analysis.uncertainty import Estimate
from gdynet_tf.findings import Finding
from gdynet_tf.times import time_text

__all__ = [
    "diffusion_finding",
    "excludes",
    "exponents",
    "slope_weights",
    "slow_waves",
    "slowest_diffusivity",
    "spread_lags",
]

_FIT_LAGS = 12  # of a fit; more of them add nothing, they are sums of the same steps
_EXPONENTS = (0.8, 1.2)  # of the displacement, that count as diffusion
_TARGETS = 64  # whose steps are looked at together
_WAVES, _SLOWEST = 40, 4  # of the steps, over all frames: slow ones, and those that show whether more is to come


def slow_waves(positions: Sequence[np.ndarray]) -> np.ndarray:
    """Power of the steps in the slowest waves of the segments that are at least half as long as the longest.

    Discrete cosines (type II) of the steps, from the first on: those of white noise are independent, and a constant
    drift has no part in them.

    Parameters
    ----------
    positions : sequence of (F, n_targets, 3) arrays
        Å.

    Returns
    -------
    (n_waves,) float
        Å^2 per frame, divided so that it is the diffusivity at their frequency; the slowest first.
    """
    longest = max(map(len, positions))
    powers = []
    for x in (x for x in positions if 2 * len(x) >= longest):
        n_steps = len(x) - 1
        phase = np.pi * (np.arange(n_steps) + 0.5) / n_steps
        waves = np.cos(np.arange(1, min(_WAVES, n_steps // 4) + 1)[:, None] * phase)
        for start in range(0, x.shape[1], _TARGETS):
            steps = np.diff(np.asarray(x[:, start : start + _TARGETS], np.float64), axis=0)
            power = 2 / n_steps * np.square(waves @ steps.reshape(n_steps, -1))
            powers.append((power.sum(axis=1), power.shape[1]))
    number = min(len(power) for power, _ in powers)
    return sum(power[:number] for power, _ in powers) / (2 * sum(n for _, n in powers))


def slowest_diffusivity(slow_waves: np.ndarray) -> tuple[float, float]:
    """Diffusivity in the slowest waves of all frames and its standard error; NaN where there are too few waves.

    The power of a wave scatters by a share that is that of its neighbours, whether targets are independent or not.

    Parameters
    ----------
    slow_waves : (n_waves,) array

    Returns
    -------
    value, error : float
        In the unit of the waves.
    """
    if len(slow_waves) < 4 * _SLOWEST:
        return np.nan, np.nan
    value, mean = slow_waves[:_SLOWEST].mean(), slow_waves.mean()
    scatter = np.sqrt(np.square(np.diff(slow_waves)).mean() / 2 / _SLOWEST)
    return float(value), float(value * scatter / mean if mean > 0 else 0.0)


def spread_lags(lags: np.ndarray) -> np.ndarray:
    """Some of the lags, evenly spaced on a logarithmic scale, the ends among them."""
    wanted = np.geomspace(lags[0], lags[-1], _FIT_LAGS)
    return lags[np.unique(np.abs(lags[:, None] - wanted).argmin(axis=0))]


def exponents(times: np.ndarray, msd: np.ndarray) -> np.ndarray:
    """Slopes of log MSD over log time, (n_copies,); NaN where something does not move."""
    x = np.log(times) - np.log(times).mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(msd) @ x / (x @ x)
    return np.where(np.isfinite(found), found, np.nan)


def excludes(estimate: Estimate, value: float) -> bool:
    """Whether an interval is there and does not hold a value."""
    return bool(estimate.lower > value or estimate.upper < value)


def diffusion_finding(exponent: Estimate, bend: Estimate, change: float, fitted: np.ndarray, time_unit: str) -> Finding:
    """Finding about the range of a fit.

    Parameters
    ----------
    exponent : Estimate
        Of the displacement.
    bend : Estimate
        Change of the slope towards later lags in the range.
    change : float
        Its change from the range to the slowest waves of all frames, as a share; 0 where it is not certain.
    fitted : (2,) array
        The range, in ``time_unit``.
    time_unit : str

    Returns
    -------
    Finding
        "diffusion", good or a warning.
    """
    value, bent = float(exponent.value), bool(excludes(bend, 0.0) or change != 0)
    low, high = _EXPONENTS
    certain = excludes(exponent, 1.0) or not np.isfinite(exponent.lower)
    below = change < 0 if change and not excludes(exponent, 1.0) else value < 1
    slow = (value < low and certain) or (bent and below)
    fast = not slow and ((value > high and certain) or bent)
    between = f"between {time_text(fitted[0], time_unit)} and {time_text(fitted[1], time_unit)}"
    text = f"The mean squared displacement grows with time to the power of {value:.2f} {between}"
    if not np.isfinite(value):
        text = f"The targets do not move {between}"
    elif slow:
        text += ": the targets do not diffuse yet, and the slope depends on the time of observation"
    elif fast:
        text += ": the targets drift or still fly freely, and the slope depends on the time of observation"
    return Finding(
        kind="diffusion",
        severity="warning" if slow or fast or not np.isfinite(value) else "good",
        text=text + ".",
        numbers={"exponent": value, "bend": float(bend.value), "change": float(change), "bent": bent},
    )


@lru_cache(maxsize=64)
def slope_weights(lags: tuple[int, ...], n_frames: int) -> np.ndarray:
    """Weights of the mean squared displacements in the slope per frame, (n_lags,)."""
    x = np.stack([np.ones(len(lags)), lags], axis=1)
    covariance = np.array([[_overlap(i, j, n_frames) for j in lags] for i in lags])
    weighted = np.linalg.solve(covariance, x)
    return np.linalg.solve(x.T @ weighted, weighted.T)[1]


def _overlap(i: int, j: int, n_frames: int) -> float:
    """Covariance of the mean squared displacements of a Brownian path at lags i and j, but for a factor.

    Steps of width s overlap by o frames, and their squares are correlated by 2 s^4 o^2: the mean over all pairs of
    starting times, by their difference.
    """
    offset = np.arange(-j + 1, i)
    shared = np.minimum(i, offset + j) - np.maximum(0, offset)
    number = np.minimum(n_frames - i, n_frames - j - offset) - np.maximum(0, -offset)
    return (np.clip(number, 0, None) * shared.astype(float) ** 2).sum() / ((n_frames - i) * (n_frames - j))
