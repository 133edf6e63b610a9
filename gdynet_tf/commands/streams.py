"""Where messages go: stdout, stderr and the file of ``--log``, whatever state these are in.

Messages and results are what a command says on stdout, so that one that cannot be written ends it. stderr is for
people alone: where it is closed or full, the work goes on without it.
"""

import io
import logging
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from gdynet_tf.errors import InputError, printable

__all__ = ["Console", "LogFile", "check_log", "discard", "named", "open_streams"]

# Two of which make a folder one of graphs, a run or a selection, finished or not.
_SIGNS = ("meta.json", "atomic_numbers.npy", "config.json", "scores.json", "manifest.json", "checkpoints", "trainings")
_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")


class Console(logging.Handler):
    """Lines above the bars of tqdm: warnings and errors on stderr, the rest on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; OSError if stdout does not take it."""
        message = printable(record.getMessage())
        if record.levelno < logging.WARNING:
            with named("stdout"):
                _write(message, sys.stdout)
        else:
            try:
                _write(f"{record.levelname.lower()}: {message}", sys.stderr)
            except OSError:
                discard(sys.stderr)


@contextmanager
def named(place: str) -> Iterator[None]:
    """A context whose OSError says what could not be written.

    Parameters
    ----------
    place : str
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, place) from None  # a BrokenPipeError stays one


def _write(line: str, stream: TextIO) -> None:
    tqdm.write(line, file=stream)
    stream.flush()


class _Lines(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = printable(record.message)
        return super().formatMessage(record)


class LogFile(logging.FileHandler):
    """All messages, with the time, at the end of a file.

    Parameters
    ----------
    path : str
        Checked by `check_log`.

    Raises
    ------
    InputError
        If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        try:
            super().__init__(path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InputError(f"`log={path}`: cannot be written: {error.strerror}") from None
        self.setFormatter(_Lines("%(asctime)s %(levelname)-7s %(message)s"))
        self._path = path

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is told once, in one line, not in a traceback for each message."""
        logging.getLogger("gdynet_tf").removeHandler(self)
        with suppress(OSError):  # for what is not written yet
            self.close()
        with named(self._path):
            raise


def check_log(log: str) -> None:
    """Whether messages may be added to a file: to nothing but a log, and to no folder whose files belong together.

    Parameters
    ----------
    log : str

    Raises
    ------
    InputError
        Also of what would wait for a reader.
    """
    path = Path(log)
    try:
        there = path.exists()
        mode = path.stat().st_mode if there else stat.S_IFREG
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode) or stat.S_ISDIR(mode)):
            raise InputError(f"`log={log}`: is not a regular file")
        if there and stat.S_ISREG(mode) and not _is_log(path):
            raise InputError(f"`log={log}`: is no log of a command, and nothing is added to it; name another file")
    except OSError as error:
        raise InputError(f"`log={log}`: cannot be written: {error.strerror}") from None
    for folder in Path(os.path.realpath(path)).parents:
        if folder.suffix == ".partial" or sum((folder / sign).exists() for sign in _SIGNS) > 1:
            raise InputError(f"`log={log}`: lies within {folder}, whose files belong together; name another place")


def _is_log(path: Path) -> bool:
    """Whether a file is empty, or begins with the time of a message."""
    with open(path, "rb") as file:
        start = file.read(32)
    return not start or _TIME.match(start) is not None


def open_streams(own: bool) -> None:
    """Give a process whose stdout or stderr is closed others, that lead nowhere.

    Parameters
    ----------
    own : bool
        Whether the process belongs to the command. Its closed descriptors are filled then, too: the next file that is
        opened would get one of them, and what a library says to stdout or stderr would be written into it.
    """
    if own:
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, for as long as the process
        elif isinstance(stream, io.TextIOWrapper):  # names of files hold characters that not every terminal has
            with suppress(OSError):  # of what was to be written before
                stream.reconfigure(errors="backslashreplace")


def discard(stream: TextIO) -> None:
    """Let what cannot be written to a stream go nowhere, so that Python does not complain of it at the end.

    Parameters
    ----------
    stream : file
        ``sys.stdout`` or ``sys.stderr``.
    """
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
