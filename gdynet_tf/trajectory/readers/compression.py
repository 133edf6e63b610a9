"""Files compressed by gzip, bzip2, xz or zstd, told by their first bytes and read as a stream."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from gdynet_tf.errors import InputError, TruncatedFile

__all__ = ["CONTROL", "HEAD", "SUFFIXES", "compression", "first_bytes", "open_binary", "plain_file", "stem"]

_MAGIC = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00", "zstd": b"\x28\xb5\x2f\xfd"}
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
"""What compressed files are called; what they are is told by their first bytes."""

HEAD = 2**14
"""Bytes by which a format is recognised."""

CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
"""Bytes that are in no text."""

_MARK = codecs.BOM_UTF8  # with which editors of Windows begin a text
_PIECE = 2**24  # bytes
_ROOM = 2**30  # bytes that are left on the disk
_STEP = 1024  # bytes of zstd decompressed at once: 32 MB where they hold nothing but one repeated byte


def compression(path: str | Path) -> str | None:
    """Name of the compression of a file, None when it has none.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    {"gzip", "bzip2", "xz", "zstd"} or None
    """
    with open(path, "rb") as file:
        head = file.read(6)
    return next((name for name, magic in _MAGIC.items() if head.startswith(magic)), None)


@contextmanager
def open_binary(path: str | Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading bytes, decompressed on the way where it is compressed, behind a mark of UTF-8.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file is empty or its compressed data are damaged, or zstandard is needed and missing.
    TruncatedFile
        If its compressed data end early.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: is not a regular file")
    if not Path(path).stat().st_size:
        raise InputError(f"{path}: is empty")
    kind = compression(path)
    with open(path, "rb") as raw:
        if kind is None:
            yield _behind_mark(raw)
            return
        try:
            with io.BufferedReader(_decompressed(kind, raw, path)) as file:
                yield _behind_mark(file)
        except EOFError:
            raise TruncatedFile(f"{path}: ends within its {kind} data; the file is truncated") from None
        except (OSError, zlib.error, lzma.LZMAError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the data
                raise
            raise InputError(f"{path}: damaged {kind} data: {error}") from None


def _decompressed(kind: str, raw: BinaryIO, path: str | Path) -> io.RawIOBase:
    if kind == "zstd":
        return _Zstd(raw, path)
    opened: Any = gzip.open if kind == "gzip" else bz2.open if kind == "bzip2" else lzma.open
    return _Pieces(opened(raw, "rb"))


def _behind_mark(file: Any) -> Any:
    if file.peek(len(_MARK)).startswith(_MARK):
        file.read(len(_MARK))
    return file


def first_bytes(path: str | Path, size: int = HEAD) -> bytes:
    """What a file begins with, decompressed; what there is of it where the file is cut.

    Parameters
    ----------
    path : path-like
    size : int
        Bytes.
    """
    head = b""
    with suppress(TruncatedFile), open_binary(path) as file:
        while len(head) < size and (piece := file.read1(size - len(head))):
            head += piece
    return head


def _is_latin(head: bytes) -> bool:
    """Whether a text begins like this that is not UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return CONTROL.search(head) is None
    return False


@contextmanager
def plain_file(path: str | Path) -> Iterator[Path]:
    """The file itself, or a temporary copy of what is compressed in it or no UTF-8, for libraries that need a file.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If there is no room for the copy.
    TruncatedFile
        At the end, where the copy is of a file that is cut.
    """
    with open(path, "rb") as file:
        marked = file.read(len(_MARK)) == _MARK
    old = _is_latin(first_bytes(path))
    if compression(path) is None and not marked and not old:
        yield Path(path)
        return
    with TemporaryDirectory(prefix="gdynet") as folder:
        copy, cut = Path(folder) / stem(path), None
        try:
            with open(copy, "wb") as file, open_binary(path) as packed:
                while piece := packed.read1(_PIECE):  # read would lose what comes before a cut
                    if shutil.disk_usage(folder).free < _ROOM:
                        raise InputError(
                            f"{path}: does not fit decompressed into {folder}; set TMPDIR to a larger disk"
                        )
                    file.write(piece.decode("latin-1").encode() if old else piece)
        except TruncatedFile as error:
            if not copy.stat().st_size:
                raise
            cut = error
        yield copy
        if cut is not None:
            raise cut


class _Pieces(io.RawIOBase):
    """A file of gzip, bz2 or lzma that gives all that comes before a cut, of which its ``readinto`` loses the last."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._file.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


class _Zstd(io.RawIOBase):
    """Frames of zstd one after another; zstandard's own stream ends silently where a file is cut."""

    def __init__(self, raw: BinaryIO, path: str | Path) -> None:
        try:
            import zstandard
        except ImportError:
            raise InputError(f"{path}: is compressed by zstd, which needs zstandard: pip install zstandard") from None
        self._raw, self._error = raw, zstandard.ZstdError
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame, self._ready, self._within = self._new(), memoryview(b""), False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = (self._frame.unused_data if self._frame.eof else b"") or self._raw.read(_STEP)
            if self._frame.eof:
                self._frame, self._within = self._new(), False
            if not packed:
                if self._within:
                    raise EOFError
                return 0
            try:
                self._ready, self._within = memoryview(self._frame.decompress(packed)), True
            except self._error as error:
                raise zlib.error(error) from None
        n = min(len(buffer), len(self._ready))
        buffer[:n], self._ready = self._ready[:n], self._ready[n:]
        return n


def stem(path: str | Path) -> str:
    """File name without folder and format suffixes: "run1" for "a/run1.XDATCAR.gz"."""
    return Path(path).name.split(".")[0] or Path(path).name
