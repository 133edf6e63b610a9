"""The list of all files of a directory, with sizes and digests, by which a damaged one is told from what was written.

``manifest.json`` is written last. Opening a directory compares the sizes of all files and the digests of the small
ones, which takes no time; ``gdynet-verify`` reads everything. The digests are those that ``sha256sum`` prints.
"""

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, write_json
from gdynet_tf.progress import Progress

__all__ = ["NAME", "check_manifest", "verify_files", "write_manifest"]

NAME = "manifest.json"
_SMALL = 1 << 20  # bytes


def write_manifest(folder: str | Path, known: Mapping[str, str] | None = None, leave_out: tuple[str, ...] = ()) -> None:
    """Write ``manifest.json`` of a directory that is complete.

    Parameters
    ----------
    folder : path-like
    known : mapping of str to str, optional
        Path within the folder -> SHA-256, of files whose digest was taken while they were written.
    leave_out : tuple of str
        Files and directories at its top that are written anew later, or have a manifest of their own; ``*`` stands for
        anything.
    """
    folder, known = Path(folder), known or {}
    files = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        top = name.partition("/")[0]
        if any(fnmatch(top, pattern) for pattern in (*leave_out, NAME, "*.tmp", ".*")):
            continue
        if file.is_file():
            files[name] = {"size": file.stat().st_size, "sha256": known.get(name) or digest(file)}
    write_json(folder / NAME, {"format_version": 1, "files": files})


def check_manifest(folder: str | Path) -> None:
    """Compare the sizes of all files, and the digests of those below 1 MiB, with the manifest, if there is one.

    Parameters
    ----------
    folder : path-like

    Raises
    ------
    InputError
        Of the first file that is not as it was written.
    """
    folder = Path(folder)
    if not (folder / NAME).is_file():
        return
    for name, entry in _read(folder).items():
        if problem := _compare(folder / name, entry, whole=False):
            raise InputError(f"{problem}; gdynet-verify {folder} checks all files")


def verify_files(folder: str | Path, progress: bool = True) -> tuple[int, list[str]]:
    """Compare every file, whole, with the manifest.

    Parameters
    ----------
    folder : path-like
    progress : bool

    Returns
    -------
    n_files : int
    problems : list of str
        A sentence for each file that is not as it was written.

    Raises
    ------
    InputError
        If there is no manifest, or it cannot be read.
    """
    folder = Path(folder)
    files = _read(folder)
    problems = []
    with Progress(len(files), "file", "verify", shown=progress) as bar:
        for name, entry in files.items():
            if problem := _compare(folder / name, entry, whole=True):
                problems.append(problem)
            bar.update()
    return len(files), problems


def _compare(file: Path, entry: Mapping[str, Any], whole: bool) -> str | None:
    """What is wrong with a file, or None."""
    try:
        size = file.stat().st_size
        if size != entry["size"]:
            return f"{file}: altered since it was written ({size} bytes, it had {entry['size']})"
        if (whole or size < _SMALL) and digest(file) != entry["sha256"]:
            return f"{file}: altered since it was written (digest differs)"
    except OSError as error:
        return f"{file}: cannot be read: {error.strerror}"
    return None


def _read(folder: Path) -> dict[str, Any]:
    file = folder / NAME
    if not file.is_file():
        raise InputError(f"{folder}: has no {NAME}; only what this version has written can be verified")
    try:
        files = json.loads(file.read_text(encoding="utf-8"))["files"]
        for name, entry in files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not (isinstance(entry["size"], int) and entry["sha256"]):
                raise ValueError(name)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: altered, {error!r}") from None
    return files
