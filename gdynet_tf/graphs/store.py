"""The graph directory: how it is opened and checked.

``meta.json`` describes every array: its shape and dtype, by which a directory that was cut short does not open, and the
SHA-256 of its file, by which `verify` finds what was altered. Everything is written to ``NAME.partial`` and renamed at
the end, so a directory called NAME is always whole.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest
from gdynet_tf.findings import Finding
from gdynet_tf.graphs.dataset import GraphDataset, as_inputs
from gdynet_tf.graphs.partial import PartialDirectory, check_output
from gdynet_tf.spool import FileArray

__all__ = ["FORMAT_VERSION", "open_graphs", "open_inputs", "verify", "write_graphs"]

FORMAT_VERSION = 2
_READABLE = (1, 2)  # digests of 1 were sampled in long files


def open_graphs(path: str | Path) -> GraphDataset:
    """Open a graph directory, and check the size of every file and the content of those that name atoms and targets.

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
    meta = _read_meta(path)
    try:
        for file, entry, is_constant in _files(path, meta):
            _check_array(file, entry, whole=is_constant and meta["format_version"] > 1)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path / 'meta.json'}: altered, {error!r}") from None
    return GraphDataset(path, meta)


def verify(path: str | Path) -> list[Finding]:
    """Read a graph directory wholly, and tell what is not as it was written.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Finding
        One of severity "bad" for each file that was altered; none when all is as it was written.

    Raises
    ------
    InputError
        If it is no graph directory, or one of an older version, whose digests did not cover all of a file.
    """
    path = Path(path)
    meta, found = _read_meta(path), []
    if meta["format_version"] == 1:
        raise InputError(f"{path}: was written by version 0.3 or older, whose digests do not cover all of a file")
    for file, entry, _ in _files(path, meta):
        try:
            _check_array(file, entry, whole=True)
        except InputError as error:
            found.append(Finding(kind="altered file", severity="bad", text=str(error), numbers={}))
    return found


def _read_meta(path: Path) -> dict[str, Any]:
    if not (path / "meta.json").is_file() or path.suffix == ".partial":
        hint = "an interrupted build" if path.suffix == ".partial" else "no meta.json in it"
        what = hint if path.is_dir() else "no such directory"
        raise InputError(f"{path}: not a graph directory ({what}); python preprocess/build_graphs.py makes one")
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        version = meta["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path / 'meta.json'}: cannot be read: {error!r}") from None
    if version not in _READABLE:
        raise InputError(f"{path}: format version {version}, this program reads {' and '.join(map(str, _READABLE))}")
    return meta


def _files(path: Path, meta: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any], bool]]:
    """Every array: its file, what ``meta.json`` says of it, and whether it belongs to no trajectory."""
    for name, entry in meta["arrays"].items():
        yield path / f"{_component(path, name)}.npy", entry, True
    for trajectory in meta["trajectories"]:
        for name, entry in trajectory["arrays"].items():
            yield path / _component(path, trajectory["name"]) / f"{_component(path, name)}.npy", entry, False


def _component(path: Path, name: str) -> str:
    """A name that cannot lead out of the directory."""
    if not isinstance(name, str) or Path(name).name != name:
        raise InputError(f"{path / 'meta.json'}: altered, {name!r} is no name of a file or folder")
    return name


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


def _check_array(file: Path, entry: Mapping[str, Any], whole: bool) -> None:
    """InputError where a file is not what was written, by its header and size, or wholly."""
    try:
        array = FileArray.open(file)
        found = (list(array.shape), array.dtype.str)
        if found != (entry["shape"], entry["dtype"]):
            said = f"{entry['dtype']} {tuple(entry['shape'])}"
            raise InputError(f"{file}: altered, {found[1]} {tuple(found[0])} where meta.json says {said}")
        if whole and digest(file) != entry["sha256"]:
            raise InputError(f"{file}: altered since it was written (digest differs); build the graphs again")
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None


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
        If ``out`` exists or cannot be written.
    """
    check_output(Path(out), overwrite=False, resume=False)
    partial = PartialDirectory(Path(out), graphs.meta)
    try:
        partial.begin(graphs.memory, {})
        return partial.finish()
    except OSError as error:
        partial.remove()
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
