"""CP2K's trajectories: an XYZ file, and the cells in a file beside it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.trajectory.readers.extxyz import open_extxyz
from gdynet_tf.trajectory.readers.text import floats, open_lines
from gdynet_tf.trajectory.source import Chunk, FrameSource

__all__ = ["is_cell_file", "is_cp2k", "open_cp2k"]

_SAME = 1e-9  # Å, of the cell files' ten digits


def is_cp2k(head: bytes) -> bool:
    """Whether a file that begins like this is a trajectory of CP2K."""
    return re.match(rb"\s*\d+\s*\n\s*i\s*=\s*\d+", head) is not None


def is_cell_file(path: str | Path) -> bool:
    """Whether a file holds the cells of CP2K."""
    with open_lines(path) as lines:
        return lines.read().split()[:3] == ["#", "Step", "Time"]


def open_cp2k(path: str | Path, cells: str | Path | None = None) -> FrameSource:
    """Open a trajectory of CP2K (``PROJECT-pos-1.xyz``).

    Parameters
    ----------
    path : path-like
    cells : path-like, optional
        File of the cells; by default ``PROJECT-1.cell`` beside it, when there is one.

    Returns
    -------
    FrameSource
        Times in fs, steps as CP2K counts them. Without cells when there is no file of them.
    """
    source = open_extxyz(path)
    cells = cells or _beside(Path(path))
    if cells is None:
        return source
    return replace(source, chunks=_with_cells(source.chunks, path, cells), sources=(*source.sources, str(cells)))


def _beside(path: Path) -> Path | None:
    name = re.sub(r"-pos(-\d+)\.xyz.*$", r"\1.cell", path.name)
    beside = path.with_name(name)
    return beside if name != path.name and beside.is_file() else None


def _with_cells(chunks: Iterator[Chunk], path: str | Path, cells: str | Path) -> Iterator[Chunk]:
    """The cell of each step; the files may have been written at different intervals."""
    table = _cells(cells)
    step, cell = next(table, (None, None))
    first, constant, last = cell, True, -1
    for chunk in chunks:
        lattices = []
        for wanted in chunk.steps if chunk.steps is not None else []:
            restarted, last = wanted < last, wanted
            while step is not None and (step < wanted or restarted):
                before = step
                step, cell = next(table, (None, None))
                restarted = restarted and step is not None and step > before  # until the cells go back too
                constant = constant and (cell is None or np.abs(cell - first).max() < _SAME)
            if step == wanted:
                lattices.append(cell)
            elif constant and first is not None:  # written less often than the positions
                lattices.append(first)
            else:
                raise InputError(f"{cells}: has no cell of step {wanted}, which {path} has")
        yield chunk._replace(lattices=np.array(lattices))


def _cells(path: str | Path) -> Iterator[tuple[int | None, np.ndarray | None]]:
    with open_lines(path) as lines:
        while (line := lines.skip_blank()) is not None:
            if not line.startswith("#"):
                words = floats(path, f"line {lines.number}", line.split()[:11], 11)
                yield int(words[0]), words[2:].reshape(3, 3)
