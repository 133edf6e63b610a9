"""What the surroundings of each state look like: radial distributions, coordination numbers and charges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gdynet_tf.analysis.blocks import Basis
from gdynet_tf.analysis.chi import Chi, as_chi
from gdynet_tf.analysis.structure.first_shell import first_minimum
from gdynet_tf.analysis.structure.sampling import sampled_chi
from gdynet_tf.analysis.structure.shells import independent_surroundings, shell_sums
from gdynet_tf.analysis.system import System
from gdynet_tf.analysis.uncertainty import Estimate, estimate_from_sums, estimate_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ChargeIntegral", "RadialDistribution", "charge_integral", "first_shell", "radial_distribution"]

_EMPTY = 1e-6  # mean probability below which a state has no surroundings to speak of


@dataclass(frozen=True)
class RadialDistribution:
    """Radial distribution functions about the targets by state.

    Attributes
    ----------
    r : (B,) float
        Middles of the shells, Å.
    edges : (B + 1,) float
        Å.
    pairs : tuple of (str, str)
        Element of the targets (formula, for groups) and element around them.
    g, lower, upper : (n_states, n_pairs, B) float
        NaN for a state that never occurs, and for a species of which the target is the only atom.
    coordination, coordination_lower, coordination_upper : (n_states, n_pairs, B) float
        Mean number of atoms up to the outer edge of each shell.
    n_frames : int
        Frames that were counted.
    bases : tuple of Basis
        What the intervals of each pair rest on.
    """

    r: np.ndarray
    edges: np.ndarray
    pairs: tuple[tuple[str, str], ...]
    g: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    coordination: np.ndarray
    coordination_lower: np.ndarray
    coordination_upper: np.ndarray
    n_frames: int
    bases: tuple[Basis, ...]

    @property
    def interval(self) -> str:
        """The bases in words, for captions."""
        return "; ".join(dict.fromkeys(map(str, self.bases)))

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state, pair and shell.

        Returns
        -------
        pandas.DataFrame
            ``state``, ``target``, ``element``, ``r_angstrom``, ``shell_ends_angstrom``, ``g``, ``g_lower``,
            ``g_upper``, ``coordination``, ``coordination_lower``, ``coordination_upper``, ``basis``.
        """
        import pandas as pd

        state, pair, shell = (index.ravel() for index in np.indices(self.g.shape))
        return pd.DataFrame(
            {
                "state": state,
                "target": np.array(self.pairs)[pair, 0],
                "element": np.array(self.pairs)[pair, 1],
                "r_angstrom": self.r[shell],
                "shell_ends_angstrom": self.edges[shell + 1],
                "g": self.g.ravel(),
                "g_lower": self.lower.ravel(),
                "g_upper": self.upper.ravel(),
                "coordination": self.coordination.ravel(),
                "coordination_lower": self.coordination_lower.ravel(),
                "coordination_upper": self.coordination_upper.ravel(),
                "basis": np.array([str(basis) for basis in self.bases])[pair],
            }
        )


@dataclass(frozen=True)
class ChargeIntegral:
    """Charge within a sphere about the targets by state, the target's own included.

    Attributes
    ----------
    radii : (B + 1,) float
        Å, from zero.
    charge, lower, upper : (n_states, B + 1) float
        Elementary charges; NaN for a state that never occurs.
    n_frames : int
    basis : Basis
        What the intervals rest on.
    """

    radii: np.ndarray
    charge: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    n_frames: int
    basis: Basis

    @property
    def interval(self) -> str:
        """The basis in words, for captions."""
        return str(self.basis)

    def at(self, radius: float) -> np.ndarray:
        """(n_states,) charge within ``radius`` Å."""
        if not 0 <= radius <= self.radii[-1]:
            raise ValueError(f"radius {radius:g} Å is outside 0 to {self.radii[-1]:g} Å")
        return np.array([np.interp(radius, self.radii, row) for row in self.charge])

    def to_dataframe(self) -> pd.DataFrame:
        """A row for each state and radius.

        Returns
        -------
        pandas.DataFrame
            ``state``, ``radius_angstrom``, ``charge_e``, ``charge_lower_e``, ``charge_upper_e``, ``basis``.
        """
        charge = Estimate(value=self.charge, lower=self.lower, upper=self.upper, basis=self.basis)
        axes: list[dict[str, Any]] = [{"state": range(len(self.charge))}, {"radius_angstrom": self.radii}]
        return estimate_table(axes, {"charge": charge}, "e")


def _edges(r_max: float, bin_width: float) -> np.ndarray:
    if not (bin_width > 0 and r_max >= bin_width):
        raise ValueError(f"r_max {r_max:g} Å must hold at least one shell of width {bin_width:g} Å, which is positive")
    return np.arange(round(r_max / bin_width) + 1) * bin_width


def _occupied(weights: np.ndarray, n_samples: int) -> np.ndarray:
    """Weights with those of states that never occur set to zero, so that their results are NaN."""
    return np.where(weights < _EMPTY * n_samples, 0.0, weights)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.broadcast_shapes(a.shape, b.shape), np.nan), where=b > 0)


def radial_distribution(
    chi: Chi | Sequence[np.ndarray],
    system: System,
    r_max: float = 8.0,
    bin_width: float = 0.05,
    max_frames: int = 500,
) -> RadialDistribution:
    """State-weighted radial distribution function of each pair of elements (Xie et al. 2019, Methods).

    g_i(r) = sum chi_i n(r) / sum chi_i rho 4 pi r^2 dr, over frames and targets. rho is the mean density of the
    other atoms of the element, so that an ideal gas has g = 1. Images of a target's own atoms do not count.

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    system : System
        Of the same frames, periodic in all directions.
    r_max, bin_width : float
        Å; r_max may exceed half the cell.
    max_frames : int
        Evenly spaced frames that are counted, at most.

    Returns
    -------
    RadialDistribution
        With intervals from blocks in which both the states and the coordination by the element have relaxed.

    Raises
    ------
    ValueError
        If the system is not periodic in all directions: it has no density.
    """
    from gdynet_tf.trajectory.elements import symbol

    if not all(system.periodic):
        raise ValueError("a radial distribution needs a system that is periodic in all directions: it has no density")
    chi, numbers, edges = as_chi(chi), np.unique(system.atomic_numbers), _edges(r_max, bin_width)
    system.check(chi)
    frames = system.frames(max_frames)
    sampled = sampled_chi(chi, frames)
    values = (system.atomic_numbers[:, None] == numbers).astype(np.float64)  # (N, S)
    volumes = 4 / 3 * np.pi * np.diff(edges**3)  # Å^3
    pairs, found, bases = [], [], []
    for name, chosen in _kinds_of_targets(system).items():
        own = replace(system, targets=system.targets[chosen])
        asked = (
            sampled.map(partial(np.take, indices=chosen, axis=1)),
            own,
            own.target_positions(),
            values,
            edges,
            frames,
        )
        blocks = independent_surroundings(*asked)
        about = partial(_about, n_samples=len(frames) * len(chosen), volumes=volumes)
        for number, one, sums in zip(numbers, blocks, shell_sums(*asked, blocks), strict=True):
            both = estimate_from_sums(about, sums, one, (0, np.inf))
            found.append((both.value, both.lower, both.upper))  # each (2, n_states, B)
            pairs.append((name, symbol(number)))
            bases.append(one.basis)
    value, lower, upper = np.moveaxis(np.array(found), 0, 3)  # each (2, n_states, n_pairs, B)
    return RadialDistribution(
        r=(edges[1:] + edges[:-1]) / 2,
        edges=edges,
        pairs=tuple(pairs),
        g=value[0],
        lower=lower[0],
        upper=upper[0],
        coordination=value[1],
        coordination_lower=lower[1],
        coordination_upper=upper[1],
        n_frames=len(frames),
        bases=tuple(bases),
    )


def _about(
    shells: np.ndarray, weights: np.ndarray, density: np.ndarray, *, n_samples: int, volumes: np.ndarray
) -> np.ndarray:
    """g and coordination number of an element from the sums of some data, (2, n_states, B)."""
    weights = _occupied(weights, n_samples)[:, None]
    ideal = np.where(weights > 0, density[:, None], 0.0) * volumes
    return np.stack([_ratio(shells, ideal), _ratio(shells.cumsum(axis=-1), weights)])


def _kinds_of_targets(system: System) -> dict[str, list[int]]:
    """Name -> indices of the targets: by element, groups of atoms by formula."""
    from gdynet_tf.trajectory.elements import formula

    kinds: dict[str, list[int]] = {}
    for target, atoms in enumerate(system.targets):
        kinds.setdefault(formula(system.atomic_numbers[atoms]), []).append(target)
    return kinds


def first_shell(result: RadialDistribution, populations: np.ndarray) -> np.ndarray:
    """Outer radius of the first coordination shell of each pair: the first minimum of g after its first maximum.

    Parameters
    ----------
    result : RadialDistribution
    populations : (n_states,) array
        Weights of the states in the mean g that is looked at: one radius for all states makes them comparable.

    Returns
    -------
    (n_pairs,) float
        Å; NaN where g has no maximum followed by a minimum.
    """
    g = np.nansum(result.g * np.asarray(populations)[:, None, None], axis=0)  # (n_pairs, B)
    return np.array([first_minimum(result.edges, row) for row in g])


def charge_integral(
    chi: Chi | Sequence[np.ndarray],
    system: System,
    charges: Sequence[float] | np.ndarray,
    r_max: float = 8.0,
    bin_width: float = 0.05,
    max_frames: int = 500,
) -> ChargeIntegral:
    """Mean charge within a radius of the targets by state (Xie et al. 2019, Fig. 4c).

    Parameters
    ----------
    chi : Chi or list of (F, n_targets, n_states) arrays
    system : System
        Of the same frames.
    charges : (N,) array
        Of each atom, elementary charges.
    r_max, bin_width : float
        Å.
    max_frames : int
        As in `radial_distribution`.

    Returns
    -------
    ChargeIntegral
        It starts from the mean charge of the targets.
    """
    chi, charges, edges = as_chi(chi), np.asarray(charges, np.float64), _edges(r_max, bin_width)
    if charges.shape != system.atomic_numbers.shape or not np.isfinite(charges).all():
        raise ValueError(f"{len(system.atomic_numbers)} finite charges are needed, got shape {charges.shape}")
    system.check(chi)
    frames = system.frames(max_frames)
    sampled = sampled_chi(chi, frames)
    asked = (sampled, system, system.target_positions(), charges[:, None], edges, frames)
    (blocks,) = independent_surroundings(*asked)
    ((shells, weights, _),) = shell_sums(*asked, [blocks])
    # A target whose charge differs from the others' needs its own weight.
    own = charges[system.targets].sum(axis=1)
    start = blocks.sums([p * own[:, None] for p in sampled])

    def within(shells: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros_like(start)[:, None], shells.cumsum(axis=-1)], axis=-1) + start[:, None]
        return _ratio(total, _occupied(weights, sampled.n_frames * sampled.n_targets)[:, None])

    found = estimate_from_sums(within, (shells, weights, start), blocks)
    return ChargeIntegral(
        radii=edges,
        charge=found.value,
        lower=found.lower,
        upper=found.upper,
        n_frames=len(frames),
        basis=blocks.basis,
    )
