"""What a network looks at: its attention, and the exact derivative of its states with respect to distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from gdynet_tf.graphs.coverage import frame_distances
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.networks.layers import gather_nodes

if TYPE_CHECKING:
    from gdynet_tf.graphs.store import GraphDataset

__all__ = ["Attribution", "attribute_states", "distance_gradients", "target_attention"]

_MOST_TARGETS = 32  # that are looked at
_WORK = 5_000_000  # neighbours of all atoms of all samples; about a minute
_SAMPLES = (100, 4000)  # targets x frames, least and most
_VALUES_PER_BATCH = 100_000
_ARRAYS = ("chi", "centers", "neighbors", "distances", "gradients", "attention")
_SAME = 1e-4  # Å; i -> j and j -> i are one pair of atoms when their distances differ by less


@dataclass(frozen=True)
class Attribution:
    """What the states of some targets in some frames depend on.

    Attributes
    ----------
    chi : (n, n_states) float32
        Of n samples, each a target in a frame.
    centers : (n, k) int
        Atomic numbers of the atoms of the target.
    neighbors : (n, k, M) int
        Atomic numbers of their neighbours, nearest first.
    distances : (n, k, M) float32
        Å.
    gradients : (n, n_states, k, M) float32
        d chi / d distance, 1/Å. A pair of atoms has one distance: the entries i -> j and j -> i of the graph add up.
    attention : (n, n_conv, k, M) float32
        Weight alpha of each neighbour in each convolution.
    own_share : float
        Share of the target's own pairs in the sum of the gradients' moduli over all pairs of atoms; the rest lies in
        distances among other atoms.
    """

    chi: np.ndarray
    centers: np.ndarray
    neighbors: np.ndarray
    distances: np.ndarray
    gradients: np.ndarray
    attention: np.ndarray
    own_share: float


def distance_gradients(model: GDyNet, inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Derivative of the state probabilities of one target with respect to every distance of the graph.

    The probability is differentiated rather than its logarithm: a superfluous state has probability 0, where a
    logarithm has no derivative. Exact, by the automatic differentiation of Keras's backend.

    Parameters
    ----------
    model : GDyNet
    inputs : dict
        As `GDyNet.call` takes them, with ``distances`` (B, N, M), not ``edges``, and one target (1, k).

    Returns
    -------
    chi : (B, n_states) float32
    gradients : (B, n_states, N, M) float32
        1/Å; entries i -> j and j -> i by themselves.

    Raises
    ------
    ValueError
        If there are no distances, or several targets.
    """
    if "distances" not in inputs:
        raise ValueError("distances are needed: expanded edges have no derivative with respect to them")
    if len(inputs["targets"]) != 1:
        raise ValueError(f"one target is needed, got {len(inputs['targets'])}")

    def states(distances: Any) -> Any:
        return model({**inputs, "distances": distances})[:, 0]  # (B, n_states)

    def total(state: int, distances: Any) -> Any:
        # Frames do not see each other, so the gradient of the sum over them has all of theirs.
        return ops.sum(states(distances)[:, state])

    distances = np.asarray(inputs["distances"], np.float32)
    gradients = [_gradient(partial(total, state), distances) for state in range(model.n_states)]
    return ops.convert_to_numpy(states(distances)), np.stack(gradients, axis=1)


def _gradient(function: Callable[[Any], Any], values: np.ndarray) -> np.ndarray:
    """Gradient of a scalar function by the backend's own automatic differentiation."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(values)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(function)(ops.convert_to_tensor(values)))
    if backend == "torch":
        x = ops.convert_to_tensor(values).requires_grad_()
        function(x).backward()
        return ops.convert_to_numpy(x.grad)
    raise RuntimeError(f"Keras's backend {backend} has no automatic differentiation that is known here")


def target_attention(model: GDyNet, inputs: dict[str, Any]) -> np.ndarray:
    """Attention that the atoms of one target pay to their neighbours in each convolution.

    Parameters
    ----------
    model : GDyNet
    inputs : dict
        As for `distance_gradients`.

    Returns
    -------
    (B, n_conv, k, M) float32
        Sums over the neighbours are 1.
    """
    graph = {name: ops.convert_to_tensor(inputs[name]) for name in ("neighbors", "distances", "atomic_numbers")}
    n_frames = len(inputs["neighbors"])
    atoms = ops.broadcast_to(ops.convert_to_tensor(inputs["targets"]), (n_frames, len(inputs["targets"][0])))
    neighbors, edges = (gather_nodes(x, atoms) for x in (graph["neighbors"], graph["distances"]))
    edges = model.expansion(edges)
    layers = []
    for depth, conv in enumerate(model.convs):
        nodes = model._embed(graph, depth, None, False)
        layers.append(ops.convert_to_numpy(conv.attention(nodes, neighbors, edges, atoms)))
    return np.stack(layers, axis=1)


def attribute_states(
    model: GDyNet, graphs: GraphDataset, blocks: Sequence[tuple[int, int, int]], n_samples: int | None = None
) -> Attribution:
    """Attention and derivatives of evenly spaced targets and frames.

    Parameters
    ----------
    model : GDyNet
    graphs : GraphDataset
    blocks : sequence of (trajectory, start, stop)
        Frames to take them from.
    n_samples : int, optional
        Targets times frames; default 100 to 4,000, by the size of the system.

    Returns
    -------
    Attribution
    """
    frames = np.concatenate([[(block[0], t) for t in range(*block[1:])] for block in blocks])
    n_values = graphs.meta["n_atoms"] * graphs.meta["n_neighbors"]
    n_samples = n_samples or int(np.clip(_WORK // n_values, *_SAMPLES))
    n_targets = min(graphs.n_targets, _MOST_TARGETS, n_samples)
    n_frames = min(-(-n_samples // n_targets), len(frames))
    size = max(1, _VALUES_PER_BATCH // n_values)
    parts = []
    for k, target in enumerate(np.linspace(0, graphs.n_targets - 1, n_targets).astype(int)):
        # Other frames for each target, so that few frames of many targets still span the whole time.
        chosen = frames[((np.arange(n_frames) + (k + 0.5) / n_targets) * len(frames) / n_frames).astype(int)]
        for start in range(0, n_frames, size):
            trajectories, times = chosen[start : start + size].T
            inputs = _inputs(graphs, trajectories, times, graphs.targets[target : target + 1])
            parts.append(_attribute(model, inputs))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in _ARRAYS}
    own, total = (sum(part[name] for part in parts) for name in ("within", "total"))
    return Attribution(**arrays, own_share=float(own / total) if total else float("nan"))


def _inputs(graphs: GraphDataset, trajectories: np.ndarray, frames: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """Inputs of the model for one target, with distances."""
    neighbors, distances = frame_distances(graphs, trajectories, frames)
    constants = {"atomic_numbers": graphs.atomic_numbers, "targets": target}
    return {"neighbors": neighbors, "distances": distances, **constants}


def _attribute(model: GDyNet, inputs: dict[str, Any]) -> dict[str, Any]:
    """The arrays of `Attribution` of one target in some frames, and the sums behind its share."""
    chi, gradients = distance_gradients(model, inputs)  # (B, S), (B, S, N, M)
    atoms, elements = inputs["targets"][0], inputs["atomic_numbers"]
    neighbors, distances = inputs["neighbors"][:, atoms], inputs["distances"][:, atoms]  # (B, k, M)
    frame = np.arange(len(chi))[:, None, None]
    # Entries of the neighbours' rows that are the same pair of atoms, seen from the other end.
    back = (inputs["neighbors"][frame, neighbors] == atoms[:, None, None]) & (
        np.abs(inputs["distances"][frame, neighbors] - distances[..., None]) < _SAME
    )  # (B, k, M, M)
    back &= (neighbors != atoms[:, None])[..., None]  # an image of the atom itself is in its own row already
    same = (neighbors[..., None] == neighbors[..., None, :]) & (
        np.abs(distances[..., None] - distances[..., None, :]) < _SAME
    )  # (B, k, M, M): images at equal distances share what comes back
    own, others = (
        gradients[:, :, atoms],
        np.moveaxis(gradients, 1, -1)[frame, neighbors],
    )  # (B, S, k, M), (B, k, M, M, S)
    returned = np.einsum("bkmn,bkmns->bskm", back, others) / same.sum(axis=-1)[:, None]
    total = np.abs(gradients).sum(dtype=np.float64)
    within = np.abs(own).sum(dtype=np.float64) + (
        np.einsum("bkmn,bkmns->bkm", back, np.abs(others)) / same.sum(axis=-1)
    ).sum(dtype=np.float64)
    return {
        "chi": chi,
        "centers": np.broadcast_to(elements[atoms], (len(chi), len(atoms))),
        "neighbors": elements[neighbors],
        "distances": distances,
        "gradients": own + returned,
        "attention": target_attention(model, inputs),
        "within": within,
        "total": total,
    }
