"""All results of a run on one part of its data."""

from __future__ import annotations

import contextlib

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.errors import InputError
from gdynet_tf.report.atomistic import AtomisticResults, ReportOptions, analyse_atoms
from gdynet_tf.report.explanation import explanation_findings
from gdynet_tf.report.results import Analysis, Kinetics, Trace, without_times
from gdynet_tf.report.trust import assess, restart_findings

__all__ = ["analyse"]

_CK_STEPS = 5
_TRACE_POINTS = 2000


def analyse(run: ga.Run, split: str = "test", options: ReportOptions | None = None) -> Analysis:
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
    if chi.longest <= tau:
        raise InputError(f"{run.path}: the {split} data have segments of {chi.longest} frames, the lag time is {tau}")
    units = (run.frame_interval, run.time_unit)
    koopman = ga.estimated_koopman_matrix(chi)
    vectors = ga.eigenvectors(koopman.value)
    timescales = ga.implied_timescales(chi, ga.default_lags(tau, chi.longest), *units)
    n_steps = min(_CK_STEPS, (chi.longest - 1) // tau)
    ck = ga.chapman_kolmogorov_test(chi, tau, n_steps, *units) if n_steps > 1 else None
    populations = ga.estimated_populations(chi)
    stationary, findings = _stationary(koopman.value)
    kinetics = _kinetics(chi, vectors)
    verdict, more = assess(chi, timescales, ck)
    if verdict.kind == "no dynamics":  # numbers of what did not happen are none
        timescales, kinetics = without_times(timescales), kinetics.without_times()
    atomistic, missing = _atomistic(run, split, chi, options)
    return Analysis(
        run=run,
        split=split,
        chi=chi,
        vamp2=ga.vamp2_score(chi),
        koopman=koopman,
        populations=populations,
        stationary=stationary,
        eigenvectors=vectors,
        timescales=timescales,
        ck=ck,
        kinetics=kinetics,
        trace=_trace(chi, timescales),
        atomistic=atomistic,
        verdict=verdict,
        findings=[
            *ga.collapsed_states(chi, tau).findings,
            *more,
            *findings,
            *kinetics.findings,
            *missing,
            *explanation_findings(run),
            *run.findings,
            *restart_findings(run.scores.get("agreement")),
        ],
    )


def _stationary(K: np.ndarray) -> tuple[np.ndarray, list[ga.Finding]]:
    """Stationary distribution, or why there is none."""
    try:
        return ga.stationary_distribution(K), []
    except ValueError as error:
        text = f"There is no stationary distribution: {error}."
        return np.full(len(K), np.nan), [ga.Finding(kind="no stationary distribution", severity="warning", text=text)]


def _atomistic(
    run: ga.Run, split: str, chi: ga.Chi, options: ReportOptions
) -> tuple[AtomisticResults | None, list[ga.Finding]]:
    """The results that need the atoms, or why there are none."""
    try:
        system = ga.load_system(run, split)
    except InputError as error:
        text = f"Nothing is said about structure and motion: {error}."
        return None, [ga.Finding(kind="no atoms", severity="note", text=text)]
    found = analyse_atoms(system, chi, options)
    return found, found.findings


def _kinetics(chi: ga.Chi, vectors: ga.Eigenvectors) -> Kinetics:
    times = ga.path_times(chi)
    lag_time = chi.lag() * chi.frame_interval
    slowest = vectors.right[:, 1].real
    source, target = int(np.argmin(slowest)), int(np.argmax(slowest))
    if source == target:  # an eigenvector without contrast
        source, target = 0, chi.n_states - 1
    committor, rate = None, np.nan
    with contextlib.suppress(ValueError):  # a state that was not visited, or one that is never left
        K = ga.koopman_matrix(chi, estimator="constrained")
        committor = ga.committor(K, source, target, lag_time)
        rate = ga.reactive_flux(K, source, target, lag_time)[1]
    return Kinetics(
        residence=times.residence,
        first_passage=times.first_passage,
        source=source,
        target=target,
        committor=committor,
        rate=rate,
        estimators=_estimators(chi),
        findings=times.findings,
    )


def _estimators(chi: ga.Chi) -> dict[str, ga.Estimate]:
    """Timescales at the lag time by estimator."""
    return {name: ga.estimated_timescales(chi, estimator=name) for name in ("plain", "reversible", "constrained")}


def _trace(chi: ga.Chi, timescales: ga.ImpliedTimescales) -> Trace:
    """The states of the liveliest target over some twenty of the slowest relaxation times."""
    slowest = timescales.timescales[0]
    frames = 20 * np.nanmax(np.where(np.isfinite(slowest), slowest, 0)) / chi.frame_interval
    n_frames = min(len(chi[0]), max(int(frames), _TRACE_POINTS))
    stride = -(-n_frames // _TRACE_POINTS)
    part = chi[0][:n_frames:stride]  # (f, n_targets, n_states)
    target = int(np.argmax((np.diff(part.argmax(axis=2), axis=0) != 0).sum(axis=0)))
    return Trace(
        time=np.arange(len(part)) * stride * chi.frame_interval,
        chi=np.asarray(part[:, target], np.float64),
        target=target,
        n_frames=n_frames,
        stride=stride,
    )
