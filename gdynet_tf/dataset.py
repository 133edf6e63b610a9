"""The graph directory: what is in it, how it is opened and checked. `build` writes it.

``meta.json`` describes every array (shape, dtype, digest), so that a directory that was cut short or altered does
not open. Arrays are memory-mapped and opened anew for each read: pages go back to the system with the map, so
resident memory does not grow with the trajectory.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["FORMAT_VERSION", "GraphDataset", "digest", "open_graphs", "write_json"]

FORMAT_VERSION = 1
_BLOCK = 1 << 18  # bytes
_N_BLOCKS = 256


def digest(path):
    """SHA-256 of a file's size and content; of 256 evenly spaced blocks of 256 KiB when it is longer than 64 MiB.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
    """
    size = Path(path).stat().st_size
    result = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        if size <= _BLOCK * _N_BLOCKS:
            result.update(file.read())
        else:
            for start in np.linspace(0, size - _BLOCK, _N_BLOCKS).astype(np.int64):
                file.seek(int(start))
                result.update(file.read(_BLOCK))
    return result.hexdigest()


def write_json(path, content):
    """Write a JSON file that is whole or not there.

    Parameters
    ----------
    path : Path
    content : dict
    """
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(temporary, path)


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
        for name, dtype in (("neighbors", np.int32), (self.edge_array, np.float32)):
            for index in np.unique(trajectories):
                source, chosen = self.array(index, name), trajectories == index
                if name not in graph:
                    graph[name] = np.empty((*frames.shape, *source.shape[1:]), dtype)
                graph[name][chosen] = source[frames[chosen]]
        return graph


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
