"""Graphs in parts, for batch queues: job i of n builds its part of the frames, and the parts are put together.

A part consists of whole chunks of those that a single build would compute, of atoms that were followed from the first
frame of the trajectory: its bytes are those of the single build. Each part is a directory of its own, with its own lock
and journal, and knows what the whole is; parts of other wholes are not put together.
"""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import output_path
from gdynet_tf.graphs.chunks import PlannedArray, chunk_ranges, plan_arrays
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.graphs.parallel.frames import Stretch, run_stretches
from gdynet_tf.graphs.partial import PartialDirectory, check_output, check_space
from gdynet_tf.graphs.store import open_directory
from gdynet_tf.locks import locked
from gdynet_tf.spool import FileArray, pieces
from gdynet_tf.trajectory import Trajectory

__all__ = ["check_shard", "merge_graphs", "part_of", "shard_path"]


def check_shard(shard: tuple[int, int]) -> None:
    """Whether it is one of n.

    Parameters
    ----------
    shard : (int, int)
        (i, n).

    Raises
    ------
    InputError
    """
    index, of = shard
    if not 1 <= index <= of:
        raise InputError(f"`shard={index}/{of}`: must be i/n, with i from 1 to n")


def shard_path(out: Path, shard: tuple[int, int]) -> Path:
    """Where a part is written: beside the whole.

    Parameters
    ----------
    out : Path
        Of the whole.
    shard : (int, int)
        (i, n).

    Returns
    -------
    Path
        ``out.shard-i-of-n``.
    """
    return out.with_name("{}.shard-{}-of-{}".format(out.name, *shard))


def part_of(
    trajectories: Sequence[Trajectory], meta: Mapping[str, Any], shard: tuple[int, int]
) -> tuple[list[Trajectory], dict[str, Any]]:
    """The frames of a part, and what its ``meta.json`` says.

    Parameters
    ----------
    trajectories : list of Trajectory
        All frames, of atoms that have been followed.
    meta : mapping
        Of the whole.
    shard : (int, int)
        (i, n).

    Returns
    -------
    list of Trajectory
        A stretch of each trajectory that the part has frames of.
    dict
        With ``shard``: index, of, the first frame of each stretch, and ``meta`` of the whole.

    Raises
    ------
    InputError
        If there are more parts than chunks of frames.
    """
    index, of = shard
    settings = (meta["n_neighbors"], meta["edges"], meta["expansion"])
    chunks = [(k, *ends) for k, t in enumerate(trajectories) for ends in chunk_ranges(plan_arrays(t, *settings))]
    if of > len(chunks):
        raise InputError(f"`shard={index}/{of}`: the frames make {len(chunks)} pieces of 32 MB, no more can share them")
    own = chunks[(index - 1) * len(chunks) // of : index * len(chunks) // of]
    parts, entries, first = [], [], {}
    for k, stretch in groupby(own, key=lambda chunk: chunk[0]):
        (_, start, stop), *others = stretch
        part = trajectories[k].select(start, others[-1][2] if others else stop)
        entry = meta["trajectories"][k]
        parts.append(part)
        entries.append({**entry, "n_frames": len(part.positions), "segments": list(part.segments)})
        first[entry["name"]] = start
    return parts, {
        **meta,
        "trajectories": entries,
        "shard": {"index": index, "of": of, "first": first, "whole": meta},
    }


def merge_graphs(
    out: str | Path, *, overwrite: bool = False, resume: bool = False, n_workers: int = 1, progress: bool = True
) -> GraphDataset:
    """One graph directory of all its parts, which stay: the same bytes as of a build at once.

    Parameters
    ----------
    out : path-like
        Of the whole; its parts, ``out.shard-i-of-n``, lie beside it.
    overwrite, resume : bool
        What to do with an ``out`` that exists, or with an interrupted merge.
    n_workers : int
        Processes that copy.
    progress : bool
        Show how far it is, and the time left.

    Returns
    -------
    GraphDataset

    Raises
    ------
    InputError
        If a part is missing, damaged, or of other settings, sources, targets or frames than the first, if ``out``
        exists or there is no room for it. Where damage is found while large files are copied, what is done stays, for
        ``resume``.
    """
    out = output_path(out)
    with ExitStack() as held:
        held.enter_context(locked(out))
        check_output(out, overwrite, resume)
        shards: dict[Path, dict[str, Any]] = {}  # directory -> its meta.json
        for path in _find(out):
            held.enter_context(locked(path))
            shards[path] = open_directory(path).meta
        first, meta = next(iter(shards.items()))
        whole = _whole(out, shards)
        known = {name: FileArray.open(first / f"{name}.npy") for name in meta["arrays"]}
        planned = {
            f"{entry['name']}/{name}": PlannedArray(tuple(array["shape"]), np.dtype(array["dtype"]).type)
            for entry in whole["trajectories"]
            for name, array in entry["arrays"].items()
        }
        partial = PartialDirectory(out, meta["shard"]["whole"])
        if not resume:
            partial.remove()
        check_space(partial, sum(array.n_bytes for array in planned.values()))
        jobs: dict[Stretch, tuple] = {}
        for path, meta in shards.items():
            for start, entry in _stretches(meta):
                digests = {array: described["sha256"] for array, described in entry["arrays"].items()}
                name = entry["name"]
                arguments = (str(path / name), str(partial.path / name), start, digests)
                jobs[name, start, start + entry["n_frames"]] = arguments

        def copy(jobs: Mapping[Stretch, tuple], note: Callable[[Stretch, dict[str, str]], None]) -> None:
            run_stretches(copy_stretch, jobs, note, n_workers, progress)

        return partial.fill(known, planned, jobs, copy, resume)


def copy_stretch(source: str, folder: str, start: int, digests: Mapping[str, str]) -> dict[str, str]:
    """Copy the arrays of a trajectory folder of a part to where they belong.

    Parameters
    ----------
    source, folder : str
        Trajectory folder of the part, and of the whole.
    start : int
        Frame of the whole at which the part begins.
    digests : mapping
        Name of each array -> SHA-256 of the part's file.

    Returns
    -------
    dict
        Name of each array -> SHA-256 of the bytes of these frames.

    Raises
    ------
    OSError
        If a file of the part is not as it was written; those that are stay copied.
    """
    copied = {}
    for name, expected in digests.items():
        file = Path(source) / f"{name}.npy"
        array, target = FileArray.open(file), FileArray.open(Path(folder) / f"{name}.npy", "r+b")
        with open(file, "rb") as opened:
            whole, frames = hashlib.sha256(opened.read(array.offset)), hashlib.sha256()
        for at, rows in pieces(array):
            for result in (whole, frames):
                result.update(rows.data)
            target.write(start + at, rows)
        if whole.hexdigest() != expected:
            raise OSError(f"{file}: altered since it was written (digest differs): build this shard again")
        copied[name] = frames.hexdigest()
    return copied


def _find(out: Path) -> list[Path]:
    """All parts, in their order."""
    found = {}
    for path in out.parent.glob(f"{glob.escape(out.name)}.shard-*"):
        match = re.fullmatch(r"\.shard-(\d+)-of-(\d+)", path.name[len(out.name) :])
        if match:
            found[int(match[1]), int(match[2])] = path
    if not found:
        raise InputError(f"{out}: has no shards: {shard_path(out, (1, 1)).name} or the like, which `shard` builds")
    counts = sorted({of for _, of in found})
    if len(counts) > 1:
        raise InputError(f"{out}: has shards of {counts[0]} and of {counts[1]}; delete those that are not meant")
    missing = [index for index in range(1, counts[0] + 1) if (index, counts[0]) not in found]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise InputError(
            f"{out}: of its {counts[0]} shards there is no {shown}; `shard` with `resume=True` builds them"
        )
    return [path for _, path in sorted(found.items())]


def _stretches(meta: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """First frame, and what is said of it, of each stretch of a part."""
    return [(meta["shard"]["first"][entry["name"]], entry) for entry in meta["trajectories"]]


def _settings(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What all parts have in common, by the words of ``meta.json``."""
    whole = dict(meta["shard"]["whole"])
    entries = whole.pop("trajectories")
    of_each = {key: [entry.get(key) for entry in entries] for entry in entries for key in entry}
    # The files by their content: each host may have a copy of its own, at a path of its own.
    of_each["sources"] = [[s.get("sha256") or s["path"] for s in entry["sources"]] for entry in entries]
    return {**whole, **of_each, **meta["arrays"]}  # the last has digests of elements, targets, charges


def _whole(out: Path, shards: Mapping[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """What ``meta.json`` will say, but for the digests; InputError where the parts are not all of one whole."""
    from gdynet_tf.schema import Meta, check_schema

    first, model = next(iter(shards.items()))
    for number, (path, meta) in enumerate(shards.items(), start=1):
        shard = meta.get("shard")
        if shard is None or (shard["index"], shard["of"]) != (number, len(shards)):
            raise InputError(f"{path}: is not the shard that its name says")
        here, there = _settings(meta), _settings(model)
        differ = sorted(key for key in here.keys() | there.keys() if here.get(key) != there.get(key))
        if differ:
            raise InputError(f"{path}: was built with other {', '.join(differ)} than {first}; build one of them again")
    entries = []
    for entry in model["shard"]["whole"]["trajectories"]:
        at, arrays = 0, {}
        for start, stretch in (pair for meta in shards.values() for pair in _stretches(meta)):
            if stretch["name"] == entry["name"] and start == at:
                at, arrays = start + stretch["n_frames"], stretch["arrays"]
        if at != entry["n_frames"]:
            raise InputError(f"{out}: no shard has frame {at} of {entry['name']}; build the shards again")
        arrays = {name: {**a, "shape": [entry["n_frames"], *a["shape"][1:]]} for name, a in arrays.items()}
        entries.append({**entry, "arrays": arrays})
    whole = {**model["shard"]["whole"], "trajectories": entries, "arrays": model["arrays"]}
    check_schema(whole, Meta, first / "meta.json")
    return whole
