"""State probabilities over time, the one argument that all analyses share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Chi", "ChiLike", "as_chi", "check_lags"]

_ROUNDING = 1e-4  # of probabilities: a float32 softmax is off by about 1e-7 for each state, text of four digits by 5e-5
_VALUES = 1 << 22  # looked at together


@dataclass(frozen=True, eq=False)
class Chi(Sequence):
    """State probabilities of the targets, segment by segment; a sequence of its segments.

    It is checked when it is made and not again. Plain lists of arrays do as well wherever a `Chi` is asked for.

    Attributes
    ----------
    segments : tuple of (F, n_targets, n_states) arrays
        Contiguous stretches of time; pairs of frames never cross from one to the next. Not copied.
    tau : int or None
        Lag time in frames that analyses use when they are given none.
    frame_interval : float
        Time between frames in ``time_unit``.
    time_unit : str
    trajectories : tuple of int or None
        Trajectory that each segment belongs to: segments of one trajectory follow each other in time, different
        trajectories are independent simulations. None: not known.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, or the states of a frame and target are not probabilities: between
        0 and 1 and 1 together, but for 1e-4.
    """

    segments: Sequence[np.ndarray]
    tau: int | None = None
    frame_interval: float = 1.0
    time_unit: str = "frames"
    trajectories: Sequence[int] | None = None
    _known: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        segments = (self.segments,) if isinstance(self.segments, np.ndarray) else tuple(self.segments)
        segments = tuple(segment if isinstance(segment, np.ndarray) else np.asarray(segment) for segment in segments)
        object.__setattr__(self, "segments", segments)
        if not segments:
            raise ValueError("chi holds no segment")
        for n, segment in enumerate(segments):
            if segment.ndim != 3 or not segment.size:
                raise ValueError(f"chi of segment {n} must have shape (F, n_targets, n_states), got {segment.shape}")
            if segment.shape[1:] != segments[0].shape[1:]:
                raise ValueError(f"chi of segment {n} has shape {segment.shape}, segment 0 has {segments[0].shape}")
            _check_probabilities(segment, n)
        if self.n_states < 2:
            raise ValueError(f"chi must have at least 2 states, got {self.n_states}")
        if self.trajectories is not None:
            object.__setattr__(self, "trajectories", tuple(self.trajectories))
            if len(self.trajectories) != len(segments):
                raise ValueError(f"{len(self.trajectories)} trajectories are named for {len(segments)} segments of chi")

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, index: Any) -> Any:
        return self.segments[index]

    @property
    def n_targets(self) -> int:
        """Targets in a frame."""
        return self.segments[0].shape[1]

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self.segments[0].shape[2]

    @property
    def n_frames(self) -> int:
        """Frames of all segments."""
        return sum(map(len, self.segments))

    @property
    def longest(self) -> int:
        """Frames of the longest segment."""
        return max(map(len, self.segments))

    def lag(self, tau: int | None = None) -> int:
        """Lag time in frames: the given one, or the one that chi carries; ValueError where no segment is longer."""
        tau = self.tau if tau is None else tau
        if tau is None:
            raise ValueError("tau is needed: chi carries no lag time")
        if np.ndim(tau):
            raise ValueError(f"tau must be a single lag time, got {tau}")
        return int(check_lags(self, tau)[0])

    def units(self, frame_interval: float | None, time_unit: str | None) -> tuple[float, str]:
        """Frame interval and time unit: the given ones, or those that chi carries."""
        return (
            self.frame_interval if frame_interval is None else frame_interval,
            self.time_unit if time_unit is None else time_unit,
        )

    def known(self, key: Any, find: Callable[[], Any]) -> Any:
        """What follows from chi alone and is asked for again and again, such as its independent blocks: found once.

        Parameters
        ----------
        key : hashable
        find : callable
            Without arguments.
        """
        if key not in self._known:
            self._known[key] = find()
        return self._known[key]

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> Chi:
        """The same with ``function`` applied to every segment.

        Parameters
        ----------
        function : callable
            Of a (F, n_targets, n_states) array; the result has three axes too.

        Returns
        -------
        Chi
        """
        return replace(self, segments=tuple(function(segment) for segment in self.segments))


def _check_probabilities(segment: np.ndarray, n: int) -> None:
    """ValueError where segment n of chi holds something else; some frames at a time, to need little memory."""
    step = max(1, _VALUES // segment[0].size)
    for start in range(0, len(segment), step):
        part = segment[start : start + step]
        with np.errstate(invalid="ignore"):  # inf - inf
            low, high, total = part.min(), part.max(), part.sum(axis=2, dtype=np.float64)
            furthest = float(total.flat[np.abs(total - 1).argmax()])
        if not np.isfinite([low, high, furthest]).all():
            raise ValueError(f"chi of segment {n} holds values that are not finite")
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            found = f"{low if low < -_ROUNDING else high:.4g}"
            raise ValueError(f"chi of segment {n} holds {found}; state probabilities lie between 0 and 1")
        if abs(furthest - 1) > _ROUNDING:
            raise ValueError(f"chi of segment {n}: the states of a frame add up to {furthest:.4g}, probabilities to 1")


ChiLike: TypeAlias = Chi | np.ndarray | Iterable[np.ndarray]
"""What every analysis takes: a Chi, an array (F, n_targets, n_states), or such an array for each segment."""


def as_chi(chi: ChiLike) -> Chi:
    """A checked `Chi` from one, from an array or from a list of arrays.

    Parameters
    ----------
    chi : Chi, array (F, n_targets, n_states) or list of such arrays

    Returns
    -------
    Chi

    Raises
    ------
    ValueError
        As `Chi`.
    """
    if isinstance(chi, Chi):
        return chi
    return Chi(segments=(chi,) if isinstance(chi, np.ndarray) else tuple(chi))


def check_lags(chi: Sequence[np.ndarray], lags: int | Sequence[int] | np.ndarray) -> np.ndarray:
    """Increasing lag times in frames, each shorter than the longest segment.

    Parameters
    ----------
    chi : sequence of array
    lags : int or sequence of int

    Returns
    -------
    (n_lags,) int array

    Raises
    ------
    ValueError
    """
    lags = np.atleast_1d(lags)
    longest = max(len(segment) for segment in chi)
    if not len(lags) or not np.issubdtype(lags.dtype, np.integer) or lags.min() < 1 or (np.diff(lags) <= 0).any():
        raise ValueError(f"lag times must be increasing integers of at least 1 frame, got {lags.tolist()}")
    if lags[-1] >= longest:
        raise ValueError(f"a lag time of {lags[-1]} frames needs longer segments; the longest has {longest} frames")
    return lags
