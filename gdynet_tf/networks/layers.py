"""The layers of the network: Gaussian expansion of distances, attention convolution, map to identified states."""

from typing import Any

import keras
from keras import ops

from gdynet_tf.graphs.expansion import gaussian_centers
from gdynet_tf.networks.messages import GaussianTable, attend

__all__ = ["N_MICROSTATES", "AttentionConv", "GaussianExpansion", "StateMap", "Tensor", "gather_nodes"]

N_MICROSTATES = 64  # of the map to identified states

Tensor = Any  # of the backend that Keras runs on


def gather_nodes(nodes: Tensor, index: Tensor) -> Tensor:
    """Rows of ``nodes`` at ``index``, frame by frame.

    Parameters
    ----------
    nodes : tensor (B, S, ...)
        B = 1 means one table that all frames share.
    index : int tensor (B, ...)

    Returns
    -------
    tensor (B, ..., ...)
        ``out[b, i..., :] = nodes[b, index[b, i...], :]``
    """
    table, index = _one_table(nodes, index)
    return ops.take(table, index, axis=0)


def _one_table(nodes: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of all frames as one table (B S, ...), and ``index`` into it.

    One gather from it is several times faster than a batched one.
    """
    n_frames, n_rows, *tail = ops.shape(nodes)
    index = ops.cast(index, "int32")
    if nodes.shape[0] == 1:
        return nodes[0], index
    offset = ops.arange(n_frames, dtype="int32") * n_rows
    index = index + ops.reshape(offset, (-1,) + (1,) * (len(index.shape) - 1))
    return ops.reshape(nodes, (-1, *tail)), index


@keras.saving.register_keras_serializable("gdynet_tf")
class GaussianExpansion(keras.layers.Layer):
    """Distances as Gaussian features, u_t = exp(-(d - mu_t)^2 / sigma^2).

    The centres are mu_t = dmin + t * step up to dmax (Xie et al. 2019, Methods; no factor 2 in the exponent).

    Parameters
    ----------
    dmin, dmax, step, sigma : float
        Å.
    """

    def __init__(
        self, dmin: float = 0.0, dmax: float = 7.0, step: float = 0.2, sigma: float = 0.2, **kwargs: Any
    ) -> None:
        # The expansion of a distance of several Å in half precision would lose the peak's flanks.
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.dmin, self.dmax, self.step, self.sigma = dmin, dmax, step, sigma
        self.centers = gaussian_centers(dmin, dmax, step)
        if sigma <= 0:
            raise ValueError(f"sigma must be positive, got {sigma}")

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, distances: Tensor) -> Tensor:
        """(...) Å -> (..., G)."""
        difference = ops.expand_dims(distances, -1) - ops.cast(self.centers, distances.dtype)
        return ops.exp(-ops.square(difference / self.sigma))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape, len(self.centers))

    def get_config(self) -> dict[str, Any]:
        own = {"dmin": self.dmin, "dmax": self.dmax, "step": self.step, "sigma": self.sigma}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("gdynet_tf")
class AttentionConv(keras.layers.Layer):
    """One graph convolution with attention over the M neighbours.

    With z_ij = v_i ⊕ v_j ⊕ u_ij (Xie et al. 2019, Methods)::

        alpha_ij = softmax_j(z_ij W_a + b_a)
        v_i'     = v_i + sum_j alpha_ij ReLU(z_ij W_n + b_n)

    W_n and W_a are the first F columns and the last column of one ``kernel`` (2F + G, F + 1). It is applied in
    three parts, z W = v_i W_1 + v_j W_2 + u_ij W_3, so that the node terms cost N instead of N M products.

    Parameters
    ----------
    n_features : int
        F, the length of a node's embedding.
    n_edge_features : int
        G, the length of an edge's feature vector.
    variant : {"paper", "gdynet2019"}
        "gdynet2019" is the code released with the paper: a mean over the neighbours instead of the sum, batch
        normalization of the core and of the aggregate, and a ReLU after the residual.
    """

    def __init__(self, n_features: int, n_edge_features: int, variant: str = "paper", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if variant not in ("paper", "gdynet2019"):
            raise ValueError(f"variant must be 'paper' or 'gdynet2019', got {variant!r}")
        self.n_features, self.n_edge_features, self.variant = n_features, n_edge_features, variant
        if variant == "gdynet2019":
            # Keras's momentum of 0.99 would make the moving averages lag the weights by an epoch.
            self.core_norm = keras.layers.BatchNormalization(momentum=0.9, name="core_norm")
            self.sum_norm = keras.layers.BatchNormalization(momentum=0.9, name="sum_norm")

    def build(self, input_shape: Any = None) -> None:
        rows = 2 * self.n_features + self.n_edge_features
        self.kernel = self.add_weight(shape=(rows, self.n_features + 1), name="kernel")
        self.bias = self.add_weight(shape=(self.n_features + 1,), initializer="zeros", name="bias")
        if self.variant == "gdynet2019":
            self.core_norm.build((None, None, None, self.n_features))
            self.sum_norm.build((None, None, self.n_features))
        self.built = True

    def call(
        self,
        nodes: Tensor,
        neighbors: Tensor,
        edges: Tensor,
        centers: Tensor | None = None,
        training: bool = False,
        table: GaussianTable | None = None,
    ) -> Tensor:
        """Embeddings of the centres after the convolution.

        Parameters
        ----------
        nodes : tensor (B or 1, S, F)
            Embeddings from which centres and neighbours are taken; 1: shared by all frames.
        neighbors : int tensor (B, R, M)
            Rows of ``nodes``.
        edges : tensor (B, R, M, G)
            Or distances (B, R, M) in Å, with a ``table``.
        centers : int tensor (B, R), optional
            Rows of ``nodes``; default all of them (R = S).
        table : GaussianTable, optional
            Reads the edge term off; not for the 2019 variant.

        Returns
        -------
        tensor (B, R, F)
        """
        if table is not None:
            return self._call_with_table(nodes, neighbors, edges, centers, table)
        nodes, alpha, core = self._messages(nodes, neighbors, edges, centers)
        if self.variant == "paper":
            return nodes + ops.sum(alpha * ops.relu(core), axis=2)
        core = ops.relu(self.core_norm(core, training=training))
        total = self.sum_norm(ops.mean(alpha * core, axis=2), training=training)
        return ops.relu(nodes + total)

    def _call_with_table(
        self, nodes: Tensor, neighbors: Tensor, distances: Tensor, centers: Tensor | None, table: GaussianTable
    ) -> Tensor:
        n, kernel = self.n_features, ops.convert_to_tensor(self.kernel)
        own = ops.matmul(nodes, kernel[:n, :n]) + self.bias[:n]  # (B, S, F)
        table_of_nodes, rows = _one_table(nodes, neighbors)
        other = ops.matmul(table_of_nodes, kernel[n : 2 * n, :n])
        score = ops.matmul(table_of_nodes, kernel[n : 2 * n, n:])
        if centers is not None:
            nodes, own = gather_nodes(nodes, centers), gather_nodes(own, centers)
        own = ops.broadcast_to(own, (*ops.shape(distances)[:2], n))
        return nodes + attend(own, other, score[:, 0], kernel[2 * n :], distances, rows, table)

    def attention(self, nodes: Tensor, neighbors: Tensor, edges: Tensor, centers: Tensor | None = None) -> Tensor:
        """The weights alpha of the neighbours, with the arguments of `call`; they add up to 1.

        Returns
        -------
        tensor (B, R, M)
        """
        return self._messages(nodes, neighbors, edges, centers)[1][..., 0]

    def _messages(
        self, nodes: Tensor, neighbors: Tensor, edges: Tensor, centers: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings of the centres (B, R, F), alpha (B, R, M, 1), and z W_n + b_n (B, R, M, F)."""
        n = self.n_features
        own = ops.matmul(nodes, self.kernel[:n]) + self.bias  # (B, S, F+1)
        other = ops.matmul(nodes, self.kernel[n : 2 * n])  # (B, S, F+1)
        if centers is not None:
            nodes, own = gather_nodes(nodes, centers), gather_nodes(own, centers)  # (B, R, ...)
        # F columns and one: the derivative of a product with F + 1 takes four times as long where F is a power of two.
        score, core = (
            ops.matmul(edges, self.kernel[2 * n :, columns])
            + gather_nodes(other[..., columns], neighbors)
            + ops.expand_dims(own[..., columns], 2)
            for columns in (slice(n, None), slice(n))
        )
        return nodes, ops.softmax(score, axis=2), core

    def compute_output_shape(
        self, nodes_shape: tuple, neighbors_shape: tuple, edges_shape: tuple, centers_shape: tuple | None = None
    ) -> tuple:
        return (*neighbors_shape[:2], self.n_features)

    def get_config(self) -> dict[str, Any]:
        own = {
            "n_features": self.n_features,
            "n_edge_features": self.n_edge_features,
            "variant": self.variant,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("gdynet_tf")
class StateMap(keras.layers.Layer):
    """Map of the network's state probabilities to those of the identified states.

    Either linear, p' = max(p A, 0) divided by its sum, or, where memberships are set, interpolated between microstates:
    p' = Q^T softmax(-|p P - c_k|^2) with the centres c_k, (N_MICROSTATES, n_states - 1), and their memberships Q in the
    states. The rows of Q are probabilities, so p' is one everywhere. The map is the identity at first; it is not
    trained, and left out in training.

    Parameters
    ----------
    n_states : int
    """

    def __init__(self, n_states: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_states = n_states

    def build(self, input_shape: Any = None) -> None:
        n, k = self.n_states, N_MICROSTATES
        shapes = {"kernel": (n, n), "projection": (n, n - 1), "centers": (k, n - 1), "memberships": (k, n)}
        for name, shape in shapes.items():
            initializer = "identity" if name == "kernel" else "zeros"
            setattr(self, name, self.add_weight(shape=shape, initializer=initializer, trainable=False, name=name))
        self.built = True

    def call(self, chi: Tensor, training: bool = False) -> Tensor:
        """(..., n_states) -> (..., n_states)."""
        if training:
            return chi
        linear = ops.relu(ops.matmul(chi, self.kernel))
        linear = linear / ops.sum(linear, axis=-1, keepdims=True)
        points = ops.expand_dims(ops.matmul(chi, self.projection), -2)  # (..., 1, n_states - 1)
        weights = ops.softmax(-ops.sum(ops.square(points - self.centers), axis=-1))  # (..., N_MICROSTATES)
        return ops.where(ops.any(self.memberships > 0), ops.matmul(weights, self.memberships), linear)

    def load_own_variables(self, store: Any) -> None:
        """Weights of version 0.2 and before hold the linear map alone."""
        if len(store.keys()) == 1:
            self.kernel.assign(store["0"])
        else:
            super().load_own_variables(store)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_states": self.n_states}
