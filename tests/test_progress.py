"""How far a computation is: bars where somebody watches, lines elsewhere, and event files without TensorBoard."""

import logging
import struct
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gdynet_tf import progress as module
from gdynet_tf.progress import Curves, Progress


def watched(monkeypatch, terminal, modules=()):
    stderr = SimpleNamespace(isatty=lambda: terminal)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stderr=stderr, modules=modules))


@pytest.fixture
def clock(monkeypatch):
    """A clock of our own, and stderr that is no terminal."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    watched(monkeypatch, False)
    return now


def run(clock, seconds, n=100, **options):
    with Progress(n, "frame", "graphs", **options) as progress:
        for _ in range(n):
            clock[0] += seconds
            progress.update()


def test_lines_at_most_every_ten_per_cent(clock, caplog):
    with caplog.at_level(logging.INFO, "gdynet_tf"):
        run(clock, 60)
    assert len(caplog.messages) == 10
    assert caplog.messages[0] == "graphs: 10 of 100 frames (10 %), 600 s, about 5400 s left"


def test_lines_at_most_every_ten_seconds(clock, caplog, capsys):
    with caplog.at_level(logging.INFO, "gdynet_tf"):
        run(clock, 0.25)
    assert [line.split(",")[0] for line in caplog.messages] == [
        "graphs: 40 of 100 frames (40 %)",
        "graphs: 80 of 100 frames (80 %)",
    ]
    caplog.clear()
    with caplog.at_level(logging.INFO, "gdynet_tf"):
        run(clock, 0.01)
        run(clock, 60, shown=False)
    assert caplog.messages == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("terminal", "modules"), [(True, ()), (False, ("ipykernel",))])
def test_a_bar_where_somebody_watches(clock, caplog, capsys, monkeypatch, terminal, modules):
    watched(monkeypatch, terminal, modules)
    with caplog.at_level(logging.INFO, "gdynet_tf"):
        run(clock, 60)
    assert caplog.messages == []
    assert "graphs:" in capsys.readouterr().err


def read_events(folder):
    """(step, tag, value, plugin) of all event files of a folder, by the record format of TensorFlow."""
    import tensorflow as tf

    points = []
    for file in sorted(folder.glob("events.*")):
        content, at = file.read_bytes(), 0
        while at < len(content):  # length (8 bytes), checksum (4), the event, checksum (4)
            (length,) = struct.unpack_from("<Q", content, at)
            event = tf.compat.v1.Event.FromString(content[at + 12 : at + 12 + length])
            points += [
                (event.step, v.tag, float(tf.make_ndarray(v.tensor)), v.metadata.plugin_data.plugin_name)
                for v in event.summary.value
            ]
            at += length + 16
    return points


def test_points_can_be_read_while_the_training_goes_on(tmp_path):
    rows = [{"epoch": n, "train_vamp2": 1 + n / 8, "validation_vamp2": 1 + n / 16} for n in (1, 2)]
    curves = Curves(tmp_path)
    for row in rows:
        curves.add(row)
    expected = [(row["epoch"], k, v, "scalars") for row in rows for k, v in row.items() if k != "epoch"]
    assert read_events(tmp_path) == expected


def test_tensorboard_is_not_imported(tmp_path):
    script = (
        "import sys\nfrom gdynet_tf.progress import Curves\n"
        f"Curves({str(tmp_path)!r}).add({{'epoch': 1, 'x': 2.0}})\nprint('tensorboard' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        Curves(tmp_path / "file")
