"""What a transition matrix says about paths: residence times, mean first passage times, committors.

All of them follow from the rates behind the matrix (`rates.rate_matrix`): from the generator where there is one, so
that jumps within the lag time are counted, otherwise from one step per lag time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gdynet_tf.analysis.blocks import Blocks
from gdynet_tf.analysis.chi import ChiLike, as_chi
from gdynet_tf.analysis.independence import independent_blocks
from gdynet_tf.analysis.kinetics.covariances import covariances, covariances_without
from gdynet_tf.analysis.kinetics.koopman import constrained_of
from gdynet_tf.analysis.kinetics.rates import FARTHEST, RateMatrix, rate_matrix, rate_to_time
from gdynet_tf.analysis.kinetics.spectral import stationary_distribution
from gdynet_tf.analysis.uncertainty import POSITIVE, Estimate, estimate_from_copies, estimate_table
from gdynet_tf.findings import Finding

__all__ = [
    "PathTimes",
    "committor",
    "mean_first_passage_times",
    "path_times",
    "reactive_flux",
    "residence_times",
]

_NEVER = 1e-12  # beside the fastest rate: rounding of a matrix logarithm, not a transition


def _reachable(rates: np.ndarray) -> np.ndarray:
    """(n, n) bool: whether the column's state can be reached from the row's."""
    n = len(rates)
    linked = rates > _NEVER * np.abs(rates).max(initial=0)
    return np.linalg.matrix_power(linked + np.eye(n), n) > 0


def _sets(
    n: int, source: int | Sequence[int] | np.ndarray, target: int | Sequence[int] | np.ndarray
) -> list[np.ndarray]:
    sets = []
    for name, states in (("source", source), ("target", target)):
        states = np.unique(np.atleast_1d(states))
        if not len(states) or states.min() < 0 or states.max() >= n:
            raise ValueError(f"{name} must name states from 0 to {n - 1}, got {states.tolist()}")
        sets.append(states)
    if np.intersect1d(sets[0], sets[1]).size:
        raise ValueError(f"source {sets[0].tolist()} and target {sets[1].tolist()} share a state")
    return sets


def residence_times(K: np.ndarray, lag_time: float = 1.0) -> np.ndarray:
    """Mean time spent in each state before it is left, -1 / Q_ii with the generator Q = ln K / lag_time.

    Where there is none (`rate_matrix` tells), lag_time / (1 - K_ii): visits elsewhere that are over within the lag
    time then go unseen, and the times are too long.

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    lag_time : float

    Returns
    -------
    (n,) float64
        In the unit of ``lag_time``; inf for a state that is never left.
    """
    return rate_to_time(-np.diag(rate_matrix(K, lag_time).rates))


def mean_first_passage_times(
    K: np.ndarray, target: int | Sequence[int] | np.ndarray, lag_time: float = 1.0
) -> np.ndarray:
    """Mean time to reach the target states for the first time from each state.

    Solves sum_j Q_ij m_j = -1 with m = 0 on the target (Norris, Markov Chains, Theorem 3.3.3).

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    target : int or sequence of int
    lag_time : float

    Returns
    -------
    (n,) float64
        Zero on the target; inf where it cannot be reached.
    """
    return _first_passage(rate_matrix(K, lag_time).rates, target)


def _first_passage(rates: np.ndarray, target: int | Sequence[int] | np.ndarray) -> np.ndarray:
    n, target = len(rates), np.unique(np.atleast_1d(target))
    if not len(target) or target.min() < 0 or target.max() >= n:
        raise ValueError(f"target must name states from 0 to {n - 1}, got {target.tolist()}")
    rest = np.setdiff1d(np.arange(n), target)
    times = np.zeros(n)
    # States from which, before the target, a state with no way to it can be reached have no finite mean.
    absorbing = rates.copy()
    absorbing[target] = 0.0
    reach = _reachable(absorbing)
    stuck = ~reach[:, target].any(axis=1)
    endless = np.asarray(reach[:, stuck].any(axis=1))
    times[endless] = np.inf
    rest = rest[~endless[rest]]
    times[rest] = np.linalg.solve(-rates[np.ix_(rest, rest)], np.ones(len(rest)))
    return times


def committor(
    K: np.ndarray,
    source: int | Sequence[int] | np.ndarray,
    target: int | Sequence[int] | np.ndarray,
    lag_time: float = 1.0,
) -> np.ndarray:
    """Probability of reaching the target states before the source states, from each state.

    Solves sum_j Q_ij q_j = 0 with q = 0 on the source and 1 on the target (Metzner et al., Multiscale Model. Simul. 7,
    1192 (2009)).

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    source, target : int or sequence of int
    lag_time : float

    Returns
    -------
    (n,) float64
        NaN for states from which neither can be reached.
    """
    return _committor(rate_matrix(K, lag_time).rates, source, target)


def _committor(
    rates: np.ndarray, source: int | Sequence[int] | np.ndarray, target: int | Sequence[int] | np.ndarray
) -> np.ndarray:
    source, target = _sets(len(rates), source, target)
    q = np.full(len(rates), np.nan)
    q[source], q[target] = 0.0, 1.0
    can = _reachable(rates)[:, np.concatenate([source, target])].any(axis=1)
    rest = np.setdiff1d(np.flatnonzero(can), np.concatenate([source, target]))
    q[rest] = np.linalg.solve(-rates[np.ix_(rest, rest)], rates[np.ix_(rest, target)].sum(axis=1))
    return q


def reactive_flux(
    K: np.ndarray,
    source: int | Sequence[int] | np.ndarray,
    target: int | Sequence[int] | np.ndarray,
    lag_time: float = 1.0,
) -> tuple[np.ndarray, float]:
    """Net flux of transition paths from source to target, and their rate.

    f_ij = pi_i q-_i Q_ij q+_j, net f+_ij = max(0, f_ij - f_ji); the rate is the total flux out of the source divided by
    the probability of having last been there (Noé et al., PNAS 106, 19011 (2009)). The backward committor
    is that of the time-reversed rates, so detailed balance is not needed.

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities, with one stationary distribution.
    source, target : int or sequence of int
    lag_time : float

    Returns
    -------
    net_flux : (n, n) float64
        Per unit of time.
    rate : float
        From source to target, per unit of time.
    """
    rates = rate_matrix(K, lag_time).rates
    source, target = _sets(len(rates), source, target)
    pi = stationary_distribution(np.asarray(K, np.float64))
    if (pi <= 0).any():
        raise ValueError(f"state {int(np.argmin(pi))} is never populated: paths through it have no reverse")
    backward = (pi[:, None] * rates).T / pi[:, None]
    backward_committor = _committor(backward, target, source)
    flux = pi[:, None] * backward_committor[:, None] * rates * _committor(rates, source, target)
    np.fill_diagonal(flux, 0.0)
    net = np.clip(flux - flux.T, 0, None)
    others = np.setdiff1d(np.arange(len(rates)), source)
    total = flux[np.ix_(source, others)].sum()
    return net, float(total / (pi * backward_committor).sum())


@dataclass(frozen=True)
class PathTimes:
    """Mean residence and first passage times of the constrained estimate, with intervals.

    Attributes
    ----------
    residence : Estimate
        (n,), in ``time_unit``; NaN for a state that was not visited.
    first_passage : Estimate
        (n, n), from row to column.
    rates : RateMatrix
        What the times follow from, and whether they count what is over within the lag time.
    uncertainty : float
        Half the widest interval of the elements of the matrix, at least 0.01: what its rates may miss.
    is_certain : bool
        Whether the data tell if there is a generator. Otherwise the times may be of another kind, and have no interval.
    time_unit : str
    """

    residence: Estimate
    first_passage: Estimate
    rates: RateMatrix
    uncertainty: float
    is_certain: bool
    time_unit: str

    def to_dataframe(self) -> Any:
        """A row for each state's residence time and for each pair's first passage time, as a pandas DataFrame."""
        import pandas as pd

        states, unit = np.arange(len(self.residence.value)), self.time_unit
        start, end = {"from_state": states}, {"to_state": states}
        tables = [
            estimate_table([start], {"residence_time": self.residence}, unit),
            estimate_table([start, end], {"first_passage_time": self.first_passage}, unit),
        ]
        return pd.concat(tables, ignore_index=True)

    @property
    def findings(self) -> list[Finding]:
        """What must be said of the way the times were found."""
        found = []
        if not self.rates.is_generator:
            text = (
                "The Koopman matrix has no generator at this lag time: residence and first passage times are those of "
                f"a process that moves once in each lag time, and too long ({self.rates.reason})."
            )
            found.append(Finding(kind="no generator", severity="warning", text=text))
        elif self.rates.deviation > self.uncertainty:
            text = (
                "Residence and first passage times are those of the nearest matrix of rates, which misses the Koopman "
                f"matrix by {self.rates.deviation:.2g} (its uncertainty is {self.uncertainty:.2g}): the states are not "
                "Markovian at this lag time, and the times depend on it."
            )
            numbers = {"deviation": self.rates.deviation, "uncertainty": self.uncertainty}
            found.append(Finding(kind="nearest generator", severity="warning", text=text, numbers=numbers))
        if not self.is_certain:
            text = (
                "Residence and first passage times have no intervals: the data do not tell whether there are rates "
                f"behind the Koopman matrix (its lowest eigenvalue is {self.rates.lowest_eigenvalue:.2g}; zero or less "
                "has none, and near zero they may be anything). Try a shorter lag time, or fewer states."
            )
            numbers = {"lowest_eigenvalue": self.rates.lowest_eigenvalue, "deviation": self.rates.deviation}
            found.append(Finding(kind="rates uncertain", severity="warning", text=text, numbers=numbers))
        return found


def path_times(
    chi: ChiLike, tau: int | None = None, frame_interval: float | None = None, time_unit: str | None = None
) -> PathTimes:
    """Mean residence and first passage times, from the generator where there is one.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    tau : int, optional
        Lag time in frames; that of chi when not given.
    frame_interval : float, optional
    time_unit : str, optional

    Returns
    -------
    PathTimes
    """
    chi = as_chi(chi)
    tau, (frame_interval, time_unit) = chi.lag(tau), chi.units(frame_interval, time_unit)
    blocks, lag_time = independent_blocks(chi, tau), tau * frame_interval
    moments = covariances_without(chi, [tau], blocks)[:, 0] if blocks else np.array([covariances(chi, tau)])
    matrices = [constrained_of(c00, c0t) for c00, c0t, _ in moments]
    # What noise may have done to the rates.
    scatter = estimate_from_copies(np.array(matrices), blocks)
    uncertainty = float(np.nanmax([0.01, *np.ravel(scatter.upper - scatter.value)]))
    found = [rate_matrix(K, lag_time) for K in matrices]
    whole = found[0]
    residence, passage = (np.full((len(moments), *shape), np.nan) for shape in ((chi.n_states,), (chi.n_states,) * 2))
    for copy, rates in enumerate(found):
        if rates.is_generator == whole.is_generator:
            residence[copy] = rate_to_time(-np.diag(rates.rates))
            passage[copy] = np.stack([_first_passage(rates.rates, j) for j in range(chi.n_states)], axis=1)
    is_certain = _is_certain(found, blocks)
    if not is_certain:
        residence[1:] = passage[1:] = np.nan
    visited = np.diagonal(moments[:, 0], axis1=1, axis2=2) > _NEVER
    residence[~visited] = np.nan
    passage[~(visited[:, :, None] & visited[:, None, :])] = np.nan
    return PathTimes(
        residence=estimate_from_copies(residence, blocks, POSITIVE),
        first_passage=estimate_from_copies(passage, blocks, POSITIVE),
        rates=whole,
        uncertainty=uncertainty,
        is_certain=is_certain,
        time_unit=time_unit,
    )


def _is_certain(copies: list[RateMatrix], blocks: Blocks) -> bool:
    """Whether what decides about a generator is far enough from where it is decided, beside its scatter.

    The logarithm of the lowest eigenvalue must be known as well, so that this is kept away from zero by twice as much.
    """
    lowest, deviation = (
        estimate_from_copies(np.array([getattr(rates, name) for rates in copies]), blocks)
        for name in ("lowest_eigenvalue", "deviation")
    )
    return not (
        lowest.upper - lowest.value > abs(lowest.value) / 2
        or deviation.upper - deviation.value > abs(deviation.value - FARTHEST)
    )
