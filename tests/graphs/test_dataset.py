"""Graphs that are exchanged or altered while they are read are noticed, at the next frame that is read."""

import os
import shutil

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.graphs.dataset import as_inputs
from gdynet_tf.graphs.store import open_graphs
from gdynet_tf.trajectory import Trajectory

FRAMES = (np.array([0]), np.array([3]))
MESSAGE = "replaced or altered while it was in use"


def build(out, seed=0):
    positions = np.random.default_rng(seed).random((20, 4, 3)) * 5
    trajectory = Trajectory("a", positions, np.repeat(np.eye(3)[None] * 5, 20, axis=0), [3] * 4)
    return build_graphs(trajectory, "Li", n_neighbors=3, out=out, progress=False)


def zero(out):
    file = out / "a" / "distances.npy"
    with open(file, "r+b") as opened:
        opened.seek(200)
        opened.write(bytes(100))
    later(file)


def later(file):
    """A clock that is coarse may give two changes the same time; these tests are faster than any user."""
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 10**9))


def replace(out):
    build(out.with_name("other"), seed=1)
    for file in out.with_name("other").rglob("*.*"):
        later(file)
    shutil.rmtree(out)
    out.with_name("other").rename(out)


def cut(out):
    os.truncate(out / "a" / "distances.npy", 300)


@pytest.mark.parametrize("damage", [zero, replace, cut, shutil.rmtree])
@pytest.mark.parametrize("model", ["gdynet", "vampnet"])
def test_noticed(tmp_path, damage, model):
    build(tmp_path / "g")
    graphs = as_inputs(open_graphs(tmp_path / "g"), model)
    graphs.read(*FRAMES)
    graphs.check_unchanged()
    damage(tmp_path / "g")
    with pytest.raises(InputError, match=MESSAGE):
        graphs.check_unchanged()
    if model == "gdynet" or damage is replace:  # which reads the file that is damaged
        with pytest.raises(InputError, match=MESSAGE):
            graphs.read(*FRAMES)


def test_whatever_follows_is_told_as_that(tmp_path):
    """A pipeline of TensorFlow, for one, makes an error of its own of it."""
    graphs = build(tmp_path / "g")
    with pytest.raises(RuntimeError, match="of its own"), graphs.unchanged():
        raise RuntimeError("of its own")
    with pytest.raises(InputError, match=MESSAGE), graphs.unchanged():
        zero(tmp_path / "g")
    graphs = build(tmp_path / "g2")

    def fail():
        zero(tmp_path / "g2")
        raise RuntimeError("that follows from it")

    with pytest.raises(InputError, match=MESSAGE), graphs.unchanged():
        fail()


def test_altered_description(tmp_path):
    graphs = build(tmp_path / "g")
    file = tmp_path / "g" / "meta.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(InputError, match=rf"meta\.json: {MESSAGE}"):
        _ = graphs.sha256


def test_graphs_in_memory_cannot_change(tmp_path):
    build(None).check_unchanged()


def test_the_same_size_and_time_do_not_hide_other_content(tmp_path):
    """As a copy that keeps times makes it, or a disk that lost a block: the digests tell before scores are written."""
    graphs = build(tmp_path / "g")
    file = tmp_path / "g" / "a" / "distances.npy"
    found = file.stat()

    def exchange():
        zero(tmp_path / "g")
        os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
        graphs.check_unchanged()  # sees nothing

    with pytest.raises(InputError, match=rf"distances\.npy: {MESSAGE}"), graphs.unchanged():
        exchange()
