"""What the graphs of a stretch of frames are, and how much room they take."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gdynet_tf.graphs.expansion import expand_distances, gaussian_centers
from gdynet_tf.graphs.neighbors import nearest_neighbors
from gdynet_tf.spool import FileArray
from gdynet_tf.trajectory import Trajectory

__all__ = [
    "PlannedArray",
    "chunk_ranges",
    "compute_graphs",
    "graph_size",
    "plan_arrays",
    "read_chunk",
    "store_chunk",
    "write_chunk",
]

_CHUNK_BYTES = 1 << 25


class PlannedArray(NamedTuple):
    """An array that is still to be computed."""

    shape: tuple[int, ...]
    dtype: type

    @property
    def n_bytes(self) -> int:
        """Size in memory."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


def graph_size(trajectories: Sequence[Trajectory], n_neighbors: int, edges: str, expansion: Mapping[str, float]) -> int:
    """Bytes that the graphs of these trajectories take.

    Parameters
    ----------
    trajectories : list of Trajectory
    n_neighbors : int
    edges : {"gaussian", "distance"}
    expansion : dict
        dmin, dmax, step, sigma in Å.

    Returns
    -------
    int
    """
    return sum(
        array.n_bytes
        for trajectory in trajectories
        for array in plan_arrays(trajectory, n_neighbors, edges, expansion).values()
    )


def plan_arrays(
    trajectory: Trajectory, n_neighbors: int, edges: str, expansion: Mapping[str, float]
) -> dict[str, PlannedArray]:
    """The arrays of a trajectory in a graph directory.

    Parameters
    ----------
    trajectory : Trajectory
    n_neighbors : int
    edges : {"gaussian", "distance"}
    expansion : dict
        dmin, dmax, step, sigma in Å.

    Returns
    -------
    dict
        Name -> shape and dtype.
    """
    n_frames, n_atoms = trajectory.positions.shape[:2]
    plan = {"neighbors": PlannedArray((n_frames, n_atoms, n_neighbors), _index_type(n_atoms))}
    if edges == "gaussian":
        n_centers = len(gaussian_centers(expansion["dmin"], expansion["dmax"], expansion["step"]))
        plan["edges"] = PlannedArray((n_frames, n_atoms, n_neighbors, n_centers), np.float32)
    else:
        plan["distances"] = PlannedArray((n_frames, n_atoms, n_neighbors), np.float32)
    plan["lattices"] = PlannedArray((n_frames, 3, 3), np.float64)
    plan["positions"] = PlannedArray((n_frames, n_atoms, 3), np.float64)
    return plan


def _index_type(n_atoms: int) -> type:
    return np.int16 if n_atoms <= np.iinfo(np.int16).max else np.int32


def chunk_ranges(plan: Mapping[str, PlannedArray]) -> list[tuple[int, int]]:
    """Ranges of frames whose arrays take about 32 MB together.

    Parameters
    ----------
    plan : dict
        From `plan_arrays`.

    Returns
    -------
    list of (start, stop)
    """
    n_frames = plan["lattices"].shape[0]
    step = max(1, _CHUNK_BYTES // (sum(array.n_bytes for array in plan.values()) // n_frames))
    return [(start, min(start + step, n_frames)) for start in range(0, n_frames, step)]


def compute_graphs(positions: np.ndarray, lattices: np.ndarray, meta: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Neighbours and edges of some frames.

    Parameters
    ----------
    positions : (f, N, 3) array
        Å.
    lattices : (f, 3, 3) array
        Å.
    meta : mapping
        periodic, n_neighbors, edges and expansion, as ``meta.json`` has them.

    Returns
    -------
    dict
        ``neighbors`` (f, N, M) int16 or int32 and ``edges`` (f, N, M, G) or ``distances`` (f, N, M) float32, as
        `plan_arrays` has them.
    """
    neighbors, distances = nearest_neighbors(positions, lattices, meta["n_neighbors"], tuple(meta["periodic"]))
    neighbors = neighbors.astype(_index_type(neighbors.shape[1]), copy=False)
    if meta["edges"] == "gaussian":
        return {"neighbors": neighbors, "edges": expand_distances(distances, **meta["expansion"])}
    return {"neighbors": neighbors, "distances": distances.astype(np.float32)}


def read_chunk(
    folder: str, start: int, stop: int, meta: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, Mapping[str, Any]]:
    """Arguments of `compute_graphs` for frames start:stop of a trajectory folder.

    Parameters
    ----------
    folder : str
        Holds all arrays of `plan_arrays`; positions and lattices are read.
    start, stop : int
    meta : mapping

    Returns
    -------
    positions, lattices, meta
    """
    positions, lattices = (
        FileArray.open(Path(folder) / f"{name}.npy")[start:stop] for name in ("positions", "lattices")
    )
    return positions, lattices, meta


def store_chunk(folder: str, start: int, graph: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write what `compute_graphs` has found into the arrays of a trajectory folder.

    Parameters
    ----------
    folder : str
    start : int
        First frame.
    graph : mapping
        Name -> array.

    Returns
    -------
    dict
        Name of each array -> SHA-256 of the bytes of these frames.
    """
    digests = {}
    for name, values in graph.items():
        array = FileArray.open(Path(folder) / f"{name}.npy", "r+b")
        written = np.ascontiguousarray(values, array.dtype)
        array.write(start, written)
        digests[name] = hashlib.sha256(written.data).hexdigest()
    return digests


def write_chunk(folder: str, start: int, stop: int, meta: Mapping[str, Any]) -> dict[str, str]:
    """Neighbours and edges of frames start:stop of a trajectory folder, read, computed and written in place.

    Parameters
    ----------
    folder, start, stop, meta
        As for `read_chunk`.

    Returns
    -------
    dict
        As from `store_chunk`.
    """
    return store_chunk(folder, start, compute_graphs(*read_chunk(folder, start, stop, meta)))
