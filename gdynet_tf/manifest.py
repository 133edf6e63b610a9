"""The list of all files of a directory, with sizes and digests, by which a damaged one is told from what was written.

``manifest.json`` is written last. Opening a directory compares the sizes of all files and the digests of the small
ones, which takes no time; ``gdynet-verify`` reads everything. The digests are those that ``sha256sum`` prints.
"""

import logging
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest, read_json, write_json
from gdynet_tf.progress import Progress

__all__ = ["NAME", "check_manifest", "check_outside", "check_own", "verify_files", "write_manifest"]

logger = logging.getLogger(__name__)

NAME = "manifest.json"
_SMALL = 1 << 20  # bytes
_PASSING = (".*.lock", ".*.new", ".*.old")  # what is there while something is written
_DATA = (".npy", ".json", ".csv", ".h5", ".keras")


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
        passing = _PASSING if top != name else (*_PASSING, "*.tmp")
        if any(fnmatch(top, pattern) for pattern in (*leave_out, NAME, *passing)):
            continue
        if file.is_file():
            files[name] = {"size": file.stat().st_size, "sha256": known.get(name) or digest(file)}
    write_json(folder / NAME, {"format_version": 1, "apart": list(leave_out), "files": files})


def check_outside(output: Path) -> None:
    """Whether an output would lie within another one, which is replaced and deleted as a whole.

    Parameters
    ----------
    output : Path

    Raises
    ------
    InputError
    """
    for folder in output.absolute().parents:
        if (folder / NAME).is_file() and any((folder / name).is_file() for name in ("meta.json", "config.json")):
            raise InputError(f"{output}: lies within {folder}, which is replaced as a whole; name another place")


def check_own(folder: Path) -> None:
    """Whether a directory that is to be replaced as a whole holds nothing but what was written with it.

    Parameters
    ----------
    folder : Path
        What has no manifest, or a damaged one, is not looked at.

    Raises
    ------
    InputError
        Of a file that somebody else has put there.
    """
    for file in _foreign(folder):
        raise InputError(
            f"{file}: was not written with {folder}, which is replaced as a whole; move it to another place"
        )


def check_manifest(folder: str | Path, expected: bool = False) -> None:
    """Compare the sizes of all files, and the digests of those below 1 MiB, with the manifest, if there is one.

    Parameters
    ----------
    folder : path-like
    expected : bool
        Whether to warn where there is none.

    Raises
    ------
    InputError
        Of the first file that is not as it was written.
    """
    folder = Path(folder)
    if not (folder / NAME).is_file():
        if expected:
            logger.warning(f"{folder}: {NAME} is gone; whether the files are as they were written is not known")
        return
    for name, entry in _read(folder)["files"].items():
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
    content = _read(folder)
    files = content["files"]
    unlisted = [name for name in _unlisted(folder, content) if name.suffix in _DATA]
    problems = [f"{folder / name}: is not in {NAME}" for name in unlisted]
    with Progress(len(files), "file", "verify", shown=progress) as bar:
        for name, entry in files.items():
            if problem := _compare(folder / name, entry, whole=True):
                problems.append(problem)
            bar.update()
    return len(files), problems


def _foreign(folder: Path) -> Iterator[Path]:
    """Files that a directory should not hold, nor those within it that have manifests of their own."""
    try:
        content = _read(folder)
    except InputError:
        return
    if "apart" not in content:  # of a version that did not write what it leaves out
        return
    for name in _unlisted(folder, content):
        yield folder / name
    for part in sorted(folder.iterdir()):
        if _is_apart(part.name, content) and part.is_dir() and part.name != "tensorboard":
            if (part / NAME).is_file():
                yield from _foreign(part)
            else:
                yield from (file for file in sorted(part.rglob("*")) if file.is_file())


def _is_apart(name: str, content: Mapping[str, Any]) -> bool:
    return any(fnmatch(name, pattern) for pattern in content["apart"])


def _unlisted(folder: Path, content: Mapping[str, Any]) -> list[Path]:
    """Files that the manifest should know: not those that it leaves out, nor hidden ones."""
    if "apart" not in content:  # of a version that did not write what it leaves out
        return []
    # What is interrupted leaves a temporary file beside the one that it would have been.
    temporary = {f"{Path(name).stem}.tmp" for name in (*content["files"], *content["apart"], NAME)}
    names = []
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)  # of the system, of Jupyter, of ours
        known = str(name) in temporary or name.as_posix() in content["files"] or str(name) == NAME
        if file.is_file() and not (_is_apart(name.parts[0], content) or hidden or known):
            names.append(name)
    return names


def _compare(file: Path, entry: Mapping[str, Any], whole: bool) -> str | None:
    """What is wrong with a file, or None."""
    try:
        size = file.stat().st_size
        if not file.is_file():
            return f"{file}: is not a file any more"
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
    content = read_json(file)
    try:
        if content["format_version"] != 1:
            raise ValueError(f"format version {content['format_version']}")
        if not all(isinstance(pattern, str) for pattern in content.get("apart", [])):
            raise TypeError("apart")
        for name, entry in content["files"].items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not (isinstance(entry["size"], int) and entry["sha256"]):
                raise ValueError(name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: altered, {error!r}") from None
    return content
