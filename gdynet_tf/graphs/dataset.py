"""Graphs as a training reads them, from a directory or from memory."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest
from gdynet_tf.spool import FileArray

__all__ = ["CoordinateDataset", "FrameRange", "GraphDataset", "as_inputs"]

_MAPPED = 1 << 26  # bytes of a file that may stay in memory
_LARGE = 1 << 15  # bytes of a frame from which on it is sooner read than mapped, even where the file is in memory
_CHANGED = "replaced or altered while it was in use; its results are worth nothing"


@dataclass(frozen=True, eq=False)
class GraphDataset:
    """The graphs of one or more trajectories of the same atoms.

    Arrays of a directory are memory-mapped and opened anew for each read: pages go back to the system with the map, so
    resident memory does not grow with the trajectory. Each time it is made sure that the file is still the same.

    Attributes
    ----------
    path : Path or None
        The graph directory; None for graphs in memory.
    meta : dict
        Content of ``meta.json``.
    memory : mapping of str to array
        Graphs in memory, by the path that each array would have in a directory ("a/neighbors"); else empty.
    """

    path: Path | None
    meta: dict[str, Any] = field(repr=False)
    memory: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.path is not None:
            names = ("meta.json", *(file for file, _ in self._digests()))
            self._seen.update({name: self._identity(name) for name in names})

    def _identity(self, file: str) -> tuple[int, int]:
        """Size and time of the last change. (Inodes are not the same for ever on some network file systems.)"""
        found = os.stat(cast(Path, self.path) / file)
        return found.st_size, found.st_mtime_ns

    def _check(self, file: str) -> None:
        try:
            same = self._identity(file) == self._seen[file]
        except FileNotFoundError:
            same = False
        if not same:
            raise InputError(f"{self.path}/{file}: {_CHANGED}")

    def check_unchanged(self) -> None:
        """Make sure that all files are still those that were opened.

        Raises
        ------
        InputError
            If one is not: what was computed from it meanwhile may be of other graphs.
        """
        for file in self._seen:
            self._check(file)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """A context that ends with `check_unchanged`, whatever error a change has led to.

        If nothing else was wrong, the arrays are read once more, whole, and compared with their digests: a file may be
        exchanged for one of the same size and time, and damaged by what sets no time.
        """
        try:
            yield
        except Exception:
            self.check_unchanged()
            raise
        self.check_unchanged()
        if self.path is not None and self.meta["format_version"] > 1:  # which sampled long files
            for file, expected in self._digests():
                if digest(self.path / file) != expected:
                    raise InputError(f"{self.path}/{file}: {_CHANGED}")

    def _digests(self) -> Iterator[tuple[str, str]]:
        """Path of each array below the directory, and its SHA-256."""
        for folder, entry in (("", self.meta), *((f"{entry['name']}/", entry) for entry in self.meta["trajectories"])):
            for name, array in entry["arrays"].items():
                yield f"{folder}{name}.npy", array["sha256"]

    @property
    def names(self) -> list[str]:
        """Names of the trajectories."""
        return [entry["name"] for entry in self.meta["trajectories"]]

    @property
    def segments(self) -> list[list[int]]:
        """Frames of each segment, a list per trajectory."""
        return [list(entry["segments"]) for entry in self.meta["trajectories"]]

    @property
    def n_frames(self) -> list[int]:
        """Frames of each trajectory."""
        return [sum(segments) for segments in self.segments]

    @property
    def edge_array(self) -> str:
        """``"edges"`` or ``"distances"``: the array that holds the edges."""
        return "edges" if self.meta["edges"] == "gaussian" else "distances"

    @cached_property
    def atomic_numbers(self) -> np.ndarray:
        """(N,) int32."""
        return np.array(self._open("atomic_numbers"))

    @cached_property
    def targets(self) -> np.ndarray:
        """(n_targets, k) int32."""
        return np.array(self._open("targets"))

    @cached_property
    def charges(self) -> np.ndarray | None:
        """(N,) float64, elementary charges; None where the trajectory did not tell them."""
        known = "charges" in (self.memory if self.path is None else self.meta["arrays"])
        return np.array(self._open("charges")) if known else None

    @property
    def n_targets(self) -> int:
        """Rows of chi in a frame."""
        return len(self.targets)

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """Inputs of the model that are the same in all frames."""
        return {"atomic_numbers": self.atomic_numbers, "targets": self.targets}

    @property
    def input_shapes(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """Name -> shape and dtype of a frame of what `read` returns."""
        shape = (self.meta["n_atoms"], self.meta["n_neighbors"])
        return {
            "neighbors": (shape, np.int32),
            self.edge_array: (self.array(0, self.edge_array).shape[1:], np.float32),
        }

    @cached_property
    def sha256(self) -> str:
        """By which the graphs are known again: digest of ``meta.json``, or of the content of graphs in memory."""
        if self.path is not None and self.meta["format_version"] == 1:  # as runs of that time have noted it
            content = (self.path / "meta.json").read_bytes()
            return hashlib.sha256(str(len(content)).encode() + content).hexdigest()
        if self.path is not None:
            self._check("meta.json")
            return digest(self.path / "meta.json")
        result = hashlib.sha256(json.dumps(self.meta, sort_keys=True).encode())
        for name, array in sorted(self.memory.items()):
            result.update(name.encode())
            result.update(np.ascontiguousarray(array).data)
        return result.hexdigest()

    def array(self, trajectory: int, name: str) -> np.ndarray:
        """``neighbors``, ``edges`` or ``distances``, ``lattices`` or ``positions``.

        Parameters
        ----------
        trajectory : int
            Index into `names`.
        name : str

        Returns
        -------
        (F, ...) array
            Memory-mapped when it lies in a directory.
        """
        return self._open(f"{self.names[trajectory]}/{name}")

    def _open(self, name: str) -> np.ndarray:
        if self.path is None:
            return self.memory[name]
        try:
            return np.load(self.path / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        finally:
            self._check(f"{name}.npy")  # afterwards: what is open now is what was there before

    def read(self, trajectories: np.ndarray, frames: np.ndarray) -> dict[str, np.ndarray]:
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
        graph: dict[str, np.ndarray] = {}
        found = np.unique(trajectories)
        for name, (shape, dtype) in self.input_shapes.items():
            if len(found) == 1:  # spares a copy
                graph[name] = self._frames(found[0], name, frames).astype(dtype, copy=False)
                continue
            graph[name] = np.empty((*frames.shape, *shape), dtype)
            for index in found:
                chosen = trajectories == index
                graph[name][chosen] = self._frames(index, name, frames[chosen])
        return graph

    def _frames(self, trajectory: int, name: str, frames: np.ndarray) -> np.ndarray:
        array = self.array(trajectory, name)
        if self.path is None or array[:1].nbytes < _LARGE:
            return array[frames]
        file = f"{self.names[trajectory]}/{name}.npy"
        try:
            return FileArray.open(self.path / file).take(frames)
        finally:
            self._check(file)


class FrameRange:
    """Some frames of one array of the graphs, indexed like an array and read when they are asked for.

    What is read is a copy, and the file is mapped anew after every 64 MB, so that what goes through all frames in parts
    needs no more memory for more of them.

    Parameters
    ----------
    graphs : GraphDataset
    trajectory : int
    name : str
        As `GraphDataset.array` takes them.
    start, stop : int
    """

    def __init__(self, graphs: GraphDataset, trajectory: int, name: str, start: int, stop: int) -> None:
        self._graphs, self._place, self._frames = graphs, (trajectory, name), range(start, stop)
        self._array = graphs.array(trajectory, name)
        self._frame_bytes = int(np.prod(self._array.shape[1:])) * self._array.dtype.itemsize
        self._touched = 0  # bytes, at most

    @property
    def shape(self) -> tuple[int, ...]:
        """(F, ...)."""
        return (len(self._frames), *self._array.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: Any) -> np.ndarray:
        frames, *others = index if isinstance(index, tuple) else (index,)
        if isinstance(frames, slice):
            part = self._frames[frames]
            place, n_frames = slice(part.start, part.stop, part.step), len(part)
        else:
            place = np.asarray(self._frames)[frames] if np.ndim(frames) else self._frames[frames]
            n_frames = np.size(frames)
        if self._touched > _MAPPED:
            self._array, self._touched = self._graphs.array(*self._place), 0
        self._touched += n_frames * self._frame_bytes
        return np.array(self._array[(place, *others)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


@dataclass(frozen=True, eq=False)
class CoordinateDataset(GraphDataset):
    """The same graphs, seen as a VAMPnet sees them: the coordinates of all targets, one state for the whole.

    Raises
    ------
    InputError
        If the system is not periodic in all directions.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(self.meta["periodic"]):
            where = f"{self.path}: " if self.path else ""
            raise InputError(f"{where}`model=vampnet` needs a system that is periodic in all directions")

    @property
    def n_targets(self) -> int:
        """One: the system as a whole."""
        return 1

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """None."""
        return {}

    @property
    def input_shapes(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """``coordinates``: cosine and sine of the fractional coordinates, which do not jump at the border."""
        return {"coordinates": ((6 * self.targets.size,), np.float32)}

    def _frames(self, trajectory: int, name: str, frames: np.ndarray) -> np.ndarray:
        positions = self.array(trajectory, "positions")[frames][..., self.targets.ravel(), :]  # (..., T k, 3)
        angle = 2 * np.pi * positions @ np.linalg.inv(self.array(trajectory, "lattices")[frames])
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=-1).reshape(*frames.shape, -1)


def as_inputs(graphs: GraphDataset, model: str) -> GraphDataset:
    """Graphs as the inputs of a model.

    Parameters
    ----------
    graphs : GraphDataset
    model : {"gdynet", "vampnet"}

    Returns
    -------
    GraphDataset or CoordinateDataset

    Raises
    ------
    InputError
        As `CoordinateDataset`.
    """
    return CoordinateDataset(graphs.path, graphs.meta, graphs.memory) if model == "vampnet" else graphs
