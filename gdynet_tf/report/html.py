"""All analyses of a run, their figures with numbers, and one self-contained report.html."""

from __future__ import annotations

import json
import os
from itertools import groupby
from pathlib import Path

import gdynet_tf.analysis as ga
from gdynet_tf.report import tables
from gdynet_tf.report.analyse import analyse
from gdynet_tf.report.atomistic import ReportOptions, write_files
from gdynet_tf.report.figures import FIGURES, draw_figures
from gdynet_tf.report.results import Analysis
from gdynet_tf.report.summary import write_summary

__all__ = ["write_report"]


def write_report(path: str | Path, split: str = "test", options: ReportOptions | None = None) -> tuple[Path, Analysis]:
    """Write ``analysis/`` and ``report.html`` into a run directory.

    Parameters
    ----------
    path : path-like
        Run directory.
    split : {"test", "validation", "train", "all"}
        Part of the data that is analysed.
    options : ReportOptions, optional

    Returns
    -------
    report : Path
    analysis : Analysis
    """
    from jinja2 import Environment, PackageLoader

    run = ga.load_run(path)
    analysis = analyse(run, split, options)
    folder = run.path / "analysis"
    folder.mkdir(exist_ok=True)
    figures = list(draw_figures(FIGURES, analysis, folder))
    files = write_files(analysis.atomistic, analysis.chi, folder) if analysis.atomistic else []
    write_summary(analysis, folder / "summary.json")
    environment = Environment(loader=PackageLoader("gdynet_tf.report"), autoescape=True)
    html = environment.get_template("report.html").render(
        analysis=analysis,
        run=run,
        sections=[(name, list(group)) for name, group in groupby(figures, lambda figure: figure.section)],
        overview=tables.overview(analysis),
        states=tables.states(analysis),
        estimators=tables.estimators(analysis),
        files=tables.downloads(files),
        settings=tables.settings(run.config),
        config=json.dumps(run.config, indent=1),
    )
    report, temporary = run.path / "report.html", run.path / "report.tmp"
    temporary.write_text(html, encoding="utf-8")
    os.replace(temporary, report)
    return report, analysis
