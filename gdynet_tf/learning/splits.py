"""Frames divided into training, validation and test: by time, by trajectory, in folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gdynet_tf.analysis.runs import segment_blocks
from gdynet_tf.errors import InputError

__all__ = ["Split", "check_split", "split_by_name", "split_by_time", "time_folds"]


@dataclass(frozen=True)
class Split:
    """Blocks of frames; each is (trajectory, start, stop) and lies within one segment."""

    train: tuple
    validation: tuple
    test: tuple

    def to_dict(self) -> dict[str, list[list[int]]]:
        """Plain lists, as ``config.json`` holds them."""
        return {name: [list(block) for block in blocks] for name, blocks in vars(self).items()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Sequence[Sequence[int]]]) -> Split:
        """Inverse of `to_dict`."""
        return cls(*(tuple(map(tuple, content[name])) for name in ("train", "validation", "test")))


def check_split(split: Split, segments: Sequence[Sequence[int]], tau: int, where: str = "`split`") -> None:
    """Make sure that a division that was not made here can be trained with.

    Parameters
    ----------
    split : Split
    segments : list of list of int
        Frames of each segment of each trajectory.
    tau : int
        Lag time in frames.
    where : str
        What it is called in the message.

    Raises
    ------
    InputError
        If a block is not in the data or shares frames with another, or a part holds no pair.
    """
    from gdynet_tf.schema import check_blocks

    try:
        check_blocks(vars(split), segments)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {error}") from None
    for part, blocks in vars(split).items():
        if not any(stop - start > tau for _, start, stop in blocks):
            raise InputError(f"{where}: no block for {part} is longer than `tau={tau}`, so that no pair is left")


def split_by_time(
    segments: Sequence[Sequence[int]], tau: int, fractions: tuple[float, ...] = (0.70, 0.15, 0.15)
) -> Split:
    """Contiguous blocks of time: the first part trains, the next validates, the last tests.

    All segments are put end to end and cut at the fractions; ``tau`` frames are left out after each cut, so that
    no pair of one block comes within a lag of another block.

    Parameters
    ----------
    segments : list of list of int
        Frames of each segment of each trajectory.
    tau : int
        Lag time in frames.
    fractions : tuple of float
        Of training, validation and test; they add up to 1.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If tau is not shorter than the longest segment, or a block would hold no pair.
    """
    longest = max(max(lengths) for lengths in segments)
    if not 1 <= tau < longest:
        raise InputError(f"`tau={tau}`: must be from 1 to {longest - 1}, the longest segment has {longest} frames")
    if len(fractions) != 3 or not all(f > 0 for f in fractions) or not abs(sum(fractions) - 1) <= 1e-6:
        raise InputError(
            f"`split={' '.join(map(str, fractions))}`: three positive fractions that add up to 1 are needed"
        )
    total = sum(sum(lengths) for lengths in segments)
    cuts = [round(total * fractions[0]), round(total * (fractions[0] + fractions[1]))]
    ranges = [(0, cuts[0]), (cuts[0] + tau, cuts[1]), (cuts[1] + tau, total)]
    split = Split(*(_blocks_between(segments, first, last, tau) for first, last in ranges))
    for name, blocks in vars(split).items():
        if not blocks:
            raise InputError(
                f"`tau={tau}`: no pair is left for {name} ({total} frames in segments of at most {longest}, "
                f"split {' '.join(map(str, fractions))}); a shorter lag or other fractions are needed"
            )
    return split


def _blocks_between(
    segments: Sequence[Sequence[int]], first: int, last: int, tau: int
) -> tuple[tuple[int, int, int], ...]:
    """Blocks longer than tau of the frames first:last of all segments laid end to end."""
    blocks, offset = [], 0
    for trajectory, start, stop in segment_blocks(segments):
        a, b = max(offset, first), min(offset + stop - start, last)
        if b - a > tau:
            blocks.append((trajectory, a - offset + start, b - offset + start))
        offset += stop - start
    return tuple(blocks)


def time_folds(segments: Sequence[Sequence[int]], tau: int, n_splits: int, validation: float = 0.15) -> list[Split]:
    """Cross-validation in blocks of time: each fold trains on what comes before its test block (scikit-learn's
    TimeSeriesSplit), with tau frames left out between.

    Parameters
    ----------
    segments : list of list of int
        Frames of each segment of each trajectory.
    tau : int
        Lag time in frames.
    n_splits : int
    validation : float
        Share of the training frames, the last ones, that stops the training.

    Returns
    -------
    list of Split

    Raises
    ------
    InputError
        If a part of a fold holds no pair.
    """
    from sklearn.model_selection import TimeSeriesSplit  # half a second to import

    total = sum(sum(lengths) for lengths in segments)
    folds = []
    try:
        indices = list(TimeSeriesSplit(n_splits, gap=tau).split(np.zeros(total)))
    except ValueError as error:
        raise InputError(f"`n_splits={n_splits}`: {error} ({total} frames, lag time {tau})") from None
    for k, (train, test) in enumerate(indices):
        cut = round(len(train) * (1 - validation))
        ranges = [(0, cut), (cut + tau, len(train)), (test[0], test[-1] + 1)]
        fold = Split(*(_blocks_between(segments, int(first), int(last), tau) for first, last in ranges))
        for name, blocks in vars(fold).items():
            if not blocks:
                raise InputError(
                    f"`n_splits={n_splits}`: no pair is left for {name} in fold {k + 1} ({total} frames, lag time "
                    f"{tau}); fewer splits or a shorter lag are needed"
                )
        folds.append(fold)
    return folds


def split_by_name(
    names: Sequence[str], segments: Sequence[Sequence[int]], tau: int, validation: Sequence[str], test: Sequence[str]
) -> Split:
    """Whole trajectories for validation and test, the others for training.

    Parameters
    ----------
    names : list of str
        Of the trajectories in the graph directory.
    segments : list of list of int
    tau : int
    validation, test : list of str
        Names of trajectories.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        If a name is unknown or used twice, or a part holds no pair.
    """
    for part, chosen in (("validation", validation), ("test", test)):
        if not chosen:
            raise InputError(
                f"`{part}`: `validation` and `test` are given together, each naming at least one trajectory"
            )
        for name in chosen:
            if name not in names:
                raise InputError(f"`{part}={name}`: no such trajectory; there are {', '.join(names)}")
    twice = set(validation) & set(test)
    if twice:
        raise InputError(f"`validation` and `test`: {', '.join(sorted(twice))} is named in both")
    parts: dict[str, list[tuple[int, int, int]]] = {"train": [], "validation": [], "test": []}
    for block in segment_blocks(segments):
        name = names[block[0]]
        part = "validation" if name in validation else "test" if name in test else "train"
        if block[2] - block[1] > tau:
            parts[part].append(block)
    for part, blocks in parts.items():
        if not blocks:
            raise InputError(f"`tau={tau}`: no pair is left for {part}; its segments must be longer than the lag")
    return Split(*(tuple(blocks) for blocks in parts.values()))
