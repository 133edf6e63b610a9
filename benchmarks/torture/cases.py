"""What is done to the commands: each case returns how often it was done and what was wrong."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stage import Ended, Operations, Process, content, fresh

from gdynet_tf.errors import InputError

Wrong = list[str]


@dataclass
class Command:
    """One of the three commands, with its inputs, and what it makes when nothing disturbs it."""

    name: str
    main: Callable
    words: str
    inputs: dict[str, Path]
    opens: Callable[[Path], object]
    resumed: Callable[[Path], str | None]  # the words that go on from what lies there; None: nothing is left to do
    reference: dict[str, str] | None = None
    seconds: float = 1.0
    operations: int = 0

    def stage(self, work: Path, name: str) -> Path:
        """A folder with the inputs."""
        here = fresh(work / name)
        for file, source in self.inputs.items():
            (shutil.copytree if source.is_dir() else shutil.copy)(source, here / file)
        return here

    def run(self, here: Path, words: str | None = None, **options) -> Ended:
        """To the end."""
        return Process(self.main, words or self.words, here, **options).end()

    def measure(self, work: Path) -> None:
        """Undisturbed, twice: the files, the time, the number of operations on files."""
        here = self.stage(work, f"{self.name}_reference")
        ended = self.run(here)
        if ended.code or ended.faults:
            raise SystemExit(f"{self.name} does not even run undisturbed: {ended}")
        self.reference, self.seconds = content(here / "out"), ended.seconds
        here = self.stage(work, f"{self.name}_counted")
        self.run(here, prepare=Operations(here).install)
        self.operations = int((here.parent / "count.txt").read_text())
        if content(here / "out") != self.reference:
            raise SystemExit(f"{self.name}: undisturbed runs differ in {self.differences(here)}")

    def differences(self, here: Path) -> list[str]:
        """Files that are not those of an undisturbed run."""
        found, expected = content(here / "out"), self.reference
        return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))

    def wrong_now(self, here: Path) -> Wrong:
        """After a kill: what opens must be whole, and nothing lies outside."""
        wrong = []
        if (here / "out").is_dir():
            try:
                self.opens(here / "out")
            except InputError:
                pass
            else:
                lost = [
                    name for name in self.differences(here) if not name.startswith("manifest.")
                ]  # the last one written
                if self.name != "report" and lost:
                    wrong.append(f"opens, but differs in {lost[:5]}")
        return wrong + self.outside(here)

    def outside(self, here: Path) -> Wrong:
        """Files beside the output that do not bear its name."""
        own = {"out", "out.partial", "out.replaced", ".out.lock", ".out.new", ".out.old"}
        left = {file.name for file in here.iterdir()} - own - self.inputs.keys()
        return [f"outside: {sorted(left)}"] if left else []

    def finish(self, here: Path) -> Wrong:
        """Go on as the documentation says, and compare."""
        wrong = []
        if (words := self.resumed(here)) is not None:
            ended = self.run(here, words)
            if ended.code:
                return [*ended.faults, f"does not go on: {ended.err.strip()[-300:]}"]
            wrong = [*ended.faults, *self.outside(here)]
        if differ := self.differences(here):
            wrong.append(f"differs in {differ[:5]}")
        # A lock that nobody holds any more is taken over by the next writer.
        left = {file.name for file in here.iterdir()} - {"out", ".out.lock"} - self.inputs.keys()
        return wrong + ([f"left over: {sorted(left)}"] if left else [])


def kills(command: Command, work: Path, n: int, draw: random.Random) -> Iterator[Wrong]:
    """SIGKILL at random times, up to four in a row, then to the end."""
    while n > 0:
        here = command.stage(work, f"{command.name}_kills")
        for _ in range(min(n, 4)):
            words = command.resumed(here)
            if words is None:
                break
            ended = Process(command.main, words, here).end(after=draw.uniform(0, 1.1 * command.seconds))
            if ended.code != -signal.SIGKILL:
                break  # it was sooner
            n -= 1
            yield [*ended.faults, *command.wrong_now(here)]
        yield from [wrong] if (wrong := command.finish(here)) else []


def crash_points(command: Command, work: Path, draw: random.Random, most: int) -> Iterator[Wrong]:
    """Killed before, and just after, an operation on files; all of them, or as many as asked for, evenly spaced."""
    n = command.operations
    chosen = range(1, n + 1) if n <= most else sorted({1 + round(i * (n - 1) / (most - 1)) for i in range(most)})
    for at in chosen:
        here = command.stage(work, f"{command.name}_points")
        ended = command.run(here, prepare=Operations(here, at, after=bool(draw.getrandbits(1))).install)
        wrong = [*ended.faults, *command.wrong_now(here)]
        wrong += command.finish(here)
        yield [f"operation {at}: {one}" for one in wrong]


def limited(command: Command, work: Path, which: int, limits: list[int]) -> Iterator[Wrong]:
    """Less than is needed of a resource of the process, then enough."""
    for limit in limits:
        here = command.stage(work, f"{command.name}_limited")

        def prepare(limit: int = limit) -> None:
            handles = len(os.listdir("/proc/self/fd")) if which == resource.RLIMIT_NOFILE else 0
            resource.setrlimit(which, (handles + limit, resource.getrlimit(which)[1]))

        yield _refused(command, here, command.run(here, prepare=prepare), f"limit {limit}")


def _refused(command: Command, here: Path, ended: Ended, where: str) -> Wrong:
    """After less than enough: one line, nothing that opens wrong, and it goes on."""
    wrong = [*ended.faults, *command.wrong_now(here)]
    if ended.code not in (0, 2):
        wrong.append(f"exit code {ended.code}: {ended.err[-300:]}")
    wrong += command.finish(here)
    return [f"{where}: {one}" for one in wrong]


def full_disk(command: Command, work: Path, sizes: list[int]) -> Iterator[Wrong] | str:
    """A disk of its own that is too small, and then grows."""
    try:
        _mount(work / "probe", "size=64k")
        _unmount(work / "probe")
    except (OSError, subprocess.CalledProcessError):
        return "not done: only root can mount a disk"
    return _full_disk(command, work, sizes)


def _full_disk(command: Command, work: Path, sizes: list[int]) -> Iterator[Wrong]:
    for size in sizes:
        disk = work / f"{command.name}_disk" / "here"
        _mount(disk, "size=64m")
        try:
            for file, source in command.inputs.items():
                (shutil.copytree if source.is_dir() else shutil.copy)(source, disk / file)
            used = shutil.disk_usage(disk).used
            _mount(disk, f"remount,size={max(used + size, 4096)}")
            ended = command.run(disk)
            _mount(disk, "remount,size=64m")
            yield _refused(command, disk, ended, f"{size} bytes free")
        finally:
            _unmount(disk)


def read_only(command: Command, work: Path) -> Iterator[Wrong]:
    """Nothing can be written beside the inputs."""
    here = command.stage(work, f"{command.name}_readonly")
    root = os.geteuid() == 0
    if root:
        subprocess.run(["mount", "--bind", here, here], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", here], check=True)
    else:
        here.chmod(0o555)
    try:
        ended = command.run(here)
        wrong = [*ended.faults, *command.outside(here)]
        if ended.code != 2:
            wrong.append(f"exit code {ended.code}")
    finally:
        subprocess.run(["umount", here], check=True) if root else here.chmod(0o755)
    yield wrong + command.finish(here)


def dead_worker(command: Command, work: Path, n: int, draw: random.Random) -> Iterator[Wrong]:
    """One of the workers is killed: the command says so, and the next one goes on from what is done."""

    def strike(process: Process) -> None:
        if workers := [pid for pid in process.members() if _is_worker(pid)]:
            os.kill(draw.choice(workers), signal.SIGKILL)
            struck.append(process.pid)

    struck: list[int] = []
    for _ in range(3 * n):
        here = command.stage(work, f"{command.name}_worker")
        before = len(struck)
        ended = Process(command.main, command.words, here).end(draw.uniform(0, command.seconds), strike)
        if len(struck) > before:
            yield _refused(command, here, ended, "dead worker")
        if len(struck) == n:
            return


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def two_writers(command: Command, work: Path, n: int, draw: random.Random) -> Iterator[Wrong]:
    """Two at once: one writes, the other is told, or comes later and is told that it is there."""
    for _ in range(n):
        here = command.stage(work, f"{command.name}_writers")
        later = partial(time.sleep, draw.uniform(0, command.seconds))
        both = [Process(command.main, command.words, here, prepare) for prepare in (None, later)]
        ended = [process.end() for process in both]
        wrong = [fault for one in ended for fault in one.faults]
        codes = sorted(one.code for one in ended)
        if codes != [0, 2] and not (command.name == "report" and codes == [0, 0]):
            wrong.append(f"exit codes {codes}: {[one.err[-200:] for one in ended]}")
        yield wrong + command.outside(here) + [f"differs in {name}" for name in command.differences(here)]


def interrupts(command: Command, work: Path, n: int, draw: random.Random) -> Iterator[Wrong]:
    """Ctrl-C, which a terminal sends to all processes of the command."""
    for _ in range(n):
        here = command.stage(work, f"{command.name}_interrupts")
        process = Process(command.main, command.words, here)
        ended = process.end(draw.uniform(0.1, 1) * command.seconds, Process.interrupt)
        wrong = [*ended.faults, *command.wrong_now(here)]
        if ended.code not in (0, 130):
            wrong.append(f"exit code {ended.code}: {ended.err[-300:]}")
        yield wrong + command.finish(here)


def _mount(folder: Path, options: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, stderr=subprocess.DEVNULL)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", folder], check=True)
