"""What the states are worth: populations, crispness, and states that collapsed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gdynet_tf.analysis.blocks import Blocks
from gdynet_tf.analysis.chi import Chi, ChiLike, as_chi
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.covariances import second_moments
from gdynet_tf.analysis.kinetics.koopman import koopman_copies, koopman_matrix
from gdynet_tf.analysis.kinetics.rates import count_slow
from gdynet_tf.analysis.kinetics.spectral import eigenvalues, stationary_distribution
from gdynet_tf.analysis.uncertainty import PROBABILITY, Estimate, estimate_from_copies, estimate_from_sums
from gdynet_tf.findings import Finding

__all__ = [
    "CollapsedStates",
    "collapsed_states",
    "crispness",
    "departure_from_equilibrium",
    "estimated_populations",
    "likeliest_populations",
    "populations",
]

_NEVER = 1e-3  # share of frames below which a state counts as never the likeliest
_SAME = 0.99  # correlation of two states' chi from which they count as identical
_SAME_ROWS = 0.02  # largest difference of two rows of K from which two states change alike
_DEPARTS = 0.01  # false alarms of the test for equilibrium


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

    Out of equilibrium the average over the frames depends on when they were taken: it is not a property of the system,
    and what all targets do alike as they relax is no error of it. Where targets or trajectories tell that populations
    are not those to which the dynamics leads (`departure_from_equilibrium`), there is no interval. Blocks of time hold
    at least thirty relaxation times together, and what the first of them holds of the start widens the interval.

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
    if blocks and blocks.basis.kind != "time blocks":
        departure = departure_from_equilibrium(chi, tau)
        if ((departure.lower > 0) | (departure.upper < 0)).any():
            blocks = Blocks(replace(blocks.basis, kind=None, reason="not in equilibrium"))
    if not blocks:
        return estimate_from_copies(populations(chi)[None], blocks)
    return estimate_from_sums(
        lambda total, share: total / (share * chi.n_frames * chi.n_targets),
        [blocks.sums(chi), blocks.weights],
        blocks,
        PROBABILITY,
    )


def departure_from_equilibrium(chi: ChiLike, tau: int | None = None) -> Estimate:
    """Populations less the stationary distribution of K: where the data are from where the dynamics leads.

    The two differ by what the first and the last frames hold, because K takes the mean of chi over the pairs' first
    frames to that over their second ones. Groups of targets are taken alone: a move that all targets make is what is
    asked for, not scatter.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.

    Returns
    -------
    Estimate
        (n_states,), with intervals that all hold zero in 99 % of the cases in equilibrium; NaN where there is no
        stationary distribution.
    """
    chi = as_chi(chi)
    tau = chi.lag(tau)
    blocks = independent_blocks(chi, tau).alone
    share = blocks.left_out(blocks.weights) if blocks else np.ones(1)
    means = blocks.left_out(blocks.sums(chi)) / (share * chi.n_frames * chi.n_targets)[:, None]
    leads_to = [_stationary_or_nan(K) for K in koopman_copies(chi, [tau], blocks)[:, 0]]
    return estimate_from_copies(means - leads_to, blocks, level=1 - _DEPARTS / (chi.n_states - 1))


def _stationary_or_nan(K: np.ndarray) -> np.ndarray:
    try:
        return stationary_distribution(K)
    except ValueError:
        return np.full(len(K), np.nan)


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
