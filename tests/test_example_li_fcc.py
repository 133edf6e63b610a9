"""The trajectory that ships: what it is, and that its states are those of the paper's toy system."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gdynet_tf.trajectory import EXAMPLE, read_trajectory

FOLDER = Path(__file__).parents[1] / "examples" / "li_fcc"


@pytest.fixture(scope="module")
def sites():
    spec = importlib.util.spec_from_file_location("sites", FOLDER / "sites.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def example():
    return read_trajectory(EXAMPLE)


def test_size_and_interval(example):
    assert EXAMPLE.stat().st_size < 5e6
    assert len(example.positions) >= 200_000
    assert (example.frame_interval, example.time_unit) == (0.1, "ps")
    np.testing.assert_array_equal(example.targets, [[0]])
    np.testing.assert_array_equal(example.atomic_numbers, [3, 16, 16, 16, 16])


def test_sulfur_is_fcc_and_lithium_can_be_followed(example):
    np.testing.assert_allclose(example.lattices[0], np.eye(3) * 6.5)
    expected = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]) * 3.25
    assert np.ptp(example.positions[:, 1:], axis=0).max() == 0
    np.testing.assert_allclose(example.positions[0, 1:], expected, atol=1e-9)
    steps = np.diff(example.positions[:, 0], axis=0) / 6.5
    assert np.abs(steps - np.round(steps)).max() < 0.4  # unwrapping is unique below half a cell


def test_sites_of_the_lattice(sites):
    """Each site is 1.6 or 2.8 Å from its nearest S: tetrahedral sqrt(3)/4 a, octahedral a/2."""
    sulfur = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    difference = sites.SITES[:, None] - sulfur
    difference -= np.round(difference)
    nearest = np.linalg.norm(difference, axis=-1).min(axis=1)
    np.testing.assert_allclose(nearest[: sites.N_OCTAHEDRAL], 0.5)
    np.testing.assert_allclose(nearest[sites.N_OCTAHEDRAL :], np.sqrt(3) / 4)
    np.testing.assert_array_equal(sites.nearest_sites(sites.SITES * 6.5 + 13.0, np.eye(3) * 6.5), np.arange(12))


def test_populations_by_counting(sites, example):
    """Simulations of 200 ns have 0.09 to 0.10; 40 ns hold some hundred visits to tetrahedral sites, so +-0.015."""
    found = sites.nearest_sites(example.positions[:, 0], example.lattices[0])
    assert 0.06 < (found >= sites.N_OCTAHEDRAL).mean() < 0.14
    assert len(np.unique(found)) == 12
