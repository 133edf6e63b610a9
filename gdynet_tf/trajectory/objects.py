"""Frames from objects of other packages, as the fields of a `Trajectory`."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.universe import atoms_of_mdanalysis

__all__ = ["fields_of_ase", "fields_of_mdanalysis", "time_step"]

_SAME_TIME = 1e-3  # of a step, by which steps in time may differ: XTC keeps times in single precision


def fields_of_ase(frames: Sequence[Any], where: str) -> dict[str, Any]:
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
        If there are none, or atoms or periodicity change.
    """
    if not len(frames):
        raise InputError(f"{where}: holds no frame")
    first = frames[0]
    for n, frame in enumerate(frames):
        if len(frame) != len(first):
            raise InputError(f"{where}: frame {n} has {len(frame)} atoms, frame 0 has {len(first)}")
        if not np.array_equal(frame.numbers, first.numbers) or (frame.pbc != first.pbc).any():
            raise InputError(f"{where}: elements or periodicity change in frame {n}")
    return {
        "positions": np.stack([frame.positions for frame in frames]),
        "lattices": np.stack([frame.cell.array for frame in frames]),
        "atomic_numbers": first.numbers,
        "periodic": tuple(first.pbc),
    }


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

    try:
        atoms = universe.atoms if select is None else universe.select_atoms(select)
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
        positions.append(atoms.positions.astype(np.float64))
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
    fields = {
        "positions": np.stack(positions),
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
