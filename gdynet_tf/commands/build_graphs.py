"""gdynet-build-graphs: trajectory files in, a graph directory out."""

import argparse
import logging
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from gdynet_tf.commands.console import run_command
from gdynet_tf.commands.reading import add_reading_options, read_trajectories
from gdynet_tf.errors import InputError
from gdynet_tf.files import output_path
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.parallel.cluster import check_scheduler
from gdynet_tf.graphs.parallel.executors import available_cores
from gdynet_tf.graphs.parallel.shards import check_shard, merge_graphs, shard_path
from gdynet_tf.graphs.partial import PartialDirectory, check_output
from gdynet_tf.graphs.store import open_directory
from gdynet_tf.graphs.targets import find_targets

__all__ = ["main"]

logger = logging.getLogger(__name__)

_MERGING = {"out", "merge", "overwrite", "resume", "n_workers", "quiet", "log"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="build_graphs.py",
        description="Write the graphs of a trajectory: nearest neighbours and distances.",
    )
    parser.add_argument(
        "trajectories", nargs="*", metavar="TRAJ", help="trajectory files; default: the example, Li in FCC S"
    )
    parser.add_argument("--out", default="graphs", help="graph directory to write (default: %(default)s)")
    parser.add_argument(
        "--targets",
        metavar="SELECTION",
        help='elements ("Li" or "Li,Na"), "all", "molecules H2O", "residues TFSI", a selection of MDAnalysis '
        '("element Li and around 3 name O", in the first frame), or a file of atom indices, one target per line',
    )
    parser.add_argument("--n-neighbors", type=int, default=12, help="neighbours of each atom (default: %(default)s)")
    parser.add_argument(
        "--edges",
        choices=("gaussian", "distance"),
        default="gaussian",
        help="Gaussian-expanded distances, or 36 times smaller the distances alone (default: %(default)s)",
    )
    for name, default in (("dmin", 0.0), ("dmax", 7.0), ("step", 0.2), ("sigma", 0.2)):
        parser.add_argument(f"--{name}", type=float, default=default, help="of the Gaussians, Å (default: %(default)s)")
    parser.add_argument("--n-workers", type=int, help="processes (default: one per core)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="let Dask's workers compute: those of the scheduler at tcp://HOST:PORT, or `local` for N_WORKERS on this "
        "machine; frames are sent to them and graphs back, this process alone writes",
    )
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument(
        "--shard",
        metavar="I/N",
        help="build the I-th of N parts of the frames alone, into OUT.shard-I-of-N: a job of a batch queue; with "
        "--resume one that is whole already is left as it is",
    )
    parts.add_argument(
        "--merge", action="store_true", help="put the parts of OUT together; they hold all settings, and stay"
    )
    add_reading_options(parser)
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace the graph directory if it exists")
    existing.add_argument("--resume", action="store_true", help="continue an interrupted build")
    return parser


def _existing(path: Path) -> Path:
    """The first folder above a path that exists."""
    return next(folder for folder in path.absolute().parents if folder.is_dir())


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match:
        raise InputError(f"`shard={text}`: must be i/n, with i from 1 to n")
    shard = int(match[1]), int(match[2])
    check_shard(shard)
    return shard


def _merge(args: argparse.Namespace) -> None:
    parser = _parser()
    others = {name: value for name, value in vars(args).items() if name not in _MERGING and value != []}
    given = [name for name, value in others.items() if value != parser.get_default(name)]
    if given:
        shown = ", ".join("TRAJ" if name == "trajectories" else f"`{name}`" for name in given)
        raise InputError(f"`merge=True`: the shards hold all settings; leave out {shown}")
    merge_graphs(
        args.out,
        overwrite=args.overwrite,
        resume=args.resume,
        n_workers=args.n_workers or available_cores(),
        progress=not args.quiet,
    )
    logger.info(f"written: {args.out}; {args.out}.shard-* are not needed any more")


def _run(args: argparse.Namespace) -> None:
    if args.n_workers is not None and args.n_workers < 1:
        raise InputError(f"--n-workers {args.n_workers}: must be at least 1")
    if args.merge:
        _merge(args)
        return
    out, shard = output_path(args.out), args.shard and _shard(args.shard)
    if args.scheduler not in (None, "local") and args.n_workers is not None:
        raise InputError(f"`n_workers={args.n_workers}`: the scheduler at {args.scheduler} has workers of its own")
    if shard:
        out = shard_path(out, shard)
        if args.resume and out.exists() and not PartialDirectory(out, {}).path.exists():
            open_directory(out)
            logger.info(f"{out}: is whole already")
            return
    # Before a long file is read.
    check_output(out, args.overwrite, args.resume)
    if args.scheduler:
        check_scheduler(args.scheduler)
    trajectories = read_trajectories(args, scratch=_existing(Path(args.out)))
    first = trajectories[0]
    targets = find_targets(args.targets, first)
    n_frames = sum(len(t.positions) for t in trajectories)
    logger.info(
        f"{_count(n_frames, 'frame')} of {_count(len(first.atomic_numbers), 'atom')}, "
        f"{_count(args.n_neighbors, 'neighbour')}, "
        f"{_count(len(targets), 'target')} of {_count(targets.shape[1], 'atom')}"
    )
    build_graphs(
        trajectories,
        targets,
        out=args.out,
        n_neighbors=args.n_neighbors,
        edges=args.edges,
        expansion={name: getattr(args, name) for name in ("dmin", "dmax", "step", "sigma")},
        n_workers=args.n_workers or available_cores(),
        scheduler=args.scheduler,
        shard=shard,
        overwrite=args.overwrite,
        resume=args.resume,
        progress=not args.quiet,
    )
    if shard:
        merging = f"python preprocess/build_graphs.py --merge --out {shlex.quote(args.out)}"
        logger.info(f"written: {out}; when all {shard[1]} are there: {merging}")
    else:
        following = f"python train.py --graphs {shlex.quote(args.out)} --n-states 2 --tau FRAMES"
        logger.info(f"written: {args.out}; next: {following}")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
