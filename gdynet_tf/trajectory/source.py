"""What a reader hands over: the atoms at once, the frames in chunks."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.findings import Finding

__all__ = ["Chunk", "Frame", "FrameSource", "gathered"]

_CHUNK = 2**22  # bytes of positions


class Chunk(NamedTuple):
    """Consecutive frames as the file has them.

    Attributes
    ----------
    positions : (f, N, 3) float array
        Å, in the precision of the file, which tells how large they may be.
    lattices : (f, 3, 3) float64, optional
        Å, rows are lattice vectors; None where the file tells no cell.
    times : (f,) float64, optional
        In the time unit of the source; None where the file tells none.
    steps : (f,) int64, optional
        Time steps of the simulation, configuration numbers; None where the file tells none.
    charges : (f, N) float64, optional
        e; where the file may tell others in each frame.
    """

    positions: np.ndarray
    lattices: np.ndarray | None = None
    times: np.ndarray | None = None
    steps: np.ndarray | None = None
    charges: np.ndarray | None = None


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


class Frame(NamedTuple):
    """One frame, as `Chunk` holds several.

    Attributes
    ----------
    positions : (N, 3) float array
    lattice : (3, 3) float64, optional
    time : float, optional
    step : int, optional
    charges : (N,) float64, optional
    """

    positions: np.ndarray
    lattice: np.ndarray | None = None
    time: float | None = None
    step: int | None = None
    charges: np.ndarray | None = None


def gathered(frames: Iterable[Frame], where: str) -> Iterator[Chunk]:
    """Frames one by one as chunks.

    Parameters
    ----------
    frames : iterable of Frame
        Of the same atoms.
    where : str
        File, for the messages.

    Raises
    ------
    InputError
        If the number of atoms changes, a step is too large a number, or some frames alone have a cell, a time or a
        step.
    TruncatedFile
        That of ``frames``, after the whole frames.
    """
    held: list[Frame] = []
    first, n, cut = None, 0, None
    try:
        for frame in frames:
            first = first or frame
            _check_like(frame, first, n, where)
            held.append(frame)
            n += 1
            if len(held) * frame.positions.size * 8 >= _CHUNK:
                yield _chunk(held)
                held = []
    except TruncatedFile as error:
        cut = error
    if held:
        yield _chunk(held)
    if cut is not None:
        raise cut


def _check_like(frame: Frame, first: Frame, n: int, where: str) -> None:
    if len(frame.positions) != len(first.positions):
        raise InputError(f"{where}: frame {n} has {len(frame.positions)} atoms, frame 0 has {len(first.positions)}")
    if frame.step is not None and abs(frame.step) >= 2**63:
        raise InputError(f"{where}: frame {n}: {frame.step} is no number of a time step")
    for field_ in ("lattice", "time", "step"):
        here, there = getattr(frame, field_), getattr(first, field_)
        if (here is None) != (there is None):
            without, with_ = (n, 0) if here is None else (0, n)
            what = "cell" if field_ == "lattice" else field_
            raise InputError(f"{where}: frame {without} has no {what}, frame {with_} has one")


def _chunk(frames: list[Frame]) -> Chunk:
    first = frames[0]
    return Chunk(
        positions=np.stack([frame.positions for frame in frames]),
        lattices=None if first.lattice is None else np.array([frame.lattice for frame in frames], np.float64),
        times=None if first.time is None else np.array([frame.time for frame in frames], np.float64),
        steps=None if first.step is None else np.array([frame.step for frame in frames], np.int64),
        charges=None if first.charges is None else np.array([frame.charges for frame in frames], np.float64),
    )
