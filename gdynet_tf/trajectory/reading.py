"""From files of any length to trajectories: frames are checked, followed and spooled as they come."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from gdynet_tf.errors import InputError, file_path, plain_text, real_number
from gdynet_tf.findings import Finding
from gdynet_tf.times import is_unit
from gdynet_tf.trajectory.assembly import Assembly, NothingNew, ReadingOptions, close
from gdynet_tf.trajectory.cells import cell_lattice
from gdynet_tf.trajectory.joins import SeenFrames
from gdynet_tf.trajectory.objects import frame_selection
from gdynet_tf.trajectory.readers import open_source
from gdynet_tf.trajectory.source import FrameSource
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read"]


@overload
def read(
    paths: str | Path,
    topology: str | Path | None = ...,
    *,
    format: str | None = ...,
    species: Sequence[str] | None = ...,
    cell: Sequence[float] | None = ...,
    no_cell: bool = ...,
    frame_interval: float | None = ...,
    timestep: float | None = ...,
    time_unit: str | None = ...,
    start: int | None = ...,
    stop: int | None = ...,
    stride: int | None = ...,
    drop_repeated: bool = ...,
    allow_truncated: bool = ...,
    scratch: str | Path | None = ...,
) -> Trajectory: ...
@overload
def read(
    paths: list[str] | list[Path] | tuple[str | Path, ...],
    topology: str | Path | None = ...,
    *,
    format: str | None = ...,
    species: Sequence[str] | None = ...,
    cell: Sequence[float] | None = ...,
    no_cell: bool = ...,
    frame_interval: float | None = ...,
    timestep: float | None = ...,
    time_unit: str | None = ...,
    start: int | None = ...,
    stop: int | None = ...,
    stride: int | None = ...,
    drop_repeated: bool = ...,
    allow_truncated: bool = ...,
    scratch: str | Path | None = ...,
) -> list[Trajectory]: ...
def read(
    paths: str | Path | Sequence[str] | Sequence[Path] | Sequence[str | Path],
    topology: str | Path | None = None,
    *,
    format: str | None = None,
    species: Sequence[str] | None = None,
    cell: Sequence[float] | None = None,
    no_cell: bool = False,
    frame_interval: float | None = None,
    timestep: float | None = None,
    time_unit: str | None = None,
    start: int | None = None,
    stop: int | None = None,
    stride: int | None = None,
    drop_repeated: bool = False,
    allow_truncated: bool = False,
    scratch: str | Path | None = None,
) -> Trajectory | list[Trajectory]:
    """Read one trajectory file or several.

    Every atom is followed through all frames up to ``stop``, so ``read(file, start=a, stop=b, stride=c)`` has frames
    ``a:b:c`` of ``read(file)``. Memory does not grow with the file. What is odd about the frames stands in the
    ``findings`` of a trajectory: it is cut into segments where time stamps have a gap or go back and where the atoms
    jump; frames that have been there before are told.

    Parameters
    ----------
    paths : path-like or list of path-like
        Each file is a trajectory of its own; `concatenate` makes segments of one run of them. Files that hold one frame
        each are put in the order of their time stamps, or else of the numbers in their names, and are one trajectory.
    topology : path-like, optional
        A file that names the atoms of those in ``paths``.
    format : str, optional
        Name of the format, where the content and the name of a file do not tell it.
    species : list of str, optional
        Elements of the atom types 1, 2, ..., for files that do not name elements.
    cell : (3,) or (6,) sequence of float, optional
        a, b, c in Å and alpha, beta, gamma in degrees, for files that tell no cell.
    no_cell : bool
        The system is not periodic, for files that tell no cell.
    frame_interval : float, optional
        Time between the frames of a file, for files whose time stamps do not tell.
    timestep : float, optional
        Time that a step of the simulation takes, for files that number the steps.
    time_unit : str, optional
        Unit of ``frame_interval`` or ``timestep``, "ps" unless told.
    start, stop, stride : int, optional
        Frames to keep, as Python slices count them.
    drop_repeated : bool
        Leave out frames that have been there before, in the same file or in another.
    allow_truncated : bool
        Use the whole frames of a file that ends within a frame.
    scratch : path-like, optional
        Folder of the unnamed temporary file for positions beyond 64 MiB; default the system's (TMPDIR).

    Returns
    -------
    Trajectory, or a list of them when a list was given

    Raises
    ------
    InputError
        If a file is missing, unknown, damaged or holds impossible values, tells no cell, or says another cell or time
        than was given.
    """
    start, stop, stride = frame_selection(start, stop, stride)
    if cell is not None and no_cell:
        raise InputError("`cell` and `no_cell`: one of them is enough")
    frame_interval, timestep = _time(frame_interval, "frame_interval"), _time(timestep, "timestep")
    if frame_interval is not None and timestep is not None:
        raise InputError("`frame_interval` and `timestep`: one of them is enough")
    if stop is not None and ((start or 0) < 0) == (stop < 0) and (start or 0) >= stop:
        raise InputError(f"`start={start}` `stop={stop}`: selects no frame")
    if time_unit is not None and time_unit != "" and not is_unit(time_unit):
        raise InputError(f"`time_unit={time_unit}`: must be a word, as ps or frames are")
    if time_unit and frame_interval is None and timestep is None:
        raise InputError(f"`time_unit={time_unit}`: needs `frame_interval` or `timestep`")
    if species is not None and (isinstance(species, str) or not all(isinstance(name, str) for name in species)):
        raise InputError(f"`species={species}`: a list of element symbols is needed")
    if format is not None:
        plain_text(format, "format")
    topology = None if topology is None else file_path(topology, "topology")
    options = ReadingOptions(
        cell=None if cell is None else cell_lattice(cell),
        no_cell=no_cell,
        frame_interval=frame_interval,
        timestep=timestep,
        time_unit=time_unit or "ps",
        start=start,
        stop=stop,
        stride=stride,
        allow_truncated=allow_truncated,
        scratch=None if scratch is None else file_path(scratch, "scratch"),
    )

    def opened(path: str | Path) -> FrameSource:
        return open_source(path, topology=topology, format=format, species=species)

    several = list(paths) if hasattr(paths, "__iter__") and not isinstance(paths, str | bytes) else None
    files = [file_path(path, "paths") for path in ([paths] if several is None else several)]
    seen = SeenFrames(drop_repeated)
    order, notes = _single_frames(files, opened)
    if order is not None:
        return [_assembled((opened(path) for path in order), options, seen, notes)]
    trajectories: list[Trajectory] = []
    for path in files:
        try:
            trajectories.append(_assembled(iter([opened(path)]), options, seen))
        except NothingNew:
            said = tuple(replace(finding, text=f"{path}: {finding}") for finding in seen.findings())
            trajectories[-1] = replace(trajectories[-1], findings=trajectories[-1].findings + said)
    return trajectories[0] if several is None else trajectories


def _time(value: float | None, name: str) -> float | None:
    """A positive time, or None."""
    time = None if value is None else real_number(value, name)
    if time is not None and not (np.isfinite(time) and time > 0):
        raise InputError(f"`{name}={time:g}`: must be a positive time")
    return time


def _assembled(
    sources: Iterable[FrameSource], options: ReadingOptions, seen: SeenFrames, notes: tuple[Finding, ...] = ()
) -> Trajectory:
    assembly = Assembly(options, seen)
    for source in sources:
        assembly.add(source)
        if assembly.full:
            break
    return assembly.trajectory(notes)


def _single_frames(
    files: Sequence[str | Path], opened: Callable[[str | Path], FrameSource]
) -> tuple[list[str | Path] | None, tuple[Finding, ...]]:
    """Files of one frame each in their order, and what is to be said of it; None when some hold more."""
    stamps: dict[str, list[float | None]] = {"times": [], "time steps": []}
    for path in files if len(files) > 1 else ():
        try:
            source = opened(path)
            first = next(source.chunks)
            alone = len(first.positions) == 1 and next(source.chunks, None) is None
            close(source)
        except (InputError, StopIteration):  # the reading itself will tell
            return None, ()
        if not alone:
            return None, ()
        for values, given in zip(stamps.values(), (first.times, first.steps), strict=True):
            values.append(None if given is None else float(given[0]))
    for what, values in stamps.items():
        known = [value for value in values if value is not None]
        if len(known) == len(files) and len(set(known)) > 1:
            order = sorted(range(len(files)), key=lambda i: (known[i], _natural(files[i])))
            how = f"of their {what}, {min(known):g} to {max(known):g},"
            break
    else:
        order = sorted(range(len(files)), key=lambda i: _natural(files[i]))
        how = f"of the numbers in their names, {Path(files[order[0]]).name} to {Path(files[order[-1]]).name},"
    text = f"{len(files)} files of one frame each, in the order {how} are one trajectory."
    note = Finding(kind="single frames", severity="note", text=text, numbers={"n_files": len(files)})
    return ([files[i] for i in order], (note,)) if len(files) > 1 else (None, ())


def _natural(path: str | Path) -> list[tuple[int, str]]:
    """A key by which dump.2 comes before dump.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path)) if part]
