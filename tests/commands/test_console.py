"""Where messages go, what --quiet and --log make of them, and the exit codes."""

import argparse
import errno
import logging
import os
import re
import subprocess
import sys

import pytest

from gdynet_tf.commands.console import run_command, tell
from gdynet_tf.errors import InputError, TrainingError
from gdynet_tf.findings import Finding

logger = logging.getLogger("gdynet_tf.learning.somewhere")


def run(command, *words, options=None):
    return run_command(command, argparse.ArgumentParser(prog="some.py"), list(words), options=options)


def talk(args):
    logger.debug("for the file")
    logger.info("a message")
    tell(Finding(kind="k", severity="note", text="to be known"), "md.xyz")
    tell(Finding(kind="k", severity="good", text="fine"))
    tell(Finding(kind="k", severity="bad", text="do not trust it"))


def fail(error):
    def command(args):
        raise error

    return command


def test_messages_and_warnings(capsys):
    assert run(talk) == 0
    said = capsys.readouterr()
    assert said.out == "a message\nmd.xyz: note: to be known\nfine\n"
    assert said.err == "warning: do not trust it\n"


def test_quiet(capsys):
    assert run(talk, "--quiet") == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "warning: do not trust it\n"


def test_log_keeps_everything_with_the_time_and_grows(tmp_path, capsys):
    file = tmp_path / "run.log"
    assert run(talk, "--quiet", "--log", str(file)) == 0
    assert run(fail(InputError("`n_states=1`: wrong")), "--log", str(file)) == 2
    lines = file.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) ", line) for line in lines)
    said = [line.split(maxsplit=3)[3] for line in lines]
    assert re.fullmatch(rf"gdynet_tf \S+: some\.py --quiet --log {file}", said[0])
    assert said[1:6] == ["for the file", "a message", "md.xyz: note: to be known", "fine", "do not trust it"]
    assert said[-1] == "--n-states 1: wrong"


def test_log_that_cannot_be_written(tmp_path, capsys):
    assert run(talk, "--log", str(tmp_path)) == 2
    assert capsys.readouterr().err == f"error: --log {tmp_path}: cannot be written: Is a directory\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_log_on_a_full_disk(capsys):
    assert run(talk, "--log", "/dev/full") == 2
    assert capsys.readouterr().err == "error: /dev/full: No space left on device\n"


def test_names_that_are_no_text(tmp_path):
    """A file whose name is not UTF-8, on a terminal that has letters of ASCII alone, and in the log."""
    program = (
        "import argparse, logging, os\n"
        "from gdynet_tf.commands.console import run_command\n"
        "def talk(args):\n"
        "    logging.getLogger('gdynet_tf').info('written: ' + os.fsdecode(b'p\\xff \\xc3\\xa4'))\n"
        f"raise SystemExit(run_command(talk, argparse.ArgumentParser(), ['--log', {str(tmp_path / 'log')!r}]))\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"written: p\\udcff \\xe4\n", b"")
    assert "written: p\\udcff ä" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_fault_of_the_program_is_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(lambda args: 1 // 0, "--log", str(tmp_path / "log"))
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_logging_is_left_as_it_was():
    library = logging.getLogger("gdynet_tf")
    before = (library.level, library.propagate, list(library.handlers))
    run(talk)
    assert (library.level, library.propagate, list(library.handlers)) == before


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("a\nb"), 2, "error: a b\n"),
        (InputError("`test=x`: wrong"), 2, "error: --check x: wrong\n"),
        (TrainingError("t"), 1, "error: t\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), 2, "error: /a/b: Permission denied\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            2,
            "error: a file cannot be written or read: No space left on device\n",
        ),
        (OSError("odd"), 2, "error: a file cannot be written or read: odd\n"),
    ],
)
def test_exit_codes(capsys, error, code, said):
    assert run(fail(error), options={"test": "check"}) == code
    assert capsys.readouterr().err == said


SCRIPT = """
import argparse, logging, sys
from gdynet_tf.commands.console import run_command
def command(args):
    for i in range(20000):
        logging.getLogger("gdynet_tf").info(f"line {i}")
sys.exit(run_command(command, argparse.ArgumentParser(), []))
"""


@pytest.mark.parametrize(
    ("reader", "code", "said"),
    [("true", 141, ""), ("full", 2, "error: stdout: No space left on device\n")],
)
def test_nowhere_to_write(reader, code, said):
    """`... | head` ends without a word, a full disk behind `>` with one line."""
    to = "> /dev/full" if reader == "full" else "| true; exit ${PIPESTATUS[0]}"
    words = f'"$0" -c "$1" {to}'
    done = subprocess.run(["bash", "-c", words, sys.executable, SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (code, said)
