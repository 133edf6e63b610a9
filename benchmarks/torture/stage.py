"""Commands run in processes of their own, which may be killed or starved, and what they leave."""

import atexit
import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py

PATIENCE = 10.0  # seconds after which a process that outlives its command is an orphan
LIMIT = 120.0  # seconds of the whole command: more is a hang
_TIMES = {"created", "seconds", "date_saved"}  # what differs from one run to the next


@dataclass
class Ended:
    """How a command ended."""

    code: int  # of exit; minus the signal when it was killed
    err: str
    seconds: float
    faults: list[str] = field(default_factory=list)


class Process:
    """A command in a fork of this process, which has imported everything already, and leads a session of its own."""

    def __init__(
        self, main: Callable[[Sequence[str]], int], words: str, folder: Path, prepare: Callable[[], Any] | None = None
    ) -> None:
        self.folder, self.begun = folder, time.monotonic()
        self._err = os.pipe()  # a limit on files is none on pipes
        self._ready = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            self._run(main, words.split(), prepare)
        os.close(self._err[1])
        os.close(self._ready[1])
        os.read(self._ready[0], 1)
        os.close(self._ready[0])

    def _run(self, main: Callable, words: list[str], prepare: Callable[[], Any] | None) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(self._err[1], 2)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.close(self._ready[0])
            os.write(self._ready[1], b"r")
            os.close(self._ready[1])
            if prepare is not None:
                prepare()
            code = main(words)
            threading._shutdown()
            atexit._run_exitfuncs()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def members(self) -> list[int]:
        """Other processes of the session that still run."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, _, rest = stat.read_text().partition(" (")
            except OSError:
                continue
            state, _, _, session = rest.rpartition(") ")[2].split()[:4]
            if int(session) == self.pid and int(pid) != self.pid and state not in "ZX":
                found.append(int(pid))
        return found

    def kill(self) -> None:
        """The command alone, not its workers."""
        os.kill(self.pid, signal.SIGKILL)

    def interrupt(self) -> None:
        """Ctrl-C goes to the workers, too."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGINT)

    def end(self, after: float | None = None, strike: Callable[["Process"], None] = kill) -> Ended:
        """Wait for the end, and strike when it still runs after so many seconds."""
        faults, status = [], None
        while status is None:
            pid, found = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                status = found
            elif after is not None and time.monotonic() - self.begun >= after:
                strike(self)
                after = None
            elif time.monotonic() - self.begun > LIMIT:
                os.killpg(self.pid, signal.SIGKILL)
                faults.append("hang")
            time.sleep(0.002)
        seconds, until = time.monotonic() - self.begun, time.monotonic() + PATIENCE
        while (left := self.members()) and time.monotonic() < until:
            time.sleep(0.02)
        if left:
            faults.append("orphan")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        os.set_blocking(self._err[0], False)
        with open(self._err[0], encoding="utf-8", errors="replace") as pipe:
            err = pipe.read()
        code = os.waitstatus_to_exitcode(status)
        # Python's own words of what a kill leaves to clean up, and in a worker that was still starting when the command
        # was killed; nothing here runs before.
        lines = [line for line in err.strip().splitlines() if "resource_tracker" not in line]
        last = (lines or [""])[-1]
        unborn = code == -signal.SIGKILL and last.startswith(("EOFError", "_pickle.UnpicklingError"))
        if ("Traceback" in err or "Error:" in err) and not unborn:
            faults.append(f"traceback: {last}")
        elif code > 0 and sum(line.startswith("error: ") for line in err.splitlines()) != 1:
            faults.append("not one line")
        if code < 0 and code != -signal.SIGKILL:
            faults.append(f"signal {-code}")
        return Ended(code, err, seconds, faults)


class Operations:
    """Counts what a process does to files below a folder, and kills it before, or just after, the n-th of these."""

    _EVENTS = frozenset(("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"))

    def __init__(self, folder: Path, at: int | None = None, after: bool = False) -> None:
        self.folder, self.at, self.after, self.count = str(folder), at, after, 0

    def install(self) -> None:
        """In the process that is to be watched."""
        sys.addaudithook(self._hook)
        if self.at is None:
            atexit.register(lambda: Path(self.folder).with_name("count.txt").write_text(str(self.count)))

    def _hook(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return
        elif event in self._EVENTS:
            path = arguments[0]
        else:
            return
        if not isinstance(path, str | bytes | os.PathLike):
            return
        if not os.path.abspath(os.fsdecode(path)).startswith(self.folder):
            return
        self.count += 1
        if self.count == self.at:
            if self.after:  # an alarm nobody waits for: the end, within what comes next
                signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
                threading.Thread(target=self._soon, daemon=True).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _soon() -> None:
        time.sleep(2e-4)
        os.kill(os.getpid(), signal.SIGKILL)


def fresh(folder: Path) -> Path:
    """An empty folder ``here`` in an empty folder, which also gets what the commands say."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "here").mkdir(parents=True)
    return folder / "here"


def content(folder: Path) -> dict[str, str]:
    """What must not differ from an undisturbed run: file -> digest, without times and paths of this run."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(_essence(file)).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "checkpoints" not in file.parts
    }


def _essence(file: Path) -> bytes:
    if file.suffix == ".h5":
        with h5py.File(file) as archive:
            arrays: list[bytes] = []
            archive.visititems(lambda _, item: arrays.append(item[()].tobytes()) if hasattr(item, "shape") else None)
            return b"".join(arrays)
    if file.name == "manifest.json":
        return " ".join(sorted(json.loads(file.read_text())["files"])).encode()
    if file.suffix == ".json":
        return json.dumps(_timeless(json.loads(file.read_text())), sort_keys=True).encode()
    if file.name == "history.csv":
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
        return json.dumps(_timeless(rows)).encode()
    if file.suffix == ".keras" or file.name.startswith("report"):  # names of layers and times are in them
        return b"there"
    return file.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(entry) for key, entry in value.items() if key not in _TIMES}
    return [_timeless(entry) for entry in value] if isinstance(value, list) else value
