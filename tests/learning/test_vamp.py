"""VAMP scores: known answers, deeptime, and finite gradients where states collapse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from deeptime.decomposition import CovarianceKoopmanModel
from deeptime.numeric import spd_inv_sqrt

from gdynet_tf.learning.vamp import SCORES, VAMPLoss, covariances, vamp1, vamp2, vamp_e

GRADIENT_CASES = ["empty", "identical", "constant", "random", "one-hot"]


def _random_chi(n_samples, n_states, seed):
    logits = np.random.default_rng(seed).normal(size=(2, n_samples, n_states))
    logits[1] += logits[0]  # correlated, so that the score is neither 1 nor n
    chi = np.exp(logits)
    return chi / chi.sum(axis=-1, keepdims=True)


def test_independent_samples_score_one():
    """The constant function alone is slow: every state has the same probability, whatever came before."""
    states = np.eye(2)
    x, y = np.repeat(states, 2, axis=0), np.tile(states, (2, 1))
    c = covariances(x, y)
    for score in (vamp1, vamp2, vamp_e):
        assert float(score(*c)) == pytest.approx(1.0, abs=1e-5)  # the ridge is 1e-6


def test_known_chain():
    """Two states that stay with probability 0.9: singular values 1 and 0.8."""
    x = np.repeat(np.eye(2), [50, 50], axis=0)
    y = np.eye(2)[np.repeat([0, 1, 0, 1], [45, 5, 5, 45])]
    c = covariances(x, y)
    assert float(vamp1(*c)) == pytest.approx(1.8, abs=1e-5)
    assert float(vamp2(*c)) == pytest.approx(1.64, abs=1e-5)
    assert float(vamp_e(*c)) == pytest.approx(1.64, abs=1e-5)


@pytest.mark.parametrize("n_states", [2, 3, 5])
def test_scores_equal_deeptime(n_states):
    x, y = _random_chi(4000, n_states, seed=n_states)
    c = [np.asarray(m) for m in covariances(x, y)]
    left, right = spd_inv_sqrt(c[0], epsilon=0), spd_inv_sqrt(c[2], epsilon=0)
    u, s, vt = np.linalg.svd(left @ c[1] @ right)
    from deeptime.covariance import CovarianceModel

    cov = CovarianceModel(
        cov_00=c[0], cov_0t=c[1], cov_tt=c[2], mean_0=x.mean(0), mean_t=y.mean(0), data_mean_removed=False
    )
    model = CovarianceKoopmanModel(left @ u, s, right @ vt.T, cov, n_states, n_states)
    for r, score in ((1, vamp1), (2, vamp2), ("E", vamp_e)):
        assert float(score(*c, ridge=1e-12)) == pytest.approx(model.score(r), rel=1e-8)


def test_covariances_are_float64_from_float32():
    x, y = _random_chi(100, 3, seed=0).astype(np.float32)
    c00, c0t, _ = covariances(x.reshape(10, 10, 3), y.reshape(10, 10, 3))
    assert keras.backend.standardize_dtype(c00.dtype) == "float64"
    np.testing.assert_allclose(c0t, x.astype(float).T @ y / 100, rtol=1e-12)


def _case(name):
    rng = np.random.default_rng(1)
    chi = rng.dirichlet(np.ones(3), (200, 2, 1))
    if name == "empty":
        chi[..., 2] = 0
    elif name == "identical":
        chi[..., 2] = chi[..., 1]
    elif name == "constant":
        chi[:] = 1 / 3
    elif name == "one-hot":
        chi = np.eye(3)[rng.integers(0, 3, (200, 2, 1))]
    return chi.astype(np.float32)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("case", GRADIENT_CASES)
def test_gradient_is_finite(score, case):
    chi = tf.Variable(_case(case))
    with tf.GradientTape() as tape:
        loss = VAMPLoss(score)(tf.zeros((200, 1)), chi)
    gradient = tape.gradient(loss, chi).numpy()
    assert np.isfinite(loss.numpy())
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("score", SCORES)
def test_gradient_is_the_difference_quotient(score):
    """Against central differences in float64, for covariances of random data."""
    chi = tf.Variable(_random_chi(50, 3, seed=4))
    with tf.GradientTape() as tape:
        value = SCORES[score](*covariances(chi[0], chi[1]))
    gradient = tape.gradient(value, chi).numpy()
    direction, h = np.random.default_rng(5).normal(size=chi.shape), 1e-5
    ends = [float(SCORES[score](*covariances(*(chi.numpy() + sign * h * direction)))) for sign in (1, -1)]
    assert (gradient * direction).sum() == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_chains_have_the_score_of_their_pairs():
    chi = np.random.default_rng(6).dirichlet(np.ones(3), (9, 4, 2)).astype(np.float32)  # three pairs each, two targets
    pairs = np.stack([chi[:, :-1], chi[:, 1:]], axis=2).reshape(-1, 2, 2, 3)
    assert float(VAMPLoss()(0, chi)) == pytest.approx(float(VAMPLoss()(0, pairs)), abs=1e-6)


def test_loss_config_and_bad_score():
    loss = VAMPLoss("vampe")
    assert VAMPLoss.from_config(loss.get_config()).score == "vampe"
    assert loss.name == "vamp_loss"
    assert VAMPLoss.from_config(VAMPLoss(name="mine").get_config()).name == "mine"
    with pytest.raises(ValueError, match="score must be one of vamp1, vamp2, vampe, got 'vamp3'"):
        VAMPLoss("vamp3")
