"""Trajectories whose atoms cross the cell, and comparison of all bytes of two directories."""

from types import SimpleNamespace

import numpy as np
import pytest

from gdynet_tf.graphs import chunks, partial
from gdynet_tf.trajectory import Trajectory

EDGE = 6.0


def wrapped(name="a", seed=0, n_frames=23, n_atoms=6, segments=(), **fields):
    """Atoms that drift by two cells and more, as a file has them: wrapped."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.8, 0.5, (n_frames, n_atoms, 3))
    paths = rng.random((1, n_atoms, 3)) * EDGE + np.cumsum(steps, axis=0)
    lattices = np.eye(3) * EDGE * (1 + 0.02 * np.sin(np.arange(n_frames)))[:, None, None]
    numbers = ([8, 1, 1] * n_atoms)[:n_atoms]
    return Trajectory(name, paths % EDGE, lattices, numbers, segments=segments, **fields)


@pytest.fixture(scope="session")
def walk():
    """Function that makes wrapped trajectories."""
    return wrapped


@pytest.fixture
def small_chunks(monkeypatch):
    """Two or three frames of six atoms at a time."""
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 1200)


@pytest.fixture
def same(monkeypatch):
    """Function that tells whether two directories have the same files; they are all made at one time."""
    monkeypatch.setattr(partial, "time", SimpleNamespace(strftime=lambda _: "2026-01-01T00:00:00+0000"))

    def same(one, other):
        contents = [
            {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
            for folder in (one, other)
        ]
        assert contents[0].keys() == contents[1].keys()
        assert [str(name) for name in contents[0] if contents[0][name] != contents[1][name]] == []
        return len(contents[0])

    return same
