"""Folders that are whole or as they were, and source files that stay what they were."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.files import SourceFile, output_path, read_json, whole_folder
from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.trajectory import Trajectory


def content(path):
    return {file.name: file.read_text() for file in path.iterdir()}


def test_nothing_of_the_old_folder_stays(tmp_path):
    folder = tmp_path / "analysis"
    for name in ("a", "b"):
        with whole_folder(folder) as new:
            (new / name).write_text(name)
    assert content(folder) == {"b": "b"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["analysis"]


def test_an_error_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "analysis"
    with whole_folder(folder) as new:
        (new / "a").write_text("a")

    def interrupted():
        with whole_folder(folder) as new:
            (new / "b").write_text("b")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert content(folder) == {"a": "a"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["analysis"]


def test_interrupted_between_the_renamings(tmp_path, monkeypatch):
    folder = tmp_path / "analysis"
    with whole_folder(folder) as new:
        (new / "a").write_text("a")
    rename = os.replace

    def replace(source, target):
        if Path(source).name == ".analysis.new":
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr("gdynet_tf.files.os.replace", replace)
    with pytest.raises(KeyboardInterrupt), whole_folder(folder) as new:
        (new / "b").write_text("b")
    assert content(folder) == {"a": "a"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["analysis"]


@pytest.mark.parametrize("old_name", [".analysis.old", "analysis"])
def test_what_a_kill_left_is_put_right(tmp_path, old_name):
    """Killed between the two renamings, and before the first."""
    (tmp_path / old_name).mkdir()
    (tmp_path / old_name / "a").write_text("a")
    (tmp_path / ".analysis.new").mkdir()
    (tmp_path / ".analysis.new" / "half").write_text("")
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "analysis"):
        _ = 1 / 0
    assert content(tmp_path / "analysis") == {"a": "a"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["analysis"]


class TestSourceFile:
    def test_the_whole_file_is_digested(self, tmp_path):
        content = np.random.default_rng(0).bytes((1 << 22) + 3)  # more than is read at a time
        (tmp_path / "f").write_bytes(content)
        source = SourceFile(tmp_path / "f")
        assert (source.path, source.sha256) == (str(tmp_path / "f"), hashlib.sha256(content).hexdigest())

    @pytest.mark.parametrize(
        ("alter", "message"),
        [
            (lambda file: file.write_bytes(b"longer"), "changed while it was read; if its simulation still runs, copy"),
            (lambda file: file.unlink(), "cannot be read: No such file or directory"),
        ],
    )
    def test_a_file_that_does_not_stay(self, tmp_path, alter, message):
        (tmp_path / "f").write_bytes(b"short")
        source = SourceFile(tmp_path / "f")
        alter(tmp_path / "f")
        with pytest.raises(InputError, match=f"f: {message}"):
            source.sha256  # noqa: B018

    def test_graphs_of_it_are_refused_before_anything_is_written(self, tmp_path):
        (tmp_path / "run.xyz").write_bytes(b"first")
        positions = np.random.default_rng(0).uniform(0, 5, (3, 6, 3))
        trajectory = Trajectory(
            "run", positions, np.stack([np.eye(3) * 5] * 3), [8] * 6, sources=(SourceFile(tmp_path / "run.xyz"),)
        )
        (tmp_path / "run.xyz").write_bytes(b"second")
        with pytest.raises(InputError, match=r"run\.xyz: changed while it was read"):
            build_graphs(trajectory, targets="O", n_neighbors=3, out=tmp_path / "graphs")
        assert [file.name for file in tmp_path.iterdir() if not file.name.endswith(".lock")] == ["run.xyz"]

    def test_a_file_exchanged_for_one_of_the_same_size_and_time(self, tmp_path):
        for name in ("f", "g"):
            (tmp_path / name).write_bytes(name.encode())
            os.utime(tmp_path / name, (1, 1))
        source = SourceFile(tmp_path / "f")
        os.replace(tmp_path / "g", tmp_path / "f")
        with pytest.raises(InputError, match="f: changed while it was read"):
            source.sha256  # noqa: B018


def test_output_path(tmp_path):
    """What a link points to is replaced, whether or not it is there."""
    (tmp_path / "there").mkdir()
    for name, target in (("link", "there"), ("dangling", "none"), ("a", "b"), ("b", "a")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert output_path(tmp_path / "new") == tmp_path / "new"
    assert output_path(tmp_path / "link") == output_path(tmp_path / "there" / "x" / "..") == tmp_path / "there"
    assert output_path(tmp_path / "dangling") == tmp_path / "none"
    assert output_path(tmp_path / "link" / "new") == tmp_path / "link" / "new"
    with pytest.raises(InputError, match="a: is a loop of symbolic links"):
        output_path(tmp_path / "a")


@pytest.mark.skipif(os.name != "posix", reason="names are bytes")
def test_a_name_that_is_no_text(tmp_path):
    """JSON could not hold it: what is written there could never be opened again."""
    name = os.fsdecode(b"x\xff")
    (tmp_path / name).write_text("")
    for use in (output_path, SourceFile):
        with pytest.raises(InputError, match="a name that is not UTF-8 cannot be kept; give it another"):
            use(tmp_path / name)
    with pytest.raises(InputError, match="a name that is not UTF-8 cannot be kept"):
        output_path(tmp_path / name / "graphs")


@pytest.mark.parametrize("content", ['"\\ud800"', '{"a\\u0000": 1}', "[" * 100_000, "\xff"])
def test_json_that_holds_what_is_no_text(tmp_path, content):
    (tmp_path / "f.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"f\.json: cannot be read: "):
        read_json(tmp_path / "f.json")
