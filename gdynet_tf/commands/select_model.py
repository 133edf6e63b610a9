"""gdynet-select-model: a graph directory in, the recommended number of states and lag time out."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf._version import __version__
from gdynet_tf.commands.console import run_command, tell
from gdynet_tf.errors import InputError
from gdynet_tf.files import read_json, write_json
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.learning.settings import is_begun
from gdynet_tf.locks import locked
from gdynet_tf.manifest import NAME as MANIFEST
from gdynet_tf.manifest import write_manifest
from gdynet_tf.networks.backend import load_backend
from gdynet_tf.times import readable_unit

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset
    from gdynet_tf.learning.selection import Selection

__all__ = ["main"]

_DEFAULTS = {"n_states": [2, 3, 4], "n_splits": 3, "n_restarts": 2, "epochs": 30}
logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="select_model.py",
        description="Find the smallest number of states and the shortest lag time that fulfil the Chapman-Kolmogorov "
        "equation on data that were not trained on; none where the data could not have shown a failure.",
    )
    parser.add_argument("--graphs", help="graph directory (default: graphs)")
    parser.add_argument("--n-states", type=int, nargs="+", metavar="N", help="(default: 2 3 4)")
    parser.add_argument("--tau", type=int, metavar="T", help="lag time of the trainings in frames")
    parser.add_argument("--lags", type=int, nargs="+", metavar="T", help="lag times to test (default: around --tau)")
    parser.add_argument("--n-splits", type=int, help="folds of the cross-validation (default: 3)")
    parser.add_argument("--n-restarts", type=int, help="trainings of each fold, from different seeds (default: 2)")
    parser.add_argument("--epochs", type=int, help="of each training, at most (default: 30)")
    parser.add_argument("--seed", type=int, help="of weights and shuffling (default: drawn)")
    parser.add_argument("--out", default="selection", help="directory to write (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted selection, with its settings")
    return parser


def _take_up(args: argparse.Namespace) -> None:
    """Set the options to those of an interrupted selection."""
    from gdynet_tf.schema import SelectionConfig, check_schema

    out = Path(args.out)
    for name in (*_DEFAULTS, "tau", "lags", "seed"):
        if getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: --resume goes on with the settings of {out}")
    if not (out / "config.json").is_file():
        raise InputError(f"{out}: no config.json in it, there is nothing to resume; without --resume it begins")
    if (out / MANIFEST).is_file():
        raise InputError(f"{out}: is finished, there is nothing to resume")
    config = check_schema(read_json(out / "config.json"), SelectionConfig, out / "config.json")
    for name in (*_DEFAULTS, "tau", "lags", "seed"):
        setattr(args, name, getattr(config, name))
    if args.graphs and Path(args.graphs).resolve() != Path(config.graphs.path or "").resolve():
        raise InputError(f"--graphs {args.graphs}: {out} was begun with {config.graphs.path}")
    args.graphs = config.graphs.path or ""
    if open_graphs(args.graphs).sha256 != config.graphs.sha256:
        raise InputError(f"{args.graphs}: is not the graph directory that {out} was begun with")


def _check(args: argparse.Namespace) -> None:
    if args.tau is None:
        raise InputError("`tau` is needed")
    for name, default in {**_DEFAULTS, "graphs": "graphs"}.items():
        if getattr(args, name) is None:
            setattr(args, name, default)
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
    if is_begun(Path(args.out)) and not args.resume:
        raise InputError(f"{args.out}: exists; --resume continues it, --out names another directory")


def _words(numbers: Sequence[int]) -> str:
    return " ".join(map(str, numbers))


def _run(args: argparse.Namespace) -> int:
    with locked(args.out):
        return _select(args)


def _select(args: argparse.Namespace) -> int:
    if args.resume:
        _take_up(args)
    _check(args)
    from gdynet_tf.analysis import default_lags
    from gdynet_tf.learning.pairs import count_pairs
    from gdynet_tf.learning.splits import time_folds

    graphs = open_graphs(args.graphs)
    folds = time_folds(graphs.segments, args.tau, args.n_splits)
    longest = min(max(stop - start for _, start, stop in fold.test) for fold in folds)
    lags = sorted(args.lags or default_lags(args.tau, longest, n_lags=8).tolist())
    if lags[-1] >= longest:
        raise InputError(f"--lags {lags[-1]}: the test data of a fold have {longest} frames in a stretch")
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed

    load_backend()
    from gdynet_tf.learning.selection import select_model
    from gdynet_tf.learning.training import TrainingSettings, best_precision, default_batch_size

    n_pairs = min(count_pairs(fold.train, args.tau) for fold in folds)
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
    _write_config(out, args, lags, seed, graphs)
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
            resume=args.resume,
            progress=not args.quiet,
        )
    _print_result(selection, graphs)
    _write(selection, out)
    logger.info(f"written: {out}")
    return 0 if selection.recommended else 1


def _print_result(selection: Selection, graphs: GraphDataset) -> None:
    """The table and the recommendation."""
    lags = [c.lag * selection.frame_interval for c in selection.candidates]
    factor, unit = readable_unit(lags, selection.time_unit)
    stretch, of_times = readable_unit([t for c in selection.candidates for t in c.timescales], selection.time_unit)
    logger.info("")
    logger.info("states  VAMP-2 of the folds (mean ± standard error)")
    for n, scores in selection.scores.items():
        error = np.std(scores, ddof=1) / np.sqrt(len(scores))
        logger.info(f"{n:6d}  {np.mean(scores):.4f} ± {error:.4f}  ({', '.join(f'{s:.4f}' for s in scores)})")
    logger.info("")
    logger.info(f"states  lag ({unit})  verdict          deviation  noticeable  transitions  timescales ({of_times})")
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
        where = shlex.quote(str(graphs.path))
        logger.info(f"next: python train.py --graphs {where} --n-states {chosen.n_states} --tau {chosen.lag}")


def _write_config(out: Path, args: argparse.Namespace, lags: Sequence[int], seed: int, graphs: GraphDataset) -> None:
    """What the result follows from, and a resumed selection goes on with."""
    out.mkdir(parents=True, exist_ok=True)
    write_json(
        out / "config.json",
        {
            "seed": seed,
            **{name: getattr(args, name) for name in ("n_states", "tau", "n_splits", "n_restarts", "epochs")},
            "lags": list(lags),
            "graphs": {"path": str(Path(args.graphs).resolve()), "sha256": graphs.sha256},
            "versions": {"gdynet_tf": __version__, "numpy": np.__version__},
        },
    )


def _write(selection: Selection, out: Path) -> None:
    """The table, the figure, the recommendation, and the manifest, which says that all is there."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from gdynet_tf.analysis import plots

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
    write_manifest(out, leave_out=("trainings",))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
