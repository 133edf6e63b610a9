"""Readers: from a file of any known format to one `Trajectory`.

A format is a name, a test of the file name, a function ``read(path)``, or ``read(path, species)`` where files need not
name the elements; another one is one more entry of `FORMATS`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers.extxyz import read_extxyz
from gdynet_tf.trajectory.readers.lammps import read_lammps
from gdynet_tf.trajectory.readers.npz import read_npz, write_compact
from gdynet_tf.trajectory.readers.xdatcar import read_xdatcar

__all__ = ["EXAMPLE", "FORMATS", "Format", "read_trajectory", "write_compact"]

EXAMPLE = Path(__file__).parents[2] / "data" / "li_fcc.npz"  # ships with the package


class Format(NamedTuple):
    """How files of a format are recognised and read."""

    name: str
    matches: Callable[[str], bool]
    read: Callable
    takes_species: bool = False


def _ending(*suffixes):
    return lambda name: name.endswith(suffixes)


FORMATS = [
    Format("traj.npz of the 2019 code, compact .npz", _ending(".npz"), read_npz),
    Format("VASP XDATCAR", lambda name: "xdatcar" in name, read_xdatcar),
    Format("LAMMPS dump (.lammpstrj, .dump)", _ending(".lammpstrj", ".dump", ".lammpsdump"), read_lammps, True),
    Format("extended XYZ (.xyz, .extxyz)", _ending(".xyz", ".extxyz"), read_extxyz),
]
"""The formats, tried in this order; file names are compared in lower case and without .gz."""


def read_trajectory(path, species=None, start=None, stop=None, stride=None):
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
        raise InputError(f"--species {' '.join(species)}: {path} has the elements itself")
    try:
        trajectory = format_.read(path, species) if format_.takes_species else format_.read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return trajectory.select(start, stop, stride) if (start, stop, stride) != (None,) * 3 else trajectory
