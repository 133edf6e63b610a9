"""Lagged pairs of frames, and their graphs batch by batch: NumPy arrays that are read ahead, for every backend."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = ["frame_batches", "lagged_pairs", "pair_batches", "piece_batches"]

_AHEAD = 2  # batches that are read, or being read, while one is in use


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
    graphs: "GraphDataset", trajectories: np.ndarray, frames: np.ndarray, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """The graphs at (trajectories, frames), batch by batch in that order; a thread reads the next two meanwhile."""
    starts = iter(range(0, len(frames) - batch_size + 1, batch_size))
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:

        def begin(n: int) -> list[Future[dict[str, np.ndarray]]]:
            rows = [slice(start, start + batch_size) for start in islice(starts, n)]
            return [reader.submit(graphs.read, trajectories[part], frames[part]) for part in rows]

        waiting = deque(begin(_AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(begin(1))
            yield batch


def pair_batches(
    graphs: "GraphDataset", pairs: np.ndarray, tau: int, batch_size: int, seed: int, epoch: int
) -> Iterable[tuple[dict[str, Any], Any]]:
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
    iterable
        Of (inputs with leading axes (B, 2), unused label): a tf.data.Dataset where Keras computes with TensorFlow,
        else a generator of arrays.
    """
    trajectories, start = _shuffled(pairs, seed, epoch).T
    label = np.zeros((batch_size, 1), np.float32)  # Keras wants one; the VAMP loss has none

    frames = np.stack([start, start + tau], axis=1)
    import keras

    if keras.backend.backend() != "tensorflow":
        batches = _read_batches(graphs, trajectories, frames, batch_size)
        return (({**batch, **graphs.constants}, label) for batch in batches)
    import tensorflow as tf

    # Their shapes must be known: the network computes the receptive field alone, and is compiled.
    signature = {
        name: tf.TensorSpec((batch_size, 2, *shape), dtype) for name, (shape, dtype) in graphs.input_shapes.items()
    }
    constants = {name: tf.constant(value) for name, value in graphs.constants.items()}

    def read(trajectory: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        graph = graphs.read(trajectory, frame)
        return [graph[name] for name in signature]

    def load(trajectory: tf.Tensor, frame: tf.Tensor) -> Any:
        arrays = tf.numpy_function(read, [trajectory, frame], [spec.dtype for spec in signature.values()])
        graph = {name: tf.ensure_shape(a, signature[name].shape) for name, a in zip(signature, arrays, strict=True)}
        return {**graph, **constants}, tf.constant(label)

    index = tf.data.Dataset.from_tensor_slices((trajectories, frames)).batch(batch_size, drop_remainder=True)
    return index.map(load, num_parallel_calls=1).prefetch(_AHEAD)


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
    batches = _read_batches(graphs, trajectories, np.stack([start, start + tau], 1), size)
    return n_batches, ({**batch, **graphs.constants} for batch in batches)


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
        Inputs with leading axis (B,).
    """
    trajectory, start, stop = block
    n_rows = -(-(stop - start) // batch_size) * batch_size
    frames = np.minimum(np.arange(start, start + n_rows), stop - 1)
    batches = _read_batches(graphs, np.full(n_rows, trajectory), frames, batch_size)
    return ({**batch, **graphs.constants} for batch in batches)
