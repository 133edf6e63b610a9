"""Figures of a report: what one is, and how all of them are drawn and saved with their numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["Figure", "FigureSpec", "draw_figures"]


_LARGE = 150_000  # bytes of a table that does not go into the page


@dataclass(frozen=True)
class FigureSpec:
    """One figure of the report: an entry of the list in `gdynet_tf.report.figures.catalogue`.

    Attributes
    ----------
    section, name, title : str
        ``name`` is that of the files, too.
    result : callable
        Analysis -> what the figure shows; None where the analysis has none, and the figure is left out.
    draw : callable
        (plots, analysis, result) -> matplotlib Axes or an array of them.
    table : callable
        (analysis, result) -> DataFrame with the numbers that the figure shows.
    caption : callable
        (analysis, result) -> str.
    zooms : bool
        Whether the page lets one look closer.
    """

    section: str
    name: str
    title: str
    result: Callable[[Analysis], Any]
    draw: Callable[[Any, Analysis, Any], Any]
    table: Callable[[Analysis, Any], pd.DataFrame]
    caption: Callable[[Analysis, Any], str]
    zooms: bool = False


@dataclass(frozen=True)
class Figure:
    """A figure that was drawn; beside its PNG lies the same as SVG.

    Attributes
    ----------
    section, name, title, caption : str
    png, table : Path
    zooms : bool
        Whether the page lets one look closer: it then has the SVG.
    """

    section: str
    name: str
    title: str
    caption: str
    png: Path
    table: Path
    zooms: bool

    @property
    def width(self) -> int:
        """Width at which its letters have their size on a page, CSS pixels (96 an inch)."""
        from gdynet_tf.report.plots.style import RESOLUTION

        return round(int.from_bytes(self.png.read_bytes()[16:20], "big") * 96 / RESOLUTION)  # PNG header

    @property
    def wide(self) -> bool:
        """Whether the figure needs more than half of a page."""
        from gdynet_tf.report.plots.style import NARROW

        return self.width > 96 * NARROW + 10

    @property
    def image(self) -> str:
        """The picture as a data URI."""
        if self.zooms:
            return "data:image/svg+xml;base64," + _base64(self.png.with_suffix(".svg"))
        return "data:image/png;base64," + _base64(self.png)

    @property
    def download(self) -> str | None:
        """The numbers as a data URI; None where they are too many for the page."""
        if self.table.stat().st_size > _LARGE:
            return None
        return "data:text/csv;base64," + _base64(self.table)


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def draw_figures(specs: Iterable[FigureSpec], analysis: Analysis, folder: Path) -> Iterator[Figure]:
    """Draw and save every figure for which the analysis has a result.

    Parameters
    ----------
    specs : iterable of FigureSpec
    analysis : Analysis
    folder : Path
        Must exist.

    Yields
    ------
    Figure
    """
    import numpy as np

    from gdynet_tf.report import plots

    for spec in specs:
        result = spec.result(analysis)
        if result is None:
            continue
        with plots.report_style():
            figure = np.ravel(spec.draw(plots, analysis, result))[0].figure
            png, table = plots.save_figure(figure, folder / spec.name, spec.table(analysis, result))
        yield Figure(
            section=spec.section,
            name=spec.name,
            title=spec.title,
            caption=spec.caption(analysis, result),
            png=png,
            table=table,
            zooms=spec.zooms,
        )
