"""Everything about a run that needs the atoms: structure, transport and space, gathered for the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import gdynet_tf.analysis as ga
from gdynet_tf.analysis.chi import Chi
from gdynet_tf.errors import InputError
from gdynet_tf.findings import Severity

__all__ = ["AtomisticResults", "ReportOptions", "analyse_atoms", "write_files"]

_R_MAX = 8.0  # Å
_TARGETS_TO_COUNT = 50_000  # targets x frames of distributions, within 200 to 10,000 frames
_FEW_TARGETS = 10  # of which a density in space is shown in any case
_PLACES = 0.5  # correlation of the densities in two halves of the data, from which on it is more than a cloud
_VOXEL, _MOST_VOXELS = 0.25, 5e7  # Å; of all states, in cells that are flat
_VOXELS = 500_000  # of the densities of all states, as many as the three-dimensional view shows
_REACH, _FARTHEST = 4.0, 5.0  # Å about a target that its picture shows
_TOGETHER = 1.25  # of the radius of the narrowest first shell, up to which another one is drawn as one with it
_ATOMS_TO_EXPORT = 200_000  # atoms x frames of the coloured trajectory


@dataclass(frozen=True)
class ReportOptions:
    """What the report cannot know from the run.

    Attributes
    ----------
    charges : str, optional
        See `read_charges`; for charge integrals and the conductivity. By default those that the trajectory told.
    temperature : float, optional
        K; for the conductivity.
    viscosity : float, optional
        Pa s; for the finite-size correction of the tracer diffusivity of a liquid in a cubic cell.
    cluster_radius : float, optional
        Å within which a target's surroundings count to the charge that it carries; None: the target alone.
    bond_order : (int, int)
        l, and the number of neighbours that q_l is of.

    Raises
    ------
    InputError
    """

    charges: str | None = None
    temperature: float | None = None
    cluster_radius: float | None = None
    bond_order: tuple = (3, 4)
    viscosity: float | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not (np.isfinite(self.temperature) and self.temperature > 0):
            raise InputError(f"`temperature={self.temperature:g}`: must be a positive number of kelvin")
        if self.viscosity is not None and not (np.isfinite(self.viscosity) and self.viscosity > 0):
            raise InputError(f"`viscosity={self.viscosity:g}`: must be a positive number of Pa s")
        if self.viscosity is not None and self.temperature is None:
            raise InputError(f"`viscosity={self.viscosity:g}`: the finite-size correction needs `temperature` as well")
        if self.cluster_radius is not None and not 0 < self.cluster_radius <= _R_MAX:
            raise InputError(f"`cluster_radius={self.cluster_radius:g}`: must be above 0 and at most {_R_MAX:g} Å")
        if min(self.bond_order) < 1:
            raise InputError(f"`bond_order={' '.join(map(str, self.bond_order))}`: both must be at least 1")


@dataclass
class AtomisticResults:
    """Results that need the atoms; None where the data do not give one, with the reason among the findings."""

    system: ga.System
    options: ReportOptions
    rdf: ga.RadialDistribution | None = None
    shells: np.ndarray | None = None
    charge: ga.ChargeIntegral | None = None
    state_charges: np.ndarray | None = None
    target_charges: np.ndarray | None = None
    transport: ga.TransitionTransport | None = None
    conductivity: ga.Conductivity | None = None
    msd: ga.MeanSquaredDisplacement | None = None
    diffusivity: ga.TracerDiffusivity | None = None
    haven: ga.HavenRatio | None = None
    profiles: list[ga.PopulationProfile] = field(default_factory=list)
    bond_order: ga.StateDistribution | None = None
    density: ga.StateDensity | None = None
    representatives: list = field(default_factory=list)
    surroundings: list[ga.Surroundings | None] = field(default_factory=list)
    findings: list[ga.Finding] = field(default_factory=list)

    @property
    def diffuses(self) -> bool:
        """Whether there is a tracer diffusivity to speak of."""
        return self.diffusivity is not None and self.diffusivity.finding.severity == "good"

    def say(self, kind: str, text: str, severity: Severity = "warning", **numbers: float) -> None:
        """Add a finding."""
        self.findings.append(ga.Finding(kind=kind, severity=severity, text=text, numbers=numbers))


def analyse_atoms(system: ga.System, chi: ga.Chi, options: ReportOptions) -> AtomisticResults:
    """All results that need the atoms.

    Parameters
    ----------
    system : System
        Of the same frames as chi.
    chi : Chi
        With lag time and units.
    options : ReportOptions

    Returns
    -------
    AtomisticResults

    Raises
    ------
    InputError
        If an option does not fit the system.
    """
    if options.charges is None and system.charges is None:
        if options.temperature is not None and options.viscosity is None:
            raise InputError(f"`temperature={options.temperature:g}`: a conductivity needs `charges` as well")
        if options.cluster_radius is not None:
            raise InputError(f"`cluster_radius={options.cluster_radius:g}`: needs `charges`")
    found = AtomisticResults(system, options)
    _structure(found, chi)
    _motion(found, chi)
    _conduction(found)
    _space(found, chi)
    if system.targets.shape[1] == 1 and len(system.atomic_numbers) > 1:
        values, frames = _bond_orders(system, *options.bond_order)
        p = np.array([chi[segment][frame] for segment, frame in frames])
        found.bond_order = ga.state_distribution(values, p, np.linspace(0, 1, 51))
    found.representatives = ga.representative_frames(chi, system)
    found.surroundings = _surroundings(found)
    return found


def _surroundings(found: AtomisticResults) -> list[ga.Surroundings | None]:
    """What the representative frames have about their targets."""
    shells: dict[str, float] = {}
    if found.rdf is not None:
        for (_, element), radius in zip(found.rdf.pairs, found.shells, strict=True):
            if np.isfinite(radius):
                shells[element] = max(radius, shells.get(element, 0.0))
    nearest = min(shells.values(), default=0.0)  # only what is as near as that counts as contact
    shells = {element: radius for element, radius in shells.items() if radius <= _TOGETHER * nearest}
    reach = min(max([_REACH, *shells.values()]), _FARTHEST)
    return [
        None if place is None else ga.surroundings(found.system, place[0], place[1], place[2], reach, shells)
        for place in found.representatives
    ]


def _n_frames(system: ga.System) -> int:
    """Frames to count in: many for few targets."""
    return int(np.clip(_TARGETS_TO_COUNT // len(system.targets), 200, 10_000))


def _bond_orders(system: ga.System, order: int, n_neighbors: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    try:
        return ga.bond_order_of_targets(system, order, n_neighbors, _n_frames(system))
    except ValueError as error:
        raise InputError(f"`bond_order={order} {n_neighbors}`: {error}") from None


def _structure(found: AtomisticResults, chi: Chi) -> None:
    system, options = found.system, found.options
    if all(system.periodic):
        found.rdf = ga.radial_distribution(chi, system, _R_MAX, max_frames=_n_frames(system))
        found.shells = ga.first_shell(found.rdf, ga.populations(chi))
        if not np.isfinite(found.rdf.g).any():
            found.rdf = found.shells = None
            found.say("no radial distribution", "No radial distribution functions: there are no other atoms.", "note")
    else:
        text = "No radial distribution functions: the system is not periodic in all directions."
        found.say("no radial distribution", text, "note")
    charges = system.charges
    if options.charges is not None:
        charges = ga.read_charges(options.charges, system.atomic_numbers)
    if charges is None:
        return
    found.target_charges = charges[system.targets].sum(axis=1)
    found.charge = ga.charge_integral(chi, system, charges, _R_MAX, max_frames=_n_frames(system))
    found.state_charges = found.charge.at(options.cluster_radius or 0.0)


def _motion(found: AtomisticResults, chi: Chi) -> None:
    units: dict[str, Any] = {"frame_interval": chi.frame_interval, "time_unit": chi.time_unit}
    paths = found.system.target_paths()
    found.findings += found.system.findings
    try:
        found.transport = ga.transition_transport(chi, paths, chi.tau, **units)
    except ValueError as error:
        found.say("no displacements", f"No displacements by transition: {error}.")
    longest = max(map(len, paths))
    if longest < 20:
        text = f"No tracer diffusivity: the longest stretch of data has {longest} frames."
        found.say("no tracer diffusivity", text, longest=longest)
    else:
        found.msd = ga.mean_squared_displacement(paths, longest // 10, **units)
        found.diffusivity = ga.tracer_diffusivity(found.msd)
        found.findings.append(found.diffusivity.finding)
        _correct_for_size(found)
    if found.transport is not None:
        tracer = float(found.diffusivity.diffusivity.value) if found.diffuses else None
        found.findings.append(ga.sum_of_shares(found.transport, tracer))


def _correct_for_size(found: AtomisticResults) -> None:
    """Tracer diffusivity in an infinite system, where a viscosity is given."""
    options = found.options
    if options.viscosity is None:
        return
    lattice = np.mean([np.asarray(cell).mean(axis=0) for cell in found.system.lattices], axis=0)
    try:
        found.diffusivity = ga.finite_size_correction(
            found.diffusivity, lattice, options.temperature, options.viscosity
        )
    except ValueError as error:
        found.say("no finite-size correction", f"No finite-size correction: {error}.")


def _conduction(found: AtomisticResults) -> None:
    if found.options.temperature is None or found.target_charges is None or found.transport is None:
        return
    cells = [abs(np.linalg.det(np.asarray(cell))).mean() for cell in found.system.lattices]
    try:
        if np.isnan(found.state_charges).any():
            raise ValueError("a state that never occurs has no charge")
        own = found.target_charges
        if np.ptp(own) > 1e-9:
            raise ValueError(f"the targets carry different charges, {own.min():g} to {own.max():g} e")
        found.conductivity = ga.cluster_nernst_einstein(
            found.transport,
            found.state_charges,
            float(np.mean(cells)),
            found.options.temperature,
            target_charge=float(own[0]),
        )
    except ValueError as error:
        found.say("no conductivity", f"No conductivity: {error}.")
        return
    if found.conductivity.total.value < 0:
        text = (
            "The conductivity is negative: the charges within the cluster radius do not move with the targets. That "
            "radius is for ions that carry their neighbours along; without it the target's own charge is taken."
        )
        found.say("negative conductivity", text, total=float(found.conductivity.total.value))
    if found.diffuses and own[0]:
        paths, last = found.system.target_paths(), int(found.msd.lags[-1])
        found.haven = ga.haven_ratio(paths, own, last, found.msd.lag_times[1], found.msd.time_unit)


def _space(found: AtomisticResults, chi: Chi) -> None:
    system = found.system
    found.profiles = [
        ga.population_profile(chi, system, axis, _bin_width(system, axis)) for axis in range(3) if system.periodic[axis]
    ]
    if not all(system.periodic):
        return
    # Ions on the sites of a crystal have one, however many they are; molecules of a liquid have none.
    if len(system.targets) <= _FEW_TARGETS or ga.density_correlation(system) >= _PLACES:
        cell = np.asarray(system.lattices[0][:1])[0]
        edges, volume = np.linalg.norm(cell, axis=1), abs(np.linalg.det(cell))
        spacing = min(max(_VOXEL, (volume * chi.n_states / _VOXELS) ** (1 / 3)), float(edges.min()))
        if (edges / spacing).prod() * chi.n_states <= _MOST_VOXELS:
            found.density = ga.state_density(chi, system, spacing)
        else:
            text = f"No densities in space: the cell of {' x '.join(f'{edge:.4g}' for edge in edges)} Å is too large."
            found.say("no density", text, "note")


def _bin_width(system: ga.System, axis: int) -> float:
    """Half an Å, or less in a small cell."""
    from gdynet_tf.trajectory.cells import plane_spacings

    return min(0.5, float(plane_spacings(np.asarray(system.lattices[0][:1]))[0, axis]) / 20)


def write_files(found: AtomisticResults, chi: ga.Chi, folder: Path) -> list[Path]:
    """Write representative frames, the coloured trajectory and, for few targets, the densities.

    Parameters
    ----------
    found : AtomisticResults
    chi : Chi
    folder : Path

    Returns
    -------
    list of Path
    """
    files = ga.write_representatives(folder, chi, found.system, found.representatives)
    n_frames = int(np.clip(_ATOMS_TO_EXPORT // len(found.system.atomic_numbers), 10, 200))
    ga.write_state_trajectory(folder / "states.extxyz", chi, found.system, n_frames)
    files.append(folder / "states.extxyz")
    if found.density is not None:
        files += ga.write_density(folder, found.density, found.system)
    return files
