"""PCCA+ on transition counts whose states are known."""

import numpy as np
import pytest

from gdynet_tf.analysis.kinetics.pcca import outermost_points, pcca_memberships


def blocks(sizes, inside=1000.0, between=1.0):
    """Counts of microstates that change quickly within their state and seldom between states."""
    states = np.repeat(np.arange(len(sizes)), sizes)
    return np.where(states[:, None] == states, inside, between), states


@pytest.mark.parametrize("between", [1.0, 0.0])
def test_blocks_are_the_states(between):
    """Also where they never change into each other: all eigenvalues are one then."""
    counts, states = blocks([3, 5, 2], between=between)
    for memberships in pcca_memberships(counts, 3):
        np.testing.assert_allclose(memberships.sum(axis=1), 1)
        assert memberships.min() >= 0
        found = memberships.argmax(axis=1)
        assert len(set(zip(found, states, strict=True))) == 3
        np.testing.assert_allclose(memberships.max(axis=1), 1, atol=0.01)


def test_committor_of_a_chain_of_microstates():
    """Between two deep wells the membership is the committor, here linear along equal steps (analytic)."""
    k = 11
    counts = np.diag(np.full(k - 1, 10.0), 1)
    counts += counts.T + np.diag([1e6] + [0.0] * (k - 2) + [1e6])
    memberships = next(pcca_memberships(counts, 2))
    memberships = memberships[:, memberships[0].argsort()[::-1]]  # the first well first
    np.testing.assert_allclose(memberships[:, 0], np.linspace(1, 0, k), atol=1e-3)


def test_more_states_than_corners():
    counts, _ = blocks([4, 4])
    for memberships in pcca_memberships(counts, 3):
        assert memberships.shape[0] == 8
        assert memberships.shape[1] in (2, 3)
    (counts, _), one = blocks([1, 1]), next(pcca_memberships(np.array([[7.0]]), 2))
    assert next(pcca_memberships(counts, 3)).shape == (2, 2)
    np.testing.assert_array_equal(one, [[1.0]])


def test_enlarged_simplex_cuts_nothing_off():
    """Six microstates on a ring have two slow eigenvectors and no corners: the third memberships are affine in them."""
    counts = np.roll(np.eye(6), 1, axis=0) * 100
    counts += counts.T + 200 * np.eye(6)
    memberships = list(pcca_memberships(counts, 3))[2]
    angle = 2 * np.pi * np.arange(6) / 6
    plane = np.column_stack([np.ones(6), np.cos(angle), np.sin(angle)])
    fitted = plane @ np.linalg.lstsq(plane, memberships, rcond=None)[0]
    np.testing.assert_allclose(memberships, fitted, atol=1e-9)
    np.testing.assert_allclose(memberships.min(axis=0), 0, atol=1e-9)


def test_outermost_points():
    points = np.array([[0.0, 0.0], [3.0, 0.1], [-1.0, 2.0], [-1.0, -2.0], [0.5, 0.5]])
    assert sorted(outermost_points(points)) == [1, 2, 3]
    assert sorted(outermost_points(points * [1, 0.1])) == [1, 2]  # the third is too near the line of the others
    assert len(outermost_points(np.zeros((4, 2)))) == 1


def test_corners_lie_amid_the_cores():
    """Where eigenvectors scatter, the first memberships are one on average in a state; at the outermost ones, less."""
    counts, states = blocks([12, 8, 10])
    scatter = np.random.default_rng(0).uniform(0, 40, counts.shape)
    counts = np.where(counts > 1, counts, scatter + scatter.T)
    weight = counts.sum(axis=1)
    amid, outermost, _ = pcca_memberships(counts, 3)
    for state in range(3):
        of_state = [
            np.average(found[states == state], axis=0, weights=weight[states == state]).max()
            for found in (amid, outermost)
        ]
        assert of_state[0] > 0.99
        assert of_state[1] < of_state[0]
