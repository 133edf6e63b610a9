"""The graph directory: how it is opened and checked.

``meta.json`` describes every array, and ``manifest.json`` every file, so that a directory that was cut short or altered
does not open, and `gdynet_tf.manifest.verify_files` finds every other damage. Everything is written to
``NAME.partial`` and renamed at the end, so a directory called NAME is always whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdynet_tf.errors import InputError, file_path
from gdynet_tf.files import output_path, read_json
from gdynet_tf.graphs.dataset import GraphDataset, as_inputs
from gdynet_tf.graphs.partial import LONGEST_NAME, PartialDirectory, check_output
from gdynet_tf.locks import locked
from gdynet_tf.manifest import check_manifest
from gdynet_tf.spool import FileArray

__all__ = ["FORMAT_VERSION", "open_directory", "open_graphs", "open_inputs", "write_graphs"]

FORMAT_VERSION = 2
_READABLE = (1, 2)  # 1 has no manifest, and its digests were sampled in long files


def open_graphs(path: str | Path) -> GraphDataset:
    """Open a graph directory, and check the size of every file and the content of the small ones.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    GraphDataset

    Raises
    ------
    InputError
        If the directory is missing, was written by another format version, is not as ``meta.json`` says, or is a shard.
    """
    graphs = open_directory(path)
    if "shard" in graphs.meta:
        raise InputError(f"{path}: is a part of the graphs; python preprocess/build_graphs.py --merge makes the whole")
    return graphs


def open_directory(path: str | Path) -> GraphDataset:
    """As `open_graphs`, parts of graphs too.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    GraphDataset
        Of a part: with ``shard`` in its ``meta``.

    Raises
    ------
    InputError
        As from `open_graphs`.
    """
    from gdynet_tf.schema import Meta, check_schema

    path = file_path(path, "path")
    if not (path / "meta.json").is_file() or path.suffix == ".partial":
        hint = "an interrupted build" if path.suffix == ".partial" else "no meta.json in it"
        what = hint if path.is_dir() else "no such directory"
        raise InputError(f"{path}: not a graph directory ({what}); python preprocess/build_graphs.py makes one")
    meta = read_json(path / "meta.json")
    version = meta.get("format_version") if isinstance(meta, dict) else None
    check_manifest(path, expected=version != 1)
    if version not in _READABLE:
        raise InputError(f"{path}: format version {version}, this program reads {' and '.join(map(str, _READABLE))}")
    check_schema(meta, Meta, path / "meta.json")
    for folder, arrays in [(path, meta["arrays"]), *((path / t["name"], t["arrays"]) for t in meta["trajectories"])]:
        for name, entry in arrays.items():
            _check_array(folder / f"{name}.npy", entry)
    return GraphDataset(path, meta)


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
    """InputError where a file does not hold the array that was written."""
    try:
        if not file.is_file():
            raise OSError("no such file")
        array = FileArray.open(file)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: cannot be read: {error}") from None
    found = (list(array.shape), array.dtype.str)
    if found != (entry["shape"], entry["dtype"]):
        said = f"{entry['dtype']} {tuple(entry['shape'])}"
        raise InputError(f"{file}: altered, {found[1]} {tuple(found[0])} where meta.json says {said}")


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
    out = output_path(file_path(out, "out", longest=LONGEST_NAME))
    with locked(out):
        check_output(out, overwrite=False, resume=False)
        partial = PartialDirectory(out, graphs.meta)
        try:
            partial.begin(graphs.memory, {})
            return partial.finish()
        except OSError as error:
            partial.remove()
            raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
