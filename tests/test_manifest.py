"""Every file is as it was written, or is named."""

import hashlib
import json
import os

import pytest

from gdynet_tf.errors import InputError
from gdynet_tf.files import digest
from gdynet_tf.manifest import check_manifest, check_outside, check_own, verify_files, write_manifest


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "run"
    (folder / "chi").mkdir(parents=True)
    (folder / "analysis").mkdir()
    (folder / ".analysis.new").mkdir()
    (folder / ".analysis.new" / "left").write_text("by a kill")
    (folder / "report_train.html").write_text("page")
    (folder / "config.json").write_text('{"tau": 1}')
    (folder / "chi" / "a.npy").write_bytes(bytes(range(256)) * 8192)  # 2 MiB
    (folder / "analysis" / "figure.png").write_bytes(b"png")
    (folder / "config.tmp").write_text("left over")
    write_manifest(folder, leave_out=("analysis", "report*"))
    return folder


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)


def test_the_digest_is_of_the_whole_file(folder):
    file = folder / "chi" / "a.npy"
    assert digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_what_is_in_it(folder):
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert set(files) == {"config.json", "chi/a.npy"}
    assert files["chi/a.npy"]["size"] == 2 << 20
    check_manifest(folder)
    assert verify_files(folder, progress=False) == (2, [])


def test_what_is_not_in_it(folder):
    """A manifest that has lost its entries, and files that were put there."""
    (folder / "chi" / "b.npy").write_bytes(b"another")
    (folder / "notes.txt").write_text("of a person")
    content = json.loads((folder / "manifest.json").read_text())
    del content["files"]["config.json"]
    (folder / "manifest.json").write_text(json.dumps(content))
    (folder / "analysis" / "new.csv").write_text("of what the manifest leaves out")
    told = [f"{folder}/{name}: is not in manifest.json" for name in ("chi/b.npy", "config.json")]
    assert verify_files(folder, progress=False) == (1, told)
    del content["apart"]  # as older versions wrote it
    (folder / "manifest.json").write_text(json.dumps(content))
    assert verify_files(folder, progress=False) == (1, [])


def test_a_pipe_in_place_of_a_file(folder):
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    content = json.loads((folder / "manifest.json").read_text())
    content["files"]["config.json"]["size"] = 0
    (folder / "manifest.json").write_text(json.dumps(content))
    assert verify_files(folder, progress=False) == (2, [f"{folder}/config.json: is not a file any more"])


def test_outputs_within_others(folder):
    check_outside(folder)
    check_outside(folder.parent / "other")
    with pytest.raises(InputError, match=r"x: lies within .*run, which is replaced as a whole; name another place"):
        check_outside(folder / "chi" / "x")


def test_what_somebody_else_has_put_there_is_not_replaced(folder):
    write_manifest(folder / "analysis")
    check_own(folder)
    (folder / ".DS_Store").write_text("of the system")
    check_own(folder)
    (folder / "analysis" / "manifest.tmp").write_text("left by a kill")
    check_own(folder)
    notes = folder / "analysis" / "notes.txt"
    notes.write_text("of a person")
    with pytest.raises(
        InputError, match=rf"{notes}: was not written with {folder}, which is replaced as a whole; move it"
    ):
        check_own(folder)
    (folder / "analysis" / "manifest.json").write_text("{")  # what it says is not known
    check_own(folder)
    (folder / "analysis" / "manifest.json").unlink()  # then nobody knows that it is ours
    (folder / "mygraphs").mkdir()
    for place in ("analysis/figure.png", "mygraphs/manifest.json", "notes.tmp"):
        (folder / place).write_text("{}")
        with pytest.raises(InputError, match=rf"{place}: was not written with"):
            check_own(folder)
        (folder / place).unlink()


def test_a_manifest_that_is_gone_is_told_where_there_was_one(folder, caplog):
    (folder / "manifest.json").unlink()
    check_manifest(folder)
    assert not caplog.records
    check_manifest(folder, expected=True)
    assert "manifest.json is gone; whether the files are as they were written is not known" in caplog.text


def test_a_digest_that_is_known_is_taken(folder):
    write_manifest(folder, known={"config.json": "ab"})
    assert json.loads((folder / "manifest.json").read_text())["files"]["config.json"]["sha256"] == "ab"


def test_no_manifest(tmp_path):
    check_manifest(tmp_path)  # of a version that wrote none
    with pytest.raises(InputError, match=r"has no manifest\.json; only what this version has written can be verified"):
        verify_files(tmp_path)


@pytest.mark.parametrize("at", range(10))
def test_any_byte_of_a_small_file_is_noticed_at_once(folder, at):
    flip(folder / "config.json", at)
    with pytest.raises(
        InputError, match=r"config\.json: altered since it was written \(digest differs\); gdynet-verify"
    ):
        check_manifest(folder)


@pytest.mark.parametrize("at", [0, 1, 1 << 20, (2 << 20) - 1])
def test_any_byte_of_a_large_file_is_found(folder, at):
    flip(folder / "chi" / "a.npy", at)
    check_manifest(folder)
    n_files, problems = verify_files(folder, progress=False)
    assert n_files == 2
    assert problems == [f"{folder}/chi/a.npy: altered since it was written (digest differs)"]


def test_a_file_that_is_cut_or_gone(folder):
    file = folder / "chi" / "a.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"a\.npy: altered since it was written \(2097151 bytes, it had 2097152\)"):
        check_manifest(folder)
    file.unlink()
    with pytest.raises(InputError, match=r"a\.npy: cannot be read: No such file"):
        check_manifest(folder)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        '{"format_version": 99, "files": {}}',
        '{"format_version": 1, "files": {"a\\ud800": {"size": 1, "sha256": "0"}}}',
        '{"format_version": 1, "files": {"a\\u0000": {"size": 1, "sha256": "0"}}}',
        '{"format_version": 1, "files": {"../secret": {"size": 1, "sha256": "0"}}}',
        "[]",
        "{}",
        '{"files": 1}',
        '{"files": {"a": 1}}',
        '{"files": {"a": {"size": "1", "sha256": "0"}}}',
        '{"files": {"../secret": {"size": 1, "sha256": "0"}}}',
        '{"files": {"/etc/passwd": {"size": 1, "sha256": "0"}}}',
    ],
)
def test_altered_manifest(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json: (altered|cannot be read)"):
        check_manifest(folder)
