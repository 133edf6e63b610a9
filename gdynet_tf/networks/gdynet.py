"""GDyNet: from the graph of a frame to the state probabilities of its targets."""

from pathlib import Path
from typing import Any

import keras
from keras import ops

from gdynet_tf.errors import InputError
from gdynet_tf.networks.backend import on_cpu
from gdynet_tf.networks.layers import AttentionConv, GaussianExpansion, StateMap, Tensor, gather_nodes
from gdynet_tf.networks.messages import GaussianTable
from gdynet_tf.networks.vampnet import VAMPnet

__all__ = ["GDyNet", "load_model"]

N_ELEMENTS = 100  # rows of the embedding table; row Z is element Z
_MOST_TABULATED = 10**6  # values of Gaussians at points of a grid; beyond that products take less time


@keras.saving.register_keras_serializable("gdynet_tf")
class GDyNet(keras.Model):
    """Graph Dynamical Network (Xie et al. 2019, Nat. Commun. 10, 2667).

    Atom types are embedded, ``n_conv`` attention convolutions mix in the neighbours, the k atoms of each target
    are averaged, and a two-layer head with softmax gives the probabilities chi of ``n_states`` states. A linear map of
    the softmax, the identity until `identification.identify_states` sets it, makes them the identified states.

    Parameters
    ----------
    n_states : int
    n_conv : int
        Number of convolutions K: the reach of the network in neighbour shells.
    n_features : int
        F, length of an atom's embedding.
    expansion : dict, optional
        Arguments of `GaussianExpansion` (dmin, dmax, step, sigma in Å).
    variant : {"paper", "gdynet2019"}
        See `AttentionConv`; "gdynet2019" has a ReLU before the head as well.
    precision : str
        Policy of the convolutions and the hidden layer: "float32" or "mixed_float16". Distances and probabilities are
        float32 in any case.
    """

    def __init__(
        self,
        n_states: int,
        n_conv: int = 3,
        n_features: int = 16,
        expansion: dict[str, Any] | None = None,
        variant: str = "paper",
        precision: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        if n_states < 2:
            raise ValueError(f"n_states must be at least 2, got {n_states}")
        if n_conv < 1:
            raise ValueError(f"n_conv must be at least 1, got {n_conv}")
        self.n_states, self.n_conv, self.n_features = n_states, n_conv, n_features
        self.variant, self.precision = variant, precision
        self.expansion_settings = dict(expansion or {})
        self.expansion = GaussianExpansion(**self.expansion_settings, name="expansion")
        self.embedding = keras.layers.Embedding(N_ELEMENTS, n_features, dtype=precision, name="embedding")
        self.convs = [
            AttentionConv(n_features, len(self.expansion.centers), variant, dtype=precision, name=f"conv_{i}")
            for i in range(n_conv)
        ]
        self.hidden = keras.layers.Dense(n_features, activation="relu", dtype=precision, name="hidden")
        self.states = keras.layers.Dense(n_states, activation="softmax", dtype="float32", name="states")
        self.state_map = StateMap(n_states, dtype="float32", name="state_map")
        table = GaussianTable(**self.expansion_settings)
        small = table.n_points * len(table.centers) <= _MOST_TABULATED
        self.table = table if variant == "paper" and precision == "float32" and small and on_cpu() else None
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """All shapes follow from the arguments, so weights exist from the start."""
        self.expansion.build()
        self.embedding.build((None,))
        for conv in self.convs:
            conv.build()
        self.hidden.build((None, self.n_features))
        self.states.build((None, self.n_features))
        self.state_map.build()
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        """State probabilities of every target in every frame.

        Parameters
        ----------
        inputs : dict
            ``neighbors`` int (..., N, M), nearest first; ``edges`` (..., N, M, G) or ``distances`` (..., N, M) in
            Å; ``atomic_numbers`` int (N,); ``targets`` int (n_targets, k). Leading axes are free: (B,) for single
            frames, (B, 2) for the pairs (t, t + tau).

        Returns
        -------
        tensor (..., n_targets, n_states) float32
        """
        targets, shape = inputs["targets"], ops.shape(inputs["neighbors"])
        n_atoms, n_neighbors = shape[-2:]
        n_targets, k = ops.shape(targets)
        graph = {
            "neighbors": ops.reshape(inputs["neighbors"], (-1, n_atoms, n_neighbors)),
            "atomic_numbers": inputs["atomic_numbers"],
        }
        for name in {"edges", "distances"} & set(inputs):
            tail = ops.shape(inputs[name])[len(shape) - 2 :]
            graph[name] = ops.reshape(inputs[name], (-1, *tail))
        n_frames = ops.shape(graph["neighbors"])[0]
        atoms = ops.broadcast_to(ops.reshape(targets, (1, -1)), (n_frames, n_targets * k))
        v = self._embed(graph, self.n_conv, atoms, training)  # (B, n_targets k, F)
        if self.variant == "gdynet2019":
            v = ops.relu(v)
        v = ops.mean(ops.reshape(v, (-1, n_targets, k, self.n_features)), axis=2)  # (B, n_targets, F)
        chi = self.state_map(self.states(self.hidden(v)))  # (B, n_targets, n_states)
        return ops.reshape(chi, (*shape[:-2], n_targets, self.n_states))

    def _embed(self, graph: dict[str, Tensor], depth: int, atoms: Tensor | None, training: bool) -> Tensor:
        """Embeddings after ``depth`` convolutions of ``atoms`` (B, R), None: of all; (B or 1, R, F).

        Only the receptive field is computed: the atoms, one convolution earlier their neighbours, and so on,
        until all atoms together are fewer.
        """
        if depth == 0:
            # Not a gather, whose gradient is sparse in TensorFlow: Adam would square each atom's part of it by itself.
            one_hot = ops.one_hot(graph["atomic_numbers"], N_ELEMENTS, dtype=self.embedding.compute_dtype)
            v = ops.expand_dims(one_hot @ ops.cast(self.embedding.embeddings, one_hot.dtype), 0)  # (1, N, F)
            return v if atoms is None else gather_nodes(v, atoms)
        conv, neighbors = self.convs[depth - 1], graph["neighbors"]
        # Batch statistics of the 2019 variant are taken over all atoms, so it cannot be pruned.
        if atoms is None or self.variant == "gdynet2019":
            v = self._embed(graph, depth - 1, None, training)
            v = conv(v, neighbors, **self._edges(graph, None), training=training)
            return v if atoms is None else gather_nodes(v, atoms)
        (n_atoms, n_neighbors), n_rows = neighbors.shape[1:], atoms.shape[1]
        edges, neighbors = self._edges(graph, atoms), gather_nodes(neighbors, atoms)  # (B, R, M)
        # Sizes are unknown when one compiled model serves systems of different size.
        if None in (n_atoms, n_neighbors, n_rows) or n_rows * (1 + n_neighbors) >= n_atoms:
            v = self._embed(graph, depth - 1, None, training)
            return conv(v, neighbors, **edges, centers=atoms, training=training)
        # Each atom followed by its neighbours is a table of its own, indexed by place.
        closed = ops.concatenate([ops.expand_dims(atoms, 2), neighbors], axis=2)  # (B, R, 1+M)
        v = self._embed(graph, depth - 1, ops.reshape(closed, (-1, n_rows * (1 + n_neighbors))), training)
        place = ops.reshape(ops.arange(n_rows * (1 + n_neighbors), dtype="int32"), (1, n_rows, -1))
        place = ops.broadcast_to(place, ops.shape(closed))
        return conv(v, place[..., 1:], **edges, centers=place[..., 0], training=training)

    def _edges(self, graph: dict[str, Tensor], atoms: Tensor | None) -> dict[str, Any]:
        """Edges of ``atoms`` (B, R), None: of all, as arguments of a convolution."""
        name = "edges" if "edges" in graph else "distances"
        values = graph[name] if atoms is None else gather_nodes(graph[name], atoms)
        if name == "distances" and self.table is not None:
            return {"edges": values, "table": self.table}  # (B, R, M)
        return {"edges": values if name == "edges" else self.expansion(values)}  # (B, R, M, G)

    def edges_per_frame(self, n_atoms: int, n_neighbors: int, n_rows: int) -> int:
        """Edges that the convolutions of a frame go through, by which its memory is told.

        Parameters
        ----------
        n_atoms, n_neighbors : int
        n_rows : int
            Atoms that are asked for.

        Returns
        -------
        int
            Of the receptive field, as `call` computes it.
        """
        total = 0
        for _ in range(self.n_conv):
            total += n_rows * n_neighbors
            n_rows = n_atoms if self.variant == "gdynet2019" else min(n_rows * (1 + n_neighbors), n_atoms)
        return total

    def compute_output_shape(self, input_shape: dict[str, tuple]) -> tuple:
        *lead, _, _ = input_shape["neighbors"]
        return (*lead, input_shape["targets"][0], self.n_states)

    def get_config(self) -> dict[str, Any]:
        own = {
            "n_states": self.n_states,
            "n_conv": self.n_conv,
            "n_features": self.n_features,
            "expansion": self.expansion_settings,
            "variant": self.variant,
            "precision": self.precision,
        }
        return {**super().get_config(), **own}


def load_model(run: str | Path) -> GDyNet | VAMPnet:
    """The trained network of a run directory.

    Parameters
    ----------
    run : path-like

    Returns
    -------
    GDyNet or VAMPnet
        With its state map: its chi are those in ``chi/``.

    Raises
    ------
    InputError
        If there is no ``model.keras``, or it cannot be read.
    """
    file = Path(run) / "model.keras"
    if not file.is_file():
        raise InputError(f"{file}: no such file; train.py writes it at the end of a training")
    try:
        return keras.models.load_model(file, custom_objects={"VAMPnet": VAMPnet})
    except Exception as error:  # of the ZIP archive, of JSON, HDF5 and Keras: a damaged file may raise any
        raise InputError(f"{file}: cannot be read as a Keras model: {error}") from None
