"""What the readers of other libraries have in common: their errors as those of the file."""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from gdynet_tf.errors import InputError, TruncatedFile

__all__ = ["guarded", "needed", "said"]

_T = TypeVar("_T")


def needed(package: str, path: str | Path) -> None:
    """InputError where an optional package is missing that a file needs."""
    if find_spec(package) is None:
        raise InputError(f"{path}: needs {package}: pip install 'gdynet_tf[io]'")


def said(error: Exception) -> str:
    """An exception in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def guarded(frames: Iterator[_T], path: str | Path, library: str) -> Iterator[_T]:
    """Frames of a library's reader, without its warnings.

    Parameters
    ----------
    frames : iterator
    path : path-like
    library : str
        For the messages.

    Raises
    ------
    InputError
        In place of whatever it raises before the first frame, or when there is none.
    TruncatedFile
        In place of whatever it raises later.
    """
    n = 0
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = next(frames, None)
        except InputError:
            raise
        except Exception as error:  # libraries raise many kinds for a malformed file, and ask for any memory
            if n:
                raise TruncatedFile(
                    f"{path}: cannot be read beyond its first {n} frames, where it is truncated or damaged "
                    f"({said(error)})"
                ) from None
            raise InputError(f"{path}: cannot be read by {library}: {said(error)}") from None
        if frame is None:
            break
        n += 1
        yield frame
    if not n:
        raise InputError(f"{path}: holds no frame")
