"""Order, scale and table of eigenvalues and eigenvectors, by hand."""

import numpy as np
import pytest

from gdynet_tf.analysis.kinetics.spectral import eigenvalues, eigenvectors, stationary_distribution

# Goes round in three states: eigenvalues 1 and -0.35 ± 0.26i.
ROUND = np.array([[0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.6, 0.3, 0.1]])


def test_the_stationary_eigenvalue_is_the_one_nearest_to_one():
    """Noise may give an eigenvalue above one, which is not that of the stationary distribution."""
    K = np.array([[1.1, -0.1], [-0.1, 1.1]])
    np.testing.assert_allclose(eigenvalues(K), [1, 1.2])
    np.testing.assert_allclose(stationary_distribution(K), [0.5, 0.5])


def test_the_largest_entry_of_each_eigenvector_is_one():
    rng = np.random.default_rng(0)
    for _ in range(5):
        K = rng.random((4, 4))
        vectors = eigenvectors(K / K.sum(axis=1, keepdims=True))
        largest = np.argmax(np.abs(vectors.right), axis=0)
        np.testing.assert_allclose(vectors.right[largest, np.arange(4)], 1)
        np.testing.assert_allclose(np.abs(vectors.right).max(axis=0), 1)
        np.testing.assert_allclose(vectors.left @ vectors.right, np.eye(4), atol=1e-12)


def test_of_equal_entries_the_first_is_one():
    np.testing.assert_allclose(eigenvectors([[0.9, 0.1], [0.1, 0.9]]).right, [[1, 1], [1, -1]])


def test_of_a_conjugate_pair_the_positive_one_is_first():
    values = eigenvalues(ROUND)
    np.testing.assert_allclose(values, [1, -0.35 + 0.15 * np.sqrt(3) * 1j, -0.35 - 0.15 * np.sqrt(3) * 1j])


def test_table_of_eigenvectors():
    vectors = eigenvectors(ROUND)
    table = vectors.to_dataframe()
    names = ["state", "relaxation_1_real", "relaxation_2_real", "relaxation_1_imag", "relaxation_2_imag"]
    assert table.columns.tolist() == names
    assert table.state.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(table.relaxation_1_real, vectors.right[:, 1].real)
    np.testing.assert_array_equal(table.relaxation_2_imag, vectors.right[:, 2].imag)
    # Where it goes round, each state lags by a third of a turn behind the one before.
    np.testing.assert_allclose(np.diff(np.angle(vectors.right[:, 1])) % (2 * np.pi), [2 * np.pi / 3] * 2)


def test_groups_that_never_exchange_have_no_stationary_distribution():
    with pytest.raises(
        ValueError, match=r"2 eigenvalues are 1: .*, and the share of each group is not in the dynamics"
    ):
        stationary_distribution(np.eye(2))
