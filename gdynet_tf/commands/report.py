"""gdynet-report: a run directory in, figures and report.html into it."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gdynet_tf.commands.console import run_command
from gdynet_tf.errors import InputError, as_options

__all__ = ["main"]

logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="report.py", description="Analyse a run: figures, numbers and a self-contained report.html."
    )
    parser.add_argument("run", nargs="?", help="run directory (default: the newest one in runs/)")
    parser.add_argument(
        "--split",
        choices=("test", "validation", "train", "all"),
        default="test",
        help="part of the data to analyse (default: %(default)s); others have an analysis_SPLIT and report_SPLIT.html",
    )
    parser.add_argument(
        "--charges",
        metavar="Q",
        help="Li=1,S=-2 or a file with a charge per atom, for charge integrals and conductivity (default: those of the "
        "trajectory, where it tells them)",
    )
    parser.add_argument(
        "--cluster-radius", type=float, metavar="R", help="Å about a target that count to the charge it carries"
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="K: conductivity, with --charges")
    parser.add_argument(
        "--viscosity",
        type=float,
        metavar="ETA",
        help="Pa s: finite-size correction of the tracer diffusivity of a liquid in a cubic cell, with --temperature",
    )
    parser.add_argument(
        "--bond-order",
        type=int,
        nargs=2,
        default=(3, 4),
        metavar=("L", "N"),
        help="bond-order parameter q_L of the N nearest neighbours (default: 3 4)",
    )
    return parser


def _newest() -> Path:
    runs = sorted(Path("runs").glob("*/scores.json"), key=lambda file: file.stat().st_mtime)
    if not runs:
        raise InputError("runs: holds no finished run; python train.py --n-states 4 --tau 80 makes one")
    return runs[-1].parent


def _run(args: argparse.Namespace) -> None:
    run = args.run or _newest()
    if not args.run:
        logger.info(f"no run named: using the newest, {run}")
    os.environ.setdefault("MPLBACKEND", "Agg")
    from gdynet_tf.report import ReportOptions, write_report

    options = ReportOptions(
        charges=args.charges,
        temperature=args.temperature,
        cluster_radius=args.cluster_radius,
        bond_order=tuple(args.bond_order),
        viscosity=args.viscosity,
    )
    report, analysis = write_report(run, args.split, options)
    logger.info(analysis.verdict)
    for finding in analysis.findings:
        logger.info(f"- {as_options(str(finding))}")
    logger.info(f"report: {report.resolve()}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
