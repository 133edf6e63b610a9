"""Rates behind a transition matrix, by hand."""

import numpy as np
import pytest
from scipy.linalg import expm

from gdynet_tf import analysis as ga


def test_rates_of_a_chain_of_equal_steps():
    """0 -> 1 -> 2 with one rate: the eigenvectors of K are not independent, its logarithm exists all the same."""
    Q = np.array([[-0.5, 0.5, 0], [0, -0.5, 0.5], [0, 0, 0]])
    found = ga.rate_matrix(expm(2 * Q), 2)
    assert found.is_generator is True
    assert found.reason == ""
    np.testing.assert_allclose(found.rates, Q, atol=1e-6)
    assert found.lowest_eigenvalue == pytest.approx(np.exp(-1))


def test_what_negative_rates_took_is_given_back_in_proportion():
    """Each row on its own: a negative rate e beside rates with the sum b leaves of each the share 1 - e / (2 b - e)."""
    L = np.array([[-0.48, 0.5, -0.02], [0.1, -0.4, 0.3], [0.2, 0.1, -0.3]])
    found = ga.rate_matrix(expm(L))
    kept = 0.5 * (1 - 0.02 / 0.98)
    np.testing.assert_allclose(found.rates, [[-kept, kept, 0], L[1], L[2]], atol=1e-9)
    assert found.is_generator is True
    assert 0.001 < found.deviation < 0.02


def test_what_has_no_rates_says_why():
    """An alternation has no logarithm; a turn around three states has one, with rates far below zero."""
    found = ga.rate_matrix(np.array([[0.2, 0.8], [0.8, 0.2]]), 2)
    assert found.is_generator is False
    assert np.isnan(found.deviation)
    np.testing.assert_allclose(found.rates, [[-0.4, 0.4], [0.4, -0.4]])
    assert found.reason == (
        "an eigenvalue of K is not positive (-0.6): the lag time is too long for the fastest process"
    )
    K = np.array([[0.1, 0.9, 0], [0, 0.1, 0.9], [0.9, 0, 0.1]])
    found = ga.rate_matrix(K)
    assert found.is_generator is False
    assert found.deviation > 0.1
    np.testing.assert_allclose(found.rates, K - np.eye(3))
    assert found.reason == (
        f"no matrix of rates comes nearer to K than {found.deviation:.3g}: the lag time is too long, or the states are "
        "not Markovian"
    )


def test_table_of_rates():
    found = ga.rate_matrix(expm(np.array([[-0.5, 0.5], [0.2, -0.2]])))
    table = found.to_dataframe()
    assert table.columns.tolist() == ["from_state", "to_state", "rate"]
    assert table.from_state.tolist() == [0, 0, 1, 1]
    assert table.to_state.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(table.rate, [-0.5, 0.5, 0.2, -0.2])
