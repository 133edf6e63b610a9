"""A graph directory while it is written: reserved, filled in any order, resumed, and named when it is whole."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures.process import BrokenProcessPool
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, write_json
from gdynet_tf.graphs.chunks import PlannedArray
from gdynet_tf.graphs.dataset import GraphDataset
from gdynet_tf.manifest import check_outside, check_own, write_manifest
from gdynet_tf.spool import FileArray, pieces

__all__ = ["FILES", "LONGEST_NAME", "PartialDirectory", "check_output", "check_space", "human_size"]

logger = logging.getLogger(__name__)

_JOURNAL = "journal.jsonl"
LONGEST_NAME = 230  # bytes: names of what is written beside a graph directory are somewhat longer than its own
FILES = frozenset(  # beside the folders of the trajectories, which cannot be called like them
    [_JOURNAL]
    + [f"{name}{suffix}" for name in ("meta", "manifest") for suffix in (".json", ".tmp")]
    + [f"{name}.npy" for name in ("atomic_numbers", "targets", "charges")]
)


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
        Also if one that would be replaced holds a file that was not written with it.
    """
    if not out.name:
        raise InputError(f"`out={out}`: is not the name of a directory that can be made")
    check_outside(out)
    partial = PartialDirectory(out, {}).path
    if overwrite:
        if out.exists() and not (_holds_graphs(out) or (out.is_dir() and not any(out.iterdir()))):
            raise InputError(f"{out}: exists and is no graph directory; it is not overwritten")
        check_own(out)
    elif out.exists() and partial.exists():  # only overwriting begins beside what exists
        if not resume:
            raise InputError(
                f"{partial}: left by an interrupted build that was to replace {out}; `resume=True` continues it, "
                "`overwrite=True` starts afresh"
            )
    elif out.exists():
        raise InputError(f"{out}: exists; `overwrite=True` replaces it, `out` names another")
    elif partial.exists() and not resume:
        raise InputError(
            f"{partial}: left by an interrupted build; `resume=True` continues it, `overwrite=True` starts afresh"
        )


def _holds_graphs(out: Path) -> bool:
    meta = out / "meta.json"
    return meta.is_file() and b'"format_version"' in meta.read_bytes()


def check_space(partial: PartialDirectory, size: int, compact: int | None = None) -> None:
    """Tell the size on disk, and whether there is room.

    Parameters
    ----------
    partial : PartialDirectory
        What an interrupted build has reserved counts as free.
    size : int
        Bytes to write.
    compact : int, optional
        Bytes that the distances alone would take.

    Raises
    ------
    InputError
    """
    out = partial.out
    reserved = sum(file.stat().st_blocks * 512 for file in partial.path.rglob("*.npy"))
    free = _free_space(out) + reserved
    logger.info(f"{out}: {human_size(size)} to write, {human_size(free)} free")
    if size > free:
        hint = f"; `edges='distance'` takes {human_size(compact)}" if compact is not None and compact < size else ""
        raise InputError(f"{out}: {human_size(size)} do not fit on the disk ({human_size(free)} free){hint}")


def _free_space(path: Path) -> int:
    """Bytes free where a directory is to be written, or the first folder above it that exists is."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def human_size(size: float) -> str:
    """A size in bytes as text: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


class _RunningDigest:
    """SHA-256 of an .npy file whose rows are written in any order, computed as soon as those before are there."""

    def __init__(self, file: Path) -> None:
        self._array = FileArray.open(file)
        with open(file, "rb") as header:
            self._hash = hashlib.sha256(header.read(self._array.offset))
        self._at, self._written = 0, {0: 0}

    def add(self, start: int, stop: int) -> None:
        """Rows start:stop have been written."""
        self._written[start] = stop
        while self._written.get(self._at, 0) > self._at:
            stop = self._written.pop(self._at)
            for _, rows in pieces(self._array, range(self._at, stop)):
                self._hash.update(np.ascontiguousarray(rows).data)
            self._at = stop

    def hexdigest(self) -> str:
        """Of the rows that have been written without a gap: of all in the end."""
        return self._hash.hexdigest()


class PartialDirectory:
    """A graph directory while it is written.

    Parameters
    ----------
    out : Path
        The name that it gets by `finish`; until then it is ``out.partial``.
    meta : dict
        What ``meta.json`` will say, but for the arrays.
    """

    def __init__(self, out: Path, meta: dict[str, Any]) -> None:
        self.out, self.meta = out, meta
        self.path = out.with_name(out.name + ".partial")
        self._digests: dict[str, str] = {}  # of the arrays that are known beforehand
        self._running: dict[str, _RunningDigest] = {}
        self._noted: dict[str, dict[str, str]] = {}  # piece -> array -> digest, from the journal

    def begin(
        self,
        known: Mapping[str, np.ndarray | FileArray],
        planned: Mapping[str, PlannedArray],
        resume: bool = False,
    ) -> None:
        """Write the arrays that are known and reserve room for the others, or take up an interrupted build.

        Parameters
        ----------
        known : mapping
            Path of an array below the directory, without suffix -> array.
        planned : mapping
            The same for arrays that are still to be computed.
        resume : bool

        Raises
        ------
        InputError
            If the interrupted build was begun with other settings or data.
        OSError
            If there is no room.
        """
        self._digests = {name: _npy_digest(array) for name, array in known.items()}
        settings = json.dumps({"meta": self.meta, "arrays": self._digests}, sort_keys=True)
        if not (resume and self._take_up(settings)):
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            (self.path / _JOURNAL).write_text(settings + "\n", encoding="utf-8")
        for name, array in known.items():
            if not self._is_whole(name):
                _allocate(self.file(name), array.shape, array.dtype)
                written = FileArray.open(self.file(name), "r+b")
                for start, rows in pieces(array):
                    written.write(start, rows)
        for name, plan in planned.items():
            try:
                found = FileArray.open(self.file(name))
            except (OSError, ValueError):
                found = None
            if found is None or (found.shape, found.dtype) != (plan.shape, np.dtype(plan.dtype)):
                _allocate(self.file(name), *plan)
            self._running[name] = _RunningDigest(self.file(name))

    def file(self, name: str) -> Path:
        """Where an array is written."""
        return self.path / f"{name}.npy"

    def _take_up(self, settings: str) -> bool:
        """Read the journal of an interrupted build; whether there is one."""
        if not (self.path / _JOURNAL).is_file():
            return False
        first, *lines = (self.path / _JOURNAL).read_bytes().split(b"\n")
        if first.decode("utf-8", "replace") != settings:
            raise InputError(
                f"{self.path}: was begun with other settings, frames, targets or elements; `overwrite=True` starts "
                "afresh"
            )
        for line in lines[:-1]:  # what stands behind the last line break was cut short
            try:
                ((piece, digests),) = json.loads(line).items()
                self._noted[piece] = dict(digests)
            except (ValueError, TypeError, AttributeError, RecursionError):  # altered; it is computed anew
                continue
        with open(self.path / _JOURNAL, "ab") as journal:
            journal.write(b"\n" if lines and lines[-1] else b"")
        return True

    def _is_whole(self, name: str) -> bool:
        return self.file(name).is_file() and digest(self.file(name)) == self._digests[name]

    def is_done(self, folder: str, start: int, stop: int) -> bool:
        """Whether an interrupted build has written these frames, and they are as it wrote them."""
        noted = self._noted.get(f"{folder}:{start}:{stop}", {})
        if noted.keys() != {name.rpartition("/")[2] for name in self._running if name.rpartition("/")[0] == folder}:
            return False  # altered
        for name, expected in noted.items():
            found = hashlib.sha256()
            for _, rows in pieces(FileArray.open(self.file(f"{folder}/{name}")), range(start, stop)):
                found.update(np.ascontiguousarray(rows).data)
            if found.hexdigest() != expected:
                return False
        self._advance(folder, start, stop, noted)
        return True

    def note(self, folder: str, start: int, stop: int, digests: Mapping[str, str]) -> None:
        """Frames of some arrays have been written: add them to the journal, with the digests of their bytes."""
        with open(self.path / _JOURNAL, "ab") as journal:
            journal.write(json.dumps({f"{folder}:{start}:{stop}": dict(digests)}).encode() + b"\n")
        self._advance(folder, start, stop, digests)

    def _advance(self, folder: str, start: int, stop: int, names: Mapping[str, str]) -> None:
        for name in names:
            self._running[f"{folder}/{name}"].add(start, stop)

    def finish(self) -> GraphDataset:
        """Describe every array in ``meta.json`` and give the directory its name."""
        digests = self._digests | {name: running.hexdigest() for name, running in self._running.items()}
        described: dict[str, dict[str, Any]] = {}
        for name in sorted(digests):
            array = FileArray.open(self.file(name))
            folder, _, short = name.rpartition("/")
            described.setdefault(folder, {})[short] = {
                "shape": list(array.shape),
                "dtype": array.dtype.str,
                "sha256": digests[name],
            }
        meta = {**self.meta, "arrays": described[""]}
        meta["trajectories"] = [{**entry, "arrays": described[entry["name"]]} for entry in meta["trajectories"]]
        meta["created"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        write_json(self.path / "meta.json", meta)
        write_manifest(self.path, {f"{name}.npy": value for name, value in digests.items()}, leave_out=(_JOURNAL,))
        replaced = self.out.with_name(self.out.name + ".replaced")
        if self.out.exists():
            shutil.rmtree(replaced, ignore_errors=True)
            self.out.rename(replaced)
        self.path.rename(self.out)
        # Until here an interrupted build can be resumed.
        (self.out / _JOURNAL).unlink()
        shutil.rmtree(replaced, ignore_errors=True)
        return GraphDataset(self.out, meta)

    def fill(
        self,
        known: Mapping[str, np.ndarray | FileArray],
        planned: Mapping[str, PlannedArray],
        jobs: Mapping[tuple[str, int, int], tuple],
        run: Callable[[dict[tuple[str, int, int], tuple], Callable[..., None]], None],
        resume: bool = False,
    ) -> GraphDataset:
        """From `begin` to `finish`, and what stays when something goes wrong.

        Parameters
        ----------
        known, planned, resume
            As for `begin`.
        jobs : mapping
            Folder, first frame, and frame after the last of a stretch that is to be written -> arguments.
        run : callable
            Takes those of the jobs that are not done, and a function to call with the key and the digests of each.

        Returns
        -------
        GraphDataset

        Raises
        ------
        InputError
            Nothing stays where the input cannot work or nothing can be written; else all that is done.
        """
        try:
            self.begin(known, planned, resume)
        except OSError as error:
            if not resume:
                self.remove()
            raise InputError(f"{self.out}: cannot be written: {error.strerror or error}") from None
        try:
            open_jobs = {job: arguments for job, arguments in jobs.items() if not self.is_done(*job)}
            run(open_jobs, lambda job, digests: self.note(job[0], job[1], job[2], digests))
            return self.finish()
        except InputError:
            self.remove()
            raise
        except (OSError, BrokenProcessPool) as error:  # what is done stays, as when the build is interrupted
            what = "a process died, perhaps for want of memory" if isinstance(error, BrokenProcessPool) else error
            raise InputError(f"{self.out}: {what}; `resume=True` continues from what is done") from None

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.path, ignore_errors=True)


def _header(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> bytes:
    header = BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": tuple(shape)})
    return header.getvalue()


def _npy_digest(array: np.ndarray | FileArray) -> str:
    """SHA-256 of the .npy file of an array."""
    result = hashlib.sha256(_header(array.shape, array.dtype))
    for _, rows in pieces(array):
        result.update(np.ascontiguousarray(rows).data)
    return result.hexdigest()


def _allocate(file: Path, shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> None:
    """An .npy file of zeros; its room on the disk is reserved, so that it cannot run out later."""
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)  # neither a link nor a pipe is written through
    header, size = _header(shape, dtype), int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    with open(file, "wb") as opened:
        opened.write(header)
        opened.flush()
        opened.truncate(len(header) + size)
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), len(header), size)
