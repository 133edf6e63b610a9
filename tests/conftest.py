"""Settings that hold for all tests, and small systems that several of them use."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# The same examples every time; `make fuzz` tries many, others every time.
settings.register_profile("tests", max_examples=25, derandomize=True, deadline=None, database=None)
settings.register_profile("fuzz", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("tests")

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Figures of one test are not found open by the next."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


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


def markov_chain(K, n_frames, n_targets, seed, start=None):
    """chi (F, n_targets, n) of independent Markov chains, from equal shares of the states or all from one."""
    rng = np.random.default_rng(seed)
    n, cumulative = len(K), np.cumsum(K, axis=1)
    state = rng.integers(0, n, n_targets) if start is None else np.full(n_targets, start)
    path = np.empty((n_frames, n_targets), int)
    for t in range(n_frames):
        path[t] = state
        state = np.minimum((rng.random((n_targets, 1)) > cumulative[state]).sum(axis=1), n - 1)
    return np.eye(n, dtype=np.float32)[path]


@pytest.fixture(scope="session")
def chain():
    """Function that makes Markov chains."""
    return markov_chain


@pytest.fixture(scope="session")
def two_states():
    """Crisp chi of independent targets with two states and one relaxation time."""

    def two_states(relaxation, n_frames, n_targets, seed=0, p=0.5):
        """Crisp chi of targets with one relaxation time, in frames."""
        rng = np.random.default_rng(seed)
        moves = rng.random((n_frames, n_targets)) > np.exp(-1 / relaxation)
        moves[0] = True
        last = np.maximum.accumulate(np.where(moves, np.arange(n_frames)[:, None], 0), axis=0)
        state = np.take_along_axis((rng.random((n_frames, n_targets)) < p).astype(int), last, axis=0)
        return np.eye(2)[state]

    return two_states
