"""All analyses of a run, their figures with numbers, and one self-contained page."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

import gdynet_tf.analysis as ga
from gdynet_tf.errors import as_options
from gdynet_tf.files import whole_folder
from gdynet_tf.locks import locked
from gdynet_tf.manifest import check_own, write_manifest
from gdynet_tf.report import tables
from gdynet_tf.report.analyse import analyse
from gdynet_tf.report.atomistic import ReportOptions, write_files
from gdynet_tf.report.figures import FIGURES, draw_figures
from gdynet_tf.report.figures.drawing import Figure
from gdynet_tf.report.results import Analysis
from gdynet_tf.report.summary import write_summary
from gdynet_tf.report.viewer import scene

__all__ = ["report_paths", "write_report"]


def report_paths(run: str | Path, split: str = "test") -> tuple[Path, Path]:
    """Where the report of a part of the data is.

    Parameters
    ----------
    run : path-like
        Run directory.
    split : {"test", "validation", "train", "all"}

    Returns
    -------
    folder, page : Path
        ``analysis`` and ``report.html`` of the test data, ``analysis_SPLIT`` and ``report_SPLIT.html`` of others.
    """
    part = "" if split == "test" else f"_{split}"
    return Path(run) / f"analysis{part}", Path(run) / f"report{part}.html"


def write_report(path: str | Path, split: str = "test", options: ReportOptions | None = None) -> tuple[Path, Analysis]:
    """Write figures, numbers and a page into a run directory, in place of those of an earlier call.

    Folder and page are exchanged when both are complete: an error before leaves the earlier ones as they were.

    Parameters
    ----------
    path : path-like
        Run directory.
    split : {"test", "validation", "train", "all"}
        Part of the data that is analysed; each has its own folder and page, see `report_paths`.
    options : ReportOptions, optional

    Returns
    -------
    report : Path
    analysis : Analysis

    Raises
    ------
    InputError
        If the run, the part of it or an option does not serve, another process writes into the run, or somebody has put
        a file into the folder that is replaced.
    """
    run = ga.load_run(path)
    folder, report = report_paths(run.path, split)
    with locked(run.path):
        check_own(folder)
        analysis = analyse(run, split, options)
        with whole_folder(folder) as new:
            figures = list(draw_figures(FIGURES, analysis, new))
            files = write_files(analysis.atomistic, analysis.chi, new) if analysis.atomistic else []
            write_summary(analysis, new / "summary.json")
            html = _render(analysis, figures, files, folder.name)
            write_manifest(new)
        temporary = report.with_suffix(".tmp")
        temporary.write_text(html, encoding="utf-8")
        os.replace(temporary, report)
    return report, analysis


def _render(analysis: Analysis, figures: list[Figure], files: list[Path], folder: str) -> str:
    """The page; nothing in it comes from elsewhere, and no script runs but those that are hashed here."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    shown = None
    if analysis.atomistic is not None and any(analysis.atomistic.surroundings):
        shown = Markup(_json_for_html(scene(analysis.atomistic)))
    names = ["zoom.js", *(["3Dmol-min.js", "viewer.js"] if shown else [])]
    scripts = [(resources.files("gdynet_tf.report") / "static" / name).read_text(encoding="utf-8") for name in names]
    environment = Environment(loader=PackageLoader("gdynet_tf.report"), autoescape=True)
    environment.filters["as_options"] = as_options
    return environment.get_template("report.html").render(
        analysis=analysis,
        run=analysis.run,
        sections=[(name, list(group)) for name, group in groupby(figures, lambda figure: figure.section)],
        overview=tables.overview(analysis),
        states=tables.states(analysis),
        estimators=tables.estimators(analysis),
        files=tables.downloads(files),
        folder=folder,
        settings=tables.settings(analysis.run.config),
        config=json.dumps(analysis.run.config, indent=1),
        scene=shown,
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_hash(script) for script in scripts],
    )


def _json_for_html(content: Any) -> str:
    """JSON that cannot end the element it stands in, whatever its texts are."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(script: str) -> str:
    """Source expression of a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
