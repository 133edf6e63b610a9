"""The figures of a report that need the atoms."""

import contextlib

import numpy as np

import gdynet_tf.analysis as ga

__all__ = ["draw_surroundings"]

_MSD_ROWS = 500


def _columns(*names_and_arrays):
    """Columns of a long table from arrays of one shape: their indices first, then their values."""
    *index_names, arrays = names_and_arrays
    shape = next(iter(arrays.values())).shape
    index = dict(zip(index_names, (i.ravel() for i in np.indices(shape)), strict=True))
    return index, {name: array.ravel() for name, array in arrays.items()}


def draw_surroundings(analysis, saved):
    """Draw and save the figures of structure, motion and space.

    Parameters
    ----------
    analysis : gdynet_tf.report.analyse.Analysis
        With surroundings.
    saved : callable
        (section, name, axes, numbers, title, caption) -> Figure.

    Yields
    ------
    Figure
    """
    found = analysis.surroundings
    yield from _structure(found, saved)
    yield from _motion(found, analysis.run, saved)
    yield from _space(found, saved)


def _structure(found, saved):
    plots = ga.plots
    if found.rdf is not None:
        rdf = found.rdf
        index, values = _columns(
            "state",
            "pair",
            "r",
            {
                "g": rdf.g,
                "lower": rdf.lower,
                "upper": rdf.upper,
                "coordination": rdf.coordination,
                "coordination_lower": rdf.coordination_lower,
                "coordination_upper": rdf.coordination_upper,
            },
        )
        yield saved(
            "Structure",
            "radial_distribution",
            plots.radial_distribution(rdf),
            {
                "state": index["state"],
                "target": np.array(rdf.pairs)[index["pair"], 0],
                "element": np.array(rdf.pairs)[index["pair"], 1],
                "r_angstrom": rdf.r[index["r"]],
                "shell_ends_angstrom": rdf.edges[index["r"] + 1],
                **values,
            },
            "Surroundings of each state",
            f"State-weighted radial distribution functions, from {rdf.n_frames} frames; 1 is the mean density of the "
            f"element. Bands: 95 % confidence interval ({rdf.interval}). The table has the coordination numbers too.",
        )
    if found.charge is not None:
        charge = found.charge
        index, values = _columns("state", "r", {"charge": charge.charge, "lower": charge.lower, "upper": charge.upper})
        yield saved(
            "Structure",
            "charge_integral",
            plots.charge_integral(charge),
            {"state": index["state"], "radius_angstrom": charge.radii[index["r"]], **values},
            "Charge about a target",
            "Mean charge within a sphere about the target, its own included, in each state. Bands: 95 % confidence "
            f"interval ({charge.interval}).",
        )
    if found.bond_order is not None:
        order, (rank, n_neighbors) = found.bond_order, found.options.bond_order
        index, values = _columns("state", "bin", {"density": order.density, "lower": order.lower, "upper": order.upper})
        yield saved(
            "Structure",
            "bond_order",
            plots.bond_order(order, rank),
            {
                "state": index["state"],
                "from": order.edges[index["bin"]],
                "to": order.edges[index["bin"] + 1],
                **values,
            },
            "Bond order",
            f"Distribution of Steinhardt's q{rank} of the {n_neighbors} nearest neighbours in each state; q3 of a "
            "tetrahedron is 0.745, of an octahedron 0.",
        )


def _motion(found, run, saved):
    plots, unit = ga.plots, run.time_unit
    if found.transport is not None:
        transport = found.transport
        index, values = _columns(
            "lag",
            "from",
            "to",
            {
                "squared_displacement": transport.displacement,
                "lower": transport.displacement_lower,
                "upper": transport.displacement_upper,
            },
        )
        yield saved(
            "Motion",
            "displacement",
            plots.displacement(transport),
            {f"time_{unit}": transport.lag_times[index["lag"]], "from": index["from"], "to": index["to"], **values},
            "Displacement by transition",
            "Mean squared displacement of the targets that are in state i at first and in state j at the given time. "
            f"Dashed: the lag time. Bands: 95 % confidence interval ({transport.interval}).",
        )
        index, values = _columns(
            "from",
            "to",
            {
                "diffusivity": transport.diffusivity,
                "lower": transport.lower,
                "upper": transport.upper,
                "flux": transport.flux,
            },
        )
        yield saved(
            "Motion",
            "diffusivity",
            plots.diffusivity(transport),
            {**index, **values},
            "Diffusion coefficient by transition",
            "D_ij, a sixth of the slope of the displacement at the lag time. A dash: no such transition was seen. A "
            "negative value is a slope that the data do not resolve; the table has the intervals.",
        )
    if found.conductivity is not None:
        sigma = found.conductivity
        names = ("sigma", "lower", "upper", "percent", "percent_lower", "percent_upper", "charges")
        index, values = _columns("from", "to", {name: getattr(sigma, name) for name in names})
        total = f"{sigma.total:.3g} S/cm"
        if np.isfinite(sigma.total_lower):
            total += f" (95 % interval {sigma.total_lower:.3g} to {sigma.total_upper:.3g})"
        yield saved(
            "Motion",
            "conductivity",
            plots.conductivity(sigma),
            {**index, **values},
            "Conductivity by transition",
            f"Share of each transition in the cluster Nernst-Einstein conductivity, {total} in all at "
            f"{found.options.temperature:g} K. {_cluster(found)} Bars: 95 % confidence interval ({sigma.interval}).",
        )
    if found.msd is not None:
        msd = found.msd
        rows = slice(None, None, max(1, len(msd.lags) // _MSD_ROWS))
        yield saved(
            "Motion",
            "mean_squared_displacement",
            plots.mean_squared_displacement(msd, found.diffusivity),
            {
                f"time_{unit}": msd.lag_times[rows],
                "msd": msd.msd[rows],
                "lower": msd.lower[rows],
                "upper": msd.upper[rows],
            },
            "Tracer diffusion",
            f"Mean squared displacement of all targets, whatever their state. {_diffusivity(found.diffusivity)}",
        )


def _cluster(found):
    charges = ", ".join(f"{i}: {q:+.2f}" for i, q in enumerate(found.state_charges))
    radius = found.options.cluster_radius
    where = f"within {radius:g} Å of the target" if radius else "of the target alone"
    return f"Charges by state, {where}: {charges} e."


def _diffusivity(fit):
    value = f"D = {fit.diffusivity:.3g} Å²/{fit.time_unit}"
    if np.isfinite(fit.lower):
        value += f" (95 % interval {fit.lower:.3g} to {fit.upper:.3g}, {fit.interval})"
    with contextlib.suppress(ValueError):  # a time unit without seconds
        value += f", {fit.cm2_per_s:.3g} cm²/s"
    return f"{value}, from the slope between {fit.fitted[0]:.3g} and {fit.fitted[1]:.3g} {fit.time_unit}."


def _space(found, saved):
    plots = ga.plots
    if found.profiles:
        rows = [
            (
                "xyz"[profile.axis],
                profile.position[k],
                i,
                profile.density[i, k],
                profile.lower[i, k],
                profile.upper[i, k],
                profile.fraction[i, k],
            )
            for profile in found.profiles
            for i in range(len(profile.density))
            for k in range(len(profile.position))
        ]
        names = ("axis", "position_angstrom", "state", "targets_per_angstrom", "lower", "upper", "fraction")
        yield saved(
            "Space",
            "population_profile",
            plots.population_profile(found.profiles),
            dict(zip(names, zip(*rows, strict=True), strict=True)),
            "Where the states are",
            "Targets in each state along the normals of the cell's faces. Bands: 95 % confidence interval "
            f"({found.profiles[0].interval}).",
        )
    if found.density is not None:
        index, values = _columns("state", "a", "b", "c", {"density": found.density.density})
        seen = values["density"] > 0
        fractions = {
            name: (index[name][seen] / found.density.density.shape[1 + k]).round(6) for k, name in enumerate("abc")
        }
        yield saved(
            "Space",
            "density",
            plots.density(found.density),
            {"state": index["state"][seen], **fractions, "targets_per_angstrom3": values["density"][seen]},
            "Density of the states in the cell",
            "Targets in each state, summed along the third lattice vector. The table has the voxels that are ever "
            "occupied, density_I.cube all of them, for VESTA or OVITO.",
        )
