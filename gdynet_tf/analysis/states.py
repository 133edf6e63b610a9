"""What the states are worth: populations, crispness, and states that collapsed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.covariances import second_moments
from gdynet_tf.analysis.kinetics.koopman import koopman_matrix
from gdynet_tf.analysis.kinetics.rates import count_slow
from gdynet_tf.analysis.kinetics.spectral import eigenvalues
from gdynet_tf.analysis.uncertainty import PROBABILITY, Estimate, estimate_from_copies, estimate_from_sums
from gdynet_tf.findings import Finding

__all__ = [
    "CollapsedStates",
    "collapsed_states",
    "crispness",
    "estimated_populations",
    "likeliest_populations",
    "populations",
]

_NEVER = 1e-3  # share of frames below which a state counts as never the likeliest
_SAME = 0.99  # correlation of two states' chi from which they count as identical
_SAME_ROWS = 0.02  # largest difference of two rows of K from which two states change alike


def populations(chi: ChiLike) -> np.ndarray:
    """Mean of chi over frames and targets.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays

    Returns
    -------
    (n_states,) float64
    """
    chi = as_chi(chi)
    total = sum(segment.sum(axis=(0, 1), dtype=np.float64) for segment in chi)
    return total / sum(segment.shape[0] * segment.shape[1] for segment in chi)


def estimated_populations(chi: ChiLike, tau: int | None = None) -> Estimate:
    """Populations with their intervals.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames at which the relaxation is looked at; that of chi when not given.

    Returns
    -------
    Estimate
        (n_states,). The time average of these data: in equilibrium also the stationary distribution.
    """
    chi = as_chi(chi)
    blocks = independent_blocks(chi, tau)
    if not blocks:
        return estimate_from_copies(populations(chi)[None], blocks)
    return estimate_from_sums(
        lambda total, share: total / (share * chi.n_frames * chi.n_targets),
        [blocks.sums(chi), blocks.weights],
        blocks,
        PROBABILITY,
    )


def likeliest_populations(chi: ChiLike) -> np.ndarray:
    """Share of frames and targets in which each state is the likeliest.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays

    Returns
    -------
    (n_states,) float64
    """
    chi = as_chi(chi)
    n = chi[0].shape[2]
    counts = np.sum([np.bincount(segment.argmax(axis=2).ravel(), minlength=n) for segment in chi], axis=0)
    return counts / counts.sum()


def crispness(chi: ChiLike, threshold: float = 0.9) -> float:
    """Share of frames and targets whose likeliest state has a probability above ``threshold``.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    threshold : float

    Returns
    -------
    float
    """
    chi = as_chi(chi)
    return float(np.mean(np.concatenate([(segment.max(axis=2) > threshold).ravel() for segment in chi])))


@dataclass(frozen=True)
class CollapsedStates:
    """States that are not states of their own.

    Attributes
    ----------
    never_likeliest : list of int
    identical : list of (int, int)
        Pairs with the same chi.
    same_dynamics : list of (int, int)
        Pairs that lead to the same states with the same probabilities within the lag time.
    n_slow : int
        Relaxations that outlast the lag time; n_states - 1 when every state has a slow process of its own.
    findings : list of Finding
        The same in plain words; empty when all states stand.
    """

    never_likeliest: list[int]
    identical: list[tuple[int, int]]
    same_dynamics: list[tuple[int, int]]
    n_slow: int
    findings: list[Finding]

    @property
    def messages(self) -> list[str]:
        """The texts of the findings."""
        return [finding.text for finding in self.findings]

    def to_dataframe(self) -> Any:
        """A row for each finding, as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([{"kind": f.kind, "severity": f.severity, "text": f.text} for f in self.findings])


def collapsed_states(chi: ChiLike, tau: int) -> CollapsedStates:
    """States that are never the likeliest, identical, or not told apart by their dynamics.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
    tau : int
        Lag time in frames.

    Returns
    -------
    CollapsedStates
    """
    chi = as_chi(chi)
    share, n = likeliest_populations(chi), chi[0].shape[2]
    never = [int(i) for i in np.flatnonzero(share < _NEVER)]
    correlation, K = _correlation(chi), koopman_matrix(chi, tau)
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    identical = [p for p in pairs if correlation[p] > _SAME]
    alive = [p for p in pairs if not set(p) & set(never) and p not in identical]
    alike = [(i, j) for i, j in alive if np.abs(K[i] - K[j]).max() < _SAME_ROWS]
    n_slow = count_slow(eigenvalues(K)[1:])
    return CollapsedStates(
        never_likeliest=never,
        identical=identical,
        same_dynamics=alike,
        n_slow=n_slow,
        findings=[*_about_states(share, never, identical, alike), *_about_processes(n_slow, n)],
    )


_ADVICE = "ask for fewer states, or a shorter lag time"


def _about_states(
    share: np.ndarray, never: Sequence[int], identical: Sequence[tuple[int, int]], alike: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    for i in never:
        text = f"State {i} has collapsed: it is the likeliest in {100 * share[i]:.2g} % of the frames; {_ADVICE}."
        yield Finding(kind="empty state", severity="warning", text=text, numbers={"state": i, "share": float(share[i])})
    for i, j in identical:
        text = f"States {i} and {j} have collapsed into one: their chi are the same; {_ADVICE}."
        yield Finding(kind="identical states", severity="warning", text=text, numbers={"states": (i, j)})
    for i, j in alike:
        text = (
            f"States {i} and {j} are not told apart by their dynamics: within the lag time both lead to the same "
            f"states with the same probabilities (to {_SAME_ROWS:g}); {_ADVICE}."
        )
        yield Finding(kind="same dynamics", severity="warning", text=text, numbers={"states": (i, j)})


def _about_processes(n_slow: int, n: int) -> Iterator[Finding]:
    if not n_slow:
        text = (
            "Nothing slow was found: no relaxation outlasts the lag time, so the states are arbitrary; try a shorter "
            "lag time or other targets."
        )
    elif n_slow < n - 1:
        text = (
            f"Only {n_slow} of {n - 1} relaxations outlast{'s' if n_slow == 1 else ''} the lag time: "
            f"{n_slow + 1} states describe what is slow, the border of the others is not a finding; {_ADVICE}."
        )
    else:
        return
    yield Finding(kind="few slow processes", severity="warning", text=text, numbers={"n_slow": n_slow, "n_states": n})


def _correlation(chi: Chi) -> np.ndarray:
    """Correlation coefficients of the states' chi, zero for a state that does not vary."""
    n = chi[0].shape[2]
    mean = populations(chi)
    covariance = second_moments(chi) - np.outer(mean, mean)
    deviation = np.sqrt(np.clip(np.diag(covariance), 0, None))
    scale = np.outer(deviation, deviation)
    return np.divide(covariance, scale, out=np.zeros((n, n)), where=scale > 1e-12)
