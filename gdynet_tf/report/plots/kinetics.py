"""Figures of timescales, tests and paths."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import gdynet_tf.analysis as ga
from gdynet_tf.report.plots.style import COLORS, MARKERS, NARROW, WIDE, bars, heat_map, new_axes, state_color, time_axis
from gdynet_tf.times import readable_unit

_MOST_STATES = 8  # of which all pairs can be seen in a figure

__all__ = ["chapman_kolmogorov", "committor", "eigenvectors", "first_passage", "koopman_matrix", "timescales"]


def timescales(result: ga.ImpliedTimescales, ax: Axes | None = None) -> Axes:
    """Implied timescales over the lag time; below the line t = tau a process is over within the lag.

    Parameters
    ----------
    result : ImpliedTimescales
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax, height=3.4)
    lag = result.lag_times
    for i, values in enumerate(result.timescales):
        shown = np.where(np.isfinite(values), values, np.nan)
        style: dict[str, Any] = {"color": state_color(i), "marker": MARKERS[i % len(MARKERS)], "ms": 4}
        ax.plot(lag, shown, label=f"relaxation {i + 1}", **style)
        upper = np.minimum(result.upper[i], 1e6 * lag[-1])  # inf cannot be drawn
        ax.fill_between(lag, result.lower[i], upper, color=state_color(i), alpha=0.2, lw=0)
    ax.set_yscale("log")
    finite = result.timescales[np.isfinite(result.timescales)]
    values = np.concatenate([finite, lag])
    bottom, top = 0.5 * values.min(), 5 * values.max()
    ax.plot(lag, lag, color="black", lw=1)
    ax.fill_between(lag, lag, bottom, color="0.85", lw=0, zorder=0, label="faster than the lag")
    ax.set_ylim(bottom, top)
    ax.set_xlim(lag[0], lag[-1] if len(lag) > 1 else lag[0] + 1)
    time_axis(ax.xaxis, lag, result.time_unit, "lag time")
    time_axis(ax.yaxis, values, result.time_unit, "timescale")
    ax.legend()
    return ax


def chapman_kolmogorov(result: ga.ChapmanKolmogorovTest, axes: np.ndarray | None = None) -> np.ndarray:
    """Predicted and estimated transition probabilities, a panel for each pair of the first eight states.

    Parameters
    ----------
    result : ChapmanKolmogorovTest
    axes : (n, n) array of matplotlib Axes, optional

    Returns
    -------
    (n, n) array of matplotlib Axes
    """
    n = min(result.predicted.shape[1], _MOST_STATES)
    if axes is None:
        size = min(max(1.7 * n, NARROW), WIDE)
        options: dict[str, Any] = {"layout": "constrained", "figsize": (size, 0.85 * size + 0.5), "squeeze": False}
        axes = plt.subplots(n, n, sharex=True, sharey=True, **options)[1]
    time = result.lag_times
    # Between fuzzy states, transition "probabilities" may lie a little outside of [0, 1].
    shown = np.stack([result.predicted, result.estimated])[..., :n, :n]
    bottom, top = min(0.0, np.nanmin(shown)) - 0.08, max(1.0, np.nanmax(shown)) + 0.08
    for i in range(n):
        for j in range(n):
            ax, at = axes[i, j], (slice(None), i, j)
            (line,) = ax.plot(time, result.predicted[at], color=COLORS[0], label="predicted, K(τ)ⁿ")
            ax.fill_between(time, *result.predicted_interval[(slice(None), *at)], color=COLORS[0], alpha=0.25, lw=0)
            low, high = result.estimated_interval[(slice(None), *at)]
            errors = np.clip([result.estimated[at] - low, high - result.estimated[at]], 0, None)
            errors = None if np.isnan(errors).any() else errors
            points = ax.errorbar(
                time,
                result.estimated[at],
                errors,
                color=COLORS[1],
                fmt="o",
                ms=4,
                capsize=3,
                label="estimated, K(nτ)",
            )
            ax.set_title(f"{i} → {j}", pad=3)
            ax.set_ylim(bottom, top)
    figure = axes[0, 0].figure
    factor, unit = readable_unit(time, result.time_unit)
    axes[0, 0].xaxis.set_major_formatter(lambda value, _: f"{value * factor:.6g}")
    figure.supxlabel(f"time ({unit})")
    figure.supylabel("transition probability")
    figure.legend(handles=[line, points], loc="outside upper center", ncols=2)
    return axes


def koopman_matrix(K: np.ndarray, ax: Axes | None = None) -> Axes:
    """Koopman matrix as an annotated heat map, from the row's state to the column's.

    Parameters
    ----------
    K : (n, n) array
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = heat_map(K, ax, "{:.3f}", "probability", vmin=0, vmax=1)
    ax.set_xlabel("to state")
    ax.set_ylabel("from state")
    return ax


def eigenvectors(result: ga.Eigenvectors, axes: np.ndarray | None = None) -> np.ndarray:
    """Right eigenvectors by state: states of opposite sign exchange in that relaxation.

    Parameters
    ----------
    result : Eigenvectors
    axes : sequence of n - 1 matplotlib Axes, optional

    Returns
    -------
    (n - 1,) array of matplotlib Axes
    """
    n = len(result.eigenvalues)
    if axes is None:
        axes = plt.subplots(
            1,
            n - 1,
            sharey=True,
            layout="constrained",
            figsize=(min(max(3.2, 1.0 + 1.7 * (n - 1)), WIDE), 2.8),
            squeeze=False,
        )[1][0]
    for i, ax in enumerate(axes, start=1):
        vector, value = result.right[:, i].real, result.eigenvalues[i]
        bars(ax, vector, np.full(n, np.nan), np.full(n, np.nan))
        ax.axhline(0, color="black", lw=0.8)
        shown = f"{value.real:.3f}" if not np.iscomplex(value) else f"{value.real:.3f}{value.imag:+.3f}i"
        ax.set_title(f"relaxation {i}\nλ = {shown}")
        ax.set_ylim(-1.15, 1.15)
    axes[0].set_ylabel("eigenvector (largest entry 1)")
    return np.asarray(axes)


def committor(values: np.ndarray, source: int, target: int, ax: Axes | None = None) -> Axes:
    """Probability of reaching the target states before the source states, from each state.

    Parameters
    ----------
    values : (n,) array
    source, target : int
        The end states.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    nothing = np.full(len(values), np.nan)
    bars(ax, np.asarray(values), nothing, nothing)
    ax.set_ylim(0, 1.05)
    ax.set_ylabel(f"probability of {target} before {source}")
    return ax


def first_passage(times: np.ndarray, time_unit: str, ax: Axes | None = None) -> Axes:
    """Mean first passage times between states as an annotated heat map.

    Parameters
    ----------
    times : (n, n) array
        From the row's state to the column's.
    time_unit : str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    factor, unit = readable_unit(times, time_unit)
    ax = heat_map(np.asarray(times) * factor, ax, "{:.3g}", f"first passage time ({unit})")
    ax.set_xlabel("to state")
    ax.set_ylabel("from state")
    return ax
