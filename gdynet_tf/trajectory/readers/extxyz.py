"""Extended XYZ, read by ASE."""

from pathlib import Path

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.objects import fields_of_ase
from gdynet_tf.trajectory.readers.text import open_text, stem
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read_extxyz"]


def read_extxyz(path: str | Path) -> Trajectory:
    """Read an (extended) XYZ file; without ``Lattice`` the system is not periodic.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Trajectory
        The file does not tell the interval.
    """
    from ase.io.extxyz import read_extxyz as ase_read  # slow to import

    with open_text(path) as file:
        try:
            frames = list(ase_read(file, index=slice(None)))
        except InputError:
            raise
        except Exception as error:  # ASE raises many kinds for a malformed file
            raise InputError(f"{path}: cannot be read as extended XYZ: {error}") from None
    return Trajectory(name=stem(path), sources=(str(path),), **fields_of_ase(frames, str(path)))
