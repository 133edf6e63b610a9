"""Parts of the data: what they are made of, what each holds, and the data without one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

__all__ = ["Basis", "Blocks", "Piece", "blocks_of_time", "groups_of_targets", "pieces_of", "share_of_frames"]

_LEAST, _MOST = 6, 40  # blocks
_CHECKS = 20  # blocks of time that show what groups of targets share
_PER_BLOCK = 5.0  # relaxation times in a block of time
_UNPROVEN = "targets are too few or not shown to be independent"

Reason = Literal[
    "", "no dynamics", "short", "targets differ", "targets follow", "shared", "no diffusion", "not in equilibrium"
]


@dataclass(frozen=True)
class Basis:
    """What an interval rests on, or why there is none. ``str()`` is the words for captions.

    Attributes
    ----------
    kind : {"time blocks", "blocks of single targets", "groups of targets", "trajectories", "posterior", None}
        "posterior": of a model, without blocks. None: there is no interval.
    n_blocks : int
    block_length : float
        Frames of a block of time or, on average, of a trajectory; targets of a group.
    relaxation : float
        Slowest relaxation seen, in frames; inf where it was not seen to decay.
    n_relaxations : float
        Relaxation times in all frames.
    slower : float
        Frames: relaxation of a weak process that the averages over blocks show and the autocorrelation does not, or of
        what all targets share; NaN where there is none.
    design_effect : float
        By how much correlation between targets widens variances of groups of targets; 1 otherwise.
    reason : {"", "no dynamics", "short", "targets differ", "targets follow", "shared", "no diffusion", \
            "not in equilibrium"}
        Why there is no interval.
    """

    kind: Literal["time blocks", "blocks of single targets", "groups of targets", "trajectories", "posterior"] | None
    n_blocks: int = 0
    block_length: float = np.nan
    relaxation: float = np.nan
    n_relaxations: float = np.nan
    slower: float = np.nan
    design_effect: float = 1.0
    reason: Reason = ""

    def __str__(self) -> str:
        if self.kind in ("time blocks", "blocks of single targets"):
            apart = "" if self.kind == "time blocks" else " of single targets"
            return f"{self.n_blocks} blocks of {self.block_length:.0f} frames{apart}"
        if self.kind == "posterior":
            return "the posterior of the model"
        if self.kind:
            return f"{self.n_blocks} {self.kind}"
        if self.reason == "no dynamics":
            return "no interval: no lasting change of state was seen"
        if self.reason == "no diffusion":
            return "no interval: the displacement is not that of diffusion in the fitted range"
        if self.reason == "not in equilibrium":
            return "no interval: not in equilibrium, so that an average over the frames is one of these frames only"
        if self.reason == "targets differ":
            return "no interval: targets differ by more than time averages away and are not shown to be independent"
        if self.reason == "shared":
            return f"no interval: all targets feel something that lasts about {self.slower:.2g} frames, too long here"
        if self.reason == "targets follow" and np.isnan(self.relaxation):
            return "no interval: targets do what others did before"
        apart = "targets do what others did before" if self.reason == "targets follow" else _UNPROVEN
        held = "the slowest relaxation does not decay in the data"
        if np.isfinite(self.relaxation):
            held = f"the data hold {self.n_relaxations:.2g} relaxation times of the {_LEAST * _PER_BLOCK:.0f} needed"
        if np.isfinite(self.slower):
            held = f"a weak process is slow, of about {self.slower:.2g} frames, beside the length of the data"
        return f"no interval: {held}, and {apart}"


@dataclass(frozen=True)
class Piece:
    """Frames of one segment, and some or all of its targets."""

    segment: int
    frames: slice
    targets: np.ndarray | slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True)
class Blocks:
    """Parts of the data that count as independent of one another.

    Attributes
    ----------
    basis : Basis
    pieces : list of list of Piece
        What each block is made of; empty where nothing is independent enough. Groups of targets are followed by as many
        blocks of time of all targets, and by the same number of mixed ones that hold another time of each group: all
        data three times over. What targets share at a time is in the spread of the second and not in that of the third.
    weights : (n_blocks,) float
        Share of all frames and targets.
    """

    basis: Basis
    pieces: list = field(default_factory=list)
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.pieces)

    def __bool__(self) -> bool:
        return bool(self.pieces)

    @property
    def partitions(self) -> list[slice]:
        """Blocks that make up all data: the first ``basis.n_blocks``; those of time and mixed beside them."""
        first, n = self.basis.n_blocks, len(self)
        middle = (n - first) // 2
        return [slice(0, first), *([slice(first, first + middle), slice(first + middle, n)] if middle else [])]

    @property
    def alone(self) -> "Blocks":
        """Blocks that make up all data once: groups of targets without those of time and the mixed ones."""
        once = self.partitions[0]
        return replace(self, pieces=self.pieces[once], weights=self.weights[once])

    def left_out(self, sums: np.ndarray) -> np.ndarray:
        """Sums over all data, and over all data but one block.

        Parameters
        ----------
        sums : (n_blocks, ...) array
            Sums over each block; (1, ...) over all data where there are no blocks.

        Returns
        -------
        (n_blocks + 1, ...) array
            (1, ...) where there are no blocks.
        """
        total = sums[self.partitions[0] if self else slice(None)].sum(axis=0)
        return np.concatenate([total[None], total - sums] if self else [total[None]])

    def sums(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Sums over the frames and targets of each block.

        Parameters
        ----------
        values : sequence of (F, n_targets, ...) arrays
            One per segment.

        Returns
        -------
        (n_blocks, ...) float64
            (1, ...) of all data where there are no blocks.
        """
        return np.array(
            [
                sum(values[p.segment][p.frames, p.targets].sum(axis=(0, 1), dtype=np.float64) for p in block)
                for block in pieces_of(self, values)
            ]
        )

    def without(self, block: int, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Segments of the data without a block.

        Parameters
        ----------
        block : int
        values : sequence of (F, n_targets, ...) arrays

        Returns
        -------
        list of arrays
            Where frames fall out, the segment is parted: no pair of frames crosses the gap. Without some frames of some
            targets, each target is a segment of its own.
        """
        gone = [np.zeros(segment.shape[:2], bool) for segment in values]
        for piece in self.pieces[block]:
            gone[piece.segment][piece.frames, piece.targets] = True
        if all((missing == missing[:1]).all() for missing in gone):
            left = [segment[:, ~missing[0]] for segment, missing in zip(values, gone, strict=True)]
            return [segment for segment in left if segment.size]
        together = all((missing == missing[:, :1]).all() for missing in gone)
        left = []
        for segment, missing in zip(values, gone, strict=True):
            n_targets = segment.shape[1]
            for targets in [slice(None)] if together else [slice(k, k + 1) for k in range(n_targets)]:
                path, out = segment[:, targets], missing[:, targets][:, 0]
                runs = np.split(np.arange(len(path)), np.flatnonzero(np.diff(out)) + 1)
                left += [path[run[0] : run[-1] + 1] for run in runs if not out[run[0]]]
        return left


def pieces_of(blocks: Blocks, values: Sequence[np.ndarray]) -> list[list[Piece]]:
    """Pieces of each block; all data as a single one where there are no blocks.

    Parameters
    ----------
    blocks : Blocks
    values : sequence of arrays
        One per segment, frames first.

    Returns
    -------
    list of list of Piece
    """
    return blocks.pieces or [[Piece(n, slice(0, len(segment))) for n, segment in enumerate(values)]]


def blocks_of_time(values: Sequence[np.ndarray], number: int, basis: Basis) -> Blocks:
    """Equal blocks of all frames, segments laid end to end.

    Parameters
    ----------
    values : sequence of arrays
        One per segment, frames first.
    number : int
        Of blocks.
    basis : Basis
        What is known besides.

    Returns
    -------
    Blocks
    """
    n_frames = sum(map(len, values))
    cuts, offset = np.linspace(0, n_frames, number + 1).round().astype(int), 0
    pieces: list[list[Piece]] = [[] for _ in range(number)]
    for index, segment in enumerate(values):
        for block, first, last in zip(pieces, cuts[:-1] - offset, cuts[1:] - offset, strict=True):
            first, last = max(int(first), 0), min(int(last), len(segment))
            if last > first:
                block.append(Piece(index, slice(first, last)))
        offset += len(segment)
    found = replace(basis, kind="time blocks", n_blocks=number, block_length=n_frames / number, reason="")
    return Blocks(found, pieces, share_of_frames(pieces))


def share_of_frames(pieces: Sequence[Sequence[Piece]]) -> np.ndarray:
    """(n_blocks,) share of the frames, where every piece is of all targets.

    Parameters
    ----------
    pieces : list of list of Piece
    """
    frames = np.array([sum(p.frames.stop - p.frames.start for p in block) for block in pieces], float)
    return frames / frames.sum()


def groups_of_targets(values: Sequence[np.ndarray], basis: Basis, length: int) -> Blocks:
    """Groups of targets of equal size, at random, with blocks of time beside them (see `Blocks`).

    Parameters
    ----------
    values : sequence of (F, n_targets, ...) arrays
    basis : Basis
        What is known besides.
    length : int
        Frames that a block of time must have; where there are fewer than six of these, there are none.

    Returns
    -------
    Blocks
    """
    n_targets, n_frames = values[0].shape[1], sum(map(len, values))
    order = np.random.default_rng(0).permutation(n_targets)  # neighbours in the list may be neighbours in space
    groups = [np.sort(group) for group in np.array_split(order, min(n_targets, _MOST))]
    found = replace(
        basis, kind="groups of targets", n_blocks=len(groups), block_length=n_targets / len(groups), reason=""
    )
    pieces = [[Piece(s, slice(0, len(segment)), group) for s, segment in enumerate(values)] for group in groups]
    weights = np.array([len(group) for group in groups]) / n_targets
    number = min(_CHECKS, n_frames // length)
    if number < _LEAST:
        return Blocks(found, pieces, weights)
    time = blocks_of_time(values, number, basis)
    mixed = [
        [replace(p, targets=group) for k, group in enumerate(groups) for p in time.pieces[(block + k) % number]]
        for block in range(number)
    ]
    shares = np.array(
        [np.dot(weights, time.weights[(block + np.arange(len(groups))) % number]) for block in range(number)]
    )
    return Blocks(found, pieces + time.pieces + mixed, np.concatenate([weights, time.weights, shares]))
