"""The 2019 code's ``traj.npz``, and the compact form of trajectories in which few atoms move."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from gdynet_tf.errors import InputError, whole_numbers
from gdynet_tf.trajectory.elements import elements_of
from gdynet_tf.trajectory.objects import target_rows
from gdynet_tf.trajectory.source import Chunk, FrameSource

if TYPE_CHECKING:
    from gdynet_tf.trajectory.trajectory import Trajectory

__all__ = ["is_npz", "open_npz", "write_compact"]

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
_CHUNK = 2**22  # bytes of positions handed over at once
_LARGEST = 2**30  # bytes of what must be held whole


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype


def is_npz(head: bytes) -> bool:
    """Whether a file that begins like this is an archive of arrays."""
    return head.startswith(b"PK\x03\x04") and b".npy" in head


def open_npz(path: str | Path) -> FrameSource:
    """Open either form; the keys tell which.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FrameSource
        The 2019 form tells no times, the compact one does.
    """
    with _opened(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        form = "compact" if "fractional" in keys else "2019"
        missing = [key for key in _FORMS[form] if key not in keys]
        if missing:
            raise InputError(f"{path}: no {', '.join(missing)} in it; the keys are {', '.join(keys) or 'none'}")
        kinds = "atom_types" if form == "2019" else "atomic_numbers"
        numbers, targets = elements_of(_whole(archive, path, kinds, "iuf"), f"{path}: {kinds}"), None
        if "target_index" in keys:
            targets = target_rows(_whole(archive, path, "target_index", "iuf"), len(numbers), f"{path}: target_index")
        if form == "2019":
            _check_2019(archive, path, numbers.shape)
            chunks, unit = _chunks_2019(path), None
        else:
            chunks, unit = _chunks_compact(path, archive, len(numbers)), str(_whole(archive, path, "time_unit", "U"))
    return FrameSource(
        path=str(path),
        atomic_numbers=numbers,
        chunks=chunks,
        time_unit=unit,
        targets=targets,
        sources=(str(path),),
    )


@contextmanager
def _opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as .npz: {error}") from None


@contextmanager
def _member(archive: zipfile.ZipFile, path: str | Path, key: str, kinds: str) -> Iterator[tuple[IO[bytes], _Header]]:
    """An array of the archive behind its header, which has been checked against the size of the array."""
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        header = _Header(*read(file))
        if header.dtype.kind not in kinds:
            words = {"iuf": "real numbers", "U": "text", "iu": "whole numbers"}[kinds]
            raise InputError(f"{path}: {key} are {header.dtype}, {words} are needed")
        declared, held = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize, info.file_size - file.tell()
        if declared != held:
            raise InputError(f"{path}: {key} of shape {header.shape} need {declared} bytes, {held} are in the file")
        yield file, header


def _whole(archive: zipfile.ZipFile, path: str | Path, key: str, kinds: str) -> np.ndarray:
    with _member(archive, path, key, kinds) as (file, header):
        n = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
        if n > _LARGEST:
            raise InputError(f"{path}: {key} of shape {header.shape} are more than {_LARGEST} bytes")
        flat = np.frombuffer(file.read(n), header.dtype)
        return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _pieces(archive: zipfile.ZipFile, path: str | Path, key: str, kinds: str, n: int) -> Iterator[np.ndarray]:
    """An array, n rows of its first axis at a time."""
    with _member(archive, path, key, kinds) as (file, header):
        fortran, row = header.fortran, int(np.prod(header.shape[1:])) * header.dtype.itemsize
        if not fortran:
            for start in range(0, header.shape[0], n):
                count = min(n, header.shape[0] - start)
                yield np.frombuffer(file.read(count * row), header.dtype).reshape(count, *header.shape[1:])
    if fortran:  # frames are not one after another
        whole = _whole(archive, path, key, kinds)
        yield from (whole[start : start + n] for start in range(0, len(whole), n))


def _check_2019(archive: zipfile.ZipFile, path: str | Path, atoms: tuple[int, ...]) -> None:
    shapes = {}
    for key in ("traj_coords", "lattices"):
        with _member(archive, path, key, "iuf") as (_, header):
            shapes[key] = header.shape
    coordinates, lattices = shapes.values()
    if len(coordinates) != 3 or coordinates[2] != 3:
        raise InputError(f"{path}: coordinates must have shape (frames, atoms, 3), got {coordinates}")
    if not coordinates[0]:
        raise InputError(f"{path}: holds no frame")
    if atoms != coordinates[1:2]:
        raise InputError(f"{path}: {int(np.prod(atoms))} atom types for {coordinates[1]} atoms")
    if lattices != (coordinates[0], 3, 3):
        raise InputError(
            f"{path}: lattices of shape {lattices} for {coordinates[0]} frames, ({coordinates[0]}, 3, 3) is needed"
        )


def _chunks_2019(path: str | Path) -> Iterator[Chunk]:
    with _opened(path) as archive:
        with _member(archive, path, "traj_coords", "iuf") as (_, header):
            n = max(1, _CHUNK // (24 * header.shape[1]))
        positions = _pieces(archive, path, "traj_coords", "iuf", n)
        for x, lattices in zip(positions, _pieces(archive, path, "lattices", "iuf", n), strict=True):
            x = x if x.dtype.kind == "f" else x.astype(np.float64)
            yield Chunk(positions=x, lattices=lattices.astype(np.float64))


def _chunks_compact(path: str | Path, archive: zipfile.ZipFile, n_atoms: int) -> Iterator[Chunk]:
    first, lattice, interval = (_whole(archive, path, key, "iuf") for key in ("positions", "lattice", "frame_interval"))
    mobile = whole_numbers(_whole(archive, path, "mobile", "iuf"), f"{path}: mobile")
    with _member(archive, path, "fractional", "iu") as (_, header):
        found = {"positions": first.shape, "lattice": lattice.shape, "frame_interval": interval.shape}
        found |= {"mobile": mobile.shape, "fractional": header.shape}
    n = mobile.size
    needed = {"positions": (n_atoms, 3), "lattice": (3, 3), "frame_interval": (), "mobile": (n,)}
    needed["fractional"] = (*header.shape[:1], n, 3)
    for key, shape in needed.items():  # before frames are made of it
        if found[key] != shape or not n_atoms:
            raise InputError(f"{path}: {key} of shape {found[key]}, {shape} is needed")
    if n and not 0 <= mobile.min() <= mobile.max() < n_atoms:
        raise InputError(f"{path}: mobile names atoms {mobile.min()} to {mobile.max()} of {n_atoms}")

    def chunks() -> Iterator[Chunk]:
        n, start = max(1, _CHUNK // first.nbytes), 0
        with _opened(path) as archive:
            for fractional in _pieces(archive, path, "fractional", "iu", n):
                positions = np.repeat(first[None], len(fractional), axis=0)
                positions[:, mobile] = fractional / _STEPS @ lattice
                yield Chunk(
                    positions=positions,
                    lattices=np.repeat(lattice[None], len(fractional), axis=0),
                    times=np.arange(start, start + len(fractional)) * float(interval),
                )
                start += len(fractional)

    return chunks()


def write_compact(path: str | Path, trajectory: "Trajectory", mobile: np.ndarray) -> None:
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
