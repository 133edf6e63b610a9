"""Text files, gzipped or not, with errors that name the file."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["floats", "open_text", "stem"]


@contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a text file for reading; a name ending in ``.gz`` is decompressed.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file is empty, not text, or a damaged gzip file.
    """
    path = Path(path)
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty")
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file: {error.reason} at byte {error.start}") from None


def floats(path: str | Path, where: str, words: Sequence[str], n: int | None = None) -> np.ndarray:
    """Numbers of a list of words.

    Parameters
    ----------
    path, where : str
        For the message: the file and the place in it.
    words : list of str
    n : int, optional
        How many there must be.

    Returns
    -------
    (n,) float64
    """
    if n is not None and len(words) != n:
        raise InputError(f"{path}: {where}: {len(words)} values where {n} are needed")
    try:
        return np.array(words, np.float64)
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise InputError(f"{path}: {where}: {wrong!r} is not a number") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def stem(path: str | Path) -> str:
    """File name without folder and format suffixes: "run1" for "a/run1.XDATCAR.gz"."""
    return Path(path).name.split(".")[0] or Path(path).name
