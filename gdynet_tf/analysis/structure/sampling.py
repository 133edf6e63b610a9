"""Averages over sampled frames with their intervals: what is independent is asked of states and quantity together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from gdynet_tf.analysis.blocks import Blocks
from gdynet_tf.analysis.chi import Chi
from gdynet_tf.analysis.independence import independent_blocks

__all__ = ["block_labels", "blocks_of_quantity", "divided_by", "sampled_chi"]


def sampled_chi(chi: Chi, frames: Sequence[tuple[int, int]]) -> Chi:
    """chi of some frames, evenly spaced in each segment.

    Parameters
    ----------
    chi : Chi
    frames : list of (segment, frame)

    Returns
    -------
    Chi
        float64, segments without a frame left out; its lag time is the nearest in the new spacing.
    """
    segment, frame = np.array(frames).T
    kept = np.unique(segment)
    stride = max(1, int(np.diff(frame[segment == kept[0]][:2])[0])) if (segment == kept[0]).sum() > 1 else 1
    return Chi(
        tuple(np.asarray(chi[k][frame[segment == k]], np.float64) for k in kept),
        tau=max(1, round((chi.tau or 1) / stride)),
        frame_interval=chi.frame_interval * stride,
        time_unit=chi.time_unit,
        trajectories=None if chi.trajectories is None else tuple(chi.trajectories[k] for k in kept),
    )


def blocks_of_quantity(chi: Chi, shares: Sequence[np.ndarray]) -> Blocks:
    """What is independent when a quantity is averaged by state.

    A quantity may remember longer than the states, or differ between targets for good. So every state is divided by it,
    chi_i w_k with shares w_k that add up to one, and the mechanism looks at these.

    Parameters
    ----------
    chi : Chi
    shares : sequence of (F, n_targets, n_shares) arrays
        Of each segment, for instance (y, 1 - y) of a quantity y between 0 and 1.

    Returns
    -------
    Blocks
        Without any where the data are too short for the lag time.
    """
    divided = tuple(
        (p[..., :, None] * w[..., None, :]).reshape(*p.shape[:2], -1) for p, w in zip(chi, shares, strict=True)
    )
    together = Chi(divided, tau=min(chi.tau or 1, max(1, chi.longest - 1)), trajectories=chi.trajectories)
    if together.longest < 2:
        return independent_blocks(Chi(tuple(np.repeat(p[:1], 2, axis=0) for p in divided), tau=1))
    return independent_blocks(together)


def divided_by(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Shares (y, 1 - y) with the rank y of a quantity among all its values, from 0 to 1.

    Parameters
    ----------
    values : sequence of (F, n_targets) arrays

    Returns
    -------
    list of (F, n_targets, 2) float64
        Equal values share the mean of their ranks.
    """
    ranks = rankdata(np.concatenate([v.ravel() for v in values]))
    y = np.split((ranks - 0.5) / len(ranks), np.cumsum([v.size for v in values])[:-1])
    return [np.stack([a, 1 - a], axis=-1).reshape(*v.shape, 2) for a, v in zip(y, values, strict=True)]


def block_labels(blocks: Blocks, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Blocks that each target belongs to in each frame.

    Parameters
    ----------
    blocks : Blocks
    values : sequence of (F, n_targets, ...) arrays
        One per segment.

    Returns
    -------
    list of (F, n_targets, n_partitions) int
        One in each partition of the data. Zero everywhere where there are no blocks.
    """
    partitions = blocks.partitions if blocks else [slice(0, 0)]
    labels = [np.zeros((*segment.shape[:2], len(partitions)), np.int16) for segment in values]
    for k, partition in enumerate(partitions):
        for number in range(partition.start, partition.stop):
            for piece in blocks.pieces[number]:
                labels[piece.segment][piece.frames, piece.targets, k] = number
    return labels
