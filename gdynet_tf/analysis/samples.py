"""Confidence intervals from samples that are independent: trajectories, time chunks or groups of targets.

The paper uses all three: five time chunks for the toy system, five random sets of atoms at the interface, four
trajectories of the polymer (Xie et al. 2019, Figs. 2-4).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from gdynet_tf.analysis.chi import as_chi

__all__ = ["Samples", "confidence_interval", "independent_samples", "split_chunks", "split_targets"]

_MIN_LAGS = 2  # a chunk shorter than this many lag times has too few pairs to be a sample


@dataclass(frozen=True)
class Samples:
    """Parts of the data that count as independent.

    Attributes
    ----------
    by : {"trajectories", "chunks", "targets", None}
        What the parts are; None: the data cannot be divided, there is no interval.
    parts : list of list of array
        A chi list for each part.
    reason : str
        Why there is no interval; empty otherwise.
    """

    by: str | None
    parts: list
    reason: str = ""

    @property
    def description(self):
        """In words, for captions: "5 time chunks"."""
        words = {
            "trajectories": "independent trajectories",
            "chunks": "time chunks",
            "targets": "random sets of targets",
        }
        return f"{len(self.parts)} {words[self.by]}" if self.by else "no interval"


def split_chunks(chi, n_chunks):
    """Each segment cut into equal pieces of time, so that there are about ``n_chunks`` equal parts.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    n_chunks : int

    Returns
    -------
    list of list of array
        Views. Part k holds the frames from k/n to (k+1)/n of all segments laid end to end.
    """
    chi = as_chi(chi)
    cuts = np.linspace(0, sum(len(segment) for segment in chi), n_chunks + 1).round().astype(int)
    parts, offset = [[] for _ in range(n_chunks)], 0
    for segment in chi:
        for part, first, last in zip(parts, cuts[:-1], cuts[1:], strict=True):
            piece = segment[max(first - offset, 0) : max(last - offset, 0)]
            if len(piece):
                part.append(piece)
        offset += len(segment)
    return [part for part in parts if part]


def split_targets(chi, n_groups, seed=0):
    """Targets divided at random into groups of equal size.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    n_groups : int
    seed : int

    Returns
    -------
    list of list of array
    """
    chi = as_chi(chi)
    order = np.random.default_rng(seed).permutation(chi[0].shape[1])
    return [[segment[:, np.sort(group)] for segment in chi] for group in np.array_split(order, n_groups)]


def independent_samples(chi, max_lag, by="auto", n=5):
    """Divide the data for confidence intervals.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    max_lag : int
        Longest lag time in frames that will be asked of each part.
    by : {"auto", "trajectories", "chunks", "targets"}
        "auto" takes the segments when at least three are longer than twice the lag, else n time chunks when each
        keeps that length, else n groups when there are at least two targets for each.
    n : int
        Number of chunks or groups.

    Returns
    -------
    Samples
    """
    chi = as_chi(chi)
    if by not in ("auto", "trajectories", "chunks", "targets"):
        raise ValueError(f"by must be auto, trajectories, chunks or targets, got {by!r}")
    needed = _MIN_LAGS * max_lag
    long = [[segment] for segment in chi if len(segment) >= needed]
    chunks = split_chunks(chi, n)
    chunks = [part for part in chunks if max(len(piece) for piece in part) >= needed]
    n_targets = chi[0].shape[1]
    if by == "trajectories" or (by == "auto" and len(long) >= 3):
        if len(long) >= 2:
            return Samples("trajectories", long)
        return Samples(None, [], f"fewer than two segments are {needed} frames long")
    if by == "chunks" or (by == "auto" and len(chunks) == n):
        if len(chunks) >= 2:
            return Samples("chunks", chunks)
        return Samples(None, [], f"time chunks are shorter than {needed} frames")
    if by == "targets" or n_targets >= 2 * n:
        if n_targets >= n:
            return Samples("targets", split_targets(chi, n))
        return Samples(None, [], f"{n_targets} targets cannot be divided into {n} groups")
    return Samples(
        None,
        [],
        f"segments and chunks are shorter than {needed} frames, and {n_targets} targets are too few to divide",
    )


def confidence_interval(values, level=0.95):
    """Student-t interval of the mean of independent values.

    Parameters
    ----------
    values : (n_samples, ...) array
        NaN entries are left out.
    level : float

    Returns
    -------
    lower, upper : (...) arrays
        NaN where fewer than two values are finite.
    """
    values = np.asarray(values, np.float64)
    if not len(values):
        raise ValueError("no sample to take an interval of")
    finite = np.isfinite(values)
    n = finite.sum(axis=0)
    enough = n >= 2
    filled = np.where(finite, values, 0.0)
    count = np.maximum(n, 2)
    mean = filled.sum(axis=0) / count
    variance = np.where(finite, (filled - mean) ** 2, 0.0).sum(axis=0) / (count - 1)
    half = stdtrit(count - 1, 0.5 + level / 2) * np.sqrt(variance / count)
    return np.where(enough, mean - half, np.nan), np.where(enough, mean + half, np.nan)
