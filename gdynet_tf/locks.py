"""One writer for each output: a second process that would write the same directory is told who does.

The lock of ``runs/NAME`` is the file ``runs/.NAME.lock``, which says who holds it. The system's own lock on that file
goes with its process, so that what a killed one has left is simply taken over; where the file system has no such locks,
or was used from another machine, what the file says decides.
"""

import errno
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gdynet_tf.errors import InputError

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None  # type: ignore[assignment]

__all__ = ["locked"]

_held: set[tuple[Path, int]] = set()  # by which thread of this process


@contextmanager
def locked(output: str | Path) -> Iterator[None]:
    """Be the only one who writes an output, for as long as the context lasts.

    Within a thread it can be entered again for the same output: a command locks what it replaces and then fills.

    Parameters
    ----------
    output : path-like
        Directory (or file) that is to be written; need not exist.

    Raises
    ------
    InputError
        If another process, or another thread of this one, writes it, or nothing can be written there.
    """
    place = Path(output).resolve()  # one lock, by whatever name
    if not place.name:
        raise InputError(f"{output}: is not the name of a directory that can be made")
    key = (place, threading.get_ident())
    if key in _held:
        yield
        return
    file = place.with_name(f".{place.name}.lock")
    made = not file.parent.exists()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(file, output)
    except FileExistsError as error:
        raise InputError(f"{output}: cannot be written: {error.filename} is a file") from None
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}") from None
    _held.add(key)
    try:
        yield
    finally:
        _held.discard(key)
        file.unlink(missing_ok=True)  # before the lock goes: nobody can lock a file that is about to vanish
        os.close(descriptor)
        if made:
            with suppress(OSError):  # unless something is in it
                file.parent.rmdir()


def _acquire(file: Path, output: str | Path) -> int:
    """Open, lock and sign the file; returns its descriptor."""
    while True:
        # Links would have the lock written into what they point to, and a pipe would wait for its other end.
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | flags, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise _no_lock(output, file) from None
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise _no_lock(output, file)
            free = _lock(descriptor)
            if not _is_same(descriptor, file):  # its holder has just removed it
                os.close(descriptor)
                continue
            owner = _read(descriptor)
            if free is False or (owner and _may_live(owner, trusted=bool(free))):
                raise InputError(f"{output}: is being written by {_who(owner)}{_hint(owner, file)}")
            content = json.dumps(_this_process()).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
            return descriptor
        except BaseException:
            os.close(descriptor)
            raise


def _no_lock(output: str | Path, file: Path) -> InputError:
    return InputError(f"{output}: cannot be locked: {file} is a link or no file; remove it")


def _lock(descriptor: int) -> bool | None:
    """Take the system's lock: True, another has it: False, there are no such locks here: None."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return None
    return True


def _is_same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


def _read(descriptor: int) -> dict[str, Any]:
    """What the holder has written; empty when it has not yet, or was stopped while it did."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
        texts = [owner["host"], owner["since"]]
        told = owner.keys() == {"pid", "host", "started", "since"} and isinstance(owner["pid"], int)
        return owner if told and all(isinstance(text, str) and text.isprintable() for text in texts) else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": pid, "host": socket.gethostname(), "started": _start_time(pid), "since": since}


def _start_time(pid: int) -> str | None:
    """When a process was started, so that another that was given its number is told apart; None when unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return f"{boot} {fields[19]}"  # clock ticks since the machine was started
    except (OSError, IndexError):
        return None


def _may_live(owner: dict[str, Any], trusted: bool) -> bool:
    """Whether the process that signed may still run, when the system's lock, if it has one, is ours."""
    if owner["host"] != socket.gethostname():
        return True  # some file systems lock on each machine for itself
    if trusted:
        return False  # else the system's lock would be its
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return owner["started"] == _start_time(owner["pid"])


def _who(owner: dict[str, Any]) -> str:
    if not owner:
        return "another process"
    return f"process {owner['pid']} on {owner['host']} since {owner['since']}"


def _hint(owner: dict[str, Any], file: Path) -> str:
    if owner and owner["host"] != socket.gethostname():
        return f"; if that was stopped, delete {file}"
    return "; wait for it, or name another output"
