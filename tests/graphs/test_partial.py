"""A graph directory while it is written: whatever interrupts it, nothing is lost and nothing wrong is taken up."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs import build as module
from gdynet_tf.graphs import chunks, partial
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.parallel import frames
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.trajectory import Trajectory


def walk(seed=0, numbers=(3, 16, 3, 16, 3, 16), n_frames=9, **fields):
    rng = np.random.default_rng(seed)
    positions = rng.random((1, 6, 3)) * 6 + np.cumsum(rng.normal(0, 0.3, (n_frames, 6, 3)), axis=0)
    return Trajectory("a", positions % 6, np.repeat(np.eye(3)[None] * 6, n_frames, axis=0), numbers, **fields)


@pytest.fixture(autouse=True)
def a_frame_at_a_time(monkeypatch):
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 1)


@pytest.fixture
def build(tmp_path):
    def run(trajectory=None, targets="Li", **options):
        options = {"n_neighbors": 5, "out": tmp_path / "graphs", "progress": False, **options}
        return build_graphs(trajectory or walk(), targets, **options)

    return run


@pytest.fixture
def interrupted(build, monkeypatch, tmp_path):
    """A build that was stopped after five of nine frames."""
    real = module.write_chunk

    def stopping(folder, start, *args):
        if start == 5:
            raise KeyboardInterrupt
        return real(folder, start, *args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_chunk", stopping)
        with pytest.raises(KeyboardInterrupt):
            build()
    return tmp_path / "graphs.partial"


@pytest.fixture
def computed(monkeypatch):
    """Frames that are computed from now on."""
    frames, real = [], module.write_chunk
    monkeypatch.setattr(module, "write_chunk", lambda *args: frames.append(args[1]) or real(*args))
    return frames


def same_files(one, other):
    names = [file.relative_to(one) for file in sorted(one.rglob("*.npy"))]
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names) and len(names) == 6


def test_resumed(interrupted, build, computed, tmp_path):
    graphs = build(resume=True)
    assert computed == [5, 6, 7, 8]
    assert same_files(build(out=tmp_path / "at_once").path, graphs.path)
    assert not interrupted.exists()
    assert sorted(file.name for file in graphs.path.glob("*.json*")) == ["manifest.json", "meta.json"]


@pytest.mark.parametrize(
    ("trajectory", "targets"),
    [
        (walk(), "S"),
        (walk(), [[0], [1], [2]]),
        (walk(numbers=(3, 16, 3, 16, 3, 8)), "Li"),
        (walk(n_frames=12).select(start=3), "Li"),
        (walk(seed=1), "Li"),
        (walk(segments=(4, 5)), "Li"),
    ],
)
def test_resumed_with_other_input(interrupted, build, trajectory, targets):
    with pytest.raises(
        InputError, match="was begun with other settings, frames, targets or elements; `overwrite=True`"
    ):
        build(trajectory, targets, resume=True)
    assert build(resume=True).n_frames == [9]  # it is still there


def test_damage_in_what_was_done(interrupted, build, computed, tmp_path):
    """A damaged frame is computed again; damaged positions, a lost array and a torn journal are put right."""
    for name, at in (("neighbors", 2), ("distances", 0)):
        file = interrupted / "a" / f"{name}.npy"
        array = np.load(file, mmap_mode="r+")
        array[at] += 1
        array.flush()
        del array
    (interrupted / "a" / "positions.npy").write_bytes(b"nothing")
    with open(interrupted / "journal.jsonl", "ab") as journal:
        journal.write(b'{"a:0:5": 5}\n[1]\n5\n{"b": []}\n{"a:7:8": {"neig')
    graphs = build(resume=True)
    assert computed == [0, 2, 5, 6, 7, 8]
    assert same_files(build(out=tmp_path / "at_once").path, graphs.path)


def test_a_journal_that_forgets_an_array(interrupted, build, computed, tmp_path):
    """Frames of which it names some arrays only are computed anew."""
    lines = [json.loads(line) for line in (interrupted / "journal.jsonl").read_text().splitlines()]
    (entry,) = lines[2].values()
    del entry["distances"]
    (interrupted / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    array = np.load(interrupted / "a" / "distances.npy", mmap_mode="r+")
    array[:] = 0
    array.flush()
    graphs = build(resume=True)
    assert same_files(build(out=tmp_path / "at_once").path, graphs.path)


def test_a_disk_that_is_full_at_the_resumption_leaves_what_is_done(interrupted, build, computed, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    (interrupted / "a" / "neighbors.npy").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("gdynet_tf.graphs.partial._allocate", full)
        with pytest.raises(InputError, match="graphs: cannot be written: No space left on device"):
            build(resume=True)
    assert (interrupted / "journal.jsonl").is_file()


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of Unix")
def test_what_is_no_file_is_made_anew(interrupted, build, tmp_path):
    for name in ("neighbors", "positions"):
        (interrupted / "a" / f"{name}.npy").unlink()
    os.mkfifo(interrupted / "a" / "neighbors.npy")
    (tmp_path / "precious").write_text("of a person")
    os.link(tmp_path / "precious", interrupted / "a" / "positions.npy")
    assert same_files(build(out=tmp_path / "at_once").path, build(resume=True).path)
    assert (tmp_path / "precious").read_text() == "of a person"


def test_an_array_is_lost(interrupted, build, computed):
    (interrupted / "a" / "neighbors.npy").unlink()
    build(resume=True)
    assert computed == list(range(9))


def test_a_process_dies(build, monkeypatch, computed):
    real = frames.run_jobs

    def dying(*args):
        jobs = args[1]
        real(args[0], dict(list(jobs.items())[:4]), *args[2:])
        raise BrokenProcessPool

    monkeypatch.setattr(frames, "run_jobs", dying)
    with pytest.raises(InputError, match="graphs: a process died, perhaps for want of memory; `resume=True` continues"):
        build()
    monkeypatch.setattr(frames, "run_jobs", real)
    assert computed == [0, 1, 2, 3]
    build(resume=True)
    assert computed == list(range(9))


def test_the_disk_is_full(build, monkeypatch, tmp_path, computed):
    """Room is reserved at once; what else goes wrong with files leaves what is done."""

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(InputError, match="graphs: cannot be written: No space left on device"):
            build()
    assert not list(tmp_path.iterdir())
    real = partial.PartialDirectory.note
    with monkeypatch.context() as patch:
        patch.setattr(partial.PartialDirectory, "note", lambda self, *a: full() if a[1] == 3 else real(self, *a))
        with pytest.raises(InputError, match="No space left on device; `resume=True` continues from what is done"):
            build()
    computed.clear()
    build(resume=True)
    assert computed == [3, 4, 5, 6, 7, 8]


def test_room_is_reserved(interrupted):
    for name in ("neighbors", "distances"):
        status = (interrupted / "a" / f"{name}.npy").stat()
        assert status.st_blocks * 512 >= status.st_size


def test_the_old_graphs_stay_until_the_new_are_whole(build, monkeypatch, tmp_path):
    build(walk(seed=1))
    before = (tmp_path / "graphs" / "meta.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_chunk", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            build(overwrite=True)
    assert (tmp_path / "graphs" / "meta.json").read_bytes() == before
    assert open_graphs(tmp_path / "graphs").names == ["a"]
    build(overwrite=True)
    assert (tmp_path / "graphs" / "meta.json").read_bytes() != before
    assert [file.name for file in tmp_path.iterdir()] == ["graphs"]
    (tmp_path / "graphs" / "notes.txt").write_text("of a person")
    with pytest.raises(InputError, match=r"notes\.txt: was not written with .*graphs, which is replaced as a whole"):
        build(overwrite=True)
    assert (tmp_path / "graphs" / "notes.txt").exists()


def test_charges(build):
    charges = np.array([1.0, -1, 1, -1, 0.5, -0.5])
    assert build(out=None).charges is None
    np.testing.assert_array_equal(build(walk(attributes={"charges": charges}), out=None).charges, charges)
    graphs = build(walk(attributes={"charges": charges}))
    np.testing.assert_array_equal(open_graphs(graphs.path).charges, charges)
    assert build(walk(attributes={"charges": np.zeros(6)}), overwrite=True).charges is None
    assert open_graphs(graphs.path).charges is None
    two = [walk(attributes={"charges": charges}), walk(attributes={"charges": -charges})]
    assert build_graphs(two, "Li", n_neighbors=5, progress=False).charges is None


KILLED = """
import sys, time
from gdynet_tf.graphs.parallel.executors import run_jobs
if __name__ == "__main__":
    run_jobs(time.sleep, {i: (60,) for i in range(4)}, print, 2)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "killed.py").write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, tmp_path / "killed.py"], env=environment)

    def children():
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if int(fields[1]) == parent.pid and b"spawn_main" in command and fields[0] != "Z":
                found.append(int(folder.name))
        return found

    def wait(condition):
        end = time.monotonic() + 60
        while not condition() and time.monotonic() < end:
            time.sleep(0.1)
        return condition()

    assert wait(lambda: len(children()) == 2)
    workers = children()
    time.sleep(1)  # they import
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    def gone():
        for pid in workers:
            try:
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    return False
            except OSError:
                continue
        return True

    assert wait(gone)


def test_the_journal_names_each_piece(interrupted):
    first, *pieces = (interrupted / "journal.jsonl").read_text().splitlines()
    assert set(json.loads(first)) == {"meta", "arrays"}
    assert [list(json.loads(piece)) for piece in pieces] == [[f"a:{k}:{k + 1}"] for k in range(5)]


def test_an_interrupted_overwriting_is_resumed(build, monkeypatch, computed, tmp_path):
    """The old graphs are there until then; nothing of what was done is lost."""
    build(walk(seed=1))
    before = (tmp_path / "graphs" / "meta.json").read_bytes()
    real = module.write_chunk

    def stopping(folder, start, *args):
        if start == 5:
            raise KeyboardInterrupt
        return real(folder, start, *args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_chunk", stopping)
        with pytest.raises(KeyboardInterrupt):
            build(overwrite=True)
    assert (tmp_path / "graphs" / "meta.json").read_bytes() == before
    with pytest.raises(
        InputError, match=r"graphs.partial: left by an interrupted build that was to replace .*graphs; "
    ):
        build()
    computed.clear()
    graphs = build(resume=True)
    assert computed == [5, 6, 7, 8]
    assert same_files(build(out=tmp_path / "at_once").path, graphs.path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["at_once", "graphs"]
    with pytest.raises(InputError, match="graphs: exists; `overwrite=True` replaces it"):
        build(resume=True)


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_points_to_is_replaced(build, tmp_path, there):
    if there:
        build(out=tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for _ in range(2):
        graphs = build(out=tmp_path / "link", overwrite=True)
        assert (tmp_path / "link").is_symlink()
        assert graphs.path == tmp_path / "real"
        assert sorted(file.name for file in tmp_path.iterdir() if file.name in ("link", "real")) == ["link", "real"]
        assert not list(tmp_path.glob("*.replaced"))


def test_a_hidden_name_is_in_the_manifest(build):
    graphs = build([replace(walk(), name=".a")])
    assert graphs.names == ["a"]
    assert "a/neighbors.npy" in json.loads((graphs.path / "manifest.json").read_text())["files"]


def test_foreign_files_called_meta_are_not_overwritten(build, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "meta.json").write_text("{}")
    with pytest.raises(InputError, match="mine: exists and is no graph directory; it is not overwritten"):
        build(out=tmp_path / "mine", overwrite=True)
    (tmp_path / "mine" / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match=r"lies within .*mine"):
        build(out=tmp_path / "mine" / "x")
