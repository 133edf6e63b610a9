"""Files that are whole or not there, and how a changed one is recognised."""

import contextlib
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from gdynet_tf.errors import InputError

__all__ = [
    "SourceFile",
    "check_text",
    "digest",
    "discard",
    "is_single_component",
    "output_path",
    "read_json",
    "whole_folder",
    "write_json",
]

_BLOCK = 1 << 22  # bytes


def digest(path: str | Path) -> str:
    """SHA-256 of a file, all of it.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        As ``sha256sum`` prints it.
    """
    result = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            result.update(block)
    return result.hexdigest()


class SourceFile:
    """A file that is read, whose digest a thread computes meanwhile: the bytes come from the disk once.

    Parameters
    ----------
    path : path-like

    Attributes
    ----------
    path : str

    Raises
    ------
    InputError
        If its name is not UTF-8.
    """

    def __init__(self, path: str | Path) -> None:
        check_text(path)
        self.path = str(path)
        self._opened = self._state()
        self._digest: Future[str] = Future()
        # A daemon: whoever reads only the first frames, or is interrupted, does not wait for it.
        threading.Thread(target=self._compute, daemon=True).start()

    def __repr__(self) -> str:
        return f"SourceFile({self.path!r})"

    def _state(self) -> tuple[int, ...]:
        status = os.stat(self.path)  # of which the time of the last change cannot be set back
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _compute(self) -> None:
        try:
            self._digest.set_result(digest(self.path))
        except OSError as error:
            self._digest.set_exception(error)

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, as ``sha256sum`` prints it.

        Raises
        ------
        InputError
            If the file cannot be read any more, or has been altered since it was opened.
        """
        try:
            result, altered = self._digest.result(), self._state() != self._opened
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None
        if altered:
            raise InputError(f"{self.path}: changed while it was read; if its simulation still runs, copy it first")
        return result


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file that is whole or not there.

    Parameters
    ----------
    path : Path
    content : dict
    """
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    os.replace(temporary, path)


def check_text(path: str | Path) -> None:
    """Whether a name can be written down.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If it holds bytes that are not UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"{path}: a name that is not UTF-8 cannot be kept; give it another") from None


def output_path(path: str | Path) -> Path:
    """Where an output is to be written: what a symbolic link points to is replaced, not the link.

    Parameters
    ----------
    path : path-like
        Need not exist.

    Returns
    -------
    Path
        As it was given, unless its last component is a link or ``..``.

    Raises
    ------
    InputError
        If links point to each other, or the path is no text, which JSON files could not hold.
    """
    path = Path(path)
    check_text(path.absolute())
    if not (path.is_symlink() or path.name == ".."):
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise InputError(f"{path}: is a loop of symbolic links")
    return real


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder that takes the place of an old one when it is complete; otherwise the old one stays as it was.

    The new one is written beside it, under a hidden name, and they are exchanged by renaming: nothing of the old one is
    left in the new one. What a killed process left is put right by the next call.

    Parameters
    ----------
    path : Path
        Whose parent exists, and is locked.

    Yields
    ------
    Path
        Empty folder to write into.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():  # killed between the two renamings
        os.replace(old, path)
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        if path.exists():
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():  # interrupted between the two renamings
            os.replace(old, path)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def discard(path: Path) -> None:
    """Remove a directory. Its name is free at once: what a kill leaves of it is not taken for it.

    Parameters
    ----------
    path : Path
        Which is locked; what an earlier call left is removed too.
    """
    aside = path.with_name(f".{path.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    os.replace(path, aside)
    shutil.rmtree(aside)


def is_single_component(name: str) -> bool:
    """Whether a name stays within the folder that it is used in: no path, on whatever system.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool
    """
    return name not in ("", ".", "..") and not set(name) & set("/\\\0\n") and len(os.fsencode(name)) < 200


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    object

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps(content, ensure_ascii=False).encode()  # an error for halves of characters
        if b"\\u0000" in text:
            raise ValueError("a text holds the character 0")
        return content
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
