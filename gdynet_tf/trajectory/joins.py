"""Where frames that follow each other in a file are no neighbours: repeated frames, gaps, restarts and jumps."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.findings import Finding
from gdynet_tf.trajectory.elements import symbol

__all__ = ["Clock", "SeenFrames", "impossible_jumps", "read_clock", "too_coarse"]

_SHOWN = 3  # places that a message names
_NO_CHANCE = 30  # coordinates that vary, from which on two frames are not equal by chance
_JUMP = 3.0  # times the longest step around
_SHORTEST_JUMP = 0.5  # Å
_SAME_TIME = 0.01  # of a step, by which times in a text file may be rounded
_MOST_ROUNDING = 0.05  # of the time from the first frame to the last
_LONELY = 0.1  # share of frames that may stand alone between two cuts


class SeenFrames:
    """Frames known by their coordinates, over all files of a reading.

    Parameters
    ----------
    drop : bool
        Whether repeated frames will be left out.
    """

    def __init__(self, drop: bool = False) -> None:
        self.drop = drop
        self._seen: dict[bytes, int] = {}  # digest -> number of the frame, counted over all files
        self._paths: list[str] = []
        self._starts: list[int] = []
        self._n = 0
        self._last: np.ndarray | None = None
        self._origin = -1  # of the last frame: its own number, or that of the frame which it repeats
        self._runs: list[list[int]] = []  # first frame, first of those that it repeats, how many

    def begin(self, path: str) -> None:
        """The next frames are those of this file."""
        self._paths.append(path)
        self._starts.append(self._n)
        self._runs, self._last = [], None

    def repeated(self, positions: np.ndarray, goes_back: np.ndarray) -> np.ndarray:
        """Which of the next frames have been there before.

        Where few coordinates vary, two frames may be equal by chance. There a frame counts when it is the first of a
        file, equals the one before, stands where the time goes back, or continues a stretch that began so.

        Parameters
        ----------
        positions : (f, N, 3) float64
            Å, as the file has them.
        goes_back : (f,) bool
            Whether the time of a frame is not later than that of the frame before.

        Returns
        -------
        (f,) bool
        """
        found = np.zeros(len(positions), bool)
        for i, frame in enumerate(np.ascontiguousarray(positions)):
            key, number = sha256(frame.data).digest()[:8], self._n
            earlier, last, before = self._seen.get(key), self._origin, self._last
            self._n, self._last = number + 1, frame
            follows = bool(self._runs) and self._runs[-1][0] + self._runs[-1][2] == number  # a repeated frame
            continues = follows and earlier == last + 1
            if earlier is None or not (
                continues
                or before is None
                or earlier == last
                or goes_back[i]
                or np.count_nonzero(frame != before) >= _NO_CHANCE
            ):
                self._seen[key] = self._origin = number
                continue
            found[i], self._origin = True, earlier
            if continues:
                self._runs[-1][2] += 1
            else:
                self._runs.append([number, earlier, 1])
        if self._last is not None:
            self._last = self._last.copy()  # not a view of the chunk
        return found

    def findings(self) -> tuple[Finding, ...]:
        """What is to be said of the file that was begun last."""
        if not self._runs:
            return ()
        n = sum(run[2] for run in self._runs)
        places = [self._told(*run) for run in self._runs[:_SHOWN]]
        if len(self._runs) > _SHOWN:
            places.append(f"{len(self._runs) - _SHOWN} more such stretches")
        done = "left out" if self.drop else "`drop_repeated=True` leaves them out"
        return (
            Finding(
                kind="repeated frames",
                severity="note" if self.drop else "warning",
                text=f"{'; '.join(places)}: {n} repeated frame{'s' if n > 1 else ''}, {done}.",
                numbers={"n_frames": n, "left_out": self.drop},
            ),
        )

    def _told(self, first: int, origin: int, n: int) -> str:
        file = bisect_right(self._starts, origin) - 1
        here = first - self._starts[-1]
        there = origin - self._starts[file]
        of = "" if file == len(self._starts) - 1 else f" of {self._paths[file]}"
        whole = here == 0 and first + n == self._n
        if of and whole and there == 0 and origin + n == self._starts[file + 1]:
            return f"All frames are those{of}, the same file twice"
        if n == 1:
            return f"frame {here} is frame {there}{of} again"
        return f"frames {here} to {here + n - 1} are frames {there} to {there + n - 1}{of} again"


class Clock(NamedTuple):
    """What the time stamps of a file tell.

    Attributes
    ----------
    interval : float or None
        Between neighbouring frames, in the unit of the stamps.
    starts : tuple of int
        Frames that begin a segment, 0 among them.
    findings : tuple of Finding
    """

    interval: float | None
    starts: tuple[int, ...] = (0,)
    findings: tuple[Finding, ...] = ()


def read_clock(origin: str, stamps: np.ndarray, unit: str, label: Callable[[int], str]) -> Clock:
    """Interval between frames, and cuts where the stamps have a gap or go back.

    Parameters
    ----------
    origin : str
        The file, for messages.
    stamps : (F,) array
        Times (float) or time steps (int).
    unit : str
        "ps", "time steps".
    label : callable
        Name of a frame, for messages.

    Returns
    -------
    Clock

    Raises
    ------
    InputError
        If all stamps are equal or too coarse, or frames are not equally spaced for the most part.
    """
    n_frames = len(stamps)
    if n_frames < 2:
        return Clock(None)
    spacings = np.diff(stamps)
    forward = np.sort(spacings[spacings > 0])
    if not len(forward):
        said = (
            f"all {n_frames} frames have the time stamp {stamps[0]:g} {unit}"
            if not spacings.any()
            else (f"the time stamps run backwards, from {stamps[0]:g} to {stamps[-1]:g} {unit}")
        )
        raise InputError(f"{origin}: {said}; `frame_interval` tells the time between frames")
    usual = forward[(len(forward) - 1) // 2]
    exact = np.issubdtype(stamps.dtype, np.integer)
    # Binary formats keep times in single precision.
    tolerance = 0.0 if exact else _SAME_TIME * usual + 2 * float(np.spacing(np.float32(np.abs(stamps).max())))
    cuts = (np.flatnonzero(np.abs(spacings - usual) > tolerance) + 1).tolist()
    starts = np.array([0, *cuts])
    lengths = np.diff(np.append(starts, n_frames))
    lonely = int((lengths == 1).sum())
    if lonely > 1 and lonely > _LONELY * n_frames:
        a = cuts[0]
        raise InputError(
            f"{origin}: frames are not equally spaced in time: {label(a - 1)} at {stamps[a - 1]:g} {unit} is followed "
            f"by {label(a)} at {stamps[a]:g} {unit} where {usual:g} {unit} is usual"
        )
    longest = int(np.argmax(lengths))
    first, last = starts[longest], starts[longest] + lengths[longest] - 1
    mean = float(stamps[last] - stamps[first]) / (last - first) if last > first else float(usual)
    if too_coarse(stamps):
        raise InputError(
            f"{origin}: times about {stamps[last]:g} {unit} are kept in steps of {_rounding(stamps):.2g} {unit}, too "
            "coarse to tell the time between frames; `frame_interval` does, or `timestep` where steps are numbered"
        )
    findings = tuple(
        _cut_finding(kind, text, [c for c in cuts if (spacings[c - 1] > 0) == forwards], stamps, unit, label)
        for kind, text, forwards in (
            ("gap", "Frames are missing", True),
            ("restart", "The time does not go on", False),
        )
    )
    return Clock(
        interval=_plainest(mean, _rounding(stamps) / max(last - first, 1)),
        starts=tuple(int(s) for s in starts),
        findings=tuple(finding for finding in findings if finding),
    )


def too_coarse(stamps: np.ndarray) -> bool:
    """Whether times are rounded by more than a small part of what lies between the frames.

    Parameters
    ----------
    stamps : (F,) array
    """
    return len(stamps) > 1 and _rounding(stamps) > _MOST_ROUNDING * float(np.ptp(stamps))


def _rounding(stamps: np.ndarray) -> float:
    """Distance between neighbouring times as the file keeps them: binary formats do in single precision."""
    if np.issubdtype(stamps.dtype, np.integer):
        return 0.0
    single = stamps.astype(np.float32)
    return float(np.spacing(np.abs(single).max() if (single == stamps).all() else np.abs(stamps).max()))


def _plainest(value: float, error: float) -> float:
    """The number of fewest digits within the error, of seven at most."""
    rounded = (float(f"{value:.{digits}g}") for digits in range(1, 7))
    return next((number for number in rounded if abs(number - value) <= error), float(f"{value:.7g}"))


def _cut_finding(
    kind: str, text: str, cuts: Sequence[int], stamps: np.ndarray, unit: str, label: Callable[[int], str]
) -> Finding | None:
    if not len(cuts):
        return None
    places = [f"from {label(c - 1)} at {stamps[c - 1]:g} to {label(c)} at {stamps[c]:g} {unit}" for c in cuts[:_SHOWN]]
    more = f" and {len(cuts) - _SHOWN} more times" if len(cuts) > _SHOWN else ""
    return Finding(
        kind=kind,
        severity="note",
        text=f"{text} {', '.join(places)}{more}: the trajectory is cut there into segments.",
        numbers={"n_cuts": len(cuts)},
    )


def impossible_jumps(
    typical_steps: np.ndarray, elements: np.ndarray, starts: Sequence[int], label: Callable[[int], str]
) -> tuple[list[int], tuple[Finding, ...]]:
    """Steps that are none: three quarters of the atoms of an element move by far more than in the steps around.

    Rare hops do not count then, and the steps before and after know the temperature of the time: a step of more than
    three times the longest of the two before and the two after, and of more than 0.5 Å, is no motion. Elements of fewer
    than twenty atoms are not judged.

    Parameters
    ----------
    typical_steps : (F, E) array
        Å, from `Follower`.
    elements : (E,) int array
        Atomic numbers.
    starts : sequence of int
        Frames that begin a segment: what leads to them is no step.
    label : callable
        Name of a frame, for messages.

    Returns
    -------
    list of int
        Frames to which an impossible jump leads.
    tuple of Finding
    """
    steps = np.array(typical_steps)
    steps[np.asarray(starts, int)] = np.nan
    padded = np.pad(steps, ((2, 2), (0, 0)), constant_values=np.nan)
    n = len(steps)
    around = np.stack([padded[k : k + n] for k in (0, 1, 3, 4)])  # (4, F, E)
    known = np.isfinite(around).sum(axis=0) >= 2
    usual = np.where(np.isfinite(around), around, 0.0).max(axis=0)
    jumps = known & (steps > np.maximum(_JUMP * usual, _SHORTEST_JUMP))
    frames = np.flatnonzero(jumps.any(axis=1))
    if not len(frames):
        return [], ()
    places = []
    for frame in frames[:_SHOWN]:
        e = int(np.argmax(np.where(jumps[frame], steps[frame], 0.0)))
        places.append(
            f"three quarters of the {symbol(elements[e])} move by {steps[frame, e]:.2g} Å or more from "
            f"{label(frame - 1)} to {label(frame)}, by {usual[frame, e]:.2g} Å at most around"
        )
    more = f"; {len(frames) - _SHOWN} more such jumps" if len(frames) > _SHOWN else ""
    finding = Finding(
        kind="impossible jump",
        severity="warning",
        text=f"Frames that are no neighbours: {'; '.join(places)}{more}. The trajectory is cut there into segments.",
        numbers={"n_jumps": len(frames)},
    )
    return frames.tolist(), (finding,)
