"""The map to identified states, on mixtures whose states are known."""

import itertools

import numpy as np
import pytest

from gdynet_tf.learning import identification
from gdynet_tf.learning.identification import find_state_map, kinetic_map


def chain(transition, n_frames, seed, n_targets=1, start=0.0):
    """States (n_frames, n_targets) of a Markov chain; each target is in state 1 at first with probability ``start``."""
    rng = np.random.default_rng(seed)
    cumulative, uniform = np.cumsum(transition, axis=1), rng.random((n_frames, n_targets, 1))
    states = np.zeros((n_frames, n_targets), int)
    states[0] = rng.random(n_targets) < start
    for t in range(1, n_frames):
        states[t] = np.minimum((cumulative[states[t - 1]] < uniform[t]).sum(axis=1), len(transition) - 1)
    return states


TRANSITION = np.array([[0.97, 0.02, 0.01], [0.06, 0.93, 0.01], [0.04, 0.02, 0.94]])
MIX = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.3, 0.25, 0.45]])  # what VAMP-2 cannot tell from the states


def covariances(chi, tau=1):
    x, y = chi[:-tau], chi[tau:]
    return np.stack([x.T @ x, x.T @ y, y.T @ y]) / len(x)


def vamp2(chi, tau=1):
    return identification._vamp2(covariances(chi, tau))


def mapped(chi, tau=1):
    return find_state_map(chi[:-tau], chi[tau:])(chi)


@pytest.fixture(scope="module")
def states():
    return chain(TRANSITION, 20_000, seed=0)[:, 0]


def by_population(states):
    """One-hot states, numbered by falling population."""
    return np.eye(3)[states][:, np.argsort(-np.bincount(states), kind="stable")]


def test_kinetic_map_has_the_eigenvalues_of_the_chain(states):
    chi = np.eye(3)[states] @ MIX
    values, coefficients = kinetic_map(covariances(chi))
    # The chain is nearly reversible; 20,000 steps give the eigenvalues to about 0.01.
    expected = np.sort(np.linalg.eigvals(TRANSITION).real)[::-1]
    np.testing.assert_allclose(values, expected, atol=0.02)
    coordinates = chi @ coefficients
    np.testing.assert_allclose(coordinates.var(axis=0), values[1:] ** 2, rtol=0.05)


def test_states_are_recovered_from_any_mixture(states):
    chi = np.eye(3)[states] @ MIX
    result = find_state_map(chi[:-1], chi[1:])
    np.testing.assert_allclose(result(chi), by_population(states), atol=1e-6)
    assert result.n_resolved == 3
    assert result.findings == ()
    np.testing.assert_allclose(result.vamp2_after, result.vamp2_before, atol=1e-9)


def test_noise_within_the_states_does_not_move_them(states):
    rng = np.random.default_rng(1)
    chi = np.eye(3)[states] @ MIX + rng.normal(0, 0.02, (len(states), 3)) @ (np.eye(3) - 1 / 3)
    error = np.abs(mapped(chi) - by_population(states))
    assert error.mean() < 0.01
    assert error.max() < 0.1  # the outermost noise reaches beyond the middle between two states


def test_the_map_does_not_depend_on_the_mixture(states):
    """The choice is a function of the space alone: another basis of it gives the same states."""
    rng = np.random.default_rng(2)
    chi = np.eye(3)[states] @ MIX + rng.normal(0, 0.02, (len(states), 3)) @ (np.eye(3) - 1 / 3)
    other = chi @ np.array([[0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
    np.testing.assert_allclose(mapped(chi), mapped(other), atol=1e-4)


def two_states(population, n_superfluous, blur, seed, tau=10):
    """chi with superfluous outputs that split a state by noise, (F, T, n), and the states, relaxation 280 frames."""
    memory = np.exp(-1 / 280)
    transition = memory * np.eye(2) + (1 - memory) * np.array([1 - population, population])
    for trial in itertools.count():
        states = chain(transition, 4000, [seed, trial], n_targets=20, start=population)
        if ((states[1:] == 1) & (states[:-1] == 0)).sum() >= 2 and states.mean() > population / 2:
            break  # the rare state is there at all
    rng = np.random.default_rng(seed)
    chi = np.eye(2)[states]
    for k in range(n_superfluous):
        share, split = rng.random(states.shape), (seed + k) % 2
        chi = np.concatenate([chi, (chi[..., split] * share)[..., None]], axis=2)
        chi[..., split] *= 1 - share
    n = chi.shape[2]
    return chi + rng.normal(0, blur, chi.shape) @ (np.eye(n) - 1 / n), states


@pytest.mark.parametrize(
    ("n_superfluous", "population"), list(itertools.product((0, 1, 2), (0.5, 0.05, 0.005))), ids=lambda v: f"{v:g}"
)
def test_slow_process_and_rare_populations_survive(n_superfluous, population):
    """Whatever the number of superfluous outputs and the blur: at most 0.02 of VAMP-2, populations within 10 %.

    The k-means map of version 0.2 lost up to 0.9 here and reported five times the rare population.
    """
    for seed, blur in enumerate((0.0, 0.03, 0.1)):
        chi, states = two_states(population, n_superfluous, blur, seed)
        n = chi.shape[2]
        result = find_state_map(chi[:-10].reshape(-1, n), chi[10:].reshape(-1, n))
        p = result(chi)
        assert p.min() >= 0
        assert p.max() <= 1 + 1e-12
        np.testing.assert_allclose(p.sum(axis=2), 1)
        assert result.vamp2_before - result.vamp2_after < 0.02
        assert result.n_resolved == 2
        assert [finding.kind for finding in result.findings] == ["superfluous states"] * (n > 2)
        np.testing.assert_array_equal(p[..., 2:], 0)
        counted = np.sort(np.bincount(states.ravel()) / states.size)[::-1]
        np.testing.assert_allclose(p.mean(axis=(0, 1))[:2], counted, rtol=0.1)


def test_a_state_of_few_frames_among_many_outputs():
    """40 of 80,000 frames: too few for one microstate of many, enough for a state."""
    rng = np.random.default_rng(0)
    states = np.zeros((4000, 20), int)
    states[1000:1040, 3] = 1
    chi = np.eye(2)[states] + rng.normal(0, 0.03, (4000, 20, 1)) * [1, -1]
    result = find_state_map(chi[:-10].reshape(-1, 2), chi[10:].reshape(-1, 2))
    assert result.findings == ()
    np.testing.assert_allclose(result(chi)[..., 1].sum(), 40, rtol=0.1)


def test_noise_that_splits_a_rare_state_is_not_resolved():
    """100 of 5,000 frames: noise in them has autocorrelations of 0.1, far above 1/sqrt(5,000)."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        states = np.zeros((500, 10), int)
        states[200:, :4], states[100:150, 7], states[300:350, 9] = 1, 2, 2
        chi = np.eye(3)[states]
        share = rng.random((500, 10, 2))
        chi = np.concatenate([chi, chi[..., 2:] * share / 2], axis=2)
        chi[..., 2] -= chi[..., 3:].sum(axis=2)
        result = find_state_map(chi[:-10].reshape(-1, 5), chi[10:].reshape(-1, 5))
        assert result.n_resolved == 3
        assert [finding.kind for finding in result.findings] == ["superfluous states"]
        np.testing.assert_allclose(result(chi).mean(axis=(0, 1)), [0.74, 0.24, 0.02, 0, 0], atol=1e-3)


def test_blur_does_not_shorten_the_relaxation():
    """Noise in chi raises C00 alone, so linear states forget too quickly; the memberships do not."""
    chi, states = two_states(0.05, 1, 0.1, seed=3)
    n = chi.shape[2]
    result = find_state_map(chi[:-10].reshape(-1, n), chi[10:].reshape(-1, n))
    crisp = np.eye(2)[states]
    wanted = identification._vamp2(identification._covariances(*(c.reshape(-1, 2) for c in (crisp[:-10], crisp[10:]))))
    assert result.vamp2_before < wanted - 0.1
    np.testing.assert_allclose(result.vamp2_after, wanted, atol=0.005)


def test_superfluous_states_are_said():
    chi, _ = two_states(0.5, 2, 0.02, seed=1)
    (finding,) = find_state_map(chi[:-10].reshape(-1, 4), chi[10:].reshape(-1, 4)).findings
    assert (finding.kind, finding.severity) == ("superfluous states", "warning")
    assert (finding.numbers["n_states"], finding.numbers["n_resolved"]) == (4, 2)
    assert finding.numbers["eigenvalues"][1] > 0.9
    assert str(finding).startswith("2 of 4 states describe what is slow.")


def test_passages_keep_their_probabilities():
    """A frame between the states is not rounded to one of them: its probability says where it will end."""
    rng = np.random.default_rng(5)
    walk = np.zeros((5000, 20), int)  # diffusion on 21 places with two deep ends
    for t in range(1, len(walk)):
        step = np.where(rng.random(20) < 0.5, 1, -1)
        leave = rng.random(20) < np.where((walk[t - 1] == 0) | (walk[t - 1] == 20), 0.1, 1.0)
        walk[t] = np.clip(walk[t - 1] + step * leave, 0, 20)
    chi = np.stack([1 - walk / 20, walk / 20], axis=2)
    result = find_state_map(chi[:-5].reshape(-1, 2), chi[5:].reshape(-1, 2))
    assert result.vamp2_before - result.vamp2_after < 0.01
    inside = result(chi)[walk == 10]
    np.testing.assert_allclose(inside, 0.5, atol=0.1)


def test_constant_chi_is_left_alone():
    chi = np.full((100, 2), 0.5)
    result = find_state_map(chi[:-1], chi[1:])
    np.testing.assert_array_equal(result(chi), chi)
    assert len(result.eigenvalues) == 1
    assert result.n_resolved == 1
    (finding,) = result.findings
    assert (finding.kind, finding.severity) == ("nothing slow", "bad")
    assert str(finding).startswith("No function of the states remembers anything over the lag time")


def test_noise_alone_is_left_alone():
    chi = np.random.default_rng(0).dirichlet(np.ones(3), 5000)
    result = find_state_map(chi[:-1], chi[1:])
    np.testing.assert_array_equal(result(chi), chi)
    assert [finding.kind for finding in result.findings] == ["nothing slow"]


def test_one_sample():
    chi = np.array([[0.2, 0.8]])
    result = find_state_map(chi, chi)
    np.testing.assert_array_equal(result(chi), chi)
    assert [finding.kind for finding in result.findings] == ["nothing slow"]


def test_few_samples():
    chi = np.repeat(np.eye(2), 5, axis=0)
    p = find_state_map(chi[:-1], chi[1:])(chi)
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_identical_and_dead_outputs(states):
    """Two states: one output doubled, one always zero."""
    two = np.eye(2)[np.minimum(states, 1)]
    chi = np.column_stack([two[:, 0], two[:, 1] / 2, two[:, 1] / 2, np.zeros(len(two))])
    result = find_state_map(chi[:-1], chi[1:])
    assert len(result.eigenvalues) == 2
    assert result.n_resolved == 2
    np.testing.assert_allclose(result(chi)[:, :2], two, atol=1e-6)
    np.testing.assert_array_equal(result(chi)[:, 2:], 0)


def test_states_that_never_change():
    """Ten targets in each of two states for ever: both are found."""
    rng = np.random.default_rng(0)
    chi = np.eye(2)[np.repeat([0, 1], [12, 8])][None] @ MIX[:2, :2] + rng.normal(0, 0.01, (200, 20, 2)) * [1, 0]
    chi[..., 1] = 1 - chi[..., 0]
    p = find_state_map(chi[:-1].reshape(-1, 2), chi[1:].reshape(-1, 2))(chi)
    np.testing.assert_allclose(p.mean(axis=(0, 1)), [0.6, 0.4], atol=1e-3)


def test_fallback_is_said(states, monkeypatch):
    """Which candidate is taken follows from what it loses alone."""
    chi = np.eye(3)[states] @ MIX

    def worse_first(counts, n_states):
        *_, last = original(counts, n_states)
        yield np.full_like(last, 1 / 3) + [[0.1, -0.1, 0.0]]
        yield last

    original = identification.pcca_memberships
    monkeypatch.setattr(identification, "pcca_memberships", worse_first)
    result = find_state_map(chi[:-1], chi[1:])
    (finding,) = result.findings
    assert (finding.kind, finding.severity) == ("no cores", "warning")
    assert finding.numbers["lost_by_cores"] > 1
    assert finding.numbers["lost"] < 0.02
    assert str(finding).startswith("There are no cores that frames belong to: states drawn by their cores would lose")
    monkeypatch.setattr(identification, "pcca_memberships", lambda *args: itertools.islice(worse_first(*args), 1))
    result = find_state_map(chi[:-1], chi[1:])
    np.testing.assert_array_equal(result(chi), chi)
    assert result.vamp2_after == result.vamp2_before
    (finding,) = result.findings
    assert (finding.kind, finding.severity) == ("not identified", "bad")
    assert str(finding).startswith("Every choice of states loses more than 0.02 of the VAMP-2 score, at least ")


def test_inputs_are_not_changed(states):
    chi = np.eye(3)[states] @ MIX
    copy = chi.copy()
    find_state_map(chi[:-1], chi[1:])(chi)
    np.testing.assert_array_equal(chi, copy)
