"""Text files of frames: lines, tables of numbers, batches of frames, with errors that name the file and the place."""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np

from gdynet_tf.errors import InputError, TruncatedFile
from gdynet_tf.trajectory.readers.compression import CONTROL, compression, open_binary

__all__ = ["Lines", "Table", "batches", "floats", "integer", "open_lines"]

_LONGEST_LINE = 2**20  # bytes
_LARGEST_FRAME = 2**30
_PIECE = 10_000  # lines
_BATCH = 2**20  # bytes of text parsed at once
_MOST_HEADERS = 4096  # of small frames
_Header = TypeVar("_Header")


class Lines:
    """Lines of a text file, one after another.

    Attributes
    ----------
    path : str
    number : int
        Of the line that was read last, counted from 1.
    """

    def __init__(self, path: str | Path, file: BinaryIO) -> None:
        self.path, self.number, self._file = str(path), 0, file
        self._size = None if compression(path) else Path(path).stat().st_size

    def read(self) -> str:
        """The next line without its end; "" at the end of the file, too."""
        return self._text(self._line())

    def need(self, what: str) -> str:
        """The next line.

        Parameters
        ----------
        what : str
            For the message: what the file ends before.

        Raises
        ------
        TruncatedFile
            If there is none.
        """
        line = self._line()
        if not line.endswith(b"\n"):
            raise TruncatedFile(f"{self.path}: ends before {what}; the file is truncated")
        return self._text(line)

    def skip_blank(self) -> str | None:
        """The next line that is not blank, None at the end of the file.

        Raises
        ------
        TruncatedFile
            If the file ends within it.
        """
        while line := self._line():
            if text := self._text(line).strip():
                if not line.endswith(b"\n"):
                    raise TruncatedFile(f"{self.path}: ends within line {self.number}; the file is truncated")
                return text
        return None

    def check_count(self, n: int, what: str) -> None:
        """TruncatedFile where the rest of the file cannot hold n rows, before anything is made of that size."""
        left = _LARGEST_FRAME if self._size is None else self._size - self._file.tell()
        if n > _PIECE and 2 * n > left:  # a digit and the end of the line
            raise TruncatedFile(f"{self.path}: {what} has {n} atoms, {left} bytes follow; the file is truncated")

    def rows(self, n: int, what: str) -> bytes:
        """The next n lines as they are.

        Parameters
        ----------
        n : int
        what : str
            For the message: the frame.

        Raises
        ------
        TruncatedFile
            If there are fewer, or the last one has no end: its last number may be cut.
        InputError
            If they are longer than any frame should be.
        """
        self.check_count(n, what)
        rows: list[bytes] = []  # joined piece by piece: a line of its own takes 40 bytes more than it has
        size = found = 0
        lines = iter(partial(self._file.readline, _LONGEST_LINE), b"")
        while found < n:
            piece = list(islice(lines, min(n - found, _PIECE)))
            rows.append(b"".join(piece))
            size += len(rows[-1])
            found += len(piece)
            if not piece or not piece[-1].endswith(b"\n"):
                whole = found - bool(piece)
                raise TruncatedFile(f"{self.path}: {what} has {whole} of {n} atoms; the file is truncated")
            if size > _LARGEST_FRAME:
                raise InputError(f"{self.path}: {what} is longer than {_LARGEST_FRAME} bytes")
        self.number += n
        return b"".join(rows)

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE)
        self.number += 1
        if len(line) == _LONGEST_LINE:
            raise InputError(f"{self.path}: line {self.number} is longer than {_LONGEST_LINE} bytes")
        return line

    def _text(self, line: bytes) -> str:
        if CONTROL.search(line):
            raise InputError(f"{self.path}: not a text file: line {self.number} holds control characters")
        try:
            return line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:  # an old comment, in which only letters beyond ASCII may be taken for others
            return line.decode("latin-1").rstrip("\r\n")


@contextmanager
def open_lines(path: str | Path) -> Iterator[Lines]:
    """Open a text file, compressed or not.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file is empty, not text, or damaged.
    """
    with open_binary(path) as file:
        yield Lines(path, file)


def batches(frames: Iterator[tuple[_Header, bytes]], size: int = _BATCH) -> Iterator[tuple[list[_Header], bytes]]:
    """Headers and joined rows of consecutive frames, some megabytes at once.

    Parameters
    ----------
    frames : iterator of (header, bytes)
        Each with the rows of one frame.
    size : int
        Bytes from which on a batch is handed over.

    Raises
    ------
    TruncatedFile
        That of ``frames``, after the whole frames.
    """
    headers: list[_Header] = []
    blocks: list[bytes] = []
    cut, held = None, 0
    try:
        for header, rows in frames:
            headers.append(header)
            blocks.append(rows)
            held += len(rows)
            if held >= size or len(headers) >= _MOST_HEADERS:
                yield headers, b"".join(blocks)
                headers, blocks, held = [], [], 0
    except TruncatedFile as error:
        cut = error
    if headers:
        yield headers, b"".join(blocks)
    if cut is not None:
        raise cut


class Table:
    """Parser of rows with the same columns, separated by blanks.

    Parameters
    ----------
    path : path-like
    columns : sequence of str
    first_row : bytes
        Columns that hold no number here are text.
    numbers : collection of str
        Columns that are none in any case.
    """

    def __init__(
        self, path: str | Path, columns: Sequence[str], first_row: bytes, numbers: Collection[str] = ()
    ) -> None:
        self._path, self._columns = path, tuple(columns)
        words = first_row.decode("utf-8", "replace").split()
        self._text = [
            i < len(words) and name not in numbers and not _is_number(words[i]) for i, name in enumerate(columns)
        ]

    def __call__(self, block: bytes, n_rows: int, where: Callable[[int], str]) -> dict[str, np.ndarray]:
        """Columns of a block of rows.

        Parameters
        ----------
        block : bytes
        n_rows : int
        where : callable
            Row number -> the place, for messages.

        Returns
        -------
        dict of str to (n_rows,) array
            float64, or str for columns of text.

        Raises
        ------
        InputError
            If a row has too few or too many columns, or no number where the first row has one.
        """
        import pandas as pd  # slow to import

        n = len(self._columns)
        if len(block[: block.find(b"\n")].split()) != n:  # of which pandas makes the number of columns
            return self._carefully(block, where)
        try:
            frame = pd.read_csv(
                io.BytesIO(block),
                sep=r"\s+",
                header=None,
                names=list(range(n)),
                dtype={i: "category" if text else "float64" for i, text in enumerate(self._text)},
                index_col=False,
                quoting=csv.QUOTE_NONE,
                na_filter=False,
                low_memory=False,
            )
        except ValueError:
            return self._carefully(block, where)
        if len(frame) != n_rows or (self._text[-1] and "" in frame[n - 1].cat.categories):
            return self._carefully(block, where)
        return {
            name: np.asarray(frame[i].cat.categories, dtype=str)[frame[i].cat.codes]
            if self._text[i]
            else frame[i].to_numpy()
            for i, name in enumerate(self._columns)
        }

    def _carefully(self, block: bytes, where: Callable[[int], str]) -> dict[str, np.ndarray]:
        """Row by row, which names the one that is wrong, and takes what pandas does not: nan."""
        table = []
        for number, row in enumerate(block.decode("utf-8", "replace").splitlines()):
            words = row.split()
            if len(words) != len(self._columns):
                raise InputError(
                    f"{self._path}: {where(number)}: {row.strip()!r} does not have the columns "
                    f"{' '.join(self._columns)}"
                )
            numbers = iter(
                floats(self._path, where(number), [w for w, t in zip(words, self._text, strict=True) if not t])
            )
            table.append([word if text else next(numbers) for word, text in zip(words, self._text, strict=True)])
        return {name: np.array(column) for name, column in zip(self._columns, zip(*table, strict=True), strict=True)}


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
        return np.array([float(word) for word in words])
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise InputError(f"{path}: {where}: {wrong!r} is not a number") from None


def integer(path: str | Path, what: str, word: str, least: int | None = None) -> int:
    """A whole number, at least ``least``, or InputError."""
    try:
        value = int(word)
    except ValueError:
        raise InputError(f"{path}: {what} {word.strip()!r} is not an integer") from None
    if abs(value) >= 1 << 62:
        raise InputError(f"{path}: {what} {value} is larger than any that a program writes")
    if least is not None and value < least:
        raise InputError(f"{path}: {what} {value} is less than {least}")
    return value


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
