"""Rates behind a transition matrix, and the times they stand for.

Everything that is over within a lag time is invisible to K(tau) itself: 1 / (1 - K_ii) counts a target that left and
came back as one that stayed. The generator Q = ln K / tau counts every jump, so that times do not depend on the lag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import expm, logm

__all__ = ["FARTHEST", "RateMatrix", "count_slow", "rate_matrix", "rate_to_time", "transition_matrix"]

FARTHEST = 0.1  # by how much rates may miss an element of K
_STOCHASTIC = 1e-6  # by how much a row may miss the sum of one
_NEVER = 1e-12  # rounding, not a transition: no data hold 10^12 pairs
_ROUNDING = 1e-9  # of an eigenvalue or of a matrix logarithm
_CONDITION = 1e6  # of eigenvectors from which they are told apart well enough


@dataclass(frozen=True)
class RateMatrix:
    """Rates between states.

    Attributes
    ----------
    rates : (n, n) float64
        Per unit of time; off the diagonal from row to column, rows add up to zero.
    is_generator : bool
        Whether they follow from the logarithm of K, so that jumps within the lag time are counted. Otherwise ``rates``
        is (K - 1) / lag_time: times that follow from it are too long, by up to the lag time and more, and mean "as seen
        once in a lag time".
    deviation : float
        Largest element by which the rates of the logarithm miss K: zero, or what had to be changed to have no negative
        rate; NaN where K has no real logarithm.
    lowest_eigenvalue : float
        The smallest real one of K, which must be positive for that.
    reason : str
        Why there is no generator; empty otherwise.
    """

    rates: np.ndarray
    is_generator: bool
    deviation: float
    lowest_eigenvalue: float
    reason: str = ""

    def to_dataframe(self) -> Any:
        """A row for each pair of states, as a pandas DataFrame."""
        import pandas as pd

        i, j = (index.ravel() for index in np.indices(self.rates.shape))
        return pd.DataFrame({"from_state": i, "to_state": j, "rate": self.rates.ravel()})


def transition_matrix(K: np.ndarray) -> np.ndarray:
    """K as float64 if its rows are probabilities up to rounding, which is cut off.

    Parameters
    ----------
    K : (n, n) array

    Returns
    -------
    (n, n) float64

    Raises
    ------
    ValueError
        If K is not square and finite, an entry is negative or a row does not add up to one.
    """
    K = np.asarray(K, np.float64)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or not np.isfinite(K).all():
        raise ValueError(f"a Koopman matrix must be square and finite, got shape {K.shape}")
    if K.min() < -_STOCHASTIC or np.abs(K.sum(axis=1) - 1).max() > _STOCHASTIC:
        raise ValueError(
            f"rows must be probabilities; the smallest entry is {K.min():.3g}, row sums are {K.sum(axis=1).round(4)}. "
            'koopman_matrix(chi, tau, "constrained") gives such a matrix'
        )
    K = np.where(K > _NEVER, K, 0.0)
    return K / K.sum(axis=1, keepdims=True)


def rate_matrix(K: np.ndarray, lag_time: float = 1.0) -> RateMatrix:
    """The generator Q = ln K / lag_time, or the one beside it that has no negative rate.

    Where the logarithm has negative rates, by noise or because what changes between the states is not Markovian, they
    are set to zero and what they took is given back to the other rates of the row in proportion (Israel, Rosenthal and
    Wei, Math. Finance 11, 245 (2001), weighted adjustment), as long as exp(Q lag_time) then misses K by no more than
    0.1. That limit is no matter of the uncertainty of K: with it the rates would jump from one meaning to another as
    data are added.

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    lag_time : float

    Returns
    -------
    RateMatrix
    """
    K = transition_matrix(K)
    steps = (K - np.eye(len(K))) / lag_time
    values, right = np.linalg.eig(K)
    lowest = float(values.real[np.abs(values.imag) < _ROUNDING].min())
    if lowest < _ROUNDING:
        reason = f"an eigenvalue of K is not positive ({lowest:.3g}): the lag time is too long for the fastest process"
        return RateMatrix(steps, is_generator=False, deviation=np.nan, lowest_eigenvalue=lowest, reason=reason)
    if np.linalg.cond(right) < _CONDITION:  # forty times faster than scipy's logm, and as exact
        rates = np.real(right * np.log(values.astype(complex)) @ np.linalg.inv(right)) / lag_time
    else:
        rates = np.real(logm(K)) / lag_time
    off = rates * (1 - np.eye(len(K)))
    taken = np.clip(-off, 0, None).sum(axis=1)  # (n,)
    off = np.clip(off, 0, None)
    if taken.max() > _ROUNDING * np.abs(rates).max():
        scale = np.abs(np.diag(rates)) + off.sum(axis=1)
        off = off * (1 - taken / np.maximum(scale, 1e-300))[:, None]
    rates = off - np.diag(off.sum(axis=1))
    deviation = float(np.abs(expm(rates * lag_time) - K).max())
    if deviation > FARTHEST:
        reason = (
            f"no matrix of rates comes nearer to K than {deviation:.3g}: the lag time is too long, or the states are "
            "not Markovian"
        )
        return RateMatrix(steps, is_generator=False, deviation=deviation, lowest_eigenvalue=lowest, reason=reason)
    return RateMatrix(rates, is_generator=True, deviation=deviation, lowest_eigenvalue=lowest)


def rate_to_time(rate: np.ndarray) -> np.ndarray:
    """Time of a rate; inf where the rate is zero or negative, NaN where it is not known.

    Parameters
    ----------
    rate : array

    Returns
    -------
    array
    """
    rate = np.asarray(rate, np.float64)
    return np.divide(1.0, rate, out=np.where(np.isnan(rate), np.nan, np.inf), where=rate > 0)


def count_slow(eigenvalues: np.ndarray) -> int:
    """Number of relaxations that outlast the lag time: |lambda| > 1/e, and not alternating.

    Parameters
    ----------
    eigenvalues : (m,) array
        Without the stationary one.

    Returns
    -------
    int
        A negative eigenvalue is no relaxation, whatever its modulus.
    """
    values = np.asarray(eigenvalues, complex)
    alternating = (np.abs(values.imag) < 1e-12) & (values.real <= 0)
    return int(((np.abs(values) > np.exp(-1)) & ~alternating).sum())
