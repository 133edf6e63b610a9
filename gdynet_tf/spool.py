"""Arrays that grow with the trajectory, kept in files and read piece by piece.

A memory map would do the same, but its pages count to the resident memory of the process until the map is closed, and
writing through it ends in a bus error when the disk is full. Here everything goes through plain reads and writes.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from gdynet_tf.errors import InputError

__all__ = ["FileArray", "Spool", "pieces"]

_IN_MEMORY = 1 << 26  # bytes that are held in memory
_PIECE = 1 << 24  # bytes that are read at a time
_READERS = 8  # threads


class FileArray:
    """A C-ordered array in a file, indexed like an array along its first axis.

    Parameters
    ----------
    file : binary file
        Opened for reading; closed with the array.
    shape : tuple of int
    dtype : dtype
    offset : int
        Bytes before the first value.
    folder : path-like, optional
        Where it lies, for those who make others of it.
    """

    def __init__(
        self,
        file: IO[bytes],
        shape: tuple[int, ...],
        dtype: np.typing.DTypeLike,
        offset: int = 0,
        folder: str | Path | None = None,
    ) -> None:
        self.shape, self.dtype, self.offset, self.folder = tuple(shape), np.dtype(dtype), offset, folder
        self._file = file
        weakref.finalize(self, file.close)

    @classmethod
    def open(cls, path: str | Path, mode: str = "rb") -> FileArray:
        """The array of an .npy file; for writing, too, with ``mode="r+b"``.

        Raises
        ------
        ValueError
            If it is none, or is shorter or longer than its header says.
        """
        if Path(path).exists() and not Path(path).is_file():  # opening a pipe waits for its other end
            raise ValueError("not a file")
        file = open(path, mode, buffering=0)  # noqa: SIM115, closed with the array
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read(file)
            found = cls(file, shape, dtype, file.tell())
            size = os.fstat(file.fileno()).st_size
            if fortran_order or dtype.hasobject:
                raise ValueError("not a plain C-ordered array")
            if size != found.offset + found.nbytes:
                raise ValueError(f"{size} bytes where its header asks for {found.offset + found.nbytes}")
        except Exception:
            file.close()
            raise
        return found

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        """Size of an entry of the first axis."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"FileArray(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, index: Any) -> np.ndarray:
        first, *rest = index if isinstance(index, tuple) else (index,)
        if first is Ellipsis or first is None:
            return np.asarray(self)[index]
        rows = np.arange(len(self))[first]
        if not rows.ndim:
            return self._read(int(rows), int(rows) + 1)[0][tuple(rest)]
        whole = (slice(None), *rest)
        parts = [self._rows(part)[whole] for part in _split(rows.ravel(), self.row_bytes)]
        found = np.concatenate(parts) if len(parts) != 1 else parts[0]
        return found.reshape(*rows.shape, *found.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an array in a file cannot be had without a copy")
        return self._read(0, len(self)).astype(dtype or self.dtype, copy=False)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Entries in any order, read by several threads: a disk or a network answers many requests at a time.

        Parameters
        ----------
        rows : (...) int array

        Returns
        -------
        (..., *shape[1:]) array
        """
        found = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        entries, flat = found.reshape(rows.size, *self.shape[1:]), rows.ravel()

        def fill(places: np.ndarray) -> None:
            for i in places:
                self._read_into(entries[i : i + 1], int(flat[i]))

        with ThreadPoolExecutor(_READERS) as pool:
            list(pool.map(fill, np.array_split(np.arange(rows.size), _READERS)))
        return found

    def write(self, start: int, values: np.ndarray) -> None:
        """Overwrite entries from ``start`` on."""
        _write(self._file, np.asarray(values, self.dtype), self.offset + start * self.row_bytes)

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        """Entries in any order; neighbouring ones are read at once."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        cuts = np.flatnonzero(np.diff(rows) != 1) + 1
        for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True):
            if b > a:
                found[a:b] = self._read(int(rows[a]), int(rows[a]) + b - a)
        return found

    def _read(self, start: int, stop: int) -> np.ndarray:
        found = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self._read_into(found, start)
        return found

    def _read_into(self, found: np.ndarray, start: int) -> None:
        """Fill a contiguous array with the entries from ``start`` on; the interpreter's lock is free meanwhile."""
        if not found.size:
            return
        view, done = found.data.cast("B"), 0
        while done < len(view):
            count = os.preadv(self._file.fileno(), [view[done:]], self.offset + start * self.row_bytes + done)
            if not count:
                raise OSError("a temporary file or graph file became shorter while it was read")
            done += count


def _write(file: IO[bytes], values: np.ndarray, at: int) -> None:
    if not values.size:
        return
    data, done = np.ascontiguousarray(values).data.cast("B"), 0
    while done < len(data):
        done += os.pwrite(file.fileno(), data[done:], at + done)


def _split(rows: np.ndarray, row_bytes: int) -> Iterator[np.ndarray]:
    step = max(1, _PIECE // max(row_bytes, 1))
    return (rows[a : a + step] for a in range(0, max(len(rows), 1), step))


def pieces(array: np.ndarray | FileArray, rows: range | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Stretches of some megabytes of the first axis.

    Parameters
    ----------
    array : array or FileArray
    rows : range, optional
        Entries to take, default all.

    Yields
    ------
    (int, array)
        The number of the first entry, and the entries.
    """
    rows = range(len(array)) if rows is None else rows
    step = max(1, _PIECE // max(array[:1].nbytes, 1))
    for a in range(0, len(rows), step):
        part = rows[a : a + step]
        yield part.start, array[part.start : part.stop : part.step]


class Spool:
    """An array that is gathered piece by piece: in memory while it is small, then in an unnamed temporary file.

    Parameters
    ----------
    what : str
        For messages: the file that is read.
    folder : path-like, optional
        Where the temporary file lies, default the system's (TMPDIR). It has no name and goes with the array or the
        process.
    """

    def __init__(self, what: str, folder: str | Path | None = None) -> None:
        self._what, self._folder = what, folder
        self._parts: list[np.ndarray] = []
        self._file: IO[bytes] | None = None
        self._n, self._bytes = 0, 0

    def append(self, part: np.ndarray) -> None:
        """Add entries of the first axis; the first part gives shape and dtype of the others.

        Raises
        ------
        InputError
            If the disk is full.
        """
        at, self._n, self._bytes = self._bytes, self._n + len(part), self._bytes + part.nbytes
        try:
            if self._file is not None:
                _write(self._file, part, at)
                return
            self._parts.append(part)
            if self._bytes > _IN_MEMORY:
                self._file, at = tempfile.TemporaryFile(dir=self._folder, buffering=0), 0  # noqa: SIM115
                weakref.finalize(self, self._file.close)
                for held in self._parts:
                    _write(self._file, held, at)
                    at += held.nbytes
                self._parts = [part[:0].copy()]  # shape and dtype
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            raise InputError(
                f"{self._what}: its positions do not fit into {where} ({error.strerror}); `scratch` names another "
                "folder for the temporary file"
            ) from None

    def __len__(self) -> int:
        return self._n

    def array(self) -> np.ndarray | FileArray:
        """What was gathered; nothing can be added afterwards.

        Returns
        -------
        array or FileArray
            The latter when it lies in the file.
        """
        parts, self._parts = self._parts, []
        if self._file is None:
            return np.concatenate(parts) if len(parts) > 1 else parts[0]
        file = os.fdopen(os.dup(self._file.fileno()), "r+b", buffering=0)
        return FileArray(file, (self._n, *parts[0].shape[1:]), parts[0].dtype, folder=self._folder)
