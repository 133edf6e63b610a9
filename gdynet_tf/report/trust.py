"""How far the data can be trusted: verdict and caveats, as findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.chi import Chi, as_chi
from gdynet_tf.times import time_text

__all__ = ["assess", "restart_findings"]

_FEW_EVENTS = 20  # transitions seen; the relative error of a rate from n events is 1/sqrt(n), here 22 %
_LONG = 3  # a segment should hold three relaxation times to reach equilibrium to 5 %


def assess(
    chi: Chi,
    timescales: ga.ImpliedTimescales,
    ck: ga.ChapmanKolmogorovTest | None,
) -> tuple[ga.Finding, list[ga.Finding]]:
    """What the amount of data allows one to say.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
        What the results were computed from.
    timescales : ImpliedTimescales
        Holding the lag of ``ck``.
    ck : ChapmanKolmogorovTest or None
        None: the segments are too short for the test.

    Returns
    -------
    verdict : Finding
        Whether the model is Markovian at tau.
    caveats : list of Finding
    """
    chi = as_chi(chi)
    tau = ck.tau if ck is not None else chi.lag()
    if ck is not None:
        verdict = ck.finding
    else:
        text = "Not tested for being Markovian: the data are too short for a Chapman-Kolmogorov test."
        verdict = ga.Finding(kind="untested", severity="warning", text=text)
    caveats = [] if verdict.kind == "no dynamics" else [*_about_processes(chi, timescales, tau)]
    if timescales.basis.kind is None:
        text = f"The dynamics has no confidence intervals: {timescales.basis}."
        caveats.append(ga.Finding(kind="no intervals", severity="warning", text=text))
    elif timescales.basis.kind == "groups of targets":
        text = (
            "The intervals come from groups of targets, which were found to be independent of one another: they do not "
            "see how another stretch of time, or another simulation, would differ."
        )
        caveats.append(ga.Finding(kind="one stretch of time", severity="note", text=text))
    caveats += _about_equilibrium(chi, tau)
    return verdict, caveats


def _about_processes(chi: ga.Chi, timescales: ga.ImpliedTimescales, tau: int) -> Iterator[ga.Finding]:
    """Caveats on each relaxation."""
    unit, at_tau = timescales.time_unit, int(np.flatnonzero(timescales.lags == tau)[0])
    interval = timescales.lag_times[at_tau] / tau
    vectors = ga.eigenvectors(ga.koopman_matrix(chi, tau))
    transitions = ga.observed_transitions(chi, tau)  # (n, n)
    for process, slow in enumerate(timescales.timescales[:, at_tau]):
        status, name = timescales.status[process, at_tau], f"Relaxation {process + 1}"
        numbers: dict[str, Any] = {"process": process + 1, "timescale": float(slow)}
        if status == "unresolved":
            yield ga.Finding(
                kind="unresolved relaxation",
                severity="warning",
                text=f"{name} does not decay within the data: its eigenvalue has a modulus of 1 or more, its timescale "
                "is unknown.",
                numbers=numbers,
            )
        elif status == "negative":
            yield ga.Finding(
                kind="negative eigenvalue",
                severity="warning",
                text=f"{name} is faster than the lag time or alternates with it: its eigenvalue is not positive, it "
                "has no timescale.",
                numbers=numbers,
            )
        elif slow >= tau * interval:
            sign = vectors.right[:, process + 1].real > 0
            n_events = int(transitions[np.ix_(sign, ~sign)].sum() + transitions[np.ix_(~sign, sign)].sum())
            numbers |= {"n_transitions": n_events, "longest": chi.longest * interval}
            yield from _about_slow(name, slow, unit, numbers)
        if status == "complex":
            yield ga.Finding(
                kind="oscillation",
                severity="note",
                text=f"{name} oscillates (complex eigenvalue): its timescale is the decay time of the oscillation.",
                numbers=numbers,
            )


def _about_slow(name: str, slow: float, unit: str, numbers: dict[str, Any]) -> Iterator[ga.Finding]:
    longest, n_events = numbers["longest"], numbers["n_transitions"]
    if slow > longest:
        yield ga.Finding(
            kind="extrapolated",
            severity="warning",
            text=f"{name} ({time_text(slow, unit)}) outlasts the longest stretch of data "
            f"({time_text(longest, unit, 4)}): the value is an extrapolation, resting on the many targets and on the "
            "model being Markovian.",
            numbers=numbers,
        )
    elif slow * _LONG > longest:
        yield ga.Finding(
            kind="short data",
            severity="warning",
            text=f"{name} ({time_text(slow, unit)}) is more than a third of the longest stretch of data "
            f"({time_text(longest, unit, 4)}): populations may not have reached equilibrium.",
            numbers=numbers,
        )
    if n_events < _FEW_EVENTS:
        yield ga.Finding(
            kind="few events",
            severity="warning",
            text=f"{name} ({time_text(slow, unit)}) rests on {n_events} transition{'' if n_events == 1 else 's'} that "
            "lasted for a lag time: too few for a reliable rate.",
            numbers=numbers,
        )


def _about_equilibrium(chi: ga.Chi, tau: int) -> Iterator[ga.Finding]:
    """Whether the populations are those to which the dynamics leads: the interval of their difference."""
    found = ga.departure_from_equilibrium(chi, tau)
    if ((found.lower > 0) | (found.upper < 0)).any():
        population = ga.populations(chi)
        state = int(np.argmax(np.abs(found.value)))
        yield ga.Finding(
            kind="not in equilibrium",
            severity="warning",
            text=f"The populations are not those to which the dynamics leads: state {state} has "
            f"{population[state]:.3f}, the stationary distribution {population[state] - found.value[state]:.3f}. The "
            "data did not start from equilibrium, or are too short for it: take the stationary distribution for what "
            "the system has in equilibrium.",
            numbers={"state": state, "population": population[state], "difference": found.value[state]},
        )


def restart_findings(agreement: dict[str, Any] | None) -> list[ga.Finding]:
    """How far other trainings found the same.

    Parameters
    ----------
    agreement : dict or None
        Of ``scores.json``; None for a single training.

    Returns
    -------
    list of Finding
    """
    if agreement is None:
        text = "One training only: whether another seed finds the same states was not measured (--n-restarts 3 does)."
        return [ga.Finding(kind="one training", severity="note", text=text)]
    correlations, same = agreement["canonical_correlations"], agreement["same_likeliest_state"]
    found = [i for i, again in enumerate(agreement["found_again"]) if again]
    lost = [i for i, again in enumerate(agreement["found_again"]) if not again]
    shown = ", ".join(f"{c:.3f}" for c in correlations)
    findings = [
        ga.Finding(
            kind="restarts",
            severity="note",
            text=f"The slow subspaces of {agreement['n_restarts']} trainings have canonical correlations of at least "
            f"{shown}. The likeliest state agrees for at least {100 * same:.1f} % of the frames.",
            numbers={"canonical_correlations": list(correlations), "same_likeliest_state": same},
        )
    ]
    if found:
        text = f"Found again by every training: state{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}."
        findings.append(ga.Finding(kind="found again", severity="good", text=text, numbers={"states": found}))
    if lost:
        text = (
            f"Not found again: state{'s' if len(lost) > 1 else ''} {', '.join(map(str, lost))}. Where the subspace "
            "agrees but these do not, they cut a continuum: take their border as a choice, not as a finding."
        )
        findings.append(ga.Finding(kind="not found again", severity="warning", text=text, numbers={"states": lost}))
    return findings
