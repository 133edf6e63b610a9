"""The graph directory: what is in it, how it is opened and checked. `build` writes it.

``meta.json`` describes every array (shape, dtype, digest), so that a directory that was cut short or altered does
not open. Arrays are memory-mapped and opened anew for each read: pages go back to the system with the map, so
resident memory does not grow with the trajectory.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest

__all__ = ["FORMAT_VERSION", "CoordinateDataset", "GraphDataset", "open_graphs", "open_inputs"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class GraphDataset:
    """An open graph directory.

    Attributes
    ----------
    path : Path
    meta : dict
        Content of ``meta.json``.
    """

    path: Path
    meta: dict

    @property
    def names(self):
        """Names of the trajectories."""
        return [entry["name"] for entry in self.meta["trajectories"]]

    @property
    def segments(self):
        """Frames of each segment, a list per trajectory."""
        return [list(entry["segments"]) for entry in self.meta["trajectories"]]

    @property
    def n_frames(self):
        """Frames of each trajectory."""
        return [sum(segments) for segments in self.segments]

    @property
    def edge_array(self):
        """``"edges"`` or ``"distances"``: the array that holds the edges."""
        return "edges" if self.meta["edges"] == "gaussian" else "distances"

    @cached_property
    def atomic_numbers(self):
        """(N,) int32."""
        return np.load(self.path / "atomic_numbers.npy")

    @cached_property
    def targets(self):
        """(n_targets, k) int32."""
        return np.load(self.path / "targets.npy")

    @property
    def n_targets(self):
        """Rows of chi in a frame."""
        return len(self.targets)

    @property
    def constants(self):
        """Inputs of the model that are the same in all frames."""
        return {"atomic_numbers": self.atomic_numbers, "targets": self.targets}

    @property
    def input_shapes(self):
        """Name -> shape and dtype of a frame of what `read` returns."""
        shape = (self.meta["n_atoms"], self.meta["n_neighbors"])
        return {
            "neighbors": (shape, np.int32),
            self.edge_array: (self.array(0, self.edge_array).shape[1:], np.float32),
        }

    def array(self, trajectory, name):
        """Memory map of ``neighbors``, ``edges`` or ``distances``, ``lattices`` or ``positions``.

        Parameters
        ----------
        trajectory : int
            Index into `names`.
        name : str

        Returns
        -------
        (F, ...) memory map
        """
        return np.load(self.path / self.names[trajectory] / f"{name}.npy", mmap_mode="r")

    def read(self, trajectories, frames):
        """The graphs of some frames, as the model takes them.

        Parameters
        ----------
        trajectories : (B,) int array
            Index into `names` for each row.
        frames : (B, ...) int array

        Returns
        -------
        dict
            ``neighbors`` (B, ..., N, M) int32 and ``edges`` (B, ..., N, M, G) or ``distances`` (B, ..., N, M)
            float32.
        """
        graph = {}
        for name, (shape, dtype) in self.input_shapes.items():
            graph[name] = np.empty((*frames.shape, *shape), dtype)
            for index in np.unique(trajectories):
                chosen = trajectories == index
                graph[name][chosen] = self._frames(index, name, frames[chosen])
        return graph

    def _frames(self, trajectory, name, frames):
        return self.array(trajectory, name)[frames]


@dataclass(frozen=True)
class CoordinateDataset(GraphDataset):
    """The same directory, seen as a VAMPnet sees it: the coordinates of all targets, one state for the whole.

    Raises
    ------
    InputError
        If the system is not periodic in all directions.
    """

    def __post_init__(self):
        if not all(self.meta["periodic"]):
            raise InputError(f"{self.path}: --model vampnet needs a system that is periodic in all directions")

    @property
    def n_targets(self):
        """One: the system as a whole."""
        return 1

    @property
    def constants(self):
        """None."""
        return {}

    @property
    def input_shapes(self):
        """``coordinates``: cosine and sine of the fractional coordinates, which do not jump at the border."""
        return {"coordinates": ((6 * self.targets.size,), np.float32)}

    def _frames(self, trajectory, name, frames):
        positions = self.array(trajectory, "positions")[frames][..., self.targets.ravel(), :]  # (..., T k, 3)
        angle = 2 * np.pi * positions @ np.linalg.inv(self.array(trajectory, "lattices")[frames])
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=-1).reshape(*frames.shape, -1)


def open_graphs(path):
    """Open a graph directory and check that it is whole.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    GraphDataset

    Raises
    ------
    InputError
        If the directory is missing, was written by another format version, or is not as ``meta.json`` says.
    """
    path = Path(path)
    if not (path / "meta.json").is_file():
        hint = "an interrupted build" if path.suffix == ".partial" else "no meta.json in it"
        what = hint if path.is_dir() else "no such directory"
        raise InputError(f"{path}: not a graph directory ({what}); python preprocess/build_graphs.py makes one")
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        version = meta["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / 'meta.json'}: cannot be read: {error!r}") from None
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: format version {version}, this program reads {FORMAT_VERSION}")
    try:
        files = [(path / f"{name}.npy", entry) for name, entry in meta["arrays"].items()]
        for trajectory in meta["trajectories"]:
            folder = path / trajectory["name"]
            files += [(folder / f"{name}.npy", entry) for name, entry in trajectory["arrays"].items()]
        for file, entry in files:
            _check_array(file, entry)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path / 'meta.json'}: altered, {error!r}") from None
    return GraphDataset(path, meta)


def open_inputs(path, model):
    """Open a graph directory as the inputs of a model.

    Parameters
    ----------
    path : path-like
    model : {"gdynet", "vampnet"}

    Returns
    -------
    GraphDataset or CoordinateDataset

    Raises
    ------
    InputError
    """
    graphs = open_graphs(path)
    return CoordinateDataset(graphs.path, graphs.meta) if model == "vampnet" else graphs


def _check_array(file, entry):
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    found = (list(array.shape), array.dtype.str)
    if found != (entry["shape"], entry["dtype"]):
        said = f"{entry['dtype']} {tuple(entry['shape'])}"
        raise InputError(f"{file}: altered, {found[1]} {tuple(found[0])} where meta.json says {said}")
    if digest(file) != entry["sha256"]:
        raise InputError(f"{file}: altered since it was written (digest differs); build the graphs again")
