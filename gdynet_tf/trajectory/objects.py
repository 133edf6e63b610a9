"""What users and other packages hand over, as the fields of a `Trajectory`: checked, and nobody else's."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError, plain_text, real_number, real_numbers, whole_number, whole_numbers
from gdynet_tf.spool import FileArray
from gdynet_tf.times import is_unit
from gdynet_tf.trajectory.cells import completed_lattices
from gdynet_tf.trajectory.elements import elements_of
from gdynet_tf.trajectory.following import check_frames, check_lattices
from gdynet_tf.trajectory.universe import atoms_of_mdanalysis

__all__ = ["checked_fields", "fields_of_ase", "fields_of_mdanalysis", "frame_selection", "target_rows", "time_step"]

_MOST_FRAMES = 2**62
_SAME_TIME = 1e-3  # of a step, by which steps in time may differ: XTC keeps times in single precision


def checked_fields(origin: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a trajectory as it keeps them.

    Parameters
    ----------
    origin : str
        File or name, for the messages.
    given : mapping
        Field -> what was given for it.

    Returns
    -------
    dict
        Those that are converted: plain numbers, and arrays that cannot be written to. One that somebody else could
        write to is copied, so what becomes of it later does not matter; positions in a file stay there.

    Raises
    ------
    InputError
        If a value is of another type, impossible, or does not fit the others.
    """
    plain_text(given["name"], "name")
    unit = given["time_unit"]
    if unit is not None and not is_unit(unit):
        raise InputError(f"{origin}: time unit {unit!r}: must be a word, as ps or frames are")
    positions = given["positions"]
    in_file = isinstance(positions, FileArray)  # which was checked when it was written
    positions = positions if in_file else real_numbers(positions, f"{origin}: positions")
    if positions.ndim != 3 or positions.shape[2] != 3:
        raise InputError(f"{origin}: coordinates must have shape (frames, atoms, 3), got {positions.shape}")
    n_frames, n_atoms, _ = positions.shape
    if not n_frames:
        raise InputError(f"{origin}: holds no frame")
    if not n_atoms:
        raise InputError(f"{origin}: holds no atom")
    numbers = elements_of(given["atomic_numbers"], f"{origin}: atomic numbers")
    if len(numbers) != n_atoms:
        raise InputError(f"{origin}: {len(numbers)} atom types for {n_atoms} atoms")
    periodic = _directions(given["periodic"], origin)
    lattices = real_numbers(given["lattices"], f"{origin}: lattices")
    if lattices.shape == (3, 3):
        lattices = np.broadcast_to(lattices, (n_frames, 3, 3))
    if lattices.shape != (n_frames, 3, 3):
        raise InputError(
            f"{origin}: lattices of shape {lattices.shape} for {n_frames} frames, ({n_frames}, 3, 3) is needed"
        )
    if not in_file:
        check_frames(origin, positions, lattices)
        positions = _kept(positions)
    lattices = _kept(completed_lattices(_kept(lattices), periodic))
    check_lattices(origin, lattices)
    times = {}
    for name in ("frame_interval", "frame_steps"):
        value = given[name]
        times[name] = None if value is None else real_number(value, name, where=origin)
    interval = times["frame_interval"]
    if interval is not None and not (np.isfinite(interval) and interval > 0):
        raise InputError(f"{origin}: frame interval {interval} is not a positive time")
    targets = given["targets"]
    return {
        "positions": positions,
        "lattices": lattices,
        "atomic_numbers": _kept(numbers, np.int32),
        "periodic": periodic,
        "segments": _segments(given["segments"], n_frames, origin),
        "targets": None if targets is None else _kept(target_rows(targets, n_atoms, f"{origin}: targets"), np.int32),
        **times,
    }


def _kept(array: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    """The array in the type in which it is kept, which nobody can write to: a copy where somebody could."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and not owner.flags.writeable:
        owner = owner.base
    with np.errstate(over="ignore"):  # of more than double precision
        kept: np.ndarray = array.astype(dtype, copy=isinstance(owner, np.ndarray), subok=False)
    kept.setflags(write=False)
    return kept


def _directions(periodic: Any, origin: str) -> tuple[bool, ...]:
    try:
        found = np.asarray(periodic)
    except ValueError:  # of unequal length
        found = np.empty(0)
    if found.shape != (3,) or found.dtype.kind not in "biu" or not np.isin(found, (0, 1)).all():
        raise InputError(f"{origin}: periodic {periodic!r}: three of True and False are needed")
    return tuple(bool(along) for along in found)


def _segments(segments: Any, n_frames: int, origin: str) -> tuple[int, ...]:
    found = whole_numbers(segments, f"{origin}: segments")
    if found.ndim != 1:
        raise InputError(f"{origin}: segments of shape {found.shape}, a list of numbers of frames is needed")
    counts = tuple(found.tolist()) or (n_frames,)
    if sum(counts) != n_frames or min(counts) < 1:
        raise InputError(f"{origin}: segments {counts} do not add up to {n_frames} frames")
    return counts


def target_rows(targets: Any, n_atoms: int, what: str) -> np.ndarray:
    """Targets as rows of atom indices.

    Parameters
    ----------
    targets : (n_targets,) or (n_targets, k) array-like of int
    n_atoms : int
    what : str
        What they are and of which file or argument, for the messages.

    Returns
    -------
    (n_targets, k) int32

    Raises
    ------
    InputError
        If there are none, or an index is not one of the atoms or stands there twice.
    """
    indices = whole_numbers(targets, what)
    if indices.ndim not in (1, 2) or not indices.size:
        raise InputError(f"{what}: of shape (n_targets,) or (n_targets, k) are needed, got {indices.shape}")
    indices = indices.reshape(len(indices), -1)
    outside = indices[(indices < 0) | (indices >= n_atoms)]
    if outside.size:
        raise InputError(f"{what}: {outside[0]} is not one of the {n_atoms} atoms (0 to {n_atoms - 1})")
    values, counts = np.unique(indices, return_counts=True)
    if counts.max() > 1:
        raise InputError(f"{what}: {values[counts > 1][0]} stands in them twice")
    return indices.astype(np.int32)


def frame_selection(start: Any, stop: Any, stride: Any) -> tuple[int | None, int | None, int | None]:
    """Frames to keep as plain numbers, None where one is not given.

    Raises
    ------
    InputError
        If one is no whole number or too large, or the stride is below 1.
    """
    found: list[int | None] = []
    for name, value in (("start", start), ("stop", stop), ("stride", stride)):
        number = None if value is None else whole_number(value, name, least=1 if name == "stride" else None)
        if number is not None and abs(number) >= _MOST_FRAMES:
            raise InputError(f"`{name}={number}`: no trajectory has so many frames")
        found.append(number)
    return found[0], found[1], found[2]


def fields_of_ase(frames: Iterable[Any], where: str) -> dict[str, Any]:
    """Fields of a trajectory from ASE's frames.

    Parameters
    ----------
    frames : list of ase.Atoms
    where : str
        File or name, for the message.

    Returns
    -------
    dict
        positions, lattices, atomic_numbers and periodic.

    Raises
    ------
    InputError
        If there are none, they are something else, or atoms or periodicity change.
    """
    if _is_atoms(frames) or not hasattr(frames, "__iter__"):
        raise InputError(f"{where}: a list of ase.Atoms is needed, not {type(frames).__name__}")
    frames = list(frames)
    if not frames:
        raise InputError(f"{where}: holds no frame")
    for n, frame in enumerate(frames):
        if not _is_atoms(frame):
            raise InputError(f"{where}: frame {n} is of type {type(frame).__name__}, ase.Atoms are needed")
    first = frames[0]
    for n, frame in enumerate(frames):
        if len(frame) != len(first):
            raise InputError(f"{where}: frame {n} has {len(frame)} atoms, frame 0 has {len(first)}")
        if not np.array_equal(frame.numbers, first.numbers) or (frame.pbc != first.pbc).any():
            raise InputError(f"{where}: elements or periodicity change in frame {n}")
    positions = np.stack([frame.positions for frame in frames])
    positions.setflags(write=False)  # nobody else has it: no need for a copy
    return {
        "positions": positions,
        "lattices": np.stack([frame.cell.array for frame in frames]),
        "atomic_numbers": first.numbers,
        "periodic": tuple(first.pbc),
    }


def _is_atoms(frame: Any) -> bool:
    return all(hasattr(frame, name) for name in ("positions", "numbers", "cell", "pbc"))


def fields_of_mdanalysis(
    universe: Any, select: str | None, start: int | None, stop: int | None, where: str
) -> dict[str, Any]:
    """Fields of a trajectory from an MDAnalysis universe, which stays at the frame where it is.

    Parameters
    ----------
    universe : MDAnalysis.Universe or MDAnalysis.AtomGroup
    select : str, optional
        Atoms to take, in MDAnalysis's selection language.
    start, stop : int, optional
    where : str
        File or name, for the message.

    Returns
    -------
    dict
        positions, lattices, atomic_numbers, periodic and attributes, frame_interval and time_unit where the times are
        known.

    Raises
    ------
    InputError
        If no frame or atom is selected, elements cannot be told, some frames alone have a box, or they are not equally
        spaced in time.
    """
    from MDAnalysis.exceptions import SelectionError
    from MDAnalysis.lib.mdamath import triclinic_vectors

    if not hasattr(universe, "atoms") or not hasattr(universe.atoms, "universe"):
        raise InputError(f"{where}: an MDAnalysis universe or group of atoms is needed, not {type(universe).__name__}")
    try:
        atoms = universe.atoms if select is None else universe.select_atoms(plain_text(select, "select"))
    except SelectionError as error:
        raise InputError(f"{where}: `select={select!r}`: {error}") from None
    if not len(atoms):
        raise InputError(f"{where}: no atom is selected")
    numbers, attributes, findings = atoms_of_mdanalysis(atoms, where)
    for finding in findings:
        warnings.warn(f"{where}: {finding}", stacklevel=3)
    frames = atoms.universe.trajectory
    before, positions, boxes, times = frames.frame, [], [], []
    for step in frames[start:stop]:
        positions.append(atoms.positions)  # a copy
        box = np.zeros(6) if step.dimensions is None else step.dimensions
        boxes.append(triclinic_vectors(box, dtype=np.float64))
        times.append(step.time)
    interval = time_step(frames)
    frames[before]
    if not positions:
        raise InputError(f"{where}: `start={start}` `stop={stop}` selects none of {len(frames)} frames")
    lattices = np.stack(boxes)
    boxed = np.asarray(lattices.any(axis=(1, 2)))
    if boxed.any() and not boxed.all():
        raise InputError(f"{where}: frame {int(np.argmin(boxed))} has no box, others have one")
    together = np.stack(positions)
    together.setflags(write=False)  # nobody else has it: no need for a copy
    fields = {
        "positions": together,
        "lattices": lattices,
        "atomic_numbers": numbers,
        "periodic": (bool(boxed[0]),) * 3,
        "attributes": attributes,
    }
    steps = np.diff(times)
    if interval is not None and len(steps):
        interval = float(np.median(steps))
        odd = np.abs(steps - interval) > _SAME_TIME * abs(interval)
        if odd.any() or not interval > 0:
            frame = int(np.argmax(odd))
            raise InputError(
                f"{where}: frames are not equally spaced in time: {times[frame]:g} and {times[frame + 1]:g} ps follow "
                f"each other where {interval:g} ps is usual"
            )
    return fields if interval is None else {**fields, "frame_interval": interval, "time_unit": "ps"}


def time_step(frames: Any) -> float | None:
    """Time between frames, ps; None when the reader does not know it, which MDAnalysis tells by a warning alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return float(frames[0].dt)
        except UserWarning:
            return None
