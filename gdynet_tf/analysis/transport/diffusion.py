"""Mean squared displacement and tracer diffusivity of the targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.blocks import Blocks, pieces_of
from gdynet_tf.analysis.transport.line import (
    diffusion_finding,
    excludes,
    exponents,
    slope_weights,
    slow_waves,
    slowest_diffusivity,
    spread_lags,
)
from gdynet_tf.analysis.transport.paths import check_positions, independent_motion, neighbor_factor
from gdynet_tf.analysis.transport.units import BOLTZMANN
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_copies, estimate_table
from gdynet_tf.findings import Finding
from gdynet_tf.times import seconds

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MeanSquaredDisplacement",
    "TracerDiffusivity",
    "finite_size_correction",
    "mean_squared_displacement",
    "tracer_diffusivity",
]

_CUBIC = 2.837297  # of Yeh and Hummer


@dataclass(frozen=True)
class MeanSquaredDisplacement:
    """<|x(t + lag) - x(t)|^2> over all times and targets.

    Attributes
    ----------
    lags : (n_lags,) int
        0, 1, ... in frames.
    lag_times : (n_lags,) float
        In ``time_unit``.
    msd : Estimate, (n_lags,)
        Å^2.
    copies : (n_blocks + 1, n_lags) float
        Å^2, from all data and from all but one block, for what is computed from them.
    blocks : Blocks
        What was taken as independent.
    slow_waves : (n_waves,) float
        Å^2 per frame, diffusivity in the slowest waves of the longest segments, the slowest first: what the targets do
        over all the time that there is, whatever the longest lag.
    n_frames : int
        Of the longest segment.
    time_unit : str
    """

    lags: np.ndarray
    lag_times: np.ndarray
    msd: Estimate
    copies: np.ndarray
    blocks: Blocks
    slow_waves: np.ndarray
    n_frames: int
    time_unit: str

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each lag.

        Returns
        -------
        pandas.DataFrame
            ``lag_frames``, ``lag_time_UNIT``, ``msd_angstrom2`` and its bounds, ``basis``.
        """
        lags = {"lag_frames": self.lags, f"lag_time_{self.time_unit}": self.lag_times}
        return estimate_table([lags], {"msd": self.msd}, "angstrom2")


@dataclass(frozen=True)
class TracerDiffusivity:
    """Slope of the mean squared displacement, divided by 6.

    Attributes
    ----------
    diffusivity : Estimate
        Å^2 per ``time_unit``.
    exponent : float
        Slope of log MSD over log time in the fitted range: 1 for diffusion, 0 for a cage, 2 for free flight.
    fitted : (float, float)
        Range of lag times.
    finite_size : float
        What `finite_size_correction` has added, Å^2 per ``time_unit``; 0 without it.
    time_unit : str
    finding : Finding
        "diffusion": good, or a warning that the targets do not diffuse (yet) in the fitted range.
    copies : (n_blocks + 1,) float
        Diffusivity from all data and from all but one block.
    """

    diffusivity: Estimate
    exponent: float
    fitted: tuple[float, float]
    finite_size: float
    time_unit: str
    finding: Finding
    copies: np.ndarray

    @property
    def cm2_per_s(self) -> float:
        """Diffusivity in cm^2/s; ValueError where the time unit is not known."""
        return float(self.diffusivity.value) * 1e-16 / seconds(self.time_unit)

    def to_dataframe(self) -> pd.DataFrame:
        """One row.

        Returns
        -------
        pandas.DataFrame
            ``diffusivity_angstrom2_per_UNIT`` and its bounds, ``basis``, ``finite_size_angstrom2_per_UNIT``,
            ``exponent``, ``fit_start_UNIT``, ``fit_stop_UNIT``.
        """
        unit = f"angstrom2_per_{self.time_unit}"
        return estimate_table([], {"diffusivity": self.diffusivity}, unit).assign(
            **{
                f"finite_size_{unit}": self.finite_size,
                "exponent": self.exponent,
                f"fit_start_{self.time_unit}": self.fitted[0],
                f"fit_stop_{self.time_unit}": self.fitted[1],
            }
        )


def _msd_sums(x: np.ndarray, first: int, last: int, max_lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of squared displacements at lags 0 to max_lag that begin in frames first to last, and their numbers.

    With sums of x(t)^2 and x(t+m)^2 by accumulation, and the correlation sum x(t) x(t+m) by fast Fourier transform
    (Calandrini et al., Collection SFN 12, 201 (2011)).
    """
    x = np.asarray(x[first : last + max_lag], np.float64)
    x = x - x.mean(axis=0)  # keeps the difference of large numbers small
    begin, n_frames = x[: last - first], len(x)
    lags = np.arange(min(max_lag + 1, n_frames))
    counts = np.minimum(len(begin), n_frames - lags)  # of starting times
    size = 1 << (n_frames + len(begin) - 1).bit_length()
    correlation = np.zeros(len(lags))
    for target in range(x.shape[1]):  # one at a time: the transform is longer than the trajectory
        spectrum = np.fft.rfft(x[:, target], size, axis=0)
        other = np.fft.rfft(begin[:, target], size, axis=0)
        correlation += np.fft.irfft((spectrum * other.conj()).sum(axis=1), size)[: len(lags)]
    squares = np.concatenate([[0.0], np.square(x).sum(axis=(1, 2)).cumsum()])  # squares[t]: of frames before t
    sums, numbers = np.zeros(max_lag + 1), np.zeros(max_lag + 1)
    both = squares[counts] + squares[lags + counts] - squares[lags]
    sums[: len(lags)] = np.clip(both - 2 * correlation, 0, None)
    sums[0] = 0.0
    numbers[: len(lags)] = counts * x.shape[1]
    return sums, numbers


def mean_squared_displacement(
    positions: np.ndarray | Iterable[np.ndarray],
    max_lag: int,
    frame_interval: float = 1.0,
    time_unit: str = "frames",
    blocks: Blocks | None = None,
) -> MeanSquaredDisplacement:
    """Mean squared displacement by fast Fourier transform, equal to the direct sum.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Paths of the targets, Å (`System.target_paths`).
    max_lag : int
        Frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str
    blocks : Blocks, optional
        What is independent, from `independent_blocks` of the states of the same frames and targets; from the
        displacements alone when not given.

    Returns
    -------
    MeanSquaredDisplacement
    """
    positions = check_positions(positions)
    longest = max(len(x) for x in positions)
    if not 1 <= max_lag < longest:
        raise ValueError(f"max_lag must be from 1 to {longest - 1} frames, got {max_lag}")
    blocks = independent_motion(positions, max_lag) if blocks is None else blocks
    parts = np.array(
        [
            sum(
                np.array(_msd_sums(positions[p.segment][:, p.targets], p.frames.start, p.frames.stop, max_lag))
                for p in block
            )
            for block in pieces_of(blocks, positions)
        ]
    )  # (B, 2, n_lags)
    sums, counts = np.moveaxis(blocks.left_out(parts), 1, 0)
    copies = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    lags = np.arange(max_lag + 1)
    factors = np.sqrt([neighbor_factor(int(lag), blocks) for lag in lags])
    return MeanSquaredDisplacement(
        lags=lags,
        lag_times=lags * frame_interval,
        msd=estimate_from_copies(_widened(copies, factors), blocks, (0, np.inf), memory=False),
        copies=copies,
        blocks=blocks,
        slow_waves=slow_waves(positions),
        n_frames=longest,
        time_unit=time_unit,
    )


def _widened(copies: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """Copies whose spread about that of all data is so many times as wide."""
    return copies[0] + factor * (copies - copies[0])


def tracer_diffusivity(
    result: MeanSquaredDisplacement, start: float | None = None, stop: float | None = None
) -> TracerDiffusivity:
    """Einstein relation: a straight line through the mean squared displacement by generalised least squares.

    The displacements at different lags are sums of the same steps. Weighted with the inverse of their covariance, which
    is known for a Brownian path, they give the slope with the least variance (Bullerjahn, von Bülow and Hummer, J.
    Chem. Phys. 153, 024116 (2020)). The intercept is free: it holds what the targets rattle. Some twelve lags are
    taken, evenly spaced on a logarithmic scale; more add nothing.

    Parameters
    ----------
    result : MeanSquaredDisplacement
    start, stop : float, optional
        Range of lag times of the fit; from a fifth of the longest one to its end when not given. The sooner it starts,
        the smaller the error, if the targets diffuse already.

    Returns
    -------
    TracerDiffusivity
        Without bounds when the displacement is no straight line in that range, or when the slowest waves of all frames
        have another slope; see its ``finding``. Bounds reach as far as the slope changes within the range and beyond.

    Raises
    ------
    ValueError
        If the range holds fewer than two lag times.
    """
    times = result.lag_times
    start = times[-1] / 5 if start is None else start
    stop = times[-1] if stop is None else stop
    chosen = np.flatnonzero((times >= start) & (times <= stop) & (times > 0))
    if len(chosen) < 2:
        raise ValueError(f"a fit from {start:g} to {stop:g} {result.time_unit} needs two lag times or more")
    lags = spread_lags(result.lags[chosen])
    half = spread_lags(lags[len(lags) // 2 :]) if len(lags) > 3 else lags
    interval = times[1]

    def slopes(at: np.ndarray) -> np.ndarray:
        return result.copies[:, at] @ slope_weights(tuple(at), result.n_frames) / (6 * interval)

    factor = np.sqrt(neighbor_factor(int(lags[0]), result.blocks))
    copies = _widened(slopes(lags), factor)
    D = estimate_from_copies(copies, result.blocks, (0, np.inf), memory=False)
    bend = estimate_from_copies(_widened(slopes(half) - slopes(lags), factor), result.blocks, memory=False)
    exponent = estimate_from_copies(exponents(times[lags], result.copies[:, lags]), result.blocks, memory=False)
    slowest, noise = slowest_diffusivity(result.slow_waves / interval)
    change = slowest - float(D.value) if np.isfinite(slowest) else 0.0
    # Where something went on before the start, less evidence is asked for that it still does.
    sure = (1.4 if excludes(exponent, 1.0) else 2.6) * np.hypot(noise, float(D.upper - D.lower) / 4)
    onward = change / D.value if abs(change) > sure else 0.0
    finding = diffusion_finding(exponent, bend, onward, times[lags[[0, -1]]], result.time_unit)
    if finding.severity == "good":
        # What is left of the start, and what is still to come: where the slope goes on to, the interval reaches too.
        ahead = (0.0, float(bend.value), change)
        D = replace(D, lower=D.lower + min(ahead), upper=D.upper + max(ahead))
        if excludes(exponent, 1.0) and np.isfinite(slowest):
            # Something went on before the start, and it may go on: what the slowest waves allow counts too.
            bounds = (slowest - 2 * noise, D.upper) if exponent.value < 1 else (D.lower, slowest + 2 * noise)
            D = replace(D, lower=max(min(D.lower, bounds[0]), 0.0), upper=max(D.upper, bounds[1]))
    else:
        D = replace(D, lower=np.nan, upper=np.nan, basis=replace(D.basis, kind=None, reason="no diffusion"))
    return TracerDiffusivity(
        diffusivity=replace(D, value=float(D.value), lower=float(D.lower), upper=float(D.upper)),
        exponent=float(exponent.value),
        fitted=(float(times[lags[0]]), float(times[lags[-1]])),
        finite_size=0.0,
        time_unit=result.time_unit,
        finding=finding,
        copies=copies,
    )


def finite_size_correction(
    result: TracerDiffusivity, lattice: np.ndarray, temperature: float, viscosity: float
) -> TracerDiffusivity:
    """Diffusivity in an infinite system, D + 2.837297 kB T / (6 pi eta L).

    Yeh and Hummer, J. Phys. Chem. B 108, 15873 (2004). For liquids, whose periodic images hold each other back through
    the flow that they cause; a crystal has none.

    Parameters
    ----------
    result : TracerDiffusivity
        With a unit of time that is one ("ps").
    lattice : (3, 3) array
        Of the cubic cell, Å.
    temperature : float
        K.
    viscosity : float
        Shear viscosity, Pa s.

    Returns
    -------
    TracerDiffusivity
        The correction counts as exact.

    Raises
    ------
    ValueError
        If the cell is not cubic, to which the constant belongs, or a number is not positive.
    """
    lattice = np.asarray(lattice, np.float64)
    length = np.cbrt(abs(np.linalg.det(lattice)))
    if not np.allclose(lattice @ lattice.T, length**2 * np.eye(3), atol=0.02 * length**2):
        raise ValueError("the finite-size correction is known for a cubic cell; this one is not")
    for name, value, unit in (("temperature", temperature, "K"), ("viscosity", viscosity, "Pa s")):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number of {unit}, got {value}")
    in_si = _CUBIC * BOLTZMANN * temperature / (6 * np.pi * viscosity * length * 1e-10)  # m^2/s
    added = in_si * 1e20 * seconds(result.time_unit)
    D = result.diffusivity
    return replace(
        result,
        diffusivity=replace(D, value=D.value + added, lower=D.lower + added, upper=D.upper + added),
        finite_size=result.finite_size + added,
    )
