"""Streams that are closed or cannot be written, and what a log is not added to."""

import os
import subprocess
import sys

import pytest

from gdynet_tf.commands.streams import check_log
from gdynet_tf.errors import InputError

LOG = "2026-01-01 00:00:00,000 INFO    said\n"
SCRIPT = """
import argparse, logging, sys
from gdynet_tf.commands.console import run_command
from gdynet_tf.errors import InputError
def command(args):
    logging.getLogger("gdynet_tf").info("said")
    logging.getLogger("gdynet_tf").warning("careful")
    if args.bad:
        raise InputError("bad input")
    open("done", "w").write("whole")
parser = argparse.ArgumentParser(prog="some.py")
parser.add_argument("--bad", action="store_true")
sys.exit(run_command(command, parser))
"""
FULL = "error: stdout: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        ("", 0, "said\n", "warning: careful\n"),
        (">&-", 0, "", "warning: careful\n"),
        ("2>&-", 0, "said\n", ""),
        ("<&- >&- 2>&-", 0, "", ""),
        ("2>/dev/full", 0, "said\n", ""),
        (">/dev/full", 2, "", FULL),
        (">/dev/full 2>/dev/full", 2, "", ""),
        ("--bad >&-", 2, "", "warning: careful\nerror: bad input\n"),
        ("--bad 2>&-", 2, "said\n", ""),
        ("--bad 2>/dev/full", 2, "said\n", ""),
        ("--nix 2>/dev/full", 2, "", ""),
        ("--bd", 2, "", "error: unrecognized arguments: --bd (--help tells the options)\n"),
        ("$'b\\e[31m'", 2, "", "error: unrecognized arguments: b\\x1b[31m (--help tells the options)\n"),
        ("--help >/dev/full", 2, "", FULL),
        ("--help | true; exit ${PIPESTATUS[0]}", 141, "", ""),
        ("--log /dev/full --bad", 2, "", "error: /dev/full: No space left on device\n"),
        ("--log log 2>/dev/full", 0, "said\n", ""),
    ],
)
def test_streams(tmp_path, words, code, out, err):
    """The work is done where no more than messages are lost, and the exit code says what the documentation says."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {words}', sys.executable, SCRIPT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
    assert (tmp_path / "done").exists() == (code == 0)
    if code == 0:
        assert (tmp_path / "done").read_text() == "whole"  # nothing said to a closed stream has gone into it


def test_the_working_directory_is_gone(tmp_path):
    (tmp_path / "here").mkdir()
    words = 'cd here; rmdir ../here; exec "$0" -c "$1" --log log'
    done = subprocess.run(["bash", "-c", words, sys.executable, SCRIPT], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the working directory: No such file or directory\n"


@pytest.mark.parametrize(
    ("files", "log", "message"),
    [
        ({"md.xyz": "2\n\n"}, "md.xyz", "is no log of a command, and nothing is added to it; name another file"),
        ({"g/meta.json": "{}", "g/manifest.json": "{}"}, "g/log", "lies within "),
        ({"g/meta.json": "{}", "g/atomic_numbers.npy": ""}, "g/a/log", "lies within "),
        ({"r/config.json": "{}", "r/checkpoints/a": ""}, "r/log", "lies within "),
        ({"r/config.json": "{}", "r/scores.json": "{}"}, "r/analysis/log", "lies within "),
        ({"s/config.json": "{}", "s/trainings/a": ""}, "s/log", "lies within "),
        ({"g.partial/x": ""}, "g.partial/log", "lies within "),
    ],
)
def test_no_place_for_a_log(tmp_path, files, log, message):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        check_log(str(tmp_path / log))
    assert str(caught.value).startswith(f"`log={tmp_path / log}`: {message}")
    assert sorted(str(f.relative_to(tmp_path)) for f in tmp_path.rglob("*") if f.is_file()) == sorted(files)


def test_links_and_pipes(tmp_path):
    (tmp_path / "r").mkdir()
    for name in ("config.json", "scores.json"):
        (tmp_path / "r" / name).write_text("{}")
    (tmp_path / "log").symlink_to(tmp_path / "r" / "log")
    with pytest.raises(InputError, match=rf"log`: lies within {tmp_path}/r, whose files belong together"):
        check_log(str(tmp_path / "log"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe`: is not a regular file$"):
        check_log(str(tmp_path / "pipe"))


@pytest.mark.parametrize("text", [None, "", LOG, 3 * LOG])
def test_a_place_for_a_log(tmp_path, text):
    (tmp_path / "config.json").write_text("{}")  # of whatever program
    if text is not None:
        (tmp_path / "log").write_text(text)
    check_log(str(tmp_path / "log"))
    check_log(os.devnull)
