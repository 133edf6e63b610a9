"""What a transition matrix says about paths: residence times, mean first passage times, committors.

All of them follow from the rates behind the matrix (`rates.rate_matrix`): from the generator where there is one, so
that jumps within the lag time are counted, otherwise from one step per lag time.
"""

import numpy as np

from gdynet_tf.analysis.kinetics.rates import rate_matrix, rate_to_time
from gdynet_tf.analysis.kinetics.spectral import stationary_distribution

__all__ = ["committor", "mean_first_passage_times", "reactive_flux", "residence_times"]

_NEVER = 1e-12  # beside the fastest rate: rounding of a matrix logarithm, not a transition


def _reachable(rates):
    """(n, n) bool: whether the column's state can be reached from the row's."""
    n = len(rates)
    linked = rates > _NEVER * np.abs(rates).max(initial=0)
    return np.linalg.matrix_power(linked + np.eye(n), n) > 0


def _sets(n, source, target):
    sets = []
    for name, states in (("source", source), ("target", target)):
        states = np.unique(np.atleast_1d(states))
        if not len(states) or states.min() < 0 or states.max() >= n:
            raise ValueError(f"{name} must name states from 0 to {n - 1}, got {states.tolist()}")
        sets.append(states)
    if np.intersect1d(*sets).size:
        raise ValueError(f"source {sets[0].tolist()} and target {sets[1].tolist()} share a state")
    return sets


def residence_times(K, lag_time=1.0, tolerance=0.01):
    """Mean time spent in each state before it is left, -1 / Q_ii with the generator Q = ln K / lag_time.

    Where K has no generator (`rate_matrix` tells), lag_time / (1 - K_ii): visits elsewhere that are over within the lag
    time then go unseen, and the times are too long.

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    lag_time : float
    tolerance : float
        Uncertainty of the elements of K.

    Returns
    -------
    (n,) float64
        In the unit of ``lag_time``; inf for a state that is never left.
    """
    return rate_to_time(-np.diag(rate_matrix(K, lag_time, tolerance).rates))


def mean_first_passage_times(K, target, lag_time=1.0, tolerance=0.01):
    """Mean time to reach the target states for the first time from each state.

    Solves sum_j Q_ij m_j = -1 with m = 0 on the target (Norris, Markov Chains, Theorem 3.3.3).

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    target : int or sequence of int
    lag_time : float
    tolerance : float
        Uncertainty of the elements of K.

    Returns
    -------
    (n,) float64
        Zero on the target; inf where it cannot be reached.
    """
    rates = rate_matrix(K, lag_time, tolerance).rates
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
    endless = reach[:, stuck].any(axis=1)
    times[endless] = np.inf
    rest = rest[~endless[rest]]
    times[rest] = np.linalg.solve(-rates[np.ix_(rest, rest)], np.ones(len(rest)))
    return times


def committor(K, source, target, lag_time=1.0, tolerance=0.01):
    """Probability of reaching the target states before the source states, from each state.

    Solves sum_j Q_ij q_j = 0 with q = 0 on the source and 1 on the target (Metzner et al., Multiscale Model. Simul. 7,
    1192 (2009)).

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    source, target : int or sequence of int
    lag_time : float
    tolerance : float
        Uncertainty of the elements of K.

    Returns
    -------
    (n,) float64
        NaN for states from which neither can be reached.
    """
    return _committor(rate_matrix(K, lag_time, tolerance).rates, source, target)


def _committor(rates, source, target):
    source, target = _sets(len(rates), source, target)
    q = np.full(len(rates), np.nan)
    q[source], q[target] = 0.0, 1.0
    can = _reachable(rates)[:, np.concatenate([source, target])].any(axis=1)
    rest = np.setdiff1d(np.flatnonzero(can), np.concatenate([source, target]))
    q[rest] = np.linalg.solve(-rates[np.ix_(rest, rest)], rates[np.ix_(rest, target)].sum(axis=1))
    return q


def reactive_flux(K, source, target, lag_time=1.0, tolerance=0.01):
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
    tolerance : float
        Uncertainty of the elements of K.

    Returns
    -------
    net_flux : (n, n) float64
        Per unit of time.
    rate : float
        From source to target, per unit of time.
    """
    rates = rate_matrix(K, lag_time, tolerance).rates
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
