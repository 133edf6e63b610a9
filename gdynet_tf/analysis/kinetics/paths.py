"""What a transition matrix says about paths: residence times, mean first passage times, committors."""

import numpy as np

from gdynet_tf.analysis.kinetics.spectral import stationary_distribution

__all__ = ["committor", "mean_first_passage_times", "reactive_flux", "residence_times"]

_STOCHASTIC = 1e-6  # by how much a row may miss the sum of one
_NEVER = 1e-12  # rounding, not a transition: no data hold 10^12 pairs


def _transition_matrix(K):
    """K as float64 if its rows are probabilities up to statistical noise, which is cut off."""
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


def _reachable(K):
    """(n, n) bool: whether the column's state can be reached from the row's."""
    return np.linalg.matrix_power((K > 0) + np.eye(len(K)), len(K)) > 0


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


def residence_times(K, lag_time=1.0):
    """Mean time spent in each state before it is left, lag_time / (1 - K_ii).

    Visits elsewhere that are over within the lag time go unseen, so this grows with the lag; it is the mean of a
    geometric distribution.

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
    stay = np.diag(_transition_matrix(K))
    return np.divide(lag_time, 1 - stay, out=np.full(len(stay), np.inf), where=stay < 1)


def mean_first_passage_times(K, target, lag_time=1.0):
    """Mean time to reach the target states for the first time from each state.

    Solves m = lag_time + K m with m = 0 on the target (Norris, Markov Chains, Theorem 1.3.5).

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
    K = _transition_matrix(K)
    target = np.unique(np.atleast_1d(target))
    if not len(target) or target.min() < 0 or target.max() >= len(K):
        raise ValueError(f"target must name states from 0 to {len(K) - 1}, got {target.tolist()}")
    rest = np.setdiff1d(np.arange(len(K)), target)
    times = np.zeros(len(K))
    # States from which, before the target, a state with no way to it can be reached have no finite mean.
    absorbing = K.copy()
    absorbing[target] = np.eye(len(K))[target]
    reach = _reachable(absorbing)
    stuck = ~reach[:, target].any(axis=1)
    endless = reach[:, stuck].any(axis=1)
    times[endless] = np.inf
    rest = rest[~endless[rest]]
    times[rest] = np.linalg.solve(np.eye(len(rest)) - K[np.ix_(rest, rest)], np.full(len(rest), float(lag_time)))
    return times


def committor(K, source, target):
    """Probability of reaching the target states before the source states, from each state.

    Solves q = K q with q = 0 on the source and 1 on the target (Metzner et al., Multiscale Model. Simul. 7, 1192
    (2009)).

    Parameters
    ----------
    K : (n, n) array
        Rows are probabilities.
    source, target : int or sequence of int

    Returns
    -------
    (n,) float64
        NaN for states from which neither can be reached.
    """
    K = _transition_matrix(K)
    source, target = _sets(len(K), source, target)
    q = np.full(len(K), np.nan)
    q[source], q[target] = 0.0, 1.0
    can = _reachable(K)[:, np.concatenate([source, target])].any(axis=1)
    rest = np.setdiff1d(np.flatnonzero(can), np.concatenate([source, target]))
    q[rest] = np.linalg.solve(np.eye(len(rest)) - K[np.ix_(rest, rest)], K[np.ix_(rest, target)].sum(axis=1))
    return q


def reactive_flux(K, source, target, lag_time=1.0):
    """Net flux of transition paths from source to target, and their rate.

    f_ij = pi_i q-_i K_ij q+_j, net f+_ij = max(0, f_ij - f_ji); the rate is the total flux out of the source per time
    divided by the probability of having last been there (Noé et al., PNAS 106, 19011 (2009)). The backward committor
    is that of the time-reversed matrix, so detailed balance is not needed.

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
    K = _transition_matrix(K)
    source, target = _sets(len(K), source, target)
    pi = stationary_distribution(K)
    if (pi <= 0).any():
        raise ValueError(f"state {int(np.argmin(pi))} is never populated: paths through it have no reverse")
    backward = (pi[:, None] * K).T / pi[:, None]
    forward_committor = committor(K, source, target)
    backward_committor = committor(backward, target, source)
    flux = pi[:, None] * backward_committor[:, None] * K * forward_committor / lag_time
    np.fill_diagonal(flux, 0.0)
    net = np.clip(flux - flux.T, 0, None)
    others = np.setdiff1d(np.arange(len(K)), source)
    total = flux[np.ix_(source, others)].sum()
    return net, float(total / (pi * backward_committor).sum())
