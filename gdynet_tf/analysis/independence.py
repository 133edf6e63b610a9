"""What in the data is independent of what: blocks of time, trajectories, or groups of targets."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gdynet_tf.analysis.blocks import Basis, Blocks, Piece, blocks_of_time, groups_of_targets, share_of_frames
from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.dependence import independent_design, shared_time, targets_differ
from gdynet_tf.analysis.relaxation import (
    correlation_time_of_means,
    joint_correlation,
    observed_transitions,
    relaxation_time,
    slower_relaxation,
)

__all__ = ["independent_blocks"]

_LEAST, _MOST = 6, 40  # blocks
_ENOUGH = 20  # blocks of time from which they are preferred to groups of targets
_PER_BLOCK = 5.0  # relaxation times in a block of time
_PER_SLOWER = 2.0  # those of a weak process
_PER_SHARED = 50.0  # times in the data of what all targets feel
_JOINT = 0.35  # correlation across joints up to which segments count as independent
_OF_TARGETS = ("targets follow", "shared")  # reasons that say more than that the data are short
_ONE_SIDED = 1.64  # standard errors, 95 %
# Every interval asks, and a Chi does not change: its answers are kept as long as it is.


def independent_blocks(chi: ChiLike, tau: int | None = None) -> Blocks:
    """Decide what is independent, from the measured relaxation and the correlation between targets.

    * Blocks of time, at least five relaxation times of one target and of the mean of all long, and two of a slower
      process too weak to be seen but in averages over time (see `slower_relaxation`): segments are laid end to end, so
      that short ones, or those of one run, come together in a block. Not where the targets differ by more than their
      averages over time should (frozen, or in different surroundings): then more time would not narrow the interval.
    * Groups of targets, where what happens to one is shown not to depend on the others, neither at the same time nor
      with a delay (see `target_correlation`, `target_following`). Of few such targets, where there are
      too few blocks of time, blocks of time of each.
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
    together = relaxation
    if chi.n_targets > 1:
        together = max(relaxation, correlation_time_of_means(chi), shared_time(chi, tau))
    number = int(min(_MOST, chi.n_frames / (_PER_BLOCK * max(together, 1e-9)), chi.n_frames / (2 * tau)))
    if np.isfinite(slower):
        number = int(min(number, chi.n_frames / (_PER_SLOWER * slower)))
    time = blocks_of_time(chi, number, basis) if number >= _LEAST else Blocks(basis)
    if time and _targets_differ(chi, time):
        time = Blocks(replace(basis, reason="targets differ"))
    if len(time) >= _ENOUGH:
        return time
    groups = _of_targets(chi, tau, basis)
    if not groups and not time:  # blocks of time hold what targets share, and few targets do not show that they do
        groups = _of_single_targets(chi, tau, groups.basis)
    if groups:
        return groups if groups.basis.n_blocks > len(time) else time
    if time or time.basis.reason == "targets differ":
        return time
    return _of_trajectories(chi, trajectories, groups.basis if groups.basis.reason in _OF_TARGETS else basis)


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


def _targets_differ(chi: Chi, blocks: Blocks) -> bool:
    """Do targets differ beyond what time gives? Asked of the means of chi by block and target."""
    means = np.array(
        [sum(chi[p.segment][p.frames].sum(axis=0, dtype=np.float64) for p in block) for block in blocks.pieces]
    )
    return targets_differ(means / (blocks.weights * chi.n_frames)[:, None, None], chi.n_states - 1)


def _of_single_targets(chi: Chi, tau: int, basis: Basis) -> Blocks:
    """Blocks of time of each of a few targets, if these are shown to be independent."""
    number = int(min(basis.n_relaxations / _PER_BLOCK, chi.n_frames / (2 * tau), _MOST / chi.n_targets))
    if number < 2 or number * chi.n_targets < _LEAST:
        return Blocks(basis)
    design, reason = independent_design(chi, tau)
    if reason:
        return Blocks(replace(basis, reason=reason))
    if shared := shared_time(chi, tau):
        return Blocks(replace(basis, reason="shared", slower=shared))
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
    shared = shared_time(chi, tau)
    if chi.n_frames < _PER_SHARED * shared:
        return Blocks(replace(basis, reason="shared", slower=shared))
    return groups_of_targets(chi, replace(basis, design_effect=design), 2 * tau)


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
    return Blocks(kind, pieces, share_of_frames(pieces))
