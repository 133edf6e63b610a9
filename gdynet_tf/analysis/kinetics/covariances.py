"""Lagged covariances of state probabilities: the sums that all kinetics follow from.

Uncentred, in float64, over all pairs of frames and all targets: C00 = <chi(t) chi(t)^T>, C0t = <chi(t) chi(t+tau)^T>,
Ctt = <chi(t+tau) chi(t+tau)^T>. Pairs never cross from one segment to the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi, check_lags

__all__ = ["covariances", "covariances_without", "lagged_chunks", "lagged_sums", "second_moments"]

_ROWS = 1 << 18  # frames x targets converted to float64 at a time


def lagged_chunks(chunks: Iterable[np.ndarray], tau: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of a stream of chi, of which only the last tau frames are kept.

    Parameters
    ----------
    chunks : iterable of (b, n_targets, n_states) arrays
        Consecutive frames of one segment.
    tau : int
        Lag time in frames.

    Yields
    ------
    start, end : (m, n_targets, n_states) arrays
        chi of the frames t and t + tau.
    """
    tail = None
    for chunk in chunks:
        tail = chunk if tail is None else np.concatenate([tail, chunk])
        if len(tail) > tau:
            yield tail[:-tau], tail[tau:]
            tail = tail[-tau:]


def lagged_sums(chunks: Iterable[np.ndarray], tau: int) -> tuple[np.ndarray, int]:
    """Sums over the pairs of a stream of chi.

    Parameters
    ----------
    chunks : iterable of (b, n_targets, n_states) arrays
        Consecutive frames of one segment.
    tau : int
        Lag time in frames.

    Returns
    -------
    sums : (3, n_states, n_states) float64
        Of chi_0 chi_0^T, chi_0 chi_t^T and chi_t chi_t^T; zero where there is no pair.
    n_samples : int
        Number of pairs times targets.
    """
    sums, n_samples = np.zeros((3, 1, 1)), 0
    for pair in lagged_chunks(chunks, tau):
        x, y = (np.asarray(part, np.float64).reshape(-1, part.shape[-1]) for part in pair)
        sums = sums + np.stack([x.T @ x, x.T @ y, y.T @ y])
        n_samples += len(x)
    return sums, n_samples


def _chunks(segment: np.ndarray, overlap: int = 0) -> Iterator[np.ndarray]:
    """Consecutive pieces of a segment, each large beside the frames that are kept of the piece before."""
    step = max(1, _ROWS // segment.shape[1], 4 * overlap)
    for start in range(0, len(segment), step):
        yield segment[start : start + step]


def covariances(chi: ChiLike, tau: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lagged covariances, pooled over segments and targets.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.

    Returns
    -------
    c00, c0t, ctt : (n_states, n_states) float64

    Raises
    ------
    ValueError
        If no segment is longer than tau.
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    parts = [lagged_sums(_chunks(segment, tau), tau) for segment in chi]
    c00, c0t, ctt = np.asarray(sum(sums for sums, _ in parts)) / sum(n for _, n in parts)
    return c00, c0t, ctt


def second_moments(chi: ChiLike) -> np.ndarray:
    """<chi chi^T> of all frames and targets.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays

    Returns
    -------
    (n_states, n_states) float64
    """
    chi = as_chi(chi)
    total = np.zeros((chi.n_states, chi.n_states))
    for segment in chi:
        for chunk in _chunks(segment):
            x = np.asarray(chunk, np.float64).reshape(-1, chi.n_states)
            total = total + x.T @ x
    return total / (chi.n_frames * chi.n_targets)


def covariances_without(chi: ChiLike, lags: Sequence[int] | np.ndarray, blocks: Any) -> np.ndarray:
    """Lagged covariances of all data and of all data but one block, for every block.

    Covariances are sums, so each block is summed once for each lag. A pair of frames belongs to the block that holds
    its midpoint: what crosses a border is then shared evenly by the blocks on both sides.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    lags : sequence of int
        Frames.
    blocks : Blocks

    Returns
    -------
    (n_blocks + 1, n_lags, 3, n_states, n_states) float64
        C00, C0t and Ctt; of all data first. NaN where no pair is left.
    """
    chi = as_chi(chi)
    lags = check_lags(chi, lags)
    n = chi.n_states
    sums, pairs = np.zeros((len(blocks), len(lags), 3, n, n)), np.zeros((len(blocks), len(lags)))
    for b, pieces in enumerate(blocks.pieces):
        for piece in pieces:
            segment, start, stop = chi[piece.segment], piece.frames.start, piece.frames.stop
            for k, lag in enumerate(lags.tolist()):
                first, last = max(start - lag // 2, 0), min(stop - lag // 2, len(segment) - lag)
                if last > first:
                    found, number = lagged_sums(_targets(segment[first : last + lag], piece.targets, lag), lag)
                    sums[b, k] += found
                    pairs[b, k] += number
    left, number = blocks.left_out(sums), blocks.left_out(pairs)[..., None, None, None]
    return np.divide(left, number, out=np.full(left.shape, np.nan), where=number > 0)


def _targets(segment: np.ndarray, targets: np.ndarray, lag: int) -> Iterator[np.ndarray]:
    return (chunk[:, targets] for chunk in _chunks(segment, lag))
