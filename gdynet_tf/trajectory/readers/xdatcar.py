"""VASP XDATCAR, with a constant or a varying cell."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.trajectory.elements import atomic_number
from gdynet_tf.trajectory.readers.text import Lines, Table, batches, floats, integer, open_lines
from gdynet_tf.trajectory.source import Chunk, FrameSource

__all__ = ["is_xdatcar", "open_xdatcar"]

_CONFIGURATION = re.compile(r"\s*(Direct|Cartesian) configuration\s*=\s*(\d*)", re.IGNORECASE)


class _Header(NamedTuple):
    """Configuration number and the cell that it is in."""

    number: int
    lattice: np.ndarray


def is_xdatcar(head: bytes) -> bool:
    """Whether a file that begins like this is an XDATCAR."""
    lines = head.decode("utf-8", "replace").splitlines()
    return len(lines) > 7 and _CONFIGURATION.match(lines[7]) is not None


def open_xdatcar(path: str | Path) -> FrameSource:
    """Open an XDATCAR of VASP 5 or later.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    FrameSource
        Wrapped as VASP writes it. The file tells no times; steps are the configuration numbers.
    """
    frames = _frames(path)
    first, numbers, rows = next(frames)
    return FrameSource(
        path=str(path),
        atomic_numbers=numbers,
        chunks=_chunks(chain([(first, rows)], ((header, rows) for header, _, rows in frames)), path, len(numbers)),
        sources=(str(path),),
    )


def _frames(path: str | Path) -> Iterator[tuple[_Header, np.ndarray, bytes]]:
    """Header, atomic numbers and rows of each configuration; never none."""
    lattice, numbers, last = None, None, 0
    with open_lines(path) as lines:
        while (line := lines.skip_blank()) is not None:
            configuration = _CONFIGURATION.match(line)
            if configuration is None:
                at = lines.number
                lattice, found = _lattice_and_atoms(lines)
                if numbers is not None and not np.array_equal(found, numbers):
                    raise InputError(f"{path}: line {at + 5}: the atoms change after configuration {last}")
                numbers = found
                continue
            if lattice is None or numbers is None:
                raise InputError(f"{path}: line {lines.number}: a configuration before the lattice")
            if configuration[1].lower() == "cartesian":
                raise InputError(f"{path}: line {lines.number}: Cartesian configurations are not written by VASP")
            # Stars, once its six places are full.
            last = integer(path, "configuration", configuration[2]) if configuration[2] else last + 1
            yield _Header(last, lattice), numbers, lines.rows(len(numbers), f"configuration {last}")
    if not last:
        raise InputError(f"{path}: holds no configuration")


def _lattice_and_atoms(lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Seven lines, of which the comment has been read: scale, three lattice vectors, symbols, counts."""
    path, at = lines.path, lines.number
    block = []
    for n in range(1, 7):
        line = lines.read()
        if not line.strip():
            raise TruncatedFile(f"{path}: line {at}: the header has {n} of 7 lines; the file is truncated")
        block.append(line.split())
    scale = floats(path, f"line {at + 1}", block[0], 1)[0]
    lattice = np.stack([floats(path, f"line {at + 2 + i}", block[1 + i], 3) for i in range(3)])
    if scale < 0:  # minus the volume of the cell
        scale = np.cbrt(-scale / abs(np.linalg.det(lattice)))
    symbols, counts = block[4], block[5]
    if len(symbols) != len(counts) or not all(count.isdigit() for count in counts):
        raise InputError(f"{path}: lines {at + 5} and {at + 6}: element symbols and their counts are needed (VASP 5)")
    numbers = np.array([atomic_number(symbol.split("_")[0].split("/")[0], path) for symbol in symbols], np.int32)
    lines.check_count(sum(int(count) for count in counts), "a configuration")
    return scale * lattice, np.repeat(numbers, [int(count) for count in counts])


def _chunks(frames: Iterator[tuple[_Header, bytes]], path: str | Path, n_atoms: int) -> Iterator[Chunk]:
    table = Table(path, ("x", "y", "z"), b"0 0 0")
    for headers, block in batches(frames):

        def where(row: int, headers: list[_Header] = headers) -> str:
            return f"configuration {headers[row // n_atoms].number}"

        columns = table(block, len(headers) * n_atoms, where)
        fractional = np.stack([columns[axis] for axis in "xyz"], axis=-1).reshape(len(headers), n_atoms, 3)
        lattices = np.stack([header.lattice for header in headers])
        yield Chunk(
            positions=fractional @ lattices,
            lattices=lattices,
            steps=np.array([header.number for header in headers], np.int64),
        )
