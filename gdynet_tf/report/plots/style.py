"""What all figures share: colours, axes, bars, heat maps, saving."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLORS", "MARKERS", "bars", "heat_map", "new_axes", "panel_row", "save_figure", "state_color"]

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vPX*"


def state_color(i: int) -> str:
    """Colour of state or process i."""
    return COLORS[i % len(COLORS)]


def new_axes(ax: Axes | None, **size: Any) -> Axes:
    return plt.subplots(layout="constrained", **size)[1] if ax is None else ax


def bars(ax: Axes, values: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
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
        color=[state_color(int(i)) for i in states],
        edgecolor="black",
        lw=0.5,
    )
    ax.set_xticks(states)
    ax.set_xlabel("state")


def heat_map(
    values: np.ndarray, ax: Axes | None, form: str, label: str, vmin: float | None = None, vmax: float | None = None
) -> Axes:
    """Annotated heat map of an (n, n) array of numbers; entries that are not finite stay white."""
    n, values = len(values), np.asarray(values, np.float64)
    ax = new_axes(ax, figsize=(1.6 + 0.85 * n, 1.0 + 0.75 * n))
    image = ax.imshow(np.ma.masked_invalid(values), cmap="cividis", vmin=vmin, vmax=vmax)
    low, high = image.get_clim()
    for (i, j), value in np.ndenumerate(values):
        dark = np.isfinite(value) and value < (low + high) / 2
        text = form.format(value) if np.isfinite(value) else "–" if np.isnan(value) else "∞"
        ax.text(j, i, text, ha="center", va="center", fontsize=9, color="white" if dark else "black")
    ax.set_xticks(range(n))
    ax.set_yticks(range(n))
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    return ax


def panel_row(n: int, axes: Any, width: float = 3.4, height: float = 3.0, sharey: bool = False) -> np.ndarray:
    """A row of n panels, or two columns of them when there are more than three."""
    if axes is not None:
        return np.ravel(axes)
    columns = min(n, 3 if n != 4 else 2)
    rows = -(-n // columns)
    grid = plt.subplots(
        rows,
        columns,
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
        figsize=(max(width * columns, 4.2), height * rows),
    )[1].ravel()
    for ax in grid[n:]:
        ax.remove()
    return grid[:n]


def save_figure(figure: Figure, path: str | Path, table: pd.DataFrame) -> tuple[Path, Path]:
    """Write ``path.png`` and beside it ``path.csv`` with the numbers that it shows; the figure is closed.

    Parameters
    ----------
    figure : matplotlib Figure
    path : path-like
        Without suffix.
    table : DataFrame or dict of (n,) sequences
        Columns of equal length.

    Returns
    -------
    png, csv : Path
    """
    import pandas as pd

    png, csv = Path(path).with_suffix(".png"), Path(path).with_suffix(".csv")
    figure.savefig(png, dpi=160)
    plt.close(figure)
    pd.DataFrame(table).to_csv(csv, index=False)
    return png, csv
