"""All results of a run on one part of its data."""

from dataclasses import dataclass, field

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.report.atomistic import ReportOptions, Surroundings, analyse_surroundings

__all__ = ["Analysis", "Kinetics", "analyse"]

_CK_STEPS = 5
_RESAMPLES = 100


@dataclass(frozen=True)
class Kinetics:
    """What the transition matrix says about paths; from the constrained estimate, whose rows are probabilities.

    Attributes
    ----------
    residence, residence_interval : (n,) and (2, n) float
        Mean residence times.
    first_passage : (n, n) float
        Mean first passage times, row to column.
    source, target : int
        States at the two ends of the slowest relaxation.
    committor : (n,) float
        Probability of reaching target before source.
    rate : float
        From source to target, per unit of time; NaN without stationary distribution.
    estimators : dict
        Name -> (n - 1,) timescales at tau.
    bootstrap : (2, n - 1) float
        Block-bootstrap interval of the plain estimate's; NaN where the data hold too few blocks.
    """

    residence: np.ndarray
    residence_interval: tuple
    first_passage: np.ndarray
    source: int
    target: int
    committor: np.ndarray
    rate: float
    estimators: dict
    bootstrap: np.ndarray


@dataclass
class Analysis:
    """Results of a run on one part of its data."""

    run: ga.Run
    split: str
    chi: list
    koopman: np.ndarray
    eigenvectors: ga.Eigenvectors
    stationary: np.ndarray
    populations: np.ndarray
    populations_interval: tuple
    timescales: ga.ImpliedTimescales
    ck: ga.ChapmanKolmogorovTest | None
    kinetics: Kinetics
    vamp2: float
    verdict: str
    surroundings: Surroundings | None
    caveats: list = field(default_factory=list)


def analyse(run, split="test", options=None):
    """All results of a run on one part of its data.

    Parameters
    ----------
    run : Run
    split : {"test", "validation", "train", "all"}
    options : ReportOptions, optional

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If that part has no pair at the run's lag time, or an option does not fit the system.
    """
    options = options or ReportOptions()
    chi, tau = ga.load_chi(run, split), run.tau
    longest = max(len(segment) for segment in chi)
    if longest <= tau:
        raise InputError(f"{run.path}: the {split} data have segments of {longest} frames, the lag time is {tau}")
    units = {"frame_interval": run.frame_interval, "time_unit": run.time_unit}
    K = ga.koopman_matrix(chi, tau)
    vectors = ga.eigenvectors(K)
    timescales = ga.implied_timescales(chi, ga.default_lags(tau, longest), **units)
    n_steps = min(_CK_STEPS, (longest - 1) // tau)
    ck = ga.chapman_kolmogorov_test(chi, tau, n_steps, **units) if n_steps > 1 else None
    samples = ga.independent_samples(chi, tau)
    values = ga.populations(chi)
    nothing = np.full_like(values, np.nan)
    interval = ga.confidence_interval([ga.populations(p) for p in samples.parts]) if samples.by else (nothing, nothing)
    caveats = []
    try:
        stationary = ga.stationary_distribution(K)
    except ValueError as error:
        stationary = nothing
        caveats.append(f"There is no stationary distribution: {error}.")
    verdict, more = ga.assess(chi, timescales, ck, run.frame_interval, tau)
    surroundings, missing = _surroundings(run, split, chi, options)
    return Analysis(
        run,
        split,
        chi,
        K,
        vectors,
        stationary,
        values,
        interval,
        timescales,
        ck,
        _kinetics(chi, tau, run.frame_interval, samples, vectors),
        ga.vamp2_score(chi, tau),
        verdict,
        surroundings,
        [*ga.collapsed_states(chi, tau).messages, *more, *caveats, *missing],
    )


def _surroundings(run, split, chi, options):
    """The results that need the atoms, or why there are none."""
    try:
        ga.load_system(run, split)
    except InputError as error:
        return None, [f"Nothing is said about structure and motion: {error}."]
    found = analyse_surroundings(run, split, chi, options)
    return found, found.caveats


def _bootstrap(chi, tau, lag_time):
    """Intervals of the timescales from resampled blocks of twice the slowest of them, or of ten lags."""

    def rates(resampled):
        values = ga.eigenvalues(ga.koopman_matrix(resampled, tau))[1:]
        return np.array([1 / ga.timescale(complex(value), lag_time)[0] for value in values])

    slowest = ga.timescale(complex(ga.eigenvalues(ga.koopman_matrix(chi, tau))[1]), lag_time)[0]
    frames = max(2 * slowest / lag_time, 10) * tau if np.isfinite(slowest) else np.inf
    try:
        fast, slow = ga.block_bootstrap(rates, chi, int(min(frames, 1e9)), _RESAMPLES)[::-1]
    except ValueError:
        return np.full((2, chi[0].shape[2] - 1), np.nan)
    return np.stack([np.divide(1, rate, out=np.full(len(rate), np.inf), where=rate > 0) for rate in (fast, slow)])


def _kinetics(chi, tau, frame_interval, samples, vectors):
    K, lag_time = ga.koopman_matrix(chi, tau, "constrained"), tau * frame_interval
    n = len(K)
    residence = ga.residence_times(K, lag_time)
    interval = (np.full(n, np.nan),) * 2
    if samples.by:  # rates scatter evenly about that of the whole, times do not
        parts = [ga.residence_times(ga.koopman_matrix(part, tau, "constrained"), lag_time) for part in samples.parts]
        slow, fast = ga.confidence_interval(1 / np.array(parts))
        interval = tuple(np.divide(1, rate, out=np.full(n, np.inf), where=rate > 0) for rate in (fast, slow))
    slowest = vectors.right[:, 1].real
    source, target = int(np.argmin(slowest)), int(np.argmax(slowest))
    if source == target:  # an eigenvector without contrast
        source, target = 0, n - 1
    try:
        rate = ga.reactive_flux(K, source, target, lag_time)[1]
    except ValueError:
        rate = np.nan
    estimators = {
        name: np.array([ga.timescale(complex(value), lag_time)[0] for value in ga.eigenvalues(matrix)[1:]])
        for name, matrix in (
            ("plain", ga.koopman_matrix(chi, tau)),
            ("reversible", ga.koopman_matrix(chi, tau, "reversible")),
            ("constrained", K),
        )
    }
    return Kinetics(
        residence,
        interval,
        np.stack([ga.mean_first_passage_times(K, j, lag_time) for j in range(n)], axis=1),
        source,
        target,
        ga.committor(K, source, target),
        rate,
        estimators,
        _bootstrap(chi, tau, lag_time),
    )
