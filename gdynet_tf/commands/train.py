"""gdynet-train: a graph directory in, a run directory out."""

import argparse
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdynet_tf.commands.console import run_command
from gdynet_tf.commands.settings import RecordedSplit, check_given, parse_with_settings
from gdynet_tf.errors import InputError
from gdynet_tf.files import discard, output_path
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.store import open_inputs
from gdynet_tf.learning.pairs import count_pairs
from gdynet_tf.learning.settings import (
    TrainingSettings,
    check_run_directory,
    draw_seed,
    is_begun,
    new_config,
    resume_config,
)
from gdynet_tf.learning.splits import Split, split_by_name, split_by_time
from gdynet_tf.locks import locked
from gdynet_tf.manifest import NAME as MANIFEST
from gdynet_tf.manifest import check_outside
from gdynet_tf.networks.backend import load_backend

if TYPE_CHECKING:
    from gdynet_tf.learning.distribution import Distribution

__all__ = ["main"]

_OPTIONS = {"validation": "val"}  # argument of the library -> option
logger = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train.py",
        description="Learn the states of the targets and how they change, by maximising VAMP-2.",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options from a YAML or JSON file (n_states: 3), or a run's config.json: the same training again; what "
        "the command line says goes first",
    )
    parser.add_argument("--graphs", default="graphs", help="graph directory (default: %(default)s)")
    parser.add_argument("--run", help="run directory to write (default: runs/GRAPHS_nN_tauT_seedS)")
    parser.add_argument("--n-states", type=int, metavar="N", help="number of states")
    parser.add_argument("--tau", type=int, metavar="T", help="lag time in frames")
    parser.add_argument(
        "--model",
        choices=("gdynet", "vampnet"),
        default="gdynet",
        help="gdynet: states of each target; vampnet: a plain network on the targets' coordinates, for the state of "
        "the system as a whole (default: %(default)s)",
    )
    parser.add_argument(
        "--n-conv", type=int, default=3, help="convolutions, or hidden layers of a vampnet (default: 3)"
    )
    parser.add_argument("--n-features", type=int, help="length of an embedding (default: 16; vampnet: 64)")
    parser.add_argument(
        "--variant",
        choices=("paper", "gdynet2019"),
        default="paper",
        help="the paper's equations, or its released code's (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=int, help="pairs of frames (default: 8 or more, 2,000 pairs x targets)")
    parser.add_argument(
        "--epochs",
        type=int,
        default=100,
        help="at most, of 100 batches or four passes over all pairs (default: %(default)s)",
    )
    parser.add_argument(
        "--patience",
        type=int,
        default=3,
        help="epochs without gain after which the learning rate falls, and the third time training ends "
        "(default: %(default)s)",
    )
    parser.add_argument("--learning-rate", type=float, default=1e-2, help="at first (default: %(default)s)")
    parser.add_argument(
        "--start-from",
        metavar="RUN",
        help="fine-tune the network of a run, of the same architecture; restarts then differ in the order of the pairs "
        "alone (default: weights drawn anew)",
    )
    parser.add_argument("--seed", type=int, help="of weights and shuffling (default: drawn)")
    parser.add_argument(
        "--n-restarts",
        type=int,
        default=1,
        help="trainings; the best is kept and compared with the others (default: 1)",
    )
    parser.add_argument(
        "--split",
        type=float,
        nargs=3,
        default=(0.70, 0.15, 0.15),
        metavar=("TRAIN", "VAL", "TEST"),
        help="fractions of time (default: 0.70 0.15 0.15)",
    )
    parser.add_argument(
        "--val", nargs="+", metavar="NAME", help="whole trajectories for validation, instead of --split"
    )
    parser.add_argument("--test", nargs="+", metavar="NAME", help="whole trajectories for the test")
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write RUN/tensorboard too: live curves, which `tensorboard --logdir RUN` shows (pip install tensorboard)",
    )
    parser.add_argument(
        "--distribute",
        choices=("mirrored", "multiworker"),
        help="share each batch among all devices of this machine, or of all hosts that TF_CONFIG names "
        "(docs/several_devices.md); the result is the same but for rounding (default: one device)",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace the run directory if it exists")
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run, with its own settings")
    return parser


def _settings(args: argparse.Namespace) -> TrainingSettings:
    """The settings of the training, judged without the data."""
    for option in ("n_states", "tau"):
        if getattr(args, option) is None:
            raise InputError(f"`{option}` is needed")
    return TrainingSettings(
        **{field.name: getattr(args, field.name) for field in fields(TrainingSettings) if field.name in args}
    )


def _run(args: argparse.Namespace) -> None:
    distribution = _meet(args.distribute) if args.distribute else None
    if distribution is not None and not distribution.is_chief:
        from gdynet_tf.learning.training import assist_training

        assist_training(distribution)
        return
    if args.resume:
        _resume(args, distribution)
    else:
        _start(args, distribution)
    if distribution is not None:
        distribution.finish()


def _meet(kind: str) -> "Distribution":
    """The devices, once all hosts are there."""
    load_backend()
    from gdynet_tf.learning.distribution import start_distribution

    distribution = start_distribution(kind)
    n_hosts, role = len(distribution.hosts), "the chief" if distribution.is_chief else "at the chief's service"
    hosts = f" on {n_hosts} hosts; this one is {role}" if n_hosts else ""
    logger.info(f"devices: {distribution.n_replicas}{hosts}")
    return distribution


def _start(args: argparse.Namespace, distribution: "Distribution | None") -> None:
    settings = _settings(args)
    if distribution is not None:
        distribution.check(settings.variant)
    graphs = open_inputs(args.graphs, args.model)
    split = _split(args, graphs, args.tau)
    if args.seed is None:
        args.seed = draw_seed()
    kind = "" if args.model == "gdynet" else f"_{args.model}"
    name = f"{Path(args.graphs).resolve().name}{kind}_n{args.n_states}_tau{args.tau}_seed{args.seed}"
    run = output_path(args.run or f"runs/{name}")
    check_outside(run)
    with locked(run):
        _train(args, settings, graphs, split, run, distribution)


def _split(args: argparse.Namespace, graphs: GraphDataset, tau: int) -> Split:
    if args.val or args.test:
        return split_by_name(graphs.names, graphs.segments, tau, args.val or [], args.test or [])
    if isinstance(args.split, RecordedSplit):
        return args.split.split(graphs, tau)
    return split_by_time(graphs.segments, tau, tuple(args.split))


def _train(
    args: argparse.Namespace,
    settings: TrainingSettings,
    graphs: GraphDataset,
    split: Split,
    run: Path,
    distribution: "Distribution | None",
) -> None:
    if is_begun(run) and not args.overwrite:
        raise InputError(f"{run}: exists; --resume continues it, --overwrite replaces it, --run names another")
    needed = [args.graphs, args.start_from] if args.start_from else [args.graphs]
    check_run_directory(run, args.overwrite, needed)
    logger.info(f"graphs: {graphs.path} ({', '.join(_source(graphs))})")

    load_backend()
    from gdynet_tf.learning.runs import train_run
    from gdynet_tf.learning.training import best_precision, starting_model

    if "precision" not in args:
        settings = replace(settings, precision=best_precision())
    config = new_config(graphs, split, settings, args.seed, args.n_restarts)
    n_pairs = count_pairs(split.train, args.tau)
    logger.info(
        f"run: {run}, seed {config['seed']}, {n_pairs} training pairs, {config['batch_size']} in a batch, "
        f"{config['precision']}"
    )
    if settings.start_from is not None:
        starting_model(settings, graphs)  # that it fits is known before anything is written
    if run.exists():
        discard(run)
    shown = {"progress": not args.quiet, "tensorboard": args.tensorboard}
    _tell(train_run(graphs, run, config, distribution=distribution, **shown), run)


def _resume(args: argparse.Namespace, distribution: "Distribution | None") -> None:
    if not args.run:
        raise InputError("--resume: --run names the run directory to continue")
    if args.config:
        raise InputError(f"--config {args.config}: --resume goes on with the settings of {args.run}")
    with locked(args.run):
        _continue(args, Path(args.run), distribution)


def _continue(args: argparse.Namespace, run: Path, distribution: "Distribution | None") -> None:
    load_backend()
    from gdynet_tf.learning.runs import train_run

    config, graphs = resume_config(run)
    check_given(args, config, run)
    for option in ("split", "val", "test"):
        if option in args.given and _split(args, graphs, config["tau"]).to_dict() != config["split"]:
            words = " ".join(map(str, getattr(args, option)))
            raise InputError(f"--{option} {words}: {run} divides the data otherwise")
    if (run / MANIFEST).is_file():  # the last file that is written
        raise InputError(f"{run}: is finished, there is nothing to resume")
    logger.info(f"run: {run}, resumed, seed {config['seed']}")
    shown = {"progress": not args.quiet, "tensorboard": args.tensorboard}
    _tell(train_run(graphs, run, config, resume=True, distribution=distribution, **shown), run)


def _source(graphs: GraphDataset) -> list[str]:
    return sorted({Path(source["path"]).name for entry in graphs.meta["trajectories"] for source in entry["sources"]})


def _tell(scores: Mapping[str, Any], run: Path) -> None:
    """The result in a few lines."""
    vamp2 = scores["vamp2"]
    logger.info(f"VAMP-2: train {vamp2['train']:.4f}, validation {vamp2['validation']:.4f}, test {vamp2['test']:.4f}")
    logger.info(f"populations: {' '.join(f'{p:.4f}' for p in scores['populations'])}")
    logger.info(f"frames in which one state has more than 0.9: {100 * scores['crispness']:.1f} %")
    for message in scores["collapsed"]:
        logger.warning(message)
    agreement = scores["agreement"]
    if agreement is None:
        logger.info("one training only: --n-restarts 3 tells which states are found again")
    else:
        correlations = " ".join(f"{c:.3f}" for c in agreement["canonical_correlations"])
        logger.info(f"restarts: canonical correlations at least {correlations}")
        logger.info(
            f"restarts: the likeliest state agrees for at least {100 * agreement['same_likeliest_state']:.1f} %"
        )
        lost = [str(i) for i, found in enumerate(agreement["found_again"]) if not found]
        logger.info(
            f"restarts: not found again: state {', '.join(lost)}" if lost else "restarts: all states were found again"
        )
    logger.info(f"written: {run}; next: python analysis/report.py {shlex.quote(str(run))}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv, options=_OPTIONS, parse=parse_with_settings)
