"""Extended XYZ, read by ASE."""

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers.text import open_text, stem
from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["read_extxyz"]


def read_extxyz(path):
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
    if not frames:
        raise InputError(f"{path}: holds no frame")
    for n, frame in enumerate(frames):
        if len(frame) != len(frames[0]):
            raise InputError(f"{path}: frame {n} has {len(frame)} atoms, frame 0 has {len(frames[0])}")
        if not np.array_equal(frame.numbers, frames[0].numbers) or (frame.pbc != frames[0].pbc).any():
            raise InputError(f"{path}: elements or periodicity change in frame {n}")
    return Trajectory(
        name=stem(path),
        positions=np.stack([frame.positions for frame in frames]),
        lattices=np.stack([frame.cell.array for frame in frames]),
        atomic_numbers=frames[0].numbers,
        periodic=tuple(frames[0].pbc),
        sources=(str(path),),
    )
