"""Figures of what tells the states apart, from the tables of ``explanation.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.report.plots.style import MARKERS, label_rows, panel_row, state_color

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["attention", "distance_gradients", "distance_sensitivities"]

_FEW = 10  # pairs in a shell, below which its mean is not drawn


def attention(table: pd.DataFrame, axes: np.ndarray | None = None) -> np.ndarray:
    """Mean attention to each neighbour in each state, a panel for each convolution.

    Parameters
    ----------
    table : DataFrame
        convolution, state, center, neighbor, rank, attention.
    axes : array of matplotlib Axes, optional

    Returns
    -------
    (n_conv,) array of matplotlib Axes
    """
    layers = sorted(table["convolution"].unique())
    axes = panel_row(len(layers), axes, sharey=True, width=2.7)
    kinds = list(table.groupby(["center", "neighbor"], sort=False).groups)
    for ax, layer in zip(axes, layers, strict=True):
        for kind, marker in zip(kinds, MARKERS * (1 + len(kinds) // len(MARKERS)), strict=False):
            chosen = table[
                (table["convolution"] == layer) & (table["center"] == kind[0]) & (table["neighbor"] == kind[1])
            ]
            for state, rows in chosen.groupby("state"):
                ax.plot(
                    rows["rank"],
                    rows["attention"].astype(float),
                    marker=marker,
                    ms=4,
                    lw=1,
                    color=state_color(state),
                    label=f"state {state}, {kind[0]}–{kind[1]}",
                )
        ax.set_title(f"convolution {layer}")
        ax.set_xlabel("rank of the neighbour")
        ax.xaxis.get_major_locator().set_params(integer=True)
    label_rows(axes, "mean attention")
    axes[0].set_ylim(bottom=0)
    axes[-1].figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside right upper")
    return axes


def distance_gradients(table: pd.DataFrame, axes: np.ndarray | None = None) -> np.ndarray:
    """Mean derivative of each state's probability with respect to a neighbour's distance, by shell.

    Parameters
    ----------
    table : DataFrame
        state, center, neighbor, rank, shell_from, shell_to, n_pairs, gradient. Ranks are put together.
    axes : array of matplotlib Axes, optional
        One for each pair of elements.

    Returns
    -------
    array of matplotlib Axes
    """
    kinds = list(table.groupby(["center", "neighbor"], sort=False))
    axes = panel_row(len(kinds), axes, sharey=True)
    for ax, ((center, neighbor), rows) in zip(axes, kinds, strict=True):
        for state, mine in rows.groupby("state"):
            shells = mine.assign(total=mine["gradient"] * mine["n_pairs"]).groupby(["shell_from", "shell_to"])
            sums = shells[["total", "n_pairs"]].sum().reset_index()
            middle = (sums["shell_from"] + sums["shell_to"]) / 2
            mean = np.where(sums["n_pairs"] >= _FEW, sums["total"] / sums["n_pairs"], np.nan)
            ax.plot(middle, mean, marker="o", ms=3, lw=1, color=state_color(state), label=f"state {state}")
        ax.axhline(0, color="0.6", lw=0.8)
        ax.set_title(f"{center}–{neighbor}")
        ax.set_xlabel("distance (Å)")
    label_rows(axes, "mean d(probability)/d(distance) (1/Å)")
    axes[-1].legend()
    return axes


def distance_sensitivities(table: pd.DataFrame, axes: np.ndarray | None = None) -> np.ndarray:
    """How much each state depends on each neighbour, by rank.

    Parameters
    ----------
    table : DataFrame
        state, center, neighbor, rank, sensitivity.
    axes : array of matplotlib Axes, optional
        One for each pair of elements.

    Returns
    -------
    array of matplotlib Axes
    """
    kinds = list(table.groupby(["center", "neighbor"], sort=False))
    axes = panel_row(len(kinds), axes, sharey=True)
    n_states = table["state"].nunique()
    width = 0.8 / n_states
    for ax, ((center, neighbor), rows) in zip(axes, kinds, strict=True):
        for state, mine in rows.groupby("state"):
            place = mine["rank"] + (state - (n_states - 1) / 2) * width
            ax.bar(place, 100 * mine["sensitivity"], width, color=state_color(state), label=f"state {state}")
        ax.set_title(f"{center}–{neighbor}")
        ax.set_xlabel("rank of the neighbour")
        ax.xaxis.get_major_locator().set_params(integer=True)
    label_rows(axes, "share of the sensitivity (%)")
    axes[-1].legend()
    return axes
