"""Koopman matrices, scores and spectra: exact cases, deeptime, the 2019 code."""

import numpy as np
import pytest
from deeptime.covariance import Covariance
from deeptime.decomposition import VAMP

from gdynet_tf import analysis as ga
from gdynet_tf.analysis.kinetics import koopman as module
from gdynet_tf.analysis.kinetics.covariances import covariances


def one_hot(states, n):
    """chi of one target that is certain of its state, (F, 1, n)."""
    return np.eye(n)[np.asarray(states)][:, None]


def noisy_chi(n_states, seed=0, n_frames=3000):
    """Probabilities of a slow random walk among states, two targets."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_frames, 2, n_states))
    for t in range(1, n_frames):
        logits[t] = 0.97 * logits[t - 1] + 0.3 * logits[t]
    chi = np.exp(3 * logits)
    return chi / chi.sum(axis=-1, keepdims=True)


def test_counts_of_a_short_chain():
    """0 0 1 0 0 1 0 0: from 0, two of five steps lead to 1... counted by hand."""
    chi = one_hot([0, 0, 1, 0, 0, 1, 0, 0], 2)
    np.testing.assert_allclose(ga.koopman_matrix(chi, 1), [[3 / 5, 2 / 5], [1, 0]], atol=1e-12)


def test_segments_are_not_joined():
    chi = one_hot([0, 1] * 4, 2)
    np.testing.assert_allclose(ga.koopman_matrix([chi[:4], chi[4:]], 1), [[0, 1], [1, 0]], atol=1e-12)
    c00 = ga.covariances([chi[:4], chi[4:]], 3)[0]
    np.testing.assert_allclose(c00, np.diag([1.0, 0.0]))  # one pair from each segment


def test_cutting_a_trajectory_removes_tau_pairs():
    """Exactly those that begin in the last tau frames before the cut."""
    chi, tau, cut = noisy_chi(3, n_frames=200), 7, 90
    n_targets, lost = chi.shape[1], slice(cut - tau, cut)
    x, y = chi[lost].reshape(-1, 3), chi[cut : cut + tau].reshape(-1, 3)
    whole = np.array(ga.covariances(chi, tau)) * (200 - tau) * n_targets
    cut_sums = np.array(ga.covariances([chi[:cut], chi[cut:]], tau)) * (200 - 2 * tau) * n_targets
    np.testing.assert_allclose(whole - cut_sums, [x.T @ x, x.T @ y, y.T @ y], atol=1e-10)


def test_time_reversal():
    """It swaps C00 and Ctt and transposes C0t; the score does not change."""
    chi = noisy_chi(3)
    c00, c0t, ctt = ga.covariances(chi, 5)
    for ours, expected in zip(ga.covariances(chi[::-1], 5), (ctt, c0t.T, c00), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)
    assert ga.vamp2_score(chi[::-1], 5) == pytest.approx(ga.vamp2_score(chi, 5), rel=1e-10)


def test_the_argument_is_not_changed_and_views_do():
    chi = noisy_chi(3).astype(np.float32)
    before = chi.copy()
    np.testing.assert_allclose(ga.koopman_matrix(chi, 5), ga.koopman_matrix([chi], 5))
    np.testing.assert_array_equal(chi, before)


def test_permuting_states_permutes_the_matrix():
    chi, order = noisy_chi(4), [2, 0, 3, 1]
    expected = ga.koopman_matrix(chi, 5)[np.ix_(order, order)]
    np.testing.assert_allclose(ga.koopman_matrix(chi[..., order], 5), expected, atol=1e-10)
    assert ga.vamp2_score(chi[..., order], 5) == pytest.approx(ga.vamp2_score(chi, 5), rel=1e-10)


def test_score_does_not_see_invertible_mixtures():
    chi, mix = noisy_chi(3), np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])
    assert ga.vamp2_score(chi @ mix, 5) == pytest.approx(ga.vamp2_score(chi, 5), rel=1e-8)


@pytest.mark.parametrize("n_states", [2, 4])
def test_scores_equal_deeptime(n_states):
    chi = noisy_chi(n_states, seed=n_states)
    estimator = Covariance(
        lagtime=7, compute_c0t=True, compute_ctt=True, remove_data_mean=False, bessels_correction=False
    )
    model = estimator.fit([chi[:, k] for k in range(2)]).fetch_model()
    for ours, deeptimes in zip(ga.covariances(chi, 7), (model.cov_00, model.cov_0t, model.cov_tt), strict=True):
        np.testing.assert_allclose(ours, deeptimes, rtol=1e-10)
    vamp = VAMP(epsilon=1e-12).fit_from_covariances(model).fetch_model()
    # deeptime counts the constant function on its own where the mean is not removed: its scores are ours.
    for r, score in ((1, ga.vamp1_score), (2, ga.vamp2_score), ("E", ga.vamp_e_score)):
        assert score(chi, 7) == pytest.approx(vamp.score(r), rel=1e-6)


@pytest.mark.parametrize("name", ["scores_3state", "scores_4state"])
def test_2019_reference(data_path, name):
    reference = np.load(data_path / f"{name}.npz")
    chi, tau = reference["chi"], int(reference["tau"])
    np.testing.assert_allclose(ga.koopman_matrix(chi, tau), reference["koopman_matrix"], atol=1e-10)
    # The 2019 scores are mean-free and were computed in float32.
    assert ga.vamp1_score(chi, tau) == pytest.approx(1 + reference["vamp1_mean_free"], abs=1e-5)
    assert ga.vamp2_score(chi, tau) == pytest.approx(1 + reference["vamp2_mean_free"], abs=1e-5)
    result = ga.implied_timescales(chi, reference["lags"])
    np.testing.assert_allclose(result.timescales[::-1], reference["implied_timescales"], rtol=1e-8)  # fastest first
    steps = reference["ck_predicted"].shape[2] - 1  # its axes are (n, n, step), step 0 included
    ck = ga.chapman_kolmogorov_test(chi, tau, steps)
    np.testing.assert_allclose(np.moveaxis(ck.predicted, 0, 2), reference["ck_predicted"], atol=1e-10)
    np.testing.assert_allclose(np.moveaxis(ck.estimated, 0, 2), reference["ck_estimated"], atol=1e-10)


@pytest.mark.parametrize("kind", ["empty", "identical"])
def test_collapsed_states_have_a_finite_matrix(kind):
    chi = noisy_chi(2)
    third = np.zeros_like(chi[..., :1]) if kind == "empty" else chi[..., 1:] / 2
    rest = chi if kind == "empty" else np.concatenate([chi[..., :1], third], axis=-1)
    full = np.concatenate([rest, third], axis=-1)
    K, expected = ga.koopman_matrix(full, 5), ga.koopman_matrix(chi, 5)
    assert np.isfinite(K).all()
    assert ga.vamp2_score(full, 5) == pytest.approx(ga.vamp2_score(chi, 5), rel=1e-9)
    if kind == "empty":
        np.testing.assert_allclose(K, np.pad(expected, (0, 1)), atol=1e-9)
    else:
        np.testing.assert_allclose(K[1:, 1:].sum(axis=1), expected[1, 1], atol=1e-8)
        np.testing.assert_allclose(np.sort(ga.eigenvalues(K))[-2:], np.sort(ga.eigenvalues(expected)), atol=1e-8)


HALVES = np.full((5, 1, 2), 0.5)


@pytest.mark.parametrize(
    ("chi", "tau", "message"),
    [
        ([], 1, "holds no segment"),
        (np.ones((5, 2)), 1, r"segment 0 must have shape \(F, n_targets, n_states\), got \(5, 2\)"),
        (
            [HALVES, np.full((5, 1, 3), 1 / 3)],
            1,
            r"segment 1 has shape \(5, 1, 3\), segment 0 has \(5, 1, 2\)",
        ),
        (np.ones((5, 1, 1)), 1, "at least 2 states, got 1"),
        (np.full((5, 1, 2), np.nan), 1, "segment 0 holds values that are not finite"),
        (HALVES, 5, "a lag time of 5 frames needs longer segments; the longest has 5 frames"),
        (HALVES, 0, "lag times must be increasing integers of at least 1 frame"),
        (HALVES, 1.5, "lag times must be increasing integers"),
        (HALVES, [1, 2], r"tau must be a single lag time, got \[1, 2\]"),
        ([HALVES, HALVES + [0.6, -0.6]], 1, "chi of segment 1 holds -0.1; state probabilities lie between 0 and 1"),
        (HALVES * [3, 0], 1, "chi of segment 0 holds 1.5; state probabilities lie between 0 and 1"),
        (HALVES * [1, 0.5], 1, "chi of segment 0: the states of a frame add up to 0.75, probabilities to 1"),
        (ga.eigenvectors(np.array([[0.9, 0.1], [0.2, 0.8]])).right[[0, 1] * 3][:, None], 1, "chi of segment 0 holds -"),
        (np.tile([np.inf, -np.inf], (5, 1, 1)), 1, "segment 0 holds values that are not finite"),
    ],
)
def test_bad_arguments(chi, tau, message):
    with pytest.raises(ValueError, match=message):
        ga.koopman_matrix(chi, tau)


def test_rounding_is_let_pass():
    """A softmax in float32 with a hundred states, four digits of text, and what lies outside by less."""
    z = np.random.default_rng(0).normal(0, 5, (50, 3, 100)).astype(np.float32)
    e = np.exp(z - z.max(axis=2, keepdims=True))
    assert ga.Chi(e / e.sum(axis=2, keepdims=True)).n_states == 100
    ga.Chi(np.tile([0.33334, 0.33333, 0.33335], (4, 1, 1)))
    ga.Chi(np.tile([1 + 1e-6, -1e-6], (4, 1, 1)))


def test_spectrum_of_a_known_matrix():
    """Three states in a row; eigenvalues 1, 0.8, 0.4 by construction."""
    right = np.array([[1.0, 1.0, 1.0], [1.0, 0.2, -0.9], [1.0, -1.0, 0.6]])
    K = right @ np.diag([1.0, 0.8, 0.4]) @ np.linalg.inv(right)
    result = ga.eigenvectors(K)
    np.testing.assert_allclose(result.eigenvalues, [1, 0.8, 0.4], atol=1e-12)
    scaled = right / right[np.abs(right).argmax(axis=0), range(3)]
    np.testing.assert_allclose(result.right, scaled, atol=1e-10)
    np.testing.assert_allclose(result.left @ result.right, np.eye(3), atol=1e-10)
    np.testing.assert_allclose(K @ result.right, result.right * result.eigenvalues, atol=1e-10)


def test_complex_pair_and_order():
    """A cycle of three states: the cubic roots of one, shrunk."""
    K = 0.9 * np.eye(3)[[1, 2, 0]] + 0.1 / 3
    values = ga.eigenvalues(K)
    assert values[0] == pytest.approx(1.0)
    assert np.abs(values[1:]) == pytest.approx([0.9, 0.9])
    assert values[1].imag > 0 > values[2].imag


def test_stationary_distribution():
    K = np.array([[0.9, 0.1], [0.3, 0.7]])
    np.testing.assert_allclose(ga.stationary_distribution(K), [0.75, 0.25], atol=1e-12)
    np.testing.assert_allclose(ga.stationary_distribution(np.pad(K, (0, 1))), [0.75, 0.25, 0], atol=1e-12)
    bad = np.array([[1.2, -0.2], [0.5, 0.5]])
    with pytest.raises(ValueError, match=r"the stationary distribution has a negative entry, -0\.667"):
        ga.stationary_distribution(bad)
    stuck = [one_hot([0] * 50, 2), one_hot([1] * 20, 2)]  # two segments, each in a state of its own
    with pytest.raises(ValueError, match="2 eigenvalues are 1: the states fall into groups that never exchange"):
        ga.stationary_distribution(ga.koopman_matrix(stuck, 1))
    with pytest.raises(ValueError, match=r"must be square and finite, got shape \(2, 3\)"):
        ga.stationary_distribution(np.ones((2, 3)))


def test_constrained_matrix_of_many_states_is_that_of_few():
    """The quick solver, where the general one can be asked too: of fuzzy states, one of which hardly occurs."""
    rng = np.random.default_rng(0)
    chi = rng.dirichlet([0.3] * 6, size=(400, 2)) * [1, 1, 1, 1, 1, 1e-3]
    chi = chi / chi.sum(axis=2, keepdims=True)
    chi[1:] = 0.7 * chi[:-1] + 0.3 * chi[1:]
    c00, c0t, _ = covariances([chi], 1)
    quick = module._projected(c00, c0t)
    assert quick.min() >= 0
    np.testing.assert_allclose(quick.sum(axis=1), 1, atol=1e-12)
    general = module._constrained(c00, c0t, module.koopman_of(c00, c0t))
    distances = [np.sum(K * (c00 @ K)) - 2 * np.sum(K * c0t) for K in (quick, general)]
    assert distances[0] <= distances[1] + 1e-9
    np.testing.assert_allclose(quick[:5], general[:5], atol=1e-3)


def test_a_state_that_was_not_visited_goes_anywhere():
    chi = np.eye(4)[np.random.default_rng(0).integers(0, 3, (50, 2))]
    K = module.constrained_of(*covariances([chi], 1)[:2])
    np.testing.assert_array_equal(K[3], 0.25)
    np.testing.assert_allclose(K[:3], module.koopman_of(*covariances([chi], 1)[:2])[:3], atol=1e-12)
