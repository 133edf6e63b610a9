"""Batches that are too large for the memory, a piece at a time, with the gradient of the whole batch.

The score of a batch depends on chi through sums over its samples alone. So chi of all pieces is taken first, without
what a derivative needs; then the score's slope with respect to every value of chi is known, and each piece goes through
the network again for the gradient of sum(slope * chi). The sum of these is the gradient of the score, by the chain rule
and but for rounding, with the memory of one piece and one more evaluation of the network.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.pairs import LONGEST, LaggedChains, piece_batches
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.vamp import VAMPLoss, chain_pairs, covariances, vamp2_slopes
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.layers import Tensor

__all__ = ["MEMORY", "SlopeLoss", "compile_for_pieces", "copy_optimizer", "fit_in_pieces", "plan_batches"]

# Bytes that a batch may take; a larger one goes in pieces. Not what happens to be free: the number of pieces changes
# the rounding, which training magnifies, so a seed would give other weights beside other programs, or when resumed.
MEMORY = 1 << 29

_INPUTS = 8  # copies of the inputs of a batch: in use, handed over, waiting (two), being read
_COPIES = 4  # of what a convolution makes of an edge, kept for the derivative


def plan_batches(
    model: keras.Model,
    graphs: GraphDataset,
    settings: TrainingSettings,
    blocks: Sequence[tuple[int, int, int]],
    n_replicas: int = 1,
) -> tuple[LaggedChains, int]:
    """How the pairs of frames are put together, so that what is computed at once fits into `MEMORY`.

    Parameters
    ----------
    model : GDyNet or VAMPnet
    graphs : GraphDataset
    settings : TrainingSettings
        With a batch size.
    blocks : sequence of (trajectory, start, stop)
        Frames to train with.
    n_replicas : int
        Devices that share each batch.

    Returns
    -------
    chains : LaggedChains
    n_pieces : int
        Of what one device has of a batch. 1 where pieces would not do: batch normalization of
        the 2019 variant takes its averages over the whole batch, and half precision drops single steps.
    """
    frames = _frames_that_fit(model, graphs)
    chains = LaggedChains.longest(blocks, settings.tau, settings.batch_size or 1, max(1, min(LONGEST, frames - 1)))
    part = -(-chains.chains_per_batch // n_replicas)
    if settings.variant == "gdynet2019" or settings.precision != "float32":
        return chains, 1
    return chains, -(-part // max(1, frames // (chains.length + 1)))


def _frames_that_fit(model: keras.Model, graphs: GraphDataset) -> int:
    """Frames whose training takes at most `MEMORY`; a VAMPnet's inputs are few."""
    if not isinstance(model, GDyNet):
        return sys.maxsize
    n_edges = model.edges_per_frame(graphs.meta["n_atoms"], graphs.meta["n_neighbors"], graphs.targets.size)
    tabulated = model.table is not None and "distances" in graphs.input_shapes
    n_gaussians = 0 if tabulated else len(model.expansion.centers)
    values = n_edges * (n_gaussians + _COPIES * (model.n_features + 1))
    values += _INPUTS * sum(int(np.prod(shape)) for shape, _ in graphs.input_shapes.values())
    return MEMORY // (4 * values)  # four bytes each


@keras.saving.register_keras_serializable("gdynet_tf")
class SlopeLoss(keras.losses.Loss):
    """Linear in chi: its gradient is that of the function with the given slopes."""

    def __init__(self, name: str = "slope_loss") -> None:
        super().__init__(name=name, reduction=None)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """``y_true`` are the slopes, of the shape of ``y_pred``."""
        return ops.sum(y_true * y_pred)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}


def compile_for_pieces(model: keras.Model, settings: TrainingSettings, n_pieces: int) -> None:
    """Give a model what it is trained with, in batches of so many pieces; an optimizer that it has goes on.

    Parameters
    ----------
    model : GDyNet or VAMPnet
    settings : TrainingSettings
    n_pieces : int
    """
    before = getattr(model, "optimizer", None)
    if before is not None and n_pieces == (before.gradient_accumulation_steps or 1):
        return
    # XLA is three times faster on a CPU too, where Keras's "auto" leaves it off.
    jit_compile = keras.backend.backend() != "torch"
    accumulated = n_pieces if n_pieces > 1 else None
    optimizer = keras.optimizers.Adam(settings.learning_rate, gradient_accumulation_steps=accumulated)
    if settings.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = SlopeLoss() if n_pieces > 1 else VAMPLoss()
    model.compile(optimizer=optimizer, loss=loss, jit_compile=jit_compile)
    model.optimizer.build(model.trainable_variables)
    if before is not None:
        copy_optimizer(before, model.optimizer)


def copy_optimizer(source: keras.Optimizer, target: keras.Optimizer) -> None:
    """Let an optimizer go on where another is, between batches; they may accumulate over different numbers of pieces.

    Parameters
    ----------
    source, target : keras.Optimizer
        Built, for the same model.
    """

    def state(optimizer: keras.Optimizer) -> list[keras.Variable]:
        return [v for v in optimizer.variables if not v.path.endswith("gradient_accumulator")]

    steps = [optimizer.gradient_accumulation_steps or 1 for optimizer in (source, target)]
    for old, new in zip(state(source), state(target), strict=True):
        value = ops.convert_to_numpy(old)
        new.assign(value // steps[0] * steps[1] if old.path.endswith("iteration") else value)


def fit_in_pieces(
    model: keras.Model,
    graphs: GraphDataset,
    chains: LaggedChains,
    seed: int,
    epoch: int,
    batch_ended: Callable[[], Any],
) -> float:
    """One epoch.

    Parameters
    ----------
    model : GDyNet
        Compiled with `SlopeLoss` and an optimizer that accumulates as many gradients as a batch has pieces.
    graphs : GraphDataset
    chains : LaggedChains
    seed, epoch : int
        As for `chain_batches`: the batches are the same.
    batch_ended : callable
        Called after each batch.

    Returns
    -------
    float
        Minus the mean score of the batches; NaN as soon as one has none.
    """
    n_pieces = model.optimizer.gradient_accumulation_steps
    twice = [*range(n_pieces), *range(n_pieces)]
    pieces = piece_batches(graphs, chains, n_pieces, twice, seed, epoch)
    scores = []
    for _ in range(chains.n_batches):
        chi = np.concatenate([_chi(model, next(pieces), graphs) for _ in range(n_pieces)])
        batch = chi[: chains.chains_per_batch]
        n_samples = chains.batch_size * batch.shape[2]
        score, slopes = vamp2_slopes(batch, *covariances(*chain_pairs(batch)), n_samples)
        if not np.isfinite(score):
            return np.nan
        padded = np.zeros(chi.shape, np.float32)  # what fills up the last piece has no slope
        padded[: len(batch)] = -n_pieces * np.asarray(slopes)  # the optimizer takes the mean over the pieces
        for part in np.split(padded, n_pieces):
            model.train_on_batch(next(pieces), part)
        scores.append(float(score))
        batch_ended()
    return -float(np.mean(scores))


def _chi(model: keras.Model, piece: dict[str, np.ndarray], graphs: GraphDataset) -> np.ndarray:
    """State probabilities (b, length + 1, n_targets, n_states), all frames taken as such."""
    arrays = {name: piece[name] for name in graphs.input_shapes}
    shape = next(iter(arrays.values())).shape[:2]
    frames = {name: array.reshape(-1, *array.shape[2:]) for name, array in arrays.items()}
    chi = np.asarray(model.predict_on_batch({**piece, **frames}))
    return chi.reshape(*shape, *chi.shape[1:])
