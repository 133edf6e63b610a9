"""Figures of how targets move, and what their transitions conduct."""

import numpy as np
from matplotlib.axes import Axes

import gdynet_tf.analysis as ga
from gdynet_tf.report.plots.style import (
    COLORS,
    NARROW,
    WIDE,
    heat_map,
    label_rows,
    new_axes,
    panel_row,
    state_color,
    time_axis,
)

__all__ = ["conductivity", "diffusivity", "displacement", "mean_squared_displacement"]


def displacement(result: ga.TransitionTransport, axes: np.ndarray | None = None) -> np.ndarray:
    """Mean squared displacement of each transition, a panel for each starting state.

    Parameters
    ----------
    result : TransitionTransport
    axes : sequence of n matplotlib Axes, optional

    Returns
    -------
    (n,) array of matplotlib Axes
    """
    n = len(result.koopman)
    axes = panel_row(n, axes, sharey=True)
    for i, ax in enumerate(axes):
        for j in range(n):
            at = (slice(None), i, j)
            if not np.isfinite(result.displacement.value[at]).any():
                continue
            ax.plot(
                result.lag_times,
                result.displacement.value[at],
                "o-",
                ms=3,
                lw=1.2,
                color=state_color(j),
                label=f"to {j}",
            )
            lower, upper = result.displacement.lower[at], result.displacement.upper[at]
            ax.fill_between(result.lag_times, lower, upper, color=state_color(j), alpha=0.2, lw=0)
        ax.axvline(result.lag_times[result.lags == result.tau][0], color="0.4", ls="--", lw=1)
        ax.set_title(f"from state {i}")
        time_axis(ax.xaxis, result.lag_times, result.time_unit, "time")
        ax.set_ylim(bottom=0)
        if ax.get_legend_handles_labels()[0]:  # a state that is never left nor kept has no line
            ax.legend(loc="upper left")
    label_rows(axes, "mean squared displacement (Å²)")
    return axes


def diffusivity(result: ga.TransitionTransport, ax: Axes | None = None) -> Axes:
    """Diffusion coefficient of each transition as an annotated heat map.

    Parameters
    ----------
    result : TransitionTransport
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = heat_map(result.diffusivity.value, ax, "{:.3g}", f"D (Å²/{result.time_unit})")
    ax.set_xlabel("to state")
    ax.set_ylabel("from state")
    return ax


def conductivity(result: ga.Conductivity, ax: Axes | None = None) -> Axes:
    """Share of each transition in the conductivity (Xie et al. 2019, Fig. 5).

    Parameters
    ----------
    result : Conductivity
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    n = len(result.charges)
    ax = new_axes(ax, width=min(max(NARROW, 1.5 + 0.32 * n * n), WIDE))
    i, j = (index.ravel() for index in np.indices((n, n)))
    values, low, high = (getattr(result.percent, name).ravel() for name in ("value", "lower", "upper"))
    errors = np.nan_to_num(np.clip([values - low, high - values], 0, None))  # none where an interval is missing
    colors = [state_color(int(k)) for k in i]
    ax.bar(np.arange(n * n), values, yerr=errors, capsize=2, color=colors, edgecolor="black", lw=0.5)
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(
        np.arange(n * n),
        [f"{a}→{b}" for a, b in zip(i, j, strict=True)],
        rotation=90 if n > 3 else 0,
    )
    ax.set_xlabel("transition (from → to state)")
    ax.set_ylabel("share of the conductivity (%)")
    return ax


def mean_squared_displacement(
    result: ga.MeanSquaredDisplacement, fit: ga.TracerDiffusivity | None = None, ax: Axes | None = None
) -> Axes:
    """Mean squared displacement of the targets, and the line fitted to it.

    Parameters
    ----------
    result : MeanSquaredDisplacement
    fit : TracerDiffusivity, optional
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    ax.plot(result.lag_times, result.msd.value, color=COLORS[0], lw=1.3, label="targets")
    ax.fill_between(result.lag_times, result.msd.lower, result.msd.upper, color=COLORS[0], alpha=0.25, lw=0)
    if fit is not None:
        chosen = (result.lag_times >= fit.fitted[0]) & (result.lag_times <= fit.fitted[1])
        slope = 6 * (fit.diffusivity.value - fit.finite_size)
        line = result.msd.value[chosen].mean() + slope * (fit.fitted - result.lag_times[chosen].mean())
        ax.plot(fit.fitted, line, color=COLORS[1], ls="--", lw=1.6, label=f"fit, exponent {fit.exponent:.2f}")
    ax.set_xlim(0, result.lag_times[-1])
    ax.set_ylim(bottom=0)
    time_axis(ax.xaxis, result.lag_times, result.time_unit, "time")
    ax.set_ylabel("mean squared displacement (Å²)")
    ax.legend()
    return ax
