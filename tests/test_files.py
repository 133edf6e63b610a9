"""Folders that are whole or as they were."""

import pytest

from gdynet_tf.files import whole_folder


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
