"""The figures of states, timescales, tests and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gdynet_tf.analysis as ga
from gdynet_tf.report.figures.common import band, frame, lag_time, matrix, own_table
from gdynet_tf.report.figures.drawing import FigureSpec

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["DYNAMICS"]


def _histogram_table(analysis: Analysis, chi: ga.Chi) -> pd.DataFrame:
    from gdynet_tf.report import plots

    shares, edges = plots.histogram(chi)
    states = {f"state_{i}": share for i, share in enumerate(shares)}
    return frame({"from": edges[:-1], "to": edges[1:], **states})


def _trace_caption(analysis: Analysis, trace: Any) -> str:
    every = f", every {trace.stride}th" if trace.stride > 1 else ""
    return (
        f"State probabilities of target {trace.target}, which changes its state most often, in the first "
        f"{trace.n_frames:,} frames of the {analysis.split} data{every}."
    )


DYNAMICS = (
    FigureSpec(
        "Dynamics",
        "timescales",
        "Implied timescales",
        result=lambda a: a.timescales,
        draw=lambda plots, a, r: plots.timescales(r),
        table=own_table,
        caption=lambda a, r: (
            "Timescale of each relaxation as a function of the lag time; a constant one is what a Markovian model "
            f"has, a constant alone proves none. {band(r.basis)} In the grey region a process is over within one lag "
            "time."
        ),
        zooms=True,
    ),
    FigureSpec(
        "Dynamics",
        "chapman_kolmogorov",
        "Chapman-Kolmogorov test",
        result=lambda a: a.ck,
        draw=lambda plots, a, r: plots.chapman_kolmogorov(r),
        table=own_table,
        caption=lambda a, r: (
            f"What the model at a lag time of {lag_time(a)} predicts for longer times, and what the data say. "
            f"Band and bars: 95 % confidence intervals, where there are any ({r.basis}). "
            "The verdict rests on the difference of the two, "
            "whose interval is narrower than either. Of more than eight states the table has the others."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "populations",
        "Populations",
        result=lambda a: a.populations,
        draw=lambda plots, a, r: plots.populations(r, a.stationary),
        table=lambda a, r: frame(
            {
                "state": range(len(r.value)),
                "population": r.value,
                "lower": r.lower,
                "upper": r.upper,
                "stationary_distribution": a.stationary,
            }
        ),
        caption=lambda a, r: (
            f"Mean probability of each state with its 95 % confidence interval, if there is one ({r.basis}), and the "
            "stationary "
            "distribution of the Koopman matrix, to which the populations would go in the end."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "koopman_matrix",
        "Koopman matrix",
        result=lambda a: a.koopman,
        draw=lambda plots, a, r: plots.koopman_matrix(r.value),
        table=lambda a, r: matrix("probability", r.value, ("lower", r.lower), ("upper", r.upper)),
        caption=lambda a, r: (
            f"Probability of a target in the row's state to be in the column's state {lag_time(a)} later. "
            f"The table has the 95 % confidence intervals, where there are any ({r.basis})."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "eigenvectors",
        "Eigenvectors",
        result=lambda a: a.eigenvectors,
        draw=lambda plots, a, r: plots.eigenvectors(r),
        table=own_table,
        caption=lambda a, r: (
            "Each relaxation exchanges population between states of opposite sign; states near zero take no part."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "chi_histogram",
        "Distribution of the probabilities",
        result=lambda a: a.chi,
        draw=lambda plots, a, r: plots.chi_histogram(r),
        table=_histogram_table,
        caption=lambda a, r: (
            f"Well separated states have probabilities near 0 and 1: one state has more than 0.9 in "
            f"{100 * ga.crispness(r):.1f} % of the frames."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "chi_trace",
        "One target over time",
        result=lambda a: a.trace,
        draw=lambda plots, a, r: plots.chi_trace(r.time, r.chi, a.run.time_unit),
        table=lambda a, r: frame(
            {f"time_{a.run.time_unit}": r.time, **{f"state_{i}": column for i, column in enumerate(r.chi.T)}}
        ),
        caption=_trace_caption,
        zooms=True,
    ),
    FigureSpec(
        "Dynamics",
        "first_passage",
        "Mean first passage times",
        result=lambda a: a.kinetics.first_passage,
        draw=lambda plots, a, r: plots.first_passage(r.value, a.run.time_unit),
        table=lambda a, r: matrix(f"time_{a.run.time_unit}", r.value, ("lower", r.lower), ("upper", r.upper)),
        caption=lambda a, r: (
            "Mean time to reach the column's state for the first time from the row's, if the model is Markovian. "
            f"The table has the 95 % confidence intervals, where there are any ({r.basis})."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "committor",
        "Transition path",
        result=lambda a: a.kinetics if len(a.koopman.value) > 2 and a.kinetics.committor is not None else None,
        draw=lambda plots, a, r: plots.committor(r.committor, r.source, r.target),
        table=lambda a, r: frame({"state": range(len(r.committor)), "committor": r.committor}),
        caption=lambda a, r: (
            f"Probability of reaching state {r.target} before state {r.source}, the two ends of the slowest "
            f"relaxation. States near 0 belong to {r.source}, near 1 to {r.target}, between them lies the way."
        ),
    ),
)
