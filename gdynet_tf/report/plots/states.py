"""Figures of the states: populations, distribution of their probabilities, one target over time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.chi import as_chi
from gdynet_tf.report.plots.style import WIDE, bars, new_axes, state_color, time_axis

__all__ = ["chi_histogram", "chi_trace", "histogram", "populations"]


def populations(estimate: ga.Estimate, stationary: np.ndarray | None = None, ax: Axes | None = None) -> Axes:
    """Populations of the states with intervals, and the stationary distribution beside them.

    Parameters
    ----------
    estimate : Estimate
        Of the (n_states,) populations.
    stationary : (n_states,) array, optional
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    bars(ax, estimate.value, estimate.lower, estimate.upper)
    if stationary is not None:
        ax.plot(
            np.arange(len(estimate.value)),
            stationary,
            "D",
            color="white",
            mec="black",
            ms=7,
            label="stationary distribution",
        )
        ax.legend()
    ax.set_ylabel("population (mean χ)")
    ax.set_ylim(0, 1.05)
    return ax


def chi_histogram(chi: Sequence[np.ndarray], ax: Axes | None = None) -> Axes:
    """Distribution of the probability of each state over all frames and targets.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    counts, edges = histogram(chi)
    n = len(counts)
    for i, share in enumerate(counts):
        left = edges[:-1] + i * (edges[1] - edges[0]) / n
        ax.bar(
            left,
            share,
            width=(edges[1] - edges[0]) / n,
            align="edge",
            color=state_color(i),
            label=f"state {i}",
        )
    ax.set_yscale("log")
    ax.set_ylim(min(1e-3, 0.5 * counts[counts > 0].min()), 2)  # a fixed floor: bars of similar share look similar
    ax.set_xlabel("probability χ")
    ax.set_ylabel("share of frames and targets")
    ax.legend(ncols=2)
    return ax


def histogram(chi: Sequence[np.ndarray], n_bins: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Share of frames and targets by probability: (n_states, n_bins) and the edges (n_bins + 1,)."""
    chi, edges = as_chi(chi), np.linspace(0, 1, n_bins + 1)
    counts = [
        sum(np.histogram(np.clip(segment[..., i], 0, 1), edges)[0] for segment in chi) for i in range(chi[0].shape[2])
    ]
    return np.array(counts) / sum(segment[..., 0].size for segment in chi), edges


def chi_trace(time: np.ndarray, chi: np.ndarray, time_unit: str, ax: Axes | None = None) -> Axes:
    """State probabilities of one target over time, stacked.

    Parameters
    ----------
    time : (F,) array
        In ``time_unit``.
    chi : (F, n_states) array
    time_unit : str
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax, width=WIDE, height=2.6)
    n = chi.shape[1]
    ax.stackplot(time, chi.T, colors=[state_color(i) for i in range(n)], labels=[f"state {i}" for i in range(n)])
    ax.set_xlim(time[0], time[-1])
    ax.set_ylim(0, 1)
    time_axis(ax.xaxis, time, time_unit, "time")
    ax.set_ylabel("probability χ")
    ax.figure.legend(loc="outside upper center", ncols=min(n, 6))
    return ax
