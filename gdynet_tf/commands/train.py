"""gdynet-train: a graph directory in, a run directory out."""

import argparse
import os
import shutil
from pathlib import Path

from gdynet_tf.commands.settings import RecordedSplit, parse_with_settings
from gdynet_tf.errors import InputError, run_command

__all__ = ["load_tensorflow", "main"]


_SIZES = {"gdynet": (3, 16), "vampnet": (3, 64)}  # n_conv, n_features


def _parser():
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
    parser.add_argument("--run", help="run directory to write (default: runs/GRAPHS_nN_tauT)")
    parser.add_argument("--n-states", type=int, metavar="N", help="number of states")
    parser.add_argument("--tau", type=int, metavar="T", help="lag time in frames")
    parser.add_argument(
        "--model",
        choices=tuple(_SIZES),
        default="gdynet",
        help="gdynet: states of each target; vampnet: a plain network on the targets' coordinates, for the state of "
        "the system as a whole (default: %(default)s)",
    )
    parser.add_argument("--n-conv", type=int, help="convolutions, or hidden layers of a vampnet (default: 3)")
    parser.add_argument("--n-features", type=int, help="length of an embedding (default: 16; vampnet: 64)")
    parser.add_argument(
        "--variant",
        choices=("paper", "gdynet2019"),
        default="paper",
        help="the paper's equations, or its released code's (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=int, help="pairs of frames (default: 2,000 frames x targets at least)")
    parser.add_argument("--epochs", type=int, default=100, help="at most (default: %(default)s)")
    parser.add_argument(
        "--patience", type=int, default=8, help="epochs without gain before stopping (default: %(default)s)"
    )
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="of Adam (default: %(default)s)")
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
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace the run directory if it exists")
    existing.add_argument("--resume", action="store_true", help="continue an interrupted run, with its own settings")
    return parser


def _check(args):
    """Options that can be judged without the data."""
    for option, least in (("n_states", 2), ("tau", 1)):
        value = getattr(args, option)
        name = "--" + option.replace("_", "-")
        if value is None and not args.resume:
            raise InputError(f"{name} is needed")
        if value is not None and value < least:
            raise InputError(f"{name} {value}: must be at least {least}")
    for option in ("n_conv", "n_features", "epochs", "patience", "n_restarts", "batch_size"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise InputError(f"--{option.replace('_', '-')} {value}: must be at least 1")
    if not 0 < args.learning_rate < 10:
        raise InputError(f"--learning-rate {args.learning_rate:g}: must be a positive number below 10")
    if args.seed is not None and not 0 <= args.seed < 2**31:
        raise InputError(f"--seed {args.seed}: must be from 0 to {2**31 - 1}")


def _run(argv):
    args = parse_with_settings(_parser(), argv)
    _check(args)
    if args.resume:
        _resume(args)
    else:
        _start(args)


def load_tensorflow():
    """Import TensorFlow without what its C++ side says on stderr before any setting can silence it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    stderr = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _start(args):
    from gdynet_tf.graphs.store import open_inputs
    from gdynet_tf.learning.splits import split_by_name, split_by_time

    graphs = open_inputs(args.graphs, args.model)
    if args.val or args.test:
        split = split_by_name(graphs.names, graphs.segments, args.tau, args.val or [], args.test or [])
    elif isinstance(args.split, RecordedSplit):
        split = args.split.split(graphs, args.tau)
    else:
        split = split_by_time(graphs.segments, args.tau, tuple(args.split))
    kind = "" if args.model == "gdynet" else f"_{args.model}"
    run = Path(args.run or f"runs/{Path(args.graphs).resolve().name}{kind}_n{args.n_states}_tau{args.tau}")
    if run.exists():
        if not args.overwrite:
            raise InputError(f"{run}: exists; --resume continues it, --overwrite replaces it, --run names another")
        if not (run / "config.json").is_file():
            raise InputError(f"{run}: exists and is no run directory; it is not overwritten")
    print(f"graphs: {graphs.path} ({', '.join(_source(graphs))})")

    load_tensorflow()
    from gdynet_tf.learning.pairs import lagged_pairs
    from gdynet_tf.learning.runs import new_config, train_run
    from gdynet_tf.learning.training import TrainingSettings, best_precision, default_batch_size

    n_pairs = len(lagged_pairs(split.train, args.tau))
    batch_size = args.batch_size or default_batch_size(graphs.n_targets, n_pairs)
    if batch_size > n_pairs:
        raise InputError(f"--batch-size {batch_size}: there are only {n_pairs} training pairs")
    settings = TrainingSettings(
        n_states=args.n_states,
        tau=args.tau,
        model=args.model,
        n_conv=args.n_conv or _SIZES[args.model][0],
        n_features=args.n_features or _SIZES[args.model][1],
        variant=args.variant,
        batch_size=batch_size,
        epochs=args.epochs,
        learning_rate=args.learning_rate,
        patience=args.patience,
        precision=getattr(args, "precision", best_precision()),
    )
    config = new_config(graphs, split, settings, args.seed, args.n_restarts)
    print(f"run: {run}, seed {config['seed']}, {n_pairs} training pairs, {batch_size} in a batch, {settings.precision}")
    if run.exists():
        shutil.rmtree(run)
    _tell(train_run(graphs, run, config), run)


def _resume(args):
    if not args.run:
        raise InputError("--resume: --run names the run directory to continue")
    if args.config:
        raise InputError(f"--config {args.config}: --resume goes on with the settings of {args.run}")
    load_tensorflow()
    from gdynet_tf.learning.runs import resume_config, train_run

    run = Path(args.run)
    config, graphs = resume_config(run)
    for option in ("n_states", "tau", "seed"):
        value = getattr(args, option)
        if value is not None and value != config[option]:
            raise InputError(f"--{option.replace('_', '-')} {value}: {run} was begun with {config[option]}")
    if (run / "scores.json").is_file():
        raise InputError(f"{run}: is finished, there is nothing to resume")
    print(f"run: {run}, resumed, seed {config['seed']}")
    _tell(train_run(graphs, run, config, resume=True), run)


def _source(graphs):
    return sorted({Path(source["path"]).name for entry in graphs.meta["trajectories"] for source in entry["sources"]})


def _tell(scores, run):
    """The result in a few lines."""
    vamp2 = scores["vamp2"]
    print(f"VAMP-2: train {vamp2['train']:.4f}, validation {vamp2['validation']:.4f}, test {vamp2['test']:.4f}")
    print("populations:", " ".join(f"{p:.4f}" for p in scores["populations"]))
    print(f"frames in which one state has more than 0.9: {100 * scores['crispness']:.1f} %")
    for message in scores["collapsed"]:
        print(f"warning: {message}")
    agreement = scores["agreement"]
    if agreement is None:
        print("one training only: --n-restarts 3 tells which states are found again")
    else:
        correlations = " ".join(f"{c:.3f}" for c in agreement["canonical_correlations"])
        print(f"restarts: canonical correlations at least {correlations}")
        print(f"restarts: the likeliest state agrees for at least {100 * agreement['same_likeliest_state']:.1f} %")
        lost = [str(i) for i, found in enumerate(agreement["found_again"]) if not found]
        print(
            f"restarts: not found again: state {', '.join(lost)}" if lost else "restarts: all states were found again"
        )
    print(f"written: {run}; next: python analysis/report.py {run}")


def main(argv=None):
    """Entry point; returns the exit code."""
    return run_command(_run, argv)
