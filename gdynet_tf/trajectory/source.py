"""What a reader hands over: the atoms at once, the frames in chunks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gdynet_tf.findings import Finding

__all__ = ["Chunk", "FrameSource"]


class Chunk(NamedTuple):
    """Consecutive frames as the file has them.

    Attributes
    ----------
    positions : (f, N, 3) float64
        Å.
    lattices : (f, 3, 3) float64, optional
        Å, rows are lattice vectors; None where the file tells no cell.
    times : (f,) float64, optional
        In the time unit of the source; None where the file tells none.
    steps : (f,) int64, optional
        Time steps of the simulation, configuration numbers; None where the file tells none.
    """

    positions: np.ndarray
    lattices: np.ndarray | None = None
    times: np.ndarray | None = None
    steps: np.ndarray | None = None


@dataclass(frozen=True)
class FrameSource:
    """A trajectory file that has been opened; its frames can be read once, from the first to the last.

    Attributes
    ----------
    path : str
        By which messages call it.
    atomic_numbers : (N,) int32
    chunks : iterator of Chunk
        Of at most some megabytes each, so that memory does not grow with the file.
    periodic : tuple of bool
        Along each lattice vector.
    time_unit : str, optional
        Of the times.
    unwrapped : bool
        Whether the coordinates are known to be unwrapped.
    targets : (n_targets, k) int32, optional
        When the file names them.
    attributes : mapping of str to array
        What else is known of the atoms, by MDAnalysis' names: names, types, resids, resnames, masses, charges (e),
        each (N,), and bonds (n, 2).
    findings : tuple of Finding
        What is to be said of the file: elements told by masses, for instance.
    sources : tuple of str
        Files read, ``path`` first.
    """

    path: str
    atomic_numbers: np.ndarray = field(repr=False)
    chunks: Iterator[Chunk] = field(repr=False)
    periodic: tuple[bool, ...] = (True, True, True)
    time_unit: str | None = None
    unwrapped: bool = False
    targets: np.ndarray | None = field(default=None, repr=False)
    attributes: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    findings: tuple[Finding, ...] = ()
    sources: tuple[str, ...] = ()
