"""Readers: from a file of any known format to a `FrameSource`.

A format is a name, what its files begin with or are called, and a function that opens one; another one is one more
entry of `FORMATS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.elements import symbol
from gdynet_tf.trajectory.readers.ase import is_castep, open_ase
from gdynet_tf.trajectory.readers.compression import SUFFIXES, first_bytes
from gdynet_tf.trajectory.readers.cp2k import is_cell_file, is_cp2k, open_cp2k
from gdynet_tf.trajectory.readers.extxyz import is_extxyz, open_extxyz
from gdynet_tf.trajectory.readers.lammps import is_lammps, is_lammps_data, open_lammps
from gdynet_tf.trajectory.readers.mdanalysis import (
    is_dlpoly,
    is_gro,
    is_pdb,
    open_mdanalysis,
    read_topology,
)
from gdynet_tf.trajectory.readers.npz import is_npz, open_npz, write_compact
from gdynet_tf.trajectory.readers.xdatcar import is_xdatcar, open_xdatcar
from gdynet_tf.trajectory.source import FrameSource

__all__ = ["EXAMPLE", "FORMATS", "Format", "open_source", "write_compact"]

EXAMPLE = Path(__file__).parents[2] / "data" / "li_fcc.npz"  # ships with the package


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


_ELEMENTS = ("species", "elements_known")


def _begins(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _mdanalysis(
    name: str, description: str, kind: str, recognises: Callable[[bytes], bool], endings: tuple[str, ...]
) -> Format:
    return Format(name, description, partial(open_mdanalysis, kind=kind), recognises, endings, ("topology", "species"))


def _ase(
    name: str, description: str, kind: str, recognises: Callable[[bytes], bool], endings: tuple[str, ...]
) -> Format:
    return Format(name, description, partial(open_ase, kind=kind), recognises, endings)


FORMATS = [
    Format("npz", "traj.npz of the 2019 code, compact .npz", open_npz, is_npz, (".npz",)),
    Format("lammps", "LAMMPS dump", open_lammps, is_lammps, (".lammpstrj", ".dump", ".lammpsdump"), _ELEMENTS),
    Format("xdatcar", "VASP XDATCAR", open_xdatcar, is_xdatcar, ("xdatcar",)),
    Format("cp2k", "CP2K -pos-1.xyz", open_cp2k, is_cp2k, ("-pos-1.xyz",), ("cells",)),
    Format("extxyz", "(extended) XYZ", open_extxyz, is_extxyz, (".xyz", ".extxyz")),
    _mdanalysis("xtc", "GROMACS XTC", "XTC", _begins(b"\0\0\x07\xcb"), (".xtc",)),
    _mdanalysis("trr", "GROMACS TRR", "TRR", _begins(b"\0\0\x07\xc9"), (".trr",)),
    _mdanalysis("dcd", "CHARMM, NAMD or LAMMPS DCD", "DCD", lambda head: b"CORD" in head[4:12], (".dcd",)),
    _mdanalysis("netcdf", "AMBER NetCDF", "NCDF", _begins(b"CDF\x01", b"CDF\x02", b"CDF\x05"), (".nc", ".ncdf")),
    _mdanalysis("h5md", "H5MD", "H5MD", _begins(b"\x89HDF\r\n\x1a\n"), (".h5md", ".h5")),
    _mdanalysis("dlpoly", "DL_POLY HISTORY", "HISTORY", is_dlpoly, ("history",)),
    _mdanalysis("lammps-data", "LAMMPS data", "DATA", is_lammps_data, (".data",)),
    _mdanalysis("gro", "GROMACS GRO", "GRO", is_gro, (".gro",)),
    _mdanalysis("pdb", "PDB", "PDB", is_pdb, (".pdb",)),
    _ase("traj", "ASE .traj", "traj", _begins(b"- of UlmASE-Trajectory"), (".traj",)),
    _ase("vasprun", "VASP vasprun.xml", "vasp-xml", lambda head: b"<modeling>" in head, ("vasprun.xml",)),
    _ase("outcar", "VASP OUTCAR", "vasp-out", lambda head: head.lstrip().startswith(b"vasp."), ("outcar",)),
    _ase("castep-md", "CASTEP .md", "castep-md", lambda head: is_castep(head, True), (".md",)),
    _ase("castep-geom", "CASTEP .geom", "castep-geom", lambda head: is_castep(head, False), (".geom",)),
    _ase("castep", "CASTEP output", "castep-castep", lambda head: b"CASTEP version" in head, (".castep",)),
    _ase("espresso", "Quantum ESPRESSO output", "espresso-out", lambda head: b"Program PWSCF" in head, (".pwo",)),
]
"""The formats, tried in this order: by content, then by name."""


def _recognised(path: Path, format: str | None) -> Format:
    if format is not None:
        found = next((f for f in FORMATS if f.name == format), None)
        if found is None:
            raise InputError(f"`format={format}`: is not known; known are {', '.join(f.name for f in FORMATS)}")
        return found
    head = first_bytes(path)
    name = path.name.lower()
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    found = next((f for f in FORMATS if f.recognises(head)), None)
    found = found or next((f for f in FORMATS if name.endswith(f.endings)), None)
    if found is None:
        raise InputError(
            f"{path}: neither its content nor its name is that of a known format; known are "
            f"{', '.join(f'{f.name} ({f.description})' for f in FORMATS)}. `format` insists on one of them; "
            "gmx trjconv, cpptraj, MDAnalysis, mdconvert or ase convert make one of many others"
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
        A file that has the atoms, in any topology format of MDAnalysis; for CP2K it may be the file of the cells.
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
    for file in (path,) if topology is None else (path, Path(topology)):
        if file.is_dir():
            raise InputError(f"{file}: is a directory, a {'trajectory' if file is path else 'topology'} file is needed")
        if not file.exists():
            raise InputError(f"{file}: no such file")
    try:
        found = _recognised(path, format)
        cells = topology if topology is not None and "cells" in found.takes and is_cell_file(topology) else None
        topology = None if cells is not None else topology
        if species and "species" not in found.takes:
            raise InputError(f"`species={' '.join(species)}`: {path} has the elements itself")
        given = {"species": species, "topology": topology, "elements_known": topology is not None, "cells": cells}
        source = found.open(path, **{name: given[name] for name in found.takes})
        return source if topology is None or "topology" in found.takes else _with_atoms(source, topology)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _with_atoms(source: FrameSource, topology: str | Path) -> FrameSource:
    """The same with what a topology says of the atoms."""
    numbers, attributes, findings = read_topology(topology)
    if len(numbers) != len(source.atomic_numbers):
        raise InputError(f"{source.path}: has {len(source.atomic_numbers)} atoms, {topology} has {len(numbers)}")
    known = source.atomic_numbers > 0
    differ = known & (numbers != source.atomic_numbers)
    if differ.any():
        atom = int(np.argmax(differ))
        here, there = symbol(int(source.atomic_numbers[atom])), symbol(int(numbers[atom]))
        raise InputError(f"{source.path}: atom {atom} is {here}, in {topology} it is {there}")
    return replace(
        source,
        atomic_numbers=numbers,
        attributes={**source.attributes, **attributes},
        findings=source.findings + (() if known.all() else findings),
        sources=(*source.sources, str(topology)),
    )
