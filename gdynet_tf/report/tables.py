"""The tables of a report: rows of names and texts, made from the results of an analysis."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.report.composition import formula_text, targets_text
from gdynet_tf.times import plain_number, readable_unit, time_text

if TYPE_CHECKING:
    from gdynet_tf.report.results import Analysis

__all__ = [
    "downloads",
    "estimators",
    "interval_text",
    "overview",
    "settings",
    "states",
    "time_with_interval_text",
    "with_interval_text",
]

_EMBEDDED = 1_000_000  # bytes of structure files that go into the page itself
_NAMED = 5  # trajectories, the others are counted


def with_interval_text(value: float, low: float = np.nan, high: float = np.nan, digits: str = ".3g") -> str:
    """A number with its interval, as text; a dash for what is not known."""
    if np.isnan(value):
        return "–"
    text = format(value, digits) if np.isfinite(value) else "∞"
    if not np.isfinite(low):
        return text
    return f"{text} ({low:{digits}} to {high:{digits}})" if np.isfinite(high) else f"{text} ({low:{digits}} upwards)"


def time_with_interval_text(value: float, low: float, high: float, time_unit: str) -> str:
    """A time with its interval, as text, in the unit in which it is best read; a dash for what is not known."""
    text = time_text(value, time_unit)
    if not (np.isfinite(value) and np.isfinite(low)):
        return text
    factor, _ = readable_unit(value, time_unit)
    until = f"to {plain_number(high * factor)}" if np.isfinite(high) else "upwards"
    return f"{text} ({plain_number(low * factor)} {until})"


def interval_text(estimate: ga.Estimate, digits: str = ".3g") -> str:
    """A single estimate as text."""
    return with_interval_text(float(estimate.value), float(estimate.lower), float(estimate.upper), digits)


def _texts(estimate: ga.Estimate, digits: str = ".3g") -> list[str]:
    """The values of an estimate along its only axis, as texts."""
    rows = zip(estimate.value, estimate.lower, estimate.upper, strict=True)
    return [with_interval_text(*row, digits) for row in rows]


def _times(estimate: ga.Estimate, time_unit: str) -> list[str]:
    """The times of an estimate along its only axis, as texts."""
    rows = zip(estimate.value, estimate.lower, estimate.upper, strict=True)
    return [time_with_interval_text(*row, time_unit) for row in rows]


def overview(analysis: Analysis) -> list[tuple[str, str]]:
    """Rows (quantity, value) of what was analysed and what came out."""
    run, config, data = analysis.run, analysis.run.config, analysis.run.config["data"]
    unit, scores = run.time_unit, run.scores
    lengths = [n for entry in data["trajectories"] for n in entry["segments"]]
    rows = [
        *_system(analysis),
        (_counted(len(data["trajectories"]), "trajectory", "trajectories"), _names(data["trajectories"])),
        (
            "frames",
            f"{sum(lengths):,} in {_counted(len(lengths), 'segment')}, "
            f"{time_text(run.frame_interval, unit, 4)} apart: {time_text(sum(lengths) * run.frame_interval, unit, 4)}",
        ),
        ("analysed here", _analysed(analysis)),
        ("states", str(config["n_states"])),
        ("lag time", f"{time_text(run.tau * run.frame_interval, unit, 4)} ({_counted(run.tau, 'frame')})"),
        ("VAMP-2", _scores_text(scores["vamp2"], config["n_states"])),
        ("one state above 0.9", f"{100 * ga.crispness(analysis.chi):.1f} % of frames and targets"),
        ("intervals", f"95 %, {'from ' if analysis.koopman.basis.kind else ''}{analysis.koopman.basis}"),
    ]
    return rows + [(f"relaxation {i + 1}", text) for i, text in enumerate(_relaxations(analysis))]


def _counted(n: int, one: str, more: str = "") -> str:
    return f"{n:,} {one if n == 1 else more or one + 's'}"


def _system(analysis: Analysis) -> list[tuple[str, str]]:
    """What the system and its targets are, as far as the atoms are known."""
    data = analysis.run.config["data"]
    if analysis.atomistic is None:
        of = "" if data["group_size"] == 1 else f" of {data['group_size']} atoms each"
        return [("targets", f"{analysis.chi.n_targets:,}{of}; {data['n_atoms']:,} atoms in all")]
    system = analysis.atomistic.system
    return [("system", formula_text(system.atomic_numbers)), ("targets", targets_text(system))]


def _analysed(analysis: Analysis) -> str:
    chi, part = analysis.chi, "all data" if analysis.split == "all" else f"{analysis.split} data"
    time = time_text(chi.n_frames * chi.frame_interval, chi.time_unit, 4)
    return f"{part}: {chi.n_frames:,} frames in {_counted(len(chi), 'segment')}, {time}"


def _names(trajectories: Sequence[dict[str, Any]]) -> str:
    """Names of the trajectories; of many the first ones and how many more."""
    names = [_trajectory_name(trajectory) for trajectory in trajectories]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED + 1 else ""
    return ", ".join(names[:_NAMED] if more else names) + more


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
        texts.append(f"{time_with_interval_text(value, low, high, unit)}, eigenvalue {number}")
    return texts


def states(analysis: Analysis) -> list[tuple[str, list[str]]]:
    """Rows (quantity, value in each state)."""
    kinetics, unit, found = analysis.kinetics, analysis.run.time_unit, analysis.atomistic
    rows = {
        "population": _texts(analysis.populations, ".3f"),
        "residence time": _times(kinetics.residence, unit),
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
            elif np.isfinite(rdf.g[:, s]).any():
                rows[f"{name} around {center}"] = ["no shell"] * len(rdf.g)
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
    unit = analysis.run.time_unit
    return [(name, _times(estimate, unit)) for name, estimate in analysis.kinetics.estimators.items()]


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
