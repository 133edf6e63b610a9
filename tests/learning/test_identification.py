"""The map to identified states, on mixtures whose states are known."""

import numpy as np
import pytest

from gdynet_tf.learning.identification import find_state_map, kinetic_map


def chain(transition, n_frames, seed):
    """States of a Markov chain."""
    rng = np.random.default_rng(seed)
    cumulative, uniform = np.cumsum(transition, axis=1), rng.random(n_frames)
    states = np.zeros(n_frames, int)
    for t in range(1, n_frames):
        states[t] = min(np.searchsorted(cumulative[states[t - 1]], uniform[t]), len(transition) - 1)
    return states


TRANSITION = np.array([[0.97, 0.02, 0.01], [0.06, 0.93, 0.01], [0.04, 0.02, 0.94]])
MIX = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.25, 0.45]])  # what VAMP-2 cannot tell from the states


def covariances(chi, tau=1):
    x, y = chi[:-tau], chi[tau:]
    return np.stack([x.T @ x, x.T @ y, y.T @ y]) / len(x)


@pytest.fixture(scope="module")
def states():
    return chain(TRANSITION, 20_000, seed=0)


def test_kinetic_map_has_the_eigenvalues_of_the_chain(states):
    chi = np.eye(3)[states] @ MIX
    values, coefficients = kinetic_map(covariances(chi))
    # The chain is nearly reversible; 20,000 steps give the eigenvalues to about 0.01.
    expected = np.sort(np.linalg.eigvals(TRANSITION).real)[::-1]
    np.testing.assert_allclose(values, expected, atol=0.02)
    coordinates = chi @ coefficients
    np.testing.assert_allclose(coordinates.var(axis=0), values[1:] ** 2, rtol=0.05)


def test_states_are_recovered_from_any_mixture(states):
    """Up to the order, which is by population."""
    chi = np.eye(3)[states] @ MIX
    result = find_state_map(chi, covariances(chi))
    order = np.argsort(-np.bincount(states), kind="stable")
    np.testing.assert_allclose(chi @ result.kernel, np.eye(3)[states][:, order], atol=1e-6)


def test_noise_within_the_states_does_not_move_them(states):
    rng = np.random.default_rng(1)
    chi = np.eye(3)[states] @ MIX + rng.normal(0, 0.01, (len(states), 3)) @ (np.eye(3) - 1 / 3)
    result = find_state_map(chi, covariances(chi))
    mapped = chi @ result.kernel
    order = np.argsort(-np.bincount(states), kind="stable")
    assert (mapped.argmax(axis=1) == np.argsort(order)[states]).mean() > 0.999
    np.testing.assert_allclose(result.kernel.sum(axis=1), 1, atol=1e-9)


def test_the_map_does_not_depend_on_the_mixture(states):
    """The choice is a function of the space alone: another basis of it gives the same states."""
    rng = np.random.default_rng(2)
    chi = np.eye(3)[states] @ MIX + rng.normal(0, 0.02, (len(states), 3)) @ (np.eye(3) - 1 / 3)
    other = chi @ np.array([[0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
    mapped = [c @ find_state_map(c, covariances(c)).kernel for c in (chi, other)]
    np.testing.assert_allclose(mapped[0], mapped[1], atol=1e-5)


def test_missing_directions(states):
    """Two states are the same: the map is finite and still separates what varies."""
    chi = np.eye(3)[np.minimum(states, 1)] @ MIX
    result = find_state_map(chi, covariances(chi))
    assert len(result.eigenvalues) == 2
    np.testing.assert_array_equal(result.kernel, np.eye(3))  # two points cannot be three clusters
    rng = np.random.default_rng(3)
    noisy = chi + rng.normal(0, 0.01, (len(chi), 1)) * (MIX[0] - MIX[1])
    result = find_state_map(noisy, covariances(noisy))
    assert np.isfinite(result.kernel).all()
    np.testing.assert_allclose((noisy @ result.kernel).sum(axis=1), 1, atol=1e-9)


def test_constant_chi_is_left_alone():
    chi = np.full((100, 2), 0.5)
    result = find_state_map(chi, covariances(chi))
    np.testing.assert_array_equal(result.kernel, np.eye(2))
    assert len(result.eigenvalues) == 1
