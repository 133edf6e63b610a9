"""Figures of trainings, their agreement and the choice among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gdynet_tf.report.plots.style import COLORS, WIDE, bars, new_axes, time_axis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["history", "selection", "state_agreement"]

# A shape for each verdict, so that none is told by its colour alone.
_VERDICTS = {
    "holds": ("o", COLORS[0]),
    "refuted": ("X", COLORS[1]),
    "drifts": ("D", COLORS[4]),
    "not found again": ("P", COLORS[3]),
    "no power": ("s", "white"),
    "untested": ("^", "white"),
    "few slow": ("v", "0.75"),
    "nothing slow": ("<", "0.75"),
    "no dynamics": (">", "0.75"),
}


def history(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """VAMP-2 over the epochs of the training.

    Parameters
    ----------
    table : DataFrame
        Columns ``epoch``, ``train_vamp2``, ``validation_vamp2``.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = new_axes(ax)
    best = table["epoch"][table["validation_vamp2"].idxmax()]
    ax.plot(table["epoch"], table["train_vamp2"], color=COLORS[0], marker="o", ms=3, label="training (mean of batches)")
    ax.plot(
        table["epoch"], table["validation_vamp2"], color=COLORS[1], marker="s", ms=3, label="validation (all pairs)"
    )
    ax.axvline(best, color="0.4", ls="--", lw=1, label="weights kept")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    ax.set_ylabel("VAMP-2 score")
    ax.legend()
    return ax


def state_agreement(f1: np.ndarray, threshold: float, ax: Axes | None = None) -> Axes:
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
    ax = new_axes(ax)
    bars(ax, np.asarray(f1), np.full(len(f1), np.nan), np.full(len(f1), np.nan))
    ax.axhline(threshold, color="0.3", ls="--", lw=1, label="found again")
    ax.set_ylim(0, 1.25)  # room for the legend
    ax.set_ylabel("agreement of restarts (F1)")
    ax.legend(loc="upper right")
    return ax


def selection(result: Any, axes: np.ndarray | None = None) -> np.ndarray:
    """Cross-validated scores, and what was found of each number of states at each lag time.

    Parameters
    ----------
    result : gdynet_tf.learning.selection.Selection
    axes : two matplotlib Axes, optional

    Returns
    -------
    (2,) array of matplotlib Axes
    """
    if axes is None:
        axes = plt.subplots(1, 2, layout="constrained", figsize=(WIDE, 3.4), width_ratios=(1, 1.8))[1]
    numbers = sorted(result.scores)
    means = [np.mean(result.scores[n]) for n in numbers]
    errors = [np.std(result.scores[n], ddof=1) / np.sqrt(len(result.scores[n])) for n in numbers]
    axes[0].errorbar(numbers, means, errors, fmt="o-", color=COLORS[0], capsize=4, label="test folds")
    axes[0].plot(numbers, numbers, color="0.5", ls=":", label="largest possible")
    axes[0].set_xticks(numbers)
    axes[0].set_xlabel("number of states")
    axes[0].set_ylabel("VAMP-2 score")
    axes[0].legend()
    for kind, (marker, color) in _VERDICTS.items():
        chosen = [c for c in result.candidates if c.finding.kind == kind]
        if chosen:
            x, y = [c.lag * result.frame_interval for c in chosen], [c.n_states for c in chosen]
            axes[1].scatter(x, y, marker=marker, color=color, s=55, edgecolor="black", lw=0.5, label=kind)
    if result.recommended is not None:
        at = (result.recommended.lag * result.frame_interval, result.recommended.n_states)
        axes[1].scatter(*at, s=260, facecolor="none", edgecolor="black", lw=1.5, label="recommended")
    axes[1].set_xscale("log")
    axes[1].set_yticks(numbers)
    axes[1].set_ylim(numbers[0] - 0.6, numbers[-1] + 0.6)
    lags = np.array([c.lag * result.frame_interval for c in result.candidates])
    time_axis(axes[1].xaxis, lags, result.time_unit, "lag time")
    axes[1].set_ylabel("number of states")
    axes[1].figure.legend(*axes[1].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return axes
