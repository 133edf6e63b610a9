"""Files that ASE reads."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.trajectory.readers.compression import first_bytes, plain_file
from gdynet_tf.trajectory.readers.library import guarded, needed
from gdynet_tf.trajectory.source import Frame, FrameSource, gathered

__all__ = ["is_castep", "open_ase"]

_HEAD = 2**21  # bytes in which the settings of a run stand
# Time between configurations, fs, where the file tells it once; for VASP only in molecular dynamics.
_TIME_STEPS = {
    "vasp-out": rb"^\s*POTIM\s*=\s*([\d.]+)",
    "vasp-xml": rb'<i name="POTIM">\s*([\d.]+)',
    "espresso-out": rb"Time step\s*=\s*[\d.]+ a\.u\.,\s*([\d.]+) femto-seconds",
}
_DYNAMICS = {"vasp-out": rb"^\s*IBRION\s*=\s*0\b", "vasp-xml": rb'<i type="int" name="IBRION">\s*0\s*<'}


def is_castep(head: bytes, dynamics: bool) -> bool:
    """Whether a file that begins like this is a .md file of CASTEP, or else a .geom file."""
    return b"BEGIN header" in head and b"<-- h" in head and (b"<-- T" in head or b"<-- V" in head) == dynamics


def open_ase(path: str | Path, kind: str) -> FrameSource:
    """Open a file in a format of ASE.

    Parameters
    ----------
    path : path-like
    kind : str
        ASE's name of the format.

    Returns
    -------
    FrameSource
        Times in fs where a file of molecular dynamics tells them. ASE's .traj and CASTEP's .md and .geom files and
        OUTCAR are read frame by frame; of the others ASE reads all at once.
    """
    needed("ase", path)
    images = guarded(_images(path, kind), path, "ASE")
    first = next(images)
    interval = _time_step(path, kind)
    charges = first.get_initial_charges()
    return FrameSource(
        path=str(path),
        atomic_numbers=first.numbers.astype(np.int32),
        chunks=gathered(_frames(chain([first], images), first, kind, path, interval), str(path)),
        periodic=tuple(bool(p) for p in first.pbc),
        time_unit="fs" if _times_itself(first, kind) or interval is not None else None,
        attributes={"charges": charges} if charges.any() else {},
        sources=(str(path),),
    )


def _images(path: str | Path, kind: str) -> Iterator[Any]:
    """ASE's frames."""
    from ase.io import iread

    with plain_file(path) as plain:
        # Of these iread, which does for the others, reads all before it gives the first.
        if kind in ("castep-md", "castep-geom"):
            from ase.io.castep.geom_md_ts import iread_castep_geom, iread_castep_md

            read: Any = iread_castep_md if kind == "castep-md" else iread_castep_geom
            with open(plain, encoding="utf-8") as file:
                yield from read(_whole(file, path))
            return
        if kind == "vasp-out":
            from ase.io.vasp import iread_vasp_out

            with open(plain, encoding="utf-8") as file:
                yield from iread_vasp_out(file, index=":")
            return
        yield from iread(str(plain), index=":", format=kind, do_not_split_by_at_sign=True)
        if kind == "vasp-xml":  # ASE leaves out what is not whole
            with open(plain, "rb") as file:
                file.seek(max(0, plain.stat().st_size - 64))
                if b"</modeling>" not in file.read():
                    raise TruncatedFile(f"{path}: ends before </modeling>; the file is truncated")


def _whole(lines: Iterable[str], path: str | Path) -> Iterator[str]:
    """Lines of a file that ends on the blank one that closes each frame."""
    line = ""
    for line in lines:
        yield line
    if line.strip():
        raise TruncatedFile(f"{path}: ends within a frame; the file is truncated")


def _times_itself(image: Any, kind: str) -> bool:
    """Whether frames tell their time, in ASE's units: what users note in other formats may be anything."""
    return kind.startswith("castep") and "time" in image.info


def _frames(images: Iterator[Any], first: Any, kind: str, path: str | Path, interval: float | None) -> Iterator[Frame]:
    from ase.units import fs

    charged = first.get_initial_charges().any()
    for n, image in enumerate(images):
        if len(image) == len(first) and (image.numbers != first.numbers).any():
            raise InputError(f"{path}: the elements change in frame {n}")
        if (image.pbc != first.pbc).any():
            raise InputError(f"{path}: the periodicity changes in frame {n}")
        cell = image.cell.array
        time = None if interval is None else n * interval
        if _times_itself(image, kind):
            time = image.info["time"] / fs
        yield Frame(
            positions=image.positions,
            # Where nothing is periodic the file says so: ASE's own formats keep it.
            lattice=cell if cell.any() or not image.pbc.any() else None,
            time=time,
            charges=image.get_initial_charges() if charged else None,
        )


def _time_step(path: str | Path, kind: str) -> float | None:
    """Time between configurations, fs, from the settings at the beginning of the file."""
    if kind not in _TIME_STEPS:
        return None
    head = first_bytes(path, _HEAD)
    told = re.search(_TIME_STEPS[kind], head, re.MULTILINE)
    if told is None or (kind in _DYNAMICS and re.search(_DYNAMICS[kind], head, re.MULTILINE) is None):
        return None
    return float(told[1]) or None
