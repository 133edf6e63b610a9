"""gdynet-verify: what it says, and its exit code."""

import numpy as np
import pytest

from gdynet_tf.commands import verify
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.manifest import write_manifest
from gdynet_tf.trajectory import Trajectory


@pytest.fixture
def run(tmp_path):
    """A directory with graphs in it, of which each has its manifest."""
    positions = np.random.default_rng(0).random((200, 60, 3)) * 9
    trajectory = Trajectory("a", positions, np.repeat(np.eye(3)[None] * 9, 200, axis=0), [3] * 60)
    build_graphs(trajectory, "Li", n_neighbors=24, out=tmp_path / "run" / "graphs", progress=False)
    (tmp_path / "run" / "config.json").write_text("{}")
    write_manifest(tmp_path / "run", leave_out=("graphs",))
    return tmp_path / "run"


def test_all_is_well(run, capsys):
    assert verify.main([str(run)]) == 0
    said = capsys.readouterr()
    assert f"{run}: 1 files, all as they were written" in said.out
    assert f"{run / 'graphs'}: 7 files, all as they were written" in said.out
    assert said.err == ""


def test_a_byte_between_the_ends(run, capsys):
    file = run / "graphs" / "a" / "distances.npy"
    content = bytearray(file.read_bytes())
    assert len(content) > 1 << 20
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert verify.main([str(run), "--quiet"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"error: {file}: altered since it was written (digest differs)\n"


def test_bad_input(tmp_path, capsys):
    assert verify.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}/none: no such directory\n"
    assert verify.main([str(tmp_path)]) == 2
    assert "has no manifest.json" in capsys.readouterr().err
