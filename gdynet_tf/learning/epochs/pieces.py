"""Batches that are too large for the memory, a piece at a time, with the gradient of the whole batch.

The score of a batch depends on chi through sums over its samples alone. So chi of all pieces is taken first, without
what a derivative needs; then the score's slope with respect to every value of chi is known, and each piece goes through
the network again for the gradient of sum(slope * chi). The sum of these is the gradient of the score, by the chain rule
and but for rounding, with the memory of one piece and one more evaluation of the network.
"""

import logging
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.pairs import piece_batches
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.vamp import VAMPLoss, covariances, vamp2_slopes
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.layers import Tensor

__all__ = ["MEMORY", "SlopeLoss", "compile_for_pieces", "copy_optimizer", "fit_in_pieces", "number_of_pieces"]

# Bytes that a batch may take; a larger one goes in pieces. Not what happens to be free: the number of pieces changes
# the rounding, which training magnifies, so a seed would give other weights beside other programs, or when resumed.
MEMORY = 1 << 29
logger = logging.getLogger(__name__)

_INPUTS = 8  # copies of the inputs of a batch: in use, handed over, waiting (two), being read
_COPIES = 4  # of what a convolution makes of an edge, kept for the derivative


def number_of_pieces(model: keras.Model, graphs: GraphDataset, settings: TrainingSettings) -> int:
    """Pieces of a batch that each fit into `MEMORY`; more than one are logged.

    Parameters
    ----------
    model : GDyNet or VAMPnet
    graphs : GraphDataset
    settings : TrainingSettings
        With a batch size.

    Returns
    -------
    int
        1 where the whole fits, and where pieces would not do: batch normalization of the 2019 variant takes its
        averages over the whole batch, and half precision drops single steps. A VAMPnet's inputs are few.
    """
    batch_size = settings.batch_size or 1
    if not isinstance(model, GDyNet) or settings.variant == "gdynet2019" or settings.precision != "float32":
        return 1
    n_edges = model.edges_per_frame(graphs.meta["n_atoms"], graphs.meta["n_neighbors"], graphs.targets.size)
    tabulated = model.table is not None and "distances" in graphs.input_shapes
    n_gaussians = 0 if tabulated else len(model.expansion.centers)
    values = n_edges * (n_gaussians + _COPIES * (model.n_features + 1))
    values += _INPUTS * sum(int(np.prod(shape)) for shape, _ in graphs.input_shapes.values())
    size = max(1, MEMORY // (2 * 4 * values))  # two frames, four bytes
    n_pieces = -(-batch_size // size)
    if n_pieces > 1:
        logger.info(f"{batch_size} pairs of frames go in {n_pieces} pieces of at most {MEMORY / 2**20:.0f} MB each")
    return n_pieces


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
    pairs: np.ndarray,
    settings: TrainingSettings,
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
    pairs : (n_pairs, 2) int array
        From `lagged_pairs`.
    settings : TrainingSettings
        With a batch size.
    seed, epoch : int
        As for `pair_batches`: the batches are the same.
    batch_ended : callable
        Called after each batch.

    Returns
    -------
    float
        Minus the mean score of the batches; NaN as soon as one has none.
    """
    n_pieces = model.optimizer.gradient_accumulation_steps
    batch_size = settings.batch_size or 1
    twice = [*range(n_pieces), *range(n_pieces)]
    n_batches, pieces = piece_batches(graphs, pairs, settings.tau, batch_size, n_pieces, twice, seed, epoch)
    scores = []
    for _ in range(n_batches):
        chi = np.concatenate([_chi(model, next(pieces), graphs) for _ in range(n_pieces)])
        batch = chi[:batch_size]
        score, slopes = vamp2_slopes(batch, *covariances(batch[:, 0], batch[:, 1]), len(batch) * batch.shape[2])
        if not np.isfinite(score):
            return np.nan
        padded = np.zeros(chi.shape, np.float32)  # what fills up the last piece has no slope
        padded[:batch_size] = -n_pieces * np.asarray(slopes)  # the optimizer takes the mean over the pieces
        for part in np.split(padded, n_pieces):
            model.train_on_batch(next(pieces), part)
        scores.append(float(score))
        batch_ended()
    return -float(np.mean(scores))


def _chi(model: keras.Model, piece: dict[str, np.ndarray], graphs: GraphDataset) -> np.ndarray:
    """State probabilities (b, 2, n_targets, n_states), the frames of all pairs taken as such."""
    frames = {name: piece[name].reshape(-1, *piece[name].shape[2:]) for name in graphs.input_shapes}
    chi = np.asarray(model.predict_on_batch({**piece, **frames}))
    return chi.reshape(-1, 2, *chi.shape[1:])
