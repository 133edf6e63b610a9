"""From coordinates to chi: what must not matter does not."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gdynet_tf.graphs.build import build_graphs
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.networks.gdynet import GDyNet
from gdynet_tf.trajectory import Trajectory

CELL = np.array([[6.0, 0, 0], [2.0, 5.0, 0], [-1.0, 1.5, 5.5]])
NUMBERS = np.array([3, 8, 1, 1, 16, 3, 8, 1, 1])
TARGETS = np.array([[1, 2, 3], [6, 7, 8]])


@pytest.fixture(scope="module")
def model():
    """Biases are drawn too: they are zero at the start of a training and would hide mistakes."""
    model = GDyNet(3, n_conv=2, n_features=6)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return model


@pytest.fixture
def chi(model):
    """Function from positions, lattice, atomic numbers, targets to chi."""

    def evaluate(positions, lattice=CELL, numbers=NUMBERS, targets=TARGETS, **options):
        trajectory = Trajectory("t", positions, np.repeat(lattice[None], len(positions), axis=0), numbers)
        options = {"n_neighbors": 6, "edges": "gaussian", "progress": False, **options}
        graphs = build_graphs(trajectory, targets, **options)
        return np.concatenate(list(predict_blocks(model, graphs, (0, 0, len(positions)))))

    return evaluate


@pytest.fixture
def positions():
    return np.random.default_rng(1).random((4, 9, 3)) @ CELL


# Distances change in the 13th digit, chi is float32.
TOLERANCE = 2e-6


def test_rotation_translation_and_wrapping(chi, positions):
    expected = chi(positions)
    assert np.ptp(expected, axis=0).max() > 1e-3  # the frames do differ
    rotation = Rotation.random(random_state=2).as_matrix()
    np.testing.assert_allclose(chi(positions @ rotation, CELL @ rotation), expected, atol=TOLERANCE)
    mirror = np.diag([1.0, 1, -1])
    np.testing.assert_allclose(chi(positions @ mirror, CELL @ mirror), expected, atol=TOLERANCE)
    np.testing.assert_allclose(chi(positions + [3.0, -7.0, 0.4]), expected, atol=TOLERANCE)
    images = np.random.default_rng(3).integers(-40, 40, positions.shape) @ CELL
    np.testing.assert_allclose(chi(positions + images), expected, atol=TOLERANCE)


def test_permutation_of_atoms(chi, positions):
    order = np.random.default_rng(4).permutation(9)
    where = np.argsort(order)
    permuted = chi(positions[:, order], numbers=NUMBERS[order], targets=where[TARGETS])
    np.testing.assert_allclose(permuted, chi(positions), atol=TOLERANCE)


def test_another_choice_of_the_cell(chi, positions):
    """The same crystal in a cell twice as long, with each atom twice."""
    doubled = np.concatenate([positions, positions + CELL[0]], axis=1)
    twice = chi(doubled, CELL * [[2], [1], [1]], np.tile(NUMBERS, 2), np.concatenate([TARGETS, TARGETS + 9]))
    expected = chi(positions)
    np.testing.assert_allclose(twice, np.concatenate([expected, expected], axis=1), atol=TOLERANCE)


def test_edges_and_distances(chi, positions):
    np.testing.assert_allclose(chi(positions, edges="distance"), chi(positions, edges="gaussian"), atol=TOLERANCE)


def test_other_atoms_matter(chi, positions):
    other = np.where(NUMBERS == 16, 34, NUMBERS)
    assert np.abs(chi(positions, numbers=other) - chi(positions)).max() > 1e-3
