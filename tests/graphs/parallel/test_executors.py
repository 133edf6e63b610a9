"""Ctrl-C and SIGTERM, which terminals and batch systems send to all processes at once, are one line."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gdynet_tf.graphs.parallel import executors

SCRIPT = """
import argparse
import signal
import sys
import time

from gdynet_tf.commands.console import run_command
from gdynet_tf.graphs.parallel.executors import run_jobs


def job(number):
    time.sleep(0.05)


def command(args):
    print("begun", flush=True)
    run_jobs(job, {number: (number,) for number in range(2000)}, lambda key, _: print(key, flush=True), 2)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have background jobs ignore it
    sys.exit(run_command(command, argparse.ArgumentParser()))
"""


def living(group):
    """Processes of a group that have not ended."""
    stats = [stat for file in Path("/proc").glob("[0-9]*/stat") if (stat := read(file))]
    return [pid for pid, state, pgrp in stats if pgrp == str(group) and state not in "ZX"]


def read(file):
    try:
        pid, _, rest = file.read_text().partition(" (")
        state, _, pgrp = rest.rpartition(") ")[2].split()[:3]
        return pid, state, pgrp
    except OSError:  # it has just ended
        return None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "after", "seconds", "ended"),
    [
        (signal.SIGINT, "begun", 0.2, (130, "error: interrupted\n")),
        (signal.SIGINT, "begun", 0.6, (130, "error: interrupted\n")),
        (signal.SIGINT, "0", 0.0, (130, "error: interrupted\n")),
        (signal.SIGTERM, "0", 0.0, (143, "error: terminated\n")),
        (signal.SIGTERM, "begun", 0.3, (143, "error: terminated\n")),
    ],
)
def test_one_line(tmp_path, number, after, seconds, ended):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    words = [sys.executable, str(script)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while process.stdout.readline() != f"{after}\n":
            assert process.poll() is None
        time.sleep(seconds)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == ended
    until = time.monotonic() + 20
    while living(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert living(process.pid) == []


def test_where_no_other_processes_can_be_had(monkeypatch, caplog):
    """A /dev/shm that cannot be written holds no semaphores: slower, but done."""

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(executors, "ProcessPoolExecutor", refuse)
    done = {}
    executors.run_jobs(abs, {n: (-n,) for n in range(3)}, done.__setitem__, 2)
    assert done == {0: 0, 1: 1, 2: 2}
    assert caplog.messages == ["other processes cannot be used (Read-only file system): all is done in this one"]
