"""What the readers of other libraries have in common: their errors as those of the file, their crashes too."""

import subprocess
import sys
import warnings
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, TypeVar, cast

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile

__all__ = ["guarded", "needed", "records", "said"]

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
            text = said(error)
            _let_go(error)
            if n:
                raise TruncatedFile(
                    f"{path}: cannot be read beyond its first {n} frames, where it is truncated or damaged ({text})"
                ) from None
            raise InputError(f"{path}: cannot be read by {library}: {text}") from None
        if frame is None:
            break
        n += 1
        yield frame
    if not n:
        raise InputError(f"{path}: holds no frame")


def _let_go(error: BaseException | None) -> None:
    """Free what a library had begun to make: its destructors fail too, and would say so with a traceback."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        while error is not None:
            error.__traceback__ = None
            error = error.__cause__ or error.__context__
    finally:
        sys.unraisablehook = hook


def records(program: str, file: Path, dtype: np.dtype, path: str | Path) -> Generator[np.void]:
    """What a library reads in a process of its own, where it may crash on damaged data.

    Parameters
    ----------
    program : str
        Python that writes records to its standard output; ``sys.argv[1]`` is the file.
    file : Path
    dtype : numpy.dtype
        Of one record.
    path : path-like
        For the messages.

    Raises
    ------
    InputError
        At the end, if it crashed: any of the records may be wrong.
    TruncatedFile
        At the end, if it ended with another error.
    """
    # Not from the folder that the user is in, where a module may be called like one that is needed.
    program = "import sys\nsys.path = [folder for folder in sys.path if folder]\n" + program
    command = [sys.executable, "-W", "ignore", "-c", program, str(file.resolve())]
    with (
        TemporaryFile() as complaint,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaint) as process,
    ):
        stdout = cast(BinaryIO, process.stdout)
        try:
            while len(record := stdout.read(dtype.itemsize)) == dtype.itemsize:
                yield np.frombuffer(record, dtype)[0]
            code = process.wait()
        finally:
            process.kill()
        complaint.seek(0)
        told = complaint.read().decode("utf-8", "replace").split("\n")[-2:-1]
    if code == 1:
        raise TruncatedFile(f"{path}: cannot be read to its end, where it is truncated or damaged ({''.join(told)})")
    if code:
        raise InputError(f"{path}: is damaged: the library that reads it crashes")
