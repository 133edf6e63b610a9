"""A figure for every result: each function takes the result and an optional ``ax`` and returns it.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; state i has the same one everywhere.
"""

import csv
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gdynet_tf.analysis._validation import check_chi

__all__ = [
    "chapman_kolmogorov",
    "chi_histogram",
    "chi_trace",
    "eigenvectors",
    "history",
    "koopman_matrix",
    "populations",
    "save_figure",
    "state_agreement",
    "state_color",
    "timescales",
]

_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_MARKERS = "osD^vPX*"


def state_color(i):
    """Colour of state or process i."""
    return _COLORS[i % len(_COLORS)]


def _axes(ax, **size):
    return plt.subplots(layout="constrained", **size)[1] if ax is None else ax


def _bars(ax, values, lower, upper):
    """Bars for the states, with intervals where there are any."""
    states = np.arange(len(values))
    errors = None
    if np.isfinite([lower, upper]).all():
        errors = np.clip([values - lower, upper - values], 0, None)
    ax.bar(
        states,
        values,
        yerr=errors,
        capsize=4,
        color=[state_color(i) for i in states],
        edgecolor="black",
        lw=0.5,
    )
    ax.set_xticks(states)
    ax.set_xlabel("state")


def timescales(result, ax=None):
    """Implied timescales over the lag time; below the line t = tau a process is over within the lag.

    Parameters
    ----------
    result : ImpliedTimescales
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, figsize=(5, 3.6))
    lag = result.lag_times
    for i, values in enumerate(result.timescales):
        shown = np.where(np.isfinite(values), values, np.nan)
        style = {"color": state_color(i), "marker": _MARKERS[i % len(_MARKERS)], "ms": 4}
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
    ax.set_xlabel(f"lag time ({result.time_unit})")
    ax.set_ylabel(f"timescale ({result.time_unit})")
    ax.legend(fontsize="small", framealpha=0.9)
    return ax


def chapman_kolmogorov(result, axes=None):
    """Predicted and estimated transition probabilities, a panel for each pair of states.

    Parameters
    ----------
    result : ChapmanKolmogorovTest
    axes : (n, n) array of matplotlib Axes, optional

    Returns
    -------
    (n, n) array of matplotlib Axes
    """
    n = result.predicted.shape[1]
    if axes is None:
        size = max(1.7 * n, 4.6)
        axes = plt.subplots(n, n, sharex=True, sharey=True, layout="constrained", figsize=(size, 0.85 * size + 0.5))[1]
    time = result.lag_times
    for i in range(n):
        for j in range(n):
            ax, at = axes[i, j], (slice(None), i, j)
            (line,) = ax.plot(time, result.predicted[at], color=_COLORS[0], label="predicted, K(τ)ⁿ")
            ax.fill_between(time, *result.predicted_interval[(slice(None), *at)], color=_COLORS[0], alpha=0.25, lw=0)
            low, high = result.estimated_interval[(slice(None), *at)]
            errors = np.clip([result.estimated[at] - low, high - result.estimated[at]], 0, None)
            errors = None if np.isnan(errors).any() else errors
            points = ax.errorbar(
                time,
                result.estimated[at],
                errors,
                color=_COLORS[1],
                fmt="o",
                ms=4,
                capsize=3,
                label="estimated, K(nτ)",
            )
            ax.set_title(f"{i} → {j}", fontsize="small", pad=3)
            ax.set_ylim(-0.08, 1.08)
    figure = axes[0, 0].figure
    figure.supxlabel(f"time ({result.time_unit})", fontsize="medium")
    figure.supylabel("transition probability", fontsize="medium")
    figure.legend(handles=[line, points], loc="outside upper center", ncols=2, fontsize="small")
    return axes


def populations(values, lower, upper, stationary=None, ax=None):
    """Populations of the states with intervals, and the stationary distribution beside them.

    Parameters
    ----------
    values, lower, upper : (n_states,) arrays
    stationary : (n_states,) array, optional
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, figsize=(4, 3.2))
    _bars(ax, np.asarray(values), np.asarray(lower), np.asarray(upper))
    if stationary is not None:
        ax.plot(
            np.arange(len(values)),
            stationary,
            "D",
            color="white",
            mec="black",
            ms=7,
            label="stationary distribution",
        )
        ax.legend(fontsize="small")
    ax.set_ylabel("population (mean χ)")
    ax.set_ylim(0, 1.05)
    return ax


def koopman_matrix(K, ax=None):
    """Koopman matrix as an annotated heat map, from the row's state to the column's.

    Parameters
    ----------
    K : (n, n) array
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    n = len(K)
    ax = _axes(ax, figsize=(1.5 + 0.75 * n, 1.0 + 0.75 * n))
    image = ax.imshow(K, cmap="cividis", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(K):
        ax.text(
            j,
            i,
            f"{value:.3f}",
            ha="center",
            va="center",
            fontsize=9,
            color="white" if value < 0.5 else "black",
        )
    ax.set_xticks(range(n))
    ax.set_yticks(range(n))
    ax.set_xlabel("to state")
    ax.set_ylabel("from state")
    ax.figure.colorbar(image, ax=ax, label="probability", shrink=0.9)
    return ax


def eigenvectors(result, axes=None):
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
            figsize=(max(3.2, 1.2 + 1.9 * (n - 1)), 2.8),
            squeeze=False,
        )[1][0]
    for i, ax in enumerate(axes, start=1):
        vector, value = result.right[:, i].real, result.eigenvalues[i]
        _bars(ax, vector, np.full(n, np.nan), np.full(n, np.nan))
        ax.axhline(0, color="black", lw=0.8)
        shown = f"{value.real:.3f}" if not np.iscomplex(value) else f"{value.real:.3f}{value.imag:+.3f}i"
        ax.set_title(f"relaxation {i}, λ = {shown}", fontsize="small")
        ax.set_ylim(-1.15, 1.15)
    axes[0].set_ylabel("eigenvector")
    return np.asarray(axes)


def chi_histogram(chi, ax=None):
    """Distribution of the probability of each state over all frames and targets.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, figsize=(5, 3.2))
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
    ax.set_ylabel("share of frames")
    ax.legend(fontsize="small", ncols=2)
    return ax


def histogram(chi, n_bins=20):
    """Share of frames and targets by probability: (n_states, n_bins) and the edges (n_bins + 1,)."""
    chi, edges = check_chi(chi), np.linspace(0, 1, n_bins + 1)
    counts = [
        sum(np.histogram(np.clip(segment[..., i], 0, 1), edges)[0] for segment in chi) for i in range(chi[0].shape[2])
    ]
    return np.array(counts) / sum(segment[..., 0].size for segment in chi), edges


def chi_trace(time, chi, time_unit, ax=None):
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
    ax = _axes(ax, figsize=(7, 2.6))
    n = chi.shape[1]
    ax.stackplot(time, chi.T, colors=[state_color(i) for i in range(n)], labels=[f"state {i}" for i in range(n)])
    ax.set_xlim(time[0], time[-1])
    ax.set_ylim(0, 1)
    ax.set_xlabel(f"time ({time_unit})")
    ax.set_ylabel("probability χ")
    ax.figure.legend(loc="outside upper center", ncols=min(n, 6), fontsize="small")
    return ax


def history(epochs, train, validation, best_epoch, ax=None):
    """VAMP-2 over the epochs of the training.

    Parameters
    ----------
    epochs, train, validation : (n,) arrays
    best_epoch : int
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, figsize=(5, 3.2))
    ax.plot(epochs, train, color=_COLORS[0], marker="o", ms=3, label="training (mean of batches)")
    ax.plot(epochs, validation, color=_COLORS[1], marker="s", ms=3, label="validation (all pairs)")
    ax.axvline(best_epoch, color="0.4", ls="--", lw=1, label="weights kept")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel("VAMP-2")
    ax.legend(fontsize="small")
    return ax


def state_agreement(f1, threshold, ax=None):
    """How well each state was found again by the other trainings.

    Parameters
    ----------
    f1 : (n_states,) array
        Smallest F1 score over the other trainings.
    threshold : float
        From which a state counts as found again.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = _axes(ax, figsize=(4, 3.2))
    _bars(ax, np.asarray(f1), np.full(len(f1), np.nan), np.full(len(f1), np.nan))
    ax.axhline(threshold, color="0.3", ls="--", lw=1, label="found again")
    ax.set_ylim(0, 1.25)  # room for the legend
    ax.set_ylabel("agreement of restarts (F1)")
    ax.legend(fontsize="small", loc="upper right")
    return ax


def save_figure(figure, path, numbers):
    """Write ``path.png`` and beside it ``path.csv`` with the numbers that it shows; the figure is closed.

    Parameters
    ----------
    figure : matplotlib Figure
    path : path-like
        Without suffix.
    numbers : dict of (n,) sequences
        Columns of the table, of equal length.

    Returns
    -------
    png, csv : Path
    """
    png, table = Path(path).with_suffix(".png"), Path(path).with_suffix(".csv")
    figure.savefig(png, dpi=160)
    plt.close(figure)
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(numbers)
        writer.writerows(zip(*numbers.values(), strict=True))
    return png, table
