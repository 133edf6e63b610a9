"""Readers: from a file of any known format to one `Trajectory`.

A format is a name, a test of the file name, a function ``read(path)``, or ``read(path, species)`` where files need not
name the elements; another one is one more entry of `FORMATS`.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, overload

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers.extxyz import read_extxyz
from gdynet_tf.trajectory.readers.lammps import read_lammps
from gdynet_tf.trajectory.readers.npz import read_npz, write_compact
from gdynet_tf.trajectory.readers.text import stem
from gdynet_tf.trajectory.readers.xdatcar import read_xdatcar
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["EXAMPLE", "FORMATS", "Format", "read", "read_trajectory", "write_compact"]

EXAMPLE = Path(__file__).parents[2] / "data" / "li_fcc.npz"  # ships with the package


class Format(NamedTuple):
    """How files of a format are recognised and read."""

    name: str
    matches: Callable[[str], bool]
    read: Callable
    takes_species: bool = False


def _ending(*suffixes: str) -> Callable[[str], bool]:
    return lambda name: name.endswith(suffixes)


FORMATS = [
    Format("traj.npz of the 2019 code, compact .npz", _ending(".npz"), read_npz),
    Format("VASP XDATCAR", lambda name: "xdatcar" in name, read_xdatcar),
    Format("LAMMPS dump (.lammpstrj, .dump)", _ending(".lammpstrj", ".dump", ".lammpsdump"), read_lammps, True),
    Format("extended XYZ (.xyz, .extxyz)", _ending(".xyz", ".extxyz"), read_extxyz),
]
"""The formats, tried in this order; file names are compared in lower case and without .gz."""


@overload
def read(
    paths: str | Path,
    topology: str | Path | None = ...,
    *,
    species: Sequence[str] | None = ...,
    frame_interval: float | None = ...,
    time_unit: str | None = ...,
    start: int | None = ...,
    stop: int | None = ...,
    stride: int | None = ...,
) -> Trajectory: ...
@overload
def read(
    paths: list[str] | list[Path] | tuple[str | Path, ...],
    topology: str | Path | None = ...,
    *,
    species: Sequence[str] | None = ...,
    frame_interval: float | None = ...,
    time_unit: str | None = ...,
    start: int | None = ...,
    stop: int | None = ...,
    stride: int | None = ...,
) -> list[Trajectory]: ...
def read(
    paths: str | Path | Sequence[str] | Sequence[Path] | Sequence[str | Path],
    topology: str | Path | None = None,
    *,
    species: Sequence[str] | None = None,
    frame_interval: float | None = None,
    time_unit: str | None = None,
    start: int | None = None,
    stop: int | None = None,
    stride: int | None = None,
) -> Trajectory | list[Trajectory]:
    """Read one trajectory file or several.

    Parameters
    ----------
    paths : path-like or list of path-like
        Each file is a trajectory of its own; `concatenate` makes segments of one run of them.
    topology : path-like, optional
        A file that names the atoms; both are then read by MDAnalysis, in any format it knows (XTC and GRO, DCD and
        PSF, ...).
    species : list of str, optional
        Elements of the atom types 1, 2, ..., for files that do not name elements.
    frame_interval : float, optional
        Time between the frames of a file, for files that do not tell.
    time_unit : str, optional
        Its unit, "ps" unless told.
    start, stop, stride : int, optional
        Frames to keep, as Python slices count them.

    Returns
    -------
    Trajectory, or a list of them when a list was given

    Raises
    ------
    InputError
        If a file is missing, unknown, damaged or holds impossible values, or says another time than ``frame_interval``.
    """
    if frame_interval is not None and not frame_interval > 0:
        raise InputError(f"`frame_interval={frame_interval:g}`: must be a positive time")
    if time_unit and frame_interval is None:
        raise InputError(f"`time_unit={time_unit}`: needs `frame_interval`")
    trajectories = []
    for path in [paths] if isinstance(paths, str | Path) else paths:
        trajectory = read_trajectory(path, species) if topology is None else _read_with(topology, path)
        if frame_interval is not None:
            known, given = (trajectory.frame_interval, trajectory.time_unit), (frame_interval, time_unit or "ps")
            if known not in ((None, None), given):
                said = f"{known[0]:g} {known[1]}"
                raise InputError(f"`frame_interval={given[0]:g}` {given[1]}: {path} says {said}")
            trajectory = replace(trajectory, frame_interval=given[0], time_unit=given[1])
        trajectories.append(trajectory.select(start, stop, stride))
    return trajectories[0] if isinstance(paths, str | Path) else trajectories


def _read_with(topology: str | Path, path: str | Path) -> Trajectory:
    try:
        from MDAnalysis import Universe
    except ImportError:
        raise InputError(f"`topology={topology}`: needs MDAnalysis: pip install MDAnalysis") from None
    for file in (topology, path):
        if not Path(file).is_file():
            raise InputError(f"{file}: no such file")
    try:
        with warnings.catch_warnings():  # about masses that it guesses, which nothing here uses
            warnings.simplefilter("ignore")
            universe = Universe(str(topology), str(path))
    except Exception as error:  # MDAnalysis raises many kinds for a malformed file
        raise InputError(f"{path} with {topology}: cannot be read by MDAnalysis: {error!r}") from None
    trajectory = Trajectory.from_mdanalysis(universe, name=stem(path))
    universe.trajectory.close()
    return replace(trajectory, sources=(str(path), str(topology)))


def read_trajectory(
    path: str | Path,
    species: Sequence[str] | None = None,
    start: int | None = None,
    stop: int | None = None,
    stride: int | None = None,
) -> Trajectory:
    """Read a trajectory file of any known format.

    Parameters
    ----------
    path : path-like
    species : list of str, optional
        Elements of the atom types 1, 2, ..., for files that do not name elements.
    start, stop, stride : int, optional
        Frames to keep, as Python slices count them.

    Returns
    -------
    Trajectory

    Raises
    ------
    InputError
        If the file is missing, unknown, damaged or holds impossible values.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a directory, a trajectory file is needed")
    if not path.exists():
        raise InputError(f"{path}: no such file")
    name = path.name.lower().removesuffix(".gz")
    for format_ in FORMATS:
        if format_.matches(name):
            break
    else:
        raise InputError(f"{path}: format not known by its name; known are {', '.join(f.name for f in FORMATS)}")
    if species and not format_.takes_species:
        raise InputError(f"`species={' '.join(species)}`: {path} has the elements itself")
    try:
        trajectory = format_.read(path, species) if format_.takes_species else format_.read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return trajectory.select(start, stop, stride) if (start, stop, stride) != (None,) * 3 else trajectory
