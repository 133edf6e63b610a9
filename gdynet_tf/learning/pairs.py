"""Lagged pairs of frames and the tf.data pipelines that feed them to a network.

The only module that touches ``tf.*``, and only when a pipeline is made.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = ["frame_batches", "lagged_pairs", "pair_batches", "piece_batches"]


def lagged_pairs(blocks: Sequence[tuple[int, int, int]], tau: int) -> np.ndarray:
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


def _read_batches(
    graphs: "GraphDataset",
    trajectories: np.ndarray,
    frames: np.ndarray,
    batch_size: int,
    lead: tuple[int, ...],
    with_label: bool,
) -> "tf.data.Dataset":
    """tf.data of the graphs at (trajectories, frames), read in that order, with the constants of the system."""
    import tensorflow as tf

    signature = {
        name: tf.TensorSpec((batch_size, *lead, *shape), dtype) for name, (shape, dtype) in graphs.input_shapes.items()
    }
    constants = {name: tf.constant(value) for name, value in graphs.constants.items()}

    def read(trajectory: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        graph = graphs.read(trajectory, frame)
        return [graph[name] for name in signature]

    def load(trajectory: tf.Tensor, frame: tf.Tensor) -> Any:
        arrays = tf.numpy_function(read, [trajectory, frame], [spec.dtype for spec in signature.values()])
        graph = {name: tf.ensure_shape(a, signature[name].shape) for name, a in zip(signature, arrays, strict=True)}
        inputs = {**graph, **constants}
        # Keras wants a label; the VAMP loss has none.
        return (inputs, tf.zeros((batch_size, 1))) if with_label else inputs

    index = tf.data.Dataset.from_tensor_slices((trajectories, frames)).batch(batch_size, drop_remainder=True)
    return index.map(load, num_parallel_calls=1).prefetch(2)


def pair_batches(
    graphs: "GraphDataset", pairs: np.ndarray, tau: int, batch_size: int, seed: int, epoch: int
) -> "tf.data.Dataset":
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
    trajectories, start = _shuffled(pairs, seed, epoch).T
    return _read_batches(graphs, trajectories, np.stack([start, start + tau], 1), batch_size, (2,), True)


def piece_batches(
    graphs: "GraphDataset",
    pairs: np.ndarray,
    tau: int,
    batch_size: int,
    n_pieces: int,
    taken: Sequence[int],
    seed: int,
    epoch: int,
) -> tuple[int, Iterator[dict[str, np.ndarray]]]:
    """The batches of `pair_batches`, each in pieces of equal size.

    Parameters
    ----------
    graphs : GraphDataset
    pairs : (n_pairs, 2) int array
    tau, batch_size : int
    n_pieces : int
        Of a batch; the last ones are filled up with copies of its last pair.
    taken : sequence of int
        Those of each batch that are read, in this order, which may hold some twice.
    seed, epoch : int

    Returns
    -------
    n_batches : int
    pieces : iterator of dict of array
        Inputs with leading axes (ceil(B / n_pieces), 2): those of the first batch, of the second, and so on.
    """
    n_batches, size = len(pairs) // batch_size, -(-batch_size // n_pieces)
    rows = _shuffled(pairs, seed, epoch)[: n_batches * batch_size].reshape(n_batches, batch_size, 2)
    filled = rows[:, np.minimum(np.arange(size * n_pieces), batch_size - 1)]
    trajectories, start = filled.reshape(n_batches, n_pieces, size, 2)[:, taken].reshape(-1, 2).T
    batches = _read_batches(graphs, trajectories, np.stack([start, start + tau], 1), size, (2,), False)
    return n_batches, batches.as_numpy_iterator()


def _shuffled(pairs: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    return pairs[np.random.default_rng([seed, epoch]).permutation(len(pairs))]


def frame_batches(
    graphs: "GraphDataset", block: tuple[int, int, int], batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
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
