"""The choice of lag time and number of states: the smallest of both that fulfil the Chapman-Kolmogorov equation.

Xie et al. 2019, "Hyperparameter optimization and model validation": more states and longer lags always help a model to
look Markovian and always cost detail, so the smallest that pass within statistical uncertainty are taken.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.learning.identification import identify_states
from gdynet_tf.learning.prediction import predict_blocks
from gdynet_tf.learning.splits import time_folds
from gdynet_tf.learning.training import train_network

__all__ = ["Candidate", "Selection", "recommend", "scan_lags", "select_model"]

_CK_STEPS = 5


@dataclass(frozen=True)
class Candidate:
    """One number of states at one lag time.

    Attributes
    ----------
    n_states : int
    lag : int
        Frames.
    ck_passed : bool or None
        None: without intervals, or with too few steps to tell.
    max_deviation : float
        Of the Chapman-Kolmogorov test; NaN when it was not made.
    timescales : (n_states - 1,) float
        At that lag; NaN where there is none.
    n_slow : int
        Relaxations that outlast the lag.
    flat : bool
        No timescale leaves its interval from this lag to the longest one that the slowest relaxation outlasts.
    interval : str
        What the intervals were taken from, or why there are none.
    """

    n_states: int
    lag: int
    ck_passed: bool | None
    max_deviation: float
    timescales: np.ndarray
    n_slow: int
    flat: bool
    interval: str

    @property
    def verdict(self):
        """One of passes; fails: the test does; drifts: a timescale does; undecided; "K of N slow".

        A test of a model in which everything is over within the lag time holds whatever the states are, so each
        state must come with a relaxation of its own that outlasts the lag.
        """
        if self.n_slow < self.n_states - 1:
            return f"{self.n_slow} of {self.n_states - 1} slow"
        if self.ck_passed is None:
            return "undecided"
        if not self.ck_passed:
            return "fails"
        return "passes" if self.flat else "drifts"


@dataclass(frozen=True)
class Selection:
    """What the scan found.

    Attributes
    ----------
    candidates : list of Candidate
    scores : dict
        n_states -> list of the test VAMP-2 of the folds.
    recommended : Candidate or None
    reason : str
    """

    candidates: list
    scores: dict
    recommended: Candidate | None
    reason: str


def scan_lags(chi, lags, frame_interval=1.0, time_unit="frames"):
    """Chapman-Kolmogorov test and timescales of one chi at several lags.

    Parameters
    ----------
    chi : list of (F, n_targets, n_states) arrays
        That the network was not trained on.
    lags : sequence of int
        Frames.
    frame_interval : float
        In ``time_unit``.
    time_unit : str

    Returns
    -------
    list of Candidate
    """
    n, longest, candidates = chi[0].shape[2], max(map(len, chi)), []
    scanned = [lag for lag in lags if lag < longest]
    flat = _flat(chi, scanned, frame_interval)
    for lag in lags:
        n_steps = min(_CK_STEPS, (longest - 1) // lag)
        if n_steps < 1:
            none = np.full(n - 1, np.nan)
            candidates.append(Candidate(n, lag, None, np.nan, none, n - 1, True, "the data are too short"))
            continue
        test = ga.chapman_kolmogorov_test(chi, lag, n_steps, frame_interval, time_unit)
        values = ga.eigenvalues(ga.koopman_matrix(chi, lag))[1:]
        times = np.array([ga.timescale(complex(value), lag * frame_interval)[0] for value in values])
        slow = int((np.abs(values) > np.exp(-1)).sum())
        candidates.append(Candidate(n, lag, test.passed, test.max_deviation, times, slow, flat[lag], test.interval))
    return candidates


def _flat(chi, lags, frame_interval):
    """lag -> whether no timescale leaves its interval between this lag and the longest that is still slow."""
    if not lags:
        return {}
    result = ga.implied_timescales(chi, lags, frame_interval)
    slow = result.lag_times[result.timescales[0] > result.lag_times]
    last = slow.max(initial=result.lag_times[0])
    return {
        lag: all(
            ga.flat_within_interval(result, time, max(time, last), process) is not False
            for process in range(len(result.timescales))
        )
        for lag, time in zip(lags, result.lag_times, strict=True)
    }


def recommend(candidates):
    """The smallest number of states, and the smallest lag from which on all pass.

    A longer lag that is undecided, or at which relaxations are over, does not count against a shorter one.

    Parameters
    ----------
    candidates : list of Candidate

    Returns
    -------
    Candidate or None
    str
        Why.
    """
    refuted = {
        n: max((c.lag for c in candidates if c.n_states == n and c.verdict in ("fails", "drifts")), default=0)
        for n in {c.n_states for c in candidates}
    }
    passing = sorted(
        (c for c in candidates if c.verdict == "passes" and c.lag > refuted[c.n_states]),
        key=lambda c: (c.n_states, c.lag),
    )
    if not passing:
        return None, _why_none(candidates)
    chosen = passing[0]
    reason = (
        f"{chosen.n_states} states at a lag of {chosen.lag} frames: the smallest number of states for which the "
        "Chapman-Kolmogorov test holds within its intervals with every relaxation slower than the lag, and the "
        "shortest lag from which on it does, with constant timescales"
    )
    more = [c for c in passing if c.n_states > chosen.n_states]
    if more:
        largest = max(c.n_states for c in more)
        shortest = min(c.lag for c in more if c.n_states == largest)
        reason += f"; {largest} states pass as well, from a lag of {shortest} frames, and tell more"
    return chosen, reason


def _why_none(candidates):
    counts = {"passes": 0, "fails": 0, "drifts": 0, "undecided": 0, "slow": 0}
    for candidate in candidates:
        counts[candidate.verdict.split()[-1]] += 1
    parts = [
        f"{n} {text}"
        for n, text in (
            (counts["fails"], "fail the Chapman-Kolmogorov test"),
            (counts["drifts"], "have timescales that are not constant in the lag"),
            (counts["passes"], "pass, but not so all longer lags"),
            (counts["undecided"], "are undecided, the data being too short for intervals"),
            (counts["slow"], "have fewer relaxations slower than the lag than states to tell apart"),
        )
        if n
    ]
    return f"none of the {len(candidates)} combinations passes: {'; '.join(parts)}"


def select_model(graphs, settings, n_states, lags, n_splits, seed, folder, progress=True):
    """Cross-validate every number of states and scan the lags of the last fold's test data.

    Parameters
    ----------
    graphs : GraphDataset
    settings : TrainingSettings
        Of all trainings but for the number of states; ``tau`` is the lag time of the training.
    n_states : sequence of int
    lags : sequence of int
        Frames.
    n_splits : int
        Folds of scikit-learn's TimeSeriesSplit, with a gap of tau.
    seed : int
    folder : path-like
        Gets a directory for each training.
    progress : bool

    Returns
    -------
    Selection
    """
    folds = time_folds(graphs.segments, settings.tau, n_splits)
    units = (graphs.meta["frame_interval"], graphs.meta["time_unit"])
    candidates, scores = [], {}
    for n in n_states:
        scores[n] = []
        for k, fold in enumerate(folds):
            if progress:
                print(f"{n} states, fold {k + 1} of {n_splits}", flush=True)
            model, _ = train_network(
                graphs, fold, replace(settings, n_states=n), seed, Path(folder) / f"n{n}_fold{k + 1}", progress=progress
            )
            identify_states(model, graphs, fold.train, settings.tau)
            chi = [np.concatenate(list(predict_blocks(model, graphs, block))) for block in fold.test]
            scores[n].append(ga.vamp2_score(chi, settings.tau))
        candidates += scan_lags(chi, lags, *units)
    return Selection(candidates, scores, *recommend(candidates))
