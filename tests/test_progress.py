"""How far a computation is: bars where somebody watches, lines elsewhere."""

import logging
from types import SimpleNamespace

import pytest

from gdynet_tf import progress as module
from gdynet_tf.progress import Progress


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
