"""Do two trainings find the same? Canonical correlations of the subspaces, agreement of the states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gdynet_tf.analysis.chi import ChiLike, as_chi

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FOUND_AGAIN", "StateAgreement", "canonical_correlations", "restart_agreement", "state_agreement"]

# A state counts as found again when its F1 score is at least this in every other run: of the frames that either run
# gives to the state, F1 / (2 - F1), two thirds, are then given to it by both.
FOUND_AGAIN = 0.8


def _stacked(chi: ChiLike) -> np.ndarray:
    chi = as_chi(chi)
    return np.concatenate([np.asarray(segment, np.float64).reshape(-1, segment.shape[2]) for segment in chi])


def _basis(chi: ChiLike) -> np.ndarray:
    """Orthonormal basis of the mean-free functions that chi spans, (samples, at most n_states - 1)."""
    centred = _stacked(chi)
    centred -= centred.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    kept = s > 1e-5 * np.sqrt(len(centred))  # a spread of 1e-5 in probability is rounding
    return u[:, kept]


def canonical_correlations(chi_a: ChiLike, chi_b: ChiLike) -> np.ndarray:
    """Canonical correlations of the slow subspaces of two sets of chi of the same frames (Hotelling 1936).

    Parameters
    ----------
    chi_a, chi_b : lists of (F, n_targets, n_states) arrays
        The states may be mixed in any invertible way; the constant function is left out.

    Returns
    -------
    (n_states - 1,) float64
        1: the same subspace; zero for directions that one of the two does not have.

    Raises
    ------
    ValueError
        If the two hold different numbers of frames or targets.
    """
    sizes = [[segment.shape[:2] for segment in as_chi(chi)] for chi in (chi_a, chi_b)]
    if sizes[0] != sizes[1]:
        raise ValueError(f"chi of different frames cannot be compared: {sizes[0]} and {sizes[1]} (frames, targets)")
    a, b = _basis(chi_a), _basis(chi_b)
    n = min(as_chi(chi_a)[0].shape[2], as_chi(chi_b)[0].shape[2]) - 1
    found = np.linalg.svd(a.T @ b, compute_uv=False) if a.size and b.size else np.empty(0)
    return np.clip(np.pad(found[:n], (0, max(0, n - len(found)))), 0, 1)


@dataclass(frozen=True)
class StateAgreement:
    """How well the states of two or more runs agree.

    Attributes
    ----------
    permutation : (n_states,) int, or (n_runs, n_states)
        Partner in the other run of each state of the reference.
    overall : float
        Share of frames and targets with the same likeliest state; the smallest over the other runs.
    f1 : (n_states,) float
        F1 score of each state's frames; the smallest over the other runs.
    """

    permutation: np.ndarray
    overall: float
    f1: np.ndarray

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state: F1 score, and whether it was found again."""
        import pandas as pd

        return pd.DataFrame({"state": range(len(self.f1)), "f1": self.f1, "found_again": self.found_again})

    @property
    def found_again(self) -> np.ndarray:
        """(n_states,) bool: the state was found by every run."""
        return self.f1 >= FOUND_AGAIN


def state_agreement(chi_a: ChiLike, chi_b: ChiLike) -> StateAgreement:
    """Match the states of two runs by their shared frames and compare them.

    Parameters
    ----------
    chi_a, chi_b : lists of (F, n_targets, n_states) arrays
        Of the same frames; ``chi_a`` is the reference.

    Returns
    -------
    StateAgreement

    Raises
    ------
    ValueError
        If the two are of different shape.
    """
    from scipy.optimize import linear_sum_assignment  # half a second to import

    a, b = _stacked(chi_a), _stacked(chi_b)
    if a.shape != b.shape:
        raise ValueError(f"chi of different shape cannot be compared: {a.shape} and {b.shape} (samples, states)")
    n = a.shape[1]
    shared = np.bincount(a.argmax(axis=1) * n + b.argmax(axis=1), minlength=n * n).reshape(n, n)
    rows, columns = linear_sum_assignment(-shared)
    both = shared[rows, columns]
    either = shared.sum(axis=1) + shared.sum(axis=0)[columns]
    f1 = np.divide(2 * both, either, out=np.zeros(n), where=either > 0)
    return StateAgreement(permutation=columns, overall=float(both.sum() / len(a)), f1=f1)


def restart_agreement(runs: Sequence[ChiLike], reference: int = 0) -> StateAgreement:
    """Compare one run with all others: which of its states were found again?

    Parameters
    ----------
    runs : list of chi lists
        At least two.
    reference : int

    Returns
    -------
    StateAgreement

    Raises
    ------
    ValueError
        If there is a single run, or the runs are of different frames or numbers of states.
    """
    if len(runs) < 2:
        raise ValueError("agreement needs at least two runs")
    reference = range(len(runs))[reference]  # -1 is the last one
    others = [state_agreement(runs[reference], run) for i, run in enumerate(runs) if i != reference]
    return StateAgreement(
        permutation=np.stack([other.permutation for other in others]),
        overall=min(other.overall for other in others),
        f1=np.min([other.f1 for other in others], axis=0),
    )
