"""A network on several devices, and a step of its training with the gradient of the whole batch.

VAMP-2 of a part of a batch is another function than VAMP-2 of the whole. So each replica takes its part of the chains
through the network, the three covariances are added up over all replicas, and from these follows the slope of the score
with respect to its own chi (`vamp.vamp2_slopes`); the gradients that the slopes give add up to that of the whole batch.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.learning.epochs.pieces import compile_for_pieces
from gdynet_tf.learning.pairs import LaggedChains, piece_batches
from gdynet_tf.learning.settings import TrainingSettings
from gdynet_tf.learning.vamp import chain_pairs, covariances, vamp2_slopes

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["Replicas", "network_state", "set_network_state"]


class Replicas:
    """Copies of a network, each of which takes a part of every batch.

    A part goes in pieces where it is too large for the memory, as a batch does on one device.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
    model : GDyNet or VAMPnet
    graphs : GraphDataset
    settings : TrainingSettings
    chains : LaggedChains
        Those of a batch need not be a multiple of the number of replicas.
    n_pieces : int
        Of the part of one replica.
    """

    def __init__(
        self,
        strategy: "tf.distribute.Strategy",
        model: keras.Model,
        graphs: GraphDataset,
        settings: TrainingSettings,
        chains: LaggedChains,
        n_pieces: int,
    ) -> None:
        import tensorflow as tf

        self.strategy, self.graphs, self.chains, self.n_pieces = strategy, graphs, chains, n_pieces
        with strategy.scope():
            self.network = type(model).from_config(model.get_config())
            compile_for_pieces(self.network, settings, 1)
        self._constants = {name: tf.constant(value) for name, value in graphs.constants.items()}
        self._local: list[int] = []  # numbers of this host's replicas among all

        def note(context: "tf.distribute.ReplicaContext") -> "tf.Tensor":
            self._local.append(context.replica_id_in_sync_group)
            return tf.constant(0)

        strategy.experimental_distribute_values_from_function(note)
        self._step = tf.function(lambda inputs: strategy.run(self._replica_step, args=(inputs,)))

    @property
    def state(self) -> np.ndarray:
        """Weights and what the optimizer remembers (n,) float64."""
        return network_state(self.network)

    @state.setter
    def state(self, values: np.ndarray) -> None:
        with self.strategy.scope():
            set_network_state(self.network, values)

    def scores(self, seed: int, epoch: int) -> Iterator[float]:
        """Train with each batch of an epoch; yields their scores. The batches are those of `pairs.chain_batches`."""
        import tensorflow as tf

        n_parts = self.strategy.num_replicas_in_sync * self.n_pieces
        taken = [self.n_pieces * replica + k for replica in self._local for k in range(self.n_pieces)]
        parts = piece_batches(self.graphs, self.chains, n_parts, taken, seed, epoch)

        def own_part(_: Any) -> tuple[dict[str, "tf.Tensor"], ...]:
            pieces = [next(parts) for _ in range(self.n_pieces)]
            return tuple({name: tf.constant(piece[name]) for name in self.graphs.input_shapes} for piece in pieces)

        for _ in range(self.chains.n_batches):
            inputs = self.strategy.experimental_distribute_values_from_function(own_part)
            yield float(self.strategy.experimental_local_results(self._step(inputs))[0])

    def _replica_step(self, pieces: tuple[dict[str, "tf.Tensor"], ...]) -> "tf.Tensor":
        """What one replica does with the pieces of its part of a batch; the score of the batch."""
        import tensorflow as tf

        network, constants, weights = self.network, self._constants, self.network.trainable_variables
        # A function of each replica's own: a compiled one holds on to the variables that it was traced with.
        forward = tf.function(lambda graph: network({**graph, **constants}, training=True), jit_compile=True)
        with tf.GradientTape() as tape:
            chi = forward(pieces[0])
        for piece in pieces[1:]:
            with tf.control_dependencies([chi]):  # one after the other, or their memory adds up
                chi = tf.concat([chi, forward(piece)], 0)
        context, n_rows, n_chains = tf.distribute.get_replica_context(), chi.shape[0], self.chains.chains_per_batch
        row = context.replica_id_in_sync_group * n_rows + tf.range(n_rows)
        filled = tf.cast(row < n_chains, "float64")[:, None, None, None]  # zero for copies that fill up the last part
        real = tf.cast(chi, "float64") * filled
        own = tf.stack(covariances(*chain_pairs(real))) * (n_rows / n_chains)
        c00, c0t, ctt = tf.unstack(context.all_reduce("sum", own))
        score, slopes = vamp2_slopes(real, c00, c0t, ctt, self.chains.batch_size * chi.shape[2])
        slopes = network.optimizer.scale_loss(-tf.cast(slopes, chi.dtype))
        if len(pieces) == 1:
            gradients = tape.gradient(chi, weights, output_gradients=slopes)
        else:
            gradients = [tf.zeros(weight.shape) for weight in weights]
            for piece, slope in zip(pieces, tf.split(slopes, len(pieces)), strict=True):
                with tf.control_dependencies(gradients):
                    with tf.GradientTape() as tape:
                        chi = forward(piece)
                    more = tape.gradient(chi, weights, output_gradients=slope)
                    gradients = [a + b for a, b in zip(gradients, more, strict=True)]
        network.optimizer.apply(gradients, weights)
        return score


def network_state(model: keras.Model) -> np.ndarray:
    """Weights of a compiled model and what its optimizer remembers, (n,) float64."""
    variables = [*model.weights, *model.optimizer.variables]
    return np.concatenate([ops.convert_to_numpy(v).ravel() for v in variables], dtype=np.float64)


def set_network_state(model: keras.Model, state: np.ndarray) -> None:
    """Give a compiled model what `network_state` took from one like it."""
    variables = [*model.weights, *model.optimizer.variables]
    ends = np.cumsum([int(np.prod(v.shape)) for v in variables])
    for variable, value in zip(variables, np.split(state, ends[:-1]), strict=True):
        variable.assign(value.reshape(variable.shape))
