"""gdynet-select-model: a graph directory in, the recommended number of states and lag time out."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.commands.console import run_command, tell
from gdynet_tf.errors import InputError
from gdynet_tf.locks import locked
from gdynet_tf.networks.backend import load_tensorflow
from gdynet_tf.times import readable_unit

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset
    from gdynet_tf.learning.selection import Selection

__all__ = ["main"]

logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="select_model.py",
        description="Find the smallest number of states and the shortest lag time that fulfil the Chapman-Kolmogorov "
        "equation on data that were not trained on; none where the data could not have shown a failure.",
    )
    parser.add_argument("--graphs", default="graphs", help="graph directory (default: %(default)s)")
    parser.add_argument("--n-states", type=int, nargs="+", default=[2, 3, 4], metavar="N", help="(default: 2 3 4)")
    parser.add_argument("--tau", type=int, required=True, metavar="T", help="lag time of the trainings in frames")
    parser.add_argument("--lags", type=int, nargs="+", metavar="T", help="lag times to test (default: around --tau)")
    parser.add_argument("--n-splits", type=int, default=3, help="folds of the cross-validation (default: %(default)s)")
    parser.add_argument(
        "--n-restarts", type=int, default=2, help="trainings of each fold, from different seeds (default: %(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=30, help="of each training, at most (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of weights and shuffling (default: drawn)")
    parser.add_argument("--out", default="selection", help="directory to write (default: %(default)s)")
    return parser


def _check(args: argparse.Namespace) -> None:
    if min(args.n_states) < 2 or len(set(args.n_states)) < len(args.n_states):
        raise InputError(f"--n-states {_words(args.n_states)}: different numbers of at least 2 are needed")
    if args.tau < 1:
        raise InputError(f"--tau {args.tau}: must be at least 1")
    if args.lags and (min(args.lags) < 1 or len(set(args.lags)) < len(args.lags)):
        raise InputError(f"--lags {_words(args.lags)}: different numbers of at least 1 are needed")
    if args.n_splits < 2:
        raise InputError(f"--n-splits {args.n_splits}: must be at least 2")
    for option in ("n_restarts", "epochs"):
        if (value := getattr(args, option)) < 1:
            raise InputError(f"--{option.replace('_', '-')} {value}: must be at least 1")
    if args.seed is not None and not 0 <= args.seed < 2**31:
        raise InputError(f"--seed {args.seed}: must be from 0 to {2**31 - 1}")
    if Path(args.out).exists():
        raise InputError(f"{args.out}: exists; --out names another directory")


def _words(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def _run(args: argparse.Namespace) -> int:
    with locked(args.out):
        return _select(args)


def _select(args: argparse.Namespace) -> int:
    _check(args)
    from gdynet_tf.analysis import default_lags
    from gdynet_tf.graphs.store import open_graphs
    from gdynet_tf.learning.pairs import lagged_pairs
    from gdynet_tf.learning.splits import time_folds

    graphs = open_graphs(args.graphs)
    folds = time_folds(graphs.segments, args.tau, args.n_splits)
    longest = min(max(stop - start for _, start, stop in fold.test) for fold in folds)
    lags = sorted(args.lags or default_lags(args.tau, longest, n_lags=8).tolist())
    if lags[-1] >= longest:
        raise InputError(f"--lags {lags[-1]}: the test data of a fold have {longest} frames in a stretch")
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed

    load_tensorflow()
    from gdynet_tf.learning.selection import select_model
    from gdynet_tf.learning.training import TrainingSettings, best_precision, default_batch_size

    n_pairs = min(len(lagged_pairs(fold.train, args.tau)) for fold in folds)
    settings = TrainingSettings(
        n_states=args.n_states[0],
        tau=args.tau,
        batch_size=default_batch_size(graphs.n_targets, n_pairs),
        epochs=args.epochs,
        precision=best_precision(),
    )
    n_trainings = len(args.n_states) * args.n_splits * args.n_restarts
    logger.info(f"graphs: {graphs.path}, seed {seed}, {n_trainings} trainings at tau {args.tau}")
    out = Path(args.out)
    with graphs.unchanged():
        selection = select_model(
            graphs=graphs,
            settings=settings,
            n_states=sorted(args.n_states),
            lags=lags,
            n_splits=args.n_splits,
            n_restarts=args.n_restarts,
            seed=seed,
            folder=out / "trainings",
            progress=not args.quiet,
        )
    _print_result(selection, graphs)
    _write(selection, graphs, args, lags, seed, out)
    logger.info(f"written: {out}")
    return 0 if selection.recommended else 1


def _print_result(selection: Selection, graphs: GraphDataset) -> None:
    """The table and the recommendation."""
    lags = [c.lag * selection.frame_interval for c in selection.candidates]
    factor, unit = readable_unit(lags, selection.time_unit)
    stretch, of_times = readable_unit([t for c in selection.candidates for t in c.timescales], selection.time_unit)
    logger.info("\nstates  VAMP-2 of the folds (mean ± standard error)")
    for n, scores in selection.scores.items():
        error = np.std(scores, ddof=1) / np.sqrt(len(scores))
        logger.info(f"{n:6d}  {np.mean(scores):.4f} ± {error:.4f}  ({', '.join(f'{s:.4f}' for s in scores)})")
    logger.info(f"\nstates  lag ({unit})  verdict          deviation  noticeable  transitions  timescales ({of_times})")
    for c, lag in zip(selection.candidates, lags, strict=True):
        times = " ".join(f"{t * stretch:.4g}" if np.isfinite(t) else "-" for t in c.timescales)
        logger.info(
            f"{c.n_states:6d}  {lag * factor:8.4g}  {c.finding.kind:15}  {c.max_deviation:9.3f}  "
            f"{c.noticeable:10.3f}  {c.n_transitions:11d}  {times}"
        )
    for finding in selection.findings:
        tell(finding)
    chosen = selection.recommended
    if chosen is None:
        logger.info(selection.finding)
    else:
        logger.info(f"recommended: {selection.finding}")
        logger.info(f"next: python train.py --graphs {graphs.path} --n-states {chosen.n_states} --tau {chosen.lag}")


def _write(
    selection: Selection,
    graphs: GraphDataset,
    args: argparse.Namespace,
    lags: Sequence[int],
    seed: int,
    out: Path,
) -> None:
    """config.json, the table, the figure and the recommendation."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from gdynet_tf._version import __version__
    from gdynet_tf.analysis import plots
    from gdynet_tf.files import write_json

    write_json(
        out / "config.json",
        {
            "seed": seed,
            **{name: getattr(args, name) for name in ("n_states", "tau", "n_splits", "n_restarts", "epochs")},
            "lags": lags,
            "graphs": {"path": str(Path(args.graphs).resolve()), "sha256": graphs.sha256},
            "versions": {"gdynet_tf": __version__, "numpy": np.__version__},
        },
    )
    axes = plots.selection(selection)
    plots.save_figure(axes[0].figure, out / "selection", selection.to_dataframe())
    chosen = selection.recommended
    write_json(
        out / "recommendation.json",
        {
            "n_states": chosen and chosen.n_states,
            "tau": chosen and chosen.lag,
            "reason": selection.finding.text,
            "findings": [finding.to_dict() for finding in (selection.finding, *selection.findings)],
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
