"""Eigenvalues and eigenvectors of a Koopman matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Eigenvectors", "eigenvalues", "eigenvectors", "stationary_distribution"]

# Eigenvalues closer to 1 than this are 1. float32 probabilities move one by up to 4e-10 (measured, 300 frames); a
# single exchange seen in n pairs by about 1/n.
_SAME = 1e-8


@dataclass(frozen=True)
class Eigenvectors:
    """Eigenvalues, largest modulus first but for the stationary one, which leads.

    Attributes
    ----------
    eigenvalues : (n,) complex or float
    right : (n, n)
        Columns; each has its largest entry equal to one, so the signs are fixed.
    left : (n, n)
        Rows, with left @ right the identity.
    """

    eigenvalues: np.ndarray
    right: np.ndarray
    left: np.ndarray

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state: real and imaginary part of the right eigenvector of each relaxation."""
        import pandas as pd

        n = len(self.eigenvalues)
        columns: dict[str, Any] = {"state": range(n)}
        for name, part in (("real", np.real), ("imag", np.imag)):
            columns |= {f"relaxation_{i}_{name}": part(self.right[:, i]) for i in range(1, n)}
        return pd.DataFrame(columns)


def _checked(K: np.ndarray) -> np.ndarray:
    K = np.asarray(K, np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or not np.isfinite(K).all():
        raise ValueError(f"a Koopman matrix must be square and finite, got shape {K.shape}")
    return K


def _order(values: np.ndarray) -> list[int]:
    """The eigenvalue nearest to 1 first, the others by falling modulus; of a conjugate pair, the positive one first."""
    stationary = int(np.argmin(np.abs(values - 1)))
    rest = [i for i in range(len(values)) if i != stationary]
    rest.sort(key=lambda i: (-round(float(abs(values[i])), 12), -values[i].imag))
    return [stationary, *rest]


def _decomposition(K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(_checked(K))
    order = _order(values)
    values, vectors = values[order], vectors[:, order]
    if np.isrealobj(values) or not np.abs(values.imag).any():
        values, vectors = values.real, vectors.real
    return values, vectors


def eigenvalues(K: np.ndarray) -> np.ndarray:
    """Eigenvalues of K, the stationary one first, then by falling modulus.

    Parameters
    ----------
    K : (n, n) array

    Returns
    -------
    (n,) float, or complex when some are
    """
    return _decomposition(K)[0]


def eigenvectors(K: np.ndarray) -> Eigenvectors:
    """Right and left eigenvectors of K.

    Parameters
    ----------
    K : (n, n) array

    Returns
    -------
    Eigenvectors
    """
    values, right = _decomposition(K)
    size = np.abs(right)
    largest = np.argmax(size > (1 - 1e-6) * size.max(axis=0), axis=0)  # the first of equal ones, whatever the rounding
    right = right / right[largest, np.arange(len(right))]
    return Eigenvectors(values, right, np.linalg.pinv(right))


def stationary_distribution(K: np.ndarray) -> np.ndarray:
    """Left eigenvector of K for the eigenvalue nearest to 1, with sum one.

    Parameters
    ----------
    K : (n, n) array

    Returns
    -------
    (n,) float64
        Entries that are negative by rounding are zero.

    Raises
    ------
    ValueError
        If an entry is truly negative: K is then no transition matrix, and its states have no populations. If
        several eigenvalues are 1: any mixture of their eigenvectors is stationary.
    """
    values, vectors = np.linalg.eig(_checked(K).T)
    n_stationary = int((np.abs(values - 1) < _SAME).sum())
    if n_stationary > 1:
        raise ValueError(
            f"{n_stationary} eigenvalues are 1: the states fall into groups that never exchange, "
            "and the share of each group is not in the dynamics"
        )
    pi = vectors[:, np.argmin(np.abs(values - 1))].real
    pi = pi / pi.sum()
    if pi.min() < -1e-6:
        raise ValueError(
            f"the stationary distribution has a negative entry, {pi.min():.3g}; more data or fewer states are needed"
        )
    pi = np.clip(pi, 0, None)
    return pi / pi.sum()
