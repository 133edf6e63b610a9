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
    """

    section: str
    name: str
    title: str
    result: Callable[[Analysis], Any]
    draw: Callable[[Any, Analysis, Any], Any]
    table: Callable[[Analysis, Any], pd.DataFrame]
    caption: Callable[[Analysis, Any], str]


@dataclass(frozen=True)
class Figure:
    """A figure that was drawn.

    Attributes
    ----------
    section, name, title, caption : str
    png, table : Path
    """

    section: str
    name: str
    title: str
    caption: str
    png: Path
    table: Path

    @property
    def wide(self) -> bool:
        """Whether the figure is too detailed for half a page."""
        return int.from_bytes(self.png.read_bytes()[16:20], "big") > 1000  # width in the PNG header

    @property
    def image(self) -> str:
        """The PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png.read_bytes()).decode()

    @property
    def download(self) -> str:
        """The numbers as a data URI."""
        return "data:text/csv;base64," + base64.b64encode(self.table.read_bytes()).decode()


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
        figure = np.ravel(spec.draw(plots, analysis, result))[0].figure
        png, table = plots.save_figure(figure, folder / spec.name, spec.table(analysis, result))
        yield Figure(
            section=spec.section,
            name=spec.name,
            title=spec.title,
            caption=spec.caption(analysis, result),
            png=png,
            table=table,
        )
