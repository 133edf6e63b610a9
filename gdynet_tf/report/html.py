"""All analyses of a run, their figures with numbers, and one self-contained report.html."""

import base64
import json
import os
from html import escape
from itertools import groupby

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.report.analyse import Analysis, analyse
from gdynet_tf.report.atomistic import ReportOptions, write_files
from gdynet_tf.report.figures import draw_figures

__all__ = ["Analysis", "ReportOptions", "analyse", "write_report"]

_EMBEDDED = 2_000_000  # bytes of structure files that go into the report itself


def write_report(path, split="test", options=None):
    """Write ``analysis/`` and ``report.html`` into a run directory.

    Parameters
    ----------
    path : path-like
        Run directory.
    split : {"test", "validation", "train", "all"}
        Part of the data that is analysed.
    options : ReportOptions, optional

    Returns
    -------
    report : Path
    analysis : Analysis
    """
    from jinja2 import Environment, PackageLoader

    run = ga.load_run(path)
    analysis = analyse(run, split, options)
    folder = run.path / "analysis"
    folder.mkdir(exist_ok=True)
    figures = list(draw_figures(analysis, folder))
    files = write_files(analysis.surroundings, analysis.chi, folder) if analysis.surroundings else []
    _write_summary(analysis, folder / "summary.json")
    environment = Environment(loader=PackageLoader("gdynet_tf.report"), autoescape=True)
    html = environment.get_template("report.html").render(
        analysis=analysis,
        run=run,
        sections=[(name, list(group)) for name, group in groupby(figures, lambda figure: figure.section)],
        overview=_overview(analysis),
        states=_states(analysis),
        estimators=_estimators(analysis),
        files=_downloads(files),
        restarts=_restarts(run),
        settings=_settings(run.config),
        config=escape(json.dumps(run.config, indent=1)),
    )
    report, temporary = run.path / "report.html", run.path / "report.tmp"
    temporary.write_text(html, encoding="utf-8")
    os.replace(temporary, report)
    return report, analysis


def _overview(analysis):
    """Rows (quantity, value) of the first table."""
    run, config = analysis.run, analysis.run.config
    data, unit, scores = config["data"], run.time_unit, run.scores
    segments = [n for entry in data["trajectories"] for n in entry["segments"]]
    slowest = analysis.timescales
    at_tau = int(np.flatnonzero(slowest.lags == run.tau)[0])
    rows = [
        ("trajectory", ", ".join(map(_named, data["trajectories"]))),
        (
            "data",
            f"{sum(segments):,} frames in {len(segments)} segment{'s' if len(segments) > 1 else ''}, "
            f"{run.frame_interval:g} {unit} apart ({sum(segments) * run.frame_interval:,.5g} {unit})",
        ),
        ("analysed here", f"{analysis.split} data, {sum(map(len, analysis.chi)):,} frames"),
        (
            "targets",
            f"{data['n_targets']} of {data['group_size']} atom{'s' if data['group_size'] > 1 else ''}, "
            f"{data['n_atoms']} atoms in all",
        ),
        ("states", str(config["n_states"])),
        ("lag time", f"{run.tau} frames ({run.tau * run.frame_interval:.4g} {unit})"),
        (
            "VAMP-2",
            f"{scores['vamp2']['test']:.4f} test, {scores['vamp2']['validation']:.4f} validation, "
            f"{scores['vamp2']['train']:.4f} training (1 to {config['n_states']})",
        ),
        ("one state above 0.9", f"{100 * ga.crispness(analysis.chi):.1f} % of frames and targets"),
    ]
    for i in range(len(slowest.timescales)):
        value, low, high = slowest.timescales[i, at_tau], slowest.lower[i, at_tau], slowest.upper[i, at_tau]
        shown = f"{value:.4g} {unit}" if np.isfinite(value) else "none"
        if np.isfinite(low):
            bound = f"to {high:.4g}" if np.isfinite(high) else "upwards"
            shown += f" (95 % interval {low:.4g} {bound}, {slowest.interval})"
        value = slowest.eigenvalues[i, at_tau]
        number = f"{value.real:.4f}" if value.imag == 0 else f"{value:.4f}"
        rows.append((f"relaxation {i + 1}", f"{shown}, eigenvalue {number}"))
    return rows


def _interval(value, low, high, digits=".3g"):
    """A number with its interval, as text."""
    if np.isnan(value):
        return "–"
    text = format(value, digits)
    if not np.isfinite(low):
        return text
    return f"{text} ({low:{digits}} to {high:{digits}})" if np.isfinite(high) else f"{text} ({low:{digits}} upwards)"


def _states(analysis):
    """Rows (quantity, value in each state) of the table of the states."""
    kinetics, unit, found = analysis.kinetics, analysis.run.time_unit, analysis.surroundings
    columns = {
        "population": [
            _interval(*row, ".3f") for row in zip(analysis.populations, *analysis.populations_interval, strict=True)
        ],
        f"residence time ({unit})": [
            _interval(*row) for row in zip(kinetics.residence, *kinetics.residence_interval, strict=True)
        ],
    }
    if found is not None and found.rdf is not None:
        rdf = found.rdf
        for s, ((center, name), radius) in enumerate(zip(rdf.pairs, found.shells, strict=True)):
            if np.isfinite(radius):
                k = np.searchsorted(rdf.edges, radius - 1e-6) - 1
                shown = [a[:, s, k] for a in (rdf.coordination, rdf.coordination_lower, rdf.coordination_upper)]
                columns[f"{name} within {radius:.2f} Å of {center}"] = [
                    _interval(*row, ".2f") for row in zip(*shown, strict=True)
                ]
    if found is not None and found.bond_order is not None:
        columns[f"mean q{found.options.bond_order[0]}"] = [_interval(q, np.nan, np.nan) for q in found.bond_order.mean]
    if found is not None and found.state_charges is not None:
        columns["charge (e)"] = [_interval(q, np.nan, np.nan, "+.2f") for q in found.state_charges]
    if found is not None and found.transport is not None:
        diagonal = (np.diag(a) for a in (found.transport.diffusivity, found.transport.lower, found.transport.upper))
        columns[f"D while it lasts (Å²/{unit})"] = [_interval(*row) for row in zip(*diagonal, strict=True)]
    return list(columns.items())


def _estimators(analysis):
    """Rows (estimator, timescales at the lag time)."""
    kinetics = analysis.kinetics
    rows = [
        (name, [f"{value:.4g}" if np.isfinite(value) else "–" for value in values])
        for name, values in kinetics.estimators.items()
    ]
    low, high = kinetics.bootstrap
    shown = [
        "–" if np.isnan(a) else f"{a:.4g} to {b:.4g}" if np.isfinite(b) else f"{a:.4g} upwards"
        for a, b in zip(low, high, strict=True)
    ]
    return [*rows, ("plain, 95 % interval by block bootstrap", shown)]


def _downloads(files):
    """(name, data URI or None) of the files for other programs; large ones are only named."""
    shown = []
    for file in files:
        small = file.stat().st_size < _EMBEDDED / len(files)
        uri = "data:text/plain;base64," + base64.b64encode(file.read_bytes()).decode() if small else None
        shown.append((file.name, uri))
    return shown


def _named(trajectory):
    """Name of a trajectory, and how many files it was read from."""
    n_files = len(trajectory["sources"])
    return f"{trajectory['name']} ({n_files} files)" if n_files > 1 else trajectory["name"]


def _restarts(run):
    """Sentences on how far other trainings found the same."""
    agreement = run.scores["agreement"]
    if agreement is None:
        return ["One training only: whether another seed finds the same states was not measured (--n-restarts 3 does)."]
    n = agreement["n_restarts"]
    correlations = ", ".join(f"{c:.3f}" for c in agreement["canonical_correlations"])
    sentences = [
        f"The slow subspaces of {n} trainings have canonical correlations of at least {correlations}.",
        f"The likeliest state agrees for at least {100 * agreement['same_likeliest_state']:.1f} % of the frames.",
    ]
    found = [str(i) for i, again in enumerate(agreement["found_again"]) if again]
    lost = [str(i) for i, again in enumerate(agreement["found_again"]) if not again]
    if found:
        sentences.append(f"Found again by every training: state{'s' if len(found) > 1 else ''} {', '.join(found)}.")
    if lost:
        sentences.append(
            f"Not found again: state{'s' if len(lost) > 1 else ''} {', '.join(lost)}. Where the subspace agrees but "
            "these do not, they cut a continuum: take their border as a choice, not as a finding."
        )
    return sentences


def _settings(config):
    """Rows (setting, value) for the table of settings and versions."""
    plain = {name: value for name, value in config.items() if not isinstance(value, dict)}
    return [*plain.items(), ("graphs", config["graphs"]["sha256"][:16]), *config["versions"].items()]


def _write_summary(analysis, path):
    """The numbers of the report in one file."""
    ck = analysis.ck
    summary = {
        "split": analysis.split,
        "verdict": analysis.verdict,
        "caveats": analysis.caveats,
        "restarts": _restarts(analysis.run),
        "vamp2": analysis.vamp2,
        "koopman_matrix": analysis.koopman.tolist(),
        "populations": analysis.populations.tolist(),
        "stationary_distribution": _plain(analysis.stationary),
        "residence_times": _plain(analysis.kinetics.residence),
        "first_passage_times": _plain(analysis.kinetics.first_passage),
        "transition_path": {
            "source": analysis.kinetics.source,
            "target": analysis.kinetics.target,
            "committor": _plain(analysis.kinetics.committor),
            "rate": _plain(analysis.kinetics.rate),
        },
        "timescales_bootstrap_interval": _plain(analysis.kinetics.bootstrap),
        "timescales_by_estimator": {name: _plain(values) for name, values in analysis.kinetics.estimators.items()},
        "surroundings": _surroundings(analysis.surroundings),
        "chapman_kolmogorov": ck and {"passed": ck.passed, "max_deviation": ck.max_deviation, "interval": ck.interval},
    }
    path.write_text(json.dumps(summary, indent=1), encoding="utf-8")


def _plain(values):
    """Nested lists of numbers, None where they are not finite, which JSON cannot say."""
    if np.ndim(values):
        return [_plain(value) for value in values]
    return float(values) if np.isfinite(values) else None


def _surroundings(found):
    """What the summary says of structure and motion."""
    if found is None:
        return None
    summary = {"representative_frames": found.representatives}
    if found.rdf is not None:
        summary["first_shell_angstrom"] = {
            "-".join(pair): _plain(radius) for pair, radius in zip(found.rdf.pairs, found.shells, strict=True)
        }
    if found.state_charges is not None:
        summary["state_charges"] = _plain(found.state_charges)
    if found.transport is not None:
        summary["diffusivity_by_transition"] = _plain(found.transport.diffusivity)
    if found.diffusivity is not None:
        names = ("diffusivity", "lower", "upper", "exponent")
        summary["tracer_diffusivity"] = {name: _plain(getattr(found.diffusivity, name)) for name in names}
    if found.conductivity is not None:
        names = ("total", "total_lower", "total_upper", "percent")
        summary["conductivity_S_per_cm"] = {name: _plain(getattr(found.conductivity, name)) for name in names}
    return summary
