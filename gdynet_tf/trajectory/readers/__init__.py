"""Readers: from a file of any known format to a `FrameSource`.

A format is a name, what its files begin with or are called, and a function that opens one; another one is one more
entry of `FORMATS`.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.objects import fields_of_mdanalysis
from gdynet_tf.trajectory.readers.compression import SUFFIXES, open_binary, stem
from gdynet_tf.trajectory.readers.extxyz import is_extxyz, open_extxyz
from gdynet_tf.trajectory.readers.lammps import is_lammps, open_lammps
from gdynet_tf.trajectory.readers.npz import is_npz, open_npz, write_compact
from gdynet_tf.trajectory.readers.xdatcar import is_xdatcar, open_xdatcar
from gdynet_tf.trajectory.source import Chunk, FrameSource

__all__ = ["EXAMPLE", "FORMATS", "Format", "open_source", "write_compact"]

EXAMPLE = Path(__file__).parents[2] / "data" / "li_fcc.npz"  # ships with the package

_HEAD = 2**14  # bytes by which a format is recognised


class Format(NamedTuple):
    """How files of a format are recognised and opened.

    Attributes
    ----------
    name : str
        As ``format`` takes it.
    description : str
        As messages show it.
    open : callable
        ``open(path, **given) -> FrameSource``, with those arguments of `open_source` that ``takes`` names.
    recognises : callable
        Whether a file that begins with these bytes, decompressed, is one.
    endings : tuple of str
        Of file names, in lower case, without that of a compression; for files that their content does not tell.
    takes : tuple of str
    """

    name: str
    description: str
    open: Callable[..., FrameSource]
    recognises: Callable[[bytes], bool] = lambda head: False
    endings: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


FORMATS = [
    Format("npz", "traj.npz of the 2019 code, compact .npz", open_npz, is_npz, (".npz",)),
    Format("lammps", "LAMMPS dump", open_lammps, is_lammps, (".lammpstrj", ".dump", ".lammpsdump"), ("species",)),
    Format("xdatcar", "VASP XDATCAR", open_xdatcar, is_xdatcar, ("xdatcar",)),
    Format("extxyz", "(extended) XYZ", open_extxyz, is_extxyz, (".xyz", ".extxyz")),
]
"""The formats, tried in this order: by content, then by name."""


def _recognised(path: Path, format: str | None) -> Format:
    if format is not None:
        found = next((f for f in FORMATS if f.name == format), None)
        if found is None:
            raise InputError(f"`format={format}`: is not known; known are {', '.join(f.name for f in FORMATS)}")
        return found
    with open_binary(path) as file:
        head = file.read(_HEAD)
    name = path.name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    found = next((f for f in FORMATS if f.recognises(head)), None)
    found = found or next((f for f in FORMATS if name.endswith(f.endings)), None)
    if found is None:
        raise InputError(
            f"{path}: neither its content nor its name is that of a known format; known are "
            f"{', '.join(f'{f.name} ({f.description})' for f in FORMATS)}"
        )
    return found


def open_source(
    path: str | Path,
    *,
    topology: str | Path | None = None,
    format: str | None = None,
    species: Sequence[str] | None = None,
) -> FrameSource:
    """Open a trajectory file of any known format.

    Parameters
    ----------
    path : path-like
        Compressed or not.
    topology : path-like, optional
        A file that names the atoms.
    format : str, optional
        Name of an entry of `FORMATS`, to insist; by default the content of the file tells, else its name.
    species : list of str, optional
        Elements of the atom types 1, 2, ..., for files that do not name elements.

    Returns
    -------
    FrameSource

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
    if topology is not None:
        return _with_topology(path, topology)
    try:
        found = _recognised(path, format)
        if species and "species" not in found.takes:
            raise InputError(f"`species={' '.join(species)}`: {path} has the elements itself")
        return found.open(path, species=species) if "species" in found.takes else found.open(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _with_topology(path: Path, topology: str | Path) -> FrameSource:
    """Interim: the whole file, by MDAnalysis."""
    try:
        from MDAnalysis import Universe
    except ImportError:
        raise InputError(f"`topology={topology}`: needs MDAnalysis: pip install MDAnalysis") from None
    if not Path(topology).is_file():
        raise InputError(f"{topology}: no such file")
    try:
        with warnings.catch_warnings():  # about masses that it guesses, which nothing here uses
            warnings.simplefilter("ignore")
            universe = Universe(str(topology), str(path))
    except Exception as error:  # MDAnalysis raises many kinds for a malformed file
        raise InputError(f"{path} with {topology}: cannot be read by MDAnalysis: {error!r}") from None
    fields = fields_of_mdanalysis(universe, None, None, None, stem(path))
    times = np.array([step.time for step in universe.trajectory])
    universe.trajectory.close()
    chunk = Chunk(fields["positions"], fields["lattices"] if any(fields["periodic"]) else None, times)
    return FrameSource(
        str(path), fields["atomic_numbers"], iter([chunk]), time_unit="ps", sources=(str(path), str(topology))
    )
