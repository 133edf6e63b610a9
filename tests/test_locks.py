"""One writer at a time, and a lock that nobody holds any more is taken over."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from gdynet_tf import locks as module
from gdynet_tf.errors import InputError
from gdynet_tf.locks import locked

HOLD = """
import sys, time
from gdynet_tf.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""
COUNT = """
import sys
from pathlib import Path
from gdynet_tf.errors import InputError
from gdynet_tf.locks import locked
folder, done = Path(sys.argv[1]), 0
while done < 100:
    try:
        with locked(folder / "out"):
            count = int((folder / "count").read_text())
            (folder / "count").write_text(str(count + 1))
            done += 1
    except InputError:
        pass
"""


@contextlib.contextmanager
def holder(output):
    """Another process that holds the lock until the context ends, or it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(output)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def lock(tmp_path):
    return tmp_path / ".out.lock"


def test_nothing_is_left(tmp_path, lock):
    with locked(tmp_path / "out"):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "out"):
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_made_for_the_lock_goes_with_it(tmp_path):
    with locked(tmp_path / "runs" / "a"):
        assert (tmp_path / "runs" / ".a.lock").exists()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "runs" / "a"):
        (tmp_path / "runs" / "a").mkdir()
    assert (tmp_path / "runs" / "a").exists()


def test_again_in_the_same_thread_but_not_in_another(tmp_path, lock):
    said = []

    def other():
        try:
            with locked(tmp_path / "out"):
                said.append("entered")
        except InputError as error:
            said.append(str(error))

    with locked(tmp_path / "out"):
        with locked(tmp_path / "x" / ".." / "out"):  # by another name
            pass
        assert lock.exists()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert f"is being written by process {os.getpid()} on " in said[0]


def test_the_second_writer_is_told(tmp_path):
    out = tmp_path / "out"
    with holder(out) as process:
        message = (
            rf"out: is being written by process {process.pid} on {socket.gethostname()} since \d{{4}}-.*; wait for it"
        )
        with pytest.raises(InputError, match=message), locked(out):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(out):  # its lock is still there, but nobody holds it
            pass
    assert list(tmp_path.iterdir()) == []


def test_many_writers_one_at_a_time(tmp_path):
    (tmp_path / "count").write_text("0")
    writers = [subprocess.Popen([sys.executable, "-c", COUNT, str(tmp_path)]) for _ in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "300"
    assert [file.name for file in tmp_path.iterdir()] == ["count"]


def sign(lock, **changes):
    lock.write_text(json.dumps({**module._this_process(), **changes}))


def test_a_lock_of_another_machine_is_respected(tmp_path, lock):
    """Some file systems lock on each machine for itself, so nobody can tell whether its holder lives."""
    sign(lock, host="elsewhere", pid=17)
    message = rf"process 17 on elsewhere .*; if that was stopped, delete .*{lock.name}"
    with pytest.raises(InputError, match=message), locked(tmp_path / "out"):
        pass


@pytest.mark.parametrize("system_locks", ["none", "not on this file system"])
def test_without_locks_of_the_system(tmp_path, lock, monkeypatch, system_locks):
    if system_locks == "none":
        monkeypatch.setattr(module, "fcntl", None)
    else:

        def flock(*arguments):
            raise OSError("no locks available")

        monkeypatch.setattr(module.fcntl, "flock", flock)
    with holder(tmp_path / "other") as process:
        sign(lock, pid=process.pid, started=module._start_time(process.pid))
        with pytest.raises(InputError, match=f"process {process.pid} on"), locked(tmp_path / "out"):
            pass
        sign(lock, pid=process.pid, started="another process that had this number before")
        with locked(tmp_path / "out"):
            pass
        process.kill()
        process.wait()
        sign(lock, pid=process.pid)
        with locked(tmp_path / "out"):
            pass
    sign(lock, pid=1)  # of another user, or of root
    with contextlib.suppress(InputError), locked(tmp_path / "out"):
        pass
    lock.write_text('{"pid": "')  # stopped while it signed
    with locked(tmp_path / "out"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of Unix")
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe"])
def test_what_a_link_points_to_is_not_written(tmp_path, lock, kind):
    (tmp_path / "precious").write_text("of a person")
    if kind == "pipe":
        os.mkfifo(lock)
    else:
        (os.symlink if kind[0] == "s" else os.link)(tmp_path / "precious", lock)
    with pytest.raises(InputError, match=r"out: cannot be locked: .*\.out\.lock is a link or no file; remove it"):
        locked(tmp_path / "out").__enter__()
    assert (tmp_path / "precious").read_text() == "of a person"


@pytest.mark.parametrize("owner", ["[" * 4000, '{"host": 1}', "[]", "of a person"])
def test_a_lock_that_nobody_has_signed(tmp_path, lock, owner):
    lock.write_text(owner)
    with locked(tmp_path / "out"):
        pass


def test_names_in_a_lock_do_not_reach_the_terminal_raw(tmp_path, lock):
    sign(lock, host="elsewhere\x1b[2J")
    with locked(tmp_path / "out"):  # nobody has such a name
        pass


def test_where_nothing_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=rf"out: cannot be written: {tmp_path}/file is a file"):
        locked(tmp_path / "file" / "out").__enter__()
    with pytest.raises(InputError, match="/: is not the name of a directory that can be made"):
        locked("/").__enter__()

    def refuse(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied", "x")

    monkeypatch.setattr(module.os, "open", refuse)
    with pytest.raises(InputError, match="out: cannot be written: Permission denied"):
        locked(tmp_path / "out").__enter__()
