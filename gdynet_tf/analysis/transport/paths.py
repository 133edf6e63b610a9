"""Paths of the targets: what is asked of them, and which parts of them are independent."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from gdynet_tf.analysis.blocks import Basis, Blocks, blocks_of_time, groups_of_targets
from gdynet_tf.analysis.dependence import follow_one_another, targets_differ

__all__ = ["check_positions", "independent_motion", "neighbor_factor", "warn_of_jumps"]

_LEAST, _MOST, _ENOUGH = 6, 40, 20  # blocks; from the last, blocks of time are preferred to groups of targets
_ROWS = 1 << 18  # frames x targets looked at together
_DESIGN = 1.5  # widening of the variance of a mean squared displacement up to which targets count as independent


def check_positions(positions: np.ndarray | Iterable[np.ndarray]) -> list[np.ndarray]:
    """List of (F, n_targets, 3) arrays from one such array or a list of them; ValueError if they are not."""
    positions = [positions] if isinstance(positions, np.ndarray) else list(positions)
    if not positions:
        raise ValueError("positions hold no segment")
    for n, x in enumerate(positions):
        if x.ndim != 3 or x.shape[2] != 3 or not x.size or x.shape[1] != positions[0].shape[1]:
            raise ValueError(f"positions of segment {n} must have shape (F, n_targets, 3), got {x.shape}")
        if not np.isfinite(x).all():
            raise ValueError(f"positions of segment {n} hold values that are not finite")
    return positions


def independent_motion(positions: Sequence[np.ndarray], lag: int) -> Blocks:
    """Blocks for averages of squared displacements where no states tell what is independent.

    Steps of a diffusing particle that do not overlap are independent: blocks of time, at least half of the longest lag,
    if there are twenty and targets are equally mobile (`targets_differ`); else groups of targets, where the
    displacements of targets within that lag are shown to be uncorrelated enough and none follow one another with a
    delay; else six blocks of time or more, if targets are equally mobile.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Å.
    lag : int
        Longest lag, frames.

    Returns
    -------
    Blocks
    """
    n_frames, n_targets = sum(map(len, positions)), positions[0].shape[1]
    number = min(_MOST, 2 * n_frames // lag, n_frames)
    time = blocks_of_time(positions, number, Basis(None)) if number >= _LEAST else Blocks(Basis(None))
    differ = bool(time) and targets_differ(_steps(positions, time, lag), 1)
    asked = (len(time) < _ENOUGH or differ) and n_targets >= _LEAST
    if asked and _design(positions, lag) < _DESIGN and not _following(positions):
        return groups_of_targets(positions, Basis(None), max(1, lag // 2))
    if differ:
        return Blocks(Basis(None, reason="targets differ"))
    return time or Blocks(Basis(None, relaxation=lag, n_relaxations=n_frames / lag, reason="short"))


def _steps(positions: Sequence[np.ndarray], blocks: Blocks, lag: int) -> np.ndarray:
    """Root mean square displacement of each target in each block, (n_blocks, n_targets, 1), over that of all.

    Of a fifth of the lag: displacements that begin in one block should not end in the next.
    """
    lag = max(1, lag // 5)
    squares = np.zeros((len(blocks), positions[0].shape[1]))
    for number, pieces in enumerate(blocks.pieces):
        for piece in pieces:
            x = np.asarray(positions[piece.segment][piece.frames], np.float64)
            squares[number] += np.square(x[lag:] - x[:-lag]).sum(axis=(0, 2))
    return np.sqrt(squares / max(squares.mean(), 1e-300))[..., None]


def _following(positions: Sequence[np.ndarray]) -> bool:
    """Whether targets make steps that others made before them, at whatever delay."""
    n_targets, chunk = positions[0].shape[1], max(1, _ROWS // sum(map(len, positions)))

    def steps(axis: int) -> Iterator[np.ndarray]:
        for start in range(0, n_targets, chunk):
            yield np.concatenate([np.diff(x[:, start : start + chunk, axis].astype(float), axis=0) for x in positions])

    return any(follow_one_another(steps(axis), 1) for axis in range(3))


def _design(positions: Sequence[np.ndarray], lag: int) -> float:
    """Upper bound of the factor by which correlation between targets widens the variance of their squared steps.

    Squares are correlated by the square of the correlation r of the displacements: 1 + (N - 1) r^2, with
    1 + (N - 1) r the variance of the sum of the displacements over the sum of their variances.
    """
    together = alone = 0.0
    n_windows, n_targets = 0, positions[0].shape[1]
    for x in positions:
        step = np.diff(np.asarray(x[::lag], np.float64), axis=0)  # (windows, n_targets, 3)
        together += np.square(step.sum(axis=1)).sum()
        alone += np.square(step).sum()
        n_windows += len(step)
    if not alone > 0:
        return np.inf
    ratio = together / alone
    excess = abs(ratio - 1) + 1.64 * ratio * np.sqrt(2 / (3 * n_windows))
    return 1 + excess**2 / (n_targets - 1)


def neighbor_factor(lag: int, blocks: Blocks) -> float:
    """Variance of a mean squared displacement over that which the spread between blocks of time shows.

    A displacement that begins in one block ends in the next ones, so that they share a part of their fluctuation. For
    a Brownian path sums over n starting times vary as sum over |d| < n of (n - |d|) (lag - |d|)^2, |d| < lag.

    Parameters
    ----------
    lag : int
        Frames.
    blocks : Blocks

    Returns
    -------
    float
        1 where the blocks are not of time.
    """
    if blocks.basis.kind != "time blocks" or lag < 1:
        return 1.0

    def variance(n: float) -> float:
        d = np.arange(1, int(min(n, lag)))
        return n * lag**2 + 2 * ((n - d) * (lag - d) ** 2.0).sum()

    length, number = max(1.0, blocks.basis.block_length), len(blocks)
    return float(max(1.0, variance(number * length) / (number * variance(length))))


def warn_of_jumps(
    positions: Sequence[np.ndarray], lattices: Sequence[np.ndarray], periodic: tuple[bool, ...] = (True, True, True)
) -> float:
    """Warn when a target moves more than half a cell between two frames: its path was then lost.

    Parameters
    ----------
    positions : list of (F, n_targets, 3) arrays
        Å, unwrapped.
    lattices : list of (F, 3, 3) arrays
        Å.
    periodic : tuple of bool

    Returns
    -------
    float
        Largest step in cells along a periodic direction.

    Warns
    -----
    UserWarning
    """
    largest = 0.0
    for x, cell in zip(check_positions(positions), lattices, strict=True):
        fractional = np.asarray(x, np.float64) @ np.linalg.inv(cell)
        steps = np.abs(np.diff(fractional, axis=0))[..., np.asarray(periodic, bool)]
        largest = max(largest, float(steps.max(initial=0.0)))
    if largest > 0.5:
        warnings.warn(
            f"a target jumps {largest:.2f} cells between two frames, more than half a cell: its path is unknown, "
            "unless all frames were followed before some were left out. Positions must be unwrapped",
            UserWarning,
            stacklevel=2,
        )
    return largest
