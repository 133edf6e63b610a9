"""Batches that are too large for the memory, a piece at a time, with the gradient of the whole batch.

The score of a batch depends on chi through sums over its samples alone. So chi of all pieces is taken first, without
what a derivative needs; then the score's slope with respect to every value of chi is known, and each piece goes through
the network again for the gradient of sum(slope * chi). The sum of these is the gradient of the score, by the chain rule
and but for rounding, with the memory of one piece and one more evaluation of the network.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.pairs import piece_batches
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.vamp import RIDGE
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.layers import Tensor

__all__ = ["MEMORY", "SlopeLoss", "fit_in_pieces", "number_of_pieces", "vamp2_slopes"]

MEMORY = 1 << 29  # bytes that a batch may take; a larger one goes in pieces
_INPUTS = 8  # copies of the inputs of a batch: in use, handed over, waiting (two), being read
_COPIES = 4  # of what a convolution makes of an edge, kept for the derivative


def number_of_pieces(model: keras.Model, graphs: GraphDataset, settings: TrainingSettings) -> int:
    """Pieces of a batch that each fit into `MEMORY`.

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
    values = n_edges * (len(model.expansion.centers) + _COPIES * (model.n_features + 1))
    values += _INPUTS * sum(int(np.prod(shape)) for shape, _ in graphs.input_shapes.values())
    size = max(1, MEMORY // (2 * 4 * values))  # two frames, four bytes
    return -(-batch_size // size)


def vamp2_slopes(chi: np.ndarray) -> tuple[float, np.ndarray]:
    """VAMP-2 score of a batch and its derivative with respect to every state probability.

    Of R = tr(A^-1 C B^-1 C^T) with A = C00, C = C0t, B = Ctt: dR/dC = 2 A^-1 C B^-1, dR/dA = -A^-1 C B^-1 C^T A^-1 and
    likewise for B.

    Parameters
    ----------
    chi : (B, 2, n_targets, n_states) array
        Of pairs of frames.

    Returns
    -------
    score : float
        As `vamp.vamp2`.
    slopes : (B, 2, n_targets, n_states) float64
    """
    n = chi.shape[-1]
    x, y = np.moveaxis(np.asarray(chi, np.float64), 1, 0).reshape(2, -1, n)
    inverse_a, inverse_b = (np.linalg.inv(z.T @ z / len(z) + RIDGE * np.eye(n)) for z in (x, y))
    c = x.T @ y / len(x)
    both = inverse_a @ c @ inverse_b  # (n, n)
    score = float((both * c).sum())
    slope_x = y @ both.T - x @ (both @ c.T @ inverse_a)
    slope_y = x @ both - y @ (inverse_b @ c.T @ both)
    slopes = 2 / len(x) * np.stack([slope_x, slope_y])
    return score, np.moveaxis(slopes.reshape(2, len(chi), -1, n), 0, 1)


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
    n_batches, pieces = piece_batches(graphs, pairs, settings.tau, batch_size, n_pieces, seed, epoch)
    scores = []
    for _ in range(n_batches):
        chi = np.concatenate([_chi(model, next(pieces), graphs) for _ in range(n_pieces)])
        score, slopes = vamp2_slopes(chi[:batch_size])
        if not np.isfinite(score):
            return np.nan
        padded = np.zeros(chi.shape, np.float32)  # what fills up the last piece has no slope
        padded[:batch_size] = -n_pieces * slopes  # the optimizer takes the mean over the pieces
        for part in np.split(padded, n_pieces):
            model.train_on_batch(next(pieces), part)
        scores.append(score)
        batch_ended()
    return -float(np.mean(scores))


def _chi(model: keras.Model, piece: dict[str, np.ndarray], graphs: GraphDataset) -> np.ndarray:
    """State probabilities (b, 2, n_targets, n_states), the frames of all pairs taken as such."""
    frames = {name: piece[name].reshape(-1, *piece[name].shape[2:]) for name in graphs.input_shapes}
    chi = np.asarray(model.predict_on_batch({**piece, **frames}))
    return chi.reshape(-1, 2, *chi.shape[1:])
