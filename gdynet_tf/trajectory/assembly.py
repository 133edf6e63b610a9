"""One trajectory of the frames that sources hand over, which are checked, followed and kept as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.files import SourceFile
from gdynet_tf.findings import Finding
from gdynet_tf.spool import Spool
from gdynet_tf.trajectory.cells import completed_lattices
from gdynet_tf.trajectory.following import Follower, MeanCharges, check_frames, check_lattices
from gdynet_tf.trajectory.joins import Clock, SeenFrames, impossible_jumps, read_clock, too_coarse
from gdynet_tf.trajectory.readers.compression import stem
from gdynet_tf.trajectory.source import Chunk, FrameSource
from gdynet_tf.trajectory.trajectory import Trajectory, gathered

__all__ = ["Assembly", "NothingNew", "ReadingOptions", "close"]

_SAME_CELL = 1e-3  # relative, by which a given cell may differ from that of the file
_SAME_INTERVAL = 1e-3  # relative


@dataclass(frozen=True)
class ReadingOptions:
    """What `read` was asked for; attributes as its arguments.

    Attributes
    ----------
    cell : (3, 3) float64, optional
        Å, rows are lattice vectors.
    """

    cell: np.ndarray | None = None
    no_cell: bool = False
    frame_interval: float | None = None
    timestep: float | None = None
    time_unit: str = "ps"
    start: int | None = None
    stop: int | None = None
    stride: int | None = None
    allow_truncated: bool = False
    scratch: str | Path | None = None


class NothingNew(Exception):
    """All frames of a file have been there before, and were left out."""


def close(source: FrameSource) -> None:
    """Let a file go before its end."""
    closing = getattr(source.chunks, "close", None)
    if closing is not None:
        closing()


class Assembly:
    """A trajectory while its frames come in.

    Parameters
    ----------
    options : ReadingOptions
    seen : SeenFrames
    """

    def __init__(self, options: ReadingOptions, seen: SeenFrames) -> None:
        self.options, self.seen = options, seen
        self._sources: list[FrameSource] = []
        self._files: list[SourceFile] = []
        self._n_read = 0
        self._numbers: list[np.ndarray] = []  # of the frames that stay, as they were read
        self._n = 0
        self._times: list[np.ndarray | None] = []
        self._steps: list[np.ndarray | None] = []
        self._lattices: list[np.ndarray] = []
        self._charges = MeanCharges()
        self._findings: list[Finding] = []

    def add(self, source: FrameSource) -> None:
        """Read a source up to the frame at which to stop.

        Raises
        ------
        InputError
            If a frame holds impossible values, there is no cell or another one, the atoms are not those of the source
            before, or the file ends within a frame.
        """
        if not self._sources:
            self.seen.begin(source.path)
        elif not np.array_equal(source.atomic_numbers, self._sources[0].atomic_numbers):
            raise InputError(f"{source.path}: its atoms are not those of {self._sources[0].path}")
        for what in ("unwrapped", "periodic", "time_unit") if self._sources else ():
            here, there = getattr(source, what), getattr(self._sources[0], what)
            if here != there:
                said = what.replace("_", " ")
                raise InputError(
                    f"{source.path}: {said} {here}, in {self._sources[0].path} {there}; they are not joined"
                )
        self._sources.append(source)
        self._files += map(SourceFile, source.sources)
        n_before = self._n_read
        try:
            for chunk, periodic in self._checked(source):
                if not self._n_read:
                    self.periodic = periodic
                    self.follower = Follower(source.atomic_numbers, periodic, source.unwrapped)
                    self.positions = Spool(source.path, self.options.scratch)
                self._take(chunk)
                if self.full:
                    break
        except TruncatedFile as error:
            whole = self._n_read - n_before
            if not whole:
                raise
            if not self.options.allow_truncated:
                raise TruncatedFile(
                    f"{error}; `allow_truncated=True` uses the {whole} whole frames before it, `stop={whole}` too"
                ) from None
            text = f"The file ends within a frame; the {whole} whole frames before it are used."
            self._findings.append(
                Finding(kind="truncated file", severity="warning", text=text, numbers={"n_frames": whole})
            )
        finally:
            close(source)

    @property
    def full(self) -> bool:
        """Whether all frames that were asked for are there."""
        return self._stop is not None and self._n >= self._stop

    @property
    def _stop(self) -> int | None:
        """Where reading ends; None where frames are counted from the end, which must be known first."""
        start, stop = self.options.start or 0, self.options.stop
        return None if stop is None or min(start, stop) < 0 else stop

    def _checked(self, source: FrameSource) -> Iterator[tuple[Chunk, tuple[bool, ...]]]:
        """Chunks that hold nothing impossible, with cells, and which directions are periodic."""
        first = 0
        for chunk in source.chunks:
            lattices, periodic = self._cell(source, chunk, first)
            check_frames(source.path, chunk.positions, lattices, first)
            positions = np.ascontiguousarray(chunk.positions, np.float64)
            lattices = completed_lattices(lattices, periodic)
            check_lattices(source.path, lattices, first)
            yield chunk._replace(positions=positions, lattices=lattices), periodic
            first += len(positions)

    def _cell(self, source: FrameSource, chunk: Chunk, first: int) -> tuple[np.ndarray, tuple[bool, ...]]:
        cell, n_frames = self.options.cell, len(chunk.positions)
        if chunk.lattices is None:
            if self.options.no_cell:
                return np.zeros((n_frames, 3, 3)), (False, False, False)
            if cell is None:
                raise InputError(
                    f"{source.path}: tells no cell; `cell=a b c` or `cell=a b c alpha beta gamma` (Å, degrees) gives "
                    "it, `no_cell=True` says that the system is not periodic"
                )
            return np.repeat(cell[None], n_frames, axis=0), (True, True, True)
        lattices = np.asarray(chunk.lattices, np.float64)
        if self.options.no_cell and any(source.periodic):
            raise InputError(f"`no_cell=True`: {source.path} has a cell, {_shown(lattices[0])}")
        if cell is not None:
            if not any(source.periodic):
                raise InputError(f"`cell={_shown(cell)}`: {source.path} says that the system is not periodic")
            # Lengths and angles are compared, not the directions in space.
            there, here = lattices @ lattices.swapaxes(1, 2), cell @ cell.T
            other = (np.abs(there - here) > 2 * _SAME_CELL * np.abs(here).max()).any(axis=(1, 2))
            if other.any():
                frame = int(np.argmax(other))
                raise InputError(
                    f"`cell={_shown(cell)}`: {source.path} has another cell, {_shown(lattices[frame])} in frame "
                    f"{first + frame}"
                )
        return lattices, source.periodic

    def _take(self, chunk: Chunk) -> None:
        """Follow the frames of a checked chunk, and keep those that were asked for."""
        n_frames = len(chunk.positions)
        if self._stop is not None and not self.seen.drop:
            n_frames = min(n_frames, self._stop - self._n)
            chunk = _first_frames(chunk, n_frames)
        if not n_frames:
            return
        repeated = self.seen.repeated(chunk.positions, self._goes_back(chunk))
        stay = ~repeated if self.seen.drop else np.ones(n_frames, bool)
        self._times.append(None if chunk.times is None else np.asarray(chunk.times, np.float64)[stay])
        self._steps.append(None if chunk.steps is None else np.asarray(chunk.steps, np.int64)[stay])
        self._numbers.append(self._n_read + np.flatnonzero(stay))
        self._n_read += n_frames
        if stay.any():
            lattices = np.asarray(chunk.lattices)[stay]
            paths = self.follower.follow(chunk.positions[stay], lattices)
            if chunk.charges is not None:
                self._charges.add(chunk.charges[stay])
            wanted = self._wanted(np.arange(self._n, self._n + len(paths)))
            self.positions.append(paths[wanted])
            self._lattices.append(lattices[wanted])
            self._n += len(paths)

    def _wanted(self, frames: np.ndarray) -> np.ndarray:
        """Which frames are asked for, (f,) bool."""
        start, stop, stride = (self.options.start or 0), self.options.stop, self.options.stride or 1
        if start < 0 or (stop is not None and stop < 0):
            return np.ones(len(frames), bool)  # they are counted from the end, which is not known yet
        return (frames >= start) & ((frames - start) % stride == 0) & (True if stop is None else frames < stop)

    def _goes_back(self, chunk: Chunk) -> np.ndarray:
        """Whether the stamp of each frame is not later than the one before, (f,) bool."""
        stamps, before = (chunk.times, self._times) if chunk.times is not None else (chunk.steps, self._steps)
        if stamps is None:
            return np.zeros(len(chunk.positions), bool)
        last = [part[-1:] for part in before[-1:] if part is not None]
        known = np.concatenate([*last, stamps])
        return (np.diff(known) <= 0) if last and len(last[0]) else np.append(False, np.diff(known) <= 0)

    def trajectory(self, notes: tuple[Finding, ...] = ()) -> Trajectory:
        """The trajectory of all frames that were added.

        Parameters
        ----------
        notes : tuple of Finding
            What else is to be said of it.

        Raises
        ------
        InputError
            If there is no frame, none was asked for, or times do not fit what was given.
        NothingNew
            If all frames have been there before, and were to be left out.
        """
        first, options = self._sources[0], self.options
        if not self._n:
            if self._n_read:
                raise NothingNew
            raise InputError(f"{first.path}: holds no frame")
        clock, interval, unit = self._clock()
        counts = clock.interval if self._steps[0] is not None and not interval else None
        typical, elements = self.follower.typical_steps, self.follower.elements
        jumps, jump_findings = impossible_jumps(typical, elements, clock.starts, self._label)
        starts = sorted({*clock.starts, *jumps})
        coarse = self.follower.coarse_steps(starts)
        chosen = range(self._n)[options.start : options.stop : options.stride]
        if not len(chosen):
            raise InputError(
                f"{first.path}: `start={options.start}` `stop={options.stop}` `stride={options.stride}` selects none "
                f"of {self._n} frames"
            )
        positions, lattices = self.positions.array(), np.concatenate(self._lattices)
        if len(positions) != len(chosen):  # counted from the end
            positions, lattices = gathered(first.path, [positions], chosen), lattices[chosen]
        said = list(notes)
        for finding in (finding for source in self._sources for finding in source.findings):
            if finding not in said:
                said.append(finding)
        said += [*self._findings, *clock.findings, *jump_findings, *self.seen.findings()]
        charges, charge_findings = self._charges.mean(first.atomic_numbers)
        said += [*charge_findings, *([coarse] if coarse else [])]
        return Trajectory(
            name=stem(first.path),
            positions=positions,
            lattices=lattices,
            atomic_numbers=first.atomic_numbers,
            periodic=self.periodic,
            frame_interval=interval and interval * (options.stride or 1),
            frame_steps=counts and counts * (options.stride or 1),
            time_unit=unit,
            segments=tuple(int(n) for n in np.histogram(chosen, [*starts, self._n])[0] if n),
            targets=first.targets,
            unwrapped=True,
            sources=tuple(self._files),
            findings=tuple(said),
            # Zeros stand for charges that were not told, and leave those of a topology.
            attributes={**first.attributes, **({} if charges is None or not charges.any() else {"charges": charges})},
        )

    def _label(self, frame: int) -> str:
        """How messages call one of the frames that stayed."""
        number = int(np.concatenate(self._numbers)[frame])
        return f"frame {number}" + (f" ({Path(self._sources[number].path).name})" if len(self._sources) > 1 else "")

    def _clock(self) -> tuple[Clock, float | None, str | None]:
        """Cuts that time stamps tell, and the frame interval with its unit where it is known."""
        options, source = self.options, self._sources[0]
        times, steps = _joined(self._times), _joined(self._steps)
        if times is not None and (options.frame_interval or options.timestep) and too_coarse(times):
            times = None
        if options.timestep is not None and steps is None:
            raise InputError(f"`timestep={options.timestep:g}`: {source.path} does not number its time steps")
        known = [_Stamps(times, 1.0, source.time_unit)] if times is not None else []
        if steps is not None and options.timestep is not None:
            known.insert(0, _Stamps(steps, options.timestep, options.time_unit))
        elif steps is not None:
            known.append(_Stamps(steps, 1.0, None))
        telling = [stamps for stamps in known if (stamps.values != stamps.values[0]).any()]
        if not telling and options.frame_interval is not None:
            known = []  # stamps that tell nothing do not contradict
        clock, interval, unit = Clock(None), None, None
        if known:
            values, scale, unit = (telling or known)[0]
            clock = read_clock(source.path, values, "steps" if values is steps else unit or "", self._label)
            interval = clock.interval * scale if clock.interval and unit else None
        if options.timestep is not None and interval and times is not None and source.time_unit == unit:
            other = read_clock(source.path, times, options.time_unit, self._label).interval
            argument = f"`timestep={options.timestep:g}` {options.time_unit}"
            self._compare(argument, (interval, options.time_unit), (other, unit))
        if options.frame_interval is not None:
            given = (options.frame_interval, options.time_unit)
            self._compare(f"`frame_interval={given[0]:g}` {given[1]}", given, (interval, unit))
            interval, unit = given
        return clock, interval and float(f"{interval:.7g}"), unit if interval else None

    def _compare(self, argument: str, given: tuple[float, str], said: tuple[float | None, str | None]) -> None:
        """InputError where the file says another interval than follows from an argument."""
        interval, unit = said
        if interval is not None and (unit != given[1] or abs(interval - given[0]) > _SAME_INTERVAL * given[0]):
            raise InputError(f"{argument}: {self._sources[0].path} says {interval:g} {unit} between frames")


class _Stamps(NamedTuple):
    """Times or steps of all frames, and what makes times of them."""

    values: np.ndarray
    scale: float
    unit: str | None


def _first_frames(chunk: Chunk, n: int) -> Chunk:
    positions, *others = chunk
    return Chunk(positions[:n], *(None if part is None else part[:n] for part in others))


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Times or steps of all frames, where all have them."""
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known and len(known) == len(parts) else None


def _shown(lattice: np.ndarray) -> str:
    """Lengths and angles as ``--cell`` takes them."""
    lengths = np.linalg.norm(lattice, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines = [lattice[1] @ lattice[2], lattice[0] @ lattice[2], lattice[0] @ lattice[1]] * lengths / lengths.prod()
    return " ".join(f"{x:.6g}" for x in (*lengths, *np.degrees(np.arccos(cosines))))
