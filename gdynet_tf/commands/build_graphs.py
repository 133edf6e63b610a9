"""gdynet-build-graphs: trajectory files in, a graph directory out."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from gdynet_tf.commands.console import run_command
from gdynet_tf.commands.reading import add_reading_options, read_trajectories
from gdynet_tf.errors import InputError
from gdynet_tf.files import output_path
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.executors import available_cores
from gdynet_tf.graphs.partial import check_output
from gdynet_tf.graphs.targets import find_targets

__all__ = ["main"]

logger = logging.getLogger(__name__)


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


def _run(args: argparse.Namespace) -> None:
    if args.n_workers is not None and args.n_workers < 1:
        raise InputError(f"--n-workers {args.n_workers}: must be at least 1")
    check_output(output_path(args.out), args.overwrite, args.resume)  # before a long file is read
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
        overwrite=args.overwrite,
        resume=args.resume,
        progress=not args.quiet,
    )
    logger.info(f"written: {args.out}; next: python train.py --graphs {args.out} --n-states 2 --tau FRAMES")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_command(_run, _parser(), argv)
