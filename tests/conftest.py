"""Settings that hold for all tests, and small systems that several of them use."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def data_path():
    """Folder of the reference files."""
    return DATA


def random_graph(n_frames, n_atoms, n_neighbors, n_targets, k=1, seed=0):
    """Inputs of the model for random graphs: distances 1 to 7 Å, neighbours anywhere."""
    rng = np.random.default_rng(seed)
    return {
        "neighbors": rng.integers(0, n_atoms, (n_frames, n_atoms, n_neighbors), dtype=np.int32),
        "distances": np.sort(rng.uniform(1, 7, (n_frames, n_atoms, n_neighbors)), axis=-1).astype(np.float32),
        "atomic_numbers": rng.integers(1, 20, n_atoms, dtype=np.int32),
        "targets": rng.permutation(n_atoms)[: n_targets * k].reshape(n_targets, k).astype(np.int32),
    }


@pytest.fixture
def graph():
    """Function that makes random graphs."""
    return random_graph
