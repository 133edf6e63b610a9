"""The numbers of a report in one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga

if TYPE_CHECKING:
    from gdynet_tf.report.atomistic import AtomisticResults
    from gdynet_tf.report.results import Analysis

__all__ = ["write_summary"]


def _plain(values: Any) -> Any:
    """Nested lists of numbers, None where they are not finite, which JSON cannot say."""
    if np.ndim(values):
        return [_plain(value) for value in values]
    return float(values) if np.isfinite(values) else None


def _estimate(estimate: ga.Estimate) -> dict[str, Any]:
    """Value, bounds and what they rest on."""
    names = ("value", "lower", "upper")
    return {**{name: _plain(getattr(estimate, name)) for name in names}, "basis": _basis(estimate.basis)}


def _basis(basis: ga.Basis) -> dict[str, Any]:
    """What an interval rests on."""
    fields = {name: _plain(value) if isinstance(value, float) else value for name, value in vars(basis).items()}
    return {**fields, "text": str(basis)}


def write_summary(analysis: Analysis, path: Path) -> None:
    """Write the numbers of an analysis.

    Parameters
    ----------
    analysis : Analysis
    path : Path
    """
    kinetics, ck = analysis.kinetics, analysis.ck
    summary = {
        "split": analysis.split,
        "time_unit": analysis.run.time_unit,
        "verdict": analysis.verdict.to_dict(),
        "findings": [finding.to_dict() for finding in analysis.findings],
        "vamp2": analysis.vamp2,
        "koopman_matrix": _estimate(analysis.koopman),
        "populations": _estimate(analysis.populations),
        "stationary_distribution": _plain(analysis.stationary),
        "residence_times": _estimate(kinetics.residence),
        "first_passage_times": _estimate(kinetics.first_passage),
        "transition_path": {
            "source": kinetics.source,
            "target": kinetics.target,
            "committor": None if kinetics.committor is None else _plain(kinetics.committor),
            "rate": _plain(kinetics.rate),
        },
        "timescales_by_estimator": {name: _estimate(values) for name, values in kinetics.estimators.items()},
        "atomistic": _atomistic(analysis.atomistic),
        "chapman_kolmogorov": ck and {"max_deviation": ck.max_deviation, "basis": _basis(ck.basis)},
    }
    path.write_text(json.dumps(summary, indent=1), encoding="utf-8")


def _atomistic(found: AtomisticResults | None) -> dict[str, Any] | None:
    """What the summary says of structure and motion."""
    if found is None:
        return None
    summary: dict[str, Any] = {"representative_frames": found.representatives}
    if found.rdf is not None:
        summary["first_shell_angstrom"] = {
            "-".join(pair): _plain(radius) for pair, radius in zip(found.rdf.pairs, found.shells, strict=True)
        }
    if found.state_charges is not None:
        summary["state_charges"] = _plain(found.state_charges)
    if found.transport is not None:
        summary["diffusivity_by_transition"] = _estimate(found.transport.diffusivity)
    if found.diffusivity is not None:
        diffusivity = _estimate(found.diffusivity.diffusivity) if found.diffuses else {"value": None}
        summary["tracer_diffusivity"] = {**diffusivity, "exponent": _plain(found.diffusivity.exponent)}
    if found.conductivity is not None:
        summary["conductivity_S_per_cm"] = {
            "total": _estimate(found.conductivity.total),
            "total_by_displacements": _estimate(found.conductivity.exact_total),
            "percent": _estimate(found.conductivity.percent),
        }
    if found.haven is not None:
        summary["haven_ratio"] = _estimate(found.haven.ratio)
    return summary
