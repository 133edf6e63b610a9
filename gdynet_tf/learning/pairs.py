"""Pairs of frames a lag time apart, and their graphs batch by batch: NumPy arrays, read ahead, for every backend."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gdynet_tf.graphs.dataset import GraphDataset

__all__ = [
    "FEWEST",
    "LONGEST",
    "LaggedChains",
    "chain_batches",
    "count_pairs",
    "frame_batches",
    "piece_batches",
]

LONGEST = 4  # pairs of a chain: five frames instead of eight; more save little, and pairs are less independent
FEWEST = 2  # chains of a batch: the frames of one are hardly independent, however many targets they have
# So many steps let the validation score rise by more than it scatters; of little data not too many passes are one look.
_BATCHES_PER_EPOCH, _PASSES_PER_EPOCH = 100, 4
_AHEAD = 2  # batches that are read, or being read, while one is in use


def count_pairs(blocks: Sequence[tuple[int, int, int]], tau: int) -> int:
    """Number of pairs (t, t + tau) inside the blocks.

    Parameters
    ----------
    blocks : sequence of (trajectory, start, stop)
    tau : int

    Returns
    -------
    int
    """
    return sum(max(0, stop - start - tau) for _, start, stop in blocks)


@dataclass(frozen=True)
class LaggedChains:
    """The pairs (t, t + tau) of a training in chains t, t + tau, ..., t + length tau, which share their frames.

    The network sees a frame once, for the pair that it begins and the one that it ends: length + 1 frames instead of
    2 length.

    Attributes
    ----------
    blocks : sequence of (trajectory, start, stop)
    tau : int
    batch_size : int
        Pairs of a batch, a multiple of the length.
    length : int
        Pairs of a chain.
    """

    blocks: Sequence[tuple[int, int, int]]
    tau: int
    batch_size: int
    length: int = 1

    @classmethod
    def longest(
        cls, blocks: Sequence[tuple[int, int, int]], tau: int, batch_size: int, most: int = LONGEST
    ) -> "LaggedChains":
        """The longest chains, of at most so many pairs, of which `FEWEST` or more make up a batch.

        At most a tenth of all pairs are left out of the chains.

        Parameters
        ----------
        blocks : sequence of (trajectory, start, stop)
        tau, batch_size : int
        most : int
            Pairs of a chain.

        Returns
        -------
        LaggedChains
        """
        pairs = cls(blocks, tau, batch_size)
        for length in range(min(most, batch_size // FEWEST), 1, -1):
            chains = replace(pairs, length=length)
            if batch_size % length == 0 and chains._n_whole >= 0.9 * pairs._n_whole:
                return chains
        return pairs

    @property
    def chains_per_batch(self) -> int:
        """Chains of a batch."""
        return self.batch_size // self.length

    @property
    def n_batches(self) -> int:
        """Batches of an epoch: 100, or four passes over all pairs where these are fewer."""
        return min(_PASSES_PER_EPOCH * self._n_whole, _BATCHES_PER_EPOCH)

    @property
    def _n_whole(self) -> int:
        """Whole batches of one pass."""
        return sum(int((n // self.length).sum()) for _, _, n in self._classes()) // self.chains_per_batch

    def _classes(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Of each block its trajectory, the first of all frames that are multiples of tau apart, and their pairs."""
        for trajectory, start, stop in self.blocks:
            first = np.arange(start, min(start + self.tau, stop - self.tau))
            yield trajectory, first, (stop - 1 - first) // self.tau

    def epoch(self, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Shuffled chains of an epoch. They follow from (seed, epoch) alone: a resumed training sees the same.

        Which pairs are left out, where they are no multiple of the length or more than an epoch's batches, is drawn for
        each pass.

        Parameters
        ----------
        seed, epoch : int

        Returns
        -------
        trajectories : (n_batches, chains_per_batch) int64
        frames : (n_batches, chains_per_batch, length + 1) int64
        """
        rng = np.random.default_rng([seed, epoch])
        n_passes = -(-self.n_batches // self._n_whole) if self._n_whole else 0
        batches = np.concatenate([self._shuffled(rng) for _ in range(n_passes)] or [np.empty((0, 1, 2), np.int64)])
        chains = batches[: self.n_batches]
        return chains[..., 0], chains[..., 1, None] + self.tau * np.arange(self.length + 1)

    def _shuffled(self, rng: np.random.Generator) -> np.ndarray:
        """Whole batches of one pass, (n_whole, chains_per_batch, 2): trajectory and first frame."""
        rows = []
        for trajectory, first, n_pairs in self._classes():
            n_chains = n_pairs // self.length
            first = first + self.tau * rng.integers(0, n_pairs % self.length, endpoint=True)
            place = np.arange(n_chains.sum()) - np.repeat(np.cumsum(n_chains) - n_chains, n_chains)
            start = np.repeat(first, n_chains) + self.tau * self.length * place
            rows.append(np.stack([np.full(len(start), trajectory), start], 1))
        chains = rng.permutation(np.concatenate(rows))
        return chains[: self._n_whole * self.chains_per_batch].reshape(self._n_whole, self.chains_per_batch, 2)


def _read_batches(
    graphs: "GraphDataset", trajectories: np.ndarray, frames: np.ndarray
) -> Iterator[dict[str, np.ndarray]]:
    """The graphs at (trajectories, frames) (n_batches, ...) in that order; a thread reads the next two meanwhile."""
    rows = iter(zip(trajectories, frames, strict=True))
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:

        def begin(n: int) -> list[Future[dict[str, np.ndarray]]]:
            return [reader.submit(graphs.read, *row) for row in islice(rows, n)]

        waiting = deque(begin(_AHEAD))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(begin(1))
            yield batch


def chain_batches(
    graphs: "GraphDataset", chains: LaggedChains, seed: int, epoch: int
) -> Iterable[tuple[dict[str, Any], Any]]:
    """Shuffled batches of one epoch, as ``model.fit`` takes them.

    Parameters
    ----------
    graphs : GraphDataset
    chains : LaggedChains
        Each frame holds all targets.
    seed, epoch : int

    Returns
    -------
    iterable
        Of (inputs with leading axes (chains, length + 1), unused label): a tf.data.Dataset where Keras computes with
        TensorFlow, else a generator of arrays.
    """
    size, n_frames = chains.chains_per_batch, chains.length + 1
    trajectories, frames = chains.epoch(seed, epoch)
    label = np.zeros((size, 1), np.float32)  # Keras wants one; the VAMP loss has none
    import keras

    if keras.backend.backend() != "tensorflow":
        batches = _read_batches(graphs, trajectories, frames)
        return (({**batch, **graphs.constants}, label) for batch in batches)
    import tensorflow as tf

    # Their shapes must be known: the network computes the receptive field alone, and is compiled.
    signature = {
        name: tf.TensorSpec((size, n_frames, *shape), dtype) for name, (shape, dtype) in graphs.input_shapes.items()
    }
    constants = {name: tf.constant(value) for name, value in graphs.constants.items()}

    def read(trajectory: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        graph = graphs.read(trajectory, frame)
        return [graph[name] for name in signature]

    def load(trajectory: tf.Tensor, frame: tf.Tensor) -> Any:
        arrays = tf.numpy_function(read, [trajectory, frame], [spec.dtype for spec in signature.values()])
        graph = {name: tf.ensure_shape(a, signature[name].shape) for name, a in zip(signature, arrays, strict=True)}
        return {**graph, **constants}, tf.constant(label)

    index = tf.data.Dataset.from_tensor_slices((trajectories, frames))
    return index.map(load, num_parallel_calls=1).prefetch(_AHEAD)


def piece_batches(
    graphs: "GraphDataset", chains: LaggedChains, n_pieces: int, taken: Sequence[int], seed: int, epoch: int
) -> Iterator[dict[str, np.ndarray]]:
    """The batches of `chain_batches`, each in pieces of equal size.

    Parameters
    ----------
    graphs : GraphDataset
    chains : LaggedChains
    n_pieces : int
        Of a batch; the last ones are filled up with copies of its last chain.
    taken : sequence of int
        Those of each batch that are read, in this order, which may hold some twice.
    seed, epoch : int

    Returns
    -------
    iterator of dict of array
        Inputs with leading axes (ceil(chains_per_batch / n_pieces), length + 1): those of the first batch, and so on.
    """
    size = -(-chains.chains_per_batch // n_pieces)
    filled = np.minimum(np.arange(size * n_pieces), chains.chains_per_batch - 1).reshape(n_pieces, size)[list(taken)]
    trajectories, frames = (rows[:, filled].reshape(-1, size, *rows.shape[2:]) for rows in chains.epoch(seed, epoch))
    return ({**batch, **graphs.constants} for batch in _read_batches(graphs, trajectories, frames))


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
    n_batches = -(-(stop - start) // batch_size)
    frames = np.minimum(np.arange(start, start + n_batches * batch_size), stop - 1).reshape(n_batches, batch_size)
    batches = _read_batches(graphs, np.full_like(frames, trajectory), frames)
    return ({**batch, **graphs.constants} for batch in batches)
