"""Lagged pairs of frames, their split into training, validation and test, and the tf.data pipelines.

The only module that touches ``tf.*``, and only when a pipeline is made.
"""

from dataclasses import dataclass

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["Split", "frame_batches", "lagged_pairs", "pair_batches", "split_by_name", "split_by_time", "time_folds"]


@dataclass(frozen=True)
class Split:
    """Blocks of frames; each is (trajectory, start, stop) and lies within one segment."""

    train: tuple
    validation: tuple
    test: tuple

    def to_dict(self):
        """Plain lists, as ``config.json`` holds them."""
        return {name: [list(block) for block in blocks] for name, blocks in vars(self).items()}

    @classmethod
    def from_dict(cls, content):
        """Inverse of `to_dict`."""
        return cls(**{name: tuple(tuple(block) for block in blocks) for name, blocks in content.items()})


def _segment_blocks(segments):
    """(trajectory, start, stop) of every segment."""
    blocks = []
    for trajectory, lengths in enumerate(segments):
        ends = np.cumsum(lengths)
        blocks += [(trajectory, int(end - n), int(end)) for n, end in zip(lengths, ends, strict=True)]
    return blocks


def split_by_time(segments, tau, fractions=(0.70, 0.15, 0.15)):
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
        raise InputError(f"--tau {tau}: must be from 1 to {longest - 1}, the longest segment has {longest} frames")
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise InputError(
            f"--split {' '.join(map(str, fractions))}: three positive fractions that add up to 1 are needed"
        )
    total = sum(sum(lengths) for lengths in segments)
    cuts = [round(total * fractions[0]), round(total * (fractions[0] + fractions[1]))]
    ranges = [(0, cuts[0]), (cuts[0] + tau, cuts[1]), (cuts[1] + tau, total)]
    split = Split(*(_blocks_between(segments, first, last, tau) for first, last in ranges))
    for name, blocks in vars(split).items():
        if not blocks:
            raise InputError(
                f"--tau {tau}: no pair is left for {name} ({total} frames in segments of at most {longest}, "
                f"split {' '.join(map(str, fractions))}); a shorter lag or other fractions are needed"
            )
    return split


def _blocks_between(segments, first, last, tau):
    """Blocks longer than tau of the frames first:last of all segments laid end to end."""
    blocks, offset = [], 0
    for trajectory, start, stop in _segment_blocks(segments):
        a, b = max(offset, first), min(offset + stop - start, last)
        if b - a > tau:
            blocks.append((trajectory, a - offset + start, b - offset + start))
        offset += stop - start
    return tuple(blocks)


def time_folds(segments, tau, n_splits, validation=0.15):
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
        raise InputError(f"--n-splits {n_splits}: {error} ({total} frames, lag time {tau})") from None
    for k, (train, test) in enumerate(indices):
        cut = round(len(train) * (1 - validation))
        ranges = [(0, cut), (cut + tau, len(train)), (test[0], test[-1] + 1)]
        fold = Split(*(_blocks_between(segments, int(first), int(last), tau) for first, last in ranges))
        for name, blocks in vars(fold).items():
            if not blocks:
                raise InputError(
                    f"--n-splits {n_splits}: no pair is left for {name} in fold {k + 1} ({total} frames, lag time "
                    f"{tau}); fewer splits or a shorter lag are needed"
                )
        folds.append(fold)
    return folds


def split_by_name(names, segments, tau, validation, test):
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
    for option, chosen in (("--val", validation), ("--test", test)):
        if not chosen:
            raise InputError(f"{option}: --val and --test are given together, each naming at least one trajectory")
        for name in chosen:
            if name not in names:
                raise InputError(f"{option} {name}: no such trajectory; there are {', '.join(names)}")
    twice = set(validation) & set(test)
    if twice:
        raise InputError(f"--val and --test: {', '.join(sorted(twice))} is named in both")
    parts = {"train": [], "validation": [], "test": []}
    for block in _segment_blocks(segments):
        name = names[block[0]]
        part = "validation" if name in validation else "test" if name in test else "train"
        if block[2] - block[1] > tau:
            parts[part].append(block)
    for part, blocks in parts.items():
        if not blocks:
            raise InputError(f"--tau {tau}: no pair is left for {part}; its segments must be longer than the lag")
    return Split(*(tuple(blocks) for blocks in parts.values()))


def lagged_pairs(blocks, tau):
    """First frames of all pairs (t, t + tau) inside the blocks.

    Parameters
    ----------
    blocks : sequence of (trajectory, start, stop)
    tau : int

    Returns
    -------
    (n_pairs, 2) int64
        Trajectory and frame t.
    """
    rows = [
        np.stack([np.full(stop - start - tau, trajectory), np.arange(start, stop - tau)], axis=1)
        for trajectory, start, stop in blocks
        if stop - start > tau
    ]
    return np.concatenate(rows) if rows else np.empty((0, 2), np.int64)


def _read_batches(graphs, trajectories, frames, batch_size, lead, with_label):
    """tf.data of the graphs at (trajectories, frames), read in that order, with the constants of the system."""
    import tensorflow as tf

    signature = {
        name: tf.TensorSpec((batch_size, *lead, *shape), dtype) for name, (shape, dtype) in graphs.input_shapes.items()
    }
    constants = {name: tf.constant(value) for name, value in graphs.constants.items()}

    def read(trajectory, frame):
        graph = graphs.read(trajectory, frame)
        return [graph[name] for name in signature]

    def load(trajectory, frame):
        arrays = tf.numpy_function(read, [trajectory, frame], [spec.dtype for spec in signature.values()])
        graph = {name: tf.ensure_shape(a, signature[name].shape) for name, a in zip(signature, arrays, strict=True)}
        inputs = {**graph, **constants}
        # Keras wants a label; the VAMP loss has none.
        return (inputs, tf.zeros((batch_size, 1))) if with_label else inputs

    index = tf.data.Dataset.from_tensor_slices((trajectories, frames)).batch(batch_size, drop_remainder=True)
    return index.map(load, num_parallel_calls=1).prefetch(2)


def pair_batches(graphs, pairs, tau, batch_size, seed, epoch):
    """Shuffled batches of pairs of one epoch, as ``model.fit`` takes them.

    The order follows from (seed, epoch) alone, so a resumed training sees the same batches.

    Parameters
    ----------
    graphs : GraphDataset
    pairs : (n_pairs, 2) int array
        From `lagged_pairs`.
    tau : int
    batch_size : int
        Pairs of frames; each holds all targets. The last, incomplete batch is left out.
    seed, epoch : int

    Returns
    -------
    tf.data.Dataset
        Of (inputs with leading axes (B, 2), unused label).
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(pairs))
    trajectories, start = pairs[order].T
    return _read_batches(graphs, trajectories, np.stack([start, start + tau], 1), batch_size, (2,), True)


def frame_batches(graphs, block, batch_size):
    """Consecutive frames of a block; the last batch is filled up with copies of the last frame.

    Parameters
    ----------
    graphs : GraphDataset
    block : (trajectory, start, stop)
    batch_size : int

    Returns
    -------
    iterator of dict of array
        Inputs with leading axis (B,), as NumPy arrays, which every backend takes.
    """
    trajectory, start, stop = block
    n_rows = -(-(stop - start) // batch_size) * batch_size
    frames = np.minimum(np.arange(start, start + n_rows), stop - 1)
    return _read_batches(graphs, np.full(n_rows, trajectory), frames, batch_size, (), False).as_numpy_iterator()
