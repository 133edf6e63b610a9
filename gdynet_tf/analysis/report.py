"""All analyses of a run, their figures with numbers, and one self-contained report.html."""

import json
import os
from dataclasses import dataclass, field
from html import escape

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.figures import draw_figures
from gdynet_tf.errors import InputError

__all__ = ["Analysis", "analyse", "write_report"]

_CK_STEPS = 5


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
    vamp2: float
    verdict: str
    caveats: list = field(default_factory=list)


def analyse(run, split="test"):
    """All results of a run on one part of its data.

    Parameters
    ----------
    run : Run
    split : {"test", "validation", "train", "all"}

    Returns
    -------
    Analysis

    Raises
    ------
    InputError
        If that part has no pair at the run's lag time.
    """
    chi, tau = ga.load_chi(run, split), run.tau
    longest = max(len(segment) for segment in chi)
    if longest <= tau:
        raise InputError(f"{run.path}: the {split} data have segments of {longest} frames, the lag time is {tau}")
    units = {"frame_interval": run.frame_interval, "time_unit": run.time_unit}
    K = ga.koopman_matrix(chi, tau)
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
    return Analysis(
        run,
        split,
        chi,
        K,
        ga.eigenvectors(K),
        stationary,
        values,
        interval,
        timescales,
        ck,
        ga.vamp2_score(chi, tau),
        verdict,
        [*ga.collapsed_states(chi, tau).messages, *more, *caveats],
    )


def write_report(path, split="test"):
    """Write ``analysis/`` and ``report.html`` into a run directory.

    Parameters
    ----------
    path : path-like
        Run directory.
    split : {"test", "validation", "train", "all"}
        Part of the data that is analysed.

    Returns
    -------
    report : Path
    analysis : Analysis
    """
    from jinja2 import Environment, PackageLoader

    run = ga.load_run(path)
    analysis = analyse(run, split)
    folder = run.path / "analysis"
    folder.mkdir(exist_ok=True)
    figures = list(draw_figures(analysis, folder))
    _write_summary(analysis, folder / "summary.json")
    environment = Environment(loader=PackageLoader("gdynet_tf.analysis"), autoescape=True)
    html = environment.get_template("report.html").render(
        analysis=analysis,
        run=run,
        figures=figures,
        overview=_overview(analysis),
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
        "stationary_distribution": [None if np.isnan(p) else p for p in analysis.stationary.tolist()],
        "chapman_kolmogorov": ck and {"passed": ck.passed, "max_deviation": ck.max_deviation, "interval": ck.interval},
    }
    path.write_text(json.dumps(summary, indent=1), encoding="utf-8")
