"""The one list of the figures of a report, in the order in which it shows them.

An entry says what is shown, how it is drawn, the numbers beside it and its caption; nothing else has to know of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.agreement import FOUND_AGAIN
from gdynet_tf.report.figures.drawing import FigureSpec
from gdynet_tf.report.figures.explanation import EXPLANATION
from gdynet_tf.report.tables import interval_text
from gdynet_tf.times import time_text

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["FIGURES"]

_MSD_ROWS = 500


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns)


def _matrix(name: str, values: np.ndarray, *others: tuple[str, np.ndarray]) -> pd.DataFrame:
    """Table of (n, n) arrays with a row for each pair of states."""
    i, j = (index.ravel() for index in np.indices(values.shape))
    return _frame({"from": i, "to": j, name: values.ravel(), **{other: array.ravel() for other, array in others}})


def _own_table(analysis: Analysis, result: Any) -> pd.DataFrame:
    """The result's own table."""
    return result.to_dataframe()


def _atomistic(name: str) -> Callable[[Analysis], Any]:
    """Function from an analysis to a result that needs the atoms; None without them."""
    return lambda a: None if a.atomistic is None else getattr(a.atomistic, name)


def _band(basis: Any) -> str:
    return f"Bands: 95 % confidence intervals, where there are any ({basis})."


def _lag_time(analysis: Analysis) -> str:
    run = analysis.run
    return time_text(run.tau * run.frame_interval, run.time_unit, 4)


def _histogram_table(analysis: Analysis, chi: ga.Chi) -> pd.DataFrame:
    from gdynet_tf.report import plots

    shares, edges = plots.histogram(chi)
    states = {f"state_{i}": share for i, share in enumerate(shares)}
    return _frame({"from": edges[:-1], "to": edges[1:], **states})


def _trace_caption(analysis: Analysis, trace: Any) -> str:
    every = f", every {trace.stride}th" if trace.stride > 1 else ""
    return (
        f"State probabilities of target {trace.target}, which changes its state most often, in the first "
        f"{trace.n_frames:,} frames of the {analysis.split} data{every}."
    )


def _conductivity_caption(analysis: Analysis, sigma: ga.Conductivity) -> str:
    found = analysis.atomistic
    charges = ", ".join(f"{i}: {q:+.2f}" for i, q in enumerate(found.state_charges))
    radius = found.options.cluster_radius
    where = f"within {radius:g} Å of the target" if radius else "of the target alone"
    haven = ""
    if found.haven is not None:
        haven = (
            f" Haven ratio {interval_text(found.haven.ratio)}; the conductivity of all ions is this one divided by it."
        )
    return (
        f"Share of each transition in the cluster Nernst-Einstein conductivity, {interval_text(sigma.total)} S/cm in "
        f"all by the slopes of the displacements (the paper's formula) and {interval_text(sigma.exact_total)} S/cm by "
        f"the displacements themselves, at {found.options.temperature:g} K. Charges by state, {where}: {charges} e. "
        f"Bars: 95 % confidence intervals, where there are any ({sigma.percent.basis}).{haven}"
    )


def _diffusion_caption(analysis: Analysis, msd: ga.MeanSquaredDisplacement) -> str:
    fit, text = analysis.atomistic.diffusivity, "Mean squared displacement of all targets, whatever their state."
    if not analysis.atomistic.diffuses:
        return f"{text} {_band(msd.msd.basis)} It does not grow as in diffusion: there is no diffusion coefficient."
    value = f"D = {interval_text(fit.diffusivity)} Å²/{fit.time_unit}"
    with contextlib.suppress(ValueError):  # a time unit without seconds
        value += f", {fit.cm2_per_s:.3g} cm²/s"
    if fit.finite_size:
        value += f" (of which {fit.finite_size:.3g} Å²/{fit.time_unit} are the correction for the finite cell)"
    return (
        f"{text} {_band(msd.msd.basis)} {value}, from the slope between {time_text(fit.fitted[0], fit.time_unit)} and "
        f"{time_text(fit.fitted[1], fit.time_unit)} by generalised least squares."
    )


def _surroundings(analysis: Analysis) -> list[Any] | None:
    found = analysis.atomistic
    return found.surroundings if found is not None and any(found.surroundings) else None


def _atoms_table(analysis: Analysis, surroundings: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    tables = [one.to_dataframe().assign(state=i) for i, one in enumerate(surroundings) if one is not None]
    return pd.concat(tables)[["state", *tables[0].columns[:-1]]]


def _surroundings_caption(analysis: Analysis, surroundings: Sequence[Any]) -> str:
    shown = [
        f"state {i}: target {one.target}, frame {one.frame:,} of segment {one.segment + 1}"
        for i, one in enumerate(surroundings)
        if one is not None
    ]
    return (
        "The most typical surroundings of each state, the target ringed. Thick lines: bonds, by the covalent radii; "
        "dashed: atoms within the first coordination shell, where there is one. The paler, the farther from the "
        f"reader. {'; '.join(shown).capitalize()} (of the {analysis.split} data)."
    )


def _profiles_table(analysis: Analysis, profiles: Sequence[ga.PopulationProfile]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([profile.to_dataframe() for profile in profiles])


def _occupied_voxels(analysis: Analysis, density: ga.StateDensity) -> pd.DataFrame:
    table = density.to_dataframe()
    return table[table["targets_per_angstrom3"] > 0]


_DYNAMICS = (
    FigureSpec(
        "Dynamics",
        "timescales",
        "Implied timescales",
        result=lambda a: a.timescales,
        draw=lambda plots, a, r: plots.timescales(r),
        table=_own_table,
        caption=lambda a, r: (
            "Timescale of each relaxation as a function of the lag time; a constant one is what a Markovian model "
            f"has, a constant alone proves none. {_band(r.basis)} In the grey region a process is over within one lag "
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
        table=_own_table,
        caption=lambda a, r: (
            f"What the model at a lag time of {_lag_time(a)} predicts for longer times, and what the data say. "
            f"Band and bars: 95 % confidence intervals, where there are any ({r.basis}). "
            "The verdict rests on the difference of the two, "
            "whose interval is narrower than either."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "populations",
        "Populations",
        result=lambda a: a.populations,
        draw=lambda plots, a, r: plots.populations(r, a.stationary),
        table=lambda a, r: _frame(
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
        table=lambda a, r: _matrix("probability", r.value, ("lower", r.lower), ("upper", r.upper)),
        caption=lambda a, r: (
            f"Probability of a target in the row's state to be in the column's state {_lag_time(a)} later. "
            f"The table has the 95 % confidence intervals, where there are any ({r.basis})."
        ),
    ),
    FigureSpec(
        "Dynamics",
        "eigenvectors",
        "Eigenvectors",
        result=lambda a: a.eigenvectors,
        draw=lambda plots, a, r: plots.eigenvectors(r),
        table=_own_table,
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
        table=lambda a, r: _frame(
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
        table=lambda a, r: _matrix(f"time_{a.run.time_unit}", r.value, ("lower", r.lower), ("upper", r.upper)),
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
        table=lambda a, r: _frame({"state": range(len(r.committor)), "committor": r.committor}),
        caption=lambda a, r: (
            f"Probability of reaching state {r.target} before state {r.source}, the two ends of the slowest "
            f"relaxation. States near 0 belong to {r.source}, near 1 to {r.target}, between them lies the way."
        ),
    ),
)

_STRUCTURE = (
    FigureSpec(
        "Structure",
        "surroundings",
        "What each state looks like",
        result=_surroundings,
        draw=lambda plots, a, r: plots.surroundings(r),
        table=_atoms_table,
        caption=_surroundings_caption,
    ),
    FigureSpec(
        "Structure",
        "radial_distribution",
        "Atoms around each state",
        result=_atomistic("rdf"),
        draw=lambda plots, a, r: plots.radial_distribution(r),
        table=_own_table,
        caption=lambda a, r: (
            f"State-weighted radial distribution functions, from {r.n_frames} frames; 1 is the mean density of the "
            f"element. {_band(r.interval)} The table has the coordination numbers too."
        ),
        zooms=True,
    ),
    FigureSpec(
        "Structure",
        "charge_integral",
        "Charge about a target",
        result=_atomistic("charge"),
        draw=lambda plots, a, r: plots.charge_integral(r),
        table=_own_table,
        caption=lambda a, r: (
            f"Mean charge within a sphere about the target, its own included, in each state. {_band(r.interval)}"
        ),
    ),
    FigureSpec(
        "Structure",
        "bond_order",
        "Bond order",
        result=_atomistic("bond_order"),
        draw=lambda plots, a, r: plots.bond_order(r, a.atomistic.options.bond_order[0]),
        table=_own_table,
        caption=lambda a, r: (
            f"Distribution of Steinhardt's q{a.atomistic.options.bond_order[0]} of the "
            f"{a.atomistic.options.bond_order[1]} nearest neighbours in each state"
            f"{'; a tetrahedron has 0.745, an octahedron 0' if a.atomistic.options.bond_order[0] == 3 else ''}"
            f". {_band(r.interval)}"
        ),
    ),
)

_MOTION = (
    FigureSpec(
        "Motion",
        "displacement",
        "Displacement by transition",
        result=_atomistic("transport"),
        draw=lambda plots, a, r: plots.displacement(r),
        table=_own_table,
        caption=lambda a, r: (
            "Mean squared displacement of the targets that are in state i at first and in state j at the given time. "
            f"Dashed: the lag time. {_band(r.displacement.basis)}"
        ),
    ),
    FigureSpec(
        "Motion",
        "diffusivity",
        "Diffusion coefficient by transition",
        result=_atomistic("transport"),
        draw=lambda plots, a, r: plots.diffusivity(r),
        table=lambda a, r: r.transitions_dataframe(),
        caption=lambda a, r: (
            "D_ij, a sixth of the slope of the displacement at the lag time. A dash: no such transition was seen. A "
            "negative value is a slope that the data do not resolve; the table has the intervals."
        ),
    ),
    FigureSpec(
        "Motion",
        "conductivity",
        "Conductivity by transition",
        result=_atomistic("conductivity"),
        draw=lambda plots, a, r: plots.conductivity(r),
        table=_own_table,
        caption=_conductivity_caption,
    ),
    FigureSpec(
        "Motion",
        "mean_squared_displacement",
        "Tracer diffusion",
        result=_atomistic("msd"),
        draw=lambda plots, a, r: plots.mean_squared_displacement(
            r, a.atomistic.diffusivity if a.atomistic.diffuses else None
        ),
        table=lambda a, r: r.to_dataframe().iloc[:: max(1, len(r.lags) // _MSD_ROWS)],
        caption=_diffusion_caption,
        zooms=True,
    ),
)

_SPACE = (
    FigureSpec(
        "Space",
        "population_profile",
        "Where the states are",
        result=lambda a: (a.atomistic.profiles or None) if a.atomistic else None,
        draw=lambda plots, a, r: plots.population_profile(r),
        table=_profiles_table,
        caption=lambda a, r: f"Targets in each state along the normals of the cell's faces. {_band(r[0].interval)}",
    ),
    FigureSpec(
        "Space",
        "density",
        "Density of the states in the cell",
        result=_atomistic("density"),
        draw=lambda plots, a, r: plots.density(r),
        table=_occupied_voxels,
        caption=lambda a, r: (
            "Targets in each state, summed along the third lattice vector. The table has the voxels that are ever "
            "occupied, density_I.cube all of them, for VESTA or OVITO."
        ),
    ),
)

_TRAINING = (
    FigureSpec(
        "Training",
        "history",
        "Training",
        result=lambda a: a.run.history,
        draw=lambda plots, a, r: plots.history(r),
        table=lambda a, r: r,
        caption=lambda a, r: (
            "VAMP-2 score by epoch, before the states are identified. The validation score is of all pairs at once."
        ),
    ),
    FigureSpec(
        "Training",
        "state_agreement",
        "Found again by the restarts",
        result=lambda a: a.run.scores["agreement"],
        draw=lambda plots, a, r: plots.state_agreement(r["f1"], FOUND_AGAIN),
        table=lambda a, r: _frame({"state": range(len(r["f1"])), "f1": r["f1"], "found_again": r["found_again"]}),
        caption=lambda a, r: (
            "Smallest overlap (F1 score of the frames in which a state is the likeliest) with its match in the other "
            f"{r['n_restarts'] - 1} trainings, on the validation data."
        ),
    ),
)

FIGURES = (*_DYNAMICS, *_STRUCTURE, *_MOTION, *_SPACE, *EXPLANATION, *_TRAINING)
