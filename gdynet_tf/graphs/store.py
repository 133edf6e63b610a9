"""The graph directory: how it is written, opened and checked.

``meta.json`` describes every array (shape, dtype, digest), so that a directory that was cut short or altered does
not open. Everything is written to ``NAME.partial`` and renamed at the end, so a directory called NAME is always whole.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, discard, read_json, write_json
from gdynet_tf.graphs.dataset import GraphDataset, as_inputs
from gdynet_tf.locks import locked
from gdynet_tf.manifest import check_manifest, write_manifest

__all__ = [
    "FORMAT_VERSION",
    "PartialDirectory",
    "check_output",
    "free_space",
    "open_graphs",
    "open_inputs",
    "write_graphs",
]

FORMAT_VERSION = 1


def open_graphs(path: str | Path) -> GraphDataset:
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
    from gdynet_tf.schema import Meta, check_schema

    path = Path(path)
    if not (path / "meta.json").is_file():
        hint = "an interrupted build" if path.suffix == ".partial" else "no meta.json in it"
        what = hint if path.is_dir() else "no such directory"
        raise InputError(f"{path}: not a graph directory ({what}); python preprocess/build_graphs.py makes one")
    check_manifest(path)
    meta = read_json(path / "meta.json")
    version = meta.get("format_version") if isinstance(meta, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: format version {version}, this program reads {FORMAT_VERSION}")
    check_schema(meta, Meta, path / "meta.json")
    for folder, arrays in _arrays(path, meta):
        for name, entry in arrays.items():
            _check_array(folder / f"{name}.npy", entry)
    return GraphDataset(path, meta)


def _arrays(path: Path, meta: Mapping[str, Any]) -> list[tuple[Path, dict[str, Any]]]:
    """Folder and description of the arrays of the system and of each trajectory."""
    return [(path, meta["arrays"]), *((path / entry["name"], entry["arrays"]) for entry in meta["trajectories"])]


def open_inputs(path: str | Path, model: str) -> GraphDataset:
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
    return as_inputs(open_graphs(path), model)


def _check_array(file: Path, entry: Mapping[str, Any]) -> None:
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


def check_output(out: Path, overwrite: bool, resume: bool) -> None:
    """Whether a graph directory may be written there.

    Parameters
    ----------
    out : Path
    overwrite, resume : bool
        Whether one that exists is replaced, and an interrupted build continued.

    Raises
    ------
    InputError
    """
    if not out.name:
        raise InputError(f"`out={out}`: is not the name of a directory that can be made")
    partial = PartialDirectory(out, {}).path
    if overwrite:
        if out.exists() and not ((out / "meta.json").is_file() or (out.is_dir() and not any(out.iterdir()))):
            raise InputError(f"{out}: exists and is no graph directory; it is not overwritten")
        shutil.rmtree(partial, ignore_errors=True)
    elif out.exists():
        raise InputError(f"{out}: exists; `overwrite=True` replaces it, `out` names another")
    elif partial.exists() and not resume:
        raise InputError(
            f"{partial}: left by an interrupted build; `resume=True` continues it, `overwrite=True` starts afresh"
        )


def free_space(path: Path) -> int:
    """Bytes free where a directory is to be written, or the first folder above it that exists is."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


@dataclass
class PartialDirectory:
    """A graph directory while it is written.

    Attributes
    ----------
    out : Path
        The name that it gets by `finish`; until then it is ``out.partial``.
    meta : dict
        What ``meta.json`` will say, but for the arrays.
    done : list of str
        Keys of the pieces that are written, noted in a journal from which a later build resumes.
    """

    out: Path
    meta: dict[str, Any]
    done: list[str] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self.out.with_name(self.out.name + ".partial")

    @property
    def _settings(self) -> str:
        return json.dumps(self.meta, sort_keys=True)

    def resume(self) -> bool:
        """Take up `done` from an interrupted build; whether there is one.

        Raises
        ------
        InputError
            If it was begun with other settings.
        """
        if not (self.path / "journal.json").is_file():
            return False
        journal = json.loads((self.path / "journal.json").read_text(encoding="utf-8"))
        if journal["settings"] != self._settings:
            raise InputError(f"{self.path}: was begun with other settings or sources; `overwrite=True` starts afresh")
        self.done = journal["done"]
        return True

    def start(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Begin anew, with the arrays that belong to no trajectory."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        for name, array in arrays.items():
            self.write(name, array)

    def write(self, name: str, array: np.ndarray) -> None:
        """Write an array that is known."""
        self.allocate(name, array.shape, array.dtype)[...] = array

    def allocate(self, name: str, shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
        """Make room for an array that is still to be computed; memory-mapped."""
        file = self.path / f"{name}.npy"
        file.parent.mkdir(exist_ok=True)
        return np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)

    def note(self, *keys: str) -> None:
        """Add pieces to the journal."""
        self.done += keys
        write_json(self.path / "journal.json", {"settings": self._settings, "done": self.done})

    def finish(self) -> GraphDataset:
        """Describe every array in ``meta.json`` and give the directory its name."""
        (self.path / "journal.json").unlink(missing_ok=True)
        meta = {**self.meta, "arrays": _describe(self.path)}
        meta["trajectories"] = [
            {**entry, "arrays": _describe(self.path / entry["name"])} for entry in meta["trajectories"]
        ]
        meta["created"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_json(self.path / "meta.json", meta)
        write_manifest(self.path)
        if self.out.exists():
            discard(self.out)
        self.path.rename(self.out)
        return GraphDataset(self.out, meta)


def _describe(folder: Path) -> dict[str, dict[str, Any]]:
    described = {}
    for file in sorted(folder.glob("*.npy")):
        array = np.load(file, mmap_mode="r")
        described[file.stem] = {
            "shape": list(array.shape),
            "dtype": array.dtype.str,
            "sha256": digest(file),
        }
    return described


def write_graphs(graphs: GraphDataset, out: str | Path) -> GraphDataset:
    """Write graphs in memory as the directory that they would have been built into.

    Parameters
    ----------
    graphs : GraphDataset
    out : path-like
        Does not exist.

    Returns
    -------
    GraphDataset
        Of the directory.

    Raises
    ------
    InputError
        If ``out`` exists.
    """
    with locked(out):
        check_output(Path(out), overwrite=False, resume=False)
        partial = PartialDirectory(Path(out), graphs.meta)
        partial.start(graphs.memory)
        return partial.finish()
