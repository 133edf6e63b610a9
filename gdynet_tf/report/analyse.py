"""All results of a run on one part of its data."""

from dataclasses import dataclass, field

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.report.atomistic import ReportOptions, Surroundings, analyse_surroundings

__all__ = ["Analysis", "Kinetics", "analyse"]

_CK_STEPS = 5


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
        Interval of the plain estimate's.
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
    populations = ga.estimated_populations(chi, tau)
    caveats = []
    try:
        stationary = ga.stationary_distribution(K)
    except ValueError as error:
        stationary = np.full_like(populations.value, np.nan)
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
        populations.value,
        (populations.lower, populations.upper),
        timescales,
        ck,
        _kinetics(chi, tau, run.frame_interval, timescales, vectors),
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


def _kinetics(chi, tau, frame_interval, timescales, vectors):
    K, lag_time = ga.koopman_matrix(chi, tau, "constrained"), tau * frame_interval
    n = len(K)
    times = ga.path_times(chi, tau, frame_interval)
    at_tau = timescales.lags == tau
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
        times.residence.value,
        (times.residence.lower, times.residence.upper),
        times.first_passage.value,
        source,
        target,
        ga.committor(K, source, target),
        rate,
        estimators,
        np.concatenate([timescales.lower[:, at_tau].T, timescales.upper[:, at_tau].T]),
    )
