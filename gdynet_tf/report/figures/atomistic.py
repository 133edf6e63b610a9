"""The figures that need the atoms: structure, motion and space."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gdynet_tf.analysis as ga
from gdynet_tf.report.figures.common import band, of_atoms, own_table
from gdynet_tf.report.figures.drawing import FigureSpec
from gdynet_tf.report.tables import interval_text
from gdynet_tf.times import time_text

if TYPE_CHECKING:
    import pandas as pd

    from gdynet_tf.report.results import Analysis

__all__ = ["MOTION", "SPACE", "STRUCTURE"]

_MSD_ROWS = 500


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
        return f"{text} {band(msd.msd.basis)} It does not grow as in diffusion: there is no diffusion coefficient."
    value = f"D = {interval_text(fit.diffusivity)} Å²/{fit.time_unit}"
    with contextlib.suppress(ValueError):  # a time unit without seconds
        value += f", {fit.cm2_per_s:.3g} cm²/s"
    if fit.finite_size:
        value += f" (of which {fit.finite_size:.3g} Å²/{fit.time_unit} are the correction for the finite cell)"
    return (
        f"{text} {band(msd.msd.basis)} {value}, from the slope between {time_text(fit.fitted[0], fit.time_unit)} and "
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


STRUCTURE = (
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
        result=of_atoms("rdf"),
        draw=lambda plots, a, r: plots.radial_distribution(r),
        table=own_table,
        caption=lambda a, r: (
            f"State-weighted radial distribution functions, from {r.n_frames} frames; 1 is the mean density of the "
            f"element. {band(r.interval)} The table has the coordination numbers too."
        ),
        zooms=True,
    ),
    FigureSpec(
        "Structure",
        "charge_integral",
        "Charge about a target",
        result=of_atoms("charge"),
        draw=lambda plots, a, r: plots.charge_integral(r),
        table=own_table,
        caption=lambda a, r: (
            f"Mean charge within a sphere about the target, its own included, in each state. {band(r.interval)}"
        ),
    ),
    FigureSpec(
        "Structure",
        "bond_order",
        "Bond order",
        result=of_atoms("bond_order"),
        draw=lambda plots, a, r: plots.bond_order(r, a.atomistic.options.bond_order[0]),
        table=own_table,
        caption=lambda a, r: (
            f"Distribution of Steinhardt's q{a.atomistic.options.bond_order[0]} of the "
            f"{a.atomistic.options.bond_order[1]} nearest neighbours in each state"
            f"{'; a tetrahedron has 0.745, an octahedron 0' if a.atomistic.options.bond_order[0] == 3 else ''}"
            f". {band(r.interval)}"
        ),
    ),
)

MOTION = (
    FigureSpec(
        "Motion",
        "displacement",
        "Displacement by transition",
        result=of_atoms("transport"),
        draw=lambda plots, a, r: plots.displacement(r),
        table=own_table,
        caption=lambda a, r: (
            "Mean squared displacement of the targets that are in state i at first and in state j at the given time. "
            f"Dashed: the lag time. {band(r.displacement.basis)}"
        ),
    ),
    FigureSpec(
        "Motion",
        "diffusivity",
        "Diffusion coefficient by transition",
        result=of_atoms("transport"),
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
        result=of_atoms("conductivity"),
        draw=lambda plots, a, r: plots.conductivity(r),
        table=own_table,
        caption=_conductivity_caption,
    ),
    FigureSpec(
        "Motion",
        "mean_squared_displacement",
        "Tracer diffusion",
        result=of_atoms("msd"),
        draw=lambda plots, a, r: plots.mean_squared_displacement(
            r, a.atomistic.diffusivity if a.atomistic.diffuses else None
        ),
        table=lambda a, r: r.to_dataframe().iloc[:: max(1, len(r.lags) // _MSD_ROWS)],
        caption=_diffusion_caption,
        zooms=True,
    ),
)

SPACE = (
    FigureSpec(
        "Space",
        "population_profile",
        "Where the states are",
        result=lambda a: (a.atomistic.profiles or None) if a.atomistic else None,
        draw=lambda plots, a, r: plots.population_profile(r),
        table=_profiles_table,
        caption=lambda a, r: f"Targets in each state along the normals of the cell's faces. {band(r[0].interval)}",
    ),
    FigureSpec(
        "Space",
        "density",
        "Density of the states in the cell",
        result=of_atoms("density"),
        draw=lambda plots, a, r: plots.density(r),
        table=_occupied_voxels,
        caption=lambda a, r: (
            "Targets in each state, summed along the third lattice vector. The table has the voxels that are ever "
            "occupied, density_I.cube all of them, for VESTA or OVITO."
        ),
    ),
)
