"""The paper's equations as one would write them down: the baseline that benchmarks/training.py compares with.

For every atom, z = v_i ⊕ v_j ⊕ u_ij is put together as an array and multiplied by the weights; every convolution is of
all atoms. The weights are those of `GDyNet`, in the same order.
"""

import keras
from keras import ops

from gdynet_tf.graphs.expansion import gaussian_centers


class PlainGDyNet(keras.Model):
    """`GDyNet` of the variant "paper" without anything that makes it fast.

    Parameters
    ----------
    n_states, n_conv, n_features : int
    """

    def __init__(self, n_states, n_conv, n_features=16):
        super().__init__()
        self.centers = gaussian_centers(0.0, 7.0, 0.2).astype("float32")
        self.embedding = keras.layers.Embedding(100, n_features)
        self.convs = [keras.layers.Dense(n_features + 1, name=f"conv_{i}") for i in range(n_conv)]
        self.hidden = keras.layers.Dense(n_features, activation="relu")
        self.states = keras.layers.Dense(n_states, activation="softmax")
        self.embedding.build(None)
        for conv in self.convs:
            conv.build((None, 2 * n_features + len(self.centers)))
        self.hidden.build((None, n_features))
        self.states.build((None, n_features))
        self.built = True

    def call(self, inputs):
        """(B, 2, N, M) neighbours and distances -> (B, 2, n_targets, n_states)."""
        batch, two, n_atoms, n_neighbors = inputs["neighbors"].shape
        # Rows of one table, which XLA gathers faster than from a table for each frame.
        first = ops.reshape(ops.arange(batch * two, dtype="int32") * n_atoms, (-1, 1, 1))
        neighbors = ops.reshape(inputs["neighbors"], (-1, n_atoms, n_neighbors)) + first
        distances = ops.reshape(inputs["distances"], (-1, n_atoms, n_neighbors, 1))
        u = ops.exp(-ops.square((distances - self.centers) / 0.2))
        v = ops.broadcast_to(self.embedding(inputs["atomic_numbers"]), (batch * two, n_atoms, self.hidden.units))
        for conv in self.convs:
            v_j = ops.take(ops.reshape(v, (-1, v.shape[-1])), neighbors, axis=0)
            v_i = ops.broadcast_to(v[:, :, None], v_j.shape)
            z = conv(ops.concatenate([v_i, v_j, u], axis=-1))
            alpha = ops.softmax(z[..., -1:], axis=2)
            v = v + ops.sum(alpha * ops.relu(z[..., :-1]), axis=2)
        v = ops.mean(ops.take(v, inputs["targets"], axis=1), axis=2)
        return ops.reshape(self.states(self.hidden(v)), (batch, two, -1, self.states.units))
