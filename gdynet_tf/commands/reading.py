"""Options that say which trajectory files are read, and how; the same in all commands that read some."""

import argparse
import logging
from pathlib import Path

from gdynet_tf.commands.console import tell
from gdynet_tf.trajectory import EXAMPLE, FORMATS, Trajectory, concatenate, read

__all__ = ["add_reading_options", "read_trajectories"]

logger = logging.getLogger(__name__)

_READING = (
    "topology",
    "format",
    "species",
    "cell",
    "no_cell",
    "frame_interval",
    "timestep",
    "time_unit",
    "start",
    "stop",
    "stride",
    "drop_repeated",
    "allow_truncated",
)


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options of `read_trajectories`."""
    group = parser.add_argument_group("reading")
    group.add_argument("--topology", metavar="FILE", help="file that has the atoms: TPR, GRO, PDB, PSF, ...")
    group.add_argument(
        "--format",
        metavar="NAME",
        help=f"format of the files, where they do not show it: {', '.join(f.name for f in FORMATS)}",
    )
    group.add_argument(
        "--species",
        nargs="+",
        metavar="EL",
        help="elements of the atom types 1, 2, ... of files that do not name them",
    )
    group.add_argument(
        "--cell",
        nargs="+",
        type=float,
        metavar="X",
        help="a b c in Å [alpha beta gamma in degrees] of files that tell no cell",
    )
    group.add_argument("--no-cell", action="store_true", help="the system is not periodic: files need not tell a cell")
    group.add_argument("--frame-interval", type=float, metavar="X", help="time between the frames of a file")
    group.add_argument("--timestep", type=float, metavar="X", help="time of a step, where the files number the steps")
    group.add_argument("--time-unit", metavar="UNIT", help="unit of --frame-interval or --timestep (default: ps)")
    group.add_argument("--start", type=int, help="first frame")
    group.add_argument("--stop", type=int, help="frame after the last one")
    group.add_argument("--stride", type=int, help="take every so-many-th frame; atoms are followed through all")
    group.add_argument("--concatenate", action="store_true", help="the files are segments of one run")
    group.add_argument("--drop-repeated", action="store_true", help="leave out frames that have been there before")
    group.add_argument(
        "--allow-truncated", action="store_true", help="use the whole frames of a file that is cut short"
    )


def read_trajectories(args: argparse.Namespace, scratch: Path) -> list[Trajectory]:
    """The trajectories that a command line names; the example when it names none.

    Parameters
    ----------
    args : Namespace
        With ``trajectories`` and what `add_reading_options` adds.
    scratch : Path
        Folder for a temporary file with the positions, where they are many.
    """
    if not args.trajectories:
        logger.info(f"no trajectory named: using the example, Li in FCC sulfur, {EXAMPLE}")
    trajectories = read(
        tuple(args.trajectories or [EXAMPLE]), **{name: getattr(args, name) for name in _READING}, scratch=scratch
    )
    for trajectory in trajectories:
        for finding in trajectory.findings:
            tell(finding, trajectory.origin)
    if trajectories[0].frame_interval is None:
        logger.info(
            "the files do not tell the time between frames: times are in frames (--frame-interval sets it, or "
            "--timestep where the files number the steps)"
        )
    if not args.concatenate:
        return trajectories
    joined = concatenate(trajectories)
    for finding in joined.findings[sum(len(t.findings) for t in trajectories) :]:
        tell(finding)
    return [joined]
