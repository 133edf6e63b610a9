"""Sums over pairs of frames against all pairs written out, however the data come in pieces."""

import numpy as np
import pytest

from gdynet_tf.analysis.kinetics import covariances as module
from gdynet_tf.analysis.kinetics.covariances import covariances, lagged_chunks, lagged_sums, second_moments


@pytest.fixture
def segments():
    """Two segments of three targets that have four states, in single precision."""
    rng = np.random.default_rng(0)
    return [rng.dirichlet(np.ones(4), (n, 3)).astype(np.float32) for n in (50, 31)]


def written_out(segments, tau):
    """C00, C0t, Ctt of all pairs."""
    x, y = (
        np.concatenate([s[part].reshape(-1, 4) for s in segments]).astype(float)
        for part in (slice(None, -tau), slice(tau, None))
    )
    return np.array([x.T @ x, x.T @ y, y.T @ y]) / len(x)


@pytest.mark.parametrize("sizes", [[50], [1] * 50, [3, 20, 2, 25], [30, 20]])
def test_pairs_of_a_stream(segments, sizes):
    chi = segments[0]
    chunks = np.split(chi, np.cumsum(sizes)[:-1])
    pairs = list(lagged_chunks(chunks, 7))
    np.testing.assert_array_equal(np.concatenate([x for x, _ in pairs]), chi[:-7])
    np.testing.assert_array_equal(np.concatenate([y for _, y in pairs]), chi[7:])
    sums, number = lagged_sums(chunks, 7)
    assert number == 43 * 3
    np.testing.assert_allclose(sums / number, written_out([chi], 7), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 100, 1 << 18])
def test_covariances_are_those_of_all_pairs(segments, rows, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", rows)
    np.testing.assert_allclose(covariances(segments, 5), written_out(segments, 5), rtol=1e-12)
    x = np.concatenate([s.reshape(-1, 4) for s in segments]).astype(float)
    np.testing.assert_allclose(second_moments(segments), x.T @ x / len(x), rtol=1e-12)
