"""The 2019 code's ``traj.npz``, and the compact form of trajectories in which few atoms move."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers.text import stem
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read_npz", "write_compact"]

_FORMS = {
    "2019": ("traj_coords", "lattices", "atom_types"),
    "compact": (
        "positions",
        "lattice",
        "atomic_numbers",
        "mobile",
        "fractional",
        "frame_interval",
        "time_unit",
    ),
}
_STEPS = 65536  # of a lattice vector, in the compact form


def read_npz(path: str | Path) -> Trajectory:
    """Read either form; the keys tell which.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Trajectory
    """
    try:
        # np.load given a path leaves it open when the file turns out to be no archive.
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            content = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as .npz: {error}") from None
    form = "compact" if "fractional" in content else "2019"
    missing = [key for key in _FORMS[form] if key not in content]
    if missing:
        raise InputError(f"{path}: no {', '.join(missing)} in it; the keys are {', '.join(content) or 'none'}")
    common: dict[str, Any] = {"name": stem(path), "targets": content.get("target_index"), "sources": (str(path),)}
    if form == "2019":
        return Trajectory(
            positions=content["traj_coords"],
            lattices=content["lattices"],
            atomic_numbers=content["atom_types"],
            **common,
        )
    n_frames, lattice = len(content["fractional"]), content["lattice"]
    positions = np.repeat(content["positions"][None], n_frames, axis=0)
    positions[:, content["mobile"]] = content["fractional"] / _STEPS @ lattice
    return Trajectory(
        positions=positions,
        lattices=np.repeat(lattice[None], n_frames, axis=0),
        atomic_numbers=content["atomic_numbers"],
        frame_interval=float(content["frame_interval"]),
        time_unit=str(content["time_unit"]),
        **common,
    )


def write_compact(path: str | Path, trajectory: Trajectory, mobile: np.ndarray) -> None:
    """Write a trajectory of constant cell in which only some atoms move.

    Keys: ``lattice`` (3, 3), ``atomic_numbers`` (N,), ``positions`` (N, 3) of the first frame, ``mobile`` (n,),
    ``fractional`` (F, n, 3) uint16 in 1/65536 of the lattice vectors, wrapped, ``frame_interval``, ``time_unit`` and
    ``target_index``.

    Parameters
    ----------
    path : path-like
    trajectory : Trajectory
        With frame_interval, time_unit and targets.
    mobile : (n,) int array
        Atoms that move; the others are taken from the first frame.

    Raises
    ------
    ValueError
        If the trajectory lacks one of the three.
    """
    if trajectory.frame_interval is None or trajectory.time_unit is None or trajectory.targets is None:
        raise ValueError(f"{path}: the compact form needs frame_interval, time_unit and targets")
    lattice = trajectory.lattices[0]
    fractional = trajectory.positions[:, mobile] @ np.linalg.inv(lattice)
    np.savez_compressed(
        path,
        lattice=lattice,
        atomic_numbers=trajectory.atomic_numbers,
        positions=trajectory.positions[0],
        mobile=np.asarray(mobile, np.int32),
        fractional=np.round(fractional % 1 * _STEPS).astype(np.int64).astype(np.uint16),
        frame_interval=trajectory.frame_interval,
        time_unit=trajectory.time_unit,
        target_index=trajectory.targets,
    )
