"""The figures of a report: drawn, saved with their numbers, and described."""

import base64
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.agreement import FOUND_AGAIN
from gdynet_tf.report.atomistic_figures import draw_surroundings

__all__ = ["Figure", "draw_figures"]

_TRACE_POINTS = 2000


@dataclass
class Figure:
    """A figure of the report.

    Attributes
    ----------
    section, name, title, caption : str
    png, table : Path
    """

    section: str
    name: str
    title: str
    caption: str
    png: Path
    table: Path

    @property
    def wide(self):
        """Whether the figure is too detailed for half a page."""
        return int.from_bytes(self.png.read_bytes()[16:20], "big") > 1000  # width in the PNG header

    @property
    def image(self):
        """The PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png.read_bytes()).decode()

    @property
    def download(self):
        """The numbers as a data URI."""
        return "data:text/csv;base64," + base64.b64encode(self.table.read_bytes()).decode()


def draw_figures(analysis, folder):
    """Draw and save every figure of an analysis.

    Parameters
    ----------
    analysis : gdynet_tf.report.analyse.Analysis
    folder : Path

    Yields
    ------
    Figure
    """
    plots, run, n = ga.plots, analysis.run, len(analysis.koopman)
    unit, interval = run.time_unit, analysis.timescales.interval
    lag_time = f"{run.tau * run.frame_interval:.4g} {unit}"

    def saved(section, name, axes, numbers, title, caption):
        figure = np.ravel(axes)[0].figure
        return Figure(section, name, title, caption, *plots.save_figure(figure, folder / name, numbers))

    result = analysis.timescales
    yield saved(
        "Dynamics",
        "timescales",
        plots.timescales(result),
        result.columns,
        "Implied timescales",
        "Timescale of each relaxation as a function of the lag time. Constant means Markovian. Bands: 95 % confidence "
        f"interval ({interval}). In the grey region a process is over within one lag time.",
    )
    if analysis.ck is not None:
        ck = analysis.ck
        yield saved(
            "Dynamics",
            "chapman_kolmogorov",
            plots.chapman_kolmogorov(ck),
            ck.columns,
            "Chapman-Kolmogorov test",
            f"What the model at a lag time of {lag_time} predicts for longer times, and what the "
            f"data say. Band and bars: 95 % confidence intervals ({ck.interval}).",
        )
    yield saved(
        "Dynamics",
        "populations",
        plots.populations(analysis.populations, *analysis.populations_interval, analysis.stationary),
        {
            "state": range(n),
            "population": analysis.populations,
            "lower": analysis.populations_interval[0],
            "upper": analysis.populations_interval[1],
            "stationary_distribution": analysis.stationary,
        },
        "Populations",
        "Mean probability of each state with its 95 % confidence interval, and the stationary distribution of the "
        "Koopman matrix. The two agree when the data are in equilibrium.",
    )
    yield saved(
        "Dynamics",
        "koopman_matrix",
        plots.koopman_matrix(analysis.koopman),
        {"from": range(n), **{f"to_{j}": analysis.koopman[:, j] for j in range(n)}},
        "Koopman matrix",
        f"Probability of a target in the row's state to be in the column's state {lag_time} later.",
    )
    vectors = analysis.eigenvectors
    yield saved(
        "Dynamics",
        "eigenvectors",
        plots.eigenvectors(vectors),
        {
            "state": range(n),
            **{f"relaxation_{i}_real": vectors.right[:, i].real for i in range(1, n)},
            **{f"relaxation_{i}_imag": vectors.right[:, i].imag for i in range(1, n)},
        },
        "Eigenvectors",
        "Each relaxation exchanges population between states of opposite sign; states near zero take no part.",
    )
    shares, edges = plots.histogram(analysis.chi)
    yield saved(
        "Dynamics",
        "chi_histogram",
        plots.chi_histogram(analysis.chi),
        {"from": edges[:-1], "to": edges[1:], **{f"state_{i}": share for i, share in enumerate(shares)}},
        "Distribution of the probabilities",
        f"Well separated states have probabilities near 0 and 1: one state has more than 0.9 in "
        f"{100 * ga.crispness(analysis.chi):.1f} % of the frames.",
    )
    yield saved(*_trace(analysis))
    yield from _path_figures(analysis.kinetics, unit, saved)
    if analysis.surroundings is not None:
        yield from draw_surroundings(analysis, saved)
    yield from _training_figures(run, saved)


def _trace(analysis):
    """The states of the liveliest target over some twenty of the slowest relaxation times."""
    run, slowest = analysis.run, analysis.timescales.timescales[0]
    frames = 20 * np.nanmax(np.where(np.isfinite(slowest), slowest, 0)) / run.frame_interval
    n_frames = min(len(analysis.chi[0]), max(int(frames), _TRACE_POINTS))
    stride = -(-n_frames // _TRACE_POINTS)
    part = analysis.chi[0][:n_frames:stride]  # (f, n_targets, n_states)
    target = int(np.argmax((np.diff(part.argmax(axis=2), axis=0) != 0).sum(axis=0)))
    segment = np.asarray(part[:, target], np.float64)  # (f, n_states)
    time = np.arange(len(segment)) * stride * run.frame_interval
    return (
        "Dynamics",
        "chi_trace",
        ga.plots.chi_trace(time, segment, run.time_unit),
        {f"time_{run.time_unit}": time, **{f"state_{i}": column for i, column in enumerate(segment.T)}},
        "One target over time",
        f"State probabilities of target {target}, which changes its state most often, in the first {n_frames:,} frames "
        f"of the {analysis.split} data{f', every {stride}th' if stride > 1 else ''}.",
    )


def _path_figures(kinetics, unit, saved):
    n = len(kinetics.residence)
    yield saved(
        "Dynamics",
        "first_passage",
        ga.plots.first_passage(kinetics.first_passage, unit),
        {"from": range(n), **{f"to_{j}": kinetics.first_passage[:, j] for j in range(n)}},
        "Mean first passage times",
        "Mean time to reach the column's state for the first time from the row's, if the model is Markovian.",
    )
    if n > 2:
        source, target = kinetics.source, kinetics.target
        yield saved(
            "Dynamics",
            "committor",
            ga.plots.committor(kinetics.committor, source, target),
            {"state": range(n), "committor": kinetics.committor},
            "Transition path",
            f"Probability of reaching state {target} before state {source}, the two ends of the slowest relaxation. "
            f"States near 0 belong to {source}, near 1 to {target}, between them lies the way.",
        )


def _training_figures(run, saved):
    with open(run.path / "history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: [float(row[name]) for row in rows] for name in rows[0]}
    best = int(np.argmax(columns["validation_vamp2"]))
    yield saved(
        "Training",
        "history",
        ga.plots.history(columns["epoch"], columns["train_vamp2"], columns["validation_vamp2"], columns["epoch"][best]),
        columns,
        "Training",
        "VAMP-2 score by epoch, before the states are identified. The validation score is of all pairs at once.",
    )
    agreement = run.scores["agreement"]
    if agreement:
        n = len(agreement["f1"])
        yield saved(
            "Training",
            "state_agreement",
            ga.plots.state_agreement(agreement["f1"], FOUND_AGAIN),
            {"state": range(n), "f1": agreement["f1"], "found_again": agreement["found_again"]},
            "Found again by the restarts",
            f"Smallest overlap (F1 score of the frames in which a state is the likeliest) with its match in the other "
            f"{agreement['n_restarts'] - 1} trainings, on the validation data.",
        )
