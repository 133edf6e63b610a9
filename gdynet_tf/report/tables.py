"""The tables of a report: rows of names and texts, made from the results of an analysis."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga

if TYPE_CHECKING:
    from gdynet_tf.report.results import Analysis

__all__ = ["downloads", "estimators", "interval_text", "overview", "settings", "states", "with_interval_text"]

_EMBEDDED = 2_000_000  # bytes of structure files that go into the page itself


def with_interval_text(value: float, low: float = np.nan, high: float = np.nan, digits: str = ".3g") -> str:
    """A number with its interval, as text; a dash for what is not known."""
    if np.isnan(value):
        return "–"
    text = format(value, digits) if np.isfinite(value) else "∞"
    if not np.isfinite(low):
        return text
    return f"{text} ({low:{digits}} to {high:{digits}})" if np.isfinite(high) else f"{text} ({low:{digits}} upwards)"


def interval_text(estimate: ga.Estimate, digits: str = ".3g") -> str:
    """A single estimate as text."""
    return with_interval_text(float(estimate.value), float(estimate.lower), float(estimate.upper), digits)


def _texts(estimate: ga.Estimate, digits: str = ".3g") -> list[str]:
    """The values of an estimate along its only axis, as texts."""
    rows = zip(estimate.value, estimate.lower, estimate.upper, strict=True)
    return [with_interval_text(*row, digits) for row in rows]


def overview(analysis: Analysis) -> list[tuple[str, str]]:
    """Rows (quantity, value) of what was analysed and what came out."""
    run, config, data = analysis.run, analysis.run.config, analysis.run.config["data"]
    unit, scores = run.time_unit, run.scores
    lengths = [n for entry in data["trajectories"] for n in entry["segments"]]
    rows = [
        ("trajectory", ", ".join(map(_trajectory_name, data["trajectories"]))),
        (
            "data",
            f"{sum(lengths):,} frames in {len(lengths)} segment{'s' if len(lengths) > 1 else ''}, "
            f"{run.frame_interval:g} {unit} apart ({sum(lengths) * run.frame_interval:,.5g} {unit})",
        ),
        ("analysed here", f"{analysis.split} data, {analysis.chi.n_frames:,} frames"),
        (
            "targets",
            f"{data['n_targets']} of {data['group_size']} atom{'s' if data['group_size'] > 1 else ''}, "
            f"{data['n_atoms']} atoms in all",
        ),
        ("states", str(config["n_states"])),
        ("lag time", f"{run.tau} frames ({run.tau * run.frame_interval:.4g} {unit})"),
        ("VAMP-2", _scores_text(scores["vamp2"], config["n_states"])),
        ("one state above 0.9", f"{100 * ga.crispness(analysis.chi):.1f} % of frames and targets"),
        ("intervals", f"95 %, {'from ' if analysis.populations.basis.kind else ''}{analysis.populations.basis}"),
    ]
    return rows + [(f"relaxation {i + 1}", text) for i, text in enumerate(_relaxations(analysis))]


def _scores_text(vamp2: dict[str, float], n_states: int) -> str:
    shown = ", ".join(
        f"{vamp2[name]:.4f} {label}"
        for name, label in (("test", "test"), ("validation", "validation"), ("train", "training"), ("all", "all"))
        if vamp2.get(name) is not None
    )
    return f"{shown} (1 to {n_states})"


def _relaxations(analysis: Analysis) -> list[str]:
    """Timescale at the lag time and eigenvalue of each relaxation."""
    result, unit = analysis.timescales, analysis.run.time_unit
    at_tau = int(np.flatnonzero(result.lags == analysis.run.tau)[0])
    texts = []
    for i, eigenvalue in enumerate(result.eigenvalues[:, at_tau]):
        number = f"{eigenvalue.real:.4f}" if eigenvalue.imag == 0 else f"{eigenvalue:.4f}"
        value, low, high = (a[i, at_tau] for a in (result.timescales, result.lower, result.upper))
        shown = with_interval_text(value, low, high, ".4g")
        texts.append(f"{shown}{f' {unit}' if np.isfinite(value) else ''}, eigenvalue {number}")
    return texts


def states(analysis: Analysis) -> list[tuple[str, list[str]]]:
    """Rows (quantity, value in each state)."""
    kinetics, unit, found = analysis.kinetics, analysis.run.time_unit, analysis.atomistic
    rows = {
        "population": _texts(analysis.populations, ".3f"),
        f"residence time ({unit})": _texts(kinetics.residence),
    }
    if found is not None and found.rdf is not None:
        rdf = found.rdf
        for s, ((center, name), radius) in enumerate(zip(rdf.pairs, found.shells, strict=True)):
            if np.isfinite(radius):
                k = np.searchsorted(rdf.edges, radius - 1e-6) - 1
                shown = [a[:, s, k] for a in (rdf.coordination, rdf.coordination_lower, rdf.coordination_upper)]
                rows[f"{name} within {radius:.2f} Å of {center}"] = [
                    with_interval_text(value, low, high, ".2f") for value, low, high in zip(*shown, strict=True)
                ]
    if found is not None and found.bond_order is not None:
        q = found.bond_order
        rows[f"mean q{found.options.bond_order[0]}"] = [
            with_interval_text(*row) for row in zip(q.mean, q.mean_lower, q.mean_upper, strict=True)
        ]
    if found is not None and found.state_charges is not None:
        rows["charge (e)"] = [with_interval_text(q, digits="+.2f") for q in found.state_charges]
    if found is not None and found.transport is not None:
        estimate = found.transport.diffusivity
        diagonal = (np.diag(a) for a in (estimate.value, estimate.lower, estimate.upper))
        rows[f"D while it lasts (Å²/{unit})"] = [with_interval_text(*row) for row in zip(*diagonal, strict=True)]
    return list(rows.items())


def estimators(analysis: Analysis) -> list[tuple[str, list[str]]]:
    """Rows (estimator, timescales at the lag time)."""
    return [(name, _texts(estimate, ".4g")) for name, estimate in analysis.kinetics.estimators.items()]


def settings(config: dict[str, Any]) -> list[tuple[str, Any]]:
    """Rows (setting, value) of settings and versions."""
    plain = {name: value for name, value in config.items() if not isinstance(value, dict)}
    return [*plain.items(), ("graphs", config["graphs"]["sha256"][:16]), *config["versions"].items()]


def downloads(files: Sequence[Path]) -> list[tuple[str, str | None]]:
    """(name, data URI or None) of the files for other programs; large ones are only named."""
    shown = []
    for file in files:
        small = file.stat().st_size < _EMBEDDED / len(files)
        uri = "data:text/plain;base64," + base64.b64encode(file.read_bytes()).decode() if small else None
        shown.append((file.name, uri))
    return shown


def _trajectory_name(trajectory: dict[str, Any]) -> str:
    """Name of a trajectory, and how many files it was read from."""
    n_files = len(trajectory["sources"])
    return f"{trajectory['name']} ({n_files} files)" if n_files > 1 else trajectory["name"]
