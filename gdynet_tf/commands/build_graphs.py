"""gdynet-build-graphs: trajectory files in, a graph directory out."""

import argparse
import logging
from collections.abc import Sequence

from gdynet_tf.commands.console import run_command, tell
from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.executors import available_cores
from gdynet_tf.graphs.targets import find_targets
from gdynet_tf.trajectory import EXAMPLE, Trajectory, concatenate, read

__all__ = ["add_reading_options", "main", "read_trajectories"]

_READING = ("species", "frame_interval", "time_unit", "start", "stop", "stride")
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
        help='elements ("Li" or "Li,Na"), "all", "molecules H2O", or a file of atom indices, one target per line',
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
    add_reading_options(parser)
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace the graph directory if it exists")
    existing.add_argument("--resume", action="store_true", help="continue an interrupted build")
    return parser


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options of `read_trajectories`, and the number of processes."""
    parser.add_argument("--concatenate", action="store_true", help="the files are segments of one run")
    parser.add_argument(
        "--species",
        nargs="+",
        metavar="EL",
        help="elements of the atom types 1, 2, ... of files that do not name them",
    )
    parser.add_argument("--frame-interval", type=float, metavar="X", help="time between the frames of the file")
    parser.add_argument("--time-unit", metavar="UNIT", help="its unit (default: ps when --frame-interval is given)")
    parser.add_argument("--start", type=int, help="first frame")
    parser.add_argument("--stop", type=int, help="frame after the last one")
    parser.add_argument("--stride", type=int, help="take every so-many-th frame")
    parser.add_argument("--n-workers", type=int, help="processes (default: one per core)")


def read_trajectories(args: argparse.Namespace) -> list[Trajectory]:
    """The trajectories that a command line names, unwrapped; the example when it names none."""
    if not args.trajectories:
        logger.info(f"no trajectory named: using the example, Li in FCC sulfur, {EXAMPLE}")
    options = {name: getattr(args, name) for name in _READING}
    trajectories = [trajectory.unwrap() for trajectory in read(args.trajectories or [EXAMPLE], **options)]
    for trajectory in trajectories:
        for finding in trajectory.findings:
            tell(finding, trajectory.origin)
    if trajectories[0].frame_interval is None:
        logger.info("the files do not tell the time between frames: times are in frames (--frame-interval sets it)")
    return [concatenate(trajectories)] if args.concatenate else trajectories


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _run(args: argparse.Namespace) -> None:
    if args.n_workers is not None and args.n_workers < 1:
        raise InputError(f"--n-workers {args.n_workers}: must be at least 1")
    trajectories = read_trajectories(args)
    first = trajectories[0]
    targets = find_targets(args.targets, first)
    n_frames = sum(len(t.positions) for t in trajectories)
    logger.info(
        f"{n_frames} frames of {len(first.atomic_numbers)} atoms, {args.n_neighbors} neighbours, "
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
