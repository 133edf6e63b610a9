"""What in the data is independent of what: blocks of time, trajectories, or groups of targets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from scipy.special import fdtrc

from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.dependence import independent_design
from gdynet_tf.analysis.relaxation import (
    correlation_time_of_means,
    joint_correlation,
    observed_transitions,
    relaxation_time,
    slower_relaxation,
)

__all__ = ["Basis", "Blocks", "Piece", "blocks_of_time", "groups_of_targets", "independent_blocks", "pieces_of"]

_LEAST, _MOST = 6, 40  # blocks
_ENOUGH = 20  # blocks of time from which they are preferred to groups of targets
_PER_BLOCK = 5.0  # relaxation times in a block of time
_PER_SLOWER = 2.0  # those of a weak process
_JOINT = 0.35  # correlation across joints up to which segments count as independent
_ONE_SIDED = 1.64  # standard errors, 95 %
_UNPROVEN = "targets are too few or not shown to be independent"
# Every interval asks, and a Chi does not change: its answers are kept as long as it is.

Reason = Literal["", "no dynamics", "short", "targets differ", "targets follow", "no diffusion"]


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
        Relaxation of a weak process that the averages over blocks show and the autocorrelation does not, in frames;
        NaN where there is none.
    design_effect : float
        By how much correlation between targets widens variances of groups of targets; 1 otherwise.
    reason : {"", "no dynamics", "short", "targets differ", "targets follow", "no diffusion"}
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
        if self.reason == "targets differ":
            return "no interval: targets differ by more than time averages away and are not shown to be independent"
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
        What each block is made of; empty where nothing is independent enough.
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

    def sums(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Sums over the frames and targets of each block.

        Parameters
        ----------
        values : sequence of (F, n_targets, ...) arrays
            One per segment.

        Returns
        -------
        (n_blocks, ...) float64
        """
        return np.array(
            [
                sum(values[p.segment][p.frames, p.targets].sum(axis=(0, 1), dtype=np.float64) for p in block)
                for block in self.pieces
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
            Where frames fall out, the segment is parted: no pair of frames crosses the gap. Without frames of a
            single target, each target is a segment of its own.
        """
        removed = {piece.segment: piece for piece in self.pieces[block]}
        if self.basis.kind == "blocks of single targets":
            left = []
            for index, segment in enumerate(values):
                gone = removed.get(index)
                for target in range(segment.shape[1]):
                    path = segment[:, [target]]
                    if gone is not None and target in gone.targets:
                        left += [path[: gone.frames.start], path[gone.frames.stop :]]
                    else:
                        left.append(path)
        elif self.basis.kind == "groups of targets":
            left = [np.delete(segment, removed[index].targets, axis=1) for index, segment in enumerate(values)]
        else:
            left = []
            for index, segment in enumerate(values):
                gone = removed[index].frames if index in removed else slice(0, 0)
                left += [segment[: gone.start], segment[gone.stop :]]
        return [segment for segment in left if segment.size]


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


def independent_blocks(chi: ChiLike, tau: int | None = None) -> Blocks:
    """Decide what is independent, from the measured relaxation and the correlation between targets.

    * Blocks of time, at least five relaxation times of one target and of the mean of all long, and two of a slower
      process too weak to be seen but in averages over time (see `slower_relaxation`): segments are laid end to end, so
      that short ones, or those of one run, come together in a block. Not where the targets differ by more than their
      averages over time should (frozen, or in different surroundings): then more time would not narrow the interval.
    * Groups of targets, where what happens to one is shown not to depend on the others, neither at the same time nor
      with a delay (see `target_correlation`, `target_following`). Of few such targets, blocks of time of each.
    * Whole trajectories, where chi declares them or the correlation across the joints of segments shows them to be
      independent; a declaration that the joints contradict is not believed.

    At least six blocks are wanted; otherwise there are none, with the reason.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.

    Returns
    -------
    Blocks
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    return chi.known(("independent blocks", tau), lambda: _decide(chi, tau))


def _decide(chi: Chi, tau: int) -> Blocks:
    """The blocks of `independent_blocks`."""
    relaxation, trajectories = _memory(chi, tau)
    held = chi.n_frames / relaxation if relaxation > 0 else np.inf
    slower = slower_relaxation(np.concatenate([segment.mean(axis=1) for segment in chi]), relaxation)
    basis = Basis(None, relaxation=relaxation, n_relaxations=held, slower=slower, reason="short")
    if not (relaxation <= tau or observed_transitions(chi, tau).any()) or relaxation == 0:
        return Blocks(replace(basis, reason="no dynamics"))
    # Blocks of fewer than two lag times would be empty at the lag.
    together = max(relaxation, correlation_time_of_means(chi)) if chi.n_targets > 1 else relaxation
    number = int(min(_MOST, chi.n_frames / (_PER_BLOCK * max(together, 1e-9)), chi.n_frames / (2 * tau)))
    if np.isfinite(slower):
        number = int(min(number, chi.n_frames / (_PER_SLOWER * slower)))
    time = blocks_of_time(chi, number, basis) if number >= _LEAST else Blocks(basis)
    if time and _targets_differ(chi, time):
        time = Blocks(replace(basis, reason="targets differ"))
    if len(time) >= _ENOUGH:
        return time
    groups = _of_targets(chi, tau, basis)
    groups = groups or _of_single_targets(chi, tau, groups.basis)
    if groups:
        return groups if len(groups) > len(time) else time
    if time or time.basis.reason == "targets differ":
        return time
    return _of_trajectories(chi, trajectories, groups.basis if groups.basis.reason == "targets follow" else basis)


def _memory(chi: Chi, tau: int) -> tuple[float, Sequence[int] | None]:
    """Slowest relaxation in frames, and the trajectory of each segment where trajectories are independent, or None."""
    if len(chi) == 1:
        return relaxation_time(chi, tau), None
    correlation, n = joint_correlation(chi, tau)
    declared, noise = chi.trajectories, _ONE_SIDED / np.sqrt(n)
    if declared is not None and correlation - noise < _JOINT:
        whole = [np.concatenate([s for s, k in zip(chi, declared, strict=True) if k == j]) for j in _unique(declared)]
        return relaxation_time(Chi(whole), tau), declared
    # Not known: laid end to end, chi of one run decays as it did, and that of independent runs no slower than that.
    inside = relaxation_time(chi, tau)
    joined = relaxation_time(as_chi(np.concatenate(chi.segments)), tau)
    relaxation = max(joined, inside) if np.isfinite(inside) else joined
    return relaxation, tuple(range(len(chi))) if correlation + noise < _JOINT else None


def _unique(labels: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(labels))


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
    return Blocks(found, pieces, _share(pieces))


def _share(pieces: Sequence[Sequence[Piece]]) -> np.ndarray:
    frames = np.array([sum(p.frames.stop - p.frames.start for p in block) for block in pieces], float)
    return frames / frames.sum()


def _targets_differ(chi: Chi, blocks: Blocks) -> bool:
    """Two-way analysis of variance of the means by block and target: do targets differ beyond what time gives?"""
    n_targets, n_blocks = chi.n_targets, len(blocks)
    if n_targets < 2:
        return False
    means = np.array(
        [sum(chi[p.segment][p.frames].sum(axis=0, dtype=np.float64) for p in block) for block in blocks.pieces]
    )
    means /= (blocks.weights * chi.n_frames)[:, None, None]
    mean = means.mean(axis=(0, 1))
    by_target, by_block = means.mean(axis=0) - mean, means.mean(axis=1) - mean
    free = (n_targets - 1) * (n_blocks - 1)
    between = n_blocks * (by_target**2).sum(axis=0) / (n_targets - 1)
    within = ((means - mean - by_target - by_block[:, None]) ** 2).sum(axis=(0, 1)) / free
    varies = within > 1e-9 * mean * (1 - mean)
    ratio = np.divide(between, within, out=np.ones_like(mean), where=varies)
    return bool((fdtrc(n_targets - 1, free, ratio) < 0.05 / (chi.n_states - 1)).any())


def _of_single_targets(chi: Chi, tau: int, basis: Basis) -> Blocks:
    """Blocks of time of each of a few targets, if these are shown to be independent."""
    number = int(min(basis.n_relaxations / _PER_BLOCK, chi.n_frames / (2 * tau), _MOST / chi.n_targets))
    if number < 2 or number * chi.n_targets < _LEAST:
        return Blocks(basis)
    design, reason = independent_design(chi, tau)
    if reason:
        return Blocks(replace(basis, reason=reason))
    time = blocks_of_time(chi, number, basis)
    if _targets_differ(chi, time):
        return Blocks(replace(basis, reason="targets differ"))
    pieces = [
        [replace(piece, targets=np.array([target])) for piece in block]
        for block in time.pieces
        for target in range(chi.n_targets)
    ]
    found = replace(time.basis, kind="blocks of single targets", n_blocks=len(pieces), design_effect=design)
    return Blocks(found, pieces, np.repeat(time.weights, chi.n_targets) / chi.n_targets)


def _of_targets(chi: Chi, tau: int, basis: Basis) -> Blocks:
    """Groups of targets, if the targets are shown to be independent."""
    if chi.n_targets < _LEAST:
        return Blocks(basis)
    design, reason = independent_design(chi, tau)
    if reason:
        return Blocks(replace(basis, reason=reason))
    return groups_of_targets(chi, replace(basis, design_effect=design))


def groups_of_targets(values: Sequence[np.ndarray], basis: Basis) -> Blocks:
    """Groups of targets of equal size, at random.

    Parameters
    ----------
    values : sequence of (F, n_targets, ...) arrays
    basis : Basis
        What is known besides.

    Returns
    -------
    Blocks
    """
    n_targets = values[0].shape[1]
    order = np.random.default_rng(0).permutation(n_targets)  # neighbours in the list may be neighbours in space
    groups = [np.sort(group) for group in np.array_split(order, min(n_targets, _MOST))]
    pieces = [[Piece(s, slice(0, len(segment)), group) for s, segment in enumerate(values)] for group in groups]
    found = replace(
        basis, kind="groups of targets", n_blocks=len(groups), block_length=n_targets / len(groups), reason=""
    )
    return Blocks(found, pieces, np.array([len(group) for group in groups]) / n_targets)


def _of_trajectories(chi: Chi, trajectories: Sequence[int] | None, basis: Basis) -> Blocks:
    """Whole trajectories, in order; of very many, several to a block."""
    labels = _unique(trajectories) if trajectories is not None else []
    if trajectories is None or len(labels) < _LEAST:
        return Blocks(basis)
    block = {label: k * min(len(labels), _MOST) // len(labels) for k, label in enumerate(labels)}
    pieces: list[list[Piece]] = [[] for _ in range(min(len(labels), _MOST))]
    for index, (segment, label) in enumerate(zip(chi, trajectories, strict=True)):
        pieces[block[label]].append(Piece(index, slice(0, len(segment))))
    length = chi.n_frames / len(pieces)
    kind = replace(basis, kind="trajectories", n_blocks=len(pieces), block_length=length, reason="")
    return Blocks(kind, pieces, _share(pieces))
