"""What all figures share: size of letters, colours, axes, bars, heat maps, saving."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from gdynet_tf.times import readable_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLORS",
    "MARKERS",
    "NARROW",
    "RESOLUTION",
    "WIDE",
    "bars",
    "heat_map",
    "label_rows",
    "new_axes",
    "panel_row",
    "report_style",
    "save_figure",
    "state_color",
    "time_axis",
]

NARROW, WIDE = 4.4, 9.0  # inches: half of a page and all of it, at the size at which the letters are as intended
RESOLUTION = 160  # of the PNG files, dots an inch
_MOST_NUMBERS = 15  # beside each other that can be read
_LETTERS = 9  # points, of every text in every figure
_TEXTS = (
    "font.size",
    "axes.titlesize",
    "axes.labelsize",
    "figure.labelsize",
    "figure.titlesize",
    "legend.fontsize",
    "xtick.labelsize",
    "ytick.labelsize",
)

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^vPX*"


def state_color(i: int) -> str:
    """Colour of state or process i."""
    return COLORS[i % len(COLORS)]


def report_style() -> AbstractContextManager[None]:
    """Context in which every text of a figure has the same size.

    The plot functions name no size themselves: outside of it they follow the caller's matplotlib settings.
    """
    settings: dict[Any, Any] = dict.fromkeys(_TEXTS, _LETTERS)
    settings["legend.framealpha"] = 0.85
    settings["svg.hashsalt"] = "gdynet_tf"  # the same figure twice is the same file
    return plt.rc_context(settings)


def new_axes(ax: Axes | None, height: float = 3.2, width: float = NARROW) -> Axes:
    return plt.subplots(layout="constrained", figsize=(width, height))[1] if ax is None else ax


def time_axis(axis: Axis, times: Any, time_unit: str, name: str) -> None:
    """Label an axis of times in the unit that they are best read in; its coordinates stay in that of the data.

    An axis that panels share keeps the unit of the data: they also share what is written at its ticks.

    Parameters
    ----------
    axis : matplotlib Axis
        Whose scale has been set.
    times : array
        What it spans, in ``time_unit``.
    time_unit : str
    name : str
        What the times are.
    """
    ax = axis.axes
    panels = (ax.get_shared_x_axes() if axis is ax.xaxis else ax.get_shared_y_axes()).get_siblings(ax)
    factor, unit = readable_unit(times, time_unit) if len(panels) == 1 else (1.0, time_unit)
    axis.set_major_formatter(lambda value, _: f"{value * factor:.6g}")
    if axis.get_scale() == "log":
        finite = np.ravel(times)[np.isfinite(np.ravel(times))]
        if len(finite) and finite.max() < 30 * finite.min():
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_label_text(f"{name} ({unit})")


def label_rows(axes: np.ndarray, label: str) -> None:
    """Label the vertical axis of the first panel of each row."""
    for k, ax in enumerate(axes):
        place = ax.get_subplotspec()
        if k == 0 or (place is not None and place.is_first_col()):
            ax.set_ylabel(label)


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
    """Heat map of an (n, n) array of numbers, annotated up to n = 15; entries that are not finite stay white."""
    n, values = len(values), np.asarray(values, np.float64)
    ax = new_axes(ax, width=min(max(3.4, 1.6 + 0.7 * n), WIDE), height=min(0.8 + 0.66 * n, 0.8 * WIDE))
    image = ax.imshow(np.ma.masked_invalid(values), cmap="cividis", vmin=vmin, vmax=vmax)
    ax.figure.colorbar(image, ax=ax, label=label, shrink=0.9)
    if n > _MOST_NUMBERS:
        return ax
    low, high = image.get_clim()
    for (i, j), value in np.ndenumerate(values):
        dark = np.isfinite(value) and value < (low + high) / 2
        text = form.format(value) if np.isfinite(value) else "–" if np.isnan(value) else "∞"
        if np.isfinite(value) and float(text) == 0:
            text = form.format(0.0)  # without a sign
        ax.text(j, i, text, ha="center", va="center", color="white" if dark else "black")
    ax.set_xticks(range(n))
    ax.set_yticks(range(n))
    return ax


def panel_row(
    n: int, axes: Any, width: float = 3.0, height: float = 2.8, sharey: bool = False, columns: int = 3
) -> np.ndarray:
    """A row of n panels, or several where there are more than fit into the page."""
    if axes is not None:
        return np.ravel(axes)
    columns = min(n, columns if n != 4 else 2)
    rows = -(-n // columns)
    grid = plt.subplots(
        rows,
        columns,
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
        figsize=(min(max(width * columns, NARROW), WIDE), height * rows),
    )[1].ravel()
    for ax in grid[n:]:
        ax.remove()
    for ax in grid[:n]:  # also where the panel below is not there
        ax.tick_params(labelbottom=True)
    return grid[:n]


def save_figure(figure: Figure, path: str | Path, table: pd.DataFrame) -> tuple[Path, Path]:
    """Write ``path.png``, ``path.svg`` and beside them ``path.csv`` with the numbers shown; the figure is closed.

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

    png, svg, csv = (Path(path).with_suffix(suffix) for suffix in (".png", ".svg", ".csv"))
    figure.savefig(png, dpi=RESOLUTION)
    figure.set_layout_engine("none")  # the same layout again, which takes most of the time
    figure.savefig(svg, metadata={"Date": None})
    plt.close(figure)
    pd.DataFrame(table).to_csv(csv, index=False)
    return png, csv
